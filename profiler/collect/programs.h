/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF programs and maps of a session: loaded for one configuration, then read. All calls from one
 * thread.
 */
#ifndef COLLECT_PROGRAMS_H
#define COLLECT_PROGRAMS_H

#include <stdint.h>

#include "bpf/counters.h"
#include "profiler/base/err.h"
#include "profiler/collect/batch.h"
#include "profiler/collect/session.h"
#include "profiler/collect/tables.h"

struct programs;

/*
 * Loads, attaches what follows processes, and fills in the filters. `cpus` is how many CPU numbers
 * there can be, `ring_bytes` the size of each ring. 0, or negative errno and a sentence.
 */
int programs_load(struct programs **ret, const struct session_config *config, uint32_t cpus,
		  uint32_t ring_bytes, struct err *err);
void programs_free(struct programs *p);

/* Makes sure that CPU `cpu` has a ring buffer. 0 or negative errno. */
int programs_add_ring(struct programs *p, uint32_t cpu);

/* What a ticker attaches; borrowed. */
int programs_sampler_fd(const struct programs *p);

/* Adds a process to the filter. 0, -ENOSPC when it is full, or negative errno. */
int programs_add_target(struct programs *p, uint32_t pid);

/* Moves the samples that have come into the batch. 0 or -ENOMEM. */
int programs_drain(struct programs *p, struct batch *batch);

/*
 * Adds all BPF programs that are loaded now to the batch, as EVENT_BPF_LISTED and, if it was all of them,
 * EVENT_BPF_LIST_END. 0, -ENOTSUP if this kernel can't list them to us, or negative errno.
 */
int programs_list(struct programs *p, struct batch *batch);

/* Adds up what the CPUs counted. 0 or negative errno. */
int programs_tally(struct programs *p, struct bpf_tally *ret);

/* Borrowed. */
struct tables *programs_tables(const struct programs *p);

/* What the kernel said the maps take when they were made, but for `processes`, which grows by 96 bytes for each. */
uint64_t programs_memory_bytes(const struct programs *p);

#endif
