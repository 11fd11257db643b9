// SPDX-License-Identifier: Apache-2.0
/*
 * A job as it is in memory: both ends are the same program, and it is checked all the same.
 */
#include "profiler/dump/job.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct dump_job) <= DUMP_MAX_JOB_BYTES, "a job fits its message");

uint64_t dump_job_sought(const struct dump_job *j, uint32_t i)
{
	return j->addresses[i] - (j->callers[i] && j->addresses[i]);
}

void dump_job_write(const struct dump_job *j, struct buffer *out)
{
	buffer_append(out, j, sizeof(*j));
}

int dump_job_parse(struct dump_job *ret, const struct buffer *bytes)
{
	if (bytes->len != sizeof(*ret))
		return -EPROTO;
	memcpy(ret, bytes->data, sizeof(*ret));
	if ((unsigned int)ret->kind >= DUMP_KIND_COUNT || ret->pid_count > DUMP_MAX_PIDS ||
	    ret->address_count > DUMP_MAX_ADDRESSES ||
	    !memchr(ret->name, '\0', sizeof(ret->name)) ||
	    !memchr(ret->path, '\0', sizeof(ret->path)) ||
	    (ret->kind == DUMP_TABLE && ret->pid_count > 1) ||
	    (ret->kind == DUMP_STACKS && !ret->pid_count) ||
	    (ret->kind == DUMP_NAMES && ret->pid_count > 1))
		return -EPROTO;
	return 0;
}
