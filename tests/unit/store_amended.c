// SPDX-License-Identifier: Apache-2.0
/*
 * Locations that become known better from window to window: whoever reads a file sees all of its
 * windows with what was known last.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/model/merge.h"
#include "profiler/store/layout.h"
#include "profiler/store/reader.h"
#include "tests/unit/model_lines.h"
#include "tests/unit/store_directory.h"

#define HOUR (3600 * NS_PER_S)
#define ALL UINT64_MAX

/*
 * A writer, and beside it a profile of what its file holds: all windows, with what was known last.
 */
struct fixture {
	struct test_store store;
	struct store_writer *writer;
	struct profile p, all;
	struct profile_merge *merge;
	uint64_t seed, now_ns;
};

static void begin(struct fixture *f)
{
	test_store_new(&f->store);
	f->writer = test_writer(&f->store, NULL);
	test_profile(&f->p);
	test_profile(&f->all);
	assert_int_equal(profile_merge_new(&f->merge, &f->all, &f->p), 0);
	f->seed = 5;
	f->now_ns = TEST_EPOCH_NS;
}

static void end(struct fixture *f)
{
	profile_merge_free(f->merge);
	profile_release(&f->p);
	profile_release(&f->all);
	store_writer_free(f->writer);
	test_store_release(&f->store);
}

static void amend_some(struct fixture *f, uint32_t n)
{
	for (uint32_t i = 0; i < n && f->p.locations.count; i++) {
		uint32_t location = (uint32_t)(test_random(&f->seed) % f->p.locations.count);
		struct profile_line lines[2] = {
			test_line(&f->p, "inlined", test_random(&f->seed) % 100),
			test_line(&f->p, "outer", test_random(&f->seed) % 100),
		};

		assert_int_equal(profile_location_amend(&f->p, location, true, lines, 2), 0);
	}
}

static void window(struct fixture *f)
{
	const struct store_window x = test_window_at(f->now_ns);
	struct err err = { "" };

	test_window(&f->p, &f->seed, 20, f->now_ns);
	for (uint32_t i = 0; i < f->p.samples.count; i++) {
		const struct profile_sample *s = &f->p.samples.items[i];

		assert_true(profile_merge_sample(f->merge, s->series, s->node, s->count,
						 s->value) >= 0);
	}
	if (test_append(f->writer, &f->p, &x, &err) < 0)
		fail_msg("%s", err.text);
	f->now_ns += TEST_WINDOW_NS;
}

static void expect_all(const struct fixture *f, uint32_t windows)
{
	struct profile is;
	struct store_result result = test_read(&f->store, 0, ALL, ALL, &is);
	char *a = profile_lines(&is), *b = profile_lines(&f->all);

	assert_int_equal(result.windows, windows);
	assert_int_equal(result.bad, 0);
	assert_string_equal(a, b);
	free(a);
	free(b);
	profile_release(&is);
}

/* While the file is written, and in one that was rolled up. */
static void every_window_shows_what_was_known_last(void **state)
{
	struct fixture f;
	struct err err = { "" };

	begin(&f);
	for (uint32_t i = 0; i < 20; i++) {
		window(&f);
		expect_all(&f, i + 1);
		amend_some(&f, 10);
	}
	window(&f);
	expect_all(&f, 21);
	f.now_ns = TEST_EPOCH_NS + HOUR;
	store_writer_end(f.writer);
	while (store_writer_tidy(f.writer, f.now_ns, &err) == 1)
		;
	assert_int_equal(store_writer_stats(f.writer)->rolled_up, 1);
	expect_all(&f, 1);
	end(&f);
}

/* What was amended behind a range is in it: windows of the same file. */
static void a_range_shows_what_came_behind_it(void **state)
{
	struct fixture f;
	struct profile is;
	char *text;

	begin(&f);
	test_stack(&f.p, test_series(&f.p, "a", 1, 1), 1, "main@a", "hot@a", NULL);
	window(&f);
	window(&f);
	for (uint32_t i = 0; i < f.p.locations.count; i++) {
		struct profile_line line = test_line(&f.p, "known", 4711);

		assert_int_equal(profile_location_amend(&f.p, i, true, &line, 1), 0);
	}
	window(&f);
	assert_int_equal(test_read(&f.store, 0, TEST_EPOCH_NS + TEST_WINDOW_NS, ALL, &is).windows,
			 1);
	text = profile_lines(&is);
	assert_true(is.locations.count > 2);
	assert_non_null(strstr(text, " known:4711"));
	for (const char *at = text; (at = strstr(at, "; ")); at++)
		assert_memory_equal(strstr(at, " known:4711") ? "known" : at, "known", 5);
	free(text);
	profile_release(&is);
	end(&f);
}

static uint64_t damage_last(int fd, const char *name)
{
	char byte;
	struct stat st;
	int file = openat(fd, name, O_RDWR | O_CLOEXEC);

	if (strncmp(name, "10s-", 4) != 0) {
		close(file);
		return 0;
	}
	assert_true(file >= 0);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(pread(file, &byte, 1, st.st_size - 1), 1);
	byte = (char)(byte ^ 4);
	assert_int_equal(pwrite(file, &byte, 1, st.st_size - 1), 1);
	close(file);
	return 1;
}

/*
 * A bit turned in the last window costs that one: those before it are read, with what was known by
 * then.
 */
static void what_is_before_the_damage_is_read(void **state)
{
	struct store_result result;
	struct fixture f;
	struct profile is;
	char *want;

	begin(&f);
	for (uint32_t i = 0; i < 5; i++) {
		window(&f);
		amend_some(&f, 10);
	}
	window(&f);
	want = profile_lines(&f.all);
	amend_some(&f, 10);
	window(&f);
	assert_int_equal(test_store_each(&f.store, damage_last), 1);
	result = test_read(&f.store, 0, ALL, ALL, &is);
	assert_int_equal(result.windows, 6);
	assert_int_equal(result.bad, 1);
	assert_non_null(strstr(result.damage.text, "is damaged in window 7"));
	{
		char *text = profile_lines(&is);

		assert_string_equal(text, want);
		free(text);
	}
	free(want);
	profile_release(&is);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_window_shows_what_was_known_last),
		cmocka_unit_test(a_range_shows_what_came_behind_it),
		cmocka_unit_test(what_is_before_the_damage_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
