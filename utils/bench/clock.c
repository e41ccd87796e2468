/* clock: lets a server live through the hours of a trace while it is played to it as fast as it can.
 *
 *   cc -O2 -shared -fPIC -o clock.so clock.c;   LD_PRELOAD=./clock.so LARDER_CLOCK=FILE redis-server ...
 *
 * FILE holds nanoseconds (8 bytes), by which the server's clocks are ahead; replay moves them on. Waiting takes as long as ever. Clocks
 * that tick in seconds, as Redis's for LRU, or in minutes, as those of LFU, would see nothing grow old otherwise.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000000000 };

static const volatile int64_t none, *ahead = &none;

__attribute__((constructor)) static void clock_open(void) {
    const char *path = getenv("LARDER_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *p = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED) ahead = p;
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *t) {
    int failed = (int)syscall(SYS_clock_gettime, id, t);
    if (failed || id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID) return failed;
    int64_t ns = t->tv_nsec + *ahead;
    t->tv_sec += ns / SECOND;
    t->tv_nsec = ns % SECOND;
    return 0;
}

int gettimeofday(struct timeval *restrict v, void *restrict zone) {
    struct timespec t;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    v->tv_sec = t.tv_sec;
    v->tv_usec = t.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}
