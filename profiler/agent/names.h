/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where names come from: the symbolizer process, or a recording of what it said.
 */
#ifndef AGENT_NAMES_H
#define AGENT_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/debug_files.h"
#include "profiler/agent/outside.h"
#include "profiler/agent/perfmaps.h"
#include "profiler/agent/symbols.h"
#include "profiler/base/clock.h"
#include "profiler/base/err.h"
#include "profiler/process/file.h"
#include "symbolizer/protocol.h"

/* Where a file's DWARF is. */
struct line_files {
	int dwarf; /* the file itself, or its debug file; -1: there is none */
	int alternate; /* what dwz moved to another; -1 */
};

#define LINE_FILES_NONE ((struct line_files){ .dwarf = -1, .alternate = -1 })

void line_files_close(struct line_files *f);
/* Descriptors of their own. 0 or negative errno. */
int line_files_copy(const struct line_files *f, struct line_files *ret);

/* What a reply is of. */
enum names_kind {
	NAMES_SYMBOLS,
	NAMES_LATE, /* symbols too, asked for once more */
	NAMES_LINES,
};

struct name_source {
	void *ctx;
	/*
	 * `space` is a window space: the kernel, the vDSO, or a file, which `fd` holds. Addresses
	 * ascend, at most SYMBOLS_MAX_ADDRESSES. 0 and *ret, valid until the next call; or negative
	 * errno and a sentence.
	 */
	int (*ask)(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		   struct symbols *ret, struct err *err);
	/*
	 * The same for code that a process made: `owner` is its number (agent/jit.h), `dump_fd` its
	 * jitdump or -1. At most SYMBOLS_MAX_CODE_ADDRESSES. NULL: there are no such names.
	 */
	int (*ask_code)(void *ctx, uint32_t owner, int dump_fd, const uint64_t *addresses,
			const struct symbol_moment *moments, uint32_t count, struct symbols *ret,
			struct err *err);
	/*
	 * As ask(), of a file that was asked about long ago and had no names for these: perhaps its debug file has turned up.
	 * NULL: nobody looks.
	 */
	int (*ask_late)(void *ctx, uint32_t space, int fd, const uint64_t *addresses,
			uint32_t count, struct symbols *ret, struct err *err);
	/* Where the DWARF of the file `fd` is: 0 and *ret, the caller's to close; or negative errno. */
	int (*find_lines)(void *ctx, uint32_t space, int fd, struct line_files *ret);
	/*
	 * Lines and inlined functions of ELF addresses, ascending, by these files (LINE_FILES_NONE: there are none, which is
	 * counted). Errors as above. NULL: nobody wants them.
	 */
	int (*ask_lines)(void *ctx, uint32_t space, const struct line_files *files,
			 const uint64_t *vaddrs, uint32_t count, struct lines_answers *ret,
			 struct err *err);
	bool recorded; /* all answers are there by space: no descriptors are needed, or to be had */
};

/* Names of code are recorded under this space, which is no window's. */
#define NAMES_CODE_SPACE(owner) (WINDOW_SPACE_CODE + (owner))

/* The live one. */
struct live_names {
	struct symbols_client *client; /* borrowed */
	struct outside *outside; /* borrowed; opens the kernel's tables */
	struct perfmaps *maps; /* borrowed; NULL: code made at run time has no names */
	struct counters *counters; /* borrowed; where there are maps, or lines are asked for */
	uint64_t code_ns; /* what naming such code has taken so far */
	struct debug_files *debug; /* borrowed; NULL: only files' own names */
	struct file_table *files; /* borrowed; whose numbers `debug` is asked about */
	/* Told each reply, for a recording; may be NULL. Length 0: the request failed. */
	void (*told)(void *ctx, enum names_kind kind, uint32_t space, const void *bytes,
		     uint32_t len);
	void *told_ctx;
	uint64_t lines_until_ns; /* when there is no time for more of them; 0: none was asked for */
	const struct peer_hurry
		*hurry; /* borrowed; who may say that lines are waited for no longer; NULL */
	uint32_t lines_bad; /* the last space that was counted so */
	int vdso_fd; /* a copy of our own vDSO, made when first needed; starts at -1 */
};

int live_names_ask(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		   struct symbols *ret, struct err *err);
/*
 * When this has taken LIVE_NAMES_MAX_CODE_NS in all, what else is asked fails with -ETIME, and is counted
 * (CODE_MAPS_UNASKED): lists are as long as their processes like, and there may be hundreds.
 */
#define LIVE_NAMES_MAX_CODE_NS (3 * NS_PER_S)
int live_names_ask_code(struct live_names *n, uint32_t owner, int dump_fd,
			const uint64_t *addresses, const struct symbol_moment *moments,
			uint32_t count, struct symbols *ret, struct err *err);
/*
 * The same for number `file` of the file table, which `fd` holds; the reply's bytes too, as
 * symbols_client_ask(). Names that the file doesn't have itself are sought in its debug file.
 */
int live_names_file(struct live_names *n, uint32_t file, int fd, const uint64_t *addresses,
		    uint32_t count, struct symbols *ret, const void **ret_bytes, uint32_t *ret_len,
		    struct err *err);
/* The same of kernel addresses. */
int live_names_kernel(struct live_names *n, const uint64_t *addresses, uint32_t count,
		      struct symbols *ret, const void **ret_bytes, uint32_t *ret_len,
		      struct err *err);
/* As name_source.ask_late, within the time for lines. */
int live_names_late(struct live_names *n, uint32_t space, int fd, const uint64_t *addresses,
		    uint32_t count, struct symbols *ret, struct err *err);
/* As name_source.find_lines and ask_lines; in live_lines.c. */
int live_lines_find(struct live_names *n, uint32_t space, int fd, struct line_files *ret);
int live_lines_ask(struct live_names *n, uint32_t space, const struct line_files *files,
		   const uint64_t *vaddrs, uint32_t count, struct lines_answers *ret,
		   struct err *err);
/*
 * Counts why a file has no lines, or not all of them: `r` of a request, and if that is 0 its
 * answer. *bad is the last space of which not all could be read: each of its parts says so.
 */
void live_lines_count(struct counters *counters, uint32_t *bad, uint32_t space, int r,
		      const struct lines_answers *a);
/* What is left of the time for lines and late names, which begins with the first of these calls. */
uint64_t live_lines_left_ns(struct live_names *n);
/* A copy of the vDSO, borrowed until live_names_release(); or negative errno and a sentence. */
int live_names_vdso(struct live_names *n, struct err *err);
void live_names_release(struct live_names *n);

#endif
