/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes by name, in one directory on disk, for later runs: the supervisor's, which keeps them for others and looks
 * into none. What it says is there may be damaged, old or nonsense: who reads it checks it.
 *
 *	DIR/NAME.slowburn-index		an entry; replaced whole, by rename
 *	DIR/NUMBER.slowburn-writing	one that is being written, under a lock on DIR: without the lock it is a leftover
 *
 * Never more than `max_bytes` and CACHE_MAX_ENTRIES: those not used for longest go first, before what is new is
 * written. The time of last access says when one was used; it is set here, whatever the file system does. An
 * entry that was made more than CACHE_MAX_AGE_S ago is none any more. Files with other names are left alone. Several
 * processes may have the same directory. One thread.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include <stdint.h>

#include "profiler/base/err.h"

#define CACHE_MAX_NAME_BYTES 240u /* without NUL; letters, digits and any of "-+.~_" */
#define CACHE_MAX_ENTRIES 4096u
#define CACHE_MAX_ENTRY_BYTES (128ull << 20)
#define CACHE_DEFAULT_BYTES (512ull << 20)
#define CACHE_LEAST_BYTES (1ull << 20)
#define CACHE_MAX_AGE_S (30 * 24 * 3600)
/* For the lock, and for writing: a disk that is slower is not worth it. */
#define CACHE_LOCK_PATIENCE_NS (100000000ull)
#define CACHE_WRITE_PATIENCE_NS (800000000ull)

struct cache;

/*
 * Opens the directory, and makes it, mode 0700, if only its last component is missing. -ENOTDIR: it is a link or no
 * directory; -EPERM: it is not ours, or others may write to it; -EXDEV: on a file system that may never answer; another
 * negative errno; and a sentence.
 */
int cache_open(struct cache **ret, const char *path, uint64_t max_bytes, struct err *err);
void cache_free(struct cache *c);

/* As it was opened. */
const char *cache_path(const struct cache *c);

/* A descriptor to read, the caller's to close. -ENOENT: there is none; -EINVAL: no name. */
int cache_find(struct cache *c, const char *name, int *ret_fd);

/*
 * Keeps a copy of all bytes of `memory`, a memfd (nothing else: it might never answer). 0; -EINVAL: no memfd, empty, or no
 * name; -EFBIG: too large; -ENOSPC: the disk would be full, or nearly; -EAGAIN: somebody else has the lock; -ETIMEDOUT; another
 * negative errno. When it fails, what there was under this name is still there, but for what had to make room.
 */
int cache_keep(struct cache *c, const char *name, int memory);

/* Removes an entry that is no good. */
void cache_drop(struct cache *c, const char *name);

#endif
