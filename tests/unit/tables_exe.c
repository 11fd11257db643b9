// SPDX-License-Identifier: Apache-2.0
#include "profiler/tables/exe.h"

#include "tests/unit/tables_answer.h"
#include "tests/unit/torture.h"

#define FILES 12u
#define STEPS 1500

struct fixture {
	struct chunks chunks;
	struct rules rules;
	struct exes exes;
	struct counters counters;
};

static int fixture_init(struct fixture *f, uint32_t chunks, uint32_t rules, uint32_t exes)
{
	int r;

	memset(f, 0, sizeof(*f));
	chunks_init(&f->chunks, NULL, (uint64_t)chunks * UNWIND_CHUNK_BYTES);
	r = rules_init(&f->rules, NULL, rules);
	return r < 0 ? r : exes_init(&f->exes, NULL, &f->chunks, &f->rules, &f->counters, exes);
}

static void fixture_release(struct fixture *f)
{
	exes_release(&f->exes);
	rules_release(&f->rules);
	chunks_release(&f->chunks);
	fake_reset();
}

/* As user space finds it, by the offset in the file. */
static void own_check(const struct made *m, struct fixture *f, uint32_t exe, uint64_t vaddr,
		      const struct unwind_rule *want)
{
	uint64_t offset = vaddr - m->segment.vaddr + m->segment.offset;
	uint64_t start = offset & ~(uint64_t)(UNWIND_PAGE_BYTES - 1);
	struct unwind_rule is = { 0 };

	assert_int_equal(exes_rule(&f->exes, exe, start, offset - start, &is), 0);
	assert_memory_equal(&is, want, sizeof(is));
}

static void made_check(const struct made *m, struct fixture *f, uint32_t exe, int times)
{
	uint32_t bytes = (uint32_t)(m->reply.limit - m->reply.start);

	for (int i = 0; i < times; i++) {
		uint64_t vaddr = m->reply.start + fake_random(bytes);
		const struct unwind_rule *is = shown_find(exe, vaddr), *want = made_find(m, vaddr);

		if (!is)
			fail_msg("exe %u: nothing at %#llx", exe, (unsigned long long)vaddr);
		assert_memory_equal(is, want, sizeof(*is));
		own_check(m, f, exe, vaddr, want);
	}
}

static struct made *made_new(void)
{
	struct made *m =
		mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(m != MAP_FAILED);
	return m;
}

/*
 * Files that together are twice what there is room for, stored and used in any order: whoever is there has all
 * its rows, right; and whoever isn't can have them again.
 */
static void test_random(void **state)
{
	struct made *made[FILES];
	struct fixture f;
	uint64_t now_ns = 1, stored = 0;
	uint32_t no_room = 0;

	assert_int_equal(fixture_init(&f, 3, 1024, FILES), 0);
	for (uint32_t i = 0; i < FILES; i++) {
		made[i] = made_new();
		made_init(made[i], 0x1000, 900, 0x1000, 900, 160, i % 5);
	}
	for (int i = 0; i < STEPS; i++) {
		uint32_t file = fake_random(FILES), exe = exes_intern(&f.exes, file, now_ns);
		struct unwind_request request;

		now_ns += fake_random(700000000);
		assert_true(exe != EXE_NONE);
		exes_use(&f.exes, exe, now_ns);
		if (exes_missing(&f.exes, exe, 0x5000, now_ns, &request)) {
			int r;

			assert_int_equal(request.limit, UINT64_MAX);
			r = exes_store(&f.exes, exe, &made[file]->answer, &request, now_ns);
			assert_true(r == 0 || r == -EAGAIN || r == -ENOSPC);
			stored += r == 0;
			no_room += r < 0;
		}
		if (fake_random(10) == 0)
			chunks_unmap(&f.chunks);
		for (uint32_t j = 0; j < FILES; j++) {
			uint32_t n = exes_find(&f.exes, j);

			if (n != EXE_NONE && f.exes.all[n].state == EXE_WHOLE)
				made_check(made[j], &f, n, 3);
			else if (n != EXE_NONE)
				assert_null(shown_find(n, 0x1000));
		}
	}
	if (stored < 50 || no_room < 20)
		fail_msg("stored %lu times, no room %u times", stored, no_room);
	assert_true(counter_get(&f.counters, COUNTER_UNWIND_EVICTED) > 20);
	for (uint32_t i = 0; i < FILES; i++)
		munmap(made[i], sizeof(*made[i]));
	fixture_release(&f);
}

/* More rows than one answer: regions, when they are asked for. */
static void test_regions(void **state)
{
	struct made *whole = made_new(), *region = made_new();
	struct unwind_request request;
	struct fixture f;
	uint32_t exe;

	assert_int_equal(fixture_init(&f, 3, 1024, 4), 0);
	exe = exes_intern(&f.exes, 7, 1);
	assert_true(exes_missing(&f.exes, exe, 0, 1, &request));
	/* What there is of it ends within a page. */
	made_init(whole, 0x201000, 1000, 0x201000, 100, 50, 1);
	whole->reply.limit -= 100;
	assert_int_equal(exes_store(&f.exes, exe, &whole->answer, &request, 1), 1);
	assert_null(shown_find(exe, 0x201000));
	/* Offset 0x2345678 lies behind its code, 0x300123 at 0x301123. */
	assert_false(exes_missing(&f.exes, exe, 0x2345678, 1, &request));
	assert_true(exes_missing(&f.exes, exe, 0x300123, 1, &request));
	assert_int_equal(request.start, 0x300000);
	assert_int_equal(request.limit, 0x310000);
	made_init(region, 0x201000, 1000, 0x300000, 16, 50, 2);
	assert_int_equal(exes_store(&f.exes, exe, &region->answer, &request, 1), 0);
	made_check(region, &f, exe, 1000);
	assert_null(shown_find(exe, 0x2fffff));
	assert_null(shown_find(exe, 0x310000));
	assert_false(exes_missing(&f.exes, exe, 0x300123 - 0x1000, 1, &request));
	/* Its first region begins with its code. */
	assert_true(exes_missing(&f.exes, exe, 0x200000, 1, &request));
	assert_int_equal(request.start, 0x200000);
	made_init(whole, 0x201000, 1000, 0x201000, 15, 50, 2);
	assert_int_equal(exes_store(&f.exes, exe, &whole->answer, &request, 1), 0);
	made_check(whole, &f, exe, 1000);
	made_check(region, &f, exe, 1000);
	munmap(whole, sizeof(*whole));
	munmap(region, sizeof(*region));
	fixture_release(&f);
}

/*
 * What unwind_check() lets through may still be odd: no pages for many addresses, a region that ends early. Nothing
 * is read that isn't there, and what can't be completed is not stored again and again.
 */
static void test_odd_answers(void **state)
{
	struct made *m = made_new();
	struct unwind_request request;
	struct fixture f;
	uint64_t used, now_ns = 1;
	uint32_t exe;

	assert_int_equal(fixture_init(&f, 3, 1024, 4), 0);
	exe = exes_intern(&f.exes, 1, 1);
	assert_true(exes_missing(&f.exes, exe, 0, now_ns, &request));
	made_init(m, 0x1000, 900, 0x1000, 20, 50, 1);
	m->reply.page_count = m->reply.row_count = 0;
	m->reply.limit = 0x1000 + 5 * UNWIND_PAGE_BYTES;
	m->answer.pages = NULL; /* they aren't there */
	m->answer.rows = NULL;
	assert_int_equal(exes_store(&f.exes, exe, &m->answer, &request, now_ns), 1);
	assert_true(exes_missing(&f.exes, exe, 0x5000, now_ns, &request));
	assert_true(exes_store(&f.exes, exe, &m->answer, &request, now_ns) < 0);
	assert_null(shown_find(exe, 0x6000));

	/* The first page of sixteen, each time. */
	m->answer.pages = m->pages;
	m->answer.rows = m->rows;
	made_init(m, 0x1000, 900, 0x10000, 1, 50, 1);
	now_ns += 1000000000;
	assert_true(exes_missing(&f.exes, exe, 0x14000, now_ns, &request));
	assert_int_equal(exes_store(&f.exes, exe, &m->answer, &request, now_ns), 0);
	used = f.chunks.used;
	made_check(m, &f, exe, 100);
	for (int i = 0; i < 1000; i++) {
		now_ns += 100000000;
		if (exes_missing(&f.exes, exe, 0x14000, now_ns, &request))
			exes_store(&f.exes, exe, &m->answer, &request, now_ns);
	}
	made_check(m, &f, exe, 100);
	if (f.chunks.used > used + 16 * CHUNK_GRAIN_WORDS)
		fail_msg("%lu words are used, %lu at first", f.chunks.used, used);
	munmap(m, sizeof(*m));
	fixture_release(&f);
}

/* Segments of all files together have a maximum. */
static void test_many_segments(void **state)
{
	static struct unwind_segment segments[UNWIND_REPLY_MAX_SEGMENTS];
	struct made *m = made_new();
	struct unwind_request request;
	struct fixture f;
	uint32_t known = 0;

	for (uint32_t i = 0; i < UNWIND_REPLY_MAX_SEGMENTS; i++)
		segments[i] = (struct unwind_segment){ 0x1000 * (i + 1ULL), 0x1000 * i, 0x1000 };
	made_init(m, 0x1000, UNWIND_REPLY_MAX_SEGMENTS, 0x1000, UNWIND_REPLY_MAX_SEGMENTS, 2, 1);
	m->answer.segments = segments;
	m->reply.segment_count = UNWIND_REPLY_MAX_SEGMENTS;
	assert_int_equal(fixture_init(&f, 40, 1024, 1000), 0);
	for (uint32_t file = 0; file < 1000; file++) {
		uint32_t exe = exes_intern(&f.exes, file, 1);

		assert_true(exes_missing(&f.exes, exe, 0, 1, &request));
		exes_store(&f.exes, exe, &m->answer, &request, 1);
		known += f.exes.all[exe].segment_count;
	}
	assert_in_range(known, UNWIND_REPLY_MAX_SEGMENTS, EXE_MAX_SEGMENTS);
	assert_true(counter_get(&f.counters, COUNTER_UNWIND_REFUSED) > 0);
	munmap(m, sizeof(*m));
	fixture_release(&f);
}

/* More than the symbolizer has memory for: not given up, but asked for in parts. */
static void test_too_large(void **state)
{
	struct unwind_reply limit = { .status = SYMBOLS_LIMIT };
	const struct unwind_answer refused = { .reply = &limit };
	struct unwind_request request;
	struct made *m = made_new();
	struct unwind_rule rule;
	struct fixture f;
	uint32_t exe;

	assert_int_equal(fixture_init(&f, 3, 1024, 4), 0);
	exe = exes_intern(&f.exes, 7, 1);
	assert_true(exes_missing(&f.exes, exe, 0x300000, 1, &request));
	assert_int_equal(exes_store(&f.exes, exe, &refused, &request, 1), 1);
	assert_true(exes_missing(&f.exes, exe, 0x300000, 1, &request));
	assert_int_equal(request.start, 0);
	assert_int_equal(request.limit, 0);
	made_init(m, 0x201000, 1000, 0x300000, 0, 50, 2);
	assert_int_equal(exes_store(&f.exes, exe, &m->answer, &request, 1), 1);
	assert_true(exes_missing(&f.exes, exe, 0x300000, 1, &request));
	assert_int_equal(request.start, 0x300000);
	assert_int_equal(request.limit, 0x310000);
	/* Not even that: later again. */
	assert_int_equal(exes_store(&f.exes, exe, &refused, &request, 1), -ENOMEM);
	assert_int_equal(counter_get(&f.counters, COUNTER_UNWIND_REFUSED), 1);
	assert_false(exes_missing(&f.exes, exe, 0x300000, 1, &request));
	assert_int_equal(exes_rule(&f.exes, exe, 0x300000, 0, &rule), -EAGAIN);
	assert_true(exes_missing(&f.exes, exe, 0x300000, 1000000000, &request));
	made_init(m, 0x201000, 1000, 0x300000, 16, 50, 2);
	assert_int_equal(exes_store(&f.exes, exe, &m->answer, &request, 1), 0);
	made_check(m, &f, exe, 1000);
	munmap(m, sizeof(*m));
	fixture_release(&f);
}

static void test_vaddr(void **state)
{
	static const struct {
		uint64_t offset, vaddr; /* 0: none */
	} table[] = {
		{ 0xfff, 0 },
		{ 0x1000, 0x401000 }, /* before the segment's first byte, but mapped with it */
		{ 0x1234, 0x401234 },
		{ 0x2fff, 0x402fff },
		{ 0x3000, 0x8ffff800 }, /* the page that two segments share */
		{ 0x4000, 0x90000800 },
		{ 0x4800, 0 },
		{ 0x9000, 0x80000000 },
		{ 0x9fff, 0x80000fff },
		{ 0xa000, 0 },
		{ UINT64_MAX, 0 },
	};
	static const struct unwind_segment segments[] = { { 0x401234, 0x1234, 0x2000 },
							  { 0x80000000, 0x9000, 0x1000 },
							  { 0x90000000, 0x3800, 0x1000 } };
	struct made *m = made_new();
	struct unwind_request request;
	struct fixture f;
	uint32_t exe;

	assert_int_equal(fixture_init(&f, 3, 1024, 4), 0);
	exe = exes_intern(&f.exes, 0, 1);
	assert_true(exes_missing(&f.exes, exe, 0, 1, &request));
	made_init(m, 0x401000, 3, 0x401000, 3, 5, 0);
	m->answer.segments = segments;
	m->reply.segment_count = 3;
	exes_store(&f.exes, exe, &m->answer, &request, 1);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t vaddr = 0;
		bool is = exes_vaddr(&f.exes, exe, table[i].offset, &vaddr);

		if (is != (table[i].vaddr != 0) || vaddr != table[i].vaddr)
			fail_msg("%#lx: got %#lx", table[i].offset, vaddr);
	}
	munmap(m, sizeof(*m));
	fixture_release(&f);
}

/* What there is no rule for, and why. */
static void test_no_rule(void **state)
{
	static const struct {
		uint64_t offset, into;
		int expected;
	} table[] = {
		{ 0x0, 0, 0 },           { 0x0, 0x2fff, 0 },      { 0x2000, 0xfff, 0 },
		{ 0x2000, 0x1000, 0 }, /* behind its pages: mapped with them, and nothing is said of it */
		{ 0x9000, 0, -ENOEXEC }, { 0x9000, 1, -ENOEXEC },
	};
	struct made *m = made_new();
	struct unwind_request request;
	struct unwind_rule rule;
	struct fixture f;
	uint32_t exe;

	assert_int_equal(fixture_init(&f, 3, 1024, 4), 0);
	exe = exes_intern(&f.exes, 0, 1);
	assert_int_equal(exes_rule(&f.exes, exe, 0, 0, &rule), -EAGAIN);
	assert_true(exes_missing(&f.exes, exe, 0, 1, &request));
	made_init(m, 0x1000, 3, 0x1000, 3, 5, 0);
	assert_int_equal(exes_store(&f.exes, exe, &m->answer, &request, 1), 0);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int r = exes_rule(&f.exes, exe, table[i].offset, table[i].into, &rule);

		if (r != table[i].expected)
			fail_msg("%#lx + %#lx: got %d, expected %d", table[i].offset, table[i].into,
				 r, table[i].expected);
	}
	assert_int_equal(exes_rule(&f.exes, exe, 0x2000, 0x1000, &rule), 0);
	assert_int_equal(rule.kind, UNWIND_NONE);
	exes_refuse(&f.exes, exe, EXE_REFUSED, 1);
	assert_int_equal(exes_rule(&f.exes, exe, 0, 0, &rule), -ENOTSUP);
	exe = exes_intern(&f.exes, 1, 1);
	exes_refuse(&f.exes, exe, EXE_BAD, 1);
	assert_int_equal(exes_rule(&f.exes, exe, 0, 0, &rule), -ENOEXEC);
	munmap(m, sizeof(*m));
	fixture_release(&f);
}

/* Stores it as one file after another, until there is no room. That one into *ret. */
static int fill(struct fixture *f, const struct made *m, uint32_t first, uint64_t now_ns,
		uint32_t *ret)
{
	struct unwind_request request;
	int r = 0;

	for (uint32_t file = first; r == 0; file++) {
		*ret = exes_intern(&f->exes, file, now_ns);
		assert_true(exes_missing(&f->exes, *ret, 0x5000, now_ns, &request));
		r = exes_store(&f->exes, *ret, &m->answer, &request, now_ns);
	}
	return r;
}

/*
 * On a machine where nothing else happens: who finds no room has it when what made room has left, and not when
 * somebody else comes by.
 */
static void test_quiet(void **state)
{
	const uint64_t begin_ns = 1 + 2 * EXE_KEEP_NS;
	struct made *m = made_new(), *small = made_new();
	uint32_t exe = EXE_NONE, last = EXE_NONE, asked = 0;
	struct unwind_request request;
	uint64_t now_ns = begin_ns;
	struct fixture f;
	int r = -ENOSPC;

	made_init(m, 0x1000, 900, 0x1000, 900, 160, 1);
	assert_int_equal(fixture_init(&f, 3, 1024, 1000), 0);
	/* Small ones, too: until there is no room even for an index. */
	made_init(small, 0x1000, 10, 0x1000, 10, 160, 1);
	assert_int_equal(fill(&f, m, 0, 1, &exe), -ENOSPC);
	assert_int_equal(fill(&f, small, 1000, 1, &last), -ENOSPC);
	for (; r < 0 && now_ns < begin_ns + 10 * UNWIND_GRACE_NS; now_ns += 10000000) {
		if (!exes_missing(&f.exes, exe, 0x5000, now_ns, &request))
			continue;
		r = exes_store(&f.exes, exe, &m->answer, &request, now_ns);
		assert_int_equal(r, asked++ ? 0 : -EAGAIN);
	}
	assert_int_equal(asked, 2);
	assert_in_range(now_ns - begin_ns, UNWIND_GRACE_NS, 2 * UNWIND_GRACE_NS + 100000000);
	made_check(m, &f, exe, 1000);
	assert_int_equal(counter_get(&f.counters, COUNTER_UNWIND_EVICTED), 1);
	munmap(m, sizeof(*m));
	munmap(small, sizeof(*small));
	fixture_release(&f);
}

/* Refusals are remembered: for good, or for longer each time. */
static void test_refusals(void **state)
{
	struct unwind_request request;
	struct fixture f;
	uint64_t now_ns = 1, waited_ns = 0, last_ns = 0;
	uint32_t exe;

	assert_int_equal(fixture_init(&f, 1, 1024, 2), 0);
	exe = exes_intern(&f.exes, 5, 1);
	for (int i = 0; i < 6; i++) {
		exes_refuse(&f.exes, exe, EXE_UNKNOWN, now_ns);
		for (waited_ns = 0; !exes_missing(&f.exes, exe, 0, now_ns, &request);
		     waited_ns += 10000000)
			now_ns += 10000000;
		assert_true(waited_ns > last_ns);
		last_ns = waited_ns;
	}
	exes_refuse(&f.exes, exe, EXE_BAD, now_ns);
	assert_false(exes_missing(&f.exes, exe, 0, UINT64_MAX, &request));
	/* Numbers of files that nobody maps are others', those that are held aren't. */
	exes_hold(&f.exes, exe);
	assert_int_equal(exes_intern(&f.exes, 6, now_ns), 1);
	assert_int_equal(exes_intern(&f.exes, 7, now_ns), EXE_NONE);
	assert_int_equal(exes_intern(&f.exes, 7, now_ns + UNWIND_GRACE_NS), 1);
	assert_int_equal(exes_find(&f.exes, 6), EXE_NONE);
	assert_int_equal(exes_find(&f.exes, 5), exe);
	/* Nor are those that the kernel may still have: used long ago, dropped now. */
	now_ns += 10 * UNWIND_GRACE_NS;
	exes_drop(&f.exes, exe, now_ns);
	exes_hold(&f.exes, 1);
	assert_int_equal(exes_intern(&f.exes, 8, now_ns + UNWIND_GRACE_NS - 1), EXE_NONE);
	assert_int_equal(exes_intern(&f.exes, 8, now_ns + UNWIND_GRACE_NS), exe);
	fixture_release(&f);
}

/* Late is asked again, later and later, and then no more; what comes meanwhile is stored as ever. */
static void test_timeouts(void **state)
{
	static const uint64_t delays_ns[] = { 10000000000ULL, 40000000000ULL };
	struct unwind_request request;
	struct fixture f;
	uint64_t now_ns = 1;
	uint32_t exe, known;

	assert_int_equal(fixture_init(&f, 1, 1024, 2), 0);
	exe = exes_intern(&f.exes, 5, 1);
	known = f.exes.known;
	for (size_t i = 0; i < sizeof(delays_ns) / sizeof(delays_ns[0]); i++) {
		assert_true(exes_missing(&f.exes, exe, 0, now_ns, &request));
		assert_false(exes_time_out(&f.exes, exe, now_ns));
		now_ns += delays_ns[i];
		assert_int_equal(f.exes.all[exe].state, EXE_UNKNOWN);
		assert_false(exes_missing(&f.exes, exe, 0, now_ns - 1, &request));
	}
	assert_true(exes_missing(&f.exes, exe, 0, now_ns, &request));
	assert_int_equal(f.exes.known, known);
	assert_true(exes_time_out(&f.exes, exe, now_ns));
	assert_int_equal(f.exes.all[exe].state, EXE_REFUSED);
	assert_int_not_equal(f.exes.known, known);
	assert_false(exes_missing(&f.exes, exe, 0, UINT64_MAX, &request));
	fixture_release(&f);
}

static int scenario(void *ctx)
{
	struct made *m = ctx;
	struct unwind_request request = { .limit = UINT64_MAX, .max_rows = 1000000 };
	struct fixture f;
	int r = fixture_init(&f, 2, 1024, 4);
	uint32_t exe = EXE_NONE;

	if (r == 0)
		exe = exes_intern(&f.exes, 3, 1);
	if (r == 0 && exe == EXE_NONE)
		r = -ENOMEM;
	if (r == 0) {
		r = exes_store(&f.exes, exe, &m->answer, &request, 1);
		if (r == 0)
			made_check(m, &f, exe, 20);
		else
			assert_null(shown_find(exe, 0x1000));
		/* A chunk that can't be had is a lack of room. */
		if (r == -EAGAIN || r == -ENOSPC)
			r = -ENOMEM;
	}
	if (r != 0 && exe != EXE_NONE)
		assert_int_equal(f.chunks.used, f.chunks.count ? CHUNK_GRAIN_WORDS : 0);
	fixture_release(&f);
	return r;
}

static void test_torture(void **state)
{
	struct made *m = made_new();

	made_init(m, 0x1000, 900, 0x1000, 900, 50, 3);
	assert_true(torture(scenario, m) > 8);
	munmap(m, sizeof(*m));
}

/* A file's number is another file's from now on, unless it is mapped; what the old one has goes when room is wanted. */
static void test_forget(void **state)
{
	struct fixture f;
	uint32_t first, second;

	assert_int_equal(fixture_init(&f, 1, 64, 2), 0);
	assert_true(exes_forget(&f.exes, 5));
	first = exes_intern(&f.exes, 5, 1);
	exes_hold(&f.exes, first);
	assert_false(exes_forget(&f.exes, 5));
	assert_int_equal(exes_find(&f.exes, 5), first);
	exes_drop(&f.exes, first, 2);
	assert_true(exes_forget(&f.exes, 5));
	assert_int_equal(exes_find(&f.exes, 5), EXE_NONE);
	second = exes_intern(&f.exes, 5, 3);
	assert_int_not_equal(second, first);
	/* There is no third number before the first one's time of grace has passed. */
	assert_int_equal(exes_intern(&f.exes, 6, 4), EXE_NONE);
	exes_use(&f.exes, second, 4 + UNWIND_GRACE_NS);
	assert_int_equal(exes_intern(&f.exes, 6, 4 + UNWIND_GRACE_NS), first);
	assert_int_equal(exes_find(&f.exes, 5), second);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forget),        cmocka_unit_test(test_random),
		cmocka_unit_test(test_regions),       cmocka_unit_test(test_vaddr),
		cmocka_unit_test(test_refusals),      cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_torture),       cmocka_unit_test(test_odd_answers),
		cmocka_unit_test(test_many_segments), cmocka_unit_test(test_no_rule),
		cmocka_unit_test(test_quiet),         cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
