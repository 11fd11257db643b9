// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn serve: everything that takes rights is opened here, in the order in which it is most
 * likely to be wrong; then they are given up, and profiler/server has the rest. What can't be
 * opened is one sentence on standard error, as with every command; what happens afterwards is the
 * log's.
 *
 * Refused: going into the background, files for pids and for logs. That is what systemd is for, and
 * a shell's &.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/command/allowance.h"
#include "profiler/command/interrupt.h"
#include "profiler/command/memory.h"
#include "profiler/command/priority.h"
#include "profiler/command/service.h"
#include "profiler/opener/protocol.h"
#include "profiler/reader/job.h"
#include "profiler/server/authority.h"
#include "profiler/server/server.h"
#include "profiler/server/token.h"
#include "profiler/store/level.h"
#include "profiler/storekeeper/directory.h"
#include "symbolizer/protocol.h"
#include "version.h"

#define DRAIN_NS (100 * NS_PER_MS)
#define READER_BYTES (512ULL << 20) /* of each: a range that needs more is refused */

/* All that a server holds; released in one place. */
struct work {
	struct service service;
	struct log *log;
	struct notify notify;
	struct authority authority;
	struct token token;
	char token_file[PATH_MAX];
	struct listeners listeners;
	int store;
	struct job job;
	struct web_job web;
};

/* ---- signals ---- */

static volatile sig_atomic_t hangups;

static void on_hangup(int number)
{
	(void)number;
	hangups = 1;
}

static bool reload_came(void)
{
	bool came = hangups != 0;

	hangups = 0;
	return came;
}

/* The second signal. Our processes end with us, and what is stored is whole at any moment. */
static void abandon(void)
{
}

static int catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_hangup, .sa_flags = SA_RESTART };
	int r = interrupt_catch(1, abandon);

	interrupt_pass_over_echoes();
	/*
	 * SIGHUP is no reason to end: something may have been told to send it after a change of
	 * configuration.
	 */
	return r == 0 && sigaction(SIGHUP, &action, NULL) < 0 ? -errno : r;
}

/* ---- what is opened ---- */

static int open_log(struct work *w, struct err *err)
{
	bool terminal = isatty(STDERR_FILENO) == 1;
	const struct log_config config = {
		.fd = STDERR_FILENO,
		.format = w->service.log_format_given ? w->service.log_format
			  : terminal                  ? LOG_TEXT
						      : LOG_LOGFMT,
		.level = w->service.log_level,
		.journal = log_is_journal(STDERR_FILENO, getenv("JOURNAL_STREAM")),
	};
	int r = log_new(&w->log, &config);

	return r < 0 ? err_errno(err, r, "cannot write a log") : 0;
}

static int open_store(struct work *w, struct err *err)
{
	w->store = directory_open(w->service.store, err);
	return w->store < 0 ? w->store : 0;
}

static int open_listeners(struct work *w, struct err *err)
{
	gid_t group = w->authority.has_group ? w->authority.gid : (gid_t)-1;
	int inherited = listeners_inherit(&w->listeners, err);
	int r = inherited;

	/* Systemd's come instead of the default, and beside what somebody asked for. */
	if (inherited > 0 && !service_was_said(&w->service, "listen"))
		return 0;
	for (uint32_t i = 0; r >= 0 && i < w->service.listen_count; i++)
		r = listeners_open(&w->listeners, w->service.listen[i], group, err);
	return r < 0 ? r : 0;
}

static int open_token(struct work *w, struct err *err)
{
	const struct log_field fields[] = { { "file", w->token_file, 0 } };
	gid_t group = w->authority.has_group ? w->authority.gid : (gid_t)-1;
	int r;

	if (w->service.token_file)
		r = snprintf(w->token_file, sizeof(w->token_file), "%s", w->service.token_file) <
				    (int)sizeof(w->token_file)
			    ? 0
			    : -ENAMETOOLONG;
	else
		r = token_place(geteuid(), w->token_file, sizeof(w->token_file));
	if (r < 0)
		return err_errno(err, r, "there is no place for a token: give --token-file");
	r = token_load(&w->token, w->token_file, group, err);
	if (r == 0 && w->token.open)
		log_write(w->log, LOG_EVENT_TOKEN, fields, 1,
			  "everybody on this machine can read the token: chmod 0640");
	return r;
}

static void describe_job(struct work *w)
{
	w->job.watch = true;
	w->job.window_ns = store_levels[0].window_ns;
	w->job.drain_ns = DRAIN_NS;
	w->job.no_inlines = w->service.no_inlines;
}

static int open_all(struct work *w, struct err *err)
{
	int r = catch_signals();

	if (r < 0)
		return err_errno(err, r, "cannot catch signals");
	authority_find(&w->authority, "", geteuid());
	describe_job(w);
	r = open_log(w, err);
	if (r == 0)
		r = notify_open(&w->notify, err);
	if (r == 0)
		r = open_listeners(w, err);
	if (r == 0)
		r = open_store(w, err);
	if (r == 0)
		r = open_token(w, err);
	if (r == 0)
		index_cache_open(&w->service.cache);
	if (r == 0)
		r = selection_apply(&w->service.selection, &w->job, err);
	return r == 0 ? memory_share(w->service.memory, &w->job, err) : r;
}

/* ---- what the others are told ---- */

/* Cut if it is too long; it was all zero. */
static void text_copy(char *ret, size_t size, const char *text)
{
	size_t len = strlen(text);

	memcpy(ret, text, len < size ? len : size - 1);
}

static void add_host(struct web_job *job, const char *name, size_t len)
{
	if (job->host_count < WEB_MAX_HOSTS && len < sizeof(job->hosts[0]))
		memcpy(job->hosts[job->host_count++], name, len);
}

/* By the addresses that we listen on clients may call us, too; 0.0.0.0 and [::] are none. */
static void add_addresses(struct work *w)
{
	for (uint32_t i = 0; i < w->listeners.count; i++) {
		const struct listener *l = &w->listeners.items[i];
		const char *colon = strrchr(l->name, ':');

		if (l->tcp && strncmp(l->name, "0.0.0.0:", 8) != 0 &&
		    strncmp(l->name, "[::]:", 5) != 0)
			add_host(&w->web, l->name, (size_t)(colon - l->name));
	}
}

static void add_arguments(struct web_job *job, int argc, char **argv)
{
	size_t room = sizeof(job->command_line) - 2,
	       used = 0; /* the last one's end, and the list's */

	for (int i = -1; i < argc; i++) {
		const char *word = i < 0 ? "slowburn" : argv[i];
		size_t len = strlen(word) + 1;

		if (len > room - used)
			break;
		memcpy(job->command_line + used, word, len);
		used += len;
	}
}

static void describe_web(struct work *w, int argc, char **argv)
{
	struct web_job *job = &w->web;

	for (uint32_t i = 0; i < w->authority.count && job->uid_count < WEB_MAX_UIDS; i++)
		if (w->authority.uids[i])
			job->uids[job->uid_count++] = w->authority.uids[i];
	for (uint32_t i = 0; i < w->service.host_count; i++)
		add_host(job, w->service.hosts[i], strlen(w->service.hosts[i]));
	add_addresses(w);
	text_copy(job->token, sizeof(job->token), w->token.text);
	text_copy(job->token_file, sizeof(job->token_file), w->token_file);
	text_copy(job->group, sizeof(job->group), w->authority.has_group ? AUTHORITY_GROUP : "");
	text_copy(job->version, sizeof(job->version), SLOWBURN_VERSION);
	add_arguments(job, argc, argv);
}

/* ---- and told to the user ---- */

static void say_beginning(struct work *w)
{
	const struct log_field fields[] = { { "version", SLOWBURN_VERSION, 0 },
					    { "store", w->service.store, 0 },
					    { "memory_bytes", NULL, w->job.budget.total } };
	bool terminal = isatty(STDERR_FILENO) == 1;

	log_write(w->log, LOG_EVENT_STARTING, fields, 3, "slowburn starts");
	for (uint32_t i = 0; i < w->listeners.count; i++) {
		const struct listener *l = &w->listeners.items[i];
		const struct log_field where[] = { { "address", l->name, 0 } };

		log_write(w->log, LOG_EVENT_LISTENING, where, 1, "listening");
		/* A secret is for eyes, and for no journal. */
		if (terminal && l->tcp)
			command_say("http://%s/?token=%s", l->name, w->token.text);
	}
}

static int serve(struct work *w, struct err *err)
{
	const struct budget *b = &w->job.budget;
	const struct supervisor_memory memory[] = {
		{ AGENT_ROLE, b->agent },
		{ OPENER_ROLE, b->opener },
		{ FETCHER_ROLE, b->fetcher },
		{ SYMBOLS_ROLE, b->symbolizer },
		{ BACKGROUND_SYMBOLS_ROLE, b->background },
		{ READER_ROLE, READER_BYTES },
		{ NULL, 0 },
	};
	const struct server_config config = {
		.job = &w->job,
		.memory = memory,
		.keeper = &w->service.keeper,
		.store = w->store,
		.listeners = &w->listeners,
		.web = &w->web,
		.notify = &w->notify,
		.log = w->log,
		.cache = w->service.cache.cache,
		.no_cache = w->service.cache.why.text,
		.stop_came = interrupt_came,
		.reload_came = reload_came,
	};
	int r;

	priority_raise();
	allowance_raise();
	r = supervisor_confine(SERVER_SUPERVISOR_ROLE, err);
	return r < 0 ? r : server_run(&config, err);
}

static int work(struct work *w, int argc, char **argv)
{
	struct err err = { "" };
	int r = open_all(w, &err);

	if (r < 0)
		return command_fail(COMMAND_FAILED, &err);
	describe_web(w, argc, argv);
	say_beginning(w);
	r = serve(w, &err);
	if (r < 0)
		return command_fail(COMMAND_FAILED, &err);
	log_write(w->log, LOG_EVENT_STOPPED, NULL, 0, "stopped");
	return COMMAND_OK;
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	static struct work w = { .notify = NOTIFY_INIT, .store = -1 };
	struct err err = { "" };
	int r = service_read(&w.service, &serve_command, argc, argv, &err), status;

	(void)start_ns;
	status = r == 0 ? work(&w, argc, argv) : options_status(r, &err);
	listeners_release(&w.listeners);
	notify_release(&w.notify);
	fd_close(&w.store);
	log_free(w.log);
	service_release(&w.service);
	return status;
}

const struct command serve_command = {
	.name = "serve",
	.summary = "Profile this machine continuously, keep the profiles, and answer by HTTP",
	.operands = "",
	.about =
		"Samples every CPU all the time, stores windows of 10 s in the folder of --store, within --store-limit bytes, and "
		"answers questions about any range of time: /debug/pprof/ as Go programs have it, for go tool pprof and scrapers, "
		"/api/v1/ and /metrics. What is stored can be read by slowburn query --store, too, also while it is written.\n"
		"Clients on this machine whose user is root or in the group slowburn get answers at once; all others bring the "
		"token. At a terminal the address is printed with it.\n"
		"Every option can stand in /etc/slowburn/slowburn.conf; slowburn config checks and prints it. SIGTERM and SIGINT "
		"store the last window and end it within 2 s, a second one at once. SIGHUP says in the log that the configuration "
		"is read at the start only. As a service it tells systemd when it is ready (Type=notify), and feeds the watchdog "
		"while windows come.\n"
		"Whichever of its processes dies is started again; how often is in the log and in /metrics.",
	.options = SERVICE_OPTIONS,
	.take = service_take,
	.run = run,
};
