// SPDX-License-Identifier: Apache-2.0
/*
 * A valid record of each kind, then what is wrong with one byte range at a time.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "profiler/collect/decode.h"

/* ---- samples ---- */

#define KERNEL_ADDR 0xffffffff81000000ULL

struct sample_bytes {
	struct record_sample s;
	uint64_t frames[RECORD_MAX_FRAMES + 2];
};

/* Two kernel frames, three user frames. */
static size_t valid_sample(struct sample_bytes *b)
{
	memset(b, 0, sizeof(*b));
	b->s = (struct record_sample){
		.time_ns = 42,
		.value = 40000000,
		.tgid = 7,
		.tid = 8,
		.kernel_frames = 2,
		.user_frames = 3,
		.stack_end = STACK_END_BOTTOM,
		.flags = RECORD_FLAG_KERNEL | RECORD_FLAG_NO_TABLES,
		.comm = "thread",
		.leader_comm = "process",
	};
	b->frames[0] = KERNEL_ADDR;
	b->frames[1] = KERNEL_ADDR + 1;
	b->frames[2] = (uint64_t)FRAME_REGISTER << FRAME_KIND_SHIFT | 0x400000;
	b->frames[3] = (uint64_t)FRAME_POINTER << FRAME_KIND_SHIFT | 0x400100;
	b->frames[4] = (uint64_t)FRAME_POINTER << FRAME_KIND_SHIFT | 0x400200;
	return sizeof(b->s) + 5 * sizeof(uint64_t);
}

#define SET(member, set_to)                                                                  \
	{                                                                                    \
		.name = #member " = " #set_to, .off = offsetof(struct sample_bytes, member), \
		.size = sizeof(((struct sample_bytes *)0)->member), .value = (set_to)        \
	}

static const struct sample_case {
	const char *name;
	size_t off, size;
	uint64_t value;
	int expected;
} sample_cases[] = {
	SET(s.kernel_frames, 1),
	SET(s.kernel_frames, 3),
	SET(s.kernel_frames, RECORD_MAX_KERNEL_FRAMES + 1),
	SET(s.kernel_frames, UINT16_MAX),
	SET(s.user_frames, 2),
	SET(s.user_frames, 4),
	SET(s.user_frames, UINT16_MAX),
	SET(s.stack_end, STACK_END_COUNT),
	SET(s.stack_end, UINT8_MAX),
	SET(s.flags, 0),
	SET(s.flags, RECORD_FLAG_KTHREAD),
	SET(s.flags, RECORD_FLAG_NO_TABLES),
	SET(s.flags, RECORD_FLAG_KERNEL | RECORD_FLAG_REST),
	SET(s.flags, RECORD_FLAG_KERNEL | RECORD_FLAG_REST_GONE),
	SET(s.flags, RECORD_FLAG_KERNEL | 0x20),
	SET(s.flags, RECORD_FLAG_KERNEL | 0x80),
	SET(s.stamp, 1),
	SET(s.tgid, 0),
	SET(s.tid, 0),
	SET(s.comm[15], 'x'),
	SET(s.leader_comm[15], 'x'),
	SET(frames[0], 0x400000),
	SET(frames[1], 0x7fffffffffffffff),
	SET(frames[2], (uint64_t)FRAME_KIND_COUNT << FRAME_KIND_SHIFT),
	SET(frames[4], UINT64_MAX),
};

static void test_sample_valid(void **state)
{
	const struct record_sample *s = NULL;
	struct sample_bytes b;
	size_t len = valid_sample(&b);

	assert_int_equal(decode_sample(&b, len, &s), 0);
	assert_ptr_equal(s, &b);
	assert_int_equal(s->time_ns, 42);
}

static void test_sample_wrong_fields(void **state)
{
	for (size_t i = 0; i < sizeof(sample_cases) / sizeof(sample_cases[0]); i++) {
		const struct sample_case *c = &sample_cases[i];
		const struct record_sample *s = NULL;
		struct sample_bytes b;
		size_t len = valid_sample(&b);
		int r;

		memcpy((char *)&b + c->off, &c->value, c->size);
		r = decode_sample(&b, len, &s);
		if (r != -EINVAL || s)
			fail_msg("%s: got %d, expected %d", c->name, r, -EINVAL);
	}
}

static void test_sample_lengths(void **state)
{
	const struct record_sample *s;
	struct sample_bytes b;
	size_t len = valid_sample(&b);

	for (size_t n = 0; n < sizeof(b); n++) {
		int r = decode_sample(&b, n, &s);
		int expected = n == len ? 0 : -EINVAL;

		if (r != expected)
			fail_msg("%zu bytes of %zu: got %d, expected %d", n, len, r, expected);
	}
}

static void test_sample_without_frames(void **state)
{
	const struct record_sample *s;
	struct sample_bytes b;

	(void)valid_sample(&b);
	b.s.kernel_frames = b.s.user_frames = 0;
	/* Time in the kernel that no kernel frame tells of would be taken for its caller's. */
	assert_int_equal(decode_sample(&b, sizeof(b.s), &s), -EINVAL);
	b.s.flags = 0;
	assert_int_equal(decode_sample(&b, sizeof(b.s), &s), 0);
}

static void test_sample_deepest(void **state)
{
	const struct record_sample *s;
	struct sample_bytes b;

	(void)valid_sample(&b);
	b.s.kernel_frames = RECORD_MAX_KERNEL_FRAMES;
	b.s.user_frames = RECORD_MAX_USER_FRAMES;
	for (int i = 0; i < RECORD_MAX_FRAMES; i++)
		b.frames[i] = i < RECORD_MAX_KERNEL_FRAMES ? KERNEL_ADDR : 0x400000;
	assert_int_equal(decode_sample(&b, RECORD_MAX_BYTES, &s), 0);
	b.s.user_frames++;
	assert_int_equal(decode_sample(&b, RECORD_MAX_BYTES + 8, &s), -EINVAL);
}

#define STACK_BYTES 256

/* The same, whose rest follows. */
static size_t valid_rest(struct sample_bytes *b)
{
	size_t len = valid_sample(b);

	b->s.flags |= RECORD_FLAG_REST;
	b->s.stack_end = STACK_END_NO_MAPPING;
	*(struct record_rest *)((char *)b + len) = (struct record_rest){
		.ip = 0x400200,
		.stack = 0x7ffd00001000,
		.flags = UNWIND_EXACT | UNWIND_GUESSED | UNWIND_FP_UNKNOWN,
		.bytes = STACK_BYTES,
	};
	return len + sizeof(struct record_rest) + STACK_BYTES;
}

static void test_rest(void **state)
{
	const struct record_sample *s;
	struct sample_bytes b;
	size_t len = valid_rest(&b), bare = decode_sample_bytes(&b.s);

	for (size_t n = 0; n < sizeof(b); n++) {
		int r = decode_sample(&b, n, &s), expected = n == len ? 0 : -EINVAL;

		if (r != expected)
			fail_msg("%zu bytes of %zu: got %d, expected %d", n, len, r, expected);
	}
	assert_int_equal(decode_sample(&b, len, &s), 0);
	assert_ptr_equal(decode_rest(s), (char *)&b + bare);
	b.s.stack_end = STACK_END_NOT_COMPILED;
	assert_int_equal(decode_sample(&b, len, &s), 0);
	b.s.stack_end = STACK_END_BOTTOM; /* nothing is behind it */
	assert_int_equal(decode_sample(&b, len, &s), -EINVAL);
}

static void test_rest_wrong_fields(void **state)
{
	static const struct {
		uint64_t stack;
		uint32_t flags, bytes, len;
		int expected;
	} cases[] = {
		{ 8, 0, 0, 0, 0 },
		{ 8, 0, 8, 8, 0 },
		{ 8, 0, RECORD_MAX_STACK_BYTES, RECORD_MAX_STACK_BYTES, 0 },
		{ 8, 0, RECORD_MAX_STACK_BYTES + 8, RECORD_MAX_STACK_BYTES + 8, -EINVAL },
		{ 8, 0, 4, 4, -EINVAL },
		{ 8, 0, 8, 0, -EINVAL },
		{ 8, 0, 0, 8, -EINVAL },
		{ 8, 0, UINT32_MAX, 8, -EINVAL },
		{ 4, 0, 8, 8, -EINVAL },
		{ 8, UNWIND_NO_REGISTERS, 8, 8, 0 },
		{ 8, 16, 8, 8, -EINVAL },
		{ 8, UINT32_MAX, 8, 8, -EINVAL },
	};
	static struct {
		struct sample_bytes b;
		char stack[RECORD_MAX_STACK_BYTES + 64];
	} all;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = valid_rest(&all.b) - STACK_BYTES;
		struct record_rest *rest = (void *)((char *)&all + len - sizeof(*rest));
		const struct record_sample *s;
		int r;

		rest->stack = cases[i].stack;
		rest->flags = cases[i].flags;
		rest->bytes = cases[i].bytes;
		r = decode_sample(&all, len + cases[i].len, &s);
		if (r != cases[i].expected)
			fail_msg("case %zu: got %d, expected %d", i, r, cases[i].expected);
	}
}

/* What is left when it was taken out is a sample as well, and says so. */
static void test_strip(void **state)
{
	const struct record_sample *s;
	struct sample_bytes b;
	size_t bare;

	(void)valid_rest(&b);
	bare = decode_sample_bytes(&b.s);
	decode_strip(&b.s);
	assert_int_equal(decode_sample(&b, bare, &s), 0);
	assert_null(decode_rest(s));
	assert_int_equal(s->flags,
			 RECORD_FLAG_KERNEL | RECORD_FLAG_NO_TABLES | RECORD_FLAG_REST_GONE);
	decode_strip(&b.s);
	assert_int_equal(decode_sample(&b, bare, &s), 0);
	b.s.flags |= RECORD_FLAG_REST;
	assert_int_equal(decode_sample(&b, bare, &s), -EINVAL);
	b.s.flags ^= RECORD_FLAG_REST;
	b.s.user_frames = 0; /* of nothing there is no rest */
	assert_int_equal(decode_sample(&b, decode_sample_bytes(&b.s), &s), -EINVAL);
}

static void test_unaligned(void **state)
{
	static uint64_t words[sizeof(struct sample_bytes) / 8 + 1];
	const struct record_sample *s;
	struct sample_bytes b;
	struct event e;
	size_t len = valid_sample(&b);

	memcpy((char *)words + 4, &b, len);
	assert_int_equal(decode_sample((char *)words + 4, len, &s), -EINVAL);
	assert_int_equal(decode_event((char *)words + 4, 64, &e), -EINVAL);
}

/* ---- events ---- */

struct event_bytes {
	uint64_t words[1024];
	size_t len;
};

static void put(struct event_bytes *b, const void *bytes, size_t len)
{
	memcpy((char *)b->words + b->len, bytes, len);
	b->len += len;
}

static void put_u32(struct event_bytes *b, uint32_t value)
{
	put(b, &value, sizeof(value));
}

static void put_u64(struct event_bytes *b, uint64_t value)
{
	put(b, &value, sizeof(value));
}

static void begin(struct event_bytes *b, uint32_t type, uint16_t misc)
{
	struct perf_event_header header = { .type = type, .misc = misc };

	memset(b, 0, sizeof(*b));
	put(b, &header, sizeof(header));
}

/* The sample_id: the task on whose behalf it was written, and when. */
static void end(struct event_bytes *b)
{
	uint16_t size;

	put_u32(b, 70);
	put_u32(b, 71);
	put_u64(b, 4242);
	size = (uint16_t)b->len;
	memcpy((char *)b->words + offsetof(struct perf_event_header, size), &size, sizeof(size));
}

static void put_text(struct event_bytes *b, const char *text)
{
	put(b, text, strlen(text) + 1);
	b->len = (b->len + 7) & ~(size_t)7;
}

static void mmap_event(struct event_bytes *b, uint16_t misc, uint64_t start, uint64_t len,
		       uint32_t prot)
{
	begin(b, PERF_RECORD_MMAP2, misc);
	put_u32(b, 10);
	put_u32(b, 11);
	put_u64(b, start);
	put_u64(b, len);
	put_u64(b, 0x1000);
	put_u32(b, 8);
	put_u32(b, 1);
	put_u64(b, 1234);
	put_u64(b, 5);
	put_u32(b, prot);
	put_u32(b, MAP_PRIVATE);
	put_text(b, "/usr/lib/a\nb.so");
	end(b);
}

static void test_mmap(void **state)
{
	struct event_bytes b;
	struct event e;

	mmap_event(&b, 0, 0x7f0000000000, 0x2000, PROT_READ | PROT_EXEC);
	assert_int_equal(decode_event(b.words, b.len, &e), 0);
	assert_int_equal(e.kind, EVENT_MMAP);
	assert_int_equal(e.pid, 10);
	assert_int_equal(e.tid, 11);
	assert_int_equal(e.time_ns, 4242);
	assert_int_equal(e.start, 0x7f0000000000);
	assert_int_equal(e.end, 0x7f0000002000);
	assert_int_equal(e.offset, 0x1000);
	assert_int_equal(e.major, 8);
	assert_int_equal(e.minor, 1);
	assert_int_equal(e.ino, 1234);
	assert_int_equal(e.generation, 5);
	assert_string_equal(e.path, "/usr/lib/a\nb.so");
}

static void test_mmap_cases(void **state)
{
	static const struct {
		const char *name;
		uint64_t start, len;
		uint16_t misc;
		uint32_t prot;
		int expected;
		enum event_kind kind;
	} cases[] = {
		{ "data", 4096, 4096, 0, PROT_READ, 0, EVENT_OTHER },
		{ "build id", 4096, 4096, PERF_RECORD_MISC_MMAP_BUILD_ID, PROT_EXEC, 0,
		  EVENT_OTHER },
		{ "empty", 4096, 0, 0, PROT_EXEC, -EINVAL, 0 },
		{ "to the very end", UINT64_MAX - 4095, 4095, 0, PROT_EXEC, 0, EVENT_MMAP },
		{ "around the end", UINT64_MAX - 4095, 4096, 0, PROT_EXEC, -EINVAL, 0 },
		{ "all of it", 1, UINT64_MAX, 0, PROT_EXEC, -EINVAL, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_bytes b;
		struct event e = { 0 };
		int r;

		mmap_event(&b, cases[i].misc, cases[i].start, cases[i].len, cases[i].prot);
		r = decode_event(b.words, b.len, &e);
		if (r != cases[i].expected || (r == 0 && e.kind != cases[i].kind))
			fail_msg("%s: got %d, kind %d; expected %d, kind %d", cases[i].name, r,
				 e.kind, cases[i].expected, cases[i].kind);
	}
}

static void test_tasks(void **state)
{
	static const struct {
		uint32_t type;
		enum event_kind kind;
	} cases[] = { { PERF_RECORD_FORK, EVENT_FORK }, { PERF_RECORD_EXIT, EVENT_EXIT } };

	for (int i = 0; i < 2; i++) {
		struct event_bytes b;
		struct event e;

		begin(&b, cases[i].type, 0);
		put_u32(&b, 20);
		put_u32(&b, 19);
		put_u32(&b, 21);
		put_u32(&b, 18);
		put_u64(&b, 1);
		end(&b);
		assert_int_equal(decode_event(b.words, b.len, &e), 0);
		assert_int_equal(e.kind, cases[i].kind);
		assert_int_equal(e.pid, 20);
		assert_int_equal(e.tid, 21);
		assert_int_equal(e.parent_pid, 19);
		assert_int_equal(e.time_ns, 4242);
	}
}

static void test_others(void **state)
{
	struct event_bytes b;
	struct event e;

	begin(&b, PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC);
	put_u32(&b, 30);
	put_u32(&b, 31);
	put_text(&b, "cc1");
	end(&b);
	assert_int_equal(decode_event(b.words, b.len, &e), 0);
	assert_int_equal(e.kind, EVENT_EXEC);
	assert_int_equal(e.pid, 30);

	begin(&b, PERF_RECORD_COMM, 0);
	put_u32(&b, 30);
	put_u32(&b, 31);
	put_text(&b, "renamed");
	end(&b);
	assert_int_equal(decode_event(b.words, b.len, &e), 0);
	assert_int_equal(e.kind, EVENT_OTHER);

	begin(&b, PERF_RECORD_LOST, 0);
	put_u64(&b, 1);
	put_u64(&b, 99);
	end(&b);
	assert_int_equal(decode_event(b.words, b.len, &e), 0);
	assert_int_equal(e.kind, EVENT_LOST);
	assert_int_equal(e.lost, 99);

	begin(&b, 12345, 0);
	end(&b);
	assert_int_equal(decode_event(b.words, b.len, &e), 0);
	assert_int_equal(e.kind, EVENT_OTHER);
	assert_int_equal(e.pid, 70);
}

static size_t ksymbol_event(struct event_bytes *b, uint64_t start, uint32_t len, uint16_t type,
			    uint16_t flags)
{
	begin(b, PERF_RECORD_KSYMBOL, 0);
	put_u64(b, start);
	put_u32(b, len);
	put(b, &type, sizeof(type));
	put(b, &flags, sizeof(flags));
	put_text(b, "bpf_prog_6deef7357e7b4530_sd_fw");
	end(b);
	return b->len;
}

static void test_ksymbol(void **state)
{
	static const struct {
		uint64_t start;
		uint32_t len;
		uint16_t type, flags;
		int expected;
		enum event_kind kind;
	} cases[] = {
		{ KERNEL_ADDR, 64, PERF_RECORD_KSYMBOL_TYPE_BPF, 0, 0, EVENT_BPF_CODE },
		{ KERNEL_ADDR, 64, PERF_RECORD_KSYMBOL_TYPE_BPF, 1, 0, EVENT_BPF_CODE },
		{ KERNEL_ADDR, 64, PERF_RECORD_KSYMBOL_TYPE_OOL, 0, 0, EVENT_OTHER },
		{ KERNEL_ADDR, 0, PERF_RECORD_KSYMBOL_TYPE_BPF, 0, 0, EVENT_OTHER },
		{ UINT64_MAX - 63, 63, PERF_RECORD_KSYMBOL_TYPE_BPF, 0, 0, EVENT_BPF_CODE },
		{ UINT64_MAX - 63, 64, PERF_RECORD_KSYMBOL_TYPE_BPF, 0, -EINVAL, EVENT_OTHER },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_bytes b;
		struct event e = { .kind = EVENT_OTHER };
		size_t len = ksymbol_event(&b, cases[i].start, cases[i].len, cases[i].type,
					   cases[i].flags);
		int r = decode_event(b.words, len, &e);

		if (r != cases[i].expected || e.kind != cases[i].kind)
			fail_msg("case %zu: got %d, kind %d", i, r, e.kind);
		if (r < 0 || e.kind == EVENT_OTHER)
			continue;
		assert_int_equal(e.start, cases[i].start);
		assert_int_equal(e.end, cases[i].start + cases[i].len);
		assert_int_equal(e.unregistered, cases[i].flags);
		assert_string_equal(e.name, "bpf_prog_6deef7357e7b4530_sd_fw");
	}
}

/* The kernel lets it grow with each perf event that it tells; behind the sample_id is what lay in the ring before. */
static void test_ksymbol_grown(void **state)
{
	for (uint64_t more = 0; more < 5; more++) {
		struct event_bytes b;
		struct event want, e = { .kind = EVENT_OTHER };
		uint16_t size;

		ksymbol_event(&b, KERNEL_ADDR, 64, PERF_RECORD_KSYMBOL_TYPE_BPF, 0);
		assert_int_equal(decode_event(b.words, b.len, &want), 0);
		for (uint64_t i = 0; i < 2 * more; i++)
			put_u64(&b, UINT64_MAX - i);
		size = (uint16_t)b.len;
		memcpy((char *)b.words + offsetof(struct perf_event_header, size), &size,
		       sizeof(size));
		assert_int_equal(decode_event(b.words, b.len, &e), 0);
		assert_int_equal(e.kind, EVENT_BPF_CODE);
		assert_int_equal(e.time_ns, want.time_ns);
		assert_int_equal(e.end, KERNEL_ADDR + 64);
		assert_string_equal(e.name, "bpf_prog_6deef7357e7b4530_sd_fw");
	}
}

/* Every shorter length, said by the caller and by the record itself. */
static void test_event_truncated(void **state)
{
	struct event_bytes whole;

	mmap_event(&whole, 0, 4096, 4096, PROT_EXEC);
	for (size_t n = 0; n < whole.len; n++) {
		struct event_bytes b = whole;
		struct event e;
		uint16_t size = (uint16_t)n;
		int r;

		r = decode_event(b.words, n, &e);
		if (r != -EINVAL)
			fail_msg("%zu of %zu bytes: got %d, expected %d", n, whole.len, r, -EINVAL);
		memcpy((char *)b.words + offsetof(struct perf_event_header, size), &size, 2);
		r = decode_event(b.words, whole.len, &e);
		if (r != -EINVAL)
			fail_msg("header says %zu of %zu: got %d, expected %d", n, whole.len, r,
				 -EINVAL);
	}
}

/* The path's last byte is no NUL, and the sample_id behind it must not be read as text. */
static void test_event_unterminated(void **state)
{
	struct event_bytes b;
	struct event e;

	begin(&b, PERF_RECORD_COMM, 0);
	put_u32(&b, 30);
	put_u32(&b, 31);
	put(&b, "12345678", 8);
	end(&b);
	assert_int_equal(decode_event(b.words, b.len, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample_valid),
		cmocka_unit_test(test_sample_wrong_fields),
		cmocka_unit_test(test_sample_lengths),
		cmocka_unit_test(test_sample_without_frames),
		cmocka_unit_test(test_sample_deepest),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_rest_wrong_fields),
		cmocka_unit_test(test_strip),
		cmocka_unit_test(test_unaligned),
		cmocka_unit_test(test_mmap),
		cmocka_unit_test(test_mmap_cases),
		cmocka_unit_test(test_tasks),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_ksymbol),
		cmocka_unit_test(test_ksymbol_grown),
		cmocka_unit_test(test_event_truncated),
		cmocka_unit_test(test_event_unterminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
