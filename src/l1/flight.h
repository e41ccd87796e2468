/* flight: one load of a key at a time in this process; who comes meanwhile waits for its end. And the gate: so many loads at once.
 *
 * A flight carries the near store's token of its beginning. Who finds another token now (the key was invalidated since) may wait for
 * the flight's end but not take its value. Thread rule: any thread. A flight lives until the last who joined has left it.
 */
#ifndef LARDER_L1_FLIGHT_H
#define LARDER_L1_FLIGHT_H

#include "base/slice.h"
#include "l1/larder.h"

#include <pthread.h>

#define FLIGHT_STRIPES 64

struct flight {
    struct flight *next;
    uint64_t hash, token;
    unsigned holders;
    bool done;
    int status;
    larder_value value; /* on the heap */
    size_t key_n;
    char key[];
};

struct flights {
    struct flight_stripe {
        pthread_mutex_t lock;
        pthread_cond_t done;
        struct flight *first;
    } stripe[FLIGHT_STRIPES];
    pthread_mutex_t gate_lock;
    pthread_cond_t gate_free;
    unsigned gate;
};

int flights_init(struct flights *f, unsigned loads); /* 0 or an errno */
void flights_free(struct flights *f);
/* True: the flight is the caller's, who ends it with flight_end. False: it is somebody else's; then flight_wait, or flight_leave.
 * NULL: no memory. */
struct flight *flight_join(struct flights *f, struct slice key, uint64_t hash, uint64_t token, bool *mine);
void flight_end(struct flights *f, struct flight *x, int status, const larder_value *value); /* value may be NULL */
/* Leaves it. LARDER_LOAD: its value is of before an invalidation that the caller came after: to be tried again. */
int flight_wait(struct flights *f, struct flight *x, uint64_t token, int64_t deadline_us, larder_value *out);
void flight_leave(struct flights *f, struct flight *x);

bool flight_gate_enter(struct flights *f, int64_t deadline_us);
void flight_gate_leave(struct flights *f);

#endif
