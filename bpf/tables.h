/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Where the kernel finds unwind tables (unwind.h): maps that user space fills by plain stores, and reads
 * that need no helper call.
 *
 *	processes            chunks: 1 MiB arrays, one address space of 4-byte words
 *	tgid ──► mappings ──►┌─────────────────────────────┐
 *	                     │ struct unwind_mapping []    │ sorted, of one process
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
 * update of its entry; the old ones are written over no sooner than UNWIND_GRACE_NS later, since a fork
 * copies the entry in the kernel, and is known to user space that much later at most. A page whose
 * count is 0 has not been compiled (yet).
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
	UNWIND_MAPPING_ANONYMOUS, /* code made at run time, or a file that can't be compiled: frame pointers */
	UNWIND_MAPPING_UNRESOLVED, /* a file of which nothing is known yet */
};

/* An executable mapping. ELF address = address - start + vaddr. */
struct unwind_mapping {
	__u64 start, end;
	__u64 vaddr;
	__u32 exe; /* UNWIND_MAPPING_FILE: number in exes */
	__u32 kind; /* enum unwind_mapping_kind */
};
_Static_assert(sizeof(struct unwind_mapping) == 32, "mapping layout");

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
	__u32 mappings; /* address */
	__u32 count;
	__u32 stamp; /* user space's: which state of the process this is; 16 bits go into each sample */
};
_Static_assert(sizeof(struct unwind_process) == 24, "process layout");

#endif
