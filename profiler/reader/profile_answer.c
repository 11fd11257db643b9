// SPDX-License-Identifier: Apache-2.0
/*
 * The answers that are a profile, or two: the encoders' work, with what the parameters say.
 */
#include <errno.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/encode/collapsed.h"
#include "profiler/encode/difference.h"
#include "profiler/encode/flamegraph.h"
#include "profiler/encode/format.h"
#include "profiler/encode/json.h"
#include "profiler/encode/pprof.h"
#include "profiler/encode/top.h"
#include "profiler/reader/endpoint.h"

#define TOP_ROWS 100
#define DIFF_ROWS 1000
#define FLAME_NODES 20000

static int encoded(int r, const struct inquiry *q, struct err *err)
{
	return r < 0 && r != -E2BIG ? err_errno(err, r, "cannot make the %s answer", q->format)
	       : r < 0 ? err_set(err, r, "the %s answer is too large: ask for less", q->format)
		       : 0;
}

static const struct root_keys *roots(const struct inquiry *q)
{
	return q->parameters.root.count ? &q->parameters.root : NULL;
}

int profile_answer(struct inquiry *q, struct buffer *out, struct err *err)
{
	const struct format *f = format_by_name(q->format, err);
	const struct text_options look = inquiry_look(q);
	struct profile p;
	int r = f ? inquiry_profile(q, 0, &p, err) : -EINVAL;

	if (r < 0)
		return r;
	r = encoded(f->encode(&p, roots(q), &look, out), q, err);
	profile_release(&p);
	return r;
}

int top_answer(struct inquiry *q, struct buffer *out, struct err *err)
{
	const struct group_keys *by = q->parameters.by.count ? &q->parameters.by : NULL;
	uint32_t rows = (uint32_t)parameter_number(&q->parameters, PARAMETER_LIMIT, TOP_ROWS);
	const struct text_options look = inquiry_look(q);
	struct profile p;
	int r = inquiry_profile(q, 0, &p, err);

	if (r < 0)
		return r;
	r = encoded(!strcmp(q->format, "text") ? text_encode(&p, &look, out)
					       : top_encode(&p, by, rows, out),
		    q, err);
	profile_release(&p);
	return r;
}

/* ---- two ---- */

struct pair {
	struct profile profiles[2]; /* before, after */
	struct diff *diff;
};

static void pair_release(struct pair *p)
{
	diff_free(p->diff);
	profile_release(&p->profiles[0]);
	profile_release(&p->profiles[1]);
}

static int pair_read(struct inquiry *q, struct pair *ret, struct err *err)
{
	const struct diff_options options = { .mode = q->parameters.mode, .by = q->parameters.by };
	struct pair p = { .diff = NULL };
	int r;

	if (q->ranges.count < 2)
		return err_set(err, -EINVAL,
			       "what is it to be compared with? Give compare (how long before, "
			       "such as 1d), compare_from and compare_to, or compare_query");
	r = inquiry_profile(q, 0, &p.profiles[1], err);
	if (r < 0)
		return r;
	r = inquiry_profile(q, 1, &p.profiles[0], err);
	if (r < 0) {
		profile_release(&p.profiles[1]);
		return r;
	}
	r = diff_new(&p.diff, &p.profiles[0], &p.profiles[1], &options, err);
	if (r < 0)
		pair_release(&p);
	else
		*ret = p;
	return r;
}

static int encode_diff(const struct inquiry *q, const struct pair *p, struct buffer *out)
{
	const struct text_options look = inquiry_look(q);

	if (!strcmp(q->format, "text"))
		return difference_text(p->diff, &look, out);
	if (!strcmp(q->format, "pprof"))
		return pprof_encode_diff(p->diff, out);
	if (!strcmp(q->format, "collapsed"))
		return collapsed_encode_pair(&p->profiles[0], &p->profiles[1], roots(q), out);
	return difference_json(
		p->diff, (uint32_t)parameter_number(&q->parameters, PARAMETER_LIMIT, DIFF_ROWS),
		out);
}

int diff_answer(struct inquiry *q, struct buffer *out, struct err *err)
{
	struct pair p = { .diff = NULL };
	int r = pair_read(q, &p, err);

	if (r < 0)
		return r;
	/* Facts' texts of `both` are borrowed from the profiles, which are there. */
	r = encoded(encode_diff(q, &p, out), q, err);
	pair_release(&p);
	return r;
}

/* ---- flame graphs ---- */

static struct flamegraph_options flame_options(const struct inquiry *q)
{
	const struct parameters *p = &q->parameters;

	return (struct flamegraph_options){
		.root = roots(q),
		.max_nodes = (uint32_t)parameter_number(p, PARAMETER_MAX_NODES, FLAME_NODES),
		.min_share = (double)parameter_number(p, PARAMETER_MIN_SHARE, 0) / 1e6,
	};
}

static int flame_pair(struct inquiry *q, struct buffer *out, struct err *err)
{
	const struct flamegraph_options o = flame_options(q);
	struct pair p = { .diff = NULL };
	int r = pair_read(q, &p, err);

	if (r < 0)
		return r;
	r = encoded(flamegraph_encode_diff(p.diff, &o, out), q, err);
	pair_release(&p);
	return r;
}

int flamegraph_answer(struct inquiry *q, struct buffer *out, struct err *err)
{
	const struct flamegraph_options o = flame_options(q);
	struct profile p;
	int r;

	if (q->ranges.count == 2)
		return flame_pair(q, out, err);
	r = inquiry_profile(q, 0, &p, err);
	if (r < 0)
		return r;
	r = encoded(flamegraph_encode(&p, &o, out), q, err);
	profile_release(&p);
	return r;
}
