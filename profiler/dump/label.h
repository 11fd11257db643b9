/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of addresses, asked for together: a file once for all that is wanted in it. Not thread safe.
 */
#ifndef DUMP_LABEL_H
#define DUMP_LABEL_H

#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/buffer.h"
#include "profiler/dump/code.h"
#include "profiler/dump/target.h"

#define LABELS_MAX (1u << 20)

struct label {
	uint64_t offset; /* in the file; of UNWINDER_NO_FILE: the address */
	uint32_t file; /* UNWINDER_NO_FILE: code that the process made */
	uint32_t name; /* in the strings; 0: none is known */
	uint64_t within; /* the function, if it has a name */
};

struct labels {
	ARRAY(struct label) all; /* sorted by labels_ask() */
	struct buffer strings;
};

void labels_init(struct labels *l);
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

#endif
