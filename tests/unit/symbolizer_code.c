// SPDX-License-Identifier: Apache-2.0
/*
 * Perf maps and jitdumps as text tables: what is at which address, when. A jitdump is written as one line a record.
 */
#include "tests/unit/symbolizer_ask.h"

#include <errno.h>

#include "tests/unit/torture.h"

#define MAX_QUERIES 12
#define NOW UINT64_MAX

struct query {
	uint64_t address;
	uint64_t moment; /* bytes of the map, or time */
	const char *text;
};

static void ask_code(struct asked *a, const int *fds, uint32_t fd_count,
		     const struct query *queries, uint32_t count)
{
	struct symbol_request head = { .space = SYMBOLS_CODE, .count = count };
	struct buffer request = BUFFER_INIT(1 << 20);
	struct err err = { .text = "" };
	int r;

	buffer_init(&a->bytes, SYMBOLS_MAX_REPLY_BYTES);
	buffer_append(&request, &head, sizeof(head));
	for (uint32_t i = 0; i < count; i++)
		buffer_append(&request, &queries[i].address, sizeof(queries[i].address));
	for (uint32_t i = 0; i < count; i++) {
		const struct symbol_moment m = { queries[i].moment, queries[i].moment };

		buffer_append(&request, &m, sizeof(m));
	}
	r = request_answer(request.data, request.len, fds, fd_count, &a->bytes);
	buffer_release(&request);
	assert_int_equal(r, 0);
	r = symbols_check(a->bytes.data, a->bytes.len, count, &a->symbols, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(r, 0);
}

static uint32_t query_count(const struct query *queries)
{
	uint32_t n = 0;

	while (n < MAX_QUERIES && queries[n].text)
		n++;
	return n;
}

static void expect(const char *name, const int *fds, uint32_t fd_count, enum symbol_status status,
		   const struct query *queries)
{
	uint32_t count = query_count(queries);
	struct asked a;
	char text[8192];

	ask_code(&a, fds, fd_count, queries, count);
	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(asked_text(&a, i, text, sizeof(text)), queries[i].text) != 0)
			fail_msg("%s: %llx is \"%s\", not \"%s\"", name,
				 (unsigned long long)queries[i].address, text, queries[i].text);
	}
	if (a.symbols.reply->status != status)
		fail_msg("%s: status %u, not %u", name, a.symbols.reply->status, status);
	asked_release(&a);
}

/* ---- perf maps ---- */

struct sample {
	const char *name, *map;
	enum symbol_status status;
	struct query queries[MAX_QUERIES];
};

/* clang-format off */
static const struct sample samples[] = {
	{ "as they are written: V8, perf-map-agent, the JDK, .NET, CPython, Julia, PHP",
	  "3e0f0a40 1c LazyCompile:*fibonacci /srv/app.js:1:19\n"
	  "7f1000001000 40 Ljava/util/HashMap;::hash\n"
	  "0x00007f1000002000 0x0000000000000280 int java.lang.String.hashCode()\n"
	  "00007F1000003000 1a void [System.Private.CoreLib] System.Threading.Thread::Run(int32)[OptimizedTier1]\n"
	  "7f1000004000 b py::<module>:/srv/main.py\n"
	  "7f1000005000 80 julia_mandel_112\n"
	  "7f1000006000 200 TRACE-2$App\\Kernel::handle$35\n", SYMBOLS_OK, {
		{ 0x3e0f0a3f, NOW, "?" },
		{ 0x3e0f0a40, NOW, "LazyCompile:*fibonacci /srv/app.js:1:19 3e0f0a40+1c" },
		{ 0x3e0f0a5b, NOW, "LazyCompile:*fibonacci /srv/app.js:1:19 3e0f0a40+1c" },
		{ 0x3e0f0a5c, NOW, "?" },
		{ 0x7f1000001000, NOW, "Ljava/util/HashMap;::hash 7f1000001000+40" },
		{ 0x7f1000002001, NOW, "int java.lang.String.hashCode() 7f1000002000+280" },
		{ 0x7f1000003019, NOW, "void [System.Private.CoreLib] System.Threading.Thread::Run(int32)[OptimizedTier1] 7f1000003000+1a" },
		{ 0x7f1000004000, NOW, "py::<module>:/srv/main.py 7f1000004000+b" },
		{ 0x7f100000507f, NOW, "julia_mandel_112 7f1000005000+80" },
		{ 0x7f1000006000, NOW, "TRACE-2$App\\Kernel::handle$35 7f1000006000+200" },
	} },
	{ "in any order; the later line has what both have",
	  "2000 100 b\n" "1000 100 a\n" "1080 100 c\n", SYMBOLS_OK, {
		{ 0xfff, NOW, "?" }, { 0x107f, NOW, "a 1000+100" }, { 0x1080, NOW, "c 1080+100" },
		{ 0x117f, NOW, "c 1080+100" }, { 0x1180, NOW, "?" }, { 0x2000, NOW, "b 2000+100" },
	} },
	/* lines end at 9, 18 and 27 bytes */
	{ "an address that is used again: by what was there then",
	  "1000 8 a\n" "1000 8 b\n" "1000 8 c\n", SYMBOLS_OK, {
		{ 0x1000, 0, "a 1000+8" }, { 0x1000, 8, "a 1000+8" }, { 0x1000, 9, "a 1000+8" },
		{ 0x1000, 17, "a 1000+8" }, { 0x1000, 18, "b 1000+8" }, { 0x1000, 26, "b 1000+8" },
		{ 0x1000, 27, "c 1000+8" }, { 0x1000, NOW, "c 1000+8" },
	} },
	{ "one that came later stands in for none, the first of them",
	  "2000 8 a\n" "1000 8 b\n" "1000 8 c\n", SYMBOLS_OK, {
		{ 0x1000, 9, "b 1000+8" }, { 0x1000, 18, "b 1000+8" }, { 0x1000, 27, "c 1000+8" },
	} },
	{ "a line counts once it has ended", "1000 8 a\n" "1000 8 b", SYMBOLS_OK, {
		{ 0x1000, NOW, "a 1000+8" },
	} },
	{ "lines that are none",
	  "\n" "\n" "1000 8\n" "1000 8 \n" "1000  8 a\n" " 1000 8 a\n" "1000\t8 a\n" "-1000 8 a\n" "1000 8h a\n"
	  "0x 8 a\n" "10000000000000000 8 a\n" "000000000000001000 8 a\n" "# a comment\n" "1008 8 good\n", SYMBOLS_DAMAGED, {
		{ 0x1000, NOW, "a 1000+8" }, { 0x1008, NOW, "good 1008+8" },
	} },
	{ "no size, and sizes that wrap", "1000 0 a\n" "ffffffffffffffff 2 b\n" "fffffffffffffff0 f c\n", SYMBOLS_DAMAGED, {
		{ 0x1000, NOW, "?" }, { 0xfffffffffffffffeull, NOW, "c fffffffffffffff0+f" },
		{ UINT64_MAX, NOW, "?" },
	} },
	{ "no size alone is nothing wrong", "1000 0 a\n", SYMBOLS_OK, { { 0x1000, NOW, "?" } } },
	{ "nothing", "", SYMBOLS_OK, { { 0x1000, NOW, "?" } } },
	{ "C++ is demangled, but shown here as it stands", "1000 8 _ZN3foo3barEv\n", SYMBOLS_OK, {
		{ 0x1000, NOW, "_ZN3foo3barEv 1000+8" },
	} },
};
/* clang-format on */

static void test_maps(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		int fd = memory_file(samples[i].map, strlen(samples[i].map));

		expect(samples[i].name, &fd, 1, samples[i].status, samples[i].queries);
		close(fd);
	}
}

/* A line that is longer than what is looked at at once, and one whose name is just as long as is shown. */
static void test_long_lines(void **state)
{
	struct buffer map = BUFFER_INIT(1 << 20);
	char *shown = calloc(1, SYMBOLS_MAX_NAME + 64);
	struct query queries[MAX_QUERIES] = { { 0x1000, NOW, shown }, { 0x2000, NOW, "b 2000+8" } };
	int fd;

	(void)state;
	assert_non_null(shown);
	for (size_t len = SYMBOLS_MAX_NAME - 1; len < 300000; len = len * 3 / 2 + 1) {
		size_t most = len < SYMBOLS_MAX_NAME ? len : SYMBOLS_MAX_NAME;

		memset(shown, 'x', most);
		snprintf(shown + most, 64, " 1000+8");
		buffer_clear(&map);
		buffer_text(&map, "1000 8 ");
		memset(buffer_extend(&map, len), 'x', len);
		buffer_text(&map, "\n2000 8 b\n");
		fd = memory_file(map.data, map.len);
		expect("long", &fd, 1, SYMBOLS_OK, queries);
		close(fd);
	}
	buffer_release(&map);
	free(shown);
}

/* Each name once, however many addresses have it. */
static void test_functions_once(void **state)
{
	static const char map[] = "1000 100 a\n2000 100 b\n";
	static const struct query queries[] = { { 0x1000, NOW, "" },
						{ 0x1001, 0, "" },
						{ 0x1002, NOW, "" },
						{ 0x2000, 5, "" },
						{ 0x2001, NOW, "" } };
	int fd = memory_file(map, sizeof(map) - 1);
	struct asked a;

	(void)state;
	ask_code(&a, &fd, 1, queries, 5);
	assert_int_equal(a.symbols.reply->function_count, 2);
	assert_int_equal(a.symbols.answers[4].vaddr, 0x2001);
	asked_release(&a);
	close(fd);
}

/* ---- jitdumps ---- */

struct dump_record {
	uint32_t kind, bytes;
	uint64_t time_ns;
	uint32_t pid, tid;
	uint64_t vma, words[4]; /* load: address, size, number; move: from, to, size, number */
};

static void dump_header(struct buffer *dump, uint64_t flags)
{
	const uint32_t words[] = { 0x4a695444, 1, 40, 62, 0, 1 };
	const uint64_t time_ns = 1;

	buffer_append(dump, words, sizeof(words));
	buffer_append(dump, &time_ns, sizeof(time_ns));
	buffer_append(dump, &flags, sizeof(flags));
}

static void dump_load(struct buffer *dump, uint64_t time_ns, uint64_t address, uint64_t size,
		      uint64_t number, const char *name)
{
	struct dump_record r = { .time_ns = time_ns, .words = { address, size, number } };
	size_t name_bytes = strlen(name) + 1;
	unsigned char code[64] = { 0x90 };

	r.bytes = (uint32_t)(56 + name_bytes + sizeof(code));
	buffer_append(dump, &r, 56);
	buffer_append(dump, name, name_bytes);
	buffer_append(dump, code, sizeof(code));
}

static void dump_move(struct buffer *dump, uint64_t time_ns, uint64_t from, uint64_t to,
		      uint64_t size, uint64_t number)
{
	struct dump_record r = {
		.kind = 1, .bytes = 64, .time_ns = time_ns, .words = { from, to, size, number }
	};

	buffer_append(dump, &r, 64);
}

/* Of a kind that is passed over. */
static void dump_other(struct buffer *dump, uint32_t kind, uint32_t bytes)
{
	struct dump_record r = { .kind = kind, .bytes = bytes, .time_ns = 5 };
	unsigned char *rest;

	buffer_append(dump, &r, 16);
	rest = bytes > 16 ? buffer_extend(dump, bytes - 16) : NULL;
	if (rest)
		memset(rest, 0xff, bytes - 16);
}

static void expect_dump(const char *name, const struct buffer *dump, enum symbol_status status,
			const struct query queries[MAX_QUERIES])
{
	int fd = memory_file(dump->data, dump->len);

	expect(name, &fd, 1, status, queries);
	close(fd);
}

static void dump_ordinary(struct buffer *dump)
{
	dump_header(dump, 0);
	dump_load(dump, 10, 0x1000, 0x10, 1, "a");
	dump_other(dump, 2, 100);
	dump_load(dump, 20, 0x1000, 0x10, 2, "b of 20");
	dump_other(dump, 4, 200000);
	dump_load(dump, 15, 0x1000, 0x10, 3, "written late");
	dump_move(dump, 30, 0x1000, 0x2000, 0x10, 2);
	dump_other(dump, 3, 16);
	dump_load(dump, 40, 0x3000, 0x10, 4, "behind the close");
}

static void test_dumps(void **state)
{
	static const struct query queries[MAX_QUERIES] = {
		{ 0xfff, NOW, "?" },
		{ 0x1000, 0, "a 1000+10" },
		{ 0x1000, 10, "a 1000+10" },
		{ 0x1000, 14, "a 1000+10" },
		{ 0x1000, 15, "written late 1000+10" },
		{ 0x100f, 19, "written late 1000+10" },
		{ 0x100f, 20, "b of 20 1000+10" },
		{ 0x100f, NOW, "b of 20 1000+10" },
		{ 0x1010, NOW, "?" },
		{ 0x2000, 30, "b of 20 2000+10" },
		{ 0x3000, 40, "behind the close 3000+10" },
	};
	struct buffer dump = BUFFER_INIT(1 << 20);

	(void)state;
	dump_ordinary(&dump);
	expect_dump("ordinary", &dump, SYMBOLS_OK, queries);
	buffer_release(&dump);
}

/* With the processor's time the order in the file is all that there is. */
static void test_processor_time(void **state)
{
	static const struct query queries[MAX_QUERIES] = { { 0x1000, 10, "written late 1000+10" } };
	struct buffer dump = BUFFER_INIT(1 << 20);

	(void)state;
	dump_ordinary(&dump);
	dump.data[32] = 1;
	expect_dump("processor's time", &dump, SYMBOLS_OK, queries);
	buffer_release(&dump);
}

/* Cut anywhere, it has what was whole. */
static void test_cut_dumps(void **state)
{
	static const struct query queries[] = { { 0x1000, 10, "" }, { 0x2000, 30, "" } };
	struct buffer dump = BUFFER_INIT(1 << 20);
	size_t first_at;

	(void)state;
	dump_header(&dump, 0);
	dump_load(&dump, 10, 0x1000, 0x10, 1, "a");
	first_at = 40 + 56 + 2; /* header, load, its name */
	dump_move(&dump, 30, 0x1000, 0x2000, 0x10, 1);
	for (size_t len = 0; len <= dump.len; len++) {
		int fd = memory_file(dump.data, len);
		struct asked a;
		char text[64];

		ask_code(&a, &fd, 1, queries, 2);
		asked_text(&a, 0, text, sizeof(text));
		assert_string_equal(text, len < first_at - 1 ? "?" : "a 1000+10");
		asked_text(&a, 1, text, sizeof(text));
		assert_string_equal(text, len < dump.len ? "?" : "a 2000+10");
		asked_release(&a);
		close(fd);
	}
	buffer_release(&dump);
}

static void test_bad_dumps(void **state)
{
	static const struct query queries[MAX_QUERIES] = { { 0x1000, NOW, "a 1000+10" },
							   { 0x2000, NOW, "?" } };
	static const struct query nothing[MAX_QUERIES] = { { 0x1000, NOW, "?" } };
	struct buffer dump = BUFFER_INIT(1 << 20);
	char zeros[100] = "";

	(void)state;
	dump_header(&dump, 0);
	dump_load(&dump, 10, 0x1000, 0x10, 1, "a");
	dump_move(&dump, 20, 0x9000, 0x2000, 0x10, 77); /* of a load that there isn't */
	expect_dump("a move of nothing", &dump, SYMBOLS_OK, queries);
	buffer_append(&dump, zeros, sizeof(zeros));
	expect_dump("zeros", &dump, SYMBOLS_OK, queries);
	dump.len -= sizeof(zeros);
	dump_other(&dump, 0, 15);
	expect_dump("a record smaller than its head", &dump, SYMBOLS_DAMAGED, queries);
	dump.len -= 16;
	dump_other(&dump, 0, 16);
	expect_dump("a load without anything", &dump, SYMBOLS_DAMAGED, queries);
	dump.len -= 16;
	dump_load(&dump, 30, UINT64_MAX, 2, 2, "wraps");
	expect_dump("a size that wraps", &dump, SYMBOLS_DAMAGED, queries);
	dump.data[4] = 2;
	expect_dump("another version", &dump, SYMBOLS_DAMAGED, nothing);
	dump.data[4] = 1;
	dump.data[8] = 39;
	expect_dump("a short header", &dump, SYMBOLS_DAMAGED, nothing);
	dump.data[0] = 0;
	expect_dump("no jitdump: a perf map of rubbish", &dump, SYMBOLS_DAMAGED, nothing);
	buffer_release(&dump);
}

/* ---- both ---- */

static void test_both(void **state)
{
	static const char map[] = "1000 10 of the map\n4000 10 only there\n";
	static const struct query queries[MAX_QUERIES] = { { 0x1000, NOW, "b of 20 1000+10" },
							   { 0x4000, NOW, "only there 4000+10" },
							   { 0x5000, NOW, "?" } };
	struct buffer dump = BUFFER_INIT(1 << 20);
	int fds[2], turned[2];

	(void)state;
	dump_ordinary(&dump);
	fds[0] = turned[1] = memory_file(dump.data, dump.len);
	fds[1] = turned[0] = memory_file(map, sizeof(map) - 1);
	expect("both", fds, 2, SYMBOLS_OK, queries);
	expect("the other way round", turned, 2, SYMBOLS_OK, queries);
	close(fds[0]);
	close(fds[1]);
	buffer_release(&dump);
}

/* ---- what would take for ever ---- */

/* Each line holds all that is asked. */
static void test_costly(void **state)
{
	struct query *queries = calloc(SYMBOLS_MAX_CODE_ADDRESSES, sizeof(*queries));
	struct buffer map = BUFFER_INIT(64 << 20);
	struct asked a;
	int fd;

	(void)state;
	assert_non_null(queries);
	for (uint32_t i = 0; i < SYMBOLS_MAX_CODE_ADDRESSES; i++)
		queries[i] = (struct query){ 0x1000 + i, NOW, "" };
	for (uint32_t i = 0; i < 10000; i++)
		buffer_text(&map, "0 ffffffff everywhere\n");
	fd = memory_file(map.data, map.len);
	ask_code(&a, &fd, 1, queries, SYMBOLS_MAX_CODE_ADDRESSES);
	assert_int_equal(a.symbols.reply->status, SYMBOLS_LIMIT);
	assert_int_not_equal(a.symbols.answers[0].function, SYMBOLS_NONE);
	asked_release(&a);
	close(fd);
	buffer_release(&map);
	free(queries);
}

/* A terabyte of nothing. */
static void test_many_lines(void **state)
{
	static const char line[] = "1000 8 a\n";
	static const struct query early[MAX_QUERIES] = { { 0x1000, NOW, "a 1000+8" },
							 { 0x2000, NOW, "?" } };
	struct buffer lines = BUFFER_INIT(1u << 20);
	int fd = memory_file("", 0);

	(void)state;
	for (int i = 0; i < 65536; i++)
		buffer_append(&lines, line, strlen(line));
	for (int i = 0; i < 128; i++)
		assert_int_equal(write(fd, lines.data, lines.len), (ssize_t)lines.len);
	expect("8 million lines", &fd, 1, SYMBOLS_OK, early);
	assert_int_equal(write(fd, "2000 8 b\n", 9), 9);
	expect("a line more", &fd, 1, SYMBOLS_LIMIT, early);
	close(fd);
	buffer_release(&lines);
}

static void test_huge(void **state)
{
	static const char line[] = "1000 10 a\n";
	static const struct query queries[MAX_QUERIES] = { { 0x1000, NOW, "a 1000+10" } };
	int fd = memory_file(line, sizeof(line) - 1);

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	expect("huge", &fd, 1, SYMBOLS_LIMIT, queries);
	close(fd);
}

/* ---- mutants ---- */

#define MUTANTS 20000

/* Whatever becomes of the bytes: a reply that the agent believes. */
static void mutate(const void *bytes, size_t len, uint64_t seed, uint32_t *statuses)
{
	static const struct query queries[] = { { 0x1000, 10, "" },  { 0x1000, NOW, "" },
						{ 0x1008, 15, "" },  { 0x2000, 30, "" },
						{ 0x3000, NOW, "" }, { UINT64_MAX, NOW, "" } };
	unsigned char *copy = malloc(len);

	assert_non_null(copy);
	srandom((unsigned int)seed);
	for (uint32_t i = 0; i < MUTANTS; i++) {
		size_t kept = random() % 4 ? len : (size_t)random() % (len + 1);
		struct asked a;
		int fd;

		memcpy(copy, bytes, len);
		for (long n = random() % 8; n >= 0; n--)
			copy[(size_t)random() % len] = (unsigned char)random();
		fd = memory_file(copy, kept);
		ask_code(&a, &fd, 1, queries, sizeof(queries) / sizeof(queries[0]));
		statuses[a.symbols.reply->status]++;
		asked_release(&a);
		close(fd);
	}
	free(copy);
}

static void test_mutants(void **state)
{
	static const char map[] = "1000 8 a\n0x1000 0x10 int b.c(int)\n2000 100 JS:*d /e.js:1:1\n";
	struct buffer dump = BUFFER_INIT(1 << 20);
	uint32_t statuses[SYMBOLS_STATUS_COUNT] = { 0 };
	uint64_t seed = (uint64_t)getpid();

	(void)state;
	printf("# seed %llu\n", (unsigned long long)seed);
	mutate(map, sizeof(map) - 1, seed, statuses);
	dump_header(&dump, 0);
	dump_load(&dump, 10, 0x1000, 0x10, 1, "a");
	dump_move(&dump, 30, 0x1000, 0x2000, 0x10, 1);
	dump_load(&dump, 40, 0x3000, 0x10, 2, "b");
	mutate(dump.data, dump.len, seed, statuses);
	buffer_release(&dump);
	printf("# %u good, %u damaged, %u too large\n", statuses[SYMBOLS_OK],
	       statuses[SYMBOLS_DAMAGED], statuses[SYMBOLS_LIMIT]);
	assert_true(statuses[SYMBOLS_OK] > MUTANTS / 20);
	assert_true(statuses[SYMBOLS_DAMAGED] > MUTANTS / 20);
}

static void test_requests(void **state)
{
	static const struct {
		struct symbol_request head;
		uint64_t words[6];
	} request = { { SYMBOLS_CODE, 2 }, { 1, 2, 0, 0, 0, 0 } };
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	struct symbol_request many = { SYMBOLS_CODE, SYMBOLS_MAX_CODE_ADDRESSES + 1 };
	size_t many_bytes = sizeof(many) + many.count * 24ul;
	char *bytes = calloc(1, many_bytes);
	int fd = memory_file("", 0);

	(void)state;
	assert_non_null(bytes);
	assert_int_equal(request_answer(&request, sizeof(request), &fd, 1, &reply), 0);
	assert_int_equal(request_answer(&request, sizeof(request) - 8, &fd, 1, &reply), -EPROTO);
	assert_int_equal(request_answer(&request, sizeof(request) - 32, &fd, 1, &reply), -EPROTO);
	assert_int_equal(request_answer(&request, sizeof(request), &fd, 0, &reply), -EPROTO);
	memcpy(bytes, &many, sizeof(many));
	assert_int_equal(request_answer(bytes, many_bytes, &fd, 1, &reply), -EPROTO);
	free(bytes);
	buffer_release(&reply);
	close(fd);
}

static int torture_answer(void *ctx)
{
	static const struct {
		struct symbol_request head;
		uint64_t words[3];
	} request = { { SYMBOLS_CODE, 1 }, { 0x2000, NOW, NOW } };
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	struct symbols s;
	int r = request_answer(&request, sizeof(request), ctx, 1, &reply);

	if (r == 0) {
		assert_int_equal(symbols_check(reply.data, reply.len, 1, &s, NULL), 0);
		assert_true(s.answers[0].function == 0 || s.reply->status == SYMBOLS_LIMIT);
	}
	buffer_release(&reply);
	return r;
}

static void test_torture(void **state)
{
	struct buffer dump = BUFFER_INIT(1 << 20);
	int fd;

	(void)state;
	dump_ordinary(&dump);
	fd = memory_file(dump.data, dump.len);
	assert_true(torture(torture_answer, &fd) > 5);
	close(fd);
	buffer_release(&dump);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps),           cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_functions_once), cmocka_unit_test(test_dumps),
		cmocka_unit_test(test_processor_time), cmocka_unit_test(test_cut_dumps),
		cmocka_unit_test(test_bad_dumps),      cmocka_unit_test(test_both),
		cmocka_unit_test(test_costly),         cmocka_unit_test(test_many_lines),
		cmocka_unit_test(test_huge),           cmocka_unit_test(test_mutants),
		cmocka_unit_test(test_requests),       cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
