/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The maps of tables.h, and what is looked up in them for a frame.
 *
 * Chunks are all alike: so the kernel inlines both lookups, and what is read in a chunk are plain loads
 * through a mask. Larger maps made for their content, or one map entry for each row, cost a helper call
 * for each step of a search.
 */
#ifndef BPF_TABLES_BPF_H
#define BPF_TABLES_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/maps.bpf.h"
#include "bpf/tables.h"

struct chunk {
	__u32 words[UNWIND_CHUNK_WORDS];
};

struct chunk_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32)); /* of an inner map's types there is no more than a name */
	__uint(value_size, sizeof(struct chunk));
};

/* User space fills each slot once, with a map like the others. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, UNWIND_MAX_CHUNKS);
	__type(key, __u32);
	__array(values, struct chunk_map);
} chunks SEC(".maps");

/* 512 KiB: as many as a row can name. All files of a Debian have some 5,300 different ones. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, UNWIND_MAX_RULES);
	__type(key, __u32);
	__type(value, struct unwind_rule);
} rules SEC(".maps");

/* 256 KiB. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, UNWIND_MAX_EXES);
	__type(key, __u32);
	__type(value, struct unwind_exe);
} exes SEC(".maps");

/*
 * Most machines have few of the processes that a machine may have, so entries are made when they are
 * needed. User space has them preallocated, fewer, where the kernel refuses that (before 6.1).
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, UNWIND_MAX_PROCESSES);
	__type(key, __u32);
	__type(value, struct unwind_process);
} processes SEC(".maps");

/* The words of the chunk that has this address. */
static inline __u32 *tables_chunk(__u32 address)
{
	__u32 number = address >> UNWIND_CHUNK_SHIFT, zero = 0;
	void *map = bpf_map_lookup_elem(&chunks, &number);
	struct chunk *chunk = map ? bpf_map_lookup_elem(map, &zero) : NULL;

	return chunk ? chunk->words : NULL;
}

/* Of what is 8-byte aligned. */
#define TABLES_PAIR_MASK (UNWIND_CHUNK_WORDS - 2)

static inline __u64 tables_pair(const __u32 *words, __u32 word)
{
	return *(const __u64 *)&words[word & TABLES_PAIR_MASK];
}

/* Is the list that the entry leads to still the one that it means? */
static inline int tables_list_is(__u32 mappings, __u64 list)
{
	const __u32 *words = tables_chunk(mappings - UNWIND_LIST_WORDS);

	return words &&
	       *(const volatile __u64 *)&words[(mappings - UNWIND_LIST_WORDS) & TABLES_PAIR_MASK] ==
		       list;
}

/*
 * What is known of this process image. An entry may be written anew while it is read, for this process or another:
 * so its identity is read before and after the rest, and where it leads to is asked which list that is.
 */
static inline int tables_process(__u32 tgid, __u64 start_ns, __u32 exec_id,
				 struct unwind_process *ret)
{
	const volatile struct unwind_process *p = bpf_map_lookup_elem(&processes, &tgid);
	__u64 list;

	if (!p || p->start_ns != start_ns || p->exec_id != exec_id)
		return 0;
	list = *(const volatile __u64 *)&p->id;
	*ret = (struct unwind_process){
		.start_ns = start_ns,
		.exec_id = exec_id,
		.mappings = p->mappings,
		.id = (__u32)list,
		.count = list >> 32,
		.stamp = p->stamp,
	};
	if (ret->count && !tables_list_is(ret->mappings, list))
		return 0;
	return p->start_ns == start_ns && p->exec_id == exec_id;
}

/* The mapping with this address, into *ret. */
static inline int tables_mapping(const struct unwind_process *p, __u64 addr,
				 struct unwind_mapping *ret)
{
	const __u32 size = sizeof(*ret) / sizeof(__u32);
	__u32 count = p->count, word = p->mappings & (UNWIND_CHUNK_WORDS - 1);
	const __u32 *words = tables_chunk(p->mappings);
	__u64 last;

	if (!words || !p->mappings)
		return 0;
	for (int i = 0; i < UNWIND_MAPPING_STEPS && count > 1; i++) {
		__u32 half = count >> 1;

		if (tables_pair(words, word + half * size) <= addr)
			word += half * size;
		count -= half;
	}
	ret->start = tables_pair(words, word);
	ret->end = tables_pair(words, word + 2);
	ret->vaddr = tables_pair(words, word + 4);
	last = tables_pair(words, word + 6);
	ret->exe = (__u32)last;
	ret->kind = last >> 32;
	return count == 1 && ret->start <= addr && addr < ret->end;
}

/* The number of the rule for an address of a file, or UNWIND_MAX_RULES: not compiled. */
static inline __u32 tables_rule(__u32 number, __u64 vaddr)
{
	const volatile struct unwind_exe *exe = bpf_map_lookup_elem(&exes, &number);
	const __u32 *words;
	__u64 start, page, entry;
	__u32 pages, index, row, count;

	if (!exe)
		return UNWIND_MAX_RULES;
	index = exe->index;
	start = exe->start;
	pages = exe->pages;
	/* Its number may have become another file's, which began with the index. */
	if (!index || exe->index != index)
		return UNWIND_MAX_RULES;
	page = (vaddr - start) >> UNWIND_PAGE_SHIFT;
	if (vaddr < start || page >= pages)
		return UNWIND_RULE_NONE;
	index += page * (sizeof(struct unwind_page) / sizeof(__u32));
	words = tables_chunk(index);
	if (!words)
		return UNWIND_MAX_RULES;
	entry = tables_pair(words, index);
	row = (__u32)entry;
	count = (__u16)(entry >> 32);
	words = tables_chunk(row);
	if (!count || !words)
		return UNWIND_MAX_RULES;
	row = unwind_row_find(words, UNWIND_CHUNK_WORDS - 1, row, count,
			      vaddr & (UNWIND_PAGE_BYTES - 1));
	return unwind_row_rule(row);
}

#endif
