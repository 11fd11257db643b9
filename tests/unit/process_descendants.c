// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/descendants.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/process_fake.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_BIRTHS 12
#define MAX 8

struct birth {
	uint32_t pid, parent;
};

/* A /proc in which these processes are, in this order. */
static void fake_births(struct fake *f, const struct birth *births, uint32_t count)
{
	char pids[1024] = "", stat[128];
	size_t len = 0;

	fake_init(f);
	for (uint32_t i = 0; i < count && births[i].pid; i++) {
		len += (size_t)snprintf(pids + len, sizeof(pids) - len, "%" PRIu32 "\n",
					births[i].pid);
		snprintf(stat, sizeof(stat), "%" PRIu32 " (a) S 1 (x) S %" PRIu32 " 1 1 0\n",
			 births[i].pid, births[i].parent);
		fake_set(f, PROCESS_TEXT_STAT, births[i].pid, stat, 0);
	}
	fake_set(f, PROCESS_TEXT_PIDS, 0, pids, 0);
}

static int by_value(const void *one, const void *other)
{
	uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

	return (a > b) - (a < b);
}

/* The list as text, in the order of pids: that of the list means nothing. */
static void print(const struct descendants *d, char *text, size_t size)
{
	uint32_t sorted[64];
	size_t len = 0;

	assert_in_range(d->count, 0, COUNT(sorted));
	for (uint32_t i = 0; i < d->count; i++)
		sorted[i] = d->items[i];
	qsort(sorted, d->count, sizeof(*sorted), by_value);
	text[0] = '\0';
	for (uint32_t i = 0; i < d->count; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%" PRIu32, i ? " " : "",
					sorted[i]);
}

static void expect(const char *title, const struct descendants *d, int r, int want_r,
		   const char *want)
{
	char got[512];

	print(d, got, sizeof(got));
	if (r != want_r || strcmp(got, want) != 0)
		fail_msg("%s: got %d, \"%s\", want %d, \"%s\"", title, r, got, want_r, want);
}

static const struct family {
	const char *title;
	struct birth births[MAX_BIRTHS];
	uint32_t of[3];
	int r;
	const char *want;
} families[] = {
	{ "no children", { { 1, 0 }, { 2, 1 }, { 3, 1 } }, { 2 }, 0, "2" },
	{ "a child", { { 1, 0 }, { 2, 1 }, { 3, 2 } }, { 2 }, 0, "2 3" },
	{ "generations, the youngest first",
	  { { 9, 7 }, { 7, 5 }, { 5, 2 }, { 2, 1 }, { 4, 1 } },
	  { 2 },
	  0,
	  "2 5 7 9" },
	{ "brothers and cousins",
	  { { 2, 1 }, { 3, 2 }, { 4, 2 }, { 5, 3 }, { 6, 3 }, { 7, 4 }, { 8, 1 }, { 9, 8 } },
	  { 2 },
	  0,
	  "2 3 4 5 6 7" },
	{ "two trees",
	  { { 2, 1 }, { 3, 2 }, { 4, 1 }, { 5, 4 }, { 6, 1 } },
	  { 2, 4 },
	  0,
	  "2 3 4 5" },
	{ "one within the other", { { 2, 1 }, { 3, 2 }, { 4, 3 } }, { 3, 2, 3 }, 0, "2 3 4" },
	{ "a pid that is not there, with a child", { { 3, 2 } }, { 2 }, 0, "2 3" },
	{ "not even the pid", { { 3, 1 } }, { 2 }, 0, "2" },
	{ "none asked for", { { 1, 0 }, { 2, 1 } }, { 0 }, 0, "" },
	{ "its own parent", { { 2, 2 }, { 3, 2 } }, { 2 }, 0, "2 3" },
	{ "a circle", { { 2, 4 }, { 3, 2 }, { 4, 3 }, { 5, 1 } }, { 3 }, 0, "2 3 4" },
	{ "listed twice", { { 2, 1 }, { 3, 2 }, { 3, 2 } }, { 2 }, 0, "2 3" },
	{ "the largest numbers",
	  { { UINT32_MAX, UINT32_MAX - 1 } },
	  { UINT32_MAX - 1 },
	  0,
	  "4294967294 4294967295" },
	{ "as many as allowed",
	  { { 2, 1 }, { 3, 2 }, { 4, 2 }, { 5, 2 }, { 6, 2 }, { 7, 2 }, { 8, 2 }, { 9, 2 } },
	  { 2 },
	  0,
	  "2 3 4 5 6 7 8 9" },
	{ "a great-grandchild too many",
	  { { 2, 1 },
	    { 3, 2 },
	    { 4, 3 },
	    { 5, 4 },
	    { 6, 5 },
	    { 7, 6 },
	    { 8, 7 },
	    { 9, 8 },
	    { 10, 9 } },
	  { 2 },
	  -E2BIG,
	  "2 3 4 5 6 7 8 9" },
};

static void find(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct counters counters = { 0 };
		struct descendants d;
		struct fake f;
		int r;

		fake_births(&f, families[i].births, MAX_BIRTHS);
		descendants_init(&d, MAX);
		for (size_t k = 0; k < COUNT(families[i].of) && families[i].of[k]; k++)
			assert_int_equal(descendants_add(&d, families[i].of[k]), 0);
		r = descendants_find(&d, &f.source, &counters);
		expect(families[i].title, &d, r, families[i].r, families[i].want);
		assert_int_equal(counter_get(&counters, COUNTER_PROC_UNREADABLE), 0);
		descendants_release(&d);
	}
}

static void add_up_to_the_maximum(void **state)
{
	struct descendants d;

	(void)state;
	descendants_init(&d, 2);
	assert_int_equal(descendants_add(&d, 5), 0);
	assert_int_equal(descendants_add(&d, 6), 0);
	assert_int_equal(descendants_add(&d, 5), 0); /* is in: no more room needed */
	assert_int_equal(descendants_add(&d, 7), -E2BIG);
	expect("full", &d, 0, 0, "5 6");
	descendants_release(&d);
	assert_int_equal(d.count, 0);
}

/* What was found stays; what came since is found. */
static void find_again(void **state)
{
	static const struct birth before[] = { { 2, 1 }, { 3, 2 }, { 4, 3 } };
	/* 3 is gone, its child is the reaper's now */
	static const struct birth after[] = { { 2, 1 }, { 4, 1 }, { 5, 4 }, { 6, 3 } };
	struct counters counters = { 0 };
	struct descendants d;
	struct fake f;
	int r;

	(void)state;
	descendants_init(&d, MAX);
	assert_int_equal(descendants_add(&d, 2), 0);
	fake_births(&f, before, COUNT(before));
	r = descendants_find(&d, &f.source, &counters);
	expect("first", &d, r, 0, "2 3 4");
	fake_births(&f, after, COUNT(after));
	r = descendants_find(&d, &f.source, &counters);
	expect("second", &d, r, 0, "2 3 4 5 6");
	descendants_release(&d);
}

static void what_cannot_be_read(void **state)
{
	static const struct birth births[] = { { 2, 1 }, { 3, 2 }, { 4, 2 }, { 5, 4 }, { 6, 2 } };
	static const struct {
		const char *text;
		int error, r;
		const char *want;
		uint64_t counted;
	} rows[] = {
		{ NULL, -ENOENT, 0, "2 3 6", 0 },
		{ NULL, -ESRCH, 0, "2 3 6", 0 },
		{ NULL, -EACCES, 0, "2 3 6", 1 },
		{ NULL, -EMFILE, 0, "2 3 6", 1 },
		{ "", 0, 0, "2 3 6", 1 },
		{ "4 (a) S 2", 0, 0, "2 3 6", 1 },
		{ "4 (a) S x 1 1", 0, 0, "2 3 6", 1 },
		{ NULL, -ENOMEM, -ENOMEM, "2", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct counters counters = { 0 };
		struct descendants d;
		char title[32];
		struct fake f;
		int r;

		snprintf(title, sizeof(title), "row %zu", i);
		fake_births(&f, births, COUNT(births));
		fake_set(&f, PROCESS_TEXT_STAT, 4, rows[i].text, rows[i].error);
		descendants_init(&d, MAX);
		assert_int_equal(descendants_add(&d, 2), 0);
		r = descendants_find(&d, &f.source, &counters);
		expect(title, &d, r, rows[i].r, rows[i].want);
		if (counter_get(&counters, COUNTER_PROC_UNREADABLE) != rows[i].counted)
			fail_msg("%s: counted %" PRIu64 ", want %" PRIu64, title,
				 counter_get(&counters, COUNTER_PROC_UNREADABLE), rows[i].counted);
		descendants_release(&d);
	}
}

static void no_list(void **state)
{
	struct counters counters = { 0 };
	struct descendants d;
	struct fake f;
	int r;

	(void)state;
	fake_init(&f);
	fake_set(&f, PROCESS_TEXT_PIDS, 0, NULL, -EACCES);
	descendants_init(&d, MAX);
	assert_int_equal(descendants_add(&d, 2), 0);
	r = descendants_find(&d, &f.source, &counters);
	expect("no list", &d, r, -EACCES, "2");
	fake_set(&f, PROCESS_TEXT_PIDS, 0, "", 0);
	r = descendants_find(&d, &f.source, &counters);
	expect("empty list", &d, r, 0, "2");
	descendants_release(&d);
}

/* This process, its child, and the child's child, in the live /proc. */
static void live(void **state)
{
	struct counters counters = { 0 };
	struct descendants d;
	pid_t child, grandchild;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		grandchild = fork();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (grandchild > 0 && write(ends[1], &grandchild, sizeof(grandchild)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ends[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	descendants_init(&d, MAX);
	assert_int_equal(descendants_add(&d, (uint32_t)getpid()), 0);
	assert_int_equal(descendants_find(&d, &process_source_live, &counters), 0);
	kill(grandchild, SIGKILL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(d.count, 3);
	assert_int_equal(d.items[0], getpid());
	assert_int_equal(d.items[1], child);
	assert_int_equal(d.items[2], grandchild);
	descendants_release(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(find),       cmocka_unit_test(add_up_to_the_maximum),
		cmocka_unit_test(find_again), cmocka_unit_test(what_cannot_be_read),
		cmocka_unit_test(no_list),    cmocka_unit_test(live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
