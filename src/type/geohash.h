/* geohash: places on the earth as numbers of 52 bits, near ones mostly near, and which ranges of numbers cover an area.
 *
 * A place's number interleaves 26 bits of latitude (the even ones) and 26 of longitude; numbers are the scores of a zset. Both
 * numbers and distances are Redis's to the bit: the latitudes are those of the web's square maps, the earth is a ball.
 * Thread rule: pure functions. Nothing is owned.
 */
#ifndef LARDER_TYPE_GEOHASH_H
#define LARDER_TYPE_GEOHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GEOHASH_LON_MAX 180.0
#define GEOHASH_LAT_MAX 85.05112878
#define GEOHASH_TEXT 11
#define GEOHASH_RANGES 9

struct geohash_place {
    double lon, lat; /* degrees */
};

static inline bool geohash_valid(struct geohash_place p) {
    return p.lon >= -GEOHASH_LON_MAX && p.lon <= GEOHASH_LON_MAX && p.lat >= -GEOHASH_LAT_MAX && p.lat <= GEOHASH_LAT_MAX;
}
uint64_t geohash_encode(struct geohash_place p);                   /* p must be valid */
struct geohash_place geohash_decode(double score);                 /* the middle of its cell; any score */
uint64_t geohash_bits(double score);                               /* any score, as a number */
void geohash_text(struct geohash_place p, char out[GEOHASH_TEXT]); /* the usual geohash, whose latitudes go to the poles */
double geohash_distance(struct geohash_place a, struct geohash_place b); /* metres */

struct geohash_area {
    struct geohash_place middle;
    bool box;
    double radius;        /* metres; if it is no box */
    double width, height; /* metres; if it is one */
};
bool geohash_within(const struct geohash_area *a, struct geohash_place p, double *distance);

struct geohash_range {
    uint64_t from, to; /* to is not in it */
};
/* The numbers of all places in the area lie in these ranges (besides others), which do not overlap. Returns how many there are.
 * The middle comes first, then the cells around it in Redis's order: results that nobody sorts come in that order. */
size_t geohash_cover(const struct geohash_area *a, struct geohash_range out[GEOHASH_RANGES]);

#endif
