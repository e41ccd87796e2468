/* option: settings as rows. One row per setting; conf file, command line, CONFIG GET/SET/REWRITE, the sample conf and the
 * man page are walks over the rows.
 *
 * Scalars (integers, sizes, booleans, enums, bit sets) lie in _Atomic int64_t fields that any thread reads with option_get;
 * texts belong to the table and are read under its lock (option_text). Rows are constant and may live in any floor; a table
 * binds them to fields. Thread rule: reads from any thread; changes one at a time, under the table's lock. The table owns
 * the texts; the fields belong to whoever registered them.
 */
#ifndef LARDER_BASE_OPTION_H
#define LARDER_BASE_OPTION_H

#include "base/buf.h"
#include "base/thread.h"

typedef _Atomic int64_t setting;
static inline int64_t option_get(const setting *s) {
    return atomic_load_explicit((setting *)s, memory_order_relaxed);
}

enum option_type {
    OPTION_BOOL,    /* yes | no */
    OPTION_INT,     /* decimal between min and max */
    OPTION_MEMORY,  /* bytes with units; OPTION_PERCENT allows "10%", held negative */
    OPTION_ENUM,    /* one of `words` */
    OPTION_BITS,    /* several of `words`, held as the bits of their values */
    OPTION_OCTAL,   /* unixsocketperm */
    OPTION_TEXT,    /* one word, quotes allowed; empty is "" */
    OPTION_LIST,    /* several words: bind, save, client-output-buffer-limit; `max` words a line when written, 0: all */
};

enum {
    OPTION_FIXED = 1,     /* only at start */
    OPTION_HIDDEN = 2,    /* not in CONFIG GET * (debug switches); only by its whole name */
    OPTION_SECRET = 4,    /* never logged */
    OPTION_REPEATS = 8,   /* the first line of a file replaces the list, each further one adds to it */
    OPTION_PERCENT = 16,
    OPTION_OURS = 32,     /* not known to Redis */
    OPTION_ALIAS = 64,    /* an older name of another row; `initial` names that row */
    OPTION_UNUSED = 128,  /* known to Redis, has no meaning here: checked, kept for CONFIG GET, logged once */
    OPTION_FILE = 256,    /* only a directive of the file, unknown to CONFIG (rename-command) */
    OPTION_PROTECTED = 512, /* CONFIG SET only as enable-protected-configs says */
    OPTION_UNSAFE = 1024, /* not used, and whoever sets it may count on it: logged as a warning */
};

struct option_word {
    const char *name;
    int64_t value;
};

/* Makes the value of a TEXT or LIST out of its words, in the one form that CONFIG GET prints, or says why it is wrong.
 * `now` is the value before; `line`: it is a line of a file, where some options add to what earlier lines said. */
typedef const char *option_form(struct buf *out, struct slice now, const struct slice *word, size_t n, bool line);

struct option_row {
    const char *name;
    enum option_type type;
    unsigned flags;
    int64_t min, max;                 /* for INT, MEMORY and OCTAL */
    const char *initial;              /* as CONFIG GET would print it */
    const struct option_word *words;  /* for ENUM and BITS; ends with a NULL name */
    size_t offset;                    /* of the setting in the struct given to option_add; ignored for texts */
    option_form *form;                /* for TEXT and LIST; NULL: any words are right */
    const char *(*apply)(void *owner, const char *name);    /* after a change at run time; an error undoes it */
    const char *sample;               /* what the sample conf sets it to, if that is not `initial` */
    const char *section;              /* heading in the sample conf */
    const char *text;                 /* one or two sentences for the sample conf and the man page */
};

struct options;

struct options *options_new(void);
void options_free(struct options *o);
/* `base`: where row.offset counts from, NULL if there are no fields; `owner`: what apply is handed. Rows and base outlive the table. */
void options_add(struct options *o, const struct option_row *rows, size_t n, void *base, void *owner);

/* Errors are written to `why` in Redis's words. `argv` holds the name and its values. */
bool options_line(struct options *o, const struct slice *argv, size_t argc, struct buf *why);    /* a line of a file */
/* CONFIG SET, all or none; `pairs` holds n slices: name, value, ... `trusted`: may protected options be changed? */
bool options_set(struct options *o, const struct slice *pairs, size_t n, bool trusted, struct buf *why);
/* Calls back for each row whose name matches any of the patterns, once, with the value as CONFIG GET prints it; a name given
 * in full comes back as it was spelled. No option may be asked for or changed in the callback. */
void options_each(struct options *o, const struct slice *patterns, size_t n,
    void (*each)(void *arg, struct slice name, struct slice value), void *arg);
/* Copies the value of any option, as CONFIG GET prints it, to `out` (cleared first); words are separated by a space. */
void option_text(struct options *o, const char *name, struct buf *out);
/* Is the value of a text option this one? Takes a time that does not depend on where they differ, for passwords. */
bool option_matches(struct options *o, const char *name, struct slice value);
const struct option_row *option_row(struct options *o, const char *name); /* of an alias: the row that it names */
/* Rows in the order of registration, for the sample conf and the man page; NULL past the end. */
const struct option_row *option_at(struct options *o, size_t i);
/* Has the option ever been set, by file, command line or CONFIG SET? */
bool option_is_set(struct options *o, const char *name);
bool option_is_initial(struct options *o, const char *name); /* is the value that of the row? */
/* Appends the option as a file has it, one or more lines, quoted where needed and sizes with units. */
void option_write(struct options *o, const char *name, struct buf *out);
/* One word as a line of a file has it. */
void option_quote(struct slice word, struct buf *out);

#endif
