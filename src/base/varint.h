/* varint: lengths in as few bytes as they need: 0..127 in one, to 16383 in two (10xxxxxx), else 11000000 and four bytes.
 *
 * Entries and packed collections use it. Inline because every command reads one. Thread rule: pure functions.
 */
#ifndef LARDER_BASE_VARINT_H
#define LARDER_BASE_VARINT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline size_t varint_size(size_t v) { return v < 128 ? 1 : v < 16384 ? 2 : 5; }

/* Reads one and moves *p behind it. */
static inline size_t varint_get(const uint8_t **p) {
    const uint8_t *q = *p;
    uint32_t v = q[0];
    *p = q + (v < 128 ? 1 : v < 192 ? 2 : 5);
    if (v < 128) return v;
    if (v < 192) return (v & 63) << 8 | q[1];
    memcpy(&v, q + 1, sizeof v);
    return v;
}

/* v < 2^32. Returns what is behind it. */
static inline uint8_t *varint_put(uint8_t *p, size_t v) {
    if (v < 128) {
        *p++ = (uint8_t)v;
    } else if (v < 16384) {
        *p++ = (uint8_t)(0x80 | v >> 8);
        *p++ = (uint8_t)v;
    } else {
        uint32_t w = (uint32_t)v;
        *p++ = 0xc0;
        memcpy(p, &w, sizeof w);
        p += sizeof w;
    }
    return p;
}

#endif
