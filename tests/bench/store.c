// SPDX-License-Identifier: Apache-2.0
/*
 * A store of simulated days, for the bench: each window draws its samples, with their moments, from a recording of real work
 * (slowburn profile --record). So a store has the recording's stacks and proportions, and no stack that isn't in it:
 * what is said of loads that show ever new stacks (compiles) is only as good as the recording is long.
 *
 * Times are CPU times: the disk is memory, and other programs run.
 *
 *	store fill DIR HOURS SAMPLES RECORDING     SAMPLES in each 10 s
 *	store late DIR HOURS SAMPLES RECORDING     the same, but lines of what is new come after the window that it is in
 *	store read DIR                             the last day, and all, merged
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/capture.h"
#include "profiler/base/clock.h"
#include "profiler/base/number.h"
#include "profiler/model/merge.h"
#include "profiler/store/level.h"
#include "profiler/store/packer.h"
#include "profiler/store/reader.h"
#include "profiler/store/writer.h"

#define WINDOW_NS (10 * NS_PER_S)
#define EPOCH_NS (1763856000ULL * NS_PER_S)
#define HOUR_NS (3600 * NS_PER_S)
#define MAX_SAMPLES 100000u

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "store: %s: %s\n", what, err->text);
	exit(EXIT_FAILURE);
}

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

/* The samples of a recording, each as often as it was taken. */
struct source {
	struct profile profile;
	uint32_t *taken;
	uint32_t count;
};

static void source_read(struct source *s, const char *path, bool lines)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct err err = { "cannot open" };

	if (fd < 0 || capture_replay(fd, !lines, &s->profile, &err) < 0)
		die(path, &err);
	close(fd);
	s->taken = calloc(profile_total_count(&s->profile) + 1, sizeof(*s->taken));
	for (uint32_t i = 0; i < s->profile.samples.count; i++)
		for (uint64_t n = s->profile.samples.items[i].count; n; n--)
			s->taken[s->count++] = i;
}

/* ---- lines that come late ---- */

/* Locations of a profile that has lines, by where they are. */
struct known {
	struct source source;
	uint32_t *order;
};

static const char *place_of(const struct profile *p, const struct profile_location *l)
{
	return l->mapping == PROFILE_NONE ? ""
					  : profile_text(p, p->mappings.items[l->mapping].name);
}

static int compare_places(const struct profile *p, const struct profile_location *x,
			  const struct profile *q, const struct profile_location *y)
{
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return strcmp(place_of(p, x), place_of(q, y));
}

static int compare_known(const void *a, const void *b, void *ctx)
{
	const struct profile *p = ctx;

	return compare_places(p, &p->locations.items[*(const uint32_t *)a], p,
			      &p->locations.items[*(const uint32_t *)b]);
}

static void known_read(struct known *k, const char *path)
{
	const struct profile *p = &k->source.profile;

	source_read(&k->source, path, true);
	k->order = calloc(p->locations.count + 1UL, sizeof(*k->order));
	for (uint32_t i = 0; i < p->locations.count; i++)
		k->order[i] = i;
	qsort_r(k->order, p->locations.count, sizeof(*k->order), compare_known, (void *)p);
}

static uint32_t text_in(struct profile *p, const struct profile *from, uint32_t text)
{
	int r = profile_string(p, profile_text(from, text), from->strings.items[text].len);

	if (r < 0)
		exit(EXIT_FAILURE);
	return (uint32_t)r;
}

/* One location of `p` as `l` of `from` has it. */
static void amend(struct profile *p, uint32_t location, const struct profile *from,
		  const struct profile_location *l)
{
	struct profile_line lines[1000];

	for (uint32_t i = 0; i < l->line_count; i++) {
		const struct profile_line *line = &from->lines.items[l->first_line + i];
		struct profile_function f = from->functions.items[line->function];
		int r;

		f.name = text_in(p, from, f.name);
		f.system_name = text_in(p, from, f.system_name);
		f.file = text_in(p, from, f.file);
		r = profile_function(p, &f);
		if (r < 0)
			exit(EXIT_FAILURE);
		lines[i] = (struct profile_line){ (uint32_t)r, line->line };
	}
	if (profile_location_amend(p, location, l->named, lines, l->line_count) < 0)
		exit(EXIT_FAILURE);
}

/* Those from `first` on. */
static void amend_new(struct profile *p, uint32_t first, const struct known *k)
{
	const struct profile *from = &k->source.profile;

	for (uint32_t i = first; i < p->locations.count; i++) {
		uint32_t low = 0, high = from->locations.count;

		while (low < high) {
			uint32_t middle = low + (high - low) / 2;

			if (compare_places(from, &from->locations.items[k->order[middle]], p,
					   &p->locations.items[i]) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < from->locations.count &&
		    !compare_places(from, &from->locations.items[k->order[low]], p,
				    &p->locations.items[i]))
			amend(p, i, from, &from->locations.items[k->order[low]]);
	}
}

/* ---- windows ---- */

/* One window into `p`; its moments are in *moments. */
static uint32_t draw(struct profile *p, struct profile_merge *m, const struct source *s,
		     uint32_t samples, uint64_t *seed, struct columns_moment *moments)
{
	const struct profile_facts *f = &s->profile.facts;

	profile_clear_samples(p);
	p->facts.duration_ns = 0;
	p->counters = (struct counters){ 0 };
	if (profile_merge_facts(p, f, &s->profile.counters) < 0)
		exit(EXIT_FAILURE);
	p->facts.duration_ns = WINDOW_NS;
	for (uint32_t i = 0; i < samples; i++) {
		const struct profile_sample *x =
			&s->profile.samples.items[s->taken[random_next(seed) % s->count]];
		int r = profile_merge_sample(m, x->series, x->node, 1, f->period);

		if (r < 0)
			exit(EXIT_FAILURE);
		moments[i] = (struct columns_moment){ (uint32_t)r,
						      (uint32_t)(random_next(seed) % 1000) };
	}
	return samples;
}

static int compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_fill(const struct store_writer *w, uint64_t *times, uint32_t n,
		       uint64_t longest_tidy_ns, uint64_t longest_step_ns)
{
	const struct store_writer_stats *s = store_writer_stats(w);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += times[i];
	qsort(times, n, sizeof(*times), compare_times);
	printf("windows %" PRIu64 " samples %" PRIu64 " dropped %" PRIu64 "\n", s->windows,
	       s->samples, s->windows_dropped);
	printf("bytes_written_a_sample %.3f\n", (double)s->bytes / (double)s->samples);
	printf("bytes_on_disk %" PRIu64 " bytes_a_sample %.3f\n", store_writer_bytes(w),
	       (double)store_writer_bytes(w) / (double)s->samples);
	printf("window_written_ms mean %.3f p99 %.3f max %.3f\n", (double)sum / n / NS_PER_MS,
	       (double)times[(uint64_t)n * 99 / 100] / NS_PER_MS, (double)times[n - 1] / NS_PER_MS);
	printf("longest_tidy_ms %.1f longest_step_ms %.1f rolled_up %" PRIu64 "\n",
	       (double)longest_tidy_ns / NS_PER_MS, (double)longest_step_ns / NS_PER_MS,
	       s->rolled_up);
}

/* What two processes do: packs, and writes. */
static void append(struct store_writer *w, struct packer *k, const struct profile *p,
		   const struct store_window *x)
{
	struct err err;
	uint64_t sequence;
	size_t len;
	void *frame;

	if (packer_pack(k, p, &p->counters, x) < 0)
		exit(EXIT_FAILURE);
	frame = packer_frame(k, &len);
	if (store_writer_append(w, frame, len, &sequence, &err) < 0)
		die("append", &err);
	packer_keep(k);
}

/* What is due then; how long the longest step took, in *longest_step_ns. In all: the result. */
static uint64_t tidy(struct store_writer *w, uint64_t now_ns, uint64_t *longest_step_ns)
{
	uint64_t begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID), last = begin, now;
	struct err err;
	int r;

	do {
		r = store_writer_tidy(w, now_ns, &err);
		now = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		if (now - last > *longest_step_ns)
			*longest_step_ns = now - last;
		last = now;
	} while (r == 1);
	return last - begin;
}

static void fill(int dirfd, uint64_t hours, uint32_t samples, const char *recording, bool late)
{
	static struct columns_moment moments[MAX_SAMPLES];
	uint32_t n = (uint32_t)(hours * 360);
	uint64_t *times = calloc(n + 1, sizeof(*times));
	struct store_options options = store_options_default();
	struct source source = { 0 };
	struct known known = { 0 };
	uint32_t seen = 0;
	struct store_writer *w;
	struct packer *k = NULL;
	struct profile p;
	struct profile_merge *m = NULL;
	uint64_t seed = 1, longest_ns = 0, longest_step_ns = 0;
	struct err err;

	source_read(&source, recording, !late);
	if (late)
		known_read(&known, recording);
	if (store_writer_open(&w, dirfd, &options, &err) < 0)
		die("fill", &err);
	if (packer_new(&k, PACKER_EFFORT) < 0)
		exit(EXIT_FAILURE);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t at = EPOCH_NS + i * WINDOW_NS, begin;
		struct store_window x = { at, at + WINDOW_NS, i * WINDOW_NS + 1, moments, 0 };

		if (!store_writer_file(w, at)) {
			packer_begin(k);
			if (m) {
				profile_merge_free(m);
				profile_release(&p);
			}
			if (profile_init(&p, 256 << 20, 1 << 24) < 0 ||
			    profile_merge_new(&m, &p, &source.profile) < 0)
				exit(EXIT_FAILURE);
			seen = 0;
		}
		x.moment_count = draw(&p, m, &source, samples, &seed, moments);
		begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		append(w, k, &p, &x);
		times[i] = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin;
		if (late)
			amend_new(&p, seen, &known);
		seen = p.locations.count;
		begin = tidy(w, at + WINDOW_NS, &longest_step_ns);
		longest_ns = begin > longest_ns ? begin : longest_ns;
	}
	print_fill(w, times, n, longest_ns, longest_step_ns);
	store_writer_free(w);
}

/* What it costs; what it takes, with whatever else runs, is beside it. */
static void read_range(int dirfd, const struct catalog *c, const char *name, uint64_t from_ns,
		       uint64_t to_ns)
{
	const struct store_range range = { from_ns, to_ns, UINT64_MAX };
	const struct store_source source = { c, store_source_open, &dirfd, STORE_LIMITS_DEFAULT };
	uint64_t begin = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	struct store_result result;
	struct profile p;
	struct err err;

	if (profile_init(&p, 256 << 20, 1 << 24) < 0 ||
	    store_read(&source, &range, NULL, NULL, &p, &result, &err) < 0)
		die("read", &err);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	begin = clock_ns(CLOCK_MONOTONIC) - begin;
	printf("%s_merged_ms %.1f %s_elapsed_ms %.1f files %u windows %u samples %" PRIu64
	       " stacks %u\n",
	       name, (double)cpu / NS_PER_MS, name, (double)begin / NS_PER_MS, result.files,
	       result.windows, profile_total_count(&p), p.samples.count);
	profile_release(&p);
}

static void read_all(int dirfd)
{
	uint64_t to_ns = 0, begin = clock_ns(CLOCK_MONOTONIC);
	struct catalog c = { 0 };
	struct store_writer *w;
	struct store_options o = store_options_default();
	struct err err;

	if (store_writer_open(&w, dirfd, &o, &err) < 0)
		die("open", &err);
	printf("open_ms %.2f\n", (double)(clock_ns(CLOCK_MONOTONIC) - begin) / NS_PER_MS);
	store_writer_free(w);
	if (catalog_read(&c, dirfd, &err) < 0)
		die("read", &err);
	for (uint32_t i = 0; i < c.files.count; i++)
		if (!c.files.items[i].level && c.files.items[i].slot_ns + HOUR_NS > to_ns)
			to_ns = c.files.items[i].slot_ns + HOUR_NS;
	/* 3 min before the end: with edges at every level. */
	to_ns -= 180 * NS_PER_S;
	read_range(dirfd, &c, "day", to_ns - 24 * HOUR_NS, to_ns);
	read_range(dirfd, &c, "week", to_ns - 168 * HOUR_NS, to_ns);
	catalog_release(&c);
}

int main(int argc, char **argv)
{
	uint64_t hours = 0, samples = 0;
	int dirfd = argc > 2 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	bool late = argc > 1 && !strcmp(argv[1], "late");

	if (dirfd >= 0 && argc == 6 && (late || !strcmp(argv[1], "fill")) &&
	    number_parse(argv[3], strlen(argv[3]), 10000, &hours) == 0 &&
	    number_parse(argv[4], strlen(argv[4]), MAX_SAMPLES, &samples) == 0)
		fill(dirfd, hours, (uint32_t)samples, argv[5], late);
	else if (dirfd >= 0 && argc == 3 && !strcmp(argv[1], "read"))
		read_all(dirfd);
	else
		return fprintf(stderr,
			       "usage: store fill|late DIR HOURS SAMPLES RECORDING | read DIR\n"),
		       2;
	return 0;
}
