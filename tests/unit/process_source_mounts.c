// SPDX-License-Identifier: Apache-2.0
/*
 * Binaries that processes have mapped from where their names don't lead: deleted, in overlays, in
 * mount namespaces of their own; and file systems that don't answer.
 */
#include "profiler/process/source.h"

#include <sys/prctl.h>

#include "tests/unit/process_fuse.h"
#include "tests/unit/process_places.h"

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

/*
 * Mounted by the machine's owner, as containers' are. There maps and stat() may tell other devices.
 */
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
	/* Where numbers are others' too, one of that name in another's root may be any of them. */
	place.pid = 0x7fffffff;
	place.parent_pid = (uint32_t)pid;
	expect_refused("by name in an overlay, its process gone", &place, -ESTALE);
	place.pid = (uint32_t)pid;
	place.parent_pid = 0;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deleted),
		cmocka_unit_test_setup_teardown(overlay, overlay_make, overlay_remove),
		cmocka_unit_test_setup_teardown(overlay_of_its_own, overlay_make, overlay_remove),
		cmocka_unit_test_teardown(fuse, fuse_end),
		cmocka_unit_test(fetch_limits),
	};

	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
