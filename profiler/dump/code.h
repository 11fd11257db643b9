/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process says of the code that it made at run time: its perf map and its jitdump, if it has them. Not thread safe.
 */
#ifndef DUMP_CODE_H
#define DUMP_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/dump/target.h"
#include "profiler/model/runtime.h"

struct code {
	const struct target_sources *from;
	int map_fd; /* -1: there is none that is believed */
	int map_error; /* why: negative errno */
	uint32_t dump; /* the jitdump's number as a file, or UNWINDER_NO_FILE */
	enum runtime runtime; /* by what it has mapped */
};

/* Looks for them; what it has mapped was read (target_read). In every case code_close() may be called. */
void code_open(struct code *c, const struct target *t);
void code_close(struct code *c);

/* Does it say anything? */
bool code_is_told(const struct code *c);

/* Why there is no perf map, as half a sentence: "it is another user's". */
const char *code_map_reason(int error);
/* Is there one, that was refused? */
bool code_map_is_refused(int error);

enum code_list { CODE_DUMP, CODE_MAP, CODE_LISTS };

/*
 * Names of `count` ascending addresses by one of the lists as it is now. 0 and *ret, valid until the symbolizer's next reply;
 * -ENOENT if there is no such list; or another negative errno and a sentence.
 */
int code_ask(const struct code *c, enum code_list list, const uint64_t *addresses, uint32_t count,
	     struct symbols *ret, struct err *err);

/* Is `path` called as a jitdump is? */
bool code_is_dump(const char *path);

#endif
