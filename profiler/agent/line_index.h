/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes of lines (symbolizer/lines.h) that were made in earlier runs, or are to be there in later ones: named
 * here, kept by the supervisor (profiler/cache/cache.h), made and read by the symbolizer.
 *
 * An index's name is all that tells one state of its files from another: device, inode, size and time of last change (ctime) of the file
 * and of its alternate file, and which slowburn made it; so none can be taken for another's, whatever is in the files.
 * Nothing is kept of a file that has no name any more (a copy in memory, or deleted), or that changed within the last
 * second or while it was read: it could change once more in the same tick of the clock.
 *
 * Whatever goes wrong with the cache, lines come as they would without. Counts LINE_INDEXES_… Not thread safe.
 */
#ifndef AGENT_LINE_INDEX_H
#define AGENT_LINE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/counter.h"
#include "profiler/cache/cache.h"
#include "profiler/role/service.h"
#include "profiler/role/socket.h"

struct line_index {
	int service; /* borrowed; -1: there is no cache, or it has failed */
	struct counters *counters; /* borrowed */
	struct service_cache_word word; /* the cache's path, or why there is none */
	/* Of the request under way: */
	char name[CACHE_MAX_NAME_BYTES + 1]; /* "": it has none */
	int fd; /* found; -1 */
	int room; /* to write to; -1 */
	/* Of the last one, for people: what became of its index; "": it was still there. */
	char result[SERVICE_MAX_BYTES + 160];
};

/* `service`: the supervisor's socket, borrowed; -1: nothing is kept. */
void line_index_init(struct line_index *x, int service, struct counters *counters);
void line_index_release(struct line_index *x);

/*
 * Before a request about files[0] and, if there are two, its alternate file: adds up to two descriptors, valid until _end(), behind
 * them in ret_fds, and says which all are (LINES_WITH_…).
 */
uint32_t line_index_begin(struct line_index *x, const int *files, uint32_t file_count,
			  int ret_fds[static SOCKET_MAX_FDS], uint32_t *ret_count);

/*
 * After it: `flags` of the reply; or 0, and `failed` if it died or lied (to take long is no sign of that). An index over which the symbolizer failed
 * is removed: it may be the reason.
 */
void line_index_end(struct line_index *x, const int *files, uint32_t file_count, uint32_t flags,
		    bool failed);

#endif
