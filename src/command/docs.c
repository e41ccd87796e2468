/* COMMAND DOCS: what each command is for, and its arguments as a tree made of the row's syntax line.
 *
 * A syntax line is read in two steps. First into sequences of words and groups, as the brackets say:
 *     [a | b]  one or none     <a | b>  exactly one     [x ...]  behind an x: any number of x
 *     <name: a | b>    the same, of a group whose name does not follow from its first argument
 *     x{since 6.0.0}  x{deprecated_since 2.8.12}  of a word that is younger or older than the command is today
 * Then each sequence becomes arguments: a TOKEN with nothing behind it is a pure token, with one word behind it gives that
 * word its token, with more it begins a block; alternatives become a oneof. What the notation does not say (the type of a
 * word, the name of a group) stands in two tables at the end of the first part. Both steps allocate from one scratch block.
 */
#include "command/introspect.h"

#include <assert.h>
#include <ctype.h>

enum { DOCS_NODES = 192, DOCS_ARGS = 192, DOCS_TEXT = 4096 };

enum node_kind { NODE_WORD, NODE_TOKEN, NODE_OPTIONAL, NODE_ONE };

struct sequence;
struct node {
    enum node_kind kind;
    struct slice text;
    struct slice since, deprecated; /* of a word: what braces behind it say */
    struct sequence *inside; /* alternatives of a group */
    unsigned made;           /* how many arguments its sequence had given before it */
    struct node *next;
};

struct sequence {
    struct node *first;
    bool repeats;            /* ends with "..." */
    struct sequence *next;   /* the alternative behind the next bar */
};

enum { ARG_OPTIONAL = 1, ARG_MULTIPLE = 2, ARG_MULTIPLE_TOKEN = 4 };

struct arg {
    const char *type;
    struct slice name, token, since, deprecated;
    int key_spec;            /* -1: none */
    unsigned flags;
    struct arg *inside, *next;
};

struct scratch {
    const struct command *cmd;
    const char *p;           /* the rest of the syntax line */
    int position;            /* argument index of the next word; -1: it varies */
    unsigned nodes, sequences, args;
    size_t text_used;
    struct node node[DOCS_NODES];
    struct sequence sequence[DOCS_NODES];
    struct arg arg[DOCS_ARGS];
    char text[DOCS_TEXT];
};

/* -- first step: brackets ------------------------------------------------------------------------------------------------- */

static bool is_token(struct slice word) {
    for (size_t i = 0; i < word.n; i++)
        if (islower((unsigned char)word.p[i])) return false;
    return true;
}

static struct node *new_node(struct scratch *s, enum node_kind kind, struct slice text) {
    assert(s->nodes < DOCS_NODES);
    struct node *n = &s->node[s->nodes++];
    *n = (struct node){.kind = kind, .text = text};
    return n;
}

static struct sequence *read_alternatives(struct scratch *s);

/* What stands in braces behind a word. */
static void read_braces(struct scratch *s, struct node *n) {
    static const char since[] = "{since ", deprecated[] = "{deprecated_since ";
    bool old = !strncmp(s->p, deprecated, sizeof deprecated - 1);
    assert(old || !strncmp(s->p, since, sizeof since - 1));
    s->p += old ? sizeof deprecated - 1 : sizeof since - 1;
    struct slice version = {s->p, strcspn(s->p, "}")};
    *(old ? &n->deprecated : &n->since) = version;
    s->p += version.n + 1;
}

/* The name that a group begins with; empty if it has none. */
static struct slice read_name(struct scratch *s) {
    struct slice name = {s->p, strcspn(s->p, " :[]<>|")};
    if (name.p[name.n] != ':' || name.p[name.n + 1] != ' ') return (struct slice){NULL, 0};
    s->p += name.n + 1;
    return name;
}

static struct sequence *read_sequence(struct scratch *s) {
    assert(s->sequences < DOCS_NODES);
    struct sequence *out = &s->sequence[s->sequences++];
    *out = (struct sequence){0};
    struct node **tail = &out->first;
    for (;;) {
        s->p += strspn(s->p, " ");
        char ch = *s->p;
        if (!ch || ch == '|' || ch == ']' || ch == '>') return out;
        if (!strncmp(s->p, "...", 3)) {
            out->repeats = true;
            s->p += 3;
            continue;
        }
        struct node *n;
        if (ch == '[' || ch == '<') {
            s->p++;
            n = new_node(s, ch == '[' ? NODE_OPTIONAL : NODE_ONE, read_name(s));
            n->inside = read_alternatives(s);
            assert(*s->p == (ch == '[' ? ']' : '>'));
            s->p++;
        } else {
            struct slice word = {s->p, strcspn(s->p, " []<>|{")};
            s->p += word.n;
            n = new_node(s, is_token(word) ? NODE_TOKEN : NODE_WORD, word);
            while (*s->p == '{') read_braces(s, n);
        }
        *tail = n;
        tail = &n->next;
    }
}

static struct sequence *read_alternatives(struct scratch *s) {
    struct sequence *first = read_sequence(s), *last = first;
    while (*s->p == '|') {
        s->p++;
        last->next = read_sequence(s);
        last = last->next;
    }
    return first;
}

/* -- names and types that the notation leaves open ------------------------------------------------------------------------- */

struct word_type {
    const char *command, *word, *type; /* command NULL: in any */
};

static const struct word_type word_types[] = {
    {"INCRBYFLOAT", "increment", "double"}, {"SETBIT", "value", "integer"}, {"BITFIELD", "value", "integer"},
    {"BITPOS", "bit", "integer"}, {"HINCRBYFLOAT", "increment", "double"},
    {"LPOS", "rank", "integer"}, {"LPOS", "num-matches", "integer"}, {"LRANGE", "stop", "integer"}, {"LTRIM", "stop", "integer"},
    {"ZRANGE", "start", "string"}, {"ZREVRANGE", "stop", "integer"}, {"ZREMRANGEBYRANK", "stop", "integer"},
    {"ZCOUNT", "min", "double"}, {"ZCOUNT", "max", "double"}, {"ZRANGEBYSCORE", "min", "double"},
    {"ZRANGEBYSCORE", "max", "double"}, {"ZREVRANGEBYSCORE", "min", "double"}, {"ZREVRANGEBYSCORE", "max", "double"},
    {"ZREMRANGEBYSCORE", "min", "double"}, {"ZREMRANGEBYSCORE", "max", "double"}, {NULL, "score", "double"},
    {"BLMOVE", "timeout", "double"}, {"BLMPOP", "timeout", "double"}, {"BLPOP", "timeout", "double"}, {"BRPOP", "timeout", "double"},
    {"BRPOPLPUSH", "timeout", "double"}, {"BZMPOP", "timeout", "double"}, {"BZPOPMAX", "timeout", "double"},
    {"BZPOPMIN", "timeout", "double"},
    {NULL, "by-pattern", "pattern"}, {NULL, "get-pattern", "pattern"}, {"SORT", "destination", "key"},
    {NULL, "client-id", "integer"}, {NULL, "clientid", "integer"}, {NULL, "count", "integer"}, {NULL, "cursor", "integer"},
    {NULL, "db", "integer"}, {NULL, "decrement", "integer"}, {NULL, "destination-db", "integer"}, {NULL, "end", "integer"},
    {NULL, "increment", "integer"}, {NULL, "index", "integer"}, {NULL, "index1", "integer"}, {NULL, "index2", "integer"},
    {NULL, "len", "integer"}, {NULL, "length", "integer"}, {NULL, "milliseconds", "integer"}, {NULL, "min-match-len", "integer"},
    {NULL, "numfields", "integer"}, {NULL, "numkeys", "integer"}, {NULL, "numreplicas", "integer"}, {NULL, "offset", "integer"},
    {NULL, "pattern", "pattern"},
    {NULL, "port", "integer"}, {NULL, "protover", "integer"}, {NULL, "seconds", "integer"}, {NULL, "start", "integer"},
    {NULL, "timeout", "integer"}, {NULL, "unix-time-milliseconds", "unix-time"}, {NULL, "unix-time-seconds", "unix-time"},
    {NULL, "version", "integer"},
    {NULL, "frequency", "integer"}, {NULL, "height", "double"}, {NULL, "latitude", "double"}, {NULL, "limit", "integer"},
    {NULL, "longitude", "double"}, {NULL, "radius", "double"}, {NULL, "ttl", "integer"}, {NULL, "weight", "integer"},
    {NULL, "width", "double"},
};

struct group_name {
    const char *command, *first, *name; /* first: the name of the group's first argument */
};

static const struct group_name group_names[] = {
    {NULL, "nx", "condition"}, {NULL, "seconds", "expiration"}, {NULL, "async", "flush-type"}, {NULL, "protover", "arguments"},
    {NULL, "key", "data"}, {NULL, "parameter", "data"}, {"LIST", "module-name", "filterby"}, {NULL, "normal", "client-type"},
    {"KILL", "client-id", "new-format"}, {"KILL", "ip:port", "filter"}, {"REPLY", "on", "action"}, {NULL, "on", "enabled"},
    {NULL, "write", "mode"}, {NULL, "timeout", "unblock-type"}, {NULL, "nosave", "save-selector"}, {NULL, "host", "host-port"},
    {NULL, "no", "no-one"}, {NULL, "host-port", "args"}, {"SETINFO", "libname", "attr"},
    {NULL, "field", "data"}, {NULL, "fnx", "condition"}, {"HRANDFIELD", "count", "options"},
    {NULL, "gt", "comparison"}, {NULL, "score", "data"}, {NULL, "byscore", "sortby"}, {NULL, "min", "where"},
    {"ZRANDMEMBER", "count", "options"},
};

/* Tokens whose argument is not called as they are. */
static const struct {
    const char *token, *name;
} token_names[] = {{"ALPHA", "sorting"}, {"CH", "change"}, {"INCR", "increment"}};

static bool same(struct slice a, const char *b) { return a.n == strlen(b) && !memcmp(a.p, b, a.n); }

static const char *type_of(const struct scratch *s, struct slice word) {
    for (size_t i = 0; i < sizeof word_types / sizeof word_types[0]; i++) {
        const struct word_type *t = &word_types[i];
        if (same(word, t->word) && (!t->command || !strcmp(t->command, s->cmd->name))) return t->type;
    }
    return "string";
}

static struct slice group_name(const struct scratch *s, const struct arg *first) {
    for (size_t i = 0; i < sizeof group_names / sizeof group_names[0]; i++) {
        const struct group_name *g = &group_names[i];
        if (same(first->name, g->first) && (!g->command || !strcmp(g->command, s->cmd->name))) return slice_of(g->name);
    }
    return first->name;
}

/* -- second step: arguments ------------------------------------------------------------------------------------------------ */

static struct slice lowered(struct scratch *s, struct slice word) {
    assert(s->text_used + word.n <= DOCS_TEXT);
    char *out = s->text + s->text_used;
    for (size_t i = 0; i < word.n; i++) out[i] = (char)tolower((unsigned char)word.p[i]);
    s->text_used += word.n;
    return (struct slice){out, word.n};
}

static struct arg *new_arg(struct scratch *s, const char *type, struct slice name) {
    assert(s->args < DOCS_ARGS);
    struct arg *a = &s->arg[s->args++];
    *a = (struct arg){.type = type, .name = name, .key_spec = -1};
    return a;
}

/* Which key spec finds the argument at `position`; -1: none. */
static int spec_at(const struct command *cmd, int position) {
    for (int i = 0; i < COMMAND_SPECS && cmd->keys[i].how != KEYS_NONE; i++) {
        const struct key_spec *k = &cmd->keys[i];
        if (k->flags & K_NOT_KEY) continue;
        if (k->how == KEYS_NUMKEYS) {
            if (position > k->first) return i;
            continue;
        }
        if (k->how == KEYS_KEYWORD || k->how == KEYS_UNKNOWN) continue;
        int step = k->step ? k->step : 1;
        if (position < k->first || (position - k->first) % step) continue;
        if (k->last < 0 || position <= k->first + k->last) return i;
    }
    return -1;
}

static struct arg *word_arg(struct scratch *s, const struct node *n) {
    struct slice word = n->text;
    struct arg *a = new_arg(s, type_of(s, word), word);
    a->since = n->since;
    a->deprecated = n->deprecated;
    int spec = s->position >= 0 ? spec_at(s->cmd, s->position) : -1;
    if (spec < 0 && s->position < 0 && same(word, "key")) {
        spec = 0;
        while (spec + 1 < COMMAND_SPECS && s->cmd->keys[spec + 1].how != KEYS_NONE) spec++;
    }
    if (spec >= 0) a->type = "key";
    a->key_spec = spec;
    if (s->position >= 0) s->position++;
    return a;
}

/* The version whose change, as the row's history tells it, names the token. */
static struct slice since_of(const struct command *cmd, struct slice token) {
    for (const char *const *h = cmd->history; h && *h; h += 2) {
        for (const char *p = h[1]; *p;) {
            size_t n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-");
            if (n && n == token.n && !memcmp(p, token.p, n)) return slice_of(h[0]);
            p += n ? n : 1;
        }
    }
    return (struct slice){NULL, 0};
}

static struct arg *arguments(struct scratch *s, const struct sequence *seq);

static struct arg *block_of(struct scratch *s, struct arg *inside) {
    struct arg *a = new_arg(s, "block", group_name(s, inside));
    a->inside = inside;
    return a;
}

/* Do the alternatives end with one that says them all again, "...", in brackets? Forgets it. */
static bool say_again(struct sequence *alternatives) {
    struct sequence *last = alternatives;
    size_t n = 1, inside = 1;
    for (; last->next; last = last->next) n++;
    struct node **at = &last->first;
    while (*at && (*at)->next) at = &(*at)->next;
    if (!*at || at == &last->first || (*at)->kind != NODE_OPTIONAL) return false;
    const struct sequence *again = (*at)->inside;
    for (; again->next; again = again->next) inside++;
    if (inside != n || !again->repeats) return false;
    *at = NULL;
    return true;
}

static struct arg *one_of(struct scratch *s, const struct node *group) {
    struct sequence *alternatives = group->inside;
    struct arg *first = NULL, **tail = &first;
    int begin = s->position, end = -1;
    bool multiple = alternatives->next && say_again(alternatives);
    for (; alternatives; alternatives = alternatives->next) {
        s->position = begin;
        struct arg *a = arguments(s, alternatives);
        if (a->next) a = block_of(s, a);
        *tail = a;
        end = tail == &first || end == s->position ? s->position : -1; /* known where all alternatives are as long */
        tail = &a->next;
    }
    s->position = end;
    if (!first->next) return first;
    struct arg *out = new_arg(s, "oneof", group->text.n ? group->text : group_name(s, first));
    out->inside = first;
    if (multiple) out->flags |= ARG_MULTIPLE;
    out->since = first->since; /* what holds for all is said once */
    for (const struct arg *a = first; a; a = a->next)
        if (!slice_equal(a->since, first->since)) out->since.n = 0;
    for (struct arg *a = first; out->since.n && a; a = a->next) a->since.n = 0;
    return out;
}

static struct slice token_name(struct scratch *s, struct slice token) {
    for (size_t i = 0; i < sizeof token_names / sizeof *token_names; i++)
        if (same(token, token_names[i].token)) return slice_of(token_names[i].name);
    return lowered(s, token);
}

static bool has_word(const char *words, struct slice word) {
    for (size_t n; *words; words += n + (words[n] == ' ')) {
        n = strcspn(words, " ");
        if (n == word.n && !memcmp(words, word.p, n)) return true;
    }
    return false;
}

/* The spec whose keys are behind this token; -1: there is none. */
static int spec_behind(const struct command *cmd, struct slice token) {
    for (int i = 0; i < COMMAND_SPECS; i++)
        if (cmd->keywords[i] && has_word(cmd->keywords[i], token)) return i;
    return -1;
}

static size_t nodes_of(const struct sequence *seq) {
    size_t n = 0;
    for (const struct node *e = seq->first; e; e = e->next) n++;
    return n;
}

/* Does the group say again, with "...", what its `n` predecessors said? */
static bool says_again(const struct sequence *group, const struct node *before, size_t n) {
    if (!group->repeats || group->next || nodes_of(group) != n) return false;
    for (const struct node *e = group->first; e; e = e->next, before = before->next)
        if (e->kind != before->kind || !slice_equal(e->text, before->text)) return false;
    return true;
}

/* Of more words behind a token than `group` says again: are the last ones those? */
static bool ends_with(const struct node *word, size_t words, const struct sequence *group) {
    size_t n = nodes_of(group);
    if (words <= n) return false;
    for (; words > n; words--) word = word->next;
    return says_again(group, word, n);
}

/* The arguments that they gave become one that is multiple. */
static void repeat_words(struct scratch *s, size_t words, const struct sequence *group, struct arg **list) {
    size_t n = nodes_of(group);
    for (; words > n; words--) list = &(*list)->next;
    if (n > 1) *list = block_of(s, *list);
    (*list)->flags |= ARG_MULTIPLE;
}

/* A token and what belongs to it; *n moves past what was used. */
static struct arg *token_arg(struct scratch *s, struct node **n) {
    struct slice token = (*n)->text;
    struct arg *a, *words = NULL, **tail = &words;
    if (s->position >= 0) s->position++;
    *n = (*n)->next;
    if (*n && (*n)->kind == NODE_ONE) {
        a = one_of(s, *n);
        *n = (*n)->next;
    } else {
        const struct node *word = *n;
        size_t count = 0;
        for (; *n && (*n)->kind == NODE_WORD; *n = (*n)->next, count++) {
            *tail = word_arg(s, *n);
            tail = &(*tail)->next;
        }
        if (*n && (*n)->kind == NODE_OPTIONAL && ends_with(word, count, (*n)->inside)) {
            repeat_words(s, count, (*n)->inside, &words);
            *n = (*n)->next;
        }
        if (!words) a = new_arg(s, "pure-token", token_name(s, token));
        else if (!words->next) a = words;
        else {
            a = new_arg(s, "block", lowered(s, token));
            a->inside = words;
        }
    }
    a->token = token;
    if (spec_behind(s->cmd, token) >= 0) a->key_spec = spec_behind(s->cmd, token);
    a->since = since_of(s->cmd, token);
    return a;
}

/* If `group` repeats the last nodes of the sequence, makes the arguments that they gave (the end of `list`) multiple. */
static bool repeat(struct scratch *s, const struct sequence *seq, const struct node *group, struct arg **list) {
    size_t all = 0, n = nodes_of(group->inside);
    for (const struct node *e = seq->first; e != group; e = e->next) all++;
    if (n > all) return false;
    const struct node *before = seq->first;
    for (size_t i = n; i < all; i++) before = before->next;
    if (!says_again(group->inside, before, n)) return false;
    for (unsigned i = 0; i < before->made; i++) list = &(*list)->next;
    if ((*list)->next) *list = block_of(s, *list);
    (*list)->flags |= ARG_MULTIPLE | (before->kind == NODE_TOKEN ? ARG_MULTIPLE_TOKEN : 0);
    s->position = -1;
    return true;
}

static struct arg *optional(struct scratch *s, const struct node *n) {
    struct arg *a = n->inside->next ? one_of(s, n) : arguments(s, n->inside);
    if (a->next) a = block_of(s, a);
    a->flags |= ARG_OPTIONAL;
    s->position = -1;
    return a;
}

static struct arg *arguments(struct scratch *s, const struct sequence *seq) {
    struct arg *first = NULL, **tail = &first;
    unsigned made = 0;
    for (struct node *n = seq->first; n;) {
        n->made = made;
        if (n->kind == NODE_OPTIONAL && repeat(s, seq, n, &first)) {
            made = 0;
            for (tail = &first; *tail; tail = &(*tail)->next) made++;
            n = n->next;
            continue;
        }
        if (n->kind == NODE_TOKEN) *tail = token_arg(s, &n);
        else {
            *tail = n->kind == NODE_WORD ? word_arg(s, n) : n->kind == NODE_ONE ? one_of(s, n) : optional(s, n);
            n = n->next;
        }
        tail = &(*tail)->next;
        made++;
    }
    return first;
}

/* -- replies --------------------------------------------------------------------------------------------------------------- */

static void put_pair(struct resp_writer *w, const char *name, struct slice value) {
    resp_text(w, name);
    resp_bulk(w, value.p, value.n);
}

static void put_arguments(struct resp_writer *w, const struct arg *first);

static void put_argument(struct resp_writer *w, const struct arg *a) {
    static const char *const flags[] = {"optional", "multiple", "multiple_token"};
    bool group = a->inside != NULL;
    resp_map(w, 2 + (size_t)!group + (a->key_spec >= 0) + (a->token.n > 0) + (a->since.n > 0) + (a->deprecated.n > 0) +
                    (a->flags != 0) + group);
    put_pair(w, "name", a->name);
    put_pair(w, "type", slice_of(a->type));
    if (!group) put_pair(w, "display_text", a->name);
    if (a->key_spec >= 0) {
        resp_text(w, "key_spec_index");
        resp_int(w, a->key_spec);
    }
    if (a->token.n) put_pair(w, "token", a->token);
    if (a->since.n) put_pair(w, "since", a->since);
    if (a->deprecated.n) put_pair(w, "deprecated_since", a->deprecated);
    if (a->flags) {
        resp_text(w, "flags");
        resp_set(w, (size_t)__builtin_popcount(a->flags));
        for (int i = 0; i < 3; i++)
            if (a->flags & 1u << i) resp_simple(w, flags[i]);
    }
    if (group) {
        resp_text(w, "arguments");
        put_arguments(w, a->inside);
    }
}

static void put_arguments(struct resp_writer *w, const struct arg *first) {
    size_t n = 0;
    for (const struct arg *a = first; a; a = a->next) n++;
    resp_array(w, n);
    for (const struct arg *a = first; a; a = a->next) put_argument(w, a);
}

static void put_syntax(struct resp_writer *w, struct scratch *s, const struct command *cmd) {
    s->cmd = cmd;
    s->p = cmd->syntax;
    s->position = command_container(cmd) ? 2 : 1;
    s->nodes = s->sequences = s->args = 0;
    s->text_used = 0;
    struct sequence *all = read_alternatives(s);
    assert(!*s->p);
    resp_text(w, "arguments");
    put_arguments(w, all->next ? one_of(s, &(struct node){.kind = NODE_ONE, .inside = all}) : arguments(s, all));
}

static void put_history(struct resp_writer *w, const char *const *history) {
    size_t n = 0;
    while (history[n]) n += 2;
    resp_text(w, "history");
    resp_set(w, n / 2);
    for (; *history; history += 2) {
        resp_array(w, 2);
        resp_text(w, history[0]);
        resp_text(w, history[1]);
    }
}

/* "6.2.0 use SET with GET": when, and by what it was replaced. */
static void put_deprecation(struct resp_writer *w, const char *text) {
    size_t version = strcspn(text, " ");
    put_pair(w, "deprecated_since", (struct slice){text, version});
    text += version;
    text += strspn(text, " ");
    if (!strncmp(text, "use ", 4)) text += 4;
    put_pair(w, "replaced_by", slice_of(text));
}

static void put_docs(struct resp_writer *w, struct scratch *s, const struct command *cmd) {
    char name[128];
    size_t n = command_fullname(cmd, name, sizeof name), subs = 0;
    for (const struct command *sub = cmd->sub; sub && sub->name; sub++) subs++;
    bool marked = cmd->deprecated || cmd->flags & C_SYSCMD;
    resp_bulk(w, name, n);
    resp_map(w, 3 + (size_t)!!cmd->complexity + marked + (cmd->deprecated ? 2 : 0) + !!cmd->history + !!cmd->syntax + !!subs);
    put_pair(w, "summary", slice_of(cmd->summary));
    put_pair(w, "since", slice_of(cmd->since));
    put_pair(w, "group", slice_of(cmd->group));
    if (cmd->complexity) put_pair(w, "complexity", slice_of(cmd->complexity));
    if (marked) {
        resp_text(w, "doc_flags");
        resp_set(w, (size_t)(cmd->deprecated != NULL) + !!(cmd->flags & C_SYSCMD));
        if (cmd->deprecated) resp_simple(w, "deprecated");
        if (cmd->flags & C_SYSCMD) resp_simple(w, "syscmd");
    }
    if (cmd->deprecated) put_deprecation(w, cmd->deprecated);
    if (cmd->history) put_history(w, cmd->history);
    if (cmd->syntax) put_syntax(w, s, cmd);
    if (!subs) return;
    resp_text(w, "subcommands");
    resp_map(w, subs);
    for (const struct command *sub = cmd->sub; sub->name; sub++) put_docs(w, s, sub);
}

void docs_run(struct call *c) {
    struct scratch *s = mem_alloc(MEM_CLIENT, sizeof *s);
    size_t n = 0;
    if (c->argc > 2) { /* unknown names are left out */
        for (int i = 2; i < c->argc; i++) n += introspect_named(c->argv[i]) != NULL;
        resp_map(c->w, n);
        for (int i = 2; i < c->argc; i++) {
            const struct command *cmd = introspect_named(c->argv[i]);
            if (cmd) put_docs(c->w, s, cmd);
        }
    } else {
        for (unsigned i = 0; i < command_total(); i++) n += !command_container(command_at(i));
        resp_map(c->w, n);
        for (unsigned i = 0; i < command_total(); i++)
            if (!command_container(command_at(i))) put_docs(c->w, s, command_at(i));
    }
    mem_free(MEM_CLIENT, s);
}
