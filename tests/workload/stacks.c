// CFLAGS: -O2 -fomit-frame-pointer -fno-optimize-sibling-calls
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks to be looked at: a chain of calls that is known, ended by what the first argument says.
 *
 *	sleep             main ← outer ← middle ← inner ← pause
 *	signal            the same, and a signal's handler on a stack of its own that waits
 *	burn              busy in inner()
 *	threads N         N threads that wait in such chains, and the first
 *	churn             threads come and go as fast as they can
 *	scribble          all registers but rip hold nonsense, and change
 *	traced            a child that waits and is traced by this process; its pid is printed
 *
 * Prints "ready" when it has come there.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT __attribute__((noinline, noclone))

static const char *what;
static volatile int sink;

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

static void handler(int number)
{
	ready();
	for (;;)
		pause();
}

KEPT static void raise_on_other_stack(void)
{
	const struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	const stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };

	if (!stack.ss_sp || sigaltstack(&stack, NULL) < 0 || sigaction(SIGUSR1, &action, NULL) < 0)
		abort();
	raise(SIGUSR1);
}

__attribute__((noreturn)) static void scribble(void)
{
	ready();
	__asm__ volatile("1: rdtsc\n"
			 "mov %rax, %rsp\n"
			 "imul $0x1e3779b1, %rax, %rbp\n"
			 "mov %rbp, %rbx\n"
			 "xor %rdx, %rbp\n"
			 "jmp 1b\n");
	__builtin_unreachable();
}

KEPT int inner(int n)
{
	char bytes[100];

	memset(bytes, n, sizeof(bytes));
	if (!strcmp(what, "signal"))
		raise_on_other_stack();
	else if (!strcmp(what, "scribble"))
		scribble();
	else if (strcmp(what, "threads") != 0)
		ready();
	while (!strcmp(what, "burn"))
		sink++;
	for (;;)
		pause();
	return bytes[n & 3];
}

KEPT int middle(int n)
{
	int size = 64 + (n & 63);
	char bytes[size]; /* the frame has no fixed size */

	memset(bytes, n, (size_t)size);
	return inner(n) + bytes[n & 3];
}

KEPT int outer(int n)
{
	return middle(n) + 1;
}

static void *waiting_thread(void *unused)
{
	outer(3);
	return NULL;
}

static void *short_thread(void *unused)
{
	return NULL;
}

static void start(void *(*body)(void *))
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	while (pthread_create(&thread, &attr, body, NULL))
		usleep(100);
	pthread_attr_destroy(&attr);
}

static void trace_child(void)
{
	pid_t child = fork();

	if (child == 0) {
		for (;;)
			pause();
	}
	if (child < 0 || ptrace(PTRACE_SEIZE, child, NULL, NULL) < 0)
		abort();
	printf("%d\n", child);
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	what = argc > 1 ? argv[1] : "sleep";
	if (!strcmp(what, "traced"))
		trace_child();
	if (!strcmp(what, "churn")) {
		ready();
		for (;;)
			start(short_thread);
	}
	if (!strcmp(what, "threads")) {
		for (long n = argc > 2 ? strtol(argv[2], NULL, 10) : 10; n > 0; n--)
			start(waiting_thread);
		ready();
	}
	return outer(argc);
}
