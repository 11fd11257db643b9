// SPDX-License-Identifier: Apache-2.0
/*
 * Samples of one process in two binaries, and a source of names that counts how often it is asked.
 */
#include "profiler/agent/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* How the machine's file systems are. */
static struct {
	bool opens_really; /* descriptors are some */
	int kind; /* enum process_file_kind */
	int fetch_error;
	uint32_t opens, fetches;
} disk;

static int machine_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	(void)ctx;
	(void)place;
	disk.opens++;
	*ret_fd = disk.opens_really ? open("/", O_RDONLY | O_CLOEXEC) : -1;
	return disk.kind;
}

static int machine_fetch(void *ctx, const struct file_place *place, int *ret_fd)
{
	(void)ctx;
	(void)place;
	disk.fetches++;
	*ret_fd = -1;
	return disk.fetch_error;
}

static const struct process_source machine = {
	.read = machine_read,
	.open = machine_open,
	.fetch = machine_fetch,
};

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
	memset(&disk, 0, sizeof(disk));
	f->names = (struct name_source){ .ctx = &f->asked, .ask = names_ask };
	f->now_ns = 1000;
	assert_int_equal(pipeline_init(&f->pipeline, &machine, &no_hierarchy, NULL, NULL), 0);
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

/* How long a reply is says the symbolizer: that there is no room for it must not cost the answer. */
static void no_memory_for_names_is_no_names(void **state)
{
	struct fixture *f = *state;

	f->asked.error = -ENOMEM;
	sample_take(f, BINARY);
	sample_take(f, LIBRARY);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(f->asked.requests, 2);
	assert_int_equal(profile_total_count(&f->profile), 2);
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

/* From now on PID maps nothing. */
static void binary_left(struct fixture *f)
{
	process_table_exec(f->pipeline.processes, f->now_ns, PID);
}

#define S 1000000000ULL

/* Nobody maps either file any more: the one that was sampled is named, and both are let go. */
static void what_nobody_maps_is_let_go(void **state)
{
	struct fixture *f = *state;

	f->asked.error = -EPIPE;
	sample_take(f, BINARY);
	sample_take(f, LIBRARY);
	assert_int_equal(resolver_relieve(f->resolver, 0), 0);
	sample_take(f, LIBRARY); /* pinned again, with nothing new to be named */
	sample_take(f, BINARY + 1);
	assert_int_equal(f->asked.requests, 2);
	assert_int_equal(file_table_pinned(f->pipeline.files), 2);
	for (uint64_t s = 10; s < 20; s++)
		assert_int_equal(resolver_let_go(f->resolver, s * S), 0);
	assert_int_equal(file_table_pinned(f->pipeline.files), 2);

	binary_left(f);
	for (uint64_t s = 20; s < 24; s++)
		assert_int_equal(resolver_let_go(f->resolver, s * S), 0);
	assert_int_equal(file_table_pinned(f->pipeline.files), 2);
	assert_int_equal(resolver_let_go(f->resolver, 24 * S), 0);
	assert_int_equal(file_table_pinned(f->pipeline.files), 0);
	assert_int_equal(f->asked.requests, 2); /* both had failed before */
	assert_int_equal(file_table_get(f->pipeline.files, 0)->state, FILE_DONE);
	assert_int_equal(file_table_get(f->pipeline.files, 1)->state, FILE_UNSEEN);
}

static void what_is_let_go_is_named_once(void **state)
{
	struct fixture *f = *state;

	sample_take(f, BINARY);
	sample_take(f, BINARY + 1);
	assert_int_equal(resolver_let_go(f->resolver, 10 * S), 0);
	binary_left(f);
	assert_int_equal(resolver_let_go(f->resolver, 10 * S + S / 2), 0);
	assert_int_equal(resolver_let_go(f->resolver, UINT64_MAX), 0);
	assert_int_equal(f->asked.requests, 0);
	assert_int_equal(resolver_let_go(f->resolver, 15 * S), 0);
	assert_int_equal(f->asked.requests, 1);
	assert_int_equal(f->asked.addresses, 2);
	assert_int_equal(file_table_pinned(f->pipeline.files), 0);
	assert_int_equal(resolver_let_go(f->resolver, 16 * S), 0);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(f->asked.requests, 1);
	assert_int_equal(profile_total_count(&f->profile), 2);
}

/* Not while samples come: only at the end, once, by its copy. */
static void a_slow_file_waits_for_the_end(void **state)
{
	struct fixture *f = *state;

	disk.kind = PROCESS_FILE_SLOW;
	sample_take(f, BINARY);
	assert_int_equal(resolver_relieve(f->resolver, 0), 0);
	binary_left(f);
	for (uint64_t s = 1; s < 20; s++)
		assert_int_equal(resolver_let_go(f->resolver, s * S), 0);
	assert_int_equal(disk.fetches, 0);
	assert_int_equal(f->asked.requests, 0);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(disk.fetches, 1);
	assert_int_equal(f->asked.requests, 1);
	assert_int_equal(counter_get(&f->pipeline.counters, COUNTER_FILES_UNFETCHED), 0);
}

/* Its file system never answers: its own names are missing, and it shows as what could not be read. */
static void a_slow_file_that_does_not_answer(void **state)
{
	struct fixture *f = *state;
	uint32_t unread = 0;

	disk.kind = PROCESS_FILE_SLOW;
	disk.fetch_error = -ETIMEDOUT;
	for (uint32_t i = 0; i < SYMBOLS_MAX_ADDRESSES + 10; i++)
		sample_take(f, BINARY + i);
	disk.kind = 0;
	sample_take(f, LIBRARY);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(disk.fetches, 1);
	assert_int_equal(f->asked.requests, 1);
	assert_int_equal(counter_get(&f->pipeline.counters, COUNTER_FILES_UNFETCHED), 1);
	assert_int_equal(profile_total_count(&f->profile), SYMBOLS_MAX_ADDRESSES + 11);
	for (uint32_t i = 0; i < f->profile.mappings.count; i++)
		unread += f->profile.mappings.items[i].kind == PROFILE_MAPPING_UNREAD;
	assert_int_not_equal(unread, 0);
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

/* ---- why a stack is cut ---- */

/* One sample whose stack ended so, with its leaf at `addr`. */
static void cut_take(struct fixture *f, enum record_stack_end end, uint8_t flags, uint64_t addr)
{
	struct {
		struct record_sample s;
		uint64_t frames[1];
	} s = { .s = { .time_ns = ++f->now_ns,
		       .start_ns = 500,
		       .value = 1,
		       .tgid = PID,
		       .tid = PID,
		       .user_frames = 1,
		       .stack_end = end,
		       .flags = flags },
		.frames = { addr } };

	assert_int_equal(batch_add(f->pipeline.batch, BATCH_SAMPLE, &s, sizeof(s)), 0);
	pipeline_run(&f->pipeline, f->now_ns);
}

/* The outermost frame of a sample of the profile. */
static const char *outermost(const struct profile *p, uint32_t sample)
{
	uint32_t node = p->samples.items[sample].node;
	const struct profile_location *l;

	while (p->nodes.items[node].parent)
		node = p->nodes.items[node].parent;
	l = &p->locations.items[p->nodes.items[node].location];
	return profile_text(p, p->functions.items[p->lines.items[l->first_line].function].name);
}

static void rest_nothing(void *ctx, const struct record_sample *s)
{
	(void)ctx;
	(void)s;
}

/* What is on the stack isn't in its copy. */
static enum record_stack_end rest_unread(void *ctx, const struct mapping *m, uint64_t *ret_word)
{
	(void)ctx;
	(void)m;
	(void)ret_word;
	return STACK_END_BAD_READ;
}

static void rest_ended(void *ctx, enum record_stack_end end)
{
	*(enum record_stack_end *)ctx = end;
}

static void each_end_has_its_frame(void **state)
{
	static const uint8_t copied = RECORD_FLAG_REST_GONE, none = RECORD_FLAG_NO_TABLES;
	static const uint64_t nowhere = 0x9000000;
	static const struct {
		uint64_t addr;
		const char *frame;
		enum truncation why; /* TRUNCATION_COUNT: it is whole */
		enum record_stack_end end;
		uint8_t flags;
	} cases[] = {
		{ BINARY, "[spin]", TRUNCATION_COUNT, STACK_END_NONE, 0 },
		{ BINARY, "[spin]", TRUNCATION_COUNT, STACK_END_BOTTOM, 0 },
		{ BINARY, "[truncated: no unwind information]", TRUNCATED_NO_ROW, STACK_END_NO_ROW,
		  0 },
		{ BINARY, "[truncated: unwind information not usable]", TRUNCATED_UNSUPPORTED,
		  STACK_END_UNSUPPORTED, 0 },
		{ BINARY, "[truncated: register not known]", TRUNCATED_LOST, STACK_END_LOST, 0 },
		{ BINARY, "[truncated: stack not readable]", TRUNCATED_BAD_READ, STACK_END_BAD_READ,
		  0 },
		{ BINARY, "[truncated: no valid frame]", TRUNCATED_BAD_FRAME, STACK_END_BAD_FRAME,
		  0 },
		{ nowhere, "[truncated: no code known there]", TRUNCATED_NO_MAPPING,
		  STACK_END_NO_MAPPING, none },
		{ BINARY, "[truncated: process or mapping too new]", TRUNCATED_TOO_NEW,
		  STACK_END_NO_MAPPING, none },
		{ LIBRARY, "[truncated: process or mapping too new]", TRUNCATED_TOO_NEW,
		  STACK_END_NO_MAPPING, 0 },
		{ BINARY, "[truncated: unwind table not loaded]", TRUNCATED_NOT_COMPILED,
		  STACK_END_NOT_COMPILED, 0 },
		{ BINARY, "[truncated: too deep]", TRUNCATED_TOO_DEEP, STACK_END_TOO_DEEP, 0 },
		{ BINARY, "[truncated: 32-bit process]", TRUNCATED_COMPAT, STACK_END_COMPAT, 0 },
		{ BINARY, "[truncated: beyond the copied stack]", TRUNCATED_NOT_COPIED,
		  STACK_END_NOT_COMPILED, copied },
	};
	const size_t n = sizeof(cases) / sizeof(cases[0]);
	struct fixture *f = *state;
	enum record_stack_end ended = STACK_END_NONE;
	struct counters want = { 0 };

	f->asked.error = -ENOENT;
	f->pipeline.rests = (struct rest_source){ &ended, rest_nothing, rest_unread, rest_ended };
	for (size_t i = 0; i < n; i++) {
		cut_take(f, cases[i].end, cases[i].flags, cases[i].addr + i);
		if (cases[i].why == TRUNCATION_COUNT)
			continue;
		counter_add(&want, COUNTER_STACKS_TRUNCATED, 1);
		counter_add(&want, counter_of_truncation(cases[i].why), 1);
	}
	assert_int_equal(ended, STACK_END_BAD_READ);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(f->profile.samples.count, n);
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(outermost(&f->profile, i), cases[i].frame) != 0)
			fail_msg("case %u: the outermost frame is \"%s\", not \"%s\"", i,
				 outermost(&f->profile, i), cases[i].frame);
	for (enum counter id = COUNTER_STACKS_TRUNCATED; id < COUNTER_COUNT; id++)
		if ((id == COUNTER_STACKS_TRUNCATED || id >= COUNTER_TRUNCATED_NO_ROW) &&
		    counter_get(&f->profile.counters, id) != counter_get(&want, id))
			fail_msg("%s: got %d, want %d", counter_name(id),
				 (int)counter_get(&f->profile.counters, id),
				 (int)counter_get(&want, id));
}

/* Stacks that are equal are one; equal frames that end for two reasons are two. */
static void a_reason_is_part_of_the_stack(void **state)
{
	struct fixture *f = *state;

	f->asked.error = -ENOENT;
	cut_take(f, STACK_END_NO_ROW, 0, BINARY);
	cut_take(f, STACK_END_LOST, 0, BINARY);
	cut_take(f, STACK_END_NO_ROW, 0, BINARY);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(f->profile.samples.count, 2);
	assert_int_equal(f->profile.samples.items[0].count, 2);
	assert_string_equal(outermost(&f->profile, 0), "[truncated: no unwind information]");
	assert_string_equal(outermost(&f->profile, 1), "[truncated: register not known]");
}

#define LONG_NAMES 2000
#define LONG_NAME_BYTES 4000

/* Each address is in a function of its own, whose name is as long as names may be. */
static int long_names_ask(void *ctx, uint32_t space, int fd, const uint64_t *addresses,
			  uint32_t count, struct symbols *ret, struct err *err)
{
	static char strings[1 + LONG_NAMES * LONG_NAME_BYTES];
	static struct symbol_answer answers[LONG_NAMES];
	static struct symbol_function functions[LONG_NAMES];
	static struct symbol_reply reply;

	(void)ctx;
	(void)space;
	(void)fd;
	(void)err;
	assert_true(count <= LONG_NAMES);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t name = 1 + i * LONG_NAME_BYTES;

		memset(strings + name, 'n', LONG_NAME_BYTES - 1);
		memcpy(strings + name, &(uint32_t){ 0x41414141 + i }, sizeof(uint32_t));
		functions[i] = (struct symbol_function){ addresses[i], 1, name, name };
		answers[i] = (struct symbol_answer){ addresses[i], i, SYMBOLS_NONE };
	}
	reply = (struct symbol_reply){ .answer_count = count, .function_count = count };
	*ret = (struct symbols){ &reply, answers, functions, NULL, strings };
	return 0;
}

/* Names that don't fit into their share are left out; nothing else is. */
static void names_without_room(void **state)
{
	static const struct cgroup_hierarchy no_hierarchy;
	struct fixture *f = *state;
	uint32_t named = 0;
	struct budget b;

	assert_int_equal(budget_divide(&b, BUDGET_LEAST_BYTES, UINT64_MAX, 1 << 20, NULL), 0);
	resolver_free(f->resolver);
	profile_release(&f->profile);
	pipeline_release(&f->pipeline);
	f->names.ask = long_names_ask;
	assert_int_equal(pipeline_init(&f->pipeline, &machine, &no_hierarchy, &b, NULL), 0);
	assert_int_equal(resolver_new(&f->resolver, &f->pipeline, &f->names, &f->profile), 0);
	assert_int_equal(process_table_scan(f->pipeline.processes, f->now_ns), 0);
	for (uint32_t i = 0; i < LONG_NAMES; i++)
		sample_take(f, BINARY + i);

	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(profile_total_count(&f->profile), LONG_NAMES);
	for (uint32_t i = 0; i < f->profile.locations.count; i++)
		named += f->profile.locations.items[i].named;
	assert_in_range(named, budget_profile_bytes(&b) / 2 / LONG_NAME_BYTES, LONG_NAMES - 1);
	assert_int_equal(counter_get(&f->profile.counters, COUNTER_NAMES_DROPPED_MEMORY),
			 LONG_NAMES - named);
}

#define PROGRAM 0xffffffffc0100000ULL

/* All is in "bpf_prog_a" of [bpf], as by a list that says where it begins. */
static int bpf_ask(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		   struct symbols *ret, struct err *err)
{
	static const char strings[] = "\0bpf_prog_a\0bpf";
	static const struct symbol_function function = { 0, 0x10000, 1, 1 };
	static const struct symbol_module module = { 0, 0x10000, 0, 12, 0 };
	static struct symbol_answer answers[8];
	static struct symbol_reply reply;

	(void)ctx;
	(void)fd;
	(void)err;
	assert_int_equal(space, WINDOW_SPACE_KERNEL);
	assert_true(count <= 8);
	for (uint32_t i = 0; i < count; i++)
		answers[i] = (struct symbol_answer){ addresses[i] - PROGRAM, 0, 0 };
	reply = (struct symbol_reply){ .answer_count = count,
				       .function_count = 1,
				       .module_count = 1 };
	*ret = (struct symbols){ &reply, answers, &function, &module, strings };
	return 0;
}

/* The name of the frame that has `count` samples; they are told apart by that. */
static const char *name_of(const struct profile *p, uint64_t count)
{
	for (uint32_t i = 0; i < p->samples.count; i++) {
		const struct profile_node *node = &p->nodes.items[p->samples.items[i].node];
		const struct profile_location *l = &p->locations.items[node->location];

		if (p->samples.items[i].count == count)
			return p->strings
				.items[p->functions.items[p->lines.items[l->first_line].function]
					       .name]
				.text;
	}
	return "(no such samples)";
}

static void samples_take(struct fixture *f, uint64_t addr, uint32_t count)
{
	while (count--)
		sample_take(f, addr);
}

/* Events first, then the list; which is not believed about what an event contradicts, or if any was lost. */
static void a_bpf_program_has_no_other_s_name(void **state)
{
	static const struct {
		const char *known, *in, *behind;
		bool lost;
	} rows[] = {
		{ NULL, "bpf_prog_a", "bpf_prog_a", false },
		{ NULL, "[bpf]", "[bpf]", true },
		{ "bpf_prog_a", "bpf_prog_a", "[bpf]", false },
		{ "bpf_prog_a", "[bpf]", "[bpf]", true },
		{ "bpf_prog_b", "bpf_prog_b", "bpf_prog_a", false },
		{ "bpf_prog_6deef7357e7b4530_b", "bpf_prog_b", "bpf_prog_a", false },
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t withheld = 0;
		struct fixture *f;
		void *fresh;

		setup(&fresh);
		f = fresh;
		f->names.ask = bpf_ask;
		if (rows[i].known)
			bpf_code_registered(f->pipeline.bpf, 1, PROGRAM, PROGRAM + 0x40,
					    rows[i].known);
		samples_take(f, PROGRAM, 1);
		samples_take(f, PROGRAM + 0x40, 2);
		if (rows[i].lost)
			bpf_code_lost(f->pipeline.bpf, 2);
		assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
		assert_string_equal(name_of(&f->profile, 1), rows[i].in);
		assert_string_equal(name_of(&f->profile, 2), rows[i].behind);
		withheld = (rows[i].in[0] == '[') + (rows[i].behind[0] == '[');
		assert_int_equal(counter_get(&f->profile.counters, COUNTER_BPF_NAMES_WITHHELD),
				 withheld);
		teardown(&fresh);
	}
}

/* ---- lines, and names that turn up late ---- */

#define VADDR_BIAS 0x400000ULL
#define MAX_ASKED 16

/* A symbolizer that knows one segment, the symbol "spin" up to a limit, and one chain of inlined functions. */
struct dwarf {
	uint64_t named_below, named_late_below; /* file offsets */
	uint32_t late; /* requests */
	uint32_t named[MAX_ASKED], names; /* spaces of requests for names */
	int found_fd; /* of the last find_lines(), or -1: there is no DWARF */
	uint32_t finds, asks;
	uint32_t spaces[MAX_ASKED];
	int asked_fd;
	uint64_t vaddrs[MAX_ASKED];
	uint32_t fail_from; /* this request for lines and later ones fail */
	uint32_t room; /* chains that a reply has room for; 0: as many as there are */
};

static int spin_names(uint64_t below, const uint64_t *addresses, uint32_t count,
		      struct symbols *ret)
{
	static const char strings[] = "\0spin\0_Z4spinv";
	static const struct symbol_function function = { VADDR_BIAS, 0x200000, 1, 6 };
	static const struct symbol_module module = { VADDR_BIAS, VADDR_BIAS + 0x200000, 0, 0, 0 };
	static struct symbol_answer answers[MAX_ASKED];
	static struct symbol_reply reply;

	assert_true(count <= MAX_ASKED);
	for (uint32_t i = 0; i < count; i++)
		answers[i] = (struct symbol_answer){ addresses[i] + VADDR_BIAS,
						     addresses[i] < below ? 0 : SYMBOLS_NONE, 0 };
	reply = (struct symbol_reply){ .answer_count = count,
				       .function_count = 1,
				       .module_count = 1 };
	*ret = (struct symbols){ &reply, answers, &function, &module, strings };
	return 0;
}

static int dwarf_names(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		       struct symbols *ret, struct err *err)
{
	struct dwarf *d = ctx;

	(void)fd;
	(void)err;
	d->named[d->names++ % MAX_ASKED] = space;
	return spin_names(d->named_below, addresses, count, ret);
}

static int dwarf_late(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		      struct symbols *ret, struct err *err)
{
	struct dwarf *d = ctx;

	(void)space;
	(void)err;
	d->late++;
	assert_true(fd >= 0);
	return spin_names(d->named_late_below, addresses, count, ret);
}

static int dwarf_find(void *ctx, uint32_t space, int fd, struct line_files *ret)
{
	struct dwarf *d = ctx;

	(void)space;
	d->finds++;
	if (d->found_fd < 0)
		return -ENOENT;
	d->found_fd = dup(fd >= 0 ? fd : 0);
	ret->dwarf = d->found_fd;
	return 0;
}

/* "fold" (fold.h:7), inlined into what DWARF calls "outer" (spin.c:12), and no line at an address that ends in f. */
static int dwarf_lines(void *ctx, uint32_t space, const struct line_files *files,
		       const uint64_t *vaddrs, uint32_t count, struct lines_answers *ret,
		       struct err *err)
{
	static const char strings[] = "\0fold\0fold.h\0outer\0spin.c";
	static const struct lines_place chain[] = { { 1, 1, 6, 7 }, { 13, 13, 19, 12 } };
	static struct lines_place places[2 * MAX_ASKED];
	static struct lines_answer answers[MAX_ASKED];
	static struct lines_reply reply;
	struct dwarf *d = ctx;
	uint32_t known = 0;

	assert_true(count <= MAX_ASKED && d->asks < MAX_ASKED);
	d->asked_fd = files->dwarf;
	d->spaces[d->asks++] = space;
	if (files->dwarf < 0 || (d->fail_from && d->asks >= d->fail_from))
		return err_set(err, -ENOENT, "no lines");
	memcpy(d->vaddrs, vaddrs, count * sizeof(*vaddrs));
	for (uint32_t i = 0; i < count; i++) {
		answers[i] = (struct lines_answer){ 2 * known, vaddrs[i] % 16 == 15 ? 0 : 2 };
		if (d->room && known == d->room)
			answers[i].count = 0;
		if (!answers[i].count)
			continue;
		memcpy(&places[2 * known++], chain, sizeof(chain));
	}
	reply = (struct lines_reply){ .answer_count = count, .place_count = 2 * known };
	if (d->room && known == d->room)
		reply.flags |= LINES_INCOMPLETE;
	*ret = (struct lines_answers){ &reply, answers, places, strings };
	return 0;
}

/* The fixture's names are this symbolizer's from now on. */
static struct dwarf *dwarf_use(struct fixture *f)
{
	static struct dwarf d;

	d = (struct dwarf){ .named_below = UINT64_MAX };
	disk.opens_really = true;
	f->names = (struct name_source){ .ctx = &d,
					 .ask = dwarf_names,
					 .ask_late = dwarf_late,
					 .find_lines = dwarf_find,
					 .ask_lines = dwarf_lines };
	return &d;
}

/* "fold fold.h:7 < spin spin.c:12", of the leaf of the samples that are so many. */
static const char *frames_of(const struct profile *p, uint64_t samples)
{
	static char text[512];
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < p->samples.count; i++) {
		const struct profile_node *node = &p->nodes.items[p->samples.items[i].node];
		const struct profile_location *l = &p->locations.items[node->location];

		for (uint32_t j = 0; p->samples.items[i].count == samples && j < l->line_count;
		     j++) {
			const struct profile_line *line = &p->lines.items[l->first_line + j];
			const struct profile_function *fn = &p->functions.items[line->function];

			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s:%u",
						j ? " < " : "", profile_text(p, fn->name),
						profile_text(p, fn->file), line->line);
		}
	}
	return text;
}

static uint32_t named_count(const struct profile *p)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < p->locations.count; i++)
		count += p->locations.items[i].named;
	return count;
}

/* The symbol names the outermost function; DWARF does where there is no symbol; and where it knows nothing, all stays. */
static void a_chain_of_inlined_functions(void **state)
{
	struct fixture *f = *state;
	struct dwarf *d = dwarf_use(f);

	d->named_below = 0x100;
	samples_take(f, BINARY + 0x10, 1);
	samples_take(f, BINARY + 0x200, 2);
	samples_take(f, BINARY + 0x2f, 3);
	samples_take(f, BINARY + 0x30f, 4);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_string_equal(frames_of(&f->profile, 1), "fold fold.h:7 < spin spin.c:12");
	assert_string_equal(frames_of(&f->profile, 2), "fold fold.h:7 < outer spin.c:12");
	assert_string_equal(frames_of(&f->profile, 3), "spin :0");
	assert_string_equal(frames_of(&f->profile, 4), "[spin] :0");
	assert_int_equal(named_count(&f->profile), 3);
	assert_int_equal(d->asks, 1);
	assert_true(d->vaddrs[0] == VADDR_BIAS + 0x10);
	assert_int_equal(d->late, 0);
}

/* Two chains a reply, of five; one that is full, but of nothing, is not asked for again. */
static void a_full_reply_is_followed_by_another(void **state)
{
	struct fixture *f = *state;
	struct dwarf *d = dwarf_use(f);

	d->room = 2;
	for (uint32_t i = 0; i < 5; i++)
		samples_take(f, BINARY + 0x10ul * (i + 1), i + 1);
	samples_take(f, BINARY + 0x2f, 6);
	samples_take(f, BINARY + 0x7f, 7);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	for (uint32_t i = 0; i < 5; i++)
		assert_string_equal(frames_of(&f->profile, i + 1),
				    "fold fold.h:7 < spin spin.c:12");
	assert_string_equal(frames_of(&f->profile, 6), "spin :0");
	assert_string_equal(frames_of(&f->profile, 7), "spin :0");
	assert_int_equal(d->asks, 3);
	assert_true(d->vaddrs[0] == VADDR_BIAS + 0x50);
}

static void hot_files_are_asked_about_first(void **state)
{
	struct fixture *f = *state;
	struct dwarf *d = dwarf_use(f);

	samples_take(f, BINARY + 0x10, 2);
	samples_take(f, LIBRARY + 0x10, 7);
	samples_take(f, BINARY + 0x20, 4);
	d->fail_from = 2;
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(d->names, 2);
	assert_int_equal(d->named[0], WINDOW_SPACE_FILES + 1);
	assert_int_equal(d->named[1], WINDOW_SPACE_FILES);
	assert_int_equal(d->asks, 2);
	assert_int_equal(d->spaces[0], WINDOW_SPACE_FILES + 1);
	assert_int_equal(d->spaces[1], WINDOW_SPACE_FILES);
	/* What failed has the names of symbol tables. */
	assert_string_equal(frames_of(&f->profile, 7), "fold fold.h:7 < spin spin.c:12");
	assert_string_equal(frames_of(&f->profile, 4), "spin :0");
}

static void nobody_wants_lines(void **state)
{
	struct fixture *f = *state;
	struct dwarf *d = dwarf_use(f);

	f->names.ask_lines = NULL;
	f->names.find_lines = NULL;
	samples_take(f, BINARY + 0x10, 2);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(d->asks, 0);
	assert_string_equal(frames_of(&f->profile, 2), "spin :0");
}

/* Its descriptors are kept: those that were found while it could be found. */
static void what_is_let_go_keeps_its_lines(void **state)
{
	struct fixture *f = *state;
	struct dwarf *d = dwarf_use(f);

	samples_take(f, BINARY + 0x10, 2);
	assert_int_equal(resolver_let_go(f->resolver, 10 * S), 0);
	binary_left(f);
	assert_int_equal(resolver_let_go(f->resolver, 15 * S), 0);
	assert_int_equal(file_table_pinned(f->pipeline.files), 0);
	assert_int_equal(d->finds, 1);
	assert_int_equal(d->asks, 0);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(d->finds, 1);
	assert_int_equal(d->asked_fd, d->found_fd);
	assert_string_equal(frames_of(&f->profile, 2), "fold fold.h:7 < spin spin.c:12");
	assert_int_equal(d->late, 0);
}

/* Neither a name nor DWARF when its last process ended; both when the capture does. */
static void a_debug_file_turns_up(void **state)
{
	struct fixture *f = *state;
	struct dwarf *d = dwarf_use(f);

	d->named_below = 0;
	d->found_fd = -1;
	samples_take(f, BINARY + 0x1f, 2);
	samples_take(f, BINARY + 0x20, 3);
	assert_int_equal(resolver_let_go(f->resolver, 10 * S), 0);
	binary_left(f);
	assert_int_equal(resolver_let_go(f->resolver, 15 * S), 0);
	d->named_late_below = UINT64_MAX;
	d->found_fd = 0;
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(d->late, 1);
	assert_string_equal(frames_of(&f->profile, 2), "spin :0");
	assert_string_equal(frames_of(&f->profile, 3), "fold fold.h:7 < spin spin.c:12");
}

/* What doesn't turn up stays as it was. */
static void no_debug_file_turns_up(void **state)
{
	struct fixture *f = *state;
	struct dwarf *d = dwarf_use(f);

	d->named_below = 0x20;
	d->found_fd = -1;
	samples_take(f, BINARY + 0x10, 2);
	samples_take(f, BINARY + 0x20, 3);
	assert_int_equal(resolver_relieve(f->resolver, 0), 0);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(d->late, 1);
	assert_string_equal(frames_of(&f->profile, 2), "spin :0");
	assert_string_equal(frames_of(&f->profile, 3), "[spin] :0");
}

/* A recording has answers and no descriptors. */
static void a_replay_asks_without_descriptors(void **state)
{
	struct fixture *f = *state;
	struct dwarf *d = dwarf_use(f);

	disk.opens_really = false;
	f->names.recorded = true;
	f->names.ask_late = dwarf_names;
	d->named_below = 0x20;
	samples_take(f, BINARY + 0x20, 3);
	assert_int_equal(resolver_relieve(f->resolver, 0), 0);
	d->named_below = UINT64_MAX;
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(d->finds, 0);
	assert_int_equal(d->asks, 1);
	assert_string_equal(frames_of(&f->profile, 3), "spin :0");
}

/* Lines don't take what other names need. */
static void lines_without_room(void **state)
{
	struct fixture *f = *state;
	struct dwarf *d = dwarf_use(f);

	(void)d;
	f->profile.arena.max_bytes = f->profile.arena.used_bytes;
	samples_take(f, BINARY + 0x10, 2);
	assert_int_equal(resolver_finish(f->resolver, &f->facts), 0);
	assert_int_equal(f->profile.locations.items[0].line_count, 1);
	assert_true(counter_get(&f->profile.counters, COUNTER_NAMES_DROPPED_MEMORY) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_at_fault_is_asked_about_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_file_at_fault_fails_in_its_first_part, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_bad_file_is_counted_once, setup, teardown),
		cmocka_unit_test_setup_teardown(no_memory_for_names_is_no_names, setup, teardown),
		cmocka_unit_test_setup_teardown(what_nobody_maps_is_let_go, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_let_go_is_named_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_file_waits_for_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_file_that_does_not_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(values_do_not_wrap, setup, teardown),
		cmocka_unit_test_setup_teardown(names_without_room, setup, teardown),
		cmocka_unit_test_setup_teardown(each_end_has_its_frame, setup, teardown),
		cmocka_unit_test(a_bpf_program_has_no_other_s_name),
		cmocka_unit_test_setup_teardown(a_chain_of_inlined_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(hot_files_are_asked_about_first, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_wants_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_reply_is_followed_by_another, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_let_go_keeps_its_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(a_debug_file_turns_up, setup, teardown),
		cmocka_unit_test_setup_teardown(no_debug_file_turns_up, setup, teardown),
		cmocka_unit_test_setup_teardown(a_replay_asks_without_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_without_room, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reason_is_part_of_the_stack, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
