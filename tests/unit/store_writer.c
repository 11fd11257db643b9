// SPDX-License-Identifier: Apache-2.0
#include "profiler/store/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/model/merge.h"
#include "profiler/store/reader.h"
#include "tests/unit/model_lines.h"
#include "tests/unit/store_directory.h"

#define HOUR (3600 * NS_PER_S)
#define DAY (24 * HOUR)
#define ALL UINT64_MAX

static void append(struct store_writer *w, struct profile *p, uint64_t start_ns)
{
	const struct store_window x = test_window_at(start_ns);
	struct err err = { "" };

	if (test_append(w, p, &x, &err) < 0)
		fail_msg("%s", err.text);
}

static void tidy(struct store_writer *w, uint64_t now_ns)
{
	struct err err = { "" };
	int r;

	do
		r = store_writer_tidy(w, now_ns, &err);
	while (r == 1);
	if (r < 0)
		fail_msg("%s", err.text);
}

static void assert_same(const struct profile *is, const struct profile *was)
{
	char *a = profile_lines(is), *b = profile_lines(was);

	assert_string_equal(a, b);
	free(a);
	free(b);
}

/* What was written is read, by another, while the file is being written and after. */
static void test_same(void **state)
{
	struct test_store t;
	struct store_writer *w;
	struct profile p, all, is;
	struct store_result result;
	uint64_t seed = 7;

	test_store_new(&t);
	w = test_writer(&t, NULL);
	test_profile(&p);
	test_profile(&all);
	all.facts.duration_ns = 0;
	for (uint32_t i = 0; i < 30; i++) {
		test_window(&p, &seed, i * 5 % 40, TEST_EPOCH_NS + i * TEST_WINDOW_NS);
		assert_int_equal(profile_merge(&all, &p), 0);
		append(w, &p, TEST_EPOCH_NS + i * TEST_WINDOW_NS);
		result = test_read(&t, 0, ALL, ALL, &is);
		assert_int_equal(result.windows, i + 1);
		assert_int_equal(result.bad, 0);
		assert_same(&is, &all);
		assert_int_equal(is.facts.duration_ns, (i + 1) * TEST_WINDOW_NS);
		assert_memory_equal(&is.counters, &all.counters, sizeof(all.counters));
		profile_release(&is);
	}
	store_writer_free(w);
	result = test_read(&t, TEST_EPOCH_NS + TEST_WINDOW_NS, TEST_EPOCH_NS + 3 * TEST_WINDOW_NS,
			   ALL, &is);
	assert_int_equal(result.windows, 2);
	assert_int_equal(profile_total_count(&is) > 0, 1);
	profile_release(&is);
	profile_release(&p);
	profile_release(&all);
	test_store_release(&t);
}

static void test_second_writer(void **state)
{
	const struct store_options o = store_options_default();
	struct store_options small = o;
	struct store_writer *w, *other = NULL;
	struct test_store t;
	struct err err;

	test_store_new(&t);
	w = test_writer(&t, NULL);
	assert_int_equal(store_writer_open(&other, t.fd, &o, &err), -EBUSY);
	assert_non_null(strstr(err.text, "another slowburn"));
	store_writer_free(w);
	w = test_writer(&t, NULL);
	store_writer_free(w);
	small.max_bytes = STORE_MIN_BYTES - 1;
	assert_int_equal(store_writer_open(&other, t.fd, &small, &err), -EINVAL);
	assert_null(other);
	test_store_release(&t);
}

/* An hour that was begun five times is five files, rolled up as one. */
static void test_restarts(void **state)
{
	struct test_store t;
	struct profile p, is;
	struct store_writer *w;
	struct catalog c = { 0 };
	uint64_t seed = 3, count = 0;
	struct err err;

	test_store_new(&t);
	for (uint32_t i = 0; i < 5; i++) {
		w = test_writer(&t, NULL);
		test_profile(&p);
		for (uint32_t j = 0; j < 4; j++) {
			uint64_t at = TEST_EPOCH_NS + (i * 4 + j) * TEST_WINDOW_NS;

			test_window(&p, &seed, 20, at);
			count += profile_total_count(&p);
			append(w, &p, at);
		}
		profile_release(&p);
		store_writer_free(w);
	}
	assert_int_equal(catalog_read(&c, t.fd, &err), 0);
	assert_int_equal(c.files.count, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(c.files.items[i].first, 1 + 4 * i);
	w = test_writer(&t, NULL);
	tidy(w, TEST_EPOCH_NS + HOUR - 1);
	assert_int_equal(store_writer_stats(w)->rolled_up, 0);
	tidy(w, TEST_EPOCH_NS + HOUR);
	assert_int_equal(store_writer_stats(w)->rolled_up, 1);
	store_writer_free(w);
	assert_int_equal(catalog_read(&c, t.fd, &err), 0);
	assert_int_equal(c.files.count, 6);
	assert_int_equal(c.files.items[5].level, 1);
	assert_int_equal(c.files.items[5].first, 1);
	assert_int_equal(c.files.items[5].last, 20);
	assert_int_equal(test_read(&t, 0, ALL, ALL, &is).windows, 1);
	assert_int_equal(profile_total_count(&is), count);
	profile_release(&is);
	assert_int_equal(test_read(&t, 0, ALL, TEST_WINDOW_NS, &is).windows, 20);
	assert_int_equal(profile_total_count(&is), count);
	profile_release(&is);
	catalog_release(&c);
	test_store_release(&t);
}

/* Windows of 2 min for some days, rolled up on the way; what each of them has. */
#define STEP_NS (120 * NS_PER_S)
#define STEPS (3 * 720)

static uint64_t write_days(struct store_writer *w, uint32_t steps, uint64_t *counts)
{
	struct profile p;
	uint64_t seed = 11, sum = 0;

	test_profile(&p);
	for (uint32_t i = 0; i < steps; i++) {
		uint64_t at = TEST_EPOCH_NS + i * STEP_NS;

		if (test_turns(w, at)) {
			profile_release(&p);
			test_profile(&p);
		}
		test_window(&p, &seed, 1 + i % 3, at);
		counts[i] = profile_total_count(&p);
		sum += counts[i];
		append(w, &p, at);
		tidy(w, at + STEP_NS);
	}
	profile_release(&p);
	return sum;
}

/* Any range has exactly its windows, from whatever levels they come. */
/* As a kill between the two steps of giving it up leaves it, at each level. */
static void test_emptied(void **state)
{
	static const char *const names[] = { "10s-20251123T03-900-900.slowburn",
					     "5min-20251123T03-900-950.slowburn",
					     "1h-20251123T00-900-950.slowburn" };
	struct test_store t;

	(void)state;
	test_store_new(&t);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = openat(t.fd, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		struct store_result result;
		struct profile is;

		assert_true(fd >= 0);
		result = test_read(&t, 0, UINT64_MAX, UINT64_MAX, &is);
		profile_release(&is);
		if (result.bad)
			fail_msg("empty: %s", result.damage.text);
		assert_int_equal(result.gone, 1);
		/* Part of a header is no step of ours. */
		assert_int_equal(write(fd, "slowburn", 8), 8);
		result = test_read(&t, 0, UINT64_MAX, UINT64_MAX, &is);
		profile_release(&is);
		assert_int_equal(result.bad, 1);
		close(fd);
		assert_int_equal(unlinkat(t.fd, names[i], 0), 0);
	}
	test_store_release(&t);
}

/* Windows of one 5 min that count different things are rolled up into two, and are not one profile. */
static void test_kinds(void **state)
{
	static const struct {
		const char *type, *unit;
	} kinds[] = { { "cpu", "nanoseconds" }, { "cycles", "count" }, { "cycles", "count" } };
	const struct store_range all = { 0, UINT64_MAX, UINT64_MAX };
	struct catalog c = { 0 };
	struct store_writer *w;
	struct store_result result;
	struct test_store t;
	struct profile p, is;
	uint64_t seed = 3, at = TEST_EPOCH_NS;
	struct store_source source = { &c, store_source_open, &t.fd, STORE_LIMITS_DEFAULT };
	struct err err = { "" };

	(void)state;
	test_store_new(&t);
	w = test_writer(&t, NULL);
	test_profile(&p);
	for (size_t i = 0; i < 3; i++, at += TEST_WINDOW_NS) {
		const struct store_window x = test_window_at(at);

		test_window(&p, &seed, 40, at);
		p.facts.value_type = kinds[i].type;
		p.facts.value_unit = kinds[i].unit;
		assert_int_equal(test_append(w, &p, &x, &err), 0);
	}
	/* The hour is over: its file ends, and becomes windows of 5 min. */
	store_writer_free(w);
	w = test_writer(&t, NULL);
	tidy(w, TEST_EPOCH_NS + 3600 * NS_PER_S);
	assert_int_equal(store_writer_stats(w)->rolled_up, 1);
	store_writer_free(w);
	assert_int_equal(catalog_read(&c, t.fd, &err), 0);
	assert_int_equal(profile_init(&is, 64 << 20, 1 << 22), 0);
	assert_int_equal(store_read(&source, &all, NULL, NULL, &is, &result, &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"cpu\" and \"cycles\""));
	/* The first window of 5 min was read, and the second refused. */
	assert_int_equal(result.windows, 2);
	profile_release(&is);
	profile_release(&p);
	catalog_release(&c);
	test_store_release(&t);
}

static void test_ranges(void **state)
{
	static uint64_t counts[STEPS];
	static const uint64_t resolutions[] = { ALL, HOUR, 300 * NS_PER_S, TEST_WINDOW_NS };
	struct store_options o = store_options_default();
	struct store_writer *w;
	struct test_store t;
	uint64_t seed = 5;

	test_store_new(&t);
	o.age_ns[0] = 0;
	w = test_writer(&t, &o);
	write_days(w, STEPS, counts);
	/* The last hour is written still, the last day not rolled up into days. */
	assert_int_equal(store_writer_stats(w)->rolled_up, 71 + 2);
	for (uint32_t i = 0; i < 60; i++) {
		uint32_t a = (uint32_t)(test_random(&seed) % (STEPS + 1));
		uint32_t b = a + (uint32_t)(test_random(&seed) % (STEPS + 1 - a));
		uint64_t want = 0;
		struct store_result result;
		struct profile is;

		if (i % 3 == 0) {
			a -= a % 30;
			b -= b % 30;
		}
		for (uint32_t j = a; j < b; j++)
			want += counts[j];
		result = test_read(&t, TEST_EPOCH_NS + a * STEP_NS, TEST_EPOCH_NS + b * STEP_NS,
				   resolutions[i % 4], &is);
		assert_int_equal(result.bad, 0);
		if (profile_total_count(&is) != want)
			fail_msg("steps %u to %u: %llu samples, want %llu", a, b,
				 (unsigned long long)profile_total_count(&is),
				 (unsigned long long)want);
		profile_release(&is);
	}
	store_writer_free(w);
	test_store_release(&t);
}

/* A month of windows, one in three hours: at no moment more bytes, or older files, than allowed. */
static void test_month(void **state)
{
	const uint64_t step_ns = 3 * HOUR;
	struct store_options o = store_options_default();
	struct store_writer *w;
	struct test_store t;
	struct profile p, is;
	uint64_t seed = 9;
	const struct store_writer_stats *stats;

	test_store_new(&t);
	o.max_bytes = STORE_MIN_BYTES;
	o.sync_ns = HOUR * 1000;
	w = test_writer(&t, &o);
	stats = store_writer_stats(w);
	test_profile(&p);
	for (uint32_t i = 0; i < 31 * 8; i++) {
		uint64_t at = TEST_EPOCH_NS + i * step_ns;
		struct catalog c = { 0 };
		struct err err;

		if (test_turns(w, at)) {
			profile_release(&p);
			test_profile(&p);
		}
		test_window(&p, &seed, 200, at);
		append(w, &p, at);
		assert_in_range(test_store_bytes(&t), 0, o.max_bytes);
		for (int r = 1; r == 1;) {
			r = store_writer_tidy(w, at + step_ns, &err);
			assert_in_range(test_store_bytes(&t), 0, o.max_bytes);
		}
		assert_int_equal(catalog_read(&c, t.fd, &err), 0);
		for (uint32_t j = 0; j < c.files.count; j++) {
			const struct catalog_file *f = &c.files.items[j];
			uint64_t end_ns = f->slot_ns + store_levels[f->level].span_ns;

			assert_true(!o.age_ns[f->level] ||
				    at + step_ns < end_ns + o.age_ns[f->level]);
		}
		catalog_release(&c);
	}
	assert_int_equal(stats->windows, 31 * 8);
	assert_int_equal(stats->windows_dropped, 0);
	assert_true(stats->expired_by_bytes > 0);
	assert_true(stats->expired_by_age > 0);
	assert_int_equal(stats->sources_bad, 0);
	assert_int_equal(test_read(&t, 0, ALL, ALL, &is).bad, 0);
	assert_true(profile_total_count(&is) > 0);
	profile_release(&is);
	profile_release(&p);
	store_writer_free(w);
	test_store_release(&t);
}

/* Back by ten minutes, on by two days and back again: each window is there once. */
static void test_clock(void **state)
{
	static const int64_t steps_s[] = { 0,      10,     20, -600, -590, 30,
					   172800, 172810, 40, 50,   7200, 60 };
	enum { N = sizeof(steps_s) / sizeof(steps_s[0]) };
	struct store_writer *w;
	struct test_store t;
	struct profile p, is;
	uint64_t seed = 2, count = 0, base = TEST_EPOCH_NS + 5 * HOUR + 60 * NS_PER_S;
	struct err err;

	test_store_new(&t);
	w = test_writer(&t, NULL);
	test_profile(&p);
	for (uint32_t i = 0; i < N; i++) {
		uint64_t at = base + (uint64_t)(steps_s[i] * (int64_t)NS_PER_S);
		struct store_window x = test_window_at(at);

		x.monotonic_ns = (i + 1) * TEST_WINDOW_NS;
		test_window(&p, &seed, 10, at);
		count += profile_total_count(&p);
		assert_int_equal(test_append(w, &p, &x, &err), 0);
		tidy(w, at + TEST_WINDOW_NS);
	}
	/* Though the clock was two days ahead. */
	assert_int_equal(store_writer_stats(w)->expired_by_age, 0);
	assert_int_equal(test_read(&t, 0, ALL, TEST_WINDOW_NS, &is).windows, N);
	assert_int_equal(profile_total_count(&is), count);
	profile_release(&is);
	tidy(w, base + 3 * DAY);
	test_read(&t, 0, ALL, ALL, &is);
	assert_int_equal(profile_total_count(&is), count);
	profile_release(&is);
	profile_release(&p);
	store_writer_free(w);
	test_store_release(&t);
}

/* A reader that holds a file for ever holds no bytes of it. */
static void test_endless_reader(void **state)
{
	struct store_options o = store_options_default();
	struct store_writer *w;
	struct catalog c = { 0 };
	struct test_store t;
	struct profile p;
	struct segment *s;
	struct layout_frame f;
	const struct store_limits limits = STORE_LIMITS_DEFAULT;
	char name[CATALOG_NAME_BYTES];
	uint64_t seed = 2;
	struct stat st;
	struct err err;
	int fd, held;

	test_store_new(&t);
	w = test_writer(&t, &o);
	test_profile(&p);
	for (uint32_t i = 0; i < 3; i++) {
		test_window(&p, &seed, 100, TEST_EPOCH_NS + i * TEST_WINDOW_NS);
		append(w, &p, TEST_EPOCH_NS + i * TEST_WINDOW_NS);
	}
	store_writer_end(w);
	assert_int_equal(catalog_read(&c, t.fd, &err), 0);
	catalog_name(&c.files.items[0], name);
	fd = catalog_open(t.fd, name, &err);
	held = dup(fd);
	assert_int_equal(segment_open(&s, fd, name, &limits, &err), 0);
	assert_int_equal(segment_next(s, &f, &err), 1);
	tidy(w, TEST_EPOCH_NS + 26 * HOUR);
	assert_int_equal(store_writer_stats(w)->expired_by_age, 1);
	assert_int_equal(fstat(held, &st), 0);
	assert_int_equal(st.st_blocks, 0);
	assert_int_equal(segment_load(s, LAYOUT_SAMPLES, &err), -ESTALE);
	assert_int_equal(segment_next(s, &f, &err), -ESTALE);
	segment_free(s);
	close(held);
	catalog_release(&c);
	profile_release(&p);
	store_writer_free(w);
	test_store_release(&t);
}

/* A disk that others fill: the oldest gives way, then windows do, which is said, and then all goes on. */
static void test_full_disk(void **state)
{
	char mount_point[] = "/tmp/store-disk-XXXXXX";
	struct store_writer *w;
	struct test_store t;
	struct profile p, is;
	uint64_t seed = 4, at = TEST_EPOCH_NS, dropped = 0;
	char block[4096] = { 1 };
	struct err err;
	int fd;

	assert_non_null(mkdtemp(mount_point));
	if (mount("tmpfs", mount_point, "tmpfs", 0, "size=512k") < 0) {
		rmdir(mount_point);
		skip();
	}
	test_store_at(&t, mount_point);
	w = test_writer(&t, NULL);
	test_profile(&p);
	for (uint32_t i = 0; i < 200; i++, at += 600 * NS_PER_S) {
		const struct store_window x = test_window_at(at);

		if (test_turns(w, at)) {
			profile_release(&p);
			test_profile(&p);
		}
		test_window(&p, &seed, 100, at);
		assert_int_equal(test_append(w, &p, &x, &err), 0);
		(void)store_writer_tidy(w, at, &err);
	}
	assert_true(store_writer_stats(w)->expired_by_bytes > 0);
	fd = openat(t.fd, "others", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (uint32_t i = 0; i < 40; i++, at += 600 * NS_PER_S) {
		const struct store_window x = test_window_at(at);

		while (write(fd, block, sizeof(block)) > 0)
			;
		test_window(&p, &seed, 100, at);
		if (test_append(w, &p, &x, &err) < 0)
			dropped++;
	}
	assert_true(dropped > 0);
	assert_int_equal(store_writer_stats(w)->windows_dropped, dropped);
	close(fd);
	unlinkat(t.fd, "others", 0);
	test_window(&p, &seed, 10, at);
	append(w, &p, at);
	assert_int_equal(test_read(&t, at, ALL, ALL, &is).bad, 0);
	assert_int_equal(profile_total_count(&is), profile_total_count(&p));
	profile_release(&is);
	store_writer_free(w);
	profile_release(&p);
	test_store_release(&t);
	assert_int_equal(umount(mount_point), 0);
	rmdir(mount_point);
}

/* Moments come back as they were given, in the order of the samples. */
static int take_moments(void *ctx, const struct segment *s, const struct layout_frame *f,
			struct err *err)
{
	uint64_t *histogram = ctx;
	const struct columns_slots *slots = segment_slots(s);

	for (uint32_t i = 0; i < slots->slots.count; i++)
		histogram[slots->slots.items[i]]++;
	return 0;
}

static void test_moments(void **state)
{
	struct columns_moment moments[30];
	struct store_window x = test_window_at(TEST_EPOCH_NS);
	uint64_t want[1000] = { 0 }, is[1000] = { 0 };
	const struct store_range range = { 0, ALL, TEST_WINDOW_NS };
	const struct store_visitor visitor = { is, LAYOUT_MOMENTS, NULL, take_moments };
	struct catalog c = { 0 };
	struct store_result result;
	struct store_writer *w;
	struct test_store t;
	struct profile p;
	struct err err;

	test_store_new(&t);
	w = test_writer(&t, NULL);
	test_profile(&p);
	test_stack(&p, test_series(&p, "a", 1, 1), 20, "main@a", NULL);
	test_stack(&p, test_series(&p, "b", 2, 2), 10, "main@b", NULL);
	for (uint32_t i = 0; i < 30; i++) {
		moments[i] = (struct columns_moment){ i < 20 ? 0 : 1, 999 - i * 33 };
		want[999 - i * 33]++;
	}
	x.moments = moments;
	x.moment_count = 30;
	assert_int_equal(test_append(w, &p, &x, &err), 0);
	store_writer_free(w);
	assert_int_equal(catalog_read(&c, t.fd, &err), 0);
	assert_int_equal(store_visit(&(struct store_source){ &c, store_source_open, &t.fd,
							     STORE_LIMITS_DEFAULT },
				     &range, &visitor, &result, &err),
			 0);
	assert_memory_equal(is, want, sizeof(want));
	catalog_release(&c);
	profile_release(&p);
	test_store_release(&t);
}

/* What comes from another process is a window or isn't, and goes on with the file that is being written or doesn't. */
static void test_frames(void **state)
{
	const struct store_window x = test_window_at(TEST_EPOCH_NS);
	struct packer *k = NULL;
	unsigned char *frame, *broken;
	struct store_writer *w;
	struct layout_frame last;
	uint64_t seed = 3, sequence = 0;
	struct test_store t;
	struct profile p, is;
	struct err err;
	size_t len;

	(void)state;
	test_store_new(&t);
	w = test_writer(&t, NULL);
	assert_false(store_writer_last(w, &last));
	test_profile(&p);
	test_window(&p, &seed, 40, TEST_EPOCH_NS);
	assert_int_equal(packer_new(&k, PACKER_EFFORT), 0);
	assert_int_equal(packer_pack(k, &p, &p.counters, &x), 0);
	frame = packer_frame(k, &len);
	broken = malloc(len + 1);
	assert_non_null(broken);
	for (size_t i = 0; i < len; i++) {
		memcpy(broken, frame, len);
		broken[i] ^= 0x10;
		if (store_writer_append(w, broken, len, &sequence, &err) != -EBADMSG)
			fail_msg("byte %zu: %s", i, err.text);
		if (store_writer_append(w, frame, i, &sequence, &err) != -EBADMSG)
			fail_msg("%zu bytes of %zu: %s", i, len, err.text);
	}
	memcpy(broken, frame, len);
	assert_int_equal(store_writer_append(w, broken, len + 1, &sequence, &err), -EBADMSG);
	assert_int_equal(store_writer_stats(w)->windows_dropped, 2 * len + 1);
	assert_int_equal(store_writer_append(w, frame, len, &sequence, &err), 0);
	assert_int_equal(sequence, 1);
	/* The second one follows the first, and nothing else: not even itself in another hour. */
	packer_keep(k);
	assert_int_equal(packer_pack(k, &p, &p.counters, &x), 0);
	frame = packer_frame(k, &len);
	assert_int_equal(store_writer_append(w, frame, len, &sequence, &err), 0);
	assert_int_equal(sequence, 2);
	store_writer_end(w);
	assert_int_equal(store_writer_append(w, frame, len, &sequence, &err), -ESTALE);
	packer_begin(k);
	assert_int_equal(packer_pack(k, &p, &p.counters, &x), 0);
	frame = packer_frame(k, &len);
	assert_int_equal(store_writer_append(w, frame, len, &sequence, &err), 0);
	assert_int_equal(sequence, 3);
	assert_int_equal(store_writer_file(w, TEST_EPOCH_NS + HOUR - 1), 3);
	assert_int_equal(store_writer_file(w, TEST_EPOCH_NS + HOUR), 0);
	store_writer_free(w);
	w = test_writer(&t, NULL);
	assert_true(store_writer_last(w, &last));
	assert_int_equal(last.sequence, 3);
	assert_int_equal(last.monotonic_ns, x.monotonic_ns);
	store_writer_free(w);
	assert_int_equal(test_read(&t, 0, ALL, ALL, &is).windows, 3);
	assert_int_equal(profile_total_count(&is), 3 * profile_total_count(&p));
	profile_release(&is);
	free(broken);
	packer_free(k);
	profile_release(&p);
	test_store_release(&t);
}

/* Windows come while an hour is being rolled up. */
static void test_between_steps(void **state)
{
	struct store_options o = store_options_default();
	struct store_writer *w;
	struct test_store t;
	struct profile p, is;
	uint64_t seed = 9, at = TEST_EPOCH_NS, count = 0;
	struct err err;
	int r = 0;

	(void)state;
	test_store_new(&t);
	w = test_writer(&t, &o);
	test_profile(&p);
	for (uint32_t i = 0; i < 3 * 360; i++, at += TEST_WINDOW_NS) {
		const struct store_window x = test_window_at(at);

		test_window(&p, &seed, 5, at);
		assert_int_equal(test_append(w, &p, &x, &err), 0);
		count += profile_total_count(&p);
		for (uint32_t step = 0; step < 2; step++)
			r = store_writer_tidy(w, at, &err);
		assert_true(r >= 0);
		assert_int_equal(store_writer_bytes(w), test_store_bytes(&t));
	}
	assert_int_equal(store_writer_stats(w)->rolled_up, 1);
	assert_int_equal(r, 1); /* the second hour is on its way */
	store_writer_free(w);
	assert_int_equal(test_read(&t, 0, ALL, ALL, &is).bad, 0);
	assert_int_equal(profile_total_count(&is), count);
	profile_release(&is);
	profile_release(&p);
	test_store_release(&t);
}

/* What could not be written left nothing: neither a file nor one that is counted twice. */
static void test_begun_in_vain(void **state)
{
	struct rlimit before, none;
	struct store_writer *w;
	struct profile p, is;
	struct store_result result;
	struct test_store t;
	uint64_t seed = 5, bytes;
	struct err err;

	(void)state;
	test_store_new(&t);
	w = test_writer(&t, NULL);
	test_profile(&p);
	test_window(&p, &seed, 200, TEST_EPOCH_NS);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = before;
	none.rlim_cur = 512; /* the header, and no window */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	for (uint32_t i = 0; i < 3; i++) {
		const struct store_window x = test_window_at(TEST_EPOCH_NS);

		assert_true(test_append(w, &p, &x, &err) < 0);
		store_writer_end(w);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(store_writer_catalog(w)->files.count, 0);
	append(w, &p, TEST_EPOCH_NS);
	assert_int_equal(store_writer_catalog(w)->files.count, 1);
	bytes = store_writer_bytes(w);
	assert_int_equal(bytes, test_store_bytes(&t));
	tidy(w, TEST_EPOCH_NS + HOUR);
	store_writer_free(w);
	result = test_read(&t, 0, ALL, ALL, &is);
	assert_int_equal(result.bad, 0);
	assert_int_equal(profile_total_count(&is), profile_total_count(&p));
	profile_release(&is);
	profile_release(&p);
	test_store_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),           cmocka_unit_test(test_second_writer),
		cmocka_unit_test(test_restarts),       cmocka_unit_test(test_emptied),
		cmocka_unit_test(test_kinds),          cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_month),          cmocka_unit_test(test_clock),
		cmocka_unit_test(test_endless_reader), cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_moments),        cmocka_unit_test(test_frames),
		cmocka_unit_test(test_between_steps),  cmocka_unit_test(test_begun_in_vain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
