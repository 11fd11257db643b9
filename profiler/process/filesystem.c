// SPDX-License-Identifier: Apache-2.0
/*
 * A short list of types that are known to answer; everything else is slow, since a type that we have
 * never heard of may be anything, and a copy costs little.
 *
 * An overlay is as slow as what lies under it, which nothing tells reliably: its options name layers as
 * they were called for whoever mounted it. Anybody may mount one, over a FUSE file system of his own, in
 * a user namespace. So an overlay answers if it is mounted where the machine's owner mounts things (init's
 * namespace or ours), as container engines do, and is slow if only its own processes see it.
 *
 * Refused: statfs(), which asks the server; AT_STATX_DONT_SYNC's st_dev alone, which on btrfs is in
 * nobody's mountinfo.
 */
#include "profiler/process/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/process/mountinfo.h"

/* 40,000 mounts; what lies beyond is not known, and slow. */
#define MAX_TEXT_BYTES ((size_t)4 << 20)
#define MAX_PATH_BYTES 4097
#define REMEMBERED_NS NS_PER_S
#define REMEMBERED 64

/* Of a device with a number of its own, as those with blocks have. The others are counted up from 0:1. */
#define ANONYMOUS_MAJOR 0

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const known[] = {
	"ext4",   "xfs",      "btrfs",   "tmpfs",  "squashfs", "erofs",     "f2fs",
	"zfs",    "bcachefs", "ext3",    "ext2",   "ramfs",    "rootfs",    "devtmpfs",
	"vfat",   "exfat",    "ntfs3",   "udf",    "iso9660",  "hugetlbfs", "jfs",
	"nilfs2", "reiserfs", "hfsplus", "cramfs", "romfs",    "msdos",
};

/* ---- one line ---- */

static bool is_known(const struct mountinfo *m)
{
	for (size_t i = 0; i < COUNT(known); i++)
		if (mountinfo_field_is(&m->type, known[i]))
			return true;
	return false;
}

/*
 * Whose a file is, is what FUSE's server says: of a user's own, if others may look at all (user_allow_other in
 * /etc/fuse.conf), that it is root's.
 */
static bool is_users_own(const struct mountinfo *m)
{
	return m->type.len >= 4 && !memcmp(m->type.text, "fuse", 4) &&
	       !mountinfo_field_lists(&m->options, "user_id=0");
}

/* The file system of a line. A stacked one is slow until its mount is known to be trustworthy. */
static struct filesystem filesystem_of(const struct mountinfo *m)
{
	return (struct filesystem){
		.major = m->major,
		.minor = m->minor,
		.slow = !is_known(m),
		.stacked = mountinfo_field_is(&m->type, "overlay"),
		.doubtful = is_users_own(m),
	};
}

int filesystem_parse(const char *text, size_t len, uint32_t major, uint32_t minor,
		     struct filesystem *ret)
{
	struct mountinfo m;

	for (size_t at = 0, used; at < len; at += used) {
		if (mountinfo_parse(text + at, len - at, &m, &used) < 0 || m.major != major ||
		    m.minor != minor)
			continue;
		*ret = filesystem_of(&m);
		return 0;
	}
	return -ENOENT;
}

/* ---- mountinfo ---- */

/* Of process `pid`, of ours if 0. A text that is too long is cut, as if it ended there. */
static int mounts_read(uint32_t pid, struct buffer *out)
{
	_cleanup_(fd_close) int fd = -1;
	char path[64];
	int r;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%" PRIu32 "/mountinfo", pid);
	else
		snprintf(path, sizeof(path), "/proc/self/mountinfo");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = buffer_read_fd(out, fd);
	return r == -E2BIG ? 0 : r;
}

static int device_find(uint32_t pid, uint32_t major, uint32_t minor, struct filesystem *ret)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
	int r = mounts_read(pid, &text);

	return r < 0 ? r : filesystem_parse(text.data, text.len, major, minor, ret);
}

/* ---- device numbers ---- */

static struct verdict {
	uint32_t major, minor;
	bool slow;
	uint64_t until_ns;
} verdicts[REMEMBERED];

static struct verdict *verdict_slot(uint32_t major, uint32_t minor)
{
	return &verdicts[(minor ^ major * 31) % REMEMBERED];
}

/* Where memfds live: mounted nowhere, and as old as the kernel. */
static bool is_memory(uint32_t major, uint32_t minor)
{
	static struct statx memory;
	static bool asked;

	if (!asked) {
		_cleanup_(fd_close) int fd = memfd_create("slowburn", MFD_CLOEXEC);

		asked = true;
		if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &memory) < 0)
			memory.stx_mask = 0;
	}
	return memory.stx_mask && major == memory.stx_dev_major && minor == memory.stx_dev_minor;
}

/* Is it mounted where only the machine's owner mounts? */
static int trusted_find(uint32_t major, uint32_t minor, struct filesystem *ret)
{
	int r = device_find(1, major, minor, ret);

	if (r < 0)
		r = device_find(0, major, minor, ret);
	if (r == 0 && ret->stacked)
		ret->slow = false;
	return r;
}

bool filesystem_is_slow(uint32_t pid, uint32_t major, uint32_t minor)
{
	struct verdict *v = verdict_slot(major, minor);
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct filesystem f = { 0 };
	bool trusted;

	if (v->until_ns > now_ns && v->major == major && v->minor == minor)
		return v->slow;
	if (is_memory(major, minor))
		return false;
	trusted = trusted_find(major, minor, &f) == 0;
	if (!trusted && (!pid || device_find(pid, major, minor, &f) < 0))
		f.slow = major == ANONYMOUS_MAJOR;
	/*
	 * An anonymous number goes to the next who mounts: a slow file system could have one under which a
	 * quick one is remembered.
	 */
	if (f.slow || (trusted && major != ANONYMOUS_MAJOR))
		*v = (struct verdict){ major, minor, f.slow, now_ns + REMEMBERED_NS };
	return f.slow;
}

/* ---- mounts ---- */

/* An overlay's line alone doesn't say: where else is it mounted? */
static struct filesystem filesystem_judge(uint32_t pid, const struct mountinfo *m)
{
	struct filesystem f = filesystem_of(m);

	/* What only its own processes see may lie above anything. */
	if (f.stacked)
		f.doubtful = f.slow = filesystem_is_slow(pid, f.major, f.minor);
	return f;
}

static int mount_find(uint32_t pid, uint64_t mount_id, struct filesystem *ret)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
	struct mountinfo m;

	if (mounts_read(pid, &text) < 0)
		return -ENOENT;
	for (size_t at = 0, used; at < text.len; at += used) {
		if (mountinfo_parse(text.data + at, text.len - at, &m, &used) < 0 ||
		    m.id != mount_id)
			continue;
		*ret = filesystem_judge(pid, &m);
		return 0;
	}
	return -ENOENT;
}

/* What a process with another root directory is in is mounted above that, where it doesn't see it. */
int filesystem_of_mount(uint32_t pid, uint64_t mount_id, struct filesystem *ret)
{
	const uint32_t seen_by[] = { pid, 1, 0 };
	int r = -ENOENT;

	for (size_t i = 0; i < COUNT(seen_by) && r < 0; i++)
		r = mount_find(seen_by[i], mount_id, ret);
	return r;
}
