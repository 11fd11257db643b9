// SPDX-License-Identifier: Apache-2.0
/*
 * stage SLOWBURN [option=value …]: everything that a web process speaks with, played: a supervisor that starts it as the real one does, cuts
 * windows at once, and hands out readers that answer with what they were asked. What the web process says is printed, a line each.
 *
 *	uid=N (many), token=T, host=H (many), captures=N, connections=N, readers=N, queued=N, seconds=N, answer=BYTES, cache=BYTES
 *	version=V	says so in the job
 *	pprof=FILE	what /debug/pprof/profile is answered with
 *	unix=PATH	listens there, too
 *
 * A parameter "play" of a question says what its reader does. Ends when its standard input does; "window" there commits one, "busy"
 * has the next reader refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/number.h"
#include "profiler/reader/request.h"
#include "profiler/role/socket.h"
#include "version.h"
#include "web/control.h"

static struct {
	struct web_job job;
	struct web_status status;
	const char *pprof, *unix_path;
	uint32_t started; /* readers */
	bool busy;
	int web; /* the conversation */
} stage;

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "stage: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t number(const char *text)
{
	uint64_t n;

	if (number_parse(text, strlen(text), UINT64_MAX, &n) < 0)
		fail(text);
	return n;
}

static void say(uint32_t type, const void *bytes, size_t len, const int *fds, uint32_t count)
{
	if (socket_send(stage.web, type, bytes, len, fds, count, UINT64_MAX) < 0)
		fail("the web process has gone");
}

/* ---- a reader ---- */

struct part {
	int socket;
	const struct reader_request *request;
	struct buffer body;
	struct reader_reply reply;
};

static void reader_say(const struct part *p, uint32_t type, const void *bytes, size_t len)
{
	if (socket_send(p->socket, type, bytes, len, NULL, 0, UINT64_MAX) < 0)
		_exit(0);
}

static void reader_answer(struct part *p)
{
	p->reply.bytes = p->body.len;
	reader_say(p, READER_REPLY, &p->reply, sizeof(p->reply));
	for (size_t done = 0; done < p->body.len; done += READER_MAX_MESSAGE_BYTES) {
		size_t left = p->body.len - done;

		reader_say(p, READER_ANSWER, p->body.data + done,
			   left < READER_MAX_MESSAGE_BYTES ? left : READER_MAX_MESSAGE_BYTES);
	}
	reader_say(p, READER_ENDED, NULL, 0);
}

static void describe(struct part *p)
{
	int fd = stage.pprof && !strcmp(p->request->endpoint, "pprof")
			 ? open(stage.pprof, O_RDONLY | O_CLOEXEC)
			 : -1;

	snprintf(p->reply.content_type, sizeof(p->reply.content_type),
		 fd >= 0 ? "application/octet-stream" : "application/json");
	if (fd >= 0) {
		snprintf(p->reply.file_name, sizeof(p->reply.file_name), "slowburn.pb.gz");
		if (buffer_read_fd(&p->body, fd) < 0)
			_exit(1);
		return;
	}
	buffer_printf(&p->body, "{\"endpoint\":\"%s\",\"reader\":%u", p->request->endpoint,
		      stage.started);
	for (uint32_t i = 0; i < p->request->count; i++)
		buffer_printf(&p->body, ",\"%s\":\"%s\"", p->request->parameters[i].name,
			      p->request->parameters[i].value);
	buffer_text(&p->body, "}\n");
}

static void play_refuse(struct part *p)
{
	p->reply.status = 400;
	snprintf(p->reply.sentence, sizeof(p->reply.sentence), "that is no question");
	reader_say(p, READER_REPLY, &p->reply, sizeof(p->reply));
	reader_say(p, READER_ENDED, NULL, 0);
}

static void play_die(struct part *p)
{
	p->reply.bytes = 100;
	reader_say(p, READER_REPLY, &p->reply, sizeof(p->reply));
	reader_say(p, READER_ANSWER, "half", 4);
}

static void play_lie(struct part *p)
{
	p->reply.bytes = 2;
	reader_say(p, READER_REPLY, &p->reply, sizeof(p->reply));
	reader_say(p, READER_ANSWER, "more than two", 13);
}

static void play_forge(struct part *p)
{
	describe(p);
	snprintf(p->reply.content_type, sizeof(p->reply.content_type), "text/html");
	snprintf(p->reply.file_name, sizeof(p->reply.file_name), "a\"; x=\r\ny");
	reader_answer(p);
}

static void play_slow(struct part *p)
{
	usleep(1000000);
	describe(p);
	reader_answer(p);
}

static void play_settled(struct part *p)
{
	p->reply.settled = 1;
	describe(p);
	reader_answer(p);
}

/* 4 MiB of text. */
static void play_large(struct part *p)
{
	snprintf(p->reply.content_type, sizeof(p->reply.content_type), "application/json");
	for (uint32_t i = 0; i < (4u << 20) / 16; i++)
		buffer_printf(&p->body, "%15u\n", i * 2654435761u);
	reader_answer(p);
}

/* Until nobody listens: who is supervised in earnest is killed then. */
static void play_hang(struct part *p)
{
	char byte;

	while (recv(p->socket, &byte, 1, 0) > 0)
		;
}

static const struct {
	const char *name;
	void (*play)(struct part *p);
} plays[] = {
	{ "refuse", play_refuse }, { "die", play_die },   { "lie", play_lie },
	{ "forge", play_forge },   { "slow", play_slow }, { "settled", play_settled },
	{ "large", play_large },   { "hang", play_hang },
};

_Noreturn static void reader(int socket)
{
	struct reader_request request;
	struct socket_message m;
	struct part p = { .socket = socket, .request = &request, .reply = { .status = 200 } };
	const char *play;

	socket_message_init(&m, READER_MAX_REQUEST_BYTES);
	buffer_init(&p.body, 64 << 20);
	if (socket_receive(socket, &m, UINT64_MAX) < 0 || m.type != READER_REQUEST ||
	    reader_request_parse(&request, &m.bytes) < 0)
		_exit(1);
	play = reader_request_find(&request, "play");
	for (size_t i = 0; play && i < sizeof(plays) / sizeof(plays[0]); i++) {
		if (!strcmp(play, plays[i].name)) {
			plays[i].play(&p);
			_exit(0);
		}
	}
	describe(&p);
	reader_answer(&p);
	_exit(0);
}

/* ---- the supervisor ---- */

static void give_reader(const struct web_reader *wanted)
{
	struct web_reader_reply reply = { .id = wanted->id };
	int pair[2];
	pid_t pid;

	printf("READER %u of %.3f s\n", wanted->range_count,
	       (double)(wanted->ranges[0].to_ns - wanted->ranges[0].from_ns) / 1e9);
	if (stage.busy) {
		stage.busy = false;
		reply.status = -EAGAIN;
		say(WEB_READER_REPLY, &reply, sizeof(reply), NULL, 0);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		fail("socketpair");
	stage.started++;
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		close(stage.web);
		reader(pair[1]);
	}
	close(pair[1]);
	say(WEB_READER_REPLY, &reply, sizeof(reply), &pair[0], 1);
	close(pair[0]);
}

static void hear(struct socket_message *m)
{
	struct web_cut_done done = { .end_ns = clock_ns(CLOCK_REALTIME) };
	struct web_reader wanted;

	switch (m->type) {
	case WEB_READY:
		puts("READY");
		break;
	case WEB_CUT:
		memcpy(&done.id, m->bytes.data, sizeof(done.id));
		printf("CUT %llu\n", (unsigned long long)done.id);
		say(WEB_CUT_DONE, &done, sizeof(done), NULL, 0);
		break;
	case WEB_READER:
		memcpy(&wanted, m->bytes.data, sizeof(wanted));
		give_reader(&wanted);
		break;
	case WEB_READER_LEFT:
		break;
	case WEB_LOG:
		printf("LOG %.*s\n", (int)m->bytes.len, m->bytes.data);
		break;
	default:
		fail("an unknown message");
	}
	fflush(stdout);
}

static int listen_tcp(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	socklen_t len = sizeof(any);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), no = 0;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&any, &len) < 0)
		fail("listen");
	printf("PORT %u\n", ntohs(any.sin6_port));
	fflush(stdout);
	return fd;
}

static int listen_unix(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", stage.unix_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 64) < 0)
		fail(stage.unix_path);
	return fd;
}

static pid_t start_web(const char *slowburn)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		fail("socketpair");
	pid = fork();
	if (pid == 0) {
		/* Out of the way of 3 first. */
		int far = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);

		if (dup2(far, 3) == 3)
			execl(slowburn, slowburn, "web", NULL);
		fail(slowburn);
	}
	close(pair[1]);
	stage.web = pair[0];
	return pid;
}

static bool take_limit(const char *name, const char *value)
{
	struct web_limits *l = &stage.job.limits;
	struct {
		const char *name;
		uint32_t *limit;
	} limits[] = {
		{ "captures", &l->captures },       { "connections", &l->connections },
		{ "readers", &l->readers },         { "queued", &l->queued },
		{ "seconds", &l->capture_seconds },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (!strcmp(name, limits[i].name)) {
			*limits[i].limit = (uint32_t)number(value);
			return true;
		}
	}
	return false;
}

static void take_option(char *option)
{
	struct web_job *job = &stage.job;
	char *value = strchr(option, '=');

	if (!value)
		fail(option);
	*value++ = '\0';
	if (take_limit(option, value))
		return;
	if (!strcmp(option, "uid"))
		job->uids[job->uid_count++] = (uint32_t)number(value);
	else if (!strcmp(option, "token"))
		snprintf(job->token, sizeof(job->token), "%s", value);
	else if (!strcmp(option, "group"))
		snprintf(job->group, sizeof(job->group), "%s", value);
	else if (!strcmp(option, "host"))
		snprintf(job->hosts[job->host_count++], sizeof(job->hosts[0]), "%s", value);
	else if (!strcmp(option, "version"))
		snprintf(job->version, sizeof(job->version), "%s", value);
	else if (!strcmp(option, "answer"))
		job->limits.answer_bytes = number(value);
	else if (!strcmp(option, "cache"))
		job->limits.cache_bytes = number(value);
	else if (!strcmp(option, "pprof"))
		stage.pprof = value;
	else if (!strcmp(option, "unix"))
		stage.unix_path = value;
	else
		fail(option);
}

static void say_status(void)
{
	static const enum web_figure known[] = { WEB_FIGURE_AGENT_UP, WEB_FIGURE_KEEPER_UP };

	memset(stage.status.figure, 0xff, sizeof(stage.status.figure)); /* WEB_UNKNOWN */
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		stage.status.figure[known[i]] = 1;
	stage.status.figure[WEB_FIGURE_START] = 1500000000;
	stage.status.figure[WEB_FIGURE_WINDOW_LENGTH] = 10 * NS_PER_S;
	for (uint32_t i = 0; i < COUNTER_COUNT; i++)
		stage.status.counters.value[i] = 1000 + i;
	say(WEB_STATUS, &stage.status, sizeof(stage.status), NULL, 0);
}

/* False: no more. */
static bool take_command(void)
{
	char line[64];
	ssize_t n = read(0, line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	line[n] = '\0';
	if (!strncmp(line, "busy", 4))
		stage.busy = true;
	if (!strncmp(line, "window", 6)) {
		stage.status.sequence++;
		say_status();
	}
	return true;
}

static void run(void)
{
	struct pollfd p[] = { { .fd = stage.web, .events = POLLIN },
			      { .fd = 0, .events = POLLIN } };
	struct socket_message m;
	int r = 0;

	socket_message_init(&m, WEB_MAX_BYTES);
	while (poll(p, 2, -1) >= 0 || errno == EINTR) {
		if (p[1].revents && !take_command())
			break;
		if (!p[0].revents)
			continue;
		r = socket_receive(stage.web, &m, UINT64_MAX);
		if (r < 0)
			break;
		hear(&m);
	}
	socket_message_release(&m);
	if (r < 0)
		puts("GONE");
}

int main(int argc, char **argv)
{
	int fds[2], status = 0;
	uint32_t count = 0;
	pid_t web;

	signal(SIGPIPE, SIG_IGN);
	snprintf(stage.job.version, sizeof(stage.job.version), "%s", SLOWBURN_VERSION);
	snprintf(stage.job.group, sizeof(stage.job.group), "slowburn");
	snprintf(stage.job.token_file, sizeof(stage.job.token_file), "/etc/slowburn/token");
	memcpy(stage.job.command_line, "slowburn\0serve", 15);
	stage.status.sequence = 1;
	if (argc < 2)
		fail("usage: stage SLOWBURN [option=value ...]");
	for (int i = 2; i < argc; i++)
		take_option(argv[i]);
	web = start_web(argv[1]);
	fds[count++] = listen_tcp();
	if (stage.unix_path)
		fds[count++] = listen_unix();
	say(WEB_JOB, &stage.job, sizeof(stage.job), fds, count);
	while (count)
		close(fds[--count]);
	say_status();
	run();
	close(stage.web);
	waitpid(web, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		puts("END");
	else
		printf("ENDED BADLY %d\n", status);
	return 0;
}
