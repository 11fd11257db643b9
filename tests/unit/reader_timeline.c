// SPDX-License-Identifier: Apache-2.0
/*
 * Whatever windows there are and however they lie: what is divided among steps and groups adds up to what was written.
 */
#include "profiler/reader/timeline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/reader_store.h"

#define HOUR_NS (3600 * NS_PER_S)

struct sums {
	uint64_t value, covered_ns, groups, coarse_ns;
};

static struct sums read_sums(struct handed *h, const char *question)
{
	struct inquiry q = { .store = h };
	struct reader_request request;
	struct sums s = { 0 };
	struct timeline t = { .shown = 0 };
	struct err err = { "" };
	char text[256];

	snprintf(text, sizeof(text), "%s", question);
	request = test_request(text);
	if (parameters_read(&q.parameters, &request, UINT32_MAX, false, &err) < 0 ||
	    reader_request_ranges(&request, &q.ranges, &err) < 0 ||
	    timeline_read(&t, &q, 300, 3, &err) < 0)
		fail_msg("%s: %s", question, err.text);
	for (uint32_t step = 0; step < t.step_count; step++) {
		s.covered_ns += t.steps[step].covered_ns;
		s.groups += t.other[step];
		for (uint32_t i = 0; i < t.shown; i++)
			s.groups += t.values.items[t.ranks[i].group][step];
	}
	for (uint32_t i = 0; i < t.coarse.items.count; i++)
		s.coarse_ns += t.coarse.items.items[i].to_ns - t.coarse.items.items[i].from_ns;
	s.value = t.value;
	timeline_release(&t);
	parameters_release(&q.parameters);
	return s;
}

static void expect(const char *question, const char *what, uint64_t is, uint64_t should)
{
	if (is != should)
		fail_msg("%s: %s is %lu, not %lu", question, what, is, should);
}

/* Two hours of windows of odd lengths, cut wherever, of which the first is rolled up. */
static struct sums fill(struct test_store *t, struct handed *h)
{
	struct store_writer *w;
	struct sums all = { 0 };
	struct profile p;
	struct err err;
	uint64_t seed = 11, at_ns = TEST_EPOCH_NS + 3 * NS_PER_S;

	test_store_new(t);
	w = test_writer(t, NULL);
	test_profile(&p);
	while (at_ns < TEST_EPOCH_NS + 2 * HOUR_NS - 20 * NS_PER_S) {
		uint64_t length_ns = NS_PER_S + test_random(&seed) % (9 * NS_PER_S);
		struct store_window x = test_window_at(at_ns);

		test_window(&p, &seed, 5, at_ns);
		p.facts.duration_ns = length_ns;
		x.end_ns = at_ns + length_ns;
		if (test_append(w, &p, &x, &err) < 0)
			fail_msg("%s", err.text);
		all.value += profile_total_value(&p);
		all.covered_ns += length_ns;
		at_ns = x.end_ns;
	}
	while (store_writer_tidy(w, at_ns, &err) == 1)
		;
	profile_release(&p);
	store_writer_free(w);
	test_hand_over(t, h);
	return all;
}

static void test_sums(void **state)
{
	static const char *const questions[] = {
		"timeline?from=first&to=last",
		"timeline?from=first&to=last&by=comm",
		"timeline?from=first&to=last&by=comm,pid",
		"timeline?from=first&to=last&by=pid&step=1s",
		"timeline?from=first&to=last&step=7s",
		"timeline?from=first&to=last&step=11s&by=nothing",
		"timeline?from=first&to=last&step=5m&by=comm",
		"timeline?from=first&to=last&step=1d",
		"timeline?from=1763856000&to=1763863200&step=5m",
	};
	struct test_store t;
	struct handed h;
	struct sums all;

	(void)state;
	all = fill(&t, &h);
	assert_true(h.catalog.files.count > 2);
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		struct sums is = read_sums(&h, questions[i]);

		expect(questions[i], "value", is.value, all.value);
		expect(questions[i], "of groups and others", is.groups, all.value);
		/* Windows with moments are where their samples are. */
		expect(questions[i], "covered", is.covered_ns, all.covered_ns);
	}
	handed_release(&h);
	test_store_release(&t);
}

/* Two parts of a range are the range: nothing is in both, or in none. */
static void test_parts(void **state)
{
	struct test_store t;
	struct handed h;
	struct sums all, parts = { 0 };

	(void)state;
	all = fill(&t, &h);
	for (uint64_t from_s = 0; from_s < 7200; from_s += 600) {
		struct sums part;
		char question[128];

		snprintf(question, sizeof(question), "timeline?from=%lu&to=%lu&step=60s",
			 1763856000 + from_s, 1763856000 + from_s + 600);
		part = read_sums(&h, question);
		parts.value += part.value;
		parts.covered_ns += part.covered_ns;
	}
	expect("parts", "value", parts.value, all.value);
	expect("parts", "covered", parts.covered_ns, all.covered_ns);
	handed_release(&h);
	test_store_release(&t);
}

static uint64_t remove_fine(int fd, const char *name)
{
	return !strncmp(name, "10s-20251123T00", 15) && unlinkat(fd, name, 0) == 0;
}

/* Where only longer windows are left, they are spread, and told. */
static void test_coarse(void **state)
{
	struct test_store t;
	struct handed h;
	struct sums all, is;

	(void)state;
	all = fill(&t, &h);
	handed_release(&h);
	assert_int_equal(test_store_each(&t, remove_fine), 1);
	test_hand_over(&t, &h);
	is = read_sums(&h, "timeline?from=first&to=last&step=10s&by=comm");
	expect("spread", "value", is.value, all.value);
	expect("spread", "of groups and others", is.groups, all.value);
	if (is.coarse_ns < 3500 * NS_PER_S || is.coarse_ns > 3620 * NS_PER_S)
		fail_msg("%lu s of the first hour are told to be coarse", is.coarse_ns / NS_PER_S);
	is = read_sums(&h, "timeline?from=first&to=last&step=1h");
	expect("by the hour", "coarse", is.coarse_ns, 0);
	handed_release(&h);
	test_store_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_coarse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
