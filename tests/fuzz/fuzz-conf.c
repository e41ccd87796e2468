/* The conf parser on any bytes: what it accepts can be written back, and reading that gives the same options; what it refuses is
 * refused with a reason, and CONFIG SET takes no value that CONFIG GET does not give back. */
#include "base/log.h"
#include "server/conf.h"
#include "server/settings.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok) abort();
}

/* Other files are not opened here: no line may come out as an include, however it is quoted. */
static bool may_include(struct slice text) {
    struct buf plain = {0};
    bool found = false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\' && i + 1 < text.n && (text.p[i + 1] | 32) == 'x') found = true;
        if (text.p[i] && !strchr("\\\"'", text.p[i])) buf_put(&plain, &text.p[i], 1);
    }
    found = found || strcasestr(buf_cstr(&plain), "include");
    buf_free(&plain);
    return found;
}

static bool read_text(struct settings_trial *t, struct slice text) {
    struct conf *c = conf_new();
    struct buf why = {0};
    settings_trial_open(t);
    bool ok = conf_read_text(c, "fuzz", text, &why) && conf_apply(c, t->options, &why);
    require(ok == !why.n);
    buf_free(&why);
    conf_free(c);
    return ok;
}

static void require_same(struct options *a, struct options *b, const char *name) {
    struct buf of_a = {0}, of_b = {0};
    option_text(a, name, &of_a);
    option_text(b, name, &of_b);
    require(slice_equal(buf_slice(&of_a), buf_slice(&of_b)));
    buf_free(&of_a);
    buf_free(&of_b);
}

static bool is_rewritten(const struct option_row *r) { return !(r->flags & (OPTION_ALIAS | OPTION_FILE)); }

static void write_and_read(struct settings_trial *t) {
    struct settings_trial again;
    struct buf text = {0};
    const struct option_row *r;
    for (size_t i = 0; (r = option_at(t->options, i)); i++)
        if (is_rewritten(r) && option_is_set(t->options, r->name)) option_write(t->options, r->name, &text);
    require(read_text(&again, buf_slice(&text)));
    for (size_t i = 0; (r = option_at(t->options, i)); i++)
        if (is_rewritten(r)) require_same(t->options, again.options, r->name);
    settings_trial_close(&again);
    buf_free(&text);
}

/* The input is CONFIG SET's value of an option that its first byte chooses. */
static void set_and_get(struct settings_trial *t, struct slice text) {
    if (!text.n) return;
    const struct option_row *r = option_at(t->options, (unsigned char)*text.p);
    if (!r || !is_rewritten(r) || (r->flags & OPTION_FIXED) || !strcmp(r->name, "dir") || !strncmp(r->name, "oom-", 4)) return;
    struct slice pair[2] = {slice_of(r->name), {text.p + 1, text.n - 1}};
    struct buf why = {0}, got = {0}, after = {0};
    if (options_set(t->options, pair, 2, true, &why)) {
        option_text(t->options, r->name, &got);
        pair[1] = buf_slice(&got);
        require(options_set(t->options, pair, 2, true, &why));
        option_text(t->options, r->name, &after);
        require(slice_equal(buf_slice(&got), buf_slice(&after)));
    } else require(why.n > 0);
    buf_free(&why);
    buf_free(&got);
    buf_free(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice text = {(const char *)data, size};
    struct settings_trial t;
    log_level_set(LOG_NOTHING_); /* the input may have changed it */
    if (may_include(text)) return 0;
    if (read_text(&t, text)) write_and_read(&t);
    set_and_get(&t, text);
    settings_trial_close(&t);
    return 0;
}
