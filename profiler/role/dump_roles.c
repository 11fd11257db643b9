// SPDX-License-Identifier: Apache-2.0
/*
 * Who takes stacks of running processes: one stops threads and interprets nothing, one interprets and has nothing, one asks them.
 */
#include "profiler/role/table.h"

#include <linux/capability.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

static const struct role_limit dumper_limits[] = {
	{ RLIMIT_CORE, "RLIMIT_CORE", 0 },         { RLIMIT_NPROC, "RLIMIT_NPROC", 0 },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE", 1024 }, /* 512 binaries held open */
	{ RLIMIT_STACK, "RLIMIT_STACK", 8 << 20 },
#if !ROLE_SANITIZED
	{ RLIMIT_FSIZE, "RLIMIT_FSIZE", 1 << 20 }, /* a copy of the vDSO */
	{ RLIMIT_DATA, "RLIMIT_DATA", 384 << 20 }, /* 128 MiB of rows, 64 MiB of text */
#endif
};

static const struct role_call dumper_descriptor_calls[] = {
	CALL("fstat"),
	/* It can be given a path nevertheless: that tells it that there is one, no more. */
	CALL_IF("newfstatat", "AT_EMPTY_PATH", ARGUMENT_IS(3, AT_EMPTY_PATH)), CALL("close"),
	CALL_IF("fcntl", "F_DUPFD_CLOEXEC", ARGUMENT_IS(1, F_DUPFD_CLOEXEC)),
	CALL_IF("fcntl", "F_GETFL", ARGUMENT_IS(1, F_GETFL)),
	CALL_IF("fcntl", "F_GET_SEALS", ARGUMENT_IS(1, F_GET_SEALS)), CALL("write"),
	CALL("memfd_create"), /* for a copy of the vDSO */
};

static const struct role_call dumper_waiting_calls[] = { CALL("clock_nanosleep") };

static const struct role_calls dumper_groups[] = {
	{ "descriptors that it has", false, dumper_descriptor_calls,
	  COUNT(dumper_descriptor_calls) },
	{ "conversations", false, any_conversation_calls, COUNT(any_conversation_calls) },
	{ "waiting", false, dumper_waiting_calls, COUNT(dumper_waiting_calls) },
	{ "memory", false, memory_calls, COUNT(memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

const struct role role_dumper = {
	.name = "dumper",
	.work = "Asks the others for stacks and tables, and makes text of them",
	.user = "slowburn-dumper",
	.fallback_id = DUMPER_ID,
	LIMITS(dumper_limits),
	GROUPS(dumper_groups),
};

/* ---- the tracer ---- */

static const struct role_capability tracer_capabilities[] = {
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "stops others' threads and reads their memory" },
};

static const struct role_limit tracer_limits[] = {
	{ RLIMIT_CORE, "RLIMIT_CORE", 0 },     { RLIMIT_NPROC, "RLIMIT_NPROC", 0 },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE", 8 }, { RLIMIT_STACK, "RLIMIT_STACK", 8 << 20 },
#if !ROLE_SANITIZED
	{ RLIMIT_FSIZE, "RLIMIT_FSIZE", 0 },   { RLIMIT_DATA, "RLIMIT_DATA", 16 << 20 },
#endif
};

#define PTRACE(request) CALL_IF("ptrace", #request, ARGUMENT_IS(0, request))

static const struct role_call tracer_calls[] = {
	PTRACE(PTRACE_SEIZE),     PTRACE(PTRACE_INTERRUPT), PTRACE(PTRACE_GETREGSET),
	PTRACE(PTRACE_DETACH),    CALL("waitid"),           CALL("rt_sigtimedwait"),
	CALL("setitimer"), /* SIGALRM ends it, if it doesn't let go in time */
	CALL("process_vm_readv"),
};

static const struct role_call tracer_descriptor_calls[] = { CALL("close") };

static const struct role_calls tracer_groups[] = {
	{ "threads", false, tracer_calls, COUNT(tracer_calls) },
	{ "descriptors that it has", false, tracer_descriptor_calls,
	  COUNT(tracer_descriptor_calls) },
	{ "its conversation", false, conversation_calls, COUNT(conversation_calls) },
	{ "memory", false, memory_calls, COUNT(memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

const struct role role_tracer = {
	.name = "tracer",
	.work = "Stops one thread at a time, for 100 ms at most, and hands out its registers "
		"and memory as bytes; interprets none",
	.user = "slowburn-tracer",
	.fallback_id = TRACER_ID,
	.served = true,
	CAPABILITIES(tracer_capabilities),
	LIMITS(tracer_limits),
	GROUPS(tracer_groups),
};

/* ---- the unwinder ---- */

static const struct role_limit unwinder_limits[] = {
	{ RLIMIT_CORE, "RLIMIT_CORE", 0 },         { RLIMIT_NPROC, "RLIMIT_NPROC", 0 },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE", 96 }, /* 64 files that it keeps */
	{ RLIMIT_STACK, "RLIMIT_STACK", 8 << 20 },
#if !ROLE_SANITIZED
	{ RLIMIT_FSIZE, "RLIMIT_FSIZE", 0 },       { RLIMIT_DATA, "RLIMIT_DATA", 128 << 20 },
#endif
};

static const struct role_calls unwinder_groups[] = {
	{ "files that come with an answer", false, descriptor_calls, COUNT(descriptor_calls) },
	{ "its conversation", false, conversation_calls, COUNT(conversation_calls) },
	{ "memory", false, memory_calls, COUNT(memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

const struct role role_unwinder = {
	.name = "unwinder",
	.work = "Runs libunwind over registers, memory and files that it is handed",
	.user = "slowburn-unwinder",
	.fallback_id = UNWINDER_ID,
	.served = true,
	LIMITS(unwinder_limits),
	GROUPS(unwinder_groups),
};
