// SPDX-License-Identifier: Apache-2.0
/*
 * What the live source reads of /proc and opens. Of what was mapped elsewhere:
 * process_source_mounts.c.
 */
#include "profiler/process/source.h"

#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "tests/unit/process_fuse.h"
#include "tests/unit/process_places.h"

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
	expect_slow("a name of nothing", &outside);
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
		cmocka_unit_test(texts),    cmocka_unit_test(text_cut),
		cmocka_unit_test(our_own),  cmocka_unit_test(not_regular),
		cmocka_unit_test(replaced), cmocka_unit_test(generation),
		cmocka_unit_test(cgroups),  cmocka_unit_test(memory_file),
		cmocka_unit_test(roots),
	};

	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
