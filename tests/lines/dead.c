// SPDX-License-Identifier: Apache-2.0
/*
 * A function that nobody needs, longer than what comes before .text: of what was thrown away linkers say that it is at 0.
 */
volatile int sink;

static inline __attribute__((always_inline)) void store(int x)
{
	sink = x;
	sink = x * 3;
	sink = x * 5;
	sink = x * 7;
}

#define FOUR(x)       \
	store(x);     \
	store(x + 1); \
	store(x + 2); \
	store(x + 3);

void dead(int x)
{
	FOUR(x)
	FOUR(x * 2)
	FOUR(x * 4)
	FOUR(x * 8)
	FOUR(x * 16)
	FOUR(x * 32)
	FOUR(x * 64)
	FOUR(x * 128)
	FOUR(x * 256)
	FOUR(x * 512)
	FOUR(x * 1024)
	FOUR(x * 2048)
}

#define EIGHT_TIMES(x) x x x x x x x x

void dead_too(int x)
{
	EIGHT_TIMES(FOUR(x) FOUR(x * 2) FOUR(x * 4) FOUR(x * 8) FOUR(x * 16))
}

int live(int x)
{
	return x * 3;
}

int alive(int x)
{
	store(x);
	return live(x) * 5;
}
