/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the storekeeper tells of its store.
 */
#ifndef STOREKEEPER_FIGURES_H
#define STOREKEEPER_FIGURES_H

#include "profiler/store/writer.h"
#include "profiler/storekeeper/protocol.h"

/* How windows fared that an agent sent. All zero: none yet. */
struct commits {
	uint64_t total_ns, longest_ns;
	uint64_t refused; /* messages */
};

void commits_add(struct commits *c, uint64_t took_ns);

void figures_of(const struct store_writer *w, int dirfd, uint64_t max_bytes,
		const struct commits *commits, struct keeper_figures *ret);

#endif
