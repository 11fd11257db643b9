// SPDX-License-Identifier: Apache-2.0
/*
 * A name is believed once a directory of that name has the id: what /proc/PID/cgroup says may be of a
 * process that has moved meanwhile, and seen from another namespace. Where that doesn't do, a walk over
 * the hierarchy, in pieces, learns all that is there, since readdir() tells inode numbers: no stat() for
 * each. Asking the kernel by file handle (open_by_handle_at) was refused: it needs CAP_DAC_READ_SEARCH,
 * and v1 doesn't have it.
 */
#include "profiler/process/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/arena.h"
#include "profiler/base/array.h"
#include "profiler/base/clock.h"
#include "profiler/base/index.h"

#define MAX_NAMES 65536
#define MAX_NAME_BYTES ((size_t)16 << 20)
#define MAX_PATH_BYTES 4096
#define MAX_TEXT_BYTES ((size_t)64 << 10)
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

/* ---- from a process ---- */

/* Has the directory that id? 0; -ENOENT if it isn't there (any more); -ESTALE if it is another's. */
static int path_check(const struct cgroup_names *n, const char *path, uint64_t id)
{
	char full[sizeof(n->hierarchy.mount) + MAX_PATH_BYTES];
	struct stat st;

	if (strstr(path, "/.."))
		return -ESTALE;
	if (!*n->hierarchy.mount)
		return -ENOENT;
	snprintf(full, sizeof(full), "%s%s", n->hierarchy.mount, path);
	if (stat(full, &st) < 0)
		return -errno;
	return st.st_ino == id ? 0 : -ESTALE;
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
	char full[sizeof(n->hierarchy.mount) + MAX_PATH_BYTES];
	const struct dirent *e;
	int r = 0;
	DIR *d;

	snprintf(full, sizeof(full), "%s%s", n->hierarchy.mount, path);
	d = opendir(full);
	if (!d)
		return 0; /* gone, or not for us */
	while (r >= 0 && (e = readdir(d))) {
		char child[MAX_PATH_BYTES];

		if (e->d_type != DT_DIR || !strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		/* The root's own name ends in the slash already. */
		if ((size_t)snprintf(child, sizeof(child), "%s/%s", path[1] ? path : "",
				     e->d_name) < sizeof(child))
			r = walk_enter(n, e->d_ino, child);
	}
	closedir(d);
	return r;
}

/*
 * Goes on where the last one ran out of time, or from the root again. At the limits of names and
 * memory it was the last one, quietly: what is not found then shows by its id.
 */
static void walk_on(struct cgroup_names *n, uint64_t now_ns)
{
	struct walk *w = &n->walk;
	struct stat st;
	int r = 0;

	n->walks++;
	n->next_walk_ns = now_ns + WALK_EVERY_NS;
	if (!*n->hierarchy.mount || stat(n->hierarchy.mount, &st) < 0)
		return;
	if (w->done == w->paths.count) {
		w->done = w->paths.count = 0;
		r = walk_enter(n, st.st_ino, "/");
	}
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
