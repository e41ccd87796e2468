/* call: one request being executed; what a handler works with.
 *
 * A handler reads as: parse words -> call the store or the type -> reply. The shards of all its keys are locked; it takes
 * no lock, does not wait, and does not evict. If it needs more memory than a word or two it asks call_room BEFORE it changes
 * or replies anything, and returns at once if that says no: dispatch then makes room without locks and runs it again, or
 * replies OOM.
 * Thread rule: the session's thread. Everything in it is valid until the handler returns.
 */
#ifndef LARDER_COMMAND_CALL_H
#define LARDER_COMMAND_CALL_H

#include "base/num.h"
#include "command/notify.h"
#include "command/session.h"
#include "store/view.h"

struct call {
    struct session *s;
    struct resp_writer *w;      /* &s->writer */
    const struct command *cmd;
    int argc;
    const struct slice *argv;   /* argv[0] is the name; of a subcommand argv[1] is its own */
    const struct key *key;      /* keys found by the row's specs, in order of the arguments */
    int keys;
    struct waits *waits;        /* the env's */
    struct view v;
    size_t need;                /* set by call_room */
    bool again;                 /* with need: once the strings that it wants are plain (thaw.h); need 1: that takes no room */
    bool aside;                 /* there is something in one of the next two */
    struct owing *owing;        /* replies that are to be unpacked (owing.h) */
    struct pack *pack;          /* values that were packed (pack.h); NULL: none */
    bool anew;                  /* it runs with what it wanted: that a key was missing is said already */
    bool busy;                  /* with need: somebody reads a collection in slices; to be run again once that is over */
    bool failed;                /* an error was replied */
    bool closed;                /* the session is to be closed once replies are sent */
};

static inline struct env *call_env(struct call *c) { return c->s->lane->env; }

#define CALL_OUT_OF_MEMORY "OOM command not allowed when used memory > 'maxmemory'."
bool call_room_slow(struct call *c, size_t n);
static inline bool call_room(struct call *c, size_t n) {
    return __builtin_expect(store_fits(c->v.store, n), 1) || call_room_slow(c, n);
}

/* What a handler stores for the word at `arg`, which its row calls a value, and the form of it. */
struct slice call_value_packed(const struct call *c, int arg, enum entry_form *form);
static inline struct slice call_value(const struct call *c, int arg, enum entry_form *form) {
    *form = FORM_AUTO;
    return __builtin_expect(!c->pack, 1) ? c->argv[arg] : call_value_packed(c, arg, form);
}

/* -- looking up: counts keyspace hits and misses; replies nothing ------------------------------------------------------- */
struct entry *call_read(struct call *c, int key);   /* for commands that read */
struct entry *call_write(struct call *c, int key);  /* for commands that change: not counted */
/* The same, and replies WRONGTYPE (*ok false) if the key holds another type. */
struct entry *call_read_type(struct call *c, int key, enum value_type t, bool *ok);
struct entry *call_write_type(struct call *c, int key, enum value_type t, bool *ok);
/* A view of another database at the same moment (COPY, MOVE). The key's shard lock covers all databases. */
struct view call_view(struct call *c, unsigned db);

/* What was done to a key, for who listens (notify.h): in the order in which Redis says it. */
static inline void call_event(const struct call *c, int64_t class, const char *event, int key) {
    notify_event(&c->v, class, event, &c->key[key]);
}

/* -- words: false after an error was replied ----------------------------------------------------------------------------- */
bool call_i64(struct call *c, int arg, int64_t *out);              /* "ERR value is not an integer or out of range" */
bool call_i64_or(struct call *c, int arg, int64_t *out, const char *error); /* the same with a text of its own */
bool call_double(struct call *c, int arg, double *out);            /* "ERR value is not a valid float" */
bool call_range(struct call *c, int arg, int64_t min, int64_t max, int64_t *out, const char *error);
static inline bool call_is(const struct call *c, int arg, const char *word) { return slice_is(c->argv[arg], word); }

/* -- replies ------------------------------------------------------------------------------------------------------------- */
void reply_error(struct call *c, const char *text);                /* "ERR ..." with its code; counted */
void reply_errorf(struct call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_error_slice(struct call *c, struct slice text);         /* for texts that may hold any bytes or be long */
void reply_syntax(struct call *c);                                 /* ERR syntax error */
void reply_wrong_type(struct call *c);
void reply_arity(struct call *c);                                  /* ERR wrong number of arguments for '...' command */
void reply_bad_sub(struct call *c);                                /* ... or wrong number of arguments for '...'. Try ... HELP. */
void reply_unknown_sub(struct call *c);                            /* ERR unknown subcommand '...'. Try ... HELP. */
void reply_help(struct call *c, const char *const *lines);         /* lines ends with NULL; the container's frame is added */
void reply_string(struct call *c, struct entry *e);                /* the value as a bulk; large ones by reference */

/* Replies that tasks make, outside of a call. */
void session_error(struct session *s, const char *text);

#endif
