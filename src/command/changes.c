#include "command/changes.h"

#include "command/feed.h"
#include "command/lease.h"
#include "command/mail.h"
#include "command/stale.h"
#include "command/tracking.h"
#include "command/notify.h"
#include "store/watch.h"

static void flushed(struct env *e, unsigned db) {
    lease_flushed(e, db);
    stale_flush(e, db);
}

/* Says what the store did of itself. False: that is all that there is to it. */
static bool event_is_change(struct lane *l, enum store_event event, unsigned db, const struct key *k, const struct entry *e) {
    struct slice key = {k->p, k->n};
    switch (event) {
    case STORE_BORN:
        if (notify_wants(l, EVENT_NEW)) notify_note(l, "new", db, key);
        return false;
    case STORE_FADED:
        if (notify_wants(l, EVENT_HASH)) notify_note(l, "hexpired", db, key);
        if (!e && notify_wants(l, EVENT_GENERIC)) notify_note(l, "del", db, key);
        return false;
    case STORE_EXPIRED:
        if (notify_wants(l, EVENT_EXPIRED)) notify_note(l, "expired", db, key);
        return true;
    case STORE_EVICTED:
        if (notify_wants(l, EVENT_EVICTED)) notify_note(l, "evicted", db, key);
        return true;
    default:
        return true;
    }
}

/* What somebody besides the feed wants to know, or what is no change of a key that is there. */
static __attribute__((noinline)) void changed_for_others(struct env *env, struct store_stats *stats, enum store_event event, unsigned db,
    const struct key *k, const struct entry *e) {
    if (event == STORE_FLUSHED) flushed(env, db);
    if (event == STORE_FLUSHED || event == STORE_INVALIDATED) return; /* changes_invalidated, with no lock held */
    struct lane *l = lane_of_stats(stats);
    if (!event_is_change(l, event, db, k, e)) return;
    lease_changed(l, db, k);
    if (event == STORE_EXPIRED && entry_stale(e) && entry_type(e) == VALUE_STRING) stale_keep(env, db, k, e);
    else stale_forget(env, db, k);
    tracking_changed(l, k, event == STORE_WRITTEN || event == STORE_DELETED);
    if (feed_on(env->feed)) feed_note_key(l, db, (struct slice){k->p, k->n}, k->hash);
}

static void changed(void *arg, struct store_stats *stats, enum store_event event, unsigned db, const struct key *k, const struct entry *e) {
    struct env *env = arg;
    bool plain = event == STORE_WRITTEN || event == STORE_DELETED;
    if (!plain || atomic_load_explicit(&env->watchers, memory_order_relaxed)) changed_for_others(env, stats, event, db, k, e);
    else if (feed_on(env->feed)) feed_note_key(lane_of_stats(stats), db, (struct slice){k->p, k->n}, k->hash);
}

void changes_watch(struct env *e, int more) {
    atomic_fetch_add(&e->watchers, more);
    store_watch(e->store, more);
}

void changes_open(struct env *e) { store_set_hook(e->store, changed, e); }

void changes_flushed(struct lane *l, unsigned db) {
    lease_settle_all(l);
    tracking_flushed(l);
    if (feed_on(l->env->feed)) feed_note(l, 'f', db, SLICE(""), 0);
}

void changes_invalidated(struct lane *l, unsigned db, const struct slice *pattern, size_t n) {
    for (size_t i = 0; i < n; i++) {
        lease_invalidate(l, db, pattern[i]);
        stale_invalidate(l->env, db, pattern[i]);
        tracking_invalidated(l, pattern[i]);
        if (notify_wants(l, EVENT_GENERIC)) notify_note(l, "invalidate", db, pattern[i]);
        if (feed_on(l->env->feed)) feed_note(l, 'p', db, pattern[i], 0);
    }
}

void changes_settle_now(struct lane *l) {
    while (l->unsettled) {
        l->unsettled = false;
        feed_publish(l);
        lease_settle(l);
        tracking_settle(l);
        notify_publish(l);
        mail_open_own(l);
    }
}
