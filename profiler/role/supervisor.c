// SPDX-License-Identifier: Apache-2.0
/*
 * A table of the roles that are served, with the present process of each and those that were killed
 * and have not gone. The leader is asked nothing, told nothing and believed nothing: what it may
 * have is decided by the table and by counting.
 *
 * The conversation with a served process is the leader's: we hand its end over and keep no copy, so
 * that the process ends with the leader. Refused: asking a process to end before it is replaced. It
 * is replaced because it died, hung or lied.
 */
#include "profiler/role/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "profiler/role/socket.h"
#include "profiler/role/usage.h"

#define MAX_ROLES 8
#define MAX_LIMITS 8
#define MAX_ABANDONED 4
#define MAX_ROLE_NAME 32
/* Starts that may follow one another; one more each second. */
#define BURST 64
/* SIGKILL takes effect within some milliseconds, unless it can't. */
#define KILL_PATIENCE_NS (20 * NS_PER_MS)
#define STOP_PATIENCE_NS (100 * NS_PER_MS)
#define END_PATIENCE_NS (500 * NS_PER_MS)
/*
 * For the rest of a request that has begun, on a machine that is busy, and for a reply to be taken.
 */
#define PEER_PATIENCE_NS NS_PER_S

/* A role that is served, and its processes. */
struct post {
	const struct role *role;
	struct child
		child; /* the present one; its socket is here until the leader has asked for it */
	struct child abandoned[MAX_ABANDONED]; /* pid 0: free */
	bool given; /* to this leader, once */
};

struct limit {
	char role[MAX_ROLE_NAME];
	uint64_t bytes;
};

struct supervisor {
	struct post posts[MAX_ROLES];
	size_t post_count;
	struct limit limits[MAX_LIMITS];
	size_t limit_count;
	struct child leader;
	char leader_role[MAX_ROLE_NAME];
	bool leader_ended;
	int leader_status; /* once it has */
	int service; /* our end, or -1 */
	struct cache *cache; /* borrowed; NULL: there is none */
	struct err no_cache; /* why */
	uint64_t tokens; /* starts */
	uint64_t token_ns; /* when the last one was added */
	struct rusage usage; /* of those that ended */
	uint64_t replaced;
	void (*add_others)(void *ctx, struct service_usage *sum); /* NULL: there are none */
	void *others;
	struct socket_message request;
};

/* ---- life ---- */

static int limits_copy(struct supervisor *s, const struct supervisor_memory *memory,
		       struct err *err)
{
	for (; memory && memory->role; memory++) {
		size_t len = strlen(memory->role);
		struct limit *l = &s->limits[s->limit_count];

		if (s->limit_count == MAX_LIMITS || len >= sizeof(l->role))
			return err_set(err, -E2BIG, "too many limits of memory: \"%s\"",
				       memory->role);
		memcpy(l->role, memory->role, len + 1);
		l->bytes = memory->bytes;
		s->limit_count++;
	}
	return 0;
}

static uint64_t limit_of(const struct supervisor *s, const char *role)
{
	for (size_t i = 0; i < s->limit_count; i++)
		if (strcmp(s->limits[i].role, role) == 0)
			return s->limits[i].bytes;
	return 0;
}

static void posts_fill(struct supervisor *s)
{
	for (size_t i = 0; i < role_count() && s->post_count < MAX_ROLES; i++)
		if (role_at(i)->served)
			s->posts[s->post_count++] =
				(struct post){ .role = role_at(i), .child.socket = -1 };
}

int supervisor_new(struct supervisor **ret, const struct supervisor_memory *memory, struct err *err)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_errno(err, -ENOMEM, "cannot start the supervisor");
	s->leader.socket = -1;
	s->service = -1;
	err_set(&s->no_cache, 0, "there is no cache");
	s->tokens = BURST;
	s->token_ns = clock_ns(CLOCK_MONOTONIC);
	socket_message_init(&s->request, SERVICE_MAX_BYTES);
	posts_fill(s);
	r = limits_copy(s, memory, err);
	if (r < 0) {
		supervisor_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static bool all_ended(struct supervisor *s)
{
	bool all = child_ended(&s->leader, &s->usage, NULL);

	for (size_t i = 0; i < s->post_count; i++)
		all &= child_ended(&s->posts[i].child, &s->usage, NULL);
	return all;
}

/* They are several, and a pidfd for each to wait for is not worth it: a look each millisecond. */
static void await_all(struct supervisor *s, uint64_t patience_ns)
{
	const struct timespec nap = { .tv_nsec = NS_PER_MS };
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);

	while (!all_ended(s) && clock_ns(CLOCK_MONOTONIC) - start_ns < patience_ns)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
}

void supervisor_free(struct supervisor *s)
{
	if (!s)
		return;
	fd_close(&s->service);
	fd_close(&s->leader.socket);
	for (size_t i = 0; i < s->post_count; i++)
		fd_close(&s->posts[i].child.socket);
	await_all(s, STOP_PATIENCE_NS);
	(void)child_kill(&s->leader, 0, NULL);
	for (size_t i = 0; i < s->post_count; i++)
		(void)child_kill(&s->posts[i].child, 0, NULL);
	await_all(s, END_PATIENCE_NS);
	socket_message_release(&s->request);
	free(s);
}

/* ---- the leader ---- */

int supervisor_lead(struct supervisor *s, const char *role, int *ret_socket, int *ret_service,
		    struct err *err)
{
	int pair[2], r;

	if (strlen(role) >= sizeof(s->leader_role))
		return err_set(err, -EINVAL, "there is no role \"%s\"", role);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, -errno, "no socket for the %s", role);
	r = child_start_limited(&s->leader, role, limit_of(s, role), err);
	if (r < 0) {
		fd_close(&pair[0]);
		fd_close(&pair[1]);
		return r;
	}
	memcpy(s->leader_role, role, strlen(role) + 1);
	s->leader_ended = false;
	s->service = pair[0];
	*ret_service = pair[1];
	*ret_socket = take_fd(&s->leader.socket);
	return 0;
}

bool supervisor_leader_ended(struct supervisor *s, struct err *ret)
{
	if (!s->leader_ended && s->leader.pid)
		s->leader_ended = child_ended(&s->leader, &s->usage, &s->leader_status);
	if (!s->leader_ended)
		return false;
	if (WIFSIGNALED(s->leader_status))
		err_set(ret, 0, "the %s was ended by signal %d (%s)", s->leader_role,
			WTERMSIG(s->leader_status), strsignal(WTERMSIG(s->leader_status)));
	else
		err_set(ret, 0, "the %s ended with status %d", s->leader_role,
			WEXITSTATUS(s->leader_status));
	return true;
}

int supervisor_fd(const struct supervisor *s)
{
	return s->service;
}

/* ---- served processes ---- */

static struct post *post_find(struct supervisor *s, const char *role)
{
	for (size_t i = 0; i < s->post_count; i++)
		if (strcmp(s->posts[i].role->name, role) == 0)
			return &s->posts[i];
	return NULL;
}

/* A place for one that doesn't go, or NULL. Those that have gone meanwhile make room. */
static struct child *abandoned_free(struct supervisor *s, struct post *p)
{
	struct child *found = NULL;

	for (size_t i = 0; i < MAX_ABANDONED; i++)
		if (child_ended(&p->abandoned[i], &s->usage, NULL))
			found = &p->abandoned[i];
	return found;
}

/* Ends the present process. -EBUSY if it doesn't go, and there are enough like it. */
static int post_vacate(struct supervisor *s, struct post *p, struct err *err)
{
	bool gone = child_kill(&p->child, KILL_PATIENCE_NS, &s->usage);
	struct child *place = abandoned_free(s, p);

	if (!place)
		return err_set(err, -EBUSY, "%d processes of the %s were killed and don't end",
			       MAX_ABANDONED, p->role->name);
	if (!gone) {
		*place = p->child;
		p->child = (struct child){ .socket = -1 };
	}
	return 0;
}

void supervisor_kill_leader(struct supervisor *s)
{
	if (s->leader.pid > 0)
		kill(s->leader.pid, SIGKILL);
}

int supervisor_dismiss(struct supervisor *s)
{
	bool gone;

	fd_close(&s->service);
	gone = child_kill(&s->leader, KILL_PATIENCE_NS, &s->usage);
	/*
	 * They end with the leader, unless they hang, or were given to nobody yet. One that stays
	 * is in nobody's way.
	 */
	for (size_t i = 0; i < s->post_count; i++) {
		s->posts[i].given = false;
		(void)post_vacate(s, &s->posts[i], NULL);
	}
	return gone ? 0 : -EBUSY;
}

static int token_take(struct supervisor *s, const char *role, struct err *err)
{
	uint64_t more = (clock_ns(CLOCK_MONOTONIC) - s->token_ns) / NS_PER_S;

	s->token_ns += more * NS_PER_S;
	s->tokens = more < BURST - s->tokens ? s->tokens + more : BURST;
	if (!s->tokens)
		return err_set(err, -EAGAIN, "the %s was started too often", role);
	s->tokens--;
	return 0;
}

static int post_fill(struct supervisor *s, struct post *p, struct err *err)
{
	return child_start_limited(&p->child, p->role->name, limit_of(s, p->role->name), err);
}

int supervisor_prepare(struct supervisor *s, const char *role, struct err *err)
{
	struct post *p = post_find(s, role);

	if (!p)
		return err_set(err, -EINVAL, "there is no served role \"%s\"", role);
	return p->child.pid ? 0 : post_fill(s, p, err);
}

/* The socket of a process that nobody was given yet: the prepared one, or a new one. */
static int start(struct supervisor *s, const char *role, struct started *ret, struct err *err)
{
	struct post *p = post_find(s, role);
	int r;

	if (!p)
		return err_set(err, -EINVAL, "there is no served role \"%s\"", role);
	if (p->child.socket < 0 || child_ended(&p->child, &s->usage, NULL)) {
		bool replaces = p->given;

		r = post_vacate(s, p, err);
		if (r == 0)
			r = token_take(s, role, err);
		if (r == 0)
			r = post_fill(s, p, err);
		if (r < 0)
			return r;
		s->replaced += replaces;
	}
	p->given = true;
	*ret = (struct started){ .socket = take_fd(&p->child.socket), .pid = p->child.pid };
	return 0;
}

/* ---- service ---- */

static int reply(struct supervisor *s, const void *bytes, size_t len, const int *fds,
		 uint32_t fd_count)
{
	uint32_t number = s->request.type & ~SERVICE_MESSAGE_MASK;

	return socket_send(s->service, number | SERVICE_REPLY, bytes, len, fds, fd_count,
			   clock_ns(CLOCK_MONOTONIC) + PEER_PATIENCE_NS);
}

static int serve_start(struct supervisor *s)
{
	char message[sizeof(struct service_start_reply) + sizeof(struct err)];
	struct service_start_reply head = { 0 };
	struct started started = { .socket = -1 };
	struct err err = { "" };
	const char *role = buffer_cstr(&s->request.bytes);
	size_t said;
	int r;

	if (!role || strlen(role) != s->request.bytes.len)
		return -EPROTO;
	head.status = start(s, role, &started, &err);
	head.pid = started.pid;
	said = strlen(err.text);
	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), err.text, said);
	r = reply(s, message, sizeof(head) + said, &started.socket, started.socket >= 0);
	fd_close(&started.socket);
	return r;
}

static int serve_usage(struct supervisor *s)
{
	struct service_usage usage;

	supervisor_usage(s, &usage);
	return reply(s, &usage, sizeof(usage), NULL, 0);
}

void supervisor_keep_cache(struct supervisor *s, struct cache *cache, const char *why)
{
	s->cache = cache;
	err_set(&s->no_cache, 0, "%s", why);
}

static int cache_do(struct supervisor *s, uint32_t what, const char *name, int *ret_fd)
{
	if (!s->cache)
		return -ENODEV;
	switch (what) {
	case SERVICE_CACHE_FIND:
		return cache_find(s->cache, name, ret_fd);
	case SERVICE_CACHE_KEEP:
		return cache_keep(s->cache, name, s->request.fds[0]);
	default:
		cache_drop(s->cache, name);
		return 0;
	}
}

static int serve_cache(struct supervisor *s, uint32_t what)
{
	char message[SERVICE_MAX_BYTES];
	struct service_cache_reply head = { 0 };
	const char *name = buffer_cstr(&s->request.bytes);
	const char *said = s->cache ? cache_path(s->cache) : s->no_cache.text;
	_cleanup_(fd_close) int fd = -1;
	size_t len = strnlen(said, sizeof(message) - sizeof(head) - 1);

	if (!name || strlen(name) != s->request.bytes.len)
		return -EPROTO;
	head.status = cache_do(s, what, name, &fd);
	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), said, len);
	return reply(s, message, sizeof(head) + len, &fd, fd >= 0);
}

static int serve_request(struct supervisor *s)
{
	uint32_t what = s->request.type & SERVICE_MESSAGE_MASK;

	if (s->request.fd_count != (what == SERVICE_CACHE_KEEP))
		return -EPROTO;
	switch (what) {
	case SERVICE_START:
		return serve_start(s);
	case SERVICE_USAGE:
		return serve_usage(s);
	case SERVICE_CACHE_FIND:
	case SERVICE_CACHE_KEEP:
	case SERVICE_CACHE_DROP:
		return serve_cache(s, what);
	default:
		return -EPROTO;
	}
}

int supervisor_serve(struct supervisor *s)
{
	int r = socket_receive(s->service, &s->request,
			       clock_ns(CLOCK_MONOTONIC) + PEER_PATIENCE_NS);

	if (r == 0)
		r = serve_request(s);
	return r == 0 || r == -EPIPE ? r : -EPROTO;
}

/* ---- usage ---- */

static void usage_of(struct service_usage *sum, int pid)
{
	if (!pid)
		return;
	sum->cpu_ns += usage_cpu_ns(pid);
	sum->memory_bytes += usage_memory_bytes(pid);
}

void supervisor_usage(struct supervisor *s, struct service_usage *ret)
{
	struct service_usage sum = { 0 };
	struct err unused;

	supervisor_leader_ended(s, &unused);
	usage_of(&sum, getpid());
	usage_of(&sum, s->leader.pid);
	for (size_t i = 0; i < s->post_count; i++) {
		struct post *p = &s->posts[i];

		(void)abandoned_free(s, p);
		if (!child_ended(&p->child, &s->usage, NULL))
			usage_of(&sum, p->child.pid);
		/* The memory of one that waits in the kernel may be locked: not to be looked at. */
		for (size_t k = 0; k < MAX_ABANDONED; k++)
			if (p->abandoned[k].pid)
				sum.cpu_ns += usage_cpu_ns(p->abandoned[k].pid);
	}
	sum.cpu_ns += usage_ended_ns(&s->usage);
	if (s->add_others)
		s->add_others(s->others, &sum);
	*ret = sum;
}

void supervisor_count_also(struct supervisor *s, void (*add)(void *ctx, struct service_usage *sum),
			   void *ctx)
{
	s->add_others = add;
	s->others = ctx;
}

uint64_t supervisor_replaced(const struct supervisor *s)
{
	return s->replaced;
}

int supervisor_confine(const char *role, struct err *err)
{
	return sandbox_confine(role_find(role), err);
}
