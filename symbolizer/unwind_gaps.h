/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows for what is between functions that have call frame information: from its instructions, by
 * symbolizer/code_rules.h.
 */
#ifndef SYMBOLIZER_UNWIND_GAPS_H
#define SYMBOLIZER_UNWIND_GAPS_H

#include "symbolizer/elf_file.h"
#include "symbolizer/unwind_fdes.h"
#include "symbolizer/unwind_table.h"

#define UNWIND_GAP_MAX_BYTES (4u << 20) /* x265's assembly has 3 MiB */
#define UNWIND_GAPS_MAX_BYTES (16u << 20) /* of a file */
/*
 * Instructions decoded and steps taken, of a file: 0.2 to 0.8 s. Whoever asks waits 1.5 s for the whole file, on a busy
 * machine too, and takes what has no answer by then to have no rows at all.
 */
#define UNWIND_GAPS_MAX_STEPS (8u << 20)
#define UNWIND_GAPS_MAX_SYMBOLS (1u << 16) /* outside of functions with call frame information */
#define UNWIND_GAPS_MAX_TABLE (1u << 20) /* symbol tables beyond are not read for it: chromium's */

struct unwind_gaps {
	struct elf_file *file;
	const struct unwind_fdes *fdes;
	uint64_t start, limit; /* of what is asked for */
	uint64_t program_start;
	uint64_t bytes, steps; /* looked at, taken */
	ARRAY(uint64_t) functions; /* that begin in gaps, by address */
	bool opened; /* the two above are known */
	bool fixed;
	bool too_large;
};

/* Those of a file, borrowed as its FDEs are, of which rows for [start, limit) are wanted. */
void unwind_gaps_init(struct unwind_gaps *g, struct elf_file *f, const struct unwind_fdes *fdes,
		      uint64_t start, uint64_t limit);
void unwind_gaps_release(struct unwind_gaps *g);

/*
 * Adds rows for [from, to), of which at least the first is for `from`. As unwind_table_add(), or
 * *ret_told: are there any with a rule?
 */
int unwind_gaps_add(struct unwind_gaps *g, uint64_t from, uint64_t to, struct unwind_table *t,
		    bool *ret_told);

#endif
