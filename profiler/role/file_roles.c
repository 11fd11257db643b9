// SPDX-License-Identifier: Apache-2.0
/*
 * Who opens other people's files, and who parses them.
 *
 * Refused: fstat by way of newfstatat, as glibc 2.33 to 2.38 call it, for the symbolizer: it takes a path as well, and a filter can't look
 * at one. Mappings of others' files in there: one that is cut short under us is a SIGBUS, so they are read; only an index of our own is
 * mapped. openat for libraries loaded late: nothing is.
 */
#include "profiler/role/table.h"

#include <linux/capability.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

/* clang-format off */
#define FILE_CAPABILITIES \
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "reads /proc/PID/maps and looks into /proc/PID/root" }, \
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "opens binaries that only others may read" }, \
	{ CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE", \
	  "opens /proc/PID/map_files: binaries that were deleted or replaced" }
/* clang-format on */

static const struct role_capability opener_capabilities[] = {
	FILE_CAPABILITIES,
	{ CAP_SYSLOG, "CAP_SYSLOG", "sees the addresses in /proc/kallsyms" },
};

static const struct role_capability fetcher_capabilities[] = { FILE_CAPABILITIES };

static const struct role_limit opener_limits[] = {
	{ RLIMIT_CORE, "RLIMIT_CORE", 0 },
	{ RLIMIT_NPROC, "RLIMIT_NPROC", 0 },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE", 64 },
	{ RLIMIT_STACK, "RLIMIT_STACK", 8 << 20 },
#if !ROLE_SANITIZED
	{ RLIMIT_FSIZE, "RLIMIT_FSIZE", 0 },
	{ RLIMIT_DATA, "RLIMIT_DATA", 64 << 20 }, /* a reply of 16 MiB, and that grown once more */
#endif
};

static const struct role_limit fetcher_limits[] = {
	{ RLIMIT_CORE, "RLIMIT_CORE", 0 },          { RLIMIT_NPROC, "RLIMIT_NPROC", 0 },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE", 64 },     { RLIMIT_STACK, "RLIMIT_STACK", 8 << 20 },
#if !ROLE_SANITIZED
	{ RLIMIT_FSIZE, "RLIMIT_FSIZE", 64 << 20 }, /* the largest copy */
	{ RLIMIT_DATA, "RLIMIT_DATA", 64 << 20 },
#endif
};

/* openat2's flags are behind a pointer: there the uid stands, which may write what everybody may. */
static const struct role_call open_calls[] = {
	CALL_IF("openat", "to read", READING(2)),
	CALL("openat2"),
	CALL("statx"),
	CALL("memfd_create"), /* to know a mapped memfd by its device */
	IOCTL(FS_IOC_GETVERSION),
};

static const struct role_call opener_list_calls[] = {
	CALL("getdents64"),
	CALL("readlink"),
	CALL("fstatfs"), /* is a cgroup one? */
	CALL_IF("newfstatat", "AT_EMPTY_PATH", ARGUMENT_IS(3, AT_EMPTY_PATH)), /* opendir */
	CALL_IF("fcntl", "F_GETFL", ARGUMENT_IS(1, F_GETFL)),
};

static const struct role_call fetcher_copy_calls[] = {
	CALL("ftruncate"),
	CALL_IF("fcntl", "F_ADD_SEALS", ARGUMENT_IS(1, F_ADD_SEALS)),
};

static const struct role_call fetcher_list_calls[] = { CALL("getdents64") };

static const struct role_calls opener_groups[] = {
	{ "files and /proc", false, open_calls, COUNT(open_calls) },
	{ "lists of processes and cgroups", false, opener_list_calls, COUNT(opener_list_calls) },
	{ "descriptors that it has", false, descriptor_calls, COUNT(descriptor_calls) },
	{ "its conversation", false, conversation_calls, COUNT(conversation_calls) },
	{ "memory", false, memory_calls, COUNT(memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

static const struct role_calls fetcher_groups[] = {
	{ "files and /proc", false, open_calls, COUNT(open_calls) },
	{ "copies in memory", false, fetcher_copy_calls, COUNT(fetcher_copy_calls) },
	{ "lists of packages", false, fetcher_list_calls, COUNT(fetcher_list_calls) },
	{ "descriptors that it has", false, descriptor_calls, COUNT(descriptor_calls) },
	{ "its conversation", false, conversation_calls, COUNT(conversation_calls) },
	{ "memory, the copies' too", false, shared_memory_calls, COUNT(shared_memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

const struct role role_opener = {
	.name = "opener",
	.work = "Reads /proc and opens binaries for the agent; hands out bytes and "
		"descriptors, and looks into none",
	.user = "slowburn-opener",
	.fallback_id = OPENER_ID,
	.served = true,
	CAPABILITIES(opener_capabilities),
	LIMITS(opener_limits),
	GROUPS(opener_groups),
};

const struct role role_fetcher = {
	.name = "fetcher",
	.work = "Copies binaries from file systems that may never answer, opens debug files "
		"whose names may lead there, and is given up when they don't",
	.user = "slowburn-opener",
	.fallback_id = OPENER_ID,
	.served = true,
	CAPABILITIES(fetcher_capabilities),
	LIMITS(fetcher_limits),
	GROUPS(fetcher_groups),
};

/* ---- the symbolizers ---- */

static const struct role_limit symbolizer_limits[] = {
	{ RLIMIT_CORE, "RLIMIT_CORE", 0 },
	{ RLIMIT_NPROC, "RLIMIT_NPROC", 0 },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE", 16 }, /* four of its own, SOCKET_MAX_FDS of a request */
	/* The default; not "unlimited", as some callers have it. */
	{ RLIMIT_STACK, "RLIMIT_STACK", 8 << 20 },
#if !ROLE_SANITIZED
	{ RLIMIT_FSIZE, "RLIMIT_FSIZE", 128 << 20 }, /* the largest index for the cache */
	/*
	 * 65,536 addresses, the most that one request has: 8 MiB. The rest is for DWARF, which is read whole; who
	 * profiles allows less.
	 */
	{ RLIMIT_DATA, "RLIMIT_DATA", 1 << 30 },
#endif
};

/*
 * The same; and one that was given up over a question may not go on for long. Else it is replaced
 * before (agent/background_lines.c).
 */
static const struct role_limit background_symbolizer_limits[] = {
	{ RLIMIT_CORE, "RLIMIT_CORE", 0 },
	{ RLIMIT_NPROC, "RLIMIT_NPROC", 0 },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE", 16 },
	{ RLIMIT_STACK, "RLIMIT_STACK", 8 << 20 },
	{ RLIMIT_CPU, "RLIMIT_CPU", 10 },
#if !ROLE_SANITIZED
	{ RLIMIT_FSIZE, "RLIMIT_FSIZE", 128 << 20 },
	{ RLIMIT_DATA, "RLIMIT_DATA", 1 << 30 },
#endif
};

static const struct role_call symbolizer_index_calls[] = {
	CALL("write"), /* what it is handed can only be read, but for the memory that an index is for */
	CALL_IF("mmap", "of a descriptor, private, only to be read", DESCRIPTOR_TO_READ),
};

static const struct role_calls symbolizer_groups[] = {
	{ "files that come with a request", false, descriptor_calls, COUNT(descriptor_calls) },
	{ "the index of lines", false, symbolizer_index_calls, COUNT(symbolizer_index_calls) },
	{ "its conversation", false, conversation_calls, COUNT(conversation_calls) },
	{ "memory", false, memory_calls, COUNT(memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

const struct role role_symbolizer = {
	.name = "symbolizer",
	.work = "Parses ELF files and kernel symbols, and names addresses in them",
	.user = "slowburn-symbolizer",
	.fallback_id = SYMBOLIZER_ID,
	.served = true,
	LIMITS(symbolizer_limits),
	GROUPS(symbolizer_groups),
};

const struct role role_background_symbolizer = {
	.name = "background symbolizer",
	.work = "A further symbolizer, which reads lines while sampling goes on, so that the other "
		"one is free for what can't wait",
	.user = "slowburn-symbolizer",
	.fallback_id = SYMBOLIZER_ID,
	.served = true,
	.background = true,
	LIMITS(background_symbolizer_limits),
	GROUPS(symbolizer_groups),
};
