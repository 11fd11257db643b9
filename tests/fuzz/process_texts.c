// SPDX-License-Identifier: Apache-2.0
/*
 * Texts of /proc that hold what somebody else called something: a process its name, a container its mounts and
 * cgroups. The first byte says which text it is. What is accepted is NUL-terminated and within its bounds.
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/process/cgroup.h"
#include "profiler/process/filesystem.h"
#include "profiler/process/mountinfo.h"
#include "profiler/process/stat.h"
#include "profiler/process/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void field(const struct mountinfo_field *f)
{
	char out[PATH_MAX];

	mountinfo_field_is(f, "overlay");
	mountinfo_field_lists(f, "userxattr");
	if (mountinfo_unescape(f, out, sizeof(out)) == 0)
		check(memchr(out, '\0', sizeof(out)));
	if (mountinfo_unescape(f, out, 8) == 0)
		check(memchr(out, '\0', 8));
}

static void mounts(const char *text, size_t len)
{
	struct filesystem fs;
	struct mountinfo m;
	size_t used = 0;
	int r = 0;

	for (size_t at = 0; at < len && r != -ENOENT; at += used) {
		r = mountinfo_parse(text + at, len - at, &m, &used);
		if (r == -ENOENT)
			break;
		check(used > 0 && used <= len - at);
		if (r < 0)
			continue;
		field(&m.root);
		field(&m.mount);
		field(&m.type);
		field(&m.options);
		filesystem_parse(text, len, m.major, m.minor, &fs);
	}
}

static void cgroups(const char *text, size_t len)
{
	const char *half = len ? memchr(text, '\0', len) : NULL;
	struct cgroup_hierarchy h = { 0 };
	char path[64];

	check(cgroup_path_parse(text, len, "", path, sizeof(path)) < 0 ||
	      memchr(path, '\0', sizeof(path)));
	check(cgroup_path_parse(text, len, "pids", path, sizeof(path)) < 0 ||
	      memchr(path, '\0', sizeof(path)));
	if (!half)
		return;
	cgroup_hierarchy_parse(text, (size_t)(half - text), half + 1,
			       len - (size_t)(half + 1 - text), &h);
	check(memchr(h.controller, '\0', sizeof(h.controller)) &&
	      memchr(h.mount, '\0', sizeof(h.mount)));
}

static void process(const char *text, size_t len)
{
	struct process_status status;
	uint64_t ticks;
	uint32_t pid;

	stat_parent_parse(text, len, &pid);
	stat_start_parse(text, len, &ticks);
	if (process_status_parse(text, len, &status) == 0)
		check(memchr(status.comm, '\0', sizeof(status.comm)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	/* Without a NUL behind it. */
	text = malloc(size - 1 ? size - 1 : 1);
	check(text);
	memcpy(text, data + 1, size - 1);
	switch (data[0]) {
	case 'm':
		mounts(text, size - 1);
		break;
	case 'c':
		cgroups(text, size - 1);
		break;
	case 'p':
		process(text, size - 1);
		break;
	default:
		break;
	}
	free(text);
	return 0;
}
