/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where names come from: the symbolizer process, or a recording of what it said.
 */
#ifndef AGENT_NAMES_H
#define AGENT_NAMES_H

#include <stdint.h>

#include "profiler/agent/outside.h"
#include "profiler/agent/symbols.h"
#include "profiler/base/err.h"
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
	/* Told each reply, for a recording; may be NULL. Length 0: the request failed. */
	void (*told)(void *ctx, uint32_t space, const void *bytes, uint32_t len);
	void *told_ctx;
	int vdso_fd; /* a copy of our own vDSO, made when first needed; starts at -1 */
};

int live_names_ask(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		   struct symbols *ret, struct err *err);
/* A copy of the vDSO, borrowed until live_names_release(); or negative errno and a sentence. */
int live_names_vdso(struct live_names *n, struct err *err);
void live_names_release(struct live_names *n);

#endif
