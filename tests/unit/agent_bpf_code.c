// SPDX-License-Identifier: Apache-2.0
/*
 * Events, then what was sampled at some address and time: whose it is, by a table of answers.
 */
#include "profiler/agent/bpf_code.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "tests/unit/torture.h"

#define A 0xffffffffc0100000ULL
#define S NS_PER_S

/* "": none; "kallsyms": no event tells. */
static const char *whose(const struct bpf_code *c, uint32_t space, uint64_t address, char text[64])
{
	struct bpf_symbol s;

	if (!bpf_code_find(c, space, address, &s))
		return "kallsyms";
	if (!s.name)
		return "";
	snprintf(text, 64, "%s+%" PRIx64, s.name, s.offset);
	return text;
}

/* Sampled at time_ns, when what comes after it isn't known; asked for after all of it. */
struct sampled {
	uint64_t time_ns, address;
	const char *want;
	uint32_t space;
};

enum what { LOAD, UNLOAD, LOSE, LISTED, LIST_END };

struct happened {
	uint64_t time_ns, start, end;
	enum what what;
	const char *name;
};

static void apply(struct bpf_code *c, const struct happened *h)
{
	if (h->what == LOAD)
		bpf_code_registered(c, h->time_ns, h->start, h->end, h->name);
	else if (h->what == UNLOAD)
		bpf_code_unregistered(c, h->time_ns, h->start, h->end, h->name);
	else if (h->what == LISTED)
		bpf_code_listed(c, h->time_ns, h->start, h->end, h->name);
	else if (h->what == LIST_END)
		bpf_code_list_end(c, h->time_ns);
	else
		bpf_code_lost(c, h->time_ns);
}

static void check(const struct happened *events, uint32_t event_count, struct sampled *samples,
		  uint32_t sample_count)
{
	struct bpf_code *c;
	uint32_t n = 0;

	assert_int_equal(bpf_code_new(&c), 0);
	for (uint32_t i = 0; i < sample_count; i++) {
		while (n < event_count && events[n].time_ns <= samples[i].time_ns)
			apply(c, &events[n++]);
		samples[i].space = bpf_code_space(c, samples[i].time_ns, samples[i].address);
	}
	while (n < event_count)
		apply(c, &events[n++]);
	for (uint32_t i = 0; i < sample_count; i++) {
		char text[64];
		const char *got = whose(c, samples[i].space, samples[i].address, text);

		if (strcmp(got, samples[i].want) != 0)
			fail_msg("sample %u: \"%s\", expected \"%s\"", i, got, samples[i].want);
	}
	bpf_code_free(c);
}

#define CHECK(events, samples)                                       \
	check(events, sizeof(events) / sizeof((events)[0]), samples, \
	      sizeof(samples) / sizeof((samples)[0]))

static void test_loaded_and_unloaded(void **state)
{
	static const struct happened events[] = {
		{ 10 * S, A, A + 0x100, LOAD, "one" },
		{ 20 * S, A, A + 0x100, UNLOAD, "one" },
	};
	struct sampled samples[] = {
		{ .time_ns = 9 * S, .address = A, .want = "" },
		{ .time_ns = 10 * S, .address = A - 1, .want = "kallsyms" },
		{ .time_ns = 10 * S, .address = A, .want = "one+0" },
		{ .time_ns = 19 * S, .address = A + 0xff, .want = "one+ff" },
		{ .time_ns = 19 * S, .address = A + 0x100, .want = "kallsyms" },
		/* A CPU was still in it. */
		{ .time_ns = 21 * S, .address = A + 1, .want = "one+1" },
		{ .time_ns = 21 * S + 1, .address = A + 1, .want = "" },
		{ .time_ns = 21 * S + 1, .address = A + 0x100, .want = "kallsyms" },
	};

	CHECK(events, samples);
}

static void test_was_there_before_us(void **state)
{
	static const struct happened events[] = {
		{ 20 * S, A, A + 0x100, UNLOAD, "old" },
		{ 30 * S, A, A + 0x80, LOAD, "new" },
	};
	struct sampled samples[] = {
		{ .time_ns = 1 * S, .address = A + 0x10, .want = "old+10" },
		{ .time_ns = 2 * S, .address = A + 0x100, .want = "kallsyms" },
		{ .time_ns = 20 * S, .address = A + 0x90, .want = "old+90" },
		{ .time_ns = 25 * S, .address = A + 0x90, .want = "" },
		{ .time_ns = 30 * S, .address = A + 0x10, .want = "new+10" },
		/* What the new one leaves of the old one's place is nobody's. */
		{ .time_ns = 31 * S, .address = A + 0x80, .want = "" },
	};

	CHECK(events, samples);
}

static void test_one_in_another(void **state)
{
	static const struct happened events[] = {
		{ 10 * S, A, A + 0x300, LOAD, "wide" },
		{ 20 * S, A, A + 0x300, UNLOAD, "wide" },
		{ 20 * S, A + 0x100, A + 0x200, LOAD, "narrow" },
		{ 30 * S, A - 0x100, A + 0x180, LOAD, "left" },
		{ 40 * S, A - 0x200, A + 0x400, LOAD, "all" },
	};
	struct sampled samples[] = {
		{ .time_ns = 20 * S, .address = A + 0xff, .want = "wide+ff" },
		{ .time_ns = 20 * S, .address = A + 0x100, .want = "narrow+0" },
		{ .time_ns = 20 * S, .address = A + 0x1ff, .want = "narrow+ff" },
		{ .time_ns = 20 * S, .address = A + 0x200, .want = "wide+200" },
		{ .time_ns = 30 * S, .address = A - 0x100, .want = "left+0" },
		{ .time_ns = 30 * S, .address = A + 0x17f, .want = "left+27f" },
		{ .time_ns = 30 * S, .address = A + 0x180, .want = "narrow+80" },
		{ .time_ns = 30 * S, .address = A + 0x200, .want = "" },
		{ .time_ns = 40 * S, .address = A + 0x200, .want = "all+400" },
		{ .time_ns = 40 * S, .address = A + 0x400, .want = "kallsyms" },
	};

	CHECK(events, samples);
}

/* A name that may be another's is none, whenever the loss was. */
static void test_losses(void **state)
{
	static const struct happened events[] = {
		{ 10 * S, A, A + 0x100, LOAD, "one" },
		{ 20 * S, 0, 0, LOSE, NULL },
	};
	struct sampled samples[] = {
		{ .time_ns = 11 * S, .address = A, .want = "" },
		{ .time_ns = 11 * S, .address = A + 0x100, .want = "kallsyms" },
	};
	struct bpf_code *c;

	CHECK(events, samples);
	assert_int_equal(bpf_code_new(&c), 0);
	assert_true(bpf_code_is_certain(c));
	bpf_code_lost(c, 1);
	assert_false(bpf_code_is_certain(c));
	bpf_code_free(c);
}

/* What was there before us is known by the first list: where it ends, too. */
static void test_listed_at_the_start(void **state)
{
	static const struct happened events[] = {
		{ 10 * S, A, A + 0x100, LISTED, "bpf_prog_1_one" },
		{ 10 * S, A + 0x200, A + 0x240, LISTED, "bpf_prog_2_two" },
		{ 10 * S, 0, 0, LIST_END, NULL },
		{ 20 * S, A + 0x200, A + 0x240, UNLOAD, "bpf_prog_2_two" },
	};
	struct sampled samples[] = {
		{ .time_ns = 9 * S, .address = A + 1, .want = "bpf_prog_1_one+1" },
		{ .time_ns = 11 * S, .address = A + 0xff, .want = "bpf_prog_1_one+ff" },
		{ .time_ns = 11 * S, .address = A + 0x100, .want = "kallsyms" },
		{ .time_ns = 11 * S, .address = A + 0x210, .want = "bpf_prog_2_two+10" },
		{ .time_ns = 22 * S, .address = A + 0x210, .want = "" },
	};
	struct bpf_code *c;

	CHECK(events, samples);
	/* So no name of /proc/kallsyms can be that of code behind it. */
	assert_int_equal(bpf_code_new(&c), 0);
	for (uint32_t i = 0; i < 3; i++)
		apply(c, &events[i]);
	assert_true(bpf_code_knows(c, "bpf_prog_1_one"));
	assert_true(bpf_code_is_certain(c));
	bpf_code_free(c);
}

/* A list after a loss gives back the names of all that is what it was. */
static void test_listed_after_a_loss(void **state)
{
	static const struct happened events[] = {
		{ 1 * S, A, A + 0x100, LISTED, "bpf_prog_1_stays" },
		{ 1 * S, A + 0x100, A + 0x200, LISTED, "bpf_prog_2_goes" },
		{ 1 * S, A + 0x200, A + 0x300, LISTED, "bpf_prog_3_changes" },
		{ 1 * S, A + 0x400, A + 0x500, LOAD, "bpf_trampoline_1" },
		{ 1 * S + 1, 0, 0, LIST_END, NULL },
		{ 10 * S, 0, 0, LOSE, NULL },
		{ 12 * S, A, A + 0x100, LISTED, "bpf_prog_1_stays" },
		{ 12 * S, A + 0x200, A + 0x300, LISTED, "bpf_prog_4_other" },
		{ 12 * S + 1, 0, 0, LIST_END, NULL },
	};
	struct sampled samples[] = {
		{ .time_ns = 9 * S, .address = A, .want = "bpf_prog_1_stays+0" },
		{ .time_ns = 9 * S, .address = A + 0x100, .want = "" },
		/* When it went nobody knows. */
		{ .time_ns = 9 * S, .address = A + 0x200, .want = "" },
		{ .time_ns = 9 * S, .address = A + 0x400, .want = "" },
		{ .time_ns = 11 * S, .address = A, .want = "bpf_prog_1_stays+0" },
		{ .time_ns = 13 * S, .address = A + 1, .want = "bpf_prog_1_stays+1" },
		{ .time_ns = 13 * S, .address = A + 0x200, .want = "bpf_prog_4_other+0" },
	};

	CHECK(events, samples);
}

/* One that was read before the loss says nothing of it. */
static void test_listed_too_early(void **state)
{
	static const struct happened events[] = {
		{ 1 * S, A, A + 0x100, LISTED, "bpf_prog_1_one" },
		{ 1 * S + 1, 0, 0, LIST_END, NULL },
		{ 10 * S, 0, 0, LOSE, NULL },
		{ 10 * S, A, A + 0x100, LISTED, "bpf_prog_1_one" },
		{ 10 * S, 0, 0, LIST_END, NULL },
	};
	struct sampled samples[] = { { .time_ns = 9 * S, .address = A, .want = "" } };

	CHECK(events, samples);
}

/* The list no longer has what is about to go; its event comes a little later. */
static void test_gone_after_the_list(void **state)
{
	static const struct happened events[] = {
		{ 1 * S, A, A + 0x100, LOAD, "bpf_prog_1_one" },
		{ 10 * S, 0, 0, LIST_END, NULL },
		{ 10 * S + 5, A, A + 0x100, UNLOAD, "bpf_prog_1_one" },
	};
	struct sampled samples[] = { { .time_ns = 9 * S, .address = A, .want = "bpf_prog_1_one+0" },
				     { .time_ns = 12 * S, .address = A, .want = "" } };

	CHECK(events, samples);
}

/* Where there is no room nothing is made up. */
static void test_too_many(void **state)
{
	struct bpf_code *c;
	uint32_t n = 0;

	assert_int_equal(bpf_code_new(&c), 0);
	for (; n < 100000 && bpf_code_is_certain(c); n++)
		bpf_code_registered(c, n, A + n * 0x40ULL, A + n * 0x40ULL + 0x40, "p");
	assert_int_equal(n, 4096 + 1);
	assert_int_equal(bpf_code_space(c, n, A), WINDOW_SPACE_BPF);
	assert_int_equal(bpf_code_space(c, n, A + 4096 * 0x40ULL), WINDOW_SPACE_KERNEL);
	bpf_code_free(c);
}

/* The kernel names it only after it was loaded, where it may. */
static void test_no_name(void **state)
{
	static const struct happened events[] = { { 10 * S, A, A + 0x100, LOAD, "" } };
	struct sampled samples[] = { { .time_ns = 10 * S, .address = A, .want = "" } };

	CHECK(events, samples);
}

static int torture_events(void *ctx)
{
	struct bpf_code *c;
	int r = bpf_code_new(&c);

	(void)ctx;
	if (r < 0)
		return r;
	bpf_code_unregistered(c, 1, A, A + 0x300, "old");
	bpf_code_registered(c, 2, A + 0x100, A + 0x200, "new");
	r = bpf_code_is_certain(c) ? 0 : -ENOMEM;
	bpf_code_free(c);
	return r;
}

static void test_out_of_memory(void **state)
{
	assert_true(torture(torture_events, NULL) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loaded_and_unloaded),
		cmocka_unit_test(test_was_there_before_us),
		cmocka_unit_test(test_one_in_another),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_listed_at_the_start),
		cmocka_unit_test(test_listed_after_a_loss),
		cmocka_unit_test(test_listed_too_early),
		cmocka_unit_test(test_gone_after_the_list),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_no_name),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
