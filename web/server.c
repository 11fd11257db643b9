// SPDX-License-Identifier: Apache-2.0
/*
 * The loop: what is due, then what is ready. libmicrohttpd is run when its own epoll has something or it wants to be; it accepts nothing itself.
 *
 * Refused: threads (an answer is bytes that are there, and a process per question makes them); libmicrohttpd's listening and its limits by
 * address, since whose a connection is must be known before it takes a place.
 */
#include "web/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/err.h"
#include "version.h"
#include "web/request.h"

#define JOB_NS (10 * NS_PER_S)
#define CONNECTION_MEMORY ((size_t)32 << 10)

/* ---- the supervisor ---- */

static void hear_status(struct server *s, const struct buffer *bytes)
{
	if (bytes->len != sizeof(s->status))
		return;
	memcpy(&s->status, bytes->data, sizeof(s->status));
	s->has_status = true;
	s->status_ns = clock_ns(CLOCK_MONOTONIC);
	questions_note_window(s->questions, s->status.sequence,
			      s->status.figure[WEB_FIGURE_WINDOW_LENGTH]);
}

static void hear_reader(struct server *s, struct socket_message *m)
{
	struct web_reader_reply reply;
	char sentence[WEB_MAX_SENTENCE] = "";
	size_t len = m->bytes.len;

	if (len < sizeof(reply))
		return;
	memcpy(&reply, m->bytes.data, sizeof(reply));
	len -= sizeof(reply);
	if (len >= sizeof(sentence))
		len = sizeof(sentence) - 1;
	memcpy(sentence, m->bytes.data + sizeof(reply), len);
	questions_take_reader(s->questions, &reply, sentence, &m->fds[0]);
}

static void hear(struct server *s, struct socket_message *m)
{
	struct web_cut_done cut;

	switch (m->type) {
	case WEB_STATUS:
		hear_status(s, &m->bytes);
		break;
	case WEB_CUT_DONE:
		if (m->bytes.len == sizeof(cut)) {
			memcpy(&cut, m->bytes.data, sizeof(cut));
			captures_cut_done(&s->captures, &cut);
		}
		break;
	case WEB_READER_REPLY:
		hear_reader(s, m);
		break;
	default:
		break; /* a later version's */
	}
}

static void supervisor_is_ready(struct source *source, uint32_t events)
{
	struct server *s = (struct server *)((char *)source - offsetof(struct server, supervisor));
	int r;

	(void)events;
	while ((r = inbox_receive(&s->inbox)) == 1)
		hear(s, &s->inbox.message);
	s->over = s->over || r < 0;
}

static void take_default(uint32_t *limit, uint32_t value)
{
	if (!*limit)
		*limit = value;
}

static void complete_limits(struct web_limits *l)
{
	take_default(&l->connections, 512);
	take_default(&l->captures, 32);
	take_default(&l->readers, 2);
	take_default(&l->queued, 64);
	take_default(&l->capture_seconds, 3600);
	if (l->readers > WEB_MAX_READERS)
		l->readers = WEB_MAX_READERS;
	if (l->connections > 768) /* of 1,024 descriptors */
		l->connections = 768;
	if (!l->cache_bytes)
		l->cache_bytes = 16 << 20;
	if (!l->answer_bytes)
		l->answer_bytes = 32 << 20;
}

static void end_texts(struct web_job *job)
{
	for (uint32_t i = 0; i < WEB_MAX_HOSTS; i++)
		job->hosts[i][sizeof(job->hosts[i]) - 1] = '\0';
	job->version[sizeof(job->version) - 1] = '\0';
	job->token[sizeof(job->token) - 1] = '\0';
	job->token_file[sizeof(job->token_file) - 1] = '\0';
	job->group[sizeof(job->group) - 1] = '\0';
	job->command_line[sizeof(job->command_line) - 1] = '\0';
	job->command_line[sizeof(job->command_line) - 2] = '\0';
}

/* 0, or -EPROTO and a sentence. */
static int take_job(struct server *s, const struct socket_message *m, struct err *err)
{
	if (m->type != WEB_JOB || m->bytes.len < sizeof(s->job.version))
		return err_set(err, -EPROTO, "the web process was not told what to do");
	memcpy(&s->job, m->bytes.data,
	       m->bytes.len < sizeof(s->job) ? m->bytes.len : sizeof(s->job));
	end_texts(&s->job);
	if (strcmp(s->job.version, SLOWBURN_VERSION) != 0)
		return err_set(err, -EPROTO,
			       WEB_PROGRAM " is version %s, slowburn %s: start slowburn again",
			       SLOWBURN_VERSION, s->job.version);
	if (m->bytes.len != sizeof(s->job) || !m->fd_count || s->job.uid_count > WEB_MAX_UIDS ||
	    s->job.host_count > WEB_MAX_HOSTS)
		return err_set(err, -EPROTO, "the web process was told nonsense");
	complete_limits(&s->job.limits);
	return 0;
}

/* ---- libmicrohttpd ---- */

static void mhd_is_ready(struct source *source, uint32_t events)
{
	struct server *s = (struct server *)((char *)source - offsetof(struct server, mhd));

	(void)events;
	MHD_run(s->daemon);
}

/* Targets are taken apart by web/target.h. */
static size_t leave_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls, (void)mhd;
	return strlen(text);
}

static int start_mhd(struct server *s)
{
	const union MHD_DaemonInfo *info;

	s->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		request_handle, s, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)s->job.limits.connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		CONNECTION_MEMORY, MHD_OPTION_URI_LOG_CALLBACK, request_open, s,
		MHD_OPTION_NOTIFY_COMPLETED, request_close, s, MHD_OPTION_NOTIFY_CONNECTION,
		connections_notify, &s->connections, MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes,
		NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	info = s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	return info ? source_add(&s->mhd, s->epoll, info->epoll_fd, EPOLLIN, mhd_is_ready)
		    : -ENOMEM;
}

/* ---- the whole ---- */

static int set_up(struct server *s, struct socket_message *m, struct err *err)
{
	int r = take_job(s, m, err);

	if (r < 0)
		return r;
	s->access.job = &s->job;
	s->captures = (struct captures){ .conversation = &s->conversation,
					 .tally = &s->tally,
					 .max = s->job.limits.captures };
	s->connections = (struct connections){ .access = &s->access,
					       .tally = &s->tally,
					       .max = s->job.limits.connections,
					       .asker = peer_asker_open() };
	if (s->connections.asker < 0)
		conversation_log(&s->conversation,
				 "the kernel does not tell whose a connection is: only the token "
				 "gives authority");
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		return err_errno(err, -errno, "the web process cannot wait");
	r = questions_new(&s->questions, s->epoll, &s->conversation, &s->job.limits, &s->tally);
	if (r == 0)
		r = start_mhd(s);
	if (r == 0) {
		s->connections.daemon = s->daemon;
		r = connections_listen(&s->connections, s->epoll, m->fds, m->fd_count);
	}
	if (r == 0)
		r = source_add(&s->supervisor, s->epoll, s->conversation.socket, EPOLLIN,
			       supervisor_is_ready);
	return r < 0 ? err_errno(err, r, "the web process cannot serve") : 0;
}

/* -1: until something is ready. */
static int timeout_ms(struct server *s, uint64_t next_ns, uint64_t now_ns)
{
	uint64_t ms = UINT64_MAX;
	MHD_UNSIGNED_LONG_LONG mhd_ms;

	if (next_ns != UINT64_MAX)
		ms = next_ns > now_ns ? (next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
	if (MHD_get_timeout(s->daemon, &mhd_ms) == MHD_YES && mhd_ms < ms)
		ms = mhd_ms;
	return ms == UINT64_MAX ? -1 : ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int run(struct server *s)
{
	int r = 0;

	while (r == 0 && !s->over && !s->conversation.over) {
		uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), next_ns;

		next_ns = captures_run(&s->captures, now_ns);
		next_ns = earlier(next_ns, questions_run(s->questions, now_ns));
		next_ns = earlier(next_ns, connections_run(&s->connections, now_ns));
		r = source_dispatch(s->epoll, timeout_ms(s, next_ns, now_ns));
		MHD_run(s->daemon);
	}
	return r;
}

static void tear_down(struct server *s)
{
	if (s->daemon) {
		requests_abandon(s);
		MHD_run(s->daemon); /* which may not be stopped while it has suspended ones */
		source_remove(&s->mhd);
		MHD_stop_daemon(s->daemon);
	}
	connections_release(&s->connections);
	questions_free(s->questions);
	inbox_release(&s->inbox);
	fd_close(&s->epoll);
}

int web_serve(int socket)
{
	static struct server s;
	struct socket_message m;
	struct err err = { "" };
	int r;

	s = (struct server){ .epoll = -1,
			     .supervisor = SOURCE_INIT,
			     .mhd = SOURCE_INIT,
			     .connections.asker = -1,
			     .conversation.socket = socket };
	inbox_init(&s.inbox, socket, WEB_MAX_BYTES);
	socket_message_init(&m, WEB_MAX_BYTES);
	r = socket_receive(socket, &m, clock_ns(CLOCK_MONOTONIC) + JOB_NS);
	if (r == 0)
		r = set_up(&s, &m, &err);
	if (r < 0 && *err.text)
		conversation_log(&s.conversation, "%s", err.text);
	socket_message_release(&m);
	if (r == 0)
		r = conversation_ready(&s.conversation);
	if (r == 0)
		r = run(&s);
	tear_down(&s);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
