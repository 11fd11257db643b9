/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a store, opened as whoever called, and handed to the process that reads them.
 */
#ifndef COMMAND_STORE_FILES_H
#define COMMAND_STORE_FILES_H

#include <stdint.h>

#include "profiler/base/err.h"

/*
 * Those that have part in a range of time (CLOCK_REALTIME, [from, to)), each as a message `type` with a struct
 * catalog_file and its descriptor. 0, or negative errno and a sentence.
 */
int store_files_send(int dirfd, uint64_t from_ns, uint64_t to_ns, int socket, uint32_t type,
		     struct err *err);

#endif
