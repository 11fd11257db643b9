/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index (symbolizer/lines.h) while it is made: takes functions and rows in any order, and writes the image.
 * Memory is bounded by the maxima below, whatever comes.
 */
#ifndef SYMBOLIZER_LINES_BUILDER_H
#define SYMBOLIZER_LINES_BUILDER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/buffer.h"
#include "profiler/base/index.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/lines.h"

#define LINES_MAX_SCOPES (1u << 23)
#define LINES_MAX_RANGES (1u << 24)
#define LINES_MAX_ROWS (1u << 25)
#define LINES_MAX_STRING_BYTES (256u << 20)
#define LINES_MAX_IMAGE_BYTES (1ull << 30)

/*
 * [start, limit) is of a function. Of several, those of the first unit win, and of these the highest number: what is further
 * in comes later.
 */
struct lines_claim {
	uint32_t start, limit, scope;
};

struct lines_row {
	uint32_t start, file, line; /* file: a string, or LINES_NONE at the end of a sequence */
};

/* Rows [first, first + count) ascend, the last of them ends the sequence. */
struct lines_sequence {
	uint32_t start, limit;
	uint32_t first, count;
};

struct lines_builder {
	const struct elf_file *elf; /* borrowed: where code can be */
	struct elf_range near; /* of its code the range that the last address was in */
	uint64_t base, limit;
	ARRAY(struct lines_scope) scopes;
	ARRAY(uint32_t) units; /* the first scope of each */
	ARRAY(struct lines_claim) claims;
	ARRAY(struct lines_row) rows;
	ARRAY(struct lines_sequence) sequences;
	struct buffer strings;
	struct index interned;
	ARRAY(uint32_t) places; /* of the interned strings, by number */
	uint32_t sequence_first; /* the first row of the sequence under way */
	bool sequence_begun,
		sequence_gone; /* it has a row; which is not in code, so that none of it counts */
	int error; /* the first failure: -ENOMEM or -E2BIG; sticks */
};

/* -ENODATA if the file has no code at all. In every case lines_builder_release() may be called. */
int lines_builder_init(struct lines_builder *b, const struct elf_file *elf);
void lines_builder_release(struct lines_builder *b);

/* A string's place; equal ones are kept once. At most SYMBOLS_MAX_NAME bytes; the rest is cut. */
uint32_t lines_builder_string(struct lines_builder *b, const char *s, size_t len);

/* Is there code at this address? What is elsewhere was thrown away by the linker. */
bool lines_builder_has_code(struct lines_builder *b, uint64_t vaddr);

/* What follows is of another unit. */
void lines_builder_unit(struct lines_builder *b);

/* A function, or one inlined into `parent`; its number. The fields are those of struct lines_scope. */
uint32_t lines_builder_scope(struct lines_builder *b, const struct lines_scope *scope);
/* Its code. What isn't where code can be is passed over. */
void lines_builder_claim(struct lines_builder *b, uint32_t scope, uint64_t start, uint64_t limit);

/* The rows of a sequence, by address, and its end. One that begins where no code can be was thrown away by the linker. */
void lines_builder_row(struct lines_builder *b, uint64_t vaddr, uint32_t file, uint32_t line);
void lines_builder_end_sequence(struct lines_builder *b, uint64_t vaddr);
/* Forgets rows of a sequence that did not end. */
void lines_builder_abandon_sequence(struct lines_builder *b);

/*
 * The image, in an empty buffer, for a header that has its counts of units, its flags and its build id and is zero
 * otherwise. 0, -ENOMEM or -E2BIG. Nothing can be added afterwards.
 */
int lines_builder_write(struct lines_builder *b, const struct lines_header *header,
			struct buffer *ret);

#endif
