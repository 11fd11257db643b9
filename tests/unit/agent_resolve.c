// SPDX-License-Identifier: Apache-2.0
/*
 * Samples of one process in two binaries, and a source of names that counts how often it is asked.
 */
#include "profiler/agent/resolve.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/record.h"
#include "profiler/aggregate/window.h"

#define PID 100
#define BINARY 0x1000000ULL
#define LIBRARY 0x2000000ULL
#define KERNEL_ADDR 0xffffffff81000100ULL

/* ---- a machine ---- */

static int machine_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	(void)ctx;
	if (what == PROCESS_TEXT_PIDS)
		buffer_text(out, "100\n");
	else if (what == PROCESS_TEXT_MAPS && pid == PID)
		buffer_text(out, "1000000-1200000 r-xp 00000000 fe:00 77 /bin/spin\n"
				 "2000000-2200000 r-xp 00000000 fe:00 78 /lib/libspin.so\n");
	else
		return -ENOENT;
	return buffer_error(out);
}

static int machine_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	(void)ctx;
	(void)place;
	*ret_fd = -1;
	return 0;
}

static const struct process_source machine = { .read = machine_read, .open = machine_open };

/* ---- names ---- */

/* How it answers: what went wrong, or a file that is no ELF file. */
struct asked {
	uint32_t requests, addresses;
	int error;
	_Alignas(8) struct symbol_reply head; /* as replies are */
	unsigned char rest[(SYMBOLS_MAX_ADDRESSES + 1) * sizeof(struct symbol_answer)];
};

static int names_ask(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		     struct symbols *ret, struct err *err)
{
	struct asked *a = ctx;
	struct symbol_answer none = { .function = SYMBOLS_NONE, .module = SYMBOLS_NONE };

	(void)space;
	(void)fd;
	(void)addresses;
	a->requests++;
	a->addresses += count;
	if (a->error)
		return err_set(err, a->error, "no names");
	a->head = (struct symbol_reply){ .status = SYMBOLS_NOT_ELF,
					 .answer_count = count,
					 .string_bytes = 1 };
	for (uint32_t i = 0; i < count; i++)
		memcpy(a->rest + i * sizeof(none), &none, sizeof(none));
	a->rest[count * sizeof(none)] = '\0';
	return symbols_check(&a->head, sizeof(a->head) + count * sizeof(none) + 1, count, ret, err);
}

/* ---- samples ---- */

struct fixture {
	struct pipeline pipeline;
	struct profile profile;
	struct profile_facts facts;
	struct resolver *resolver;
	struct asked asked;
	struct name_source names;
	uint64_t now_ns;
};

static int setup(void **state)
{
	static const struct cgroup_hierarchy no_hierarchy;
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->names = (struct name_source){ .ctx = &f->asked, .ask = names_ask };
	f->now_ns = 1000;
	assert_int_equal(pipeline_init(&f->pipeline, &machine, &no_hierarchy, NULL), 0);
	assert_int_equal(resolver_new(&f->resolver, &f->pipeline, &f->names, &f->profile), 0);
	assert_int_equal(process_table_scan(f->pipeline.processes, f->now_ns), 0);
	f->facts = (struct profile_facts){ .value_unit = "nanoseconds", .period = 10 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	resolver_free(f->resolver);
	profile_release(&f->profile);
	pipeline_release(&f->pipeline);
	free(f);
	return 0;
}

/* One sample with its leaf at a user address, or in the kernel. */
static void sample_take(struct fixture *f, uint64_t addr)
{
	const uint16_t in_kernel = addr >> 63;
	struct {
		struct record_sample s;
		uint64_t frames[1];
	} s = { .s = { .time_ns = ++f->now_ns,
		       .start_ns = 500,
		       .value = 1,
		       .tgid = PID,
		       .tid = PID,
		       .kernel_frames = in_kernel,
		       .user_frames = !in_kernel,
		       .flags = in_kernel ? RECORD_FLAG_KERNEL : 0 },
		.frames = { addr } };

	assert_int_equal(batch_add(f->pipeline.batch, BATCH_SAMPLE, &s, sizeof(s)), 0);
	pipeline_run(&f->pipeline, f->now_ns);
}

static void a_file_at_fault_is_asked_about_once(void **state)
{
	struct fixture *f = *state;

	f->asked.error = -EPIPE;
	for (uint32_t round = 0; round < 3; round++) {
		sample_take(f, BINARY + round);
		assert_int_equal(file_table_pinned(f->pipeline.files), 1);
		assert_int_equal(resolver_relieve(f->resolver, 0), 0);
		/* The request that failed is the last; the file is let go all the same. */
		assert_int_equal(f->asked.requests, 1);
		assert_int_equal(file_table_pinned(f->pipeline.files), 0);
	}
	/* Another file is not at fault. */
	f->asked.error = -ETIMEDOUT;
	sample_take(f, LIBRARY);
	assert_int_equal(resolver_relieve(f->resolver, 0), 0);
	assert_int_equal(f->asked.requests, 2);
	sample_take(f, LIBRARY + 1);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(f->asked.requests, 2);
	assert_int_equal(profile_total_count(&f->profile), 5);
}

/* More addresses than a request holds: the rest of them is not asked for. */
static void a_file_at_fault_fails_in_its_first_part(void **state)
{
	struct fixture *f = *state;

	f->asked.error = -ETIMEDOUT;
	for (uint32_t i = 0; i < SYMBOLS_MAX_ADDRESSES + 10; i++)
		sample_take(f, BINARY + i);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(f->asked.requests, 1);
	assert_int_equal(f->asked.addresses, SYMBOLS_MAX_ADDRESSES);
	assert_int_equal(profile_total_count(&f->profile), SYMBOLS_MAX_ADDRESSES + 10);
}

static void a_bad_file_is_counted_once(void **state)
{
	struct fixture *f = *state;

	for (uint32_t round = 0; round < 3; round++) {
		sample_take(f, BINARY + round);
		assert_int_equal(resolver_relieve(f->resolver, 0), 0);
	}
	assert_int_equal(f->asked.requests, 1);
	assert_int_equal(counter_get(&f->pipeline.counters, COUNTER_FILES_BAD), 1);
}

/* Any period may stand in a recording: a value that would wrap stays at its end. */
static void values_do_not_wrap(void **state)
{
	struct fixture *f = *state;

	f->asked.error = -ENOENT;
	f->facts.period = 1ULL << 62;
	for (uint32_t i = 0; i < 5; i++)
		sample_take(f, KERNEL_ADDR);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(profile_total_count(&f->profile), 5);
	assert_true(profile_total_value(&f->profile) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_at_fault_is_asked_about_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_file_at_fault_fails_in_its_first_part, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_bad_file_is_counted_once, setup, teardown),
		cmocka_unit_test_setup_teardown(values_do_not_wrap, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
