// SPDX-License-Identifier: Apache-2.0
/*
 * One sort of what is wanted, then slices of it. Refused: an index by space that is kept while samples come. It would be as
 * large as the window, and is wanted a few times in a capture.
 */
#include "profiler/agent/run.h"

#include <errno.h>
#include <stdlib.h>

/* What is asked about in one request: a space, or all code of a process. */
static uint32_t asked_together(const struct jit *jit, uint32_t space)
{
	return jit_is_code(space) ? WINDOW_SPACE_CODE + jit_owner(jit, space) : space;
}

static int compare_locations(const void *a, const void *b, void *ctx)
{
	const struct pipeline *p = ctx;
	const struct window_location *x = &p->window.locations.items[*(const uint32_t *)a];
	const struct window_location *y = &p->window.locations.items[*(const uint32_t *)b];
	uint32_t x_place = asked_together(p->jit, x->space);
	uint32_t y_place = asked_together(p->jit, y->space);

	if (x_place != y_place)
		return x_place < y_place ? -1 : 1;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->space < y->space ? -1 : x->space > y->space;
}

int runs_find(struct runs *runs, const struct pipeline *pipeline, run_wanted_fn wanted, void *ctx)
{
	const struct window *w = &pipeline->window;

	*runs = (struct runs){ .pipeline = pipeline };
	runs->locations = calloc(w->locations.count + 1UL, sizeof(*runs->locations));
	if (!runs->locations)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->locations.count; i++)
		if (wanted(ctx, i))
			runs->locations[runs->count++] = i;
	qsort_r(runs->locations, runs->count, sizeof(*runs->locations), compare_locations,
		(void *)pipeline);
	return 0;
}

void runs_release(struct runs *runs)
{
	free(runs->locations);
	runs->locations = NULL;
}

bool runs_next(struct runs *runs, struct run *ret)
{
	const struct pipeline *p = runs->pipeline;
	const struct window_location *all;
	uint32_t place;

	if (runs->next == runs->count)
		return false; /* those that were never sought have no pipeline */
	all = p->window.locations.items;
	*ret = (struct run){ .space = all[runs->locations[runs->next]].space,
			     .locations = runs->locations + runs->next };
	place = asked_together(p->jit, ret->space);
	if (jit_is_code(ret->space))
		ret->owner = jit_owner(p->jit, ret->space);
	while (runs->next < runs->count &&
	       asked_together(p->jit, all[runs->locations[runs->next]].space) == place) {
		runs->next++;
		ret->count++;
	}
	return true;
}
