// SPDX-License-Identifier: Apache-2.0
/*
 * The tracer's body in a process of its own, without the sandbox, and targets that are forked here. What is asked
 * of it comes from somebody who may have been taken over.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/dump/protocol.h"
#include "profiler/role/socket.h"
#include "tests/unit/dump_server.h"

#define PATIENCE_NS (5 * NS_PER_S)

struct tracing {
	pid_t tracer, target;
	int socket;
	struct socket_message reply;
	volatile uint64_t *count; /* shared: the target counts there */
};

static void nap(uint64_t ns)
{
	const struct timespec t = { .tv_nsec = (long)ns };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static pid_t fork_target(volatile uint64_t *count)
{
	pid_t test = getpid(), pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	/* It ends with the test, however that ends, and holds no end of a socket. */
	close_range(DUMP_SERVER_SOCKET, ~0u, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == test)
		++*count;
	_exit(0);
}

static void begin(struct tracing *x)
{
	x->count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(x->count != MAP_FAILED);
	x->target = fork_target(x->count);
	x->tracer = dump_server_start(tracer_serve, &x->socket);
	assert_true(x->tracer > 0);
	socket_message_init(&x->reply, TRACER_MAX_REPLY_BYTES);
}

static void end(struct tracing *x)
{
	close(x->socket);
	kill(x->target, SIGKILL);
	waitpid(x->tracer, NULL, 0);
	waitpid(x->target, NULL, 0);
	socket_message_release(&x->reply);
	munmap((void *)x->count, 4096);
}

static void ask(struct tracing *x, uint32_t type, const void *bytes, size_t len)
{
	assert_int_equal(socket_send(x->socket, type, bytes, len, NULL, 0, deadline()), 0);
	assert_int_equal(socket_receive(x->socket, &x->reply, deadline()), 0);
	assert_int_equal(x->reply.type, TRACER_REPLY);
}

static struct tracer_stopped stop(struct tracing *x, pid_t tid)
{
	struct tracer_stop request = { .tid = (uint32_t)tid };
	struct tracer_stopped head;

	ask(x, TRACER_STOP, &request, sizeof(request));
	assert_true(x->reply.bytes.len >= sizeof(head));
	memcpy(&head, x->reply.bytes.data, sizeof(head));
	assert_int_equal(x->reply.bytes.len, sizeof(head) + head.stack_bytes);
	return head;
}

static struct tracer_released release(struct tracing *x)
{
	struct tracer_released released;

	ask(x, TRACER_RELEASE, NULL, 0);
	assert_int_equal(x->reply.bytes.len, sizeof(released));
	memcpy(&released, x->reply.bytes.data, sizeof(released));
	return released;
}

static bool runs(const struct tracing *x)
{
	uint64_t before = *x->count;

	for (int i = 0; i < 200 && *x->count == before; i++)
		nap(10 * NS_PER_MS);
	return *x->count != before;
}

/* 'T', 'R' … */
static char state_of(pid_t pid)
{
	char path[64], line[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	return strrchr(line, ')')[2];
}

static void await_state(pid_t pid, char state)
{
	for (int i = 0; i < 500 && state_of(pid) != state; i++)
		nap(10 * NS_PER_MS);
	assert_int_equal(state_of(pid), state);
}

/* ---- tests ---- */

static void test_stop_read_release(void **state)
{
	static const char secret[] = "what stands there";
	struct tracer_read request = { .addr = (uintptr_t)secret, .len = sizeof(secret) };
	struct tracer_stopped head;
	struct tracer_bytes bytes;
	struct tracing x;

	begin(&x);
	head = stop(&x, x.target);
	assert_int_equal(head.status, 0);
	assert_int_equal(state_of(x.target), 't');
	assert_true(head.registers.values[DUMP_RIP] != 0);
	/* The stack begins below sp, for the red zone, and has something above. */
	assert_true(head.stack_addr <= head.registers.values[DUMP_RSP] - 128);
	assert_true(head.stack_addr + head.stack_bytes > head.registers.values[DUMP_RSP] + 64);
	/* It is this program's memory, at the same addresses. */
	ask(&x, TRACER_READ, &request, sizeof(request));
	memcpy(&bytes, x.reply.bytes.data, sizeof(bytes));
	assert_int_equal(bytes.status, 0);
	assert_int_equal(bytes.len, sizeof(secret));
	assert_memory_equal(x.reply.bytes.data + sizeof(bytes), secret, sizeof(secret));
	assert_int_equal(release(&x).status, 0);
	assert_true(runs(&x));
	/* Nothing is read of it any more. */
	ask(&x, TRACER_READ, &request, sizeof(request));
	memcpy(&bytes, x.reply.bytes.data, sizeof(bytes));
	assert_int_equal(bytes.status, -ESRCH);
	assert_int_equal(release(&x).status, -ESRCH);
	end(&x);
}

/* What can't be read is an answer, a part up to there as well. */
static void test_holes(void **state)
{
	struct tracer_read request = { .addr = 8, .len = 64 };
	struct tracer_bytes bytes;
	struct tracing x;
	char *two;

	two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(two != MAP_FAILED);
	assert_int_equal(mprotect(two + 4096, 4096, PROT_NONE), 0);
	begin(&x);
	assert_int_equal(stop(&x, x.target).status, 0);
	ask(&x, TRACER_READ, &request, sizeof(request));
	memcpy(&bytes, x.reply.bytes.data, sizeof(bytes));
	assert_int_equal(bytes.status, -EFAULT);
	request = (struct tracer_read){ .addr = UINT64_MAX - 7, .len = 64 };
	ask(&x, TRACER_READ, &request, sizeof(request));
	memcpy(&bytes, x.reply.bytes.data, sizeof(bytes));
	assert_int_equal(bytes.len, 0);
	request = (struct tracer_read){ .addr = (uintptr_t)two + 100, .len = 8000 };
	ask(&x, TRACER_READ, &request, sizeof(request));
	memcpy(&bytes, x.reply.bytes.data, sizeof(bytes));
	assert_int_equal(bytes.status, 0);
	assert_int_equal(bytes.len, 4096 - 100);
	end(&x);
	munmap(two, 8192);
}

/* Nobody asks for it, and it is let go in time. */
static void test_bound(void **state)
{
	struct tracer_released released;
	uint64_t start_ns, before;
	struct tracing x;

	begin(&x);
	assert_int_equal(stop(&x, x.target).status, 0);
	start_ns = clock_ns(CLOCK_MONOTONIC);
	before = *x.count;
	while (*x.count == before && clock_ns(CLOCK_MONOTONIC) - start_ns < PATIENCE_NS)
		nap(NS_PER_MS);
	assert_int_not_equal(*x.count, before);
	/* Twice the bound, on a machine that is busy. */
	assert_in_range(clock_ns(CLOCK_MONOTONIC) - start_ns, 0, 2 * DUMP_MAX_STOP_NS);
	/* The tracer lives, and knows how long it was: less than its alarm, or it would not. */
	released = release(&x);
	assert_int_equal(released.status, -ESRCH);
	assert_in_range(released.stopped_ns, DUMP_MAX_STOP_NS / 2, DUMP_MAX_STOP_NS);
	assert_int_equal(stop(&x, x.target).status, 0);
	end(&x);
}

/* However it ends, the target goes on. */
static void test_tracer_ends(void **state)
{
	static const int signals[] = { SIGKILL, SIGSEGV, SIGTERM, SIGALRM };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct tracing x;

		begin(&x);
		assert_int_equal(stop(&x, x.target).status, 0);
		kill(x.tracer, signals[i]);
		assert_true(runs(&x));
		await_state(x.target, 'R');
		end(&x);
	}
}

/* The socket ends while a thread is stopped. */
static void test_socket_ends(void **state)
{
	struct tracing x;
	int status;

	begin(&x);
	assert_int_equal(stop(&x, x.target).status, 0);
	shutdown(x.socket, SHUT_RDWR);
	assert_true(runs(&x));
	assert_int_equal(waitpid(x.tracer, &status, 0), x.tracer);
	assert_true(WIFEXITED(status));
	end(&x);
}

static void test_stopped_stays_stopped(void **state)
{
	struct tracing x;
	uint64_t before;

	begin(&x);
	kill(x.target, SIGSTOP);
	await_state(x.target, 'T');
	for (int i = 0; i < 3; i++) {
		assert_int_equal(stop(&x, x.target).status, 0);
		assert_int_equal(release(&x).status, 0);
		await_state(x.target, 'T');
	}
	before = *x.count;
	nap(50 * NS_PER_MS);
	assert_int_equal(*x.count, before);
	kill(x.target, SIGCONT);
	assert_true(runs(&x));
	end(&x);
}

/* Signals that come while it is stopped, or were about to be delivered, arrive: here they end it. */
static void test_signals_arrive(void **state)
{
	struct tracing x;
	int status;

	begin(&x);
	kill(x.target, SIGSTOP);
	await_state(x.target, 'T');
	kill(x.target, SIGTERM); /* pending, as it is stopped */
	assert_int_equal(stop(&x, x.target).status, 0);
	kill(x.target, SIGUSR1);
	assert_int_equal(release(&x).status, 0);
	await_state(x.target, 'T');
	kill(x.target, SIGCONT);
	assert_int_equal(waitpid(x.target, &status, 0), x.target);
	assert_true(WIFSIGNALED(status));
	assert_true(WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGUSR1);
	x.target = fork_target(x.count);
	end(&x);
}

/* Under a storm of signals that it handles, none of them is lost and it goes on. */
static volatile uint64_t *handled;

static void count_signal(int number)
{
	++handled[1];
}

static void test_storm(void **state)
{
	union sigval value = { 0 };
	struct tracing x;
	uint64_t sent = 0;
	pid_t target;

	begin(&x);
	handled = x.count;
	target = fork();
	assert_true(target >= 0);
	if (!target) {
		const struct sigaction action = { .sa_handler = count_signal };

		sigaction(SIGRTMIN, &action, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_range(DUMP_SERVER_SOCKET, ~0u, 0);
		handled[2] = 1;
		for (;;)
			++handled[0];
	}
	for (int i = 0; i < 500 && !x.count[2]; i++)
		nap(10 * NS_PER_MS);
	for (int i = 0; i < 200; i++) {
		struct tracer_stopped head;

		sent += sigqueue(target, SIGRTMIN, value) == 0;
		head = stop(&x, target);
		assert_int_equal(head.status, 0);
		sent += sigqueue(target, SIGRTMIN, value) == 0;
		assert_int_equal(release(&x).status, 0);
	}
	for (int i = 0; i < 200 && x.count[1] != sent; i++)
		nap(10 * NS_PER_MS);
	assert_int_equal(x.count[1], sent);
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	end(&x);
}

static void send_all(pid_t target, uint64_t total)
{
	union sigval value = { 0 };

	while (total)
		if (sigqueue(target, SIGRTMIN, value) == 0)
			total--;
		else
			nap(NS_PER_MS); /* too many are pending */
	_exit(0);
}

/* Was it stopped? Where many want the CPU, a tracer may be late, and end of that. */
static bool try_stop(struct tracing *x, pid_t tid)
{
	const struct tracer_stop request = { .tid = (uint32_t)tid };
	struct tracer_stopped head;

	if (socket_send(x->socket, TRACER_STOP, &request, sizeof(request), NULL, 0, deadline()) <
		    0 ||
	    socket_receive(x->socket, &x->reply, deadline()) < 0)
		return false;
	assert_true(x->reply.bytes.len >= sizeof(head));
	memcpy(&head, x->reply.bytes.data, sizeof(head));
	return head.status == 0;
}

/* A tracer that is killed takes no signal with it, also not one whose delivery it stopped. */
static void test_storm_and_end(void **state)
{
	const struct sigaction action = { .sa_handler = count_signal };
	const uint64_t total = 200000;
	volatile uint64_t *counts =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t target, sender;
	int stops = 0;

	assert_true(counts != MAP_FAILED);
	handled = counts;
	target = fork();
	assert_true(target >= 0);
	if (!target) {
		sigaction(SIGRTMIN, &action, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		handled[2] = 1;
		for (;;)
			++handled[0];
	}
	for (int i = 0; i < 500 && !counts[2]; i++)
		nap(10 * NS_PER_MS);
	sender = fork();
	assert_true(sender >= 0);
	if (!sender) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		send_all(target, total);
	}
	for (int i = 0; i < 60; i++) {
		struct tracing x;

		begin(&x);
		stops += try_stop(&x, target);
		kill(x.tracer, SIGKILL);
		end(&x);
	}
	assert_in_range(stops, 30, 60);
	assert_int_equal(waitpid(sender, NULL, 0), sender);
	for (int i = 0; i < 500 && counts[1] != total; i++)
		nap(10 * NS_PER_MS);
	assert_int_equal(counts[1], total);
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	munmap((void *)counts, 4096);
}

static void test_refusals(void **state)
{
	struct tracing x;
	int status;

	begin(&x);
	assert_int_equal(stop(&x, 0x3ffffffe).status, -ESRCH);
	assert_int_equal(release(&x).stopped_ns, 0);
	assert_int_equal(stop(&x, x.tracer).status, -EPERM); /* itself */
	/* Somebody traces it. */
	assert_int_equal(ptrace(PTRACE_SEIZE, x.target, NULL, NULL), 0);
	assert_int_equal(stop(&x, x.target).status, -EPERM);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, x.target, NULL, NULL), 0);
	assert_int_equal(waitpid(x.target, &status, __WALL), x.target);
	assert_int_equal(ptrace(PTRACE_DETACH, x.target, NULL, NULL), 0);
	assert_true(runs(&x));
	/* It ends while it is stopped. */
	assert_int_equal(stop(&x, x.target).status, 0);
	kill(x.target, SIGKILL);
	release(&x);
	assert_int_equal(waitpid(x.target, &status, 0), x.target);
	assert_int_equal(stop(&x, x.target).status, -ESRCH);
	x.target = fork_target(x.count);
	assert_int_equal(stop(&x, x.target).status, 0);
	end(&x);
}

/* A second one is stopped: the first is let go. */
static void test_one_at_a_time(void **state)
{
	struct tracing x, y;

	begin(&x);
	begin(&y);
	assert_int_equal(stop(&x, x.target).status, 0);
	assert_int_equal(stop(&x, y.target).status, 0);
	assert_true(runs(&x));
	assert_int_equal(release(&x).status, 0);
	assert_true(runs(&y));
	end(&x);
	end(&y);
}

static void test_nonsense(void **state)
{
	static const struct tracer_read long_one = { .addr = 4096, .len = DUMP_MAX_READ_BYTES + 1 };
	static const struct {
		uint32_t type;
		const void *bytes;
		size_t len;
	} rows[] = {
		{ 0, NULL, 0 },
		{ TRACER_STOP, NULL, 0 },
		{ TRACER_STOP, "1234", 4 },
		{ TRACER_STOP, "123456789", 9 },
		{ TRACER_READ, &long_one, sizeof(long_one) },
		{ TRACER_READ, "", 1 },
		{ TRACER_RELEASE, "x", 1 },
		{ TRACER_REPLY, NULL, 0 },
		{ 77, "x", 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tracing x;
		int status;

		begin(&x);
		assert_int_equal(stop(&x, x.target).status, 0);
		socket_send(x.socket, rows[i].type, rows[i].bytes, rows[i].len, NULL, 0,
			    deadline());
		assert_int_equal(socket_receive(x.socket, &x.reply, deadline()), -EPIPE);
		assert_int_equal(waitpid(x.tracer, &status, 0), x.tracer);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
		assert_true(runs(&x));
		end(&x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stop_read_release),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_tracer_ends),
		cmocka_unit_test(test_socket_ends),
		cmocka_unit_test(test_stopped_stays_stopped),
		cmocka_unit_test(test_signals_arrive),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_storm_and_end),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
