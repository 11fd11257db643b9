/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Where the kernel finds unwind tables (unwind.h): maps that user space fills by plain stores, and reads
 * that need no helper call.
 *
 *	processes            chunks: 1 MiB arrays, one address space of 4-byte words
 *	tgid ─┐              ┌─────────────────────────────┐
 *	      │              │ struct unwind_list          │ which list this is, now
 *	      └─► mappings ─►│ struct unwind_mapping []    │ sorted, of one process
 *	exes                 ├─────────────────────────────┤
 *	number ─► index ────►│ struct unwind_page []       │ of one file: `row` is a word of this space
 *	                     ├─────────────────────────────┤
 *	rules                │ rows, 4 bytes each          │ `rule` is a number in `rules`, for all files
 *	number ─► 8 bytes    └─────────────────────────────┘
 *
 * A word's address: number of the chunk << 18 | word in it. No array straddles a chunk: mappings and pages
 * are 8-byte aligned. Address 0 is nothing: word 0 of chunk 0 is not used.
 *
 * Who is being changed: mappings of a process are written anew elsewhere and then put in place by one
 * update of its entry; the old ones are written over no sooner than UNWIND_GRACE_NS later, when no program
 * that began with them can still run. But an entry may lead there for longer: a fork copies it in the
 * kernel, and user space may not hear of that, or too late. So a list says itself which it is, and
 * ceases to the moment it is given up: who comes later finds another list there, or none, and has no tables.
 *
 * A page whose count is 0 has not been compiled (yet).
 */
#ifndef BPF_TABLES_H
#define BPF_TABLES_H

#include <linux/types.h>

#include "bpf/unwind.h"

#define UNWIND_CHUNK_SHIFT 18
#define UNWIND_CHUNK_WORDS (1u << UNWIND_CHUNK_SHIFT)
#define UNWIND_CHUNK_BYTES (UNWIND_CHUNK_WORDS * 4)
#define UNWIND_MAX_CHUNKS 256u

#define UNWIND_MAX_RULES 65536u /* of all files; the first are UNWIND_RULE_NONE and _UNSUPPORTED */
#define UNWIND_MAX_EXES 16384u
#define UNWIND_MAX_PROCESSES 65536u
#define UNWIND_MAX_MAPPINGS 8192u /* of one process: 256 KiB */
#define UNWIND_MAPPING_STEPS 13 /* of a search among so many */
#define UNWIND_GRACE_NS (2 * 1000000000ULL)

enum unwind_mapping_kind {
	UNWIND_MAPPING_FILE, /* rows by its exe; until it has some: see pages */
	UNWIND_MAPPING_ANONYMOUS, /* code made at run time, or a file that is no ELF file: frame pointers */
	UNWIND_MAPPING_UNRESOLVED, /* a file of which nothing is known yet */
	UNWIND_MAPPING_REFUSED, /* a file of which nothing will be: a guess in it would be a wrong frame */
};

/* An executable mapping. ELF address = address - start + vaddr. */
struct unwind_mapping {
	__u64 start, end;
	__u64 vaddr;
	__u32 exe; /* UNWIND_MAPPING_FILE: number in exes */
	__u32 kind; /* enum unwind_mapping_kind */
};
_Static_assert(sizeof(struct unwind_mapping) == 32, "mapping layout");

/* In front of a process's mappings: what its entry must say, too. All 0: there is no list (any more). */
struct unwind_list {
	__u32 id; /* no two lists have the same */
	__u32 count; /* of the mappings that follow */
};
_Static_assert(sizeof(struct unwind_list) == 8, "list layout");
#define UNWIND_LIST_WORDS 2u

/* A file, by the page index of its executable part. */
struct unwind_exe {
	__u64 start; /* ELF address of the first page */
	__u32 index; /* address of its pages; 0: none yet */
	__u32 pages;
};
_Static_assert(sizeof(struct unwind_exe) == 16, "exe layout");

/*
 * A process image: tgid → this. Another start or exec_id is another image, for which nothing is known. A
 * fork copies its parent's entry, with the child's start; exec puts in an empty one, with no mappings: as
 * good as none, but user space can read there how the image is called; the end of the process removes it.
 */
struct unwind_process {
	__u64 start_ns; /* of the leader, CLOCK_BOOTTIME */
	__u32 exec_id;
	__u32 mappings; /* address of the first, which has its list in front; 0: none */
	__u32 id, count; /* that list's; 8-byte aligned, to be read at once */
	/*
	 * When the kernel side wrote this (CLOCK_MONOTONIC), at a fork or exec; 0: user space did. Its events reach
	 * user space later: until they have, this entry is of an image that it hasn't heard of.
	 */
	__u64 since_ns;
	__u32 stamp; /* user space's: which state of the process this is; 16 bits go into each sample */
	__u32 reserved;
};
_Static_assert(sizeof(struct unwind_process) == 40, "process layout");

#endif
