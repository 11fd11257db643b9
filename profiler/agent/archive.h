/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's side of the storekeeper: windows on their way into the store. Nothing here waits. A window is held as samples and
 * moments, and packed when it is sent, one at a time: a storekeeper that was replaced begins a file, and gets a frame that is whole.
 * So it is held until the storekeeper says that it is in the store, or refuses it.
 *
 *	archive_turns()? ──→ archive_part() ──→ a new profile          once an hour
 *	samples of a window into the profile ──→ archive_append() ──→ profile_clear_samples()
 *	archive_poll(), whenever archive_fd() has something to read and after archive_append(): until it gives 0
 *
 * Held are ARCHIVE_MAX_WINDOWS at most, ARCHIVE_MAX_BYTES of samples, and ARCHIVE_MAX_PARTS profiles; beyond that the oldest go. What is
 * dropped, here or there, is counted in `counters` (WINDOWS_DROPPED_STORE, SAMPLES_DROPPED_STORE), and told by the next window that
 * gets there: what a profile says of these two itself is passed over. One thread.
 */
#ifndef AGENT_ARCHIVE_H
#define AGENT_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/model/profile.h"
#include "profiler/store/window.h"

#define ARCHIVE_MAX_WINDOWS 64u /* 10 min of them, or as many cuts on demand */
#define ARCHIVE_MAX_BYTES ((size_t)32 << 20)
#define ARCHIVE_MAX_PARTS 4u
#define ARCHIVE_MAX_FATES 256u

struct archive;

/* `counters` (or NULL) are borrowed. 0 or -ENOMEM. */
int archive_new(struct archive **ret, struct counters *counters);
/* What is still held is lost, and not counted. */
void archive_free(struct archive *a);

/* Takes the socket to a storekeeper, in place of one that has gone. All that is held is sent to it. */
void archive_connect(struct archive *a, int fd);

/* Does a window that starts then begin a file? Then it is the moment for a new profile: names that nothing uses are left behind. */
bool archive_turns(const struct archive *a, uint64_t start_ns);

/*
 * Copies samples, facts, counters and moments of a window. `p` is borrowed, and is the same in all calls, until archive_part(); it may
 * grow. 0; -ENOMEM, -E2BIG (it is too large), -EINVAL (a moment is of no sample): it was dropped, and counted.
 */
int archive_append(struct archive *a, struct profile *p, const struct store_window *w);

/* Takes what is in `p`, which is all zero then, if windows of it are held; else releases it. 0, or -ENOMEM: those were dropped. */
int archive_part(struct archive *a, struct profile *p);

/* The number of the window that was appended last, dropped or not; the first has 1. */
uint64_t archive_number(const struct archive *a);

/* What became of a window. */
struct archive_fate {
	uint64_t number;
	uint64_t sequence; /* its number in the store; 0: it was dropped, or it is not known */
	uint64_t start_ns, end_ns; /* CLOCK_REALTIME */
	uint64_t samples;
	int32_t status; /* 0: it is in the store; or negative errno */
};

/* The socket, to be polled for POLLIN; -1: there is none. */
int archive_fd(const struct archive *a);

/*
 * Hears and sends what can be heard and sent. 1: *ret, of one window, each once (but for those that nobody asked for in time:
 * ARCHIVE_MAX_FATES are kept). 0: nothing more now. -EPIPE, -EPROTO: the
 * storekeeper has gone, or talks nonsense, and was let go: said once, and what is held waits for archive_connect().
 */
int archive_poll(struct archive *a, struct archive_fate *ret);

struct archive_status {
	uint32_t windows, parts; /* held */
	size_t bytes; /* of held samples and moments */
	uint64_t committed, dropped; /* windows so far */
	struct err why; /* of what was dropped last; "" if nothing was */
};

void archive_status(const struct archive *a, struct archive_status *ret);

#endif
