// SPDX-License-Identifier: Apache-2.0
/*
 * Each file is asked whom it knows at each address; the first that knows has it. A name is read once,
 * in the order in which names stand in the file, however many addresses it has.
 */
#include "symbolizer/jit_answer.h"

#include <errno.h>
#include <stdlib.h>

#include "symbolizer/claim.h"
#include "symbolizer/jitdump.h"
#include "symbolizer/peek.h"
#include "symbolizer/perfmap.h"

#define MOMENT_WORDS (sizeof(struct symbol_moment) / sizeof(uint64_t))

/* One file of a request. */
struct list {
	struct peek file;
	bool is_jitdump;
	struct claims claims;
};

static int compare_places(const void *a, const void *b, void *ctx)
{
	const struct claim *all = ctx;
	uint64_t x = all[*(const uint32_t *)a].at, y = all[*(const uint32_t *)b].at;

	return x < y ? -1 : x > y;
}

/* The function of `claim`, added to the reply; SYMBOLS_NONE if its name is gone by now. */
static int function_add(struct list *l, const struct claim *claim, struct reply *reply,
			uint32_t *ret_function)
{
	size_t len = 0;
	const char *name;
	int r = l->is_jitdump ? jitdump_name(&l->file, claim, &name, &len)
			      : perfmap_name(&l->file, claim, &name, &len);

	*ret_function = SYMBOLS_NONE;
	if (r < 0)
		return 0;
	return reply_add_function(reply, claim->start, claim->size, name, len, NULL, ret_function);
}

/* `order` has the addresses that are this list's. */
static int names_add(struct list *l, const uint64_t *addresses, uint32_t *order, uint32_t count,
		     struct reply *reply)
{
	const struct claim *last = NULL;
	uint32_t function = SYMBOLS_NONE;

	qsort_r(order, count, sizeof(*order), compare_places, l->claims.best);
	for (uint32_t i = 0; i < count; i++) {
		const struct claim *claim = &l->claims.best[order[i]];

		/* A load and its moves are functions of one name. */
		if (!last || claim->at != last->at || claim->start != last->start ||
		    claim->size != last->size) {
			int r = function_add(l, claim, reply, &function);

			if (r < 0)
				return r;
		}
		last = claim;
		if (function == SYMBOLS_NONE || addresses[order[i]] - claim->start >= claim->size)
			continue;
		reply->answers[order[i]].function = function;
		reply->answers[order[i]].vaddr = addresses[order[i]];
	}
	return 0;
}

/* What one file knows that no other did. 0, -ENOMEM or -E2BIG. */
static int list_answer(struct list *l, const uint64_t *addresses, uint32_t count, uint32_t *order,
		       struct reply *reply)
{
	enum symbol_status status = l->is_jitdump ? jitdump_claim(&l->file, &l->claims)
						  : perfmap_claim(&l->file, &l->claims);
	uint32_t own = 0;

	if (status != SYMBOLS_OK && reply->status != SYMBOLS_LIMIT)
		reply->status = status;
	for (uint32_t i = 0; i < count; i++)
		if (l->claims.best[i].size && reply->answers[i].function == SYMBOLS_NONE)
			order[own++] = i;
	return names_add(l, addresses, order, own, reply);
}

static int file_answer(int fd, bool jitdumps, const uint64_t *addresses,
		       const struct symbol_moment *moments, uint32_t count, uint32_t *order,
		       struct reply *reply)
{
	struct list l = { 0 };
	int r = peek_init(&l.file, fd);

	l.is_jitdump = r == 0 && jitdump_is(&l.file);
	if (r == 0 && l.is_jitdump == jitdumps) {
		r = claims_init(&l.claims, addresses, count,
				jitdumps ? &moments->time_ns : &moments->map_bytes, MOMENT_WORDS);
		if (r == 0)
			r = list_answer(&l, addresses, count, order, reply);
	}
	claims_release(&l.claims);
	peek_release(&l.file);
	return r;
}

int jit_answer(const int *fds, uint32_t fd_count, const uint64_t *addresses,
	       const struct symbol_moment *moments, uint32_t count, struct reply *reply)
{
	uint32_t *order = calloc(count ? count : 1, sizeof(*order));
	int r = order ? 0 : -ENOMEM;

	for (int jitdumps = 1; jitdumps >= 0; jitdumps--)
		for (uint32_t i = 0; i < fd_count && r == 0; i++)
			r = file_answer(fds[i], jitdumps, addresses, moments, count, order, reply);
	free(order);
	if (r != -E2BIG)
		return r;
	/* A reply with some names is one. */
	reply->status = SYMBOLS_LIMIT;
	return 0;
}
