#include "command/redact.h"

static bool is_config_set(const struct slice *argv, int argc) {
    return argc > 3 && slice_is(argv[0], "config") && slice_is(argv[1], "set");
}

bool redact_applies(const struct slice *argv, int argc) {
    return argc > 1 && (slice_is(argv[0], "auth") || slice_is(argv[0], "hello") || is_config_set(argv, argc));
}

/* HELLO [version [AUTH user password] [SETNAME name]], read as the command reads it. */
static bool hides_hello(const struct slice *argv, int argc, int arg) {
    for (int i = 2; i < argc; i++) {
        if (slice_is(argv[i], "auth") && i + 2 < argc) {
            if (arg == i + 1 || arg == i + 2) return true;
            i += 2;
        } else if (slice_is(argv[i], "setname")) {
            i++;
        }
    }
    return false;
}

static bool hides_value(struct env *e, struct slice name) {
    char text[64];
    if (name.n >= sizeof text) return false;
    memcpy(text, name.p, name.n);
    text[name.n] = 0;
    const struct option_row *row = option_row(e->options, text);
    return row && row->flags & OPTION_SECRET;
}

bool redact_hides(struct env *e, const struct slice *argv, int argc, int arg) {
    if (slice_is(argv[0], "auth")) return arg > 0;
    if (slice_is(argv[0], "hello")) return hides_hello(argv, argc, arg);
    return is_config_set(argv, argc) && arg > 2 && arg % 2 && hides_value(e, argv[arg - 1]);
}
