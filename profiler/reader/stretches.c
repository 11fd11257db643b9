// SPDX-License-Identifier: Apache-2.0
/*
 * Windows come file by file, in the order of time within one: the stretch that a window touches is mostly the last.
 */
#include "profiler/reader/stretches.h"

#include <errno.h>
#include <inttypes.h>

int stretches_add(struct stretches *s, uint64_t from_ns, uint64_t to_ns)
{
	struct moment_range *added;

	for (uint32_t i = s->items.count; i-- > 0;) {
		struct moment_range *r = &s->items.items[i];

		if (from_ns > r->to_ns || to_ns < r->from_ns)
			continue;
		r->from_ns = from_ns < r->from_ns ? from_ns : r->from_ns;
		r->to_ns = to_ns > r->to_ns ? to_ns : r->to_ns;
		return 0;
	}
	if (s->items.count == STRETCHES_MAX) {
		s->more = true;
		return 0;
	}
	added = array_push(&s->items, STRETCHES_MAX);
	if (!added)
		return -ENOMEM;
	*added = (struct moment_range){ from_ns, to_ns };
	return 0;
}

void stretches_release(struct stretches *s)
{
	array_release(&s->items);
}

void stretches_json(const struct stretches *s, const char *name, struct buffer *out)
{
	buffer_printf(out, "\"%s\": [", name);
	for (uint32_t i = 0; i < s->items.count; i++)
		buffer_printf(out, "%s[%" PRIu64 ",%" PRIu64 "]", i ? "," : "",
			      s->items.items[i].from_ns, s->items.items[i].to_ns);
	buffer_printf(out, "], \"%s_more\": %s", name, s->more ? "true" : "false");
}
