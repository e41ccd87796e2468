/* COMMAND: the rows, told to clients as Redis tells its own; and the rows of the family. */
#include "command/introspect.h"

#include "base/match.h"
#include "base/mem.h"

struct flag_word {
    unsigned bit;
    const char *text;
};

/* Both in the order in which Redis names them. */
static const struct flag_word flag_words[] = {
    {C_WRITE, "write"}, {C_READONLY, "readonly"}, {C_DENYOOM, "denyoom"}, {C_MODULE, "module"}, {C_ADMIN, "admin"},
    {C_PUBSUB, "pubsub"}, {C_NOSCRIPT, "noscript"}, {C_BLOCKING, "blocking"}, {C_LOADING, "loading"}, {C_STALE, "stale"},
    {C_SKIP_MONITOR, "skip_monitor"}, {C_SKIP_SLOWLOG, "skip_slowlog"}, {C_ASKING, "asking"}, {C_FAST, "fast"},
    {C_NO_AUTH, "no_auth"}, {C_MAY_REPLICATE, "may_replicate"}, {C_NO_MANDATORY_KEYS, "no_mandatory_keys"},
    {C_NO_ASYNC_LOADING, "no_async_loading"}, {C_NO_MULTI, "no_multi"}, {C_MOVABLEKEYS, "movablekeys"},
    {C_ALLOW_BUSY, "allow_busy"},
};

enum { /* categories as they are told: those of a row's own, and those that follow from its flags */
    TOLD_KEYSPACE = 1 << 0, TOLD_READ = 1 << 1, TOLD_WRITE = 1 << 2, TOLD_SET = 1 << 3, TOLD_SORTEDSET = 1 << 4,
    TOLD_LIST = 1 << 5, TOLD_HASH = 1 << 6, TOLD_STRING = 1 << 7, TOLD_BITMAP = 1 << 8, TOLD_HYPERLOGLOG = 1 << 9,
    TOLD_GEO = 1 << 10, TOLD_STREAM = 1 << 11, TOLD_PUBSUB = 1 << 12, TOLD_ADMIN = 1 << 13, TOLD_FAST = 1 << 14,
    TOLD_SLOW = 1 << 15, TOLD_BLOCKING = 1 << 16, TOLD_DANGEROUS = 1 << 17, TOLD_CONNECTION = 1 << 18,
    TOLD_TRANSACTION = 1 << 19, TOLD_SCRIPTING = 1 << 20,
};

static const struct flag_word category_words[] = {
    {TOLD_KEYSPACE, "@keyspace"}, {TOLD_READ, "@read"}, {TOLD_WRITE, "@write"}, {TOLD_SET, "@set"},
    {TOLD_SORTEDSET, "@sortedset"}, {TOLD_LIST, "@list"}, {TOLD_HASH, "@hash"}, {TOLD_STRING, "@string"},
    {TOLD_BITMAP, "@bitmap"}, {TOLD_HYPERLOGLOG, "@hyperloglog"}, {TOLD_GEO, "@geo"}, {TOLD_STREAM, "@stream"},
    {TOLD_PUBSUB, "@pubsub"}, {TOLD_ADMIN, "@admin"}, {TOLD_FAST, "@fast"}, {TOLD_SLOW, "@slow"},
    {TOLD_BLOCKING, "@blocking"}, {TOLD_DANGEROUS, "@dangerous"}, {TOLD_CONNECTION, "@connection"},
    {TOLD_TRANSACTION, "@transaction"}, {TOLD_SCRIPTING, "@scripting"},
};

static const struct {
    unsigned own, told;
} category_pairs[] = {
    {A_KEYSPACE, TOLD_KEYSPACE}, {A_STRING, TOLD_STRING}, {A_HASH, TOLD_HASH}, {A_LIST, TOLD_LIST}, {A_SET, TOLD_SET},
    {A_SORTEDSET, TOLD_SORTEDSET}, {A_BITMAP, TOLD_BITMAP}, {A_HYPERLOGLOG, TOLD_HYPERLOGLOG}, {A_GEO, TOLD_GEO},
    {A_STREAM, TOLD_STREAM}, {A_CONNECTION, TOLD_CONNECTION}, {A_TRANSACTION, TOLD_TRANSACTION},
    {A_SCRIPTING, TOLD_SCRIPTING}, {A_DANGEROUS, TOLD_DANGEROUS}, {A_SLOW_ALREADY, TOLD_SLOW}, {A_ADMIN, TOLD_ADMIN},
};

static const struct flag_word key_words[] = {
    {K_RO, "RO"}, {K_RW, "RW"}, {K_OW, "OW"}, {K_RM, "RM"}, {K_ACCESS, "access"}, {K_UPDATE, "update"}, {K_INSERT, "insert"},
    {K_DELETE, "delete"}, {K_NOT_KEY, "not_key"}, {K_INCOMPLETE, "incomplete"}, {K_VARIABLE_FLAGS, "variable_flags"},
};

#define WORDS(table) table, sizeof(table) / sizeof((table)[0])

static unsigned categories_of(const struct command *cmd) {
    unsigned told = 0;
    for (size_t i = 0; i < sizeof category_pairs / sizeof category_pairs[0]; i++)
        if (cmd->categories & category_pairs[i].own) told |= category_pairs[i].told;
    if (cmd->flags & C_WRITE) told |= TOLD_WRITE;
    if (cmd->flags & C_READONLY && !(told & TOLD_SCRIPTING)) told |= TOLD_READ;
    if (cmd->flags & C_ADMIN) told |= TOLD_ADMIN | TOLD_DANGEROUS;
    if (cmd->flags & C_PUBSUB) told |= TOLD_PUBSUB;
    if (cmd->flags & C_BLOCKING) told |= TOLD_BLOCKING;
    told |= cmd->flags & C_FAST ? TOLD_FAST : TOLD_SLOW;
    return told;
}

static void put_words(struct resp_writer *w, unsigned bits, const struct flag_word *words, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += (bits & words[i].bit) != 0;
    resp_set(w, count);
    for (size_t i = 0; i < n; i++)
        if (bits & words[i].bit) resp_simple(w, words[i].text);
}

static unsigned specs_of(const struct command *cmd) {
    unsigned n = 0;
    while (n < COMMAND_SPECS && cmd->keys[n].how != KEYS_NONE) n++;
    return n;
}

struct legacy_range {
    int first, last, step;
};

/* First key, last key and step, as COMMAND said before there were key specs: ranges that lie side by side are one. */
static struct legacy_range legacy_range(const struct command *cmd) {
    struct legacy_range out = {0, 0, 0};
    unsigned n = specs_of(cmd);
    const struct key_spec *k = cmd->keys;
    if (n == 1 && k->how == KEYS_RANGE)
        return (struct legacy_range){k->first, k->last >= 0 ? k->first + k->last : k->last, k->step};
    unsigned reached = 0;
    for (; n; n--, k++) {
        if (k->how != KEYS_RANGE || k->step != 1 || (reached && (int)reached != k->first - 1)) continue;
        if (!out.first || k->first < out.first) out.first = k->first;
        unsigned last = (unsigned)(k->last >= 0 ? k->first + k->last : k->last); /* unsigned: from the end is beyond all */
        if (last > reached) reached = last;
        out.last = (int)reached;
        out.step = 1;
    }
    return out;
}

static void put_unknown(struct resp_writer *w, const char *what) {
    resp_text(w, what);
    resp_map(w, 2);
    resp_text(w, "type");
    resp_text(w, "unknown");
    resp_text(w, "spec");
    resp_map(w, 0);
}

static void put_spec(struct resp_writer *w, const struct command *cmd, unsigned spec) {
    const struct key_spec *k = &cmd->keys[spec];
    resp_map(w, 3);
    resp_text(w, "flags");
    put_words(w, k->flags, WORDS(key_words));
    if (k->how == KEYS_UNKNOWN) {
        put_unknown(w, "begin_search");
        put_unknown(w, "find_keys");
        return;
    }
    resp_text(w, "begin_search");
    resp_map(w, 2);
    resp_text(w, "type");
    resp_text(w, k->how == KEYS_KEYWORD ? "keyword" : "index");
    resp_text(w, "spec");
    resp_map(w, k->how == KEYS_KEYWORD ? 2 : 1);
    if (k->how == KEYS_KEYWORD) {
        resp_text(w, "keyword");
        resp_text(w, cmd->keywords[spec]);
    }
    resp_text(w, k->how == KEYS_KEYWORD ? "startfrom" : "index");
    resp_int(w, k->first);
    bool range = k->how != KEYS_NUMKEYS;
    resp_text(w, "find_keys");
    resp_map(w, 2);
    resp_text(w, "type");
    resp_text(w, range ? "range" : "keynum");
    resp_text(w, "spec");
    resp_map(w, 3);
    resp_text(w, range ? "lastkey" : "keynumidx");
    resp_int(w, range ? k->last : 0);
    resp_text(w, range ? "keystep" : "firstkey");
    resp_int(w, range ? k->step : 1);
    resp_text(w, range ? "limit" : "keystep");
    resp_int(w, range ? 0 : k->step);
}

static void put_tips(struct resp_writer *w, const char *tips) {
    size_t n = 0;
    for (const char *p = tips; p && *p; n++) {
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    resp_set(w, n);
    for (const char *p = tips; p && *p;) {
        size_t word = strcspn(p, " ");
        resp_bulk(w, p, word);
        p += word;
        p += strspn(p, " ");
    }
}

static size_t sub_count(const struct command *cmd) {
    size_t n = 0;
    for (const struct command *s = cmd->sub; s && s->name; s++) n++;
    return n;
}

static void put_command(struct resp_writer *w, const struct command *cmd) {
    char name[128];
    size_t n = command_fullname(cmd, name, sizeof name);
    struct legacy_range range = legacy_range(cmd);
    resp_array(w, 10);
    resp_bulk(w, name, n);
    resp_int(w, cmd->arity);
    put_words(w, cmd->flags, WORDS(flag_words));
    resp_int(w, range.first);
    resp_int(w, range.last);
    resp_int(w, range.step);
    put_words(w, categories_of(cmd), WORDS(category_words));
    put_tips(w, cmd->tips);
    resp_set(w, specs_of(cmd));
    for (unsigned i = 0; i < specs_of(cmd); i++) put_spec(w, cmd, i);
    if (!cmd->sub) { /* Redis: an empty set, but an array where there are some */
        resp_set(w, 0);
        return;
    }
    resp_array(w, sub_count(cmd));
    for (const struct command *s = cmd->sub; s->name; s++) put_command(w, s);
}

static size_t top_count(void) {
    size_t n = 0;
    for (unsigned i = 0; i < command_total(); i++) n += !command_container(command_at(i));
    return n;
}

static void all_run(struct call *c) {
    resp_array(c->w, top_count());
    for (unsigned i = 0; i < command_total(); i++)
        if (!command_container(command_at(i))) put_command(c->w, command_at(i));
}

static void count_run(struct call *c) { resp_int(c->w, (int64_t)top_count()); }

/* "get" or "config|get". */
const struct command *introspect_named(struct slice name) {
    const char *bar = memchr(name.p, '|', name.n);
    if (!bar) return command_find(name);
    const struct command *container = command_find((struct slice){name.p, (size_t)(bar - name.p)});
    if (!container || !container->sub) return NULL;
    return command_find_sub(container, (struct slice){bar + 1, (size_t)(name.p + name.n - bar - 1)});
}

static void one_or_all_run(struct call *c) {
    if (c->argc == 2) {
        all_run(c);
        return;
    }
    resp_array(c->w, (size_t)(c->argc - 2));
    for (int i = 2; i < c->argc; i++) {
        const struct command *cmd = introspect_named(c->argv[i]);
        if (cmd) put_command(c->w, cmd);
        else resp_null(c->w);
    }
}

/* -- LIST ---------------------------------------------------------------------------------------------------------------- */

enum list_filter { LIST_ALL, LIST_MODULE, LIST_CATEGORY, LIST_PATTERN };

struct list {
    enum list_filter how;
    unsigned category;
    struct slice pattern;
};

static bool listed(const struct list *l, const struct command *cmd) {
    char name[128];
    switch (l->how) {
    case LIST_MODULE: return false; /* no command comes from a module */
    case LIST_CATEGORY: return (categories_of(cmd) & l->category) != 0;
    case LIST_PATTERN: {
        size_t n = command_fullname(cmd, name, sizeof name);
        return match_glob_nocase(l->pattern, (struct slice){name, n});
    }
    default: return true;
    }
}

static bool list_filter(struct call *c, struct list *l) {
    if (c->argc == 2) return true;
    if (c->argc != 5 || !call_is(c, 2, "FILTERBY")) return false;
    if (call_is(c, 3, "MODULE")) {
        l->how = LIST_MODULE;
        return true;
    }
    if (call_is(c, 3, "PATTERN")) {
        *l = (struct list){.how = LIST_PATTERN, .pattern = c->argv[4]};
        return true;
    }
    if (!call_is(c, 3, "ACLCAT")) return false;
    l->how = LIST_CATEGORY;
    for (size_t i = 0; i < sizeof category_words / sizeof category_words[0]; i++)
        if (slice_is(c->argv[4], category_words[i].text + 1)) l->category = category_words[i].bit;
    return true;
}

static void list_run(struct call *c) {
    struct list l = {.how = LIST_ALL};
    if (!list_filter(c, &l)) {
        reply_syntax(c);
        return;
    }
    size_t n = 0;
    for (unsigned i = 0; i < command_total(); i++) n += listed(&l, command_at(i));
    resp_array(c->w, n);
    for (unsigned i = 0; i < command_total(); i++) {
        if (!listed(&l, command_at(i))) continue;
        char name[128];
        size_t length = command_fullname(command_at(i), name, sizeof name);
        resp_bulk(c->w, name, length);
    }
}

/* -- GETKEYS -------------------------------------------------------------------------------------------------------------- */

#define GETKEYS_FEW 64

/* What is done to the key at argument `at`: what its spec says, which for SET is the most it may do; without GET it does
 * not look at the old value. */
static unsigned key_flags(const struct slice *argv, int argc, int at, unsigned flags) {
    if (!(flags & K_VARIABLE_FLAGS)) return flags;
    for (int i = at + 2; i < argc; i++)
        if (slice_is(argv[i], "GET")) return flags & ~(unsigned)K_VARIABLE_FLAGS;
    return K_OW | K_UPDATE;
}

struct key_place {
    int *at;
    unsigned *flags; /* NULL: not asked for */
    int n;
};

static void put_keys(struct call *c, const struct key_place *k) {
    const struct slice *argv = c->argv + 2;
    resp_array(c->w, (size_t)k->n);
    for (int i = 0; i < k->n; i++) {
        int at = k->at[i];
        if (k->flags) resp_array(c->w, 2);
        resp_bulk(c->w, argv[at].p, argv[at].n);
        if (k->flags) put_words(c->w, key_flags(argv, c->argc - 2, at, k->flags[i]), WORDS(key_words));
    }
}

static void keys_of(struct call *c, bool flags) {
    const struct slice *argv = c->argv + 2;
    int argc = c->argc - 2;
    const struct command *cmd = command_find(argv[0]);
    if (cmd && cmd->sub && argc > 1) cmd = command_find_sub(cmd, argv[1]);
    if (!cmd) {
        reply_error(c, "ERR Invalid command specified");
        return;
    }
    if (!specs_of(cmd) && !(cmd->flags & C_MOVABLEKEYS)) {
        reply_error(c, "ERR The command has no key arguments");
        return;
    }
    if (!command_arity_ok(cmd, argc)) {
        reply_error(c, "ERR Invalid number of arguments specified for command");
        return;
    }
    int few[GETKEYS_FEW], *at = few;
    unsigned few_flags[GETKEYS_FEW], *bits = few_flags;
    if (argc > GETKEYS_FEW) {
        at = mem_alloc(MEM_CLIENT, (size_t)argc * sizeof *at);
        bits = mem_alloc(MEM_CLIENT, (size_t)argc * sizeof *bits);
    }
    int n = command_keys_flags(cmd, argv, argc, at, bits, argc > GETKEYS_FEW ? argc : GETKEYS_FEW);
    if (n < 0) reply_error(c, "ERR Invalid arguments specified for command");
    else if (!n && !(cmd->flags & C_NO_MANDATORY_KEYS)) reply_error(c, "ERR The command has no key arguments");
    else put_keys(c, &(struct key_place){at, flags ? bits : NULL, n});
    if (at == few) return;
    mem_free(MEM_CLIENT, at);
    mem_free(MEM_CLIENT, bits);
}

static void getkeys_run(struct call *c) { keys_of(c, false); }
static void getkeysandflags_run(struct call *c) { keys_of(c, true); }

static void help_run(struct call *c) {
    static const char *const lines[] = {
        "(no subcommand)",
        "    Describe every command.",
        "COUNT",
        "    How many commands there are.",
        "LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]",
        "    Names of all commands, or of those that pass the filter.",
        "INFO [<command-name> ...]",
        "    Describe the named commands: arity, flags, keys, categories. Without names, all.",
        "DOCS [<command-name> ...]",
        "    Explain the named commands: what they do, since when, with which arguments.",
        "    Without names, all.",
        "GETKEYS <full-command>",
        "    Which words of the given command are keys.",
        "GETKEYSANDFLAGS <full-command>",
        "    The same, with what the command does to each key.",
        NULL,
    };
    reply_help(c, lines);
}

/* -- rows ----------------------------------------------------------------------------------------------------------------- */

#define SELF_FLAGS (C_LOADING | C_STALE)
#define ALL_SHARDS "request_policy:all_shards response_policy:special"

static const char *const info_names_history[] = {
    "7.0.0", "Without names it describes all commands.",
    NULL,
};

static const struct command command_subs[] = {
    {.name = "COUNT", .arity = 2, .flags = SELF_FLAGS, .categories = A_CONNECTION, .run = count_run, .group = "server",
        .since = "2.8.13", .complexity = "O(1)", .summary = "Tells how many commands there are."},
    {.name = "DOCS", .arity = -2, .flags = SELF_FLAGS, .categories = A_CONNECTION, .run = docs_run, .group = "server",
        .since = "7.0.0", .complexity = "O(N) where N is the number of commands to look up",
        .summary = "Explains one, several or all commands.", .syntax = "[command-name [command-name ...]]",
        .tips = "nondeterministic_output_order"},
    {.name = "GETKEYS", .arity = -4, .flags = SELF_FLAGS, .categories = A_CONNECTION, .run = getkeys_run, .group = "server",
        .since = "2.8.13", .complexity = "O(N) where N is the number of arguments to the command",
        .summary = "Finds the keys among the words of a command.", .syntax = "command [arg [arg ...]]"},
    {.name = "GETKEYSANDFLAGS", .arity = -4, .flags = SELF_FLAGS, .categories = A_CONNECTION, .run = getkeysandflags_run,
        .group = "server", .since = "7.0.0", .complexity = "O(N) where N is the number of arguments to the command",
        .summary = "Finds the keys among the words of a command, and what it does to them.",
        .syntax = "command [arg [arg ...]]"},
    {.name = "HELP", .arity = 2, .flags = SELF_FLAGS, .categories = A_CONNECTION, .run = help_run, .group = "server",
        .since = "5.0.0", .complexity = "O(1)", .summary = "Lists the subcommands."},
    {.name = "INFO", .arity = -2, .flags = SELF_FLAGS, .categories = A_CONNECTION, .run = one_or_all_run, .group = "server",
        .since = "2.8.13", .complexity = "O(N) where N is the number of commands to look up",
        .summary = "Describes one, several or all commands.", .syntax = "[command-name [command-name ...]]",
        .tips = "nondeterministic_output_order", .history = info_names_history},
    {.name = "LIST", .arity = -2, .flags = SELF_FLAGS, .categories = A_CONNECTION, .run = list_run, .group = "server",
        .since = "7.0.0", .complexity = "O(N) where N is the total number of Redis commands",
        .summary = "Lists command names.", .syntax = "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
        .tips = "nondeterministic_output_order"},
    {.name = NULL},
};

static const struct command memory_subs[] = {
    {.name = "DOCTOR", .arity = 2, .run = memory_doctor, .group = "server", .since = "4.0.0", .complexity = "O(1)",
        .summary = "Says in words what is wrong with the use of memory.", .tips = "nondeterministic_output " ALL_SHARDS},
    {.name = "HELP", .arity = 2, .flags = SELF_FLAGS, .run = memory_help, .group = "server", .since = "4.0.0",
        .complexity = "O(1)", .summary = "Lists the subcommands."},
    {.name = "MALLOC-STATS", .arity = 2, .run = memory_malloc_stats, .group = "server", .since = "4.0.0",
        .complexity = "Depends on how much memory is allocated, could be slow", .summary = "The allocator's own report.",
        .tips = "nondeterministic_output " ALL_SHARDS},
    {.name = "PURGE", .arity = 2, .run = memory_purge, .group = "server", .since = "4.0.0",
        .complexity = "Depends on how much memory is allocated, could be slow",
        .summary = "Gives memory that is free but still held back to the system.",
        .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "STATS", .arity = 2, .run = memory_stats, .group = "server", .since = "4.0.0", .complexity = "O(1)",
        .summary = "What memory is used for, in figures.", .tips = "nondeterministic_output " ALL_SHARDS},
    {.name = "USAGE", .arity = -3, .flags = C_READONLY, .keys = {{KEYS_RANGE, 2, 0, 1, K_RO}}, .run = memory_usage,
        .group = "server", .since = "4.0.0", .complexity = "O(N) where N is the number of samples.",
        .summary = "How many bytes a key takes with its value.", .syntax = "key [SAMPLES count]"},
    {.name = NULL},
};

static const char *const info_history[] = {
    "7.0.0", "Takes several sections.",
    NULL,
};

static const struct command rows[] = {
    {.name = "COMMAND", .arity = -1, .flags = SELF_FLAGS, .categories = A_CONNECTION, .run = all_run, .group = "server",
        .since = "2.8.13", .complexity = "O(N) where N is the total number of Redis commands",
        .summary = "Describes every command.", .tips = "nondeterministic_output_order", .sub = command_subs},
    {.name = "DEBUG", .arity = -2, .flags = C_ADMIN | C_NOSCRIPT | C_LOADING | C_STALE | C_SYSCMD, .run = debug_run,
        .group = "server", .since = "1.0.0", .complexity = "Depends on subcommand.",
        .summary = "Looks into the server, and lets it fail on purpose.", .find_keys = debug_keys},
    {.name = "INFO", .arity = -1, .flags = SELF_FLAGS, .categories = A_DANGEROUS, .run = info_run, .group = "server",
        .since = "1.0.0", .complexity = "O(1)", .summary = "Figures about the server, by section.",
        .syntax = "[section [section ...]]", .tips = "nondeterministic_output " ALL_SHARDS, .history = info_history},
    {.name = "MEMORY", .arity = -2, .group = "server", .since = "4.0.0", .complexity = "Depends on subcommand.",
        .summary = "What memory is used for.", .sub = memory_subs},
    {.name = NULL},
};

const struct command *command_rows_introspect(void) { return rows; }
