/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's own table of its functions, which its runtime needs and which therefore no linker strips: where
 * each one starts, its name, and for each instruction the frame's size, file and line.
 *
 * Format: Go's src/runtime/symtab.go, src/debug/gosym/pclntab.go and src/cmd/link/internal/ld/pcln.go,
 * of Go 1.2, 1.16, 1.18 and 1.20, each of which began another version. x86-64 only. Addresses are ELF
 * addresses (vaddr).
 *
 * The file is hostile: nothing is read outside of the table, and what all calls together read of it is
 * limited. Beyond that, too_large is set in the file, and there are no further functions or values.
 */
#ifndef SYMBOLIZER_GO_PCLNTAB_H
#define SYMBOLIZER_GO_PCLNTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"

#define GO_MAX_FUNCTIONS (1u << 20)

/* Go's flags of a function. */
#define GO_FUNCTION_TOP 1u /* the outermost frame of a stack */
#define GO_FUNCTION_WRITES_SP 2u /* in a way that its table doesn't say */
#define GO_FUNCTION_ASM 4u /* written in assembler */

struct go_function {
	uint64_t start;
	uint64_t limit; /* where the next one starts: padding and code that isn't Go's may be before */
	uint32_t name; /* for go_pclntab_name() */
	uint32_t frame_values, file_values, line_values; /* for go_values_begin() */
	uint32_t unit; /* for its files' names; GO_NONE: they are numbered in the whole table */
	uint32_t flags; /* GO_FUNCTION_… */
	bool flags_known; /* since Go 1.18 */
};

#define GO_NONE UINT32_MAX

struct go_pclntab;

/*
 * The table of a file that Go compiled: at `section`, which may be empty, or wherever it is in the
 * file. 0; -ENOENT: none that could be used; -ENOMEM. The file is borrowed.
 */
int go_pclntab_open(struct elf_file *f, const struct elf_place *section, struct go_pclntab **ret);
void go_pclntab_free(struct go_pclntab *t);

/* Functions are numbered by address. */
uint32_t go_pclntab_count(const struct go_pclntab *t);
/* False: there is nothing sensible at this number. */
bool go_pclntab_function(struct go_pclntab *t, uint32_t number, struct go_function *ret);
/* The last that starts at or below the address; GO_NONE: there is none. */
uint32_t go_pclntab_find(struct go_pclntab *t, uint64_t vaddr);
/* A function's name, cut to size - 1 bytes, NUL-terminated. Its length; 0: there is none. */
size_t go_pclntab_name(struct go_pclntab *t, const struct go_function *f, char *ret, size_t size);
/* Where its last instruction ends: not beyond its limit. */
uint64_t go_pclntab_end(struct go_pclntab *t, const struct go_function *f);

/* File and line of an instruction. False if they aren't known. */
bool go_pclntab_line(struct go_pclntab *t, uint64_t vaddr, char *ret_file, size_t size,
		     uint32_t *ret_line);

/* A value for each instruction, in runs: [start, limit) has `value`. */
struct go_values {
	uint64_t start, limit;
	int32_t value;
	/* the rest is the reader's */
	struct go_pclntab *table;
	uint64_t at, end; /* in the table; of the function */
	bool first;
};

void go_values_begin(struct go_pclntab *t, const struct go_function *f, uint32_t values,
		     struct go_values *ret);
/* The next run, which is not empty and within the function; false at the end. */
bool go_values_next(struct go_values *v);

#endif
