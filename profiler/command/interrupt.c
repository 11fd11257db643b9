// SPDX-License-Identifier: Apache-2.0
/*
 * Handlers rather than a signalfd: the second signal must end us wherever we are, in a look-up of
 * names or a write to a stuck disk. The main loop polls at least every 100 ms, so that the window
 * between its test and its poll() costs that long at most.
 *
 * SIGINT is caught even if it was ignored, as in a shell script's background job (perf does so,
 * too); SIGHUP is not: that is nohup's promise.
 *
 * SIGPIPE and SIGCHLD are as we need them from the beginning, and as our caller had them in a
 * command that we start.
 */
#include "profiler/command/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "profiler/base/clock.h"

/*
 * timeout(1) signals its command, and then its group, which that is in, too: no person is as fast
 * as that.
 */
#define ECHO_NS (100 * NS_PER_MS)

static const int caught[] = { SIGINT, SIGTERM, SIGHUP };
#define CAUGHT (sizeof(caught) / sizeof(caught[0]))

/* What we want, and what our caller had. */
static struct {
	int number;
	void (*ours)(int), (*callers)(int);
} plain[] = {
	/* A pipe that breaks is an error of the write that finds out. */
	{ SIGPIPE, SIG_IGN, SIG_DFL },
	/* As is a file that may not grow (ulimit -f). */
	{ SIGXFSZ, SIG_IGN, SIG_DFL },
	/* Were it ignored, our children would be reaped by nobody, and their pids be others'. */
	{ SIGCHLD, SIG_DFL, SIG_DFL },
};
#define PLAIN (sizeof(plain) / sizeof(plain[0]))

static volatile sig_atomic_t came;
static volatile sig_atomic_t allowed, echoes;
static volatile uint64_t last_ns; /* when the last one of those came; of the handler only */
static void (*abandon_files)(void);

static void on_signal(int number)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	(void)number;
	if (came < allowed) {
		last_ns = now_ns;
		came++;
		return;
	}
	if (echoes && now_ns - last_ns < ECHO_NS)
		return;
	abandon_files();
	_exit(1);
}

void interrupt_init(void)
{
	for (size_t i = 0; i < PLAIN; i++)
		plain[i].callers = signal(plain[i].number, plain[i].ours);
}

int interrupt_catch(int grace, void (*abandon)(void))
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	abandon_files = abandon;
	allowed = grace;
	/*
	 * One at a time: a handler that is interrupted by another signal can't tell first from
	 * second.
	 */
	for (size_t i = 0; i < CAUGHT; i++)
		sigaddset(&action.sa_mask, caught[i]);
	for (size_t i = 0; i < CAUGHT; i++) {
		struct sigaction old;

		if (sigaction(caught[i], NULL, &old) < 0)
			return -errno;
		if (caught[i] == SIGHUP && old.sa_handler == SIG_IGN)
			continue;
		if (sigaction(caught[i], &action, NULL) < 0)
			return -errno;
	}
	return 0;
}

void interrupt_pass_over_echoes(void)
{
	echoes = 1;
}

bool interrupt_came(void)
{
	return came != 0;
}

void interrupt_release(void)
{
	struct sigaction old;

	for (size_t i = 0; i < CAUGHT; i++) {
		struct sigaction action = { .sa_handler = SIG_DFL };

		/* What our caller had ignored stays ignored: exec would keep it so as well. */
		if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler == on_signal)
			sigaction(caught[i], &action, NULL);
	}
	for (size_t i = 0; i < PLAIN; i++)
		signal(plain[i].number, plain[i].callers);
}

void interrupt_ignore(void)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < CAUGHT; i++)
		sigaction(caught[i], &action, NULL);
}
