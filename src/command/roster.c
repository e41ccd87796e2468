#include "command/roster.h"

#include <stddef.h>

static struct roster *roster_of(struct task *t) {
    return (struct roster *)(void *)((char *)t - offsetof(struct roster, task));
}

static void roster_look(struct lane *l, void *arg) {
    struct roster *r = arg;
    r->look(r, l);
}

static void roster_done(struct lane *home, void *arg) {
    struct roster *r = arg;
    r->over = true;
    if (r->asker)
        home->env->host->wake(r->asker);
    else
        r->drop(r);
}

static enum task_state roster_step(struct task *t, struct session *s, int64_t slice_us) {
    struct roster *r = roster_of(t);
    (void)slice_us;
    if (!r->over) return TASK_WAIT;
    const char *error = r->answer(r, s);
    if (error) session_error(s, error);
    return TASK_DONE;
}

/* The lanes may still be looking: then roster_done frees it. */
static void roster_drop(struct task *t) {
    struct roster *r = roster_of(t);
    r->asker = NULL;
    if (r->over) r->drop(r);
}

void roster_ask(struct call *c, struct roster *r) {
    struct env *e = call_env(c);
    if (e->lanes > 1) {
        r->asker = c->s;
        r->over = false;
        r->task = (struct task){.step = roster_step, .drop = roster_drop};
        session_park(c->s, &r->task);
        env_visit(e, c->s->lane->index, roster_look, roster_done, r);
        return;
    }
    r->look(r, c->s->lane);
    const char *error = r->answer(r, c->s);
    if (error) reply_error(c, error);
    r->drop(r);
}
