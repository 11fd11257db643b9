/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each of our processes keeps of what it was started with. One table: the sandbox enforces it,
 * docs/SECURITY.md explains it, tests/unit/role_sandbox.c tries what it does not allow.
 */
#ifndef ROLE_ROLE_H
#define ROLE_ROLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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
	int number; /* SYS_… */
	struct role_condition conditions[ROLE_MAX_CONDITIONS];
};

struct role_limit {
	int resource; /* RLIMIT_… */
	uint64_t most;
};

struct role {
	const char *name; /* argv[1] */
	const char *user; /* the package's user, looked up in /etc/passwd */
	uid_t fallback_id; /* uid and gid where there is no such user */
	uint64_t capabilities; /* bit N: it keeps capability N */
	const struct role_limit *limits;
	size_t limit_count;
	const struct role_call *calls; /* all others are answered EPERM */
	size_t call_count;
};

/* NULL if there is none of this name. */
const struct role *role_find(const char *name);

#endif
