/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles as text, so that two can be compared whatever their ids and their order. */
#ifndef TESTS_UNIT_MODEL_LINES_H
#define TESTS_UNIT_MODEL_LINES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/model/profile.h"

/* What a sample is, whatever the ids: its labels, frames and lines as bytes. */
static inline void sample_text(const struct profile *p, const struct profile_sample *s,
			       struct buffer *out)
{
	const struct profile_series *series = &p->series.items[s->series];

	for (uint32_t i = 0; i < series->label_count; i++) {
		const struct profile_label *l = &p->labels.items[series->first_label + i];

		buffer_printf(out, "%s=%s/%lld ", profile_text(p, l->key),
			      l->text == PROFILE_NONE ? "" : profile_text(p, l->text),
			      (long long)l->number);
	}
	for (uint32_t n = s->node; n; n = p->nodes.items[n].parent) {
		const struct profile_location *l = &p->locations.items[p->nodes.items[n].location];

		buffer_printf(out, "; %llx %s %u", (unsigned long long)l->address,
			      l->mapping == PROFILE_NONE
				      ? "-"
				      : profile_text(p, p->mappings.items[l->mapping].name),
			      p->nodes.items[n].flags);
		for (uint32_t i = 0; i < l->line_count; i++) {
			const struct profile_line *line = &p->lines.items[l->first_line + i];

			buffer_printf(out, " %s:%u",
				      profile_text(p,
						   p->functions.items[line->function].system_name),
				      line->line);
		}
	}
	assert_non_null(buffer_cstr(out));
}

static inline int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All samples as sorted lines; to be freed. */
static inline char *profile_lines(const struct profile *p)
{
	char **lines = calloc(p->samples.count + 1, sizeof(*lines));
	struct buffer all = BUFFER_INIT(64 << 20);

	for (uint32_t i = 0; i < p->samples.count; i++) {
		const struct profile_sample *s = &p->samples.items[i];
		struct buffer b = BUFFER_INIT(1 << 20);

		sample_text(p, s, &b);
		buffer_printf(&b, " = %llu, %llu", (unsigned long long)s->count,
			      (unsigned long long)s->value);
		lines[i] = strdup(buffer_cstr(&b));
		buffer_release(&b);
	}
	qsort(lines, p->samples.count, sizeof(*lines), compare_lines);
	for (uint32_t i = 0; i < p->samples.count; i++) {
		buffer_printf(&all, "%s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
	assert_non_null(buffer_cstr(&all));
	return all.data;
}

#endif
