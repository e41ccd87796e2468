/* larder-snap: looks at snapshots, larder's own and RDB files, and turns one into the other: see larder-snap(1). */

#include "base/clock.h"
#include "base/match.h"
#include "base/num.h"
#include "inspect.h"
#include "json.h"
#include "snapshot/file.h"
#include "snapshot/image_writer.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: larder-snap inspect [--match PATTERN] [--db N] [--top N] [--json] FILE\n"
    "       larder-snap verify [--json] FILE\n"
    "       larder-snap convert [--match PATTERN] [--db N] [--format native|rdb] [--rdb-version 10|12] [--expired] FROM TO\n"
    "       larder-snap --help | --version\n"
    "FILE and FROM: a snapshot of larder's, or an RDB file of Redis's or Valkey's. Without --format, TO is an RDB file if its\n"
    "name ends in .rdb. What is damaged is left out, said, and the exit status is 1.\n";

struct wish {
    struct slice match;
    int64_t db, top, rdb_version;
    const char *format;
    bool expired, json;
};

static bool wanted(const struct wish *o, const struct record *r) {
    if (o->db >= 0 && r->db != (uint64_t)o->db) return false;
    return !o->match.n || slice_equal(o->match, SLICE("*")) || match_glob(o->match, r->key);
}

static bool whole(const struct source *s) {
    const struct image_about *a = s->rdb ? NULL : image_reader_about(s->reader);
    return !s->why.n && (!a || (a->whole && !a->lost && !a->broken && !s->damaged));
}

/* What there was besides records. */
static void report(struct source *s, FILE *to) {
    if (s->rdb) {
        const struct rdb_file_about *a = rdb_file_about(s->rdb);
        fprintf(to, "%s RDB file, version %u, written by %s; passed by: %" PRIu64 " streams, %" PRIu64 " modules' values, %" PRIu64
            " modules' data, %" PRIu64 " functions\n",
            a->valkey ? "Valkey's" : "an", a->version, a->server[0] ? a->server : "an unknown version", a->streams, a->modules,
            a->module_data, a->functions);
    } else {
        const struct image_about *a = image_reader_about(s->reader);
        fprintf(to, "a native file, version %u.%u, %" PRIu64 " blocks, %" PRIu64 " records; %" PRIu64 " blocks of kinds not known\n",
            a->head.major, a->head.minor, a->blocks, a->records, a->unknown);
        if (!a->whole || a->lost || a->broken || s->damaged)
            fprintf(to, "DAMAGED: %s; %" PRIu64 " bytes belong to no block, %" PRIu64 " large values lack pieces, %" PRIu64 " blocks are damaged\n",
                a->whole ? "the index is right" : "the index is missing or damaged", a->lost, a->broken, s->damaged);
    }
    if (s->why.n) fprintf(to, "DAMAGED: %s\n", buf_cstr(&s->why));
}

static void report_native(const struct source *s, struct json *j) {
    const struct image_about *a = image_reader_about(s->reader);
    json_number(j, "version", a->head.major);
    json_number(j, "minor", a->head.minor);
    json_number(j, "blocks", a->blocks);
    json_number(j, "unknown_blocks", a->unknown);
    json_bool(j, "index", a->whole);
    json_number(j, "lost_bytes", a->lost);
    json_number(j, "broken_values", a->broken);
    json_number(j, "damaged_blocks", s->damaged);
}

static void report_rdb(const struct source *s, struct json *j) {
    const struct rdb_file_about *a = rdb_file_about(s->rdb);
    json_number(j, "version", a->version);
    json_bool(j, "valkey", a->valkey);
    json_text(j, "written_by", slice_of(a->server));
    json_open(j, "passed_by", '{');
    json_number(j, "streams", a->streams);
    json_number(j, "module_values", a->modules);
    json_number(j, "module_data", a->module_data);
    json_number(j, "functions", a->functions);
    json_close(j, '}');
}

/* The same as an object, which begins with whether all is right. */
static void report_json(struct source *s, struct inspect *p, const struct wish *o, bool right, bool verify) {
    struct json j = {.to = stdout};
    json_open(&j, NULL, '{');
    json_text(&j, "file", slice_of(s->path));
    json_bool(&j, "right", right);
    json_text(&j, "error", buf_slice(&s->why));
    json_text(&j, "format", slice_of(s->rdb ? "rdb" : "native"));
    json_number(&j, "size", s->file);
    if (s->rdb) report_rdb(s, &j);
    else report_native(s, &j);
    json_number(&j, "keys", inspect_keys(p));
    if (!verify) inspect_json(p, &j, (unsigned)o->top);
    json_close(&j, '}');
    puts("");
}

static int look(const char *path, const struct wish *o, bool verify) {
    struct source s;
    struct record r;
    if (!source_open(&s, path)) return 1;
    struct inspect *p = inspect_new(s.now);
    while (source_next(&s, &r))
        if (wanted(o, &r)) inspect_add(p, &r);
    if (s.bar) fputs("\r\033[K", stderr);
    int status = whole(&s) ? 0 : 1;
    if (o->json) {
        report_json(&s, p, o, !status, verify);
    } else {
        report(&s, stdout);
        if (verify) printf("%s: %" PRIu64 " keys, %s\n", path, inspect_keys(p), status ? "not all right" : "all right");
        else inspect_print(p, (unsigned)o->top);
    }
    inspect_free(p);
    source_close(&s);
    return status;
}

/* -- convert ---------------------------------------------------------------------------------------------------------------------- */

static enum image_status put(struct image_writer *w, struct tray *t, const struct record *r) {
    if (!record_large(r)) return tray_put(t, r) ? image_writer_flush(w) : IMAGE_OK;
    enum image_status st = image_writer_flush(w);
    if (!st) st = image_writer_large(w, r);
    while (st == IMAGE_MORE) st = image_writer_step(w);
    return st;
}

static enum image_format format_of(const struct wish *o, const char *to) {
    size_t n = strlen(to);
    bool rdb = o->format ? !strcmp(o->format, "rdb") : n > 4 && !strcmp(to + n - 4, ".rdb");
    return rdb ? IMAGE_RDB : IMAGE_NATIVE;
}

/* Somebody wants it to end; no temporary file is to stay. */
static bool interrupted(void) {
    sigset_t set;
    return !sigpending(&set) && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) || sigismember(&set, SIGHUP));
}

static void hold_signals(int how) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(how, &set, NULL);
}

/* Where the new file is to stand: what a link leads to. A device is not replaced by a file. NULL: said. To be freed. */
static char *place_of(const char *to) {
    struct stat st;
    if (lstat(to, &st)) return strdup(to); /* whether it can be made is seen then */
    char *place = realpath(to, NULL);
    if (place && !stat(place, &st) && S_ISREG(st.st_mode)) return place;
    fprintf(stderr, "larder-snap: %s: %s\n", to, place ? "not a regular file" : strerror(errno));
    free(place);
    return NULL;
}

static enum image_status copy(struct source *s, struct image_writer *w, const struct wish *o) {
    struct tray *t = image_writer_tray(w);
    struct record r;
    enum image_status st = IMAGE_OK;
    for (uint64_t n = 0; !st && source_next(s, &r); n++) {
        if (n % 1024 == 0 && interrupted()) {
            errno = EINTR;
            return IMAGE_FAILED;
        }
        bool over = !o->expired && r.deadline && r.deadline <= s->now;
        if (!over && wanted(o, &r)) st = put(w, t, &r);
    }
    if (!st) st = image_writer_finish(w);
    if (st) errno = image_writer_errno(w);
    return st;
}

static int convert_to(const char *from, const char *to, const struct wish *o) {
    struct source s;
    if (!source_open(&s, from)) return 1;
    hold_signals(SIG_BLOCK);
    file_sweep(to); /* what a conversion left that was killed */
    struct file *f = file_create(to);
    struct image_options options = {.format = format_of(o, to), .compress = true, .checksum = true, .limits = &s.limits, .seed = 1,
        .now = s.now, .rdb_version = (unsigned)o->rdb_version, .sink = file_write, .arg = f};
    struct image_writer *w = f ? image_writer_new(&options) : NULL;
    enum image_status st = f ? copy(&s, w, o) : IMAGE_FAILED;
    if (s.bar) fputs("\r\033[K", stderr);
    int status = 1;
    if (st || !file_commit(f)) {
        fprintf(stderr, "larder-snap: %s: %s\n", to, strerror(errno));
        if (st) file_abandon(f);
    } else {
        status = whole(&s) ? 0 : 1;
        report(&s, stderr);
        printf("%s: %" PRIu64 " keys, %" PRIu64 " bytes\n", to, image_writer_facts(w).records, image_writer_facts(w).written);
    }
    image_writer_free(w);
    source_close(&s);
    hold_signals(SIG_UNBLOCK); /* who was interrupted ends of it */
    return status;
}

static int convert(const char *from, const char *to, const struct wish *o) {
    char *place = place_of(to);
    int status = place ? convert_to(from, place, o) : 1;
    free(place);
    return status;
}

/* -- command line --------------------------------------------------------------------------------------------------------------------- */

static int wrong(const char *what) {
    fprintf(stderr, "larder-snap: %s\n%s", what, usage);
    return 2;
}

static int wrong_value(const char *word) {
    fprintf(stderr, "larder-snap: %s: not a value of that option\n%s", word, usage);
    return 2;
}

/* Whoever reads the output must get all of it. */
static int said(int status) {
    if (!fflush(stdout) && !ferror(stdout)) return status;
    fprintf(stderr, "larder-snap: standard output: %s\n", strerror(errno));
    return 1;
}

static bool number(const char *text, int64_t least, int64_t most, int64_t *out) {
    return num_i64(slice_of(text), out) && *out >= least && *out <= most;
}

int main(int argc, char **argv) {
    static const struct option names[] = {{"match", 1, NULL, 'm'}, {"db", 1, NULL, 'd'}, {"top", 1, NULL, 't'}, {"format", 1, NULL, 'f'},
        {"rdb-version", 1, NULL, 'r'}, {"expired", 0, NULL, 'e'}, {"json", 0, NULL, 'j'},
        {"help", 0, NULL, 'h'}, {"version", 0, NULL, 'v'}, {0}};
    struct wish o = {.db = -1, .top = 10};
    clock_start();
    signal(SIGXFSZ, SIG_IGN); /* it is told as an error of writing */
    for (int c; (c = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        bool right = true;
        switch (c) {
        case 'm': o.match = slice_of(optarg); break;
        case 'd': right = number(optarg, 0, INT32_MAX, &o.db); break;
        case 't': right = number(optarg, 1, 100, &o.top); break;
        case 'r': right = number(optarg, RDB_VERSION, RDB_VERSION_FIELDS, &o.rdb_version) && o.rdb_version != 11; break;
        case 'f':
            o.format = optarg;
            right = !strcmp(optarg, "native") || !strcmp(optarg, "rdb");
            break;
        case 'e': o.expired = true; break;
        case 'j': o.json = true; break;
        case 'h': return fputs(usage, stdout) < 0;
        case 'v': return printf("larder-snap %s\n", PACKAGE_VERSION) < 0;
        default: return wrong("unknown option");
        }
        if (!right) return wrong_value(argv[optind - 1]);
    }
    argc -= optind;
    argv += optind;
    if (argc == 2 && !strcmp(argv[0], "inspect")) return said(look(argv[1], &o, false));
    if (argc == 2 && !strcmp(argv[0], "verify")) return said(look(argv[1], &o, true));
    if (argc == 3 && !strcmp(argv[0], "convert")) return said(convert(argv[1], argv[2], &o));
    return wrong("what is to be done?");
}
