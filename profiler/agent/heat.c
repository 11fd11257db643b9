// SPDX-License-Identifier: Apache-2.0
/*
 * A node's parent has a lower number: one pass from the end adds up what is below each, and gives it to its
 * location. A caller counts like a leaf: its line is in as many stacks.
 */
#include "profiler/agent/heat.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/agent/run.h"
#include "profiler/base/cleanup.h"

int heat_find(const struct window *w, uint64_t **ret_frames)
{
	_cleanup_(free_ptr) uint64_t *below = calloc(w->nodes.count + 1UL, sizeof(*below));
	uint64_t *frames = calloc(w->locations.count + 1UL, sizeof(*frames));

	if (!below || !frames) {
		free(frames); // NOLINT(clang-analyzer-unix.Malloc): freed by _cleanup_
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < w->samples.count; i++)
		below[w->samples.items[i].node] += w->samples.items[i].count;
	for (uint32_t i = w->nodes.count; i-- > 1;) {
		const struct window_node *n = &w->nodes.items[i];

		below[n->parent] += below[i];
		frames[n->location] += below[i];
	}
	*ret_frames = frames;
	return 0;
}

int heat_find_files(const struct window *w, uint32_t files, uint64_t **ret_frames)
{
	_cleanup_(free_ptr) uint64_t *of_location = NULL;
	uint64_t *frames = calloc(files + 1UL, sizeof(*frames));

	if (!frames || heat_find(w, &of_location) < 0) {
		free(frames);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < w->locations.count; i++) {
		uint32_t space = w->locations.items[i].space;

		if (space_is_file(space) && space - WINDOW_SPACE_FILES < files)
			frames[space - WINDOW_SPACE_FILES] += of_location[i];
	}
	*ret_frames = frames; // NOLINT(clang-analyzer-unix.Malloc): freed by _cleanup_
	return 0;
}
