/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation between the supervisor and the web process, which is descriptor 3 of the latter. Frames as in role/socket.h.
 *
 *	supervisor		web
 *	JOB		→		struct web_job; descriptors: listening sockets, 1 to WEB_MAX_LISTENERS
 *			←	READY	or it ends, after a LOG that says why
 *	STATUS		→		struct web_status, once a second and when a window was committed
 *			←	CUT	struct web_cut: end the current window now
 *	CUT_DONE	→		struct web_cut_done, when what was sampled until then can be read from the store, or never will
 *			←	READER	struct web_reader: a reader with the store's files for these ranges
 *	READER_REPLY	→		struct web_reader_reply; a descriptor, its socket, or a sentence
 *			←	READER_LEFT	struct web_reader_left: what that reader has to say, nobody waits for
 *			←	LOG	a line of text, to be logged; at most 64 at once and one a second after that count
 *
 * The two requests have ids of one counter, from 1 on; replies come in any order, one for each. The supervisor starts at most WEB_MAX_READERS
 * readers at a time (-EAGAIN beyond) and kills each after WEB_READER_NS, or when it is left: a reader that works doesn't look
 * whether its socket was closed. The web process ends when the conversation does; nobody waits for it, clients come again.
 *
 * The web process is not trusted: all that it can cause by this is cuts (of which the agent takes only so many), readers, lines in the log.
 */
#ifndef WEB_CONTROL_H
#define WEB_CONTROL_H

#include <stdint.h>

#include "web/figures.h"

#define WEB_ROLE "web"
#define WEB_PROGRAM "slowburn-web" /* beside slowburn */

#define WEB_MAX_LISTENERS 4 /* TCP, or unix stream sockets */
#define WEB_MAX_UIDS 64
#define WEB_MAX_HOSTS 16
#define WEB_MAX_READERS 4u
#define WEB_READER_NS (30 * 1000000000ULL)
#define WEB_MAX_LINE 512 /* of a LOG */
#define WEB_MAX_SENTENCE 512
#define WEB_MAX_BYTES (16u << 10) /* of any message, in both directions */

enum web_message {
	WEB_JOB = 1,
	WEB_STATUS,
	WEB_CUT_DONE,
	WEB_READER_REPLY,

	WEB_READY = 50,
	WEB_CUT,
	WEB_READER,
	WEB_LOG,
	WEB_READER_LEFT,
};

/* 0 in a limit: the default, which is beside it. */
struct web_limits {
	uint32_t connections; /* 512; who has no authority by uid gets half of them */
	uint32_t captures; /* 32 at a time */
	uint32_t readers; /* 2 at a time, at most WEB_MAX_READERS */
	uint32_t queued; /* 64 questions that wait for a reader */
	uint32_t capture_seconds; /* 3600: the longest */
	uint32_t reserved;
	uint64_t cache_bytes; /* 16 MiB */
	uint64_t answer_bytes; /* 32 MiB: of one answer; four of it for all that are being sent */
};

/* Texts end with a NUL. */
struct web_job {
	char version[64]; /* of slowburn; the first, since another version may have another job */
	struct web_limits limits;
	uint32_t uid_count; /* who has authority on loopback beside uid 0 */
	uint32_t uids[WEB_MAX_UIDS];
	uint32_t host_count; /* names and addresses that may stand in Host, beside loopback's; without port */
	char hosts[WEB_MAX_HOSTS][256];
	char token[128]; /* what others have to show; "": nobody else gets in */
	char token_file[256]; /* its path, for the sentence that says where it is */
	char group[64]; /* whose members have authority, for the same */
	char command_line
		[1024]; /* for /debug/pprof/cmdline: arguments, each with its NUL; an empty one ends */
};

struct web_cut {
	uint64_t id;
};

struct web_cut_done {
	uint64_t id;
	uint64_t end_ns; /* CLOCK_REALTIME: the end of the window, and the start of the next */
	int32_t status; /* 0; -EAGAIN: too many cuts; or why what was sampled is not in the store */
	uint32_t reserved;
};

struct web_range {
	uint64_t from_ns, to_ns; /* CLOCK_REALTIME: windows that start then; from_ns < to_ns */
};

struct web_reader {
	uint64_t id;
	uint32_t range_count; /* 1 or 2 */
	uint32_t reserved;
	struct web_range ranges[2];
};

struct web_reader_left {
	uint64_t id; /* of the request for it; one that has ended is no more */
};

struct web_reader_reply {
	uint64_t id;
	int32_t status; /* 0; -EAGAIN: too many readers; another negative errno, and a sentence behind it */
	uint32_t reserved;
};

#endif
