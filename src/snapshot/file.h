/* file: a file that appears whole or not at all: written under another name in the same folder, synced, renamed, the folder synced.
 *
 * Thread rule: one thread at a time. The holder owns it and ends it with file_commit or file_abandon.
 */
#ifndef LARDER_SNAPSHOT_FILE_H
#define LARDER_SNAPSHOT_FILE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file;

/* Removes what processes that are no more, or this one, have left beside `path` when they came to a sudden end. Nothing is being
 * written to it. */
void file_sweep(const char *path);
/* Begins `path`.tmp-PID-NUMBER beside path, readable by its owner and group as the umask says. NULL: see errno. */
struct file *file_create(const char *path);
/* An image_sink; asks the kernel to write every few MB, so that the sync at the end is short. */
bool file_write(void *file, const void *p, size_t n);
uint64_t file_size(const struct file *f);
/* True: the file stands under its name, on disk. False, with errno: the old one, if there is any, stands as it did, unless it was the
 * folder that could not be synced: then the new one stands, but may not after a crash. Frees f. */
bool file_commit(struct file *f);
/* What stands at `path`, if anything, gets a second name beside it, under which it outlives what takes its place: `path`.cancelled, or with
 * -2 and so on behind it; *name: which. False: see errno. */
bool file_keep(const char *path, struct buf *name);
void file_abandon(struct file *f); /* removes what was written; frees f. NULL: nothing */

#endif
