/* The rows about saving to disk. Names and bounds are Redis 7.2's where a row is not marked as ours; initial values are a cache's. */
#include "command/persist.h"
#include "server/settings.h"

#include <stddef.h>

#define E(field) .offset = offsetof(struct env_config, field)
#define LIVE .apply = settings_apply
#define SAYS(words) .section = "Snapshots", .text = words

static const struct option_word format_words[] = {{"auto", SNAPSHOT_AUTO}, {"native", SNAPSHOT_NATIVE}, {"rdb", SNAPSHOT_RDB}, {0}};

static const struct option_row rows[] = {
    {"save", OPTION_LIST, .flags = OPTION_REPEATS, .max = 2, .initial = "", .form = settings_form_save, LIVE, .sample = "3600 1",
        SAYS("Save all keys to disk after so many seconds if at least so many changes were made; a line for each pair. Where there is "
             "one, the keys are saved at a shutdown too, so that a restart is warm: the database behind the cache does not notice it. "
             "After a crash the cache is as old as the last save, and may have what was deleted since. Without such a line, or with an "
             "empty value, nothing is written but by SAVE, BGSAVE and SHUTDOWN SAVE (Redis has three pairs then).")},
    {"dbfilename", OPTION_TEXT, .flags = OPTION_PROTECTED, .initial = "dump.larder", .form = settings_form_filename, LIVE,
        SAYS("The file in 'dir' that keys are saved to. A save is written beside it and takes its place once it is whole and on disk.")},
    {"snapshot-format", OPTION_ENUM, .flags = OPTION_OURS, .initial = "auto", .words = format_words, LIVE, E(snapshot_format),
        SAYS("How: 'native' is smaller, faster, and loads what is used most first; 'rdb' is what Redis 7.0 reads. 'auto' is rdb where "
             "dbfilename ends in .rdb, so that a Redis's file is never replaced by one that Redis cannot read, else native.")},
    {"rdbcompression", OPTION_BOOL, .initial = "yes", LIVE, E(rdb_compression),
        SAYS("Compress what is saved, and long strings in what DUMP returns.")},
    {"rdbchecksum", OPTION_BOOL, .flags = OPTION_FIXED, .initial = "yes", E(rdb_checksum),
        SAYS("Write a checksum at the end of an rdb file. Native files always have checksums.")},
    {"snapshot-rate-limit", OPTION_MEMORY, .flags = OPTION_OURS, .max = INT64_MAX, .initial = "0", LIVE, E(snapshot_rate),
        SAYS("Write no more than so many bytes a second. Not kept to while clients change keys faster than that: what they change has "
             "to be written first, and they would have to wait. 0: no limit.")},
    {"stop-writes-on-bgsave-error", OPTION_BOOL, .initial = "yes", LIVE, E(stop_writes), .sample = "no",
        SAYS("Refuse writes while there are save points and the last save failed. A cache is of more use if it does not.")},
};

struct settings_rows settings_rows_snapshot(void) { return (struct settings_rows){rows, sizeof rows / sizeof *rows}; }
