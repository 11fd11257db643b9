// SPDX-License-Identifier: Apache-2.0
/*
 * Each attempt is one call, by no library's wrapper: what counts is what the kernel answers. The tables below say of
 * each role what must come out.
 *
 * Refused: a table of calls and arguments, without functions. Half of them need something prepared.
 */
#include "tests/unit/role_attempts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/hw_breakpoint.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/role/enclosure.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int fds[ATTEMPT_FDS];
static pid_t parent;
static char bytes[4096];

void attempts_aim(pid_t other)
{
	parent = other;
}

void attempts_hand(const int handed[ATTEMPT_FDS])
{
	memcpy(fds, handed, sizeof(fds));
}

/* No library's wrapper: what counts is what the kernel answers. */
#define TRY(name, ...)                                                   \
	static int try_##name(void)                                      \
	{                                                                \
		return syscall(SYS_##name, __VA_ARGS__) < 0 ? errno : 0; \
	}

#define AT AT_FDCWD

TRY(open, "/etc/passwd", O_RDONLY)
TRY(openat, AT, "/etc/passwd", O_RDONLY)
TRY(creat, "/tmp/slowburn-was-here", 0600)
TRY(newfstatat, AT, "/etc/passwd", bytes, 0)
TRY(statx, AT, "/etc/passwd", 0, 0, bytes)
TRY(readlink, "/proc/self/exe", bytes, sizeof(bytes))
TRY(getdents64, fds[READABLE], bytes, sizeof(bytes))
TRY(chroot, "/")
TRY(unlink, "/tmp/slowburn-is-not-there")
TRY(memfd_create, "x", 0)
TRY(socket, AF_INET, SOCK_STREAM, 0)
TRY(socketpair, AF_UNIX, SOCK_STREAM, 0, bytes)
TRY(connect, fds[SOCKET], "\1\0/run/systemd/notify", 22)
TRY(bind, fds[SOCKET], "\1\0x", 4)
TRY(sendto, fds[SOCKET], "x", 1, MSG_NOSIGNAL, NULL, 0)
TRY(sendmsg, fds[SOCKET], &(struct msghdr){ 0 }, MSG_NOSIGNAL)
TRY(ptrace, PTRACE_ATTACH, parent, 0, 0)
TRY(process_vm_readv, parent, NULL, 0, NULL, 0, 0)
TRY(pidfd_open, parent, 0)
TRY(kill, parent, 0)
TRY(tgkill, parent, parent, 0)
TRY(execve, "/bin/true", ((char *[]){ (char *)"true", NULL }), NULL)
TRY(execveat, fds[READABLE], "", NULL, NULL, AT_EMPTY_PATH)
TRY(write, fds[WRITABLE], "x", 1)
TRY(pwrite64, fds[WRITABLE], "x", 1, 0)
TRY(ftruncate, fds[WRITABLE], 0)
TRY(sendfile, fds[WRITABLE], fds[READABLE], NULL, 1)
TRY(ioctl, fds[SOCKET], FIONREAD, bytes)
TRY(fcntl, fds[WRITABLE], F_SETFL, 0)
TRY(dup, fds[WRITABLE])
TRY(mprotect, bytes, 1, PROT_READ | PROT_EXEC)
TRY(setuid, 0)
TRY(setgroups, 0, NULL)
TRY(capset, bytes, bytes)
TRY(prctl, PR_SET_DUMPABLE, 1)
TRY(prlimit64, 0, RLIMIT_DATA, NULL, bytes)
TRY(setpriority, PRIO_PROCESS, 0, 19)
TRY(unshare, 0)
TRY(mount, "x", "/", "tmpfs", 0, NULL)
TRY(bpf, 0, bytes, 0)
TRY(perf_event_open, bytes, 0, -1, -1, 0)
TRY(io_uring_setup, 1, bytes)
TRY(userfaultfd, 0)
TRY(keyctl, 0, 0)
TRY(init_module, bytes, 0, "")
TRY(setns, fds[READABLE], 0)
TRY(pivot_root, "/", "/")
TRY(kexec_load, 0, 0, NULL, 0)
TRY(name_to_handle_at, AT, "/etc/passwd", bytes, bytes, 0)
TRY(open_by_handle_at, AT, bytes, 0)
TRY(process_vm_writev, parent, NULL, 0, NULL, 0, 0)
TRY(pidfd_getfd, 0, 0, 0)
TRY(iopl, 3)
TRY(swapon, "/tmp/slowburn-is-not-there", 0)
TRY(chmod, "/tmp/slowburn-is-not-there", 0600)
TRY(chown, "/tmp", 0, 0)
TRY(rename, "/tmp/slowburn-is-not-there", "/tmp/slowburn-is-not-there-either")
TRY(mkdir, "/tmp/slowburn-was-here", 0700)
TRY(symlink, "/etc/passwd", "/tmp/slowburn-was-here")
TRY(link, "/etc/passwd", "/tmp/slowburn-was-here")
TRY(truncate, "/tmp/slowburn-is-not-there", 0)
TRY(setxattr, "/tmp", "user.x", "x", 1, 0)
TRY(setresuid, 0, 0, 0)
TRY(personality, 0)
TRY(seccomp, 0, 0, NULL)
TRY(openat2, AT, "/etc/passwd", bytes, sizeof(struct open_how))

static int try_poke(void)
{
	return syscall(SYS_ptrace, PTRACE_POKEDATA, parent, 0, 0) < 0 ? errno : 0;
}

static int try_traceme(void)
{
	return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0;
}

/* Stops another's thread for a moment. */
static int seize(pid_t pid)
{
	if (syscall(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0) < 0)
		return errno;
	if (syscall(SYS_ptrace, PTRACE_INTERRUPT, pid, 0, 0) < 0 ||
	    syscall(SYS_waitid, P_PID, pid, NULL, WSTOPPED | __WALL, NULL) < 0 ||
	    syscall(SYS_ptrace, PTRACE_DETACH, pid, 0, 0) < 0)
		return errno;
	return 0;
}

/* The test can't stop itself: what root gets is asked of a child. */
static int try_seize(void)
{
	pid_t child;
	int e;

	if (parent != getpid())
		return seize(parent);
	child = fork();
	if (child == 0) {
		for (;;)
			pause();
	}
	e = child < 0 ? errno : seize(child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return e;
}

static int try_read_others(void)
{
	static char there[8];
	struct iovec local = { bytes, sizeof(there) }, remote = { there, sizeof(there) };

	/* That it isn't mapped there is an answer, too. */
	if (syscall(SYS_process_vm_readv, parent, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT)
		return 0;
	return errno;
}

static int fd_result(long fd)
{
	if (fd < 0)
		return errno;
	close((int)fd);
	return 0;
}

static int try_openat_write(void)
{
	return fd_result(syscall(SYS_openat, AT, "/dev/null", O_WRONLY));
}

static int try_openat_both(void)
{
	return fd_result(syscall(SYS_openat, AT, "/dev/null", O_RDWR));
}

static int try_openat_create(void)
{
	return fd_result(
		syscall(SYS_openat, AT, "/tmp/slowburn-was-here", O_RDONLY | O_CREAT, 0600));
}

static int try_openat_cut(void)
{
	return fd_result(syscall(SYS_openat, AT, "/tmp/slowburn-is-not-there", O_RDONLY | O_TRUNC));
}

static int try_openat_unnamed(void)
{
	return fd_result(syscall(SYS_openat, AT, "/tmp", O_WRONLY | O_TMPFILE, 0600));
}

/* Its flags can't be seen: the uid refuses. */
static int try_openat2_write(void)
{
	struct open_how how = { .flags = O_WRONLY };

	return fd_result(syscall(SYS_openat2, AT, "/etc/passwd", &how, sizeof(how)));
}

static int try_clone_user(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static int try_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return errno;
	limit.rlim_max++;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? errno : 0;
}

static int try_bpf_pin(void)
{
	union bpf_attr attr = { .pathname = (uintptr_t) "/sys/fs/bpf/x" };

	return syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr)) < 0 ? errno : 0;
}

static int try_write_readable(void)
{
	return write(fds[READABLE], "x", 1) < 0 ? errno : 0;
}

/* The sockets of one family and protocol that the web process may make, and another protocol. */
static int try_netlink(int protocol)
{
	long fd = syscall(SYS_socket, AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return errno;
	close((int)fd);
	return 0;
}

static int try_ask_owners(void)
{
	return try_netlink(NETLINK_SOCK_DIAG);
}

static int try_ask_routes(void)
{
	return try_netlink(NETLINK_ROUTE);
}

static int try_fork(void)
{
	long pid = syscall(SYS_fork);

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static int try_clone(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static int try_map(int protection, int flags, int fd)
{
	return mmap(NULL, 4096, protection, flags, fd, 0) == MAP_FAILED ? errno : 0;
}

static int try_map_code(void)
{
	return try_map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int try_map_file(void)
{
	return try_map(PROT_READ, MAP_PRIVATE, fds[READABLE]);
}

static int try_map_file_code(void)
{
	return try_map(PROT_READ | PROT_EXEC, MAP_PRIVATE, fds[READABLE]);
}

static int try_map_file_shared(void)
{
	return try_map(PROT_READ, MAP_SHARED, fds[READABLE]);
}

static int try_map_file_write(void)
{
	return try_map(PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[READABLE]);
}

static int try_map_shared(void)
{
	return try_map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
}

#if !ROLE_SANITIZED
static int try_much_memory(void)
{
	void *p = mmap(NULL, 1025ul << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	return p == MAP_FAILED ? errno : 0;
}

static int try_standard_error(void)
{
	return write(STDERR_FILENO, "x", 1) < 0 ? errno : 0;
}
#endif

/* What its work needs. */

static int try_read(void)
{
	struct stat st;

	if (read(fds[READABLE], bytes, 16) != 16 || pread(fds[READABLE], bytes, 4, 0) != 4 ||
	    syscall(SYS_fstat, fds[READABLE], &st) < 0)
		return errno;
	return memcmp(bytes, "\177ELF", 4) == 0 && st.st_size > 0 ? 0 : EIO;
}

/* Who may see addresses is decided when it is opened: then they are there here, too. */
static int see_addresses(int fd)
{
	bool begins = true; /* a line */
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (begins && bytes[i] == 'f')
				return 0;
			begins = bytes[i] == '\n';
		}
	}
	return n < 0 ? errno : EACCES;
}

static int try_kallsyms(void)
{
	return see_addresses(fds[KALLSYMS]);
}

/* Opens it anew for reading, as the opener does what it has found to be a regular file. */
static int reopen(int path_fd)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = (int)syscall(SYS_openat, AT, path, O_RDONLY | O_CLOEXEC);
	close(path_fd);
	if (fd < 0)
		return errno;
	if (read(fd, bytes, 4) != 4) {
		close(fd);
		return EIO;
	}
	close(fd);
	return 0;
}

static int read_file(const char *path)
{
	int fd = (int)syscall(SYS_openat, AT, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return errno;
	n = read(fd, bytes, sizeof(bytes));
	close(fd);
	return n > 0 ? 0 : n == 0 ? ENODATA : errno;
}

/* Of the test, which is root's: init may be more than root can look at. */
static const char *others(const char *file)
{
	static char path[96];

	snprintf(path, sizeof(path), "/proc/%d/%s", parent, file);
	return path;
}

static int try_others_maps(void)
{
	return read_file(others("maps"));
}

/* Newer kernels let CAP_PERFMON see maps, too; not this. */
static int try_others_mem(void)
{
	return fd_result(syscall(SYS_openat, AT, others("mem"), O_RDONLY | O_CLOEXEC));
}

static int try_shadow(void)
{
	return read_file("/etc/shadow");
}

static int try_others_root(void)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int root = (int)syscall(SYS_openat, AT, others("root"), O_PATH | O_DIRECTORY), fd;

	if (root < 0)
		return errno;
	fd = (int)syscall(SYS_openat2, root, "/etc/passwd", &how, sizeof(how));
	close(root);
	return fd < 0 ? errno : reopen(fd);
}

static int try_map_files(void)
{
	DIR *folder = opendir(others("map_files"));
	const struct dirent *e;
	int fd = -1;

	if (!folder)
		return errno;
	do {
		errno = 0;
		e = readdir(folder);
	} while (e && e->d_name[0] == '.');
	if (e)
		fd = (int)syscall(SYS_openat, dirfd(folder), e->d_name, O_PATH | O_CLOEXEC);
	else if (!errno)
		errno = ENODATA;
	closedir(folder);
	return fd < 0 ? errno : reopen(fd);
}

/* By its name, as a mapping gives it: the first of that process. */
static int try_mapped(void)
{
	char name[64];
	size_t len;
	int e = try_others_maps(), fd; /* in `bytes` then */

	if (e)
		return e;
	len = strcspn(bytes, " ");
	if (len > 40)
		return EIO;
	snprintf(name, sizeof(name), "map_files/%.*s", (int)len, bytes);
	fd = (int)syscall(SYS_openat, AT, others(name), O_PATH | O_CLOEXEC);
	return fd < 0 ? errno : reopen(fd);
}

static int try_own_kallsyms(void)
{
	int fd = (int)syscall(SYS_openat, AT, "/proc/kallsyms", O_RDONLY | O_CLOEXEC), e;

	if (fd < 0)
		return errno;
	e = see_addresses(fd);
	close(fd);
	return e;
}

/* As the fetcher makes it: written by way of a mapping, then sealed. */
static int try_copy(void)
{
	int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *p = MAP_FAILED;
	int e = 0;

	if (fd < 0)
		return errno;
	if (ftruncate(fd, 4096) == 0)
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || pread(fds[READABLE], p, 4096, 0) != 4096 || munmap(p, 4096) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		e = errno;
	close(fd);
	return e;
}

static int try_types(void)
{
	return read_file("/sys/kernel/btf/vmlinux");
}

static int try_load_program(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_PERF_EVENT,
				.insn_cnt = COUNT(insns),
				.insns = (uintptr_t)insns,
				.license = (uintptr_t) "GPL" };

	return fd_result(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
}

static int try_make_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	return fd_result(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

/* All of a CPU's, whoever runs there. */
static int try_sample(void)
{
	struct perf_event_attr attr = { .size = sizeof(attr),
					.type = PERF_TYPE_SOFTWARE,
					.config = PERF_COUNT_SW_CPU_CLOCK,
					.sample_period = 1000000000,
					.disabled = 1 };
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	int e = 0;

	if (fd < 0)
		return errno;
	if (ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		e = errno;
	close(fd);
	return e;
}

/* What one process does to its memory: no work of ours, and CAP_PERFMON alone allows it. */
static int try_breakpoint(void)
{
	struct perf_event_attr attr = { .size = sizeof(attr),
					.type = PERF_TYPE_BREAKPOINT,
					.bp_type = HW_BREAKPOINT_W,
					.bp_addr = 0x10000,
					.bp_len = HW_BREAKPOINT_LEN_8,
					.sample_period = 1 };

	return fd_result(syscall(SYS_perf_event_open, &attr, parent, -1, -1, 0));
}

static int try_memory_file(void)
{
	return fd_result(memfd_create("x", MFD_CLOEXEC));
}

static int try_stat(void)
{
	struct stat st;

	return fstat(fds[READABLE], &st) < 0 ? errno : 0;
}

static int compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int try_memory(void)
{
	enum { COUNT_MAX = 1 << 20 };
	int *p = malloc(sizeof(*p)), sorted;

	for (int size = 1; p && size <= COUNT_MAX; size *= 4) {
		int *more = realloc(p, (size_t)size * sizeof(*p));

		if (!more)
			break;
		p = more;
		for (int i = 0; i < size; i++)
			p[i] = -i;
		qsort(p, (size_t)size, sizeof(*p), compare_ints);
	}
	sorted = p && p[0] == 1 - COUNT_MAX && p[COUNT_MAX - 1] == 0;
	free(p);
	return sorted ? 0 : ENOMEM;
}

static int try_clock(void)
{
	struct timespec t;

	return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t) < 0 ? errno : 0;
}

#define ENTRY(name, want)               \
	{                               \
#name, try_##name, want \
	}
#define NO(name) ENTRY(name, EPERM)
/* What root gets, of what doesn't need the descriptors that were handed in. */
#define AS_ROOT(name) ENTRY(name, -1)
/* The same; refused where the agent needs CAP_SYS_ADMIN for it, which it has until it is sealed. */
#define AS_ROOT_WITHOUT_SETUP (-2)

struct attempt {
	const char *name;
	int (*try)(void);
	int want;
};

/* clang-format off */
static const struct attempt attempts[] = {
	NO(open), NO(openat), NO(creat), NO(newfstatat), NO(statx), NO(readlink), NO(getdents64),
	NO(chroot), NO(unlink), NO(memfd_create),
	NO(socket), NO(socketpair), NO(connect), NO(bind), NO(sendto), NO(sendmsg),
	NO(ptrace), NO(process_vm_readv), NO(pidfd_open), NO(kill), NO(tgkill),
	NO(execve), NO(execveat), NO(fork), NO(clone),
	NO(pwrite64), NO(ftruncate), NO(sendfile), NO(ioctl),
	NO(fcntl), NO(dup),
	NO(mprotect), NO(map_code), NO(map_file_code), NO(map_shared),
	NO(map_file_shared), NO(map_file_write),
	NO(setuid), NO(setgroups), NO(capset), NO(prctl), NO(prlimit64), NO(setpriority),
	NO(unshare), NO(mount), NO(bpf), NO(perf_event_open), NO(io_uring_setup),
	NO(userfaultfd), NO(keyctl), NO(init_module),
#if !ROLE_SANITIZED
	ENTRY(standard_error, 0), /* which is /dev/null */
	ENTRY(much_memory, ENOMEM),
#endif
	/* An index: one that comes, and the memory for one that goes. */
	ENTRY(map_file, 0), ENTRY(write, 0), ENTRY(write_readable, EBADF),
	ENTRY(read, 0), ENTRY(kallsyms, 0), ENTRY(memory, 0), ENTRY(clock, 0),
};

/* What no role but the supervisor may do, and the supervisor only as far as its list goes. */
#define NO_TO_ALL                                                                                \
	NO(socket), NO(connect), NO(bind), NO(process_vm_readv), NO(process_vm_writev),          \
	NO(pidfd_getfd), NO(mount), NO(chroot), NO(unshare), NO(setns), NO(pivot_root),          \
	NO(clone_user), NO(init_module), NO(kexec_load), NO(keyctl), NO(userfaultfd),            \
	NO(io_uring_setup), NO(open_by_handle_at), NO(name_to_handle_at), NO(iopl), NO(swapon),  \
	NO(personality), NO(raise_limit)

#define NO_TO_CHILDREN                                                                           \
	NO_TO_ALL, NO(ptrace), NO(execve), NO(execveat), NO(fork), NO(clone), NO(kill),          \
	NO(tgkill), NO(pidfd_open), NO(socketpair), NO(setuid), NO(setresuid), NO(setgroups),    \
	NO(prctl), NO(setpriority), NO(creat), NO(openat_write), NO(openat_both),                \
	NO(openat_create), NO(openat_cut), NO(openat_unnamed), NO(unlink), NO(rename),           \
	NO(mkdir), NO(symlink), NO(link), NO(chmod), NO(chown), NO(truncate), NO(setxattr),      \
	NO(dup), NO(sendfile), NO(pwrite64), NO(mprotect), NO(map_code), NO(map_file_code)

static const struct attempt agent_attempts[] = {
	NO_TO_CHILDREN, NO(openat2), NO(getdents64), NO(readlink), NO(statx), NO(ftruncate),
	NO(ioctl), NO(fcntl), NO(bpf_pin), NO(breakpoint),
	ENTRY(capset, EINVAL), /* that of nothing: it may have less */
	/* The uid and the missing capabilities: it may open, but not what is others'. */
	ENTRY(others_mem, EACCES), ENTRY(others_root, EACCES), ENTRY(shadow, EACCES),
	AS_ROOT(types), AS_ROOT(load_program), AS_ROOT(make_map), AS_ROOT(sample),
	AS_ROOT(memory_file), AS_ROOT(openat), AS_ROOT(newfstatat),
	ENTRY(write, 0), ENTRY(read, 0), ENTRY(memory, 0), ENTRY(clock, 0),
};

static const struct attempt sealed_agent_attempts[] = {
	NO_TO_CHILDREN, NO(capset), NO(openat), NO(openat2), NO(newfstatat), NO(statx), NO(readlink),
	NO(getdents64), NO(prlimit64), NO(seccomp), NO(bpf_pin), NO(ioctl), NO(fcntl),
	NO(types), NO(load_program), NO(breakpoint),
	AS_ROOT(make_map), { "open_timer", try_sample, AS_ROOT_WITHOUT_SETUP }, AS_ROOT(memory_file), ENTRY(stat, 0),
	ENTRY(write, 0), ENTRY(read, 0), ENTRY(memory, 0), ENTRY(clock, 0),
};

#define OPENS                                                                                     \
	AS_ROOT(openat), AS_ROOT(statx), AS_ROOT(others_maps), AS_ROOT(others_root),              \
	AS_ROOT(mapped), AS_ROOT(shadow), AS_ROOT(memory_file), ENTRY(openat2_write, EACCES),                           \
	ENTRY(read, 0), ENTRY(memory, 0), ENTRY(clock, 0)

static const struct attempt opener_attempts[] = {
	NO_TO_CHILDREN, NO(capset), NO(write), NO(write_readable), NO(bpf), NO(perf_event_open),
	NO(ftruncate), NO(map_shared), NO(map_file), NO(ioctl), NO(fcntl),
	NO(sendto), NO(sendmsg), NO(prlimit64), NO(newfstatat),
	OPENS, AS_ROOT(readlink), AS_ROOT(own_kallsyms), AS_ROOT(map_files), ENTRY(stat, 0),
};

static const struct attempt fetcher_attempts[] = {
	NO_TO_CHILDREN, NO(capset), NO(write), NO(write_readable), NO(bpf), NO(perf_event_open),
	NO(ioctl), NO(fcntl), NO(sendto), NO(sendmsg), NO(prlimit64), NO(newfstatat), NO(readlink),
	ENTRY(getdents64, ENOTDIR), /* for lists of packages; that is no folder */
	OPENS, ENTRY(copy, 0),
};

/* Others' memory, but not by a file, and no call that writes it. */
static const struct attempt tracer_attempts[] = {
	NO(socket), NO(connect), NO(bind), NO(process_vm_writev), NO(pidfd_getfd), NO(mount),
	NO(unshare), NO(setns), NO(execve), NO(execveat), NO(fork), NO(clone), NO(kill), NO(tgkill),
	NO(ptrace), NO(poke), NO(traceme), NO(openat), NO(openat2), NO(open), NO(newfstatat),
	NO(getdents64), NO(write), NO(write_readable), NO(memfd_create), NO(setuid), NO(capset),
	NO(prctl), NO(prlimit64), NO(sendto), NO(sendmsg), NO(mprotect), NO(map_code), NO(map_file),
	NO(map_shared), NO(bpf), NO(perf_event_open), NO(read),
	AS_ROOT(read_others), AS_ROOT(seize), ENTRY(memory, 0), ENTRY(clock, 0),
};

/* As the symbolizer; the reader, too. */
static const struct attempt unwinder_attempts[] = {
	NO_TO_CHILDREN, NO(openat), NO(openat2), NO(newfstatat), NO(statx), NO(memfd_create),
	NO(getdents64), NO(write), NO(write_readable), NO(ftruncate), NO(ioctl), NO(fcntl),
	NO(map_file), NO(map_shared), NO(bpf), NO(perf_event_open), NO(sendto), NO(sendmsg),
	ENTRY(read, 0), ENTRY(memory, 0), ENTRY(clock, 0),
};

/* What it may do to files, its uid and Landlock keep to the store; the test has no store for it. */
#define NO_TO_STOREKEEPER                                                                        \
	NO_TO_ALL, NO(ptrace), NO(execve), NO(execveat), NO(fork), NO(clone), NO(kill),          \
	NO(tgkill), NO(pidfd_open), NO(socketpair), NO(setuid), NO(setresuid), NO(setgroups),    \
	NO(prctl), NO(creat), NO(unlink), NO(rename), NO(mkdir), NO(symlink), NO(link),          \
	NO(chmod), NO(chown), NO(truncate), NO(setxattr), NO(dup), NO(sendfile), NO(mprotect),   \
	NO(map_code), NO(map_file_code), NO(openat2), NO(statx), NO(memfd_create),               \
	NO(write), NO(write_readable), NO(ioctl), NO(map_file), NO(map_shared), NO(bpf),         \
	NO(perf_event_open), NO(read)

static const struct attempt storekeeper_attempts[] = {
	NO_TO_STOREKEEPER,
	ENTRY(fcntl, EPERM), AS_ROOT(openat), ENTRY(shadow, EACCES), ENTRY(others_mem, EACCES),
	ENTRY(getdents64, ENOTDIR), ENTRY(stat, 0), ENTRY(memory, 0), ENTRY(clock, 0),
};

static const struct attempt sealed_storekeeper_attempts[] = {
	NO_TO_STOREKEEPER, NO(setpriority), NO(seccomp), NO(capset), NO(fcntl),
	ENTRY(openat, EACCES), ENTRY(shadow, EACCES), ENTRY(openat_write, EACCES), ENTRY(openat_both, EACCES),
	ENTRY(openat_create, EACCES), ENTRY(openat_unnamed, EACCES), ENTRY(others_mem, EACCES),
	ENTRY(getdents64, ENOTDIR), ENTRY(stat, 0), ENTRY(memory, 0), ENTRY(clock, 0),
};

/* It speaks with whom it was given, and opens nothing. */
static const struct attempt web_attempts[] = {
	NO_TO_CHILDREN, NO(capset), NO(openat), NO(openat2), NO(newfstatat), NO(statx), NO(readlink),
	NO(memfd_create), NO(getdents64), NO(ftruncate), NO(ioctl), NO(map_file), NO(map_shared),
	NO(bpf), NO(perf_event_open), NO(prlimit64), NO(seccomp), NO(ask_routes),
	NO(read), ENTRY(ask_owners, 0), ENTRY(memory, 0), ENTRY(clock, 0),
};

static const struct attempt dumper_attempts[] = {
	NO_TO_CHILDREN, NO(openat), NO(openat2), NO(newfstatat), NO(statx), NO(getdents64),
	NO(readlink), NO(ftruncate), NO(ioctl), NO(fcntl), NO(map_file), NO(map_shared), NO(bpf),
	NO(perf_event_open), NO(read),
	ENTRY(stat, 0), AS_ROOT(memory_file), ENTRY(memory, 0), ENTRY(clock, 0),
};

static const struct attempt dump_supervisor_attempts[] = {
	NO(socket), NO(connect), NO(bind), NO(process_vm_writev), NO(pidfd_getfd), NO(mount),
	NO(chroot), NO(unshare), NO(setns), NO(pivot_root), NO(clone_user), NO(init_module),
	NO(kexec_load), NO(keyctl), NO(userfaultfd), NO(io_uring_setup), NO(raise_limit),
	AS_ROOT(openat), AS_ROOT(others_maps), ENTRY(fork, 0), ENTRY(kill, 0), ENTRY(setuid, 0),
	ENTRY(setgroups, 0), ENTRY(write, 0), ENTRY(read, 0),
};

static const struct attempt supervisor_attempts[] = {
	NO_TO_ALL,
#if !ROLE_SANITIZED
	NO(ptrace),
#endif
	AS_ROOT(openat), AS_ROOT(others_maps), AS_ROOT(shadow), ENTRY(fork, 0), ENTRY(kill, 0),
	ENTRY(setuid, 0), ENTRY(setgroups, 0), ENTRY(write, 0), ENTRY(read, 0),
};

/* Has none of what the opener is for. */
static const struct attempt reader_supervisor_attempts[] = {
	NO_TO_ALL,
#if !ROLE_SANITIZED
	NO(ptrace),
#endif
	AS_ROOT(openat), ENTRY(others_maps, EACCES), AS_ROOT(shadow), ENTRY(fork, 0), ENTRY(kill, 0),
	ENTRY(setuid, 0), ENTRY(setgroups, 0), ENTRY(write, 0), ENTRY(read, 0),
};

/* With a filter that has holes: what the uid, the missing capabilities and the limits refuse. */
static const struct attempt in_a_leaky_filter[] = {
	ENTRY(open, 0), /* anybody may */
	NO(kill), NO(ptrace), NO(setuid), NO(setgroups), NO(chroot), NO(mount),
	ENTRY(fork, EAGAIN),
};
/* clang-format on */

/* ---- by role ---- */

/* Of a role's work: what whoever runs the test would get. */
static int want_of(const struct attempt *a)
{
	int fd, e;

	if (a->want == AS_ROOT_WITHOUT_SETUP && role_setup_capabilities(role_find("agent")))
		return EACCES;
	if (a->want < 0)
		return a->try();
	if (a->try != try_kallsyms)
		return a->want;
	fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	e = see_addresses(fd);
	close(fd);
	return e;
}

static int compose(const struct attempt *list, size_t count, struct buffer *text, bool wanted)
{
	for (size_t i = 0; i < count; i++) {
		int e = wanted ? want_of(&list[i]) : list[i].try();

		buffer_printf(text, "%s: %s\n", list[i].name, e ? strerrorname_np(e) : "fine");
	}
	return buffer_error(text);
}

static const struct {
	const char *role;
	const struct attempt *list;
	size_t count;
} tables[] = {
	{ "symbolizer", attempts, COUNT(attempts) },
	{ "background symbolizer", attempts, COUNT(attempts) },
	{ "agent", agent_attempts, COUNT(agent_attempts) },
	{ "opener", opener_attempts, COUNT(opener_attempts) },
	{ "fetcher", fetcher_attempts, COUNT(fetcher_attempts) },
	{ "supervisor", supervisor_attempts, COUNT(supervisor_attempts) },
	{ "dump supervisor", dump_supervisor_attempts, COUNT(dump_supervisor_attempts) },
	{ "dumper", dumper_attempts, COUNT(dumper_attempts) },
	{ "tracer", tracer_attempts, COUNT(tracer_attempts) },
	{ "unwinder", unwinder_attempts, COUNT(unwinder_attempts) },
	{ "reader supervisor", reader_supervisor_attempts, COUNT(reader_supervisor_attempts) },
	{ "reader", unwinder_attempts, COUNT(unwinder_attempts) },
	{ "storekeeper", storekeeper_attempts, COUNT(storekeeper_attempts) },
	{ "web", web_attempts, COUNT(web_attempts) },
	{ "leaky", in_a_leaky_filter, COUNT(in_a_leaky_filter) },
};

/* A kernel without Landlock is no failure of ours: nothing is said of the sealed one there. */
static void compose_storekeeper(struct buffer *text, bool wanted)
{
	struct err err = { "" };
	int dir, r = 0;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0)
		return;
	if (!wanted) {
		dir = (int)syscall(SYS_openat, AT, "/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = dir < 0 ? -errno : enclosure_enter(dir);
		sandbox_seal(role_find("storekeeper"), &err);
	}
	buffer_printf(text, "enclosed %d, sealed%s\n", r, err.text);
	compose(sealed_storekeeper_attempts, COUNT(sealed_storekeeper_attempts), text, wanted);
}

int attempts_compose(const char *role, struct buffer *text, bool wanted)
{
	for (size_t i = 0; i < COUNT(tables); i++)
		if (strcmp(tables[i].role, role) == 0)
			compose(tables[i].list, tables[i].count, text, wanted);
	if (strcmp(role, "agent") == 0) {
		struct err err = { "" };

		if (!wanted)
			sandbox_seal(role_find(role), &err);
		buffer_printf(text, "sealed%s\n", err.text);
		compose(sealed_agent_attempts, COUNT(sealed_agent_attempts), text, wanted);
	}
	if (strcmp(role, "storekeeper") == 0)
		compose_storekeeper(text, wanted);
	return buffer_error(text);
}

int attempt_try(const char *role, const char *name)
{
	for (size_t i = 0; i < COUNT(tables); i++)
		for (size_t k = 0; strcmp(tables[i].role, role) == 0 && k < tables[i].count; k++)
			if (strcmp(tables[i].list[k].name, name) == 0)
				return tables[i].list[k].try();
	return ENOSYS;
}
