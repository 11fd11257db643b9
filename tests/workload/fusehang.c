/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system that stops answering. Mounts DIRECTORY with one file in it, BINARY's bytes under BINARY's
 * name, and serves it well; on SIGUSR1 it goes on reading requests and leaves those named unanswered (all,
 * if none is named): whoever waits for one of them waits in the kernel, and no signal ends that. Lines on
 * standard output: "mounted", "mute".
 *
 * Nothing may be cached but the file's pages: names and attributes are asked for again each time, so that
 * lookups and fstat hang as well. The pages stay (FOPEN_KEEP_CACHE), and only those that were read (no readahead): who
 * has read the file can run it.
 *
 * When this process ends, its connection does, and all that waited gets an error: to kill it mends
 * everything; then `umount -l DIRECTORY`.
 *
 * The protocol is <linux/fuse.h>'s, spoken on /dev/fuse: libfuse answers by itself where we want to be silent.
 * Root only.
 *
 * usage: fusehang DIRECTORY BINARY [lookup|getattr|open|read|flush|release|statfs]...
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_INODE 2
#define REQUEST_BYTES \
	(1u << 17) /* FUSE_MIN_READ_BUFFER is 8 KiB; writes, which nobody makes, need more */

static const struct {
	const char *word;
	uint32_t opcode;
} silences[] = {
	{ "lookup", FUSE_LOOKUP }, { "getattr", FUSE_GETATTR }, { "open", FUSE_OPEN },
	{ "read", FUSE_READ },     { "flush", FUSE_FLUSH },     { "release", FUSE_RELEASE },
	{ "statfs", FUSE_STATFS },
};

static volatile sig_atomic_t mute;

struct server {
	int fuse;
	const char *name;
	const char *bytes;
	uint64_t size;
	uint64_t silent; /* bit N: opcode N gets no answer once mute */
};

static void go_mute(int signal)
{
	(void)signal;
	mute = 1;
	if (write(STDOUT_FILENO, "mute\n", 5) < 0)
		_exit(1);
}

static void answer(const struct server *s, uint64_t unique, int error, const void *bytes,
		   size_t len)
{
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + len),
					.error = -error,
					.unique = unique };
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)bytes, len } };

	/* ENOENT: who asked has been interrupted meanwhile. */
	if (writev(s->fuse, parts, len ? 2 : 1) < 0 && errno != ENOENT)
		perror("fusehang: /dev/fuse");
}

static struct fuse_attr attributes(const struct server *s, uint64_t inode)
{
	bool file = inode == FILE_INODE;

	return (struct fuse_attr){ .ino = inode,
				   .size = file ? s->size : 0,
				   .blocks = file ? s->size / 512 : 0,
				   .mode = file ? S_IFREG | 0555 : S_IFDIR | 0555,
				   .nlink = file ? 1 : 2,
				   .blksize = 4096 };
}

static void answer_lookup(const struct server *s, uint64_t unique, const char *name)
{
	struct fuse_entry_out out = { .nodeid = FILE_INODE, .attr = attributes(s, FILE_INODE) };

	if (strcmp(name, s->name) != 0)
		answer(s, unique, ENOENT, NULL, 0);
	else
		answer(s, unique, 0, &out, sizeof(out));
}

static void answer_read(const struct server *s, uint64_t unique, const struct fuse_read_in *in)
{
	uint64_t off = in->offset < s->size ? in->offset : s->size;
	uint64_t left = s->size - off;

	answer(s, unique, 0, s->bytes + off, in->size < left ? in->size : left);
}

static void answer_request(const struct server *s, const struct fuse_in_header *head)
{
	const void *body = head + 1;

	switch (head->opcode) {
	case FUSE_INIT:
		answer(s, head->unique, 0,
		       &(struct fuse_init_out){ .major = FUSE_KERNEL_VERSION,
						.minor = FUSE_KERNEL_MINOR_VERSION,
						.max_readahead = 0,
						.max_write = 4096 },
		       sizeof(struct fuse_init_out));
		break;
	case FUSE_LOOKUP:
		answer_lookup(s, head->unique, body);
		break;
	case FUSE_GETATTR:
		answer(s, head->unique, 0,
		       &(struct fuse_attr_out){ .attr = attributes(s, head->nodeid) },
		       sizeof(struct fuse_attr_out));
		break;
	case FUSE_OPEN:
		answer(s, head->unique, 0,
		       &(struct fuse_open_out){ .open_flags = FOPEN_KEEP_CACHE },
		       sizeof(struct fuse_open_out));
		break;
	case FUSE_READ:
		answer_read(s, head->unique, body);
		break;
	case FUSE_STATFS:
		answer(s, head->unique, 0, &(struct fuse_statfs_out){ .st = { .bsize = 4096 } },
		       sizeof(struct fuse_statfs_out));
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		answer(s, head->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* want no answer */
	default:
		answer(s, head->unique, ENOSYS, NULL, 0);
		break;
	}
}

/* Until the file system is unmounted. */
static int serve(const struct server *s)
{
	static _Alignas(8) char request[REQUEST_BYTES];

	for (;;) {
		const struct fuse_in_header *head = (const struct fuse_in_header *)request;
		/* One byte less, so that a name always ends. */
		ssize_t n = read(s->fuse, request, sizeof(request) - 1);

		if (n < 0 && errno == ENODEV)
			return 0;
		if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		if (n < (ssize_t)sizeof(*head)) {
			perror("fusehang: /dev/fuse");
			return 1;
		}
		request[n] = '\0';
		if (mute && head->opcode < 64 && (s->silent >> head->opcode & 1))
			continue;
		answer_request(s, head);
		if (head->opcode == FUSE_INIT && write(STDOUT_FILENO, "mounted\n", 8) < 0)
			return 1;
	}
}

static int silence_parse(const char *word, uint64_t *silent)
{
	for (size_t i = 0; i < sizeof(silences) / sizeof(silences[0]); i++) {
		if (!strcmp(word, silences[i].word)) {
			*silent |= 1ull << silences[i].opcode;
			return 0;
		}
	}
	fprintf(stderr, "fusehang: \"%s\" is nothing to be silent about\n", word);
	return -1;
}

static int binary_read(const char *path, struct server *s)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(path);
		return -1;
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED) {
		perror(path);
		return -1;
	}
	s->bytes = map;
	s->size = (uint64_t)st.st_size;
	s->name = basename(strdup(path));
	return 0;
}

int main(int argc, char **argv)
{
	struct server s = { 0 };
	char options[128];

	if (argc < 3) {
		fprintf(stderr, "usage: fusehang DIRECTORY BINARY [WHAT-GETS-NO-ANSWER...]\n");
		return 2;
	}
	for (int i = 3; i < argc; i++)
		if (silence_parse(argv[i], &s.silent) < 0)
			return 2;
	if (!s.silent)
		s.silent = UINT64_MAX;
	if (binary_read(argv[2], &s) < 0)
		return 2;
	s.fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (s.fuse < 0) {
		perror("/dev/fuse");
		return 2;
	}
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 s.fuse);
	if (mount("fusehang", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		perror(argv[1]);
		return 2;
	}
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = go_mute }, NULL);
	return serve(&s);
}
