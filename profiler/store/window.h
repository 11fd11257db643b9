/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_WINDOW_H
#define STORE_WINDOW_H

#include <stdint.h>

#include "profiler/store/columns.h"

/*
 * What a window is beside its samples, facts and counters, which are a profile's. Windows are in the order of their
 * sequence numbers: what clocks say of them may go back, or leap.
 */
struct store_window {
	uint64_t start_ns, end_ns; /* CLOCK_REALTIME; start <= end */
	uint64_t monotonic_ns; /* CLOCK_MONOTONIC at the start */
	const struct columns_moment *moments; /* borrowed; when each sample was taken, or none */
	uint32_t moment_count;
};

/* How much memory the content of one file may take when it is read. */
struct store_limits {
	uint64_t text_bytes;
	uint32_t max_items; /* of each array */
};

#define STORE_LIMITS_DEFAULT                                    \
	{                                                       \
		.text_bytes = 256u << 20, .max_items = 1u << 24 \
	}

#endif
