// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/minidebug.h"

#include <errno.h>
#include <lzma.h>

#include "tests/unit/symbolizer_ask.h"
#include "tests/unit/symbolizer_image.h"
#include "tests/unit/symbolizer_sections.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define FUNC .type = STT_FUNC, .bind = STB_LOCAL

static const struct image_symbol symbols[] = {
	{ "first", IMAGE_CODE + 0x10, 0x20, FUNC },
	{ "second", IMAGE_CODE + 0x40, 0x10, FUNC },
	{ "in_data", IMAGE_DATA, 0x10, FUNC },
	{ "far_away", 0x7f0000000000, 0x10, FUNC },
	{ NULL },
};

/* xz, as `preset` says; the caller releases it. */
static struct buffer pack(const void *bytes, size_t len, uint32_t preset)
{
	struct buffer out = BUFFER_INIT(64 << 20);
	size_t room = lzma_stream_buffer_bound(len), at = 0;
	uint8_t *to = buffer_extend(&out, room);

	assert_non_null(to);
	assert_int_equal(lzma_easy_buffer_encode(preset, LZMA_CHECK_CRC32, NULL, bytes, len, to,
						 &at, room),
			 LZMA_OK);
	out.len = at;
	return out;
}

static struct buffer packed_symbols(bool narrow)
{
	struct buffer packed;
	struct image im;

	image_make(&im, narrow, symbols, NULL);
	packed = pack(im.bytes.data, im.bytes.len, 6);
	buffer_release(&im.bytes);
	return packed;
}

static int file_with(const struct buffer *packed, uint64_t len)
{
	const struct section list[] = {
		{ ".gnu_debugdata", SHT_PROGBITS, packed->data, len, packed->len }, { NULL }
	};
	struct buffer b = sections_make(list);
	int fd = memory_file(b.data, b.len);

	buffer_release(&b);
	return fd;
}

static enum symbol_status ask_names(const int *fds, uint32_t fd_count, char *ret, size_t size)
{
	static const uint64_t at[] = { 0x1000, 0x1010, 0x102f, 0x1030, 0x1040, 0x1050, 0x2000 };
	enum symbol_status status;
	struct asked a;
	size_t len = 0;

	ask(&a, SYMBOLS_ELF, fds, fd_count, at, COUNT(at));
	for (uint32_t i = 0; i < COUNT(at); i++) {
		char text[100];

		asked_text(&a, i, text, sizeof(text));
		len += (size_t)snprintf(ret + len, size - len, "%s%s", i ? ", " : "", text);
	}
	status = a.symbols.reply->status;
	asked_release(&a);
	return status;
}

#define NAMES "?, first 401010+20, first 401010+20, ?, second 401040+10, ?, ?"
#define NO_NAMES "?, ?, ?, ?, ?, ?, ?"

static void names_come_from_it(void **state)
{
	struct buffer packed = packed_symbols(false);
	int fd = file_with(&packed, packed.len);
	char got[500];

	assert_int_equal(ask_names(&fd, 1, got, sizeof(got)), SYMBOLS_OK);
	assert_string_equal(got, NAMES);
	close(fd);
	buffer_release(&packed);
}

/* What is no good has no names, and the reply says that something is wrong. */
static void expect_refused(const char *what, const struct buffer *packed, uint64_t len,
			   enum symbol_status status)
{
	int fd = file_with(packed, len);
	enum symbol_status got_status;
	char got[500];

	got_status = ask_names(&fd, 1, got, sizeof(got));
	if (strcmp(got, NO_NAMES) != 0 || got_status != status)
		fail_msg("%s: got %s, status %d, want %d", what, got, got_status, status);
	close(fd);
}

static void what_is_refused(void **state)
{
	static char zeros[MINIDEBUG_MAX_BYTES + 1];
	struct buffer good = packed_symbols(false), other;

	expect_refused("cut", &good, good.len - 1, SYMBOLS_DAMAGED);
	expect_refused("a byte", &good, 1, SYMBOLS_DAMAGED);
	expect_refused("beyond the file", &good, MINIDEBUG_MAX_PACKED_BYTES, SYMBOLS_DAMAGED);
	expect_refused("too large", &good, MINIDEBUG_MAX_PACKED_BYTES + 1, SYMBOLS_LIMIT);
	expect_refused("beyond all", &good, UINT64_MAX, SYMBOLS_LIMIT);
	buffer_release(&good);

	other = packed_symbols(true);
	expect_refused("32 bits in 64", &other, other.len, SYMBOLS_DAMAGED);
	buffer_release(&other);

	other = pack(zeros, sizeof(zeros), 6);
	assert_true(other.len < sizeof(zeros) / 1000);
	expect_refused("a bomb", &other, other.len, SYMBOLS_LIMIT);
	buffer_release(&other);

	other = pack(zeros, 100, 9); /* a dictionary of 64 MiB */
	expect_refused("a greedy one", &other, other.len, SYMBOLS_LIMIT);
	buffer_release(&other);

	other = pack("text", 4, 6);
	expect_refused("no ELF file", &other, other.len, SYMBOLS_DAMAGED);
	buffer_release(&other);

	other = pack("", 0, 6);
	expect_refused("nothing", &other, other.len, SYMBOLS_DAMAGED);
	buffer_release(&other);
}

/* xz has checks: whichever bit is turned, there are no names, or the same. */
static void turned_bits(void **state)
{
	struct buffer good = packed_symbols(false);
	uint32_t refused = 0;

	for (size_t bit = 0; bit < good.len * 8; bit++) {
		char got[500];
		int fd;

		good.data[bit / 8] ^= (char)(1 << bit % 8);
		fd = file_with(&good, good.len);
		ask_names(&fd, 1, got, sizeof(got));
		if (!strcmp(got, NO_NAMES))
			refused++;
		else if (strcmp(got, NAMES) != 0)
			fail_msg("bit %zu: %s", bit, got);
		close(fd);
		good.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_true(refused > good.len * 7);
	buffer_release(&good);
}

/* ---- and from a debug file, which is asked for in the same way ---- */

static void names_come_from_a_debug_file(void **state)
{
	struct image im;
	int fds[2];
	char got[500];

	image_make(&im, false, symbols, NULL);
	fds[0] = file_with(&(struct buffer){ 0 }, 0);
	fds[1] = memory_file(im.bytes.data, im.bytes.len);
	assert_int_equal(ask_names(fds, 2, got, sizeof(got)), SYMBOLS_OK);
	assert_string_equal(got, NAMES);
	close(fds[0]);
	close(fds[1]);
	buffer_release(&im.bytes);
}

static void not_from_another_builds(void **state)
{
	static const unsigned char other_id[] = { 4,   0,   0,   0, 8, 0, 0, 0, 3, 0, 0, 0,
						  'G', 'N', 'U', 0, 1, 2, 3, 4, 5, 6, 7, 8 };
	const struct section list[] = { SECTIONS_BUILD_ID(other_id), { NULL } };
	struct buffer file = sections_make(list);
	struct image im;
	char got[500];
	int fds[2];

	image_make(&im, false, symbols, NULL);
	fds[0] = memory_file(file.data, file.len);
	fds[1] = memory_file(im.bytes.data, im.bytes.len);
	assert_int_equal(ask_names(fds, 2, got, sizeof(got)), SYMBOLS_NO_TABLE);
	assert_string_equal(got, NO_NAMES);
	close(fds[0]);
	close(fds[1]);
	buffer_release(&im.bytes);

	image_make(&im, true, symbols, NULL);
	fds[0] = file_with(&(struct buffer){ 0 }, 0);
	fds[1] = memory_file(im.bytes.data, im.bytes.len);
	assert_int_equal(ask_names(fds, 2, got, sizeof(got)), SYMBOLS_NO_TABLE);
	assert_string_equal(got, NO_NAMES);
	close(fds[0]);
	close(fds[1]);
	buffer_release(&im.bytes);
	buffer_release(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_from_it),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(turned_bits),
		cmocka_unit_test(names_come_from_a_debug_file),
		cmocka_unit_test(not_from_another_builds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
