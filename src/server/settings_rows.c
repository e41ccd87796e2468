/* The rows of what larderd does use. Names, bounds and initial values are Redis 7.2's where a row is not marked as ours. */
#include "server/settings.h"

#include <stddef.h>
#include <syslog.h>

#include "base/log.h"

#define S(field) .offset = offsetof(struct server_config, field)
#define E(field) .offset = offsetof(struct env_config, field)
#define M(field) .offset = offsetof(struct store_config, field)
#define FIXED .flags = OPTION_FIXED
#define LIVE .apply = settings_apply
#define SAYS(heading, words) .section = heading, .text = words

#define NETWORK "Network"
#define ACCESS "Access"
#define PROCESS "Process"
#define LOGGING "Logging"
#define MEMORY "Memory"
#define TYPES "Types"
#define CLIENTS "Clients"
#define BACKGROUND "Background work"
#define TIMING "Slow log and latency"
#define UNUSED "Not used"

static const struct option_word supervised_words[] = {
    {"upstart", SUPERVISED_UPSTART}, {"systemd", SUPERVISED_SYSTEMD}, {"auto", SUPERVISED_AUTO}, {"no", SUPERVISED_NO}, {0}};
static const struct option_word level_words[] = {{"debug", LOG_DEBUG_}, {"verbose", LOG_VERBOSE_}, {"notice", LOG_NOTICE_},
    {"warning", LOG_WARNING_}, {"nothing", LOG_NOTHING_}, {0}};
static const struct option_word facility_words[] = {{"user", LOG_USER}, {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},
    {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},
    {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7}, {0}};
static const struct option_word policy_words[] = {{"volatile-lru", POLICY_VOLATILE_LRU}, {"volatile-lfu", POLICY_VOLATILE_LFU},
    {"volatile-random", POLICY_VOLATILE_RANDOM}, {"volatile-ttl", POLICY_VOLATILE_TTL}, {"allkeys-lru", POLICY_ALLKEYS_LRU},
    {"allkeys-lfu", POLICY_ALLKEYS_LFU}, {"allkeys-random", POLICY_ALLKEYS_RANDOM}, {"allkeys-lhd", POLICY_ALLKEYS_LHD}, {"noeviction", POLICY_NOEVICTION}, {0}};
static const struct option_word allow_words[] = {
    {"no", ENV_ALLOW_NO}, {"yes", ENV_ALLOW_YES}, {"local", ENV_ALLOW_LOCAL}, {0}};
static const struct option_word oom_words[] = {
    {"no", SETTINGS_OOM_NO}, {"yes", SETTINGS_OOM_RELATIVE}, {"relative", SETTINGS_OOM_RELATIVE}, {"absolute", SETTINGS_OOM_ABSOLUTE}, {0}};

static const struct option_word shutdown_words[] = {{"default", 0}, {"save", SETTINGS_SHUTDOWN_SAVE}, {"nosave", SETTINGS_SHUTDOWN_NOSAVE},
    {"now", SETTINGS_SHUTDOWN_NOW}, {"force", SETTINGS_SHUTDOWN_FORCE}, {0}};

#define SHUTDOWN_ROW(name, field, signal)                                                                                  \
    { name, OPTION_BITS, .initial = "default", .words = shutdown_words, LIVE, S(field),                                    \
        SAYS(PROCESS, "What " signal " does: 'save' or 'nosave', by default as the save points say; 'force' to end even if it " \
                      "cannot be saved; 'now' as in Redis, where it is about replicas.") }

static const struct option_row server_rows[] = {
    {"bind", OPTION_LIST, .initial = "* -::*", .form = settings_form_bind, LIVE, .sample = "127.0.0.1 -::1",
        SAYS(NETWORK, "Addresses to listen on. One that begins with '-' may be missing on this machine; '*' is every IPv4 "
                      "address and '::*' every IPv6 one. An empty list closes the TCP port.")},
    {"port", OPTION_INT, .max = 65535, .initial = "6379", LIVE, S(port),
        SAYS(NETWORK, "TCP port; 0 for none. The command line's --port 0 together with --unixsocket makes a daemon that only "
                      "this machine can reach.")},
    {"unixsocket", OPTION_TEXT, FIXED, .initial = "",
        SAYS(NETWORK, "Path of a Unix socket to listen on, beside the TCP port. Empty: none.")},
    {"unixsocketperm", OPTION_OCTAL, FIXED, .max = 0777, .initial = "0", S(unixsocketperm),
        SAYS(NETWORK, "File mode of the Unix socket, in octal. 0 leaves it to the umask.")},
    {"tcp-backlog", OPTION_INT, FIXED, .max = INT32_MAX, .initial = "511", S(tcp_backlog),
        SAYS(NETWORK, "How many connections may wait to be accepted. The kernel caps it at net.core.somaxconn.")},
    {"tcp-keepalive", OPTION_INT, .max = INT32_MAX, .initial = "300", LIVE, S(tcp_keepalive),
        SAYS(NETWORK, "Seconds of silence after which the kernel asks whether the other end still lives. 0: never.")},
    {"timeout", OPTION_INT, .max = INT32_MAX, .initial = "0", LIVE, S(timeout),
        SAYS(NETWORK, "Close a connection that sent nothing for so many seconds. 0: never.")},
    {"protected-mode", OPTION_BOOL, .initial = "yes", LIVE, S(protected_mode),
        SAYS(NETWORK, "While no password is set, turn away clients of other machines.")},

    {"requirepass", OPTION_TEXT, .flags = OPTION_SECRET, .initial = "", LIVE,
        SAYS(ACCESS, "Password that AUTH or HELLO must bring before anything else. Empty: none. Keep the file unreadable for "
                     "others; CONFIG GET shows it to those who know it.")},
    {"enable-protected-configs", OPTION_ENUM, FIXED, .initial = "no", .words = allow_words, S(protected_configs),
        SAYS(ACCESS, "May CONFIG SET change settings that write to the disk (dir, dbfilename)? 'local' allows it to "
                     "connections from this machine.")},

    {"threads", OPTION_INT, .flags = OPTION_FIXED | OPTION_OURS, .max = SETTINGS_THREADS_MAX, .initial = "0", S(threads),
        SAYS(PROCESS, "Event loops, one thread each; connections are spread over them. 0: one for each core that the process "
                      "may use.")},
    {"daemonize", OPTION_BOOL, FIXED, .initial = "no", S(daemonize),
        SAYS(PROCESS, "Go to the background. Leave it off under systemd.")},
    {"supervised", OPTION_ENUM, FIXED, .initial = "no", .words = supervised_words, S(supervised),
        SAYS(PROCESS, "Who waits for the daemon to be ready: 'systemd' (Type=notify), 'upstart', 'auto' to look at the "
                      "environment.")},
    {"pidfile", OPTION_TEXT, FIXED, .initial = "",
        SAYS(PROCESS, "Where to write the process id. Empty: nowhere, but /var/run/larderd.pid with daemonize.")},
    {"dir", OPTION_TEXT, .flags = OPTION_PROTECTED, .initial = "./", .form = settings_form_dir, LIVE,
        SAYS(PROCESS, "Working directory; relative paths of other settings begin here.")},
    SHUTDOWN_ROW("shutdown-on-sigterm", on_sigterm, "SIGTERM"),
    SHUTDOWN_ROW("shutdown-on-sigint", on_sigint, "SIGINT"),
    {"set-proc-title", OPTION_BOOL, FIXED, .initial = "yes", S(set_proc_title),
        SAYS(PROCESS, "Show addresses and state in the process list.")},
    {"proc-title-template", OPTION_TEXT, .initial = "{title} {listen-addr} {server-mode}", .form = settings_form_title, LIVE,
        SAYS(PROCESS, "What the process list shows, made of {title} {listen-addr} {server-mode} {port} {tls-port} {unixsocket} "
                      "{config-file}.")},
    {"disable-thp", OPTION_BOOL, FIXED, .initial = "yes", S(disable_thp),
        SAYS(PROCESS, "Keep this process out of the kernel's transparent huge pages, which cost memory and time here.")},
    {"oom-score-adj", OPTION_ENUM, .initial = "no", .words = oom_words, LIVE, S(oom_score_adj),
        SAYS(PROCESS, "Tell the kernel how readily to kill this process when memory runs out: 'absolute' sets the first of "
                      "oom-score-adj-values, 'relative' adds it to what was set at start.")},
    {"oom-score-adj-values", OPTION_LIST, .initial = "0 200 800", .form = settings_form_oom, LIVE,
        SAYS(PROCESS, "Three scores between -2000 and 2000. The first is used; the others are Redis's for replicas and "
                      "children, which do not exist here.")},

    {"loglevel", OPTION_ENUM, .initial = "notice", .words = level_words, LIVE, S(loglevel),
        SAYS(LOGGING, "The least that is worth a line: debug, verbose, notice, warning or nothing.")},
    {"logfile", OPTION_TEXT, FIXED, .initial = "",
        SAYS(LOGGING, "File to append the log to; SIGHUP opens it anew. Empty: standard output.")},
    {"syslog-enabled", OPTION_BOOL, FIXED, .initial = "no", S(syslog_enabled), SAYS(LOGGING, "Log to syslog too.")},
    {"syslog-ident", OPTION_TEXT, FIXED, .initial = "larder", SAYS(LOGGING, "Name of the daemon in syslog.")},
    {"syslog-facility", OPTION_ENUM, FIXED, .initial = "local0", .words = facility_words, S(syslog_facility),
        SAYS(LOGGING, "Facility in syslog: user, or local0 to local7.")},
    {"crash-log-enabled", OPTION_BOOL, .initial = "yes", LIVE, S(crash_log),
        SAYS(LOGGING, "Write registers, a backtrace and the state to the log when the daemon crashes. Off: a plain core dump.")},

    {"maxmemory-clients", OPTION_MEMORY, .flags = OPTION_PERCENT, .min = -100, .max = INT64_MAX, .initial = "0", LIVE,
        S(maxmemory_clients),
        SAYS(CLIENTS, "Most memory that all connections together may hold, in bytes or in percent of maxmemory; the largest "
                      "are closed when it is passed. 0: no limit.")},
    {"client-query-buffer-limit", OPTION_MEMORY, .min = 1 << 20, .max = INT64_MAX, .initial = "1073741824", LIVE,
        S(query_buffer_limit), SAYS(CLIENTS, "Most bytes of unfinished requests that one connection may pile up.")},
    {"client-output-buffer-limit", OPTION_LIST, .max = 4, .form = settings_form_output, LIVE,
        .initial = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        .sample = "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
        SAYS(CLIENTS, "Close a connection whose unsent replies pass the first size, or stay above the second for so many "
                      "seconds. A line for each class: normal, replica, pubsub. 0: no limit.")},
    {"hz", OPTION_INT, .max = INT32_MAX, .initial = "10", LIVE, S(hz),
        SAYS(BACKGROUND, "How often a second the housekeeping runs (1 to 500): timeouts, memory limits of clients. "
                         "Expiry and eviction do not wait for it.")},
    {"dynamic-hz", OPTION_BOOL, .initial = "yes", LIVE, S(dynamic_hz),
        SAYS(BACKGROUND, "Let the housekeeping run more often while there are many connections.")},
};

static const struct option_row store_rows[] = {
    {"maxmemory", OPTION_MEMORY, .max = INT64_MAX, .initial = "0", LIVE, M(maxmemory), .sample = "1gb",
        SAYS(MEMORY, "Most memory for keys, values and their index; used_memory stays at or under it after every command. "
                     "Buffers of clients are not part of it. 0: no limit. Units: k kb m mb g gb.")},
    {"maxmemory-policy", OPTION_ENUM, .initial = "noeviction", .words = policy_words, LIVE, M(policy), .sample = "allkeys-lhd",
        SAYS(MEMORY, "What goes when maxmemory is reached: of all keys, or of those with a TTL (volatile), the least recently "
                     "used (lru), the least often used (lfu), any (random), the next to expire (ttl), or what promises the fewest "
                     "hits for its bytes, as learned from the hits so far (allkeys-lhd: larder's own); or nothing (noeviction). "
                     "Where nothing may go, writes are refused. OBJECT FREQ works under lfu and lhd, OBJECT IDLETIME under the others.")},
    {"lfu-log-factor", OPTION_INT, .max = INT32_MAX, .initial = "10", LIVE, M(lfu_log_factor),
        SAYS(MEMORY, "How slowly the counter of uses grows under the lfu policies, which is OBJECT FREQ, up to 255: 10 tells up to "
                     "about a million uses apart.")},
    {"lfu-decay-time", OPTION_INT, .max = INT32_MAX, .initial = "1", LIVE, M(lfu_decay_time),
        SAYS(MEMORY, "Minutes after which that counter loses one. 0: it never does.")},
    {"compression", OPTION_BOOL, .flags = OPTION_OURS, .initial = "yes", LIVE, M(compression),
        SAYS(MEMORY, "Keep long strings compressed (LZ4) where that saves at least an eighth of them. Those that are there already "
                     "stay as they are when this changes.")},
    {"compression-min-size", OPTION_MEMORY, .flags = OPTION_OURS, .max = INT64_MAX, .initial = "1024", LIVE, M(compression_min_size), .sample = "1kb",
        SAYS(MEMORY, "Shortest string that is compressed, in bytes; under 32 is as 32. 0: none is.")},
    {"compression-acceleration", OPTION_INT, .flags = OPTION_OURS, .min = 1, .max = 65536, .initial = "1", LIVE, M(compression_acceleration),
        SAYS(MEMORY, "LZ4's: 1 saves the most, each more makes compressing a few percent faster.")},
    {"databases", OPTION_INT, FIXED, .min = 1, .max = STORE_DATABASES, .initial = "16", M(databases),
        SAYS(MEMORY, "Number of databases that SELECT may choose from, at most 16.")},
};

#define ENTRIES(name, initial_, field, words)                                                                              \
    { name, OPTION_INT, .max = INT64_MAX, .initial = initial_, LIVE, M(limits.field), SAYS(TYPES, words) }
#define LONGEST(name, initial_, field, words)                                                                              \
    { name, OPTION_MEMORY, .max = INT64_MAX, .initial = initial_, LIVE, M(limits.field), SAYS(TYPES, words) }

/* Redis's thresholds: what OBJECT ENCODING answers, and up to where a collection is packed into its key's entry. */
static const struct option_row type_rows[] = {
    ENTRIES("hash-max-listpack-entries", "512", hash_entries, "Most fields of a hash that is kept packed."),
    LONGEST("hash-max-listpack-value", "64", hash_value, "Longest field or value, in bytes, of a hash that is kept packed."),
    {"list-max-listpack-size", OPTION_INT, .min = INT32_MIN, .max = INT32_MAX, .initial = "-2", LIVE, M(limits.list_size),
        SAYS(TYPES, "Most that one node of a list holds: so many elements, or, if negative, -1 to -5 for 4, 8, 16, 32 or 64 KB.")},
    {"list-compress-depth", OPTION_INT, .max = INT32_MAX, .initial = "0", LIVE, M(limits.list_depth),
        SAYS(TYPES, "How many nodes at each end of a list are never compressed. 0: as is best.")},
    ENTRIES("set-max-intset-entries", "512", set_ints, "Most members of a set of integers that is kept as sorted integers."),
    ENTRIES("set-max-listpack-entries", "128", set_entries, "Most members of a set that is kept packed."),
    LONGEST("set-max-listpack-value", "64", set_value, "Longest member, in bytes, of a set that is kept packed."),
    ENTRIES("zset-max-listpack-entries", "128", zset_entries, "Most members of a sorted set that is kept packed."),
    LONGEST("zset-max-listpack-value", "64", zset_value, "Longest member, in bytes, of a sorted set that is kept packed."),
    LONGEST("hll-sparse-max-bytes", "3000", hll_sparse_bytes, "Longest sparse form, in bytes, of a HyperLogLog."),
};

static const struct option_row env_rows[] = {
    {"enable-debug-command", OPTION_ENUM, FIXED, .initial = "no", .words = allow_words, E(enable_debug),
        SAYS(ACCESS, "May clients call DEBUG? 'local' allows it to connections from this machine.")},
    {"maxclients", OPTION_INT, .min = 1, .max = UINT32_MAX, .initial = "10000", LIVE, E(maxclients),
        SAYS(CLIENTS, "Most connections at a time; one more gets an error and is closed. Lowered where the limit of open files "
                      "does not allow as many.")},
    {"tracking-table-max-keys", OPTION_INT, .max = INT64_MAX, .initial = "1000000", LIVE, E(tracking_max_keys),
        SAYS(CLIENTS, "Most keys that are remembered to have been read by clients with CLIENT TRACKING; of more, some are forgotten, and "
                      "their readers told that they are invalid. 0: no limit.")},
    {"feed-size", OPTION_MEMORY, .flags = OPTION_OURS, .min = 131072, .max = INT64_MAX, .initial = "8388608", LIVE, E(feed_size),
        SAYS(CLIENTS, "Bytes of changes that are kept for those who listen with CACHE FEED: who falls further behind, or comes back after "
                      "more, has to empty its cache. Taken only while somebody listens.")},
    {"feed-keep", OPTION_INT, .flags = OPTION_OURS, .max = INT32_MAX, .initial = "60", LIVE, E(feed_keep),
        SAYS(CLIENTS, "Seconds for which changes are recorded after the last listener of the feed has left, so that it may come back.")},
    {"stale-max-memory", OPTION_MEMORY, .flags = OPTION_OURS, .max = INT64_MAX, .initial = "67108864", LIVE, E(stale_max_memory),
        SAYS(MEMORY, "Most bytes of values past their TTL that CACHE FILL's STALE keeps for CACHE FETCH; the oldest go first. They are part "
                     "of maxmemory. 0: none is kept.")},
    {"proto-max-bulk-len", OPTION_MEMORY, .min = 1 << 20, .max = INT64_MAX, .initial = "536870912", LIVE, E(proto_max_bulk_len),
        SAYS(CLIENTS, "Longest single argument of a request, and longest string that a command may make.")},
    {"lazyfree-lazy-server-del", OPTION_BOOL, .flags = OPTION_UNUSED, .initial = "no", LIVE, E(lazy_server_del),
        SAYS(UNUSED, "Memory of what is overwritten, expires or is evicted never holds up a request.")},
    {"lazyfree-lazy-user-del", OPTION_BOOL, .initial = "no", LIVE, E(lazy_user_del), SAYS(BACKGROUND, "Let DEL work as UNLINK.")},
    {"lazyfree-lazy-user-flush", OPTION_BOOL, .initial = "no", LIVE, E(lazy_user_flush),
        SAYS(BACKGROUND, "Let FLUSHALL and FLUSHDB without an argument work as with ASYNC.")},
    {"slowlog-log-slower-than", OPTION_INT, .min = -1, .max = INT64_MAX, .initial = "10000", LIVE, E(slowlog_slower_than),
        SAYS(TIMING, "Note commands that took longer than so many microseconds in the slow log. 0: all, -1: none.")},
    {"slowlog-max-len", OPTION_INT, .max = INT64_MAX, .initial = "128", LIVE, E(slowlog_max_len),
        SAYS(TIMING, "How many commands the slow log keeps.")},
    {"latency-monitor-threshold", OPTION_INT, .max = INT64_MAX, .initial = "0", LIVE, E(latency_threshold),
        SAYS(TIMING, "Note events that took at least so many milliseconds for the LATENCY command. 0: none.")},
    {"latency-tracking", OPTION_BOOL, .initial = "yes", LIVE, E(latency_tracking),
        SAYS(TIMING, "Keep a histogram of the duration of each command, for INFO latencystats and LATENCY HISTOGRAM.")},
    {"latency-tracking-info-percentiles", OPTION_LIST, .initial = "50 99 99.9", .form = settings_form_percentiles, LIVE,
        SAYS(TIMING, "Percentiles that INFO latencystats prints.")},
    {"notify-keyspace-events", OPTION_TEXT, .initial = "", .form = settings_form_events, LIVE,
        SAYS(CLIENTS, "Publish what happens to keys. K: to the channel __keyspace@DB__:KEY, E: to __keyevent@DB__:EVENT, and of what: g any type "
            "(DEL, EXPIRE, RENAME ...), $ strings, l lists, s sets, h hashes, z sorted sets, x expired, e evicted, A all these; "
            "besides: n new keys, m missed ones.")},
};

#define ROWS(array) ((struct settings_rows){array, sizeof array / sizeof *array})
struct settings_rows settings_rows_server(void) { return ROWS(server_rows); }
struct settings_rows settings_rows_env(void) { return ROWS(env_rows); }
struct settings_rows settings_rows_store(void) { return ROWS(store_rows); }
struct settings_rows settings_rows_types(void) { return ROWS(type_rows); }
