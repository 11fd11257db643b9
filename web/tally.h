/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the web process counts of itself. Every request that gets no answer, and why, is in here; /metrics is made of it.
 *
 * X(identifier, "metric", "labels", "help"): those of one name stand together and have one help.
 */
#ifndef WEB_TALLY_H
#define WEB_TALLY_H

#include <stdint.h>

#define TALLY_HELP_REQUESTS "requests answered, by status"
#define TALLY_HELP_REFUSED "connections not taken, by reason"
#define TALLY_HELP_CUT "connections that were closed on the client, by reason"
#define TALLY_HELP_ANSWERS "answers to questions about profiles, by where they came from"

/* clang-format off */
#define TALLIES(X) \
	X(REQUESTS_2XX, "http_requests_total", "code=\"2xx\"", TALLY_HELP_REQUESTS) \
	X(REQUESTS_3XX, "http_requests_total", "code=\"3xx\"", TALLY_HELP_REQUESTS) \
	X(REQUESTS_4XX, "http_requests_total", "code=\"4xx\"", TALLY_HELP_REQUESTS) \
	X(REQUESTS_401, "http_requests_total", "code=\"401\"", TALLY_HELP_REQUESTS) \
	X(REQUESTS_403, "http_requests_total", "code=\"403\"", TALLY_HELP_REQUESTS) \
	X(REQUESTS_429, "http_requests_total", "code=\"429\"", TALLY_HELP_REQUESTS) \
	X(REQUESTS_5XX, "http_requests_total", "code=\"5xx\"", TALLY_HELP_REQUESTS) \
	X(CONNECTIONS, "http_connections_total", "", "connections taken") \
	X(REFUSED_FULL, "http_connections_refused_total", "reason=\"full\"", TALLY_HELP_REFUSED) \
	X(REFUSED_PEER, "http_connections_refused_total", "reason=\"too many of one client\"", TALLY_HELP_REFUSED) \
	X(REFUSED_FAILED, "http_connections_refused_total", "reason=\"failed\"", TALLY_HELP_REFUSED) \
	X(CUT_SLOW_REQUEST, "http_connections_cut_total", "reason=\"slow request\"", TALLY_HELP_CUT) \
	X(CUT_SLOW_ANSWER, "http_connections_cut_total", "reason=\"slow to take the answer\"", TALLY_HELP_CUT) \
	X(CAPTURES, "http_captures_total", "", "live captures begun") \
	X(CAPTURES_REFUSED, "http_captures_refused_total", "", "live captures refused: too many at a time") \
	X(CAPTURES_LEFT, "http_captures_left_total", "", "live captures whose client went before the end") \
	X(ANSWERS_CACHED, "http_answers_total", "from=\"cache\"", TALLY_HELP_ANSWERS) \
	X(ANSWERS_SHARED, "http_answers_total", "from=\"the same question\"", TALLY_HELP_ANSWERS) \
	X(ANSWERS_READ, "http_answers_total", "from=\"reader\"", TALLY_HELP_ANSWERS) \
	X(READERS_FAILED, "http_readers_failed_total", "", "readers that died, lied or took too long") \
	X(QUESTIONS_REFUSED, "http_questions_refused_total", "", "questions refused: too many wait, or too much is being sent") \
	X(QUESTIONS_LEFT, "http_questions_left_total", "", "questions that nobody waited for any longer")
/* clang-format on */

enum tally_id {
#define X(id, metric, labels, help) TALLY_##id,
	TALLIES(X)
#undef X
		TALLY_COUNT
};

struct tally {
	uint64_t count[TALLY_COUNT];
	uint64_t connections, captures, readers, questions, cache_bytes, answer_bytes; /* now */
};

#endif
