// SPDX-License-Identifier: Apache-2.0
/*
 * An inline function that two files compile to the same code by other functions: GNU ld keeps the first, and the debug
 * information of both speaks of it.
 */
extern volatile int sink;

#ifdef AGAIN
static inline __attribute__((always_inline)) void second(int x)
{
	sink = x;
	sink = x + 1;
}
#define INLINED second
#else
static inline __attribute__((always_inline)) void first(int x)
{
	sink = x;
	sink = x + 1;
}
#define INLINED first
#endif

inline __attribute__((noinline)) void kept(int x)
{
	INLINED(x);
	INLINED(x + 2);
}

#ifndef AGAIN
volatile int sink;

void again(int x);

int main(int argc, char **)
{
	kept(argc);
	again(argc);
	return 0;
}
#endif
