#include "store/policy.h"

#include "base/quad.h"
#include "store/density.h"

static uint32_t minutes(const struct policy *p) { return (uint32_t)(p->now / 60000) & 0xffff; }

static bool is_lfu(const struct policy *p) { return p->kind & POLICY_LFU; }

uint32_t policy_born(const struct policy *p) {
    return is_lfu(p) ? minutes(p) << 8 | POLICY_LFU_START : (uint32_t)(p->now / POLICY_TICK);
}

unsigned policy_frequency(const struct policy *p, uint32_t word) {
    if (p->kind & POLICY_LHD) return density_frequency(word);
    unsigned count = word & 255, then = word >> 8 & 0xffff, now = minutes(p);
    unsigned passed = now >= then ? now - then : 65535 - then + now;
    unsigned fallen = p->lfu_decay_minutes ? passed / p->lfu_decay_minutes : 0;
    return fallen > count ? 0 : count - fallen;
}

uint32_t policy_touched(const struct policy *p, uint32_t word, uint64_t random) {
    if (!is_lfu(p)) return (uint32_t)(p->now / POLICY_TICK);
    unsigned count = policy_frequency(p, word);
    if (count < 255) {
        /* One in (count above start) * factor + 1 uses counts: Morris's approximate counter, as Redis has it. */
        unsigned above = count > POLICY_LFU_START ? count - POLICY_LFU_START : 0;
        uint64_t of = (uint64_t)above * p->lfu_log_factor + 1;
        if ((random >> 16) % of == 0) count++;
    }
    return minutes(p) << 8 | count;
}

void policy_ranks_idle(uint32_t base, unsigned n, const uint32_t *word, int32_t *rank) {
    for (unsigned k = 0; k < n; k += 4) {
        quad idle = quad_less(quad_all(base), quad_load(word + k));
        idle = (idle | idle >> 31) & INT32_MAX; /* half of all time ago is long ago: floats are made of signed numbers */
        quad_store(rank + k, (quad)quad_floats(idle));
    }
}

int32_t policy_rank(const struct policy *p, int64_t since, uint32_t word, int64_t deadline, uint64_t random) {
    switch (p->kind) {
    case POLICY_VOLATILE_LRU:
    case POLICY_ALLKEYS_LRU: return policy_rank_idle(policy_base(since), word);
    case POLICY_VOLATILE_LFU:
    case POLICY_ALLKEYS_LFU: return (int32_t)(255 - policy_frequency(p, word)) * POLICY_RANK_STEP;
    case POLICY_VOLATILE_TTL: return INT32_MAX - 1 - (deadline < since ? 0 : policy_bits((float)(deadline - since)));
    default: return (int32_t)(random >> 34);
    }
}

int64_t policy_idle_ms(const struct policy *p, uint32_t word) {
    uint32_t ticks = (uint32_t)(p->now / POLICY_TICK) - word;
    return ticks > UINT32_MAX - POLICY_AHEAD ? 0 : (int64_t)ticks * POLICY_TICK; /* another thread's clock may be ahead */
}

int64_t policy_age_ms(const struct policy *p, uint32_t word) {
    if (!is_lfu(p)) return policy_idle_ms(p, word);
    uint32_t passed = (minutes(p) - (word >> 8)) & 0xffff;
    return (int64_t)passed * 60000;
}

uint32_t policy_word_idle(const struct policy *p, int64_t idle_ms) {
    int64_t ticks = idle_ms / POLICY_TICK;
    return (uint32_t)(p->now / POLICY_TICK - (ticks > INT32_MAX ? INT32_MAX : ticks));
}

uint32_t policy_word_frequency(const struct policy *p, unsigned frequency) {
    return minutes(p) << 8 | (frequency > 255 ? 255 : frequency);
}
