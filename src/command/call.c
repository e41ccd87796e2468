#include "command/owing.h"

#include <stdio.h>
#include <string.h>

#define REFERENCE_FROM 16384 /* bytes: from here on a value is sent from where it lies */

bool call_room_slow(struct call *c, size_t n) {
    c->need = n ? n : 1;
    return false;
}

/* -- looking up ------------------------------------------------------------------------------------------------------ */

struct entry *call_read(struct call *c, int key) {
    struct entry *e = view_get(&c->v, &c->key[key]);
    counter_add(e ? &c->v.stats->hits : &c->v.stats->misses, 1);
    if (__builtin_expect(!e && !c->anew, 0)) {
        view_missed(&c->v, &c->key[key]);
        call_event(c, EVENT_MISS, "keymiss", key);
    }
    return e;
}

struct entry *call_write(struct call *c, int key) { return view_get(&c->v, &c->key[key]); }

static struct entry *call_expect(struct call *c, struct entry *e, enum value_type t, bool *ok) {
    *ok = !e || entry_type(e) == t;
    if (__builtin_expect(*ok, 1)) return e;
    reply_wrong_type(c);
    return NULL;
}

struct entry *call_read_type(struct call *c, int key, enum value_type t, bool *ok) {
    return call_expect(c, call_read(c, key), t, ok);
}

struct entry *call_write_type(struct call *c, int key, enum value_type t, bool *ok) {
    return call_expect(c, call_write(c, key), t, ok);
}

struct view call_view(struct call *c, unsigned db) {
    struct view v = c->v;
    v.db = db;
    return v;
}

/* -- words ----------------------------------------------------------------------------------------------------------- */

bool call_i64_or(struct call *c, int arg, int64_t *out, const char *error) {
    if (num_i64(c->argv[arg], out)) return true;
    reply_error(c, error);
    return false;
}

bool call_i64(struct call *c, int arg, int64_t *out) {
    return call_i64_or(c, arg, out, "ERR value is not an integer or out of range");
}

bool call_double(struct call *c, int arg, double *out) {
    if (num_double(c->argv[arg], out)) return true;
    reply_error(c, "ERR value is not a valid float");
    return false;
}

bool call_range(struct call *c, int arg, int64_t min, int64_t max, int64_t *out, const char *error) {
    if (num_i64(c->argv[arg], out) && *out >= min && *out <= max) return true;
    reply_error(c, error);
    return false;
}

/* -- replies --------------------------------------------------------------------------------------------------------- */

static void error_write(struct session *s, struct slice text) {
    resp_error(&s->writer, text);
    counter_add(&s->lane->errors, 1);
    errors_count(s->lane->env->errors, text);
}

void reply_error_slice(struct call *c, struct slice text) {
    c->failed = true;
    c->need = 0; /* whatever it asked for before it found out */
    error_write(c->s, text);
}

void reply_error(struct call *c, const char *text) { reply_error_slice(c, slice_of(text)); }

void reply_errorf(struct call *c, const char *format, ...) {
    struct buf b;
    va_list args;
    buf_init(&b, MEM_CLIENT);
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    reply_error_slice(c, buf_slice(&b));
    buf_free(&b);
}

void session_error(struct session *s, const char *text) {
    if (s->task && s->task->command)
        counter_add(&s->lane->commands[command_number(s->task->command)].failed, 1);
    error_write(s, slice_of(text));
}

void reply_syntax(struct call *c) { reply_error_slice(c, SLICE("ERR syntax error")); }

void reply_wrong_type(struct call *c) {
    reply_error_slice(c, SLICE("WRONGTYPE Operation against a key holding the wrong kind of value"));
}

void reply_arity(struct call *c) {
    char name[128];
    size_t n = command_fullname(c->cmd, name, sizeof name);
    reply_errorf(c, "ERR wrong number of arguments for '%.*s' command", (int)n, name);
}

static const char *container_name(const struct call *c) {
    const struct command *box = command_container(c->cmd);
    return box ? box->name : c->cmd->name;
}

static void reply_sub(struct call *c, const char *what) {
    struct slice word = c->argv[c->argc > 1 ? 1 : 0];
    reply_errorf(c, "ERR unknown subcommand%s '%.*s'. Try %s HELP.", what, (int)(word.n < 128 ? word.n : 128), word.p,
        container_name(c));
}

void reply_unknown_sub(struct call *c) { reply_sub(c, ""); }

void reply_bad_sub(struct call *c) { reply_sub(c, " or wrong number of arguments for"); }

void reply_help(struct call *c, const char *const *lines) {
    char head[128];
    size_t n = 0;
    while (lines[n]) n++;
    snprintf(head, sizeof head, "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", container_name(c));
    resp_array(c->w, n + 3);
    resp_simple(c->w, head);
    for (size_t i = 0; i < n; i++) resp_simple(c->w, lines[i]);
    resp_simple(c->w, "HELP");
    resp_simple(c->w, "    Print this help.");
}

void reply_string(struct call *c, struct entry *e) {
    if (!e) {
        resp_null(c->w);
        return;
    }
    struct slice v = entry_value(e);
    if (__builtin_expect(entry_packed(e), 0)) {
        owing_bulk(c, e, 0, packed_length(v));
        return;
    }
    if (__builtin_expect(v.n >= REFERENCE_FROM, 0) && entry_pin(e))
        resp_bulk_ref(c->w, v.p, v.n, entry_release, e);
    else
        resp_bulk(c->w, v.p, v.n);
}
