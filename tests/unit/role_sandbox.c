// SPDX-License-Identifier: Apache-2.0
/*
 * The confined processes are this test itself, run with a role's name as argv[1]: the real ones, and
 * some that exist only here, which take one layer away to see that the others hold. Each receives
 * four descriptors, tries everything in a table and sends back what the kernel said; then it waits
 * to be looked at from outside.
 *
 * What a role's work needs is compared with what root gets, so that it doesn't matter what this kernel
 * or container allows at all.
 */
#include "profiler/role/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/hw_breakpoint.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
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

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/role/child.h"
#include "profiler/role/socket.h"
#include "profiler/role/supervisor.h"

#define NOBODY 65534
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What is handed in, in this order. */
enum { READABLE, WRITABLE, KALLSYMS, SOCKET, HANDED };

/* ---- what a confined process tries: 0, or the errno ---- */

static int fds[HANDED];
static pid_t parent;
static char bytes[4096];

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
	NO(write), NO(write_readable), NO(pwrite64), NO(ftruncate), NO(sendfile), NO(ioctl),
	NO(fcntl), NO(dup),
	NO(mprotect), NO(map_code), NO(map_file), NO(map_file_code), NO(map_shared),
	NO(setuid), NO(setgroups), NO(capset), NO(prctl), NO(prlimit64), NO(setpriority),
	NO(unshare), NO(mount), NO(bpf), NO(perf_event_open), NO(io_uring_setup),
	NO(userfaultfd), NO(keyctl), NO(init_module),
#if !ROLE_SANITIZED
	NO(standard_error),
	ENTRY(much_memory, ENOMEM),
#endif
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

/* As the symbolizer. */
static const struct attempt unwinder_attempts[] = {
	NO_TO_CHILDREN, NO(openat), NO(openat2), NO(newfstatat), NO(statx), NO(memfd_create),
	NO(getdents64), NO(write), NO(write_readable), NO(ftruncate), NO(ioctl), NO(fcntl),
	NO(map_file), NO(map_shared), NO(bpf), NO(perf_event_open), NO(sendto), NO(sendmsg),
	ENTRY(read, 0), ENTRY(memory, 0), ENTRY(clock, 0),
};

/* As the unwinder: it writes nothing, and what it reads it was handed. */
static const struct attempt storekeeper_attempts[] = {
	NO_TO_CHILDREN, NO(openat), NO(openat2), NO(newfstatat), NO(statx), NO(memfd_create),
	NO(getdents64), NO(write), NO(write_readable), NO(ftruncate), NO(ioctl), NO(fcntl),
	NO(map_file), NO(map_shared), NO(bpf), NO(perf_event_open), NO(sendto), NO(sendmsg),
	ENTRY(read, 0), ENTRY(memory, 0), ENTRY(clock, 0),
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

/* With a filter that has holes: what the uid, the missing capabilities and the limits refuse. */
static const struct attempt in_a_leaky_filter[] = {
	ENTRY(open, 0), /* anybody may */
	NO(kill), NO(ptrace), NO(setuid), NO(setgroups), NO(chroot), NO(mount),
	ENTRY(fork, EAGAIN),
};
/* clang-format on */

/* ---- the roles ---- */

static const struct role_call leaky_calls[] = {
	{ .name = "sendto" },     { .name = "sendmsg" },     { .name = "recvmsg" },
	{ .name = "recvfrom" },   { .name = "ppoll" },       { .name = "brk" },
	{ .name = "mmap" },       { .name = "munmap" },      { .name = "close" },
	{ .name = "exit_group" }, { .name = "open" },        { .name = "kill" },
	{ .name = "ptrace" },     { .name = "setuid" },      { .name = "setgroups" },
	{ .name = "chroot" },     { .name = "mount" },       { .name = "fork" },
	{ .name = "getrandom" },  { .name = "madvise" },     { .name = "futex" },
	{ .name = "write" },      { .name = "sched_yield" }, { .name = "getpid" },
};

static const struct role_calls leaky_groups[] = {
	{ .calls = leaky_calls, .count = COUNT(leaky_calls) },
};

static const struct role_capability kept[] = {
	{ .number = CAP_NET_BIND_SERVICE },
	{ .number = CAP_SYSLOG },
};

static const struct role_limit leaky_limits[] = { { RLIMIT_NPROC, "RLIMIT_NPROC", 0 } };

#define LEAKY                                                                               \
	.limits = leaky_limits, .limit_count = COUNT(leaky_limits), .groups = leaky_groups, \
	.group_count = COUNT(leaky_groups)

static const struct role own_roles[] = {
	{ .name = "leaky", .user = "slowburn-nobody-is-called-that", .fallback_id = 65530, LEAKY },
	{ .name = "daemon", .user = "daemon", .fallback_id = 65530, LEAKY },
	{ .name = "root", .user = "root", .fallback_id = 65530, LEAKY },
	{ .name = "keeper",
	  .user = "slowburn-nobody-is-called-that",
	  .fallback_id = 65530,
	  .capabilities = kept,
	  .capability_count = COUNT(kept),
	  LEAKY },
};

static const struct role *role_of(const char *name)
{
	for (size_t i = 0; i < COUNT(own_roles); i++)
		if (strcmp(own_roles[i].name, name) == 0)
			return &own_roles[i];
	return role_find(name);
}

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
	{ "agent", agent_attempts, COUNT(agent_attempts) },
	{ "opener", opener_attempts, COUNT(opener_attempts) },
	{ "fetcher", fetcher_attempts, COUNT(fetcher_attempts) },
	{ "supervisor", supervisor_attempts, COUNT(supervisor_attempts) },
	{ "dump supervisor", dump_supervisor_attempts, COUNT(dump_supervisor_attempts) },
	{ "dumper", dumper_attempts, COUNT(dumper_attempts) },
	{ "tracer", tracer_attempts, COUNT(tracer_attempts) },
	{ "unwinder", unwinder_attempts, COUNT(unwinder_attempts) },
	{ "storekeeper", storekeeper_attempts, COUNT(storekeeper_attempts) },
	{ "leaky", in_a_leaky_filter, COUNT(in_a_leaky_filter) },
};

static int compose_for(const char *role, struct buffer *text, bool wanted)
{
	for (size_t i = 0; i < COUNT(tables); i++)
		if (strcmp(tables[i].role, role) == 0)
			compose(tables[i].list, tables[i].count, text, wanted);
	if (strcmp(role, "agent") == 0) {
		struct err err = { "" };

		if (!wanted)
			sandbox_seal(role_of(role), &err);
		buffer_printf(text, "sealed%s\n", err.text);
		compose(sealed_agent_attempts, COUNT(sealed_agent_attempts), text, wanted);
	}
	return buffer_error(text);
}

static int confine(const char *name, struct err *err)
{
	const struct role *role = role_of(name);

	return role->crew ? supervisor_confine(name, err) : sandbox_enter(role, err);
}

static int role_main(const char *name)
{
	struct buffer text = BUFFER_INIT(1 << 16);
	struct socket_message m;
	struct err err;

	parent = getppid();
	if (child_enter() < 0)
		return 77;
	socket_message_init(&m, 16);
	if (confine(name, &err) < 0)
		buffer_printf(&text, "%s", err.text);
	else if (socket_receive(ROLE_CHILD_SOCKET, &m, UINT64_MAX) == 0 && m.fd_count == HANDED) {
		memcpy(fds, m.fds, sizeof(fds));
		compose_for(name, &text, false);
	}
	if (socket_send(ROLE_CHILD_SOCKET, 1, text.data, text.len, NULL, 0, UINT64_MAX) < 0)
		return 1;
	/* Also when the socket has ended: it is killed, or the test fails. */
	ppoll(NULL, 0, &(struct timespec){ .tv_sec = 10 }, NULL);
	return 1;
}

/* ---- the tests' side ---- */

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void start(struct child *c, const char *role)
{
	struct err err = { .text = "" };

	child_start(c, role, &err);
	assert_string_equal(err.text, "");
}

/* It would not end by itself. */
static void stop(struct child *c)
{
	assert_true(child_kill(c, 5 * NS_PER_S, NULL));
}

/* Hands in what there is to try on, and receives what came of it. */
static void hear(const struct child *c, struct buffer *ret_text)
{
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + 20 * NS_PER_S;
	struct socket_message m;
	int handed[HANDED], pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	handed[READABLE] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	handed[WRITABLE] = memfd_create("writable", MFD_CLOEXEC);
	handed[KALLSYMS] = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	handed[SOCKET] = pair[0];
	socket_message_init(&m, 1 << 16);
	assert_int_equal(socket_send(c->socket, 1, "", 0, handed, HANDED, deadline), 0);
	assert_int_equal(socket_receive(c->socket, &m, deadline), 0);
	buffer_append(ret_text, m.bytes.data, m.bytes.len);
	buffer_append(ret_text, "", 1);
	assert_int_equal(buffer_error(ret_text), 0);
	socket_message_release(&m);
	for (int i = 0; i < HANDED; i++)
		close(handed[i]);
	close(pair[1]);
}

/* It is in its sandbox when this returns. */
static void start_confined(struct child *c, const char *role)
{
	struct buffer text = BUFFER_INIT(1 << 16);

	start(c, role);
	hear(c, &text);
	assert_string_equal(text.data, ""); /* else why it could not be confined */
	buffer_release(&text);
}

static void expect_attempts(const struct child *c, const char *role)
{
	struct buffer got = BUFFER_INIT(1 << 16), want = BUFFER_INIT(1 << 16);

	hear(c, &got);
	compose_for(role, &want, true);
	buffer_append(&want, "", 1);
	assert_string_equal(got.data, want.data);
	buffer_release(&got);
	buffer_release(&want);
}

/* The line NAME of a file in /proc/PID, its blanks each one space and none at its end. */
static void proc_line(int pid, const char *file, const char *name, char *ret, size_t size)
{
	char path[64], line[256], *rest = line, *word;
	size_t len = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	assert_non_null(f);
	do {
		assert_non_null(fgets(line, sizeof(line), f));
	} while (strncmp(line, name, strlen(name)) != 0);
	fclose(f);
	ret[0] = '\0';
	while ((word = strsep(&rest, " \t\n")))
		if (*word && len < size)
			len += (size_t)snprintf(ret + len, size - len, "%s%s", len ? " " : "",
						word);
}

static void expect_line(const struct child *c, const char *file, const char *name, const char *want)
{
	char line[512];

	proc_line(c->pid, file, name, line, sizeof(line));
	assert_string_equal(line, want);
}

static void test_refused(void **state)
{
	struct child c;

	start(&c, "symbolizer");
	expect_attempts(&c, "symbolizer");
	stop(&c);
}

static void expect_role(const char *role)
{
	struct child c;

	need_root();
	start(&c, role);
	expect_attempts(&c, role);
	stop(&c);
}

static void test_agent(void **state)
{
	expect_role("agent");
}

static void test_opener(void **state)
{
	expect_role("opener");
}

static void test_fetcher(void **state)
{
	expect_role("fetcher");
}

static void test_dump_roles(void **state)
{
	expect_role("dumper");
	expect_role("tracer");
	expect_role("unwinder");
	expect_role("dump supervisor");
}

static void test_storekeeper(void **state)
{
	expect_role("storekeeper");
}

static void test_supervisor(void **state)
{
	expect_role("supervisor");
}

/* As somebody who has nothing to give up. exec makes the effective id the saved one. */
static void test_refused_without_root(void **state)
{
	struct child c;

	need_root();
	assert_int_equal(setresuid(NOBODY, NOBODY, 0), 0);
	start(&c, "symbolizer");
	assert_int_equal(setresuid(0, 0, 0), 0);
	expect_attempts(&c, "symbolizer");
	expect_line(&c, "status", "Uid:", "Uid: 65534 65534 65534 65534");
	expect_line(&c, "status", "CapPrm:", "CapPrm: 0000000000000000");
	expect_line(&c, "status", "NoNewPrivs:", "NoNewPrivs: 1");
	expect_line(&c, "status", "Seccomp:", "Seccomp: 2");
	stop(&c);
}

/* Each layer by itself: the filter is not all that there is. */
static void test_leaky_filter(void **state)
{
	struct child c;

	need_root();
	start(&c, "leaky");
	expect_attempts(&c, "leaky");
	stop(&c);
}

/* What anybody can see of it. */
static void test_status(void **state)
{
	static const char *const none[] = { "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:" };
	gid_t before[64], extra = 4;
	int count = getgroups(64, before);
	struct child c;

	need_root();
	assert_true(count >= 0);
	assert_int_equal(setgroups(1, &extra), 0);
	start_confined(&c, "daemon");
	assert_int_equal(setgroups((size_t)count, before), 0);
	expect_line(&c, "status", "Uid:", "Uid: 1 1 1 1");
	expect_line(&c, "status", "Gid:", "Gid: 1 1 1 1");
	expect_line(&c, "status", "Groups:", "Groups:");
	stop(&c);

	start(&c, "symbolizer");
	expect_attempts(&c, "symbolizer"); /* so that it has got there */
	for (size_t i = 0; i < COUNT(none); i++) {
		char want[64];

		snprintf(want, sizeof(want), "%s 0000000000000000", none[i]);
		expect_line(&c, "status", none[i], want);
	}
	expect_line(&c, "status", "Groups:", "Groups:");
	expect_line(&c, "status", "NoNewPrivs:", "NoNewPrivs: 1");
	expect_line(&c, "status", "Seccomp:", "Seccomp: 2");
	expect_line(&c, "limits", "Max processes", "Max processes 0 0 processes");
	expect_line(&c, "limits", "Max open files", "Max open files 16 16 files");
	expect_line(&c, "limits", "Max core file size", "Max core file size 0 0 bytes");
#if !ROLE_SANITIZED
	expect_line(&c, "limits", "Max file size", "Max file size 0 0 bytes");
	expect_line(&c, "limits", "Max data size", "Max data size 1073741824 1073741824 bytes");
#endif
	stop(&c);
}

/* Not dumpable: to others, also of its uid, its /proc files are root's. */
static void test_not_dumpable(void **state)
{
	struct child c;
	struct stat st;
	char path[64];

	need_root();
	start_confined(&c, "daemon");
	snprintf(path, sizeof(path), "/proc/%d/mem", c.pid);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	stop(&c);
}

static void test_not_root_whatever_passwd_says(void **state)
{
	struct child c;

	need_root();
	start_confined(&c, "root");
	expect_line(&c, "status", "Uid:", "Uid: 65530 65530 65530 65530");
	expect_line(&c, "status", "Gid:", "Gid: 65530 65530 65530 65530");
	stop(&c);
}

/* A role that needs some keeps those, and them only, over the change of uid. */
static void test_kept_capabilities(void **state)
{
	struct child c;

	need_root();
	start_confined(&c, "keeper");
	expect_line(&c, "status", "Uid:", "Uid: 65530 65530 65530 65530");
	expect_line(&c, "status", "CapInh:", "CapInh: 0000000000000000");
	expect_line(&c, "status", "CapPrm:", "CapPrm: 0000000400000400");
	expect_line(&c, "status", "CapEff:", "CapEff: 0000000400000400");
	expect_line(&c, "status", "CapBnd:", "CapBnd: 0000000400000400");
	expect_line(&c, "status", "CapAmb:", "CapAmb: 0000000000000000");
	stop(&c);
}

/* Runs `f` in a process of its own, which it may spoil. */
static void apart(int (*f)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1); /* rather than going on with the next test */
		_exit(f());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int without_kill(void)
{
	char uid[64], permitted[64];
	struct child c;

	if (prctl(PR_CAPBSET_DROP, CAP_KILL) < 0)
		return 1;
	start_confined(&c, "daemon");
	proc_line(c.pid, "status", "Uid:", uid, sizeof(uid));
	proc_line(c.pid, "status", "CapPrm:", permitted, sizeof(permitted));
	stop(&c);
	return strcmp(uid, "Uid: 0 0 0 0") == 0 &&
			       strcmp(permitted, "CapPrm: 0000000000000000") == 0
		       ? 0
		       : 2;
}

/*
 * What is lost with each capability: the role is started without it, and one thing, which it could do
 * with all of them, fails.
 */
static const struct loss {
	const char *role;
	uint32_t capability;
	const char *name;
	int (*try)(void);
	int want;
} losses[] = {
	{ "agent", CAP_BPF, "load_program", try_load_program, EPERM },
	{ "agent", CAP_PERFMON, "sample", try_sample, EACCES },
	{ "agent", CAP_SYS_ADMIN, "sample", try_sample, EACCES },
	{ "opener", CAP_SYS_PTRACE, "others_maps", try_others_maps, EACCES },
	{ "opener", CAP_DAC_READ_SEARCH, "shadow", try_shadow, EACCES },
	{ "opener", CAP_CHECKPOINT_RESTORE, "map_files", try_map_files, EPERM },
	{ "opener", CAP_SYSLOG, "own_kallsyms", try_own_kallsyms, EACCES },
	{ "fetcher", CAP_SYS_PTRACE, "others_root", try_others_root, EACCES },
	{ "fetcher", CAP_DAC_READ_SEARCH, "shadow", try_shadow, EACCES },
	{ "fetcher", CAP_CHECKPOINT_RESTORE, "mapped", try_mapped, EPERM },
	{ "tracer", CAP_SYS_PTRACE, "seize", try_seize, EPERM },
};

static const struct loss *lost;

/* Does the report have this line, and does the same without the loss say that it is fine? */
static bool says(const struct loss *l, int e)
{
	struct buffer text = BUFFER_INIT(1 << 16);
	char line[128];
	struct child c;
	bool found;

	start(&c, l->role);
	hear(&c, &text);
	stop(&c);
	snprintf(line, sizeof(line), "%s: %s\n", l->name, e ? strerrorname_np(e) : "fine");
	found = strstr(text.data, line) != NULL;
	if (!found)
		print_message("%s without capability %u: no \"%s\" in\n%s", l->role, l->capability,
			      line, text.data);
	buffer_release(&text);
	return found;
}

/* CAP_SYS_ADMIN, where the agent has it, does what the others are for. */
static int without_one(void)
{
	if (prctl(PR_CAPBSET_DROP, lost->capability) < 0 ||
	    (strcmp(lost->role, "agent") == 0 && prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN) < 0))
		return 1;
	return says(lost, lost->want) ? 0 : 2;
}

static void test_each_capability_is_needed(void **state)
{
	need_root();
	for (size_t i = 0; i < COUNT(losses); i++) {
		lost = &losses[i];
		if (!(role_capabilities(role_find(lost->role)) >> lost->capability & 1)) {
			print_message("not needed on this machine: capability %u\n",
				      lost->capability);
			continue;
		}
		if (lost->try() != 0) {
			print_message("not even root may, here: %s\n", lost->name);
			continue;
		}
		assert_true(says(lost, 0));
		apart(without_one);
	}
}

/* Every capability in the table is one of those above, or the supervisor's. */
static void test_no_capability_for_nothing(void **state)
{
	for (size_t i = 0; i < role_count(); i++) {
		uint64_t left = role_capabilities(role_at(i));

		for (size_t k = 0; k < COUNT(losses); k++)
			if (strcmp(losses[k].role, role_at(i)->name) == 0)
				left &= ~(1ULL << losses[k].capability);
		if (!role_at(i)->crew)
			assert_int_equal(left, 0);
	}
}

/* As the supervisor, which is the user's uid and some capabilities, and whose filter they inherit. */
static int under_supervisor(void)
{
	static const char *const names[] = { "agent", "opener", "fetcher", "symbolizer" };
	struct err err = { "" };
	struct child c;

	supervisor_confine("supervisor", &err);
	assert_string_equal(err.text, "");
	for (size_t i = 0; i < COUNT(names); i++) {
		char uid[64];

		start(&c, names[i]);
		expect_attempts(&c, names[i]);
		proc_line(c.pid, "status", "Uid:", uid, sizeof(uid));
		assert_string_not_equal(uid, "Uid: 0 0 0 0");
		stop(&c);
		assert_int_equal(kill(c.pid, 0), 0); /* pid 0: it is gone */
	}
	return 0;
}

static void test_roles_under_supervisor(void **state)
{
	need_root();
	apart(under_supervisor);
}

/* Becomes somebody who has these capabilities only, as systemd and setpriv can start one. */
static int become(uid_t uid, uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .permitted = (uint32_t)capabilities, .effective = (uint32_t)capabilities },
		{ .permitted = (uint32_t)(capabilities >> 32),
		  .effective = (uint32_t)(capabilities >> 32) },
	};

	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ||
	    syscall(SYS_capset, &header, data) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		return -errno;
	return 0;
}

static int not_root(void)
{
	struct buffer text = BUFFER_INIT(1 << 16);
	struct child c;

	if (become(NOBODY, 1ULL << CAP_BPF | 1ULL << CAP_PERFMON | 1ULL << CAP_NET_ADMIN) < 0)
		return 1;
	start(&c, "agent");
	hear(&c, &text);
	assert_true(try_load_program() != 0 || strstr(text.data, "load_program: fine\n"));
	buffer_release(&text);
	expect_line(&c, "status", "Uid:", "Uid: 65534 65534 65534 65534");
	expect_line(&c, "status", "CapInh:", "CapInh: 0000000000000000");
	expect_line(&c, "status", "CapPrm:", "CapPrm: 000000c000000000");
	expect_line(&c, "status", "CapEff:", "CapEff: 000000c000000000");
	expect_line(&c, "status", "CapAmb:", "CapAmb: 0000000000000000");
	stop(&c);
	return 0;
}

/* Capabilities are passed on by who isn't root, too. */
static void test_capabilities_without_root(void **state)
{
	need_root();
	apart(not_root);
}

static int not_root_but_setuid(void)
{
	uint64_t all = role_capabilities(role_find("supervisor"));
	struct child c;

	if (become(NOBODY, all) < 0)
		return 1;
	start(&c, "opener");
	expect_attempts(&c, "opener");
	expect_line(&c, "status", "Uid:", "Uid: 65523 65523 65523 65523");
	expect_line(&c, "status", "CapPrm:", "CapPrm: 0000010400080004");
	expect_line(&c, "status", "CapBnd:", "CapBnd: 0000010400080004");
	stop(&c);
	return 0;
}

static void test_own_uid_without_root(void **state)
{
	need_root();
	apart(not_root_but_setuid);
}

static char from[64], to[64];

/* What the bounding set lost is still in the others of a process that runs already. */
static int effective_drop(uint32_t capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	data[0].effective &= ~(1U << capability);
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int rename_as_supervisor(void)
{
	struct err err;

	if (supervisor_confine("supervisor", &err) < 0)
		return 1;
	if (lost->capability && effective_drop(lost->capability) < 0)
		return 2;
	return (rename(from, to) < 0 ? errno : 0) == lost->want ? 0 : 3;
}

/* The answer is renamed in a folder of another user, whose file it is; that may be a sticky one. */
static void test_supervisor_renames(void **state)
{
	static const struct loss cases[] = {
		{ .want = 0 },
		{ .capability = CAP_DAC_OVERRIDE, .want = EACCES },
		{ .capability = CAP_FOWNER, .want = EPERM },
	};

	need_root();
	for (size_t i = 0; i < COUNT(cases); i++) {
		char folder[] = "/tmp/slowburn-test-XXXXXX";

		assert_non_null(mkdtemp(folder));
		snprintf(from, sizeof(from), "%s/a", folder);
		snprintf(to, sizeof(to), "%s/b", folder);
		close(open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		assert_int_equal(chown(from, NOBODY, NOBODY), 0);
		assert_int_equal(chown(folder, 1, 1), 0);
		assert_int_equal(chmod(folder, 01755), 0);
		lost = &cases[i];
		apart(rename_as_supervisor);
		assert_int_equal(unlink(cases[i].want ? from : to), 0);
		assert_int_equal(rmdir(folder), 0);
	}
}

#if !ROLE_SANITIZED
static void test_less_memory(void **state)
{
	struct err err = { "" };
	struct child c;

	child_start_limited(&c, "symbolizer", 32 << 20, &err);
	assert_string_equal(err.text, "");
	hear(&c, &(struct buffer)BUFFER_INIT(1 << 16));
	expect_line(&c, "limits", "Max data size", "Max data size 33554432 33554432 bytes");
	stop(&c);
	child_start_limited(&c, "symbolizer", 1ULL << 40, &err);
	hear(&c, &(struct buffer)BUFFER_INIT(1 << 16));
	expect_line(&c, "limits", "Max data size", "Max data size 1073741824 1073741824 bytes");
	stop(&c);
}
#endif

/* A parent that could not end a child that is somebody else keeps one that it can. */
static void test_without_kill(void **state)
{
	need_root();
	apart(without_kill);
}

/* The kernel forgets it when credentials change, and must be told again. */
static void test_dies_with_parent(void **state)
{
	int pipe_fds[2], pid = 0, status;
	pid_t between;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	between = fork();
	assert_true(between >= 0);
	if (between == 0) {
		struct buffer text = BUFFER_INIT(1 << 16);
		struct child c;

		start(&c, "symbolizer");
		hear(&c, &text);
		if (write(pipe_fds[1], &c.pid, sizeof(c.pid)) != sizeof(c.pid))
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(read(pipe_fds[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(waitpid(between, &status, 0), between);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_unknown_role(void **state)
{
	assert_null(role_find("nobody"));
	assert_non_null(role_find("symbolizer"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_opener),
		cmocka_unit_test(test_fetcher),
		cmocka_unit_test(test_supervisor),
		cmocka_unit_test(test_dump_roles), cmocka_unit_test(test_storekeeper),
		cmocka_unit_test(test_each_capability_is_needed),
		cmocka_unit_test(test_no_capability_for_nothing),
		cmocka_unit_test(test_roles_under_supervisor),
		cmocka_unit_test(test_capabilities_without_root),
		cmocka_unit_test(test_own_uid_without_root),
		cmocka_unit_test(test_supervisor_renames),
#if !ROLE_SANITIZED
		cmocka_unit_test(test_less_memory),
#endif
		cmocka_unit_test(test_refused_without_root),
		cmocka_unit_test(test_leaky_filter),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_not_dumpable),
		cmocka_unit_test(test_not_root_whatever_passwd_says),
		cmocka_unit_test(test_kept_capabilities),
		cmocka_unit_test(test_without_kill),
		cmocka_unit_test(test_dies_with_parent),
		cmocka_unit_test(test_unknown_role),
	};

	if (argc > 1)
		return role_main(argv[1]);
	parent = getpid();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
