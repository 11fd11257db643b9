// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/process/maps.h"
#include "tests/unit/process_fuse.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct process_source *const live = &process_source_live;
static char dir[64];
static char found_path[MAPS_MAX_PATH + 1];

static int dir_make(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/process_source.XXXXXX");
	/* An open that hangs would hang for ever. */
	alarm(60);
	/* What the tests mount is ours alone, and goes with us. */
	if (geteuid() == 0 &&
	    (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		return -1;
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_remove(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		execlp("rm", "rm", "-rf", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	return 0;
}

static const char *in_dir(const char *name)
{
	static char paths[4][256];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static const char *make_file(const char *name, const char *text)
{
	const char *path = in_dir(name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

/* The file at `path`, in no mapping. */
static struct file_place place_of_path(const char *path, uint32_t pid)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (struct file_place){ .pid = pid,
				    .start = 0x1000,
				    .end = 0x2000,
				    .ino = st.st_ino,
				    .major = major(st.st_dev),
				    .minor = minor(st.st_dev),
				    .path = path };
}

/* The first executable mapping of a file whose path holds `part`. */
static bool place_in_maps(uint32_t pid, const char *part, struct file_place *ret)
{
	struct buffer text = BUFFER_INIT(1 << 20);
	struct maps_line line;
	bool found = false;

	assert_int_equal(live->read(live->ctx, PROCESS_TEXT_MAPS, pid, &text), 0);
	for (size_t at = 0, used; at < text.len && !found; at += used) {
		if (maps_line_parse(text.data + at, text.len - at, &line, &used) < 0 ||
		    !line.executable || !strstr(line.path, part))
			continue;
		snprintf(found_path, sizeof(found_path), "%s", line.path);
		*ret = (struct file_place){ .pid = pid,
					    .start = line.start,
					    .end = line.end,
					    .ino = line.ino,
					    .major = line.major,
					    .minor = line.minor,
					    .path = found_path };
		found = true;
	}
	buffer_release(&text);
	return found;
}

/* `kind`: enum process_file_kind bits. */
static void expect_kind(const char *what, const struct file_place *place, const char *text,
			int kind)
{
	char got[16] = "";
	struct stat st;
	int fd = -1, r = live->open(live->ctx, place, &fd);

	if (r < 0)
		fail_msg("%s: %s", what, strerror(-r));
	if (r != kind)
		fail_msg("%s: got kind %d, want %d", what, r, kind);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_ino, place->ino);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(pread(fd, got, strlen(text), 0) == (ssize_t)strlen(text));
	assert_string_equal(got, text);
	close(fd);
}

static void expect_open(const char *what, const struct file_place *place, const char *text)
{
	expect_kind(what, place, text, 0);
}

/* Not opened, and without waiting for anybody. */
static void expect_slow(const char *what, const struct file_place *place)
{
	int fd = -77, r = live->open(live->ctx, place, &fd);

	if (r < 0 || !(r & PROCESS_FILE_SLOW) || fd != -1)
		fail_msg("%s: got %d (fd %d), want slow", what, r, fd);
}

/* A copy of all of `content`, that nobody can change. */
static void expect_fetched(const char *what, const struct file_place *place,
			   const struct buffer *content)
{
	struct buffer got = BUFFER_INIT(PROCESS_MAX_COPY_BYTES);
	int fd = -1, r = live->fetch(live->ctx, place, &fd);

	if (r != 0)
		fail_msg("%s: %s", what, strerror(-r));
	assert_int_equal(buffer_read_fd(&got, fd), 0);
	assert_int_equal(got.len, content->len);
	assert_memory_equal(got.data, content->data, got.len);
	assert_int_equal(fcntl(fd, F_GET_SEALS),
			 F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(write(fd, "x", 1) < 0);
	buffer_release(&got);
	close(fd);
}

static void expect_refused(const char *what, const struct file_place *place, int want)
{
	int fd = -77, r = live->open(live->ctx, place, &fd);

	if (r != want || fd != -77)
		fail_msg("%s: got %d (fd %d), want %d", what, r, fd, want);
}

/* ---- texts ---- */

static void texts(void **state)
{
	struct buffer b = BUFFER_INIT(1 << 20);
	char line[32];

	(void)state;
	snprintf(line, sizeof(line), "%d (", getpid());
	assert_int_equal(live->read(live->ctx, PROCESS_TEXT_STAT, (uint32_t)getpid(), &b), 0);
	assert_memory_equal(b.data, line, strlen(line));
	buffer_clear(&b);
	assert_int_equal(live->read(live->ctx, PROCESS_TEXT_CGROUP, (uint32_t)getpid(), &b), 0);
	assert_non_null(strchr(buffer_cstr(&b), ':'));
	buffer_clear(&b);
	snprintf(line, sizeof(line), "\n%d\n", getpid());
	assert_int_equal(live->read(live->ctx, PROCESS_TEXT_PIDS, 0, &b), 0);
	assert_non_null(strstr(buffer_cstr(&b), line));
	assert_int_equal(strspn(b.data, "0123456789\n"), b.len);
	buffer_clear(&b);
	assert_int_equal(live->read(live->ctx, PROCESS_TEXT_MAPS, 0x7fffffff, &b), -ENOENT);
	assert_int_equal(live->read(live->ctx, PROCESS_TEXT_COUNT, 1, &b), -EINVAL);
	buffer_release(&b);
}

static void read_root(uint32_t pid, struct buffer *out)
{
	buffer_clear(out);
	assert_int_equal(live->read(live->ctx, PROCESS_TEXT_ROOT, pid, out), 0);
	assert_non_null(buffer_cstr(out));
}

/* A text that is too long is cut, not refused: what is there is worth something. */
static void text_cut(void **state)
{
	struct buffer b = BUFFER_INIT(100);

	(void)state;
	assert_int_equal(live->read(live->ctx, PROCESS_TEXT_MAPS, (uint32_t)getpid(), &b), 0);
	assert_int_equal(b.len, 100);
	buffer_release(&b);
}

/* ---- binaries ---- */

static void our_own(void **state)
{
	struct file_place place;

	(void)state;
	assert_true(place_in_maps((uint32_t)getpid(), "process_source", &place));
	expect_open("our binary", &place, "\177ELF");
	place.start = place.end = 0; /* map_files can't know it: by name */
	expect_open("our binary by name", &place, "\177ELF");
	place.pid = 0x7fffffff;
	expect_open("our binary, of a process that is gone", &place, "\177ELF");
	place.ino++;
	expect_refused("another inode", &place, -ESTALE);
	place.ino--;
	place.minor++;
	expect_refused("another device", &place, -ESTALE);
}

static void not_regular(void **state)
{
	const char *fifo = in_dir("fifo"), *link = in_dir("link");
	struct file_place place;

	(void)state;
	assert_int_equal(mkfifo(fifo, 0600), 0);
	place = place_of_path(fifo, (uint32_t)getpid());
	expect_refused("a FIFO", &place, -EINVAL);
	assert_int_equal(symlink("fifo", link), 0);
	place = place_of_path(link, (uint32_t)getpid());
	expect_refused("a link to a FIFO", &place, -EINVAL);
	place = place_of_path(dir, (uint32_t)getpid());
	expect_refused("a directory", &place, -EINVAL);
	place = place_of_path("/dev/zero", (uint32_t)getpid());
	expect_refused("a device", &place, -EINVAL);
	place.path = "";
	expect_refused("no path", &place, -ENOENT);
	place.path = "/proc/self/exe";
	expect_slow("a magic link", &place);
	assert_int_equal(live->fetch(live->ctx, &place, &(int){ 0 }), -ELOOP);
}

/* A name that another file has by now. */
static void replaced(void **state)
{
	struct file_place place;

	(void)state;
	make_file("old", "old");
	place = place_of_path(in_dir("old"), (uint32_t)getpid());
	expect_open("unchanged", &place, "old");
	make_file("new", "new");
	assert_int_equal(rename(in_dir("new"), in_dir("old")), 0);
	place.path = in_dir("old");
	expect_refused("replaced", &place, -ESTALE);
}

static void generation(void **state)
{
	struct file_place place;
	uint32_t number = 0;
	int fd, r;

	(void)state;
	place = place_of_path(make_file("generation", "x"), (uint32_t)getpid());
	fd = open(in_dir("generation"), O_RDONLY | O_CLOEXEC);
	r = ioctl(fd, FS_IOC_GETVERSION, &number);
	close(fd);
	if (r < 0 || !number)
		skip(); /* not on this file system */
	place.generation = number;
	expect_open("its generation", &place, "x");
	place.generation = number ^ 1;
	expect_refused("another generation", &place, -ESTALE);
}

/* Runs a copy of sleep; `prepare`, if any, is called in the child first. */
static pid_t run_copy(const char *path, bool (*prepare)(void))
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (prepare && !prepare())
			_exit(126);
		execl(path, "sleep", "60", (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	return pid;
}

static void copy_binary(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char block[65536];
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, block, sizeof(block))) > 0)
		assert_true(write(out, block, (size_t)n) == n);
	close(in);
	close(out);
}

/* Exec closes the pipe a moment before it maps the new image. False if `pid` isn't there. */
static bool place_soon(pid_t pid, const char *part, struct file_place *ret)
{
	for (int i = 0; i < 2000; i++) {
		if (place_in_maps((uint32_t)pid, part, ret))
			return true;
		if (waitpid(pid, NULL, WNOHANG) > 0)
			return false;
		usleep(1000);
	}
	return false;
}

static void deleted(void **state)
{
	const char *path = in_dir("gone (deleted)");
	struct file_place place = { 0 };
	pid_t pid;

	(void)state;
	copy_binary("/bin/sleep", path);
	pid = run_copy(path, NULL);
	assert_true(place_soon(pid, "gone", &place));
	assert_int_equal(unlink(path), 0);
	if (geteuid() == 0)
		expect_open("deleted", &place, "\177ELF");
	else
		expect_refused("deleted, without map_files", &place, -ENOENT);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool mount_overlay(void)
{
	char options[512];

	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 dir, dir, dir);
	return mount("overlay", in_dir("merged"), "overlay", 0, options) == 0;
}

/* In a mount namespace of its own: nobody but the process sees what is mounted. */
static bool unshare_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool unshare_overlay(void)
{
	return unshare_mounts() && mount_overlay();
}

static int overlay_make(void **state)
{
	static const char *const folders[] = { "lower", "upper", "work", "merged" };

	(void)state;
	for (size_t i = 0; i < COUNT(folders); i++)
		assert_int_equal(mkdir(in_dir(folders[i]), 0755), 0);
	/* Layers of two file systems: then stat() tells numbers of the overlay's own. */
	if (geteuid() == 0)
		assert_int_equal(mount("tmpfs", in_dir("lower"), "tmpfs", 0, NULL), 0);
	copy_binary("/bin/sleep", in_dir("lower/contained"));
	return 0;
}

static int overlay_remove(void **state)
{
	pid_t pid = fork();

	(void)state;
	umount2(in_dir("merged"), MNT_DETACH);
	umount2(in_dir("lower"), MNT_DETACH);
	if (pid == 0) {
		execlp("rm", "rm", "-rf", in_dir("lower"), in_dir("upper"), in_dir("work"),
		       in_dir("merged"), (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	return 0;
}

/* Mounted by the machine's owner, as containers' are. There maps and stat() may tell other devices. */
static void overlay(void **state)
{
	struct file_place place = { 0 };
	struct stat st;
	pid_t pid;
	int kind;

	(void)state;
	if (geteuid() != 0 || !mount_overlay())
		skip(); /* not allowed here */
	pid = run_copy(in_dir("merged/contained"), NULL);
	assert_true(place_soon(pid, "merged/contained", &place));
	assert_int_equal(stat(in_dir("merged/contained"), &st), 0);
	kind = major(st.st_dev) == place.major && minor(st.st_dev) == place.minor
		       ? 0
		       : PROCESS_FILE_AMBIGUOUS;
	assert_int_equal(kind, PROCESS_FILE_AMBIGUOUS);
	expect_kind("mapped from an overlay", &place, "\177ELF", kind);
	place.start = place.end = 0;
	expect_kind("by name in an overlay", &place, "\177ELF", kind);
	place.ino++;
	expect_refused("another inode in an overlay", &place, -ESTALE);
	place.ino--;
	place.minor++;
	expect_slow("of a device that nobody knows", &place);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Mounted by anybody, over anything: what it does is not known. */
static void overlay_of_its_own(void **state)
{
	struct buffer content = BUFFER_INIT(16 << 20), root = BUFFER_INIT(256),
		      ours = BUFFER_INIT(256);
	struct file_place place = { 0 };
	pid_t pid;
	int fd;

	(void)state;
	pid = run_copy(in_dir("merged/contained"), unshare_overlay);
	if (!place_soon(pid, "merged/contained", &place))
		skip(); /* not allowed here */
	fd = open("/bin/sleep", O_RDONLY | O_CLOEXEC);
	assert_int_equal(buffer_read_fd(&content, fd), 0);
	close(fd);
	expect_slow("mapped from an overlay of its own", &place);
	expect_fetched("mapped from an overlay of its own", &place, &content);
	place.start = place.end = 0;
	expect_slow("by name in an overlay of its own", &place);
	expect_fetched("by name in an overlay of its own", &place, &content);
	place.pid = (uint32_t)getpid();
	assert_int_equal(live->fetch(live->ctx, &place, &fd), -ENOENT);
	read_root((uint32_t)pid, &root);
	read_root((uint32_t)getpid(), &ours);
	assert_string_not_equal(root.data, ours.data);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	buffer_release(&content);
	buffer_release(&root);
	buffer_release(&ours);
}

/* ---- file systems that don't answer ---- */

/* A running binary of a server that stops answering. */
static void fuse(void **state)
{
	struct file_place place = { 0 }, other;
	struct fuse *f;

	(void)state;
	assert_int_equal(mkdir(in_dir("fuse"), 0755), 0);
	f = fuse_start(in_dir("fuse"));
	*state = f;
	if (!f || !place_soon(f->runner, FUSE_FILE, &place)) {
		skip();
		return;
	}
	expect_slow("it answers", &place);
	expect_fetched("it answers", &place, &f->content);
	place.ino++;
	assert_int_equal(live->fetch(live->ctx, &place, &(int){ 0 }), -ESTALE);
	place.ino--;
	f->silent = true;
	expect_slow("it is silent", &place);
	place.start = place.end = 0;
	expect_slow("it is silent, by name", &place);
	/* A file of ours, said to have a name in there. */
	other = place_of_path("/bin/sleep", place.pid);
	other.path = place.path;
	expect_slow("a name that leads there", &other);
	place.minor += 100;
	place.parent_pid = place.pid;
	expect_slow("of a device that nobody knows", &place);
}

static int fuse_end(void **state)
{
	fuse_stop(*state);
	return 0;
}

static void fetch_limits(void **state)
{
	struct buffer nothing = { 0 };
	struct file_place place;
	int fd = -77;

	(void)state;
	place = place_of_path(make_file("empty", ""), (uint32_t)getpid());
	expect_fetched("an empty file", &place, &nothing);
	assert_int_equal(truncate(in_dir("empty"), PROCESS_MAX_COPY_BYTES + 1L), 0);
	assert_int_equal(live->fetch(live->ctx, &place, &fd), -EFBIG);
	place = place_of_path("/dev/zero", (uint32_t)getpid());
	assert_int_equal(live->fetch(live->ctx, &place, &fd), -EINVAL);
	place = place_of_path(dir, (uint32_t)getpid());
	assert_int_equal(live->fetch(live->ctx, &place, &fd), -EINVAL);
	assert_int_equal(fd, -77);
}

/* ---- cgroups ---- */

/* One that is mounted here, or false. */
static bool cgroup_mount(char *ret, size_t size)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[1024];
	bool found = false;

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f)) {
		char *mount_at = strchr(line, ' ') + 1, *type = strchr(mount_at, ' ') + 1;

		type[-1] = '\0';
		found = !strncmp(type, "cgroup", 6);
		snprintf(ret, size, "%s", mount_at);
	}
	fclose(f);
	return found;
}

static void cgroups(void **state)
{
	struct buffer b = BUFFER_INIT(1 << 20);
	char top[256], path[300], line[300];
	struct stat st;

	(void)state;
	if (!cgroup_mount(top, sizeof(top)))
		skip();
	assert_int_equal(stat(top, &st), 0);
	snprintf(line, sizeof(line), "%lu .\n", (unsigned long)st.st_ino);
	assert_int_equal(live->cgroup(live->ctx, top, "/", &b), 0);
	assert_memory_equal(b.data, line, strlen(line));
	snprintf(path, sizeof(path), "%s/slowburn source %d", top, getpid());
	if (mkdir(path, 0755) == 0) {
		assert_int_equal(stat(path, &st), 0);
		buffer_clear(&b);
		assert_int_equal(live->cgroup(live->ctx, top, "/", &b), 0);
		snprintf(line, sizeof(line), "\n%lu slowburn source %d\n", (unsigned long)st.st_ino,
			 getpid());
		assert_non_null(strstr(buffer_cstr(&b), line));
		buffer_clear(&b);
		assert_int_equal(live->cgroup(live->ctx, top, path + strlen(top), &b), 0);
		snprintf(line, sizeof(line), "%lu .\n", (unsigned long)st.st_ino);
		assert_string_equal(buffer_cstr(&b), line);
		rmdir(path);
	}
	buffer_clear(&b);
	assert_int_equal(live->cgroup(live->ctx, top, "/../../etc", &b), -EXDEV);
	assert_int_equal(live->cgroup(live->ctx, top, "/no such", &b), -ENOENT);
	assert_int_equal(live->cgroup(live->ctx, "/tmp", "/", &b), -EXDEV);
	assert_int_equal(live->cgroup(live->ctx, "/no such", "/", &b), -ENOENT);
	assert_int_equal(b.len, 0);
	buffer_release(&b);
}

static void memory_file(void **state)
{
	int fd = memfd_create("some code", MFD_CLOEXEC);
	struct file_place place = { 0 };
	void *p;

	(void)state;
	assert_true(fd >= 0 && write(fd, "memory", 6) == 6);
	p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	close(fd);
	assert_true(place_in_maps((uint32_t)getpid(), "memfd:some code", &place));
	assert_string_equal(place.path, "/memfd:some code");
	if (geteuid() == 0)
		expect_open("memfd", &place, "memory");
	else
		expect_refused("memfd, without map_files", &place, -ENOENT);
	munmap(p, 4096);
}

/* A process whose root is `root`, until it is killed. */
static pid_t run_in_root(const char *root)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chroot(root) < 0 || chdir("/") < 0 || write(ready[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* Links in a container lead to the container's files, never to ours. */
static void roots(void **state)
{
	struct buffer theirs = BUFFER_INIT(256), ours = BUFFER_INIT(256);
	struct file_place place, outside;
	char link[16];
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(in_dir("root"), 0755), 0);
	assert_int_equal(mkdir(in_dir("root/bin"), 0755), 0);
	make_file("outside", "outside");
	make_file("root/bin/real", "inside");
	assert_int_equal(symlink("/bin/real", in_dir("root/bin/absolute")), 0);
	assert_int_equal(symlink(in_dir("outside"), in_dir("root/bin/out")), 0);
	assert_int_equal(symlink("../../outside", in_dir("root/bin/up")), 0);
	/* Following a link the first time writes down when, for which the quick look-up doesn't wait. */
	usleep(20000);
	assert_true(readlink(in_dir("root/bin/absolute"), link, sizeof(link)) > 0);
	pid = run_in_root(in_dir("root"));

	place = place_of_path(in_dir("root/bin/real"), (uint32_t)pid);
	place.path = "/bin/real";
	expect_open("in its root", &place, "inside");
	place.path = "/bin/absolute";
	expect_open("absolute link", &place, "inside");
	place.path = "/../../bin/../../bin/real";
	expect_open("no way up", &place, "inside");
	place.pid = 0x7fffffff;
	place.parent_pid = (uint32_t)pid;
	expect_open("in its parent's root", &place, "inside");
	place.parent_pid = 0;
	expect_refused("in no root", &place, -ENOENT);

	outside = place_of_path(in_dir("outside"), (uint32_t)pid);
	outside.path = "/bin/out";
	expect_slow("link out", &outside);
	assert_int_equal(live->fetch(live->ctx, &outside, &(int){ 0 }), -ENOENT);
	outside.path = "/bin/up";
	expect_slow("link up", &outside);
	assert_int_equal(live->fetch(live->ctx, &outside, &(int){ 0 }), -ENOENT);
	outside.path = "/not/there";
	expect_refused("a name of nothing", &outside, -ENOENT);
	read_root((uint32_t)pid, &theirs);
	read_root((uint32_t)getpid(), &ours);
	assert_string_not_equal(theirs.data, ours.data);
	read_root((uint32_t)getppid(), &theirs);
	if (geteuid() != 0) /* else our mounts are our own */
		assert_string_equal(theirs.data, ours.data);
	buffer_release(&theirs);
	buffer_release(&ours);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(text_cut),
		cmocka_unit_test(our_own),
		cmocka_unit_test(not_regular),
		cmocka_unit_test(replaced),
		cmocka_unit_test(generation),
		cmocka_unit_test(deleted),
		cmocka_unit_test_setup_teardown(overlay, overlay_make, overlay_remove),
		cmocka_unit_test_setup_teardown(overlay_of_its_own, overlay_make, overlay_remove),
		cmocka_unit_test_teardown(fuse, fuse_end),
		cmocka_unit_test(fetch_limits),
		cmocka_unit_test(cgroups),
		cmocka_unit_test(memory_file),
		cmocka_unit_test(roots),
	};

	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
