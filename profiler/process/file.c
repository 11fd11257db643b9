// SPDX-License-Identifier: Apache-2.0
/*
 * Files are numbered in order of appearance, and forgotten only all at once (file_table_forget), when indexes and paths are made
 * anew of those that stay; those that share an inode number are chained, newest first. Pins stand in a queue; the oldest is closed first, but for one more round if
 * it was asked for since it came to the end (the CLOCK algorithm): in a storm of short-lived binaries
 * those that no sample ever hit go first, without bookkeeping for each sample.
 *
 * A file that belongs to a root has that root's number in its entry, any other ROOT_UNASKED. When
 * it is opened, what counts is the root that the process itself has then, after the open: who left
 * for a root of his own can't come back from it without the right to.
 */
#include "profiler/process/file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/arena.h"
#include "profiler/base/array.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/index.h"

#define NONE UINT32_MAX
#define MAX_FILES (1U << 24)
#define MAX_ATTEMPTS 8
/* Beyond those: 1 s, doubled this many times. */
#define MAX_RETRY_DOUBLINGS 6
/* Looks for whose file it is: its root may turn out to be another, and the file to be replaced. */
#define MAX_TURNS 4
#define PIN_NS (5 * NS_PER_S)
/* Paths are kept as long as the table; their average is taken for its limit. */
#define PATH_BYTES 256
/* Files with one inode number that are compared: its reuse is common, in a loop of compiler and test. */
#define MAX_CHAIN 16

struct entry {
	struct file file;
	uint64_t root; /* whose it is, with file.path; ROOT_UNASKED: everybody's */
	uint64_t mapped_ns; /* when a process was last seen to map it, at least; 0: not known */
	uint64_t retry_ns; /* after MAX_ATTEMPTS */
	uint64_t start, end; /* of a slow one: the mapping through which it was last seen */
	uint32_t pid, parent_pid;
	uint32_t same_inode; /* the next older one with this inode number */
	uint32_t newer, older; /* neighbours in the queue of pins */
	uint32_t last_pid; /* through which it was last tried */
	uint8_t attempts; /* that failed, since the last that didn't */
	bool asked_for; /* since it was last at the queue's old end */
	bool replaced; /* another file is in its place: it is found no more */
	bool forgotten; /* nobody's number; same_inode is the next one */
};

struct file_table {
	const struct process_source *source;
	struct counters *counters;
	ARRAY(struct entry) files;
	struct index by_inode; /* the first file with each inode number */
	struct index by_root; /* those that belong to a root; has stale items too: entries decide */
	struct roots roots;
	struct arena paths;
	size_t path_bytes; /* in it, at most PATH_BYTES a file */
	uint32_t max_files, max_pins;
	uint32_t forgotten, forgotten_count; /* the first such number, or NONE */
	uint32_t pins, newest, oldest;
	uint64_t now_ns; /* as far as we were told */
	uint32_t stale_next; /* file_table_stale() looks there next */
	uint32_t copied; /* the slow file that `copy_fd` is a copy of, or NONE */
	int copy_fd;
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
	t->newest = t->oldest = t->stale_next = t->copied = t->forgotten = NONE;
	t->copy_fd = -1;
	roots_init(&t->roots, source);
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
	fd_close(&t->copy_fd);
	array_release(&t->files);
	index_release(&t->by_inode);
	index_release(&t->by_root);
	roots_release(&t->roots);
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

/* As far as can be told without the root. */
static bool looks_same(const struct file *f, const struct file_place *place)
{
	if (f->generation && place->generation)
		return f->generation == place->generation;
	/* While it is held open nobody else can have its inode number. */
	return (f->state == FILE_PINNED && !f->slow) || !strcmp(f->path, place->path);
}

/* Is it the file of those with the root at `place`? */
static bool belongs(struct file_table *t, const struct entry *e, const struct file_place *place,
		    uint64_t *root)
{
	if (e->replaced || e->root == ROOT_UNASKED)
		return !e->replaced;
	if (e->file.path != place->path && strcmp(e->file.path, place->path) != 0)
		return false;
	return roots_of(&t->roots, place, root) == e->root;
}

static bool same_file(struct file_table *t, uint32_t number, const struct file_place *place,
		      uint64_t *root)
{
	const struct entry *e = &t->files.items[number];

	return looks_same(&e->file, place) && belongs(t, e, place, root);
}

/* `first` has the inode number; the newest that fits is wanted, and `first` is the oldest. */
static uint32_t find_in_chain(struct file_table *t, uint32_t first, const struct file_place *place,
			      uint64_t *root)
{
	uint32_t i = t->files.items[first].same_inode;

	for (int n = 0; n < MAX_CHAIN && i != NONE; n++) {
		if (same_file(t, i, place, root))
			return i;
		i = t->files.items[i].same_inode;
	}
	return same_file(t, first, place, root) ? first : NONE;
}

/* What is asked of by_root: whoever makes many roots with such an inode must not hide another's. */
struct root_key {
	const struct file_place *place;
	uint64_t root;
};

static uint64_t root_hash(uint64_t root, uint64_t ino, const char *path)
{
	const uint64_t key[] = { root, ino, hash_bytes(path, strlen(path)) };

	return hash_bytes(key, sizeof(key));
}

static bool root_equal(const void *owner, uint32_t item, const void *key)
{
	const struct file_table *t = owner;
	const struct entry *e = &t->files.items[item];
	const struct root_key *k = key;

	return e->root == k->root && !e->replaced && e->file.ino == k->place->ino &&
	       e->file.major == k->place->major && e->file.minor == k->place->minor &&
	       looks_same(&e->file, k->place) && !strcmp(e->file.path, k->place->path);
}

static uint32_t find_in_root(const struct file_table *t, const struct file_place *place,
			     uint64_t root)
{
	const struct root_key key = { .place = place, .root = root };

	if (root == ROOT_UNASKED)
		return NONE;
	return index_find(&t->by_root, root_hash(root, place->ino, place->path), root_equal, t,
			  &key);
}

/* Without memory it is found in its chain, if that is short. */
static void root_set(struct file_table *t, uint32_t number, uint64_t root)
{
	struct entry *e = &t->files.items[number];
	const struct file_place place = {
		.ino = e->file.ino,
		.generation = e->file.generation,
		.major = e->file.major,
		.minor = e->file.minor,
		.path = e->file.path,
	};

	if (e->root == root)
		return;
	e->root = root;
	if (root != ROOT_UNASKED && find_in_root(t, &place, root) != number)
		index_add(&t->by_root, root_hash(root, place.ino, place.path), number);
}

/* A copy that lives as long as the table's files. */
static int path_copy(struct file_table *t, const char *path, const char **ret)
{
	size_t len = strlen(path);

	if (len >= (size_t)t->max_files * PATH_BYTES - t->path_bytes)
		return -E2BIG;
	*ret = arena_copy(&t->paths, path, len);
	if (!*ret)
		return -ENOMEM;
	t->path_bytes += len + 1;
	return 0;
}

/* Makes it findable: `first` has its inode number, or is NONE. 0 or -ENOMEM. */
static int file_enter(struct file_table *t, uint32_t number, uint32_t first, uint64_t hash)
{
	int r = first == NONE ? index_add(&t->by_inode, hash, number) : 0;

	if (r < 0)
		return r;
	t->files.items[number].same_inode = NONE;
	if (first != NONE) {
		t->files.items[number].same_inode = t->files.items[first].same_inode;
		t->files.items[first].same_inode = number;
	}
	return 0;
}

static int file_add(struct file_table *t, uint32_t first, uint64_t hash,
		    const struct file_place *place)
{
	bool again = t->forgotten != NONE;
	uint32_t number = again ? t->forgotten : t->files.count, next = NONE;
	const char *path = NULL;
	int r = array_reserve((void **)&t->files.items, &t->files.capacity, number + 1,
			      sizeof(*t->files.items), t->max_files);

	if (r == 0)
		r = path_copy(t, place->path, &path);
	if (r < 0)
		return r;
	if (again)
		next = t->files.items[number].same_inode;
	t->files.items[number] = (struct entry){
		.file = { .path = path,
			  .ino = place->ino,
			  .generation = place->generation,
			  .major = place->major,
			  .minor = place->minor,
			  .state = FILE_UNSEEN,
			  .fd = -1 },
	};
	r = file_enter(t, number, first, hash);
	if (r < 0) {
		t->files.items[number].forgotten = again;
		t->files.items[number].same_inode = next;
		return r;
	}
	if (again) {
		t->forgotten = next;
		t->forgotten_count--;
	} else {
		t->files.count++;
	}
	return (int)number;
}

int file_table_intern(struct file_table *t, const struct file_place *place, uint64_t *root)
{
	struct inode_key key = { .ino = place->ino, .major = place->major, .minor = place->minor };
	uint64_t hash = hash_bytes(&key, sizeof(key));
	uint32_t first = index_find(&t->by_inode, hash, inode_equal, t, &key);
	uint32_t number = first == NONE ? NONE : find_in_chain(t, first, place, root);
	int r;

	if (number == NONE && first != NONE)
		number = find_in_root(t, place, *root);
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
	if (t->stale_next == number)
		t->stale_next = e->newer;
	t->pins--;
}

static void copy_close(struct file_table *t)
{
	fd_close(&t->copy_fd);
	t->copied = NONE;
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
	root_set(t, number, kind ? roots_of(&t->roots, place, root) : ROOT_UNASKED);
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
		root_set(t, number, roots_of(&t->roots, place, root));
	return !e->replaced;
}

int file_table_pin(struct file_table *t, uint32_t file, const struct file_place *place,
		   uint64_t *root)
{
	assert(file < t->files.count);
	for (int turn = 0; turn < MAX_TURNS; turn++) {
		int r = (int)file;

		if (!belongs(t, &t->files.items[file], place, root))
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

/* ---- forgetting ---- */

/*
 * Indexes and paths of those that stay, made anew. Of files with one inode number the higher is now taken for the newer: mostly one
 * is left of them. 0, or -ENOMEM, -E2BIG.
 */
static int indexes_make(struct file_table *t)
{
	int r = 0;

	for (uint32_t i = 0; i < t->files.count && r == 0; i++) {
		struct entry *e = &t->files.items[i];
		const struct inode_key key = { .ino = e->file.ino,
					       .major = e->file.major,
					       .minor = e->file.minor };
		uint64_t hash = hash_bytes(&key, sizeof(key));

		if (e->forgotten)
			continue;
		r = path_copy(t, e->file.path, &e->file.path);
		if (r == 0)
			r = file_enter(t, i, index_find(&t->by_inode, hash, inode_equal, t, &key),
				       hash);
		if (r == 0 && e->root != ROOT_UNASKED)
			r = index_add(&t->by_root, root_hash(e->root, e->file.ino, e->file.path),
				      i);
	}
	return r;
}

static void indexes_release(struct file_table *t)
{
	array_release(&t->files);
	index_release(&t->by_inode);
	index_release(&t->by_root);
	arena_release(&t->paths);
}

/* A slow one is pinned without being open, and in no queue. */
static bool is_held(const struct file_table *t, uint32_t number)
{
	const struct file *f = &t->files.items[number].file;

	return (f->state == FILE_PINNED && !f->slow) || t->copied == number;
}

static void file_clear(struct file_table *t, uint32_t number)
{
	t->files.items[number] = (struct entry){
		.file = { .path = "", .fd = -1 },
		.same_inode = t->forgotten,
		.forgotten = true,
	};
	t->forgotten = number;
	t->forgotten_count++;
}

void file_table_forget(struct file_table *t, bool (*may)(void *ctx, uint32_t file), void *ctx)
{
	struct file_table left = *t;

	if (!t->files.count)
		return;
	left.by_inode = left.by_root = (struct index){ 0 };
	arena_init(&left.paths, t->paths.max_bytes);
	left.path_bytes = 0;
	left.files.capacity = t->files.count;
	left.files.items = calloc(t->files.count, sizeof(*t->files.items));
	if (!left.files.items)
		return;
	memcpy(left.files.items, t->files.items, t->files.count * sizeof(*t->files.items));
	for (uint32_t i = 0; i < t->files.count; i++)
		if (!t->files.items[i].forgotten && !is_held(t, i) && may(ctx, i))
			file_clear(&left, i);
	if (indexes_make(&left) < 0) {
		indexes_release(&left);
		return;
	}
	indexes_release(t);
	*t = left;
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
	while (t->stale_next != NONE) {
		uint32_t number = t->stale_next;
		struct entry *e = &t->files.items[number];

		t->stale_next = e->newer;
		if (!e->mapped_ns)
			e->mapped_ns = now_ns;
		if (now_ns > e->mapped_ns && now_ns - e->mapped_ns >= PIN_NS)
			return number;
	}
	return NONE;
}
