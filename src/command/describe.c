#include "base/clock.h"
#include "command/session.h"
#include "command/topic.h"
#include "command/tracking.h"

/* As CLIENT LIST writes them. Being parked for a moment, with nothing that CLIENT UNBLOCK could end, is not
 * being blocked. */
static void put_flags(const struct session *s, struct buf *out) {
    size_t before = out->n;
    if (s->monitor) buf_puts(out, "O");
    if (s->attends & (ATTEND_CHANNELS | ATTEND_FEED)) buf_puts(out, "P");
    if (s->task && s->task->unblock) buf_puts(out, "b");
    if (s->attends & ATTEND_TRACKING) buf_puts(out, "t");
    if (s->tracking && s->tracking->broken) buf_puts(out, "R");
    if (s->tracking && s->tracking->bcast) buf_puts(out, "B");
    if (s->closing) buf_puts(out, "c");
    if (s->unix_socket) buf_puts(out, "U");
    if (s->readonly) buf_puts(out, "r");
    if (s->no_evict) buf_puts(out, "e");
    if (s->no_touch) buf_puts(out, "T");
    if (out->n == before) buf_puts(out, "N");
}

/* What waits to be sent: the first chunk stands for Redis's fixed reply buffer, the others for its list. */
struct waiting {
    size_t room, first, chunks, rest;
};

static struct waiting waiting_of(const struct chain *c) {
    struct waiting w = {0};
    if (chain_empty(c)) return w;
    size_t all = chain_size(c), memory = chain_memory(c);
    w.room = c->head->cap;
    w.first = c->head == c->tail ? all : c->head->n - c->sent;
    for (const struct chain_chunk *k = c->head->next; k; k = k->next) w.chunks++;
    size_t head = sizeof *c->head + (c->head->cap ? c->head->cap : c->head->n);
    w.rest = w.chunks && memory > head ? memory - head : 0;
    return w;
}

void session_describe(const struct session *s, struct buf *out) {
    int64_t now = clock_mono_us();
    struct waiting w = waiting_of(&s->out);
    char last[128] = "NULL";
    size_t n = s->last ? command_fullname(s->last, last, sizeof last) : 4;
    buf_printf(out,
        "id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=", (unsigned long long)s->id,
        s->address, s->local_address, s->fd, s->name ? s->name : "",
        (long long)((now - s->born_us) / 1000000), (long long)((now - s->active_us) / 1000000));
    put_flags(s, out);
    buf_printf(out,
        " db=%u sub=%zu psub=%zu ssub=%zu multi=-1 qbuf=%zu qbuf-free=%zu argv-mem=%zu multi-mem=0 rbs=%zu rbp=%zu",
        s->db, topic_seats(s, TOPIC_CHANNEL), topic_seats(s, TOPIC_PATTERN), topic_seats(s, TOPIC_SHARD), s->query_bytes, s->query_room, s->reader.argcap * sizeof *s->reader.argv, w.room, w.first);
    buf_printf(out, " obl=%zu oll=%zu omem=%zu tot-mem=%zu events=%s cmd=%.*s user=default redir=%lld resp=%d",
        w.first, w.chunks, w.rest, session_memory(s), w.first ? "rw" : "r", (int)n, last,
        s->attends & ATTEND_TRACKING ? (long long)s->tracking->redirect : -1ll, s->writer.proto);
    buf_printf(out, " lib-name=%s lib-ver=%s\n", s->lib_name ? s->lib_name : "",
        s->lib_version ? s->lib_version : "");
}
