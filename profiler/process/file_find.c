// SPDX-License-Identifier: Apache-2.0
/*
 * Files are numbered in order of appearance, and forgotten only all at once (file_table_forget), when indexes and paths are made
 * anew of those that stay; those that share an inode number are chained, newest first. A file that belongs to a root has that root's
 * number in its entry, any other ROOT_UNASKED.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/process/file_table.h"

/* Files with one inode number that are compared: its reuse is common, in a loop of compiler and test. */
#define MAX_CHAIN 16

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

bool file_belongs(struct file_table *t, const struct entry *e, const struct file_place *place,
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

	return looks_same(&e->file, place) && file_belongs(t, e, place, root);
}

/* `first` has the inode number; the newest that fits is wanted, and `first` is the oldest. */
static uint32_t find_in_chain(struct file_table *t, uint32_t first, const struct file_place *place,
			      uint64_t *root)
{
	uint32_t i = t->files.items[first].same_inode;

	for (int n = 0; n < MAX_CHAIN && i != FILE_NONE; n++) {
		if (same_file(t, i, place, root))
			return i;
		i = t->files.items[i].same_inode;
	}
	return same_file(t, first, place, root) ? first : FILE_NONE;
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
		return FILE_NONE;
	return index_find(&t->by_root, root_hash(root, place->ino, place->path), root_equal, t,
			  &key);
}

void file_root_set(struct file_table *t, uint32_t number, uint64_t root)
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

	if (len >= (size_t)t->max_files * FILE_PATH_BYTES - t->path_bytes)
		return -E2BIG;
	*ret = arena_copy(&t->paths, path, len);
	if (!*ret)
		return -ENOMEM;
	t->path_bytes += len + 1;
	return 0;
}

/* Makes it findable: `first` has its inode number, or is FILE_NONE. 0 or -ENOMEM. */
static int file_enter(struct file_table *t, uint32_t number, uint32_t first, uint64_t hash)
{
	int r = first == FILE_NONE ? index_add(&t->by_inode, hash, number) : 0;

	if (r < 0)
		return r;
	t->files.items[number].same_inode = FILE_NONE;
	if (first != FILE_NONE) {
		t->files.items[number].same_inode = t->files.items[first].same_inode;
		t->files.items[first].same_inode = number;
	}
	return 0;
}

static int file_add(struct file_table *t, uint32_t first, uint64_t hash,
		    const struct file_place *place)
{
	bool again = t->forgotten != FILE_NONE;
	uint32_t number = again ? t->forgotten : t->files.count, next = FILE_NONE;
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
	uint32_t number = first == FILE_NONE ? FILE_NONE : find_in_chain(t, first, place, root);
	int r;

	if (number == FILE_NONE && first != FILE_NONE)
		number = find_in_root(t, place, *root);
	if (number != FILE_NONE) {
		if (!t->files.items[number].file.generation)
			t->files.items[number].file.generation = place->generation;
		return (int)number;
	}
	r = file_add(t, first, hash, place);
	if (r < 0)
		counter_add(t->counters, COUNTER_FILES_REFUSED, 1);
	return r;
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
