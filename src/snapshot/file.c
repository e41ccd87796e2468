#include "snapshot/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNC_EVERY ((uint64_t)8 << 20)
#define TRIES 1000

struct file {
    int fd;
    uint64_t size, asked; /* asked: up to where the kernel was asked to write */
    char *path, *temp;
};

static char *joined(const char *path, unsigned number) {
    struct buf b = {0};
    buf_printf(&b, "%s.tmp-%ld-%u", path, (long)getpid(), number);
    buf_cstr(&b);
    return b.p;
}

static void file_free(struct file *f) {
    int error = errno;
    if (f->fd >= 0) close(f->fd);
    mem_free(MEM_MISC, f->path);
    mem_free(MEM_MISC, f->temp);
    mem_free(MEM_MISC, f);
    errno = error;
}

struct file *file_create(const char *path) {
    struct file *f = mem_zalloc(MEM_MISC, sizeof *f);
    f->fd = -1;
    f->path = mem_strdup(MEM_MISC, path);
    for (unsigned i = 0; i < TRIES; i++) {
        f->temp = joined(path, i);
        f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (f->fd >= 0) return f;
        if (errno != EEXIST) break;
        mem_free(MEM_MISC, f->temp);
        f->temp = NULL;
    }
    file_free(f);
    return NULL;
}

/* Whose temporary file of `name` is this? 0: it is none. */
static long owner_of(const char *file, const char *name) {
    size_t n = strlen(name);
    if (strncmp(file, name, n) || strncmp(file + n, ".tmp-", 5)) return 0;
    char *end;
    long pid = strtol(file + n + 5, &end, 10);
    return *end == '-' && pid > 0 ? pid : 0;
}

void file_sweep(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *folder = slash ? mem_strdup(MEM_MISC, path) : mem_strdup(MEM_MISC, ".");
    if (slash) folder[slash == path ? 1 : slash - path] = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        long pid = owner_of(e->d_name, name);
        if (pid && (pid == (long)getpid() || (kill((pid_t)pid, 0) && errno == ESRCH))) unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d) closedir(d);
    mem_free(MEM_MISC, folder);
}

bool file_write(void *file, const void *p, size_t n) {
    struct file *f = file;
    for (const char *at = p; n;) {
        ssize_t k = write(f->fd, at, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) {
            if (!k) errno = EIO;
            return false;
        }
        at += k;
        n -= (size_t)k;
        f->size += (uint64_t)k;
    }
    if (f->size - f->asked < SYNC_EVERY) return true;
    sync_file_range(f->fd, (off64_t)f->asked, (off64_t)(f->size - f->asked), SYNC_FILE_RANGE_WRITE);
    f->asked = f->size;
    return true;
}

uint64_t file_size(const struct file *f) { return f->size; }

static int open_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? mem_strdup(MEM_MISC, path) : mem_strdup(MEM_MISC, ".");
    if (slash) folder[slash == path ? 1 : slash - path] = 0;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mem_free(MEM_MISC, folder);
    return fd;
}

/* Some file systems cannot, and say so. */
static bool sync_folder(int fd) { return !fsync(fd) || errno == EINVAL; }

/* Where there are no links it is moved, and there is nothing at `path` until the new one is put there. */
static bool link_or_move(const char *path, const char *name) {
    if (!link(path, name)) return true;
    return (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS) && !renameat2(AT_FDCWD, path, AT_FDCWD, name, RENAME_NOREPLACE);
}

bool file_keep(const char *path, struct buf *name) {
    struct stat old, st;
    if (stat(path, &old)) return errno == ENOENT;
    for (unsigned i = 1; i < TRIES; i++) {
        name->n = 0;
        buf_printf(name, i == 1 ? "%s.cancelled" : "%s.cancelled-%u", path, i);
        if (link_or_move(path, buf_cstr(name))) return true;
        if (errno != EEXIST) return false;
        if (!stat(buf_cstr(name), &st) && st.st_dev == old.st_dev && st.st_ino == old.st_ino) return true; /* by a save that failed */
    }
    return false;
}

/* All that can fail comes before the rename, but for the folder's sync: then the new file stands, and after a crash either may. */
bool file_commit(struct file *f) {
    int fd = f->fd, folder = fsync(fd) ? -1 : open_folder(f->path);
    int error = errno;
    bool ok = folder >= 0;
    f->fd = -1;
    if (close(fd) && ok) {
        error = errno;
        ok = false;
    }
    if (ok && rename(f->temp, f->path)) {
        error = errno;
        ok = false;
    }
    if (!ok) {
        file_abandon(f);
    } else {
        ok = sync_folder(folder);
        error = errno;
        file_free(f);
    }
    if (folder >= 0) close(folder);
    errno = error;
    return ok;
}

void file_abandon(struct file *f) {
    if (!f) return;
    int error = errno;
    if (f->temp) unlink(f->temp);
    errno = error;
    file_free(f);
}
