// SPDX-License-Identifier: Apache-2.0
#include "profiler/role/usage.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "tests/unit/torture.h"

#define MS(n) ((n)*1000000ULL)

static void spin(uint64_t cpu_ns)
{
	uint64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start < cpu_ns)
		;
}

/* A child that uses 100 ms of CPU time and 32 MiB, says so, and waits to be killed. */
static pid_t child_start(void)
{
	pid_t child;
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char *p = mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED)
			_exit(1);
		memset(p, 1, 32 << 20);
		spin(MS(100));
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void a_process_that_worked(void **state)
{
	pid_t child = child_start();

	assert_in_range(usage_cpu_ns(child), MS(100), MS(2000));
	assert_in_range(usage_memory_bytes(child), 30 << 20, 300 << 20);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void this_one(void **state)
{
	uint64_t before = usage_cpu_ns(getpid());

	spin(MS(20));
	assert_in_range(usage_cpu_ns(getpid()) - before, MS(20), MS(2000));
	assert_in_range(usage_memory_bytes(getpid()), 100 << 10, 1 << 30);
}

static void one_that_is_gone(void **state)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(usage_cpu_ns(child), 0);
	assert_int_equal(usage_memory_bytes(child), 0);
}

static int read_memory(void *ctx)
{
	return usage_memory_bytes(getpid()) ? 0 : -ENOMEM;
}

static void survives_without_memory(void **state)
{
	assert_true(torture(read_memory, NULL) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_that_worked),
		cmocka_unit_test(this_one),
		cmocka_unit_test(one_that_is_gone),
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
