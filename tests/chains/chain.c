// SPDX-License-Identifier: Apache-2.0
/*
 * The chain, in its variants by macro:
 *
 *	BIG		a frame of 2 MiB
 *	ALLOCA		a frame whose size is known at run time
 *	REALIGNED	that, and with an alignment of its own: gcc then finds the CFA through memory
 *	NORETURN	a function that ends with the call of one that doesn't return
 *	TAIL		a function that ends with a jump into the next
 *	PLT		the leaf is in a shared library (leaf.c)
 *	CLOCK		the leaf is the vDSO's clock_gettime
 *	SIGNAL		a handler runs every now and then, wherever the chain is; 2: on a stack of its own
 *	RAISE		a function sends itself a signal; its handler is where the time goes
 *	THREADS		the chain is a thread's
 *	CONTEXT		the chain has a stack that makecontext() made
 *	ASSEMBLY	the leaf is called by hand-written code with call frame information (asm.S)
 *	BARE		or without
 *	DLOPEN		the leaf is in a library that is opened and closed all the time; 2: in turn with another
 *	DELETE		the files named by arguments are unlinked first
 *
 * First warm_up() runs for CHAIN_WARM ms of CPU time (its samples tell whether a profiler is right before it
 * knows the program; the chain's, whether it is right and complete afterwards), then the chain for CHAIN_MS.
 */
#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "chain.h"

volatile unsigned long chain_sink = 1;
static volatile sig_atomic_t phase;

/* ---- the leaf ---- */

#if defined(PLT)
/* in leaf.c */
unsigned long echo(unsigned long x);
unsigned long tiny(unsigned long x);
#elif defined(CLOCK)
FUNCTION unsigned long echo(unsigned long x)
{
	struct timespec now = { 0 };

	for (int i = 0; i < 20; i++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		x += (unsigned long)now.tv_nsec;
	}
	chain_work(1);
	return x;
}
#elif defined(RAISE)
/* The signal arrives behind the system call's instruction: in this function and no other. */
FUNCTION unsigned long echo(unsigned long x)
{
	long result, process = getpid(), thread = syscall(SYS_gettid);

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(SYS_tgkill), "D"(process), "S"(thread), "d"(SIGUSR1)
			 : "rcx", "r11", "memory");
	chain_work(2);
	return x + (unsigned long)result;
}
#elif defined(ASSEMBLY) || defined(BARE)
unsigned long asm_middle(unsigned long x); /* in asm.S; calls foxtrot() */

FUNCTION unsigned long foxtrot(unsigned long x)
{
	chain_work(20);
	return x + 6;
}

FUNCTION unsigned long echo(unsigned long x)
{
	chain_work(5);
	x = asm_middle(x);
	chain_work(4);
	return x + 5;
}
#elif defined(DLOPEN)
FUNCTION unsigned long echo(unsigned long x)
{
	static const char *const libraries[] = { "first.so", "second.so" };
	static unsigned int turn;
	char path[4096];
	unsigned long (*leaf)(unsigned long);
	void *library;

	snprintf(path, sizeof(path), "%s/%s", getenv("CHAIN_LIBRARIES"),
		 libraries[turn++ % DLOPEN]);
	library = dlopen(path, RTLD_NOW);
	if (!library)
		abort();
	*(void **)&leaf = dlsym(library, "library_leaf");
	for (int i = 0; i < 40000; i++)
		x = leaf(x);
	chain_work(4);
	dlclose(library);
	return x + 5;
}
#else
/* Many values that live at once, and a small array: saved registers, and what lies below the stack pointer. */
FUNCTION unsigned long echo(unsigned long x)
{
	unsigned long a = x, b = x ^ 3, c = x + 5, d = x * 7, e = ~x, f = x << 9, g = x >> 3,
		      h = x - 1;
	volatile unsigned long kept[8];

	for (unsigned int i = 0; i < 8; i++) {
		kept[i] = a += b ^ i;
		b = (b << 7 | b >> 57) + c;
		c ^= d + kept[i & 3];
		d += e * 3;
		e ^= f >> 1;
		f += g ^ h;
		g -= a;
		h = (h << 11 | h >> 53) ^ b;
	}
	chain_work(4);
	return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ kept[5];
}
#endif

/* ---- the chain ---- */

#ifdef NORETURN
__attribute__((noreturn)) static void delta_for_ever(unsigned long x);

FUNCTION unsigned long charlie(unsigned long x)
{
	chain_work(3);
	delta_for_ever(x);
}

/* What follows the call: a return address looked up as it is would be in here. */
FUNCTION unsigned long never_called(unsigned long x)
{
	volatile unsigned long room[40];

	room[x % 40] = x;
	chain_work(9);
	return room[7];
}

FUNCTION __attribute__((noreturn)) static void delta_for_ever(unsigned long x)
{
	while (phase < 2) {
		x = echo(x);
		chain_work(4);
	}
	_exit(0);
}
#else
FUNCTION unsigned long delta(unsigned long x)
{
	chain_work(4);
	x = echo(x);
#ifdef PLT
	for (int i = 0; i < 40; i++)
		x = tiny(x);
#endif
	chain_work(3);
	return x + 4;
}

FUNCTION unsigned long charlie(unsigned long x)
{
	chain_work(3);
#ifdef TAIL
	return delta(x + 1);
#else
	x = delta(x + 1);
	chain_work(6);
	return x + 3;
#endif
}
#endif

#if defined(BIG)
FUNCTION unsigned long bravo(unsigned long x)
{
	volatile char room[2 << 20];

	room[x % sizeof(room)] = 1;
	chain_work(2);
	x = charlie(x);
	chain_work(2);
	return x + room[3];
}
#elif defined(ALLOCA)
FUNCTION unsigned long bravo(unsigned long x)
{
	volatile char *room = alloca(16 + x % 5000);

	room[x % 16] = 1;
	chain_work(2);
	x = charlie(x);
	chain_work(2);
	return x + room[3];
}
#elif defined(REALIGNED)
FUNCTION unsigned long bravo(unsigned long x)
{
	volatile char *room = alloca(16 + x % 5000);
	volatile unsigned long line[16] __attribute__((aligned(64)));

	room[x % 16] = 1;
	line[x % 16] = x;
	chain_work(2);
	x = charlie(x);
	chain_work(2);
	return x + room[3] + line[5];
}
#else
FUNCTION unsigned long bravo(unsigned long x)
{
	chain_work(2);
	x = charlie(x);
	chain_work(2);
	return x + 2;
}
#endif

FUNCTION unsigned long alpha(unsigned long x)
{
	chain_work(1);
	x = bravo(x);
	chain_work(5);
	return x + 1;
}

FUNCTION unsigned long warm_up(unsigned long x)
{
	chain_work(1000);
	return x ^ 1;
}

/* ---- signals ---- */

FUNCTION static void on_time(int signal)
{
	(void)signal;
	phase++;
}

FUNCTION unsigned long hotel(unsigned long x)
{
	chain_work(2000);
	return x + 8;
}

FUNCTION void handler(int signal)
{
	chain_work(10);
	chain_sink += hotel((unsigned long)signal);
	chain_work(10);
}

static void handle(int signal, void (*by)(int), int flags)
{
	struct sigaction action = { .sa_handler = by, .sa_flags = SA_RESTART | flags };

	sigaction(signal, &action, NULL);
}

static void timer(int which, unsigned long first_us, unsigned long then_us)
{
	struct itimerval every = { .it_value.tv_sec = (time_t)(first_us / 1000000),
				   .it_value.tv_usec = (suseconds_t)(first_us % 1000000),
				   .it_interval.tv_sec = (time_t)(then_us / 1000000),
				   .it_interval.tv_usec = (suseconds_t)(then_us % 1000000) };

	setitimer(which, &every, NULL);
}

static void signals_begin(void)
{
#if defined(SIGNAL) && SIGNAL == 2
	static char room[65536];
	stack_t other = { .ss_sp = room, .ss_size = sizeof(room) };

	sigaltstack(&other, NULL);
#endif
#ifdef SIGNAL
	handle(SIGALRM, handler, SIGNAL == 2 ? SA_ONSTACK : 0);
	timer(ITIMER_REAL, 100, 100);
#endif
#ifdef RAISE
	handle(SIGUSR1, handler, 0);
#endif
}

/* ---- who calls it ---- */

FUNCTION void chain(void)
{
	while (phase == 0) {
		chain_sink = warm_up(chain_sink);
		chain_work(1);
	}
	signals_begin();
	while (phase == 1) {
		chain_sink = alpha(chain_sink);
		chain_work(1);
	}
	timer(ITIMER_REAL, 0, 0);
}

#ifdef THREADS
FUNCTION static void *thread(void *unused)
{
	(void)unused;
	chain();
	return NULL;
}
#endif

static unsigned long milliseconds(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	unsigned long warm_ms = milliseconds("CHAIN_WARM", 150);

	prctl(PR_SET_NAME, getenv("CHAIN_NAME") ? getenv("CHAIN_NAME") : argv[0]);
#ifdef DELETE
	for (int i = 1; i < argc; i++)
		unlink(argv[i]);
#else
	(void)argc;
#endif
	handle(SIGPROF, on_time, 0);
	timer(ITIMER_PROF, warm_ms * 1000, milliseconds("CHAIN_MS", 400) * 1000);
#if defined(THREADS)
	pthread_t one;

	pthread_create(&one, NULL, thread, NULL);
	pthread_join(one, NULL);
#elif defined(CONTEXT)
	static char room[262144];
	static ucontext_t here, there;

	getcontext(&there);
	there.uc_stack.ss_sp = room;
	there.uc_stack.ss_size = sizeof(room);
	there.uc_link = &here;
	makecontext(&there, chain, 0);
	swapcontext(&here, &there);
#else
	chain();
#endif
	timer(ITIMER_PROF, 0, 0);
	return 0;
}
