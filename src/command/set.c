/* Sets: their members one by one, and the rows of the family. What draws at random is in set_random.c, what combines sets in
 * set_algebra.c. */
#include "command/sets.h"

#include "command/cursor.h"

size_t sets_effort(const struct home *h) {
    size_t count = set_count(h), pieces = h->object ? set_ops()->memory(h->object) / 128 : 0;
    return count > pieces ? count : pieces;
}

static void reply_truth(struct call *c, bool v) {
    if (v) RESP_RAW(c->w, ":1\r\n");
    else RESP_RAW(c->w, ":0\r\n");
}

static void run_sadd(struct call *c) {
    struct holder h;
    size_t bytes = 0, n = (size_t)c->argc - 2, added = 0;
    if (!collection_write(c, 0, VALUE_SET, &h)) return;
    for (size_t i = 0; i < n; i++) bytes += c->argv[2 + i].n;
    bytes += set_growth(&h.home, &c->argv[2], n);
    if (!collection_room(c, &h, c->key->n + bytes, n)) return;
    if (n > 1 || !h.entry) set_expect(&h.home, c->argv[2], n);
    for (size_t i = 0; i < n; i++) added += set_add(&h.home, c->argv[2 + i]);
    h.changes = added;
    if (added) collection_done(&h, "sadd");
    else if (h.home.object != h.was_object) collection_close(c, &h);
    resp_int(c->w, (int64_t)added);
}

static void run_srem(struct call *c) {
    struct holder h;
    int64_t removed = 0;
    if (!collection_write(c, 0, VALUE_SET, &h)) return;
    if (h.entry) {
        for (int i = 2; i < c->argc; i++) removed += set_remove(&h.home, c->argv[i]);
        h.changes = (uint64_t)removed;
        if (removed) collection_done(&h, "srem");
    }
    resp_int(c->w, removed);
}

static void run_sismember(struct call *c) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_SET, &h)) return;
    reply_truth(c, set_has(&h.home, c->argv[2]));
}

static void run_smismember(struct call *c) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_SET, &h)) return;
    resp_array(c->w, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) reply_truth(c, set_has(&h.home, c->argv[i]));
}

static void run_scard(struct call *c) {
    struct holder h;
    if (!collection_read(c, 0, VALUE_SET, &h)) return;
    resp_int(c->w, (int64_t)set_count(&h.home));
}

static void run_smove(struct call *c) {
    struct holder from, to;
    struct slice member = c->argv[3];
    if (!collection_write(c, 0, VALUE_SET, &from)) return;
    if (!from.entry) {
        call_write(c, 1); /* whatever it holds; but it goes if its time is over, as DBSIZE shows */
        reply_truth(c, false);
        return;
    }
    if (!collection_write(c, 1, VALUE_SET, &to)) return;
    if (slice_equal(c->argv[1], c->argv[2])) {
        reply_truth(c, set_has(&from.home, member));
        return;
    }
    if (!collection_room(c, &to, c->key[1].n + member.n + set_growth(&to.home, &member, 1), 1)) return;
    bool there = set_remove(&from.home, member);
    if (there) {
        collection_done(&from, "srem");
        if (!to.entry) set_expect(&to.home, member, 1);
        if (set_add(&to.home, member)) collection_done(&to, "sadd");
        else collection_close(c, &to);
    }
    reply_truth(c, there);
}

static void scan_member(void *arg, struct slice member) {
    struct cursor *k = arg;
    if (cursor_matches(k, member)) cursor_put(k, member);
}

static void run_sscan(struct call *c) {
    struct cursor k;
    struct holder h;
    uint64_t at;
    if (!cursor_read(c, 2, &at) || !collection_read(c, 0, VALUE_SET, &h)) return;
    if (!h.entry) {
        cursor_reply_nothing(c);
        return;
    }
    if (!cursor_words(c, 3, NULL, &k)) return;
    k.at = set_scan(&h.home, at, k.count < SETS_AT_ONCE ? (size_t)k.count : SETS_AT_ONCE, scan_member, &k);
    cursor_reply(c, &k);
}

/* -- rows ---------------------------------------------------------------------------------------------------------------- */

#define KEY(flags) {{KEYS_RANGE, 1, 0, 1, flags}}
#define KEYS(flags) {{KEYS_RANGE, 1, -1, 1, flags}}
#define STORE(flags) {{KEYS_RANGE, 1, 0, 1, flags}, {KEYS_RANGE, 2, -1, 1, K_RO | K_ACCESS}}
#define INTER_COST "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets."
#define TOTAL_COST "O(N) where N is the total number of elements in all given sets."

static const char *const several[] = {"2.4.0", "Accepts multiple `member` arguments.", NULL};
static const char *const spop_history[] = {"3.2.0", "Added the `count` argument.", NULL};
static const char *const srandmember_history[] = {"2.6.0", "Added the optional `count` argument.", NULL};

static const struct command rows[] = {
    {.name = "SADD",
        .arity = -3,
        .flags = C_WRITE | C_DENYOOM | C_FAST,
        .categories = A_SET,
        .keys = KEY(K_RW | K_INSERT),
        .run = run_sadd,
        .group = "set",
        .since = "1.0.0",
        .complexity =
            "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        .summary = "Adds members to a set, which is created if it is missing.",
        .syntax = "key member [member ...]",
        .history = several},
    {.name = "SREM",
        .arity = -3,
        .flags = C_WRITE | C_FAST,
        .categories = A_SET,
        .keys = KEY(K_RW | K_DELETE),
        .run = run_srem,
        .group = "set",
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of members to be removed.",
        .summary = "Removes members from a set; without its last member the key is gone.",
        .syntax = "key member [member ...]",
        .history = several},
    {.name = "SISMEMBER",
        .arity = 3,
        .flags = C_READONLY | C_FAST,
        .categories = A_SET,
        .keys = KEY(K_RO),
        .run = run_sismember,
        .group = "set",
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Tells whether a set has a member.",
        .syntax = "key member"},
    {.name = "SMISMEMBER",
        .arity = -3,
        .flags = C_READONLY | C_FAST,
        .categories = A_SET,
        .keys = KEY(K_RO | K_ACCESS),
        .run = run_smismember,
        .group = "set",
        .since = "6.2.0",
        .complexity = "O(N) where N is the number of elements being checked for membership",
        .summary = "Tells of several members whether a set has them.",
        .syntax = "key member [member ...]"},
    {.name = "SCARD",
        .arity = 2,
        .flags = C_READONLY | C_FAST,
        .categories = A_SET,
        .keys = KEY(K_RO),
        .run = run_scard,
        .group = "set",
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Returns how many members a set has.",
        .syntax = "key"},
    {.name = "SMEMBERS",
        .arity = 2,
        .flags = C_READONLY,
        .categories = A_SET,
        .keys = KEY(K_RO | K_ACCESS),
        .run = sets_smembers,
        .group = "set",
        .since = "1.0.0",
        .complexity = "O(N) where N is the set cardinality.",
        .summary = "Returns all members of a set.",
        .syntax = "key",
        .tips = "nondeterministic_output_order"},
    {.name = "SPOP",
        .arity = -2,
        .flags = C_WRITE | C_FAST,
        .categories = A_SET,
        .keys = KEY(K_RW | K_ACCESS | K_DELETE),
        .run = sets_spop,
        .group = "set",
        .since = "1.0.0",
        .complexity =
            "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
        .summary = "Removes random members from a set and returns them.",
        .syntax = "key [count{since 3.2.0}]",
        .tips = "nondeterministic_output",
        .history = spop_history},
    {.name = "SRANDMEMBER",
        .arity = -2,
        .flags = C_READONLY,
        .categories = A_SET,
        .keys = KEY(K_RO | K_ACCESS),
        .run = sets_srandmember,
        .group = "set",
        .since = "1.0.0",
        .complexity =
            "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
        .summary = "Returns random members of a set, which keeps them.",
        .syntax = "key [count{since 2.6.0}]",
        .tips = "nondeterministic_output",
        .history = srandmember_history},
    {.name = "SMOVE",
        .arity = 4,
        .flags = C_WRITE | C_FAST,
        .categories = A_SET,
        .keys = {{KEYS_RANGE, 1, 0, 1, K_RW | K_ACCESS | K_DELETE}, {KEYS_RANGE, 2, 0, 1, K_RW | K_INSERT}},
        .run = run_smove,
        .group = "set",
        .since = "1.0.0",
        .complexity = "O(1)",
        .summary = "Moves a member from one set to another.",
        .syntax = "source destination member"},
    {.name = "SSCAN",
        .arity = -3,
        .flags = C_READONLY,
        .categories = A_SET,
        .keys = KEY(K_RO | K_ACCESS),
        .run = run_sscan,
        .group = "set",
        .since = "2.8.0",
        .complexity = "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to "
                      "return back to 0. N is the number of elements inside the collection..",
        .summary = "Walks over the members of a set, a few at each call.",
        .syntax = "key cursor [MATCH pattern] [COUNT count]",
        .tips = "nondeterministic_output"},
    {.name = "SINTER",
        .arity = -2,
        .flags = C_READONLY,
        .categories = A_SET,
        .keys = KEYS(K_RO | K_ACCESS),
        .run = sets_sinter,
        .group = "set",
        .since = "1.0.0",
        .complexity = INTER_COST,
        .summary = "Returns the members that all of several sets have.",
        .syntax = "key [key ...]",
        .tips = "nondeterministic_output_order"},
    {.name = "SINTERCARD",
        .arity = -3,
        .flags = C_READONLY | C_MOVABLEKEYS,
        .categories = A_SET,
        .keys = {{KEYS_NUMKEYS, 1, 0, 1, K_RO | K_ACCESS}},
        .run = sets_sintercard,
        .group = "set",
        .since = "7.0.0",
        .complexity = INTER_COST,
        .summary = "Counts the members that all of several sets have.",
        .syntax = "numkeys key [key ...] [LIMIT limit]"},
    {.name = "SINTERSTORE",
        .arity = -3,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_SET,
        .keys = STORE(K_RW | K_UPDATE),
        .run = sets_sinterstore,
        .group = "set",
        .since = "1.0.0",
        .complexity = INTER_COST,
        .summary = "Stores the members that all of several sets have as a set.",
        .syntax = "destination key [key ...]"},
    {.name = "SUNION",
        .arity = -2,
        .flags = C_READONLY,
        .categories = A_SET,
        .keys = KEYS(K_RO | K_ACCESS),
        .run = sets_sunion,
        .group = "set",
        .since = "1.0.0",
        .complexity = TOTAL_COST,
        .summary = "Returns the members that any of several sets has.",
        .syntax = "key [key ...]",
        .tips = "nondeterministic_output_order"},
    {.name = "SUNIONSTORE",
        .arity = -3,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_SET,
        .keys = STORE(K_OW | K_UPDATE),
        .run = sets_sunionstore,
        .group = "set",
        .since = "1.0.0",
        .complexity = TOTAL_COST,
        .summary = "Stores the members that any of several sets has as a set.",
        .syntax = "destination key [key ...]"},
    {.name = "SDIFF",
        .arity = -2,
        .flags = C_READONLY,
        .categories = A_SET,
        .keys = KEYS(K_RO | K_ACCESS),
        .run = sets_sdiff,
        .group = "set",
        .since = "1.0.0",
        .complexity = TOTAL_COST,
        .summary = "Returns the members of a set that none of several others has.",
        .syntax = "key [key ...]",
        .tips = "nondeterministic_output_order"},
    {.name = "SDIFFSTORE",
        .arity = -3,
        .flags = C_WRITE | C_DENYOOM,
        .categories = A_SET,
        .keys = STORE(K_OW | K_UPDATE),
        .run = sets_sdiffstore,
        .group = "set",
        .since = "1.0.0",
        .complexity = TOTAL_COST,
        .summary = "Stores the members of a set that none of several others has as a set.",
        .syntax = "destination key [key ...]"},
    {.name = NULL},
};

const struct command *command_rows_set(void) { return rows; }
