// SPDX-License-Identifier: Apache-2.0
/*
 * An array beside the window's. Locations of the profile come last, since one that was made can't be changed: lines that
 * were found later would need another, and all stacks through it.
 */
#include "profiler/agent/site.h"

#include <errno.h>

int sites_follow(struct sites *s, uint32_t count)
{
	while (s->items.count < count) {
		struct site *slot = array_push(&s->items, UINT32_MAX);

		if (!slot)
			return -ENOMEM;
		*slot = (struct site){ 0 };
	}
	return 0;
}

void sites_release(struct sites *s)
{
	array_release(&s->items);
}

int sites_locate(struct sites *s, struct profile *p)
{
	for (uint32_t i = 0; i < s->items.count; i++) {
		struct site *site = &s->items.items[i];
		const struct profile_line line = { .function = site->id };
		int r;

		if (site->located)
			continue;
		r = profile_location(p, site->mapping, site->address, site->named, &line, 1);
		if (r < 0)
			return r;
		site_located(site, (uint32_t)r);
	}
	return 0;
}
