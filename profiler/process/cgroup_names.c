// SPDX-License-Identifier: Apache-2.0
/*
 * A name is believed once a directory of that name has the id: what /proc/PID/cgroup says may be of a
 * process that has moved meanwhile, and seen from another namespace. Where that doesn't do, a walk over
 * the hierarchy, in pieces, learns all that is there: a directory's list has the ids of those in it.
 * Lists come from the source, since who asks may open nothing; any bytes may be in them. Asking the kernel by file handle (open_by_handle_at) was refused: it needs CAP_DAC_READ_SEARCH,
 * and v1 doesn't have it.
 */
#include "profiler/process/cgroup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/array.h"
#include "profiler/base/clock.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/index.h"
#include "profiler/base/number.h"

#define MAX_NAMES 65536
#define MAX_NAME_BYTES ((size_t)16 << 20)
#define MAX_PATH_BYTES 4096
#define MAX_TEXT_BYTES ((size_t)64 << 10)
/* MAX_NAMES of 64 bytes each. */
#define MAX_LIST_BYTES ((size_t)4 << 20)
/* A walk is part of a drain, which has its buffers to empty. */
#define WALK_EVERY_NS NS_PER_S
#define MAX_WALK_NS (20 * NS_PER_MS)
#define MAX_WALKS 32
/* How often a cgroup that isn't found is looked for. */
#define MAX_ATTEMPTS 4

struct name {
	uint64_t id;
	const char *path; /* NULL: looked for, not found */
	uint32_t attempts;
};

/* Directories found and not yet looked into. Their names are the arena's. */
struct walk {
	ARRAY(const char *) paths;
	uint32_t done;
};

struct cgroup_names {
	struct cgroup_hierarchy hierarchy;
	const struct process_source *source;
	ARRAY(struct name) names;
	struct index by_id;
	struct arena paths;
	size_t path_bytes; /* in it, at most MAX_NAME_BYTES */
	struct walk walk;
	uint32_t walks;
	uint64_t next_walk_ns;
};

int cgroup_names_new(struct cgroup_names **ret, const struct cgroup_hierarchy *h,
		     const struct process_source *source)
{
	struct cgroup_names *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->hierarchy = *h;
	n->source = source;
	/* Alignment and the ends of chunks are room too. */
	arena_init(&n->paths, 2 * MAX_NAME_BYTES);
	*ret = n;
	return 0;
}

void cgroup_names_free(struct cgroup_names *n)
{
	if (!n)
		return;
	array_release(&n->names);
	array_release(&n->walk.paths);
	index_release(&n->by_id);
	arena_release(&n->paths);
	free(n);
}

static bool id_equal(const void *owner, uint32_t item, const void *key)
{
	return ((const struct cgroup_names *)owner)->names.items[item].id == *(const uint64_t *)key;
}

static struct name *name_find(const struct cgroup_names *n, uint64_t id)
{
	uint32_t i = index_find(&n->by_id, hash_bytes(&id, sizeof(id)), id_equal, n, &id);

	return i == UINT32_MAX ? NULL : &n->names.items[i];
}

/* The entry of `id`, made if need be. */
static int name_get(struct cgroup_names *n, uint64_t id, struct name **ret)
{
	struct name *name = name_find(n, id);
	int r;

	if (!name) {
		r = array_reserve((void **)&n->names.items, &n->names.capacity, n->names.count + 1,
				  sizeof(*name), MAX_NAMES);
		if (r >= 0)
			r = index_add(&n->by_id, hash_bytes(&id, sizeof(id)), n->names.count);
		if (r < 0)
			return r;
		name = &n->names.items[n->names.count++];
		*name = (struct name){ .id = id };
	}
	*ret = name;
	return 0;
}

int cgroup_names_set(struct cgroup_names *n, uint64_t id, const char *path)
{
	struct name *name;
	size_t len = strlen(path);
	int r = name_get(n, id, &name);

	if (r < 0 || (name->path && !strcmp(name->path, path)))
		return r;
	if (len >= MAX_PATH_BYTES || len >= MAX_NAME_BYTES - n->path_bytes)
		return -E2BIG;
	path = arena_copy(&n->paths, path, len);
	if (!path)
		return -ENOMEM;
	n->path_bytes += len + 1;
	name->path = path;
	return 0;
}

const char *cgroup_names_path(const struct cgroup_names *n, uint64_t id)
{
	const struct name *name = name_find(n, id);

	return name ? name->path : NULL;
}

uint32_t cgroup_names_count(const struct cgroup_names *n)
{
	return n->names.count;
}

bool cgroup_names_is_full(const struct cgroup_names *n)
{
	return n->names.count >= MAX_NAMES / 10 * 9 || n->path_bytes >= MAX_NAME_BYTES / 10 * 9;
}

/* ---- directories ---- */

/* A line of a list; the name is not NUL-terminated. */
struct entry {
	uint64_t id;
	const char *name;
	size_t len;
};

/* The next line that is one, from `*at` on; false at the end. */
static bool entry_next(const struct buffer *list, size_t *at, struct entry *ret)
{
	while (*at < list->len) {
		const char *line = list->data + *at;
		const char *newline = memchr(line, '\n', list->len - *at);
		size_t len = newline ? (size_t)(newline - line) : list->len - *at;
		const char *space = memchr(line, ' ', len);

		*at += len + 1;
		if (!space || number_parse(line, (size_t)(space - line), UINT64_MAX, &ret->id) < 0)
			continue;
		ret->name = space + 1;
		ret->len = len - (size_t)(ret->name - line);
		if (ret->len && !memchr(ret->name, '/', ret->len) &&
		    !memchr(ret->name, '\0', ret->len))
			return true;
	}
	return false;
}

static bool entry_is_itself(const struct entry *e)
{
	return e->len == 1 && *e->name == '.';
}

static int directory_list(const struct cgroup_names *n, const char *path, struct buffer *out)
{
	if (!*n->hierarchy.mount)
		return -ENOENT;
	return n->source->cgroup(n->source->ctx, n->hierarchy.mount, path, out);
}

/* ---- from a process ---- */

/* Has the directory that id? 0; -ENOENT if it isn't there (any more); -ESTALE if it is another's. */
static int path_check(const struct cgroup_names *n, const char *path, uint64_t id)
{
	_cleanup_(buffer_release) struct buffer list = BUFFER_INIT(MAX_LIST_BYTES);
	struct entry e;
	size_t at = 0;
	int r;

	if (strstr(path, "/.."))
		return -ESTALE;
	r = directory_list(n, path, &list);
	if (r < 0)
		return r;
	return entry_next(&list, &at, &e) && entry_is_itself(&e) && e.id == id ? 0 : -ESTALE;
}

/* What the process says, in `path`. */
static int process_path(struct cgroup_names *n, uint32_t pid, char *path, size_t size)
{
	struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
	int r = n->source->read(n->source->ctx, PROCESS_TEXT_CGROUP, pid, &text);

	if (r >= 0)
		r = cgroup_path_parse(text.data, text.len, n->hierarchy.controller, path, size);
	buffer_release(&text);
	return r;
}

/* ---- from the hierarchy ---- */

static int walk_enter(struct cgroup_names *n, uint64_t id, const char *path)
{
	const char **next;
	int r = cgroup_names_set(n, id, path);

	if (r < 0)
		return r;
	next = array_push(&n->walk.paths, MAX_NAMES);
	if (!next)
		return -E2BIG;
	*next = cgroup_names_path(n, id);
	return 0;
}

static int walk_directory(struct cgroup_names *n, const char *path)
{
	_cleanup_(buffer_release) struct buffer list = BUFFER_INIT(MAX_LIST_BYTES);
	struct entry e;
	size_t at = 0;
	int r = 0;

	if (directory_list(n, path, &list) < 0)
		return 0; /* gone, or not for us */
	while (r >= 0 && entry_next(&list, &at, &e)) {
		char child[MAX_PATH_BYTES];

		if (entry_is_itself(&e)) {
			r = cgroup_names_set(n, e.id, path);
			continue;
		}
		/* The root's own name ends in the slash already. */
		if ((size_t)snprintf(child, sizeof(child), "%s/%.*s", path[1] ? path : "",
				     (int)e.len, e.name) < sizeof(child))
			r = walk_enter(n, e.id, child);
	}
	return r;
}

static int walk_begin(struct walk *w)
{
	const char **first;

	w->done = w->paths.count = 0;
	first = array_push(&w->paths, MAX_NAMES);
	if (!first)
		return -ENOMEM;
	*first = "/";
	return 0;
}

/*
 * Goes on where the last one ran out of time, or from the root again. At the limits of names and
 * memory it was the last one, quietly: what is not found then shows by its id.
 */
static void walk_on(struct cgroup_names *n, uint64_t now_ns)
{
	struct walk *w = &n->walk;
	int r = 0;

	n->walks++;
	n->next_walk_ns = now_ns + WALK_EVERY_NS;
	if (w->done == w->paths.count)
		r = walk_begin(w);
	while (r >= 0 && w->done < w->paths.count &&
	       clock_ns(CLOCK_MONOTONIC) < now_ns + MAX_WALK_NS)
		r = walk_directory(n, w->paths.items[w->done++]);
	if (r < 0 || n->walks == MAX_WALKS)
		n->next_walk_ns = UINT64_MAX;
}

void cgroup_names_learn(struct cgroup_names *n, uint64_t id, uint32_t pid)
{
	char path[MAX_PATH_BYTES];
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct name *name;
	int said, r;

	if (name_get(n, id, &name) < 0 || name->path)
		return;
	if (name->attempts && (name->attempts >= MAX_ATTEMPTS || now_ns < n->next_walk_ns))
		return;
	name->attempts++;
	said = process_path(n, pid, path, sizeof(path));
	r = said < 0 ? said : path_check(n, path, id);
	if (r < 0 && now_ns >= n->next_walk_ns)
		walk_on(n, now_ns);
	/* It was removed since, or is mounted nowhere: then the process's word is all there is. */
	if (r == 0 || (r == -ENOENT && said >= 0 && !cgroup_names_path(n, id)))
		cgroup_names_set(n, id, path);
}
