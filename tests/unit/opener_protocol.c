// SPDX-License-Identifier: Apache-2.0
#include "profiler/opener/protocol.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Bytes in a block of their own, where sanitizers see one too many. */
static struct buffer bytes_of(const void *bytes, size_t len)
{
	struct buffer b = BUFFER_INIT(1 << 20);

	b.data = malloc(len ? len : 1);
	assert_non_null(b.data);
	if (len)
		memcpy(b.data, bytes, len);
	b.len = b.capacity = len;
	return b;
}

static const struct file_place place = {
	.pid = 7,
	.parent_pid = 1,
	.start = 0x1000,
	.end = UINT64_MAX,
	.ino = 12345678901234,
	.generation = 3,
	.major = 254,
	.minor = 4294967295,
	.path = "/usr/bin/a file",
};

static void place_travels(void **state)
{
	struct buffer b = BUFFER_INIT(1 << 16);
	struct file_place got;

	(void)state;
	opener_place_write(&place, &b);
	assert_int_equal(buffer_error(&b), 0);
	assert_int_equal(opener_place_parse(&b, &got), 0);
	assert_string_equal(got.path, place.path);
	got.path = place.path;
	assert_memory_equal(&got, &place, sizeof(got));
	buffer_release(&b);
}

static void place_of_any_length(void **state)
{
	static const size_t lens[] = { 0, 1, OPENER_MAX_PATH_BYTES - 1, OPENER_MAX_PATH_BYTES };
	static const int want[] = { 0, 0, 0, -E2BIG };

	(void)state;
	for (size_t i = 0; i < COUNT(lens); i++) {
		struct buffer b = BUFFER_INIT(1 << 16);
		struct file_place p = place, got;
		char *path = calloc(1, lens[i] + 1);

		memset(path, 'a', lens[i]);
		p.path = path;
		opener_place_write(&p, &b);
		if (buffer_error(&b) != want[i])
			fail_msg("%zu bytes: got %d, want %d", lens[i], buffer_error(&b), want[i]);
		if (want[i] == 0) {
			assert_int_equal(opener_place_parse(&b, &got), 0);
			assert_string_equal(got.path, path);
		}
		buffer_release(&b);
		free(path);
	}
}

/* Changes one thing in a good request; false when there is nothing left to change. */
static bool place_spoil(struct buffer *b, int how)
{
	struct opener_place *head = (struct opener_place *)b->data;

	switch (how) {
	case 0:
		head->path_bytes++;
		return true;
	case 1:
		head->path_bytes--;
		return true;
	case 2:
		head->path_bytes = UINT32_MAX;
		return true;
	case 3:
		head->unused = 1;
		return true;
	case 4:
		b->data[b->len - 1] = 'x';
		return true;
	case 5:
		b->data[b->len - 2] = '\0';
		return true;
	case 6:
		b->len = sizeof(*head);
		head->path_bytes = 0;
		return true;
	default:
		return false;
	}
}

static void place_refused(void **state)
{
	struct buffer good = BUFFER_INIT(1 << 16);
	struct file_place got = { .pid = 4711 };

	(void)state;
	opener_place_write(&place, &good);
	for (size_t len = 0; len < good.len; len++) {
		struct buffer b = bytes_of(good.data, len);

		if (opener_place_parse(&b, &got) != -EPROTO)
			fail_msg("accepted %zu bytes of %zu", len, good.len);
		buffer_release(&b);
	}
	for (int how = 0;; how++) {
		struct buffer b = bytes_of(good.data, good.len);
		bool spoilt = place_spoil(&b, how);

		if (spoilt && opener_place_parse(&b, &got) != -EPROTO)
			fail_msg("accepted change %d", how);
		buffer_release(&b);
		if (!spoilt)
			break;
	}
	assert_int_equal(got.pid, 4711);
	buffer_release(&good);
}

/* ---- debug files ---- */

static const uint8_t build_id[] = { 1, 2, 3, 4 };

static const struct debug_place debug_place = {
	.pid = 7,
	.parent_pid = 1,
	.path = "/usr/bin/a file",
	.build_id = build_id,
	.build_id_bytes = sizeof(build_id),
	.name = "a file.debug",
};

static void debug_travels(void **state)
{
	struct buffer b = BUFFER_INIT(1 << 16);
	struct debug_place got;
	uint32_t first;

	(void)state;
	opener_debug_write(&debug_place, 3, &b);
	assert_int_equal(buffer_error(&b), 0);
	assert_int_equal(opener_debug_parse(&b, &got, &first), 0);
	assert_int_equal(first, 3);
	assert_int_equal(got.pid, 7);
	assert_int_equal(got.parent_pid, 1);
	assert_string_equal(got.path, debug_place.path);
	assert_string_equal(got.name, debug_place.name);
	assert_int_equal(got.build_id_bytes, sizeof(build_id));
	assert_memory_equal(got.build_id, build_id, sizeof(build_id));
	assert_false(got.alternate);
	buffer_release(&b);
}

static void debug_not_written(void **state)
{
	struct debug_place unsound[] = { debug_place, debug_place, debug_place };

	(void)state;
	unsound[0].path = "usr/bin/a";
	unsound[1].name = "../a";
	unsound[2].build_id_bytes = DEBUG_FILE_MAX_ID_BYTES + 1;
	for (size_t i = 0; i < COUNT(unsound); i++) {
		struct buffer b = BUFFER_INIT(1 << 16);

		opener_debug_write(&unsound[i], 0, &b);
		assert_int_equal(buffer_error(&b), -E2BIG);
		buffer_release(&b);
	}
}

/* Changes one thing in a good request; false when there is nothing left to change. */
static bool debug_spoil(struct buffer *b, int how)
{
	struct opener_debug *head = (struct opener_debug *)b->data;
	char *path = b->data + sizeof(*head);

	switch (how) {
	case 0:
		head->path_bytes++;
		head->name_bytes--;
		return true;
	case 1:
		head->name_bytes++;
		return true;
	case 2:
		head->path_bytes = UINT32_MAX;
		return true;
	case 3:
		head->path_bytes = 0;
		head->name_bytes = (uint32_t)(b->len - sizeof(*head));
		return true;
	case 4:
		head->unused = 1;
		return true;
	case 5:
		head->alternate = 2;
		return true;
	case 6:
		head->build_id_bytes = DEBUG_FILE_MAX_ID_BYTES + 1;
		return true;
	case 7:
		path[0] = 'x';
		return true;
	case 8:
		b->data[b->len - 1] = 'x';
		return true;
	case 9:
		b->data[b->len - 3] = '\0';
		return true;
	case 10:
		b->data[b->len - 3] = '/';
		return true;
	default:
		return false;
	}
}

static void debug_refused(void **state)
{
	struct buffer good = BUFFER_INIT(1 << 16);
	struct debug_place got = { .pid = 4711 };
	uint32_t first = 4712;

	(void)state;
	opener_debug_write(&debug_place, 0, &good);
	for (size_t len = 0; len < good.len; len++) {
		struct buffer b = bytes_of(good.data, len);

		if (opener_debug_parse(&b, &got, &first) != -EPROTO)
			fail_msg("accepted %zu bytes of %zu", len, good.len);
		buffer_release(&b);
	}
	for (int how = 0;; how++) {
		struct buffer b = bytes_of(good.data, good.len);
		bool spoilt = debug_spoil(&b, how);

		if (spoilt && opener_debug_parse(&b, &got, &first) != -EPROTO)
			fail_msg("accepted change %d", how);
		buffer_release(&b);
		if (!spoilt)
			break;
	}
	assert_int_equal(got.pid, 4711);
	assert_int_equal(first, 4712);
	buffer_release(&good);
}

static void texts(void **state)
{
	static const struct {
		uint32_t count, what;
		size_t surplus;
		int r;
	} rows[] = {
		{ 1, PROCESS_TEXT_MAPS, 0, 0 },
		{ OPENER_MAX_TEXTS, PROCESS_TEXT_COUNT - 1, 0, 0 },
		{ OPENER_MAX_TEXTS + 1, PROCESS_TEXT_MAPS, 0, -EPROTO },
		{ 0, 0, 0, -EPROTO },
		{ 0, 0, 7, -EPROTO },
		{ 1, PROCESS_TEXT_COUNT, 0, -EPROTO },
		{ 2, UINT32_MAX, 0, -EPROTO },
		{ 1, PROCESS_TEXT_MAPS, 1, -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct opener_text all[OPENER_MAX_TEXTS + 2] = { 0 };
		const struct opener_text *got = NULL;
		uint32_t count = 0;
		struct buffer b;
		int r;

		for (uint32_t n = 0; n < rows[i].count; n++)
			all[n] = (struct opener_text){ .what = rows[i].what, .pid = n };
		b = bytes_of(all, rows[i].count * sizeof(*all) + rows[i].surplus);
		r = opener_texts_parse(&b, &got, &count);
		if (r != rows[i].r || count != (r ? 0 : rows[i].count))
			fail_msg("row %zu: got %d, %u texts", i, r, count);
		if (r == 0)
			assert_int_equal(got[count - 1].pid, count - 1);
		buffer_release(&b);
	}
}

static void cgroup(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *mount, *path; /* NULL: refused */
	} rows[] = {
		{ "/m\0/p", 6, "/m", "/p" },   { "/m\0", 4, "/m", "" },
		{ "/m", 3, NULL, NULL },       { "/m\0/p", 5, NULL, NULL },
		{ "m\0/p", 5, NULL, NULL },    { "\0/p", 4, NULL, NULL },
		{ "", 0, NULL, NULL },         { "/m\0/p\0/q", 9, NULL, NULL },
		{ "/m\0/p\0", 7, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer b = bytes_of(rows[i].bytes, rows[i].len);
		const char *mount = NULL, *path = NULL;
		int r = opener_cgroup_parse(&b, &mount, &path);

		if (r != (rows[i].mount ? 0 : -EPROTO))
			fail_msg("row %zu: got %d", i, r);
		if (rows[i].mount) {
			assert_string_equal(mount, rows[i].mount);
			assert_string_equal(path, rows[i].path);
		} else {
			assert_null(mount);
			assert_null(path);
		}
		buffer_release(&b);
	}
}

static void results(void **state)
{
	static const struct {
		int32_t status;
		uint32_t len;
		size_t there; /* bytes behind the head; the head is cut if negative */
		int r;
	} rows[] = {
		{ 0, 0, 0, 0 },
		{ 0, 5, 5, 0 },
		{ 0, 5, 9, 0 },
		{ 3, 0, 0, 0 },
		{ -ENOENT, 0, 0, 0 },
		{ -4095, 0, 0, 0 },
		{ -4096, 0, 0, -EPROTO },
		{ INT32_MIN, 0, 0, -EPROTO },
		{ -ENOENT, 1, 1, -EPROTO },
		{ 0, 6, 5, -EPROTO },
		{ 0, UINT32_MAX, 5, -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct opener_result head = { rows[i].status, rows[i].len }, got;
		char bytes[64] = "";
		const char *behind;
		struct buffer b;
		size_t at = 0;
		int r;

		memcpy(bytes, &head, sizeof(head));
		b = bytes_of(bytes, sizeof(head) + rows[i].there);
		r = opener_result_parse(&b, &at, &got, &behind);
		if (r != rows[i].r || at != (r ? 0 : sizeof(head) + rows[i].len))
			fail_msg("row %zu: got %d, moved %zu", i, r, at);
		if (r == 0) {
			assert_int_equal(got.status, rows[i].status);
			assert_ptr_equal(behind, b.data + sizeof(head));
		}
		buffer_release(&b);
	}
	for (size_t len = 0; len < sizeof(struct opener_result); len++) {
		struct buffer b = bytes_of("\0\0\0\0\0\0\0", len);
		struct opener_result got;
		const char *behind;

		assert_int_equal(opener_result_parse(&b, &(size_t){ 0 }, &got, &behind), -EPROTO);
		buffer_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(place_travels),
		cmocka_unit_test(place_of_any_length),
		cmocka_unit_test(place_refused),
		cmocka_unit_test(debug_travels),
		cmocka_unit_test(debug_not_written),
		cmocka_unit_test(debug_refused),
		cmocka_unit_test(texts),
		cmocka_unit_test(cgroup),
		cmocka_unit_test(results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
