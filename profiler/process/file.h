/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The binaries that processes have mapped. A file is pinned (held open) from when it must be, until its
 * names have been read, so that deleted, upgraded and in-container files still resolve.
 *
 * Two mappings show the same file if device, inode and inode generation agree. MMAP2 tells the
 * generation, /proc/PID/maps doesn't (0): then the path must agree too, unless the file is pinned, which
 * keeps its inode number from being used again.
 *
 * One owner's file never supplies another's names, nor has it refused. So a file belongs to one
 * path in one root (process/root.h) if its device and inode number are other files' too (ambiguous:
 * btrfs), if what became of it depends on through whom it was asked for (slow), or as long as it
 * could not be opened. A process with another root, or another path, then gets a file number of its
 * own. All other files are everybody's, and nobody's root is asked for.
 *
 * A file that is opened again, and was changed or replaced since, fails with -ESTALE for good: what
 * was sampled in it, and not named yet, has no names; what is there now gets a number of its own.
 * This, `struct file_identity`, is all that fstat() is used for so far: no two numbers share
 * anything that was read from a file. When they do, it takes an equal SHA-256 of the parsed
 * sections too.
 *
 * Pins are bounded in number: beyond the limit the oldest one that nobody asked for lately is
 * closed and counted (FILES_PIN_EVICTED), and opened again when it is asked for. And in time: once
 * no living process maps it, for 5 s at most (file_table_stale). While a process maps a file, that
 * alone keeps its file system busy and its blocks on the disk; a pin of ours takes nothing more
 * from anybody. A slow file is pinned without being open, which keeps nothing from anybody either.
 */
#ifndef PROCESS_FILE_H
#define PROCESS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/counter.h"
#include "profiler/process/root.h"
#include "profiler/process/source.h"

struct file_table;

enum file_state {
	FILE_UNSEEN, /* known by name only, or evicted; opened when it is needed */
	FILE_PINNED, /* fd is open */
	FILE_DONE, /* was pinned; let go, its names are known; opened again when asked for */
	FILE_FAILED, /* could not be opened: `error` says why */
};

struct file {
	const char *path; /* as the kernel printed it, without " (deleted)"; the table's */
	uint64_t ino;
	uint64_t generation; /* the inode's; 0: not known */
	uint32_t major, minor;
	uint32_t state; /* enum file_state */
	bool ambiguous, slow; /* as the source said, enum process_file_kind */
	int fd; /* -1 for a slow one, though it is FILE_PINNED: file_table_borrow() */
	int error; /* negative errno if FILE_FAILED */
	struct file_identity
		identity; /* when last opened; all 0: never, or it is slow, or in a replay */
};

/* `max_files` ≤ 2^24 known, `max_pins` open at once. Borrows source and counters for its life. */
int file_table_new(struct file_table **ret, const struct process_source *source,
		   struct counters *counters, uint32_t max_files, uint32_t max_pins);
void file_table_free(struct file_table *t);

/*
 * The number of the file at `place`, made if need be; or -E2BIG, -ENOMEM (FILES_REFUSED). *root is
 * what is known of the root of the process at `place`: ROOT_UNASKED at first, and whenever it may
 * have changed; set when it had to be asked for.
 */
int file_table_intern(struct file_table *t, const struct file_place *place, uint64_t *root);

/* Valid until the next call that takes a non-const table. */
const struct file *file_table_get(const struct file_table *t, uint32_t file);
uint32_t file_table_count(const struct file_table *t);
/* Those that were not forgotten. */
uint32_t file_table_known(const struct file_table *t);
/* How many are held open now: slow ones are not. */
uint32_t file_table_pinned(const struct file_table *t);

/*
 * Makes sure that it was tried to open it. `place` is the mapping through which it was seen this
 * time: a file that failed is tried again through another process's mapping, at most 8 times, then
 * after 1 s, 2 s, and so on up to every 64 s (where the table is told the time: file_table_stale).
 * FILES_UNOPENED counts those that failed so and are FILE_FAILED now, FILES_BAD those with -ENOEXEC.
 *
 * Returns its number, which is another one if it turned out that `file` is not the file at `place`;
 * or a negative errno as file_table_intern(), or -ESTALE if that doesn't stay the same for a
 * moment.
 */
int file_table_pin(struct file_table *t, uint32_t file, const struct file_place *place,
		   uint64_t *root);

/*
 * The mapping through which it was last pinned, by which it can be told whose root it is in. All 0 but the
 * path if it never was.
 */
struct file_place file_table_place(const struct file_table *t, uint32_t file);

/* Lets go of it: its names are known, or never will be. */
void file_table_unpin(struct file_table *t, uint32_t file);
/*
 * Of those that are held open lets go of the oldest that nobody asked for lately, until so many are: all have their names.
 */
void file_table_relax(struct file_table *t, uint32_t pins);

/*
 * Forgets the files that are not held open and of which `may` says so: their numbers will be others'. It takes time for
 * each file that there is. Without memory all stay.
 */
void file_table_forget(struct file_table *t, bool (*may)(void *ctx, uint32_t file), void *ctx);

/* Lets go of it although nobody has asked for its names: it is FILE_UNSEEN again. */
void file_table_drop(struct file_table *t, uint32_t file);

/*
 * A descriptor to read a pinned file by: the table's own, until it is unpinned; or, of a slow file,
 * a copy made now, until the next slow one is borrowed, too. 0 and *ret_fd (-1 in a replay), or
 * negative errno: FILES_UNFETCHED, FILES_BAD for -ENOEXEC, and it is FILE_FAILED for good. Takes as long
 * as fetch() takes.
 */
int file_table_borrow(struct file_table *t, uint32_t file, int *ret_fd);

/*
 * To be called every second or so: first file_table_mapped() for each file that a living process
 * maps, then file_table_stale(). That gives those that are held open although nobody has mapped
 * them for 5 s: the next one's number, or UINT32_MAX at their end. The caller reads names, if there
 * are any to be read, and unpins them, or drops them. Times are of the events' clock.
 */
void file_table_mapped(struct file_table *t, uint32_t file, uint64_t now_ns);
uint32_t file_table_stale(struct file_table *t, uint64_t now_ns);

/* Did a living process, by the last of these rounds, map a file from this device (as fstat() has it) that was ever opened? */
bool file_table_uses_device(const struct file_table *t, uint64_t dev);

/* What fstat() says of `fd`. 0 or negative errno. */
int file_identify(int fd, struct file_identity *ret);

#endif
