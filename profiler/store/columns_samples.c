// SPDX-License-Identifier: Apache-2.0
/*
 * Samples are sorted by series and node, and so without any order of time; moments have that, in
 * planes of low and of high bytes, since the low ones are as good as random and would spoil the
 * others for the entropy coder.
 *
 * Refused: zstd's own dictionaries, or the frame before as one. They halve small windows, and make
 * every window depend on each one before it in the samples, too, which a reader of a range would
 * have to unpack.
 */
#include "profiler/store/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/varint.h"

/* ---- to bytes ---- */

struct place {
	uint32_t series, node, sample;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

/* The samples in the file's order; to be freed. NULL: no memory. */
static struct place *places_new(const struct profile *p)
{
	struct place *places = calloc(p->samples.count + 1UL, sizeof(*places));

	if (!places)
		return NULL;
	for (uint32_t i = 0; i < p->samples.count; i++) {
		const struct profile_sample *s = &p->samples.items[i];

		places[i] = (struct place){ s->series, s->node, i };
	}
	qsort(places, p->samples.count, sizeof(*places), compare_places);
	return places;
}

static void write_text(struct buffer *out, const char *text)
{
	varint_put(out, strlen(text));
	buffer_text(out, text);
}

/* The file's order of numbers in facts: more may come behind them, in a later version. */
/* clang-format off */
#define FACTS(X, f)                                                                     \
	X((f)->duration_ns) X((f)->period) X((f)->frequency_hz) X((f)->cpus_profiled)   \
	X((f)->cpus_online) X((f)->filtered) X((f)->machine_ns) X((f)->busy_ns)         \
	X((f)->steal_ns) X((f)->own_cpu_ns) X((f)->own_bpf_ns) X((f)->own_memory_bytes) \
	X((f)->own_kernel_bytes) X((f)->memory_kernel_bytes) X((f)->memory_budget_bytes)
/* clang-format on */

static void write_facts(const struct profile_facts *f, const struct counters *c, struct buffer *out)
{
	uint32_t nonzero = 0, last = 0;

	write_text(out, f->event);
	write_text(out, f->value_type);
	write_text(out, f->value_unit);
#define X(field) varint_put(out, field);
	FACTS(X, f)
#undef X
	for (uint32_t i = 0; i < COUNTER_COUNT; i++)
		nonzero += c->value[i] != 0;
	varint_put(out, nonzero);
	for (uint32_t i = 0; i < COUNTER_COUNT; i++) {
		if (!c->value[i])
			continue;
		varint_put(out, i - last);
		varint_put(out, c->value[i]);
		last = i;
	}
}

/*
 * Runs of one series: how many, then of each by how much its series is more than the last one's,
 * and its samples.
 */
static void write_runs(const struct place *at, uint32_t count, struct buffer *out)
{
	uint32_t runs = 0, last = 0;

	for (uint32_t i = 0; i < count; i++)
		runs += !i || at[i].series != at[i - 1].series;
	varint_put(out, runs);
	for (uint32_t i = 0, len; i < count; i += len) {
		for (len = 1; i + len < count && at[i + len].series == at[i].series; len++)
			;
		varint_put(out, at[i].series - last);
		varint_put(out, len);
		last = at[i].series;
	}
}

int columns_write_samples(const struct profile *p, const struct counters *counters,
			  struct buffer *out)
{
	_cleanup_(free_ptr) struct place *at = places_new(p);
	const struct profile_sample *s = p->samples.items;
	uint32_t count = p->samples.count;

	if (!at)
		return -ENOMEM;
	write_facts(&p->facts, counters, out);
	write_runs(at, count, out);
	for (uint32_t i = 0; i < count; i++)
		varint_put(out, i && at[i].series == at[i - 1].series ? at[i].node - at[i - 1].node
								      : at[i].node);
	for (uint32_t i = 0; i < count; i++)
		varint_put(out, s[at[i].sample].count);
	/* Mostly 0: a value is its count, that many periods long. */
	for (uint32_t i = 0; i < count; i++)
		varint_put_signed(out, (int64_t)(s[at[i].sample].value -
						 s[at[i].sample].count * p->facts.period));
	return buffer_error(out);
}

static int compare_moments(const void *a, const void *b)
{
	const struct columns_moment *x = a, *y = b;

	if (x->sample != y->sample)
		return x->sample < y->sample ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/*
 * Sorted by their samples' places in the file, then by time; -EINVAL: they are others than the
 * samples.
 */
static int moments_sort(const struct profile *p, struct columns_moment *m, uint32_t count)
{
	_cleanup_(free_ptr) struct place *at = places_new(p);
	_cleanup_(free_ptr) uint32_t *rank = calloc(p->samples.count + 1UL, sizeof(*rank));
	uint64_t next = 0;

	if (!at || !rank)
		return -ENOMEM; // NOLINT(clang-analyzer-unix.Malloc): freed by _cleanup_
	for (uint32_t i = 0; i < p->samples.count; i++)
		rank[at[i].sample] = i;
	for (uint32_t i = 0; i < count; i++) {
		if (m[i].sample >= p->samples.count || m[i].slot >= COLUMNS_MAX_SLOTS)
			return -EINVAL; // NOLINT(clang-analyzer-unix.Malloc): freed by _cleanup_
		m[i].sample = rank[m[i].sample];
	}
	qsort(m, count, sizeof(*m), compare_moments);
	for (uint32_t i = 0; i < p->samples.count; i++) {
		for (uint64_t n = p->samples.items[at[i].sample].count; n; n--)
			if (next == count || m[next++].sample != i)
				return -EINVAL;
	}
	return next == count ? 0 : -EINVAL;
}

int columns_write_moments(const struct profile *p, const struct columns_moment *moments,
			  uint32_t count, struct buffer *out)
{
	_cleanup_(free_ptr) struct columns_moment *m = calloc(count + 1UL, sizeof(*m));
	unsigned char *low, *high;
	int r;

	if (!m)
		return -ENOMEM;
	if (count)
		memcpy(m, moments, count * sizeof(*m));
	r = moments_sort(p, m, count);
	if (r < 0 || !count)
		return r; // NOLINT(clang-analyzer-unix.Malloc): freed by _cleanup_
	low = buffer_extend(out, 2UL * count);
	if (!low)
		return buffer_error(out);
	high = low + count;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t delta = m[i].slot;

		if (i && m[i].sample == m[i - 1].sample)
			delta -= m[i - 1].slot;
		low[i] = (unsigned char)delta;
		high[i] = (unsigned char)(delta >> 8);
	}
	return 0;
}

/* ---- and back ---- */

static int read_text(struct columns_dictionary *d, struct varint_reader *r, const char **ret)
{
	uint32_t len = varint_get_most(r, 64);

	if (len > (size_t)(r->end - r->at) || memchr(r->at, '\0', len))
		return -EBADMSG;
	/* Mostly the same as in the window before. */
	if (*ret && strlen(*ret) == len && !memcmp(*ret, r->at, len)) {
		r->at += len;
		return 0;
	}
	errno = 0;
	*ret = arena_copy(&d->profile.arena, (const char *)r->at, len);
	r->at += len;
	return *ret ? 0 : errno ? -ENOMEM : -E2BIG;
}

static int read_facts(struct columns_dictionary *d, struct varint_reader *r)
{
	struct profile_facts *f = &d->profile.facts;
	struct counters *c = &d->profile.counters;
	const char **texts[] = { &f->event, &f->value_type, &f->value_unit };
	uint32_t nonzero, number = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int e = read_text(d, r, texts[i]);

		if (e < 0)
			return e;
	}
#define X(field) field = (__typeof__(field))varint_get(r);
	FACTS(X, f)
#undef X
	*c = (struct counters){ 0 };
	nonzero = varint_get_most(r, d->counters.count);
	for (uint32_t i = 0; i < nonzero && !r->bad; i++) {
		uint64_t value;

		number += varint_get_below(r, d->counters.count - number);
		value = varint_get(r);
		if (number < d->counters.count && d->counters.items[number] < COUNTER_COUNT)
			c->value[d->counters.items[number]] = value;
	}
	return r->bad ? -EBADMSG : 0;
}

/* The series of each sample, and how many samples there are. */
static int read_runs(struct columns_dictionary *d, struct varint_reader *r)
{
	struct profile *p = &d->profile;
	uint32_t runs = varint_get_most(r, p->series.count);
	uint32_t series = 0;

	p->samples.count = 0;
	for (uint32_t i = 0; i < runs; i++) {
		uint32_t len;
		int e;

		series += varint_get_below(r, p->series.count - series);
		len = varint_get_most(r, p->max_items);
		/* Each has a byte in each column. */
		if (r->bad || len > (size_t)(r->end - r->at))
			return -EBADMSG;
		e = array_reserve((void **)&p->samples.items, &p->samples.capacity,
				  (uint64_t)p->samples.count + len, sizeof(*p->samples.items),
				  p->max_items);
		if (e < 0)
			return e;
		for (uint32_t j = 0; j < len; j++)
			p->samples.items[p->samples.count++] =
				(struct profile_sample){ .series = series };
	}
	return 0;
}

int columns_read_samples(struct columns_dictionary *d, const void *bytes, size_t len)
{
	struct varint_reader r = { bytes, (const unsigned char *)bytes + len, false };
	struct profile *p = &d->profile;
	struct profile_sample *s;
	uint32_t node = 0;
	int e = read_facts(d, &r);

	if (e == 0)
		e = read_runs(d, &r);
	if (e < 0)
		return e;
	s = p->samples.items;
	for (uint32_t i = 0; i < p->samples.count; i++) {
		if (!i || s[i].series != s[i - 1].series)
			node = 0;
		node += varint_get_below(&r, p->nodes.count - node);
		s[i].node = node;
	}
	for (uint32_t i = 0; i < p->samples.count; i++)
		s[i].count = varint_get(&r);
	for (uint32_t i = 0; i < p->samples.count; i++)
		s[i].value = s[i].count * p->facts.period + (uint64_t)varint_get_signed(&r);
	return r.bad || r.at != r.end ? -EBADMSG : 0;
}

int columns_read_moments(const struct columns_dictionary *d, const void *bytes, size_t len,
			 struct columns_slots *ret)
{
	const struct profile *p = &d->profile;
	const unsigned char *low = bytes, *high = low + len / 2;
	uint32_t n = 0;
	int e = array_reserve((void **)&ret->slots.items, &ret->slots.capacity, len / 2,
			      sizeof(*ret->slots.items), UINT32_MAX);

	ret->slots.count = 0;
	if (e < 0)
		return e;
	for (uint32_t i = 0; i < p->samples.count; i++) {
		uint32_t slot = 0;

		if (p->samples.items[i].count > len / 2 - n)
			return -EBADMSG;
		for (uint64_t j = p->samples.items[i].count; j; j--, n++) {
			slot += (uint32_t)low[n] | (uint32_t)high[n] << 8;
			if (slot >= COLUMNS_MAX_SLOTS)
				return -EBADMSG;
			ret->slots.items[n] = (uint16_t)slot;
		}
	}
	if (len % 2 || n != len / 2)
		return -EBADMSG;
	ret->slots.count = n;
	return 0;
}
