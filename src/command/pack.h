/* pack: the values that a request is going to store, packed (store/packed.h) before it takes its locks.
 *
 * Rows say where such values are (struct command: value). Dispatch has them packed in slices while no lock is held: a long request
 * stays in the input meanwhile, so nothing is copied. A handler takes its value by call_value and stores what that gives.
 *
 * What does not pay is not tried for long: the lane remembers by a value's first bytes how often packing such a one has
 * failed in a row, and passes over more and more of them, up to PACK_PASSED of PACK_PASSED + 1.
 * Thread rule: the lane's thread. Each lane has one struct pack of its own; those of long requests are the session's, or that of
 * the task that waits for room.
 */
#ifndef LARDER_COMMAND_PACK_H
#define LARDER_COMMAND_PACK_H

#include "command/batch.h"

#define PACK_PASSED 255

struct pack {
    struct buf bytes;  /* packed values one after the other */
    struct buf values; /* struct pack_value, of those that were worth it, by argument */
    size_t saved;      /* bytes: what they are shorter than the plain ones */
    int arg;           /* how far it is: the next one */
    bool packing;
    struct packing at; /* the one at `arg` */
};

/* From which size of a request on there may be something to pack; SIZE_MAX: it is switched off. */
size_t pack_from(const struct store_config *config);
/* No lock held: packs on for a slice. False: not ready; the session is parked and will offer the request again. */
static inline bool pack_ready(struct batch *b, struct session *s, const struct request *q);
bool pack_request(struct batch *b, struct session *s, const struct request *q);
/* Bytes of any other origin, for who has them without a lock (RESTORE): the packed string is in `out`; false: not to be packed. One
 * call is one slice: *more says that it goes on; g is zero at first. */
bool pack_bytes(struct lane *l, struct packing *g, struct slice plain, struct buf *out, bool *more);
void pack_over(struct session *s, struct call *c);         /* the request is over */
struct pack *pack_keep(struct session *s, struct call *c); /* it is put off: what it has is the caller's; may be NULL */
struct pack *pack_new(void);
void pack_free(struct pack *p);                            /* NULL: nothing */

/* -- what is worth a try ------------------------------------------------------------------------------------------------------ */

/* Values of one format begin alike: of the first two bytes, is each a letter, a digit, a brace ...? */
enum { PACK_CLASSES = 9, PACK_KINDS = PACK_CLASSES * PACK_CLASSES };

struct pack_memory {
    uint8_t first[256], second[256]; /* the class of a byte; of the first one, times PACK_CLASSES */
    uint8_t failed[PACK_KINDS]; /* in a row */
    uint8_t pass[PACK_KINDS];   /* how many more to pass over */
};
struct pack_memory *pack_memory_new(void);
void pack_memory_free(struct pack_memory *m);

/* How many more values like v are to be passed over. */
static inline uint8_t *pack_passes_of(struct pack_memory *m, struct slice v) {
    return &m->pass[m->first[(uint8_t)v.p[0]] + m->second[(uint8_t)v.p[1]]];
}

static inline bool pack_ready(struct batch *b, struct session *s, const struct request *q) {
    if (__builtin_expect(q->simple && !s->pack, 1)) { /* one value at most: where it is passed over nothing else is to be done */
        int value = q->command->value;
        if (!value || q->argv[value].n < b->pack_from) return true;
        uint8_t *pass = pack_passes_of(s->lane->pack_memory, q->argv[value]);
        if (*pass) {
            --*pass;
            return true;
        }
    }
    return pack_request(b, s, q);
}

#endif
