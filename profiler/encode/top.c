// SPDX-License-Identifier: Apache-2.0
/*
 * The ranking's tops as they are. Whoever wants all of them asks for format=json of a profile.
 */
#include "profiler/encode/top.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/encode/figure.h"
#include "profiler/encode/flamegraph.h"
#include "profiler/encode/json.h"
#include "profiler/encode/ranking.h"

static void put_facts(struct buffer *out, const struct ranking *k)
{
	const struct profile_facts *f = &k->profile->facts;

	buffer_text(out, "{\"type\": ");
	text_json(out, f->value_type, strlen(f->value_type));
	buffer_text(out, ", \"unit\": ");
	text_json(out, f->value_unit, strlen(f->value_unit));
	buffer_printf(out,
		      ", \"start_ns\": %" PRIu64 ", \"duration_ns\": %" PRIu64
		      ", \"samples\": %" PRIu64 ", \"value\": %" PRIu64
		      ", \"lost_samples\": %" PRIu64 ", \"filtered\": %s",
		      f->time_ns, f->duration_ns, k->count, k->value,
		      counters_lost(&k->profile->counters), f->filtered ? "true" : "false");
}

static void put_function(struct buffer *out, const struct ranking *k, uint32_t frame)
{
	const struct call_frame *f = &k->tree.frames.items[frame];
	const struct call_module *m = &k->tree.modules.items[f->module];
	const struct profile_string *name = &k->profile->strings.items[f->name];
	const struct call_sum *s = &k->functions[frame];

	buffer_text(out, "{\"name\": ");
	text_json(out, name->text, name->len);
	buffer_text(out, ", \"module\": ");
	text_json(out, m->text, m->len);
	buffer_printf(out,
		      ", \"kind\": \"%s\", \"named\": %s, \"self\": {\"samples\": %" PRIu64
		      ", \"value\": %" PRIu64 "}, \"total\": {\"samples\": %" PRIu64
		      ", \"value\": %" PRIu64 "}, \"self_error\": %.3g}",
		      flamegraph_kind_name(f->kind), f->named ? "true" : "false", s->self_count,
		      s->self_value, s->total_count, s->total_value,
		      figure_share_error(s->self_count, k->count));
}

static void put_functions(struct buffer *out, const struct ranking *k, uint32_t *top, uint32_t rows)
{
	uint32_t count = ranking_top_functions(k, rows, top);

	buffer_printf(out, ",\n \"function_count\": %" PRIu32 ",\n \"functions\": [",
		      k->tree.frames.count);
	for (uint32_t i = 0; i < count; i++) {
		buffer_text(out, i ? ",\n  " : "\n  ");
		put_function(out, k, top[i]);
	}
	buffer_text(out, "]");
}

static int put_groups(struct buffer *out, const struct ranking *k, uint32_t *top, uint32_t rows)
{
	uint32_t count = ranking_top_processes(k, rows, top);
	int r = 0;

	buffer_printf(out, ",\n \"group_count\": %" PRIu32 ",\n \"groups\": [", k->processes.count);
	for (uint32_t i = 0; i < count && r == 0; i++) {
		const struct ranking_process *row = &k->processes.items[top[i]];

		buffer_text(out, i ? ",\n  {\"labels\": " : "\n  {\"labels\": ");
		r = json_group(out, &k->groups, k->profile, top[i]);
		buffer_printf(out,
			      ", \"samples\": %" PRIu64 ", \"value\": %" PRIu64
			      ", \"kernel_value\": %" PRIu64 "}",
			      row->count, row->value, row->kernel_value);
	}
	buffer_text(out, "]}\n");
	return r;
}

int top_encode(const struct profile *p, const struct group_keys *by, uint32_t rows,
	       struct buffer *out)
{
	uint32_t *top = calloc((size_t)rows + 1, sizeof(*top));
	struct ranking k;
	int r = top ? ranking_init(&k, p, by) : -ENOMEM;

	if (r == 0) {
		put_facts(out, &k);
		put_functions(out, &k, top, rows);
		r = put_groups(out, &k, top, rows);
		ranking_release(&k);
	}
	free(top);
	return r < 0 ? r : buffer_error(out);
}
