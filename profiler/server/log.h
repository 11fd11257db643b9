/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server says of itself: one line an event, on one descriptor. What may happen is one list,
 * so that whoever reads logs by machine has names to go by.
 *
 *	text	07:12:31 warning: the agent was ended by signal 9 (Killed) (role=agent, wait_s=1)
 *	logfmt	time=2025-11-23T07:12:31.042Z level=warning event=process-ended msg="…" role=agent …
 *	json	{"time":"…","level":"warning","event":"process-ended","msg":"…","role":"agent",…}
 *
 * To systemd's journal a line begins with its priority ("<4>", sd-daemon(3)) and has no time: the
 * journal has its own.
 *
 * Of each event 10 lines may follow one another, and one every 10 s after that; the next that is
 * written has suppressed=N.
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define LOG_BURST 10u
#define LOG_REFILL_NS (10 * 1000000000ULL)
#define LOG_MAX_LINE_BYTES 4096u

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

enum log_format { LOG_TEXT, LOG_LOGFMT, LOG_JSON };

/* X(identifier, "name", level) */
#define LOG_EVENTS(X)                                   \
	X(STARTING, "starting", LOG_INFO)               \
	X(LISTENING, "listening", LOG_INFO)             \
	X(READY, "ready", LOG_INFO)                     \
	X(STOPPING, "stopping", LOG_INFO)               \
	X(STOPPED, "stopped", LOG_INFO)                 \
	X(RELOAD, "reload", LOG_WARNING)                \
	X(TOKEN, "token", LOG_WARNING)                  \
	X(PROCESS_STARTED, "process-started", LOG_INFO) \
	X(PROCESS_ENDED, "process-ended", LOG_WARNING)  \
	X(PROCESS_STUCK, "process-stuck", LOG_ERROR)    \
	X(PROCESS_FAILED, "process-failed", LOG_ERROR)  \
	X(AGENT_SAID, "agent-said", LOG_WARNING)        \
	X(KEEPER_SAID, "storekeeper-said", LOG_WARNING) \
	X(WEB_SAID, "web-said", LOG_INFO)               \
	X(WINDOW_LOST, "window-lost", LOG_WARNING)      \
	X(READER_FAILED, "reader-failed", LOG_WARNING)

enum log_event {
#define X(id, name, level) LOG_EVENT_##id,
	LOG_EVENTS(X)
#undef X
		LOG_EVENT_COUNT
};

struct log_field {
	const char *name;
	const char *text; /* NULL: it is a number */
	uint64_t number;
};

struct log_config {
	int fd; /* borrowed */
	enum log_format format;
	enum log_level level; /* of what is written, and all that is worse */
	bool journal; /* it is systemd's journal that reads */
	uint64_t (*now_ns)(clockid_t id); /* NULL: the clocks */
};

struct log;

/* 0 or -ENOMEM. */
int log_new(struct log **ret, const struct log_config *config);
/* Says what was suppressed, and not told yet. */
void log_free(struct log *l);

/* Texts are escaped on their way, whatever is in them. `fields` (or NULL) come in their order. */
__attribute__((format(printf, 5, 6))) void log_write(struct log *l, enum log_event event,
						     const struct log_field *fields, size_t count,
						     const char *fmt, ...);

/* By their names, as options have them. False if there is none such. */
bool log_format_find(const char *name, enum log_format *ret);
bool log_level_find(const char *name, enum log_level *ret);

/*
 * Is what is written to `fd` read by systemd's journal? As `stream` ($JOURNAL_STREAM, or NULL) has
 * it: "device:inode".
 */
bool log_is_journal(int fd, const char *stream);

#endif
