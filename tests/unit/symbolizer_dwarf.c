// SPDX-License-Identifier: Apache-2.0
/*
 * DWARF as this compiler writes it: this very program, in which the test knows where it stands. Other compilers and
 * forms are for `make lines-oracle`.
 */
#include "symbolizer/dwarf_walk.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/lines.h"
#include "symbolizer/lines_shelf.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"

#define MAX_BYTES (256u << 20)

/* Where was it called from? A place within the call instruction. */
static __attribute__((noinline)) uintptr_t here(void)
{
	uintptr_t addr = (uintptr_t)__builtin_return_address(0) - 1;

	__asm__ volatile("" : "+r"(addr));
	return addr;
}

enum { INNER_LINE = __LINE__ + 3 };
static inline __attribute__((always_inline)) uintptr_t inner(void)
{
	uintptr_t addr = here();

	__asm__ volatile("" : "+r"(addr)); /* no tail call */
	return addr;
}

enum { MIDDLE_LINE = __LINE__ + 3 };
static inline __attribute__((always_inline)) uintptr_t middle(void)
{
	return inner() + 1;
}

enum { OUTER_LINE = __LINE__ + 3 };
static __attribute__((noinline)) uintptr_t outer(void)
{
	uintptr_t addr = middle();

	__asm__ volatile("" : "+r"(addr));
	return addr - 1;
}

static int first_object(struct dl_phdr_info *info, size_t size, void *ret)
{
	(void)size;
	*(uintptr_t *)ret = info->dlpi_addr;
	return 1;
}

static uint64_t own_vaddr(uintptr_t addr)
{
	uintptr_t base = 0;

	dl_iterate_phdr(first_object, &base);
	return addr - base;
}

static int open_self(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_self(void **state)
{
	_cleanup_(fd_close) int fd = open_self();
	struct buffer image = BUFFER_INIT(1u << 30);
	struct lines_frame frames[LINES_MAX_DEPTH];
	uint32_t lines[] = { INNER_LINE, MIDDLE_LINE, OUTER_LINE };
	const char *names[] = { "inner", "middle", "outer" };
	struct lines x;

	(void)state;
	assert_int_equal(dwarf_walk(fd, -1, MAX_BYTES, &image), 0);
	assert_int_equal(lines_open(&x, image.data, image.len), 0);
	assert_true(x.header->units > 10);
	assert_int_equal(x.header->units_damaged, 0);
	assert_int_equal(lines_find(&x, own_vaddr(outer()), frames, LINES_MAX_DEPTH), 3);
	for (int i = 0; i < 3; i++) {
		const char *file = lines_string(&x, frames[i].file);
		size_t len = strlen(file), tail = strlen("/" __FILE__);

		assert_string_equal(lines_string(&x, frames[i].name), names[i]);
		assert_int_equal(frames[i].line, lines[i]);
		assert_true(len > tail);
		assert_string_equal(file + len - tail, "/" __FILE__);
	}
	buffer_release(&image);
}

/* Made twice, it is the same to the byte; and nothing is kept that isn't the file's. */
static void test_same(void **state)
{
	_cleanup_(fd_close) int fd = open_self();
	struct buffer one = BUFFER_INIT(1u << 30), two = BUFFER_INIT(1u << 30);

	(void)state;
	assert_int_equal(dwarf_walk(fd, -1, MAX_BYTES, &one), 0);
	assert_int_equal(dwarf_walk(fd, -1, MAX_BYTES, &two), 0);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.data, two.data, one.len);
	buffer_release(&one);
	buffer_release(&two);
}

static int memory_copy(int from, size_t len)
{
	int fd = memfd_create("copy", MFD_CLOEXEC);
	char bytes[65536];

	assert_true(fd >= 0);
	for (size_t at = 0; at < len;) {
		ssize_t n = pread(from, bytes, len - at < sizeof(bytes) ? len - at : sizeof(bytes),
				  (off_t)at);

		if (n <= 0)
			break;
		assert_int_equal(write(fd, bytes, (size_t)n), n);
		at += (size_t)n;
	}
	return fd;
}

static void test_failures(void **state)
{
	_cleanup_(fd_close) int self = open_self(), none = memory_copy(self, 0);
	_cleanup_(fd_close) int text = open(__FILE__, O_RDONLY | O_CLOEXEC);
	_cleanup_(fd_close) int cut = memory_copy(self, 100000);
	struct buffer image = BUFFER_INIT(1u << 30);

	(void)state;
	assert_int_equal(dwarf_walk(none, -1, MAX_BYTES, &image), -ENOEXEC);
	if (text >= 0)
		assert_int_equal(dwarf_walk(text, -1, MAX_BYTES, &image), -ENOEXEC);
	assert_int_equal(dwarf_walk(cut, -1, MAX_BYTES, &image), -ENODATA);
	assert_int_equal(dwarf_walk(self, -1, 10000, &image), -E2BIG);
	assert_int_equal(image.len, 0);
	buffer_release(&image);
}

/* By way of a request, twice: the second time it is on the shelf. */
static void test_request(void **state)
{
	_cleanup_(fd_close) int fd = open_self();
	struct {
		struct lines_request head;
		uint64_t addresses[2];
	} request = { { 2, 0 }, { 0, own_vaddr(outer()) } };
	struct lines_shelf shelf = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
		struct lines_answers a;
		struct err err;

		assert_int_equal(
			request_answer_lines(&shelf, &request, sizeof(request), &fd, 1, &reply), 0);
		assert_int_equal(lines_check(reply.data, reply.len, 2, &a, &err), 0);
		assert_int_equal(a.reply->status, SYMBOLS_OK);
		assert_int_equal(a.answers[0].count, 0);
		assert_int_equal(a.answers[1].count, 3);
		assert_string_equal(a.strings + a.places[0].name, "inner");
		assert_int_equal(a.places[2].line, OUTER_LINE);
		assert_true(shelf.image.len > 0);
		buffer_release(&reply);
	}
	lines_shelf_release(&shelf);
}

static const struct {
	const char *what;
	struct lines_request head;
	uint64_t addresses[2];
	size_t len;
	uint32_t fds;
	int want;
} requests[] = {
	{ "good", { 2, 0 }, { 1, 1 }, 24, 1, 0 },
	{ "of nothing", { 0, 0 }, { 0 }, 8, 1, 0 },
	{ "with an alternate", { 1, LINES_WITH_ALTERNATE }, { 5 }, 16, 2, 0 },
	{ "with all", { 1, LINES_WITH_ALL }, { 5 }, 16, 4, 0 },
	{ "of all one too few", { 1, LINES_WITH_ALL }, { 5 }, 16, 3, -EPROTO },
	{ "with what isn't said", { 1, 0 }, { 5 }, 16, 2, -EPROTO },
	{ "with what there isn't", { 1, 8 }, { 5 }, 16, 2, -EPROTO },
	{ "descending", { 2, 0 }, { 2, 1 }, 24, 1, -EPROTO },
	{ "no descriptor", { 1, 0 }, { 1 }, 16, 0, -EPROTO },
	{ "a descriptor too many", { 1, LINES_WITH_ALTERNATE }, { 1 }, 16, 3, -EPROTO },
	{ "half a head", { 0, 0 }, { 0 }, 4, 1, -EPROTO },
	{ "an address too few", { 2, 0 }, { 1, 2 }, 16, 1, -EPROTO },
	{ "an address too many", { 1, 0 }, { 1, 2 }, 24, 1, -EPROTO },
	{ "too many", { UINT32_MAX, 0 }, { 1, 2 }, 24, 1, -EPROTO },
};

static void test_requests(void **state)
{
	_cleanup_(fd_close) int self = open_self(), none = memory_copy(self, 0);
	const int fds[] = { none, none, none, none };

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
		struct lines_shelf shelf = { 0 };
		struct lines_answers a;
		_Alignas(8) char bytes[24];
		int r;

		memcpy(bytes, &requests[i].head, sizeof(requests[i].head));
		memcpy(bytes + 8, requests[i].addresses, 16);
		r = request_answer_lines(&shelf, bytes, requests[i].len, fds, requests[i].fds,
					 &reply);
		if (r != requests[i].want)
			fail_msg("%s: %d, not %d", requests[i].what, r, requests[i].want);
		if (r == 0) {
			assert_int_equal(lines_check(reply.data, reply.len, requests[i].head.count,
						     &a, NULL),
					 0);
			assert_int_equal(a.reply->status, SYMBOLS_NOT_ELF);
		}
		lines_shelf_release(&shelf);
		buffer_release(&reply);
	}
}

/* ---- what costs more than it has bytes ---- */

#define BOMB_CODE 0x1000u
#define BOMB_SECTIONS 6u /* none, names, code, and three of DWARF */

/* Appends a section, and tells where it is. */
static void bomb_section(struct buffer *out, Elf64_Shdr *s, uint32_t name, uint32_t type,
			 const struct buffer *bytes)
{
	*s = (Elf64_Shdr){ .sh_name = name,
			   .sh_type = type,
			   .sh_offset = out->len,
			   .sh_size = bytes->len,
			   .sh_addralign = 1 };
	buffer_append(out, bytes->data, bytes->len);
}

/* A file of a page of code with this DWARF. */
static int bomb_file(const struct buffer *abbrevs, const struct buffer *info,
		     const struct buffer *line)
{
	static const char text[] = "\0.names\0.text\0.debug_abbrev\0.debug_info\0.debug_line";
	struct buffer out = BUFFER_INIT(64u << 20), names = BUFFER_INIT(4096);
	struct buffer code = BUFFER_INIT(4096);
	Elf64_Shdr s[BOMB_SECTIONS] = { 0 };
	Elf64_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(e),
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
		.e_shentsize = sizeof(*s),
		.e_shnum = BOMB_SECTIONS,
		.e_shstrndx = 1,
	};
	Elf64_Phdr p = { .p_type = PT_LOAD,
			 .p_flags = PF_R | PF_X,
			 .p_vaddr = BOMB_CODE,
			 .p_filesz = 256,
			 .p_memsz = 256 };
	int fd = memfd_create("bomb", MFD_CLOEXEC);

	memset(buffer_extend(&code, 256), 0xc3, 256);
	buffer_append(&names, text, sizeof(text));
	e.e_shoff = sizeof(e) + sizeof(p);
	buffer_extend(&out, e.e_shoff + sizeof(s));
	bomb_section(&out, &s[2], 8, SHT_PROGBITS, &code);
	p.p_offset = s[2].sh_offset;
	s[2].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	s[2].sh_addr = BOMB_CODE;
	bomb_section(&out, &s[1], 1, SHT_STRTAB, &names);
	bomb_section(&out, &s[3], 14, SHT_PROGBITS, abbrevs);
	bomb_section(&out, &s[4], 28, SHT_PROGBITS, info);
	bomb_section(&out, &s[5], 40, SHT_PROGBITS, line);
	memcpy(out.data, &e, sizeof(e));
	memcpy(out.data + sizeof(e), &p, sizeof(p));
	memcpy(out.data + e.e_shoff, s, sizeof(s));
	assert_true(fd >= 0 && buffer_error(&out) == 0);
	assert_int_equal(write(fd, out.data, out.len), (ssize_t)out.len);
	buffer_release(&out);
	buffer_release(&names);
	buffer_release(&code);
	return fd;
}

/* A number and what follows it, four bytes wide. */
static void put_sized(struct buffer *out, const char *bytes, size_t len)
{
	uint32_t size = (uint32_t)len;

	buffer_append(out, &size, sizeof(size));
	buffer_append(out, bytes, len);
}

#define BYTES(s) s, sizeof(s) - 1

/*
 * Abbreviations: the unit (1), whose line program is at 0, and an entry (2). Both can have any number of attributes
 * that take no bytes (DW_AT_external, DW_FORM_flag_present).
 */
static const struct bomb {
	const char *what;
	const char *entry; /* the second abbreviation, up to those attributes */
	size_t entry_len;
	uint32_t unit_flags, entry_flags; /* attributes without bytes */
	uint32_t units;
	const char *entries; /* one entry, and how many of them are in a unit */
	size_t entries_len;
	uint32_t count;
	uint16_t version; /* of the line program */
	uint32_t names; /* how many files it says it has */
	int want;
} bombs[] = {
	{ "none", BYTES("\2\x34\0\x03\x08"), 1, 3, 2, BYTES("\2\0"), 100, 5, 100, 0 },
	{ "functions of a byte", BYTES("\2\x2e\0\x11\x21\0"), 0, 1000, 1, BYTES("\2"), 20000, 5, 1,
	  -E2BIG },
	{ "variables of two bytes", BYTES("\2\x34\0\x03\x08"), 0, 1000, 1, BYTES("\2\0"), 20000, 5,
	  1, -E2BIG },
	{ "units", BYTES("\2\x34\0\x03\x08"), 1000, 0, 20000, BYTES("\0"), 1, 5, 1, -E2BIG },
	{ "files without bytes", BYTES("\2\x34\0\x03\x08"), 0, 0, 2000, BYTES("\0"), 1, 5, 1000000,
	  -E2BIG },
	{ "files, again and again", BYTES("\2\x34\0\x03\x08"), 0, 0, 2000, BYTES("\0"), 1, 4,
	  100000, -E2BIG },
};

static void bomb_flags(struct buffer *out, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		buffer_append(out, BYTES("\x3f\x19"));
	buffer_append(out, "\0", 2);
}

static void bomb_line(struct buffer *out, const struct bomb *x)
{
	struct buffer head = BUFFER_INIT(1u << 24), all = BUFFER_INIT(1u << 24);

	buffer_append(&head, BYTES("\1\1\1\xfb\x0e\x0d\0\1\1\1\1\0\0\0\1\0\0\1"));
	if (x->version == 5) {
		/* No directories; files whose one content has no bytes, and their number. */
		buffer_append(&head, BYTES("\0\0\1\1\x19"));
		for (uint32_t n = x->names; n; n >>= 7)
			buffer_append(&head, &(char){ (char)((n & 0x7f) | (n > 0x7f ? 0x80 : 0)) },
				      1);
	} else {
		buffer_append(&head, "\0", 1);
		for (uint32_t i = 0; i < x->names; i++)
			buffer_append(&head, BYTES("a\0\0\0\0"));
		buffer_append(&head, "\0", 1);
	}
	buffer_append(&all, &x->version, sizeof(x->version));
	if (x->version == 5)
		buffer_append(&all, BYTES("\x08\0"));
	put_sized(&all, head.data, head.len);
	put_sized(out, all.data, all.len);
	buffer_release(&head);
	buffer_release(&all);
}

static int bomb_make(const struct bomb *x)
{
	struct buffer abbrevs = BUFFER_INIT(1u << 24), unit = BUFFER_INIT(1u << 24);
	struct buffer info = BUFFER_INIT(1u << 24), line = BUFFER_INIT(1u << 24);
	int fd;

	buffer_append(&abbrevs, BYTES("\1\x11\1\x10\x17"));
	bomb_flags(&abbrevs, x->unit_flags);
	buffer_append(&abbrevs, x->entry, x->entry_len);
	bomb_flags(&abbrevs, x->entry_flags);
	buffer_append(&abbrevs, "\0", 1);
	buffer_append(&unit, BYTES("\5\0\1\x08\0\0\0\0\1\0\0\0\0"));
	for (uint32_t i = 0; i < x->count; i++)
		buffer_append(&unit, x->entries, x->entries_len);
	buffer_append(&unit, "\0", 1);
	for (uint32_t i = 0; i < x->units; i++)
		put_sized(&info, unit.data, unit.len);
	bomb_line(&line, x);
	fd = bomb_file(&abbrevs, &info, &line);
	buffer_release(&abbrevs);
	buffer_release(&unit);
	buffer_release(&info);
	buffer_release(&line);
	return fd;
}

/* What a small file makes us do is bounded by its size, whatever its entries are made of. */
static void test_bombs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
		_cleanup_(fd_close) int fd = bomb_make(&bombs[i]);
		struct buffer image = BUFFER_INIT(1u << 30);
		struct lines x;
		int r = dwarf_walk(fd, -1, MAX_BYTES, &image);

		if (r != bombs[i].want)
			fail_msg("%s: %d, not %d", bombs[i].what, r, bombs[i].want);
		if (r == 0) {
			assert_int_equal(lines_open(&x, image.data, image.len), 0);
			assert_int_equal(x.header->units, bombs[i].units);
			assert_int_equal(x.header->units_damaged, 0);
		}
		buffer_release(&image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self),     cmocka_unit_test(test_same),
		cmocka_unit_test(test_failures), cmocka_unit_test(test_request),
		cmocka_unit_test(test_requests), cmocka_unit_test(test_bombs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
