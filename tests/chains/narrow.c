// SPDX-License-Identifier: Apache-2.0
/*
 * The chain as a 32-bit program, which needs no library: its stacks can't be followed, and that has to be
 * said.
 */
#include "chain.h"

volatile unsigned long chain_sink = 1;

FUNCTION unsigned long echo(unsigned long x)
{
	chain_work(50);
	return x + 5;
}

FUNCTION unsigned long delta(unsigned long x)
{
	chain_work(20);
	x = echo(x);
	chain_work(3);
	return x + 4;
}

void _start(void)
{
	for (int i = 0; i < 600000; i++)
		chain_sink = delta(chain_sink);
	__asm__ volatile("int $0x80" : : "a"(1), "b"(0));
	__builtin_unreachable();
}
