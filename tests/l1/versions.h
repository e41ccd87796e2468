/* versions: when each version of a key was written, in a file that two processes map: so that the one that reads knows how old what
 * it read is. Thread rule: one writer, any readers. The file is the test's.
 */
#ifndef LARDER_TESTS_VERSIONS_H
#define LARDER_TESTS_VERSIONS_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define VERSIONS_MAX 1000000

struct versions {
    _Atomic int64_t written_us[VERSIONS_MAX + 1]; /* when its write was acknowledged; 0: not yet */
};

static inline int64_t versions_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline struct versions *versions_open(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct versions))) abort();
    struct versions *v = mmap(NULL, sizeof *v, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (v == MAP_FAILED) abort();
    return v;
}

static inline void versions_written(struct versions *v, unsigned long n) { v->written_us[n] = versions_now(); }

/* For how long version n had been replaced at a moment: 0 if it was the newest. */
static inline int64_t versions_age(struct versions *v, unsigned long n, int64_t at) {
    int64_t next = n < VERSIONS_MAX ? v->written_us[n + 1] : 0;
    return next && next < at ? at - next : 0;
}

#endif
