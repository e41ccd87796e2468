#include "base/num.h"
#include "command/command.h"

struct found {
    int *at;
    unsigned *flags; /* may be NULL */
    int n, max;
};

static void found_add(struct found *f, int at, unsigned flags) {
    if (f->n < f->max) {
        f->at[f->n] = at;
        if (f->flags) f->flags[f->n] = flags;
    }
    f->n++;
}

static bool find_range(const struct key_spec *k, int argc, struct found *f) {
    int last = k->last >= 0 ? k->first + k->last : argc + k->last;
    int step = k->step > 0 ? k->step : 1;
    if (last >= argc) return false;
    for (int i = k->first; i <= last; i += step) found_add(f, i, k->flags);
    return true;
}

static bool find_counted(const struct key_spec *k, bool may_be_none, const struct slice *argv, int argc, struct found *f) {
    int64_t n;
    int step = k->step > 0 ? k->step : 1;
    if (k->first >= argc || !num_i64(argv[k->first], &n) || n < !may_be_none) return false;
    if (n > (argc - k->first - 1) / step) return false;
    for (int i = 0; i < (int)n; i++) found_add(f, k->first + 1 + i * step, k->flags);
    return true;
}

/* Redis takes the first of these keywords where it looks for keys, and the last where it runs the command: here all are found. */
static bool find_keyword(const struct key_spec *k, const char *word, const struct slice *argv, int argc, struct found *f) {
    for (int i = k->first; i + 1 < argc; i++)
        if (slice_is(argv[i], word)) found_add(f, i + 1, k->flags);
    return true;
}

static bool find_by(const struct command *c, int spec, const struct slice *argv, int argc, struct found *f) {
    const struct key_spec *k = &c->keys[spec];
    switch (k->how) {
    case KEYS_RANGE:
        return find_range(k, argc, f);
    case KEYS_NUMKEYS:
        return find_counted(k, c->flags & C_NO_MANDATORY_KEYS, argv, argc, f);
    case KEYS_KEYWORD:
        return find_keyword(k, c->keywords[spec], argv, argc, f);
    case KEYS_UNKNOWN:
        return true;
    case KEYS_NONE:
        break;
    }
    return false;
}

static int find_keys(const struct command *c, const struct slice *argv, int argc, int *at, unsigned *flags, int max) {
    if (c->find_keys) {
        int n = c->find_keys(argv, argc, at, max);
        for (int i = 0; flags && i < n && i < max; i++) flags[i] = c->keys[0].flags;
        return n;
    }
    struct found f = {at, flags, 0, max};
    for (int i = 0; i < COMMAND_SPECS && c->keys[i].how != KEYS_NONE; i++) {
        if (c->keys[i].flags & K_NOT_KEY) continue;
        if (!find_by(c, i, argv, argc, &f)) return -1;
    }
    return f.n < max ? f.n : max;
}

int command_keys_flags(const struct command *c, const struct slice *argv, int argc, int *at, unsigned *flags, int max) {
    int n = find_keys(c, argv, argc, at, flags, max);
    for (int i = 0; flags && c->key_flags && i < n && i < max; i++) flags[i] = c->key_flags(argv, argc, at[i]);
    return n;
}

int command_keys(const struct command *c, const struct slice *argv, int argc, int *at, int max) {
    return command_keys_flags(c, argv, argc, at, NULL, max);
}
