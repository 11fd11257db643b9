/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the table of roles (role.h) is written, and what several roles share. For the files of it only.
 *
 * A role gets a line for what its code was seen to call (strace), and for nothing that it might want one day. Calls stand in
 * groups, as what a group is for is what one has to know to judge it, and as most roles share some. Shared groups are defined here and not
 * only declared: so a group's size is the compiler's to count, also where sanitizers widen it.
 */
#ifndef ROLE_TABLE_H
#define ROLE_TABLE_H

#include <fcntl.h>
#include <sys/mman.h>

#include "profiler/role/child.h"
#include "profiler/role/role.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CAPABILITIES(list) .capabilities = list, .capability_count = COUNT(list)
#define LIMITS(list) .limits = list, .limit_count = COUNT(list)
#define GROUPS(list) .groups = list, .group_count = COUNT(list)

/*
 * Nobody's: Debian keeps 65000 to 65533 for itself, systemd gives out ids up to 65519. Not 65534,
 * "nobody": whoever has nothing else is that, NFS and other programs' sandboxes too.
 */
#define SYMBOLIZER_ID 65521
#define AGENT_ID 65522
#define OPENER_ID 65523
#define DUMPER_ID 65524
#define TRACER_ID 65525
#define UNWINDER_ID 65526
#define READER_ID 65527
#define WEB_ID 65528
#define STOREKEEPER_ID 65529

/* ---- conditions ---- */

/* clang-format off */
#define ANY { { 0, 0, 0 } }
/* `int` and `unsigned int`: what a caller leaves in the register's other half is nothing. */
#define ARGUMENT_IS(n, value) { { n, UINT32_MAX, value } }
#define NOT_EXECUTABLE { { 2, PROT_EXEC, 0 } }
#define ON_OUR_SOCKET ARGUMENT_IS(0, ROLE_CHILD_SOCKET)
/* Private and of no file. There is no mprotect to change what it may be used for. */
#define PLAIN_MEMORY { { 2, PROT_EXEC, 0 }, { 3, MAP_SHARED | MAP_ANONYMOUS, MAP_ANONYMOUS } }
#define DESCRIPTOR_TO_READ \
	{ { 2, PROT_WRITE | PROT_EXEC, 0 }, { 3, MAP_SHARED | MAP_ANONYMOUS, 0 } }
#define DESCRIPTOR_MEMORY { { 2, PROT_EXEC, 0 }, { 3, MAP_ANONYMOUS, 0 } }
#define READING(n) \
	{ { n, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY), O_RDONLY } }
/* clang-format on */

#define CALL(name)              \
	{                       \
		name, NULL, ANY \
	}
#define CALL_IF(name, words, ...)        \
	{                                \
		name, words, __VA_ARGS__ \
	}
#define BPF_COMMAND(command) CALL_IF("bpf", #command, ARGUMENT_IS(0, command))
#define IOCTL(request) CALL_IF("ioctl", #request, ARGUMENT_IS(1, request))

/* ---- groups of calls ---- */

static const struct role_call process_calls[] = {
	CALL("clock_gettime"), /* where the vDSO can't tell the time */
	CALL("futex"),
	CALL("rt_sigprocmask"),
	CALL("rt_sigreturn"),
	CALL("restart_syscall"), /* ppoll, after SIGSTOP and SIGCONT */
	CALL("exit"),
	CALL("exit_group"),
#if ROLE_SANITIZED
	CALL_IF("write", "standard error", ARGUMENT_IS(0, 2)),
	CALL("clock_nanosleep"),
	CALL("getpid"),
	CALL("gettid"),
	CALL("sched_yield"),
	CALL("sigaltstack"),
#endif
};

/* What a mapping may be of differs. */
#define MEMORY_CALLS                                                                     \
	CALL("munmap"), CALL("mremap"), CALL("brk"), CALL("madvise"), CALL("getrandom"), \
		CALL("sysinfo") /* qsort: how much may it use? */

static const struct role_call memory_calls[] = {
	CALL_IF("mmap", "private, of no file, never executable", PLAIN_MEMORY),
	MEMORY_CALLS,
};

/* Shared memory of no file would be in no limit. */
static const struct role_call shared_memory_calls[] = {
	CALL_IF("mmap", "private, of no file, never executable", PLAIN_MEMORY),
	CALL_IF("mmap", "or of a descriptor, never executable", DESCRIPTOR_MEMORY),
	MEMORY_CALLS,
};

/* A descriptor that was handed in could be a socket as well: on the role's own one only. */
static const struct role_call conversation_calls[] = {
	CALL_IF("recvfrom", "descriptor 3", ON_OUR_SOCKET),
	CALL_IF("recvmsg", "descriptor 3", ON_OUR_SOCKET),
	CALL_IF("sendto", "descriptor 3", ON_OUR_SOCKET),
	CALL_IF("sendmsg", "descriptor 3", ON_OUR_SOCKET),
	CALL("ppoll"),
};

static const struct role_call descriptor_calls[] = {
	CALL("read"),
	CALL("pread64"),
	CALL("fstat"),
	CALL("close"),
};

static const struct role_call any_conversation_calls[] = {
	CALL("recvfrom"), CALL("recvmsg"), CALL("sendto"),
	CALL("sendmsg"),  CALL("ppoll"),   CALL("poll"),
};

/* ---- the roles, in the order in which they are shown ---- */

extern const struct role role_supervisor, role_agent, role_opener, role_fetcher, role_symbolizer,
	role_background_symbolizer, role_dump_supervisor, role_dumper, role_tracer, role_unwinder,
	role_reader_supervisor, role_reader, role_serve_supervisor, role_storekeeper, role_web;

#endif
