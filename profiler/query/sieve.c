// SPDX-License-Identifier: Apache-2.0
/*
 * A byte for each series, and frames.h for stacks if there is an expression on them. A query that asks for nothing keeps
 * all, and costs nothing.
 */
#include "profiler/query/sieve.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/array.h"
#include "profiler/query/frames.h"

struct sieve {
	const struct query *query;
	const struct profile *profile;
	struct frames *frames; /* or NULL */
	ARRAY(uint8_t) wanted; /* by series */
};

int sieve_new(struct sieve **ret, const struct query *q, const struct profile *p, struct err *err)
{
	struct sieve *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_errno(err, -ENOMEM, "cannot select samples");
	s->query = q;
	s->profile = p;
	r = sieve_update(s, err);
	if (r == 0)
		*ret = s;
	else
		sieve_free(s);
	return r;
}

void sieve_free(struct sieve *s)
{
	if (!s)
		return;
	frames_free(s->frames);
	array_release(&s->wanted);
	free(s);
}

static int judge_series(struct sieve *s, struct err *err)
{
	while (s->wanted.count < s->profile->series.count) {
		int r = query_wants(s->query, s->profile, s->wanted.count, err);
		uint8_t *wanted;

		if (r < 0)
			return r;
		wanted = array_push(&s->wanted, UINT32_MAX);
		if (!wanted)
			return err_errno(err, -ENOMEM, "cannot select samples");
		*wanted = r > 0;
	}
	return 0;
}

int sieve_update(struct sieve *s, struct err *err)
{
	const struct frames_options *o = query_frames(s->query);

	if (query_is_empty(s->query))
		return 0;
	if (o) {
		int r = s->frames ? frames_update(s->frames, err)
				  : frames_new(&s->frames, o, s->profile, NULL, NULL, err);

		if (r < 0)
			return r;
	}
	return judge_series(s, err);
}

bool sieve_keeps(const struct sieve *s, uint32_t series, uint32_t node)
{
	if (query_is_empty(s->query))
		return true;
	return s->wanted.items[series] && (!s->frames || frames_keep(s->frames, node));
}
