#include "command/monitor.h"

#include "base/clock.h"
#include "command/admin.h"
#include "command/redact.h"

#include <assert.h>

#define BOX_MAX ((size_t)64 << 20) /* bytes that may wait for a lane whose thread is busy */

/* A lane's box of lines. Whoever puts the first line in posts a job to the lane, which gives all of them to
 * its monitors: one post for many lines. */
struct monitor_box {
    struct lock lock;
    struct buf lines;
    bool posted, overflowed;
    _Atomic unsigned monitors; /* sessions of the lane that run MONITOR: counted by its thread, read by all */
};

struct monitor_box *monitor_box_new(void) {
    struct monitor_box *b = mem_zalloc(MEM_MISC, sizeof *b);
    buf_init(&b->lines, MEM_CLIENT);
    return b;
}

void monitor_box_free(struct monitor_box *b) {
    buf_free(&b->lines);
    mem_free(MEM_MISC, b);
}

/* -- the lane's side --------------------------------------------------------------------------------- */

static void give(struct session *s, const struct buf *lines, bool overflowed) {
    struct host *host = s->lane->env->host;
    if (!s->monitor || s->closing) return;
    if (overflowed) { /* lines are missing: better no monitor than one that hides commands */
        s->closing = true;
        host->close(s, false);
        return;
    }
    if (s->replies_off) return;
    chain_put(&s->out, lines->p, lines->n);
    host->flush(s);
}

static void empty_box(struct lane *l) {
    struct monitor_box *b = l->monitor;
    lock_acquire(&b->lock);
    struct buf lines = b->lines;
    bool overflowed = b->overflowed;
    buf_init(&b->lines, MEM_CLIENT);
    b->overflowed = false;
    lock_release(&b->lock);
    if (lines.n || overflowed)
        for (struct session *s = l->sessions; s; s = s->next) give(s, &lines, overflowed);
    buf_free(&lines);
}

static void deliver(struct lane *l, void *arg) {
    struct monitor_box *b = arg;
    lock_acquire(&b->lock);
    b->posted = false;
    lock_release(&b->lock);
    empty_box(l);
}

/* A second MONITOR has no reply, as in Redis. */
void monitor_run(struct call *c) {
    struct session *s = c->s;
    if (s->monitor) return;
    empty_box(s->lane); /* what was executed before is not for it */
    s->monitor = true;
    atomic_fetch_add(&s->lane->monitor->monitors, 1);
    atomic_fetch_add(&call_env(c)->config.monitor_any, 1);
    resp_ok(c->w);
}

void monitor_end(struct session *s) {
    assert(s->monitor);
    s->monitor = false;
    atomic_fetch_sub(&s->lane->monitor->monitors, 1);
    atomic_fetch_sub(&s->lane->env->config.monitor_any, 1);
}

/* -- the side of who executes ------------------------------------------------------------------------ */

static void put_byte(struct buf *out, unsigned char b) {
    static const char named[] = "\a\b\t\n\r", letter[] = "abtnr";
    const char *at = b ? strchr(named, b) : NULL;
    if (b == '"' || b == '\\')
        buf_printf(out, "\\%c", b);
    else if (at)
        buf_printf(out, "\\%c", letter[at - named]);
    else
        buf_printf(out, "\\x%02x", b);
}

static void put_quoted(struct buf *out, struct slice word) {
    buf_puts(out, " \"");
    for (size_t i = 0, plain = 0; i <= word.n; i++) {
        bool end = i == word.n;
        if (!end && word.p[i] >= ' ' && word.p[i] <= '~' && word.p[i] != '"' && word.p[i] != '\\') continue;
        buf_put(out, word.p + plain, i - plain);
        plain = i + 1;
        if (!end) put_byte(out, (unsigned char)word.p[i]);
    }
    buf_puts(out, "\"");
}

static void put_origin(struct buf *out, const struct session *s) {
    size_t n = strlen(s->address);
    if (s->unix_socket) {
        if (n > 2 && !strcmp(s->address + n - 2, ":0")) n -= 2;
        buf_puts(out, "unix:");
    }
    buf_put(out, s->address, n);
}

static void put_line(struct buf *out, const struct session *from, const struct slice *argv, int argc) {
    int64_t now = clock_us();
    bool secrets = redact_applies(argv, argc);
    buf_printf(out, "+%lld.%06lld [%u ", (long long)(now / 1000000), (long long)(now % 1000000), from->db);
    put_origin(out, from);
    buf_puts(out, "]");
    for (int i = 0; i < argc; i++)
        put_quoted(out, secrets && redact_hides(from->lane->env, argv, argc, i) ? SLICE(REDACTED) : argv[i]);
    buf_puts(out, "\r\n");
}

/* True if the lane has to be told that there are lines. */
static bool box_add(struct monitor_box *b, struct slice line) {
    lock_acquire(&b->lock);
    if (b->lines.n + line.n > BOX_MAX && b->lines.n)
        b->overflowed = true;
    else
        buf_put(&b->lines, line.p, line.n);
    bool tell = !b->posted;
    b->posted = true;
    lock_release(&b->lock);
    return tell;
}

void monitor_feed(struct session *from, const struct slice *argv, int argc) {
    struct env *e = from->lane->env;
    struct buf line;
    buf_init(&line, MEM_CLIENT);
    put_line(&line, from, argv, argc);
    for (unsigned i = 0; i < e->lanes; i++) {
        struct monitor_box *b = e->lane[i]->monitor;
        if (atomic_load(&b->monitors) && box_add(b, buf_slice(&line))) e->host->post(e->host, i, deliver, b);
    }
    buf_free(&line);
}
