// SPDX-License-Identifier: Apache-2.0
/*
 * The chain in C++: echo throws, bravo catches. On the way the functions between clean up, each by code that
 * the runtime jumps into.
 */
#include <csignal>
#include <cstdlib>
#include <sys/prctl.h>
#include <sys/time.h>

#include "chain.h"

volatile unsigned long chain_sink = 1;
static volatile sig_atomic_t phase;

struct Held {
	~Held()
	{
		chain_work(200);
	}
};

extern "C" {

FUNCTION unsigned long echo(unsigned long x)
{
	chain_work(100);
	if (chain_sink != 12345)
		throw x;
	return x;
}

FUNCTION unsigned long delta(unsigned long x)
{
	Held held;

	chain_work(20);
	x = echo(x);
	chain_work(3);
	return x + 4;
}

FUNCTION unsigned long charlie(unsigned long x)
{
	Held held;

	chain_work(30);
	x = delta(x);
	chain_work(6);
	return x + 3;
}

FUNCTION unsigned long bravo(unsigned long x)
{
	chain_work(20);
	try {
		x = charlie(x);
	} catch (unsigned long caught) {
		x ^= caught;
		chain_work(50);
	}
	chain_work(2);
	return x + 2;
}

FUNCTION unsigned long alpha(unsigned long x)
{
	chain_work(10);
	x = bravo(x);
	chain_work(5);
	return x + 1;
}

FUNCTION unsigned long warm_up(unsigned long x)
{
	chain_work(1000);
	return x ^ 1;
}

FUNCTION void on_time(int)
{
	phase = phase + 1;
}

FUNCTION void chain(void)
{
	while (phase == 0) {
		chain_sink = warm_up(chain_sink);
		chain_work(1);
	}
	while (phase == 1) {
		chain_sink = alpha(chain_sink);
		chain_work(1);
	}
}
}

static long milliseconds(const char *name, long otherwise)
{
	const char *value = getenv(name);

	return value ? strtol(value, nullptr, 10) : otherwise;
}

int main(int, char **argv)
{
	struct itimerval every = {};

	prctl(PR_SET_NAME, getenv("CHAIN_NAME") ? getenv("CHAIN_NAME") : argv[0]);
	signal(SIGPROF, on_time);
	every.it_value.tv_usec = milliseconds("CHAIN_WARM", 150) * 1000;
	every.it_interval.tv_usec = milliseconds("CHAIN_MS", 400) * 1000;
	setitimer(ITIMER_PROF, &every, nullptr);
	chain();
	every = {};
	setitimer(ITIMER_PROF, &every, nullptr);
	return 0;
}
