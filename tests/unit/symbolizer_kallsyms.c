// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/symbolizer_ask.h"

#include <fcntl.h>

#define S 0xffffffff81000000ull
#define M 0xffffffffc0200000ull
#define MAX_QUERIES 12

struct query {
	uint64_t address;
	const char *text;
};

struct sample {
	const char *name, *kallsyms, *modules;
	enum symbol_status status;
	struct query queries[MAX_QUERIES];
};

static const char ordinary[] = "ffffffff81000000 T _stext\n"
			       "ffffffff81000000 T _text\n"
			       "ffffffff81000100 T first\n"
			       "ffffffff81000200 t second\n"
			       "ffffffff81000300 D data\n"
			       "ffffffff81000400 T last\n"
			       "ffffffff81000500 T _etext\n"
			       "ffffffff81000800 B _end\n";

static const char with_modules[] = "ffffffff81000000 T _stext\n"
				   "ffffffff81000100 T kernel_end\n"
				   "ffffffffc0200100 t m_one\t[m]\n"
				   "ffffffffc0200200 t m_two\t[m]\n"
				   "ffffffffc0300000 t n_one\t[n]\n"
				   "ffffffffc0400000 t bpf_prog_6deef7357e7b4530_sd_fw\t[bpf]\n"
				   "ffffffffc0400100 t bpf_prog_6deef7357e7b4530\t[bpf]\n";

/* clang-format off */
static const struct sample samples[] = {
	{ "in order", ordinary, NULL, SYMBOLS_OK, {
		{ S - 1, "?" },
		{ S, "_text 0+100" },
		{ S + 0xff, "_text 0+100" },
		{ S + 0x100, "first 100+100" },
		{ S + 0x1ff, "first 100+100" },
		{ S + 0x200, "second 200+100" },
		{ S + 0x2ff, "second 200+100" },
		{ S + 0x300, "?" },
		{ S + 0x4ff, "last 400+100" },
		{ S + 0x500, "?" },
		{ S + 0x800, "?" },
		{ UINT64_MAX, "?" },
	} },
	{ "out of order",
	  "ffffffff81000300 T c\n" "ffffffff81000100 T a\n" "ffffffff81000000 T _stext\n"
	  "ffffffff81000200 T b\n" "ffffffff81000180 T between\n", NULL, SYMBOLS_OK, {
		{ S + 0x17f, "a 100+80" }, { S + 0x180, "between 180+80" },
		{ S + 0x1ff, "between 180+80" }, { S + 0x2ff, "b 200+100" },
		{ S + 0x300, "c 300+10000" }, { S + 0x102ff, "c 300+10000" }, { S + 0x10300, "?" },
	} },
	{ "the same, asked for one address, which is a start",
	  "ffffffff81000300 T c\n" "ffffffff81000100 T a\n" "ffffffff81000000 T _stext\n", NULL,
	SYMBOLS_OK, {
		{ S + 0x100, "a 100+200" },
	} },
	{ "aliases: global, weak, local; data; underscores; length; alphabet",
	  "ffffffff81000000 T _stext\n"
	  "ffffffff81000100 t local\n" "ffffffff81000100 T the_global\n" "ffffffff81000100 W weak\n"
	  "ffffffff81000200 D data\n" "ffffffff81000200 t code\n"
	  "ffffffff81000300 T __x64_sys_read\n" "ffffffff81000300 T _read\n"
	  "ffffffff81000400 T long_name\n" "ffffffff81000400 T name\n"
	  "ffffffff81000500 T bb\n" "ffffffff81000500 T aa\n" "ffffffff81000500 T cc\n", NULL,
	SYMBOLS_OK, {
		{ S + 0x100, "the_global 100+100" }, { S + 0x200, "code 200+100" },
		{ S + 0x300, "_read 300+100" }, { S + 0x400, "name 400+100" },
		{ S + 0x500, "aa 500+10000" },
	} },
	{ "modules without /proc/modules: relative to the lowest symbol, 64 KiB behind the last",
	  with_modules, NULL, SYMBOLS_OK, {
		{ S + 0x100, "kernel_end 100+10000" }, { S + 0x10100, "?" },
		{ M, "?" }, { M + 0x100, "m:m_one 0+100" }, { M + 0x1ff, "m:m_one 0+100" },
		{ M + 0x200, "m:m_two 100+10000" }, { M + 0x101ff, "m:m_two 100+10000" },
		{ M + 0x10200, "?" },
		{ M + 0x100000, "n:n_one 0+10000" },
		{ M + 0x200000, "bpf:bpf_prog_6deef7357e7b4530_sd_fw 0+100" },
		{ M + 0x200100, "bpf:bpf_prog_6deef7357e7b4530 100+10000" },
	} },
	{ "modules with /proc/modules: relative to the base, to the end of the size", with_modules,
	  "m 4096 1 n,other, Live 0xffffffffc0200000 (OE)\n" "n 8192 0 - Live 0xffffffffc0300000\n",
	SYMBOLS_OK, {
		{ M, "?" }, { M + 0x100, "m:m_one 100+100" }, { M + 0xfff, "m:m_two 200+e00" },
		{ M + 0x1000, "?" },
		{ M + 0x101fff, "n:n_one 0+2000" }, { M + 0x102000, "?" },
	} },
	{ "BPF programs far apart end 64 KiB on",
	  "ffffffff81000000 T _stext\n"
	  "ffffffffc0200000 t bpf_prog_a\t[bpf]\n" "ffffffffc0300000 t bpf_prog_b\t[bpf]\n", NULL,
	SYMBOLS_OK, {
		{ M, "bpf:bpf_prog_a 0+10000" }, { M + 0xffff, "bpf:bpf_prog_a 0+10000" },
		{ M + 0x10000, "?" }, { M + 0x100000, "bpf:bpf_prog_b 100000+10000" },
	} },
	{ "what calls BPF programs is a page at most",
	  "ffffffff81000000 T _stext\n"
	  "ffffffffc0200000 t bpf_dispatcher_xdp\t[bpf]\n"
	  "ffffffffc0210000 t bpf_trampoline_1\t[bpf]\n"
	  "ffffffffc0220000 t bpf_dispatcher_\t[bpf]\n", NULL,
	SYMBOLS_OK, {
		{ M + 0xfff, "bpf:bpf_dispatcher_xdp 0+1000" }, { M + 0x1000, "?" },
		{ M + 0x10fff, "bpf:bpf_trampoline_1 10000+1000" }, { M + 0x11000, "?" },
		{ M + 0x2ffff, "bpf:bpf_dispatcher_ 20000+10000" },
	} },
	{ "what has no size ends where a module begins, though its first symbol is further on",
	  "ffffffff81000000 T _stext\n" "ffffffffc0200000 t bpf_a\t[bpf]\n"
	  "ffffffffc0203000 t m_one\t[m]\n" "ffffffffc0206000 t bpf_b\t[bpf]\n"
	  "ffffffffc0209000 t n_one\t[n]\n",
	  "n 8192 0 - Live 0xffffffffc0208000\n" "m 16384 0 - Live 0xffffffffc0202000\n",
	SYMBOLS_OK, {
		{ M + 0x1fff, "bpf:bpf_a 0+2000" }, { M + 0x2000, "?" }, { M + 0x2fff, "?" },
		{ M + 0x3000, "m:m_one 1000+3000" }, { M + 0x5fff, "m:m_one 1000+3000" },
		{ M + 0x6000, "bpf:bpf_b 6000+2000" }, { M + 0x7fff, "bpf:bpf_b 6000+2000" },
		{ M + 0x8000, "?" }, { M + 0x9000, "n:n_one 1000+1000" },
	} },
	{ "a size that reaches into the next module: that of data, too, elsewhere",
	  "ffffffff81000000 T _stext\n" "ffffffffc0200100 t m_one\t[m]\n"
	  "ffffffffc0202100 t n_one\t[n]\n",
	  "m 16384 0 - Live 0xffffffffc0200000\n" "n 16384 0 - Live 0xffffffffc0202000\n",
	SYMBOLS_OK, {
		{ M + 0x1fff, "m:m_one 100+1f00" }, { M + 0x2000, "?" }, { M + 0x20ff, "?" },
		{ M + 0x2100, "n:n_one 100+3f00" },
	} },
	{ "a module without symbols of code",
	  "ffffffff81000000 T _stext\n" "ffffffffc0202100 d m_data\t[m]\n"
	  "ffffffffc0204100 t n_one\t[n]\n",
	  "m 16384 0 - Live 0xffffffffc0202000\n" "n 4096 0 - Live 0xffffffffc0204000\n"
	  "o 4096 0 - Live 0xffffffffc0200000\n",
	SYMBOLS_OK, {
		{ M + 0x2200, "m:?" }, { M + 0x3fff, "m:?" }, { M + 0x4000, "?" },
		{ M + 0x4100, "n:n_one 100+f00" },
	} },
	{ "modules whose bases are hidden", with_modules, "m 4096 1 - Live 0x0000000000000000\n",
	SYMBOLS_OK, {
		{ M + 0x100, "m:m_one 0+100" },
	} },
	{ "/proc/modules is rubbish", with_modules, "m\n" "\n" "m x 0 - Live 0xffffffffc0200000\n"
	  "m 4096 0 - Live c0200000\n" "m 4096 0 - Live 0xzz\n" "\xff\xfe 1 1 1 1 1 1 1 1\n",
	SYMBOLS_DAMAGED, {
		{ M + 0x100, "m:m_one 0+100" },
	} },
	{ "no _stext: the lowest symbol of code", "ffffffff81000100 T a\n"
	"ffffffff81000050 D d\n", NULL, SYMBOLS_OK, {
		{ S + 0x50, "?" }, { S + 0x100, "a 0+10000" },
	} },
	{ "hidden addresses", "0000000000000000 T _stext\n" "0000000000000000 T first\n", NULL,
	SYMBOLS_NO_ADDRESSES, {
		{ 0, "?" }, { S, "?" },
	} },
	{ "nothing", "", NULL, SYMBOLS_NO_TABLE, { { S, "?" } } },
	{ "address 0 and the last one", "ffffffff81000000 T _stext\n"
	"ffffffffffffffff T top\n", NULL, SYMBOLS_OK, {
		{ 0, "?" }, { UINT64_MAX, "?" },
	} },
	{ "rubbish between good lines",
	  "ffffffff81000000 T _stext\n" "\n" "x\n" "ffffffff81000080\n" "ffffffff81000080 T\n"
	"ffffffff81000080 T \n"
	  "fffffffff81000080 T too_long\n" " T no_address\n" "ffffffff8100008g T not_hex\n"
	"ffffffff81000080  two\n"
	  "ffffffff81000080 T name with spaces\n" "ffffffff81000080 T name\tmodule\n"
	"ffffffff81000080 T name\t[module\n"
	  "ffffffff81000080 T name\t[mod ule]\n" "ffffffff81000080 T carriage\r\n"
	"ffffffff81000080 T name\t[]\n"
	  "ffffffff81000100 T good\n" "ffffffff81000180 T unfinished", NULL, SYMBOLS_DAMAGED, {
		{ S + 0x80, "_stext 0+100" }, { S + 0x100, "good 100+10000" },
		{ S + 0x200, "good 100+10000" },
	} },
};
/* clang-format on */

static void check_sample(const struct sample *s)
{
	int fds[2] = { memory_file(s->kallsyms, strlen(s->kallsyms)), -1 };
	uint64_t addresses[MAX_QUERIES];
	uint32_t count = 0;
	struct asked a;

	if (s->modules)
		fds[1] = memory_file(s->modules, strlen(s->modules));
	for (; count < MAX_QUERIES && s->queries[count].text; count++)
		addresses[count] = s->queries[count].address;
	ask(&a, SYMBOLS_KERNEL, fds, s->modules ? 2 : 1, addresses, count);
	for (uint32_t i = 0; i < count; i++) {
		char text[200], got[300], want[300];

		asked_text(&a, i, text, sizeof(text));
		snprintf(got, sizeof(got), "%s: %llx %s", s->name, (unsigned long long)addresses[i],
			 text);
		snprintf(want, sizeof(want), "%s: %llx %s", s->name,
			 (unsigned long long)addresses[i], s->queries[i].text);
		assert_string_equal(got, want);
	}
	assert_int_equal(a.symbols.reply->status, s->status);
	asked_release(&a);
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
}

static void test_samples(void **state)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check_sample(&samples[i]);
}

/* No kernel address leaves: neither vaddr nor any other field of an answer is one. */
static void test_addresses_are_relative(void **state)
{
	const uint64_t addresses[] = { S - 1, S + 0x123, S + 0x310, S + 0x801, M };
	int fd = memory_file(ordinary, strlen(ordinary));
	const struct symbols *s;
	struct asked a;

	ask(&a, SYMBOLS_KERNEL, &fd, 1, addresses, 5);
	s = &a.symbols;
	assert_int_equal(s->answers[0].vaddr, 0);
	assert_int_equal(s->answers[1].vaddr, 0x123);
	assert_int_equal(s->answers[2].vaddr, 0x310);
	assert_int_equal(s->answers[3].vaddr, 0);
	assert_int_equal(s->answers[4].vaddr, 0);
	assert_int_equal(s->answers[2].module, 0);
	assert_int_equal(s->answers[3].module, SYMBOLS_NONE);
	assert_int_equal(s->reply->module_count, 1);
	assert_int_equal(s->modules[0].start, 0);
	assert_int_equal(s->modules[0].limit, 0x800);
	asked_release(&a);
	close(fd);
}

static void test_bpf_names(void **state)
{
	static const char text[] = "ffffffff81000000 T _stext\n"
				   "ffffffffc0400000 t bpf_prog_6deef7357e7b4530_sd_fw\t[bpf]\n"
				   "ffffffffc0400100 t bpf_prog_6deef7357e7b4530\t[bpf]\n"
				   "ffffffffc0400200 t bpf_prog_6deef7357e7b4530_\t[bpf]\n"
				   "ffffffffc0400300 t bpf_prog_short_name_without_hash\t[bpf]\n";
	const uint64_t addresses[] = { M + 0x200000, M + 0x200100, M + 0x200200, M + 0x200300 };
	const char *const want[] = { "bpf_prog_sd_fw", "bpf_prog_6deef7357e7b4530",
				     "bpf_prog_6deef7357e7b4530_",
				     "bpf_prog_short_name_without_hash" };
	int fd = memory_file(text, strlen(text));
	struct asked a;

	ask(&a, SYMBOLS_KERNEL, &fd, 1, addresses, 4);
	for (uint32_t i = 0; i < 4; i++) {
		const struct symbols *s = &a.symbols;

		assert_int_equal(s->answers[i].function, i);
		assert_string_equal(s->strings + s->functions[i].name, want[i]);
	}
	asked_release(&a);
	close(fd);
}

/* A line of 1 MiB is skipped, and the lines around it are not. */
static void test_long_line(void **state)
{
	struct buffer text = BUFFER_INIT(4 << 20);
	const uint64_t addresses[] = { S, S + 0x80, S + 0x100 };
	const char *const want[] = { "_stext 0+100", "_stext 0+100", "after 100+10000" };
	struct asked a;
	int fd;

	buffer_text(&text, "ffffffff81000000 T _stext\nffffffff81000080 T ");
	memset(buffer_extend(&text, 1 << 20), 'x', 1 << 20);
	buffer_text(&text, "\nffffffff81000100 T after\nffffffff81000200 T ");
	memset(buffer_extend(&text, 1 << 20), 'y', 1 << 20);
	fd = memory_file(text.data, text.len);
	ask(&a, SYMBOLS_KERNEL, &fd, 1, addresses, 3);
	for (uint32_t i = 0; i < 3; i++) {
		char got[100];

		assert_string_equal(asked_text(&a, i, got, sizeof(got)), want[i]);
	}
	assert_int_equal(a.symbols.reply->status, SYMBOLS_DAMAGED);
	asked_release(&a);
	buffer_release(&text);
	close(fd);
}

#define BORDER_LINES 4096u

/*
 * Every border between two reads falls into each part of a line once, and nothing is lost or cut
 * there.
 */
static void test_borders_of_pieces(void **state)
{
	static uint64_t addresses[BORDER_LINES];

	for (uint32_t i = 0; i < BORDER_LINES; i++)
		addresses[i] = S + i + 1;
	for (size_t pad = 0; pad < 48; pad++) {
		struct buffer text = BUFFER_INIT(1 << 20);
		struct asked a;
		int fd;

		buffer_text(&text, "ffffffff81000000 T ");
		memset(buffer_extend(&text, 1 + pad), 'p', 1 + pad);
		buffer_text(&text, "\nffffffff81000000 T _stext\n");
		for (uint32_t i = 0; i < BORDER_LINES; i++)
			buffer_printf(&text, "ffffffff8100%04x T name_%x\n", i + 1, i + 1);
		fd = memory_file(text.data, text.len);
		ask(&a, SYMBOLS_KERNEL, &fd, 1, addresses, BORDER_LINES);
		assert_int_equal(a.symbols.reply->status, SYMBOLS_OK);
		for (uint32_t i = 0; i < BORDER_LINES; i++) {
			char got[100], want[100];

			snprintf(want, sizeof(want), "name_%x %x+%x", i + 1, i + 1,
				 i + 1 < BORDER_LINES ? 1 : 0x10000);
			assert_string_equal(asked_text(&a, i, got, sizeof(got)), want);
		}
		asked_release(&a);
		buffer_release(&text);
		close(fd);
	}
}

/* More modules than there can be: the names that were found stay, the status says it. */
static void test_too_many_modules(void **state)
{
	struct buffer text = BUFFER_INIT(1 << 20);
	const uint64_t address = S + 0x10;
	char got[100];
	struct asked a;
	int fd;

	buffer_text(&text, "ffffffff81000000 T _stext\n");
	for (unsigned int i = 0; i < 5000; i++)
		buffer_printf(&text, "ffffffffc0%06x t f\t[m%u]\n", i * 16, i);
	fd = memory_file(text.data, text.len);
	ask(&a, SYMBOLS_KERNEL, &fd, 1, &address, 1);
	assert_int_equal(a.symbols.reply->status, SYMBOLS_LIMIT);
	assert_string_equal(asked_text(&a, 0, got, sizeof(got)), "_stext 0+10000");
	asked_release(&a);
	buffer_release(&text);
	close(fd);
}

/*
 * Lines in no order, so that names of symbols that were replaced stay behind, until there is no room
 * for the next: the one who needed it has no name, rather than somebody else's.
 */
static void test_too_many_names(void **state)
{
	enum { LINES = 9000, NAME = 4000 };
	struct buffer text = BUFFER_INIT(64 << 20);
	const uint64_t addresses[] = { S + 0x100000, S + 0x190000 };
	uint32_t unnamed = 0;
	struct asked a;
	int fd;

	buffer_text(&text, "ffffffff81000000 T _stext\n");
	for (unsigned int i = 0; i < LINES; i++)
		buffer_printf(&text, "%llx T n%0*u\n", S + 0x80000 + (i & 1) * 0x100000 + i,
			      NAME - 1, i);
	fd = memory_file(text.data, text.len);
	ask(&a, SYMBOLS_KERNEL, &fd, 1, addresses, 2);
	assert_int_equal(a.symbols.reply->status, SYMBOLS_LIMIT);
	for (uint32_t i = 0; i < 2; i++) {
		const struct symbol_function *f;
		char want[NAME + 1];

		if (a.symbols.answers[i].function == SYMBOLS_NONE) {
			unnamed++;
			continue;
		}
		f = &a.symbols.functions[a.symbols.answers[i].function];
		snprintf(want, sizeof(want), "n%0*u", NAME - 1, (unsigned int)(f->start & 0xffff));
		assert_string_equal(a.symbols.strings + f->name, want);
	}
	assert_int_equal(unnamed, 1);
	asked_release(&a);
	buffer_release(&text);
	close(fd);
}

/* More names than a reply holds: those that fit stay, and the others' modules are told. */
static void test_full_reply(void **state)
{
	enum { LINES = 4000, NAME = 4000 };
	struct buffer text = BUFFER_INIT(64 << 20);
	static uint64_t addresses[LINES];
	uint32_t named = 0;
	struct asked a;
	int fd;

	for (uint32_t i = 0; i < LINES; i++) {
		buffer_printf(&text, "%llx T n%0*u\n", S + i, NAME - 1, i);
		addresses[i] = S + i;
	}
	fd = memory_file(text.data, text.len);
	ask(&a, SYMBOLS_KERNEL, &fd, 1, addresses, LINES);
	assert_int_equal(a.symbols.reply->status, SYMBOLS_LIMIT);
	for (uint32_t i = 0; i < LINES; i++) {
		const struct symbol_answer *answer = &a.symbols.answers[i];
		char want[NAME + 1];

		assert_int_equal(answer->module, 0);
		assert_int_equal(answer->vaddr, i);
		if (answer->function == SYMBOLS_NONE)
			continue;
		assert_int_equal(named++, i);
		snprintf(want, sizeof(want), "n%0*u", NAME - 1, i);
		assert_string_equal(a.symbols.strings + a.symbols.functions[answer->function].name,
				    want);
	}
	assert_in_range(named, LINES / 2, LINES - 1);
	asked_release(&a);
	buffer_release(&text);
	close(fd);
}

/*
 * This machine's own table: the start of a function is answered with it, and so is its last byte.
 */
static void test_real(void **state)
{
	struct buffer text = BUFFER_INIT(64 << 20);
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	uint64_t address = 0;
	char name[128] = "";
	const char *line;
	struct asked a;

	if (fd < 0 || buffer_read_fd(&text, fd) < 0)
		skip();
	line = strstr(buffer_cstr(&text), " T vfs_read\n");
	if (line)
		address = strtoull(line - 16, NULL, 16);
	buffer_release(&text);
	if (!address) {
		close(fd);
		skip();
	}
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	ask(&a, SYMBOLS_KERNEL, &fd, 1, &address, 1);
	asked_text(&a, 0, name, sizeof(name));
	name[strcspn(name, " ")] = '\0';
	assert_string_equal(name, "vfs_read");
	asked_release(&a);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_addresses_are_relative),
		cmocka_unit_test(test_bpf_names),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_borders_of_pieces),
		cmocka_unit_test(test_too_many_modules),
		cmocka_unit_test(test_too_many_names),
		cmocka_unit_test(test_full_reply),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
