// SPDX-License-Identifier: Apache-2.0
/*
 * indexer FILE: makes the index of a file's lines and inlined functions, and looks random addresses up in it. On stdout:
 * nanoseconds that it took, of time and of CPU time (opening and reading the file included); bytes of memory at the most and of
 * the image; stretches and scopes; look-ups a second of CPU time, each of all frames, in the best of some rounds.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "symbolizer/dwarf_walk.h"
#include "symbolizer/lines.h"
#include "symbolizer/lines_builder.h"
#include "tests/bench/peak.h"

#define MAX_SECTION_BYTES (1ul << 30)
#define ROUNDS 5u
#define LOOKUPS (1u << 21)

/* Marsaglia's xorshift: the next address must not wait for the last answer. */
static uint64_t random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Addresses between the first stretch and the last; the frames are counted, so that all are made. */
static uint64_t round_ns(const struct lines *x, uint64_t *random, uint64_t *frames)
{
	uint32_t first = x->stretches[0].start;
	uint32_t span = x->stretches[x->header->stretch_count - 1].start - first;
	struct lines_frame found[LINES_MAX_DEPTH];
	uint64_t start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	for (uint32_t i = 0; i < LOOKUPS; i++)
		*frames += lines_find(x, x->header->base + first + random_next(random) % span,
				      found, LINES_MAX_DEPTH);
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start_ns;
}

static double lookups_per_s(const struct lines *x)
{
	uint64_t random = 88172645463325252ull, frames = 0, best_ns = UINT64_MAX;

	if (x->header->stretch_count < 2)
		return 0;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t ns = round_ns(x, &random, &frames);

		best_ns = ns < best_ns ? ns : best_ns;
	}
	return frames ? 1e9 * LOOKUPS / (double)best_ns : 0;
}

static int index_file(int fd)
{
	struct buffer image = BUFFER_INIT(LINES_MAX_IMAGE_BYTES);
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), ns, cpu_ns;
	struct lines x;
	int r = dwarf_walk(fd, -1, MAX_SECTION_BYTES, &image);

	if (r == 0)
		r = lines_open(&x, image.data, image.len);
	if (r == 0) {
		ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
		cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %zu %u %u %.0f\n", ns, cpu_ns,
		       peak_bytes(), image.len, x.header->stretch_count, x.header->scope_count,
		       lookups_per_s(&x));
	}
	buffer_release(&image);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(fd_close) int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	int r = fd < 0 ? -errno : index_file(fd);

	if (r < 0) {
		fprintf(stderr, "indexer: %s: %s\n", argc == 2 ? argv[1] : "", strerror(-r));
		return 1;
	}
	return 0;
}
