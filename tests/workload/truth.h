/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a workload knows about itself: how much CPU time each of its functions took.
 *
 * A workload hands out its work in quanta of about 0.1-0.3 ms, reads the CPU clock of its own
 * thread around each, and adds the difference to the account of the function that ran. Which
 * function runs next follows from the accounts (the one furthest behind its share), never from a
 * fixed count of rounds: so the shares come out right on a slow, shared or throttled machine, and
 * what is printed at the end was measured, not planned. A quantum's length is random, so that
 * nothing here repeats with a period that a sampler could meet (bursts.c is the exception, and
 * means it).
 *
 * What lies between two accounts (two clock reads, 0.1 % of a quantum) belongs to nobody; "process"
 * has it.
 *
 * Output: one JSON object a line on stdout, see truth_print(). Accounts are not shared between
 * threads: one thread, one set.
 *
 * Environment: WORKLOAD_GO names a FIFO; the workload then does nothing until somebody writes to it
 * or opens and closes it, so that a profiler can be attached to a process that is there already.
 */
#ifndef TESTS_WORKLOAD_TRUTH_H
#define TESTS_WORKLOAD_TRUTH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

/* A function that is seen as itself: never inlined, cloned or merged with its like. */
#define PROFILED __attribute__((noinline, noclone, used, aligned(64)))

/* The work itself: arithmetic on registers, no call, no memory. About 1.5 ns a round. */
#define SPIN_BODY(rounds, seed)                              \
	do {                                                 \
		uint64_t x_ = (seed);                        \
		for (uint64_t i_ = 0; i_ < (rounds); i_++) { \
			x_ ^= x_ << 13;                      \
			x_ ^= x_ >> 7;                       \
			x_ ^= x_ << 17;                      \
			__asm__ volatile("" : "+r"(x_));     \
		}                                            \
	} while (0)

struct account {
	const char *name;
	void (*work)(uint64_t rounds);
	double share; /* planned, any unit */
	uint64_t cpu_ns; /* measured */
};

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		abort();
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static inline uint64_t thread_cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static inline uint64_t truth_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* Seeds from the clock and the pid: two runs never share their sequence. */
static inline uint64_t truth_seed(void)
{
	return (clock_ns(CLOCK_MONOTONIC) * 2654435761u) ^ ((uint64_t)getpid() << 32) ^ 1u;
}

static inline struct account *account_furthest_behind(struct account *accounts, size_t n)
{
	struct account *behind = &accounts[0];

	for (size_t i = 1; i < n; i++) {
		/* cpu_ns / share is how far an account has come; compare without dividing */
		if ((double)accounts[i].cpu_ns * behind->share <
		    (double)behind->cpu_ns * accounts[i].share)
			behind = &accounts[i];
	}
	return behind;
}

/* Runs the accounts by their shares until this thread has used cpu_ns of CPU time on them. */
static inline void accounts_run(struct account *accounts, size_t n, uint64_t cpu_ns,
				uint64_t *random)
{
	uint64_t used = 0;

	while (used < cpu_ns) {
		struct account *account = account_furthest_behind(accounts, n);
		uint64_t rounds = 60000 + truth_random(random) % 120000;
		uint64_t begin = thread_cpu_ns(), took;

		account->work(rounds);
		took = thread_cpu_ns() - begin;
		account->cpu_ns += took;
		used += took;
	}
}

static inline void truth_print_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

/* One line of truth. tid 0: not about one thread. */
static inline void truth_print(const char *what, const char *name, pid_t tid, uint64_t cpu_ns)
{
	printf("{\"what\": \"%s\", \"pid\": %d, ", what, (int)getpid());
	if (tid)
		printf("\"tid\": %d, ", (int)tid);
	printf("\"name\": ");
	truth_print_string(name);
	printf(", \"cpu_ns\": %llu}\n", (unsigned long long)cpu_ns);
}

static inline void truth_print_accounts(const struct account *accounts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		truth_print("function", accounts[i].name, 0, accounts[i].cpu_ns);
}

/* A workload's last line: the process with its reaped children, as the kernel counted it. */
static inline void truth_print_process(const char *name)
{
	struct rusage children;
	uint64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (getrusage(RUSAGE_CHILDREN, &children) < 0)
		abort();
	cpu_ns += (uint64_t)(children.ru_utime.tv_sec + children.ru_stime.tv_sec) * NS_PER_S;
	cpu_ns += (uint64_t)(children.ru_utime.tv_usec + children.ru_stime.tv_usec) * 1000;
	truth_print("process", name, 0, cpu_ns);
	fflush(stdout);
}

/* argv[1] in seconds of CPU time, as nanoseconds. */
static inline uint64_t truth_cpu_seconds(int argc, char **argv, double fallback)
{
	double seconds = fallback;
	char *end;

	if (argc > 1) {
		seconds = strtod(argv[1], &end);
		if (*end || end == argv[1] || !(seconds > 0 && seconds < 3600)) {
			fprintf(stderr, "%s: \"%s\" is not a number of CPU seconds\n", argv[0],
				argv[1]);
			exit(2);
		}
	}
	return (uint64_t)(seconds * 1e9);
}

static inline void truth_wait_for_go(void)
{
	const char *path = getenv("WORKLOAD_GO");
	char byte;
	int fd;

	if (!path || !*path)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC); /* waits for a writer */
	if (fd < 0) {
		perror(path);
		exit(2);
	}
	if (read(fd, &byte, 1) < 0)
		perror(path);
	close(fd);
}

#endif
