// SPDX-License-Identifier: Apache-2.0
#include "profiler/agent/job.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const uint32_t pids[] = { 1, 4194304, 3 };
static const uint32_t tids[] = { 77 };
static const char *const comms[] = { "postgres", "a name that is far longer than the kernel's" };

/* Each field another value, so that no two can be mixed up. `cpus` outlives it. */
static struct job sample_job(const uint8_t *cpus)
{
	struct job j = {
		.session = { .frequency_hz = 4999,
			     .event = SESSION_CYCLES,
			     .cpus = cpus,
			     .pids = pids,
			     .pid_count = COUNT(pids),
			     .tids = tids,
			     .tid_count = COUNT(tids),
			     .comms = comms,
			     .comm_count = COUNT(comms),
			     .cgroup = 0x123456789abcULL,
			     .ring_bytes_max = 13,
			     .kernel_only = true },
		.cgroups = { .controller = "pids", .mount = "/sys/fs/cgroup/pids" },
		.budget = { .total = 1000, .agent = 500, .answer = 60, .symbolizer = 7 },
		.duration_ns = 11,
		.drain_ns = 12,
		.part_count = 2,
		.record = true,
	};

	j.parts[0] = (struct job_part){ .format = &format_text,
					.look = { .columns = 120, .rows = 3, .color = true } };
	j.parts[1] = (struct job_part){ .format = &format_pprof };
	root_keys_parse(&j.parts[1].root, "comm,pid", NULL);
	return j;
}

static void session_is_the_sample(const struct session_config *s, const uint8_t *cpus)
{
	assert_int_equal(s->frequency_hz, 4999);
	assert_int_equal(s->event, SESSION_CYCLES);
	assert_memory_equal(s->cpus, cpus, SESSION_MAX_CPUS / 8);
	assert_int_equal(s->pid_count, COUNT(pids));
	assert_memory_equal(s->pids, pids, sizeof(pids));
	assert_int_equal(s->tid_count, COUNT(tids));
	assert_memory_equal(s->tids, tids, sizeof(tids));
	assert_int_equal(s->comm_count, COUNT(comms));
	assert_string_equal(s->comms[0], comms[0]);
	assert_memory_equal(s->comms[1], comms[1], 15); /* as much as the kernel keeps */
	assert_int_equal(s->cgroup, 0x123456789abcULL);
	assert_int_equal(s->ring_bytes_max, 13);
	assert_string_equal(s->cgroup_controller, "pids");
	assert_false(s->user_only);
	assert_true(s->kernel_only);
}

static void what_was_written_is_read(void **state)
{
	struct buffer bytes = BUFFER_INIT(JOB_MAX_BYTES);
	uint8_t cpus[SESSION_MAX_CPUS / 8] = { [0] = 0x81, [511] = 0x40 };
	struct job in = sample_job(cpus), out;

	job_write(&in, &bytes);
	assert_int_equal(buffer_error(&bytes), 0);
	assert_int_equal(job_parse(&out, &bytes), 0);
	session_is_the_sample(&out.session, cpus);
	assert_string_equal(out.cgroups.mount, "/sys/fs/cgroup/pids");
	assert_memory_equal(&out.budget, &in.budget, sizeof(in.budget));
	assert_int_equal(out.duration_ns, 11);
	assert_int_equal(out.drain_ns, 12);
	assert_true(out.record);
	assert_int_equal(out.part_count, 2);
	assert_ptr_equal(out.parts[0].format, &format_text);
	assert_int_equal(out.parts[0].look.columns, 120);
	assert_int_equal(out.parts[0].look.rows, 3);
	assert_true(out.parts[0].look.color);
	assert_int_equal(out.parts[0].root.count, 0);
	assert_ptr_equal(out.parts[1].format, &format_pprof);
	assert_int_equal(out.parts[1].root.count, 2);
	assert_string_equal(out.parts[1].root.keys[1], "pid");
	buffer_release(&bytes);
}

static void nothing_chosen_stays_nothing(void **state)
{
	struct buffer bytes = BUFFER_INIT(JOB_MAX_BYTES);
	struct job in = { .session = { .frequency_hz = 99 } }, out;

	job_write(&in, &bytes);
	assert_int_equal(job_parse(&out, &bytes), 0);
	assert_null(out.session.cpus);
	assert_int_equal(out.session.pid_count, 0);
	assert_int_equal(out.part_count, 0);
	assert_false(out.record);
	buffer_release(&bytes);
}

/* It has windows, and neither an answer nor an end of its own. */
static void one_that_goes_on_has_windows(void **state)
{
	static const struct {
		struct job job;
		int expected;
	} rows[] = {
		{ { .watch = true, .window_ns = 77 }, 0 },
		{ { .watch = true }, -EPROTO },
		{ { .watch = true, .window_ns = 77, .duration_ns = 1 }, -EPROTO },
		{ { .watch = true, .window_ns = 77, .record = true }, -EPROTO },
		{ { .watch = true,
		    .window_ns = 77,
		    .part_count = 1,
		    .parts = { { .format = &format_text } } },
		  -EPROTO },
	};

	for (uint32_t i = 0; i < COUNT(rows); i++) {
		struct buffer bytes = BUFFER_INIT(JOB_MAX_BYTES);
		struct job in = rows[i].job, out;

		in.session.frequency_hz = 99;
		job_write(&in, &bytes);
		assert_int_equal(job_parse(&out, &bytes), rows[i].expected);
		if (rows[i].expected == 0) {
			assert_true(out.watch);
			assert_int_equal(out.window_ns, 77);
		}
		buffer_release(&bytes);
	}
}

static void one_that_is_cut_is_refused(void **state)
{
	struct buffer bytes = BUFFER_INIT(JOB_MAX_BYTES);
	uint8_t cpus[SESSION_MAX_CPUS / 8] = { 1 };
	struct job in = sample_job(cpus), out;
	size_t whole;

	job_write(&in, &bytes);
	whole = bytes.len;
	for (size_t len = 0; len < whole; len++) {
		bytes.len = len;
		if (job_parse(&out, &bytes) != -EPROTO)
			fail_msg("%zu of %zu bytes were taken for a job", len, whole);
	}
	bytes.len = whole;
	buffer_append(&bytes, "\0\0\0\0\0\0\0", 8);
	assert_int_equal(job_parse(&out, &bytes), -EPROTO);
	buffer_release(&bytes);
}

/* Any word of it as large as can be: either refused, or every count is within its array. */
static void counts_are_checked(void **state)
{
	struct buffer bytes = BUFFER_INIT(JOB_MAX_BYTES);
	uint8_t cpus[SESSION_MAX_CPUS / 8] = { 1 };
	struct job in = sample_job(cpus), out;
	uint32_t refused = 0;

	job_write(&in, &bytes);
	for (size_t at = 0; at + 4 <= bytes.len; at += 4) {
		uint32_t before;

		memcpy(&before, bytes.data + at, 4);
		memset(bytes.data + at, 0xff, 4);
		if (job_parse(&out, &bytes) < 0) {
			refused++;
		} else {
			assert_true(out.part_count <= JOB_MAX_PARTS);
			assert_true(out.session.pid_count <= SESSION_MAX_TARGETS);
			assert_true(out.session.comm_count <= SESSION_MAX_COMMS);
			for (uint32_t i = 0; i < out.part_count; i++)
				assert_true(out.parts[i].root.count <= ROOT_MAX_KEYS);
		}
		memcpy(bytes.data + at, &before, 4);
	}
	/* pid_count, tid_count, comm_count, part_count, event, two formats, two counts of keys. */
	assert_true(refused >= 9);
	buffer_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(nothing_chosen_stays_nothing),
		cmocka_unit_test(one_that_goes_on_has_windows),
		cmocka_unit_test(one_that_is_cut_is_refused),
		cmocka_unit_test(counts_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
