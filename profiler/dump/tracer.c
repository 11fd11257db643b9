// SPDX-License-Identifier: Apache-2.0
/*
 * PTRACE_SEIZE and PTRACE_INTERRUPT, which stop a thread without a signal; then its registers and memory as
 * bytes; then PTRACE_DETACH. Nothing of it is looked at here.
 *
 * A thread that was stopped by a signal is looked at in that stop, and stays stopped. A signal that was about
 * to be delivered when we came is delivered when we go, or die: its stop is looked at with WNOWAIT, since the
 * kernel forgets the signal of a stop that was waited for.
 *
 * Twice bounded: the loop lets a thread go before its time is up, and if the loop doesn't (reading memory
 * that is somebody's userfaultfd waits in the kernel) SIGALRM ends this process, and the kernel lets go of what
 * it traced. So does the end of a tracer that waited in vain: there is no other way to take an interrupt back.
 *
 * Refused: PTRACE_ATTACH, whose SIGSTOP others see, and which lets a stopped process run when it goes.
 */
#include "profiler/dump/protocol.h"

#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/role/socket.h"

/* The loop's own time, before SIGALRM's: on a busy machine it may wait for a CPU. */
#define MAX_STOP_NS (DUMP_MAX_STOP_NS / 4 * 3)
#define REPLY_PATIENCE_NS NS_PER_S
#define RED_ZONE 128u /* below sp, and in use by leaf functions */

#define STACK_PAGES (DUMP_STACK_BYTES / DUMP_PAGE_BYTES + 1)
_Static_assert(DUMP_MAX_READ_BYTES / DUMP_PAGE_BYTES < STACK_PAGES,
	       "one array of pages for all reads");

struct tracer {
	int socket;
	pid_t tid; /* of the stopped thread; 0: none */
	int signal; /* to be delivered to it */
	uint64_t until_ns; /* it is to be let go */
	uint64_t since_ns; /* when it stopped */
	uint64_t stopped_ns; /* for how long the last one was, once it has been let go */
	struct buffer reply;
};

/* ---- a thread ---- */

static void alarm_set(uint64_t ns)
{
	const struct itimerval time = { .it_value.tv_sec = (time_t)(ns / NS_PER_S),
					.it_value.tv_usec = (suseconds_t)(ns % NS_PER_S / 1000) };

	setitimer(ITIMER_REAL, &time, NULL);
}

/* Takes note of its end, so that its parent can; of stops in between, too. */
static void await_end(pid_t tid, int flags)
{
	siginfo_t info;

	do
		info = (siginfo_t){ 0 };
	while (waitid(P_PID, (id_t)tid, &info, WEXITED | WSTOPPED | __WALL | flags) == 0 &&
	       info.si_code == CLD_TRAPPED);
}

/* 0 when it has stopped, and *ret_signal is what it was about to get (0: nothing); -ESRCH or -ETIMEDOUT. */
static int await_stop(pid_t tid, uint64_t until_ns, int *ret_signal)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		struct timespec left;
		siginfo_t info = { 0 };
		int r = waitid(P_PID, (id_t)tid, &info,
			       WEXITED | WSTOPPED | WNOWAIT | WNOHANG | __WALL);

		if (r == 0 && info.si_pid == tid && info.si_code == CLD_TRAPPED) {
			*ret_signal = info.si_status >> 8 == PTRACE_EVENT_STOP
					      ? 0
					      : info.si_status & 0x7f;
			return 0;
		}
		if (r < 0 || info.si_pid) {
			await_end(tid, WNOHANG);
			return -ESRCH;
		}
		left = clock_left(until_ns);
		if (!left.tv_sec && !left.tv_nsec)
			return -ETIMEDOUT;
		sigtimedwait(&child, NULL, &left);
	}
}

/* 0 or -ESRCH: it was killed. Its parent learns of that when we have; should it take long, the alarm ends us. */
static int let_go(struct tracer *t)
{
	int r = ptrace(PTRACE_DETACH, t->tid, NULL, (void *)(intptr_t)t->signal) < 0 ? -ESRCH : 0;

	t->stopped_ns = clock_ns(CLOCK_MONOTONIC) - t->since_ns;
	if (r < 0)
		await_end(t->tid, 0);
	alarm_set(0);
	t->tid = 0;
	return r;
}

static int stop(struct tracer *t, pid_t tid)
{
	int r;

	t->stopped_ns = 0;
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0)
		return -errno;
	alarm_set(DUMP_MAX_STOP_NS);
	t->until_ns = clock_ns(CLOCK_MONOTONIC) + MAX_STOP_NS;
	r = ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 ? -errno : 0;
	if (r == 0)
		r = await_stop(tid, t->until_ns, &t->signal);
	/* Of one that may stop yet, the alarm is left to ring: it is let go by our end. */
	if (r < 0 && r != -ETIMEDOUT)
		alarm_set(0);
	if (r < 0)
		return r;
	t->tid = tid;
	t->since_ns = clock_ns(CLOCK_MONOTONIC);
	return 0;
}

static int registers_read(pid_t tid, struct dump_registers *ret)
{
	struct user_regs_struct r;
	struct iovec iov = { .iov_base = &r, .iov_len = sizeof(r) };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov) < 0)
		return -errno;
	if (iov.iov_len != sizeof(r)) /* a 32-bit task's are fewer */
		return -ENOEXEC;
	*ret = (struct dump_registers){ .values = { r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp,
						    r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13,
						    r.r14, r.r15, r.rip },
					.thread_pointer = r.fs_base };
	return 0;
}

/*
 * What can be read from `addr` on, at most `len` bytes: up to the first page that can't. A page each, since a
 * part of them that is not all there may be left out as a whole.
 */
static ssize_t memory_read(pid_t tid, uint64_t addr, void *to, size_t len)
{
	struct iovec local = { .iov_base = to, .iov_len = len }, remote[STACK_PAGES + 1];
	size_t pages = 0;

	while (len && pages < sizeof(remote) / sizeof(remote[0])) {
		size_t room = DUMP_PAGE_BYTES - addr % DUMP_PAGE_BYTES;
		size_t size = len < room ? len : room;

		if (addr > UINT64_MAX - size)
			break;
		remote[pages++] = (struct iovec){ (void *)(uintptr_t)addr, size };
		addr += size;
		len -= size;
	}
	return process_vm_readv(tid, &local, 1, remote, pages, 0);
}

/* ---- requests ---- */

static int answer_stop(struct tracer *t, const struct tracer_stop *request)
{
	struct tracer_stopped head = { 0 };
	ssize_t n = 0;
	char *stack;

	if (!buffer_extend(&t->reply, sizeof(head)))
		return -ENOMEM;
	head.status = stop(t, (pid_t)request->tid);
	if (head.status == 0)
		head.status = registers_read(t->tid, &head.registers);
	if (head.status == 0) {
		uint64_t sp = head.registers.values[DUMP_RSP];

		head.stack_addr = (sp < RED_ZONE ? 0 : sp - RED_ZONE) & ~7ULL;
		stack = buffer_extend(&t->reply, DUMP_STACK_BYTES);
		if (!stack)
			return -ENOMEM;
		n = memory_read(t->tid, head.stack_addr, stack, DUMP_STACK_BYTES);
		head.stack_bytes = n < 0 ? 0 : (uint32_t)n & ~7u;
	} else if (t->tid) {
		let_go(t);
	}
	memcpy(t->reply.data, &head, sizeof(head));
	t->reply.len = sizeof(head) + head.stack_bytes;
	return 0;
}

static int answer_read(struct tracer *t, const struct tracer_read *request)
{
	struct tracer_bytes head = { .status = -ESRCH };
	char *bytes;
	ssize_t n;

	if (request->len > DUMP_MAX_READ_BYTES)
		return -EPROTO;
	bytes = buffer_extend(&t->reply, sizeof(head) + request->len);
	if (!bytes)
		return -ENOMEM;
	if (t->tid) {
		n = memory_read(t->tid, request->addr, bytes + sizeof(head), request->len);
		head.status = n < 0 ? -errno : 0;
		head.len = n < 0 ? 0 : (uint32_t)n;
	}
	memcpy(bytes, &head, sizeof(head));
	t->reply.len = sizeof(head) + head.len;
	return 0;
}

static int answer_release(struct tracer *t)
{
	struct tracer_released released = { .status = -ESRCH };

	if (t->tid)
		released.status = let_go(t);
	released.stopped_ns = t->stopped_ns;
	buffer_append(&t->reply, &released, sizeof(released));
	return buffer_error(&t->reply);
}

/* 0 and a reply; -ETIMEDOUT and a reply, the last; or another negative errno. */
static int answer(struct tracer *t, const struct socket_message *m)
{
	const struct buffer *b = &m->bytes;
	const void *bytes = b->data;
	struct tracer_stopped head;
	int r;

	buffer_clear(&t->reply);
	if (m->fd_count)
		return -EPROTO;
	if (m->type == TRACER_STOP && b->len == sizeof(struct tracer_stop)) {
		if (t->tid)
			let_go(t);
		r = answer_stop(t, bytes);
		if (r < 0)
			return r;
		memcpy(&head, t->reply.data, sizeof(head));
		return head.status == -ETIMEDOUT ? -ETIMEDOUT : 0;
	}
	if (m->type == TRACER_READ && b->len == sizeof(struct tracer_read))
		return answer_read(t, bytes);
	if (m->type == TRACER_RELEASE && !b->len)
		return answer_release(t);
	return -EPROTO;
}

/* Until there is a request, or the stopped thread's time is up. */
static void await_request(struct tracer *t)
{
	struct pollfd p = { .fd = t->socket, .events = POLLIN };
	struct timespec left;

	if (!t->tid)
		return;
	left = clock_left(t->until_ns);
	if (ppoll(&p, 1, &left, NULL) <= 0)
		let_go(t);
}

int tracer_serve(int socket)
{
	struct tracer t = { .socket = socket };
	struct socket_message m;
	sigset_t child;
	int r;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	socket_message_init(&m, TRACER_MAX_REQUEST_BYTES);
	buffer_init(&t.reply, TRACER_MAX_REPLY_BYTES);
	do {
		int sent;

		await_request(&t);
		r = socket_receive(socket, &m, t.tid ? t.until_ns : UINT64_MAX);
		if (r < 0)
			break;
		r = answer(&t, &m);
		if (r < 0 && r != -ETIMEDOUT)
			break;
		sent = socket_send(socket, TRACER_REPLY, t.reply.data, t.reply.len, NULL, 0,
				   clock_ns(CLOCK_MONOTONIC) + REPLY_PATIENCE_NS);
		if (r == 0)
			r = sent;
	} while (r == 0);
	if (t.tid)
		let_go(&t);
	socket_message_release(&m);
	buffer_release(&t.reply);
	return r == -EPIPE || r == -ETIMEDOUT ? EXIT_SUCCESS : EXIT_FAILURE;
}
