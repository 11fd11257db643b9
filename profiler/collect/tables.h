/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maps of bpf/tables.h, as user space writes them. Owned by the session; all calls from one thread,
 * between session_new() and session_free(). Creating a chunk costs the kernel a grace period (10 to 30 ms);
 * everything else is stores and one system call for each process.
 */
#ifndef COLLECT_TABLES_H
#define COLLECT_TABLES_H

#include <stdint.h>

#include "bpf/tables.h"

struct tables;

/* The maps, by their descriptors; borrowed. */
struct tables_maps {
	int chunks, rules, exes, processes;
};

/* For programs.c. 0 or negative errno. */
int tables_new(struct tables **ret, const struct tables_maps *maps);
void tables_free(struct tables *t);

/* What chunks take of the kernel's memory. */
uint64_t tables_bytes(const struct tables *t);

/*
 * The memory of chunk `number` (UNWIND_CHUNK_WORDS words), created if it isn't there yet. Mapped until
 * tables_release_chunk(): a mapped chunk counts as our memory, too. NULL: no memory, or number >=
 * UNWIND_MAX_CHUNKS.
 */
uint32_t *tables_map_chunk(struct tables *t, uint32_t number);
void tables_release_chunk(struct tables *t, uint32_t number);

/* Always mapped: UNWIND_MAX_RULES, UNWIND_MAX_EXES. A store is what the kernel sees next. */
struct unwind_rule *tables_rules(struct tables *t);
struct unwind_exe *tables_exes(struct tables *t);

/* 0 or negative errno (-E2BIG: UNWIND_MAX_PROCESSES). */
int tables_set_process(struct tables *t, uint32_t tgid, const struct unwind_process *p);
/* What the kernel has of it now: a fork's copy, or what was set. -ENOENT. */
int tables_get_process(struct tables *t, uint32_t tgid, struct unwind_process *ret);
int tables_remove_process(struct tables *t, uint32_t tgid);

#endif
