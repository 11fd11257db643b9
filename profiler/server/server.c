// SPDX-License-Identifier: Apache-2.0
/*
 * One poll() over all conversations, and after each the same questions: is anything due, has
 * anybody gone? Handlers only change what is known; nobody waits but here. So whatever a part does,
 * the others are heard within a message of it.
 *
 * To stop is a row of phases with one deadline: the web process is let go, the agent cuts its last
 * window, the storekeeper ends its file. Who isn't done by then is killed: what was stored stays.
 * Where a storekeeper is waited for that died too often, one is started before all that, since
 * windows that wait for it would end with the agent.
 */
#include "profiler/server/server.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/reader/job.h"
#include "profiler/server/state.h"

#define STATUS_NS NS_PER_S
#define NOTIFY_NS (10 * NS_PER_S)
#define STOP_AGENT_NS (1400 * NS_PER_MS)
#define AWAIT_KEEPER_NS (300 * NS_PER_MS)
/*
 * An agent says how it is each second; to load BPF may take seconds on thousands of CPUs, and it
 * says nothing then.
 */
#define AGENT_SILENCE_NS (30 * NS_PER_S)
#define AGENT_ALIVE_NS (10 * NS_PER_S) /* for systemd's watchdog */

static uint64_t memory_of(const struct server_config *c, const char *role)
{
	for (const struct supervisor_memory *m = c->memory; m && m->role; m++)
		if (strcmp(m->role, role) == 0)
			return m->bytes;
	return 0;
}

/* ---- its beginning ---- */

static void add_usage(void *ctx, struct service_usage *sum)
{
	const struct server *s = ctx;

	member_usage(&s->keeper, sum);
	member_usage(&s->web, sum);
	readers_usage(&s->readers, sum);
}

static void init(struct server *s, const struct server_config *config)
{
	*s = (struct server){
		.config = config,
		.log = config->log,
		.start_ns = clock_ns(CLOCK_REALTIME),
	};
	member_init(&s->agent, AGENT_ROLE, "agent", s->log, AGENT_MAX_MESSAGE_BYTES);
	member_init(&s->keeper, STOREKEEPER_ROLE, "storekeeper", s->log, KEEPER_MAX_MESSAGE_BYTES);
	member_init(&s->web, WEB_ROLE, "web process", s->log, WEB_MAX_BYTES);
	s->agent.silence_ns = config->silence_ns ? config->silence_ns : AGENT_SILENCE_NS;
	s->keeper.memory_bytes = memory_of(config, STOREKEEPER_ROLE);
	s->web.memory_bytes = memory_of(config, WEB_ROLE);
	readers_init(&s->readers, config->store, memory_of(config, READER_ROLE));
}

static int begin(struct server *s, struct err *err)
{
	int r = supervisor_new(&s->supervisor, s->config->memory, err);

	if (r < 0)
		return r;
	supervisor_keep_cache(s->supervisor, s->config->cache, s->config->no_cache);
	supervisor_count_also(s->supervisor, add_usage, s);
	s->agent.supervisor = s->supervisor;
	/* The agent first: it takes longest. */
	watch_start(s);
	keeper_start(s);
	front_start(s);
	return 0;
}

static void release(struct server *s)
{
	member_release(&s->web);
	member_release(&s->agent);
	member_release(&s->keeper);
	readers_release(&s->readers);
	supervisor_free(s->supervisor);
}

/* ---- after each message ---- */

/* Has it been lost since the last look? */
static bool went(bool *there, const struct member *m)
{
	bool was = *there;

	*there = member_is_there(m);
	return was && !*there;
}

static void settle(struct server *s)
{
	if (went(&s->web_there, &s->web))
		front_gone(s);
	if (went(&s->agent_there, &s->agent))
		watch_gone(s);
	if (went(&s->keeper_there, &s->keeper))
		s->paired = false;
}

/* One that was never there, and whose process has gone. */
static const struct member *never_came(const struct server *s)
{
	if (!s->keeper_came && s->keeper.state == MEMBER_AWAY)
		return &s->keeper;
	if (!s->agent_came && s->agent.state == MEMBER_AWAY)
		return &s->agent;
	if (!s->web_came && s->web.state == MEMBER_AWAY)
		return &s->web;
	return NULL;
}

static void tend(struct server *s)
{
	bool may_start = s->phase == SERVER_RUNNING;

	if (member_tend(&s->agent) && may_start && s->agent_came)
		watch_start(s);
	if (member_tend(&s->keeper) && may_start && s->keeper_came)
		keeper_start(s);
	if (member_tend(&s->web) && may_start && s->web_came)
		front_start(s);
	readers_tend(&s->readers);
	settle(s);
}

/* ---- who is told what ---- */

static void say_ready(struct server *s)
{
	if (s->ready || !s->agent_came || !s->keeper_came || !s->web_came)
		return;
	s->ready = true;
	log_write(s->log, LOG_EVENT_READY, NULL, 0, "sampling at %u Hz on each CPU",
		  s->config->job->session.frequency_hz);
	notify_send(s->config->notify, "READY=1");
}

static void notify_status(struct server *s, uint64_t now_ns)
{
	if (now_ns < s->notify_due_ns || !s->ready)
		return;
	s->notify_due_ns = now_ns + NOTIFY_NS;
	notify_send(s->config->notify, "STATUS=%s; %" PRIu64 " windows stored, %" PRIu64 " MiB",
		    s->agent.state == MEMBER_UP ? "sampling" : "not sampling: the agent is away",
		    s->past_windows + watch_windows(s), s->figures.bytes >> 20);
}

/* Only while windows come: what is hung beyond our help is systemd's to start again. */
static void feed_watchdog(struct server *s, uint64_t now_ns)
{
	uint64_t interval_ns = s->config->notify->watchdog_ns;

	if (!interval_ns || now_ns < s->watchdog_due_ns)
		return;
	s->watchdog_due_ns = now_ns + interval_ns / 2;
	if (s->agent.state == MEMBER_UP && now_ns - s->agent.heard_ns < AGENT_ALIVE_NS)
		notify_send(s->config->notify, "WATCHDOG=1");
}

static void tell(struct server *s)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	say_ready(s);
	notify_status(s, now_ns);
	feed_watchdog(s, now_ns);
	if (now_ns < s->status_due_ns)
		return;
	s->status_due_ns = now_ns + STATUS_NS;
	front_tell_status(s);
}

/* ---- its end ---- */

static void stop(struct server *s)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	log_write(s->log, LOG_EVENT_STOPPING, NULL, 0, "stopping: the last window is stored");
	notify_send(s->config->notify, "STOPPING=1");
	s->phase = SERVER_AWAITS_KEEPER;
	s->stop_ns = now_ns + AWAIT_KEEPER_NS;
	s->agent.expected = s->keeper.expected = s->web.expected = true;
	readers_kill(&s->readers);
	member_lost(&s->web, NULL);
	if (s->keeper.state == MEMBER_AWAY && s->agent.state == MEMBER_UP)
		keeper_start(s);
}

static void stop_further(struct server *s)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	if (s->phase == SERVER_AWAITS_KEEPER &&
	    (now_ns >= s->stop_ns || s->paired || !member_is_there(&s->keeper) ||
	     !member_is_there(&s->agent))) {
		s->phase = SERVER_ENDS_AGENT;
		s->stop_ns += STOP_AGENT_NS - AWAIT_KEEPER_NS;
		watch_stop(s);
	}
	if (s->phase == SERVER_ENDS_AGENT &&
	    (now_ns >= s->stop_ns || !member_is_there(&s->agent))) {
		s->phase = SERVER_ENDS_KEEPER;
		s->stop_ns += SERVER_STOP_NS - STOP_AGENT_NS;
		keeper_stop(s);
	}
	if (s->phase == SERVER_ENDS_KEEPER &&
	    (now_ns >= s->stop_ns || !member_is_there(&s->keeper)))
		s->phase = SERVER_ENDED;
}

/* ---- the loop ---- */

/* None is started again while the server stops. */
static uint64_t due_ns(const struct server *s, const struct member *m)
{
	return m->state == MEMBER_AWAY && s->phase != SERVER_RUNNING ? UINT64_MAX
								     : member_due_ns(m);
}

static uint64_t earliest(const struct server *s)
{
	const uint64_t due[] = {
		due_ns(s, &s->agent),
		due_ns(s, &s->keeper),
		due_ns(s, &s->web),
		readers_due_ns(&s->readers),
		s->phase == SERVER_RUNNING ? UINT64_MAX : s->stop_ns,
		s->status_due_ns,
		s->config->notify->watchdog_ns ? s->watchdog_due_ns : UINT64_MAX,
	};
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++)
		if (due[i] < first)
			first = due[i];
	return first;
}

/*
 * Signals come while it waits, and at no other time: one that came between the last look and poll()
 * would be seen a second late. The second one, which ends us at once, waits for a message to be
 * dealt with at most.
 */
static void wait_for(struct pollfd *p, nfds_t count, uint64_t until_ns, const sigset_t *open)
{
	const struct timespec left = clock_left(until_ns);

	if (ppoll(p, count, &left, open) < 0)
		for (nfds_t i = 0; i < count; i++)
			p[i].revents = 0;
}

enum { AGENT, SERVICE, KEEPER, WEB, READERS, POLLED = READERS + WEB_MAX_READERS };

static void turn(struct server *s, const sigset_t *open)
{
	struct pollfd p[POLLED] = {
		[AGENT] = { .fd = s->agent.socket, .events = POLLIN },
		[SERVICE] = { .fd = s->agent.socket < 0 ? -1 : supervisor_fd(s->supervisor),
			      .events = POLLIN },
		[KEEPER] = { .fd = s->keeper.socket, .events = POLLIN },
		[WEB] = { .fd = s->web.socket, .events = POLLIN },
	};

	readers_poll(&s->readers, &p[READERS]);
	wait_for(p, POLLED, earliest(s), open);
	/* What it said before it closed the other socket is heard first. */
	if (p[AGENT].revents)
		watch_hear(s);
	else if (p[SERVICE].revents && supervisor_serve(s->supervisor) == -EPROTO)
		member_lost(&s->agent, "asks for what makes no sense");
	if (p[KEEPER].revents)
		keeper_hear(s);
	if (p[WEB].revents)
		front_hear(s);
	settle(s);
	tend(s);
	tell(s);
}

static int run(struct server *s, const sigset_t *open, struct err *err)
{
	while (s->phase != SERVER_ENDED) {
		const struct member *missing = never_came(s);

		if (missing && s->phase == SERVER_RUNNING)
			return err_set(err, -EIO, "%s", missing->why.text);
		if (s->phase == SERVER_RUNNING && s->config->stop_came())
			stop(s);
		if (s->config->reload_came())
			log_write(s->log, LOG_EVENT_RELOAD, NULL, 0,
				  "SIGHUP: the configuration is read when it starts only, so "
				  "restart it");
		stop_further(s);
		if (s->phase != SERVER_ENDED)
			turn(s, open);
	}
	return 0;
}

int server_run(const struct server_config *config, struct err *err)
{
	static struct server server; /* one in a process, and large */
	sigset_t closed, open;
	int r;

	sigemptyset(&closed);
	sigaddset(&closed, SIGINT);
	sigaddset(&closed, SIGTERM);
	sigaddset(&closed, SIGHUP);
	sigprocmask(SIG_BLOCK, &closed, &open);
	init(&server, config);
	r = begin(&server, err);
	if (r == 0)
		r = run(&server, &open, err);
	sigprocmask(SIG_SETMASK, &open, NULL);
	release(&server);
	return r;
}
