/* Searching places: GEOSEARCH, GEORADIUS and their kin.
 *
 * A search is a work in three parts, each done in slices. It walks the ranges of scores that cover the area and gathers what lies
 * inside; brings that in order, if any is asked for; and replies or stores it. Where the nearest (or farthest) are to be found
 * the gathered ones are a heap whose root is the worst, so that a search for a few never holds more than these.
 */
#include "command/geo.h"

#include "command/work.h"

#define BLOCK_SPOTS 512
#define BLOCK_BYTES 16384
#define LOOK_EVERY 16 /* steps between two looks at the clock */

enum order { ORDER_NONE, ORDER_NEAREST, ORDER_FARTHEST };

struct query {
    struct geohash_area area;
    double unit;             /* metres */
    bool from_point, from_member, by_circle, by_box; /* which of them were said */
    bool places, distances, hashes, any, store, store_distance;
    enum order order;
    size_t count;            /* 0: all */
    struct slice target;     /* where to store */
    const char *store_as;    /* the event */
};

struct spot {
    double distance; /* metres */
    double score;
    const char *member;
    uint32_t n, number; /* in order of finding: where distances are equal, who was found first is first */
};

struct bytes {
    struct bytes *next;
    char p[];
};

enum part { GATHER, ARRANGE, ANSWER };

struct search {
    struct work work;
    struct query q;
    const struct home *home;
    enum part part;
    struct geohash_range range[GEOHASH_RANGES];
    size_t ranges, range_at;
    bool walking;            /* `at` is in the midst of a range */
    struct zset_at at;
    struct spot **block;     /* of BLOCK_SPOTS each */
    size_t blocks, spots, done;
    uint32_t found;
    struct bytes *bytes;     /* members' */
    size_t room;             /* left in the first of them */
    struct home made;        /* to be stored */
    char target[];
};

/* -- what was found ------------------------------------------------------------------------------------------------------- */

static struct spot *spot_at(struct search *s, size_t i) { return &s->block[i / BLOCK_SPOTS][i % BLOCK_SPOTS]; }

static const char *keep_bytes(struct search *s, struct slice member) {
    if (!s->bytes || member.n > s->room) {
        size_t room = member.n > BLOCK_BYTES / 4 ? member.n : BLOCK_BYTES - sizeof(struct bytes);
        struct bytes *b = mem_alloc(MEM_CLIENT, sizeof *b + room);
        b->next = s->bytes;
        s->bytes = b;
        s->room = room;
    }
    s->room -= member.n;
    return memcpy(s->bytes->p + s->room, member.p, member.n);
}

static void add_spot(struct search *s, struct spot spot) {
    if (s->spots == s->blocks * BLOCK_SPOTS) {
        s->block = mem_realloc(MEM_CLIENT, s->block, (s->blocks + 1) * sizeof *s->block);
        s->block[s->blocks++] = mem_alloc(MEM_CLIENT, BLOCK_SPOTS * sizeof **s->block);
    }
    *spot_at(s, s->spots++) = spot;
}

static bool later(const struct search *s, const struct spot *a, const struct spot *b) {
    if (a->distance == b->distance) return a->number > b->number;
    return (a->distance > b->distance) == (s->q.order == ORDER_NEAREST);
}

static void swap_spots(struct spot *a, struct spot *b) {
    struct spot t = *a;
    *a = *b;
    *b = t;
}

static void sift_up(struct search *s, size_t i) {
    for (; i && later(s, spot_at(s, i), spot_at(s, (i - 1) / 2)); i = (i - 1) / 2)
        swap_spots(spot_at(s, i), spot_at(s, (i - 1) / 2));
}

static void sift_down(struct search *s, size_t n) {
    for (size_t i = 0, child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && later(s, spot_at(s, child + 1), spot_at(s, child))) child++;
        if (!later(s, spot_at(s, child), spot_at(s, i))) return;
        swap_spots(spot_at(s, child), spot_at(s, i));
    }
}

static bool full(const struct search *s) { return s->q.count && s->spots == s->q.count; }

static void found(struct search *s, struct slice member, double score, double distance) {
    struct spot spot = {distance, score, NULL, (uint32_t)member.n, s->found++};
    if (full(s)) {
        if (!later(s, spot_at(s, 0), &spot)) return;
        spot.member = keep_bytes(s, member);
        *spot_at(s, 0) = spot;
        sift_down(s, s->spots);
        return;
    }
    spot.member = keep_bytes(s, member);
    add_spot(s, spot);
    if (s->q.order) sift_up(s, s->spots - 1);
}

/* -- the parts: each returns true once it is done, false once the slice is over --------------------------------------------- */

/* Begins the next range; false after the last. */
static bool next_range(struct search *s) {
    if (s->range_at == s->ranges || (s->q.any && full(s))) return false;
    size_t rank = zset_below_score(s->home, (double)s->range[s->range_at].from, false);
    s->walking = rank < zset_count(s->home);
    if (s->walking) zset_seek(&s->at, s->home, rank, false);
    else s->range_at++;
    return true;
}

static bool gather(struct search *s) {
    for (unsigned i = 1;; i++) {
        struct slice member;
        double score, distance;
        if (!s->walking) {
            if (!next_range(s)) return true;
        } else if (!zset_next(&s->at, &member, &score) || score >= (double)s->range[s->range_at].to || (s->q.any && full(s))) {
            s->walking = false;
            s->range_at++;
        } else if (geohash_within(&s->q.area, geohash_decode(score), &distance)) {
            found(s, member, score, distance);
        }
        if (i % LOOK_EVERY == 0 && work_over(&s->work)) return false;
    }
}

/* Takes the worst from the heap's root to the end of what is left of it, again and again. */
static bool arrange(struct search *s) {
    if (!s->q.order) return true;
    for (size_t left = s->spots - s->done; left > 1; left--, s->done++) {
        if (left % LOOK_EVERY == 0 && work_over(&s->work)) return false;
        swap_spots(spot_at(s, 0), spot_at(s, left - 1));
        sift_down(s, left - 1);
    }
    return true;
}

static void reply_spot(const struct query *q, struct resp_writer *w, const struct spot *spot) {
    size_t more = (size_t)q->distances + q->hashes + q->places;
    if (more) resp_array(w, 1 + more);
    resp_bulk(w, spot->member, spot->n);
    if (q->distances) geo_reply_distance(w, spot->distance / q->unit);
    if (q->hashes) resp_int(w, (int64_t)geohash_bits(spot->score));
    if (q->places) geo_reply_place(w, geohash_decode(spot->score));
}

static bool answer(struct search *s, struct session *to) {
    const struct query *q = &s->q;
    if (!s->done && !q->store) resp_array(&to->writer, s->spots);
    while (s->done < s->spots) {
        const struct spot *spot = spot_at(s, s->done);
        if (q->store) zset_put(&s->made, (struct slice){spot->member, spot->n},
                q->store_distance ? spot->distance / q->unit : spot->score);
        else reply_spot(q, &to->writer, spot);
        if (++s->done % LOOK_EVERY == 0 && s->done < s->spots && work_over(&s->work)) return false;
    }
    if (!q->store) return true;
    size_t n = work_put(&s->work, to, q->target, VALUE_ZSET, &s->made, q->store_as);
    s->made.object = NULL;
    resp_int(&to->writer, (int64_t)n);
    return true;
}

static bool search_on(struct work *w, struct session *to) {
    struct search *s = (struct search *)w;
    if (s->part == GATHER) {
        if (!gather(s)) return false;
        s->part = ARRANGE;
    }
    if (s->part == ARRANGE) {
        if (!arrange(s)) return false;
        s->part = ANSWER;
        s->done = 0;
    }
    return answer(s, to);
}

static void search_drop(struct work *w) {
    struct search *s = (struct search *)w;
    for (size_t i = 0; i < s->blocks; i++) mem_free(MEM_CLIENT, s->block[i]);
    mem_free(MEM_CLIENT, s->block);
    for (struct bytes *b = s->bytes, *next; b; b = next) {
        next = b->next;
        mem_free(MEM_CLIENT, b);
    }
    home_free_bytes(&s->made);
    if (s->made.object) holder_release(w->store, VALUE_ZSET, s->made.object);
}

static void search_start(struct call *c, const struct query *q, const struct holder *h) {
    struct search *s = work_new(c, sizeof *s + q->target.n, search_on, search_drop);
    s->q = *q;
    s->work.makes = q->store;
    s->q.target.p = memcpy(s->target, q->target.n ? q->target.p : "", q->target.n);
    s->home = work_keep(&s->work, h);
    home_init_own(&s->made, h->home.limits, h->home.seed);
    if (collection_there(h)) s->ranges = geohash_cover(&q->area, s->range);
    work_start(c, &s->work);
}

/* -- words ---------------------------------------------------------------------------------------------------------------- */

static bool read_circle(struct call *c, int arg, struct query *q) {
    double radius;
    if (!geo_number(c, arg, &radius, "ERR need numeric radius")) return false;
    if (radius < 0) {
        reply_error(c, "ERR radius cannot be negative");
        return false;
    }
    if (!geo_unit(c, arg + 1, &q->unit)) return false;
    q->area.box = false;
    q->area.radius = radius * q->unit;
    q->by_circle = true;
    return true;
}

static bool read_box(struct call *c, int arg, struct query *q) {
    double width, height;
    if (!geo_number(c, arg, &width, "ERR need numeric width")) return false;
    if (!geo_number(c, arg + 1, &height, "ERR need numeric height")) return false;
    if (width < 0 || height < 0) {
        reply_error(c, "ERR height or width cannot be negative");
        return false;
    }
    if (!geo_unit(c, arg + 2, &q->unit)) return false;
    q->area.box = true;
    q->area.width = width * q->unit;
    q->area.height = height * q->unit;
    q->by_box = true;
    return true;
}

static bool read_point(struct call *c, int arg, struct query *q) {
    q->from_point = true;
    return geo_place(c, arg, &q->area.middle);
}

/* Where there is no zset at all, nothing is found around any member. */
static bool read_member(struct call *c, int arg, struct query *q, const struct holder *h) {
    double score;
    q->from_member = true;
    if (!collection_there(h)) return true;
    if (zset_score(&h->home, c->argv[arg], &score)) {
        q->area.middle = geohash_decode(score);
        return true;
    }
    reply_error(c, "ERR could not decode requested zset member");
    return false;
}

static bool read_count(struct call *c, int arg, struct query *q) {
    int64_t count;
    if (!call_i64(c, arg, &count)) return false;
    q->count = count > 0 ? (size_t)count : 0;
    if (count <= 0) reply_error(c, "ERR COUNT must be > 0");
    return count > 0;
}

/* What sets the forms of the commands apart. */
struct form {
    bool area;   /* GEOSEARCH: middle and area are words among the others */
    bool target; /* GEOSEARCHSTORE: the first key is where to store */
    bool stores; /* GEORADIUS: STORE key */
};

/* One of the words that say where to look: one middle and one area, but either may be said again.
 * How many words it was; 0: none of them, -1: an error was replied. */
static int read_where(struct call *c, int arg, struct query *q, const struct holder *h) {
    int behind = c->argc - arg - 1;
    if (behind >= 1 && !q->from_point && call_is(c, arg, "FROMMEMBER")) return read_member(c, arg + 1, q, h) ? 2 : -1;
    if (behind >= 2 && !q->from_member && call_is(c, arg, "FROMLONLAT")) return read_point(c, arg + 1, q) ? 3 : -1;
    if (behind >= 2 && !q->by_box && call_is(c, arg, "BYRADIUS")) return read_circle(c, arg + 1, q) ? 3 : -1;
    if (behind >= 3 && !q->by_circle && call_is(c, arg, "BYBOX")) return read_box(c, arg + 1, q) ? 4 : -1;
    return 0;
}

/* One of those that say what to do with what is found. The same. */
static int read_what(struct call *c, int arg, struct query *q, struct form f) {
    bool more = arg + 1 < c->argc, distance;
    if (call_is(c, arg, "WITHDIST")) return q->distances = true;
    if (call_is(c, arg, "WITHHASH")) return q->hashes = true;
    if (call_is(c, arg, "WITHCOORD")) return q->places = true;
    if (call_is(c, arg, "ANY")) return q->any = true;
    if (call_is(c, arg, "ASC")) return q->order = ORDER_NEAREST, 1;
    if (call_is(c, arg, "DESC")) return q->order = ORDER_FARTHEST, 1;
    if (more && call_is(c, arg, "COUNT")) return read_count(c, arg + 1, q) ? 2 : -1;
    distance = call_is(c, arg, "STOREDIST");
    if (f.target && distance) return q->store_distance = true;
    if (!f.stores || !more || !(distance || call_is(c, arg, "STORE"))) return 0;
    q->store = true;
    q->store_distance = distance;
    q->target = c->argv[arg + 1];
    q->store_as = "georadiusstore";
    return 2;
}

static bool read_words(struct call *c, int arg, struct query *q, struct form f, const struct holder *h) {
    while (arg < c->argc) {
        int n = read_what(c, arg, q, f);
        if (!n && f.area) n = read_where(c, arg, q, h);
        if (!n) reply_syntax(c);
        if (n <= 0) return false;
        arg += n;
    }
    return true;
}

/* Do the words go together? */
static bool agree(struct call *c, const struct query *q, struct form f) {
    if (q->store && (q->distances || q->hashes || q->places))
        reply_errorf(c, "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            f.target ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
    else if (f.area && !q->from_point && !q->from_member)
        reply_errorf(c, "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s", (int)c->argv[0].n, c->argv[0].p);
    else if (f.area && !q->by_circle && !q->by_box)
        reply_errorf(c, "ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s", (int)c->argv[0].n, c->argv[0].p);
    else if (q->any && !q->count)
        reply_error(c, "ERR the ANY argument requires COUNT argument");
    else
        return true;
    return false;
}

static void read_rest(struct call *c, int arg, struct query *q, struct form f, const struct holder *h) {
    if (!read_words(c, arg, q, f, h) || !agree(c, q, f)) return;
    if (q->count && !q->any && !q->order) q->order = ORDER_NEAREST; /* so many, and no word of which: the nearest */
    search_start(c, q, h);
}

/* -- handlers ------------------------------------------------------------------------------------------------------------- */

static void by_area(struct call *c, bool target) {
    struct holder h;
    struct query q = {.unit = 1};
    if (!collection_read(c, target, VALUE_ZSET, &h)) return;
    if (target) {
        q.store = true;
        q.target = c->argv[1];
        q.store_as = "geosearchstore";
    }
    read_rest(c, target ? 3 : 2, &q, (struct form){.area = true, .target = target}, &h);
}

void geo_search(struct call *c) { by_area(c, false); }
void geo_searchstore(struct call *c) { by_area(c, true); }

static void around_point(struct call *c, bool stores) {
    struct holder h;
    struct query q = {.unit = 1};
    if (!collection_read(c, 0, VALUE_ZSET, &h)) return;
    if (read_point(c, 2, &q) && read_circle(c, 4, &q)) read_rest(c, 6, &q, (struct form){.stores = stores}, &h);
}

void geo_radius(struct call *c) { around_point(c, true); }
void geo_radius_ro(struct call *c) { around_point(c, false); }

/* Without a zset neither the member nor the radius is looked at. */
static void around_member(struct call *c, bool stores) {
    struct holder h;
    struct query q = {.unit = 1};
    if (!collection_read(c, 0, VALUE_ZSET, &h)) return;
    if (collection_there(&h) && (!read_member(c, 2, &q, &h) || !read_circle(c, 3, &q))) return;
    read_rest(c, 5, &q, (struct form){.stores = stores}, &h);
}

void geo_radiusbymember(struct call *c) { around_member(c, true); }
void geo_radiusbymember_ro(struct call *c) { around_member(c, false); }
