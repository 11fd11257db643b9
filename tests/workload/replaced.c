// CFLAGS: -O1 -fno-omit-frame-pointer -g -static
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something else stands where a binary was. In a mount namespace and root of its own, DIRECTORY, runs a copy of itself,
 * "/victim", and puts a THING under that name:
 *
 *	link:PATH    a symbolic link to PATH, which in our root is nothing, in the host's a file
 *	fifo         a pipe without a writer
 *	device       /dev/zero, by another name
 *	directory
 *	sparse       an empty file of 1 TiB
 *
 * "live": once it runs, which it does for CPU-SECONDS; its truth is printed. "gone": ROUNDS times, each when it has
 * run for 30 ms and ended, so that only its name is left.
 *
 * A last line says how often anybody opened what stood there instead ("opened"): looking at a name is no opening. (A
 * regular file, "sparse", may be opened: it can have got the number of the inode that was asked for.)
 * Root only.
 *
 * usage: replaced DIRECTORY THING live CPU-SECONDS | gone ROUNDS
 */
#include "truth.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define VICTIM "/victim"
#define MAX_BYTES (8u << 20)
#define PAUSE_NS 250000000

static PROFILED void replaced_spin(uint64_t rounds)
{
	SPIN_BODY(rounds, 0x9e3779b97f4a7c15);
}

static int victim(int argc, char **argv)
{
	struct account account = { .name = "replaced_spin", .work = replaced_spin, .share = 1 };
	uint64_t random = truth_seed();

	accounts_run(&account, 1, truth_cpu_seconds(argc, argv, 1), &random);
	truth_print_accounts(&account, 1);
	truth_print_process("victim");
	return 0;
}

/* ---- who replaces ---- */

struct work {
	char *program; /* its bytes */
	ssize_t bytes;
	const char *thing;
	int watch; /* inotify */
};

static void check(int r, const char *what)
{
	if (r < 0) {
		perror(what);
		exit(2);
	}
}

static void program_read(struct work *w)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	check(fd, "/proc/self/exe");
	w->program = malloc(MAX_BYTES);
	w->bytes = w->program ? read(fd, w->program, MAX_BYTES) : -1;
	if (w->bytes <= 0 || w->bytes == MAX_BYTES)
		abort();
	close(fd);
}

static void victim_write(const struct work *w)
{
	int fd = open(VICTIM, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	check(fd, VICTIM);
	if (write(fd, w->program, (size_t)w->bytes) != w->bytes || close(fd) < 0)
		abort();
}

/* Returns when it runs. */
static pid_t victim_start(const char *seconds, bool quiet)
{
	char *argv[] = { (char *)"victim", (char *)seconds, NULL };
	int ready[2];
	char byte;
	pid_t pid;

	check(pipe2(ready, O_CLOEXEC), "pipe");
	pid = fork();
	check(pid, "fork");
	if (pid == 0) {
		if (quiet)
			close(STDOUT_FILENO);
		execv(VICTIM, argv);
		perror(VICTIM);
		_exit(2);
	}
	close(ready[1]);
	while (read(ready[0], &byte, 1) < 0 && errno == EINTR)
		;
	close(ready[0]);
	return pid;
}

static void thing_make(const struct work *w)
{
	check(unlink(VICTIM), VICTIM);
	if (!strncmp(w->thing, "link:", 5)) {
		check(symlink(w->thing + 5, VICTIM), VICTIM);
		return; /* what it leads to has been watched from the beginning */
	}
	if (!strcmp(w->thing, "fifo")) {
		check(mkfifo(VICTIM, 0755), VICTIM);
	} else if (!strcmp(w->thing, "device")) {
		check(mknod(VICTIM, S_IFCHR | 0755, makedev(1, 5)), VICTIM);
	} else if (!strcmp(w->thing, "directory")) {
		check(mkdir(VICTIM, 0755), VICTIM);
	} else if (!strcmp(w->thing, "sparse")) {
		int fd = open(VICTIM, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

		check(fd, VICTIM);
		check(ftruncate(fd, 1ll << 40), VICTIM);
		close(fd);
	} else {
		fprintf(stderr, "replaced: what is \"%s\"?\n", w->thing);
		exit(2);
	}
	check(inotify_add_watch(w->watch, VICTIM, IN_OPEN), VICTIM);
}

static uint64_t times_opened(const struct work *w)
{
	_Alignas(struct inotify_event) char events[16384];
	uint64_t n = 0;
	ssize_t len;

	while ((len = read(w->watch, events, sizeof(events))) > 0) {
		for (ssize_t at = 0; at < len;) {
			const struct inotify_event *e = (const struct inotify_event *)(events + at);

			n += (e->mask & IN_OPEN) != 0;
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	}
	return n;
}

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct work w = { 0 };
	bool live;

	if (!strcmp(argv[0], "victim"))
		return victim(argc, argv);
	if (argc != 5 || (strcmp(argv[3], "live") != 0 && strcmp(argv[3], "gone") != 0)) {
		fprintf(stderr, "usage: replaced DIRECTORY THING live CPU-SECONDS | gone ROUNDS\n");
		return 2;
	}
	live = !strcmp(argv[3], "live");
	w.thing = argv[2];
	program_read(&w);
	w.watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	check(w.watch, "inotify");
	if (!strncmp(w.thing, "link:", 5))
		check(inotify_add_watch(w.watch, w.thing + 5, IN_OPEN), w.thing);
	check(unshare(CLONE_NEWNS), "unshare");
	check(chroot(argv[1]), argv[1]);
	check(chdir("/"), "/");
	for (long left = live ? 1 : strtol(argv[4], NULL, 10); left > 0; left--) {
		pid_t pid;

		victim_write(&w);
		pid = victim_start(live ? argv[4] : "0.03", !live);
		if (live)
			thing_make(&w);
		check(waitpid(pid, NULL, 0), "waitpid");
		if (!live)
			thing_make(&w);
		nanosleep(&pause, NULL); /* somebody may want to look */
		check(remove(VICTIM), VICTIM);
	}
	printf("{\"what\": \"opened\", \"times\": %llu}\n", (unsigned long long)times_opened(&w));
	return 0;
}
