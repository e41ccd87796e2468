/* faults: preloaded into a daemon, makes calls about snapshot files fail as a broken disk would: see test_faults.py.
 *
 * LARDER_FAULTS names a file that both map: for each kind of call a count and an errno. 0: nothing fails; n: the nth one from now on,
 * and all behind it until the count is 0 again. HOLD does not fail: such a read waits until the count is 0. Only files whose name has "dump." in it are meant, and their folder.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { CREATE, WRITE, SHORT_WRITE, SYNC, CLOSE, RENAME, OPEN_FOLDER, SYNC_FOLDER, READ, HOLD, LINK, KINDS };

struct fault {
    _Atomic int count, error;
    _Atomic int failed; /* how many did */
};

static struct fault *fault;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("LARDER_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, KINDS * sizeof *fault, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        fputs("faults: there is no LARDER_FAULTS to be mapped\n", stderr);
        _exit(3);
    }
    close(fd);
    fault = p;
}

static int armed(enum kind k) { return fault && atomic_load(&fault[k].count); }

static int fails(enum kind k) {
    int n = atomic_load(&fault[k].count);
    if (n > 1 && atomic_compare_exchange_strong(&fault[k].count, &n, n - 1)) return 0;
    if (!n) return 0;
    atomic_fetch_add(&fault[k].failed, 1);
    errno = atomic_load(&fault[k].error);
    return 1;
}

static int about_a_dump(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return strstr(path, "dump.") != NULL;
}

static int is_folder(int fd) {
    struct stat st;
    return !fstat(fd, &st) && S_ISDIR(st.st_mode);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opens(const char *path, int flags, mode_t mode) {
    if (armed(CREATE) && (flags & O_CREAT) && strstr(path, "dump.") && fails(CREATE)) return -1;
    if (armed(OPEN_FOLDER) && (flags & O_DIRECTORY) && fails(OPEN_FOLDER)) return -1;
    return NEXT(openat)(AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return opens(path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

ssize_t write(int fd, const void *p, size_t n) {
    if (armed(WRITE) && about_a_dump(fd) && fails(WRITE)) return -1;
    if (armed(SHORT_WRITE) && n > 1 && about_a_dump(fd) && fails(SHORT_WRITE)) n /= 2;
    return NEXT(write)(fd, p, n);
}

int fsync(int fd) {
    if (armed(SYNC) && about_a_dump(fd) && !is_folder(fd) && fails(SYNC)) return -1;
    if (armed(SYNC_FOLDER) && is_folder(fd) && fails(SYNC_FOLDER)) return -1;
    return NEXT(fsync)(fd);
}

int close(int fd) {
    int wrong = armed(CLOSE) && about_a_dump(fd) && fails(CLOSE), error = errno, r = NEXT(close)(fd);
    if (wrong) errno = error;
    return wrong ? -1 : r;
}

int link(const char *from, const char *to) {
    if (armed(LINK) && strstr(from, "dump.") && fails(LINK)) return -1;
    return NEXT(link)(from, to);
}

int rename(const char *from, const char *to) {
    if (armed(RENAME) && strstr(to, "dump.") && fails(RENAME)) return -1;
    return NEXT(rename)(from, to);
}

static void held(int fd) {
    if (!armed(HOLD) || !about_a_dump(fd) || !fails(HOLD)) return;
    while (armed(HOLD)) usleep(1000);
}

ssize_t pread(int fd, void *p, size_t n, off_t at) {
    held(fd);
    if (armed(READ) && about_a_dump(fd) && fails(READ)) return -1;
    return NEXT(pread)(fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off64_t at) {
    held(fd);
    if (armed(READ) && about_a_dump(fd) && fails(READ)) return -1;
    return NEXT(pread64)(fd, p, n, at);
}

ssize_t read(int fd, void *p, size_t n) {
    held(fd);
    if (armed(READ) && about_a_dump(fd) && fails(READ)) return -1;
    return NEXT(read)(fd, p, n);
}
