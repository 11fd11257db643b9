/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `slowburn store` has the storekeeper do, a process that has the store's files and no right to anything.
 *
 *	command			storekeeper
 *	FILE, many	→	struct catalog_file, and its descriptor
 *	JOB		→	struct storekeeper_job
 *			←	ANSWER, many: text, or the exported profile
 *			←	ENDED: struct storekeeper_result, and a sentence if it failed
 */
#ifndef STOREKEEPER_JOB_H
#define STOREKEEPER_JOB_H

#include <stdbool.h>
#include <stdint.h>

#define STOREKEEPER_ROLE "storekeeper"
#define STOREKEEPER_MAX_FILES 4000u
#define STOREKEEPER_MAX_MESSAGE_BYTES (256u << 10)

enum storekeeper_message {
	STOREKEEPER_FILE = 1,
	STOREKEEPER_JOB,
	STOREKEEPER_ANSWER = 100,
	STOREKEEPER_ENDED,
};

enum storekeeper_kind { STOREKEEPER_INFO, STOREKEEPER_VERIFY, STOREKEEPER_EXPORT };

struct storekeeper_job {
	uint32_t kind;
	uint32_t reserved;
	uint64_t from_ns, to_ns, window_ns; /* what is exported (store/reader.h) */
};

struct storekeeper_result {
	int32_t status; /* 0, or negative errno: it could not be done */
	uint32_t bad; /* damaged files */
};

/* The body. Returns an exit status. */
int storekeeper_serve(int socket);

#endif
