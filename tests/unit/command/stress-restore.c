/* RESTORE, COPY and RENAME on several threads, beside CACHE INVALIDATE, FLUSHALL, eviction and expiry: values small and large, of which
 * the large ones are read and made in slices. For the thread sanitizer.
 *
 * Every value says in each of its parts who made it: a mark. What must hold, whatever comes in between:
 * - a value is whole: all its parts have one mark, and there are as many as it was made of;
 * - what was made (its reply has come) before an invalidation of its keys, or a flush, began is seen by nobody behind the reply of that,
 *   neither under its own name nor under one that it was copied or renamed to;
 * - nothing is seen behind the deadline that it was restored with;
 * - memory is under the limit at all times, and in the end all of it is given back. */
#include "lanes.h"

#include "base/clock.h"
#include "store/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LANES = 3, CLIENTS = 5, MARKS = 2500, KEYS = 60, FAMILIES = 2, LARGE = 3000, LIMIT_KB = 600, PATIENCE_S = 300 };

static const char *const families[FAMILIES] = {"a:", "user:"};

enum stage { IDLE, MADE /* in a place of its own */, DUMPED, RESTORED, LOOKED, BOUND, OTHER };

struct client {
    struct lanes_client c;
    enum stage stage;
    unsigned number, mark, family;
    bool list;
    uint64_t bound;      /* of the family, when it asked */
    int64_t asked_ms;
};

struct worker {
    unsigned lane;
    uint64_t x;
    struct client client[CLIENTS];
};

static struct env *env;
static _Atomic unsigned marks; /* given out: 1 and so on */
static _Atomic uint64_t stamp = 1; /* of all replies in which something was made, and of all invalidations */
static _Atomic uint64_t made[MARKS + 1]; /* at which stamp the reply had come; 0: not yet */
static _Atomic int64_t deadline[MARKS + 1]; /* 0: none */
static _Atomic uint64_t bound[FAMILIES]; /* what was made before it is seen by nobody */
static _Atomic bool wrong;
static _Atomic unsigned seen, restored, refused, invalidated, flushed, moved, alive; /* how much there was to do */

static void fail(const char *what, unsigned mark, uint64_t a, uint64_t b) {
    if (!atomic_exchange(&wrong, true)) fprintf(stderr, "%s: mark %u, %llu and %llu\n", what, mark, (unsigned long long)a, (unsigned long long)b);
}

static uint64_t draw(struct worker *w) {
    w->x ^= w->x << 13;
    w->x ^= w->x >> 7;
    w->x ^= w->x << 17;
    return w->x;
}

static void ask(struct client *k, const char *text) { lanes_ask(&k->c, text); }

/* -- making: a value of its own, its payload, and a key of that --------------------------------------------------------------------- */

static unsigned parts_of(unsigned mark) { return mark % 4 ? 1 + mark % 40 : LARGE + mark % 100; }
static bool is_list(unsigned mark) { return mark % 3 == 0; }

static void place_of(char *to, size_t cap, const struct client *k) { snprintf(to, cap, "{own}:%u:%u", k->c.s.lane->index, k->number); }

static void make(struct client *k) {
    struct slice *word = malloc((LARGE + 200) * sizeof *word);
    char place[32], part[16];
    struct buf text;
    unsigned n = parts_of(k->mark), size = (unsigned)snprintf(part, sizeof part, "<%08u>", k->mark);
    buf_init(&text, MEM_CLIENT);
    place_of(place, sizeof place, k);
    k->list = is_list(k->mark);
    word[0] = k->list ? SLICE("RPUSH") : SLICE("SET");
    word[1] = slice_of(place);
    for (unsigned i = 0; i < n; i++) {
        word[2 + i] = (struct slice){part, size};
        buf_put(&text, part, size);
    }
    if (!k->list) word[2] = buf_slice(&text);
    lanes_send(&k->c, word, k->list ? 2 + n : 3);
    buf_free(&text);
    free(word);
    k->stage = MADE;
}

/* The payload has just come, as a bulk. */
static void restore(struct worker *w, struct client *k) {
    static const char *const deadlines[] = {"0", "0", "0", "+1", "+3", "+20"};
    const char *p = buf_cstr(&k->c.out), *when = deadlines[draw(w) % 6];
    char key[32], at[24] = "0";
    size_t n = strtoul(p + 1, NULL, 10);
    int64_t due = *when == '0' ? 0 : clock_ms() + atoi(when);
    k->family = (unsigned)(draw(w) % FAMILIES);
    snprintf(key, sizeof key, "%s%u", families[k->family], (unsigned)(draw(w) % KEYS));
    snprintf(at, sizeof at, "%lld", (long long)due);
    atomic_store(&deadline[k->mark], due);
    struct slice word[] = {SLICE("RESTORE"), slice_of(key), slice_of(at), {strchr(p, '\n') + 1, n}, SLICE("ABSTTL"), SLICE("REPLACE")};
    struct buf payload = k->c.out; /* replies to this come into another one */
    buf_init(&k->c.out, MEM_CLIENT);
    lanes_send(&k->c, word, draw(w) % 4 ? 6 : 5);
    buf_free(&payload);
    k->stage = RESTORED;
}

/* -- looking ------------------------------------------------------------------------------------------------------------------------ */

static void look(struct worker *w, struct client *k) {
    char text[64];
    k->family = (unsigned)(draw(w) % FAMILIES);
    k->bound = atomic_load(&bound[k->family]);
    k->asked_ms = clock_ms();
    k->list = draw(w) % 3 == 0;
    snprintf(text, sizeof text, k->list ? "LRANGE %s%u 0 -1" : "GET %s%u", families[k->family], (unsigned)(draw(w) % KEYS));
    k->stage = LOOKED;
    ask(k, text);
}

static void check(struct client *k) {
    const char *p = buf_cstr(&k->c.out);
    unsigned mark = 0, n = 0, one;
    if (*p == '-' && strncmp(p, "-WRONGTYPE", 10)) fail(p, 0, 0, 0);
    for (p = strchr(p, '<'); p; p = strchr(p + 1, '<'), n++) {
        if (sscanf(p, "<%8u>", &one) != 1 || (mark && one != mark)) fail("a value of two", mark, one, n);
        mark = one;
    }
    if (!mark) return;
    if (mark > MARKS || n != parts_of(mark) || k->list != is_list(mark)) {
        fail("a value is not whole", mark, n, 0);
        return;
    }
    uint64_t when = atomic_load(&made[mark]);
    int64_t due = atomic_load(&deadline[mark]);
    if (when && when <= k->bound) fail("what is invalid was seen", mark, when, k->bound);
    if (due && due < k->asked_ms) fail("what has expired was seen", mark, (uint64_t)due, (uint64_t)k->asked_ms);
    atomic_fetch_add(&seen, 1);
}

/* -- what comes in between ------------------------------------------------------------------------------------------------------------ */

static void invalidate(struct worker *w, struct client *k) {
    static const char *const patterns[FAMILIES] = {"CACHE INVALIDATE a:*", "CACHE INVALIDATE us*:*"};
    bool all = draw(w) % 4 == 0;
    k->family = all ? FAMILIES : (unsigned)(draw(w) % FAMILIES);
    k->bound = atomic_fetch_add(&stamp, 1);
    k->stage = BOUND;
    atomic_fetch_add(all ? &flushed : &invalidated, 1);
    ask(k, !all ? patterns[k->family] : draw(w) % 2 ? "FLUSHALL SYNC" : "FLUSHALL ASYNC");
}

static void raise(unsigned family, uint64_t to) {
    uint64_t now = atomic_load(&bound[family]);
    while (now < to && !atomic_compare_exchange_weak(&bound[family], &now, to)) {}
}

static void move(struct worker *w, struct client *k) {
    static const char *const forms[] = {"COPY %1$s%2$u %1$s%3$u REPLACE", "COPY %1$s%2$u %1$s%3$u", "RENAME %1$s%2$u %1$s%3$u", "RENAMENX %1$s%2$u %1$s%3$u"};
    char text[80];
    unsigned r = (unsigned)draw(w);
    snprintf(text, sizeof text, forms[r % 4], families[r / 4 % FAMILIES], r / 8 % KEYS, r / 1000 % KEYS);
    atomic_fetch_add(&moved, 1);
    k->stage = OTHER;
    ask(k, text);
}

static void upkeep(struct lane *l) {
    struct store *s = env->store;
    rule_sweep_step(s, l->index, LANES, 20);
    store_expire_step(s, l->index, LANES, clock_ms(), &l->store_stats, 50);
    store_compact_step(s, l->index, LANES, &l->store_stats, 50);
    store_trash_step(s, 60);
}

/* -- a client's turns ------------------------------------------------------------------------------------------------------------------ */

static void begin(struct worker *w, struct client *k) {
    unsigned what = (unsigned)(draw(w) % 100);
    if (what < 20) {
        k->mark = atomic_fetch_add(&marks, 1) + 1;
        if (k->mark <= MARKS) make(k);
        else atomic_fetch_sub(&marks, 1);
    } else if (what < 70) {
        look(w, k);
    } else if (what < 98) {
        move(w, k);
    } else {
        invalidate(w, k);
    }
}

/* The next thing that is asked of the place where it makes its values. */
static void ask_there(struct client *k, const char *command, enum stage stage) {
    char text[48];
    size_t n = (size_t)snprintf(text, sizeof text, "%s ", command);
    place_of(text + n, sizeof text - n, k);
    k->stage = stage;
    k->c.out.n = 0;
    ask(k, text);
}

/* The reply has come. */
static void go_on(struct worker *w, struct client *k) {
    enum stage stage = k->stage;
    k->stage = IDLE;
    switch (stage) {
    case MADE:
        ask_there(k, "DUMP", DUMPED);
        return;
    case DUMPED:
        if (k->c.out.p[0] == '$' && k->c.out.p[1] != '-') { /* else it was flushed or evicted */
            restore(w, k);
            return;
        }
        break;
    case RESTORED:
        if (k->c.out.p[0] == '+') atomic_store(&made[k->mark], atomic_fetch_add(&stamp, 1));
        atomic_fetch_add(k->c.out.p[0] == '+' ? &restored : &refused, 1);
        ask_there(k, "DEL", OTHER);
        return;
    case LOOKED:
        check(k);
        break;
    case BOUND:
        if (k->c.out.p[0] == '-') break; /* too many rules at once */
        for (unsigned f = 0; f < FAMILIES; f++)
            if (k->family == FAMILIES || k->family == f) raise(f, k->bound);
        break;
    default:
        break;
    }
    k->c.out.n = 0;
}

static void *work(void *arg) {
    struct worker *w = arg;
    struct lane *l = env->lane[w->lane];
    unsigned turn = 0;
    bool over = false;
    for (unsigned i = 0; i < CLIENTS; i++) {
        w->client[i].number = i;
        lanes_client_open(&w->client[i].c, w->lane);
    }
    while (atomic_load(&alive)) {
        bool busy = lanes_deliver(w->lane, false), done = atomic_load(&marks) >= MARKS || atomic_load(&wrong);
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct client *k = &w->client[i];
            if (k->c.s.task) busy |= lanes_step(&k->c);
            else if (k->stage != IDLE) go_on(w, k), busy = true;
            else if (!done) begin(w, k), busy = true;
            if (k->stage != IDLE) done = false;
        }
        if (++turn % 4 == 0) upkeep(l);
        mem_limited(); /* raises the peak, which else is seen only where it is passed by some KB */
        if (done && !over) over = true, atomic_fetch_sub(&alive, 1);
        if (!busy) lanes_deliver(w->lane, true);
    }
    return NULL;
}

static void configure(struct env *e) {
    e->store_config.policy = POLICY_ALLKEYS_LRU;
    e->store_config.active_expire = 1;
    e->store_config.maxmemory = (int64_t)mem_limited() + (LIMIT_KB << 10);
}

static void flush_all(struct client *k) {
    ask(k, "FLUSHALL SYNC");
    while (k->c.s.task) lanes_step(&k->c);
    while (store_trash_step(env->store, 250)) {}
    for (unsigned p = 0; p < LANES; p++)
        while (rule_sweep_step(env->store, p, LANES, 250)) {}
}

int main(void) {
    static struct worker worker[LANES];
    alarm(PATIENCE_S); /* a deadlock ends the program */
    env = lanes_open(LANES, configure);
    atomic_store(&alive, LANES);
    uint64_t before = mem_used(MEM_DATA);
    for (unsigned i = 0; i < LANES; i++) worker[i] = (struct worker){.lane = i, .x = 7919 * (i + 1)};
    lanes_run(work, worker, sizeof *worker);
    uint64_t used = mem_peak(), evicted = 0, expired = 0;
    for (unsigned i = 0; i < LANES; i++) {
        evicted += counter_get(&env->lane[i]->store_stats.evicted);
        expired += counter_get(&env->lane[i]->store_stats.expired);
    }
    const char *bad = store_check(env->store);
    flush_all(&worker[0].client[0]);
    uint64_t left = mem_used(MEM_DATA), limit = (uint64_t)env->store_config.maxmemory;
    const struct {
        const char *what;
        bool ok;
    } tests[] = {{"every invariant holds", !bad}, {"values are whole, valid and in time", !wrong}, {"memory was always under the limit", used <= limit},
        {"all of it is given back", left == before}, {"many were restored", restored > MARKS / 3}, {"many were seen", seen > MARKS / 60},
        {"some were refused, as others were there", refused}, {"eviction had work", evicted}, {"expiry had work", expired},
        {"there were invalidations and flushes", invalidated && flushed}};
    unsigned failed = 0, n = sizeof tests / sizeof *tests;
    for (unsigned i = 0; i < n; i++) {
        failed += !tests[i].ok;
        if (!tests[i].ok) printf("FAILED: %s%s%s\n", tests[i].what, bad ? ": " : "", bad ? bad : "");
    }
    printf("%u marks, %u restored, %u refused, %u seen, %u moves, %u invalidations, %u flushes, %llu evicted, %llu expired, %lld bytes over the limit at the peak, %lld left\n",
        marks, restored, refused, seen, moved, invalidated, flushed, (unsigned long long)evicted, (unsigned long long)expired,
        (long long)(used - limit), (long long)(left - before));
    for (unsigned i = 0; i < LANES; i++)
        for (unsigned k = 0; k < CLIENTS; k++) lanes_client_end(&worker[i].client[k].c);
    lanes_close();
    printf("%u passed, %u failed\n", n - failed, failed);
    return failed != 0;
}
