#include "command/mail.h"

#include <assert.h>

struct mail_list {
    struct letter *first, **last;
};

struct mailbox {
    struct lock lock; /* over `others` and `posted` */
    struct mail_list others, own;
    _Atomic bool posted; /* there may be some of others' */
};

static void list_clear(struct mail_list *l) {
    l->first = NULL;
    l->last = &l->first;
}

struct mailbox *mailbox_new(void) {
    struct mailbox *b = mem_zalloc(MEM_MISC, sizeof *b);
    list_clear(&b->others);
    list_clear(&b->own);
    return b;
}

void mailbox_free(struct mailbox *b) {
    assert(!b->others.first && !b->own.first);
    mem_free(MEM_MISC, b);
}

static void list_put(struct mail_list *l, struct letter *m) {
    m->next = NULL;
    *l->last = m;
    l->last = &m->next;
}

static void open_all(struct lane *l, struct letter *m) {
    for (struct letter *next; m; m = next) {
        next = m->next;
        m->open(l, m);
    }
}

static void deliver(struct lane *l, void *arg) {
    struct mailbox *b = arg;
    lock_acquire(&b->lock);
    struct letter *m = b->others.first;
    list_clear(&b->others);
    b->posted = false;
    lock_release(&b->lock);
    open_all(l, m);
}

/* The job that was posted finds what came later, or nothing. */
void mail_open_arrived(struct lane *l) {
    if (atomic_load(&l->mailbox->posted)) deliver(l, l->mailbox);
}

void mail_open_own(struct lane *l) {
    struct mailbox *b = l->mailbox;
    while (b->own.first) {
        struct letter *m = b->own.first;
        list_clear(&b->own);
        open_all(l, m);
    }
}

void mail_send(struct lane *from, unsigned to, struct letter *m) {
    struct env *e = from->env;
    struct mailbox *b = e->lane[to]->mailbox;
    if (from->index == to) {
        list_put(&b->own, m);
        from->unsettled = true;
        return;
    }
    lock_acquire(&b->lock);
    list_put(&b->others, m);
    bool tell = !b->posted;
    b->posted = true;
    lock_release(&b->lock);
    if (tell) e->host->post(e->host, to, deliver, b);
}
