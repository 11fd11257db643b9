// SPDX-License-Identifier: Apache-2.0
/*
 * Who reads profiles, who writes them, and who answers strangers.
 */
#include "profiler/role/table.h"

#include <linux/netlink.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static const struct role_call reader_descriptor_calls[] = {
	CALL("read"),  CALL("pread64"),
	CALL("lseek"), CALL("fstat"),
	CALL("close"), CALL_IF("fcntl", "F_DUPFD_CLOEXEC", ARGUMENT_IS(1, F_DUPFD_CLOEXEC)),
};

static const struct role_limit reader_limits[] = {
	{ RLIMIT_CORE, "RLIMIT_CORE", 0 },
	{ RLIMIT_NPROC, "RLIMIT_NPROC", 0 },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE", 4096 }, /* all files of a store */
	{ RLIMIT_STACK, "RLIMIT_STACK", 8 << 20 },
#if !ROLE_SANITIZED
	{ RLIMIT_FSIZE, "RLIMIT_FSIZE", 0 },
	/* 256 MiB of a file, as much decompressed, 1 GiB of its messages, and two profiles. */
	{ RLIMIT_DATA, "RLIMIT_DATA", 3ULL << 30 },
#endif
};

static const struct role_calls reader_groups[] = {
	{ "files that it was handed", false, reader_descriptor_calls,
	  COUNT(reader_descriptor_calls) },
	{ "its conversation", false, conversation_calls, COUNT(conversation_calls) },
	{ "memory", false, memory_calls, COUNT(memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

const struct role role_reader = {
	.name = "reader",
	.work = "Parses profiles from files, or the files of a store, selects, compares, and makes the "
		"answer",
	.user = "slowburn-reader",
	.fallback_id = READER_ID,
	.ordinary = true,
	LIMITS(reader_limits),
	GROUPS(reader_groups),
};

/* ---- the storekeeper ---- */

static const struct role_limit storekeeper_limits[] = {
	{ RLIMIT_CORE, "RLIMIT_CORE", 0 },
	{ RLIMIT_NPROC, "RLIMIT_NPROC", 0 },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE",
	  32 }, /* three files at a time, the directory, two sockets */
	{ RLIMIT_STACK, "RLIMIT_STACK", 8 << 20 },
#if !ROLE_SANITIZED
	/* A roll-up: what one file has, as text and items, and the profile that is made of it. */
	{ RLIMIT_DATA, "RLIMIT_DATA", 1u << 30 },
#endif
};

/* Until it is sealed by Landlock, which looks at paths, the uid stands alone. */
static const struct role_call storekeeper_setup_calls[] = {
	CALL("landlock_create_ruleset"),
	CALL("landlock_add_rule"),
	CALL("landlock_restrict_self"),
	CALL_IF("prctl", "PR_SET_NO_NEW_PRIVS", ARGUMENT_IS(0, PR_SET_NO_NEW_PRIVS)),
	CALL("seccomp"),
	CALL_IF("sched_setscheduler", "its own", ARGUMENT_IS(0, 0)),
	CALL_IF("setpriority", "its own", ARGUMENT_IS(1, 0)),
};

static const struct role_call storekeeper_file_calls[] = {
	CALL("openat"),
	CALL("newfstatat"),
	CALL("fstat"),
	CALL("getdents64"),
	CALL("renameat"),
	CALL("unlinkat"),
	CALL("flock"),
	CALL("pread64"),
	CALL("pwrite64"),
	CALL("lseek"),
	CALL("ftruncate"),
	CALL("fdatasync"),
	CALL("fsync"),
	CALL("fstatfs"),
	CALL("close"),
	CALL_IF("fcntl", "F_GETFL", ARGUMENT_IS(1, F_GETFL)), /* opendir, both */
	CALL_IF("fcntl", "F_SETFD", ARGUMENT_IS(1, F_SETFD)),
	CALL_IF("ioprio_set", "its own", ARGUMENT_IS(1, 0)),
};

static const struct role_call storekeeper_window_calls[] = {
	CALL_IF("fcntl", "F_GET_SEALS: is it memory?", ARGUMENT_IS(1, F_GET_SEALS)),
};

static const struct role_calls storekeeper_groups[] = {
	{ "setting up", true, storekeeper_setup_calls, COUNT(storekeeper_setup_calls) },
	{ "the store", false, storekeeper_file_calls, COUNT(storekeeper_file_calls) },
	{ "windows", false, storekeeper_window_calls, COUNT(storekeeper_window_calls) },
	{ "conversations", false, any_conversation_calls, COUNT(any_conversation_calls) },
	{ "memory", false, memory_calls, COUNT(memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

const struct role role_storekeeper = {
	.name = "storekeeper",
	.work = "Writes a store: windows that the agent packed, and what it rolls up of them; "
		"reaches the store's directory and nothing else",
	.user = "slowburn-storekeeper",
	.fallback_id = STOREKEEPER_ID,
	LIMITS(storekeeper_limits),
	GROUPS(storekeeper_groups),
};

/* ---- the web process ---- */

static const struct role_limit web_limits[] = {
	{ RLIMIT_CORE, "RLIMIT_CORE", 0 },
	{ RLIMIT_NPROC, "RLIMIT_NPROC", 0 },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE", 1024 }, /* connections are at most 512 */
	{ RLIMIT_STACK, "RLIMIT_STACK", 8 << 20 },
#if !ROLE_SANITIZED
	{ RLIMIT_FSIZE, "RLIMIT_FSIZE", 0 },
	{ RLIMIT_DATA, "RLIMIT_DATA", 256 << 20 }, /* answers that are made, cached and sent */
#endif
};

/* It is handed the sockets that it listens on; of its own it makes the one by which the kernel tells whose a client's is. */
static const struct role_call web_network_calls[] = {
	{ "socket",
	  "AF_NETLINK, NETLINK_SOCK_DIAG",
	  { { 0, UINT32_MAX, AF_NETLINK }, { 2, UINT32_MAX, NETLINK_SOCK_DIAG } } },
	CALL("accept4"),
	CALL("recvfrom"),
	CALL("recvmsg"),
	CALL("sendto"),
	CALL("sendmsg"),
	CALL("ppoll"),
	CALL("shutdown"),
	CALL("getsockopt"),
	CALL("setsockopt"),
	CALL("getsockname"),
	CALL("getpeername"),
};

static const struct role_call web_waiting_calls[] = {
	CALL("epoll_create1"),
	CALL("epoll_ctl"),
	CALL("epoll_wait"),
	CALL("eventfd2"),
	CALL("read"),
	CALL("write"),
	CALL("close"),
	CALL_IF("fcntl", "F_GETFL", ARGUMENT_IS(1, F_GETFL)),
	CALL_IF("fcntl", "F_SETFL", ARGUMENT_IS(1, F_SETFL)),
	CALL_IF("fcntl", "F_GETFD", ARGUMENT_IS(1, F_GETFD)),
	CALL_IF("fcntl", "F_SETFD", ARGUMENT_IS(1, F_SETFD)),
};

static const struct role_calls web_groups[] = {
	{ "clients, the supervisor and readers", false, web_network_calls,
	  COUNT(web_network_calls) },
	{ "waiting for all of them", false, web_waiting_calls, COUNT(web_waiting_calls) },
	{ "memory", false, memory_calls, COUNT(memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

const struct role role_web = {
	.name = "web",
	.work = "Speaks HTTP with whoever connects, decides who gets an answer, and has readers make it; "
		"a program of its own, slowburn-web",
	.program = "slowburn-web",
	.user = "slowburn-web",
	.fallback_id = WEB_ID,
	.ordinary = true,
	LIMITS(web_limits),
	GROUPS(web_groups),
};
