/* The option rows as text: the sample conf, and the middle of larder.conf(5). */
#include "server/conf.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

enum { WIDTH = 96 };
#define UNUSED_SECTION "Not used"

static const char *const sections[] = {"Network", "Access", "Process", "Memory", "Types", "Snapshots", "Clients", "Background work", "Slow log and latency",
    "Logging", NULL};

static bool is_shown(const struct option_row *r) { return !(r->flags & (OPTION_ALIAS | OPTION_HIDDEN)); }

/* Words in lines that begin with `lead`. */
static void fill(struct buf *out, const char *lead, const char *text) {
    size_t at = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (at && at + 1 + n > WIDTH) {
            buf_puts(out, "\n");
            at = 0;
        }
        if (!at) {
            buf_puts(out, lead);
            at = strlen(lead);
        } else {
            buf_puts(out, " ");
            at++;
        }
        buf_put(out, text, n);
        at += n;
        text += n + strspn(text + n, " ");
    }
    buf_puts(out, "\n");
}

/* The rows of a section with the same words, as one list of names; for those that are not used. */
static void list_names(struct options *o, const char *text, struct buf *out) {
    const struct option_row *r;
    bool any = false;
    for (size_t i = 0; (r = option_at(o, i)); i++) {
        if (!is_shown(r) || strcmp(r->section ? r->section : "", UNUSED_SECTION) || strcmp(r->text, text)) continue;
        buf_printf(out, "%s%s", any ? " " : "", r->name);
        any = true;
    }
}

/* Calls back once for each reason for which something is not used. */
static void each_reason(struct options *o, void (*each)(struct options *o, const char *text, struct buf *out), struct buf *out) {
    const struct option_row *r, *before;
    for (size_t i = 0; (r = option_at(o, i)); i++) {
        if (!is_shown(r) || strcmp(r->section, UNUSED_SECTION)) continue;
        bool told = false;
        for (size_t j = 0; !told && (before = option_at(o, j)) != r; j++)
            told = is_shown(before) && !strcmp(before->section, UNUSED_SECTION) && !strcmp(before->text, r->text);
        if (!told) each(o, r->text, out);
    }
}

/* -- the sample conf ---------------------------------------------------------------------------------------------------------- */

static const char sample_head[] =
    "# larder.conf: settings of larderd, the cache daemon.\n"
    "#\n"
    "# A directive a line, in the syntax of redis.conf; a redis.conf as it is will do too. Lines that begin with '#'\n"
    "# are comments. What is commented out below shows the value that holds without it; the few lines that are not\n"
    "# make a cache of 1 GB that only this machine can reach. Values with spaces, or empty ones, are put in double\n"
    "# quotes: \"a b\". Sizes take the units k (1000), kb (1024), m, mb, g and gb, in any case.\n"
    "#\n"
    "# 'include PATH' reads another file at that place; the path may be a pattern, as in /etc/larder/conf.d/*.conf.\n"
    "# The last word counts, so include first what this file is to overrule. The command line (--port 7000) overrules\n"
    "# all files, and CONFIG SET changes most settings while the daemon runs; CONFIG REWRITE puts them into this file\n"
    "# and keeps its comments. 'larderd FILE --check-config' says whether a file is right. See larder.conf(5).\n";

static void put_heading(struct buf *out, const char *name) { buf_printf(out, "\n# -- %s --\n", name); }

/* The sample's words as they stand, in the lines of a list. */
static void own_sample(const struct option_row *r, struct buf *out) {
    const char *p = r->sample;
    for (int64_t i = 0; *p; i++) {
        size_t n = strcspn(p, " ");
        if (!i || (r->max && r->type == OPTION_LIST && i % r->max == 0)) buf_printf(out, "%s%s", i ? "\n" : "", r->name);
        buf_puts(out, " ");
        option_quote((struct slice){p, n}, out);
        p += n + strspn(p + n, " ");
    }
    buf_puts(out, "\n");
}

/* What the row shows: its own sample, which is meant to count, or its initial value as a comment. */
static void sample_value(const struct option_row *r, struct buf *out) {
    if (r->sample) {
        own_sample(r, out);
        return;
    }
    buf_puts(out, "# ");
    if (!strcmp(r->name, "dir")) { /* where the daemon happens to start is nobody's initial value */
        buf_puts(out, "dir ./\n");
        return;
    }
    struct options *alone = options_new();
    options_add(alone, r, 1, NULL, NULL);
    option_write(alone, r->name, out);
    options_free(alone);
}

static void sample_row(const struct option_row *r, struct buf *out) {
    buf_puts(out, "\n");
    fill(out, "# ", r->text);
    if (r->type == OPTION_ENUM) {
        buf_puts(out, "# One of:");
        for (const struct option_word *w = r->words; w->name; w++) buf_printf(out, " %s", w->name);
        buf_puts(out, "\n");
    }
    if (r->flags & OPTION_FIXED) buf_puts(out, "# Read at start only.\n");
    sample_value(r, out);
}

static void sample_unused(struct options *o, const char *text, struct buf *out) {
    struct buf names = {0};
    list_names(o, text, &names);
    buf_puts(out, "#\n");
    fill(out, "# ", text);
    fill(out, "#     ", buf_cstr(&names));
    buf_free(&names);
}

void conf_print_sample(struct options *o, struct buf *out) {
    buf_puts(out, sample_head);
    const struct option_row *r;
    for (size_t s = 0; sections[s]; s++) {
        put_heading(out, sections[s]);
        for (size_t i = 0; (r = option_at(o, i)); i++)
            if (is_shown(r) && !strcmp(r->section, sections[s])) sample_row(r, out);
    }
    put_heading(out, "Known from Redis, without a meaning here");
    buf_puts(out, "\n");
    fill(out, "# ",
        "A redis.conf may hold these; each is checked, kept for CONFIG GET and named once in the log, and changes nothing.");
    each_reason(o, sample_unused, out);
}

/* -- larder.conf(5) ----------------------------------------------------------------------------------------------------------- */

static void man_text(struct buf *out, const char *text) {
    if (*text == '.' || *text == '\'') buf_puts(out, "\\&");
    for (; *text; text++) {
        if (*text == '-') buf_puts(out, "\\-");
        else if (*text == '\\') buf_puts(out, "\\e");
        else if (*text == '\'') buf_puts(out, "\\(aq");
        else if (*text == '^') buf_puts(out, "\\(ha");
        else if (*text == '~') buf_puts(out, "\\(ti");
        else buf_put(out, text, 1);
    }
}

static void man_words(struct buf *out, const struct option_row *r, const char *between) {
    for (const struct option_word *w = r->words; w->name; w++) {
        if (w != r->words) buf_puts(out, between);
        man_text(out, w->name);
    }
}

static void man_form(struct buf *out, const struct option_row *r) {
    switch (r->type) {
    case OPTION_BOOL: buf_puts(out, " yes | no"); break;
    case OPTION_ENUM:
        buf_puts(out, " ");
        man_words(out, r, " | ");
        break;
    case OPTION_MEMORY: buf_puts(out, r->flags & OPTION_PERCENT ? " \\fISIZE\\fR | \\fIPERCENT\\fR%" : " \\fISIZE\\fR"); break;
    case OPTION_OCTAL: buf_puts(out, " \\fIMODE\\fR"); break;
    case OPTION_INT: buf_puts(out, " \\fINUMBER\\fR"); break;
    case OPTION_TEXT: buf_puts(out, " \\fITEXT\\fR"); break;
    default: buf_puts(out, " \\fIWORD\\fR ...");
    }
    buf_puts(out, "\n");
}

static void man_row(const struct option_row *r, struct buf *out) {
    buf_puts(out, ".TP\n\\fB");
    man_text(out, r->name);
    buf_puts(out, "\\fR");
    man_form(out, r);
    man_text(out, r->text);
    buf_puts(out, "\nInitially ");
    if (*r->initial) {
        buf_puts(out, "\\fB");
        man_text(out, r->initial);
        buf_puts(out, "\\fR");
    } else buf_puts(out, "empty");
    if (r->type == OPTION_INT && r->max < INT32_MAX) buf_printf(out, "; from %" PRId64 " to %" PRId64, r->min, r->max);
    buf_puts(out, r->flags & OPTION_FIXED ? "; read at start only" : "");
    buf_puts(out, r->flags & OPTION_PROTECTED ? "; CONFIG SET as enable\\-protected\\-configs allows" : "");
    buf_puts(out, r->flags & OPTION_OURS ? "; not known to Redis.\n" : ".\n");
}

static void man_unused(struct options *o, const char *text, struct buf *out) {
    struct buf names = {0};
    list_names(o, text, &names);
    buf_puts(out, ".TP\n");
    man_text(out, text);
    buf_puts(out, "\n");
    struct buf lines = {0};
    fill(&lines, "", buf_cstr(&names));
    man_text(out, buf_cstr(&lines));
    buf_free(&lines);
    buf_free(&names);
}

static void man_aliases(struct options *o, struct buf *out) {
    const struct option_row *r;
    for (size_t i = 0; (r = option_at(o, i)); i++) {
        if (!(r->flags & OPTION_ALIAS)) continue;
        buf_puts(out, ".TP\n\\fB");
        man_text(out, r->name);
        buf_puts(out, "\\fR\nThe same as \\fB");
        man_text(out, r->initial);
        buf_puts(out, "\\fR.\n");
    }
}

void conf_print_man(struct options *o, struct buf *out) {
    const struct option_row *r;
    for (size_t s = 0; sections[s]; s++) {
        buf_printf(out, ".SS %s\n", sections[s]);
        for (size_t i = 0; (r = option_at(o, i)); i++)
            if (is_shown(r) && !strcmp(r->section, sections[s])) man_row(r, out);
    }
    buf_puts(out, ".SS Known from Redis, without a meaning here\n"
                  "Each of these is checked, kept for CONFIG GET and named once in the log, and changes nothing.\n");
    each_reason(o, man_unused, out);
    buf_puts(out, ".SS Older names\n");
    man_aliases(o, out);
}
