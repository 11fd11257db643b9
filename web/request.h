/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request, from its first line until its answer was sent. What can't be answered at once is suspended: libmicrohttpd doesn't look at its
 * connection until the answer is there, and whether the client is still there is looked at here.
 */
#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <microhttpd.h>

#include "profiler/base/err.h"
#include "web/answer.h"
#include "web/captures.h"
#include "web/questions.h"
#include "web/source.h"
#include "web/target.h"

struct server;
struct connection;

struct request {
	struct server *server;
	struct connection *connection;
	struct MHD_Connection *mhd;
	LIST_ENTRY(request) link; /* of all that wait */
	struct target target;
	struct err refused; /* why the target can't be read */
	int target_status; /* what target_parse() said */
	bool begun; /* libmicrohttpd has shown the header */
	bool decided; /* by then it has an answer, or waits */
	bool of_pprof; /* its path is under /debug/pprof */
	bool waits; /* it is suspended, or about to be */
	size_t uploaded;
	struct answer *answer; /* owned; when it is there */
	struct capture capture;
	struct waiter waiter;
	struct source client; /* tells that it went while it waited */
};

/* libmicrohttpd's callbacks; `cls` is the server. */
void *request_open(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_handle(void *cls, struct MHD_Connection *mhd, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_len, void **context);
void request_close(void *cls, struct MHD_Connection *mhd, void **context,
		   enum MHD_RequestTerminationCode code);

/* For what answers it: with an error, a page … NULL: no memory. */
struct answer *request_text(const struct request *q, uint32_t status, const char *sentence);
struct answer *request_body(const struct request *q, const char *content_type, struct buffer *body);

/* It waits for this. The answer, or NULL: it waits, or there is no memory for that. */
struct answer *request_ask(struct request *q, const struct question_form *form);
/* Live: for so long, and then asks. */
struct answer *request_capture(struct request *q, uint64_t seconds);

/* All that wait are let go, before the server ends. */
void requests_abandon(struct server *s);

#endif
