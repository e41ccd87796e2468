#include "type/geohash.h"

#include <math.h>
#include <string.h>

#define EARTH_RADIUS 6372797.560856
#define HALF_TURN 20037726.37 /* metres; what a cell of the coarsest grid is compared with */
#define STEPS 26              /* bits of each coordinate */

static double radians(double degrees) { return degrees * (M_PI / 180.0); }
static double degrees(double radians_) { return radians_ / (M_PI / 180.0); }

/* -- numbers -------------------------------------------------------------------------------------------------------------- */

/* Moves bit i to bit 2i. */
static uint64_t spread(uint64_t v) {
    v = (v | v << 16) & 0x0000ffff0000ffffull;
    v = (v | v << 8) & 0x00ff00ff00ff00ffull;
    v = (v | v << 4) & 0x0f0f0f0f0f0f0f0full;
    v = (v | v << 2) & 0x3333333333333333ull;
    return (v | v << 1) & 0x5555555555555555ull;
}

/* And back; the odd bits are left out. */
static uint64_t gather(uint64_t v) {
    v &= 0x5555555555555555ull;
    v = (v | v >> 1) & 0x3333333333333333ull;
    v = (v | v >> 2) & 0x0f0f0f0f0f0f0f0full;
    v = (v | v >> 4) & 0x00ff00ff00ff00ffull;
    v = (v | v >> 8) & 0x0000ffff0000ffffull;
    return (v | v >> 16) & 0x00000000ffffffffull;
}

/* A place on a grid of 2^steps by 2^steps cells. The far edge itself is a cell further: where it wraps is the caller's matter. */
struct cell {
    uint64_t x, y;
};

static struct cell cell_at(struct geohash_place p, unsigned steps, double lat_max) {
    double across = (p.lon + GEOHASH_LON_MAX) / (2 * GEOHASH_LON_MAX), up = (p.lat + lat_max) / (2 * lat_max);
    double cells = (double)(1ull << steps);
    return (struct cell){(uint64_t)(across * cells), (uint64_t)(up * cells)};
}

static uint64_t cell_number(struct cell c) { return spread(c.y) | spread(c.x) << 1; }

uint64_t geohash_encode(struct geohash_place p) { return cell_number(cell_at(p, STEPS, GEOHASH_LAT_MAX)); }

struct span {
    double from, to;
};

static struct span span_of(uint64_t i, unsigned steps, double max) {
    double cells = (double)(1ull << steps);
    return (struct span){-max + ((double)i / cells) * (2 * max), -max + ((double)(i + 1) / cells) * (2 * max)};
}

/* Scores that are no geohash have a number too, the one that the processor's conversion of a double makes of them. */
uint64_t geohash_bits(double score) {
    const double half = 9223372036854775808.0;
    if (score >= half) return score < 2 * half ? (uint64_t)score : 0;
    return score > -half ? (uint64_t)(int64_t)score : 1ull << 63;
}

static double clamped(double v, double max) { return v > max ? max : v < -max ? -max : v; }

struct geohash_place geohash_decode(double score) {
    uint64_t bits = geohash_bits(score);
    struct span lon = span_of(gather(bits >> 1), STEPS, GEOHASH_LON_MAX), lat = span_of(gather(bits), STEPS, GEOHASH_LAT_MAX);
    return (struct geohash_place){
        clamped((lon.from + lon.to) / 2, GEOHASH_LON_MAX), clamped((lat.from + lat.to) / 2, GEOHASH_LAT_MAX)};
}

void geohash_text(struct geohash_place p, char out[GEOHASH_TEXT]) {
    static const char digits[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t bits = cell_number(cell_at(p, STEPS, 90.0));
    for (int i = 0; i < GEOHASH_TEXT - 1; i++) out[i] = digits[bits >> (2 * STEPS - 5 * (i + 1)) & 31];
    out[GEOHASH_TEXT - 1] = digits[0]; /* 52 bits are ten digits and a bit; Redis leaves that out */
}

/* -- distances ------------------------------------------------------------------------------------------------------------ */

static double lat_distance(double a, double b) { return EARTH_RADIUS * fabs(radians(b) - radians(a)); }

/* Haversine. */
double geohash_distance(struct geohash_place a, struct geohash_place b) {
    double v = sin((radians(b.lon) - radians(a.lon)) / 2);
    if (v == 0.0) return lat_distance(a.lat, b.lat);
    double lat_a = radians(a.lat), lat_b = radians(b.lat), u = sin((lat_b - lat_a) / 2);
    return 2.0 * EARTH_RADIUS * asin(sqrt(u * u + cos(lat_a) * cos(lat_b) * v * v));
}

bool geohash_within(const struct geohash_area *a, struct geohash_place p, double *distance) {
    if (a->box) {
        if (lat_distance(p.lat, a->middle.lat) > a->height / 2) return false;
        if (geohash_distance(p, (struct geohash_place){a->middle.lon, p.lat}) > a->width / 2) return false;
        *distance = geohash_distance(a->middle, p);
        return true;
    }
    *distance = geohash_distance(a->middle, p);
    return *distance <= a->radius;
}

/* -- covering an area ----------------------------------------------------------------------------------------------------- */

/* A box of degrees around the area, as wide as the area is where the box is narrowest. */
struct bounds {
    struct span lon, lat;
};

static struct bounds bounds_of(const struct geohash_area *a) {
    double up = a->box ? a->height / 2 : a->radius, across = a->box ? a->width / 2 : a->radius;
    double lat = a->middle.lat, lon = a->middle.lon, dlat = degrees(up / EARTH_RADIUS);
    double towards_pole = lat < 0 ? lat - dlat : lat + dlat;
    double dlon = degrees(across / EARTH_RADIUS / cos(radians(towards_pole)));
    return (struct bounds){{lon - dlon, lon + dlon}, {lat - dlat, lat + dlat}};
}

/* How fine a grid may be so that nine cells are enough, roughly: cells grow narrow towards the poles. */
static unsigned steps_for(const struct geohash_area *a) {
    double reach = a->box ? sqrt(a->width / 2 * (a->width / 2) + a->height / 2 * (a->height / 2)) : a->radius;
    double lat = fabs(a->middle.lat);
    int steps = 1;
    if (reach == 0) return STEPS;
    for (; reach < HALF_TURN; reach *= 2) steps++;
    steps -= 2; /* the area reaches into the neighbours as a rule */
    if (lat > 66) steps -= lat > 80 ? 2 : 1;
    return steps < 1 ? 1 : steps > STEPS ? STEPS : (unsigned)steps;
}

/* The cell dx to the east and dy to the north, around the edges of the map. */
static struct cell neighbour(struct cell c, int dx, int dy, unsigned steps) {
    uint64_t mask = (1ull << steps) - 1;
    if (dx) c.x = (c.x + (uint64_t)(int64_t)dx) & mask;
    if (dy) c.y = (c.y + (uint64_t)(int64_t)dy) & mask;
    return c;
}

/* Do the middle's cell and those next to it reach as far as the area? */
static bool reaches(struct cell c, unsigned steps, const struct bounds *b) {
    return span_of(neighbour(c, 0, 1, steps).y, steps, GEOHASH_LAT_MAX).to >= b->lat.to &&
           span_of(neighbour(c, 0, -1, steps).y, steps, GEOHASH_LAT_MAX).from <= b->lat.from &&
           span_of(neighbour(c, 1, 0, steps).x, steps, GEOHASH_LON_MAX).to >= b->lon.to &&
           span_of(neighbour(c, -1, 0, steps).x, steps, GEOHASH_LON_MAX).from <= b->lon.from;
}

size_t geohash_cover(const struct geohash_area *a, struct geohash_range out[GEOHASH_RANGES]) {
    static const int8_t around[GEOHASH_RANGES][2] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
    struct bounds b = bounds_of(a);
    unsigned steps = steps_for(a);
    struct cell middle = cell_at(a->middle, steps, GEOHASH_LAT_MAX);
    if (steps > 1 && !reaches(middle, steps, &b)) middle = cell_at(a->middle, --steps, GEOHASH_LAT_MAX);
    struct span lon = span_of(middle.x, steps, GEOHASH_LON_MAX), lat = span_of(middle.y, steps, GEOHASH_LAT_MAX);
    bool needed[3][3]; /* by dx + 1, dy + 1 */
    memset(needed, 1, sizeof needed);
    for (int i = 0; steps >= 2 && i < 3; i++) { /* on a grid of two by two all neighbours are beside one another */
        if (lon.from < b.lon.from) needed[0][i] = false;
        if (lon.to > b.lon.to) needed[2][i] = false;
        if (lat.from < b.lat.from) needed[i][0] = false;
        if (lat.to > b.lat.to) needed[i][2] = false;
    }
    unsigned shift = 2 * (STEPS - steps);
    size_t n = 0;
    for (int i = 0; i < GEOHASH_RANGES; i++) {
        int dx = around[i][0], dy = around[i][1];
        if (!needed[dx + 1][dy + 1]) continue;
        uint64_t number = cell_number(neighbour(middle, dx, dy, steps));
        if (n && out[n - 1].from == number << shift) continue; /* the same cell from the other side */
        out[n++] = (struct geohash_range){number << shift, (number + 1) << shift};
    }
    return n;
}
