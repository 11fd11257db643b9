// SPDX-License-Identifier: Apache-2.0
/*
 * First whether the client speaks with us knowingly: a Host that is ours, and no page of elsewhere. Only then who it is, so that a
 * browser that has authority lends it to nobody. Who shows a token is judged by it alone, also where the uid would do: a token that is wrong
 * was meant to be right.
 *
 * Refused: Origin and Sec-Fetch-Site "same-site", which other ports of this machine are, and so other users' servers.
 */
#include "web/access.h"

#include <stdio.h>
#include <string.h>

#include "web/field.h"
#include "web/host.h"

static bool is_our_host(const struct access *a, const char *text)
{
	struct host host, ours;

	if (!text || host_parse(text, &host) < 0)
		return false;
	if (host_is_local(&host))
		return true;
	for (uint32_t i = 0; i < a->job->host_count; i++) {
		const char *listed = a->job->hosts[i];
		char bracketed[sizeof(a->job->hosts[0]) + 2];

		/* An address of IPv6 may be listed with brackets or without. */
		if (strchr(listed, ':') && *listed != '[') {
			snprintf(bracketed, sizeof(bracketed), "[%s]", listed);
			listed = bracketed;
		}
		if (host_parse(listed, &ours) == 0 && !strcmp(ours.name, host.name))
			return true;
	}
	return false;
}

static bool is_from_elsewhere(const struct access_request *q)
{
	if (q->origin && !host_is_origin(q->host, q->origin))
		return true;
	return q->fetch_site && strcmp(q->fetch_site, "same-origin") != 0 &&
	       strcmp(q->fetch_site, "none") != 0;
}

bool access_by_uid(const struct access *a, const struct peer *peer)
{
	if (peer->kind != PEER_UID)
		return false;
	for (uint32_t i = 0; i < a->job->uid_count; i++)
		if (a->job->uids[i] == peer->uid)
			return true;
	return peer->uid == 0;
}

void access_cookie_name(const char *host, char ret[32])
{
	struct host h = { 0 };

	if (host)
		host_parse(host, &h);
	snprintf(ret, 32, "slowburn_%u", h.port);
}

static bool has_session(struct access *a, const struct access_request *q, uint64_t now_ns)
{
	char name[32], value[FIELD_MAX_SECRET];

	access_cookie_name(q->host, name);
	return field_cookie(q->cookie, name, value) &&
	       sessions_know(&a->sessions, value, q->peer, now_ns);
}

/* Of what was shown: right, wrong, or shown too often before. */
static enum access_verdict judge_token(struct access *a, const struct access_request *q,
				       const char *token, uint64_t now_ns)
{
	if (!throttle_lets(&a->throttle, q->peer, now_ns))
		return ACCESS_TOO_OFTEN;
	if (token && field_is_secret(token, a->job->token))
		return ACCESS_GRANTED;
	throttle_failed(&a->throttle, q->peer, now_ns);
	return ACCESS_NONE;
}

enum access_verdict access_check(struct access *a, const struct access_request *q, uint64_t now_ns,
				 char ret_session[SESSION_VALUE_BYTES])
{
	char token[FIELD_MAX_SECRET];
	enum access_verdict verdict;

	if (!is_our_host(a, q->host) || is_from_elsewhere(q))
		return ACCESS_ELSEWHERE;
	if (q->authorization)
		return judge_token(a, q, field_token(q->authorization, token) ? token : NULL,
				   now_ns);
	if (access_by_uid(a, q->peer) || has_session(a, q, now_ns))
		return q->url_token ? ACCESS_STRIP : ACCESS_GRANTED;
	if (!q->url_token)
		return ACCESS_NONE;
	verdict = judge_token(a, q, q->url_token, now_ns);
	if (verdict != ACCESS_GRANTED)
		return verdict;
	return sessions_begin(&a->sessions, q->peer, now_ns, ret_session) < 0 ? ACCESS_NONE
									      : ACCESS_EXCHANGE;
}
