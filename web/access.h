/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets an answer. docs/HTTP.md says the rules; this is all of them.
 */
#ifndef WEB_ACCESS_H
#define WEB_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "web/control.h"
#include "web/peer.h"
#include "web/session.h"
#include "web/throttle.h"

struct access {
	const struct web_job *job; /* borrowed */
	struct sessions sessions;
	struct throttle throttle;
};

/* What a request shows. Texts are its header's, or NULL. */
struct access_request {
	const struct peer *peer;
	const char *host, *origin, *fetch_site, *authorization, *cookie;
	const char *url_token; /* the parameter "token" */
};

enum access_verdict {
	ACCESS_GRANTED,
	ACCESS_ELSEWHERE, /* 403: another host's name, or another origin's page */
	ACCESS_NONE, /* 401: shows nothing, or nothing that is right */
	ACCESS_TOO_OFTEN, /* 429: showed what was wrong too often */
	/* 303: to the same without the token, */
	ACCESS_EXCHANGE, /* with the cookie */
	ACCESS_STRIP, /* or without: it has authority anyhow */
};

/* Is it root, or somebody in the list? */
bool access_by_uid(const struct access *a, const struct peer *peer);

/* `now_ns`: CLOCK_MONOTONIC. `ret_session` is written with ACCESS_EXCHANGE. */
enum access_verdict access_check(struct access *a, const struct access_request *q, uint64_t now_ns,
				 char ret_session[SESSION_VALUE_BYTES]);

/* "slowburn_7799": cookies know no ports, servers do. */
void access_cookie_name(const char *host, char ret[32]);

#endif
