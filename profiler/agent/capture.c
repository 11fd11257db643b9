// SPDX-License-Identifier: Apache-2.0
/*
 * The order of start and stop is the point of this file. Process events run before /proc is read, so
 * that nothing falls between; the sampler is attached last, so that loading is not in the profile; it is
 * detached before names are read, so that naming is not in it either.
 */
#include "profiler/agent/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/background_lines.h"
#include "profiler/agent/facts.h"
#include "profiler/agent/kernel_names.h"
#include "profiler/agent/meter.h"
#include "profiler/agent/names.h"
#include "profiler/agent/outside.h"
#include "profiler/agent/perfmaps.h"
#include "profiler/agent/pipeline.h"
#include "profiler/agent/recorder.h"
#include "profiler/agent/resolve.h"
#include "profiler/agent/symbols.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/process/descendants.h"
#include "profiler/role/service.h"

#define FOLLOW_CPUS_NS NS_PER_S
#define LIST_PROGRAMS_NS NS_PER_S /* at most so often */
/* Looks at /proc for children of the filter's processes. One finds all, but of parents that fork a lot. */
#define MAX_DESCENTS 4
/* Of a job that goes on: the time between two looks at what all our processes use. */
#define USAGE_NS (60 * NS_PER_S)
/* And what naming code made at run time may take in one. */
#define WINDOW_CODE_NS (300 * NS_PER_MS)

struct capture {
	const struct job *job; /* borrowed */
	int service; /* borrowed */
	int stat_fd; /* /proc/stat */
	struct starter starter;
	struct session *session;
	struct outside *outside;
	struct symbols_client *symbols;
	struct perfmaps *perfmaps;
	struct live_names live_names;
	struct name_source names;
	struct unwinding *unwinding;
	struct kernel_names *kernel; /* of a job that goes on, as the next */
	struct background_lines *lines;
	struct recorder *recorder; /* or NULL */
	struct pipeline pipeline;
	struct profile profile; /* being filled, until the finish hands it over */
	struct resolver *resolver;
	struct facts facts;
	struct meter start; /* when sampling had begun */
	uint64_t own_start_ns;
	uint64_t usage_ns; /* when it was last asked what all our processes use */
	uint64_t others_ns; /* the CPU time of our other processes, when it was last asked for */
	uint64_t cpus_followed_ns;
	uint64_t programs_listed_ns;
	void (*sign)(void *ctx);
	void *sign_ctx;
};

static void learn_cgroup(void *ctx, uint64_t id, uint32_t pid)
{
	struct capture *c = ctx;
	const char *path;

	cgroup_names_learn(c->pipeline.cgroups, id, pid);
	path = cgroup_names_path(c->pipeline.cgroups, id);
	if (path && c->recorder)
		recorder_cgroup(c->recorder, id, path);
}

static int recorder_setup(struct capture *c, int fd, struct err *err)
{
	int r;

	if (fd < 0)
		return 0;
	r = recorder_new(&c->recorder, fd, outside_source(c->outside));
	if (r < 0)
		return err_errno(err, r, "cannot start the recording");
	c->live_names.told = recorder_names;
	c->live_names.told_ctx = c->recorder;
	return 0;
}

static void code_setup(struct capture *c)
{
	struct code_source code = perfmaps_source(c->perfmaps);

	if (c->recorder)
		code = recorder_code(c->recorder, &code);
	pipeline_set_code(&c->pipeline, &code);
}

static int parts_new(struct capture *c, const struct capture_config *config, struct err *err)
{
	const struct process_source *source = outside_source(c->outside);
	int r = recorder_setup(c, config->record_fd, err);

	if (r < 0)
		return r;
	if (c->recorder)
		source = recorder_source(c->recorder);
	r = pipeline_init(&c->pipeline, source, &config->job->cgroups, &config->job->budget, err);
	if (r < 0)
		return r;
	code_setup(c);
	c->live_names.files = c->pipeline.files;
	c->pipeline.learn_cgroup = learn_cgroup;
	c->pipeline.learn_ctx = c;
	if (c->recorder)
		batch_tap(c->pipeline.batch, recorder_record, c->recorder);
	if (config->job->watch)
		pipeline_go_on(&c->pipeline);
	if (resolver_new(&c->resolver, &c->pipeline, &c->names, &c->profile) < 0)
		return err_errno(err, -ENOMEM, "cannot set up the capture");
	return 0;
}

static void facts_begin(struct capture *c, const struct session_config *config)
{
	const struct session_facts *s = session_facts(c->session);
	struct profile_facts *f = &c->facts.profile;
	bool time = config->event == SESSION_CPU_CLOCK;

	f->event = time ? "cpu-clock" : "cycles";
	f->value_type = time ? "cpu" : "cycles";
	f->value_unit = time ? "nanoseconds" : "count";
	f->period = s->period;
	f->frequency_hz = config->frequency_hz;
	f->cpus_profiled = s->cpus_profiled;
	f->cpus_online = s->cpus_online;
	f->filtered = config->pid_count || config->tid_count || config->comm_count ||
		      config->cgroup || config->user_only || config->kernel_only;
}

/* Our processes' use until now; and the two moments when they are largest are seen as well. */
static uint64_t usage_note(struct capture *c)
{
	struct service_usage usage;

	if (c->unwinding)
		unwinding_unmap(c->unwinding);
	if (service_usage(c->service, &usage) < 0)
		return 0;
	if (c->session && c->facts.profile.own_kernel_bytes < session_memory_bytes(c->session))
		c->facts.profile.own_kernel_bytes = session_memory_bytes(c->session);
	if (c->facts.profile.own_memory_bytes < usage.memory_bytes)
		c->facts.profile.own_memory_bytes = usage.memory_bytes;
	return usage.cpu_ns;
}

/* From the filter's first process on that is not in it yet: 0 or negative errno. */
static int targets_add(struct session *s, const struct descendants *d, uint32_t from)
{
	int r = 0;

	for (uint32_t i = from; i < d->count && r == 0; i++)
		r = session_add_pid(s, d->items[i]);
	return r;
}

/*
 * The kernel follows children of processes that are in the filter. A child born after our look at /proc, but
 * before its parent was in, would be missed: so we look until there is nothing new.
 * Not through the recorder: a replay asks none of this, as its samples are filtered already.
 */
static int descend(struct capture *c, struct descendants *d)
{
	for (uint32_t i = 0; i < MAX_DESCENTS; i++) {
		uint32_t before = d->count;
		int r = descendants_find(d, outside_source(c->outside), &c->pipeline.counters);

		if (r == 0)
			r = targets_add(c->session, d, before);
		if (r < 0)
			return r;
		if (d->count == before)
			break;
	}
	return 0;
}

/* The children that the filter's processes already have. */
static int children_add(struct capture *c, const struct session_config *config, struct err *err)
{
	_cleanup_(descendants_release) struct descendants all;
	int r = 0;

	descendants_init(&all, SESSION_MAX_TARGETS);
	for (uint32_t i = 0; i < config->pid_count && r == 0; i++)
		r = descendants_add(&all, config->pids[i]);
	if (config->pid_count && r == 0)
		r = descend(c, &all);
	if (r == -E2BIG || r == -ENOSPC)
		return err_set(err, -E2BIG,
			       "the processes named and their children are more than %d: "
			       "name fewer, or a control group with --cgroup",
			       SESSION_MAX_TARGETS);
	return r < 0 ? err_errno(err, r, "cannot find the children of the processes named") : 0;
}

/* Names take a while, and whoever waits for the answer is told that we live. */
static struct live_names *names_of(void *ctx)
{
	struct capture *c = ctx;

	if (c->sign)
		c->sign(c->sign_ctx);
	return &c->live_names;
}

static int ask_names(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		     struct symbols *ret, struct err *err)
{
	return live_names_ask(names_of(ctx), space, fd, addresses, count, ret, err);
}

static int ask_code_names(void *ctx, uint32_t owner, int dump_fd, const uint64_t *addresses,
			  const struct symbol_moment *moments, uint32_t count, struct symbols *ret,
			  struct err *err)
{
	return live_names_ask_code(names_of(ctx), owner, dump_fd, addresses, moments, count, ret,
				   err);
}

static int ask_names_late(void *ctx, uint32_t space, int fd, const uint64_t *addresses,
			  uint32_t count, struct symbols *ret, struct err *err)
{
	struct capture *c = ctx;

	if (c->job->watch)
		debug_files_forget_file(c->live_names.debug, space - WINDOW_SPACE_FILES);
	return live_names_late(names_of(ctx), space, fd, addresses, count, ret, err);
}

static int find_lines(void *ctx, uint32_t space, int fd, struct line_files *ret)
{
	return live_lines_find(names_of(ctx), space, fd, ret);
}

static int ask_lines(void *ctx, uint32_t space, const struct line_files *files,
		     const uint64_t *vaddrs, uint32_t count, struct lines_answers *ret,
		     struct err *err)
{
	return live_lines_ask(names_of(ctx), space, files, vaddrs, count, ret, err);
}

static void names_setup(struct capture *c)
{
	c->live_names = (struct live_names){ .client = c->symbols,
					     .outside = c->outside,
					     .maps = c->perfmaps,
					     .counters = &c->pipeline.counters,
					     .vdso_fd = -1 };
	c->names = (struct name_source){
		.ctx = c, .ask = ask_names, .ask_code = ask_code_names, .ask_late = ask_names_late
	};
	if (c->job->no_inlines)
		return;
	c->names.find_lines = find_lines;
	c->names.ask_lines = ask_lines;
}

void capture_on_sign_of_life(struct capture *c, void (*sign)(void *ctx), void *ctx)
{
	c->sign = sign;
	c->sign_ctx = ctx;
}

void capture_on_hurry(struct capture *c, const struct peer_hurry *hurry)
{
	c->live_names.hurry = hurry;
	symbols_client_on_hurry(c->symbols, hurry);
}

/* What is outside of this process: the machine's counts, the opener, the symbolizer. */
static int outside_setup(struct capture *c, struct err *err)
{
	int r;

	c->stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	c->starter = service_starter(&c->service);
	r = outside_new(&c->outside, &c->starter, &c->pipeline.counters, err);
	if (r >= 0)
		r = symbols_client_new(&c->symbols, &c->starter, &c->pipeline.counters, err);
	if (r >= 0)
		symbols_client_keep_indexes(c->symbols, c->service);
	if (r >= 0 && perfmaps_new(&c->perfmaps, c->outside) < 0)
		r = err_errno(err, -ENOMEM, "cannot set up the capture");
	names_setup(c);
	if (r >= 0 && debug_files_new(&c->live_names.debug, c->outside, c->symbols,
				      &c->pipeline.counters) < 0)
		r = err_errno(err, -ENOMEM, "cannot set up the capture");
	return r;
}

/* Tables for the kernel. Not through the recorder: a replay has no kernel to unwind in. */
static int unwinding_setup(struct capture *c, struct err *err)
{
	const struct unwinding_config config = {
		.tables = session_tables(c->session),
		.names = &c->live_names,
		.source = outside_source(c->outside),
		.files = c->pipeline.files,
		.processes = c->pipeline.processes,
		.counters = &c->pipeline.counters,
		.budget_bytes = c->job->budget.tables,
		.max_processes = budget_processes(&c->job->budget),
	};

	if (unwinding_new(&c->unwinding, &config) < 0)
		return err_errno(err, -ENOMEM, "cannot set up unwind tables");
	c->pipeline.unwinding = c->unwinding;
	c->pipeline.rests = unwinding_rests(c->unwinding);
	if (c->recorder)
		c->pipeline.rests = recorder_rests(c->recorder, &c->pipeline.rests);
	return 0;
}

int capture_new(struct capture **ret, const struct capture_config *config, struct err *err)
{
	const struct session_config *session = &config->job->session;
	struct capture *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_errno(err, -ENOMEM, "cannot set up the capture");
	c->job = config->job;
	c->service = config->service;
	r = outside_setup(c, err);
	if (r >= 0)
		r = parts_new(c, config, err);
	if (r >= 0)
		r = session_new(&c->session, session, err);
	if (r >= 0)
		r = unwinding_setup(c, err);
	if (r >= 0)
		r = children_add(c, session, err);
	if (r < 0) {
		capture_free(c);
		return r;
	}
	facts_begin(c, session);
	c->facts.profile.memory_budget_bytes = config->job->budget.total;
	c->facts.profile.memory_kernel_bytes = config->job->budget.kernel;
	usage_note(c);
	/* libbpf has parsed the kernel's types by now: 20 MiB that it needs no more. */
	malloc_trim(0);
	*ret = c;
	return 0;
}

void capture_forget(struct capture *c)
{
	background_lines_free(c->lines);
	c->lines = NULL;
	unwinding_free(c->unwinding);
	c->unwinding = NULL;
	resolver_free(c->resolver);
	c->resolver = NULL;
	pipeline_release(&c->pipeline);
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	capture_forget(c); /* what it has in the session's maps, too */
	session_free(c->session);
	symbols_client_free(c->symbols);
	debug_files_free(c->live_names.debug);
	live_names_release(&c->live_names);
	profile_release(&c->profile);
	recorder_free(c->recorder);
	perfmaps_free(c->perfmaps);
	kernel_names_free(c->kernel);
	outside_free(c->outside);
	fd_close(&c->stat_fd);
	free(c);
}

/*
 * Was it the opener that failed, rather than /proc? The next one will do, and what was there before us is
 * then looked at when it is sampled.
 */
static bool is_passing(int r)
{
	return r == -EPIPE || r == -ETIMEDOUT || r == -EPROTO || r == -EAGAIN || r == -EBUSY;
}

/* Where the kernel has no list for us there is none: what that means is bpf_code's to know. */
static void list_programs(struct capture *c)
{
	c->programs_listed_ns = clock_ns(CLOCK_MONOTONIC);
	(void)session_list_programs(c->session, c->pipeline.batch);
}

int capture_start(struct capture *c, struct err *err)
{
	int r;

	c->facts.profile.time_ns = clock_ns(CLOCK_REALTIME);
	c->facts.start_ns = clock_ns(CLOCK_MONOTONIC);
	c->facts.end_ns = UINT64_MAX;
	if (c->recorder)
		recorder_facts(c->recorder, &c->facts);
	r = process_table_scan(c->pipeline.processes, c->facts.start_ns);
	if (r < 0 && !is_passing(r))
		return err_errno(err, r, "cannot read the processes in \"/proc\"");
	list_programs(c);
	r = session_start(c->session, err);
	if (r < 0)
		return r;
	/* Timers were started one by one: what counts begins when all run. */
	c->facts.profile.time_ns = clock_ns(CLOCK_REALTIME);
	c->facts.start_ns = clock_ns(CLOCK_MONOTONIC);
	c->pipeline.count_from_ns = c->facts.start_ns;
	meter_read(&c->start, c->session, c->stat_fd);
	/* Last: the supervisor may take its time to answer. */
	c->own_start_ns = usage_note(c);
	if (c->recorder)
		recorder_facts(c->recorder, &c->facts);
	return 0;
}

static int drain_until(struct capture *c, uint64_t until_ns, struct err *err)
{
	int r = session_drain(c->session, c->pipeline.batch);

	if (c->recorder)
		recorder_drain(c->recorder, until_ns);
	if (r >= 0) {
		pipeline_run(&c->pipeline, until_ns);
		r = resolver_relieve(c->resolver, RESOLVER_PINS);
	}
	if (r >= 0)
		r = resolver_let_go(c->resolver, until_ns);
	return r < 0 ? err_errno(err, r, "cannot take the samples in") : 0;
}

int capture_drain(struct capture *c, struct err *err)
{
	return capture_drain_until(c, clock_ns(CLOCK_MONOTONIC) - BATCH_HOLD_BACK_NS, err);
}

int capture_drain_until(struct capture *c, uint64_t until_ns, struct err *err)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int r = drain_until(c, until_ns, err);

	if (r >= 0)
		unwinding_work(c->unwinding, until_ns);
	if (bpf_code_wants_list(c->pipeline.bpf) &&
	    now_ns - c->programs_listed_ns > LIST_PROGRAMS_NS)
		list_programs(c);
	if (now_ns - c->cpus_followed_ns > FOLLOW_CPUS_NS) {
		session_follow_cpus(c->session);
		c->cpus_followed_ns = now_ns;
	}
	return r;
}

void capture_progress(const struct capture *c, struct agent_progress *ret)
{
	struct counters all = c->pipeline.counters;

	session_counters(c->session, &all);
	ret->samples = counter_get(&all, COUNTER_SAMPLES);
	ret->lost = counters_lost(&all);
}

/* Nobody answered, say. */
static uint64_t since(uint64_t end, uint64_t start)
{
	return end > start ? end - start : 0;
}

static void facts_end(struct capture *c)
{
	struct profile_facts *f = &c->facts.profile;
	struct meter end;

	c->facts.end_ns = clock_ns(CLOCK_MONOTONIC);
	c->pipeline.count_until_ns = c->facts.end_ns;
	f->duration_ns = c->facts.end_ns - c->facts.start_ns;
	f->cpus_profiled = session_facts(c->session)->cpus_profiled;
	f->cpus_online = session_facts(c->session)->cpus_online;
	meter_read(&end, c->session, c->stat_fd);
	meter_between(&c->start, &end, f, &c->pipeline.counters);
}

static int recording_finish(struct capture *c, struct err *err)
{
	int r;

	if (!c->recorder)
		return 0;
	c->facts.counters = c->pipeline.counters;
	recorder_facts(c->recorder, &c->facts);
	r = recorder_close(c->recorder);
	return r < 0 ? err_errno(err, r, "cannot write the recording") : 0;
}

void capture_stop(struct capture *c)
{
	facts_end(c);
	session_stop(c->session);
	c->facts.profile.own_cpu_ns = since(usage_note(c), c->own_start_ns);
}

/* ---- a job that goes on ---- */

int capture_catch_up(struct capture *c)
{
	return session_drain(c->session, c->pipeline.batch);
}

/* Ours by our own clock, each time; the others', and all memory, which take a millisecond, are asked for once a minute. */
static uint64_t own_cpu_ns(struct capture *c, uint64_t now_ns)
{
	uint64_t own = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (!c->usage_ns || now_ns - c->usage_ns >= USAGE_NS) {
		uint64_t all;

		c->usage_ns = now_ns;
		/* The peak of months says nothing of now. */
		c->facts.profile.own_memory_bytes = 0;
		all = usage_note(c);

		if (since(all, own) > c->others_ns)
			c->others_ns = since(all, own);
	}
	return own + c->others_ns;
}

static void window_read(void *ctx, struct windows_reading *ret)
{
	struct capture *c = ctx;

	*ret = (struct windows_reading){
		.cpus_profiled = session_facts(c->session)->cpus_profiled,
		.cpus_online = session_facts(c->session)->cpus_online,
	};
	meter_read(&ret->meter, c->session, c->stat_fd);
	session_counters(c->session, &ret->kernel);
	ret->own_cpu_ns = own_cpu_ns(c, ret->meter.time_ns);
	ret->own_memory_bytes = c->facts.profile.own_memory_bytes;
	ret->own_kernel_bytes = c->facts.profile.own_kernel_bytes;
	/* What naming code made at run time may take is a window's. */
	c->live_names.code_ns = LIVE_NAMES_MAX_CODE_NS - WINDOW_CODE_NS;
}

static void windows_turned(void *ctx)
{
	struct capture *c = ctx;

	perfmaps_turn(c->perfmaps);
	debug_files_turn(c->live_names.debug);
	list_programs(c);
}

static void file_forgotten(void *ctx, uint32_t file)
{
	struct capture *c = ctx;

	naming_forget_file(resolver_naming(c->resolver), file);
	if (c->lines)
		background_lines_forget_file(c->lines, file);
}

/* Lines are asked of a symbolizer of their own, if there is memory for one: nothing waits for them. */
static int lines_setup(struct capture *c)
{
	const struct background_lines_config config = {
		.starter = &c->starter,
		.service = c->service,
		.names = &c->names,
		.counters = &c->pipeline.counters,
		.naming = resolver_naming(c->resolver),
		.held = resolver_held(c->resolver),
		.burst_ns = BACKGROUND_BURST_NS,
	};

	if (c->job->no_inlines || !c->job->budget.background)
		return 0;
	if (background_lines_new(&c->lines, &config) < 0)
		return -ENOMEM;
	resolver_read_lines(c->resolver, c->lines);
	return 0;
}

int capture_go_on(struct capture *c, struct archive *archive, struct windows **ret)
{
	const struct windows_config config = {
		.pipeline = &c->pipeline,
		.resolver = c->resolver,
		.profile = &c->profile,
		.archive = archive,
		.facts = &c->facts.profile,
		.read = window_read,
		.turned = windows_turned,
		.ctx = c,
	};

	if (kernel_names_new(&c->kernel) < 0 || lines_setup(c) < 0)
		return -ENOMEM;
	resolver_naming(c->resolver)->kernel = c->kernel;
	c->pipeline.file_forgotten = file_forgotten;
	c->pipeline.forgotten_ctx = c;
	return windows_new(ret, &config, c->facts.start_ns);
}

void capture_schedule(const struct capture *c, struct schedule *ret, uint64_t window_ns)
{
	schedule_begin(ret, window_ns, c->facts.start_ns, c->facts.profile.time_ns);
}

int capture_look_again(struct capture *c)
{
	int r;

	c->live_names.lines_until_ns = 0;
	r = resolver_late(c->resolver);
	c->live_names.lines_until_ns = 0;
	return r;
}

struct counters *capture_counters(struct capture *c)
{
	return &c->pipeline.counters;
}

int capture_finish(struct capture *c, struct profile *ret, struct err *err)
{
	int r = session_drain(c->session, c->pipeline.batch);

	if (r < 0)
		return err_errno(err, r, "cannot take the samples in");
	/* Behind all events: what was lost until now is in it. */
	list_programs(c);
	r = drain_until(c, UINT64_MAX, err);
	if (r < 0)
		return r;
	session_counters(c->session, &c->pipeline.counters);
	c->facts.profile.own_bpf_ns = session_bpf_ns(c->session);
	debug_files_forget(c->live_names.debug);
	r = resolver_finish(c->resolver, &c->facts.profile);
	if (r < 0)
		return err_errno(err, r, "the profile grew too large");
	usage_note(c);
	c->profile.facts.own_memory_bytes = c->facts.profile.own_memory_bytes;
	c->profile.facts.own_kernel_bytes = c->facts.profile.own_kernel_bytes;
	*ret = c->profile;
	c->profile = (struct profile){ 0 };
	return recording_finish(c, err) < 0;
}

uint64_t capture_first_sample_ns(const struct capture *c)
{
	return c->pipeline.first_sample_ns;
}

uint64_t capture_end_ns(const struct capture *c)
{
	return c->facts.end_ns;
}
