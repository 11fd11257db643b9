// SPDX-License-Identifier: Apache-2.0
/*
 * Pins stand in a queue; the oldest is closed first, but for one more round if it was asked for since it came to the end (the CLOCK
 * algorithm): in a storm of short-lived binaries those that no sample ever hit go first, without bookkeeping for each sample.
 *
 * Which file is which: file_find.c. When a file
 * is opened, what counts is the root that the process itself has then, after the open: who left
 * for a root of his own can't come back from it without the right to.
 */
#include "profiler/process/file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/process/file_table.h"

#define MAX_FILES (1U << 24)
#define MAX_ATTEMPTS 8
/* Beyond those: 1 s, doubled this many times. */
#define MAX_RETRY_DOUBLINGS 6
/* Looks for whose file it is: its root may turn out to be another, and the file to be replaced. */
#define MAX_TURNS 4
#define PIN_NS (5 * NS_PER_S)

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
	t->newest = t->oldest = t->stale_next = t->copied = t->forgotten = FILE_NONE;
	t->copy_fd = -1;
	roots_init(&t->roots, source);
	/* Alignment and the ends of chunks are room too. */
	arena_init(&t->paths, ((size_t)128 << 10) + 2 * (size_t)max_files * FILE_PATH_BYTES);
	*ret = t;
	return 0;
}

void file_table_free(struct file_table *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < t->files.count; i++)
		fd_close(&t->files.items[i].file.fd);
	fd_close(&t->copy_fd);
	array_release(&t->files);
	index_release(&t->by_inode);
	index_release(&t->by_root);
	roots_release(&t->roots);
	arena_release(&t->paths);
	free(t);
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

uint32_t file_table_known(const struct file_table *t)
{
	return t->files.count - t->forgotten_count;
}

uint32_t file_table_pinned(const struct file_table *t)
{
	return t->pins;
}

/* ---- pins ---- */

static void pin_enqueue(struct file_table *t, uint32_t number)
{
	struct entry *e = &t->files.items[number];

	e->newer = FILE_NONE;
	e->older = t->newest;
	*(t->newest == FILE_NONE ? &t->oldest : &t->files.items[t->newest].newer) = number;
	t->newest = number;
	t->pins++;
}

static void pin_dequeue(struct file_table *t, uint32_t number)
{
	struct entry *e = &t->files.items[number];

	*(e->newer == FILE_NONE ? &t->newest : &t->files.items[e->newer].older) = e->older;
	*(e->older == FILE_NONE ? &t->oldest : &t->files.items[e->older].newer) = e->newer;
	if (t->stale_next == number)
		t->stale_next = e->newer;
	t->pins--;
}

static void copy_close(struct file_table *t)
{
	fd_close(&t->copy_fd);
	t->copied = FILE_NONE;
}

static void pin_close(struct file_table *t, uint32_t number, enum file_state state)
{
	struct entry *e = &t->files.items[number];

	if (!e->file.slow)
		pin_dequeue(t, number);
	else if (t->copied == number)
		copy_close(t);
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

static uint64_t later(uint64_t time_ns, uint64_t delay_ns)
{
	return time_ns > UINT64_MAX - delay_ns ? UINT64_MAX : time_ns + delay_ns;
}

static enum counter failure_counter(int error)
{
	return error == -ENOEXEC ? COUNTER_FILES_BAD : COUNTER_FILES_UNOPENED;
}

static void pin_failed(struct file_table *t, struct entry *e, uint32_t pid, int error)
{
	if (e->file.state == FILE_FAILED)
		counter_add(t->counters, failure_counter(e->file.error), (uint64_t)-1);
	counter_add(t->counters, failure_counter(error), 1);
	e->file.state = FILE_FAILED;
	e->file.error = error;
	e->last_pid = pid;
	if (e->attempts < MAX_ATTEMPTS + MAX_RETRY_DOUBLINGS)
		e->attempts++;
	if (e->attempts >= MAX_ATTEMPTS)
		e->retry_ns = later(t->now_ns, NS_PER_S << (e->attempts - MAX_ATTEMPTS));
}

static bool may_try(const struct file_table *t, const struct entry *e, uint32_t pid)
{
	if (e->file.state != FILE_FAILED)
		return true;
	return e->last_pid != pid && (e->attempts < MAX_ATTEMPTS || t->now_ns > e->retry_ns);
}

int file_identify(int fd, struct file_identity *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = (struct file_identity){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_ns = (uint64_t)st.st_mtim.tv_sec * NS_PER_S + (uint64_t)st.st_mtim.tv_nsec,
		.ctime_ns = (uint64_t)st.st_ctim.tv_sec * NS_PER_S + (uint64_t)st.st_ctim.tv_nsec,
	};
	return 0;
}

/* All 0 if it can't be told. */
static struct file_identity identify(const struct file_table *t, int fd)
{
	struct file_identity id = { 0 };
	int r = -EBADF;

	if (t->source->identify)
		r = t->source->identify(t->source->ctx, fd, &id);
	else if (fd >= 0)
		r = file_identify(fd, &id);
	return r < 0 ? (struct file_identity){ 0 } : id;
}

/* Not by ctime: that changes with a rename, or when an upgrade takes the name away. */
static bool was_changed(const struct file_identity *before, const struct file_identity *now)
{
	return before->ino && now->ino &&
	       (before->dev != now->dev || before->ino != now->ino || before->size != now->size ||
		before->mtime_ns != now->mtime_ns);
}

static void place_keep(struct entry *e, const struct file_place *place)
{
	e->pid = place->pid;
	e->parent_pid = place->parent_pid;
	e->start = place->start;
	e->end = place->end;
}

/* It is open: as `fd`, or not at all if it is slow. */
static void pin_keep(struct file_table *t, uint32_t number, const struct file_place *place,
		     int kind, int fd)
{
	struct entry *e = &t->files.items[number];

	if (e->file.state == FILE_FAILED)
		counter_add(t->counters, failure_counter(e->file.error), (uint64_t)-1);
	e->file.ambiguous = kind & PROCESS_FILE_AMBIGUOUS;
	e->file.slow = kind & PROCESS_FILE_SLOW;
	e->file.fd = fd;
	e->file.error = 0;
	e->attempts = 0;
	e->mapped_ns = t->now_ns;
	place_keep(e, place);
	if (!e->file.slow && t->pins >= t->max_pins)
		pin_evict(t);
	e->file.state = FILE_PINNED;
	if (!e->file.slow)
		pin_enqueue(t, number);
}

/*
 * Is the file, which was just opened through `place` and is of this kind, the one that the entry
 * stands for? 1; 0 if the process turned out to have another root; or negative errno.
 */
static int pin_check(struct file_table *t, uint32_t number, const struct file_place *place,
		     uint64_t *root, int kind, int fd)
{
	struct entry *e = &t->files.items[number];
	struct file_identity id = { 0 };
	uint64_t own;

	if (kind & PROCESS_FILE_AMBIGUOUS) {
		own = roots_ask(&t->roots, place->pid);
		if (own == ROOT_UNKNOWN)
			return -ESRCH;
		*root = own;
		if (e->root != ROOT_UNASKED && e->root != own)
			return 0;
	}
	if (!(kind & PROCESS_FILE_SLOW))
		id = identify(t, fd);
	if (was_changed(&e->file.identity, &id))
		return -ESTALE;
	e->file.identity = id;
	file_root_set(t, number, kind ? roots_of(&t->roots, place, root) : ROOT_UNASKED);
	return 1;
}

/* False if another number must be found for what is at `place`. */
static bool pin_try(struct file_table *t, uint32_t number, const struct file_place *place,
		    uint64_t *root)
{
	struct entry *e = &t->files.items[number];
	_cleanup_(fd_close) int fd = -1;
	int kind, r;

	e->asked_for = e->file.state == FILE_PINNED;
	if (e->file.state == FILE_PINNED) {
		place_keep(e, place);
		return true;
	}
	if (!may_try(t, e, place->pid))
		return true;
	kind = pin_open(t, &e->file, place, &fd);
	r = kind < 0 ? kind : pin_check(t, number, place, root, kind, fd);
	if (r == 0)
		return false;
	if (r > 0) {
		pin_keep(t, number, place, kind, take_fd(&fd));
		return true;
	}
	pin_failed(t, e, place->pid, r);
	/* A failed open says -ESTALE too, which is no more than that. */
	e->replaced = kind >= 0 && r == -ESTALE;
	if (e->root == ROOT_UNASKED)
		file_root_set(t, number, roots_of(&t->roots, place, root));
	return !e->replaced;
}

int file_table_pin(struct file_table *t, uint32_t file, const struct file_place *place,
		   uint64_t *root)
{
	assert(file < t->files.count);
	for (int turn = 0; turn < MAX_TURNS; turn++) {
		int r = (int)file;

		if (!file_belongs(t, &t->files.items[file], place, root))
			r = file_table_intern(t, place, root);
		if (r < 0)
			return r;
		if (pin_try(t, (uint32_t)r, place, root))
			return r;
		file = (uint32_t)r;
	}
	/* A process that changes its root faster than we can look has files of nobody. */
	return -ESTALE;
}

static void let_go(struct file_table *t, uint32_t file, enum file_state state)
{
	assert(file < t->files.count);
	if (t->files.items[file].file.state == FILE_PINNED)
		pin_close(t, file, state);
}

void file_table_unpin(struct file_table *t, uint32_t file)
{
	let_go(t, file, FILE_DONE);
}

void file_table_drop(struct file_table *t, uint32_t file)
{
	let_go(t, file, FILE_UNSEEN);
}

void file_table_relax(struct file_table *t, uint32_t pins)
{
	/* Those that were asked for have another round, and then no more. */
	while (t->pins > pins) {
		uint32_t number = t->oldest;
		struct entry *e = &t->files.items[number];

		if (!e->asked_for) {
			pin_close(t, number, FILE_DONE);
			continue;
		}
		e->asked_for = false;
		pin_dequeue(t, number);
		pin_enqueue(t, number);
	}
}

/* ---- reading ---- */

/* Its file system had its chance, and our time. */
static int fetch_failed(struct file_table *t, uint32_t file, int error)
{
	struct entry *e = &t->files.items[file];

	counter_add(t->counters, error == -ENOEXEC ? COUNTER_FILES_BAD : COUNTER_FILES_UNFETCHED,
		    1);
	e->file.state = FILE_FAILED;
	e->file.error = error;
	e->attempts = MAX_ATTEMPTS;
	e->retry_ns = UINT64_MAX;
	return error;
}

struct file_place file_table_place(const struct file_table *t, uint32_t file)
{
	const struct entry *e;

	assert(file < t->files.count);
	e = &t->files.items[file];
	return (struct file_place){
		.pid = e->pid,
		.parent_pid = e->parent_pid,
		.start = e->start,
		.end = e->end,
		.ino = e->file.ino,
		.generation = e->file.generation,
		.major = e->file.major,
		.minor = e->file.minor,
		.path = e->file.path,
	};
}

static int copy_make(struct file_table *t, uint32_t file)
{
	const struct file_place place = file_table_place(t, file);
	int r;

	copy_close(t);
	r = t->source->fetch(t->source->ctx, &place, &t->copy_fd);
	if (r < 0)
		return fetch_failed(t, file, r);
	t->copied = file;
	return 0;
}

int file_table_borrow(struct file_table *t, uint32_t file, int *ret_fd)
{
	const struct entry *e;
	int r = 0;

	assert(file < t->files.count);
	e = &t->files.items[file];
	assert(e->file.state == FILE_PINNED);
	if (e->file.slow && t->copied != file)
		r = copy_make(t, file);
	if (r == 0)
		*ret_fd = e->file.slow ? t->copy_fd : e->file.fd;
	return r;
}

/* ---- how long ---- */

void file_table_mapped(struct file_table *t, uint32_t file, uint64_t now_ns)
{
	assert(file < t->files.count);
	t->files.items[file].mapped_ns = now_ns;
}

bool file_table_uses_device(const struct file_table *t, uint64_t dev)
{
	for (uint32_t i = 0; i < t->files.count; i++) {
		const struct entry *e = &t->files.items[i];

		if (e->file.identity.ino && e->file.identity.dev == dev && t->now_ns &&
		    e->mapped_ns >= t->now_ns)
			return true;
	}
	return false;
}

uint32_t file_table_stale(struct file_table *t, uint64_t now_ns)
{
	if (t->now_ns != now_ns) {
		t->now_ns = now_ns;
		t->stale_next = t->oldest;
		roots_forget(&t->roots);
	}
	while (t->stale_next != FILE_NONE) {
		uint32_t number = t->stale_next;
		struct entry *e = &t->files.items[number];

		t->stale_next = e->newer;
		if (!e->mapped_ns)
			e->mapped_ns = now_ns;
		if (now_ns > e->mapped_ns && now_ns - e->mapped_ns >= PIN_NS)
			return number;
	}
	return FILE_NONE;
}
