// SPDX-License-Identifier: Apache-2.0
/*
 * The list's names and words, as profiler/base/counter.c has those of counters.
 */
#include "profiler/agent/status.h"

static const struct {
	const char *name, *help;
} gauges[AGENT_GAUGE_COUNT] = {
#define X(id, name, help) [AGENT_GAUGE_##id] = { name, help },
	AGENT_GAUGES(X)
#undef X
};

const char *agent_gauge_name(enum agent_gauge id)
{
	return gauges[id].name;
}

const char *agent_gauge_help(enum agent_gauge id)
{
	return gauges[id].help;
}
