// SPDX-License-Identifier: Apache-2.0
/*
 * One pass over the files. Info reads the headers of windows at all levels, and the content of the finest for what was lost;
 * verify reads all: hashes, every column, sums, the order of windows, and that a file is the one that its name says.
 */
#include "profiler/reader/account.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/encode/pprof.h"
#include "profiler/store/level.h"

#define MAX_TEXT_BYTES ((size_t)256 << 20)
#define MAX_ITEMS (1u << 24)

struct sum {
	uint32_t files, bad, unfinished;
	uint64_t windows, samples, bytes;
	uint64_t from_ns, to_ns;
	struct counters counters;
};

/* One file of the catalog, to its end; its text's lines go to `out` if it isn't NULL. 0 or -ENOMEM. */
static int walk(const struct store_source *source, const struct catalog_file *file,
		enum layout_part up_to, bool load, struct sum *sum, struct buffer *out,
		struct err *err)
{
	char name[CATALOG_NAME_BYTES];
	struct segment *s = NULL;
	struct layout_frame f;
	int r;

	catalog_name(file, name);
	sum->files++;
	sum->bytes += file->bytes;
	r = source->open(source->ctx, name, err);
	if (r >= 0)
		r = segment_open(&s, r, name, &source->limits, err);
	while (r >= 0 && (r = segment_next(s, &f, err)) == 1) {
		if (load && (r = segment_load(s, up_to, err)) < 0)
			break;
		sum->windows++;
		sum->samples += f.count;
		if (!sum->from_ns || f.start_ns < sum->from_ns)
			sum->from_ns = f.start_ns;
		if (f.end_ns > sum->to_ns)
			sum->to_ns = f.end_ns;
		for (uint32_t i = 0; load && i < COUNTER_COUNT; i++)
			sum->counters.value[i] += segment_profile(s)->counters.value[i];
	}
	if (r == 0 && !segment_is_closed(s)) {
		sum->unfinished++;
		if (out && segment_tail_bytes(s))
			buffer_printf(
				out,
				"%s: %" PRIu64
				" bytes behind its last window are no window: being written, or cut off by a kill\n",
				name, segment_tail_bytes(s));
	}
	segment_free(s);
	if (r == -ENOMEM)
		return r;
	if (r < 0 && r != -ENOENT && r != -ESTALE) {
		sum->bad++;
		if (out)
			buffer_printf(out, "%s\n", err->text);
	}
	return 0;
}

static void print_time(struct buffer *out, uint64_t ns)
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm tm;
	char text[32] = "-";

	if (ns && gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	buffer_printf(out, "  %-20s", text);
}

static void print_sum(struct buffer *out, const char *name, const struct sum *s)
{
	buffer_printf(out, "%-5s %6u %9" PRIu64 " %12" PRIu64 " %12" PRIu64, name, s->files,
		      s->windows, s->samples, s->bytes);
	if (s->samples)
		buffer_printf(out, " %9.2f", (double)s->bytes / (double)s->samples);
	else
		buffer_text(out, "         -");
	print_time(out, s->from_ns);
	print_time(out, s->to_ns);
	buffer_text(out, "\n");
}

static void print_losses(struct buffer *out, const struct counters *c)
{
	static const enum counter told[] = { COUNTER_WINDOWS_DROPPED_STORE,
					     COUNTER_SAMPLES_DROPPED_STORE,
					     COUNTER_SAMPLES_DROPPED_MEMORY };

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (counter_get(c, told[i]))
			buffer_printf(out, "%" PRIu64 " %s\n", counter_get(c, told[i]),
				      counter_help(told[i]));
}

static int info(const struct store_source *source, struct buffer *out, uint32_t *ret_bad,
		struct err *err)
{
	const struct catalog *c = source->catalog;
	struct sum levels[STORE_LEVELS] = { 0 }, all = { 0 };

	buffer_text(out, "level  files   windows      samples        bytes  B/sample"
			 "  from                  to\n");
	for (uint32_t i = 0; i < c->files.count; i++) {
		const struct catalog_file *f = &c->files.items[i];
		/* What nothing stands for has each window's losses once. */
		bool load = !catalog_is_covered(c, f);
		int r = walk(source, f, LAYOUT_SAMPLES, load, &levels[f->level], NULL, err);

		if (r < 0)
			return r;
	}
	for (uint32_t l = 0; l < STORE_LEVELS; l++) {
		struct sum *s = &levels[l];

		print_sum(out, store_levels[l].name, s);
		all.bytes += s->bytes;
		all.bad += s->bad;
		all.unfinished += s->unfinished;
		for (uint32_t i = 0; i < COUNTER_COUNT; i++)
			all.counters.value[i] += s->counters.value[i];
	}
	buffer_printf(out,
		      "%" PRIu64 " bytes in all; %u files without an end (being written, "
		      "or a kill's), %u damaged\n",
		      all.bytes, all.unfinished, all.bad);
	print_losses(out, &all.counters);
	*ret_bad = all.bad;
	return buffer_error(out);
}

static int verify(const struct store_source *source, struct buffer *out, uint32_t *ret_bad,
		  struct err *err)
{
	const struct catalog *c = source->catalog;
	struct sum all = { 0 };

	for (uint32_t i = 0; i < c->files.count; i++) {
		int r = walk(source, &c->files.items[i], LAYOUT_MOMENTS, true, &all, out, err);

		if (r < 0)
			return r;
	}
	buffer_printf(out, "%u files, %" PRIu64 " windows, %" PRIu64 " bytes: %u damaged\n",
		      all.files, all.windows, all.bytes, all.bad);
	*ret_bad = all.bad;
	return buffer_error(out);
}

static int export_range(const struct reader_account *job, const struct store_source *source,
			struct buffer *out, uint32_t *ret_bad, struct err *err)
{
	const struct store_range range = { job->from_ns, job->to_ns, job->window_ns };
	struct store_result result;
	struct profile p;
	int r = profile_init(&p, MAX_TEXT_BYTES, MAX_ITEMS);

	if (r < 0)
		return err_errno(err, r, "cannot export");
	r = store_read(source, &range, NULL, NULL, &p, &result, err);
	if (r == 0 && !result.windows)
		r = err_set(err, -ENODATA, "the store has no window in that range");
	if (r == 0) {
		r = pprof_encode(&p, NULL, out);
		if (r < 0)
			err_errno(err, r, "cannot make the pprof file");
	}
	*ret_bad = result.bad;
	if (r == 0 && result.bad)
		*err = result.damage;
	profile_release(&p);
	return r;
}

int account_run(const struct reader_account *job, const struct store_source *source,
		struct buffer *out, uint32_t *ret_bad, struct err *err)
{
	switch (job->kind) {
	case READER_INFO:
		return info(source, out, ret_bad, err);
	case READER_VERIFY:
		return verify(source, out, ret_bad, err);
	case READER_EXPORT:
		return export_range(job, source, out, ret_bad, err);
	default:
		return err_errno(err, -EPROTO, "there is no such account");
	}
}
