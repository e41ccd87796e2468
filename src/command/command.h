/* command: the rows. One row says all that is known of a command; dispatch, COMMAND, its DOCS, INFO commandstats and the
 * documentation are walks over rows.
 *
 * Families hand out their rows (strings.c: command_rows_string and so on); command_table_init joins and numbers them.
 * Thread rule: constant after command_start.
 */
#ifndef LARDER_COMMAND_COMMAND_H
#define LARDER_COMMAND_COMMAND_H

#include "base/slice.h"

struct call;
struct command;

enum command_flag { /* COMMAND INFO's words */
    C_WRITE = 1 << 0, C_READONLY = 1 << 1, C_DENYOOM = 1 << 2, C_ADMIN = 1 << 3, C_PUBSUB = 1 << 4, C_NOSCRIPT = 1 << 5,
    C_BLOCKING = 1 << 6, C_LOADING = 1 << 7, C_STALE = 1 << 8, C_SKIP_MONITOR = 1 << 9, C_SKIP_SLOWLOG = 1 << 10,
    C_ASKING = 1 << 11, C_FAST = 1 << 12, C_NO_AUTH = 1 << 13, C_MAY_REPLICATE = 1 << 14, C_NO_MULTI = 1 << 15,
    C_MOVABLEKEYS = 1 << 16, C_ALLOW_BUSY = 1 << 17, C_NO_ASYNC_LOADING = 1 << 18, C_NO_MANDATORY_KEYS = 1 << 19,
    C_ALL_LOCKS = 1 << 24,   /* ours: needs every shard (rare) */
    C_MODULE = 1 << 25,
    C_LISTENER = 1 << 27,    /* a subscriber may send it in RESP2 */
    C_SYSCMD = 1 << 26,      /* COMMAND DOCS: for the server's own people */
};

enum command_category { /* ACL categories beyond those that follow from the flags */
    A_KEYSPACE = 1 << 0, A_STRING = 1 << 1, A_HASH = 1 << 2, A_LIST = 1 << 3, A_SET = 1 << 4, A_SORTEDSET = 1 << 5,
    A_BITMAP = 1 << 6, A_HYPERLOGLOG = 1 << 7, A_GEO = 1 << 8, A_STREAM = 1 << 9, A_CONNECTION = 1 << 10,
    A_TRANSACTION = 1 << 11, A_SCRIPTING = 1 << 12, A_DANGEROUS = 1 << 13, A_SLOW_ALREADY = 1 << 14, A_ADMIN = 1 << 15,
};

enum key_flag { /* what is done to a key */
    K_RO = 1, K_RW = 2, K_OW = 4, K_RM = 8, K_ACCESS = 16, K_UPDATE = 32, K_INSERT = 64, K_DELETE = 128,
    K_NOT_KEY = 256, K_INCOMPLETE = 512, K_VARIABLE_FLAGS = 1024,
};

enum key_search {
    KEYS_NONE,
    KEYS_RANGE,   /* begin at `first`; last relative as below */
    KEYS_NUMKEYS, /* count at `first`, keys behind */
    KEYS_KEYWORD, /* one behind each of the spec's keywords from `first` on */
    KEYS_UNKNOWN, /* not by a rule: find_keys has them, or they follow from values; behind which words, `keywords` says */
};

struct key_spec {
    enum key_search how;
    int first;   /* argument index where the search begins */
    int last;    /* RANGE: last key relative to first if >= 0, else from the end (-1: last argument) */
    int step;
    unsigned flags;
};

#define COMMAND_SPECS 3

struct command {
    const char *name;           /* upper case; of a subcommand, without its container's name */
    int arity;                  /* as Redis counts: the name included, negative: at least */
    unsigned flags, categories;
    struct key_spec keys[COMMAND_SPECS];
    const char *keywords[COMMAND_SPECS]; /* of the specs that search for one */
    void (*run)(struct call *c);
    int value;                  /* index of the word that it stores as a string; of MSET of the first one; 0: none */
    const char *group, *since, *complexity, *summary;
    const char *syntax;         /* arguments in redis.io's notation; COMMAND DOCS makes its tree of it */
    const char *tips;           /* separated by spaces, may be NULL */
    const char *deprecated;     /* "6.2.0 use X", may be NULL */
    const char *const *history; /* pairs of version and change, ends with NULL; may be NULL */
    const struct command *sub;  /* ends with a NULL name; may be NULL */
    /* For keys that no spec finds (SORT ... STORE): argument indexes to `at`, at most `max`; returns how many, -1: bad syntax. */
    int (*find_keys)(const struct slice *argv, int argc, int *at, int max);
    /* The enum key_flag bits of the key at argument `at`, where they go by the other words; NULL: as the specs say. */
    unsigned (*key_flags)(const struct slice *argv, int argc, int at);
    /* Does this call need every shard? For rows with C_ALL_LOCKS; NULL: each does. */
    bool (*needs_all)(const struct slice *argv, int argc);
    /* Set by command_start in the joined rows; families leave them out. */
    unsigned number;
    int only_key;               /* index of the one key that a command always has at the same place; 0: ask command_keys */
    bool simple;                /* reads or writes one key, and touches neither session nor settings */
    const struct command *container;
};

/* Joins the families' rows into the table, as copies: a row found here is not the family's own. Once, before the first
 * thread; again is harmless. */
void command_start(void);
const struct command *command_find(struct slice name);                /* any case; NULL */
const struct command *command_find_sub(const struct command *c, struct slice name);
unsigned command_total(void);                                          /* rows and subcommand rows */
static inline unsigned command_number(const struct command *c) { return c->number; } /* 0 .. command_total() - 1 */
const struct command *command_at(unsigned number);                     /* a container before its subcommands */
static inline const struct command *command_container(const struct command *c) { return c->container; } /* NULL: none */
/* "get", "config|get": as INFO commandstats and ACL write it. */
size_t command_fullname(const struct command *c, char *out, size_t cap);
static inline bool command_arity_ok(const struct command *c, int argc) {
    return c->arity >= 0 ? argc == c->arity : argc >= -c->arity;
}
/* Argument indexes of the keys; at most `max`. -1: the arguments are wrong for that command. */
int command_keys(const struct command *c, const struct slice *argv, int argc, int *at, int max);
/* The same, and for each key the enum key_flag bits of the spec that found it. */
int command_keys_flags(const struct command *c, const struct slice *argv, int argc, int *at, unsigned *flags, int max);

/* One per family; the array ends with a row whose name is NULL. */
typedef const struct command *command_rows(void);
command_rows command_rows_bitmap, command_rows_blocking, command_rows_cache, command_rows_client, command_rows_config,
    command_rows_connection, command_rows_dump, command_rows_geo, command_rows_hash, command_rows_hll, command_rows_introspect,
    command_rows_keyspace, command_rows_latency, command_rows_list, command_rows_persist, command_rows_pubsub, command_rows_server,
    command_rows_set, command_rows_slowlog, command_rows_sort, command_rows_string, command_rows_zset, command_rows_zset_algebra;

#endif
