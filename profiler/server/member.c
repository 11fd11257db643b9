// SPDX-License-Identifier: Apache-2.0
/*
 * The agent is the leader of a supervisor (role/supervisor.h), which knows its process; the others
 * are our own children. That is the whole difference, and it is here.
 *
 * Refused: SIGCHLD or a pidfd to wait for. A process ends its conversation when it ends, and one
 * that closes its socket and lives on is to be killed anyway; what is left is a look every few
 * milliseconds while one is leaving.
 */
#include "profiler/server/member.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/socket.h"
#include "profiler/role/usage.h"

#define TELL_PATIENCE_NS (100 * NS_PER_MS)
#define LEAVE_PATIENCE_NS NS_PER_S
#define LOOK_NS (5 * NS_PER_MS)
#define STUCK_NS (5 * NS_PER_S) /* killed, and not gone: it waits within the kernel */
#define STUCK_LOOK_NS NS_PER_S
/* Once more, if it seems silent: whoever stopped us (Ctrl-Z) has stopped it, too. */
#define DOUBT_PART 6 /* of the silence */

void member_init(struct member *m, const char *role, const char *name, struct log *log,
		 size_t max_message_bytes)
{
	*m = (struct member){
		.role = role,
		.name = name,
		.log = log,
		.child.socket = -1,
		.socket = -1,
		.service = -1,
	};
	inbox_init(&m->inbox, -1, max_message_bytes);
}

static void close_sockets(struct member *m)
{
	fd_close(&m->socket);
	fd_close(&m->service);
	m->inbox.socket = -1;
}

void member_release(struct member *m)
{
	close_sockets(m);
	child_stop(&m->child, NULL);
	inbox_release(&m->inbox);
}

/* ---- its beginning ---- */

static int process_start(struct member *m, struct err *err)
{
	int r;

	if (m->supervisor) {
		/* What is left of the last one. */
		r = supervisor_dismiss(m->supervisor);
		return r < 0 ? err_errno(err, r, "the last %s has not gone", m->name)
			     : supervisor_lead(m->supervisor, m->role, &m->socket, &m->service,
					       err);
	}
	r = child_start_limited(&m->child, m->role, m->memory_bytes, err);
	if (r == 0)
		m->socket = take_fd(&m->child.socket);
	return r;
}

/* What the last one left half-said is forgotten. */
static void inbox_begin(struct member *m)
{
	size_t max_bytes = m->inbox.message.bytes.max;

	inbox_release(&m->inbox);
	inbox_init(&m->inbox, m->socket, max_bytes);
}

static void go_away(struct member *m, uint64_t now_ns)
{
	m->state = MEMBER_AWAY;
	m->at_ns = backoff_ended(&m->backoff, now_ns);
}

int member_start(struct member *m)
{
	const struct log_field fields[] = { { "role", m->role, 0 } };
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct err err = { "" };
	int r;

	backoff_started(&m->backoff, now_ns);
	r = process_start(m, &err);
	if (r < 0) {
		log_write(m->log, LOG_EVENT_PROCESS_FAILED, fields, 1, "%s", err.text);
		m->why = err;
		go_away(m, now_ns);
		return r;
	}
	inbox_begin(m);
	m->starts++;
	m->state = MEMBER_STARTING;
	m->heard_ns = now_ns;
	m->killed = m->stuck = m->doubted = false;
	m->why.text[0] = '\0';
	return 0;
}

void member_up(struct member *m)
{
	const struct log_field fields[] = { { "role", m->role, 0 }, { "starts", NULL, m->starts } };

	m->state = MEMBER_UP;
	log_write(m->log, LOG_EVENT_PROCESS_STARTED, fields, 2, "the %s is ready", m->name);
}

/* ---- its conversation ---- */

void member_lost(struct member *m, const char *why)
{
	if (!member_is_there(m))
		return;
	close_sockets(m);
	m->state = MEMBER_LEAVING;
	m->at_ns = clock_ns(CLOCK_MONOTONIC) + (why ? 0 : LEAVE_PATIENCE_NS);
	if (why)
		err_set(&m->why, 0, "the %s %s", m->name, why);
}

int member_hear(struct member *m)
{
	int r = inbox_receive(&m->inbox);

	if (r > 0) {
		m->heard_ns = clock_ns(CLOCK_MONOTONIC);
		m->doubted = false;
	}
	if (r < 0)
		member_lost(m, r == -EPIPE ? NULL : "can't be understood");
	return r > 0;
}

const char *member_text(struct member *m, size_t behind)
{
	struct buffer *b = &m->inbox.message.bytes;
	const char *text = behind <= b->len ? buffer_cstr(b) : NULL;

	return text ? text + behind : "";
}

int member_tell(struct member *m, uint32_t type, const void *bytes, size_t len, const int *fds,
		uint32_t fd_count)
{
	int r;

	if (!member_is_there(m))
		return -EPIPE;
	r = socket_send(m->socket, type, bytes, len, fds, fd_count,
			clock_ns(CLOCK_MONOTONIC) + TELL_PATIENCE_NS);
	if (r < 0)
		member_lost(m, r == -EPIPE ? NULL : "doesn't listen");
	return r;
}

/* ---- its end ---- */

static bool process_gone(struct member *m, struct err *how)
{
	int status = 0;

	if (m->supervisor)
		return supervisor_leader_ended(m->supervisor, how);
	if (!child_ended(&m->child, &m->usage, &status))
		return false;
	if (WIFSIGNALED(status))
		err_set(how, 0, "the %s was ended by signal %d (%s)", m->name, WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		err_set(how, 0, "the %s ended with status %d", m->name, WEXITSTATUS(status));
	return true;
}

static void process_kill(struct member *m)
{
	if (m->supervisor)
		supervisor_kill_leader(m->supervisor);
	else if (m->child.pid > 0)
		(void)kill(m->child.pid, SIGKILL);
}

static void tell_end(struct member *m, const struct err *how, uint64_t now_ns)
{
	const struct log_field fields[] = {
		{ "role", m->role, 0 },
		{ "wait_s", NULL, m->at_ns > now_ns ? (m->at_ns - now_ns) / NS_PER_S : 0 },
	};

	if (!m->expected)
		log_write(m->log, LOG_EVENT_PROCESS_ENDED, fields, 2, "%s",
			  *m->why.text ? m->why.text : how->text);
	if (!*m->why.text)
		m->why = *how;
}

static void tend_leaving(struct member *m, uint64_t now_ns)
{
	const struct log_field fields[] = { { "role", m->role, 0 } };
	struct err how = { "" };

	if (process_gone(m, &how)) {
		go_away(m, now_ns);
		tell_end(m, &how, now_ns);
		return;
	}
	if (now_ns < m->at_ns || m->stuck)
		return;
	if (!m->killed) {
		process_kill(m);
		m->killed = true;
		m->at_ns = now_ns + STUCK_NS;
		return;
	}
	m->stuck = true;
	log_write(m->log, LOG_EVENT_PROCESS_STUCK, fields, 1,
		  "the %s was killed and doesn't end: it waits within the kernel", m->name);
}

uint64_t member_due_ns(const struct member *m)
{
	switch (m->state) {
	case MEMBER_AWAY:
		return m->at_ns;
	case MEMBER_LEAVING:
		return clock_ns(CLOCK_MONOTONIC) + (m->stuck ? STUCK_LOOK_NS : LOOK_NS);
	default:
		return m->silence_ns ? m->heard_ns + m->silence_ns : UINT64_MAX;
	}
}

bool member_tend(struct member *m)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	if (member_is_there(m) && m->silence_ns && now_ns >= m->heard_ns + m->silence_ns) {
		if (m->doubted)
			member_lost(m, "gives no sign of life");
		m->doubted = true;
		m->heard_ns = now_ns - m->silence_ns + m->silence_ns / DOUBT_PART;
	}
	if (m->state == MEMBER_LEAVING)
		tend_leaving(m, now_ns);
	return m->state == MEMBER_AWAY && now_ns >= m->at_ns;
}

void member_usage(const struct member *m, struct service_usage *sum)
{
	sum->cpu_ns += usage_ended_ns(&m->usage);
	if (m->child.pid <= 0)
		return;
	sum->cpu_ns += usage_cpu_ns(m->child.pid);
	sum->memory_bytes += usage_memory_bytes(m->child.pid);
}
