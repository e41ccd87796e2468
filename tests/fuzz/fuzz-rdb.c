/* Whole RDB files on any bytes: what is accepted is sound, what is not has a reason, and nothing large is allocated for a number. */
#include "sound.h"

#include "snapshot/rdb_file.h"

#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_MOST ((uint64_t)64 << 20)

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
    struct rdb_file *f = rdb_file_new(fd, &(struct rdb_file_options){.limits = &limits, .seed = 42, .now = NOW, .refuse = size % 8 == 7});
    while ((st = rdb_file_next(f, &r, &total)) <= RDB_FILE_LARGE) {
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
