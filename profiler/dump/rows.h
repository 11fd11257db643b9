/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind rows of whole files, asked of the symbolizer a part at a time. Not thread safe.
 */
#ifndef DUMP_ROWS_H
#define DUMP_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/symbols.h"
#include "profiler/base/array.h"
#include "profiler/base/err.h"
#include "symbolizer/protocol.h"

#define ROWS_MAX_BYTES (128u << 20) /* of all files */
#define ROWS_MAX_FILES 16384u
#define ROWS_MAX_PARTS 16u /* of one file: 16 M rows */

struct rows_part {
	void *bytes; /* owned: the reply */
	struct unwind_answer answer;
};

#define ROWS_MAX_RANGES 1024u

struct rows_range {
	uint64_t start, limit; /* ELF addresses */
};

struct rows_file {
	uint32_t file;
	int error; /* negative errno: there are none */
	ARRAY(struct rows_part) parts; /* by address; the first has the segments */
	ARRAY(struct rows_range) by_frame_pointer; /* code of that rule: Go's, V8's */
};

struct rows {
	struct symbols_client *symbols; /* borrowed */
	ARRAY(struct rows_file) files;
	uint64_t bytes;
};

void rows_init(struct rows *r, struct symbols_client *symbols);
void rows_release(struct rows *r);

/* NULL: not asked for yet, by rows_add(). */
const struct rows_file *rows_find(const struct rows *r, uint32_t file);

/* Asks for a file's. What fails is remembered. 0, or negative errno and a sentence: -E2BIG, -ENOEXEC … */
int rows_add(struct rows *r, uint32_t file, int fd, struct err *err);

/* Rows in their order: a rule is in force in [start, end). */
typedef void (*row_fn)(void *ctx, uint64_t start, uint64_t end, const struct unwind_rule *rule);
void rows_each(const struct rows_file *f, row_fn each, void *ctx);

/* The ELF address of a file offset in executable code. */
bool rows_vaddr(const struct rows_file *f, uint64_t offset, uint64_t *ret);
/* Of the offset where an executable mapping begins: its page may begin before the segment does. */
bool rows_mapping_vaddr(const struct rows_file *f, uint64_t offset, uint64_t *ret);

/* The rule in force there, or NULL: no row. */
const struct unwind_rule *rows_rule(const struct rows_file *f, uint64_t vaddr);

#endif
