/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where names come from: the symbolizer process, or a recording of what it said.
 */
#ifndef AGENT_NAMES_H
#define AGENT_NAMES_H

#include <stdint.h>

#include "profiler/agent/debug_files.h"
#include "profiler/agent/outside.h"
#include "profiler/agent/symbols.h"
#include "profiler/base/err.h"
#include "profiler/process/file.h"
#include "symbolizer/protocol.h"

struct name_source {
	void *ctx;
	/*
	 * `space` is a window space: the kernel, the vDSO, or a file, which `fd` holds. Addresses
	 * ascend, at most SYMBOLS_MAX_ADDRESSES. 0 and *ret, valid until the next call; or negative
	 * errno and a sentence.
	 */
	int (*ask)(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		   struct symbols *ret, struct err *err);
};

/* The live one. */
struct live_names {
	struct symbols_client *client; /* borrowed */
	struct outside *outside; /* borrowed; opens the kernel's tables */
	struct debug_files *debug; /* borrowed; NULL: only files' own names */
	struct file_table *files; /* borrowed; whose numbers `debug` is asked about */
	/* Told each reply, for a recording; may be NULL. Length 0: the request failed. */
	void (*told)(void *ctx, uint32_t space, const void *bytes, uint32_t len);
	void *told_ctx;
	int vdso_fd; /* a copy of our own vDSO, made when first needed; starts at -1 */
};

int live_names_ask(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		   struct symbols *ret, struct err *err);
/*
 * The same for number `file` of the file table, which `fd` holds; the reply's bytes too, as
 * symbols_client_ask(). Names that the file doesn't have itself are sought in its debug file.
 */
int live_names_file(struct live_names *n, uint32_t file, int fd, const uint64_t *addresses,
		    uint32_t count, struct symbols *ret, const void **ret_bytes, uint32_t *ret_len,
		    struct err *err);
/* A copy of the vDSO, borrowed until live_names_release(); or negative errno and a sentence. */
int live_names_vdso(struct live_names *n, struct err *err);
void live_names_release(struct live_names *n);

#endif
