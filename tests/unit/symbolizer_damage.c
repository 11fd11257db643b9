// SPDX-License-Identifier: Apache-2.0
/*
 * Damaged DWARF, read in this very process: whatever is in a file, the answer is one that the agent believes, in
 * bounded time. What is damaged is this program's own; most damage is done to what a reader trusts first: headers,
 * abbreviations, references, ranges, line programs.
 *
 * DAMAGES=N makes N of them, DAMAGE_SEED repeats a run. A failure says seed and number.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "symbolizer/lines_shelf.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWER 10
#else
#define SLOWER 1
#endif

#define DAMAGES (1000 / SLOWER)
#define MAX_NS (SLOWER * NS_PER_S)
#define MAX_CHANGES 8u
#define MAX_SECTIONS 16u
#define ADDRESSES 64u

struct change {
	uint64_t offset;
	uint8_t was;
};

struct victim {
	int fd;
	uint8_t *bytes; /* the file, shared with fd */
	uint64_t size, state;
	uint64_t headers_at, headers_bytes; /* of sections */
	struct {
		uint64_t offset, size;
	} sections[MAX_SECTIONS]; /* .debug_… */
	uint32_t section_count;
	struct change changes[MAX_CHANGES * 8];
	uint32_t change_count;
};

static uint64_t setting(const char *name, uint64_t fallback)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 10) : fallback;
}

static uint64_t random_below(struct victim *v, uint64_t limit)
{
	uint64_t x = v->state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	v->state = x;
	return x %
	       limit; /* NOLINT(clang-analyzer-core): it is taken for what it can't be, 0 or unset */
}

static void victim_open(struct victim *v)
{
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const Elf64_Shdr *sections;
	const Elf64_Ehdr *e;
	const char *names;
	struct stat st;

	assert_int_equal(fstat(self, &st), 0);
	v->size = (uint64_t)st.st_size;
	v->fd = memfd_create("victim", MFD_CLOEXEC);
	assert_int_equal(ftruncate(v->fd, st.st_size), 0);
	v->bytes = mmap(NULL, v->size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	assert_ptr_not_equal(v->bytes, MAP_FAILED);
	assert_int_equal(pread(self, v->bytes, v->size, 0), st.st_size);
	close(self);
	e = (const Elf64_Ehdr *)v->bytes;
	sections = (const Elf64_Shdr *)(v->bytes + e->e_shoff);
	names = (const char *)v->bytes + sections[e->e_shstrndx].sh_offset;
	v->headers_at = e->e_shoff;
	v->headers_bytes = e->e_shnum * sizeof(Elf64_Shdr);
	for (uint32_t i = 0; i < e->e_shnum && v->section_count < MAX_SECTIONS; i++) {
		if (strncmp(names + sections[i].sh_name, ".debug_", 7) != 0 || !sections[i].sh_size)
			continue;
		v->sections[v->section_count].offset = sections[i].sh_offset;
		v->sections[v->section_count++].size = sections[i].sh_size;
	}
	assert_true(v->section_count >= 4);
}

static void victim_close(struct victim *v)
{
	munmap(v->bytes, v->size);
	close(v->fd);
}

static void change(struct victim *v, uint64_t offset, uint8_t byte)
{
	if (offset >= v->size || v->change_count == sizeof(v->changes) / sizeof(v->changes[0]))
		return;
	v->changes[v->change_count++] = (struct change){ offset, v->bytes[offset] };
	v->bytes[offset] = byte;
}

static void mend(struct victim *v)
{
	while (v->change_count) {
		const struct change *c = &v->changes[--v->change_count];

		v->bytes[c->offset] = c->was;
	}
}

/* Near the beginning of a section in half of all cases: headers are there. */
static uint64_t place_of(struct victim *v)
{
	uint32_t i = (uint32_t)random_below(v, v->section_count + 1);
	uint64_t size;

	if (i == v->section_count)
		return v->headers_at + random_below(v, v->headers_bytes);
	size = v->sections[i].size;
	if (random_below(v, 2) && size > 64)
		size = 64;
	return v->sections[i].offset + random_below(v, size);
}

static void harm(struct victim *v)
{
	static const uint64_t numbers[] = { 0,          0xff,       0x7f, 0x80,       0xffff,
					    0xffffffff, 0xfffffff0, 1,    UINT64_MAX, 1ull << 63 };
	uint32_t times = 1 + (uint32_t)random_below(v, MAX_CHANGES);

	for (uint32_t i = 0; i < times; i++) {
		uint64_t at = place_of(v), number = numbers[random_below(v, 10)];
		uint32_t width = 1u << random_below(v, 4);

		if (random_below(v, 3) == 0) {
			change(v, at, v->bytes[at] ^ (uint8_t)(1u << random_below(v, 8)));
			continue;
		}
		for (uint32_t j = 0; j < width; j++)
			change(v, at + j, (uint8_t)(number >> 8 * j));
	}
}

static uint32_t ask(struct victim *v, uint64_t *ret_took, struct err *err)
{
	struct {
		struct lines_request head;
		uint64_t addresses[ADDRESSES];
	} request = { { ADDRESSES, 0 }, { 0 } };
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	struct lines_shelf shelf = { 0 };
	struct lines_answers a;
	uint32_t status = UINT32_MAX;

	for (uint32_t i = 0; i < ADDRESSES; i++)
		request.addresses[i] = i * v->size / ADDRESSES;
	*ret_took = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (request_answer_lines(&shelf, &request, sizeof(request), &v->fd, 1, &reply) < 0)
		err_set(err, -EPROTO, "there was no answer");
	else if (lines_check(reply.data, reply.len, ADDRESSES, &a, err) == 0)
		status = a.reply->status == SYMBOLS_OK && a.reply->units_damaged ? SYMBOLS_DAMAGED
										 : a.reply->status;
	*ret_took = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - *ret_took;
	lines_shelf_release(&shelf);
	buffer_release(&reply);
	return status;
}

static void test_damage(void **state)
{
	uint64_t seed = setting("DAMAGE_SEED", clock_ns(CLOCK_REALTIME) | 1);
	uint64_t count = setting("DAMAGES", DAMAGES), worst = 0;
	uint32_t statuses[SYMBOLS_STATUS_COUNT] = { 0 };
	struct victim v = { .state = seed };

	(void)state;
	victim_open(&v);
	printf("# DAMAGE_SEED=%llu\n", (unsigned long long)seed);
	for (uint64_t i = 0; i < count; i++) {
		struct err err = { "" };
		uint64_t took;
		uint32_t status;

		harm(&v);
		status = ask(&v, &took, &err);
		if (status == UINT32_MAX)
			fail_msg("seed %llu, number %llu: %s", (unsigned long long)seed,
				 (unsigned long long)i, err.text);
		if (took > MAX_NS)
			fail_msg("seed %llu, number %llu took %.3f s", (unsigned long long)seed,
				 (unsigned long long)i, (double)took / NS_PER_S);
		if (took > worst)
			worst = took;
		statuses[status]++;
		mend(&v);
	}
	printf("# of %llu: %u good, %u damaged, %u without DWARF, %u too large; at worst %.1f ms\n",
	       (unsigned long long)count, statuses[SYMBOLS_OK], statuses[SYMBOLS_DAMAGED],
	       statuses[SYMBOLS_NO_TABLE], statuses[SYMBOLS_LIMIT], (double)worst / NS_PER_MS);
	/* All kinds, or the damage is not what it is meant to be. */
	if (count >= 100) {
		assert_true(statuses[SYMBOLS_OK] > count / 20);
		assert_true(statuses[SYMBOLS_DAMAGED] > count / 20);
	}
	victim_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_damage) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
