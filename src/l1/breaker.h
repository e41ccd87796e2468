/* breaker: whether the server is asked at all. After some failures in a row nobody asks for a while; then one request tries (half
 * open), and either all may again, or the wait gets longer, up to a limit, each time by a random part so that the processes of a fleet
 * do not try in step.
 *
 * Thread rule: any thread; one lock, held for a few instructions. It lies in what owns it; zeroed and then breaker_init.
 */
#ifndef LARDER_L1_BREAKER_H
#define LARDER_L1_BREAKER_H

#include "base/thread.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    struct lock lock;
    enum breaker_state state;
    unsigned limit, failures; /* in a row */
    int64_t wait_us, wait_min_us, wait_max_us, until; /* of clock_mono_us */
    uint64_t random, opened;
};

void breaker_init(struct breaker *b, unsigned limit, int64_t wait_min_ms, int64_t wait_max_ms, uint64_t seed);
bool breaker_enter(struct breaker *b, int64_t now); /* may a request go out? Then breaker_leave must follow. */
void breaker_leave(struct breaker *b, bool well, int64_t now);
void breaker_cancel(struct breaker *b);             /* instead of breaker_leave: nothing was asked */
void breaker_hint(struct breaker *b, int64_t now);  /* somebody saw the server: the next request may try */
enum breaker_state breaker_state(struct breaker *b);
uint64_t breaker_opened(struct breaker *b);
int64_t breaker_jitter(uint64_t *random, int64_t v); /* v/2 .. v */

#endif
