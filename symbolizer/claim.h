/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose code is at an address? A list of what a process compiled names the same address again and again,
 * as memory is used again; each entry claims a range from some moment on. Of those that hold an address
 * the last one by the address's own moment wins, or, if all came later, the first.
 *
 * A moment is whatever orders the list: a time, or how much of it was there.
 */
#ifndef SYMBOLIZER_CLAIM_H
#define SYMBOLIZER_CLAIM_H

#include <stdint.h>

#include "symbolizer/search.h"

struct claim {
	uint64_t start, size; /* size 0: nobody's; else start + size doesn't wrap */
	uint64_t since; /* its moment */
	uint64_t at; /* where it is in the list: for whoever reads its name */
};

struct claims {
	struct search search;
	struct claim *best; /* of each address asked */
	const uint64_t *moments; /* of each address asked, every `stride` words */
	uint32_t stride;
	uint64_t left; /* so many comparisons may still be made */
};

/*
 * Borrows `addresses`, which ascend, and `moments`. 0 or -ENOMEM; in both cases claims_release() may be
 * called, as on a zeroed one.
 */
int claims_init(struct claims *c, const uint64_t *addresses, uint32_t count,
		const uint64_t *moments, uint32_t stride);
void claims_release(struct claims *c);

/*
 * 0; or -E2BIG when the ranges so far were as many and as large as nobody's are who means well: it was
 * not looked at then.
 */
int claims_add(struct claims *c, const struct claim *claim);

#endif
