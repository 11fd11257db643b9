/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A FUSE file system of one file, in a mount namespace of its own, and a process that runs that file. It
 * answers until it is told to be silent: then whoever asks it something waits for ever, beyond the reach
 * of signals, until fuse_stop().
 */
#ifndef TESTS_PROCESS_FUSE_H
#define TESTS_PROCESS_FUSE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/buffer.h"

#define FUSE_FILE "binary"
#define FUSE_NODE 2 /* of the file; FUSE_ROOT_ID is the directory's */
#define FUSE_REQUEST_BYTES ((size_t)1 << 20)

/* Shared with the server. */
struct fuse {
	volatile bool silent;
	volatile pid_t runner;
	pid_t server;
	char path[256]; /* of the file, as its processes see it */
	struct buffer content;
};

static inline void fuse_reply(int fd, const struct fuse_in_header *in, int error, const void *bytes,
			      size_t len)
{
	struct fuse_out_header out = { .len = (uint32_t)(sizeof(out) + (error ? 0 : len)),
				       .error = error,
				       .unique = in->unique };
	struct iovec iov[] = { { &out, sizeof(out) }, { (void *)bytes, error ? 0 : len } };

	if (writev(fd, iov, 2) < 0 && errno != ENOENT)
		_exit(3);
}

static inline struct fuse_attr fuse_attr_of(const struct fuse *f, uint64_t node)
{
	struct fuse_attr a = { .ino = node, .mode = S_IFDIR | 0755, .nlink = 1, .blksize = 4096 };

	if (node == FUSE_NODE) {
		a.mode = S_IFREG | 0755;
		a.size = f->content.len;
	}
	return a;
}

static inline void fuse_read_file(const struct fuse *f, int fd, const struct fuse_in_header *in,
				  const struct fuse_read_in *read_in)
{
	size_t left = read_in->offset < f->content.len ? f->content.len - read_in->offset : 0;

	fuse_reply(fd, in, 0, f->content.data + read_in->offset,
		   read_in->size < left ? read_in->size : left);
}

static inline void fuse_answer(const struct fuse *f, int fd, const struct fuse_in_header *in,
			       const void *arg)
{
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
				      .minor = 31,
				      .max_readahead = 1 << 17,
				      .max_write = 1 << 17 };
	struct fuse_entry_out entry = { .nodeid = FUSE_NODE,
					.entry_valid = 0,
					.attr_valid = 3600,
					.attr = fuse_attr_of(f, FUSE_NODE) };
	struct fuse_attr_out attr = { .attr_valid = 3600, .attr = fuse_attr_of(f, in->nodeid) };
	struct fuse_open_out opened = { 0 };

	switch (in->opcode) {
	case FUSE_INIT:
		fuse_reply(fd, in, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		fuse_reply(fd, in, strcmp(arg, FUSE_FILE) ? -ENOENT : 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		fuse_reply(fd, in, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		fuse_reply(fd, in, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		fuse_read_file(f, fd, in, arg);
		break;
	case FUSE_RELEASE:
	case FUSE_FLUSH:
		fuse_reply(fd, in, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		fuse_reply(fd, in, -ENOSYS, NULL, 0);
	}
}

/* The server's process: mounts, starts the runner, answers. */
static inline _Noreturn void fuse_serve(struct fuse *f, const char *dir)
{
	static union {
		struct fuse_in_header header;
		char bytes[FUSE_REQUEST_BYTES];
	} request;
	char options[128];
	pid_t runner;
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 fd);
	if (fd < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("fuse", dir, "fuse", 0, options) < 0)
		_exit(2);
	runner = fork();
	if (runner == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(f->path, "sleep", "60", (char *)NULL);
		_exit(127);
	}
	f->runner = runner;
	while (read(fd, &request, sizeof(request)) > 0)
		if (!f->silent)
			fuse_answer(f, fd, &request.header, &request.header + 1);
	_exit(0);
}

/* `dir` is an empty directory. NULL where there is no FUSE for us. */
static inline struct fuse *fuse_start(const char *dir)
{
	struct fuse *f =
		mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = open("/bin/sleep", O_RDONLY | O_CLOEXEC);
	pid_t server;

	buffer_init(&f->content, 16 << 20);
	if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) < 0 ||
	    buffer_read_fd(&f->content, fd) < 0) {
		close(fd);
		munmap(f, sizeof(*f));
		return NULL;
	}
	close(fd);
	snprintf(f->path, sizeof(f->path), "%s/%s", dir, FUSE_FILE);
	server = fork();
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fuse_serve(f, dir);
	}
	f->server = server;
	while (!f->runner && waitpid(f->server, NULL, WNOHANG) == 0)
		usleep(1000);
	return f;
}

/* With the server go all that wait for it. */
static inline void fuse_stop(struct fuse *f)
{
	if (!f)
		return;
	if (f->runner > 0)
		kill(f->runner, SIGKILL);
	kill(f->server, SIGKILL);
	waitpid(f->server, NULL, 0);
	buffer_release(&f->content);
	munmap(f, sizeof(*f));
}

#endif
