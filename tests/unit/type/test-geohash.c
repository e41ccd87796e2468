#include "type/geohash.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What redis-server 7.0.15 says of these places: ZSCORE, GEOHASH, GEOPOS, and GEODIST to the fifth of them. */
static const struct {
    struct geohash_place place;
    uint64_t score;
    const char *text, *lon, *lat, *distance;
} known[] = {
    {{0, 0}, 3377699720527872, "s0000000000", "0.00000268220901489", "0.00000126736058093", "4454733.0204"},
    {{-180, -85.05112878}, 0, "00bh0hbj200", "-179.99999731779098511", "-85.05112751263942528", "14784257.5187"},
    {{180, 85.05112878}, 13510798882111488, "bp05b5048p0", "180", "85.0511287799999991", "6307362.7206"},
    {{179.999999, 85.05}, 4503599627287214, "zzpgzfzupv0", "179.99999731779098511", "85.04999956172351006", "6307485.3066"},
    {{13.361389, 38.115556}, 3479099956230698, "sqc8b49rny0", "13.36138933897018433", "38.11555639549629859", "0.0000"},
    {{15.087269, 37.502669}, 3479447370796909, "sqdtr74hyu0", "15.08726745843887329", "37.50266842333162032", "166274.1516"},
    {{-1e-07, 1e-07}, 1876499844737706, "ebpbpbpbpb0", "-0.00000268220901489", "0.00000126736058093", "4454733.1890"},
    {{-73.935242, 40.73061}, 1791875640195835, "dr5rtwccpb0", "-73.93524438142776489", "40.73061047253818145", "7171510.5744"},
    {{139.6917, 35.6895}, 4171231230197045, "xn774c06kt0", "139.69170123338699341", "35.68950126697937009", "10128099.1117"},
    {{-122.4194, 37.7749}, 1367859919124626, "9q8yyk8ytp0", "-122.41940170526504517", "37.77490001056577995", "10441392.8274"},
    {{151.2093, -33.8688}, 3252046221964352, "r3gx2f77bj0", "151.20929986238479614", "-33.86880091934155956", "16230616.4547"},
    {{-43.1729, -22.9068}, 1008484280450656, "75cm9tfqnw0", "-43.17289799451828003", "-22.90680107158666345", "8990286.3472"},
    {{77.209, 28.6139}, 3631526157940800, "ttnfucjbh10", "77.20899850130081177", "28.61390065759830748", "5909252.0471"},
    {{-180, 0}, 1125899906842624, "80000000000", "-179.99999731779098511", "0.00000126736058093", "15566000.7091"},
    {{180, 0}, 10133099161583616, "80000000000", "180", "0.00000126736058093", "15566000.6248"},
    {{0, 85.05112878}, 6755399441055744, "up05b5048p0", "0.00000268220901489", "85.0511287799999991", "5236476.6178"},
    {{0, -85.05112878}, 2251799813685248, "h0bh0hbj200", "0.00000268220901489", "-85.05112751263942528", "13713371.1362"},
    {{90, 45}, 4222486838317376, "y0000000000", "90.00000268220901489", "45.00000100864581043", "6183737.7162"},
    {{-90, -45}, 656412758000661, "4pbpbpbpbp0", "-89.99999731779098511", "-45.00000100864581043", "13836996.2838"},
    {{1e-06, -66.6}, 2274155135522112, "hh0j05b4bh0", "0.00000268220901489", "-66.59999997196311483", "11702916.5250"},
};

#define KNOWN (sizeof known / sizeof *known)

static void same_degrees(double v, const char *text) {
    char ours[64];
    int n = snprintf(ours, sizeof ours, "%.17f", v);
    while (n && ours[n - 1] == '0') ours[--n] = 0;
    if (n && ours[n - 1] == '.') ours[--n] = 0;
    cr_assert_str_eq(ours, text);
}

Test(geohash, known_places) {
    for (size_t i = 0; i < KNOWN; i++) {
        char text[GEOHASH_TEXT + 1] = "", distance[64];
        cr_assert(geohash_valid(known[i].place));
        cr_assert_eq(geohash_encode(known[i].place), known[i].score, "%zu", i);
        struct geohash_place back = geohash_decode((double)known[i].score);
        same_degrees(back.lon, known[i].lon);
        same_degrees(back.lat, known[i].lat);
        geohash_text(back, text);
        cr_assert_str_eq(text, known[i].text);
        snprintf(distance, sizeof distance, "%.4f", geohash_distance(back, geohash_decode((double)known[4].score)));
        cr_assert_str_eq(distance, known[i].distance);
    }
}

Test(geohash, what_is_no_place) {
    static const struct geohash_place bad[] = {{180.1, 0}, {-180.1, 0}, {0, 85.0512}, {0, -85.0512}, {INFINITY, 0},
        {0, -INFINITY}, {0, NAN}, {NAN, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) cr_assert_not(geohash_valid(bad[i]), "%zu", i);
    /* Any score is decoded to a place of the map. */
    static const double odd[] = {-1, 1.5, 1e300, -1e300, INFINITY, -INFINITY, 9223372036854775808.0, 18446744073709549568.0,
        18446744073709551616.0, -9223372036854775808.0, 4503599627370496.0};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        cr_assert(geohash_valid(geohash_decode(odd[i])), "%zu", i);
    }
    cr_assert_eq(geohash_bits(-1), UINT64_MAX);
    cr_assert_eq(geohash_bits(1.9), 1);
    cr_assert_eq(geohash_bits(INFINITY), 0);
    cr_assert_eq(geohash_bits(-INFINITY), 1ull << 63);
}

static uint64_t state = 88172645463325252ull;
static double random_between(double from, double to) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return from + (to - from) * (double)(state >> 11) / 9007199254740992.0;
}

static struct geohash_area random_area(double most) {
    struct geohash_area a = {.middle = {random_between(-180, 180), random_between(-80, 80)}, .box = random_between(0, 1) < 0.5};
    double size = most * pow(random_between(0, 1), 4);
    a.radius = size;
    a.width = 2 * size * random_between(0.1, 1);
    a.height = 2 * size * random_between(0.1, 1);
    return a;
}

/* A place near the area's middle, about half of the time inside. */
static struct geohash_place near_to(const struct geohash_area *a) {
    double reach = (a->box ? fmax(a->width, a->height) / 2 : a->radius) / 111000 * 1.1;
    double squeeze = cos(a->middle.lat * M_PI / 180);
    struct geohash_place p = {
        a->middle.lon + random_between(-reach, reach) / squeeze, a->middle.lat + random_between(-reach, reach)};
    if (p.lon > 180) p.lon -= 360;
    if (p.lon < -180) p.lon += 360;
    p.lat = fmax(-85, fmin(85, p.lat));
    return p;
}

Test(geohash, ranges_cover_the_area_once) {
    unsigned inside = 0, outside = 0;
    for (int i = 0; i < 20000; i++) {
        struct geohash_range range[GEOHASH_RANGES];
        struct geohash_area a = random_area(500000);
        size_t n = geohash_cover(&a, range);
        cr_assert(n >= 1 && n <= GEOHASH_RANGES);
        uint64_t middle = geohash_encode(a.middle);
        cr_assert(middle >= range[0].from && middle < range[0].to, "the middle is first");
        for (size_t k = 0; k < n; k++) {
            cr_assert_lt(range[k].from, range[k].to);
            for (size_t j = 0; j < k; j++) cr_assert(range[j].to <= range[k].from || range[k].to <= range[j].from);
        }
        for (int j = 0; j < 10; j++) {
            double distance, score = (double)geohash_encode(near_to(&a));
            if (!geohash_within(&a, geohash_decode(score), &distance)) {
                outside++;
                continue;
            }
            inside++;
            unsigned in = 0;
            for (size_t k = 0; k < n; k++) in += score >= (double)range[k].from && score < (double)range[k].to;
            cr_assert_eq(in, 1, "%.9f %.9f, %s of %f %f %f", a.middle.lon, a.middle.lat, a.box ? "box" : "circle", a.radius,
                a.width, a.height);
        }
    }
    cr_assert(inside > 40000 && outside > 40000, "%u %u", inside, outside);
}

Test(geohash, coarse_grids_have_no_cell_twice) {
    for (int i = 0; i < 20000; i++) {
        struct geohash_range range[GEOHASH_RANGES];
        struct geohash_area a = random_area(30000000);
        a.middle.lat = random_between(-GEOHASH_LAT_MAX, GEOHASH_LAT_MAX);
        size_t n = geohash_cover(&a, range);
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < k; j++) cr_assert(range[j].to <= range[k].from || range[k].to <= range[j].from);
    }
}

Test(geohash, within) {
    double distance;
    struct geohash_place here = {13.361389, 38.115556}, there = {15.087269, 37.502669};
    double metres = geohash_distance(here, there);
    cr_assert_float_eq(metres, 166274.1516, 1);
    cr_assert_float_eq(geohash_distance(here, (struct geohash_place){13.361389, 39.115556}), 111226.3, 0.1, "straight north");
    cr_assert_eq(geohash_distance(here, here), 0);
    struct geohash_area circle = {.middle = here, .radius = metres}, box = {.middle = here, .box = true, .width = 2 * 153000,
        .height = 2 * 68300};
    cr_assert(geohash_within(&circle, there, &distance));
    cr_assert_float_eq(distance, metres, 1e-9);
    circle.radius = metres - 0.001;
    cr_assert_not(geohash_within(&circle, there, &distance));
    cr_assert(geohash_within(&box, there, &distance));
    cr_assert_float_eq(distance, metres, 1e-9, "the straight way, not a side");
    box.width = 2 * 150000;
    cr_assert_not(geohash_within(&box, there, &distance));
    box.width = 2 * 153000;
    box.height = 2 * 68000;
    cr_assert_not(geohash_within(&box, there, &distance));
}
