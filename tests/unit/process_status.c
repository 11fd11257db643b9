// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/process/source.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOBODY UINT32_MAX
#define REST "Tgid:\t7\nNgid:\t0\nPid:\t8\nPPid:\t1\nTracerPid:\t0\n"

static void lines(void **state)
{
	static const struct {
		const char *text;
		int r;
		struct process_status want;
	} rows[] = {
		{ "Name:\tcat\nUmask:\t0022\nState:\tS (sleeping)\n" REST "Uid:\t0\t0\t0\t0\n",
		  0,
		  { "cat", 'S', 7, 1, 0, 0, 7 } },
		{ "Name:\tcat\nState:\tt (tracing stop)\nTgid:\t7\nPPid:\t4194304\nTracerPid:\t99\n",
		  0,
		  { "cat", 't', 7, 4194304, 99, NOBODY, 7 } },
		{ "Name:\tcat\nState:\tS (x)\n" REST "Uid:\t0\t1\t2\t33\nNSpid:\t7\t12\t1\n",
		  0,
		  { "cat", 'S', 7, 1, 0, 33, 1 } },
		{ "Name:\tcat\nState:\tS (x)\n" REST "NSpid:\t7\n",
		  0,
		  { "cat", 'S', 7, 1, 0, NOBODY, 7 } },
		{ "Name:\tcat\nState:\tS (x)\n" REST "NSpid:\t7\t\n", -EINVAL, { .comm = "" } },
		{ "Name:\tcat\nState:\tS (x)\n" REST "Uid:\t0 1\n", -EINVAL, { .comm = "" } },
		{ "Name:\t\nState:\tZ (zombie)\n" REST, 0, { "", 'Z', 7, 1, 0, NOBODY, 7 } },
		/* a name that imitates lines: the kernel has escaped its newlines */
		{ "Name:\ta\\nTgid:\\t1\nState:\tR (running)\n" REST,
		  0,
		  { "a\\nTgid:\\t1", 'R', 7, 1, 0, NOBODY, 7 } },
		/* the first counts */
		{ "Name:\tcat\nState:\tS (x)\n" REST "Tgid:\t8\n",
		  0,
		  { "cat", 'S', 7, 1, 0, NOBODY, 7 } },
		{ "Name:\tcat\nState:\tS (x)\nTgid:\t7\nPPid:\t1\nTracerPid:\t0",
		  0,
		  { "cat", 'S', 7, 1, 0, NOBODY, 7 } },
		{ "", -EINVAL, { .comm = "" } },
		{ "Name:\tcat\n", -EINVAL, { .comm = "" } },
		{ "State:\tS (x)\n" REST, -EINVAL, { .comm = "" } },
		{ "Name:\tcat\nState:\t\n" REST, -EINVAL, { .comm = "" } },
		{ "Name:\tcat\nState:\t1\n" REST, -EINVAL, { .comm = "" } },
		{ "Name:\tcat\nState:\tS (x)\nTgid:\t-7\nPPid:\t1\nTracerPid:\t0\n",
		  -EINVAL,
		  { .comm = "" } },
		{ "Name:\tcat\nState:\tS (x)\nTgid:\t4294967296\nPPid:\t1\nTracerPid:\t0\n",
		  -EINVAL,
		  { .comm = "" } },
		{ "Name:\tcat\nState:\tS (x)\nTgid:\t7 \nPPid:\t1\nTracerPid:\t0\n",
		  -EINVAL,
		  { .comm = "" } },
		{ "Name:\tcat\nState:\tS (x)\nTgid:\t\nPPid:\t1\nTracerPid:\t0\n",
		  -EINVAL,
		  { .comm = "" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct process_status s = { .comm = "untouched" };
		const struct process_status *w = &rows[i].want;
		int r = process_status_parse(rows[i].text, strlen(rows[i].text), &s);

		if (r != rows[i].r)
			fail_msg("\"%s\": got %d, want %d", rows[i].text, r, rows[i].r);
		if (r < 0)
			assert_string_equal(s.comm, "untouched");
		else if (strcmp(s.comm, w->comm) || s.state != w->state || s.tgid != w->tgid ||
			 s.ppid != w->ppid || s.tracer_pid != w->tracer_pid ||
			 s.fs_uid != w->fs_uid || s.own_pid != w->own_pid)
			fail_msg("\"%s\": got \"%s\" %c %u %u %u %u %u", rows[i].text, s.comm,
				 s.state, s.tgid, s.ppid, s.tracer_pid, s.fs_uid, s.own_pid);
	}
}

static void a_long_name_is_cut(void **state)
{
	char text[256];
	struct process_status s;

	(void)state;
	snprintf(text, sizeof(text), "Name:\t%0100d\nState:\tS (x)\n" REST, 1);
	assert_int_equal(process_status_parse(text, strlen(text), &s), 0);
	assert_int_equal(strlen(s.comm), STATUS_MAX_COMM);
}

static void live(void **state)
{
	struct buffer text = BUFFER_INIT(16384), threads = BUFFER_INIT(16384);
	struct process_status s;
	uint32_t tid = 0, count = 0;
	size_t at = 0;

	(void)state;
	assert_int_equal(
		process_source_live.read(NULL, PROCESS_TEXT_STATUS, (uint32_t)getpid(), &text), 0);
	assert_int_equal(process_status_parse(text.data, text.len, &s), 0);
	assert_int_equal(s.tgid, getpid());
	assert_int_equal(s.ppid, getppid());
	assert_int_equal(s.state, 'R');
	assert_int_equal(s.fs_uid, geteuid());
	assert_int_equal(s.own_pid, getpid());
	assert_int_equal(process_source_live.read(NULL, PROCESS_TEXT_THREADS, (uint32_t)getpid(),
						  &threads),
			 0);
	while (process_pids_next(&threads, &at, &tid))
		count++;
	assert_int_equal(count, 1);
	assert_int_equal(tid, getpid());
	buffer_release(&text);
	buffer_release(&threads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(a_long_name_is_cut),
		cmocka_unit_test(live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
