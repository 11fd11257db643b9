/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of addresses, and their lines, asked for together: a file once for all that is wanted in it. Not thread safe.
 */
#ifndef DUMP_LABEL_H
#define DUMP_LABEL_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/buffer.h"
#include "profiler/base/index.h"
#include "profiler/dump/code.h"
#include "profiler/dump/target.h"

#define LABELS_MAX (1u << 20)

/* A function, and a line of it. Strings are places in labels.strings; 0: not known. */
struct label_line {
	uint32_t name, file;
	uint32_t line; /* 0: not known */
};

struct label {
	uint64_t offset; /* in the file; of UNWINDER_NO_FILE: the address */
	uint32_t file; /* UNWINDER_NO_FILE: code that the process made */
	uint32_t name; /* in the strings; 0: none is known */
	uint32_t first_line,
		line_count; /* in the lines, innermost first; the last is of the function itself */
	uint64_t within; /* the function, if it has a name */
	bool placed; /* `within` is known: the name is a symbol's */
};

struct labels {
	ARRAY(struct label) all; /* sorted by labels_ask() */
	ARRAY(struct label_line) lines;
	struct buffer strings;
	struct index string_index;
	bool lines_wanted;
	uint64_t patience_ns; /* what is left for lines, in all files together; 0: only names are asked for */
	bool late; /* that was not enough */
};

/* With `lines`, lines and inlined functions are asked for, too. */
void labels_init(struct labels *l, bool lines);
void labels_release(struct labels *l);
/* Forgets all. */
void labels_clear(struct labels *l);

/* Wants the name there. 0, -ENOMEM or -E2BIG. */
int labels_want(struct labels *l, uint32_t file, uint64_t offset);

/* Asks for what is wanted, in a process with such code. A file that has none, or can't be read, has none: that is no error. */
void labels_ask(struct labels *l, const struct code *code);

/* What was wanted; NULL if it wasn't. */
const struct label *labels_find(const struct labels *l, uint32_t file, uint64_t offset);

/* Its function, or "". Valid until labels_clear(). */
const char *label_name(const struct labels *l, const struct label *label);
/* The same of its lines. */
const char *label_text(const struct labels *l, uint32_t string);

#endif
