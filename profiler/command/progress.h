/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line on a terminal while a capture runs: time, samples, lost. Nothing anywhere else.
 */
#ifndef COMMAND_PROGRESS_H
#define COMMAND_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool shown; /* is there anybody to show it to? */
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; end 0: until it is interrupted */
	uint64_t next_ns;
	uint32_t drawn; /* columns that the line takes now */
};

/* `quiet`: the terminal is somebody else's, such as the profiled command's. */
void progress_begin(struct progress *p, uint64_t now_ns, uint64_t duration_ns, bool quiet);
/* Draws four times a second, however often it is called. */
void progress_update(struct progress *p, uint64_t now_ns, uint64_t samples, uint64_t lost);
/* Leaves the line as if nothing had been there. */
void progress_clear(struct progress *p);

#endif
