// SPDX-License-Identifier: Apache-2.0
/*
 * A frame comes as it will be in the file, and is written by one pwrite(2) behind the last one: killed within it, the file has a tail that
 * no reader takes for a window, and nobody goes on with a file that somebody else began. What could be
 * written only in part is cut off again at once.
 */
#include "profiler/store/appender.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"

#define FILE_MODE 0640

struct appender {
	int fd;
	uint64_t at; /* where the next frame goes */
	struct layout_frame end;
};

static int write_all(int fd, const void *bytes, size_t len, uint64_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int appender_new(struct appender **ret, int dirfd, const char *temporary,
		 const struct layout_header *header, struct err *err)
{
	unsigned char bytes[LAYOUT_HEADER_BYTES];
	struct appender *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return err_errno(err, -ENOMEM, "cannot begin a file of the store");
	a->fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       FILE_MODE);
	if (a->fd < 0) {
		r = -errno;
	} else {
		layout_header_write(header, bytes);
		r = write_all(a->fd, bytes, sizeof(bytes), 0);
		if (r < 0)
			unlinkat(dirfd, temporary, 0);
	}
	if (r < 0) {
		appender_free(a);
		return err_errno(err, r, "cannot begin a file of the store");
	}
	a->at = sizeof(bytes);
	*ret = a;
	return 0;
}

int appender_publish(int dirfd, const char *temporary, const char *name, struct err *err)
{
	if (renameat(dirfd, temporary, dirfd, name) < 0)
		return err_errno(err, -errno, "cannot name a file \"%s\"", name);
	return 0;
}

void appender_free(struct appender *a)
{
	if (!a)
		return;
	fd_close(&a->fd);
	free(a);
}

uint64_t appender_bytes(const struct appender *a)
{
	return a->at;
}

int appender_fd(const struct appender *a)
{
	return a->fd;
}

/* Behind the last frame, or nothing. */
static int add(struct appender *a, const void *frame, size_t len)
{
	int r = write_all(a->fd, frame, len, a->at);

	if (r < 0) {
		/* If that fails too, the tail is what a kill would have left; the next try writes over it. */
		(void)!ftruncate(a->fd, (off_t)a->at);
		return r;
	}
	a->at += len;
	return 0;
}

int appender_add(struct appender *a, void *frame, size_t len, uint64_t sequence)
{
	struct layout_frame f;
	int r = layout_frame_read(frame, &f);

	assert(r == 0 && sequence > a->end.sequence);
	f.sequence = sequence;
	layout_frame_write(&f, frame);
	r = add(a, frame, len);
	if (r < 0)
		return r;
	a->end.sequence = sequence;
	a->end.count += f.count;
	a->end.value += f.value;
	a->end.end_ns = f.end_ns;
	return 0;
}

int appender_sync(struct appender *a)
{
	return fdatasync(a->fd) < 0 ? -errno : 0;
}

int appender_close(struct appender *a)
{
	unsigned char bytes[LAYOUT_FRAME_BYTES];
	int r;

	a->end.kind = LAYOUT_END;
	a->end.start_ns = a->end.end_ns;
	layout_frame_write(&a->end, bytes);
	r = add(a, bytes, sizeof(bytes));
	return r < 0 ? r : appender_sync(a);
}
