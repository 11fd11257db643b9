/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's side of the symbolizer: starts it, asks it, and starts it again when it died, hung
 * (deadline) or lied (symbols_check refused its reply); the request at fault then fails and is not
 * repeated. Counts SYMBOLIZER_FAILED. Not thread safe.
 */
#ifndef AGENT_SYMBOLS_H
#define AGENT_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/peer.h"
#include "profiler/base/counter.h"
#include "profiler/base/err.h"
#include "profiler/role/starter.h"
#include "symbolizer/protocol.h"

struct symbols_client;

/* Borrows both. Starts the process, which is then ready by the time it is needed. */
int symbols_client_new(struct symbols_client **ret, const struct starter *starter,
		       struct counters *counters, struct err *err);
void symbols_client_free(struct symbols_client *c);

/* Of a request from its first byte sent to its last received. For tests; the default is 1.5 s; for the kernel 4 times. */
void symbols_client_set_deadline(struct symbols_client *c, uint64_t ns);

/*
 * From now on indexes of lines are sought and kept in the supervisor's cache, which is asked by `service` (role/service.h),
 * borrowed. Without this call none are (agent/line_index.h).
 */
void symbols_client_keep_indexes(struct symbols_client *c, int service);

/* From now on requests for lines fail with -ECANCELED as soon as somebody says so; borrowed. NULL: nobody can. */
void symbols_client_on_hurry(struct symbols_client *c, const struct peer_hurry *hurry);

/*
 * Names of `count` ascending addresses (≤ SYMBOLS_MAX_ADDRESSES) of the file `fds[0]`, or of the
 * kernel. On success *ret, and its bytes (*ret_bytes, *ret_len: for a recording), stay valid until
 * the next call. 0, or negative errno and a sentence. When failed requests have cost 10 s (of which 1 s is given back in 10), every
 * further one fails at once.
 */
int symbols_client_ask(struct symbols_client *c, enum symbol_space space, const int *fds,
		       uint32_t fd_count, const uint64_t *addresses, uint32_t count,
		       struct symbols *ret, const void **ret_bytes, uint32_t *ret_len,
		       struct err *err);

/*
 * The same for code that a process made (SYMBOLS_CODE): ≤ SYMBOLS_MAX_CODE_ADDRESSES, each with its moment.
 */
int symbols_client_ask_code(struct symbols_client *c, const int *fds, uint32_t fd_count,
			    const uint64_t *addresses, const struct symbol_moment *moments,
			    uint32_t count, struct symbols *ret, const void **ret_bytes,
			    uint32_t *ret_len, struct err *err);

/*
 * The unwind table of the file `fd`, as `request` says. On success *ret stays valid until the next call of either
 * kind. Errors as above; no recording has these.
 */
int symbols_client_unwind(struct symbols_client *c, int fd, const struct unwind_request *request,
			  struct unwind_answer *ret, struct err *err);

/*
 * What a file says of its debug files, or whether another one is of them (enum debug_question). *ret is the
 * caller's. Errors as above.
 */
int symbols_client_debug(struct symbols_client *c, enum debug_question question, const int *fds,
			 uint32_t fd_count, struct debug_reply *ret, struct err *err);

/*
 * Lines and inlined functions of `count` ascending ELF addresses (<= SYMBOLS_MAX_ADDRESSES), by the DWARF of the file `fds[0]`
 * and, if there are two, of its alternate file. A file asked about the first time is read whole, which may
 * take longer than any other request: `deadline_ns` is of this one, and to miss it (-ETIMEDOUT),
 * or to be wanted no more (-ECANCELED), is no failure that is counted. On success *ret stays valid until the next call of any kind.
 * Errors as above.
 */
int symbols_client_lines(struct symbols_client *c, const int *fds, uint32_t fd_count,
			 const uint64_t *addresses, uint32_t count, uint64_t deadline_ns,
			 struct lines_answers *ret, struct err *err);

/*
 * For people: what became of the index of the last symbols_client_lines(): "used, from DIR", "made, and kept in DIR", "made, and not
 * kept: REASON"; "" if the symbolizer still had it. Valid until the next call.
 */
const char *symbols_client_index(const struct symbols_client *c);

/* Was the last request sent? If it failed then, the file may be the reason; if not, it can't. */
bool symbols_client_asked(const struct symbols_client *c);

#endif
