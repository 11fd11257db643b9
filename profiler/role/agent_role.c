// SPDX-License-Identifier: Apache-2.0
/*
 * The agent: what it takes to load BPF programs is given up when they are loaded, but for what a map or a CPU that comes later needs.
 */
#include "profiler/role/table.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/number.h"

static bool perf_is_restricted(void)
{
	_cleanup_(fd_close) int fd =
		open("/proc/sys/kernel/perf_event_paranoid", O_RDONLY | O_CLOEXEC);
	char text[16];
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	uint64_t value;

	/* What is below 0 is no number to this parser, and no restriction. */
	return n > 0 &&
	       number_parse(text, (size_t)n - (text[n - 1] == '\n'), INT32_MAX, &value) == 0 &&
	       value > ROLE_PARANOID_MAX;
}

static const struct role_capability agent_capabilities[] = {
	{ CAP_BPF, "CAP_BPF", "loads the BPF programs and makes their maps" },
	{ CAP_PERFMON, "CAP_PERFMON", "samples all CPUs, and lets BPF read kernel structures" },
};

static const struct role_setup_capability agent_setup = {
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
	  "opens perf events where kernel.perf_event_paranoid is above 2, as in Debian and Ubuntu" },
	perf_is_restricted,
};

static const struct role_limit agent_limits[] = {
	{ RLIMIT_CORE, "RLIMIT_CORE", 0 },
	{ RLIMIT_NPROC, "RLIMIT_NPROC", 0 },
	{ RLIMIT_NOFILE, "RLIMIT_NOFILE", 65536 }, /* seven for each of 4,096 CPUs; pins of files */
	{ RLIMIT_STACK, "RLIMIT_STACK", 8 << 20 },
};

static const struct role_call agent_setup_calls[] = {
	CALL_IF("openat", "to read", READING(2)),
	CALL("newfstatat"),
	CALL("access"),
	CALL("faccessat"),
	CALL("faccessat2"),
	CALL("uname"),
	BPF_COMMAND(BPF_PROG_LOAD),
	BPF_COMMAND(BPF_BTF_LOAD),
	BPF_COMMAND(BPF_MAP_FREEZE),
	BPF_COMMAND(BPF_PROG_BIND_MAP),
	BPF_COMMAND(BPF_RAW_TRACEPOINT_OPEN),
	BPF_COMMAND(BPF_LINK_CREATE),
	CALL("capget"),
	CALL("capset"),
	CALL_IF("tgkill", "signal 0: is there such a thread?", ARGUMENT_IS(2, 0)),
	CALL_IF("tkill", "signal 0", ARGUMENT_IS(1, 0)),
	CALL_IF("prlimit64", "its own", ARGUMENT_IS(0, 0)),
	CALL_IF("prctl", "PR_SET_NO_NEW_PRIVS", ARGUMENT_IS(0, PR_SET_NO_NEW_PRIVS)),
	CALL("seccomp"),
	/* Of no file and shared as well: libbpf keeps what it writes into maps there. */
	CALL_IF("mmap", "never executable", NOT_EXECUTABLE),
};

static const struct role_call agent_sampling_calls[] = {
	/* One that comes online, too. Of a process it would be breakpoints on its data. */
	CALL_IF("perf_event_open", "of CPUs", ARGUMENT_IS(1, UINT32_MAX)),
	IOCTL(PERF_EVENT_IOC_SET_BPF),
	IOCTL(PERF_EVENT_IOC_ENABLE),
	BPF_COMMAND(BPF_MAP_CREATE),
	BPF_COMMAND(BPF_MAP_LOOKUP_ELEM),
	BPF_COMMAND(BPF_MAP_UPDATE_ELEM),
	BPF_COMMAND(BPF_MAP_DELETE_ELEM),
	BPF_COMMAND(BPF_OBJ_GET_INFO_BY_FD),
	BPF_COMMAND(
		BPF_ITER_CREATE), /* of an iterator that was loaded before: which programs there are */
	CALL("epoll_create1"),
	CALL("epoll_ctl"),
	CALL("epoll_wait"),
	CALL("clock_nanosleep"),
};

static const struct role_call agent_descriptor_calls[] = {
	CALL("read"), CALL("pread64"), CALL("lseek"), CALL("fstat"),
	/* It can be given a path nevertheless: that tells it that there is one, no more. */
	CALL_IF("newfstatat", "AT_EMPTY_PATH", ARGUMENT_IS(3, AT_EMPTY_PATH)), CALL("close"),
	CALL_IF("fcntl", "F_DUPFD_CLOEXEC", ARGUMENT_IS(1, F_DUPFD_CLOEXEC)),
	/* What the opener hands over is looked at. */
	CALL_IF("fcntl", "F_GETFL", ARGUMENT_IS(1, F_GETFL)),
	CALL_IF("fcntl", "F_GET_SEALS", ARGUMENT_IS(1, F_GET_SEALS)), CALL("write"),
	CALL("memfd_create"), /* for a copy of the vDSO */
};

static const struct role_calls agent_groups[] = {
	{ "setting up", true, agent_setup_calls, COUNT(agent_setup_calls) },
	{ "sampling", false, agent_sampling_calls, COUNT(agent_sampling_calls) },
	{ "descriptors that it has", false, agent_descriptor_calls, COUNT(agent_descriptor_calls) },
	{ "conversations", false, any_conversation_calls, COUNT(any_conversation_calls) },
	{ "memory, the kernel's rings too", false, shared_memory_calls,
	  COUNT(shared_memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

const struct role role_agent = {
	.name = "agent",
	.work = "Loads the BPF programs, samples, counts and makes the answer; asks the "
		"others for all that it has to know of processes and files",
	.user = "slowburn-agent",
	.fallback_id = AGENT_ID,
	CAPABILITIES(agent_capabilities),
	.setup = &agent_setup,
	LIMITS(agent_limits),
	GROUPS(agent_groups),
};
