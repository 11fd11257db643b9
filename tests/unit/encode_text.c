// SPDX-License-Identifier: Apache-2.0
/*
 * Whole answers against tests/golden/encode_text/NAME.txt. After a wanted change:
 *
 *	SLOWBURN_GOLDEN=update build/tests/unit/encode_text
 *
 * and read the difference before it is committed.
 */
#include "profiler/encode/text.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

#define GOLDEN "tests/golden/encode_text/"

static void update(const char *path, const struct buffer *text)
{
	_cleanup_(fd_close) int fd = -1;

	mkdir(GOLDEN, 0755);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text->data, text->len), 0);
}

static void expect(const struct profile *p, const struct text_options *o, const char *name)
{
	struct buffer out = BUFFER_INIT(1 << 20), golden = BUFFER_INIT(1 << 20);
	const char *mode = getenv("SLOWBURN_GOLDEN");
	_cleanup_(fd_close) int fd = -1;
	char path[256];

	snprintf(path, sizeof(path), GOLDEN "%s.txt", name);
	assert_int_equal(text_encode(p, o, &out), 0);
	if (mode && !strcmp(mode, "update"))
		update(path, &out);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s (the tests run from the top folder)", path, strerror(errno));
	assert_int_equal(buffer_read_fd(&golden, fd), 0);
	if (golden.len != out.len || memcmp(golden.data, out.data, out.len))
		fail_msg("%s is\n%s\nbut now it is\n%s", path, buffer_cstr(&golden),
			 buffer_cstr(&out));
	buffer_release(&out);
	buffer_release(&golden);
}

/* A build machine: a compile of many short processes, a database, TLS. */
static void busy_machine(struct profile *p)
{
	uint32_t s;

	test_profile(p);
	s = test_series(p, "openssl", 4711, 4711);
	test_stack(p, s, 402, "__libc_start_main@/usr/lib/libc.so.6", "main@/usr/bin/openssl",
		   "speed_main@/usr/bin/openssl", "EVP_Update_loop@/usr/bin/openssl",
		   "EVP_EncryptUpdate@/usr/lib/libcrypto.so.3",
		   "aesni_cbc_encrypt@/usr/lib/libcrypto.so.3", NULL);
	for (int64_t pid = 5000; pid < 5117; pid++) {
		s = test_series(p, "cc1plus", pid, pid);
		test_stack(p, s, 3, "__libc_start_main@/usr/lib/libc.so.6",
			   "[cc1plus]@/usr/bin/cc1plus", "[cc1plus]@/usr/bin/cc1plus",
			   "[cc1plus]@/usr/bin/cc1plus", NULL);
		test_stack(p, s, 1, "__libc_start_main@/usr/lib/libc.so.6",
			   "[cc1plus]@/usr/bin/cc1plus", "asm_exc_page_fault@[kernel.kallsyms]",
			   "do_user_addr_fault@[kernel.kallsyms]",
			   "handle_mm_fault@[kernel.kallsyms]", "clear_page_erms@[kernel.kallsyms]",
			   NULL);
	}
	s = test_series(p, "rocksdb:low", 812, 830);
	test_stack(
		p, s, 150, "clone3@/usr/lib/libc.so.6",
		"std::thread::_State_impl<std::thread::_Invoker<std::tuple<void (*)(void*), void*> > >::_M_run()@/usr/lib/librocksdb.so.7.8",
		"rocksdb::DBImpl::BackgroundCallCompaction(rocksdb::DBImpl::PrepickedCompaction*, rocksdb::Env::Priority)@/usr/lib/librocksdb.so.7.8",
		"rocksdb::CompactionJob::Run()@/usr/lib/librocksdb.so.7.8",
		"rocksdb::CompactionIterator::NextFromInput()@/usr/lib/librocksdb.so.7.8",
		"std::__detail::_Map_base<std::string, std::pair<std::string const, unsigned long>, std::allocator<std::pair<std::string const, unsigned long> > >::operator[](std::string const&)@/usr/lib/librocksdb.so.7.8",
		NULL);
	s = test_series(p, "node", 901, 901);
	test_stack(p, s, 40, "node::Start(int, char**)@/usr/bin/node", "[anonymous memory]@[anon]",
		   "[anonymous memory]@[anon]", NULL);
	s = test_series(p, "kworker/0:1", 17, 17);
	test_stack(p, s, 9, "ret_from_fork@[kernel.kallsyms]", "kthread@[kernel.kallsyms]",
		   "process_one_work@[kernel.kallsyms]", NULL);
	s = test_series(p, "python3", 6000, 6000);
	test_stack(p, s, 30, "_start@/usr/bin/python3.11", "fib@/usr/bin/python3.11",
		   "fib@/usr/bin/python3.11", "fib@/usr/bin/python3.11", "fib@/usr/bin/python3.11",
		   NULL);
	p->facts.busy_ns = 11700000000ULL;
	p->facts.own_cpu_ns = 31000000;
	p->facts.own_bpf_ns = 12000000;
	p->facts.own_memory_bytes = 31 << 20;
	p->facts.memory_kernel_bytes = (1 << 20) + 1;
	p->facts.memory_budget_bytes = 256 << 20;
	p->counters.value[COUNTER_SAMPLES] = profile_total_count(p);
	p->counters.value[COUNTER_FRAMES] = 5000;
	p->counters.value[COUNTER_FRAMES_GUESSED] = 4700;
}

static void test_busy(void **state)
{
	struct profile p;

	busy_machine(&p);
	expect(&p, NULL, "busy");
	expect(&p, &(struct text_options){ .columns = 60 }, "busy-60");
	expect(&p, &(struct text_options){ .columns = 160, .rows = 3 }, "busy-160-rows-3");
	expect(&p, &(struct text_options){ .color = true, .rows = 2 }, "busy-color");
	profile_release(&p);
}

static void test_part_of_the_machine(void **state)
{
	struct profile p;

	busy_machine(&p);
	p.facts.filtered = true;
	p.facts.cpus_profiled = 2;
	p.facts.cpus_online = 64;
	p.facts.steal_ns = 600000000;
	p.counters.value[COUNTER_SAMPLES_LOST_RING] = 120;
	p.counters.value[COUNTER_PROC_UNREADABLE] = 1234567;
	p.counters.value[COUNTER_FILES_REFUSED] = 1;
	expect(&p, &(struct text_options){ .rows = 2 }, "filtered-lost");
	profile_release(&p);
}

static void test_cycles(void **state)
{
	struct profile p;

	busy_machine(&p);
	p.facts.event = p.facts.value_type = "cycles";
	p.facts.value_unit = "count";
	/* As a recording of slowburn 0.1 has it. */
	p.facts.memory_kernel_bytes = p.facts.memory_budget_bytes = 0;
	expect(&p, &(struct text_options){ .rows = 2 }, "cycles");
	profile_release(&p);
}

/* Stacks of which `count` lack their outer end for this reason, as they are counted. */
static void cut_stacks(struct profile *p, enum truncation why, uint64_t count, const char *frame)
{
	test_stack(p, test_series(p, "cut", 77, 77), count, truncation_frame(why), frame, NULL);
	p->counters.value[counter_of_truncation(why)] += count;
	p->counters.value[COUNTER_STACKS_TRUNCATED] += count;
	p->counters.value[COUNTER_SAMPLES] += count;
}

static void test_truncated(void **state)
{
	struct profile p;

	busy_machine(&p);
	cut_stacks(&p, TRUNCATED_NO_ROW, 90, "pixel_sad@/usr/lib/libx264.so.164");
	cut_stacks(&p, TRUNCATED_NO_ROW, 10, "scale@/usr/lib/libswscale.so.6");
	cut_stacks(&p, TRUNCATED_BAD_FRAME, 55, "[anonymous memory]@[anon]");
	expect(&p, &(struct text_options){ .rows = 1 }, "truncated-2");
	cut_stacks(&p, TRUNCATED_TOO_DEEP, 2, "mark@/usr/bin/cc1");
	cut_stacks(&p, TRUNCATED_TOO_DEEP, 2, "mark@/usr/bin/cc1plus");
	expect(&p, &(struct text_options){ .rows = 1 }, "truncated-3");
	for (enum truncation t = 0; t < TRUNCATION_COUNT; t++)
		cut_stacks(&p, t, 1, "f@/usr/lib/liball.so");
	expect(&p, &(struct text_options){ .rows = 1 }, "truncated-all");
	profile_release(&p);
}

/* What helps depends on what else is known. */
static void test_what_helps(void **state)
{
	struct buffer out = BUFFER_INIT(1 << 20);
	struct profile p;

	test_profile(&p);
	cut_stacks(&p, TRUNCATED_NOT_COMPILED, 2, "f@/usr/lib/libcut.so");
	cut_stacks(&p, TRUNCATED_BAD_FRAME, 1, "[anonymous memory]@[anon]");
	p.counters.value[COUNTER_UNWIND_EVICTED] = 1;
	assert_int_equal(text_encode(&p, NULL, &out), 0);
	assert_non_null(strstr(buffer_cstr(&out),
			       "\n    67  unwind table not loaded, all in libcut.so: "
			       "more --memory helps\n"
			       "    33  no valid frame, all in [anon]: java needs "
			       "-XX:+PreserveFramePointer\n"));
	cut_stacks(&p, TRUNCATED_BAD_FRAME, 2, "py::work:/srv/app.py@[anon]");
	buffer_clear(&out);
	assert_int_equal(text_encode(&p, &(struct text_options){ .columns = 160 }, &out), 0);
	assert_non_null(strstr(buffer_cstr(&out), "all in [anon]: python3 -X perf needs a python "
						  "built with -fno-omit-frame-pointer\n"));
	buffer_release(&out);
	profile_release(&p);
}

/* Each reason alone: what it says, and what helps. */
static void test_each_truncation(void **state)
{
	static const char begin[] = "  50 % of stacks end before their outermost frame:\n    50  ";
	struct buffer all = BUFFER_INIT(1 << 20), out = BUFFER_INIT(1 << 20);

	for (enum truncation t = 0; t < TRUNCATION_COUNT; t++) {
		struct profile p;
		const char *line;

		test_profile(&p);
		test_stack(&p, test_series(&p, "whole", 1, 1), 3, "main@/usr/bin/whole", NULL);
		p.counters.value[COUNTER_SAMPLES] = 3;
		cut_stacks(&p, t, 2, "f@/usr/lib/libcut.so");
		cut_stacks(&p, t, 1, "[anonymous memory]@[anon]");
		buffer_clear(&out);
		assert_int_equal(text_encode(&p, NULL, &out), 0);
		line = strstr(buffer_cstr(&out), begin);
		assert_non_null(line);
		line += strlen(begin);
		buffer_append(&all, line, strcspn(line, "\n") + 1);
		profile_release(&p);
	}
	assert_string_equal(
		buffer_cstr(&all),
		"no unwind information, most in libcut.so: a build that has it helps\n"
		"unwind information not usable, most in libcut.so\n"
		"register not known, most in libcut.so\n"
		"stack not readable, most in libcut.so\n"
		"no valid frame, most in libcut.so\n"
		"no code known there, most in libcut.so\n"
		"process or mapping too new, most in libcut.so: a longer capture has fewer of them\n"
		"beyond the copied stack, most in libcut.so: a longer capture has fewer of them\n"
		"unwind table not loaded, most in libcut.so: a longer capture helps\n"
		"too deep, most in libcut.so: the innermost frames are kept\n"
		"32-bit process, most in libcut.so\n");
	buffer_release(&out);
	buffer_release(&all);
}

/* What its reader can do about it is said. */
static void test_kernel_without_names(void **state)
{
	struct profile p;

	test_profile(&p);
	test_stack(&p, test_series(&p, "dd", 4711, 4711), 40, "write@/usr/lib/libc.so.6",
		   "[kernel]@[kernel.kallsyms]", "[kernel]@[kernel.kallsyms]", NULL);
	p.counters.value[COUNTER_SAMPLES] = profile_total_count(&p);
	expect(&p, NULL, "kernel-without-names");
	profile_release(&p);
}

static void test_nothing(void **state)
{
	struct profile p;

	test_profile(&p);
	expect(&p, NULL, "nothing");
	p.facts.filtered = true;
	expect(&p, NULL, "nothing-filtered");
	p.counters.value[COUNTER_SAMPLES_FILTERED] = 1320;
	p.facts.busy_ns = 13300000000ULL;
	expect(&p, NULL, "nothing-of-many");
	p.counters.value[COUNTER_SAMPLES_LOST_RING] = 12;
	expect(&p, NULL, "nothing-but-losses");
	profile_release(&p);
}

static void test_hostile_names(void **state)
{
	struct profile p;
	char name[10002];

	test_profile(&p);
	test_stack(&p, test_series(&p, "\033[2J\033[H", 1, 1), 4, "main\n@/bin/\n\ta", NULL);
	test_stack(&p, test_series(&p, "\xff\xfe\xfd", INT64_MIN, 2), 3, "\xc3@\xe2\x80\xae", NULL);
	memset(name, 'x', sizeof(name));
	name[10001] = '\0';
	test_stack(&p, test_series(&p, name, 3, 3), 2, name, name, "f", "f", NULL);
	test_stack(&p, test_id(profile_series(&p, NULL, 0)), 2, NULL);
	expect(&p, NULL, "hostile");
	profile_release(&p);
}

/* What has no stack is not "in N more functions". */
static void test_rest_of_functions(void **state)
{
	struct buffer out = BUFFER_INIT(1 << 20);
	struct profile p;
	uint32_t s;

	test_profile(&p);
	s = test_series(&p, "a", 1, 1);
	test_stack(&p, s, 50, "f", NULL);
	test_stack(&p, s, 20, "g", NULL);
	test_stack(&p, s, 10, "h", NULL);
	test_stack(&p, s, 20, NULL);
	assert_int_equal(text_encode(&p, &(struct text_options){ .rows = 1 }, &out), 0);
	assert_non_null(strstr(buffer_cstr(&out), "\n  30.0                 in 2 more functions\n"
						  "  20.0                 without a stack\n"));
	buffer_release(&out);
	profile_release(&p);
}

/* No line is wider than the columns, whatever the names and figures; no control character gets out. */
static void test_lines_fit(void **state)
{
	for (uint32_t columns = 60; columns <= 200; columns += 7) {
		struct buffer out = BUFFER_INIT(1 << 20);
		struct profile p;
		const char *s;

		busy_machine(&p);
		test_stack(&p, test_series(&p, "a\nb", 1LL << 62, 1), 77, "a\n@b\n", NULL);
		p.facts.machine_ns = p.facts.steal_ns = UINT64_MAX;
		for (enum counter id = 0; id < COUNTER_COUNT; id++)
			p.counters.value[id] = UINT64_MAX / 1000;
		assert_int_equal(
			text_encode(&p, &(struct text_options){ .columns = columns }, &out), 0);
		for (s = buffer_cstr(&out); *s;) {
			size_t len = strcspn(s, "\n");

			if (!text_is_clean(s, len) || text_width(s, len) > columns)
				fail_msg("%u columns: \"%.*s\"", columns, (int)len, s);
			if (len && s[len - 1] == ' ')
				fail_msg("a space at the end of \"%.*s\"", (int)len, s);
			s += len + 1;
		}
		buffer_release(&out);
		profile_release(&p);
	}
}

/* Of what is left out in the middle all frames count, so that two depths of a recursion can be told apart. */
static void test_depths(void **state)
{
	struct buffer out = BUFFER_INIT(1 << 20);
	struct profile p;
	uint32_t s;

	test_profile(&p);
	s = test_series(&p, "a", 1, 1);
	test_stack(&p, s, 4, "_start@a", "main@a", "of_it_all@a", "sort@a", "the_first_of_them@a",
		   "the_second_of_them@a", "the_third_of_them@a", NULL);
	test_stack(&p, s, 3, "_start@a", "main@a", "of_it_all@a", "sort@a", "sort@a", "sort@a",
		   "the_first_of_them@a", "the_second_of_them@a", "the_third_of_them@a", NULL);
	assert_int_equal(text_encode(&p, &(struct text_options){ .columns = 60 }, &out), 0);
	assert_non_null(strstr(buffer_cstr(&out), " ← … 3 more …"));
	assert_non_null(strstr(buffer_cstr(&out), " ← … 5 more …"));
	buffer_release(&out);
	profile_release(&p);
}

/* Of which part of the time in files lines are known, and why not of the rest. */
static void test_lines(void **state)
{
	static const struct {
		uint64_t lined, bare, files_none;
		const char *want;
	} rows[] = {
		{ 0, 10, 0, NULL },
		{ 9, 1, 0, "Source lines are known of 90 % of CPU time in files.\n" },
		{ 1, 9, 0,
		  "Source lines are known of 10 % of CPU time in files; the rest is code that the DWARF of its binary "
		  "leaves out.\n" },
		{ 1, 9, 1,
		  "Source lines are known of 10 % of CPU time in files; missing: 1 binary without any on this machine "
		  "('slowburn doctor --symbols' tells the packages).\n" },
	};
	struct text_options wide = { .columns = 200 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer out = BUFFER_INIT(1 << 20);
		struct profile p;
		struct profile_line line;
		uint32_t s, at;

		test_profile(&p);
		s = test_series(&p, "a", 1, 1);
		line = test_line(&p, "lined", 12);
		at = test_id(
			profile_location(&p, test_mapping(&p, "/bin/a"), 0x2000, true, &line, 1));
		if (rows[i].lined)
			test_id(profile_add(&p, s, test_id(profile_node(&p, 0, at, 0)),
					    rows[i].lined, rows[i].lined * TEST_PERIOD_NS));
		test_stack(&p, s, rows[i].bare, "bare@/bin/a", NULL);
		p.counters.value[COUNTER_LINES_NONE] = rows[i].files_none;
		assert_int_equal(text_encode(&p, &wide, &out), 0);
		if (rows[i].want ? !strstr(buffer_cstr(&out), rows[i].want)
				 : strstr(buffer_cstr(&out), "Source lines") != NULL)
			fail_msg("row %zu: want \"%s\", got \"%s\"", i,
				 rows[i].want ? rows[i].want : "nothing of lines",
				 buffer_cstr(&out));
		buffer_release(&out);
		profile_release(&p);
	}
}

static void test_absurd_figures(void **state)
{
	struct buffer out = BUFFER_INIT(1 << 20);
	struct profile p;
	uint32_t s;

	test_profile(&p);
	s = test_series(&p, "a", 1, 1);
	p.facts.duration_ns = p.facts.machine_ns = p.facts.cpus_profiled = 0;
	test_id(profile_add(&p, s, 0, UINT64_MAX, UINT64_MAX));
	test_id(profile_add(&p, s, test_id(profile_node(&p, 0, test_location(&p, "f"), 0)),
			    UINT64_MAX, UINT64_MAX));
	assert_int_equal(text_encode(&p, NULL, &out), 0);
	assert_null(strstr(buffer_cstr(&out), "nan"));
	assert_null(strstr(buffer_cstr(&out), "inf"));
	buffer_release(&out);
	profile_release(&p);
}

static void test_limit(void **state)
{
	struct buffer out = BUFFER_INIT(500);
	struct profile p;

	busy_machine(&p);
	assert_int_equal(text_encode(&p, NULL, &out), -E2BIG);
	buffer_release(&out);
	profile_release(&p);
}

static int encode(void *ctx)
{
	static size_t whole;
	struct buffer out = BUFFER_INIT(1 << 20);
	int r = text_encode(ctx, NULL, &out);

	if (r == 0)
		test_whole(&whole, &out);
	buffer_release(&out);
	return r;
}

static void test_torture(void **state)
{
	struct profile p;

	busy_machine(&p);
	assert_int_equal(encode(&p), 0);
	assert_true(torture(encode, &p) > 30);
	profile_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_busy),          cmocka_unit_test(test_part_of_the_machine),
		cmocka_unit_test(test_depths),        cmocka_unit_test(test_lines),
		cmocka_unit_test(test_truncated),     cmocka_unit_test(test_each_truncation),
		cmocka_unit_test(test_what_helps),    cmocka_unit_test(test_kernel_without_names),
		cmocka_unit_test(test_cycles),        cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_hostile_names), cmocka_unit_test(test_rest_of_functions),
		cmocka_unit_test(test_lines_fit),     cmocka_unit_test(test_absurd_figures),
		cmocka_unit_test(test_limit),         cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
