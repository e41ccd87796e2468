/* quick: the request that nearly all are, whole and plain, cut with as few instructions as it takes.
 *
 * In line, for loops over many requests; everybody else calls resp_reader_quick, which is this. What it does not take (return
 * 0) is for resp_reader_next to read or to refuse. Thread rule: a pure function. Slices point into the caller's bytes.
 */
#ifndef LARDER_RESP_QUICK_H
#define LARDER_RESP_QUICK_H

#include "resp/reader.h"

#define QUICK_SHORTEST 6 /* "$0\r\n\r\n": so many bytes lie at any mark that is looked at */

static inline unsigned quick_digit(char c) { return (unsigned)(unsigned char)c - '0'; }

/* A mark and a number of one digit, or of two, and the end of their line, are compared as one word: what differs from
 * "$0\r\n" is then the digits. */
static inline __attribute__((always_inline)) bool quick_short(const char *s, char mark, uintptr_t *at, uint32_t *out) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint32_t line = (uint32_t)'0' << 8 | (uint32_t)'\r' << 16 | (uint32_t)'\n' << 24;
    const uint32_t digits = (uint32_t)'0' | line;
    uint32_t w;
    memcpy(&w, s, 4);
    w ^= line | (uint32_t)(unsigned char)mark;
    w = w >> 8 | w << 24;
    if (w <= 9) {
        *out = w;
        *at += 4;
        return true;
    }
    memcpy(&w, s + 1, 4);
    w ^= digits;
    uint32_t tens = w & 0xff, ones = w >> 8;
    if (ones <= 9 && tens - 1 < 9 && *s == mark) {
        *out = tens * 10 + ones;
        *at += 5;
        return true;
    }
#else
    (void)s, (void)mark, (void)at, (void)out;
#endif
    return false;
}

/* Reads the number behind the mark at `*at`, where at least QUICK_SHORTEST bytes lie, so that three digits and the line's end
 * need no look at `end`; moves `*at` behind the line. False where the line is not whole or not plain, or has more than four
 * digits: what goes with it costs more than its line. What follows '\r' is not looked at: Redis does not either. Positions
 * are integers, as they may point past the end before they are checked. */
static inline __attribute__((always_inline)) bool quick_number(uintptr_t *at, uintptr_t end, char mark, uint32_t *out) {
    const char *s = (const char *)*at;
    if (quick_short(s, mark, at, out)) return true;
    uint32_t v = quick_digit(s[1]), d;
    if (*s != mark || v > 9) return false;
    if (s[2] == '\r') {
        *at += 4;
        *out = v;
        return true;
    }
    d = quick_digit(s[2]);
    if (d > 9 || !v) return false;
    v = v * 10 + d;
    if (s[3] == '\r') {
        *at += 5;
        *out = v;
        return true;
    }
    d = quick_digit(s[3]);
    if (d > 9) return false;
    v = v * 10 + d;
    if (s[4] == '\r') {
        *at += 6;
        *out = v;
        return true;
    }
    d = quick_digit(s[4]);
    *at += 7;
    *out = v * 10 + d;
    return d <= 9 && *at <= end && s[5] == '\r';
}

/* Cuts the request at p; `max_bulk` is that of struct resp_limits. Returns the byte behind it, with its words in `argv` and
 * their number in `*argc`, or NULL. */
static inline __attribute__((always_inline)) const char *quick_request(const char *p, const char *stop, uint32_t max_bulk,
    struct slice *argv, size_t room, uint32_t *argc) {
    uintptr_t at = (uintptr_t)p, end = (uintptr_t)stop, last_start = end - QUICK_SHORTEST;
    uint32_t count, len;
    if (stop - p < QUICK_SHORTEST || !quick_number(&at, end, '*', &count) || count - 1 >= room) return NULL;
    *argc = count;
    for (; count; count--) {
        if (at > last_start || !quick_number(&at, end, '$', &len) || len > max_bulk) return NULL;
        *argv++ = (struct slice){(const char *)at, len};
        at += (size_t)len + 2;
        if (at > end) return NULL;
    }
    return (const char *)at;
}

/* What quick_request is to be given of the limits; 0: nothing may be cut this way. */
static inline uint32_t quick_max_bulk(const struct resp_limits *l) {
    if (l->unauthenticated) return 0;
    return l->max_bulk < UINT32_MAX ? (uint32_t)l->max_bulk : UINT32_MAX;
}

#endif
