// SPDX-License-Identifier: Apache-2.0
/*
 * Windows of a job that goes on, of synthetic processes: a pipeline, a resolver and an archive as they are, a storekeeper that takes
 * all, and names that say how they were asked for.
 */
#include "profiler/agent/windows.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/record.h"
#include "profiler/agent/kernel_names.h"
#include "profiler/base/clock.h"
#include "profiler/role/socket.h"
#include "profiler/storekeeper/protocol.h"

#define REAL_NS (1700000000ULL * NS_PER_S)
#define WINDOW_NS (10 * NS_PER_S)
#define TEXT 0x400000ULL
#define TEXT_BYTES 0x100000ULL
#define KERNEL_ADDR 0xffffffff81000100ULL
#define FIRST_PID 100

/* ---- a machine ---- */

static struct {
	uint32_t opens;
	bool opens_really; /* descriptors are some */
	int kind; /* enum process_file_kind */
	uint32_t pids[4]; /* that /proc lists, up to a 0 */
} disk;

static int machine_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	char line[32];

	(void)ctx;
	(void)pid;
	if (what != PROCESS_TEXT_PIDS)
		return -ENOENT;
	for (uint32_t i = 0; i < 4 && disk.pids[i]; i++) {
		snprintf(line, sizeof(line), "%u\n", disk.pids[i]);
		buffer_text(out, line);
	}
	return buffer_error(out);
}

static int machine_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	(void)ctx;
	(void)place;
	disk.opens++;
	*ret_fd = disk.opens_really ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
	return disk.kind;
}

static int machine_fetch(void *ctx, const struct file_place *place, int *ret_fd)
{
	(void)ctx;
	(void)place;
	*ret_fd = -1;
	return 0;
}

static const struct process_source machine = {
	.read = machine_read,
	.open = machine_open,
	.fetch = machine_fetch,
};

/* ---- names ---- */

struct asked {
	uint32_t requests, addresses, kernel, late;
	bool nameless, late_names;
};

/* One function has all addresses; with `kernel` it is 0x1000 bytes of the kernel's. */
static void answer_all(uint64_t base, const uint64_t *addresses, uint32_t count, bool nameless,
		       struct symbols *ret)
{
	static const char strings[] = "\0spin";
	static const struct symbol_function function = { 0, 0x1000, 1, 1 };
	static const struct symbol_module module = { 0, 0x200000, 0, 0, 0 };
	static struct symbol_answer answers[SYMBOLS_MAX_ADDRESSES];
	static struct symbol_reply reply;

	assert_true(count <= SYMBOLS_MAX_ADDRESSES);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t vaddr = addresses[i] - base;
		bool named = !nameless && (!base || vaddr < 0x1000);

		answers[i] = (struct symbol_answer){ vaddr, named ? 0 : SYMBOLS_NONE,
						     base && !named ? SYMBOLS_NONE : 0 };
	}
	reply = (struct symbol_reply){ .answer_count = count,
				       .function_count = 1,
				       .module_count = 1,
				       .string_bytes = sizeof(strings) };
	*ret = (struct symbols){ &reply, answers, &function, &module, strings };
}

static int names_ask(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		     struct symbols *ret, struct err *err)
{
	struct asked *a = ctx;
	bool kernel = space == WINDOW_SPACE_KERNEL;

	(void)fd;
	(void)err;
	a->requests++;
	a->kernel += kernel;
	a->addresses += count;
	answer_all(kernel ? KERNEL_ADDR & ~0xfffULL : 0, addresses, count, a->nameless, ret);
	return 0;
}

static int names_late(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		      struct symbols *ret, struct err *err)
{
	struct asked *a = ctx;

	(void)space;
	(void)fd;
	(void)err;
	a->late++;
	answer_all(0, addresses, count, !a->late_names, ret);
	return 0;
}

/* ---- a job ---- */

struct fixture {
	struct pipeline pipeline;
	struct profile profile;
	struct profile_facts facts;
	struct resolver *resolver;
	struct archive *archive;
	struct windows *windows;
	struct kernel_names *kernel;
	struct asked asked;
	struct name_source names;
	struct budget budget;
	int keeper; /* its end of the socket */
	uint64_t now_ns, start_ns;
	uint64_t sequence, samples; /* that are in the store */
	uint64_t failed; /* windows that are not */
	uint32_t turns;
	uint64_t kernel_ticks, own_cpu_ns;
};

static void meter_fake(void *ctx, struct windows_reading *ret)
{
	struct fixture *f = ctx;

	ret->cpus_profiled = ret->cpus_online = 2;
	ret->own_cpu_ns = f->own_cpu_ns;
	ret->own_memory_bytes = 77;
	ret->kernel.value[COUNTER_SAMPLES_SENT] = f->kernel_ticks;
}

static void turned(void *ctx)
{
	struct fixture *f = ctx;

	f->turns++;
}

static void keeper_start(struct fixture *f)
{
	const struct keeper_hello nothing = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	f->keeper = pair[0];
	archive_connect(f->archive, pair[1]);
	assert_int_equal(socket_send(f->keeper, KEEPER_HELLO, &nothing, sizeof(nothing), NULL, 0,
				     UINT64_MAX),
			 0);
}

static struct fixture *fixture_new(uint64_t memory_bytes)
{
	static const struct cgroup_hierarchy no_hierarchy;
	struct fixture *f = calloc(1, sizeof(*f));
	struct windows_config config;

	assert_non_null(f);
	memset(&disk, 0, sizeof(disk));
	f->names =
		(struct name_source){ .ctx = &f->asked, .ask = names_ask, .ask_late = names_late };
	f->start_ns = f->now_ns = 5000 * NS_PER_S;
	f->facts = (struct profile_facts){
		.event = "cpu-clock", .value_type = "cpu", .value_unit = "nanoseconds", .period = 10
	};
	if (memory_bytes)
		assert_int_equal(budget_divide(&f->budget, memory_bytes, UINT64_MAX, 0, NULL), 0);
	assert_int_equal(pipeline_init(&f->pipeline, &machine, &no_hierarchy,
				       memory_bytes ? &f->budget : NULL, NULL),
			 0);
	pipeline_go_on(&f->pipeline);
	assert_int_equal(resolver_new(&f->resolver, &f->pipeline, &f->names, &f->profile), 0);
	assert_int_equal(archive_new(&f->archive, &f->pipeline.counters), 0);
	keeper_start(f);
	config = (struct windows_config){
		.pipeline = &f->pipeline,
		.resolver = f->resolver,
		.profile = &f->profile,
		.archive = f->archive,
		.facts = &f->facts,
		.read = meter_fake,
		.turned = turned,
		.ctx = f,
	};
	assert_int_equal(windows_new(&f->windows, &config, f->start_ns), 0);
	return f;
}

static int setup(void **state)
{
	*state = fixture_new(0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	windows_free(f->windows);
	archive_free(f->archive);
	resolver_free(f->resolver);
	profile_release(&f->profile);
	pipeline_release(&f->pipeline);
	kernel_names_free(f->kernel);
	close(f->keeper);
	free(f);
	return 0;
}

/* ---- what happens ---- */

/* A process that has one binary mapped. */
static void process_begins(struct fixture *f, uint32_t pid, uint64_t ino)
{
	char path[64];
	const struct mapping_event m = { .start = TEXT,
					 .end = TEXT + TEXT_BYTES,
					 .ino = ino,
					 .generation = 1,
					 .major = 8,
					 .path = path };

	snprintf(path, sizeof(path), "/build/conftest-%llu", (unsigned long long)ino);
	process_table_fork(f->pipeline.processes, ++f->now_ns, pid, 1);
	process_table_exec(f->pipeline.processes, ++f->now_ns, pid);
	process_table_mmap(f->pipeline.processes, ++f->now_ns, pid, &m);
}

static void process_ends(struct fixture *f, uint32_t pid)
{
	process_table_exit(f->pipeline.processes, ++f->now_ns, pid, pid);
}

/* A sample with its leaf there, in user space or the kernel. */
static void sample_take(struct fixture *f, uint32_t pid, uint64_t addr)
{
	const uint16_t in_kernel = addr >> 63;
	struct {
		struct record_sample s;
		uint64_t frames[1];
	} s = { .s = { .time_ns = ++f->now_ns,
		       .start_ns = 500 + pid,
		       .value = 1,
		       .tgid = pid,
		       .tid = pid,
		       .kernel_frames = in_kernel,
		       .user_frames = !in_kernel,
		       .stack_end = STACK_END_BOTTOM,
		       .flags = in_kernel ? RECORD_FLAG_KERNEL : 0 },
		.frames = { addr } };

	assert_int_equal(batch_add(f->pipeline.batch, BATCH_SAMPLE, &s, sizeof(s)), 0);
	pipeline_run(&f->pipeline, f->now_ns);
}

/* The storekeeper has what was sent, and says so. */
static void store_all(struct fixture *f)
{
	struct socket_message m;
	struct archive_fate fate;
	struct archive_status status;

	socket_message_init(&m, KEEPER_MAX_MESSAGE_BYTES);
	do {
		while (archive_poll(f->archive, &fate) == 1) {
			f->samples += fate.status == 0 ? fate.samples : 0;
			f->failed += fate.status != 0;
		}
		archive_status(f->archive, &status);
		if (!status.windows)
			break;
		assert_int_equal(socket_receive(f->keeper, &m, UINT64_MAX), 0);
		if (m.type == KEEPER_WINDOW) {
			struct keeper_window w;
			struct keeper_committed said = { .file = 1, .sequence = ++f->sequence };

			memcpy(&w, m.bytes.data, sizeof(w));
			said.number = w.number;
			assert_int_equal(socket_send(f->keeper, KEEPER_COMMITTED, &said,
						     sizeof(said), NULL, 0, UINT64_MAX),
					 0);
		}
	} while (true);
	socket_message_release(&m);
}

/* Ends the window after `length_ns`. */
static int cut(struct fixture *f, uint64_t length_ns)
{
	const uint64_t behind = 5000 * NS_PER_S;
	const struct schedule_window times = {
		.start_ns = f->start_ns,
		.end_ns = f->start_ns + length_ns,
		.start_real_ns = REAL_NS + f->start_ns - behind,
		.end_real_ns = REAL_NS + f->start_ns + length_ns - behind,
	};
	int r;

	f->start_ns = times.end_ns;
	if (f->now_ns < times.end_ns)
		f->now_ns = times.end_ns;
	f->kernel_ticks += 1000;
	f->own_cpu_ns += 5;
	r = windows_cut(f->windows, &times);
	store_all(f);
	return r;
}

static struct agent_status status_of(const struct fixture *f)
{
	struct agent_status s = { 0 };

	windows_status(f->windows, &s);
	return s;
}

/* ---- windows ---- */

static void each_sample_is_in_one_window(void **state)
{
	struct fixture *f = *state;
	uint64_t taken = 0;

	process_begins(f, FIRST_PID, 1);
	for (uint32_t i = 0; i < 20; i++) {
		for (uint32_t k = 0; k < i; k++, taken++)
			sample_take(f, FIRST_PID, TEXT + k % 7);
		assert_int_equal(cut(f, WINDOW_NS), 0);
		assert_int_equal(f->samples, taken);
	}
	assert_int_equal(f->sequence, 20);
	assert_int_equal(f->failed, 0);
	/* Its stacks and series are there once, and were asked about when they were new. */
	assert_int_equal(f->asked.addresses, 7);
	assert_int_equal(f->profile.nodes.count, 8);
	assert_int_equal(f->profile.series.count, 1);
	assert_int_equal(status_of(f).windows, 20);
	assert_int_equal(status_of(f).epochs, 1);
	assert_int_equal(status_of(f).own_cpu_ns, 20 * 5);
	assert_int_equal(status_of(f).counters.value[COUNTER_SAMPLES_SENT], 20 * 1000);
	assert_int_equal(status_of(f).counters.value[COUNTER_SAMPLES], taken);
}

/* The profile as it is when it is cut. */
static void a_window_is_a_profile(void **state)
{
	const struct profile_facts facts = { .value_unit = "nanoseconds", .period = 10 };
	const struct columns_moment *moments;
	struct fixture *f = *state;
	uint32_t count;

	process_begins(f, FIRST_PID, 1);
	for (uint32_t window = 1; window <= 3; window++) {
		uint64_t start_ns = f->now_ns;

		window_clear_samples(&f->pipeline.window, start_ns);
		sample_take(f, FIRST_PID, TEXT);
		sample_take(f, FIRST_PID, TEXT + window);
		f->now_ns = start_ns + 500 * NS_PER_MS;
		sample_take(f, FIRST_PID, TEXT);
		assert_int_equal(resolver_cut(f->resolver, &facts), 0);
		assert_int_equal(f->profile.samples.count, 2);
		assert_int_equal(profile_total_count(&f->profile), 3);
		assert_int_equal(profile_total_value(&f->profile), 30);
		assert_int_equal(f->profile.nodes.count, 2 + window);
		moments = resolver_moments(f->resolver, &count);
		assert_int_equal(count, 3);
		assert_int_equal(moments[0].sample, 0);
		assert_int_equal(moments[0].slot, 0);
		assert_int_equal(moments[1].sample, 1);
		assert_int_equal(moments[2].sample, 0);
		assert_int_equal(moments[2].slot, 50);
	}
}

/* A file of the store is an hour's: the first window of the next one begins another epoch. */
static void an_hour_is_an_epoch(void **state)
{
	struct fixture *f = *state;

	disk.pids[0] = FIRST_PID;
	process_begins(f, FIRST_PID, 1);
	/* REAL_NS is 13 min 20 s past an hour. */
	for (uint32_t i = 0; i < 2 * 360; i++) {
		sample_take(f, FIRST_PID, TEXT);
		assert_int_equal(cut(f, WINDOW_NS), 0);
		assert_int_equal(f->turns, i < 279 ? 0 : i < 639 ? 1 : 2);
	}
	assert_int_equal(f->samples, 720);
	assert_int_equal(status_of(f).epochs, 3);
	assert_int_equal(status_of(f).epochs_early, 0);
	/* Asked about once in each. */
	assert_int_equal(f->asked.addresses, 3);
}

/* ---- what fills up ---- */

/* New stacks without end: each epoch ends before one is dropped. */
static void full_epochs_follow_each_other(void **state)
{
	struct fixture *f = fixture_new(64 << 20);
	uint64_t taken = 0;
	void *fixture = f;

	(void)state;
	disk.pids[0] = FIRST_PID;
	process_begins(f, FIRST_PID, 1);
	for (uint32_t window = 0; status_of(f).epochs < 4; window++) {
		assert_true(window < 200);
		for (uint32_t i = 0; i < 20000 && !windows_are_full(f->windows); i++)
			sample_take(f, FIRST_PID, TEXT + taken++ % TEXT_BYTES);
		assert_int_equal(cut(f, WINDOW_NS), 0);
	}
	assert_int_equal(counter_get(&f->pipeline.counters, COUNTER_SAMPLES_DROPPED_MEMORY), 0);
	assert_int_equal(counter_get(&f->pipeline.counters, COUNTER_NAMES_DROPPED_MEMORY), 0);
	assert_int_equal(f->samples, taken);
	assert_int_equal(status_of(f).epochs_early, 3);
	teardown(&fixture);
}

static size_t allocated(void)
{
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* Short processes, each of a binary of its own that is new: what a build does for months. Nothing grows. */
static void months_take_no_memory(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	const uint32_t processes = 40000;
#else
	const uint32_t processes = 200000;
#endif
	struct fixture *f = fixture_new(128 << 20);
	uint32_t limit = budget_files(&f->budget);
	size_t most_early = 0, most_late = 0;
	void *fixture = f;

	(void)state;
	assert_true(limit < processes / 4);
	for (uint32_t i = 0; i < processes; i++) {
		/* Pids come again, and inodes do. */
		uint32_t pid = FIRST_PID + i % 30000;

		process_begins(f, pid, 1 + i % 50000);
		sample_take(f, pid, TEXT + i % 0x1000);
		process_ends(f, pid);
		assert_int_equal(resolver_let_go(f->resolver, f->now_ns), 0);
		if (i % 400 != 399)
			continue;
		assert_int_equal(cut(f, WINDOW_NS), 0);
		if (i < processes / 2 && most_early < allocated())
			most_early = allocated();
		if (i >= processes / 2 && most_late < allocated())
			most_late = allocated();
	}
	if (most_late > most_early + most_early / 20)
		fail_msg("%zu bytes at most, then %zu", most_early, most_late);
	assert_int_equal(f->samples, processes);
	assert_int_equal(counter_get(&f->pipeline.counters, COUNTER_FILES_REFUSED), 0);
	assert_int_equal(counter_get(&f->pipeline.counters, COUNTER_PROCESSES_REFUSED), 0);
	assert_true(file_table_count(f->pipeline.files) <= limit);
	teardown(&fixture);
}

/* ---- files ---- */

/* Let go of with its names, a file is opened again when a sample is where none was. */
static void a_file_is_opened_again(void **state)
{
	struct fixture *f = *state;

	process_begins(f, FIRST_PID, 1);
	sample_take(f, FIRST_PID, TEXT);
	assert_int_equal(disk.opens, 1);
	assert_int_equal(resolver_relieve(f->resolver, 0), 0);
	assert_int_equal(file_table_pinned(f->pipeline.files), 0);
	sample_take(f, FIRST_PID, TEXT);
	assert_int_equal(disk.opens, 1);
	sample_take(f, FIRST_PID, TEXT + 1);
	assert_int_equal(disk.opens, 2);
	assert_int_equal(cut(f, WINDOW_NS), 0);
	assert_int_equal(f->asked.addresses, 2);
	assert_int_equal(f->asked.requests, 2);
}

/* More files than may be open, all in use: each is opened once for what is new in it. */
static void many_files_take_turns(void **state)
{
	struct fixture *f = *state;
	const uint32_t count = 1500;

	for (uint32_t i = 0; i < count; i++)
		process_begins(f, FIRST_PID + i, 1 + i);
	for (uint32_t window = 0; window < 4; window++) {
		for (uint32_t i = 0; i < count; i++) {
			sample_take(f, FIRST_PID + i, TEXT + window / 2);
			if (i % 100 == 0)
				assert_int_equal(resolver_relieve(f->resolver, RESOLVER_PINS), 0);
		}
		assert_int_equal(cut(f, WINDOW_NS), 0);
		assert_true(file_table_pinned(f->pipeline.files) <= RESOLVER_PINS / 2);
	}
	/* Two addresses in each, and the second time around nothing. */
	assert_int_equal(f->asked.addresses, 2 * count);
	assert_in_range(disk.opens, 2 * count - PIPELINE_MAX_PINS, 3 * count);
}

/* A slow file is read with one cut each; till then something stands for it, and stacks are made anew. */
static void slow_files_are_read_one_at_a_time(void **state)
{
	struct fixture *f = *state;

	disk.kind = PROCESS_FILE_SLOW;
	for (uint32_t i = 0; i < 3; i++)
		process_begins(f, FIRST_PID + i, 1 + i);
	for (uint32_t window = 1; window <= 4; window++) {
		for (uint32_t i = 0; i < 3; i++)
			sample_take(f, FIRST_PID + i, TEXT);
		assert_int_equal(cut(f, WINDOW_NS), 0);
		assert_int_equal(f->asked.requests, window < 3 ? window : 3);
		assert_int_equal(f->samples, 3 * window);
	}
	/* Three that stood for them, and they themselves. */
	assert_int_equal(f->profile.locations.count, 1 + 2 * 2);
}

static const char *leaf_name(const struct profile *p, uint32_t location)
{
	const struct profile_location *l = &p->locations.items[location];

	return profile_text(p, p->functions.items[p->lines.items[l->first_line].function].name);
}

/* A debug file turns up: the same location has the name. */
static void names_turn_up(void **state)
{
	struct fixture *f = *state;

	f->asked.nameless = true;
	disk.opens_really = true;
	process_begins(f, FIRST_PID, 1);
	sample_take(f, FIRST_PID, TEXT);
	assert_int_equal(cut(f, WINDOW_NS), 0);
	assert_int_equal(f->profile.locations.count, 1);
	assert_string_equal(leaf_name(&f->profile, 0), "[conftest-1]");
	assert_int_equal(resolver_late(f->resolver), 0);
	assert_int_equal(f->asked.late, 1);
	assert_string_equal(leaf_name(&f->profile, 0), "[conftest-1]");
	f->asked.late_names = true;
	assert_int_equal(resolver_late(f->resolver), 0);
	assert_int_equal(f->asked.late, 2);
	assert_int_equal(f->profile.locations.count, 1);
	assert_string_equal(leaf_name(&f->profile, 0), "spin");
	assert_int_equal(f->profile.locations.items[0].named, 1);
	/* Then nothing lacks one. */
	assert_int_equal(resolver_late(f->resolver), 0);
	assert_int_equal(f->asked.late, 2);
}

/* What is known of the kernel's functions stays known, from epoch to epoch. */
static void the_kernel_is_asked_about_once(void **state)
{
	struct fixture *f = *state;
	struct profile before;
	uint32_t asked;

	assert_int_equal(kernel_names_new(&f->kernel), 0);
	resolver_naming(f->resolver)->kernel = f->kernel;
	sample_take(f, FIRST_PID, KERNEL_ADDR);
	assert_int_equal(cut(f, WINDOW_NS), 0);
	asked = f->asked.kernel;
	assert_in_range(asked, 1, 2);
	for (uint64_t i = 1; i < 10; i++) {
		sample_take(f, FIRST_PID, KERNEL_ADDR + 16 * i);
		assert_int_equal(cut(f, WINDOW_NS), 0);
		assert_int_equal(f->profile.locations.count, 1 + i);
		assert_string_equal(leaf_name(&f->profile, (uint32_t)i), "spin");
		assert_int_equal(f->profile.locations.items[i].address, 0x100 + 16 * i);
	}
	assert_int_equal(f->asked.kernel, asked);
	assert_int_equal(resolver_turn(f->resolver, f->start_ns, &before), 0);
	assert_int_equal(archive_part(f->archive, &before), 0);
	sample_take(f, FIRST_PID, KERNEL_ADDR + 1);
	assert_int_equal(cut(f, WINDOW_NS), 0);
	assert_string_equal(leaf_name(&f->profile, 0), "spin");
	assert_int_equal(f->asked.kernel, asked);
	/* Beyond its end nothing is known. */
	sample_take(f, FIRST_PID, KERNEL_ADDR + 0x1000);
	assert_int_equal(cut(f, WINDOW_NS), 0);
	assert_int_equal(f->asked.kernel, asked + 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_sample_is_in_one_window),
		CASE(a_window_is_a_profile),
		CASE(an_hour_is_an_epoch),
		cmocka_unit_test(full_epochs_follow_each_other),
		cmocka_unit_test(months_take_no_memory),
		CASE(a_file_is_opened_again),
		CASE(many_files_take_turns),
		CASE(slow_files_are_read_one_at_a_time),
		CASE(names_turn_up),
		CASE(the_kernel_is_asked_about_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
