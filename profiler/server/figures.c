// SPDX-License-Identifier: Apache-2.0
/*
 * From what the parts have told to the one list that /metrics and /api/v1/status are made of. What
 * nobody knows now is WEB_UNKNOWN: a gauge that is missing is the truth, one that is 0 isn't.
 * Counters of a process that was replaced go on from where the last one's ended.
 */
#include "profiler/server/state.h"

static void fill_processes(const struct server *s, uint64_t *f)
{
	f[WEB_FIGURE_START] = s->start_ns;
	f[WEB_FIGURE_AGENT_UP] = s->agent.state == MEMBER_UP;
	f[WEB_FIGURE_KEEPER_UP] = s->keeper.state == MEMBER_UP;
	f[WEB_FIGURE_AGENT_RESTARTS] = member_restarts(&s->agent);
	f[WEB_FIGURE_KEEPER_RESTARTS] = member_restarts(&s->keeper);
	f[WEB_FIGURE_WEB_RESTARTS] = member_restarts(&s->web);
	f[WEB_FIGURE_SERVED_RESTARTS] = supervisor_replaced(s->supervisor);
	f[WEB_FIGURE_READERS_STARTED] = s->readers.started;
	f[WEB_FIGURE_READERS_KILLED] = s->readers.killed;
	f[WEB_FIGURE_MEMORY_MAX] = s->config->job->budget.total;
	f[WEB_FIGURE_FREQUENCY] = s->config->job->session.frequency_hz;
	f[WEB_FIGURE_WINDOW_LENGTH] = s->config->job->window_ns;
	f[WEB_FIGURE_CPU] = s->past_cpu_ns + s->status.own_cpu_ns;
}

static void fill_agent(const struct agent_status *status, uint64_t *f)
{
	static const struct {
		enum web_figure figure;
		enum agent_gauge gauge;
	} gauges[] = {
		{ WEB_FIGURE_KERNEL_MEMORY, AGENT_GAUGE_KERNEL_BYTES },
		{ WEB_FIGURE_CPUS, AGENT_GAUGE_CPUS_PROFILED },
		{ WEB_FIGURE_PROCESSES, AGENT_GAUGE_PROCESSES },
		{ WEB_FIGURE_PROCESSES_MAX, AGENT_GAUGE_PROCESSES_LIMIT },
		{ WEB_FIGURE_FILES, AGENT_GAUGE_FILES },
		{ WEB_FIGURE_FILES_MAX, AGENT_GAUGE_FILES_LIMIT },
		{ WEB_FIGURE_PINS, AGENT_GAUGE_PINS },
		{ WEB_FIGURE_PINS_MAX, AGENT_GAUGE_PINS_LIMIT },
		{ WEB_FIGURE_STACKS, AGENT_GAUGE_NODES },
		{ WEB_FIGURE_LOCATIONS, AGENT_GAUGE_LOCATIONS },
		{ WEB_FIGURE_WINDOWS_PENDING, AGENT_GAUGE_WINDOWS_PENDING },
	};

	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		f[gauges[i].figure] = status->gauges[gauges[i].gauge];
	if (status->own_memory_bytes)
		f[WEB_FIGURE_MEMORY] = status->own_memory_bytes;
}

static void fill_windows(const struct server *s, const struct counters *c, uint64_t *f)
{
	f[WEB_FIGURE_WINDOWS] = s->past_windows + watch_windows(s);
	f[WEB_FIGURE_WINDOWS_DROPPED] = counter_get(c, COUNTER_WINDOWS_DROPPED_STORE);
	if (!s->last.sequence)
		return;
	f[WEB_FIGURE_WINDOW_END] = s->last.end_ns;
	f[WEB_FIGURE_WINDOW_SAMPLES] = s->last.samples;
}

static void fill_store(const struct server *s, uint64_t *f)
{
	const struct keeper_figures *k = &s->figures;
	uint64_t files = 0;

	_Static_assert(STORE_LEVELS == 4, "each has its figures");
	for (uint32_t i = 0; i < STORE_LEVELS; i++) {
		f[WEB_FIGURE_STORE_BYTES_0 + i] = k->levels[i].bytes;
		if (k->levels[i].from_ns)
			f[WEB_FIGURE_STORE_OLDEST_0 + i] = k->levels[i].from_ns;
		files += k->levels[i].files;
	}
	f[WEB_FIGURE_STORE_FILES] = files;
	f[WEB_FIGURE_STORE_BYTES_MAX] = k->max_bytes;
	f[WEB_FIGURE_STORE_EXPIRED] = s->past_expired + k->expired_by_age + k->expired_by_bytes;
	f[WEB_FIGURE_STORE_FREE] = k->disk_free_bytes;
}

void figures_fill(const struct server *s, struct web_status *ret)
{
	for (uint32_t i = 0; i < WEB_FIGURE_COUNT; i++)
		ret->figure[i] = WEB_UNKNOWN;
	for (uint32_t i = 0; i < COUNTER_COUNT; i++)
		ret->counters.value[i] = s->past.value[i] + s->status.counters.value[i];
	ret->sequence = s->last.sequence;
	fill_processes(s, ret->figure);
	if (s->agent.state == MEMBER_UP && s->status.time_ns)
		fill_agent(&s->status, ret->figure);
	fill_windows(s, &ret->counters, ret->figure);
	if (s->figures_known)
		fill_store(s, ret->figure);
}
