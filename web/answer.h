/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One answer, made once and sent to as many as want it: as it is, gzip'd, or as "not modified". Counted by references; one thread.
 */
#ifndef WEB_ANSWER_H
#define WEB_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <microhttpd.h>

#include "profiler/base/buffer.h"
#include "web/tally.h"

struct answer;

#define ANSWER_TEXT "text/plain; charset=utf-8"
#define ANSWER_HTML "text/html; charset=utf-8"
#define ANSWER_JSON "application/json"

/* What stands before the body. */
struct answer_head {
	uint32_t status;
	const char *content_type;
	const char *file_name; /* to save it by; NULL */
	bool of_pprof; /* of an address where go tool pprof asks: it shows no error without a certain field */
	bool cacheable; /* it has a tag, and clients may ask whether it is still the same */
};

/*
 * Takes the content of `body`. What it holds is counted in tally->answer_bytes until the last client has it. 0 or -ENOMEM.
 */
int answer_new(struct answer **ret, const struct answer_head *head, struct buffer *body,
	       struct tally *tally);
/* One sentence and the end of the line. NULL: no memory. */
struct answer *answer_text(uint32_t status, const char *sentence, bool of_pprof,
			   struct tally *tally);
struct answer *answer_ref(struct answer *a);
void answer_unref(struct answer *a);

/* One more field, before it is sent. 0 or -ENOMEM. */
int answer_add(struct answer *a, const char *name, const char *value);

size_t answer_bytes(const struct answer *a);

struct answer_wish {
	bool gzip;
	const char *if_none_match; /* or NULL */
};

/* MHD_NO: it can't be sent, and the connection is to be closed. */
enum MHD_Result answer_send(struct answer *a, struct MHD_Connection *to,
			    const struct answer_wish *wish);

#endif
