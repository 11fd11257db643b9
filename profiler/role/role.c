// SPDX-License-Identifier: Apache-2.0
/*
 * The table of roles. A role gets a line for what its code was seen to call (strace), and for
 * nothing that it might want one day. Calls stand in groups, as what a group is for is what one
 * has to know to judge it, and as most roles share some.
 *
 * Refused: fstat by way of newfstatat, as glibc 2.33 to 2.38 call it, for the symbolizer: it takes a
 * path as well, and a filter can't look at one. Mappings of others' files in there: one that is cut short
 * under us is a SIGBUS, so they are read; only an index of our own is mapped. openat for libraries loaded late: nothing is.
 */
#include "profiler/role/role.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/number.h"
#include "profiler/role/child.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

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

/* ---- the supervisor ---- */

static const struct role_capability supervisor_capabilities[] = {
	{ CAP_SETUID, "CAP_SETUID", "gives the others uids of their own" },
	{ CAP_SETGID, "CAP_SETGID", "and gids, and takes their groups" },
	{ CAP_SETPCAP, "CAP_SETPCAP", "takes what they don't need out of their bounding sets" },
	{ CAP_KILL, "CAP_KILL", "ends them, who are other users, and the command after --" },
	{ CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE",
	  "puts the answer into a folder of the user who called sudo" },
	{ CAP_FOWNER, "CAP_FOWNER", "the same in a sticky folder, such as /tmp" },
};

static const char *const supervisor_crew[] = { "agent", "opener", "fetcher", "symbolizer", NULL };

static const struct role_call others_memory_calls[] = {
#if !ROLE_SANITIZED /* LeakSanitizer looks at its own process so */
	CALL("ptrace"),
#endif
	CALL("process_vm_readv"),
	CALL("process_vm_writev"),
	CALL("process_madvise"),
	CALL("pidfd_getfd"),
	CALL("kcmp"),
	CALL("move_pages"),
	CALL("migrate_pages"),
	CALL("userfaultfd"),
};

static const struct role_call network_calls[] = {
	CALL("socket"), CALL("connect"), CALL("bind"),
	CALL("listen"), CALL("accept"),  CALL("accept4"),
};

/* clang-format off */
#define NEW_NAMESPACE(flag) CALL_IF("clone", #flag, { { 0, flag, flag } })
/* clang-format on */

static const struct role_call namespace_calls[] = {
	CALL("mount"),
	CALL("umount2"),
	CALL("move_mount"),
	CALL("open_tree"),
	CALL("fsopen"),
	CALL("fsconfig"),
	CALL("fsmount"),
	CALL("fspick"),
	CALL("mount_setattr"),
	CALL("pivot_root"),
	CALL("chroot"),
	CALL("setns"),
	CALL("unshare"),
	NEW_NAMESPACE(CLONE_NEWUSER),
	NEW_NAMESPACE(CLONE_NEWNS),
	NEW_NAMESPACE(CLONE_NEWPID),
	NEW_NAMESPACE(CLONE_NEWNET),
	NEW_NAMESPACE(CLONE_NEWIPC),
	NEW_NAMESPACE(CLONE_NEWUTS),
	NEW_NAMESPACE(CLONE_NEWCGROUP),
#if !ROLE_SANITIZED /* ThreadSanitizer starts a thread with it */
	CALL("clone3"), /* its flags can't be looked at */
#endif
};

static const struct role_call kernel_calls[] = {
	CALL("init_module"),   CALL("finit_module"),    CALL("delete_module"),
	CALL("kexec_load"),    CALL("kexec_file_load"), CALL("reboot"),
	CALL("swapon"),        CALL("swapoff"),         CALL("acct"),
	CALL("quotactl"),      CALL("quotactl_fd"),     CALL("settimeofday"),
	CALL("clock_settime"), CALL("clock_adjtime"),   CALL("adjtimex"),
	CALL("sethostname"),   CALL("setdomainname"),   CALL("syslog"),
	CALL("iopl"),          CALL("ioperm"),          CALL("modify_ldt"),
	CALL("mknod"),         CALL("mknodat"),         CALL("fanotify_init"),
	CALL("nfsservctl"),    CALL("vhangup"),
};

static const struct role_call needless_calls[] = {
	CALL("keyctl"),
	CALL("add_key"),
	CALL("request_key"),
	CALL("io_uring_setup"),
	CALL("io_uring_enter"),
	CALL("io_uring_register"),
	CALL("name_to_handle_at"),
	CALL("open_by_handle_at"),
	CALL("personality"),
	CALL("lookup_dcookie"),
	CALL("uselib"),
};

static const struct role_calls supervisor_groups[] = {
	{ "other processes' memory", false, others_memory_calls, COUNT(others_memory_calls) },
	{ "the network", false, network_calls, COUNT(network_calls) },
	{ "mounts and namespaces", false, namespace_calls, COUNT(namespace_calls) },
	{ "the kernel and the machine", false, kernel_calls, COUNT(kernel_calls) },
	{ "what nobody of us needs", false, needless_calls, COUNT(needless_calls) },
};

/* ---- the agent ---- */

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

static const struct role_call agent_conversation_calls[] = {
	CALL("recvfrom"), CALL("recvmsg"), CALL("sendto"),
	CALL("sendmsg"),  CALL("ppoll"),   CALL("poll"),
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
	{ "conversations", false, agent_conversation_calls, COUNT(agent_conversation_calls) },
	{ "memory, the kernel's rings too", false, shared_memory_calls,
	  COUNT(shared_memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

/* ---- the opener and the fetcher ---- */

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

/* ---- the symbolizer ---- */

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

/* ---- the dumper, the tracer and the unwinder ---- */

static const char *const dump_supervisor_crew[] = { "dumper",  "tracer",     "unwinder", "opener",
						    "fetcher", "symbolizer", NULL };

/* What the tracer does, it does as a child of the supervisor, whose filter it inherits. */
static const struct role_call others_memory_but_tracing_calls[] = {
	CALL("process_vm_writev"), CALL("process_madvise"), CALL("pidfd_getfd"), CALL("kcmp"),
	CALL("move_pages"),        CALL("migrate_pages"),   CALL("userfaultfd"),
};

static const struct role_capability dump_supervisor_capabilities[] = {
	{ CAP_SETUID, "CAP_SETUID", "gives the others uids of their own" },
	{ CAP_SETGID, "CAP_SETGID", "and gids, and takes their groups" },
	{ CAP_SETPCAP, "CAP_SETPCAP", "takes what they don't need out of their bounding sets" },
	{ CAP_KILL, "CAP_KILL", "ends them, who are other users" },
};

static const struct role_calls dump_supervisor_groups[] = {
	{ "other processes' memory", false, others_memory_but_tracing_calls,
	  COUNT(others_memory_but_tracing_calls) },
	{ "the network", false, network_calls, COUNT(network_calls) },
	{ "mounts and namespaces", false, namespace_calls, COUNT(namespace_calls) },
	{ "the kernel and the machine", false, kernel_calls, COUNT(kernel_calls) },
	{ "what nobody of us needs", false, needless_calls, COUNT(needless_calls) },
};

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
	{ "conversations", false, agent_conversation_calls, COUNT(agent_conversation_calls) },
	{ "waiting", false, dumper_waiting_calls, COUNT(dumper_waiting_calls) },
	{ "memory", false, memory_calls, COUNT(memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
};

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

/* ---- the reader ---- */

static const char *const reader_supervisor_crew[] = { "reader", NULL };

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
	{ "conversations", false, agent_conversation_calls, COUNT(agent_conversation_calls) },
	{ "memory", false, memory_calls, COUNT(memory_calls) },
	{ "what every process needs", false, process_calls, COUNT(process_calls) },
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

/* ---- the supervisor of a server ---- */

static const char *const serve_supervisor_crew[] = {
	"agent",       "opener", "fetcher", "symbolizer", "background symbolizer",
	"storekeeper", "web",    "reader",  NULL,
};

static const struct role_capability serve_supervisor_capabilities[] = {
	{ CAP_SETUID, "CAP_SETUID", "gives the others uids of their own" },
	{ CAP_SETGID, "CAP_SETGID", "and gids, and takes their groups" },
	{ CAP_SETPCAP, "CAP_SETPCAP", "takes what they don't need out of their bounding sets" },
	{ CAP_KILL, "CAP_KILL", "ends them, who are other users" },
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH",
	  "opens the store's files, which are the storekeeper's, for readers" },
};

#define SOCKET_OF(family) CALL_IF("socket", #family, ARGUMENT_IS(0, family))

/* Its own are there before. The web process takes connections from those that it is handed, and asks the kernel about them. */
static const struct role_call serve_network_calls[] = {
	SOCKET_OF(AF_UNIX),  SOCKET_OF(AF_INET), SOCKET_OF(AF_INET6), SOCKET_OF(AF_PACKET),
	SOCKET_OF(AF_VSOCK), SOCKET_OF(AF_ALG),  CALL("connect"),     CALL("bind"),
	CALL("listen"),      CALL("accept"),
};

static const struct role_calls serve_supervisor_groups[] = {
	{ "other processes' memory", false, others_memory_calls, COUNT(others_memory_calls) },
	{ "the network", false, serve_network_calls, COUNT(serve_network_calls) },
	{ "mounts and namespaces", false, namespace_calls, COUNT(namespace_calls) },
	{ "the kernel and the machine", false, kernel_calls, COUNT(kernel_calls) },
	{ "what nobody of us needs", false, needless_calls, COUNT(needless_calls) },
};

/* ---- the roles ---- */

#define CAPABILITIES(list) .capabilities = list, .capability_count = COUNT(list)
#define LIMITS(list) .limits = list, .limit_count = COUNT(list)
#define GROUPS(list) .groups = list, .group_count = COUNT(list)

static const struct role roles[] = {
	{
		.name = "supervisor",
		.work = "Reads the command line, starts, limits, ends and replaces the others, and "
			"writes the answer; looks at nobody's bytes",
		.crew = supervisor_crew,
		.filter = ROLE_DENIES,
		CAPABILITIES(supervisor_capabilities),
		GROUPS(supervisor_groups),
	},
	{
		.name = "agent",
		.work = "Loads the BPF programs, samples, counts and makes the answer; asks the "
			"others for all that it has to know of processes and files",
		.user = "slowburn-agent",
		.fallback_id = AGENT_ID,
		CAPABILITIES(agent_capabilities),
		.setup = &agent_setup,
		LIMITS(agent_limits),
		GROUPS(agent_groups),
	},
	{
		.name = "opener",
		.work = "Reads /proc and opens binaries for the agent; hands out bytes and "
			"descriptors, and looks into none",
		.user = "slowburn-opener",
		.fallback_id = OPENER_ID,
		.served = true,
		CAPABILITIES(opener_capabilities),
		LIMITS(opener_limits),
		GROUPS(opener_groups),
	},
	{
		.name = "fetcher",
		.work = "Copies binaries from file systems that may never answer, opens debug files "
			"whose names may lead there, and is given up when they don't",
		.user = "slowburn-opener",
		.fallback_id = OPENER_ID,
		.served = true,
		CAPABILITIES(fetcher_capabilities),
		LIMITS(fetcher_limits),
		GROUPS(fetcher_groups),
	},
	{
		.name = "symbolizer",
		.work = "Parses ELF files and kernel symbols, and names addresses in them",
		.user = "slowburn-symbolizer",
		.fallback_id = SYMBOLIZER_ID,
		.served = true,
		LIMITS(symbolizer_limits),
		GROUPS(symbolizer_groups),
	},
	{
		.name = "background symbolizer",
		.work = "A further symbolizer, which reads lines while sampling goes on, so that the other "
			"one is free for what can't wait",
		.user = "slowburn-symbolizer",
		.fallback_id = SYMBOLIZER_ID,
		.served = true,
		.background = true,
		LIMITS(background_symbolizer_limits),
		GROUPS(symbolizer_groups),
	},
	{
		.name = "dump supervisor",
		.work = "The supervisor of slowburn dump, debug, symbolize and doctor --symbols; the same, "
			"but that the tracer is one of its children",
		.crew = dump_supervisor_crew,
		.filter = ROLE_DENIES,
		CAPABILITIES(dump_supervisor_capabilities),
		GROUPS(dump_supervisor_groups),
	},
	{
		.name = "dumper",
		.work = "Asks the others for stacks and tables, and makes text of them",
		.user = "slowburn-dumper",
		.fallback_id = DUMPER_ID,
		LIMITS(dumper_limits),
		GROUPS(dumper_groups),
	},
	{
		.name = "tracer",
		.work = "Stops one thread at a time, for 100 ms at most, and hands out its registers "
			"and memory as bytes; interprets none",
		.user = "slowburn-tracer",
		.fallback_id = TRACER_ID,
		.served = true,
		CAPABILITIES(tracer_capabilities),
		LIMITS(tracer_limits),
		GROUPS(tracer_groups),
	},
	{
		.name = "unwinder",
		.work = "Runs libunwind over registers, memory and files that it is handed",
		.user = "slowburn-unwinder",
		.fallback_id = UNWINDER_ID,
		.served = true,
		LIMITS(unwinder_limits),
		GROUPS(unwinder_groups),
	},
	{
		.name = "reader supervisor",
		.work = "The supervisor of slowburn query and diff; the same, but that it starts the "
			"reader only",
		.crew = reader_supervisor_crew,
		.filter = ROLE_DENIES,
		CAPABILITIES(supervisor_capabilities),
		GROUPS(supervisor_groups),
	},
	{
		.name = "reader",
		.work = "Parses profiles from files, or the files of a store, selects, compares, and makes the "
			"answer",
		.user = "slowburn-reader",
		.fallback_id = READER_ID,
		.ordinary = true,
		LIMITS(reader_limits),
		GROUPS(reader_groups),
	},
	{
		.name = "serve supervisor",
		.work = "The supervisor of slowburn serve: opens the sockets to listen on and the "
			"store's directory, starts, limits, ends and replaces the others, and opens "
			"the store's files for readers",
		.crew = serve_supervisor_crew,
		.filter = ROLE_DENIES,
		CAPABILITIES(serve_supervisor_capabilities),
		GROUPS(serve_supervisor_groups),
	},
	{
		.name = "storekeeper",
		.work = "Writes a store: windows that the agent packed, and what it rolls up of them; "
			"reaches the store's directory and nothing else",
		.user = "slowburn-storekeeper",
		.fallback_id = STOREKEEPER_ID,
		LIMITS(storekeeper_limits),
		GROUPS(storekeeper_groups),
	},
	{
		.name = "web",
		.work = "Speaks HTTP with whoever connects, decides who gets an answer, and has readers make it; "
			"a program of its own, slowburn-web",
		.program = "slowburn-web",
		.user = "slowburn-web",
		.fallback_id = WEB_ID,
		.ordinary = true,
		LIMITS(web_limits),
		GROUPS(web_groups),
	},
};

const struct role *role_find(const char *name)
{
	for (size_t i = 0; i < COUNT(roles); i++)
		if (strcmp(roles[i].name, name) == 0)
			return &roles[i];
	return NULL;
}

size_t role_count(void)
{
	return COUNT(roles);
}

const struct role *role_at(size_t i)
{
	return &roles[i];
}

uint64_t role_setup_capabilities(const struct role *role)
{
	const struct role_setup_capability *setup = role->setup;

	return setup && setup->is_needed() ? 1ULL << setup->capability.number : 0;
}

static uint64_t own_capabilities(const struct role *role)
{
	uint64_t mask = role_setup_capabilities(role);

	for (size_t i = 0; i < role->capability_count; i++)
		mask |= 1ULL << role->capabilities[i].number;
	return mask;
}

uint64_t role_capabilities(const struct role *role)
{
	uint64_t mask = own_capabilities(role);

	for (const char *const *name = role->crew; name && *name; name++)
		mask |= own_capabilities(role_find(*name));
	return mask;
}
