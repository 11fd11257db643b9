/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles for the encoders' tests, a few words a frame: what can't fail here is asserted.
 *
 *	uint32_t s = test_series(&p, "openssl", 4711, 4712);
 *	test_stack(&p, s, 30, "main@openssl", "EVP_Update@libcrypto.so.3", "aes@libcrypto.so.3", NULL);
 *
 * Frames are outermost first, "name@module"; names in brackets are stand-ins; "[kernel.kallsyms]" is the
 * kernel; without a module the frame is in no mapping.
 */
#ifndef TESTS_UNIT_ENCODE_PROFILE_H
#define TESTS_UNIT_ENCODE_PROFILE_H

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "profiler/base/buffer.h"
#include "profiler/model/profile.h"

#define TEST_PERIOD_NS 10101010ULL

static inline uint32_t test_id(int r)
{
	assert(r >= 0);
	return (uint32_t)r;
}

static inline uint32_t test_string(struct profile *p, const char *s)
{
	return test_id(profile_string(p, s, strlen(s)));
}

static inline void test_profile(struct profile *p)
{
	assert(profile_init(p, 64 << 20, 1 << 22) == 0);
	p->facts = (struct profile_facts){
		.time_ns = 1700000000000000000ULL,
		.duration_ns = 10000000000ULL,
		.period = TEST_PERIOD_NS,
		.frequency_hz = 99,
		.cpus_profiled = 2,
		.cpus_online = 2,
		.event = "cpu-clock",
		.value_type = "cpu",
		.value_unit = "nanoseconds",
		.machine_ns = 20000000000ULL,
	};
}

static inline uint32_t test_mapping(struct profile *p, const char *name)
{
	struct profile_mapping m = { .start = 0x1000, .limit = 0x10000000, .offset = 0x1000 };

	m.kind = !strcmp(name, "[kernel.kallsyms]") ? PROFILE_MAPPING_KERNEL
		 : !strcmp(name, "[anon]")          ? PROFILE_MAPPING_ANONYMOUS
						    : PROFILE_MAPPING_USER;
	m.name = test_string(p, name);
	m.build_id = m.kind == PROFILE_MAPPING_USER ? test_string(p, "0123456789abcdef") : 0;
	return test_id(profile_mapping(p, &m));
}

static inline struct profile_line test_line(struct profile *p, const char *name, uint32_t line)
{
	struct profile_function f = { 0 };

	f.name = f.system_name = test_string(p, name);
	return (struct profile_line){ test_id(profile_function(p, &f)), line };
}

/* "name@module"; the address is the name's hash, so that equal frames are equal. */
static inline uint32_t test_location(struct profile *p, const char *frame)
{
	const char *at = strrchr(frame, '@');
	size_t len = at ? (size_t)(at - frame) : strlen(frame);
	struct profile_function f = { 0 };
	struct profile_line line = { 0 };

	f.name = f.system_name = test_id(profile_string(p, frame, len));
	line.function = test_id(profile_function(p, &f));
	return test_id(profile_location(p, at ? test_mapping(p, at + 1) : PROFILE_NONE,
					at ? 0x1000 + hash_bytes(frame, len) % 0xff00000 : 0,
					frame[0] != '[', &line, 1));
}

static inline struct profile_label test_label(struct profile *p, const char *key, const char *text)
{
	return (struct profile_label){ test_string(p, key), test_string(p, text), 0 };
}

static inline struct profile_label test_number(struct profile *p, const char *key, int64_t number)
{
	return (struct profile_label){ test_string(p, key), PROFILE_NONE, number };
}

static inline uint32_t test_series(struct profile *p, const char *comm, int64_t pid, int64_t tid)
{
	const struct profile_label labels[] = {
		test_label(p, "comm", comm),
		test_label(p, "thread", comm),
		test_number(p, "pid", pid),
		test_number(p, "tid", tid),
		test_label(p, "cgroup", "/system.slice/a.service"),
	};

	return test_id(profile_series(p, labels, 5));
}

static inline void test_stack(struct profile *p, uint32_t series, uint64_t count, ...)
{
	uint32_t node = 0;
	const char *frame;
	va_list frames;

	va_start(frames, count);
	while ((frame = va_arg(frames, const char *)))
		node = test_id(profile_node(p, node, test_location(p, frame), 0));
	va_end(frames);
	test_id(profile_add(p, series, node, count, count * TEST_PERIOD_NS));
}

/*
 * For torture(): what is encoded when an allocation fails is all of it, or an error. The first call says
 * what all of it is.
 */
static inline void test_whole(size_t *len, const struct buffer *out)
{
	if (!*len)
		*len = out->len;
	assert(out->len == *len);
}

/* A random profile: the same for the same seed. xorshift64*, since rand() differs between C libraries. */
static inline uint64_t test_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

static inline void test_random_stack(struct profile *p, uint64_t *seed, uint32_t series)
{
	static const char *const modules[] = { "/usr/bin/a", "/usr/bin/b", "/usr/lib/libc.so.6",
					       "[kernel.kallsyms]" };
	uint64_t count = 1 + test_random(seed) % 3;
	uint32_t node = 0, depth = test_random(seed) % 20;

	for (uint32_t i = 0; i < depth; i++) {
		uint32_t mapping = test_mapping(p, modules[test_random(seed) % 4]);
		struct profile_line lines[3];
		uint32_t line_count = 1 + test_random(seed) % 3;

		for (uint32_t j = 0; j < line_count; j++) {
			char name[] = "function_a";

			name[9] = (char)('a' + test_random(seed) % 7);
			lines[j] = test_line(p, name, (uint32_t)(test_random(seed) % 3));
		}
		node = test_id(profile_node(p, node,
					    test_id(profile_location(p, mapping,
								     0x1000 + test_random(seed) % 9,
								     true, lines, line_count)),
					    test_random(seed) % 2));
	}
	test_id(profile_add(p, series, node, count, count * TEST_PERIOD_NS));
}

static inline void test_random_profile(struct profile *p, uint64_t seed, uint32_t samples)
{
	static const char *const comms[] = { "bash", "make", "cc1" };
	uint32_t series[9];

	test_profile(p);
	for (uint32_t i = 0; i < 9; i++)
		series[i] = test_series(p, comms[i % 3], 100 + i, 100 + i);
	for (uint32_t i = 0; i < samples; i++)
		test_random_stack(p, &seed, series[test_random(&seed) % 9]);
}

#endif
