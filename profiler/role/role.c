// SPDX-License-Identifier: Apache-2.0
/*
 * The table of roles. A role gets a line for what its code was seen to call (strace), and for
 * nothing that it might want one day.
 *
 * Refused: fstat by way of newfstatat, as glibc 2.33 to 2.38 call it: it takes a path as well, and
 * a filter can't look at one. Mappings of files: one that is cut short under us is a SIGBUS, so
 * they are read. openat for libraries loaded late: nothing is.
 */
#include "profiler/role/role.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "profiler/role/child.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Nobody's: Debian keeps 65000 to 65533 for itself, systemd gives out ids up to 65519. Not 65534,
 * "nobody": whoever has nothing else is that, NFS and other programs' sandboxes too.
 */
#define SYMBOLIZER_ID 65521

/* clang-format off */
/* On the role's own socket only: a descriptor that was handed in could be a socket as well. */
#define ON_OUR_SOCKET { { 0, UINT32_MAX, ROLE_CHILD_SOCKET } }
/* Private, of no file, and never to be executed. There is no mprotect to change that. */
#define PLAIN_MEMORY { { 2, PROT_EXEC, 0 }, { 3, MAP_SHARED | MAP_ANONYMOUS, MAP_ANONYMOUS } }
/* clang-format on */

static const struct role_limit symbolizer_limits[] = {
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_NOFILE, 16 }, /* four of its own, SOCKET_MAX_FDS of a request */
	{ RLIMIT_STACK, 8 << 20 }, /* the default; not "unlimited", as some callers have it */
#if !ROLE_SANITIZED
	{ RLIMIT_FSIZE, 0 },
	{ RLIMIT_DATA, 64 << 20 }, /* 65,536 addresses, the most that one request has: 8 MiB */
#endif
};

static const struct role_call symbolizer_calls[] = {
	/* the files that come with a request */
	{ SYS_read, { { 0 } } },
	{ SYS_pread64, { { 0 } } },
	{ SYS_fstat, { { 0 } } },
	{ SYS_close, { { 0 } } },
	/* the conversation */
	{ SYS_recvfrom, ON_OUR_SOCKET },
	{ SYS_recvmsg, ON_OUR_SOCKET },
	{ SYS_sendto, ON_OUR_SOCKET },
	{ SYS_sendmsg, ON_OUR_SOCKET },
	{ SYS_ppoll, { { 0 } } },
	/* malloc */
	{ SYS_mmap, PLAIN_MEMORY },
	{ SYS_munmap, { { 0 } } },
	{ SYS_mremap, { { 0 } } },
	{ SYS_brk, { { 0 } } },
	{ SYS_madvise, { { 0 } } },
	{ SYS_getrandom, { { 0 } } },
	{ SYS_sysinfo, { { 0 } } }, /* qsort: may it use a quarter of the memory? */
	/* what every process needs */
	{ SYS_clock_gettime, { { 0 } } }, /* where the vDSO can't tell the time */
	{ SYS_futex, { { 0 } } },
	{ SYS_rt_sigprocmask, { { 0 } } },
	{ SYS_rt_sigreturn, { { 0 } } },
	{ SYS_restart_syscall, { { 0 } } }, /* ppoll, after SIGSTOP and SIGCONT */
	{ SYS_exit, { { 0 } } },
	{ SYS_exit_group, { { 0 } } },
#if ROLE_SANITIZED
	{ SYS_write, { { 0, UINT32_MAX, 2 } } },
	{ SYS_clock_nanosleep, { { 0 } } },
	{ SYS_getpid, { { 0 } } },
	{ SYS_gettid, { { 0 } } },
	{ SYS_sched_yield, { { 0 } } },
	{ SYS_sigaltstack, { { 0 } } },
#endif
};

static const struct role roles[] = {
	{
		.name = "symbolizer",
		.user = "slowburn-symbolizer",
		.fallback_id = SYMBOLIZER_ID,
		.capabilities = 0,
		.limits = symbolizer_limits,
		.limit_count = COUNT(symbolizer_limits),
		.calls = symbolizer_calls,
		.call_count = COUNT(symbolizer_calls),
	},
};

const struct role *role_find(const char *name)
{
	for (size_t i = 0; i < COUNT(roles); i++)
		if (strcmp(roles[i].name, name) == 0)
			return &roles[i];
	return NULL;
}
