// SPDX-License-Identifier: Apache-2.0
/*
 * Files are numbered in order of appearance and never forgotten; those that share an inode number are
 * chained, newest first. Pins stand in a queue; the oldest is closed first, but for one more round if
 * it was asked for since it came to the end (the CLOCK algorithm): in a storm of short-lived binaries
 * those that no sample ever hit go first, without bookkeeping for each sample.
 */
#include "profiler/process/file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/array.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/index.h"

#define NONE UINT32_MAX
#define MAX_FILES (1U << 24)
#define MAX_ATTEMPTS 8
/* Paths are kept as long as the table; their average is taken for its limit. */
#define PATH_BYTES 256
/* Files with one inode number that are compared: its reuse is common, in a loop of compiler and test. */
#define MAX_CHAIN 16

struct entry {
	struct file file;
	uint32_t same_inode; /* the next older one with this inode number */
	uint32_t newer, older; /* neighbours in the queue of pins */
	uint32_t last_pid; /* through which it was last tried */
	uint8_t attempts; /* that failed, since the last that didn't */
	bool asked_for; /* since it was last at the queue's old end */
};

struct file_table {
	const struct process_source *source;
	struct counters *counters;
	ARRAY(struct entry) files;
	struct index by_inode; /* the first file with each inode number */
	struct arena paths;
	size_t path_bytes; /* in it, at most PATH_BYTES a file */
	uint32_t max_files, max_pins;
	uint32_t pins, newest, oldest;
};

int file_table_new(struct file_table **ret, const struct process_source *source,
		   struct counters *counters, uint32_t max_files, uint32_t max_pins)
{
	struct file_table *t;

	assert(max_files > 0 && max_files <= MAX_FILES && max_pins > 0);
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->source = source;
	t->counters = counters;
	t->max_files = max_files;
	t->max_pins = max_pins;
	t->newest = t->oldest = NONE;
	/* Alignment and the ends of chunks are room too. */
	arena_init(&t->paths, ((size_t)128 << 10) + 2 * (size_t)max_files * PATH_BYTES);
	*ret = t;
	return 0;
}

void file_table_free(struct file_table *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < t->files.count; i++)
		fd_close(&t->files.items[i].file.fd);
	array_release(&t->files);
	index_release(&t->by_inode);
	arena_release(&t->paths);
	free(t);
}

/* ---- which file is it? ---- */

struct inode_key {
	uint64_t ino;
	uint32_t major, minor;
};

static bool inode_equal(const void *owner, uint32_t item, const void *key)
{
	const struct file_table *t = owner;
	const struct file *f = &t->files.items[item].file;
	const struct inode_key *k = key;

	return f->ino == k->ino && f->major == k->major && f->minor == k->minor;
}

static bool same_file(const struct file *f, const struct file_place *place)
{
	if (f->generation && place->generation)
		return f->generation == place->generation;
	/* While it is held open nobody else can have its inode number. */
	return f->state == FILE_PINNED || !strcmp(f->path, place->path);
}

/* `first` has the inode number; the newest that fits is wanted, and `first` is the oldest. */
static uint32_t find_in_chain(const struct file_table *t, uint32_t first,
			      const struct file_place *place)
{
	uint32_t i = t->files.items[first].same_inode;

	for (int n = 0; n < MAX_CHAIN && i != NONE; n++) {
		if (same_file(&t->files.items[i].file, place))
			return i;
		i = t->files.items[i].same_inode;
	}
	return same_file(&t->files.items[first].file, place) ? first : NONE;
}

static int file_add(struct file_table *t, uint32_t first, uint64_t hash,
		    const struct file_place *place)
{
	struct entry *e;
	size_t len = strlen(place->path);
	uint32_t number = t->files.count;
	const char *path;
	int r = array_reserve((void **)&t->files.items, &t->files.capacity, number + 1, sizeof(*e),
			      t->max_files);

	if (r < 0)
		return r;
	if (len >= (size_t)t->max_files * PATH_BYTES - t->path_bytes)
		return -E2BIG;
	path = arena_copy(&t->paths, place->path, len);
	if (!path)
		return -ENOMEM;
	t->path_bytes += len + 1;
	if (first == NONE) {
		r = index_add(&t->by_inode, hash, number);
		if (r < 0)
			return r;
	}
	e = &t->files.items[number];
	*e = (struct entry){
		.file = { .path = path,
			  .ino = place->ino,
			  .generation = place->generation,
			  .major = place->major,
			  .minor = place->minor,
			  .state = FILE_UNSEEN,
			  .fd = -1 },
		.same_inode = NONE,
	};
	if (first != NONE) {
		e->same_inode = t->files.items[first].same_inode;
		t->files.items[first].same_inode = number;
	}
	t->files.count++;
	return (int)number;
}

int file_table_intern(struct file_table *t, const struct file_place *place)
{
	struct inode_key key = { .ino = place->ino, .major = place->major, .minor = place->minor };
	uint64_t hash = hash_bytes(&key, sizeof(key));
	uint32_t first = index_find(&t->by_inode, hash, inode_equal, t, &key);
	uint32_t number = first == NONE ? NONE : find_in_chain(t, first, place);
	int r;

	if (number != NONE) {
		if (!t->files.items[number].file.generation)
			t->files.items[number].file.generation = place->generation;
		return (int)number;
	}
	r = file_add(t, first, hash, place);
	if (r < 0)
		counter_add(t->counters, COUNTER_FILES_REFUSED, 1);
	return r;
}

const struct file *file_table_get(const struct file_table *t, uint32_t file)
{
	assert(file < t->files.count);
	return &t->files.items[file].file;
}

uint32_t file_table_count(const struct file_table *t)
{
	return t->files.count;
}

uint32_t file_table_pinned(const struct file_table *t)
{
	return t->pins;
}

/* ---- pins ---- */

static void pin_enqueue(struct file_table *t, uint32_t number)
{
	struct entry *e = &t->files.items[number];

	e->newer = NONE;
	e->older = t->newest;
	*(t->newest == NONE ? &t->oldest : &t->files.items[t->newest].newer) = number;
	t->newest = number;
	t->pins++;
}

static void pin_dequeue(struct file_table *t, uint32_t number)
{
	struct entry *e = &t->files.items[number];

	*(e->newer == NONE ? &t->newest : &t->files.items[e->newer].older) = e->older;
	*(e->older == NONE ? &t->oldest : &t->files.items[e->older].newer) = e->newer;
	t->pins--;
}

static void pin_close(struct file_table *t, uint32_t number, enum file_state state)
{
	struct entry *e = &t->files.items[number];

	pin_dequeue(t, number);
	fd_close(&e->file.fd);
	e->file.state = state;
}

static void pin_evict(struct file_table *t)
{
	for (;;) {
		uint32_t number = t->oldest;
		struct entry *e = &t->files.items[number];

		if (!e->asked_for) {
			/* It is opened again if a sample still wants it. */
			pin_close(t, number, FILE_UNSEEN);
			counter_add(t->counters, COUNTER_FILES_PIN_EVICTED, 1);
			return;
		}
		e->asked_for = false;
		pin_dequeue(t, number);
		pin_enqueue(t, number);
	}
}

static int pin_open(struct file_table *t, const struct file *f, const struct file_place *place,
		    int *ret_fd)
{
	struct file_place wanted = *place;
	int r;

	if (!wanted.generation)
		wanted.generation = f->generation;
	r = t->source->open(t->source->ctx, &wanted, ret_fd);
	if ((r != -EMFILE && r != -ENFILE) || !t->pins)
		return r;
	pin_evict(t);
	return t->source->open(t->source->ctx, &wanted, ret_fd);
}

static void pin_failed(struct file_table *t, struct entry *e, uint32_t pid, int error)
{
	if (e->file.state != FILE_FAILED)
		counter_add(t->counters, COUNTER_FILES_UNOPENED, 1);
	e->file.state = FILE_FAILED;
	e->file.error = error;
	e->last_pid = pid;
	e->attempts++;
}

void file_table_pin(struct file_table *t, uint32_t file, const struct file_place *place)
{
	struct entry *e = &t->files.items[file];
	int r, fd = -1;

	assert(file < t->files.count);
	e->asked_for = e->file.state == FILE_PINNED;
	if (e->file.state == FILE_PINNED)
		return;
	if (e->file.state == FILE_FAILED &&
	    (e->attempts >= MAX_ATTEMPTS || e->last_pid == place->pid))
		return;
	r = pin_open(t, &e->file, place, &fd);
	if (r < 0) {
		pin_failed(t, e, place->pid, r);
		return;
	}
	if (t->pins >= t->max_pins)
		pin_evict(t);
	if (e->file.state == FILE_FAILED)
		counter_add(t->counters, COUNTER_FILES_UNOPENED, (uint64_t)-1);
	e->file.fd = fd;
	e->file.error = 0;
	e->file.state = FILE_PINNED;
	e->attempts = 0;
	pin_enqueue(t, file);
}

void file_table_unpin(struct file_table *t, uint32_t file)
{
	assert(file < t->files.count);
	if (t->files.items[file].file.state == FILE_PINNED)
		pin_close(t, file, FILE_DONE);
}
