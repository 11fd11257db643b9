// SPDX-License-Identifier: Apache-2.0
/*
 * The supervisors. Their filters name what is denied, not what is allowed: their children, other roles, inherit them over exec.
 */
#include "profiler/role/table.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>

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

const struct role role_supervisor = {
	.name = "supervisor",
	.work = "Reads the command line, starts, limits, ends and replaces the others, and "
		"writes the answer; looks at nobody's bytes",
	.crew = supervisor_crew,
	.filter = ROLE_DENIES,
	CAPABILITIES(supervisor_capabilities),
	GROUPS(supervisor_groups),
};

/* ---- of dumps ---- */

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

const struct role role_dump_supervisor = {
	.name = "dump supervisor",
	.work = "The supervisor of slowburn dump, debug, symbolize and doctor --symbols; the same, "
		"but that the tracer is one of its children",
	.crew = dump_supervisor_crew,
	.filter = ROLE_DENIES,
	CAPABILITIES(dump_supervisor_capabilities),
	GROUPS(dump_supervisor_groups),
};

/* ---- of a reader ---- */

static const char *const reader_supervisor_crew[] = { "reader", NULL };

const struct role role_reader_supervisor = {
	.name = "reader supervisor",
	.work = "The supervisor of slowburn query and diff; the same, but that it starts the "
		"reader only",
	.crew = reader_supervisor_crew,
	.filter = ROLE_DENIES,
	CAPABILITIES(supervisor_capabilities),
	GROUPS(supervisor_groups),
};

/* ---- of a server ---- */

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

const struct role role_serve_supervisor = {
	.name = "serve supervisor",
	.work = "The supervisor of slowburn serve: opens the sockets to listen on and the "
		"store's directory, starts, limits, ends and replaces the others, and opens "
		"the store's files for readers",
	.crew = serve_supervisor_crew,
	.filter = ROLE_DENIES,
	CAPABILITIES(serve_supervisor_capabilities),
	GROUPS(serve_supervisor_groups),
};
