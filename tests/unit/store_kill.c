// SPDX-License-Identifier: Apache-2.0
/*
 * A writer that is killed at any moment. What it was told is written is there afterwards, all of it can be read, and the
 * next writer goes on at once.
 */
#include "profiler/store/writer.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/store/reader.h"
#include "tests/unit/store_directory.h"

#define KILLS 200
#define CALLS 500
#define OPEN_NS (100 * NS_PER_MS)
/* So that files end and are rolled up all the time. */
#define STEP_NS (450 * NS_PER_S)

struct told {
	_Atomic uint64_t steps; /* windows begun, in all lives */
	_Atomic uint64_t samples; /* of windows that were said to be written */
};

/* Appends as fast as it can, and never returns. Windows of 10 s are kept for `age_ns` (0: for ever). */
static void write_for_ever(const struct test_store *t, struct told *told, uint64_t age_ns)
{
	struct store_options o = store_options_default();
	struct store_writer *w = NULL;
	struct profile p;
	uint64_t seed;

	o.age_ns[0] = age_ns;
	o.age_ns[1] = o.age_ns[2] = 0;
	o.sync_ns = UINT64_MAX;
	if (store_writer_open(&w, t->fd, &o, NULL) < 0)
		_exit(1);
	test_profile(&p);
	seed = atomic_load(&told->steps) + 1;
	for (;;) {
		uint64_t at = TEST_EPOCH_NS + atomic_fetch_add(&told->steps, 1) * STEP_NS;
		const struct store_window x = test_window_at(at);

		if (test_turns(w, at)) {
			profile_release(&p);
			test_profile(&p);
		}
		test_window(&p, &seed, 40, at);
		if (test_append(w, &p, &x, NULL) < 0)
			_exit(2);
		atomic_fetch_add(&told->samples, profile_total_count(&p));
		while (store_writer_tidy(w, at + STEP_NS, NULL) == 1)
			;
	}
}

static void kill_once(const struct test_store *t, struct told *told, uint64_t after_ns)
{
	const struct timespec nap = { .tv_nsec = (long)after_ns };
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		write_for_ever(t, told, 0);
	nanosleep(&nap, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void test_kills(void **state)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t seed = 17, longest_ns = 0, before = 0;
	struct test_store t;

	assert_ptr_not_equal(told, MAP_FAILED);
	test_store_new(&t);
	for (uint32_t i = 0; i < KILLS; i++) {
		uint64_t begin, took, count;
		struct store_result result;
		struct store_writer *w;
		struct profile is;

		kill_once(&t, told, test_random(&seed) % (40 * NS_PER_MS));
		begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		w = test_writer(&t, NULL);
		took = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin;
		longest_ns = took > longest_ns ? took : longest_ns;
		store_writer_free(w);
		/* All of it is read at some moments: it grows. */
		if (i % 20 != 19)
			continue;
		result = test_read(&t, 0, UINT64_MAX, i % 40 == 19 ? UINT64_MAX : TEST_WINDOW_NS,
				   &is);
		count = profile_total_count(&is);
		profile_release(&is);
		if (result.bad)
			fail_msg("kill %u: %s", i, result.damage.text);
		assert_true(count >= before);
		before = count;
		/* The windows that were being written at each kill are there, or aren't. */
		if (count < atomic_load(&told->samples))
			fail_msg("kill %u: %llu samples, told %llu", i, (unsigned long long)count,
				 (unsigned long long)atomic_load(&told->samples));
		assert_true(count <= atomic_load(&told->samples) + (i + 1) * 40 * 3);
	}
	print_message("%llu windows; opened in %.2f ms of CPU time at most\n",
		      (unsigned long long)atomic_load(&told->steps), (double)longest_ns / 1e6);
	assert_true(atomic_load(&told->steps) > KILLS);
	assert_true(longest_ns < OPEN_NS);
	munmap(told, sizeof(*told));
	test_store_release(&t);
}

/* A writer that is killed at its `call`th stop at a system call, of which each has two. */
static void kill_at_call(const struct test_store *t, struct told *told, uint32_t call)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(3);
		raise(SIGSTOP);
		write_for_ever(t, told, 1);
	}
	for (uint32_t i = 0; i <= call; i++) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			fail_msg("call %u: status %#x", i, (unsigned int)status);
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/*
 * Killed at random moments, a writer is hit once in thousands of times between making a file and writing its header. Here
 * it is killed at each step of beginning files, ending them, rolling them up and giving them up.
 */
static void test_each_call(void **state)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(told, MAP_FAILED);
	for (uint32_t call = 0; call < CALLS; call++) {
		struct store_result result;
		struct test_store t;
		struct profile is;
		uint64_t count;

		test_store_new(&t);
		*told = (struct told){ 0 };
		kill_at_call(&t, told, call);
		result = test_read(&t, 0, UINT64_MAX, UINT64_MAX, &is);
		count = profile_total_count(&is);
		profile_release(&is);
		if (result.bad)
			fail_msg("call %u: %s", call, result.damage.text);
		if (count < told->samples || count > told->samples + 40 * 3)
			fail_msg("call %u: %llu samples, told %llu", call,
				 (unsigned long long)count, (unsigned long long)told->samples);
		store_writer_free(test_writer(&t, NULL));
		test_store_release(&t);
	}
#ifndef __SANITIZE_ADDRESS__ /* whose own calls are among them */
	assert_true(told->steps > 8 + 1); /* the last got beyond an hour, and what comes of it */
#endif
	munmap(told, sizeof(*told));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call),
		cmocka_unit_test(test_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
