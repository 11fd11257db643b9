/* SPDX-License-Identifier: Apache-2.0 */
// CFLAGS: -O2 -fomit-frame-pointer -g
/*
 * Many processes, each of which works for a moment, waits for the others' turn, and works again: all of them
 * together keep a CPU busy, and none is seen often. All end with the first.
 *
 * usage: crowd PROCESSES SECONDS
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TURN_NS 1000000 /* a thousand turns a second for all */

static volatile unsigned long sink;

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_until(long long ns)
{
	struct timespec t = { ns / 1000000000, ns % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static __attribute__((noinline)) void crowd_spin(long long until_ns)
{
	while (now_ns() < until_ns) {
		for (int i = 0; i < 1000; i++)
			sink += i;
	}
}

static __attribute__((noinline)) void crowd_work(long long first_ns, long long round_ns)
{
	for (long long turn_ns = first_ns;; turn_ns += round_ns) {
		sleep_until(turn_ns);
		crowd_spin(turn_ns + TURN_NS);
		sink++;
	}
}

int main(int argc, char **argv)
{
	long processes = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
	long long begin_ns, round_ns = processes * TURN_NS;
	pid_t parent = getpid();

	if (processes < 1) {
		fputs("usage: crowd PROCESSES SECONDS\n", stderr);
		return 2;
	}
	begin_ns = now_ns() + 2 * 1000000000LL; /* by then all are there */
	for (long i = 0; i < processes; i++) {
		pid_t child = fork();

		if (child < 0) {
			perror("fork");
			kill(0, SIGKILL);
		}
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != parent)
				return 1;
			crowd_work(begin_ns + i * TURN_NS, round_ns);
		}
	}
	puts("ready");
	fflush(stdout);
	sleep((unsigned)strtoul(argv[2], NULL, 10));
	return 0;
}
