// SPDX-License-Identifier: Apache-2.0
#include "web/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define S 1000000000ULL

static const struct peer root = { .kind = PEER_UID, .uid = 0 };
static const struct peer member = { .kind = PEER_UID, .uid = 1000 };
static const struct peer other = { .kind = PEER_UID, .uid = 1001 };
static const struct peer remote = { .kind = PEER_IPV4, .address = { 192, 0, 2, 1 } };
static const struct peer unknown = { .kind = PEER_UNKNOWN };

static struct web_job job = {
	.uid_count = 1,
	.uids = { 1000 },
	.host_count = 3,
	.hosts = { "prof.example", "192.0.2.7", "2001:db8::7" },
	.token = "secret",
};

static struct access access_new(void)
{
	return (struct access){ .job = &job };
}

static const char *name_of(enum access_verdict v)
{
	static const char *const names[] = { "granted",   "elsewhere", "none",
					     "too often", "exchange",  "strip" };

	return names[v];
}

static void expect(const char *what, enum access_verdict is, enum access_verdict should)
{
	if (is != should)
		fail_msg("%s: %s, should be %s", what, name_of(is), name_of(should));
}

static void test_rules(void **state)
{
	static const struct {
		const char *what;
		struct access_request q;
		enum access_verdict verdict;
	} rows[] = {
#define Q(...) { .host = "localhost:1", __VA_ARGS__ }
		{ "root", Q(.peer = &root), ACCESS_GRANTED },
		{ "a member", Q(.peer = &member), ACCESS_GRANTED },
		{ "another", Q(.peer = &other), ACCESS_NONE },
		{ "remote", Q(.peer = &remote), ACCESS_NONE },
		{ "nobody knows", Q(.peer = &unknown), ACCESS_NONE },
		{ "Bearer", Q(.peer = &other, .authorization = "Bearer secret"), ACCESS_GRANTED },
		{ "Basic", Q(.peer = &remote, .authorization = "Basic eDpzZWNyZXQ="),
		  ACCESS_GRANTED },
		{ "wrong token", Q(.peer = &other, .authorization = "Bearer Secret"), ACCESS_NONE },
		{ "root's wrong token", Q(.peer = &root, .authorization = "Bearer x"),
		  ACCESS_NONE },
		{ "root's other scheme", Q(.peer = &root, .authorization = "Digest x"),
		  ACCESS_NONE },
		{ "in the URL", Q(.peer = &other, .url_token = "secret"), ACCESS_EXCHANGE },
		{ "wrong in the URL", Q(.peer = &other, .url_token = "x"), ACCESS_NONE },
		{ "root's in the URL", Q(.peer = &root, .url_token = "x"), ACCESS_STRIP },
		{ "a listed name", { .peer = &root, .host = "Prof.Example:80" }, ACCESS_GRANTED },
		{ "a listed address", { .peer = &root, .host = "[2001:db8::7]:1" }, ACCESS_GRANTED },
		{ "no Host", { .peer = &root }, ACCESS_ELSEWHERE },
		{ "another's name", { .peer = &root, .host = "evil.example" }, ACCESS_ELSEWHERE },
		{ "another's name and the token",
		  { .peer = &remote, .host = "evil.example", .authorization = "Bearer secret" },
		  ACCESS_ELSEWHERE },
		{ "own origin", Q(.peer = &root, .origin = "http://localhost:1"), ACCESS_GRANTED },
		{ "other origin", Q(.peer = &root, .origin = "http://localhost:2"),
		  ACCESS_ELSEWHERE },
		{ "no origin", Q(.peer = &root, .origin = "null"), ACCESS_ELSEWHERE },
		{ "typed in", Q(.peer = &root, .fetch_site = "none"), ACCESS_GRANTED },
		{ "own page", Q(.peer = &root, .fetch_site = "same-origin"), ACCESS_GRANTED },
		{ "other port", Q(.peer = &root, .fetch_site = "same-site"), ACCESS_ELSEWHERE },
		{ "other page", Q(.peer = &root, .fetch_site = "cross-site"), ACCESS_ELSEWHERE },
		{ "other page and the token",
		  Q(.peer = &root, .fetch_site = "cross-site", .authorization = "Bearer secret"),
		  ACCESS_ELSEWHERE },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct access a = access_new();
		char session[SESSION_VALUE_BYTES];

		expect(rows[i].what, access_check(&a, &rows[i].q, S, session), rows[i].verdict);
	}
}

static void test_no_token(void **state)
{
	struct web_job without = { .token = "" };
	struct access a = { .job = &without };
	struct access_request q = { .peer = &other, .host = "localhost", .url_token = "" };
	char session[SESSION_VALUE_BYTES];

	expect("an empty one in the URL", access_check(&a, &q, S, session), ACCESS_NONE);
	q.url_token = NULL;
	q.authorization = "Basic eDo="; /* x: */
	expect("an empty password", access_check(&a, &q, S, session), ACCESS_NONE);
}

static enum access_verdict by_cookie(struct access *a, const struct peer *peer, const char *host,
				     const char *value, uint64_t now_ns)
{
	char cookie[128], name[32], session[SESSION_VALUE_BYTES];
	struct access_request q = { .peer = peer, .host = host, .cookie = cookie };

	access_cookie_name("localhost:1", name);
	snprintf(cookie, sizeof(cookie), "x=y; %s=%s", name, value);
	return access_check(a, &q, now_ns, session);
}

static void test_session(void **state)
{
	struct access a = access_new();
	struct access_request q = { .peer = &other, .host = "localhost:1", .url_token = "secret" };
	char first[SESSION_VALUE_BYTES], second[SESSION_VALUE_BYTES];

	expect("exchange", access_check(&a, &q, S, first), ACCESS_EXCHANGE);
	expect("exchange", access_check(&a, &q, 2 * S, second), ACCESS_EXCHANGE);
	assert_string_not_equal(first, second);
	assert_string_not_equal(first, "secret");
	assert_int_equal(strlen(first), SESSION_VALUE_BYTES - 1);
	expect("first", by_cookie(&a, &other, "localhost:1", first, 3 * S), ACCESS_GRANTED);
	expect("second", by_cookie(&a, &other, "localhost:1", second, 3 * S), ACCESS_GRANTED);
	/* Cookies go to all ports of a host: who runs another server there may have seen it. */
	expect("another client's", by_cookie(&a, &remote, "localhost:1", first, 3 * S),
	       ACCESS_NONE);
	expect("another port's", by_cookie(&a, &other, "localhost:2", first, 3 * S), ACCESS_NONE);
	expect("the token as cookie", by_cookie(&a, &other, "localhost:1", "secret", 3 * S),
	       ACCESS_NONE);
	expect("an empty one", by_cookie(&a, &other, "localhost:1", "", 3 * S), ACCESS_NONE);
	expect("just used", by_cookie(&a, &other, "localhost:1", first, 3 * S + SESSION_NS - 1),
	       ACCESS_GRANTED);
	expect("not used since", by_cookie(&a, &other, "localhost:1", second, 3 * S + SESSION_NS),
	       ACCESS_NONE);
}

static void test_many_sessions(void **state)
{
	struct access a = access_new();
	char value[SESSION_MAX + 1][SESSION_VALUE_BYTES];

	for (uint64_t i = 0; i <= SESSION_MAX; i++)
		assert_int_equal(sessions_begin(&a.sessions, &other, i * S, value[i]), 0);
	expect("the oldest", by_cookie(&a, &other, "localhost:1", value[0], 100 * S), ACCESS_NONE);
	expect("the next", by_cookie(&a, &other, "localhost:1", value[1], 100 * S), ACCESS_GRANTED);
	expect("the newest", by_cookie(&a, &other, "localhost:1", value[SESSION_MAX], 100 * S),
	       ACCESS_GRANTED);
}

static void test_throttle(void **state)
{
	struct access a = access_new();
	struct access_request wrong = { .peer = &other,
					.host = "localhost:1",
					.authorization = "Bearer x" };
	struct access_request right = wrong;
	char session[SESSION_VALUE_BYTES];

	right.authorization = "Bearer secret";
	for (int i = 0; i < THROTTLE_BURST; i++)
		expect("wrong", access_check(&a, &wrong, S, session), ACCESS_NONE);
	expect("one too many", access_check(&a, &wrong, S, session), ACCESS_TOO_OFTEN);
	expect("the right one, too", access_check(&a, &right, S, session), ACCESS_TOO_OFTEN);
	right.peer = &remote;
	expect("another client", access_check(&a, &right, S, session), ACCESS_GRANTED);
	right.peer = &other;
	expect("later", access_check(&a, &right, S + THROTTLE_NS, session), ACCESS_GRANTED);
	expect("one more", access_check(&a, &wrong, S + THROTTLE_NS, session), ACCESS_NONE);
	expect("no more", access_check(&a, &wrong, S + THROTTLE_NS, session), ACCESS_TOO_OFTEN);
	/* Who shows nothing has failed at nothing. */
	wrong.authorization = NULL;
	expect("nothing", access_check(&a, &wrong, S + THROTTLE_NS, session), ACCESS_NONE);
}

static void test_throttle_of_many(void **state)
{
	struct access a = access_new();
	struct peer p = { .kind = PEER_IPV4 };

	for (uint32_t i = 0; i < 4 * THROTTLE_MAX; i++) {
		memcpy(p.address, &i, sizeof(i));
		throttle_failed(&a.throttle, &p, S);
		assert_true(throttle_lets(&a.throttle, &p, S));
	}
	for (int i = 1; i < THROTTLE_BURST; i++)
		throttle_failed(&a.throttle, &p, S);
	assert_false(throttle_lets(&a.throttle, &p, S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),    cmocka_unit_test(test_no_token),
		cmocka_unit_test(test_session),  cmocka_unit_test(test_many_sessions),
		cmocka_unit_test(test_throttle), cmocka_unit_test(test_throttle_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
