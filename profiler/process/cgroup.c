// SPDX-License-Identifier: Apache-2.0
/*
 * Which hierarchies there are, /proc/self/cgroup tells; where they are mounted, mountinfo. A directory
 * that a user names is known for a cgroup by its file system's type, and its hierarchy by its device:
 * so it may be reached by any name. Comparing path prefixes was refused: bind mounts and symbolic links
 * (/sys/fs/cgroup/cpu) have others.
 */
#include "profiler/process/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "profiler/base/cleanup.h"
#include "profiler/process/mountinfo.h"

#define MAX_TEXT_BYTES ((size_t)4 << 20)

/* Those of v1, the ones that are chosen first at the beginning. */
static const char *const controllers[] = { "pids",    "memory",   "cpu",        "cpuacct",
					   "cpuset",  "blkio",    "devices",    "freezer",
					   "net_cls", "net_prio", "perf_event", "hugetlb" };
#define CHOSEN 3
#define CONTROLLERS (sizeof(controllers) / sizeof(controllers[0]))

/* A line of /proc/PID/cgroup: "4:cpu,cpuacct:/user.slice"; "0::/user.slice" for v2. */
struct line {
	struct mountinfo_field controllers, path;
};

static bool line_parse(const char *text, size_t len, struct line *ret)
{
	const char *first = memchr(text, ':', len), *second;

	if (!first)
		return false;
	second = memchr(first + 1, ':', len - (size_t)(first + 1 - text));
	if (!second)
		return false;
	ret->controllers.text = first + 1;
	ret->controllers.len = (size_t)(second - first - 1);
	ret->path.text = second + 1;
	ret->path.len = len - (size_t)(second + 1 - text);
	return true;
}

static bool line_find(const char *text, size_t len, const char *controller, struct line *ret)
{
	for (size_t at = 0; at < len;) {
		const char *newline = memchr(text + at, '\n', len - at);
		size_t n = newline ? (size_t)(newline - text) - at : len - at;

		/* "" lists one item, "", which is v2's. */
		if (line_parse(text + at, n, ret) &&
		    mountinfo_field_lists(&ret->controllers, controller))
			return true;
		at += n + 1;
	}
	return false;
}

int cgroup_path_parse(const char *text, size_t len, const char *controller, char *ret_path,
		      size_t size)
{
	static const char removed[] = " (deleted)";
	size_t tail = strlen(removed);
	struct line line;

	if (!line_find(text, len, controller, &line))
		return -ENOENT;
	if (line.path.len > tail && !memcmp(line.path.text + line.path.len - tail, removed, tail))
		line.path.len -= tail;
	if (!line.path.len || line.path.text[0] != '/' || memchr(line.path.text, 0, line.path.len))
		return -EINVAL;
	if (line.path.len >= size)
		return -E2BIG;
	memcpy(ret_path, line.path.text, line.path.len);
	ret_path[line.path.len] = '\0';
	return 0;
}

static bool mount_has(const struct mountinfo *m, const char *controller)
{
	if (!*controller)
		return mountinfo_field_is(&m->type, "cgroup2");
	return mountinfo_field_is(&m->type, "cgroup") &&
	       mountinfo_field_lists(&m->options, controller);
}

/* Where a hierarchy is mounted, as a whole if it is anywhere; false if it isn't or the name is long. */
static bool mount_find(const char *text, size_t len, const char *controller,
		       struct cgroup_hierarchy *ret)
{
	struct cgroup_hierarchy h = { 0 };
	bool found = false;
	struct mountinfo m;

	snprintf(h.controller, sizeof(h.controller), "%s", controller);
	for (size_t at = 0, used; at < len; at += used) {
		bool whole;

		if (mountinfo_parse(text + at, len - at, &m, &used) < 0 ||
		    !mount_has(&m, controller))
			continue;
		whole = mountinfo_field_is(&m.root, "/");
		if ((found && !whole) || mountinfo_unescape(&m.mount, h.mount, sizeof(h.mount)) < 0)
			continue;
		*ret = h;
		found = true;
		if (whole)
			break;
	}
	return found;
}

void cgroup_hierarchy_parse(const char *mounts, size_t mounts_len, const char *cgroups,
			    size_t cgroups_len, struct cgroup_hierarchy *ret)
{
	struct line line;

	for (size_t i = 0; i < CHOSEN; i++)
		if (mount_find(mounts, mounts_len, controllers[i], ret))
			return;
	if (mount_find(mounts, mounts_len, "", ret))
		return;
	/* None is mounted where we are: ids can still be had, and no names but /proc's. */
	*ret = (struct cgroup_hierarchy){ 0 };
	for (size_t i = 0; i < CHOSEN; i++) {
		if (line_find(cgroups, cgroups_len, controllers[i], &line)) {
			snprintf(ret->controller, sizeof(ret->controller), "%s", controllers[i]);
			return;
		}
	}
}

static int file_read(const char *path, struct buffer *out, struct err *err)
{
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	buffer_init(out, MAX_TEXT_BYTES);
	r = fd < 0 ? -errno : buffer_read_fd(out, fd);
	/* A host of many containers has mounts without end; the hierarchies are among the first. */
	if (r < 0 && r != -E2BIG)
		return err_errno(err, r, "cannot read \"%s\"", path);
	return 0;
}

int cgroup_hierarchy_choose(struct cgroup_hierarchy *ret, struct err *err)
{
	_cleanup_(buffer_release) struct buffer mounts = { 0 }, cgroups = { 0 };
	int r = file_read("/proc/self/mountinfo", &mounts, err);

	if (r >= 0)
		r = file_read("/proc/self/cgroup", &cgroups, err);
	if (r < 0)
		return r;
	cgroup_hierarchy_parse(mounts.data, mounts.len, cgroups.data, cgroups.len, ret);
	return 0;
}

/* ---- the cgroup that a user names ---- */

static const char *hierarchy_name(const struct cgroup_hierarchy *h)
{
	return *h->controller ? h->controller : "v2";
}

/* 0, and what is there; -EXDEV outside cgroup mounts; -ENOTDIR for a file in one; errors of stat(). */
static int cgroup_stat(const char *path, struct stat *ret)
{
	struct statfs fs;

	if (stat(path, ret) < 0 || statfs(path, &fs) < 0)
		return -errno;
	if (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC)
		return -EXDEV;
	return S_ISDIR(ret->st_mode) ? 0 : -ENOTDIR;
}

static int not_a_directory(const char *path, struct err *err)
{
	return err_set(err, -ENOTDIR, "\"%s\" is a file of a cgroup: name its directory", path);
}

/* The hierarchy that is the file system with this device number. */
static int hierarchy_of(const char *path, dev_t device, struct cgroup_hierarchy *ret,
			struct err *err)
{
	_cleanup_(buffer_release) struct buffer mounts = { 0 };
	struct mountinfo m;
	int r = file_read("/proc/self/mountinfo", &mounts, err);

	if (r < 0)
		return r;
	for (size_t at = 0, used; at < mounts.len; at += used) {
		r = mountinfo_parse(mounts.data + at, mounts.len - at, &m, &used);
		if (r < 0 || m.major != major(device) || m.minor != minor(device))
			continue;
		if (mount_find(mounts.data, mounts.len, "", ret) && mount_has(&m, ""))
			return 0;
		for (size_t i = 0; i < CONTROLLERS; i++)
			if (mount_has(&m, controllers[i]) &&
			    mount_find(mounts.data, mounts.len, controllers[i], ret))
				return 0;
	}
	return err_set(err, -EINVAL, "\"%s\" is in a cgroup hierarchy without a controller", path);
}

static int find_in_hierarchy(const char *path, const struct cgroup_hierarchy *h, uint64_t *ret_id,
			     struct err *err)
{
	char full[4096];
	struct stat st, top;
	int r;

	if (!*h->mount)
		return err_set(err, -ENOENT, "no cgroup \"%s\": no hierarchy is mounted", path);
	if ((size_t)snprintf(full, sizeof(full), "%s/%s", h->mount, path) >= sizeof(full))
		return err_set(err, -ENAMETOOLONG, "no cgroup \"%.64s\"...: too long a name", path);
	r = cgroup_stat(h->mount, &top);
	if (r >= 0)
		r = cgroup_stat(full, &st);
	if (r == -ENOTDIR)
		return not_a_directory(full, err);
	/* ".." can lead into another hierarchy. */
	if (r == -ENOENT || r == -EXDEV || (r == 0 && st.st_dev != top.st_dev))
		return err_set(
			err, -ENOENT,
			"no cgroup \"%s\": it is no cgroup's directory, nor is there one of that "
			"name below \"%s\" (%s)",
			path, h->mount, hierarchy_name(h));
	if (r < 0)
		return err_errno(err, r, "cannot look at the cgroup \"%s\"", full);
	*ret_id = st.st_ino;
	return 0;
}

int cgroup_find(const char *path, struct cgroup_hierarchy *h, uint64_t *ret_id, struct err *err)
{
	struct cgroup_hierarchy found = { 0 };
	struct stat st;
	int r;

	if (!*path)
		return err_set(err, -EINVAL, "the cgroup's name is empty");
	r = *path == '/' ? cgroup_stat(path, &st) : -EXDEV;
	if (r == -ENOTDIR)
		return not_a_directory(path, err);
	if (r < 0)
		return find_in_hierarchy(path, h, ret_id, err);
	r = hierarchy_of(path, st.st_dev, &found, err);
	if (r < 0)
		return r;
	*h = found;
	*ret_id = st.st_ino;
	return 0;
}
