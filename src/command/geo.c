/* Places: adding them, where they are and how far apart. Searching is in geo_search.c. */
#include "command/geo.h"

#include <math.h>

/* -- words and replies ---------------------------------------------------------------------------------------------------- */

bool geo_place(struct call *c, int arg, struct geohash_place *out) {
    if (!call_double(c, arg, &out->lon) || !call_double(c, arg + 1, &out->lat)) return false;
    if (geohash_valid(*out)) return true;
    reply_errorf(c, "ERR invalid longitude,latitude pair %f,%f", out->lon, out->lat);
    return false;
}

bool geo_unit(struct call *c, int arg, double *metres) {
    static const struct {
        const char *name;
        double metres;
    } units[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (call_is(c, arg, units[i].name)) {
            *metres = units[i].metres;
            return true;
        }
    reply_error(c, "ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

bool geo_number(struct call *c, int arg, double *out, const char *error) {
    if (num_double(c->argv[arg], out)) return true;
    reply_error(c, error);
    return false;
}

/* No two places are further apart than half the way round the earth, in feet less than 2^27. */
void geo_reply_distance(struct resp_writer *w, double distance) {
    char text[NUM_I64_MAX + 1], digits[4];
    uint64_t parts = (uint64_t)llrint(distance * 10000), whole = parts / 10000;
    unsigned rest = (unsigned)(parts % 10000);
    for (int i = 3; i >= 0; i--, rest /= 10) digits[i] = (char)('0' + rest % 10);
    size_t n = num_put_u64(text, whole);
    text[n++] = '.';
    memcpy(text + n, digits, sizeof digits);
    resp_bulk(w, text, n + sizeof digits);
}

static void reply_degrees(struct resp_writer *w, double v) {
    char text[NUM_DOUBLE_MAX]; /* at most 180 degrees */
    size_t n = num_put_long_double(text, (long double)v);
    if (w->proto == 2) {
        resp_bulk(w, text, n);
        return;
    }
    RESP_RAW(w, ",");
    resp_raw(w, text, n);
    RESP_RAW(w, "\r\n");
}

void geo_reply_place(struct resp_writer *w, struct geohash_place p) {
    resp_array(w, 2);
    reply_degrees(w, p.lon);
    reply_degrees(w, p.lat);
}

/* -- GEOADD --------------------------------------------------------------------------------------------------------------- */

struct add_words {
    bool nx, xx, ch;
    int first; /* of the places */
};

static bool read_add(struct call *c, struct add_words *o) {
    *o = (struct add_words){.first = 2};
    for (;; o->first++) {
        if (o->first < c->argc && call_is(c, o->first, "NX")) o->nx = true;
        else if (o->first < c->argc && call_is(c, o->first, "XX")) o->xx = true;
        else if (o->first < c->argc && call_is(c, o->first, "CH")) o->ch = true;
        else break;
    }
    if ((c->argc - o->first) % 3 == 0 && o->first < c->argc && !(o->nx && o->xx)) return true;
    reply_syntax(c);
    return false;
}

static void run_geoadd(struct call *c) {
    struct add_words o;
    struct holder h;
    struct geohash_place place;
    size_t bytes = 0;
    if (!read_add(c, &o)) return;
    for (int i = o.first; i < c->argc; i += 3) {
        if (!geo_place(c, i, &place)) return;
        bytes += c->argv[i + 2].n;
    }
    if (!collection_write(c, 0, VALUE_ZSET, &h)) return;
    if (!collection_room(c, &h, bytes, (size_t)(c->argc - o.first) / 3)) return;
    int64_t added = 0, moved = 0;
    for (int i = o.first; i < c->argc; i += 3) {
        double was, score;
        bool there = zset_score(&h.home, c->argv[i + 2], &was);
        if (there ? o.nx : o.xx) continue;
        num_double(c->argv[i], &place.lon);
        num_double(c->argv[i + 1], &place.lat);
        score = (double)geohash_encode(place);
        if (there && was == score) continue;
        zset_put(&h.home, c->argv[i + 2], score);
        if (there) moved++;
        else added++;
    }
    h.same = !added && !moved;
    h.changes = (uint64_t)(added + moved);
    if (h.same) collection_close(c, &h);
    else collection_done(&h, "zadd");
    resp_int(c->w, o.ch ? added + moved : added);
}

/* -- where ---------------------------------------------------------------------------------------------------------------- */

static void run_geodist(struct call *c) {
    struct holder h;
    double metres = 1, a, b;
    if (c->argc > 5) {
        reply_syntax(c);
        return;
    }
    if (c->argc == 5 && !geo_unit(c, 4, &metres)) return;
    if (!collection_read(c, 0, VALUE_ZSET, &h)) return;
    if (!zset_score(&h.home, c->argv[2], &a) || !zset_score(&h.home, c->argv[3], &b)) {
        resp_null(c->w);
        return;
    }
    geo_reply_distance(c->w, geohash_distance(geohash_decode(a), geohash_decode(b)) / metres);
}

static void run_geohash(struct call *c) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_ZSET, &h)) return;
    resp_array(c->w, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        double score;
        char text[GEOHASH_TEXT];
        if (!zset_score(&h.home, c->argv[i], &score)) {
            resp_null(c->w);
            continue;
        }
        geohash_text(geohash_decode(score), text);
        resp_bulk(c->w, text, sizeof text);
    }
}

static void run_geopos(struct call *c) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_ZSET, &h)) return;
    resp_array(c->w, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        double score;
        if (zset_score(&h.home, c->argv[i], &score)) geo_reply_place(c->w, geohash_decode(score));
        else resp_null_array(c->w);
    }
}

/* -- rows ----------------------------------------------------------------------------------------------------------------- */

#define ONE_KEY(f) {{KEYS_RANGE, 1, 0, 1, (f)}}
#define KEY_AND_STORE(from)                                                                                                  \
    {{KEYS_RANGE, 1, 0, 1, K_RO | K_ACCESS}, {KEYS_KEYWORD, from, 0, 1, K_OW | K_UPDATE},                                      \
        {KEYS_KEYWORD, from, 0, 1, K_OW | K_UPDATE}}
#define STORE_WORDS {NULL, "STORE", "STOREDIST"}
#define UNITS "<M | KM | FT | MI>"
#define WITH "[WITHCOORD] [WITHDIST] [WITHHASH]"
#define AREA                                                                                                                 \
    "<FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius " UNITS " | <BYBOX width> height " UNITS ">"         \
    " [ASC | DESC] [COUNT count [ANY]]"
#define RADIUS_WORDS WITH " [COUNT count [ANY]] [ASC | DESC]"
#define STORES " [STORE key] [STOREDIST key]"
#define SEARCH_COST                                                                                                          \
    "O(N+log(M)) where N is the number of elements in the grid's cells that the area touches and M is the number of those "  \
    "inside the area"
#define READS (C_READONLY)
#define STORES_TOO (C_WRITE | C_DENYOOM | C_MOVABLEKEYS)

static const char *const add_history[] = {"6.2.0", "CH, NX and XX.", NULL};
static const char *const units_history[] = {"7.0.0", "Units in upper case.", NULL};
static const char *const radius_history[] = {"6.2.0", "ANY of the matches.", "7.0.0", "Units in upper case.", NULL};
static const char *const radius_ro_history[] = {"6.2.0", "ANY of the matches.", NULL};

static const struct command rows[] = {
    {.name = "GEOADD", .arity = -5, .flags = C_WRITE | C_DENYOOM, .categories = A_GEO, .keys = ONE_KEY(K_RW | K_UPDATE),
        .run = run_geoadd, .group = "geo", .since = "3.2.0",
        .complexity = "O(log(N)) for each place, where N is the number of places there are.",
        .summary = "Adds places to a zset, or moves them.",
        .syntax = "key [NX | XX] [CH] longitude latitude member "
                  "[longitude latitude member ...]",
        .history = add_history},
    {.name = "GEODIST", .arity = -4, .flags = READS, .categories = A_GEO, .keys = ONE_KEY(K_RO | K_ACCESS), .run = run_geodist,
        .group = "geo", .since = "3.2.0", .complexity = "O(log(N))", .summary = "Tells how far two places are apart.",
        .syntax = "key member1 member2 [M | KM | FT | MI]"},
    {.name = "GEOHASH", .arity = -2, .flags = READS, .categories = A_GEO, .keys = ONE_KEY(K_RO | K_ACCESS), .run = run_geohash,
        .group = "geo", .since = "3.2.0",
        .complexity = "O(log(N)) for each member asked for, where N is the number of places there are.",
        .summary = "Gives places as the geohashes that others use.", .syntax = "key member [member ...]"},
    {.name = "GEOPOS", .arity = -2, .flags = READS, .categories = A_GEO, .keys = ONE_KEY(K_RO | K_ACCESS), .run = run_geopos,
        .group = "geo", .since = "3.2.0", .complexity = "O(N) where N is the number of members asked for.",
        .summary = "Tells where places are.", .syntax = "key member [member ...]"},
    {.name = "GEORADIUS", .arity = -6, .flags = STORES_TOO, .categories = A_GEO, .keys = KEY_AND_STORE(6),
        .keywords = STORE_WORDS, .run = geo_radius,
        .group = "geo", .since = "3.2.0", .complexity = SEARCH_COST, .history = radius_history,
        .summary = "Finds, and may store, what is within a distance of a point.",
        .deprecated = "6.2.0 use `GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
        .syntax = "key longitude latitude radius " UNITS " " RADIUS_WORDS STORES},
    {.name = "GEORADIUSBYMEMBER", .arity = -5, .flags = STORES_TOO, .categories = A_GEO, .keys = KEY_AND_STORE(5),
        .keywords = STORE_WORDS, .run = geo_radiusbymember, .group = "geo", .since = "3.2.0", .complexity = SEARCH_COST,
        .history = units_history,
        .summary = "Finds, and may store, what is within a distance of a member.",
        .deprecated = "6.2.0 use `GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
        .syntax = "key member radius " UNITS " " RADIUS_WORDS STORES},
    {.name = "GEORADIUSBYMEMBER_RO", .arity = -5, .flags = READS, .categories = A_GEO, .keys = ONE_KEY(K_RO | K_ACCESS),
        .run = geo_radiusbymember_ro, .group = "geo", .since = "3.2.10", .complexity = SEARCH_COST,
        .summary = "Finds what is within a distance of a member.",
        .deprecated = "6.2.0 use `GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
        .syntax = "key member radius " UNITS " " RADIUS_WORDS},
    {.name = "GEORADIUS_RO", .arity = -6, .flags = READS, .categories = A_GEO, .keys = ONE_KEY(K_RO | K_ACCESS),
        .run = geo_radius_ro, .group = "geo", .since = "3.2.10", .complexity = SEARCH_COST, .history = radius_ro_history,
        .summary = "Finds what is within a distance of a point.",
        .deprecated = "6.2.0 use `GEOSEARCH` with the `BYRADIUS` argument",
        .syntax = "key longitude latitude radius " UNITS " " RADIUS_WORDS},
    {.name = "GEOSEARCH", .arity = -7, .flags = READS, .categories = A_GEO, .keys = ONE_KEY(K_RO | K_ACCESS), .run = geo_search,
        .group = "geo", .since = "6.2.0", .complexity = SEARCH_COST, .history = units_history,
        .summary = "Finds the places in a circle or a box.", .syntax = "key " AREA " " WITH},
    {.name = "GEOSEARCHSTORE", .arity = -8, .flags = C_WRITE | C_DENYOOM, .categories = A_GEO,
        .keys = {{KEYS_RANGE, 1, 0, 1, K_OW | K_UPDATE}, {KEYS_RANGE, 2, 0, 1, K_RO | K_ACCESS}}, .run = geo_searchstore,
        .group = "geo", .since = "6.2.0", .complexity = SEARCH_COST, .history = units_history,
        .summary = "Finds the places in a circle or a box and stores them.",
        .syntax = "destination source " AREA " [STOREDIST]"},
    {.name = NULL},
};

const struct command *command_rows_geo(void) { return rows; }
