/* Directives of Redis that mean nothing here. They are checked as Redis checks them and CONFIG GET answers what was set, so
 * that a conf in use today starts the daemon; each is logged once. Aliases of Redis's own stand at the end. */
#include "server/settings.h"

#define ROW(kind, n, init, ...) {.name = n, .type = kind, .initial = init, .section = "Not used", .apply = settings_apply, __VA_ARGS__}
#define LIVE .flags = OPTION_UNUSED
#define FIXED .flags = OPTION_UNUSED | OPTION_FIXED
#define BOOL(n, init, words) ROW(OPTION_BOOL, n, init, LIVE, .text = words)
#define FBOOL(n, init, words) ROW(OPTION_BOOL, n, init, FIXED, .text = words)
#define INT(n, init, lo, hi, words) ROW(OPTION_INT, n, init, LIVE, .min = lo, .max = hi, .text = words)
#define FINT(n, init, lo, hi, words) ROW(OPTION_INT, n, init, FIXED, .min = lo, .max = hi, .text = words)
#define MEMORY(n, init, lo, words) ROW(OPTION_MEMORY, n, init, LIVE, .min = lo, .max = INT64_MAX, .text = words)
#define TEXT(n, init, words) ROW(OPTION_TEXT, n, init, LIVE, .text = words)
#define FTEXT(n, init, words) ROW(OPTION_TEXT, n, init, FIXED, .text = words)
#define SECRET(n, words) ROW(OPTION_TEXT, n, "", .flags = OPTION_UNUSED | OPTION_SECRET, .text = words)
#define ENUM(n, init, list, how) ROW(OPTION_ENUM, n, init, LIVE, .words = list, .text = how)
#define LINE(n, how) ROW(OPTION_LIST, n, "", .flags = OPTION_UNUSED | OPTION_FILE | OPTION_FIXED | OPTION_REPEATS, .text = how)
#define UNSAFE_LINE(n, how) \
    ROW(OPTION_LIST, n, "", .flags = OPTION_UNUSED | OPTION_FILE | OPTION_FIXED | OPTION_REPEATS | OPTION_UNSAFE | OPTION_SECRET, .text = how)
#define ALIAS(older, newer) {.name = older, .flags = OPTION_ALIAS, .initial = newer}

#define AOF "There is no append-only file."
#define SNAPSHOT "This is as it should be in any case."
#define REPLICATION "There is no replication: each daemon is a cache of its own."
#define CLUSTER "There is no cluster: clients or a proxy spread keys over daemons."
#define TLS "There is no TLS; put a proxy in front, or use a Unix socket."
#define SCRIPTS "There are no scripts or functions."
#define MODULES "There are no modules."
#define USERS "There are no ACL users but the default one; requirepass sets its password."
#define TYPES "This is about a type that is not built yet, or about encodings that are no more."
#define DEFRAG "Memory is compacted all the time, in slices of 250 microseconds."
#define EVICTION "Eviction goes round all keys and remembers the worst that it has seen, with nothing to tune."
#define LAZY "Memory of what is overwritten, expires or is evicted never holds up a request."
#define THREADS "Every thread reads, executes and writes; 'threads' says how many there are."
#define CPULIST "Use CPUAffinity= of the systemd unit, or taskset."
#define LATER "This server has nothing that it would control."
#define SHUTDOWN "A shutdown waits for no replica."
#define DISK "Nothing is written to the disk."

static const struct option_word appendfsync_words[] = {{"everysec", 1}, {"always", 2}, {"no", 0}, {0}};
static const struct option_word sanitize_words[] = {{"no", 0}, {"yes", 1}, {"clients", 2}, {0}};
static const struct option_word optional_words[] = {{"no", 0}, {"yes", 1}, {"optional", 2}, {0}};
static const struct option_word channel_words[] = {{"allchannels", 1}, {"resetchannels", 0}, {0}};
static const struct option_word endpoint_words[] = {{"ip", 0}, {"hostname", 1}, {"unknown-endpoint", 2}, {0}};
static const struct option_word panic_words[] = {{"ignore", 0}, {"panic", 1}, {"panic-on-replicas", 2}, {0}};
static const struct option_word diskless_words[] = {{"disabled", 0}, {"on-empty-db", 1}, {"swapdb", 2}, {0}};
static const struct option_word allow_words[] = {{"no", ENV_ALLOW_NO}, {"yes", ENV_ALLOW_YES}, {"local", ENV_ALLOW_LOCAL}, {0}};

static const struct option_row rows[] = {
    BOOL("rdb-del-sync-files", "no", SNAPSHOT),
    BOOL("rdb-save-incremental-fsync", "yes", "Files are given to the disk as they are written, whatever this says."),
    ENUM("sanitize-dump-payload", "no", sanitize_words, SNAPSHOT),
    ROW(OPTION_INT, "rdb-key-save-delay", "0", .flags = OPTION_UNUSED | OPTION_HIDDEN, .min = INT32_MIN, .max = INT32_MAX, .text = SNAPSHOT),
    ROW(OPTION_INT, "key-load-delay", "0", .flags = OPTION_UNUSED | OPTION_HIDDEN, .min = INT32_MIN, .max = INT32_MAX, .text = SNAPSHOT),

    BOOL("appendonly", "no", AOF),
    ROW(OPTION_TEXT, "appendfilename", "appendonly.aof", FIXED, .form = settings_form_filename, .text = AOF),
    ROW(OPTION_TEXT, "appenddirname", "appendonlydir", FIXED, .form = settings_form_filename, .text = AOF),
    ENUM("appendfsync", "everysec", appendfsync_words, AOF),
    BOOL("no-appendfsync-on-rewrite", "no", AOF),
    INT("auto-aof-rewrite-percentage", "100", 0, INT32_MAX, AOF),
    MEMORY("auto-aof-rewrite-min-size", "67108864", 0, AOF),
    BOOL("aof-load-truncated", "yes", AOF),
    BOOL("aof-use-rdb-preamble", "yes", AOF),
    BOOL("aof-timestamp-enabled", "no", AOF),
    BOOL("aof-rewrite-incremental-fsync", "yes", AOF),
    BOOL("aof-disable-auto-gc", "no", AOF),

    ROW(OPTION_LIST, "replicaof", "", .flags = OPTION_UNUSED | OPTION_FIXED | OPTION_UNSAFE, .text = REPLICATION),
    TEXT("masteruser", "", REPLICATION),
    SECRET("masterauth", REPLICATION),
    BOOL("replica-serve-stale-data", "yes", REPLICATION),
    BOOL("replica-read-only", "yes", REPLICATION),
    BOOL("replica-lazy-flush", "no", REPLICATION),
    BOOL("replica-ignore-maxmemory", "yes", REPLICATION),
    BOOL("replica-ignore-disk-write-errors", "no", REPLICATION),
    BOOL("replica-announced", "yes", REPLICATION),
    TEXT("replica-announce-ip", "", REPLICATION),
    INT("replica-announce-port", "0", 0, 65535, REPLICATION),
    INT("replica-priority", "100", 0, INT32_MAX, REPLICATION),
    ENUM("repl-diskless-load", "disabled", diskless_words, REPLICATION),
    BOOL("repl-diskless-sync", "yes", REPLICATION),
    INT("repl-diskless-sync-delay", "5", 0, INT32_MAX, REPLICATION),
    INT("repl-diskless-sync-max-replicas", "0", 0, INT32_MAX, REPLICATION),
    INT("repl-ping-replica-period", "10", 1, INT32_MAX, REPLICATION),
    INT("repl-timeout", "60", 1, INT32_MAX, REPLICATION),
    BOOL("repl-disable-tcp-nodelay", "no", REPLICATION),
    MEMORY("repl-backlog-size", "1048576", 1, REPLICATION),
    INT("repl-backlog-ttl", "3600", 0, INT64_MAX, REPLICATION),
    INT("min-replicas-to-write", "0", 0, INT32_MAX, REPLICATION),
    INT("min-replicas-max-lag", "10", 0, INT32_MAX, REPLICATION),
    ENUM("propagation-error-behavior", "ignore", panic_words, REPLICATION),

    FBOOL("cluster-enabled", "no", CLUSTER),
    FTEXT("cluster-config-file", "nodes.conf", CLUSTER),
    INT("cluster-node-timeout", "15000", 0, INT64_MAX, CLUSTER),
    FINT("cluster-port", "0", 0, 65535, CLUSTER),
    TEXT("cluster-announce-ip", "", CLUSTER),
    ROW(OPTION_TEXT, "cluster-announce-hostname", "", LIVE, .form = settings_form_hostname, .text = CLUSTER),
    TEXT("cluster-announce-human-nodename", "", CLUSTER),
    INT("cluster-announce-port", "0", 0, 65535, CLUSTER),
    INT("cluster-announce-tls-port", "0", 0, 65535, CLUSTER),
    INT("cluster-announce-bus-port", "0", 0, 65535, CLUSTER),
    ENUM("cluster-preferred-endpoint-type", "ip", endpoint_words, CLUSTER),
    INT("cluster-replica-validity-factor", "10", 0, INT32_MAX, CLUSTER),
    INT("cluster-migration-barrier", "1", 0, INT32_MAX, CLUSTER),
    BOOL("cluster-allow-replica-migration", "yes", CLUSTER),
    BOOL("cluster-require-full-coverage", "yes", CLUSTER),
    BOOL("cluster-replica-no-failover", "no", CLUSTER),
    BOOL("cluster-allow-reads-when-down", "no", CLUSTER),
    BOOL("cluster-allow-pubsubshard-when-down", "yes", CLUSTER),
    MEMORY("cluster-link-sendbuf-limit", "0", 0, CLUSTER),

    ROW(OPTION_INT, "tls-port", "0", .flags = OPTION_UNUSED | OPTION_UNSAFE, .max = 65535, .text = TLS),
    TEXT("tls-cert-file", "", TLS),
    TEXT("tls-key-file", "", TLS),
    SECRET("tls-key-file-pass", TLS),
    TEXT("tls-client-cert-file", "", TLS),
    TEXT("tls-client-key-file", "", TLS),
    SECRET("tls-client-key-file-pass", TLS),
    TEXT("tls-dh-params-file", "", TLS),
    TEXT("tls-ca-cert-file", "", TLS),
    TEXT("tls-ca-cert-dir", "", TLS),
    ENUM("tls-auth-clients", "yes", optional_words, TLS),
    BOOL("tls-replication", "no", TLS),
    BOOL("tls-cluster", "no", TLS),
    TEXT("tls-protocols", "", TLS),
    TEXT("tls-ciphers", "", TLS),
    TEXT("tls-ciphersuites", "", TLS),
    BOOL("tls-prefer-server-ciphers", "no", TLS),
    BOOL("tls-session-caching", "yes", TLS),
    INT("tls-session-cache-size", "20480", 0, INT32_MAX, TLS),
    INT("tls-session-cache-timeout", "300", 0, INT32_MAX, TLS),

    INT("busy-reply-threshold", "5000", 0, INT64_MAX, SCRIPTS),
    LINE("lua-replicate-commands", SCRIPTS),
    ROW(OPTION_ENUM, "enable-module-command", "no", FIXED, .words = allow_words, .text = MODULES),
    LINE("loadmodule", MODULES),
    LINE("sentinel", "There is no sentinel; each daemon is a cache of its own."),

    ROW(OPTION_TEXT, "aclfile", "", .flags = OPTION_UNUSED | OPTION_FIXED | OPTION_UNSAFE, .text = USERS),
    UNSAFE_LINE("user", USERS),
    UNSAFE_LINE("rename-command", "Commands keep their names; enable-debug-command and requirepass limit who may do what."),
    ENUM("acl-pubsub-default", "resetchannels", channel_words, USERS),
    INT("acllog-max-len", "128", 0, INT64_MAX, USERS),

    MEMORY("stream-node-max-bytes", "4096", 0, TYPES),
    INT("stream-node-max-entries", "100", 0, INT64_MAX, TYPES),
    LINE("list-max-ziplist-entries", TYPES),
    LINE("list-max-ziplist-value", TYPES),

    INT("maxmemory-samples", "5", 1, INT32_MAX, EVICTION),
    INT("maxmemory-eviction-tenacity", "10", 0, 100, EVICTION),
    INT("active-expire-effort", "1", 1, 10, "Expired memory is always back within a second."),
    BOOL("lazyfree-lazy-eviction", "no", LAZY),
    BOOL("lazyfree-lazy-expire", "no", LAZY),
    BOOL("activerehashing", "yes", "Tables grow one small segment at a time; there is no rehashing."),
    BOOL("activedefrag", "no", DEFRAG),
    MEMORY("active-defrag-ignore-bytes", "104857600", 1, DEFRAG),
    INT("active-defrag-threshold-lower", "10", 0, 1000, DEFRAG),
    INT("active-defrag-threshold-upper", "100", 0, 1000, DEFRAG),
    INT("active-defrag-cycle-min", "1", 1, 99, DEFRAG),
    INT("active-defrag-cycle-max", "25", 1, 99, DEFRAG),
    INT("active-defrag-max-scan-fields", "1000", 1, INT64_MAX, DEFRAG),
    BOOL("jemalloc-bg-thread", "yes", "jemalloc gives pages back by time, without a thread of its own."),

    FINT("io-threads", "1", 1, 128, THREADS),
    FBOOL("io-threads-do-reads", "no", THREADS),
    FTEXT("server_cpulist", "", CPULIST),
    FTEXT("bio_cpulist", "", CPULIST),
    FTEXT("aof_rewrite_cpulist", "", CPULIST),
    FTEXT("bgsave_cpulist", "", CPULIST),

    ROW(OPTION_LIST, "bind-source-addr", "", LIVE, .text = "The daemon makes no connections of its own."),
    FINT("socket-mark-id", "0", 0, UINT32_MAX, "Connections carry no mark for the firewall."),
    INT("shutdown-timeout", "10", 0, INT32_MAX, SHUTDOWN),
    BOOL("crash-memcheck-enabled", "yes", "The crash log does not test memory: what has crashed may hold any lock."),
    FBOOL("always-show-logo", "no", "There is no logo."),
    TEXT("ignore-warnings", "", "It silences a check of arm64 kernels that fork would need; nothing forks here."),
    TEXT("locale-collate", "", "Nothing sorts by a language's rules."),
    ROW(OPTION_INT, "watchdog-period", "0", .flags = OPTION_UNUSED | OPTION_HIDDEN, .max = INT32_MAX, .text = LATER),
    ROW(OPTION_BOOL, "use-exit-on-panic", "no", .flags = OPTION_UNUSED | OPTION_HIDDEN, .text = LATER),
    ROW(OPTION_BOOL, "enable-debug-assert", "no", .flags = OPTION_UNUSED | OPTION_HIDDEN | OPTION_FIXED, .text = LATER),
    ROW(OPTION_BOOL, "hide-user-data-from-log", "yes", .flags = OPTION_UNUSED | OPTION_HIDDEN, .text = LATER),
    ROW(OPTION_INT, "max-new-connections-per-cycle", "10", .flags = OPTION_UNUSED | OPTION_HIDDEN, .min = 1, .max = 1000, .text = LATER),
    ROW(OPTION_INT, "max-new-tls-connections-per-cycle", "1", .flags = OPTION_UNUSED | OPTION_HIDDEN, .min = 1, .max = 1000, .text = TLS),

    ALIAS("slaveof", "replicaof"),
    ALIAS("slave-serve-stale-data", "replica-serve-stale-data"),
    ALIAS("slave-read-only", "replica-read-only"),
    ALIAS("slave-lazy-flush", "replica-lazy-flush"),
    ALIAS("slave-ignore-maxmemory", "replica-ignore-maxmemory"),
    ALIAS("slave-announce-ip", "replica-announce-ip"),
    ALIAS("slave-announce-port", "replica-announce-port"),
    ALIAS("slave-priority", "replica-priority"),
    ALIAS("repl-ping-slave-period", "repl-ping-replica-period"),
    ALIAS("min-slaves-to-write", "min-replicas-to-write"),
    ALIAS("min-slaves-max-lag", "min-replicas-max-lag"),
    ALIAS("cluster-slave-no-failover", "cluster-replica-no-failover"),
    ALIAS("cluster-slave-validity-factor", "cluster-replica-validity-factor"),
    ALIAS("lua-time-limit", "busy-reply-threshold"),
    ALIAS("hash-max-ziplist-entries", "hash-max-listpack-entries"),
    ALIAS("hash-max-ziplist-value", "hash-max-listpack-value"),
    ALIAS("list-max-ziplist-size", "list-max-listpack-size"),
    ALIAS("zset-max-ziplist-entries", "zset-max-listpack-entries"),
    ALIAS("zset-max-ziplist-value", "zset-max-listpack-value"),
};

struct settings_rows settings_rows_unused(void) { return (struct settings_rows){rows, sizeof rows / sizeof *rows}; }
