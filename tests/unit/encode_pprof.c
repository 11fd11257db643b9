// SPDX-License-Identifier: Apache-2.0
/*
 * What is written is read back by protobuf-c from the same .proto, and then by the tool it is for: `go
 * tool pprof`, where there is one.
 */
#include "profiler/encode/pprof.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/encode/pprof.pb-c.h"
#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

static Pprof__Profile *encode_and_read(const struct profile *p, const char *root)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	struct buffer out = BUFFER_INIT(1 << 24);
	const size_t room = 1 << 24;
	uint8_t *raw = malloc(room);
	struct root_keys keys;
	Pprof__Profile *read;
	size_t len;

	if (root)
		assert_int_equal(root_keys_parse(&keys, root, NULL), 0);
	assert_int_equal(pprof_encode(p, root ? &keys : NULL, &out), 0);
	assert_int_equal(libdeflate_gzip_decompress(d, out.data, out.len, raw, room, &len), 0);
	read = pprof__profile__unpack(NULL, len, raw);
	assert_non_null(read);
	libdeflate_free_decompressor(d);
	free(raw);
	buffer_release(&out);
	return read;
}

static void done(Pprof__Profile *read)
{
	pprof__profile__free_unpacked(read, NULL);
}

static const char *text(const Pprof__Profile *read, int64_t number)
{
	assert_in_range(number, 0, read->n_string_table - 1);
	return read->string_table[number];
}

static const Pprof__Function *function(const Pprof__Profile *read, uint64_t id)
{
	for (size_t i = 0; i < read->n_function; i++)
		if (read->function[i]->id == id)
			return read->function[i];
	fail_msg("no function %lu", (unsigned long)id);
	return NULL;
}

static const Pprof__Location *location(const Pprof__Profile *read, uint64_t id)
{
	for (size_t i = 0; i < read->n_location; i++)
		if (read->location[i]->id == id)
			return read->location[i];
	fail_msg("no location %lu", (unsigned long)id);
	return NULL;
}

static const Pprof__Mapping *mapping(const Pprof__Profile *read, uint64_t id)
{
	for (size_t i = 0; i < read->n_mapping; i++)
		if (read->mapping[i]->id == id)
			return read->mapping[i];
	return NULL;
}

/* The name of frame `i` of a sample, leaf first. */
static const char *frame(const Pprof__Profile *read, const Pprof__Sample *s, size_t i)
{
	assert_true(i < s->n_location_id);
	return text(read,
		    function(read, location(read, s->location_id[i])->line[0]->function_id)->name);
}

/* What must be true of every file. */
static void check_references(const Pprof__Profile *read)
{
	assert_string_equal(text(read, 0), "");
	for (size_t i = 0; i < read->n_string_table; i++)
		assert_true(text_is_clean(read->string_table[i], strlen(read->string_table[i])));
	for (size_t i = 0; i < read->n_location; i++) {
		const Pprof__Location *l = read->location[i];
		const Pprof__Mapping *m = mapping(read, l->mapping_id);

		assert_int_not_equal(l->id, 0);
		assert_true(l->n_line > 0);
		for (size_t j = 0; j < l->n_line; j++)
			assert_non_null(function(read, l->line[j]->function_id));
		if (l->mapping_id) {
			assert_non_null(m);
			assert_true(l->address >= m->memory_start && l->address < m->memory_limit);
		}
	}
	for (size_t i = 0; i < read->n_mapping; i++) {
		assert_int_not_equal(read->mapping[i]->id, 0);
		assert_true(read->mapping[i]->has_functions);
		text(read, read->mapping[i]->filename);
		text(read, read->mapping[i]->build_id);
	}
	for (size_t i = 0; i < read->n_function; i++) {
		text(read, read->function[i]->name);
		text(read, read->function[i]->system_name);
		text(read, read->function[i]->filename);
	}
	for (size_t i = 0; i < read->n_sample; i++) {
		assert_int_equal(read->sample[i]->n_value, read->n_sample_type);
		for (size_t j = 0; j < read->sample[i]->n_location_id; j++)
			location(read, read->sample[i]->location_id[j]);
		for (size_t j = 0; j < read->sample[i]->n_label; j++) {
			const Pprof__Label *l = read->sample[i]->label[j];

			assert_int_not_equal(l->key, 0);
			assert_true(!l->str || !l->num);
			text(read, l->key);
			text(read, l->str);
		}
	}
	for (size_t i = 0; i < read->n_comment; i++)
		assert_int_not_equal(text(read, read->comment[i])[0], '#');
}

static void sums(const Pprof__Profile *read, int64_t *ret_count, int64_t *ret_value)
{
	*ret_count = *ret_value = 0;
	for (size_t i = 0; i < read->n_sample; i++) {
		*ret_count += read->sample[i]->value[0];
		*ret_value += read->sample[i]->value[1];
	}
}

static bool has_comment(const Pprof__Profile *read, const char *expected)
{
	for (size_t i = 0; i < read->n_comment; i++)
		if (!strcmp(text(read, read->comment[i]), expected))
			return true;
	return false;
}

static void test_facts(void **state)
{
	Pprof__Profile *read;
	struct profile p;

	test_profile(&p);
	test_stack(&p, test_series(&p, "a", 1, 1), 1, "main@/bin/a", NULL);
	p.counters.value[COUNTER_PROC_UNREADABLE] = 3;
	p.facts.own_memory_bytes = 11 << 20;
	p.facts.memory_kernel_bytes = 9 << 20;
	p.facts.own_kernel_bytes = 3 << 19;
	p.facts.memory_budget_bytes = 256 << 20;
	read = encode_and_read(&p, NULL);
	check_references(read);
	assert_int_equal(read->n_sample_type, 2);
	assert_string_equal(text(read, read->sample_type[0]->type), "samples");
	assert_string_equal(text(read, read->sample_type[0]->unit), "count");
	assert_string_equal(text(read, read->sample_type[1]->type), "cpu");
	assert_string_equal(text(read, read->sample_type[1]->unit), "nanoseconds");
	assert_string_equal(text(read, read->period_type->type), "cpu");
	assert_string_equal(text(read, read->period_type->unit), "nanoseconds");
	assert_string_equal(text(read, read->default_sample_type), "cpu");
	assert_int_equal(read->period, 10101010);
	assert_int_equal(read->time_nanos, 1700000000000000000LL);
	assert_int_equal(read->duration_nanos, 10000000000LL);
	assert_true(
		has_comment(read, "3 /proc reads that failed (process gone, or access refused)"));
	assert_true(has_comment(
		read,
		"slowburn: the whole machine, cpu-clock, 99 samples a second on 2 of 2 CPUs"));
	assert_true(has_comment(read, "own memory: 11.0 MiB, and 1.5 in the kernel for rings and "
				      "maps, of 256.0 allowed"));
	done(read);

	p.facts.event = p.facts.value_type = "cycles";
	p.facts.value_unit = "count";
	p.facts.time_ns = UINT64_MAX;
	read = encode_and_read(&p, NULL);
	assert_string_equal(text(read, read->sample_type[1]->type), "cycles");
	assert_string_equal(text(read, read->default_sample_type), "cycles");
	assert_true(read->time_nanos == INT64_MAX);
	done(read);
	profile_release(&p);
}

static void test_sample(void **state)
{
	Pprof__Profile *read;
	struct profile p;

	test_profile(&p);
	test_stack(&p, test_series(&p, "a", 12, 13), 7, "main@/bin/a", "f@/usr/lib/libc.so.6",
		   "sys_read@[kernel.kallsyms]", NULL);
	read = encode_and_read(&p, NULL);
	check_references(read);
	assert_int_equal(read->n_sample, 1);
	assert_int_equal(read->sample[0]->value[0], 7);
	assert_int_equal(read->sample[0]->value[1], 7 * TEST_PERIOD_NS);
	assert_int_equal(read->sample[0]->n_location_id, 3);
	assert_string_equal(frame(read, read->sample[0], 0), "sys_read");
	assert_string_equal(frame(read, read->sample[0], 1), "f");
	assert_string_equal(frame(read, read->sample[0], 2), "main");
	assert_int_equal(read->sample[0]->n_label, 5);
	for (size_t i = 0; i < 5; i++) {
		static const struct {
			const char *key, *str;
			int64_t num;
		} expected[] = { { "comm", "a", 0 },
				 { "thread", "a", 0 },
				 { "pid", "", 12 },
				 { "tid", "", 13 },
				 { "cgroup", "/system.slice/a.service", 0 } };
		const Pprof__Label *l = read->sample[0]->label[i];

		assert_string_equal(text(read, l->key), expected[i].key);
		assert_string_equal(text(read, l->str), expected[i].str);
		assert_int_equal(l->num, expected[i].num);
	}
	done(read);
	profile_release(&p);
}

/* An empty label would read as the number 0, and with others' texts make the key both. */
static void test_empty_label_is_none(void **state)
{
	Pprof__Profile *read;
	struct profile p;

	test_profile(&p);
	test_stack(&p, test_series(&p, "", 12, 13), 1, NULL);
	read = encode_and_read(&p, NULL);
	assert_int_equal(read->sample[0]->n_location_id, 0);
	assert_int_equal(read->sample[0]->n_label, 3);
	assert_string_equal(text(read, read->sample[0]->label[0]->key), "pid");
	done(read);
	profile_release(&p);
}

static void test_main_mapping(void **state)
{
	static const struct {
		const char *a, *b; /* 3 samples, 2 samples */
		const char *first;
	} cases[] = {
		{ "main@/bin/a", "main@/bin/b", "/bin/a" },
		{ "f@/usr/lib/libc.so.6", "main@/bin/b", "/bin/b" },
		{ "f@[vdso]", "main@/bin/b", "/bin/b" },
		{ "f@[kernel.kallsyms]", "f@/lib/libc.so", "/lib/libc.so" },
		{ "f@/opt/x.so_1", "f@/opt/my.sort", "/opt/my.sort" },
		{ "f@/usr/lib/liba.so.1", "f@/usr/lib/libb.so.1", "/usr/lib/liba.so.1" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		Pprof__Profile *read;
		struct profile p;
		uint32_t s;

		test_profile(&p);
		s = test_series(&p, "a", 1, 1);
		/* Below, and so counted too, but once a sample. */
		test_stack(&p, s, 2, cases[i].b, cases[i].b, "g@[kernel.kallsyms]", NULL);
		test_stack(&p, s, 3, cases[i].a, "g@[kernel.kallsyms]", NULL);
		read = encode_and_read(&p, NULL);
		check_references(read);
		assert_string_equal(text(read, read->mapping[0]->filename), cases[i].first);
		done(read);
		profile_release(&p);
	}
}

static void test_mapping_flags(void **state)
{
	struct profile_function f = { 0 };
	struct profile_line lines[2];
	Pprof__Profile *read;
	struct profile p;

	test_profile(&p);
	lines[0] = test_line(&p, "a", 7);
	f.name = test_string(&p, "b");
	f.file = test_string(&p, "b.c");
	f.start_line = 40;
	lines[1] = (struct profile_line){ test_id(profile_function(&p, &f)), 42 };
	test_id(profile_location(&p, test_mapping(&p, "/bin/inlines"), 0x2000, true, lines, 2));
	test_id(profile_location(&p, test_mapping(&p, "/bin/lines"), 0x2000, true, lines, 1));
	test_location(&p, "f@/bin/names");
	/* Outside of what the mapping says it is. */
	test_id(profile_location(&p, test_mapping(&p, "/bin/names"), 0x10, true, lines, 1));
	test_id(profile_location(&p, test_mapping(&p, "/bin/names"), UINT64_MAX - 1, true, lines,
				 1));
	read = encode_and_read(&p, NULL);
	check_references(read);
	assert_int_equal(read->n_mapping, 3);
	for (size_t i = 0; i < 3; i++) {
		const Pprof__Mapping *m = read->mapping[i];
		bool inlines = !strcmp(text(read, m->filename), "/bin/inlines");

		assert_int_equal(m->has_inline_frames, inlines);
		assert_int_equal(m->has_filenames, inlines);
		assert_int_equal(m->has_line_numbers, 1);
		assert_string_equal(text(read, m->build_id), "0123456789abcdef");
	}
	assert_int_equal(read->location[0]->n_line, 2);
	assert_int_equal(read->location[0]->line[1]->line, 42);
	assert_int_equal(function(read, read->location[0]->line[1]->function_id)->start_line, 40);
	done(read);
	profile_release(&p);
}

static void test_lost(void **state)
{
	Pprof__Profile *read;
	int64_t count, value;
	struct profile p;

	test_profile(&p);
	test_stack(&p, test_series(&p, "a", 1, 1), 5, "main@/bin/a", NULL);
	p.counters.value[COUNTER_SAMPLES_LOST_RING] = 2;
	p.counters.value[COUNTER_SAMPLES_DROPPED_MEMORY] = 1;
	read = encode_and_read(&p, "comm,pid");
	check_references(read);
	sums(read, &count, &value);
	assert_int_equal(count, 8);
	assert_int_equal(value, 8 * TEST_PERIOD_NS);
	assert_int_equal(read->n_sample, 2);
	assert_int_equal(read->sample[1]->n_location_id, 1);
	assert_string_equal(frame(read, read->sample[1], 0), "[lost samples]");
	assert_true(has_comment(read, "lost: 3 samples, here as [lost samples]"));
	done(read);
	profile_release(&p);
}

static void test_root_frames(void **state)
{
	Pprof__Profile *read;
	struct profile p;

	test_profile(&p);
	test_stack(&p, test_series(&p, "a", 1, 1), 1, "main@/bin/a", NULL);
	test_stack(&p, test_series(&p, "a", 2, 2), 1, "main@/bin/a", NULL);
	read = encode_and_read(&p, "comm,pid");
	check_references(read);
	assert_int_equal(read->sample[0]->n_location_id, 3);
	assert_string_equal(frame(read, read->sample[0], 0), "main");
	assert_string_equal(frame(read, read->sample[0], 1), "pid: 1");
	assert_string_equal(frame(read, read->sample[0], 2), "comm: a");
	assert_string_equal(frame(read, read->sample[1], 1), "pid: 2");
	assert_true(read->sample[0]->location_id[2] == read->sample[1]->location_id[2]);
	done(read);
	profile_release(&p);
}

static void test_hostile_names(void **state)
{
	Pprof__Profile *read;
	struct profile p;
	char name[10001];
	uint32_t s;

	test_profile(&p);
	memset(name, '\xff', sizeof(name));
	name[10000] = '\0';
	s = test_series(&p, "a\nb", 1, 1);
	test_stack(&p, s, 1, "a\nb;c@/bin/\033[2J", "\xc3@x", name, NULL);
	read = encode_and_read(&p, "comm");
	check_references(read);
	assert_string_equal(frame(read, read->sample[0], 1), "\\xc3");
	assert_string_equal(frame(read, read->sample[0], 2), "a\\nb;c");
	assert_string_equal(frame(read, read->sample[0], 3), "comm: a\\nb");
	assert_int_equal(strlen(frame(read, read->sample[0], 0)), 40000);
	done(read);
	profile_release(&p);
}

static void test_random_sums(void **state)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		Pprof__Profile *read;
		int64_t count, value;
		struct profile p;

		test_random_profile(&p, seed, 300);
		p.counters.value[COUNTER_SAMPLES_LOST_RING] = seed;
		read = encode_and_read(&p, seed % 2 ? "comm,tid" : NULL);
		check_references(read);
		sums(read, &count, &value);
		assert_int_equal(count, profile_total_count(&p) + seed);
		assert_int_equal(value, profile_total_value(&p) + seed * TEST_PERIOD_NS);
		done(read);
		profile_release(&p);
	}
}

static void test_same_bytes(void **state)
{
	struct buffer a = BUFFER_INIT(1 << 20), b = BUFFER_INIT(1 << 20);
	struct profile p;

	test_random_profile(&p, 1, 100);
	buffer_text(&a, "before");
	assert_int_equal(pprof_encode(&p, NULL, &a), 0);
	assert_int_equal(pprof_encode(&p, NULL, &b), 0);
	assert_int_equal(a.len, b.len + strlen("before"));
	assert_memory_equal(a.data + strlen("before"), b.data, b.len);
	buffer_release(&a);
	buffer_release(&b);
	profile_release(&p);
}

static void test_limit(void **state)
{
	struct buffer out = BUFFER_INIT(100);
	struct profile p;

	test_random_profile(&p, 1, 100);
	assert_int_equal(pprof_encode(&p, NULL, &out), -E2BIG);
	assert_int_equal(out.len, 0);
	buffer_release(&out);
	profile_release(&p);
}

static int encode(void *ctx)
{
	static size_t whole;
	struct buffer out = BUFFER_INIT(1 << 20);
	struct root_keys keys;
	int r = root_keys_parse(&keys, "comm,tid", NULL);

	if (r == 0)
		r = pprof_encode(ctx, &keys, &out);
	if (r == 0)
		test_whole(&whole, &out);
	buffer_release(&out);
	return r;
}

static void test_torture(void **state)
{
	struct profile p;

	test_random_profile(&p, 3, 50);
	p.counters.value[COUNTER_SAMPLES_LOST_RING] = 7;
	test_stack(&p, 0, 1, "bad\xff", NULL);
	assert_int_equal(encode(&p), 0);
	assert_true(torture(encode, &p) > 15);
	profile_release(&p);
}

/* ---- go tool pprof --------------------------------------------------------------------------- */

static bool system_has_no_go(void)
{
	return access("/usr/bin/go", X_OK) < 0;
}

/* What `go tool pprof ARGS... FILE` prints; NULL-terminated arguments. */
static void run_pprof(const char *file, const char *const *args, struct buffer *ret_out)
{
	const char *argv[12] = { "go", "tool", "pprof" };
	_cleanup_(fd_close) int from = -1;
	int pipe_fds[2], status;
	size_t n = 3;
	pid_t child;

	for (; *args; args++)
		argv[n++] = *args;
	argv[n] = file;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	from = pipe_fds[0];
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		dup2(pipe_fds[1], STDOUT_FILENO);
		dup2(pipe_fds[1], STDERR_FILENO);
		execv("/usr/bin/go", (char *const *)argv);
		_exit(127);
	}
	close(pipe_fds[1]);
	assert_int_equal(buffer_read_fd(ret_out, from), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("go tool pprof failed: %s", buffer_cstr(ret_out));
}

static void write_file(const struct profile *p, const char *root, char *path)
{
	struct buffer out = BUFFER_INIT(1 << 20);
	struct root_keys keys;
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	if (root)
		assert_int_equal(root_keys_parse(&keys, root, NULL), 0);
	assert_int_equal(pprof_encode(p, root ? &keys : NULL, &out), 0);
	assert_int_equal(fd_write_all(fd, out.data, out.len), 0);
	close(fd);
	buffer_release(&out);
}

static void expect_words(const struct profile *p, const char *root, const char *const *args,
			 const char *const *words)
{
	char path[] = "/tmp/slowburn-test-XXXXXX";
	struct buffer out = BUFFER_INIT(1 << 20);

	write_file(p, root, path);
	run_pprof(path, args, &out);
	unlink(path);
	for (; *words; words++)
		if (!strstr(buffer_cstr(&out), *words))
			fail_msg("pprof %s doesn't say \"%s\":\n%s", args[0], *words, out.data);
	buffer_release(&out);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_go_tool_pprof(void **state)
{
	struct profile p;

	if (system_has_no_go())
		skip();
	test_profile(&p);
	test_stack(&p, test_series(&p, "openssl", 101, 101), 30, "main@/usr/bin/openssl",
		   "aes@/usr/lib/libcrypto.so.3", NULL);
	test_stack(&p, test_series(&p, "bash", 102, 102), 60, "main@/usr/bin/bash",
		   "sys_read@[kernel.kallsyms]", NULL);
	p.counters.value[COUNTER_SAMPLES_LOST_RING] = 10;
	expect_words(&p, NULL, WORDS("-top"),
		     WORDS("File: bash\n", "Type: cpu\n",
			   "Duration: 10s, Total samples = 1010.10ms (10.10%)",
			   "lost: 10 samples, here as [lost samples]", "606.06ms 60.00%",
			   "  main\n", "  sys_read\n", "[lost samples]"));
	expect_words(&p, NULL, WORDS("-top", "-tagroot=comm,pid"),
		     WORDS("  openssl\n", "  bash\n", "  101\n"));
	expect_words(&p, NULL, WORDS("-top", "-tagfocus=pid=101"),
		     WORDS("303.03ms 30.00%", "  aes\n"));
	expect_words(&p, NULL, WORDS("-traces"), WORDS("comm:  bash", "pid:  102", "sys_read\n"));
	expect_words(&p, NULL, WORDS("-raw"),
		     WORDS("samples/count cpu/nanoseconds[dflt]", "PeriodType: cpu nanoseconds",
			   "Period: 10101010", "/usr/bin/bash 0123456789abcdef [FN]"));
	expect_words(&p, "comm", WORDS("-peek=comm: bash"), WORDS("comm: bash", "main"));
	profile_release(&p);
}

static void test_go_tool_pprof_of_nothing(void **state)
{
	struct profile p;

	if (system_has_no_go())
		skip();
	test_profile(&p);
	expect_words(&p, NULL, WORDS("-top"), WORDS("Type: cpu", "Total samples = 0"));
	profile_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_empty_label_is_none),
		cmocka_unit_test(test_main_mapping),
		cmocka_unit_test(test_mapping_flags),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_root_frames),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_random_sums),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_torture),
		cmocka_unit_test(test_go_tool_pprof),
		cmocka_unit_test(test_go_tool_pprof_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
