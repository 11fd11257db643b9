/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How large the rings are in which the kernel keeps samples and process events until they are drained:
 * large enough for what comes, and within a limit. What a ring has no room for is counted as lost.
 */
#ifndef COLLECT_RINGS_H
#define COLLECT_RINGS_H

#include <stdint.h>

#define RINGS_MAX_EVENT_BYTES (256u << 10)

struct rings {
	uint32_t sample_bytes; /* of each BPF ring buffer, which RECORD_CPUS_PER_RING CPUs share */
	uint32_t event_bytes; /* of each CPU's side-band ring */
};

/* The sizes that a machine with so many CPUs wants. Powers of two. */
void rings_want(struct rings *ret, uint32_t frequency_hz, uint32_t cpus);

/*
 * Halves them until they take at most `max_bytes` in all, or are as small as is of any use: 36 KiB a
 * CPU.
 */
void rings_shrink(struct rings *r, uint32_t cpus, uint64_t max_bytes);

/* What they take in all, their pages of control included. */
uint64_t rings_bytes(const struct rings *r, uint32_t cpus);

#endif
