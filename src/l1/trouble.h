/* trouble: why the server could last not be had, in words: for those who look for the reason when loads go up and the circuit opens.
 *
 * Thread rule: any thread. It belongs to the handle.
 */
#ifndef LARDER_L1_TROUBLE_H
#define LARDER_L1_TROUBLE_H

#include "l1/link.h"

#include <pthread.h>

struct trouble {
    pthread_mutex_t lock;
    int64_t at_us; /* of clock_mono_us; 0: there was none yet */
    char text[256];
};

int trouble_init(struct trouble *t); /* 0 or an errno */
void trouble_free(struct trouble *t);
/* `status` is what became of the link, its error the reason; of LINK_OK nothing is noted. */
void trouble_note(struct trouble *t, enum link_status status, const struct link *k);
/* False: there was none yet. The text is cut where it does not fit; ago_us may be NULL. */
bool trouble_read(struct trouble *t, char *text, size_t size, int64_t *ago_us);

#endif
