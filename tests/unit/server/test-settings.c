#include "server/settings.h"

#include "base/log.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct settings_trial t;

static void setup(void) {
    log_level_set(LOG_NOTHING_);
    settings_trial_open(&t);
}
static void teardown(void) { settings_trial_close(&t); }
TestSuite(settings, .init = setup, .fini = teardown);

static void is(const char *name, const char *value) {
    struct buf text = {0};
    cr_assert(option_row(t.options, name), "there is no %s", name);
    option_text(t.options, name, &text);
    cr_assert_str_eq(buf_cstr(&text), value, "%s is '%s', not '%s'", name, buf_cstr(&text), value);
    buf_free(&text);
}

/* One or several values, separated by '|'; returns the error, "" if there is none. */
static const char *line(const char *words) {
    static struct buf why;
    struct slice argv[16];
    size_t n = 0;
    for (const char *p = words;; p++) {
        const char *end = strchrnul(p, '|');
        argv[n++] = (struct slice){p, (size_t)(end - p)};
        if (!*(p = end)) break;
    }
    why.n = 0;
    return options_line(t.options, argv, n, &why) ? "" : buf_cstr(&why);
}

static const char *set(const char *name, const char *value) {
    static struct buf why;
    struct slice pair[2] = {slice_of(name), slice_of(value)};
    why.n = 0;
    return options_set(t.options, pair, 2, true, &why) ? "" : buf_cstr(&why);
}

/* What CONFIG GET * of Redis 7.0 answers, and what 7.2 adds, but for dir and syslog-ident. */
static const struct {
    const char *name, *value;
} redis[] = {
    {"acl-pubsub-default", "resetchannels"}, {"aclfile", ""}, {"acllog-max-len", "128"},
    {"active-defrag-cycle-max", "25"}, {"active-defrag-cycle-min", "1"},
    {"active-defrag-ignore-bytes", "104857600"}, {"active-defrag-max-scan-fields", "1000"},
    {"active-defrag-threshold-lower", "10"}, {"active-defrag-threshold-upper", "100"},
    {"active-expire-effort", "1"}, {"activedefrag", "no"}, {"activerehashing", "yes"},
    {"always-show-logo", "no"}, {"aof-disable-auto-gc", "no"}, {"aof-load-truncated", "yes"},
    {"aof-rewrite-incremental-fsync", "yes"}, {"aof-timestamp-enabled", "no"},
    {"aof-use-rdb-preamble", "yes"}, {"aof_rewrite_cpulist", ""}, {"appenddirname", "appendonlydir"},
    {"appendfilename", "appendonly.aof"}, {"appendfsync", "everysec"}, {"appendonly", "no"},
    {"auto-aof-rewrite-min-size", "67108864"}, {"auto-aof-rewrite-percentage", "100"},
    {"bgsave_cpulist", ""}, {"bind", "* -::*"}, {"bind-source-addr", ""}, {"bio_cpulist", ""},
    {"busy-reply-threshold", "5000"},
    {"client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"},
    {"client-query-buffer-limit", "1073741824"}, {"cluster-allow-pubsubshard-when-down", "yes"},
    {"cluster-allow-reads-when-down", "no"}, {"cluster-allow-replica-migration", "yes"},
    {"cluster-announce-bus-port", "0"}, {"cluster-announce-hostname", ""},
    {"cluster-announce-human-nodename", ""}, {"cluster-announce-ip", ""}, {"cluster-announce-port", "0"},
    {"cluster-announce-tls-port", "0"}, {"cluster-config-file", "nodes.conf"}, {"cluster-enabled", "no"},
    {"cluster-link-sendbuf-limit", "0"}, {"cluster-migration-barrier", "1"},
    {"cluster-node-timeout", "15000"}, {"cluster-port", "0"}, {"cluster-preferred-endpoint-type", "ip"},
    {"cluster-replica-no-failover", "no"}, {"cluster-replica-validity-factor", "10"},
    {"cluster-require-full-coverage", "yes"}, {"cluster-slave-no-failover", "no"},
    {"cluster-slave-validity-factor", "10"}, {"crash-log-enabled", "yes"},
    {"crash-memcheck-enabled", "yes"}, {"daemonize", "no"}, {"databases", "16"}, {"dbfilename", "dump.larder"},
    {"disable-thp", "yes"}, {"dynamic-hz", "yes"}, {"enable-debug-command", "no"},
    {"enable-module-command", "no"}, {"enable-protected-configs", "no"},
    {"hash-max-listpack-entries", "512"}, {"hash-max-listpack-value", "64"},
    {"hash-max-ziplist-entries", "512"}, {"hash-max-ziplist-value", "64"}, {"hll-sparse-max-bytes", "3000"},
    {"hz", "10"}, {"ignore-warnings", ""}, {"io-threads", "1"}, {"io-threads-do-reads", "no"},
    {"jemalloc-bg-thread", "yes"}, {"latency-monitor-threshold", "0"}, {"latency-tracking", "yes"},
    {"latency-tracking-info-percentiles", "50 99 99.9"}, {"lazyfree-lazy-eviction", "no"},
    {"lazyfree-lazy-expire", "no"}, {"lazyfree-lazy-server-del", "no"}, {"lazyfree-lazy-user-del", "no"},
    {"lazyfree-lazy-user-flush", "no"}, {"lfu-decay-time", "1"}, {"lfu-log-factor", "10"},
    {"list-compress-depth", "0"}, {"list-max-listpack-size", "-2"}, {"list-max-ziplist-size", "-2"},
    {"locale-collate", ""}, {"logfile", ""}, {"loglevel", "notice"}, {"lua-time-limit", "5000"},
    {"masterauth", ""}, {"masteruser", ""}, {"maxclients", "10000"}, {"maxmemory", "0"},
    {"maxmemory-clients", "0"}, {"maxmemory-eviction-tenacity", "10"}, {"maxmemory-policy", "noeviction"},
    {"maxmemory-samples", "5"}, {"min-replicas-max-lag", "10"}, {"min-replicas-to-write", "0"},
    {"min-slaves-max-lag", "10"}, {"min-slaves-to-write", "0"}, {"no-appendfsync-on-rewrite", "no"},
    {"notify-keyspace-events", ""}, {"oom-score-adj", "no"}, {"oom-score-adj-values", "0 200 800"},
    {"pidfile", ""}, {"port", "6379"}, {"proc-title-template", "{title} {listen-addr} {server-mode}"},
    {"propagation-error-behavior", "ignore"}, {"protected-mode", "yes"},
    {"proto-max-bulk-len", "536870912"}, {"rdb-del-sync-files", "no"},
    {"rdb-save-incremental-fsync", "yes"}, {"rdbchecksum", "yes"}, {"rdbcompression", "yes"},
    {"repl-backlog-size", "1048576"}, {"repl-backlog-ttl", "3600"}, {"repl-disable-tcp-nodelay", "no"},
    {"repl-diskless-load", "disabled"}, {"repl-diskless-sync", "yes"}, {"repl-diskless-sync-delay", "5"},
    {"repl-diskless-sync-max-replicas", "0"}, {"repl-ping-replica-period", "10"},
    {"repl-ping-slave-period", "10"}, {"repl-timeout", "60"}, {"replica-announce-ip", ""},
    {"replica-announce-port", "0"}, {"replica-announced", "yes"},
    {"replica-ignore-disk-write-errors", "no"}, {"replica-ignore-maxmemory", "yes"},
    {"replica-lazy-flush", "no"}, {"replica-priority", "100"}, {"replica-read-only", "yes"},
    {"replica-serve-stale-data", "yes"}, {"replicaof", ""}, {"requirepass", ""},
    {"sanitize-dump-payload", "no"}, {"save", ""}, {"server_cpulist", ""},
    {"set-max-intset-entries", "512"}, {"set-max-listpack-entries", "128"},
    {"set-max-listpack-value", "64"}, {"set-proc-title", "yes"}, {"shutdown-on-sigint", "default"},
    {"shutdown-on-sigterm", "default"}, {"shutdown-timeout", "10"}, {"slave-announce-ip", ""},
    {"slave-announce-port", "0"}, {"slave-ignore-maxmemory", "yes"}, {"slave-lazy-flush", "no"},
    {"slave-priority", "100"}, {"slave-read-only", "yes"}, {"slave-serve-stale-data", "yes"},
    {"slaveof", ""}, {"slowlog-log-slower-than", "10000"}, {"slowlog-max-len", "128"},
    {"socket-mark-id", "0"}, {"stop-writes-on-bgsave-error", "yes"}, {"stream-node-max-bytes", "4096"},
    {"stream-node-max-entries", "100"}, {"supervised", "no"}, {"syslog-enabled", "no"},
    {"syslog-facility", "local0"}, {"tcp-backlog", "511"}, {"tcp-keepalive", "300"}, {"timeout", "0"},
    {"tls-auth-clients", "yes"}, {"tls-ca-cert-dir", ""}, {"tls-ca-cert-file", ""}, {"tls-cert-file", ""},
    {"tls-ciphers", ""}, {"tls-ciphersuites", ""}, {"tls-client-cert-file", ""},
    {"tls-client-key-file", ""}, {"tls-client-key-file-pass", ""}, {"tls-cluster", "no"},
    {"tls-dh-params-file", ""}, {"tls-key-file", ""}, {"tls-key-file-pass", ""}, {"tls-port", "0"},
    {"tls-prefer-server-ciphers", "no"}, {"tls-protocols", ""}, {"tls-replication", "no"},
    {"tls-session-cache-size", "20480"}, {"tls-session-cache-timeout", "300"},
    {"tls-session-caching", "yes"}, {"tracking-table-max-keys", "1000000"}, {"unixsocket", ""},
    {"unixsocketperm", "0"}, {"zset-max-listpack-entries", "128"}, {"zset-max-listpack-value", "64"},
    {"zset-max-ziplist-entries", "128"}, {"zset-max-ziplist-value", "64"},
};

Test(settings, redis_names_and_initial_values) {
    for (size_t i = 0; i < sizeof redis / sizeof *redis; i++) is(redis[i].name, redis[i].value);
}

static void count(void *arg, struct slice name, struct slice value) {
    (void)name, (void)value;
    ++*(size_t *)arg;
}

Test(settings, what_is_not_redis_is_marked) {
    size_t shown = 0, ours = 0;
    options_each(t.options, &SLICE("*"), 1, count, &shown);
    const struct option_row *r;
    for (size_t i = 0; (r = option_at(t.options, i)); i++) ours += !!(r->flags & OPTION_OURS);
    cr_assert(shown == sizeof redis / sizeof *redis + 2 /* dir, syslog-ident */ + ours, "%zu shown, %zu ours", shown, ours);
}

Test(settings, every_row_is_explained) {
    const struct option_row *r;
    for (size_t i = 0; (r = option_at(t.options, i)); i++) {
        if (r->flags & OPTION_ALIAS) continue;
        cr_assert(r->section && r->text && strlen(r->text) > 10 && r->text[strlen(r->text) - 1] == '.', "%s", r->name);
        cr_assert(option_is_initial(t.options, r->name), "%s", r->name);
        if (r->flags & OPTION_UNUSED) cr_assert_str_eq(r->section, "Not used", "%s", r->name);
    }
}

Test(settings, what_follows_from_values) {
    struct buf why = {0};
    cr_assert_str_empty(line("requirepass|x"));
    cr_assert_str_empty(line("client-output-buffer-limit|replica|1kb|2kb|3"));
    cr_assert_str_empty(line("client-output-buffer-limit|normal|4|5|6|pubsub|7|8|9"));
    cr_assert_str_empty(line("notify-keyspace-events|KA"));
    cr_assert_str_empty(line("hz|1000"));
    cr_assert_str_empty(line("loglevel|nothing"));
    cr_assert_str_empty(line("dir|/"));
    cr_assert(!t.env.has_password);
    cr_assert_null(settings_ready(&t.settings, &why), "%s", buf_cstr(&why));
    const struct output_limit *l = t.settings.server.output_limit;
    cr_assert(l[OUTPUT_NORMAL].hard == 4 && l[OUTPUT_NORMAL].soft == 5 && l[OUTPUT_NORMAL].soft_seconds == 6);
    cr_assert(l[OUTPUT_REPLICA].hard == 1024 && l[OUTPUT_REPLICA].soft == 2048 && l[OUTPUT_REPLICA].soft_seconds == 3);
    cr_assert(l[OUTPUT_PUBSUB].hard == 7 && l[OUTPUT_PUBSUB].soft == 8 && l[OUTPUT_PUBSUB].soft_seconds == 9);
    cr_assert(t.env.has_password == 1 && t.env.notify_events == (4 | 8 | 16 | 32 | 64 | 128 | 256 | 512 | 1024 | 8192 | 1));
    is("hz", "500");
    char here[64];
    cr_assert_str_eq(getcwd(here, sizeof here), "/");
    cr_assert_str_empty(set("requirepass", ""));
    cr_assert(t.env.has_password == 0);
    cr_assert_str_empty(set("hz", "0"));
    is("hz", "1");
    cr_assert_str_empty(set("client-output-buffer-limit", "slave 1gb 0 1"));
    cr_assert(l[OUTPUT_REPLICA].hard == 1 << 30 && l[OUTPUT_NORMAL].hard == 4);
    buf_free(&why);
}

Test(settings, a_log_that_cannot_be_opened_stops_the_start) {
    struct buf why = {0};
    cr_assert_str_empty(line("logfile|/nonexistent/larder.log"));
    cr_assert_str_eq(settings_ready(&t.settings, &why), "logfile '/nonexistent/larder.log': No such file or directory");
    buf_free(&why);
}

struct change {
    char name[64];
    const char *error;
};

static const char *changed(void *arg, const char *name) {
    struct change *c = arg;
    snprintf(c->name, sizeof c->name, "%s", name);
    return c->error;
}

Test(settings, the_server_hears_of_changes_and_may_refuse) {
    struct change c = {"", NULL};
    t.settings.changed = changed;
    t.settings.changed_arg = &c;
    cr_assert_str_empty(set("tcp-keepalive", "10"));
    cr_assert_str_eq(c.name, "tcp-keepalive");
    c.error = "Unable to listen on this port. Check server logs.";
    cr_assert_str_eq(set("port", "7000"),
        "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.");
    is("port", "6379");
    cr_assert(t.settings.server.port == 6379);
    c.error = NULL;
    cr_assert_str_empty(set("appendonly", "yes"));
    cr_assert_str_eq(c.name, "appendonly");
}

static void note(void *arg, const char *address, bool optional) {
    buf_printf(arg, "%s%s,", optional ? "?" : "", address);
}

Test(settings, addresses) {
    struct buf got = {0};
    cr_assert_str_empty(line("bind|127.0.0.1|-::1|*"));
    settings_bind_each(&t.settings, note, &got);
    cr_assert_str_eq(buf_cstr(&got), "127.0.0.1,?::1,*,");
    cr_assert_str_empty(line("bind|"));
    got.n = 0;
    settings_bind_each(&t.settings, note, &got);
    cr_assert(got.n == 0);
    cr_assert_str_eq(set("bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"),
        "ERR CONFIG SET failed (possibly related to argument 'bind') - Too many bind addresses specified.");
    buf_free(&got);
}

Test(settings, threads) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = settings_threads(&t.settings);
    cr_assert(n >= 1 && n <= (unsigned)cores && n <= SETTINGS_THREADS_MAX);
    cr_assert_str_empty(line("threads|5"));
    cr_assert(settings_threads(&t.settings) == 5);
    is("threads", "5");
}

static long oom_score(void) {
    FILE *f = fopen("/proc/self/oom_score_adj", "r");
    long v = -9999;
    cr_assert(f && fscanf(f, "%ld", &v) == 1);
    fclose(f);
    return v;
}

Test(settings, the_kernel_is_told_how_readily_to_kill) {
    long before = oom_score();
    if (before > 500) cr_skip_test("the score is high already");
    cr_assert_str_empty(set("oom-score-adj-values", "300 0 0"));
    cr_assert(oom_score() == before, "not yet asked for");
    cr_assert_str_empty(set("oom-score-adj", "relative"));
    cr_assert(oom_score() == before + 300);
    cr_assert_str_empty(set("oom-score-adj-values", "400 0 0"));
    cr_assert(oom_score() == before + 400);
    cr_assert_str_empty(set("oom-score-adj", "absolute"));
    cr_assert(oom_score() == 400);
}

Test(settings, a_folder_is_kept_by_its_whole_path) {
    char folder[] = "/tmp/larder-test-XXXXXX", file[64], whole[128];
    cr_assert(mkdtemp(folder) && !chdir("/tmp"));
    snprintf(file, sizeof file, "%s/file", folder);
    fclose(fopen(file, "w"));
    snprintf(whole, sizeof whole, "dir|%s", folder + 5);
    cr_assert_str_empty(line(whole));
    is("dir", folder);
    snprintf(whole, sizeof whole, "dir|%s", file);
    cr_assert_str_eq(line(whole), "Not a directory");
    is("dir", folder);
    unlink(file);
    rmdir(folder);
}
