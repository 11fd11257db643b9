/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where addresses of a process's memory are: which mapping each is in at this moment, and which file's. Not thread safe.
 */
#ifndef DUMP_PLACES_H
#define DUMP_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/dump/target.h"

enum place_kind {
	PLACE_NOWHERE, /* in no mapping */
	PLACE_FILE, /* of a file that can be read; the vDSO is TARGET_VDSO */
	PLACE_UNREAD, /* of a file that can't: `error` says why */
	PLACE_CODE, /* memory without a file, to be executed */
	PLACE_DATA, /* the same, not to be executed */
	PLACE_KERNEL,
};

struct place {
	uint64_t addr;
	uint64_t offset; /* in the file */
	uint32_t order; /* as it was asked for */
	uint32_t file; /* of PLACE_FILE and PLACE_UNREAD: its number */
	int error; /* negative errno */
	enum place_kind kind;
	bool executable, deleted; /* the mapping; its file */
	char label[32]; /* of PLACE_CODE and PLACE_DATA: what the kernel calls it, as "[heap]"; "" */
};

struct places {
	struct place *all; /* by file, then by offset; what is in no file by kind, then by address */
	uint32_t count;
	bool none_mapped; /* the process has no memory of its own */
};

/*
 * Of `count` addresses. 0, or negative errno and a sentence: the process can't be looked at. In every case places_release()
 * may be called. Files stay open as the table of files can.
 */
int places_find(struct places *p, const struct target *t, const uint64_t *addresses, uint32_t count,
		struct err *err);
void places_release(struct places *p);

/* From `first` on, how many are alike: in one file, or of one kind without a file. */
uint32_t places_alike(const struct places *p, uint32_t first);

/* Appends where it is, to be read behind the address: "in no mapping of process 4711 (sleep)". */
void place_describe(const struct places *p, const struct place *x, const struct target *t,
		    struct buffer *out);

#endif
