/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program whose stacks are known beforehand: main calls alpha, which calls bravo, and so on down to echo.
 * Each calls the next from one place, does something before and after the call, and can't be inlined,
 * so that every stack is an unbroken part of the chain. All are called over and over: samples fall
 * into prologues and epilogues, too.
 *
 * What is called at the end of the chain, NEXT, and how a function looks, differ: see chain.c.
 */
#ifndef TESTS_CHAINS_CHAIN_H
#define TESTS_CHAINS_CHAIN_H

/* Not in a copy of its own for certain arguments, either: its name is what is looked for. */
#ifdef __clang__
#define FUNCTION __attribute__((noinline, used))
#else
#define FUNCTION __attribute__((noinline, noclone, used))
#endif

extern volatile unsigned long chain_sink;

/* Some time, and something that the compiler can't leave out, move, or share between functions. */
static inline __attribute__((always_inline)) void chain_work(unsigned int times)
{
	for (unsigned int i = 0; i < times; i++)
		chain_sink = chain_sink * 31 + i;
}

#endif
