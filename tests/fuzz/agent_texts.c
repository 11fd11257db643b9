// SPDX-License-Identifier: Apache-2.0
/*
 * What one of our processes tells another, or a recording tells a later slowburn, before anything is done: a job ('j', then its
 * bytes) or the facts of a capture ('f', then their text). What is accepted is within its bounds, and is the same
 * when it is written and read again.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/facts.h"
#include "profiler/agent/job.h"

#define MAX_FACTS_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void same(const struct buffer *a, const struct buffer *b)
{
	check(buffer_error(a) == 0 && buffer_error(b) == 0);
	check(a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}

static void job_is_sound(const struct job *j)
{
	const struct session_config *s = &j->session;

	check(j->part_count <= JOB_MAX_PARTS && s->comm_count <= SESSION_MAX_COMMS &&
	      s->pid_count <= SESSION_MAX_TARGETS && s->tid_count <= SESSION_MAX_TARGETS);
	for (uint32_t i = 0; i < s->comm_count; i++)
		check(strlen(s->comms[i]) < 32);
	for (uint32_t i = 0; i < j->part_count; i++)
		check(j->parts[i].format && j->parts[i].root.count <= ROOT_MAX_KEYS);
	check(memchr(j->cgroups.mount, '\0', sizeof(j->cgroups.mount)));
}

static void job_read(const uint8_t *data, size_t size)
{
	struct buffer bytes = BUFFER_INIT(JOB_MAX_BYTES), once = BUFFER_INIT(JOB_MAX_BYTES),
		      twice = BUFFER_INIT(JOB_MAX_BYTES);
	struct job first, second;

	buffer_append(&bytes, data, size);
	if (buffer_error(&bytes) == 0 && job_parse(&first, &bytes) == 0) {
		job_is_sound(&first);
		job_write(&first, &once);
		check(job_parse(&second, &once) == 0);
		job_write(&second, &twice);
		same(&once, &twice);
	}
	buffer_release(&bytes);
	buffer_release(&once);
	buffer_release(&twice);
}

static void facts_read(const uint8_t *data, size_t size)
{
	struct buffer once = BUFFER_INIT(MAX_FACTS_BYTES), twice = BUFFER_INIT(MAX_FACTS_BYTES);
	struct facts first = { 0 }, second = { 0 };
	struct err err = { 0 };
	char *text = malloc(size ? size : 1); /* without a NUL behind it */

	check(text);
	memcpy(text, data, size);
	if (facts_parse(&first, text, size, &err) == 0) {
		facts_write(&first, &once);
		check(facts_parse(&second, once.data, once.len, &err) == 0);
		facts_write(&second, &twice);
		same(&once, &twice);
	}
	free(text);
	buffer_release(&once);
	buffer_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] == 'j')
		job_read(data + 1, size - 1);
	if (data[0] == 'f')
		facts_read(data + 1, size - 1);
	return 0;
}
