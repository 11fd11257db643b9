/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profiler/collect/tables.h without a kernel: found by the linker before the real one. Memory is mmap()ed, so
 * that tortured allocations are those of the code under test.
 */
#ifndef TESTS_UNIT_TABLES_FAKE_H
#define TESTS_UNIT_TABLES_FAKE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "profiler/collect/tables.h"

#define FAKE_CHUNKS 64
#define FAKE_PROCESSES 1024

static struct {
	uint32_t *chunks[FAKE_CHUNKS];
	bool mapped[FAKE_CHUNKS];
	bool refuse_chunks;
	struct unwind_rule rules[UNWIND_MAX_RULES];
	struct unwind_exe exes[UNWIND_MAX_EXES];
	struct unwind_process processes[FAKE_PROCESSES]; /* by tgid */
	bool there[FAKE_PROCESSES];
	bool refuse_processes;
} fake;

uint32_t *tables_map_chunk(struct tables *t, uint32_t number)
{
	assert_true(number < FAKE_CHUNKS);
	if (fake.refuse_chunks)
		return NULL;
	if (!fake.chunks[number]) {
		fake.chunks[number] = mmap(NULL, UNWIND_CHUNK_BYTES, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(fake.chunks[number] != MAP_FAILED);
	}
	fake.mapped[number] = true;
	return fake.chunks[number];
}

void tables_release_chunk(struct tables *t, uint32_t number)
{
	assert_true(fake.mapped[number]);
	fake.mapped[number] = false;
}

struct unwind_rule *tables_rules(struct tables *t)
{
	return fake.rules;
}

struct unwind_exe *tables_exes(struct tables *t)
{
	return fake.exes;
}

int tables_set_process(struct tables *t, uint32_t tgid, const struct unwind_process *p)
{
	if (fake.refuse_processes)
		return -E2BIG;
	fake.processes[tgid] = *p;
	fake.there[tgid] = true;
	return 0;
}

int tables_get_process(struct tables *t, uint32_t tgid, struct unwind_process *ret)
{
	if (!fake.there[tgid])
		return -ENOENT;
	*ret = fake.processes[tgid];
	return 0;
}

int tables_remove_process(struct tables *t, uint32_t tgid)
{
	fake.there[tgid] = false;
	return 0;
}

/* What the kernel reads there. */
static inline const void *fake_at(uint32_t addr)
{
	assert_true(addr && fake.chunks[addr >> UNWIND_CHUNK_SHIFT]);
	return fake.chunks[addr >> UNWIND_CHUNK_SHIFT] + addr % UNWIND_CHUNK_WORDS;
}

static inline void fake_reset(void)
{
	for (uint32_t i = 0; i < FAKE_CHUNKS; i++)
		if (fake.chunks[i])
			munmap(fake.chunks[i], UNWIND_CHUNK_BYTES);
	memset(&fake, 0, sizeof(fake));
}

static uint64_t fake_seed = 1;

static inline uint32_t fake_random(uint32_t below)
{
	fake_seed = fake_seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(fake_seed >> 33) % below;
}

#endif
