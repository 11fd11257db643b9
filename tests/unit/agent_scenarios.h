/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known calls, of processes that are this test's children, and what has to be seen of their stacks.
 */
#ifndef TESTS_UNIT_AGENT_SCENARIOS_H
#define TESTS_UNIT_AGENT_SCENARIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/record.h"

/* A function each. */
#define PLACES(X) X(spin) X(descend) X(dynamic) X(compare) X(handler) X(body) X(launch)

enum place {
	PLACE_NONE, /* the end of a pattern */
#define X(place) PLACE_##place,
	PLACES(X)
#undef X
		PLACE_OWN, /* elsewhere in this program: PLT stubs */
	PLACE_JIT, /* code made at run time */
	PLACE_OTHER, /* in another file, or the vDSO */
};

struct span {
	enum place place;
	uint32_t least, most;
};

#define MAX_SPANS 8

struct scenario {
	const char *name;
	void (*body)(void);
	struct span spans[MAX_SPANS]; /* from the leaf to launch() */
	bool too_deep;
	bool too_long; /* for a copy of its stack */
	bool calls_kernel; /* mostly it is in one system call */
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;
/* By name; there is one. */
const struct scenario *scenario_find(const char *name);

/* A group's setup. */
int scenarios_setup(void **state);
/* Where this program's code lies. */
void scenarios_own_code(uint64_t start, uint64_t end);
/* Spends CPU time in this process. */
void scenarios_spend_ms(int ms);

/* A child that runs it until it is stopped; `alone`: on a thread's stack. */
pid_t scenario_start(const struct scenario *c, bool alone);
void scenario_stop(pid_t pid);
/* Where what is the present child's thread's own begins: above its stack. */
uint64_t scenario_thread(void);

enum place scenario_place(uint64_t addr);
void scenario_print(const struct record_sample *s);
/* Are the sample's frames those of the scenario, all of them and of the right kind, down to the bottom? */
bool scenario_is_exact(const struct record_sample *s, const struct scenario *c);
/*
 * A stack that is longer than its copy, or goes on beyond a signal's own: it ends there, and what is there of it is
 * right.
 */
bool scenario_is_cut(const struct record_sample *s, const struct scenario *c);

#endif
