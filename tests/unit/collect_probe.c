// SPDX-License-Identifier: Apache-2.0
/*
 * Probes against this kernel. With root all but the PMU must be there, since the sampler needs it;
 * without privileges a refusal must be told from a lack.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/collect/probe.h"

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

static void test_root(void **state)
{
	int fds = count_fds();

	if (geteuid() != 0) {
		print_message("needs root: skipped\n");
		skip();
	}
	for (int i = 0; i < PROBE_COUNT; i++) {
		int r = probe_kernel((enum probe)i);

		if (r < 0 && i == PROBE_CYCLES)
			continue;
		if (r == -EINVAL && i == PROBE_TASK_REGISTERS)
			continue; /* before 5.15, and the sampler has another way */
		if (r != 0)
			fail_msg("probe %d: got %d", i, r);
	}
	assert_int_equal(count_fds(), fds);
}

static void test_nobody(void **state)
{
	static const enum probe refused[] = { PROBE_TASK_REGISTERS, PROBE_TP_BTF, PROBE_PERF_BPF };
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(100);
		for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
			int r = probe_kernel(refused[i]);

			if (r != -EPERM && r != -EACCES)
				_exit(1 + (int)i);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_none(void **state)
{
	assert_int_equal(probe_kernel(PROBE_COUNT), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
