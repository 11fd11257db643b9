/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of the chunks of bpf/tables.h: who has which. What is given up may still be in use in the kernel: it
 * is nobody's for UNWIND_GRACE_NS, and at most twice that. No range straddles a chunk.
 */
#ifndef TABLES_CHUNK_H
#define TABLES_CHUNK_H

#include <stdint.h>

#include "profiler/collect/tables.h"

/* What is given out is a multiple of this, and begins at one. */
#define CHUNK_GRAIN_WORDS 32u
#define CHUNK_GRAINS (UNWIND_CHUNK_WORDS / CHUNK_GRAIN_WORDS)
#define CHUNK_BITMAP_WORDS (CHUNK_GRAINS / 64)

struct chunk_space {
	uint32_t *words; /* NULL: not mapped now */
	uint32_t used; /* grains that are not free */
	uint32_t hint; /* none is free below */
	uint64_t taken[CHUNK_BITMAP_WORDS];
	uint64_t leaving
		[2][CHUNK_BITMAP_WORDS]; /* taken, and given up in this epoch, in the one before */
};

struct chunks {
	struct tables *tables; /* borrowed */
	struct chunk_space *chunks[UNWIND_MAX_CHUNKS];
	uint32_t count, max;
	uint32_t refused; /* times that there was no room */
	uint64_t used; /* words that are not free */
	uint64_t epoch_ns; /* when it began */
	uint64_t leaving; /* words given up that are not free yet */
};

/* Borrows `t` for its life. budget_bytes are rounded down to chunks. */
void chunks_init(struct chunks *c, struct tables *t, uint64_t budget_bytes);
void chunks_release(struct chunks *c);

/*
 * The address of so many words (1 to UNWIND_CHUNK_WORDS), 8-byte aligned, with anything in them; 0: no
 * room, for now. `now_ns`, here and below, is a clock that doesn't go back.
 */
uint32_t chunks_take(struct chunks *c, uint32_t words, uint64_t now_ns);
/* Gives the range up: nothing that the kernel sees leads there any more. */
void chunks_give(struct chunks *c, uint32_t addr, uint32_t words, uint64_t now_ns);
/* The same of what the kernel never saw: it is free at once. */
void chunks_return(struct chunks *c, uint32_t addr, uint32_t words);
/* Makes free what was given up long enough ago; to take and to give does so first. */
void chunks_turn(struct chunks *c, uint64_t now_ns);

/* Its memory, to be written; valid until chunks_unmap(). NULL: no memory. */
uint32_t *chunks_at(struct chunks *c, uint32_t addr);
/* A mapped chunk counts as our memory: to be called when all is written. */
void chunks_unmap(struct chunks *c);

#endif
