// SPDX-License-Identifier: Apache-2.0
/*
 * Arithmetic only: whoever divides memory must know the sizes before anything is opened.
 *
 * Events give way first, as far as a ring for 150 execs at each drain; then whatever is larger. To
 * refuse a machine with many CPUs was refused: small rings lose something under a storm, and say so.
 */
#include "profiler/collect/rings.h"

#include <unistd.h>

#include "bpf/record.h"

/*
 * A ring holds two seconds of samples with ordinary stacks (1 KiB: 110 frames): twenty drains' worth. And as much
 * again, so that for a drain or two each may have the largest copy of its stack with it (record.h).
 * Above the maximum the drain has to be quicker, which it is: 20 kHz on 8 CPUs is 16 MiB in 100 ms. The
 * minimum is one drain's worth at 99 Hz, and half as much again.
 */
#define SAMPLE_SECONDS 2
#define SAMPLE_BYTES (2 * 1024)
#define MIN_SAMPLE_RING (128u << 10)
#define MAX_SAMPLE_RING (32u << 20)

/*
 * 2,000 execs' worth: each is some 8 mappings and 4 other records of 100 bytes. Drained ten times a
 * second, that is more than one CPU can exec.
 */
#define EVENT_RING RINGS_MAX_EVENT_BYTES
#define MIN_EVENT_RING (16u << 10)

static uint32_t sample_rings(uint32_t cpus)
{
	return (cpus + RECORD_CPUS_PER_RING - 1) / RECORD_CPUS_PER_RING;
}

void rings_want(struct rings *ret, uint32_t frequency_hz, uint32_t cpus)
{
	uint32_t sharers = cpus < RECORD_CPUS_PER_RING ? cpus : RECORD_CPUS_PER_RING;
	uint64_t want = (uint64_t)frequency_hz * sharers * SAMPLE_SECONDS * SAMPLE_BYTES;

	*ret = (struct rings){ .sample_bytes = MIN_SAMPLE_RING, .event_bytes = EVENT_RING };
	while (ret->sample_bytes < want && ret->sample_bytes < MAX_SAMPLE_RING)
		ret->sample_bytes *= 2;
}

uint64_t rings_bytes(const struct rings *r, uint32_t cpus)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	/* A BPF ring buffer has a page for each side's position, one of the kernel's own, and lists its pages twice. */
	uint64_t samples = r->sample_bytes + 4 * page + r->sample_bytes / page * 2 * sizeof(void *);

	return sample_rings(cpus) * samples + cpus * (r->event_bytes + page);
}

void rings_shrink(struct rings *r, uint32_t cpus, uint64_t max_bytes)
{
	while (rings_bytes(r, cpus) > max_bytes) {
		if (r->event_bytes > MIN_EVENT_RING)
			r->event_bytes /= 2;
		else if (r->sample_bytes > MIN_SAMPLE_RING)
			r->sample_bytes /= 2;
		else
			return;
	}
}
