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
	s->known_below = s->located_below = 0;
}

uint32_t sites_first_unknown(struct sites *s)
{
	while (s->known_below < s->items.count && s->items.items[s->known_below].known)
		s->known_below++;
	return s->known_below;
}

int sites_locate(struct sites *s, struct profile *p)
{
	for (uint32_t i = s->located_below; i < s->items.count; i++) {
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
	s->located_below = s->items.count;
	return 0;
}
