#include "command/push.h"

static bool is_silent(const struct session *s) { return s->replies_off || s->reply_skip; }

struct resp_writer push_begin(struct session *s) {
    bool wait = s->mid_reply || s->aside || (s->lane->running == s && is_silent(s));
    if (!wait) return s->writer;
    if (!s->aside) {
        s->aside = mem_alloc(MEM_CLIENT, sizeof *s->aside);
        chain_init(s->aside, &s->lane->pool);
    }
    return (struct resp_writer){s->aside, s->writer.proto};
}

void push_end(struct session *s) {
    if (s->lane->running != s && !s->closing) s->lane->env->host->flush(s);
}

void push_settle(struct session *s) {
    if (!s->aside) return;
    chain_join(&s->out, s->aside);
    push_drop(s);
    push_end(s);
}

void push_drop(struct session *s) {
    if (!s->aside) return;
    chain_free(s->aside);
    mem_free(MEM_CLIENT, s->aside);
    s->aside = NULL;
}
