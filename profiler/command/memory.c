// SPDX-License-Identifier: Apache-2.0
/*
 * What a person says about memory is one number. Options for single parts of it were refused: who
 * knows what the symbolizer needs? A cgroup's limit is for more than us (page cache, the kernel's own
 * tables), so that a fifth of it is left alone.
 */
#include "profiler/command/memory.h"

#include <errno.h>

#include "profiler/base/number.h"
#include "profiler/collect/cpus.h"
#include "profiler/command/memory_limit.h"

enum {
	OPTION_MEMORY = 0x700,
};

const struct argp_option memory_options[] = {
	{ "memory", OPTION_MEMORY, "SIZE", 0,
	  "the most that slowburn may take, its processes and what the kernel keeps for it, such as 256M "
	  "or 1G, at least 64M; without it 256M, or four fifths of the control group's limit if that is "
	  "less. What doesn't fit is left out, counted and told: samples of stacks that are new, names, "
	  "binaries",
	  21 },
	{ 0 },
};

int memory_take(uint64_t *ret_bytes, int key, const char *arg, struct err *err)
{
	uint64_t bytes;
	int r;

	if (key != OPTION_MEMORY)
		return 1;
	r = size_parse(arg, &bytes);
	if (r < 0)
		return err_set(err, -EINVAL, "memory \"%s\" is not a size such as 256M or 1G", arg);
	if (bytes < BUDGET_LEAST_BYTES)
		return err_set(err, -EINVAL, "memory \"%s\" is too little: 64M is the least", arg);
	*ret_bytes = bytes;
	return 0;
}

_Static_assert(BUDGET_LEAST_BYTES == 64 << 20 && BUDGET_DEFAULT_BYTES == 256 << 20,
	       "the help says so");

int memory_divide(uint64_t asked, uint64_t cgroup_limit, uint32_t cpus,
		  struct session_config *session, struct budget *ret, struct err *err)
{
	session->ring_bytes_max = budget_kernel_most(budget_total(asked, cgroup_limit));
	return budget_divide(ret, asked, cgroup_limit, session_kernel_bytes(session, cpus), err);
}

int memory_share(uint64_t asked, struct job *job, struct err *err)
{
	struct cpus online;
	int r = cpus_read_online(&online);

	if (r < 0)
		return err_errno(err, r, "cannot read which CPUs there are");
	r = memory_divide(asked, memory_limit_find(), cpus_count(&online), &job->session,
			  &job->budget, err);
	if (r == 0 && job->watch)
		budget_go_on(&job->budget);
	return r;
}
