/* record: one key as a snapshot has it, apart from any store: what a saver hands in and a loader gets out.
 *
 *   tag (1)        type (3 bits: enum value_type), form (2: plain, packed), deadline follows (1), use (2: enum record_use)
 *   db             length (base/varint.h)
 *   [use (1)]      of RECORD_IDLE: see record_idle_pack; of RECORD_FREQUENCY: it
 *   [deadline (6)] ms since 1970, little endian
 *   key            length, bytes
 *   [original]     of a packed string: its length before; what follows is as store/packed.h has it
 *   value          length, bytes. Of a collection: how many members (length), then the members one behind the other:
 *                    list, set  length, bytes
 *                    sorted set score (8, an IEEE double, little endian), length, bytes
 *                    hash       length of the field * 2 + has a deadline, [deadline (6)], field, length of the value, value
 * A value above RECORD_LARGE goes in pieces (image_writer.h): the head then says the whole length in 8 bytes (of a string: of its
 * bytes; of a collection: how many members), and the pieces, joined, are the bytes or the members as above.
 * What is read is never believed. Thread rule: pure functions on the caller's bytes. A record owns nothing.
 */
#ifndef LARDER_SNAPSHOT_RECORD_H
#define LARDER_SNAPSHOT_RECORD_H

#include "base/buf.h"
#include "snapshot/allowance.h"
#include "type/value.h"

#define RECORD_HEATS 8                  /* classes, 0 the coldest (heat.h) */
#define RECORD_LARGE ((size_t)256 << 10) /* above this a value goes in pieces */
#define RECORD_DEADLINE_MOST (((int64_t)1 << 48) - 1)

enum record_use { RECORD_UNUSED, RECORD_IDLE, RECORD_FREQUENCY }; /* what is known of how the key was used */

struct record {
    unsigned db;
    enum value_type type;
    uint8_t heat;            /* its class */
    enum record_use use;
    uint32_t used;           /* seconds since its last use, or its frequency (0 to 255), by `use` */
    int64_t deadline;        /* ms since 1970; 0: none */
    struct slice key;
    struct slice string;     /* a string's bytes; of a packed one as they lie */
    size_t original;         /* 0: not packed; else the length of the string that those bytes are */
    const struct home *home; /* a collection, to be written; NULL where `body` has it */
    struct slice body;       /* a collection that was read: its members, `members` of them */
    uint64_t members;
};

enum record_status { RECORD_OK, RECORD_MORE, RECORD_BAD, RECORD_NO_ROOM };

/* -- writing ---------------------------------------------------------------------------------------------------------------- */
size_t record_room(const struct record *r);               /* about how many bytes it takes; never too few for strings */
bool record_large(const struct record *r);                /* in pieces? */
void record_put(struct buf *out, const struct record *r); /* the whole record, of any size */

/* In pieces: the head, then what record_pieces_step appends until it says RECORD_OK. String and home stay as they are until then. */
struct record_pieces;
struct record_pieces *record_pieces_new(const struct record *r);
void record_pieces_head(const struct record_pieces *p, struct buf *out);
enum record_status record_pieces_step(struct record_pieces *p, struct buf *out, size_t most); /* about so many bytes more */
void record_pieces_free(struct record_pieces *p); /* NULL: nothing */

/* -- reading ---------------------------------------------------------------------------------------------------------------- */
/* Takes one record off the front of *in; its slices lie there. RECORD_BAD: no record, or cut off. */
enum record_status record_get(struct slice *in, struct record *r);
/* The same of a head of one in pieces; *total is its whole length. */
enum record_status record_get_head(struct slice *in, struct record *r, uint64_t *total);

/* Are these the bytes of a packed string of r->original? And: that string, to `out`; false if they are not. */
bool record_sound(const struct record *r, struct slice packed);
bool record_plain(const struct record *r, struct slice packed, char *out);

/* Makes the members of a body into a home, which begins empty. What has been read to its end is taken off *body; RECORD_MORE: the
 * rest is the beginning of a member. *left: how many are still to come, 0 at the end. Hash fields past `now` are left out.
 * RECORD_NO_ROOM: what it was allowed has been used up. */
struct record_fill {
    struct home *home;
    enum value_type type;
    uint64_t left;
    int64_t now;
    uint64_t past;  /* fields left out */
    size_t wants;   /* after RECORD_MORE: bytes that must be there before it is worth trying again */
    struct allowance allowance; /* all that it wants, unless its owner says otherwise */
};
void record_fill_begin(struct record_fill *f, struct home *home, const struct record *r, uint64_t members, int64_t now);
enum record_status record_fill_add(struct record_fill *f, struct slice *body);
/* RECORD_BAD: not all there. An empty collection: only if all of its fields were past their deadlines. */
enum record_status record_fill_end(struct record_fill *f);

/* Seconds as one byte, steps of an eighth of a doubling, and back. */
uint8_t record_idle_pack(uint32_t seconds);
uint32_t record_idle_unpack(uint8_t b);

#endif
