/* SPDX-License-Identifier: Apache-2.0 */
// CFLAGS: -O2 -fomit-frame-pointer -g -static
/*
 * A known stack 40 calls deep, in code without frame pointers: deep_spin, 20 times deep_odd called by deep_even, main.
 * Static: nobody else's file is on its stack.
 * Each function holds a value in rbp over its call, so that a walk by frame pointers goes astray at once.
 *
 * usage: deep [CPU-SECONDS]
 */
#include "truth.h"

#define DEPTH 40

static PROFILED uint64_t deep_even(uint64_t level, uint64_t rounds);

static PROFILED uint64_t deep_spin(uint64_t rounds)
{
	SPIN_BODY(rounds, 0x9e3779b97f4a7c15);
	return rounds;
}

/* Asked for in rbp itself: how many registers are in use is the compiler's to decide. */
#define KEEP_IN_RBP(value)                                \
	register uint64_t kept_ __asm__("rbp") = (value); \
	__asm__ volatile("" : "+r"(kept_))

static PROFILED uint64_t deep_odd(uint64_t level, uint64_t rounds)
{
	KEEP_IN_RBP(level ^ 0x5555);
	uint64_t below = level > 1 ? deep_even(level - 1, rounds) : deep_spin(rounds);

	__asm__ volatile("" : "+r"(kept_));
	return below + kept_;
}

static PROFILED uint64_t deep_even(uint64_t level, uint64_t rounds)
{
	KEEP_IN_RBP(level ^ 0xaaaa);
	uint64_t below = deep_odd(level - 1, rounds);

	__asm__ volatile("" : "+r"(kept_));
	return below + kept_;
}

int main(int argc, char **argv)
{
	uint64_t cpu_ns = truth_cpu_seconds(argc, argv, 2), sum = 0;

	truth_wait_for_go();
	while (thread_cpu_ns() < cpu_ns)
		sum += deep_even(DEPTH, 100000);
	truth_print_process("deep");
	return sum == 0;
}
