#include "command/events.h"

static const struct {
    char letter;
    int64_t bits;
} letters[] = {
    /* In the order in which Redis prints them. */
    {'A', EVENT_ALL},     {'g', EVENT_GENERIC}, {'$', EVENT_STRING},   {'l', EVENT_LIST},     {'s', EVENT_SET},
    {'h', EVENT_HASH},    {'z', EVENT_ZSET},    {'x', EVENT_EXPIRED},  {'e', EVENT_EVICTED},  {'t', EVENT_STREAM},
    {'d', EVENT_MODULE},  {'n', EVENT_NEW},     {'K', EVENT_KEYSPACE}, {'E', EVENT_KEYEVENT}, {'m', EVENT_MISS},
};
#define LETTERS (sizeof letters / sizeof *letters)

bool events_parse(struct slice text, int64_t *out) {
    *out = 0;
    for (size_t i = 0; i < text.n; i++) {
        size_t l = 0;
        while (l < LETTERS && letters[l].letter != text.p[i]) l++;
        if (l == LETTERS) return false;
        *out |= letters[l].bits;
    }
    return true;
}

void events_print(int64_t classes, struct buf *out) {
    for (size_t i = 0; i < LETTERS; i++) {
        if ((classes & letters[i].bits) != letters[i].bits) continue;
        buf_put(out, &letters[i].letter, 1);
        classes &= ~letters[i].bits;
    }
}
