// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LINE(device, type) "30 1 " device " / /m rw shared:1 - " type " source rw\n"

static void types(void **state)
{
	static const struct {
		const char *text;
		int r;
		bool slow, stacked;
	} rows[] = {
		{ LINE("8:1", "ext4"), 0, false, false },
		{ LINE("8:1", "xfs"), 0, false, false },
		{ LINE("8:1", "btrfs"), 0, false, false },
		{ LINE("8:1", "tmpfs"), 0, false, false },
		{ LINE("8:1", "fuse"), 0, true, false },
		{ LINE("8:1", "fuse.sshfs"), 0, true, false },
		{ LINE("8:1", "fuseblk"), 0, true, false },
		{ LINE("8:1", "nfs"), 0, true, false },
		{ LINE("8:1", "nfs4"), 0, true, false },
		{ LINE("8:1", "cifs"), 0, true, false },
		{ LINE("8:1", "9p"), 0, true, false },
		{ LINE("8:1", "virtiofs"), 0, true, false },
		{ LINE("8:1", "ceph"), 0, true, false },
		{ LINE("8:1", "autofs"), 0, true, false },
		{ LINE("8:1", "ext"), 0, true, false },
		{ LINE("8:1", "ext44"), 0, true, false },
		{ LINE("8:1", "nobodyknowsfs"), 0, true, false },
		{ LINE("8:1", "overlay"), 0, true, true },
		{ LINE("8:2", "ext4") LINE("8:1", "nfs"), 0, true, false },
		{ "rubbish\n\n" LINE("8:1", "ext4"), 0, false, false },
		{ LINE("8:2", "ext4"), -ENOENT, true, true },
		{ LINE("0:8", "ext4"), -ENOENT, true, true },
		{ "", -ENOENT, true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct filesystem f = { .slow = true, .stacked = true };
		int r = filesystem_parse(rows[i].text, strlen(rows[i].text), 8, 1, &f);

		if (r != rows[i].r || f.slow != rows[i].slow || f.stacked != rows[i].stacked)
			fail_msg("\"%s\": got %d, slow %d, stacked %d", rows[i].text, r, f.slow,
				 f.stacked);
		if (r == 0 && (f.major != 8 || f.minor != 1))
			fail_msg("\"%s\": got %u:%u", rows[i].text, f.major, f.minor);
	}
}

/* Whose word it is that a file is root's. */
static void owners(void **state)
{
	static const struct {
		const char *text;
		bool doubtful;
	} rows[] = {
		{ "22 21 8:1 / /m rw - ext4 /dev/sda1 rw,user_id=1000\n", false },
		{ "22 21 8:1 / /m rw - nfs4 host:/ rw\n", false },
		{ "22 21 8:1 / /m rw - fuse.sshfs a rw,user_id=0,group_id=0,allow_other\n", false },
		{ "22 21 8:1 / /m rw - fuseblk /dev/sdb1 rw,user_id=0,group_id=0\n", false },
		{ "22 21 8:1 / /m rw - fuse.sshfs a rw,user_id=1000,group_id=0,allow_other\n",
		  true },
		{ "22 21 8:1 / /m rw - fuse a rw,user_id=01,group_id=0\n", true },
		{ "22 21 8:1 / /m rw - fuse a rw\n", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct filesystem f = { .doubtful = !rows[i].doubtful };

		assert_int_equal(filesystem_parse(rows[i].text, strlen(rows[i].text), 8, 1, &f), 0);
		if (f.doubtful != rows[i].doubtful)
			fail_msg("\"%s\": got %d", rows[i].text, f.doubtful);
	}
}

static void expect_device(const char *what, dev_t device, bool slow)
{
	for (int again = 0; again < 2; again++)
		if (filesystem_is_slow((uint32_t)getpid(), major(device), minor(device)) != slow)
			fail_msg("%s (%u:%u): got %s", what, major(device), minor(device),
				 slow ? "quick" : "slow");
}

static void devices(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct stat st;

	(void)state;
	assert_int_equal(stat("/bin/sh", &st), 0);
	expect_device("/bin/sh", st.st_dev, false);
	assert_int_equal(fstat(fd, &st), 0);
	expect_device("a memfd", st.st_dev, false);
	close(fd);
	/* Of the types that are not known to answer, the one that every machine has. */
	assert_int_equal(stat("/proc", &st), 0);
	expect_device("/proc", st.st_dev, true);
	expect_device("a disk that is mounted nowhere", makedev(4000, 1), false);
	expect_device("what is mounted nowhere and no disk", makedev(0, 1048575), true);
}

static void mounts(void **state)
{
	struct filesystem f;
	struct statx st;

	(void)state;
	assert_int_equal(statx(AT_FDCWD, "/bin/sh", 0, STATX_MNT_ID, &st), 0);
	if (!(st.stx_mask & STATX_MNT_ID))
		skip(); /* before 5.8 */
	assert_int_equal(filesystem_of_mount(0, st.stx_mnt_id, &f), 0);
	assert_false(f.slow);
	assert_int_equal(f.major, st.stx_dev_major);
	assert_int_equal(f.minor, st.stx_dev_minor);
	assert_int_equal(statx(AT_FDCWD, "/proc/stat", 0, STATX_MNT_ID, &st), 0);
	assert_int_equal(filesystem_of_mount((uint32_t)getpid(), st.stx_mnt_id, &f), 0);
	assert_true(f.slow);
	assert_int_equal(filesystem_of_mount(0, UINT64_MAX, &f), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types),
		cmocka_unit_test(owners),
		cmocka_unit_test(devices),
		cmocka_unit_test(mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
