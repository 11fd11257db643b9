// SPDX-License-Identifier: Apache-2.0
/*
 * The first process of a guest: loads the modules that a 9p root needs, makes the host's root its own
 * (read-only), runs one command in it, and switches the machine off. Static, and all there is in the
 * initrd beside the modules (/modules/0.ko, 1.ko ... in the order of loading) and the command's words
 * (/command, one a line). A shell in the initrd was refused: that is one more package, and its own libc.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS 64
#define ROOT_OPTIONS "trans=virtio,version=9p2000.L,msize=262144,cache=loose"

static _Noreturn void switch_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	_exit(1); /* the kernel panics, which ends the machine, too */
}

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
	switch_off();
}

static void load_modules(void)
{
	for (int i = 0;; i++) {
		char path[32];
		int fd;

		snprintf(path, sizeof(path), "/modules/%d.ko", i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
			give_up(path);
		close(fd);
	}
}

/* The words of /command, ended by NULL. They live as long as we do. */
static char **read_command(void)
{
	static char *words[MAX_WORDS + 1];
	FILE *file = fopen("/command", "re");
	size_t size = 0;
	int n = 0;

	if (!file)
		give_up("/command");
	while (n < MAX_WORDS && getline(&words[n], &size, file) > 0) {
		words[n][strcspn(words[n], "\n")] = 0;
		n++;
		size = 0;
	}
	fclose(file);
	words[n] = NULL;
	return words;
}

static void enter_root(void)
{
	if (mount("root", "/root", "9p", MS_RDONLY, ROOT_OPTIONS) < 0)
		give_up("mount the host's root");
	if (mount("devtmpfs", "/root/dev", "devtmpfs", 0, "mode=0755") < 0)
		give_up("mount /dev");
	if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
		give_up("enter the host's root");
}

/* A terminal of its own is nothing that a test would miss, but it must have somewhere to write. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	for (int i = 0; fd >= 0 && i <= STDERR_FILENO; i++)
		dup2(fd, i);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(void)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char locale[] = "LC_ALL=C";
	char *environment[] = { path, locale, NULL };
	char **command;
	pid_t child, ended;

	load_modules();
	command = read_command();
	enter_root();
	open_console();
	child = fork();
	if (child < 0)
		give_up("fork");
	if (child == 0) {
		setsid();
		execve(command[0], command, environment);
		give_up(command[0]);
	}
	/* The first process is everybody's heir. */
	do
		ended = wait(NULL);
	while (ended != child && (ended > 0 || errno == EINTR));
	switch_off();
}
