/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each of our processes keeps of what it was started with, and what for. One table: the sandbox
 * enforces it, `slowburn doctor --roles` and docs/SECURITY.md print it (role_describe), and
 * tests/unit/role_sandbox.c tries what it does not allow.
 */
#ifndef ROLE_ROLE_H
#define ROLE_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/buffer.h"

/*
 * Sanitizers write reports, reserve terabytes of address space and ask for their own process: in
 * builds with one, some of the table is wider.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROLE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(undefined_behavior_sanitizer)
#define ROLE_SANITIZED 1
#endif
#endif
#ifndef ROLE_SANITIZED
#define ROLE_SANITIZED 0
#endif

#define ROLE_MAX_CONDITIONS 2

/* Allowed only while (argument & mask) == value. A mask of 0: no condition. */
struct role_condition {
	uint32_t argument;
	uint64_t mask;
	uint64_t value;
};

struct role_call {
	const char *name; /* one that this architecture doesn't have is passed over */
	const char *only; /* the conditions in words, or NULL */
	struct role_condition conditions[ROLE_MAX_CONDITIONS]; /* all must hold */
};

/* System calls that serve one purpose. A call that is in several groups is allowed if any of them has it. */
struct role_calls {
	const char *purpose;
	bool until_sealed; /* given up by sandbox_seal() */
	const struct role_call *calls;
	size_t count;
};

struct role_capability {
	uint32_t number; /* CAP_… */
	const char *name; /* "CAP_BPF" */
	const char *use; /* what becomes of the answer without it is doctor's to say */
};

/* One that sandbox_seal() takes away again. */
struct role_setup_capability {
	struct role_capability capability;
	bool (*is_needed)(void); /* on this machine */
};

struct role_limit {
	int resource; /* RLIMIT_… */
	const char *name; /* "RLIMIT_CORE" */
	uint64_t most;
};

enum role_filter {
	ROLE_ALLOWS, /* its calls; all others are answered EPERM */
	/* All but its calls. For who has children of other roles: they inherit the filter over exec. */
	ROLE_DENIES,
};

struct role {
	const char *name; /* argv[1] */
	const char *work; /* in one sentence */
	const char *program; /* its own, which lies beside slowburn; NULL: slowburn */
	const char *user; /* the package's user, looked up in /etc/passwd; NULL: it keeps its ids */
	uid_t fallback_id; /* uid and gid where there is no such user */
	bool served; /* the leader may ask for it (role/service.h) */
	bool ordinary; /* at everybody's priority, though who starts it may have raised his */
	bool background; /* at the lowest priority: nice 19, SCHED_BATCH */
	const char *const *
		crew; /* the roles that it starts, and whose capabilities it keeps for that; NULL ends */
	enum role_filter filter;
	const struct role_capability *capabilities;
	size_t capability_count;
	const struct role_setup_capability *setup; /* NULL: none */
	const struct role_limit *limits;
	size_t limit_count;
	const struct role_calls *groups;
	size_t group_count;
};

/* NULL if there is none of this name. */
const struct role *role_find(const char *name);

/* All of them, the supervisor first. */
size_t role_count(void);
const struct role *role_at(size_t i);

/* Bit N: it keeps capability N, if it was started with it. */
uint64_t role_capabilities(const struct role *role);
/* Those of them that it gives up when it is sealed: where they aren't needed, none. */
uint64_t role_setup_capabilities(const struct role *role);

/*
 * Kernels of Debian and Ubuntu refuse perf events to whoever has no CAP_SYS_ADMIN while
 * kernel.perf_event_paranoid is above 2, as it is by default there. Others don't, but accept the value.
 */
#define ROLE_PARANOID_MAX 2

/*
 * Appends what the table says of it, as docs/SECURITY.md has it: markdown that reads as plain text, at
 * most 100 columns wide. 0 or negative errno.
 */
int role_describe(const struct role *role, struct buffer *out);

#endif
