/* The rows about loading snapshots. All are ours. */
#include "command/warming.h"
#include "server/settings.h"

#include <stddef.h>

#define E(field) .offset = offsetof(struct env_config, field)
#define LIVE .flags = OPTION_OURS, .apply = settings_apply
#define FIXED .flags = OPTION_OURS | OPTION_FIXED
#define SAYS(words) .section = "Snapshots", .text = words

static const struct option_word foreign_words[] = {{"skip", WARMING_SKIP}, {"refuse", WARMING_REFUSE}, {0}};

static const struct option_row rows[] = {
    {"warm-file", OPTION_LIST, .flags = OPTION_OURS | OPTION_FIXED | OPTION_REPEATS, .max = 1, .initial = "", .form = settings_form_lines,
        SAYS("A further snapshot to load at the start, after dbfilename: larder's own or an RDB file, of Redis's or Valkey's. A line for "
             "each. What an earlier file brought, a later one does not replace.")},
    {"warm-blocking", OPTION_BOOL, FIXED, .initial = "no", E(warm_blocking),
        SAYS("Answer -LOADING until the snapshots are loaded, as Redis does. Without, clients are served from the first moment on, the "
             "most used keys come back first, and what clients write or delete meanwhile wins.")},
    {"warm-threads", OPTION_INT, LIVE, .max = 32, .initial = "0", E(warm_threads),
        SAYS("Threads that load snapshots, beside those that serve. 0: as many as cores.")},
    {"warm-strict", OPTION_BOOL, LIVE, .initial = "no", E(warm_strict),
        SAYS("Give a snapshot up at its first damaged block, and do not start if one cannot be read. Without, only what is damaged is "
             "left out, and the log says so.")},
    {"warm-foreign", OPTION_ENUM, LIVE, .initial = "skip", .words = foreign_words, E(warm_foreign),
        SAYS("What to do with an RDB file that has streams, functions or modules' data: 'skip' those, or 'refuse' the file.")},
    {"warm-dir", OPTION_TEXT, .flags = OPTION_OURS | OPTION_PROTECTED, .apply = settings_apply, .initial = "",
        SAYS("The folder that CACHE WARM may load from; symbolic links are not followed. Empty: 'dir'.")},
};

struct settings_rows settings_rows_warm(void) { return (struct settings_rows){rows, sizeof rows / sizeof *rows}; }
