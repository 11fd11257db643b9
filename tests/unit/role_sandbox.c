// SPDX-License-Identifier: Apache-2.0
/*
 * The confined processes are this test itself, run with a role's name as argv[1]: the real one, and
 * some that exist only here, which take one layer away to see that the others hold. Each receives
 * four descriptors, tries everything in a table and sends back what the kernel said; then it waits
 * to be looked at from outside.
 */
#include "profiler/role/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/role/child.h"
#include "profiler/role/socket.h"

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
	void *p = mmap(NULL, 65 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

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

/* With a filter that has holes: what the uid, the missing capabilities and the limits refuse. */
static const struct attempt in_a_leaky_filter[] = {
	ENTRY(open, 0), /* anybody may */
	NO(kill), NO(ptrace), NO(setuid), NO(setgroups), NO(chroot), NO(mount),
	ENTRY(fork, EAGAIN),
};
/* clang-format on */

/* ---- the roles ---- */

static const struct role_call leaky_calls[] = {
	{ SYS_sendto, { { 0 } } },     { SYS_sendmsg, { { 0 } } },     { SYS_recvmsg, { { 0 } } },
	{ SYS_recvfrom, { { 0 } } },   { SYS_ppoll, { { 0 } } },       { SYS_brk, { { 0 } } },
	{ SYS_mmap, { { 0 } } },       { SYS_munmap, { { 0 } } },      { SYS_close, { { 0 } } },
	{ SYS_exit_group, { { 0 } } }, { SYS_open, { { 0 } } },        { SYS_kill, { { 0 } } },
	{ SYS_ptrace, { { 0 } } },     { SYS_setuid, { { 0 } } },      { SYS_setgroups, { { 0 } } },
	{ SYS_chroot, { { 0 } } },     { SYS_mount, { { 0 } } },       { SYS_fork, { { 0 } } },
	{ SYS_getrandom, { { 0 } } },  { SYS_madvise, { { 0 } } },     { SYS_futex, { { 0 } } },
	{ SYS_write, { { 0 } } },      { SYS_sched_yield, { { 0 } } }, { SYS_getpid, { { 0 } } },
};

static const struct role_limit leaky_limits[] = { { RLIMIT_NPROC, 0 } };

#define LEAKY                                                                             \
	.limits = leaky_limits, .limit_count = COUNT(leaky_limits), .calls = leaky_calls, \
	.call_count = COUNT(leaky_calls)

static const struct role own_roles[] = {
	{ .name = "leaky", .user = "slowburn-nobody-is-called-that", .fallback_id = 65530, LEAKY },
	{ .name = "daemon", .user = "daemon", .fallback_id = 65530, LEAKY },
	{ .name = "root", .user = "root", .fallback_id = 65530, LEAKY },
	{ .name = "keeper",
	  .user = "slowburn-nobody-is-called-that",
	  .fallback_id = 65530,
	  .capabilities = 1ull << CAP_NET_BIND_SERVICE | 1ull << CAP_SYSLOG,
	  LEAKY },
};

static const struct role *role_of(const char *name)
{
	for (size_t i = 0; i < COUNT(own_roles); i++)
		if (strcmp(own_roles[i].name, name) == 0)
			return &own_roles[i];
	return role_find(name);
}

/* For somebody without privileges there are none to be seen. */
static int want_of(const struct attempt *a)
{
	int fd, e;

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

static int compose_for(const char *role, struct buffer *text, bool wanted)
{
	if (strcmp(role, "symbolizer") == 0)
		return compose(attempts, COUNT(attempts), text, wanted);
	if (strcmp(role, "leaky") == 0)
		return compose(in_a_leaky_filter, COUNT(in_a_leaky_filter), text, wanted);
	return 0;
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
	if (sandbox_enter(role_of(name), &err) < 0)
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
	child_stop(&c, NULL);
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
	child_stop(&c, NULL);
}

/* Each layer by itself: the filter is not all that there is. */
static void test_leaky_filter(void **state)
{
	struct child c;

	need_root();
	start(&c, "leaky");
	expect_attempts(&c, "leaky");
	child_stop(&c, NULL);
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
	child_stop(&c, NULL);

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
	expect_line(&c, "limits", "Max data size", "Max data size 67108864 67108864 bytes");
#endif
	child_stop(&c, NULL);
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
	child_stop(&c, NULL);
}

static void test_not_root_whatever_passwd_says(void **state)
{
	struct child c;

	need_root();
	start_confined(&c, "root");
	expect_line(&c, "status", "Uid:", "Uid: 65530 65530 65530 65530");
	expect_line(&c, "status", "Gid:", "Gid: 65530 65530 65530 65530");
	child_stop(&c, NULL);
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
	child_stop(&c, NULL);
}

/* Runs `f` in a process of its own, which it may spoil. */
static void apart(int (*f)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(f());
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
	child_stop(&c, NULL);
	return strcmp(uid, "Uid: 0 0 0 0") == 0 &&
			       strcmp(permitted, "CapPrm: 0000000000000000") == 0
		       ? 0
		       : 2;
}

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
	return cmocka_run_group_tests(tests, NULL, NULL);
}
