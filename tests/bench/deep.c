// SPDX-License-Identifier: Apache-2.0
/*
 * deep DEPTH SECONDS MIB: spends its time under DEPTH calls of one function. With MIB not 0 it works at random
 * places of so much memory, so that whoever interrupts it finds the caches full of that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES 64

static volatile unsigned long sink;
static unsigned char *memory;
static size_t lines;
static double end;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void work(void)
{
	unsigned long random = 1;

	do {
		for (int i = 0; i < 20000; i++) {
			random = random * 6364136223846793005UL + 1442695040888963407UL;
			if (lines)
				memory[(random >> 20) % lines * LINE_BYTES]++;
			else
				sink += random;
		}
	} while (now() < end);
}

/* A frame of some size, and something to do after the call, so that it is one. */
static __attribute__((noinline)) int down(int depth, int value)
{
	char buffer[40];

	memset(buffer, value, sizeof(buffer));
	__asm__ volatile("" ::"r"(buffer) : "memory");
	if (depth > 1)
		value += down(depth - 1, value + buffer[3]);
	else
		work();
	__asm__ volatile("" ::"r"(buffer) : "memory");
	return value + buffer[7];
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fputs("usage: deep DEPTH SECONDS MIB\n", stderr);
		return 2;
	}
	end = now() + strtod(argv[2], NULL);
	lines = strtoul(argv[3], NULL, 10) * (1UL << 20) / LINE_BYTES;
	if (lines) {
		memory = malloc(lines * LINE_BYTES);
		if (!memory)
			return 1;
		memset(memory, 1, lines * LINE_BYTES);
	}
	sink += (unsigned long)down((int)strtol(argv[1], NULL, 10), 1);
	return 0;
}
