#include "command/errors.h"

#include "base/mem.h"
#include "base/thread.h"

#define CODE_MAX 32

struct error_kinds {
    unsigned n;
    struct {
        char code[CODE_MAX];
        uint64_t count;
    } kind[ERRORS_KINDS + 1]; /* the last one counts what had no room */
};

struct errors {
    struct lock lock;
    struct error_kinds kinds;
};

struct errors *errors_new(void) { return mem_zalloc(MEM_MISC, sizeof(struct errors)); }
void errors_free(struct errors *e) { mem_free(MEM_MISC, e); }

void errors_reset(struct errors *e) {
    lock_acquire(&e->lock);
    e->kinds.n = 0;
    e->kinds.kind[ERRORS_KINDS].count = 0;
    lock_release(&e->lock);
}

static struct slice error_code(struct slice text) {
    const char *space = memchr(text.p, ' ', text.n < CODE_MAX ? text.n : CODE_MAX);
    return space ? (struct slice){text.p, (size_t)(space - text.p)} : SLICE("ERR");
}

void errors_count(struct errors *e, struct slice text) {
    struct slice code = error_code(text);
    struct error_kinds *k = &e->kinds;
    lock_acquire(&e->lock);
    unsigned i = 0;
    while (i < k->n && !slice_equal(slice_of(k->kind[i].code), code)) i++;
    if (i == k->n && k->n < ERRORS_KINDS) {
        memcpy(k->kind[i].code, code.p, code.n);
        k->kind[i].code[code.n] = 0;
        k->kind[i].count = 0;
        k->n++;
    }
    k->kind[i].count++;
    lock_release(&e->lock);
}

void errors_each(struct errors *e, void (*each)(void *arg, const char *code, uint64_t n), void *arg) {
    struct error_kinds *copy = mem_alloc(MEM_CLIENT, sizeof *copy); /* `each` may take its time */
    lock_acquire(&e->lock);
    *copy = e->kinds;
    lock_release(&e->lock);
    for (unsigned i = 0; i < copy->n; i++) each(arg, copy->kind[i].code, copy->kind[i].count);
    if (copy->kind[ERRORS_KINDS].count) each(arg, "ERRORSTATS_OVERFLOW", copy->kind[ERRORS_KINDS].count);
    mem_free(MEM_CLIENT, copy);
}
