/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storekeeper, the one process that writes a store, and its two conversations. Frames as in role/socket.h.
 *
 *	supervisor		storekeeper
 *	JOB		→		struct keeper_job; descriptors: the store's directory, the agent's socket (if any yet)
 *			←	OPENED, or ENDED
 *	AGENT		→		another agent's socket, in place of the last one's
 *			←	FIGURES, every job.figures_ns, and before ENDED
 *			←	SAID, a sentence; one a minute of a kind at most
 *	STOP		→		once no agent is left: the file is ended
 *			←	ENDED: struct keeper_result, and a sentence if it failed
 *
 *	agent			storekeeper
 *			←	HELLO: what the store's last window is
 *	WINDOW		→		descriptor: memory (memfd_create) with its frame (store/packer.h)
 *			←	COMMITTED, DROPPED, or REPACK, of that window; then the next one may come
 *
 * A frame goes on from the file that COMMITTED named, or is whole: a whole one begins a file. What doesn't fit any more is asked for
 * again by REPACK: whole. Nothing that an agent sends is unpacked here, and nothing of it can make the storekeeper wait or end.
 */
#ifndef STOREKEEPER_PROTOCOL_H
#define STOREKEEPER_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/store/level.h"

#define STOREKEEPER_ROLE "storekeeper"
#define KEEPER_MAX_MESSAGE_BYTES 4096u
#define KEEPER_MAX_FRAME_BYTES (64u << 20)

enum keeper_message {
	/* from the supervisor */
	KEEPER_JOB = 1,
	KEEPER_AGENT,
	KEEPER_STOP,
	/* to it */
	KEEPER_OPENED = 50,
	KEEPER_FIGURES, /* struct keeper_figures */
	KEEPER_SAID,
	KEEPER_ENDED, /* struct keeper_result, and a sentence */
	/* from the agent */
	KEEPER_WINDOW = 100, /* struct keeper_window */
	/* to it */
	KEEPER_HELLO = 150, /* struct keeper_hello */
	KEEPER_COMMITTED, /* struct keeper_committed */
	KEEPER_DROPPED, /* struct keeper_dropped, and a sentence */
	KEEPER_REPACK, /* struct keeper_dropped: send it again, whole */
};

struct keeper_job {
	uint64_t max_bytes;
	uint64_t age_ns[STORE_LEVELS]; /* 0: as long as there is room */
	uint64_t sync_ns;
	uint64_t figures_ns;
	/*
	 * For what comes from files: nothing is rolled up or expires before STOP, then all that is due; ENDED comes when that
	 * is done.
	 */
	uint32_t import;
	uint32_t reserved;
};

/* docs/STORE.md's defaults; figures every 10 s. */
struct keeper_job keeper_job_default(void);

/* Of the store, and what was done since the storekeeper was started. */
struct keeper_figures {
	uint64_t bytes, max_bytes; /* on disk, as the limit counts it */
	uint64_t disk_free_bytes, disk_bytes;
	uint64_t windows, samples, bytes_written;
	uint64_t windows_dropped, samples_dropped;
	uint64_t expired_by_age, expired_by_bytes; /* files */
	uint64_t rolled_up, roll_ups_failed, sources_bad, syncs_failed;
	uint64_t refused; /* messages of an agent that made no sense */
	uint64_t commit_ns, commit_max_ns; /* in all, and the longest: from WINDOW to COMMITTED */
	struct {
		uint64_t files, bytes;
		uint64_t from_ns,
			to_ns; /* CLOCK_REALTIME; 0: nothing there. By the files' names: whole hours or days */
	} levels[STORE_LEVELS];
	uint64_t last_start_ns, last_end_ns; /* of the last window, CLOCK_REALTIME */
};

struct keeper_result {
	int32_t status; /* 0, or negative errno: it could not be written. -EBUSY: by another */
	uint32_t reserved;
};

struct keeper_window {
	uint64_t number; /* the agent's, for the reply */
	uint64_t file; /* that COMMITTED named; 0: it is whole, and begins one */
	uint64_t bytes; /* of the frame, from the memory's beginning on */
};

/* Of the last window of the last file that could be read. All zero: none. */
struct keeper_hello {
	uint64_t sequence;
	uint64_t start_ns, end_ns, monotonic_ns;
	uint64_t count;
};

struct keeper_committed {
	uint64_t number, sequence;
	uint64_t file; /* with which the next frame may go on */
	uint32_t full; /* the file has enough: the next window is to be whole */
	uint32_t reserved;
};

struct keeper_dropped {
	uint64_t number;
	int32_t status;
	uint32_t reserved;
};

/* The body of the process. Returns an exit status. */
int storekeeper_serve(int socket);

#endif
