/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor has the dumper do, and the conversation about it.
 *
 *	supervisor		dumper
 *	JOB		→
 *			←	OUTPUT, many: for standard output
 *			←	SAID, if something failed that is no reason to end
 *			←	ENDED
 */
#ifndef DUMP_JOB_H
#define DUMP_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"

#define DUMP_MAX_PIDS 1024u
#define DUMP_MAX_ADDRESSES 65536u /* SYMBOLS_MAX_ADDRESSES */
#define DUMP_MAX_JOB_BYTES (1u << 20)
#define DUMP_MAX_OUTPUT_BYTES (256u << 10) /* of one message */

enum dump_message {
	DUMP_JOB =
		1, /* dump_job_write()'s bytes; descriptors: the service socket, the file if there is one */
	DUMP_OUTPUT = 100,
	DUMP_SAID, /* a sentence */
	DUMP_ENDED, /* struct dump_result, and a sentence if it failed */
};

struct dump_result {
	int32_t status; /* 0; negative errno: nothing, or not all, could be shown */
	uint32_t failed; /* processes and threads without a stack */
	uint32_t differ; /* frames */
	uint32_t reserved;
};

enum dump_kind { DUMP_STACKS, DUMP_TABLE, DUMP_CENSUS, DUMP_NAMES, DUMP_KIND_COUNT };

struct dump_job {
	enum dump_kind kind;
	bool verify, json, rows, inlines, addressed, raw;
	uint32_t supervisor_pid; /* which, and whose children, are not looked at */
	uint32_t pid_count, address_count;
	uint32_t pids[DUMP_MAX_PIDS]; /* of a table and of names at most one; none: the file that came with it */
	uint64_t addresses[DUMP_MAX_ADDRESSES];
	bool callers[DUMP_MAX_ADDRESSES]; /* of names: the address is where a call comes back to */
	char name[256]; /* of the file, as it was called; "" */
	char path[4096]; /* the same from the root on: where its debug files are looked for; "" */
};

/* What to look up for address number `i`: that of a caller is within its call. */
uint64_t dump_job_sought(const struct dump_job *j, uint32_t i);

void dump_job_write(const struct dump_job *j, struct buffer *out);
/* 0 or -EPROTO. */
int dump_job_parse(struct dump_job *ret, const struct buffer *bytes);

/* The dumper's body. Returns an exit status. */
int dumper_serve(int socket);

#endif
