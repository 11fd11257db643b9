// SPDX-License-Identifier: Apache-2.0
/*
 * Two ways through a store: merged into one profile, for what looks at stacks, and window by window, for what only
 * counts. Series are judged while a file is read, so that of a day only what is asked for is merged.
 */
#include "profiler/reader/inquiry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiler/decode/limits.h"
#include "profiler/query/frames.h"
#include "profiler/store/level.h"

#define MAX_ITEMS (1u << 24)

static void add_result(struct inquiry *q, const struct store_result *r)
{
	if (r->bad && !q->result.bad)
		q->result.damage = r->damage;
	q->result.files += r->files;
	q->result.windows += r->windows;
	q->result.gone += r->gone;
	q->result.bad += r->bad;
}

/* ---- merged ---- */

struct wanting {
	const struct query *query;
	struct err err;
	int failed;
};

static bool wants(void *ctx, const struct profile *p, uint32_t series)
{
	struct wanting *w = ctx;
	int r = w->failed < 0 ? 0 : query_wants(w->query, p, series, &w->err);

	if (r < 0)
		w->failed = r;
	return r > 0;
}

static int read_range(struct inquiry *q, uint32_t side, struct profile *into, struct err *err)
{
	const struct moment_range *range = inquiry_range(q, side);
	const struct store_range all = { range->from_ns, range->to_ns, UINT64_MAX };
	const struct store_source source = handed_source(q->store);
	struct wanting w = { .query = inquiry_query(q, side) };
	struct store_result result;
	int r = store_read(&source, &all, query_selects(w.query) ? wants : NULL, &w, into, &result,
			   err);

	add_result(q, &result);
	if (w.failed < 0)
		return err_set(err, w.failed, "%s", w.err.text);
	if (r < 0 || result.windows)
		return r;
	if (result.bad)
		return err_set(err, -EBADMSG, "%s", result.damage.text);
	return err_set(err, -ENODATA, "the store has no window in %s",
		       side ? "the range to compare with" : "that range");
}

/* Of what was read by its labels, what is asked of stacks; the profile takes the place of the other. */
static int select_stacks(const struct query *query, struct profile *p, struct err *err)
{
	struct profile selected;
	int r;

	if (query_is_empty(query))
		return 0;
	if (!query_frames(query)) {
		p->selected = p->facts.filtered = true;
		p->counters = (struct counters){ 0 };
		return 0;
	}
	r = query_run(query, p, &selected, err);
	if (r < 0)
		return r;
	profile_release(p);
	*p = selected;
	return 0;
}

int inquiry_profile(struct inquiry *q, uint32_t side, struct profile *ret, struct err *err)
{
	struct profile p;
	int r = profile_init(&p, DECODE_MAX_FILE_BYTES, MAX_ITEMS);

	if (r < 0)
		return err_errno(err, r, "cannot read the store");
	r = read_range(q, side, &p, err);
	if (r == 0)
		r = select_stacks(inquiry_query(q, side), &p, err);
	if (r < 0)
		profile_release(&p);
	else
		*ret = p;
	return r;
}

/* ---- window by window ---- */

struct visit {
	struct inquiry *inquiry;
	const struct inquiry_visitor *visitor;
	struct sieve *sieve; /* of the file that is being read */
};

static int begin_file(void *ctx, const struct segment *s, struct err *err)
{
	struct visit *v = ctx;
	const struct profile *p = segment_profile(s);
	int r;

	sieve_free(v->sieve);
	v->sieve = NULL;
	r = sieve_new(&v->sieve, inquiry_query(v->inquiry, 0), p, err);
	if (r == 0 && v->visitor->file)
		r = v->visitor->file(v->visitor->ctx, p, err);
	return r;
}

/* Values of two kinds don't add up. */
static int check_kind(struct inquiry *q, const struct profile_facts *f, struct err *err)
{
	if (!*q->type) {
		snprintf(q->type, sizeof(q->type), "%s", f->value_type);
		snprintf(q->unit, sizeof(q->unit), "%s", f->value_unit);
		return 0;
	}
	if (!strncmp(q->type, f->value_type, sizeof(q->type) - 1) &&
	    !strncmp(q->unit, f->value_unit, sizeof(q->unit) - 1))
		return 0;
	return err_set(
		err, -EINVAL,
		"this range has values of different kinds, \"%s\" and \"%s\": ask for a shorter one",
		q->type, f->value_type);
}

static int show_window(void *ctx, const struct segment *s, const struct layout_frame *f,
		       struct err *err)
{
	struct visit *v = ctx;
	const struct inquiry_window w = { s, segment_profile(s), f, v->sieve };
	int r = check_kind(v->inquiry, &w.profile->facts, err);

	if (r == 0)
		r = sieve_update(v->sieve, err);
	return r < 0 ? r : v->visitor->window(v->visitor->ctx, &w, err);
}

int inquiry_visit(struct inquiry *q, const struct moment_range *range, uint64_t window_ns,
		  const struct inquiry_visitor *visitor, struct err *err)
{
	const struct store_source source = handed_source(q->store);
	const struct store_range all = { range->from_ns, range->to_ns, window_ns };
	struct visit v = { .inquiry = q, .visitor = visitor };
	const struct store_visitor show = { &v, visitor->up_to, begin_file, show_window };
	struct store_result result;
	int r = store_visit(&source, &all, &show, &result, err);

	add_result(q, &result);
	sieve_free(v.sieve);
	return r;
}

/*
 * Makes *has as wide as a file's windows are: their headers are read, nothing else. What they say is believed within the
 * time that the file's name says; a window that began there may end a window later.
 */
static void widen(struct moment_range *has, const struct store_source *source,
		  const struct catalog_file *f)
{
	uint64_t slot_end_ns = f->slot_ns + store_levels[f->level].span_ns;
	uint64_t most_ns = slot_end_ns + store_levels[f->level].window_ns;
	struct segment *s = NULL;
	struct layout_frame window;
	char name[CATALOG_NAME_BYTES];
	struct err why; /* said by whoever reads what is in it */
	int fd;

	catalog_name(f, name);
	fd = source->open(source->ctx, name, &why);
	if (fd < 0 || segment_open(&s, fd, name, &source->limits, &why) < 0)
		return;
	while (segment_next(s, &window, &why) == 1) {
		if (window.start_ns < f->slot_ns || window.start_ns >= slot_end_ns)
			continue;
		if (window.start_ns < has->from_ns)
			has->from_ns = window.start_ns;
		if (window.end_ns > has->to_ns)
			has->to_ns = window.end_ns < most_ns ? window.end_ns : most_ns;
	}
	segment_free(s);
}

/* Of the files that reach beyond what is known of others: the first and the last of each level, in the worst case. */
static struct moment_range extent(const struct inquiry *q)
{
	const struct store_source source = handed_source(q->store);
	const struct catalog *c = &q->store->catalog;
	struct moment_range has = { UINT64_MAX, 0 };

	for (uint32_t i = 0; i < c->files.count; i++)
		if (c->files.items[i].slot_ns < has.from_ns)
			widen(&has, &source, &c->files.items[i]);
	for (uint32_t i = c->files.count; i-- > 0;) {
		const struct catalog_file *f = &c->files.items[i];

		if (f->slot_ns + store_levels[f->level].span_ns > has.to_ns)
			widen(&has, &source, f);
	}
	return has;
}

struct moment_range inquiry_bounds(const struct inquiry *q, const struct moment_range *range)
{
	struct moment_range has, r = *range;

	if (r.from_ns && r.to_ns != UINT64_MAX)
		return r;
	has = extent(q);
	if (has.from_ns >= has.to_ns)
		has = (struct moment_range){ 0, NS_PER_S };
	if (r.from_ns < has.from_ns && !range->from_ns)
		r.from_ns = has.from_ns;
	if (r.to_ns == UINT64_MAX)
		r.to_ns = has.to_ns;
	if (r.to_ns <= r.from_ns)
		r.to_ns = r.from_ns + 1;
	return r;
}

struct text_options inquiry_look(const struct inquiry *q)
{
	const struct parameters *p = &q->parameters;

	return (struct text_options){
		.columns = (uint32_t)parameter_number(p, PARAMETER_COLUMNS, 0),
		.rows = (uint32_t)parameter_number(p, PARAMETER_LIMIT, 0),
		.color = parameter_number(p, PARAMETER_COLOR, 0),
		.by = p->by,
	};
}
