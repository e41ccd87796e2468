#include "type/list_pack.h"

size_t list_pack_number(uint8_t head[12], int64_t v) {
    uint64_t u = (uint64_t)v;
    size_t bytes;
    if (v >= 0 && v <= 127) {
        head[0] = (uint8_t)v;
        return 1;
    }
    if (v >= -4096 && v <= 4095) {
        head[0] = (uint8_t)(0xc0 | (u >> 8 & 31));
        head[1] = (uint8_t)u;
        return 2;
    }
    if (v >= INT16_MIN && v <= INT16_MAX) bytes = 2;
    else if (v >= -(1 << 23) && v < 1 << 23) bytes = 3;
    else if (v >= INT32_MIN && v <= INT32_MAX) bytes = 4;
    else bytes = 8;
    head[0] = (uint8_t)(bytes == 8 ? 0xf4 : 0xef + bytes);
    for (size_t i = 0; i < bytes; i++) head[1 + i] = (uint8_t)(u >> 8 * i);
    return 1 + bytes;
}

int64_t list_pack_value(const uint8_t *p) {
    if (p[0] < 0x80) return p[0];
    if (p[0] < 0xe0) {
        int64_t v = (p[0] & 31) << 8 | p[1];
        return v < 4096 ? v : v - 8192;
    }
    unsigned bytes = p[0] == 0xf4 ? 8 : p[0] - 0xefu;
    uint64_t u = 0;
    for (unsigned i = 0; i < bytes; i++) u |= (uint64_t)p[1 + i] << 8 * i;
    unsigned shift = 64 - 8 * bytes;
    return (int64_t)(u << shift) >> shift;
}
