#include "l1/breaker.h"

void breaker_init(struct breaker *b, unsigned limit, int64_t wait_min_ms, int64_t wait_max_ms, uint64_t seed) {
    b->limit = limit ? limit : 1;
    b->wait_min_us = (wait_min_ms > 0 ? wait_min_ms : 1) * 1000;
    b->wait_max_us = wait_max_ms * 1000 > b->wait_min_us ? wait_max_ms * 1000 : b->wait_min_us;
    b->wait_us = b->wait_min_us;
    b->random = seed | 1;
}

/* xorshift64 */
int64_t breaker_jitter(uint64_t *random, int64_t v) {
    uint64_t x = *random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *random = x;
    return v / 2 + (int64_t)((x >> 11) % (uint64_t)(v - v / 2 + 1));
}

bool breaker_enter(struct breaker *b, int64_t now) {
    lock_acquire(&b->lock);
    bool may = b->state == BREAKER_CLOSED;
    if (b->state == BREAKER_OPEN && now >= b->until) {
        b->state = BREAKER_HALF_OPEN; /* this one tries */
        may = true;
    }
    lock_release(&b->lock);
    return may;
}

static void open_again(struct breaker *b, int64_t now) {
    b->opened += b->state == BREAKER_CLOSED;
    b->state = BREAKER_OPEN;
    b->until = now + breaker_jitter(&b->random, b->wait_us);
    b->wait_us = b->wait_us * 2 < b->wait_max_us ? b->wait_us * 2 : b->wait_max_us;
}

void breaker_leave(struct breaker *b, bool well, int64_t now) {
    lock_acquire(&b->lock);
    if (well) {
        b->failures = 0;
        if (b->state != BREAKER_OPEN) { /* an answer to what was asked before it opened closes nothing */
            b->state = BREAKER_CLOSED;
            b->wait_us = b->wait_min_us;
        }
    } else if (b->state == BREAKER_HALF_OPEN || (b->state == BREAKER_CLOSED && ++b->failures >= b->limit)) {
        open_again(b, now);
    }
    lock_release(&b->lock);
}

void breaker_cancel(struct breaker *b) {
    lock_acquire(&b->lock);
    if (b->state == BREAKER_HALF_OPEN) {
        b->state = BREAKER_OPEN;
        b->until = 0;
    }
    lock_release(&b->lock);
}

void breaker_hint(struct breaker *b, int64_t now) {
    lock_acquire(&b->lock);
    if (b->state == BREAKER_OPEN && b->until > now) b->until = now;
    lock_release(&b->lock);
}

enum breaker_state breaker_state(struct breaker *b) {
    lock_acquire(&b->lock);
    enum breaker_state state = b->state;
    lock_release(&b->lock);
    return state;
}

uint64_t breaker_opened(struct breaker *b) {
    lock_acquire(&b->lock);
    uint64_t opened = b->opened;
    lock_release(&b->lock);
    return opened;
}
