// SPDX-License-Identifier: Apache-2.0
/*
 * In this order: is the address readable, who asks, is there such a thing, may it be asked so, what is it. So nobody without authority learns
 * what there is, and no page of elsewhere learns even that it was refused for that.
 *
 * Refused: answering while a request's body comes; what a body says is of no interest to any address, so it is passed over, and too long a one
 * ends the connection.
 */
#include "web/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "web/connection.h"
#include "web/field.h"
#include "web/routes.h"
#include "web/server.h"

#define MAX_UPLOAD (64u << 10)
#define MAX_LOCATION (64u << 10)

void *request_open(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct request *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->server = cls;
	q->mhd = mhd;
	q->connection = connection_of(mhd);
	q->client.fd = -1;
	q->target_status = target_parse(&q->target, uri, &q->refused);
	q->of_pprof = !strncmp(uri, PPROF_PREFIX, strlen(PPROF_PREFIX));
	return q;
}

static void stop_waiting(struct request *q)
{
	if (!q->waits)
		return;
	q->waits = false;
	capture_leave(&q->capture);
	waiter_leave(&q->waiter);
	source_remove(&q->client);
	LIST_REMOVE(q, link);
}

void request_close(void *cls, struct MHD_Connection *mhd, void **context,
		   enum MHD_RequestTerminationCode code)
{
	struct request *q = take_ptr(*context);

	(void)cls, (void)mhd, (void)code;
	if (!q)
		return;
	stop_waiting(q);
	if (q->connection)
		connection_is_idle(q->connection);
	answer_unref(q->answer);
	target_release(&q->target);
	free(q);
}

struct answer *request_text(const struct request *q, uint32_t status, const char *sentence)
{
	return answer_text(status, sentence, q->of_pprof, &q->server->tally);
}

struct answer *request_body(const struct request *q, const char *content_type, struct buffer *body)
{
	const struct answer_head head = {
		.status = 200,
		.content_type = content_type,
		.of_pprof = q->of_pprof,
	};
	struct answer *a = NULL;

	return answer_new(&a, &head, body, &q->server->tally) < 0 ? NULL : a;
}

/* ---- waiting ---- */

/* It is answered, or (NULL) its connection closed: libmicrohttpd will ask again. */
static void go_on(struct request *q, struct answer *a)
{
	stop_waiting(q);
	q->answer = a;
	MHD_resume_connection(q->mhd);
}

void requests_abandon(struct server *s)
{
	while (!LIST_EMPTY(&s->waiting))
		go_on(LIST_FIRST(&s->waiting), NULL);
}

static void client_has_gone(struct source *source, uint32_t events)
{
	(void)events;
	go_on((struct request *)((char *)source - offsetof(struct request, client)), NULL);
}

static void was_answered(struct waiter *w, struct answer *a)
{
	struct request *q = (struct request *)((char *)w - offsetof(struct request, waiter));

	go_on(q, a ? answer_ref(a) : NULL);
}

/* Without the watch, a client that goes is noticed when it is answered. */
static void wait(struct request *q)
{
	if (q->waits)
		return;
	q->waits = true;
	LIST_INSERT_HEAD(&q->server->waiting, q, link);
	source_add(&q->client, q->server->epoll, q->connection->fd, EPOLLRDHUP, client_has_gone);
}

struct answer *request_ask(struct request *q, const struct question_form *form)
{
	struct answer *a = questions_ask(q->server->questions, form, &q->waiter, was_answered);

	if (!a && q->waiter.question)
		wait(q);
	return a;
}

static const char *capture_failure(int status)
{
	switch (status) {
	case -EAGAIN:
		return "too many captures begin or end at this moment; try again";
	case -ETIMEDOUT:
		return "what was sampled was not stored in time";
	case -ETIME:
		return "the clock was set back during the capture";
	default:
		return "what was sampled could not be stored";
	}
}

static void print_moment(uint64_t ns, char ret[32])
{
	snprintf(ret, 32, "%llu.%09llu", (unsigned long long)(ns / NS_PER_S),
		 (unsigned long long)(ns % NS_PER_S));
}

/* The question about what was captured: the parameters as they came, and these two instead of `seconds`. */
static struct answer *ask_captured(struct request *q)
{
	char from[32], to[32];
	struct question_form form = {
		.endpoint = route_find(q->target.path)->endpoint,
		.parameters = q->target.parameters,
		.of_pprof = q->of_pprof,
		.once = true,
	};

	target_remove(&q->target, "seconds");
	if (q->target.count + 2 > READER_MAX_PARAMETERS)
		return request_text(q, 400, "the URL has too many parameters");
	print_moment(q->capture.from_ns, from);
	print_moment(q->capture.to_ns, to);
	q->target.parameters[q->target.count++] = (struct reader_parameter){ "from", from };
	q->target.parameters[q->target.count++] = (struct reader_parameter){ "to", to };
	form.count = q->target.count;
	return request_ask(q, &form);
}

static void was_captured(struct capture *c, int status)
{
	struct request *q = (struct request *)((char *)c - offsetof(struct request, capture));
	struct answer *a = status < 0 ? request_text(q, 503, capture_failure(status))
				      : ask_captured(q);

	if (a || !q->waiter.question)
		go_on(q, a);
}

struct answer *request_capture(struct request *q, uint64_t seconds)
{
	int r = captures_begin(&q->server->captures, &q->capture, seconds * NS_PER_S,
			       clock_ns(CLOCK_MONOTONIC), was_captured);
	struct answer *a;

	if (r == 0) {
		wait(q);
		return NULL;
	}
	if (r != -EBUSY)
		return request_text(q, 503, "the server is ending");
	a = request_text(q, 429, "too many captures run at a time; try again later");
	if (a)
		answer_add(a, "Retry-After", "5");
	return a;
}

/* ---- access ---- */

static const char *field(const struct request *q, const char *name)
{
	return MHD_lookup_connection_value(q->mhd, MHD_HEADER_KIND, name);
}

struct field_count {
	const char *name;
	uint32_t count;
};

static enum MHD_Result count_field(void *cls, enum MHD_ValueKind kind, const char *name,
				   const char *value)
{
	struct field_count *f = cls;

	(void)kind, (void)value;
	f->count += name && !strcasecmp(name, f->name);
	return MHD_YES;
}

/* The field that decides on access and is there twice: who is before us may have looked at the other one. NULL: none. */
static const char *repeated_field(const struct request *q)
{
	static const char *const names[] = { "Host", "Origin", "Sec-Fetch-Site", "Authorization" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct field_count f = { .name = names[i] };

		MHD_get_connection_values(q->mhd, MHD_HEADER_KIND, count_field, &f);
		if (f.count > 1)
			return names[i];
	}
	return NULL;
}

static struct answer *refuse_repeated(const struct request *q, const char *name)
{
	char text[64];

	snprintf(text, sizeof(text), "the request has more than one %s", name);
	return request_text(q, 400, text);
}

/* Where to go without the token, and with what cookie. */
static struct answer *send_elsewhere(struct request *q, const char *session)
{
	_cleanup_(buffer_release) struct buffer location = BUFFER_INIT(MAX_LOCATION);
	struct answer *a = request_text(q, 303, "go on without the token");
	char name[32], cookie[128];

	target_remove(&q->target, "token");
	target_write(&q->target, &location);
	if (a && buffer_cstr(&location))
		answer_add(a, "Location", location.data);
	if (a && session) {
		access_cookie_name(field(q, "Host"), name);
		snprintf(cookie, sizeof(cookie), "%s=%s; Path=/; HttpOnly; SameSite=Strict", name,
			 session);
		answer_add(a, "Set-Cookie", cookie);
	}
	return a;
}

static struct answer *tell_how(const struct request *q)
{
	const struct web_job *job = &q->server->job;
	char text[sizeof(job->group) + sizeof(job->token_file) + 256];
	struct answer *a;

	snprintf(text, sizeof(text), "this needs authority: be root%s%s%s on this machine%s%s%s",
		 *job->group ? " or in the group \"" : "", job->group, *job->group ? "\"" : "",
		 job->token[0] ? ", or show the token (it is in " : "", job->token_file,
		 job->token[0] ? ") as \"Authorization: Bearer TOKEN\" or as the password: "
				 "http://x:TOKEN@HOST/"
			       : "");
	a = request_text(q, 401, text);
	if (a && job->token[0]) {
		answer_add(a, "WWW-Authenticate", "Bearer realm=\"slowburn\"");
		answer_add(a, "WWW-Authenticate", "Basic realm=\"slowburn\", charset=\"UTF-8\"");
	}
	return a;
}

static struct answer *slow_down(const struct request *q)
{
	struct answer *a = request_text(q, 429, "too many wrong tokens; wait");

	if (a)
		answer_add(a, "Retry-After", "10");
	return a;
}

/* NULL and true: it may go on. */
static bool may_pass(struct request *q, struct answer **ret_refusal)
{
	const struct access_request shown = {
		.peer = &q->connection->peer,
		.host = field(q, "Host"),
		.origin = field(q, "Origin"),
		.fetch_site = field(q, "Sec-Fetch-Site"),
		.authorization = field(q, "Authorization"),
		.cookie = field(q, "Cookie"),
		.url_token = target_find(&q->target, "token"),
	};
	const char *repeated = repeated_field(q);
	char session[SESSION_VALUE_BYTES];

	if (repeated) {
		*ret_refusal = refuse_repeated(q, repeated);
		return false;
	}
	switch (access_check(&q->server->access, &shown, clock_ns(CLOCK_MONOTONIC), session)) {
	case ACCESS_GRANTED:
		return true;
	case ACCESS_ELSEWHERE:
		*ret_refusal =
			request_text(q, 403,
				     "this server isn't called by that name (Host; serve's "
				     "--allow-host adds one), or a page of another origin asks");
		return false;
	case ACCESS_TOO_OFTEN:
		*ret_refusal = slow_down(q);
		return false;
	case ACCESS_EXCHANGE:
		*ret_refusal = send_elsewhere(q, session);
		return false;
	case ACCESS_STRIP:
		*ret_refusal = send_elsewhere(q, NULL);
		return false;
	case ACCESS_NONE:
		break;
	}
	*ret_refusal = tell_how(q);
	return false;
}

/* ---- a request ---- */

static bool is_read(const char *method)
{
	return !strcmp(method, "GET") || !strcmp(method, "HEAD");
}

static bool takes(const struct route *route, const char *method)
{
	return is_read(method) || (route && route->posts && !strcmp(method, "POST"));
}

static struct answer *refuse_method(const struct request *q, const struct route *route)
{
	const char *allow = route->posts ? "GET, HEAD, POST" : "GET, HEAD";
	struct answer *a = request_text(q, 405, "this is asked for by GET");

	if (a)
		answer_add(a, "Allow", allow);
	return a;
}

/* The answer, or NULL: it waits, or there is no memory. */
static struct answer *decide(struct request *q, const char *method)
{
	const struct route *route = q->target_status == 0 ? route_find(q->target.path) : NULL;
	struct answer *refusal = NULL;

	if (q->target_status < 0)
		return request_text(q,
				    q->target_status == -E2BIG    ? 414
				    : q->target_status == -EINVAL ? 400
								  : 503,
				    q->refused.text);
	if (!(route && route->open) && !may_pass(q, &refusal))
		return refusal;
	if (!route)
		return request_text(q, 404,
				    q->of_pprof
					    ? "Unknown profile: CPU time is all that is sampled; "
					      "ask for " PPROF_PREFIX "profile"
					    : "there is nothing here; / says what there is");
	return takes(route, method) ? route->handle(q) : refuse_method(q, route);
}

static enum MHD_Result answer_now(struct request *q)
{
	const struct answer_wish wish = {
		.gzip = field_accepts_gzip(field(q, "Accept-Encoding")),
		.if_none_match = field(q, "If-None-Match"),
	};

	if (!q->answer)
		return MHD_NO;
	connection_is_sending(q->connection, answer_bytes(q->answer));
	return answer_send(q->answer, q->mhd, &wish);
}

enum MHD_Result request_handle(void *cls, struct MHD_Connection *mhd, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_len, void **context)
{
	struct request *q = *context;
	bool first = q && !q->begun;

	(void)cls, (void)url, (void)version, (void)upload;
	if (!q || !q->connection)
		return MHD_NO;
	q->begun = true;
	/* A body may come; with a method that nothing is asked by, it is not waited for. */
	if (first && (is_read(method) || !strcmp(method, "POST")))
		return MHD_YES;
	if (*upload_len) {
		q->uploaded += *upload_len;
		*upload_len = 0;
		return q->uploaded > MAX_UPLOAD ? MHD_NO : MHD_YES;
	}
	if (!q->decided) {
		q->decided = true;
		connection_is_waiting(q->connection);
		q->answer = decide(q, method);
		if (q->waits) {
			MHD_suspend_connection(mhd);
			return MHD_YES;
		}
	}
	return answer_now(q);
}
