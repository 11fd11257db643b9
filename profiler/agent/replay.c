// SPDX-License-Identifier: Apache-2.0
/*
 * A capture from its recording: the same pipeline and the same naming, with the player in the place of
 * /proc and of the symbolizer. Nothing of this machine gets into the answer.
 */
#include <errno.h>
#include <stdint.h>

#include "profiler/agent/capture.h"
#include "profiler/agent/facts.h"
#include "profiler/agent/pipeline.h"
#include "profiler/agent/player.h"
#include "profiler/agent/resolve.h"

#define MAX_RECORDED_BUDGET (1ULL << 30)

/* All drains of a recording, up to its last, whose facts (the names) are then still at hand. */
static int replay_drains(struct player *player, struct pipeline *pipeline,
			 struct resolver *resolver, struct err *err)
{
	uint64_t until_ns;
	int more, r;

	do {
		more = player_next(player, pipeline->batch, &until_ns, err);
		if (more < 0)
			return more;
		pipeline->count_from_ns = player_facts(player)->start_ns;
		pipeline->count_until_ns = player_facts(player)->end_ns;
		r = player_cgroups(player, pipeline->cgroups);
		if (r >= 0)
			pipeline_run(pipeline, until_ns);
		if (r >= 0 && more)
			r = resolver_relieve(resolver, RESOLVER_PINS);
		if (r >= 0 && more && player_facts(player)->lets_go)
			r = resolver_let_go(resolver, until_ns);
		if (r < 0)
			return err_errno(err, r, "cannot replay the recording");
	} while (more);
	/* Records behind the last drain, if it broke off. */
	pipeline_run(pipeline, UINT64_MAX);
	return 0;
}

/*
 * The budget that the capture had, so that what didn't fit then doesn't now: names were asked for what
 * did. A recording without one, or of one that is larger than a replay's own, is bounded by that.
 */
static bool budget_recorded(const struct profile_facts *f, struct budget *ret)
{
	return f->memory_budget_bytes >= BUDGET_LEAST_BYTES &&
	       f->memory_budget_bytes <= MAX_RECORDED_BUDGET &&
	       budget_divide(ret, f->memory_budget_bytes, UINT64_MAX, f->memory_kernel_bytes,
			     NULL) == 0;
}

int capture_replay(int fd, bool no_inlines, struct profile *ret, struct err *err)
{
	static const struct cgroup_hierarchy no_hierarchy;
	struct pipeline pipeline = { 0 };
	struct profile profile = { 0 };
	struct resolver *resolver = NULL;
	struct player *player = NULL;
	struct code_source code;
	struct name_source names;
	struct budget budget;
	struct facts facts;
	int r = player_new(&player, fd, err);

	if (r < 0)
		return r;
	names = player_names(player);
	if (no_inlines)
		names.ask_lines = NULL;
	r = pipeline_init(&pipeline, player_source(player), &no_hierarchy,
			  budget_recorded(&player_facts(player)->profile, &budget) ? &budget : NULL,
			  err);
	if (r < 0)
		goto out;
	pipeline.rests = player_rests(player);
	code = player_code(player);
	jit_set_source(pipeline.jit, &code);
	r = resolver_new(&resolver, &pipeline, &names, &profile);
	if (r < 0) {
		err_errno(err, r, "cannot replay the recording");
		goto out;
	}
	process_table_scan(pipeline.processes, player_facts(player)->start_ns);
	r = replay_drains(player, &pipeline, resolver, err);
	if (r < 0)
		goto out;
	facts = *player_facts(player);
	if (player_broke_off(player) && pipeline.last_sample_ns > facts.start_ns)
		facts.profile.duration_ns = pipeline.last_sample_ns - facts.start_ns;
	for (enum counter id = 0; id < COUNTER_COUNT; id++)
		counter_add(&pipeline.counters, id, counter_get(&facts.counters, id));
	r = resolver_finish(resolver, &facts.profile);
	if (r < 0) {
		err_errno(err, r, "the profile grew too large");
		goto out;
	}
	*ret = profile;
	profile = (struct profile){ 0 };
	r = player_broke_off(player);
out:
	resolver_free(resolver);
	profile_release(&profile);
	pipeline_release(&pipeline);
	player_free(player);
	return r;
}
