// SPDX-License-Identifier: Apache-2.0
/*
 * Counters only grow, and a window has what they grew by. Those of the kernel's side are read some milliseconds behind the window's
 * end: what they count then is in one window or the next, and never in two.
 *
 * Refused: a profile for each window. Nine in ten of its stacks are those of the window before; here they are transferred once in an
 * epoch, and once in a file.
 */
#include "profiler/agent/windows.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/clock.h"

struct windows {
	struct windows_config with;
	struct windows_reading last;
	struct counters told; /* by all windows so far */
	uint64_t cut, failed, epochs, early;
	uint64_t own_start_ns; /* the CPU time of all our processes when it began */
	uint64_t last_end_ns; /* CLOCK_REALTIME */
	uint64_t took_ns, most_ns; /* to cut the last; the longest */
	uint64_t turn_ns; /* when the epoch began, CLOCK_MONOTONIC */
	bool crowded; /* there was no memory for another epoch */
};

int windows_new(struct windows **ret, const struct windows_config *config, uint64_t start_ns)
{
	struct windows *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->with = *config;
	w->epochs = 1;
	w->turn_ns = start_ns;
	w->with.read(w->with.ctx, &w->last);
	w->own_start_ns = w->last.own_cpu_ns;
	window_clear_samples(&w->with.pipeline->window, start_ns);
	*ret = w;
	return 0;
}

void windows_free(struct windows *w)
{
	free(w);
}

static uint64_t since(uint64_t end, uint64_t start)
{
	return end > start ? end - start : 0;
}

/* What is told of all so far. Some may be taken back: it was told, and what comes next is not told until it is more. */
static void counters_since(struct counters *told, const struct counters *now, struct counters *ret)
{
	for (int i = 0; i < COUNTER_COUNT; i++) {
		ret->value[i] = since(now->value[i], told->value[i]);
		told->value[i] += ret->value[i];
	}
}

/* Ours, the kernel's, and what the names' profile counted since the last time. */
static struct counters counters_now(struct windows *w, const struct windows_reading *now)
{
	struct counters *ours = &w->with.pipeline->counters;
	struct counters *names = &w->with.profile->counters;
	struct counters all;

	counter_add(ours, COUNTER_NAMES_DROPPED_MEMORY,
		    counter_get(names, COUNTER_NAMES_DROPPED_MEMORY));
	*names = (struct counters){ 0 };
	all = *ours;
	for (int i = 0; i < COUNTER_COUNT; i++)
		all.value[i] += now->kernel.value[i];
	return all;
}

static void facts_make(struct windows *w, const struct schedule_window *times,
		       const struct windows_reading *now, struct profile_facts *ret)
{
	*ret = *w->with.facts;
	ret->time_ns = times->start_real_ns;
	ret->duration_ns = times->end_ns - times->start_ns;
	ret->cpus_profiled = now->cpus_profiled;
	ret->cpus_online = now->cpus_online;
	ret->own_cpu_ns = since(now->own_cpu_ns, w->last.own_cpu_ns);
	ret->own_memory_bytes = now->own_memory_bytes;
	ret->own_kernel_bytes = now->own_kernel_bytes;
	meter_between(&w->last.meter, &now->meter, ret, &w->with.pipeline->counters);
}

/* ---- epochs ---- */

/* The profile is the archive's from now on, if it still needs it. */
static void turn(struct windows *w, uint64_t start_ns, bool early)
{
	struct profile before;

	w->crowded = resolver_turn(w->with.resolver, start_ns, &before) < 0;
	if (w->crowded)
		return;
	/* Without memory windows are dropped, which the archive counts. */
	(void)archive_part(w->with.archive, &before);
	w->epochs++;
	w->early += early;
	w->turn_ns = start_ns;
	if (w->with.turned)
		w->with.turned(w->with.ctx);
}

bool windows_are_full(const struct windows *w)
{
	/* What a turn did not help, or only just did, waits for the next window. */
	return !w->crowded && w->with.pipeline->window.samples.count &&
	       (resolver_is_full(w->with.resolver) || pipeline_is_full(w->with.pipeline));
}

/* ---- windows ---- */

static int append(struct windows *w, const struct schedule_window *times)
{
	struct store_window window = {
		.start_ns = times->start_real_ns,
		.end_ns = times->end_real_ns,
		.monotonic_ns = times->start_ns,
	};

	window.moments = resolver_moments(w->with.resolver, &window.moment_count);
	return archive_append(w->with.archive, w->with.profile, &window);
}

/* All that it counted are lost, and told as such by the next one. */
static void failed(struct windows *w)
{
	const struct window *window = &w->with.pipeline->window;
	uint64_t samples = 0;

	for (uint32_t i = 0; i < window->samples.count; i++)
		samples += window->samples.items[i].count;
	counter_add(&w->with.pipeline->counters, COUNTER_SAMPLES_DROPPED_MEMORY, samples);
	w->failed++;
}

int windows_cut(struct windows *w, const struct schedule_window *times)
{
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	struct windows_reading now = { 0 };
	struct profile_facts facts;
	struct counters all;
	bool full;
	int r;

	w->with.read(w->with.ctx, &now);
	facts_make(w, times, &now, &facts);
	r = resolver_cut(w->with.resolver, &facts);
	/* Behind the names: what went wrong with them is this window's. */
	all = counters_now(w, &now);
	if (r >= 0) {
		counters_since(&w->told, &all, &w->with.profile->counters);
		r = append(w, times);
		w->with.profile->counters = (struct counters){ 0 };
	} else {
		failed(w);
	}
	full = resolver_is_full(w->with.resolver) || pipeline_is_full(w->with.pipeline) || r < 0;
	profile_clear_samples(w->with.profile);
	window_clear_samples(&w->with.pipeline->window, times->end_ns);
	w->last = now;
	w->cut++;
	w->last_end_ns = times->end_real_ns;
	if (archive_turns(w->with.archive, times->end_real_ns))
		turn(w, times->end_ns, false);
	else if (full)
		turn(w, times->end_ns, true);
	w->took_ns = clock_ns(CLOCK_MONOTONIC) - begin_ns;
	if (w->most_ns < w->took_ns)
		w->most_ns = w->took_ns;
	return r;
}

/* ---- figures ---- */

static void gauges(const struct windows *w, uint64_t *gauge)
{
	const struct pipeline *p = w->with.pipeline;
	const struct window *window = &p->window;
	const struct profile *profile = w->with.profile;
	struct archive_status archive;

	archive_status(w->with.archive, &archive);
	gauge[AGENT_GAUGE_PROCESSES] = process_table_count(p->processes);
	gauge[AGENT_GAUGE_PROCESSES_LIMIT] = budget_processes(p->budget);
	gauge[AGENT_GAUGE_FILES] = file_table_known(p->files);
	gauge[AGENT_GAUGE_FILES_LIMIT] = budget_files(p->budget);
	gauge[AGENT_GAUGE_PINS] = file_table_pinned(p->files);
	gauge[AGENT_GAUGE_PINS_LIMIT] = PIPELINE_MAX_PINS;
	gauge[AGENT_GAUGE_CGROUPS] = cgroup_names_count(p->cgroups);
	gauge[AGENT_GAUGE_WINDOW_BYTES] = window->used_bytes;
	gauge[AGENT_GAUGE_WINDOW_BYTES_LIMIT] = window->limits.bytes;
	gauge[AGENT_GAUGE_NAME_BYTES] = profile->arena.used_bytes;
	gauge[AGENT_GAUGE_NAME_BYTES_LIMIT] = profile->arena.max_bytes;
	gauge[AGENT_GAUGE_SERIES] = window->series.count;
	gauge[AGENT_GAUGE_LOCATIONS] = window->locations.count;
	gauge[AGENT_GAUGE_NODES] = window->nodes.count;
	gauge[AGENT_GAUGE_WINDOWS_PENDING] = archive.windows;
	gauge[AGENT_GAUGE_KERNEL_BYTES] = w->last.own_kernel_bytes;
	gauge[AGENT_GAUGE_CPUS_PROFILED] = w->last.cpus_profiled;
	gauge[AGENT_GAUGE_CPUS_ONLINE] = w->last.cpus_online;
}

void windows_status(const struct windows *w, struct agent_status *ret)
{
	struct archive_status archive;

	archive_status(w->with.archive, &archive);
	gauges(w, ret->gauges);
	ret->windows = w->cut;
	ret->windows_committed = archive.committed;
	ret->windows_failed = w->failed;
	ret->epochs = w->epochs;
	ret->epochs_early = w->early;
	ret->last_end_ns = w->last_end_ns;
	ret->cut_ns = w->took_ns;
	ret->cut_most_ns = w->most_ns;
	ret->own_cpu_ns = since(w->last.own_cpu_ns, w->own_start_ns);
	ret->own_memory_bytes = w->last.own_memory_bytes;
	ret->counters = w->with.pipeline->counters;
	for (int i = 0; i < COUNTER_COUNT; i++)
		ret->counters.value[i] += w->last.kernel.value[i];
}
