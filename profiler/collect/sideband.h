/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to processes while we sample: one perf event per CPU that counts nothing and reports
 * fork, exec, exit and each mapping of executable memory, so that a process that lived 50 ms is known
 * afterwards; and BPF programs that come and go. Records carry CLOCK_MONOTONIC, as samples do.
 */
#ifndef COLLECT_SIDEBAND_H
#define COLLECT_SIDEBAND_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/collect/batch.h"

struct sideband {
	int fd; /* -1: closed */
	void *map; /* a page of control, then the ring */
	size_t map_bytes, ring_bytes;
};

#define SIDEBAND_CLOSED  \
	{                \
		.fd = -1 \
	}

/* With a ring of so many bytes, a power of two. 0 or negative errno; -ENODEV when the CPU isn't online. */
int sideband_open(struct sideband *ret, uint32_t cpu, uint32_t ring_bytes);
void sideband_close(struct sideband *s);

/* Moves what has come into the batch. 0 or -ENOMEM (refused records are counted, the rest is there). */
int sideband_drain(struct sideband *s, struct batch *batch);

#endif
