/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A starter that forks the processes itself: the test's own program, with the role as argv[1]. One of each
 * role, as the supervisor has them.
 */
#ifndef TESTS_AGENT_STARTER_H
#define TESTS_AGENT_STARTER_H

#include <stdint.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/role/child.h"
#include "profiler/role/starter.h"

#define TEST_STARTER_ROLES 3

struct test_starter {
	struct starter starter;
	const char *roles[TEST_STARTER_ROLES];
	struct child children[TEST_STARTER_ROLES]; /* their sockets were given away */
	uint32_t starts;
	int refuse; /* the next starts are answered with this, if not 0 */
};

static inline struct child *test_starter_child(struct test_starter *s, const char *role)
{
	uint32_t i = 0;

	while (s->roles[i] && strcmp(s->roles[i], role) != 0)
		i++;
	s->roles[i] = role;
	return &s->children[i];
}

/* Of the process of a role; 0 if there is none. */
static inline int test_starter_pid(struct test_starter *s, const char *role)
{
	return test_starter_child(s, role)->pid;
}

static inline int test_starter_start(void *ctx, const char *role, struct started *ret,
				     struct err *err)
{
	struct test_starter *s = ctx;
	struct child *c = test_starter_child(s, role);
	int r;

	if (s->refuse)
		return err_set(err, s->refuse, "the %s may not be started now", role);
	s->starts++;
	/* One that doesn't go is abandoned. */
	if (c->pid)
		child_kill(c, 100 * NS_PER_MS, NULL);
	r = child_start(c, role, err);
	if (r < 0)
		return r;
	*ret = (struct started){ .socket = c->socket, .pid = c->pid };
	c->socket = -1;
	return 0;
}

static inline void test_starter_init(struct test_starter *s)
{
	*s = (struct test_starter){ .starter = { .start = test_starter_start } };
	s->starter.ctx = s;
	for (uint32_t i = 0; i < TEST_STARTER_ROLES; i++)
		s->children[i].socket = -1;
}

static inline void test_starter_release(struct test_starter *s)
{
	for (uint32_t i = 0; i < TEST_STARTER_ROLES; i++)
		if (s->children[i].pid)
			child_kill(&s->children[i], 100 * NS_PER_MS, NULL);
}

#endif
