// SPDX-License-Identifier: Apache-2.0
/*
 * One sort of what is wanted, then slices of it. Refused: an index by space that is kept while samples come. It would be as
 * large as the window, and is wanted a few times in a capture.
 */
#include "profiler/agent/run.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/agent/heat.h"
#include "profiler/base/cleanup.h"

struct hot_run {
	struct run run;
	uint64_t heat;
};

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

int runs_find(struct runs *runs, const struct pipeline *pipeline, uint32_t first,
	      run_wanted_fn wanted, void *ctx)
{
	const struct window *w = &pipeline->window;

	*runs = (struct runs){ .pipeline = pipeline };
	runs->locations = calloc(w->locations.count - first + 1UL, sizeof(*runs->locations));
	if (!runs->locations)
		return -ENOMEM;
	for (uint32_t i = first; i < w->locations.count; i++)
		if (wanted(ctx, i))
			runs->locations[runs->count++] = i;
	qsort_r(runs->locations, runs->count, sizeof(*runs->locations), compare_locations,
		(void *)pipeline);
	return 0;
}

void runs_release(struct runs *runs)
{
	free(runs->locations);
	free(runs->hot);
	*runs = (struct runs){ 0 };
}

/* By space and address. */
static bool next_in_order(struct runs *runs, struct run *ret)
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

bool runs_next(struct runs *runs, struct run *ret)
{
	if (!runs->hot)
		return next_in_order(runs, ret);
	if (runs->next_hot == runs->hot_count)
		return false;
	*ret = runs->hot[runs->next_hot++].run;
	return true;
}

/* ---- by heat ---- */

/* Of those that are equal, that which comes first in order. */
static int compare_heat(const void *a, const void *b)
{
	const struct hot_run *x = a, *y = b;

	if (x->heat != y->heat)
		return x->heat > y->heat ? -1 : 1;
	return x->run.locations < y->run.locations ? -1 : x->run.locations > y->run.locations;
}

int runs_by_heat(struct runs *runs)
{
	_cleanup_(free_ptr) uint64_t *heat = NULL;
	struct run run;
	uint32_t count = 0;

	while (next_in_order(runs, &run))
		count++;
	runs->next = 0;
	if (count < 2)
		return 0;
	runs->hot = calloc(count, sizeof(*runs->hot));
	if (!runs->hot || heat_find(&runs->pipeline->window, &heat) < 0)
		return -ENOMEM;
	while (next_in_order(runs, &run)) {
		struct hot_run *hot = &runs->hot[runs->hot_count++];

		hot->run = run;
		for (uint32_t i = 0; i < run.count; i++)
			hot->heat += heat[run.locations[i]];
	}
	qsort(runs->hot, count, sizeof(*runs->hot), compare_heat);
	return 0;
}
