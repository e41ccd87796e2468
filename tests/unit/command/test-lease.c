/* A lease whose key changes just when somebody who waits for it looks by himself. */
#include "fixture.h"

#include "store/view.h"

TestSuite(lease, .timeout = 60);

/* Another thread has stored the key, and released its lock; it has not yet told those who wait. */
static void store_untold(struct peer *p, const char *name) {
    struct env *e = fixture_env(p);
    struct key k = store_key(store_seed(e->store), slice_of(name));
    struct view v;
    view_init(&v, e->store, 0, clock_ms(), &e->lane[0]->store_stats);
    store_lock(e->store, store_shard_of(k.hash));
    view_set(&v, &k, SLICE("value"), 0, FORM_AUTO);
    store_unlock(e->store, store_shard_of(k.hash));
}

static void step(struct peer *p) { session_step(&p->session, 250); }

Test(lease, what_was_just_filled_is_not_loaded_once_more) {
    struct peer *p = fixture_open(NULL), *waits = loopback_open(p->net, 0), *behind = loopback_open(p->net, 0);
    cr_assert_eq(strncmp(fixture_say(p, "CACHE FETCH k LEASE 60000\r\n"), "*4\r\n$5\r\nlease\r\n", 15), 0);
    fixture_start(waits, "CACHE FETCH k WAIT 60000\r\n");
    fixture_start(behind, "CACHE FETCH k WAIT 60000\r\n");
    step(waits);
    cr_assert_str_eq(fixture_collect(waits), "");
    store_untold(p, "k");
    step(waits);
    cr_assert_str_eq(fixture_collect(waits), "*4\r\n$3\r\nhit\r\n$5\r\nvalue\r\n:-1\r\n$-1\r\n");
    cr_assert_str_eq(fixture_say(p, "PING\r\n"), "+PONG\r\n"); /* and here those who wait are told */
    cr_assert_str_eq(buf_cstr(&behind->output), "*4\r\n$3\r\nhit\r\n$5\r\nvalue\r\n:-1\r\n$-1\r\n");
    loopback_free(p->net);
}

Test(lease, what_was_just_deleted_is_loaded_by_who_looks) {
    struct peer *p = fixture_open(NULL), *waits = loopback_open(p->net, 0);
    fixture_say(p, "CACHE FETCH k LEASE 60000\r\n");
    fixture_start(waits, "CACHE FETCH k WAIT 60000\r\n");
    store_untold(p, "k");
    struct env *e = fixture_env(p);
    struct key k = store_key(store_seed(e->store), slice_of("k"));
    struct view v;
    view_init(&v, e->store, 0, clock_ms(), &e->lane[0]->store_stats);
    store_lock(e->store, store_shard_of(k.hash));
    cr_assert(view_delete(&v, &k));
    store_unlock(e->store, store_shard_of(k.hash));
    step(waits);
    cr_assert_eq(strncmp(fixture_collect(waits), "*4\r\n$5\r\nlease\r\n", 15), 0);
    loopback_free(p->net);
}
