/* conf: the command line and the files that it names, read into lines; lines into options; options back into the file.
 *
 *     larderd [FILE | -] [--name value ...] [--check-config | --print-conf | --print-man-options | --version | --help]
 *
 * Redis's syntax: a directive a line, words quoted as redis-cli quotes them, '#' comments, `include` with patterns. What the
 * command line says comes after all files. Lines are kept, so that they can be tried on a scratch table before they set
 * the real one. Thread rule: before the first thread, but for conf_rewrite. Whoever got a conf frees it with conf_free.
 */
#ifndef LARDER_SERVER_CONF_H
#define LARDER_SERVER_CONF_H

#include "base/option.h"

struct conf;

/* Does all of the above for main: reads and tries every line. False: there is nothing to run (the wish was --help or the
 * like, or an error was printed to standard error) and main returns `*status`. */
bool conf_start(int argc, char **argv, struct conf **out, int *status);
void conf_free(struct conf *c);

unsigned conf_threads(const struct conf *c);           /* how many lanes the env needs: `threads`, or one a core */
const char *conf_path(const struct conf *c);           /* absolute path of FILE, "" without one or for standard input */

/* Sets the options line by line. False: `why` holds "file:line: reason" and the line. */
bool conf_apply(const struct conf *c, struct options *o, struct buf *why);

/* The parts of conf_start, for tests. */
struct conf *conf_new(void);
bool conf_read_text(struct conf *c, const char *name, struct slice text, struct buf *why); /* name: for errors */
bool conf_read_file(struct conf *c, const char *path, struct buf *why);
bool conf_read_args(struct conf *c, int argc, char **argv, struct buf *why);               /* --name value ... */
size_t conf_lines(const struct conf *c);               /* directives read, includes resolved */

/* CONFIG REWRITE: the file as it is, with the lines of changed options replaced and what it lacks at the end, so that
 * reading it gives the options as they are now. Written beside it, synced, then renamed. NULL, or an error text in `why`. */
const char *conf_rewrite(struct options *o, const char *path, struct buf *why);

/* What --print-conf and --print-man-options print. */
void conf_print_sample(struct options *o, struct buf *out);
void conf_print_man(struct options *o, struct buf *out);

#endif
