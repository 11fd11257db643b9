// SPDX-License-Identifier: Apache-2.0
/*
 * A job as it is in memory: both ends are the same program, and it is checked all the same.
 */
#include "profiler/reader/job.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct reader_job) <= READER_MAX_JOB_BYTES, "a job fits its message");
_Static_assert(MATCHERS_MAX_BYTES == PATTERN_MAX_BYTES, "any parameter fits");

int reader_job_query(const struct reader_job *j, struct query **ret, struct err *err)
{
	struct query *q;
	int r = query_new(&q);

	if (r < 0)
		return err_errno(err, r, "cannot set up the query");
	for (int i = 0; i < QUERY_PARAMETER_COUNT && r == 0; i++)
		if (j->given[i])
			r = query_set(q, (enum query_parameter)i, j->parameters[i], err);
	if (r < 0)
		query_free(q);
	else
		*ret = q;
	return r;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

int reader_job_parse(struct reader_job *ret, const struct buffer *bytes)
{
	bool valid;

	if (bytes->len != sizeof(*ret))
		return -EPROTO;
	memcpy(ret, bytes->data, sizeof(*ret));
	valid = ret->file_count >= 1 && ret->file_count <= READER_MAX_FILES &&
		ret->part_count >= 1 && ret->part_count <= READER_MAX_PARTS &&
		(unsigned int)ret->mode <= DIFF_RELATIVE && ret->by.count <= GROUPS_MAX_KEYS &&
		ret->root.count <= ROOT_MAX_KEYS;
	for (size_t i = 0; i < READER_MAX_PARTS; i++)
		valid &= ends(ret->parts[i].format, sizeof(ret->parts[i].format));
	for (size_t i = 0; i < QUERY_PARAMETER_COUNT; i++)
		valid &= ends(ret->parameters[i], sizeof(ret->parameters[i]));
	for (size_t i = 0; i < READER_MAX_FILES; i++)
		valid &= ends(ret->names[i], sizeof(ret->names[i]));
	for (size_t i = 0; i < GROUPS_MAX_KEYS; i++)
		valid &= ends(ret->by.keys[i], sizeof(ret->by.keys[i]));
	for (size_t i = 0; i < ROOT_MAX_KEYS; i++)
		valid &= ends(ret->root.keys[i], sizeof(ret->root.keys[i]));
	return valid ? 0 : -EPROTO;
}
