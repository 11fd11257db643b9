// SPDX-License-Identifier: Apache-2.0
/*
 * A bitmap of grains for each chunk, first fit. Time passes in epochs of UNWIND_GRACE_NS: what is given up in one is
 * free when the next one has ended.
 *
 * Refused: a list of free ranges, and a queue of those that wait. Both need memory to give memory back.
 */
#include "profiler/tables/chunk.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

void chunks_init(struct chunks *c, struct tables *t, uint64_t budget_bytes)
{
	uint64_t max = budget_bytes / UNWIND_CHUNK_BYTES;

	*c = (struct chunks){ .tables = t };
	c->max = max < UNWIND_MAX_CHUNKS ? (uint32_t)max : UNWIND_MAX_CHUNKS;
}

void chunks_release(struct chunks *c)
{
	chunks_unmap(c);
	for (uint32_t i = 0; i < c->count; i++)
		free(c->chunks[i]);
	c->count = 0;
}

static uint32_t grains(uint32_t words)
{
	return (words + CHUNK_GRAIN_WORDS - 1) / CHUNK_GRAIN_WORDS;
}

static bool bit_get(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static void bits_set(uint64_t *bits, uint32_t from, uint32_t count)
{
	for (uint32_t i = from; i < from + count; i++)
		bits[i / 64] |= 1ULL << i % 64;
}

/* ---- epochs ---- */

static void chunk_turn(struct chunks *c, struct chunk_space *chunk)
{
	for (uint32_t i = 0; i < CHUNK_BITMAP_WORDS; i++) {
		uint64_t free_now = chunk->leaving[1][i];
		uint32_t count = (uint32_t)__builtin_popcountll(free_now);

		if (count && i * 64 < chunk->hint)
			chunk->hint = i * 64;
		chunk->taken[i] &= ~free_now;
		chunk->used -= count;
		c->used -= (uint64_t)count * CHUNK_GRAIN_WORDS;
		c->leaving -= (uint64_t)count * CHUNK_GRAIN_WORDS;
	}
	memcpy(chunk->leaving[1], chunk->leaving[0], sizeof(chunk->leaving[1]));
	memset(chunk->leaving[0], 0, sizeof(chunk->leaving[0]));
}

/*
 * Who gives something turns first: what was given since the last turn, was so within UNWIND_GRACE_NS of it. So where
 * nobody came for twice that time, all of it is old enough.
 */
void chunks_turn(struct chunks *c, uint64_t now_ns)
{
	uint64_t turns = (now_ns - c->epoch_ns) / UNWIND_GRACE_NS;

	if (!turns)
		return;
	c->epoch_ns = now_ns;
	for (uint64_t n = 0; n < turns && n < 2 && c->leaving; n++) {
		for (uint32_t i = 0; i < c->count; i++)
			chunk_turn(c, c->chunks[i]);
	}
}

/* ---- taking and giving ---- */

/* The first of `count` free grains in a row, or NONE. */
static uint32_t run_find(const struct chunk_space *chunk, uint32_t count)
{
	uint32_t run = 0;

	for (uint32_t i = chunk->hint; i < CHUNK_GRAINS; i++) {
		if (i % 64 == 0 && chunk->taken[i / 64] == UINT64_MAX) {
			run = 0;
			i += 63;
			continue;
		}
		run = bit_get(chunk->taken, i) ? 0 : run + 1;
		if (run == count)
			return i + 1 - count;
	}
	return NONE;
}

static uint32_t chunk_take(struct chunks *c, uint32_t number, uint32_t count)
{
	struct chunk_space *chunk = c->chunks[number];
	uint32_t first = CHUNK_GRAINS - chunk->used < count ? NONE : run_find(chunk, count);

	if (first == NONE)
		return 0;
	bits_set(chunk->taken, first, count);
	while (chunk->hint < CHUNK_GRAINS && bit_get(chunk->taken, chunk->hint))
		chunk->hint++;
	chunk->used += count;
	c->used += (uint64_t)count * CHUNK_GRAIN_WORDS;
	return (number << UNWIND_CHUNK_SHIFT) + first * CHUNK_GRAIN_WORDS;
}

static bool chunk_add(struct chunks *c)
{
	struct chunk_space *chunk;

	if (c->count == c->max)
		return false;
	chunk = calloc(1, sizeof(*chunk));
	if (!chunk)
		return false;
	chunk->words = tables_map_chunk(c->tables, c->count);
	if (!chunk->words) {
		free(chunk);
		return false;
	}
	c->chunks[c->count++] = chunk;
	if (c->count == 1) { /* address 0 is nothing */
		bits_set(chunk->taken, 0, 1);
		chunk->used = 1;
		c->used += CHUNK_GRAIN_WORDS;
	}
	return true;
}

uint32_t chunks_take(struct chunks *c, uint32_t words, uint64_t now_ns)
{
	uint32_t count = grains(words);

	assert(words >= 1 && words <= UNWIND_CHUNK_WORDS);
	chunks_turn(c, now_ns);
	do {
		for (uint32_t i = 0; i < c->count; i++) {
			uint32_t addr = chunk_take(c, i, count);

			if (addr)
				return addr;
		}
	} while (chunk_add(c));
	c->refused++;
	return 0;
}

void chunks_give(struct chunks *c, uint32_t addr, uint32_t words, uint64_t now_ns)
{
	struct chunk_space *chunk = c->chunks[addr >> UNWIND_CHUNK_SHIFT];
	uint32_t first = addr % UNWIND_CHUNK_WORDS / CHUNK_GRAIN_WORDS, count = grains(words);

	assert(addr && addr >> UNWIND_CHUNK_SHIFT < c->count);
	chunks_turn(c, now_ns);
	bits_set(chunk->leaving[0], first, count);
	c->leaving += (uint64_t)count * CHUNK_GRAIN_WORDS;
}

void chunks_return(struct chunks *c, uint32_t addr, uint32_t words)
{
	struct chunk_space *chunk = c->chunks[addr >> UNWIND_CHUNK_SHIFT];
	uint32_t first = addr % UNWIND_CHUNK_WORDS / CHUNK_GRAIN_WORDS, count = grains(words);

	assert(addr && addr >> UNWIND_CHUNK_SHIFT < c->count);
	for (uint32_t i = first; i < first + count; i++)
		chunk->taken[i / 64] &= ~(1ULL << i % 64);
	if (first < chunk->hint)
		chunk->hint = first;
	chunk->used -= count;
	c->used -= (uint64_t)count * CHUNK_GRAIN_WORDS;
}

/* ---- memory ---- */

uint32_t *chunks_at(struct chunks *c, uint32_t addr)
{
	struct chunk_space *chunk = c->chunks[addr >> UNWIND_CHUNK_SHIFT];

	assert(addr && addr >> UNWIND_CHUNK_SHIFT < c->count);
	if (!chunk->words)
		chunk->words = tables_map_chunk(c->tables, addr >> UNWIND_CHUNK_SHIFT);
	return chunk->words ? chunk->words + addr % UNWIND_CHUNK_WORDS : NULL;
}

void chunks_unmap(struct chunks *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->chunks[i]->words)
			tables_release_chunk(c->tables, i);
		c->chunks[i]->words = NULL;
	}
}
