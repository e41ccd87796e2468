/* list_pack: how one element of a list lies: as an entry of Redis's listpack, so that DUMP copies and encodings change where Redis's do.
 *
 *   head   0xxxxxxx: 0 .. 127     10xxxxxx: text of up to 63 bytes    110xxxxx x: 13 bits, signed
 *          1110xxxx x: text of up to 4095 bytes     11110000 and 4 bytes: text of that length
 *          11110001 .. 11110100: a signed number of 2, 3, 4, 8 bytes (little-endian, as all here)
 *   text   if it is one
 *   back   bytes of head and text, 7 bits a byte, the highest first; all but the first have their top bit set: read backwards
 *
 * A text that is an integer's canonical form always lies as a number, so equal elements are equal bytes.
 * Inline because every push and pop is one. Thread rule: pure functions.
 */
#ifndef LARDER_TYPE_LIST_PACK_H
#define LARDER_TYPE_LIST_PACK_H

#include "base/num.h"

#define LIST_PACKED_HEAD 2 /* bytes of a packed list's count, before its entries */

/* An element as it is to be laid down. */
struct list_word {
    struct slice text; /* empty for numbers */
    size_t size;       /* of the entry */
    uint32_t n;        /* of head */
    uint8_t head[12];
};

static inline size_t list_pack_back(size_t core) { return core < 128 ? 1 : core < 16383 ? 2 : core < 2097151 ? 3 : core < 268435455 ? 4 : 5; }

/* The number's head. Returns its length. */
size_t list_pack_number(uint8_t head[12], int64_t v);

static inline void list_word_make(struct list_word *w, struct slice text) {
    int64_t v;
    if (text.n <= 20 && text.n && (uint8_t)(*text.p - '-') <= '9' - '-' && num_i64(text, &v)) {
        w->n = (uint32_t)list_pack_number(w->head, v);
        w->text = (struct slice){NULL, 0};
        w->size = w->n + 1;
        return;
    }
    w->text = text;
    if (text.n < 64) {
        w->head[0] = (uint8_t)(0x80 | text.n);
        w->n = 1;
    } else if (text.n < 4096) {
        w->head[0] = (uint8_t)(0xe0 | text.n >> 8);
        w->head[1] = (uint8_t)text.n;
        w->n = 2;
    } else {
        uint32_t n = (uint32_t)text.n;
        w->head[0] = 0xf0;
        memcpy(w->head + 1, &n, sizeof n);
        w->n = 5;
    }
    w->size = w->n + text.n + list_pack_back(w->n + text.n);
}

static inline void list_word_put(const struct list_word *w, uint8_t *p) {
    size_t core = w->n + w->text.n, back = w->size - core;
    memcpy(p, w->head, w->n);
    p += w->n;
    if (w->text.n) memcpy(p, w->text.p, w->text.n);
    p += w->text.n;
    p[0] = (uint8_t)(core >> 7 * (back - 1));
    for (size_t i = 1; i < back; i++) p[i] = (uint8_t)(0x80 | (core >> 7 * (back - 1 - i)));
}

/* Bytes of head and text of the entry at p; *head: of the head alone. */
static inline size_t list_pack_core(const uint8_t *p, size_t *head) {
    uint8_t b = *p;
    uint32_t n;
    if (b < 0x80) return *head = 1;
    if (b < 0xc0) return (size_t)(b & 63) + (*head = 1);
    if (b < 0xe0) return *head = 2;
    if (b < 0xf0) return ((size_t)(b & 15) << 8 | p[1]) + (*head = 2);
    if (b > 0xf0) return *head = b < 0xf4 ? b - 0xeeu : 9; /* 3, 4, 5, 9 */
    memcpy(&n, p + 1, sizeof n);
    return n + (*head = 5);
}
static inline size_t list_pack_size(const uint8_t *p) {
    size_t head, core = list_pack_core(p, &head);
    return core + list_pack_back(core);
}
/* Bytes of the entry that ends where `end` points. */
static inline size_t list_pack_size_before(const uint8_t *end) {
    size_t core = 0, back = 0;
    do core |= (size_t)(end[-1 - (int64_t)back] & 127) << 7 * back;
    while (end[-1 - (int64_t)back++] & 128);
    return core + back;
}

int64_t list_pack_value(const uint8_t *p); /* of a number's entry */
static inline bool list_pack_is_text(const uint8_t *p) {
    return (*p & 0xc0) == 0x80 || (*p & 0xf0) == 0xe0 || *p == 0xf0;
}
/* The element at p; a number is written to digits. */
static inline struct slice list_pack_text(const uint8_t *p, char digits[NUM_I64_MAX]) {
    size_t head, core = list_pack_core(p, &head);
    if (__builtin_expect(list_pack_is_text(p), 1)) return (struct slice){(const char *)p + head, core - head};
    return (struct slice){digits, num_put_i64(digits, list_pack_value(p))};
}

#endif
