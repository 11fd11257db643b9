// SPDX-License-Identifier: Apache-2.0
/*
 * Facts from made-up /proc and /sys trees, some of them hostile.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/command/condition.h"
#include "profiler/command/memory_limit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char root[] = "/tmp/slowburn-condition-XXXXXX";

static void make_folders(char *path)
{
	for (char *p = path + sizeof(root); (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
}

static void put(const char *name, const void *bytes, size_t len)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s%s", root, name);
	make_folders(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes, len), 0);
	close(fd);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static void put_link(const char *name, const char *to)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s%s", root, name);
	make_folders(path);
	unlink(path);
	assert_int_equal(symlink(to, path), 0);
}

static struct condition read_all(void)
{
	struct condition c = { 0 };

	condition_read(&c, root);
	return c;
}

static void test_nothing(void **state)
{
	struct condition c = { 0 };

	condition_read(&c, "/nonexistent");
	assert_int_equal(c.btf, -ENOENT);
	assert_int_equal(c.kallsyms, -ENOENT);
	assert_false(c.capabilities.known || c.seccomp.known || c.kptr_restrict.known);
	assert_string_equal(c.lockdown, "");
	assert_string_equal(c.label, "");
	assert_false(c.other_user_namespace || c.other_pid_namespace || c.shifted_time);
	assert_int_equal(c.memory_limit, MEMORY_LIMIT_NONE);
	assert_int_equal(cpus_count(&c.online), 0);
}

static void test_settings(void **state)
{
	static const struct {
		const char *text;
		bool known;
		int64_t value;
	} rows[] = {
		{ "2\n", true, 2 },
		{ "-1\n", true, -1 },
		{ " 4\t\n", true, 4 },
		{ "0", true, 0 },
		{ "9223372036854775807\n", true, INT64_MAX },
		{ "9223372036854775808\n", false, 0 },
		{ "", false, 0 },
		{ "-", false, 0 },
		{ "--1", false, 0 },
		{ "1 2", false, 0 },
		{ "0x1", false, 0 },
		{ "two\n", false, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct condition c;

		put_text("/proc/sys/kernel/kptr_restrict", rows[i].text);
		c = read_all();
		if (c.kptr_restrict.known != rows[i].known ||
		    c.kptr_restrict.value != rows[i].value)
			fail_msg("\"%s\": got %d, %lld; want %d, %lld", rows[i].text,
				 c.kptr_restrict.known, (long long)c.kptr_restrict.value,
				 rows[i].known, (long long)rows[i].value);
	}
}

static void test_status(void **state)
{
	static const struct {
		const char *text;
		bool capabilities;
		uint64_t held;
		bool seccomp;
		int64_t mode;
	} rows[] = {
		{ "Name:\tx\nCapEff:\t000001fffeffffff\nSeccomp:\t2\n", true, 0x1fffeffffffULL,
		  true, 2 },
		{ "CapEff:\t0\nSeccomp:\t0", true, 0, true, 0 },
		{ "CapEff:\tffffffffffffffff\n", true, UINT64_MAX, false, 0 },
		{ "CapEff:\t1ffffffffffffffff\n", false, 0, false, 0 },
		{ "Name:\tCapEff:\t1\nXCapEff:\t1\nSeccomp_filters:\t3\n", false, 0, false, 0 },
		{ "CapEff:\nSeccomp:\n", false, 0, false, 0 },
		{ "CapEff:\tzz\nSeccomp:\t\x1b[31m\n", false, 0, false, 0 },
		{ "", false, 0, false, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct condition c;

		put_text("/proc/self/status", rows[i].text);
		c = read_all();
		if (c.capabilities.known != rows[i].capabilities ||
		    (uint64_t)c.capabilities.value != rows[i].held ||
		    c.seccomp.known != rows[i].seccomp || c.seccomp.value != rows[i].mode)
			fail_msg("row %zu: got %d %llx, %d %lld; want %d %llx, %d %lld", i,
				 c.capabilities.known, (unsigned long long)c.capabilities.value,
				 c.seccomp.known, (long long)c.seccomp.value, rows[i].capabilities,
				 (unsigned long long)rows[i].held, rows[i].seccomp,
				 (long long)rows[i].mode);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *text, *lockdown;
	} rows[] = {
		{ "[none] integrity confidentiality\n", "none" },
		{ "none integrity [confidentiality]\n", "confidentiality" },
		{ "]none[\n", "" },
		{ "[none", "" },
		{ "[]", "" },
		{ "", "" },
		{ "[0123456789012345678901234567890123456789]", "0123456789012345678901234567890" },
	};
	static const char selinux[] = "system_u:system_r:container_t:s0\0";
	struct condition c;

	for (size_t i = 0; i < COUNT(rows); i++) {
		put_text("/sys/kernel/security/lockdown", rows[i].text);
		c = read_all();
		if (strcmp(c.lockdown, rows[i].lockdown) != 0)
			fail_msg("\"%s\": got \"%s\", want \"%s\"", rows[i].text, c.lockdown,
				 rows[i].lockdown);
	}
	put("/proc/self/attr/current", selinux, sizeof(selinux) - 1);
	c = read_all();
	assert_string_equal(c.label, "system_u:system_r:container_t:s0");
	put("/proc/self/attr/current", "a\0b\nc (enforce)\n", 16);
	c = read_all();
	assert_string_equal(c.label, "a b\nc (enforce)");
}

static void test_namespaces(void **state)
{
	static const struct {
		const char *link;
		bool other;
	} rows[] = {
		{ "pid:[4026531836]", false },
		{ "pid:[4026532201]", true },
		{ "pid:[]", false },
		{ "pid:[4026532201", false },
		{ "pid:", false },
		{ "pid:[99999999999999999999999]", false },
		{ "x", false },
	};
	static const struct {
		const char *text;
		bool shifted;
	} times[] = {
		{ "monotonic           0         0\nboottime            0         0\n", false },
		{ "monotonic        1000         0\nboottime            0         0\n", true },
		{ "monotonic           0         0\nboottime           -1         0\n", true },
		{ "monotonic           0 100000000\nboottime            0         0\n", true },
		{ "", false },
		{ "monotonic", false },
		{ "other 5 5\n", false },
	};
	struct condition c;

	for (size_t i = 0; i < COUNT(rows); i++) {
		put_link("/proc/self/ns/pid", rows[i].link);
		c = read_all();
		if (c.other_pid_namespace != rows[i].other)
			fail_msg("\"%s\": got %d, want %d", rows[i].link, c.other_pid_namespace,
				 rows[i].other);
	}
	put_link("/proc/self/ns/user", "user:[4026531837]");
	assert_false(read_all().other_user_namespace);
	put_link("/proc/self/ns/user", "user:[4026531838]");
	assert_true(read_all().other_user_namespace);
	for (size_t i = 0; i < COUNT(times); i++) {
		put_text("/proc/self/timens_offsets", times[i].text);
		c = read_all();
		if (c.shifted_time != times[i].shifted)
			fail_msg("\"%s\": got %d, want %d", times[i].text, c.shifted_time,
				 times[i].shifted);
	}
}

static void test_kernel_files(void **state)
{
	static const struct {
		const char *text;
		int expected;
	} rows[] = {
		{ "0000000000000000 T a\n0000000000000000 t b\n", 1 },
		{ "0000000000000000 A z\nffffffff81000000 T _stext\n", 0 },
		{ "0000000000000000 T 1234\n", 1 },
		{ "", 1 },
		{ "0000000000000000 T a\n0000000000001000 A cpu_tss", 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		put_text("/proc/kallsyms", rows[i].text);
		assert_int_equal(read_all().kallsyms, rows[i].expected);
	}
	put("/sys/kernel/btf/vmlinux", "\x9f\xeb\x01\x00", 4);
	assert_int_equal(read_all().btf, 0);
	put("/sys/kernel/btf/vmlinux", "\x9f", 1);
	assert_int_equal(read_all().btf, -EINVAL);
	put_text("/sys/kernel/btf/vmlinux", "ELF!");
	assert_int_equal(read_all().btf, -EINVAL);
}

static void test_cpus(void **state)
{
	struct condition c;

	put_text("/sys/devices/system/cpu/online", "0-7\n");
	put_text("/sys/devices/system/cpu/isolated", "2-3\n");
	put_text("/sys/devices/system/cpu/nohz_full", "(null)\n");
	c = read_all();
	assert_int_equal(cpus_count(&c.online), 8);
	assert_int_equal(cpus_count(&c.isolated), 2);
	put_text("/sys/devices/system/cpu/nohz_full", "3-4\n");
	c = read_all();
	assert_int_equal(cpus_count(&c.isolated), 3);
	put_text("/sys/devices/system/cpu/online", "0-99999999\n");
	c = read_all();
	assert_int_equal(cpus_count(&c.online), 0);
}

#define V2_MOUNT "30 1 0:26 %s /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
#define V1_MOUNT "31 1 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"

static void test_memory_limits(void **state)
{
	static const struct {
		const char *top, *cgroups;
		const char *of_a, *of_b; /* memory.max of /a and /a/b */
		uint64_t expected;
	} rows[] = {
		{ "/", "0::/a/b\n", "max\n", "67108864\n", 67108864 },
		{ "/", "0::/a/b\n", "33554432\n", "67108864\n", 33554432 },
		{ "/", "0::/a/b\n", "33554432\n", "max\n", 33554432 },
		{ "/", "0::/a\n", "max\n", "1\n", MEMORY_LIMIT_NONE },
		{ "/", "0::/\n", "1\n", "1\n", MEMORY_LIMIT_NONE },
		{ "/", "0::/a/b\n", "-1\n", "1e9\n", MEMORY_LIMIT_NONE },
		{ "/", "0::/a/b\n", "9223372036854771712\n", "", MEMORY_LIMIT_NONE },
		{ "/", "0::/../../x\n", "1\n", "1\n", MEMORY_LIMIT_NONE },
		{ "/", "", "1\n", "1\n", MEMORY_LIMIT_NONE },
		{ "/docker", "0::/docker/a/b\n", "7\n", "9\n", 7 },
		{ "/docker", "0::/dockers\n", "7\n", "9\n", MEMORY_LIMIT_NONE },
		{ "/", "4:memory:/m\n0::/a/b\n", "1\n", "1\n", 4096 },
	};

	put_text("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "4096\n");
	for (size_t i = 0; i < COUNT(rows); i++) {
		char mounts[512];
		struct condition c;

		snprintf(mounts, sizeof(mounts), V2_MOUNT V1_MOUNT, rows[i].top);
		put_text("/proc/self/mountinfo", mounts);
		put_text("/proc/self/cgroup", rows[i].cgroups);
		put_text("/sys/fs/cgroup/a/memory.max", rows[i].of_a);
		put_text("/sys/fs/cgroup/a/b/memory.max", rows[i].of_b);
		c = read_all();
		if (c.memory_limit != rows[i].expected)
			fail_msg("row %zu: got %llu, want %llu", i,
				 (unsigned long long)c.memory_limit,
				 (unsigned long long)rows[i].expected);
	}
}

static int make_root(void **state)
{
	return mkdtemp(root) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static int remove_root(void **state)
{
	return nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),    cmocka_unit_test(test_settings),
		cmocka_unit_test(test_status),     cmocka_unit_test(test_words),
		cmocka_unit_test(test_namespaces), cmocka_unit_test(test_kernel_files),
		cmocka_unit_test(test_cpus),       cmocka_unit_test(test_memory_limits),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
