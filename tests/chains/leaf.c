// SPDX-License-Identifier: Apache-2.0
/*
 * The leaf in a shared library. As first.so and second.so, of which one is opened after the other was closed and
 * so lies where that was: LIBRARY is 1 or 2, and the frames of the two differ.
 */
#include "chain.h"

#ifdef LIBRARY

#define NAME(x, n) NAME_(x, n)
#define NAME_(x, n) x##n

static volatile unsigned long sink;

FUNCTION static unsigned long NAME(golf, LIBRARY)(unsigned long x)
{
	volatile unsigned long room[LIBRARY * LIBRARY * 5];

	room[x % (LIBRARY * LIBRARY * 5)] = x;
	for (unsigned int i = 0; i < 10; i++)
		sink = sink * 31 + i;
	return x + room[LIBRARY];
}

#if LIBRARY == 2
FUNCTION unsigned long never_called(unsigned long x)
{
	return golf2(x) + golf2(x + 1);
}
#endif

FUNCTION unsigned long library_leaf(unsigned long x)
{
	volatile unsigned long room[LIBRARY * LIBRARY * 7];

	room[x % (LIBRARY * LIBRARY * 7)] = x;
	x = NAME(golf, LIBRARY)(x);
	sink += x;
	return x + room[LIBRARY];
}

#else

static volatile unsigned long sink;

FUNCTION unsigned long echo(unsigned long x)
{
	for (unsigned int i = 0; i < 10; i++)
		sink = sink * 31 + i;
	return x + 5;
}

FUNCTION unsigned long tiny(unsigned long x)
{
	return x + 1;
}

#endif
