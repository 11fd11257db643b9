// SPDX-License-Identifier: Apache-2.0
/*
 * A limit holds for what is below it, so all directories from ours up to the mount are asked. In a
 * container the mount may begin at the container's own cgroup: what is above can't be seen.
 */
#include "profiler/command/memory_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/number.h"
#include "profiler/process/cgroup.h"
#include "profiler/process/mountinfo.h"

#define MAX_PATH_BYTES 4096
#define MAX_LIMIT_BYTES 64
#define MAX_TEXT_BYTES ((size_t)4 << 20)
#define MAX_DEPTH 128
/* v1 says "none" as the largest multiple of a page. */
#define UNLIMITED (UINT64_MAX >> 2)

struct place {
	char mount[MAX_PATH_BYTES], path[MAX_PATH_BYTES];
	const char *file;
};

static uint64_t limit_in(const char *root, const struct place *p)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(MAX_LIMIT_BYTES);
	_cleanup_(fd_close) int fd = -1;
	char path[3 * MAX_PATH_BYTES];
	uint64_t bytes;

	if ((size_t)snprintf(path, sizeof(path), "%s%s%s/%s", root, p->mount, p->path, p->file) >=
	    sizeof(path))
		return MEMORY_LIMIT_NONE;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || buffer_read_fd(&text, fd) < 0)
		return MEMORY_LIMIT_NONE;
	while (text.len && text.data[text.len - 1] == '\n')
		text.len--;
	/* "max", or anything else that is no number, is no limit. */
	if (!text.len || number_parse(text.data, text.len, UNLIMITED, &bytes) < 0)
		return MEMORY_LIMIT_NONE;
	return bytes;
}

/* Our path counts from the hierarchy's root, the mount may begin below it. */
static void path_below(struct place *p, const char *top)
{
	size_t len = strlen(top);

	if (strcmp(top, "/") != 0 && !strncmp(p->path, top, len) &&
	    (p->path[len] == '/' || !p->path[len]))
		memmove(p->path, p->path + len, strlen(p->path + len) + 1);
	if (!strcmp(p->path, "/"))
		p->path[0] = '\0';
}

static bool mount_find(const char *text, size_t len, const char *controller, struct place *p)
{
	char top[MAX_PATH_BYTES];
	struct mountinfo m;

	for (size_t at = 0, used; at < len; at += used) {
		if (mountinfo_parse(text + at, len - at, &m, &used) < 0 ||
		    !mountinfo_field_is(&m.type, *controller ? "cgroup" : "cgroup2") ||
		    (*controller && !mountinfo_field_lists(&m.options, controller)) ||
		    mountinfo_unescape(&m.mount, p->mount, sizeof(p->mount)) < 0 ||
		    mountinfo_unescape(&m.root, top, sizeof(top)) < 0)
			continue;
		path_below(p, top);
		return true;
	}
	return false;
}

uint64_t memory_limit_read(const char *root, const char *mounts, size_t mounts_len,
			   const char *cgroups, size_t cgroups_len)
{
	const char *controller = "memory";
	uint64_t least = MEMORY_LIMIT_NONE;
	struct place p = { .file = "memory.limit_in_bytes" };

	if (cgroup_path_parse(cgroups, cgroups_len, controller, p.path, sizeof(p.path)) < 0) {
		controller = "";
		p.file = "memory.max";
		if (cgroup_path_parse(cgroups, cgroups_len, "", p.path, sizeof(p.path)) < 0)
			return least;
	}
	if (!mount_find(mounts, mounts_len, controller, &p))
		return least;
	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		uint64_t limit = limit_in(root, &p);
		char *slash = strrchr(p.path, '/');

		if (limit < least)
			least = limit;
		if (!slash)
			break;
		*slash = '\0';
	}
	return least;
}

static int text_read(const char *path, struct buffer *out)
{
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : buffer_read_fd(out, fd);
}

uint64_t memory_limit_find(void)
{
	_cleanup_(buffer_release) struct buffer mounts = BUFFER_INIT(MAX_TEXT_BYTES);
	_cleanup_(buffer_release) struct buffer cgroups = BUFFER_INIT(MAX_TEXT_BYTES);

	if (text_read("/proc/self/mountinfo", &mounts) < 0 ||
	    text_read("/proc/self/cgroup", &cgroups) < 0)
		return MEMORY_LIMIT_NONE;
	return memory_limit_read("", mounts.data, mounts.len, cgroups.data, cgroups.len);
}
