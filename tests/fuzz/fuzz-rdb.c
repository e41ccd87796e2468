/* Whole RDB files on any bytes: what is accepted is sound, what is not has a reason, and nothing large is allocated for a number. */
#include "sound.h"

#include "snapshot/rdb_file.h"

#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_MOST ((uint64_t)64 << 20)

/* What is not wanted, or has no room, is passed by, and nothing else of the file is taken for it. */
static bool wants(void *arg, struct record *r) {
    (void)arg;
    return !r->key.n || r->key.p[0] & 1;
}

static bool room(void *arg, size_t built, size_t n) { return built + n < *(size_t *)arg; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct type_limits limits;
    struct record r;
    struct slice piece = {NULL, 0};
    uint64_t total = 0;
    enum rdb_file_status st;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0 && (!size || write(fd, data, size) == (ssize_t)size), "no memory file");
    lseek(fd, 0, SEEK_SET);
    home_limits_default(&limits);
    size_t most = size % 8 == 5 ? 20000 : 1 << 20;
    struct rdb_file_options o = {.limits = &limits, .seed = 42, .now = NOW, .refuse = size % 8 == 7, .wants = size % 8 == 6 ? wants : NULL,
        .room = size % 2 ? room : NULL, .arg = &most};
    struct rdb_file *f = rdb_file_new(fd, &o);
    while ((st = rdb_file_next(f, &r, &total)) < RDB_FILE_END) {
        must(st != RDB_FILE_PASSED || o.wants || o.room, "a record was passed by");
        if (st == RDB_FILE_PASSED) continue;
        if (st == RDB_FILE_LARGE)
            while (!rdb_file_more(f, &piece)) must(piece.n, "an empty piece");
        else if (r.home) {
            const char *wrong = check(r.type, r.home);
            must(!wrong, wrong);
        }
        must(mem_used(MEM_UPKEEP) + mem_used(MEM_CLIENT) < MEMORY_MOST, "much memory for a small file");
    }
    must(st == RDB_FILE_END || rdb_file_why(f)[0], "no reason");
    must(rdb_file_offset(f) <= size, "read beyond the end");
    rdb_file_free(f);
    close(fd);
    return 0;
}
