/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A symbolizer that reads lines in the background: asked here, answered when it has got round to
 * it, and looked at in between. Nothing waits but for the supervisor, who starts it and keeps its
 * indexes. When it died, hung or lied it is given up, as agent/peer.h has it. One question at a
 * time. Not thread safe.
 */
#ifndef AGENT_LINE_READER_H
#define AGENT_LINE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/counter.h"
#include "profiler/role/starter.h"
#include "symbolizer/protocol.h"

struct line_reader;

#define LINE_READER_MAX_ADDRESSES \
	1024u /* of a question: it and its answer fit into sockets' and our memory */

/* Borrows all but `service` (-1: no indexes are kept). Starts nothing. 0 or -ENOMEM. */
int line_reader_new(struct line_reader **ret, const struct starter *starter, int service,
		    struct counters *counters);
void line_reader_free(struct line_reader *r);

/*
 * Asks for lines of ascending ELF addresses by these files, as symbols_client_lines(); starts the
 * process if there is none. 0: the answer will come; or negative errno: it was not asked.
 */
int line_reader_ask(struct line_reader *r, const int *fds, uint32_t fd_count,
		    const uint64_t *vaddrs, uint32_t count);

/* Is there a question without an answer? */
bool line_reader_is_asked(const struct line_reader *r);

/*
 * 1: the answer has come, and *ret is valid until the next call of any kind; 0: not yet; negative
 * errno: there is none, and the process was given up: -EPIPE, it died; -EPROTO or -EINVAL, it talks
 * nonsense.
 */
int line_reader_poll(struct line_reader *r, struct lines_answers *ret);

/*
 * CPU time since the question was asked; of the present process; of all. That which can't be read
 * is as long as it took.
 */
uint64_t line_reader_question_ns(const struct line_reader *r);
uint64_t line_reader_process_ns(const struct line_reader *r);
uint64_t line_reader_cpu_ns(const struct line_reader *r);

/* Gives up the process, and the question. An index that it was handed is not to blame. */
void line_reader_stop(struct line_reader *r);

/* Is there a process? */
bool line_reader_runs(const struct line_reader *r);

#endif
