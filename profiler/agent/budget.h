/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One number, --memory, divided into every limit there is: what each process may allocate, and what the
 * agent's tables may hold. What the kernel's rings take depends on CPUs and frequency and comes first; each
 * process then has what it can't do without, and a fixed part of the rest. Whatever a huge binary or a
 * busy host does, the sum holds; what doesn't fit is counted.
 *
 * The agent's share is used in turns. While BPF is loaded, libbpf holds the kernel's types (17 MiB of 5 MiB
 * of BTF), which are gone before the tables grow; while the answer is encoded, the encoder works where
 * batch, window and processes were. For that, freed memory must really be given back: budget_begin().
 */
#ifndef AGENT_BUDGET_H
#define AGENT_BUDGET_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/aggregate/window.h"
#include "profiler/base/err.h"
#include "profiler/model/profile.h"

#define BUDGET_DEFAULT_BYTES (256ULL << 20)
#define BUDGET_LEAST_BYTES (64ULL << 20)

struct budget {
	uint64_t total;
	/* Parts of it; their sum is at most `total`. */
	uint64_t kernel; /* BPF maps and perf rings */
	uint64_t tables; /* unwind tables, in the kernel, too */
	uint64_t agent; /* RLIMIT_DATA of the agent; the next five are parts of this */
	uint64_t batch; /* records that were drained and not yet counted */
	uint64_t window; /* counted stacks */
	uint64_t processes; /* processes, mappings, files */
	uint64_t profile; /* the named profile */
	uint64_t answer; /* its encoded form, where batch, window and processes were */
	uint64_t symbolizer; /* RLIMIT_DATA of it */
	uint64_t background; /* of who reads lines in a job that goes on; 0: there is none */
	uint64_t opener; /* of the opener */
	uint64_t fetcher; /* of the fetcher; copies of files too */
	uint64_t supervisor;
};

/* What there is to divide: `asked`, or if that is 0 the default, or 80 % of `cgroup_limit` if that is less. */
uint64_t budget_total(uint64_t asked, uint64_t cgroup_limit);

/* What rings may take of that; they shrink to it as far as they can (session_config.ring_bytes_max). */
uint64_t budget_kernel_most(uint64_t total);

/*
 * `total` 0: the default, or 80 % of `cgroup_limit` (UINT64_MAX: none) if that is less. `kernel_bytes` is
 * what rings and maps need (session_kernel_bytes). 0; or -EINVAL and a sentence that says how much it takes
 * at least.
 */
int budget_divide(struct budget *ret, uint64_t total, uint64_t cgroup_limit, uint64_t kernel_bytes,
		  struct err *err);

/*
 * The same of a job that goes on, which needs a background symbolizer and no room for an answer:
 * `b` is what was divided.
 */
void budget_go_on(struct budget *b);

/*
 * Shares as the limits of what they are for. `b` NULL: those of a replay, which has one process, and what
 * it reads was within a budget once.
 */
size_t budget_batch_bytes(const struct budget *b);
/* The window's share and the profile's, less its names: what fills the one is found again in the other. */
struct window_limits budget_window_limits(const struct budget *b);
uint32_t budget_processes(const struct budget *b);
uint32_t budget_files(const struct budget *b);
/* Room for whatever a full window becomes; `…_bytes` are for its names. */
uint32_t budget_profile_items(const struct budget *b);
size_t budget_profile_bytes(const struct budget *b);
/* What lines and inlined functions may add to its arrays; and what those take now that lines add to. */
uint64_t budget_lines_bytes(const struct budget *b);
uint64_t budget_lines_taken(const struct profile *p);

/*
 * From now on what is freed goes back to the kernel at once, but for small pieces; and a large array grows
 * without being copied. For a process that lives within a limit.
 */
void budget_begin(void);

#endif
