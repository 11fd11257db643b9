// SPDX-License-Identifier: Apache-2.0
/*
 * The list is read once, in its own order, and each entry is shown to the addresses in its range: no
 * entry is kept but the winners, so that memory follows what is asked and not the list. A range is
 * mostly a function and holds few addresses or none; a list of ranges that all hold everything would cost
 * the product, and is given up.
 */
#include "symbolizer/claim.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* A quarter of a second's worth. */
#define MOST_COMPARISONS (64u << 20)

int claims_init(struct claims *c, const uint64_t *addresses, uint32_t count,
		const uint64_t *moments, uint32_t stride)
{
	*c = (struct claims){ .search = { .addresses = addresses, .count = count },
			      .best = calloc(count ? count : 1, sizeof(struct claim)),
			      .moments = moments,
			      .stride = stride,
			      .left = MOST_COMPARISONS };
	return c->best ? 0 : -ENOMEM;
}

void claims_release(struct claims *c)
{
	free(c->best);
	c->best = NULL;
}

static bool is_better(const struct claim *a, const struct claim *than, uint64_t moment)
{
	if (!than->size)
		return true;
	if (a->since <= moment)
		return than->since > moment || a->since >= than->since;
	return than->since > moment && a->since < than->since;
}

int claims_add(struct claims *c, const struct claim *claim)
{
	const uint64_t *addresses = c->search.addresses;
	uint32_t first = search_find(&c->search, claim->start), i;

	for (i = first; i < c->search.count && addresses[i] - claim->start < claim->size; i++) {
		if (!c->left)
			return -E2BIG;
		c->left--;
		if (is_better(claim, &c->best[i], c->moments[(uint64_t)i * c->stride]))
			c->best[i] = *claim;
	}
	return 0;
}
