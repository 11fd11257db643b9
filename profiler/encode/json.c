// SPDX-License-Identifier: Apache-2.0
/*
 * The ranking's arrays as they are: functions are the call tree's frames, so that a stack is a list of numbers
 * and each name is written once.
 */
#include "profiler/encode/json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/encode/ranking.h"

#define MAX_LABEL_BYTES (256u << 20)

void json_number(struct buffer *out, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	buffer_append(out, digits + at, sizeof(digits) - at);
}

static void put_string(struct buffer *out, const struct profile *p, uint32_t string)
{
	text_json(out, profile_text(p, string), p->strings.items[string].len);
}

static void put_facts(struct buffer *out, const struct ranking *k)
{
	const struct profile_facts *f = &k->profile->facts;

	buffer_text(out, "{\"type\": ");
	text_json(out, f->value_type, strlen(f->value_type));
	buffer_text(out, ", \"unit\": ");
	text_json(out, f->value_unit, strlen(f->value_unit));
	buffer_printf(out,
		      ", \"period\": %" PRIu64 ", \"start_ns\": %" PRIu64
		      ", \"duration_ns\": %" PRIu64 ", \"samples\": %" PRIu64
		      ", \"value\": %" PRIu64 ", \"lost_samples\": %" PRIu64,
		      f->period, f->time_ns, f->duration_ns, k->count, k->value,
		      counters_lost(&k->profile->counters));
}

static void put_functions(struct buffer *out, const struct ranking *k)
{
	const struct calltree *t = &k->tree;

	buffer_text(out, ",\n \"functions\": [");
	for (uint32_t i = 0; i < t->frames.count; i++) {
		const struct call_frame *f = &t->frames.items[i];
		const struct call_module *m = &t->modules.items[f->module];
		const struct call_sum *s = &k->functions[i];

		buffer_text(out, i ? ",\n  {\"name\": " : "\n  {\"name\": ");
		put_string(out, k->profile, f->name);
		buffer_text(out, ", \"module\": ");
		text_json(out, m->text, m->len);
		buffer_printf(out,
			      ", \"named\": %s, \"self\": {\"samples\": %" PRIu64
			      ", \"value\": %" PRIu64 "}, \"total\": {\"samples\": %" PRIu64
			      ", \"value\": %" PRIu64 "}}",
			      f->named ? "true" : "false", s->self_count, s->self_value,
			      s->total_count, s->total_value);
	}
	buffer_text(out, "]");
}

int json_group(struct buffer *out, const struct groups *g, const struct profile *p, uint32_t group)
{
	buffer_text(out, "{");
	for (uint32_t k = 0; k < g->keys.count; k++) {
		_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(MAX_LABEL_BYTES);

		group_value_write(g, p, group, k, &text);
		if (buffer_error(&text) < 0)
			return buffer_error(&text);
		buffer_printf(out, "%s\"%s\": ", k ? ", " : "", g->keys.keys[k]);
		text_json(out, text.data ? text.data : "", text.len);
	}
	buffer_text(out, "}");
	return 0;
}

static int put_groups(struct buffer *out, const struct ranking *k)
{
	int r = 0;

	buffer_text(out, ",\n \"groups\": [");
	for (uint32_t i = 0; i < k->processes.count && r == 0; i++) {
		const struct ranking_process *row = &k->processes.items[i];

		buffer_text(out, i ? ",\n  {\"labels\": " : "\n  {\"labels\": ");
		r = json_group(out, &k->groups, k->profile, i);
		buffer_printf(out,
			      ", \"samples\": %" PRIu64 ", \"value\": %" PRIu64
			      ", \"kernel_value\": %" PRIu64 "}",
			      row->count, row->value, row->kernel_value);
	}
	buffer_text(out, "]");
	return r;
}

static void put_stacks(struct buffer *out, const struct ranking *k)
{
	buffer_text(out, ",\n \"stacks\": [");
	for (uint32_t i = 0; i < k->stacks.count && !buffer_error(out); i++) {
		const struct ranking_stack *row = &k->stacks.items[i];

		buffer_printf(out,
			      "%s\n  {\"group\": %" PRIu32 ", \"samples\": %" PRIu64
			      ", \"value\": %" PRIu64 ", \"functions\": [",
			      i ? "," : "", row->process, row->count, row->value);
		for (uint32_t n = row->node; n; n = k->tree.nodes.items[n].parent)
			buffer_printf(out, "%s%" PRIu32, n == row->node ? "" : ", ",
				      k->tree.nodes.items[n].frame);
		buffer_text(out, "]}");
	}
	buffer_text(out, "]}\n");
}

int json_encode(const struct profile *p, const struct group_keys *by, struct buffer *out)
{
	struct ranking k;
	int r = ranking_init(&k, p, by);

	if (r < 0)
		return r;
	put_facts(out, &k);
	put_functions(out, &k);
	r = put_groups(out, &k);
	put_stacks(out, &k);
	ranking_release(&k);
	return r < 0 ? r : buffer_error(out);
}
