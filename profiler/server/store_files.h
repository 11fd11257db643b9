/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a store, opened as whoever called, and handed to the process that reads them.
 */
#ifndef SERVER_STORE_FILES_H
#define SERVER_STORE_FILES_H

#include <stdint.h>

#include "profiler/base/err.h"

#define STORE_FILES_MAX_RANGES 2u

/* CLOCK_REALTIME; `to` is not in it. */
struct store_files_range {
	uint64_t from_ns, to_ns;
};

/*
 * Those that have part in any of the ranges, each once, as a message `type` with a struct
 * catalog_file and its descriptor. `patience_ns`: for each file. 0, or negative errno and a
 * sentence.
 */
int store_files_send_ranges(int dirfd, const struct store_files_range *ranges, uint32_t count,
			    int socket, uint32_t type, uint64_t patience_ns, struct err *err);

/* Of one range, for who has nothing else to do meanwhile. */
int store_files_send(int dirfd, uint64_t from_ns, uint64_t to_ns, int socket, uint32_t type,
		     struct err *err);

#endif
