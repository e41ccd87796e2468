/* What clients do from the moment on that a file is added wins, though its thread has not begun; and files that cannot be read. */
#include "base/clock.h"
#include "snapshot/file.h"
#include "snapshot/image_writer.h"
#include "snapshot/warmup.h"
#include "store/view.h"
#include "store/warm.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEYS = 300, ROUNDS = 60 };

static struct store_config config;
static struct store_stats stats;
static struct store *store;
static struct warmup *warmup;
static setting threads = 2, strict;
static char folder[64], path[96];

static struct key key_of(char *text, unsigned n) {
    int len = snprintf(text, 32, "key:%u", n);
    return store_key(store_seed(store), (struct slice){text, (size_t)len});
}

static void write_file(void) {
    struct file *f = file_create(path);
    struct image_options o = {.format = IMAGE_NATIVE, .limits = &config.limits, .now = clock_ms(), .sink = file_write, .arg = f};
    struct image_writer *w = image_writer_new(&o);
    struct tray *t = image_writer_tray(w);
    for (unsigned n = 0; n < KEYS; n++) {
        char text[32];
        struct key k = key_of(text, n);
        tray_put(t, &(struct record){.type = VALUE_STRING, .key = {k.p, k.n}, .string = SLICE("file")});
    }
    cr_assert_eq(image_writer_finish(w), IMAGE_OK);
    image_writer_free(w);
    cr_assert(file_commit(f));
}

static void begin(void) {
    clock_start();
    config = (struct store_config){.policy = POLICY_ALLKEYS_LRU, .threads = 1, .databases = STORE_DATABASES};
    home_limits_default(&config.limits);
    store = store_new(&config);
    warmup = warmup_new(&(struct warmup_config){.store = store, .store_config = &config, .threads = &threads, .strict = &strict});
    strcpy(folder, "/tmp/larder-warmup-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/dump.larder", folder);
    write_file();
}

static void end(void) {
    warmup_free(warmup);
    store_free(store);
    unlink(path);
    cr_assert_eq(rmdir(folder), 0);
}
TestSuite(warmup, .init = begin, .fini = end);

static void add(void) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert(warmup_add(warmup, &(struct warmup_request){.path = path, .fd = fd, .db = -1}));
}

static bool there(unsigned db, unsigned n) {
    char text[32];
    struct key k = key_of(text, n);
    struct view v;
    view_init(&v, store, db, clock_ms(), &stats);
    store_lock(store, store_shard_of(k.hash));
    bool is = view_peek(&v, &k);
    store_unlock(store, store_shard_of(k.hash));
    return is;
}

/* Whether it is in the store already or is still to come, it is gone. */
Test(warmup, a_key_deleted_right_behind_the_beginning_stays_gone) {
    for (unsigned round = 0; round < ROUNDS; round++) {
        char text[32];
        struct key k = key_of(text, round);
        struct view v;
        add();
        bool on = warm_on(store);
        view_init(&v, store, 0, clock_ms(), &stats);
        store_lock(store, store_shard_of(k.hash));
        view_delete(&v, &k);
        store_unlock(store, store_shard_of(k.hash));
        bool over = !warmup_running(warmup);
        warmup_wait(warmup);
        cr_assert(on || over);
        cr_assert(!there(0, round), "round %u", round);
        cr_assert_eq(store_count(store, 0), KEYS - 1);
        store_flush(store, -1, true);
    }
}

Test(warmup, databases_swapped_right_behind_the_beginning_are_swapped_for_the_file_too) {
    for (unsigned round = 0; round < ROUNDS; round++) {
        add();
        store_lock_all(store);
        store_swap(store, 0, 3);
        store_unlock_all(store);
        warmup_wait(warmup);
        cr_assert_eq(store_count(store, 0), 0, "round %u", round);
        cr_assert_eq(store_count(store, 3), KEYS);
        store_flush(store, -1, true);
    }
}

Test(warmup, databases_flushed_right_behind_the_beginning_stay_empty) {
    for (unsigned round = 0; round < ROUNDS; round++) {
        add();
        store_flush(store, 0, true);
        warmup_wait(warmup);
        cr_assert_eq(store_count(store, 0), 0, "round %u", round);
    }
}

Test(warmup, what_cannot_be_opened_is_guarded_as_long_as_it_lies_there) {
    char other[128];
    struct warmup_facts facts;
    cr_assert_null(warmup_guards(warmup, path));
    warmup_unreadable(warmup, path, -1, "for a reason");
    warmup_facts(warmup, &facts);
    cr_assert_eq(facts.state, WARMUP_FAILED);
    cr_assert_str_eq(facts.why, "for a reason");
    cr_assert_not_null(warmup_guards(warmup, path));
    snprintf(other, sizeof other, "%s/other", folder);
    cr_assert_eq(rename(path, other), 0);
    cr_assert_null(warmup_guards(warmup, path));
    cr_assert_not_null(warmup_guards(warmup, other));
    unlink(other);
    warmup_unreadable(warmup, path, -1, "there is none"); /* guards nothing */
    for (int i = 0; i < 10; i++) { /* new files, maybe of the same inode */
        write_file();
        cr_assert_null(warmup_guards(warmup, path));
    }
}
