#include "command/notify.h"

#include "command/pubsub.h"
#include "command/topic.h"

struct notices {
    struct lock lock;    /* a small one: taken under the shards' */
    struct buf queue;    /* of struct notice, each with its key behind it */
    struct lock telling; /* one thread at a time, or the order would be lost; no shard's lock is held by who takes it */
};

struct notice {
    const char *event;
    size_t key;
    unsigned db;
};

struct notices *notices_new(void) {
    struct notices *n = mem_zalloc(MEM_MISC, sizeof *n);
    buf_init(&n->queue, MEM_CLIENT);
    return n;
}

void notices_free(struct notices *n) {
    if (!n) return;
    buf_free(&n->queue);
    mem_free(MEM_MISC, n);
}

int64_t notify_class(enum value_type t) {
    static const int64_t class[] = {[VALUE_STRING] = EVENT_STRING, [VALUE_LIST] = EVENT_LIST, [VALUE_SET] = EVENT_SET,
        [VALUE_ZSET] = EVENT_ZSET, [VALUE_HASH] = EVENT_HASH, [VALUE_STREAM] = EVENT_STREAM};
    return class[t];
}

void notify_note(struct lane *l, const char *event, unsigned db, struct slice key) {
    struct env *e = l->env;
    struct notices *n = e->notices;
    struct notice head = {event, key.n, db};
    if (!topic_count(e, TOPIC_CHANNEL) && !topic_count(e, TOPIC_PATTERN)) return; /* nobody would hear it */
    lock_acquire(&n->lock);
    buf_put(&n->queue, &head, sizeof head);
    if (key.n) buf_put(&n->queue, key.p, key.n);
    lock_release(&n->lock);
    l->noticed = l->unsettled = true;
}

static void publish(struct lane *l, struct buf *channel, const char *kind, unsigned db, struct slice name, struct slice text) {
    channel->n = 0;
    buf_printf(channel, "__key%s@%u__:", kind, db);
    if (name.n) buf_put(channel, name.p, name.n);
    pubsub_publish(l, false, buf_slice(channel), text);
}

static void publish_all(struct lane *l, const struct buf *queue) {
    struct buf channel;
    struct notice n;
    int64_t classes = option_get(&l->env->config.notify_events);
    buf_init(&channel, MEM_CLIENT);
    for (size_t at = 0; at < queue->n; at += sizeof n + n.key) {
        memcpy(&n, queue->p + at, sizeof n);
        struct slice key = {queue->p + at + sizeof n, n.key}, event = slice_of(n.event);
        counter_add(&l->events, 1);
        if (classes & EVENT_KEYSPACE) publish(l, &channel, "space", n.db, key, event);
        if (classes & EVENT_KEYEVENT) publish(l, &channel, "event", n.db, event, key);
    }
    buf_free(&channel);
}

void notify_publish(struct lane *l) {
    struct notices *n = l->env->notices;
    if (!l->noticed) return;
    l->noticed = false;
    lock_acquire(&n->telling);
    lock_acquire(&n->lock);
    struct buf queue = n->queue;
    buf_init(&n->queue, MEM_CLIENT);
    lock_release(&n->lock);
    publish_all(l, &queue); /* nothing, if another thread came first: then it is published by now */
    lock_release(&n->telling);
    buf_free(&queue);
}
