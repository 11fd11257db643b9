// SPDX-License-Identifier: Apache-2.0
/*
 * How far code reaches that says nothing of it, by its instructions; and that a symbol without a size in a stripped
 * file names no more than that.
 */
#include "symbolizer/code_extent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/symbolizer_ask.h"
#include "tests/unit/symbolizer_image.h"

#define C IMAGE_CODE
#define MAX_CODE 64

/* Behind the code is nop. */
static const struct {
	const char *what;
	uint32_t len, limit, end;
	uint8_t code[MAX_CODE];
} codes[] = {
	{ "ret", 1, 0x800, 1, { 0xc3 } },
	{ "rep ret", 2, 0x800, 2, { 0xf3, 0xc3 } },
	{ "ret; ret", 2, 0x800, 1, { 0xc3, 0xc3 } },
	{ "no end: the limit's", 0, 0x800, 0x800, { 0 } },
	{ "no room", 0, 0, 0, { 0 } },
	{ "a limit within an instruction", 5, 3, 0, { 0xe9, 0, 0, 0, 0 } },
	{ "je over the first ret, to the second", 5, 0x800, 5, { 0x74, 2, 0x90, 0xc3, 0xc3 } },
	{ "je to just behind the ret", 4, 0x800, 0x800, { 0x74, 1, 0xc3, 0x90 } },
	{ "je back: ends at the ret", 4, 0x800, 4, { 0x90, 0x74, 0xfd, 0xc3 } },
	{ "a short jmp over data that is code, and a ret",
	  5,
	  0x800,
	  5,
	  { 0xeb, 2, 0xc3, 0xc3, 0xc3 } },
	{ "a long jmp is to another function", 7, 0x800, 5, { 0xe9, 1, 0, 0, 0, 0xc3, 0xc3 } },
	{ "jmp *%rax", 3, 0x800, 2, { 0xff, 0xe0, 0x90 } },
	{ "a call goes on", 6, 0x800, 6, { 0xe8, 0, 1, 0, 0, 0xc3 } },
	{ "ud2", 2, 0x800, 2, { 0x0f, 0x0b } },
	{ "zeros are no code", 4, 0x800, 1, { 0x90, 0, 0, 0 } },
};

static void test_codes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct elf_file f = { 0 };
		char got[128], want[128];
		struct image im;

		image_make(&im, false, NULL, NULL);
		memcpy(im.bytes.data + IMAGE_CODE_OFFSET, codes[i].code, codes[i].len);
		assert_int_equal(elf_file_open_bytes(&f, im.bytes.data, im.bytes.len), 0);
		snprintf(got, sizeof(got), "%s: %#x", codes[i].what,
			 (unsigned int)(code_extent(&f, C, C + codes[i].limit) - C));
		snprintf(want, sizeof(want), "%s: %#x", codes[i].what, codes[i].end);
		assert_string_equal(got, want);
		elf_file_release(&f);
		buffer_release(&im.bytes);
	}
}

/* Instructions of other machines, 32-bit code among them, are not looked at: nothing ends. */
static void test_other_machine(void **state)
{
	struct elf_file f = { 0 };
	struct image im;

	(void)state;
	image_make(&im, true, NULL, NULL);
	assert_int_equal(elf_file_open_bytes(&f, im.bytes.data, im.bytes.len), 0);
	assert_int_equal(code_extent(&f, C, C + 0x800), C + 0x800);
	elf_file_release(&f);
	buffer_release(&im.bytes);
}

static void expect(const struct image *im, uint32_t at, const char *want)
{
	uint64_t offset = IMAGE_CODE_OFFSET + at;
	int fd = memory_file(im->bytes.data, im->bytes.len);
	char got[200];
	struct asked a;

	ask(&a, SYMBOLS_ELF, &fd, 1, &offset, 1);
	assert_string_equal(asked_text(&a, 0, got, sizeof(got)), want);
	asked_release(&a);
	close(fd);
}

/* x264's trellis_coefn: perf gives it all that follows. A .symtab would have a name for that. */
static void test_stripped(void **state)
{
	static const struct image_symbol label[] = {
		{ "label", C, 0, .type = STT_NOTYPE, .bind = STB_GLOBAL }, { 0 }
	};
	struct image im;

	(void)state;
	image_make(&im, false, NULL, label);
	im.bytes.data[IMAGE_CODE_OFFSET + 0x20] = (char)0xc3;
	expect(&im, 0, "label 401000+21");
	expect(&im, 0x20, "label 401000+21");
	expect(&im, 0x21, "?");
	expect(&im, 0x7ff, "?");
	buffer_release(&im.bytes);
	image_make(&im, false, label, NULL);
	im.bytes.data[IMAGE_CODE_OFFSET + 0x20] = (char)0xc3;
	expect(&im, 0x21, "label 401000+800");
	buffer_release(&im.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_other_machine),
		cmocka_unit_test(test_stripped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
