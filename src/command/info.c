/* INFO: figures about the server, one row per field, in Redis's order.
 *
 * A row is a fixed text (what this server does not have is zero, truly), a counter summed over the lanes, or a function that
 * writes the value. Sections whose lines are not known beforehand (commandstats and its kin) write themselves.
 */
#include "command/introspect.h"

#include "base/clock.h"
#include "base/mem.h"
#include "command/figures.h"
#include "command/persist.h"
#include "command/topic.h"
#include "command/tracking.h"
#include "command/version.h"
#include "command/wait.h"
#include "command/warming.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* One INFO being answered. Figures that are read together are read once, when the first row asks. */
struct info {
    struct env *e;
    struct buf *out;
    bool have_memory;
    struct memory_figures memory;
    bool have_saver;
    struct saver_facts saver;
};

enum field_kind { FIELD_TEXT, FIELD_LANE, FIELD_STORE, FIELD_WRITE };

struct field {
    const char *name;
    enum field_kind kind;
    const char *text;
    size_t offset;                   /* of a counter, in struct lane or struct store_stats */
    void (*write)(struct info *i);
};

#define IS(name, text) {name, FIELD_TEXT, text, 0, NULL}
#define LANE(name, member) {name, FIELD_LANE, NULL, offsetof(struct lane, member), NULL}
#define STORE(name, member) {name, FIELD_STORE, NULL, offsetof(struct store_stats, member), NULL}
#define GET(name, write) {name, FIELD_WRITE, NULL, 0, write}
#define END {NULL, FIELD_TEXT, NULL, 0, NULL}

static void put_u64(struct info *i, uint64_t v) {
    char *p = buf_room(i->out, NUM_I64_MAX);
    i->out->n += num_put_u64(p, v);
}

static void put_human(struct info *i, uint64_t v) {
    char *p = buf_room(i->out, NUM_DOUBLE_MAX);
    i->out->n += num_put_human(p, v);
}

/* -- options as they stand ------------------------------------------------------------------------------------------------- */

static void take_value(void *arg, struct slice name, struct slice value) {
    (void)name;
    buf_put(arg, value.p, value.n);
}

/* The value as CONFIG GET prints it; `otherwise` where no such option is registered. */
static void option_value(struct info *i, const char *name, const char *otherwise, struct buf *out) {
    struct slice pattern = slice_of(name);
    if (option_row(i->e->options, name)) options_each(i->e->options, &pattern, 1, take_value, out);
    else buf_puts(out, otherwise);
}

/* -- server ---------------------------------------------------------------------------------------------------------------- */

static void server_build_id(struct info *i) {
    buf_printf(i->out, "%016llx", (unsigned long long)hash_bytes(LARDER_VERSION, sizeof LARDER_VERSION - 1, 0));
}
static void server_os(struct info *i) {
    struct utsname u;
    if (uname(&u)) return;
    buf_printf(i->out, "%s %s %s", u.sysname, u.release, u.machine);
}
static void server_arch(struct info *i) { put_u64(i, sizeof(void *) * 8); }
static void server_clock(struct info *i) {
#if defined(__x86_64__)
    buf_printf(i->out, "X86 TSC @ %.0f ticks/us", clock_ticks_per_us());
#else
    buf_puts(i->out, "POSIX clock_gettime");
#endif
}
static void server_gcc(struct info *i) {
    buf_printf(i->out, "%d.%d.%d", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
}
static void server_pid(struct info *i) { put_u64(i, (uint64_t)getpid()); }
static void server_supervised(struct info *i) {
    struct buf how;
    buf_init(&how, MEM_MISC);
    option_value(i, "supervised", "no", &how);
    if (slice_is(buf_slice(&how), "auto")) buf_puts(i->out, getenv("NOTIFY_SOCKET") ? "systemd" : "no");
    else buf_put(i->out, how.p, how.n);
    buf_free(&how);
}
static void server_run_id(struct info *i) { buf_puts(i->out, i->e->run_id); }
static void server_port(struct info *i) { put_u64(i, (uint64_t)i->e->port); }
static void server_time(struct info *i) { put_u64(i, (uint64_t)clock_us()); }
static uint64_t uptime(const struct info *i) { return (uint64_t)(clock_mono_us() - i->e->started_us) / 1000000; }
static void server_uptime(struct info *i) { put_u64(i, uptime(i)); }
static void server_days(struct info *i) { put_u64(i, uptime(i) / 86400); }
static void server_hz(struct info *i) { option_value(i, "hz", "10", i->out); }
static void server_lru_clock(struct info *i) { put_u64(i, (uint64_t)clock_ms() / 1000 & 0xffffff); }
static void server_executable(struct info *i) { buf_puts(i->out, i->e->executable); }
static void server_config_file(struct info *i) { buf_puts(i->out, i->e->config_file); }
static void server_threads(struct info *i) { put_u64(i, i->e->lanes); }

/* Where clients can reach it: "listener0:name=tcp,bind=127.0.0.1,bind=::1,port=6379". Whole lines, so the row has no name. */
static void server_listeners(struct info *i) {
    struct buf text;
    unsigned n = 0;
    buf_init(&text, MEM_MISC);
    option_value(i, "bind", "", &text);
    if (i->e->port) {
        buf_printf(i->out, "listener%u:name=tcp", n++);
        for (const char *p = buf_cstr(&text); *p;) {
            size_t word = strcspn(p, " ");
            buf_printf(i->out, ",bind=%.*s", (int)word, p);
            p += word;
            p += strspn(p, " ");
        }
        buf_printf(i->out, ",port=%lld\r\n", (long long)i->e->port);
    }
    buf_drop(&text, text.n);
    option_value(i, "unixsocket", "", &text);
    if (text.n) buf_printf(i->out, "listener%u:name=unix,bind=%s\r\n", n, buf_cstr(&text));
    buf_free(&text);
}

static const struct field server_fields[] = {
    IS("redis_version", REDIS_VERSION), IS("redis_git_sha1", "00000000"), IS("redis_git_dirty", "0"),
    GET("redis_build_id", server_build_id), IS("redis_mode", "standalone"), GET("os", server_os),
    GET("arch_bits", server_arch), GET("monotonic_clock", server_clock), IS("multiplexing_api", "epoll"),
    IS("atomicvar_api", "c11-builtin"), GET("gcc_version", server_gcc), GET("process_id", server_pid),
    GET("process_supervised", server_supervised), GET("run_id", server_run_id), GET("tcp_port", server_port),
    GET("server_time_usec", server_time), GET("uptime_in_seconds", server_uptime), GET("uptime_in_days", server_days),
    GET("hz", server_hz), GET("configured_hz", server_hz), GET("lru_clock", server_lru_clock),
    GET("executable", server_executable), GET("config_file", server_config_file), IS("io_threads_active", "0"),
    GET(NULL, server_listeners), IS("larder_version", LARDER_VERSION), GET("larder_threads", server_threads), END,
};

/* -- clients --------------------------------------------------------------------------------------------------------------- */

static void clients_connected(struct info *i) { put_u64(i, env_clients(i->e)); }
static void clients_max(struct info *i) { put_u64(i, (uint64_t)option_get(&i->e->config.maxclients)); }

/* The largest of all lanes, not their sum. */
static void put_largest(struct info *i, size_t offset) {
    uint64_t most = 0;
    for (unsigned l = 0; l < i->e->lanes; l++) {
        uint64_t v = counter_get((const counter *)((const char *)i->e->lane[l] + offset));
        if (v > most) most = v;
    }
    put_u64(i, most);
}
static void clients_input(struct info *i) { put_largest(i, offsetof(struct lane, recent_input)); }
static void clients_output(struct info *i) { put_largest(i, offsetof(struct lane, recent_output)); }

static void clients_keys(struct info *i) { put_u64(i, atomic_load(&i->e->waits->keys)); }

static void clients_tracking(struct info *i) { put_u64(i, tracking_facts(i->e).clients); }

static const struct field clients_fields[] = {
    GET("connected_clients", clients_connected), IS("cluster_connections", "0"), GET("maxclients", clients_max),
    GET("client_recent_max_input_buffer", clients_input), GET("client_recent_max_output_buffer", clients_output),
    LANE("blocked_clients", blocked), GET("tracking_clients", clients_tracking), LANE("clients_in_timeout_table", blocked_timed),
    GET("total_blocking_keys", clients_keys), IS("total_blocking_keys_on_nokey", "0"), END,
};

/* -- memory ---------------------------------------------------------------------------------------------------------------- */

static const struct memory_figures *figures(struct info *i) {
    if (!i->have_memory) memory_figures(i->e, &i->memory);
    i->have_memory = true;
    return &i->memory;
}
static void put_percent(struct info *i, double v) { buf_printf(i->out, "%.2f%%", v); }
static void put_ratio(struct info *i, uint64_t a, uint64_t b) { buf_printf(i->out, "%.2f", b ? (double)a / (double)b : 0); }
static void put_difference(struct info *i, uint64_t a, uint64_t b) {
    buf_printf(i->out, "%lld", (long long)a - (long long)b);
}

static void memory_used(struct info *i) { put_u64(i, figures(i)->used); }
static void memory_used_human(struct info *i) { put_human(i, figures(i)->used); }
static void memory_rss(struct info *i) { put_u64(i, figures(i)->system.rss); }
static void memory_rss_human(struct info *i) { put_human(i, figures(i)->system.rss); }
static void memory_peak(struct info *i) { put_u64(i, figures(i)->peak); }
static void memory_peak_human(struct info *i) { put_human(i, figures(i)->peak); }
static void memory_peak_percent(struct info *i) {
    put_percent(i, figures(i)->peak ? 100 * (double)i->memory.used / (double)i->memory.peak : 0);
}
static void memory_overhead(struct info *i) { put_u64(i, figures(i)->overhead); }
static void memory_startup(struct info *i) { put_u64(i, figures(i)->startup); }
static void memory_dataset(struct info *i) { put_u64(i, figures(i)->dataset); }
static void memory_dataset_perc(struct info *i) { put_percent(i, memory_dataset_percent(figures(i))); }
static void memory_allocated(struct info *i) { put_u64(i, figures(i)->system.allocated); }
static void memory_active(struct info *i) { put_u64(i, figures(i)->system.active); }
static void memory_resident(struct info *i) { put_u64(i, figures(i)->system.resident); }
static void memory_muzzy(struct info *i) { put_u64(i, figures(i)->system.muzzy); }
static void memory_ram(struct info *i) { put_u64(i, mem_total_ram()); }
static void memory_ram_human(struct info *i) { put_human(i, mem_total_ram()); }
static void memory_max(struct info *i) { put_u64(i, figures(i)->maxmemory); }
static void memory_max_human(struct info *i) { put_human(i, figures(i)->maxmemory); }
static void memory_policy(struct info *i) { option_value(i, "maxmemory-policy", "noeviction", i->out); }
static void memory_frag(struct info *i) { put_ratio(i, figures(i)->system.active, i->memory.system.allocated); }
static void memory_frag_bytes(struct info *i) { put_difference(i, figures(i)->system.active, i->memory.system.allocated); }
static void memory_arss(struct info *i) { put_ratio(i, figures(i)->system.resident, i->memory.system.active); }
static void memory_arss_bytes(struct info *i) { put_difference(i, figures(i)->system.resident, i->memory.system.active); }
static void memory_over(struct info *i) { put_ratio(i, figures(i)->system.rss, i->memory.system.resident); }
static void memory_over_bytes(struct info *i) { put_difference(i, figures(i)->system.rss, i->memory.system.resident); }
static void memory_fragmentation(struct info *i) { put_ratio(i, figures(i)->system.rss, i->memory.used); }
static void memory_fragmentation_bytes(struct info *i) { put_difference(i, figures(i)->system.rss, i->memory.used); }
static void memory_clients(struct info *i) { put_u64(i, figures(i)->clients); }
static void memory_allocator(struct info *i) { buf_puts(i->out, mem_allocator()); }
static void memory_pending(struct info *i) { put_u64(i, store_trash(i->e->store)); }
static void memory_freed(struct info *i) { put_u64(i, store_trash_freed(i->e->store)); }

static const struct field memory_fields[] = {
    GET("used_memory", memory_used), GET("used_memory_human", memory_used_human), GET("used_memory_rss", memory_rss),
    GET("used_memory_rss_human", memory_rss_human), GET("used_memory_peak", memory_peak),
    GET("used_memory_peak_human", memory_peak_human), GET("used_memory_peak_perc", memory_peak_percent),
    GET("used_memory_overhead", memory_overhead), GET("used_memory_startup", memory_startup),
    GET("used_memory_dataset", memory_dataset), GET("used_memory_dataset_perc", memory_dataset_perc),
    GET("allocator_allocated", memory_allocated), GET("allocator_active", memory_active),
    GET("allocator_resident", memory_resident), GET("allocator_muzzy", memory_muzzy), GET("total_system_memory", memory_ram),
    GET("total_system_memory_human", memory_ram_human), IS("used_memory_lua", "0"), IS("used_memory_vm_eval", "0"),
    IS("used_memory_lua_human", "0B"), IS("used_memory_scripts_eval", "0"), IS("number_of_cached_scripts", "0"),
    IS("number_of_functions", "0"), IS("number_of_libraries", "0"), IS("used_memory_vm_functions", "0"),
    IS("used_memory_vm_total", "0"), IS("used_memory_vm_total_human", "0B"), IS("used_memory_functions", "0"),
    IS("used_memory_scripts", "0"), IS("used_memory_scripts_human", "0B"), GET("maxmemory", memory_max),
    GET("maxmemory_human", memory_max_human), GET("maxmemory_policy", memory_policy),
    GET("allocator_frag_ratio", memory_frag), GET("allocator_frag_bytes", memory_frag_bytes),
    GET("allocator_rss_ratio", memory_arss), GET("allocator_rss_bytes", memory_arss_bytes),
    GET("rss_overhead_ratio", memory_over), GET("rss_overhead_bytes", memory_over_bytes),
    GET("mem_fragmentation_ratio", memory_fragmentation), GET("mem_fragmentation_bytes", memory_fragmentation_bytes),
    IS("mem_not_counted_for_evict", "0"), IS("mem_replication_backlog", "0"), IS("mem_total_replication_buffers", "0"),
    IS("mem_clients_slaves", "0"), GET("mem_clients_normal", memory_clients), IS("mem_cluster_links", "0"),
    IS("mem_aof_buffer", "0"), GET("mem_allocator", memory_allocator), IS("active_defrag_running", "0"),
    GET("lazyfree_pending_objects", memory_pending), GET("lazyfreed_objects", memory_freed), END,
};

/* -- persistence, replication ---------------------------------------------------------------------------------------------- */

static void replication_id(struct info *i) {
    lock_acquire(&i->e->text_lock);
    buf_puts(i->out, i->e->replication_id);
    lock_release(&i->e->text_lock);
}

static const struct saver_facts *saver(struct info *i) {
    if (!i->have_saver) persist_facts(i->e, &i->saver);
    i->have_saver = true;
    return &i->saver;
}
static void put_i64(struct info *i, int64_t v) { buf_printf(i->out, "%lld", (long long)v); }

static void save_percent(struct info *i) {
    double total = (double)saver(i)->keys_total;
    buf_printf(i->out, "%.2f", total > 0 ? 100 * (double)i->saver.keys_done / total : 0);
}
static void save_keys(struct info *i) { put_u64(i, saver(i)->keys_done); }
static void save_keys_total(struct info *i) { put_u64(i, saver(i)->keys_total); }
static void save_changes(struct info *i) { put_u64(i, persist_changes(i->e)); }
static void save_running(struct info *i) { put_u64(i, saver(i)->running); }
static void save_last(struct info *i) { put_i64(i, saver(i)->saved_s); }
static void save_status(struct info *i) { buf_puts(i->out, saver(i)->failed ? "err" : "ok"); }
static void save_lasted(struct info *i) { put_i64(i, saver(i)->lasted_s); }
static void save_runs(struct info *i) { put_i64(i, saver(i)->runs_s); }
static void save_count(struct info *i) { put_u64(i, saver(i)->saves); }
static void save_bytes(struct info *i) { put_u64(i, saver(i)->written); }

static void load_lines(struct info *i) { warming_info(i->e, i->out); }
static void load_expired(struct info *i) {
    struct warmup_facts f;
    warmup_facts(i->e->warmup, &f);
    put_u64(i, f.expired);
}
static void load_loaded(struct info *i) {
    struct warmup_facts f;
    warmup_facts(i->e->warmup, &f);
    put_u64(i, f.loaded);
}

static const struct field persistence_fields[] = {
    {NULL, FIELD_WRITE, NULL, 0, load_lines}, IS("current_cow_peak", "0"), IS("current_cow_size", "0"),
    IS("current_cow_size_age", "0"), GET("current_fork_perc", save_percent), GET("current_save_keys_processed", save_keys),
    GET("current_save_keys_total", save_keys_total), GET("rdb_changes_since_last_save", save_changes),
    GET("rdb_bgsave_in_progress", save_running), GET("rdb_last_save_time", save_last), GET("rdb_last_bgsave_status", save_status),
    GET("rdb_last_bgsave_time_sec", save_lasted), GET("rdb_current_bgsave_time_sec", save_runs), GET("rdb_saves", save_count),
    IS("rdb_last_cow_size", "0"), GET("larder_last_save_bytes", save_bytes),
    GET("rdb_last_load_keys_expired", load_expired), GET("rdb_last_load_keys_loaded", load_loaded), IS("aof_enabled", "0"),
    IS("aof_rewrite_in_progress", "0"), IS("aof_rewrite_scheduled", "0"), IS("aof_last_rewrite_time_sec", "-1"),
    IS("aof_current_rewrite_time_sec", "-1"), IS("aof_last_bgrewrite_status", "ok"), IS("aof_rewrites", "0"),
    IS("aof_rewrites_consecutive_failures", "0"), IS("aof_last_write_status", "ok"), IS("aof_last_cow_size", "0"),
    IS("module_fork_in_progress", "0"), IS("module_fork_last_cow_size", "0"), END,
};

static const struct field replication_fields[] = {
    IS("role", "master"), IS("connected_slaves", "0"), IS("master_failover_state", "no-failover"),
    GET("master_replid", replication_id), IS("master_replid2", "0000000000000000000000000000000000000000"),
    IS("master_repl_offset", "0"), IS("second_repl_offset", "-1"), IS("repl_backlog_active", "0"),
    IS("repl_backlog_size", "0"), IS("repl_backlog_first_byte_offset", "0"), IS("repl_backlog_histlen", "0"), END,
};

/* -- stats ----------------------------------------------------------------------------------------------------------------- */

static void stats_expire_ms(struct info *i) {
    put_u64(i, (uint64_t)clock_ticks_us(env_lane_stat(i->e, offsetof(struct lane, expire_ticks))) / 1000);
}
static void take_wrong_passwords(void *arg, const char *code, uint64_t n) {
    if (!strcmp(code, "WRONGPASS")) *(uint64_t *)arg += n;
}
static void stats_wrong_passwords(struct info *i) {
    uint64_t n = 0;
    errors_each(i->e->errors, take_wrong_passwords, &n);
    put_u64(i, n);
}
static void stats_ops(struct info *i) { put_u64(i, (uint64_t)(env_rate(i->e, RATE_COMMANDS) + 0.5)); }
static void stats_in(struct info *i) { buf_printf(i->out, "%.2f", env_rate(i->e, RATE_NET_IN) / 1024); }
static void stats_out(struct info *i) { buf_printf(i->out, "%.2f", env_rate(i->e, RATE_NET_OUT) / 1024); }

static void stats_stale(struct info *i) { /* shards are shared out evenly, and so are keys */
    double sum = (double)env_store_stat(i->e, offsetof(struct store_stats, stale_share));
    buf_printf(i->out, "%.2f", 100 * sum / STORE_SHARE / i->e->lanes);
}
static void stats_evicted_age(struct info *i) {
    uint64_t n = env_store_stat(i->e, offsetof(struct store_stats, evicted));
    put_u64(i, n ? env_store_stat(i->e, offsetof(struct store_stats, evicted_age_ms)) / n : 0);
}
static void stats_evict_worst(struct info *i) {
    uint64_t worst = 0;
    for (unsigned l = 0; l < i->e->lanes; l++) {
        uint64_t us = counter_get(&i->e->lane[l]->store_stats.evict_us_worst);
        if (us > worst) worst = us;
    }
    put_u64(i, worst);
}
static void stats_over_all(struct info *i) { put_u64(i, (uint64_t)env_over_us(i->e, true) / 1000); }
static void stats_over_now(struct info *i) { put_u64(i, (uint64_t)env_over_us(i->e, false) / 1000); }
static void put_ticks_us(struct info *i, uint64_t ticks) { put_u64(i, (uint64_t)clock_ticks_us(ticks)); }
static void stats_turns(struct info *i) { put_ticks_us(i, env_lane_stat(i->e, offsetof(struct lane, turn_ticks))); }
static void stats_commands(struct info *i) {
    uint64_t ticks = 0;
    for (unsigned l = 0; l < i->e->lanes; l++)
        for (unsigned number = 0; number < command_total(); number++) ticks += counter_get(&i->e->lane[l]->commands[number].ticks);
    put_ticks_us(i, ticks);
}
static void stats_turn_rate(struct info *i) { put_u64(i, (uint64_t)(env_rate(i->e, RATE_TURNS) + 0.5)); }
static void stats_turn_time(struct info *i) {
    double turns = env_rate(i->e, RATE_TURNS), ticks = env_rate(i->e, RATE_TURN_TICKS);
    put_ticks_us(i, turns > 0 ? (uint64_t)(ticks / turns) : 0);
}

static void stats_tracked_keys(struct info *i) { put_u64(i, tracking_facts(i->e).keys); }
static void stats_tracked_items(struct info *i) { put_u64(i, tracking_facts(i->e).items); }
static void stats_tracked_prefixes(struct info *i) { put_u64(i, topic_count(i->e, TOPIC_PREFIX)); }
static void stats_channels(struct info *i) { put_u64(i, topic_count(i->e, TOPIC_CHANNEL)); }
static void stats_patterns(struct info *i) { put_u64(i, topic_count(i->e, TOPIC_PATTERN)); }
static void stats_shard_channels(struct info *i) { put_u64(i, topic_count(i->e, TOPIC_SHARD)); }

static const struct field stats_fields[] = {
    LANE("total_connections_received", total_connections), LANE("total_commands_processed", total_commands),
    GET("instantaneous_ops_per_sec", stats_ops), LANE("total_net_input_bytes", net_in),
    LANE("total_net_output_bytes", net_out), IS("total_net_repl_input_bytes", "0"), IS("total_net_repl_output_bytes", "0"),
    GET("instantaneous_input_kbps", stats_in), GET("instantaneous_output_kbps", stats_out),
    IS("instantaneous_input_repl_kbps", "0.00"), IS("instantaneous_output_repl_kbps", "0.00"),
    LANE("rejected_connections", rejected_connections), IS("sync_full", "0"), IS("sync_partial_ok", "0"),
    IS("sync_partial_err", "0"), STORE("expired_keys", expired), STORE("expired_subkeys", expired_inside),
    GET("expired_stale_perc", stats_stale),
    LANE("expired_time_cap_reached_count", expire_unfinished), GET("expire_cycle_cpu_milliseconds", stats_expire_ms),
    STORE("evicted_keys", evicted), GET("evicted_mean_age_ms", stats_evicted_age), STORE("eviction_slices", evict_slices),
    GET("eviction_worst_slice_us", stats_evict_worst), LANE("evicted_clients", evicted_clients),
    GET("total_eviction_exceeded_time", stats_over_all), GET("current_eviction_exceeded_time", stats_over_now),
    STORE("keyspace_hits", hits),
    STORE("keyspace_misses", misses), GET("pubsub_channels", stats_channels), GET("pubsub_patterns", stats_patterns),
    GET("pubsubshard_channels", stats_shard_channels),
    IS("latest_fork_usec", "0"), IS("total_forks", "0"), IS("migrate_cached_sockets", "0"),
    IS("slave_expires_tracked_keys", "0"), STORE("active_defrag_hits", moved), IS("active_defrag_misses", "0"),
    IS("active_defrag_key_hits", "0"), IS("active_defrag_key_misses", "0"), IS("total_active_defrag_time", "0"),
    IS("current_active_defrag_time", "0"), GET("tracking_total_keys", stats_tracked_keys), GET("tracking_total_items", stats_tracked_items),
    GET("tracking_total_prefixes", stats_tracked_prefixes), IS("unexpected_error_replies", "0"), LANE("total_error_replies", errors),
    IS("dump_payload_sanitizations", "0"), LANE("total_reads_processed", reads), LANE("total_writes_processed", writes),
    IS("io_threaded_reads_processed", "0"), IS("io_threaded_writes_processed", "0"),
    LANE("client_query_buffer_limit_disconnections", query_limit_closes),
    LANE("client_output_buffer_limit_disconnections", output_limit_closes), IS("reply_buffer_shrinks", "0"),
    IS("reply_buffer_expands", "0"), GET("acl_access_denied_auth", stats_wrong_passwords), IS("acl_access_denied_cmd", "0"),
    IS("acl_access_denied_key", "0"), IS("acl_access_denied_channel", "0"), LANE("eventloop_cycles", turns), GET("eventloop_duration_sum", stats_turns),
    GET("eventloop_duration_cmd_sum", stats_commands), GET("instantaneous_eventloop_cycles_per_sec", stats_turn_rate),
    GET("instantaneous_eventloop_duration_usec", stats_turn_time), END,
};

/* -- cpu ------------------------------------------------------------------------------------------------------------------- */

static void put_seconds(struct info *i, struct timeval t) {
    buf_printf(i->out, "%ld.%06ld", (long)t.tv_sec, (long)t.tv_usec);
}
static void put_usage(struct info *i, int who, bool system) {
    struct rusage u;
    if (getrusage(who, &u)) memset(&u, 0, sizeof u);
    put_seconds(i, system ? u.ru_stime : u.ru_utime);
}
static void cpu_sys(struct info *i) { put_usage(i, RUSAGE_SELF, true); }
static void cpu_user(struct info *i) { put_usage(i, RUSAGE_SELF, false); }
static void cpu_sys_children(struct info *i) { put_usage(i, RUSAGE_CHILDREN, true); }
static void cpu_user_children(struct info *i) { put_usage(i, RUSAGE_CHILDREN, false); }

/* Only the kernel's table tells a thread about another one: fields 14 and 15 of its line, in clock ticks. */
static void put_main_thread(struct info *i, bool system) {
    char path[64], line[1024];
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)getpid());
    FILE *f = fopen(path, "r");
    if (f) {
        const char *name_end = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
        if (!name_end || sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
            user = kernel = 0;
        fclose(f);
    }
    double v = (double)(system ? kernel : user) / (double)sysconf(_SC_CLK_TCK);
    buf_printf(i->out, "%.6f", v);
}
static void cpu_sys_main(struct info *i) { put_main_thread(i, true); }
static void cpu_user_main(struct info *i) { put_main_thread(i, false); }

static const struct field cpu_fields[] = {
    GET("used_cpu_sys", cpu_sys), GET("used_cpu_user", cpu_user), GET("used_cpu_sys_children", cpu_sys_children),
    GET("used_cpu_user_children", cpu_user_children), GET("used_cpu_sys_main_thread", cpu_sys_main),
    GET("used_cpu_user_main_thread", cpu_user_main), END,
};

/* -- sections that write themselves ---------------------------------------------------------------------------------------- */

static void each_command_stats(struct info *i) {
    for (unsigned number = 0; number < command_total(); number++) {
        uint64_t calls = 0, ticks = 0, rejected = 0, failed = 0;
        for (unsigned l = 0; l < i->e->lanes; l++) {
            const struct command_stats *s = &i->e->lane[l]->commands[number];
            calls += counter_get(&s->calls);
            ticks += counter_get(&s->ticks);
            rejected += counter_get(&s->rejected);
            failed += counter_get(&s->failed);
        }
        if (!calls && !rejected && !failed) continue;
        char name[128];
        size_t n = command_fullname(command_at(number), name, sizeof name);
        double us = (double)ticks / clock_ticks_per_us();
        buf_printf(i->out, "cmdstat_%.*s:calls=%llu,usec=%.0f,usec_per_call=%.2f,rejected_calls=%llu,failed_calls=%llu\r\n",
            (int)n, name, (unsigned long long)calls, us, calls ? us / (double)calls : 0, (unsigned long long)rejected,
            (unsigned long long)failed);
    }
}

static void put_error(void *arg, const char *code, uint64_t n) {
    struct info *i = arg;
    buf_printf(i->out, "errorstat_%s:count=%llu\r\n", code, (unsigned long long)n);
}
static void each_error(struct info *i) { errors_each(i->e->errors, put_error, i); }

static void put_percentiles(struct info *i, const struct hist_sum *sum, const char *percentiles) {
    const char *comma = "";
    while (*percentiles) {
        char *end;
        double p = strtod(percentiles, &end);
        if (end == percentiles) break;
        char text[NUM_DOUBLE_MAX];
        size_t n = num_put_double(text, p);
        buf_printf(i->out, "%sp%.*s=%.3f", comma, (int)n, text, hist_percentile_us(sum, p));
        comma = ",";
        percentiles = end + strspn(end, " ");
    }
}

static void each_latency(struct info *i) {
    struct hist_sum *sum = mem_alloc(MEM_CLIENT, sizeof *sum);
    struct buf percentiles;
    buf_init(&percentiles, MEM_MISC);
    option_value(i, "latency-tracking-info-percentiles", "50 99 99.9", &percentiles);
    for (unsigned number = 0; number < command_total(); number++) {
        bool any = false;
        for (unsigned l = 0; l < i->e->lanes; l++) any |= i->e->lane[l]->commands[number].latency.bucket != NULL;
        if (!any) continue;
        memset(sum, 0, sizeof *sum);
        for (unsigned l = 0; l < i->e->lanes; l++) hist_sum_add(sum, &i->e->lane[l]->commands[number].latency);
        if (!sum->total) continue;
        char name[128];
        size_t n = command_fullname(command_at(number), name, sizeof name);
        buf_printf(i->out, "latency_percentiles_usec_%.*s:", (int)n, name);
        put_percentiles(i, sum, buf_cstr(&percentiles));
        buf_puts(i->out, "\r\n");
    }
    buf_free(&percentiles);
    mem_free(MEM_CLIENT, sum);
}

static void each_database(struct info *i) {
    int64_t now = clock_ms();
    for (unsigned db = 0; db < STORE_DATABASES; db++) {
        uint64_t keys = store_count(i->e->store, db), with_ttl = store_volatile(i->e->store, db);
        if (!keys) continue;
        int64_t ttl = with_ttl ? store_mean_ttl(i->e->store, db, now) : 0;
        buf_printf(i->out, "db%u:keys=%llu,expires=%llu,avg_ttl=%lld\r\n", db, (unsigned long long)keys,
            (unsigned long long)(with_ttl < keys ? with_ttl : keys), (long long)(ttl > 0 ? ttl : 0));
    }
}

static void put_figure(void *arg, const struct figure *f) {
    struct info *i = arg;
    if (f->real) buf_printf(i->out, "cache_%s:%.4f\r\n", f->name, f->number);
    else buf_printf(i->out, "cache_%s:%llu\r\n", f->name, (unsigned long long)f->count);
}
static void each_figure(struct info *i) { figures_each(i->e, put_figure, i); }

static const struct field cluster_fields[] = {IS("cluster_enabled", "0"), END};

/* -- sections -------------------------------------------------------------------------------------------------------------- */

enum { BY_DEFAULT = 1, IN_ALL = 2 };

static const struct section {
    const char *name, *title;
    unsigned when;
    const struct field *fields;
    void (*each)(struct info *i);
} sections[] = {
    {"server", "Server", BY_DEFAULT | IN_ALL, server_fields, NULL},
    {"clients", "Clients", BY_DEFAULT | IN_ALL, clients_fields, NULL},
    {"memory", "Memory", BY_DEFAULT | IN_ALL, memory_fields, NULL},
    {"persistence", "Persistence", BY_DEFAULT | IN_ALL, persistence_fields, NULL},
    {"stats", "Stats", BY_DEFAULT | IN_ALL, stats_fields, NULL},
    {"cache", "Cache", BY_DEFAULT | IN_ALL, NULL, each_figure},
    {"replication", "Replication", BY_DEFAULT | IN_ALL, replication_fields, NULL},
    {"cpu", "CPU", BY_DEFAULT | IN_ALL, cpu_fields, NULL},
    {"modules", "Modules", BY_DEFAULT | IN_ALL, NULL, NULL},
    {"commandstats", "Commandstats", IN_ALL, NULL, each_command_stats},
    {"errorstats", "Errorstats", BY_DEFAULT | IN_ALL, NULL, each_error},
    {"latencystats", "Latencystats", IN_ALL, NULL, each_latency},
    {"cluster", "Cluster", BY_DEFAULT | IN_ALL, cluster_fields, NULL},
    {"keyspace", "Keyspace", BY_DEFAULT | IN_ALL, NULL, each_database},
};

enum { SECTIONS = sizeof sections / sizeof sections[0] };

static void put_field(struct info *i, const struct field *f) {
    if (!f->name) { /* whole lines of its own */
        f->write(i);
        return;
    }
    buf_puts(i->out, f->name);
    buf_puts(i->out, ":");
    switch (f->kind) {
    case FIELD_TEXT: buf_puts(i->out, f->text); break;
    case FIELD_LANE: put_u64(i, env_lane_stat(i->e, f->offset)); break;
    case FIELD_STORE: put_u64(i, env_store_stat(i->e, f->offset)); break;
    case FIELD_WRITE: f->write(i); break;
    }
    buf_puts(i->out, "\r\n");
}

static void put_section(struct info *i, const struct section *s) {
    if (i->out->n) buf_puts(i->out, "\r\n");
    buf_printf(i->out, "# %s\r\n", s->title);
    for (const struct field *f = s->fields; f && (f->name || f->write); f++) put_field(i, f);
    if (s->each) s->each(i);
}

/* Which sections the words ask for, as bits; words that name none ask for nothing. */
static unsigned asked(const struct call *c) {
    unsigned bits = 0;
    for (int arg = 1; arg < c->argc || arg == 1; arg++) {
        bool usual = c->argc == 1 || call_is(c, arg, "default");
        bool all = c->argc > 1 && (call_is(c, arg, "all") || call_is(c, arg, "everything"));
        for (unsigned s = 0; s < SECTIONS; s++)
            if ((usual && sections[s].when & BY_DEFAULT) || (all && sections[s].when & IN_ALL) ||
                (c->argc > 1 && call_is(c, arg, sections[s].name)))
                bits |= 1u << s;
    }
    return bits;
}

void info_run(struct call *c) {
    struct buf out;
    struct info i = {.e = call_env(c), .out = &out};
    unsigned bits = asked(c);
    buf_init(&out, MEM_CLIENT);
    for (unsigned s = 0; s < SECTIONS; s++)
        if (bits & 1u << s) put_section(&i, &sections[s]);
    buf_cstr(&out); /* bytes to point at, even if there is nothing to say */
    resp_verbatim(c->w, "txt", buf_slice(&out));
    buf_free(&out);
}
