/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a window's samples go through most.
 */
#ifndef AGENT_HEAT_H
#define AGENT_HEAT_H

#include <stdint.h>

#include "profiler/aggregate/window.h"

/* Frames of samples at each location of the window, by number; the caller's to free(). 0 or -ENOMEM. */
int heat_find(const struct window *w, uint64_t **ret_frames);

/* The same in each of `files` files. */
int heat_find_files(const struct window *w, uint32_t files, uint64_t **ret_frames);

#endif
