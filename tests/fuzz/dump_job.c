// SPDX-License-Identifier: Apache-2.0
/*
 * A job of the dumper's. It has half a megabyte, nearly all of it addresses, which may be anything: so the input is laid over
 * the fields before them, then over those behind, and over nothing else. What is accepted is within its bounds.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/dump/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* As much of it as there is. */
static void lay(char *over, size_t bytes, const uint8_t **data, size_t *size)
{
	size_t n = *size < bytes ? *size : bytes;

	memcpy(over, *data, n);
	*data += n;
	*size -= n;
}

static void read_again(const struct buffer *bytes)
{
	static struct dump_job job;

	if (dump_job_parse(&job, bytes) < 0)
		return;
	check(job.kind < DUMP_KIND_COUNT && job.pid_count <= DUMP_MAX_PIDS &&
	      job.address_count <= DUMP_MAX_ADDRESSES);
	check(strlen(job.name) < sizeof(job.name) && strlen(job.path) < sizeof(job.path));
	check(job.pid_count <= 1 || job.kind == DUMP_STACKS || job.kind == DUMP_CENSUS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t before = offsetof(struct dump_job, addresses);
	const size_t behind = offsetof(struct dump_job, name);
	struct buffer bytes = BUFFER_INIT(DUMP_MAX_JOB_BYTES);
	char *job;

	buffer_append(&bytes, data, size);
	read_again(&bytes);
	buffer_clear(&bytes);
	job = buffer_extend(&bytes, sizeof(struct dump_job));
	check(job);
	memset(job, 0, sizeof(struct dump_job));
	lay(job, before, &data, &size);
	lay(job + behind, sizeof(struct dump_job) - behind, &data, &size);
	read_again(&bytes);
	buffer_release(&bytes);
	return 0;
}
