// SPDX-License-Identifier: Apache-2.0
/*
 * Small, with a function inlined in two places and in two pieces: what a fuzzer starts from.
 */
static int last;

static inline __attribute__((always_inline)) int half(int x)
{
	if (x < 0)
		last = x;
	return x / 2;
}

__attribute__((noinline)) int twice(int x)
{
	for (int i = 0; i < x; i++)
		last += half(i) * half(x);
	return last;
}

void _start(void)
{
	last = twice(7) + half(last);
	for (;;)
		;
}
