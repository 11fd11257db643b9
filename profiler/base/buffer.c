// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_STEP ((size_t)16 << 10)

void buffer_init(struct buffer *b, size_t max_bytes)
{
	*b = (struct buffer)BUFFER_INIT(max_bytes);
}

void buffer_release(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer)BUFFER_INIT(b->max);
}

void buffer_clear(struct buffer *b)
{
	b->len = 0;
	b->error = 0;
}

/* Room for `len` more bytes and a NUL. */
static int reserve(struct buffer *b, size_t len)
{
	size_t want;
	char *grown;

	if (b->error)
		return b->error;
	if (b->len > b->max || len > b->max - b->len)
		return b->error = -E2BIG;
	if (len < b->capacity - b->len)
		return 0;
	want = b->capacity ? b->capacity : 256;
	while (want <= b->len + len)
		want += want / 2;
	grown = realloc(b->data, want);
	if (!grown)
		return b->error = -ENOMEM;
	b->data = grown;
	b->capacity = want;
	return 0;
}

void *buffer_extend(struct buffer *b, size_t len)
{
	char *p;

	if (reserve(b, len) < 0)
		return NULL;
	p = b->data + b->len;
	b->len += len;
	return p;
}

void buffer_append(struct buffer *b, const void *bytes, size_t len)
{
	char *p = buffer_extend(b, len);

	if (p && len)
		memcpy(p, bytes, len);
}

void buffer_text(struct buffer *b, const char *s)
{
	buffer_append(b, s, strlen(s));
}

void buffer_printf(struct buffer *b, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0 || reserve(b, (size_t)n) < 0)
		return;
	va_start(args, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, args);
	va_end(args);
	b->len += (size_t)n;
}

const char *buffer_cstr(struct buffer *b)
{
	if (reserve(b, 0) < 0)
		return NULL;
	b->data[b->len] = '\0';
	return b->data;
}

int buffer_read_fd(struct buffer *b, int fd)
{
	for (;;) {
		size_t room, left = b->max > b->len ? b->max - b->len : 0;
		ssize_t n;
		char past_end;

		if (!left) {
			n = read(fd, &past_end, 1);
			return n == 0 ? 0 : n > 0 ? -E2BIG : -errno;
		}
		room = left < READ_STEP ? left : READ_STEP;
		if (reserve(b, room) < 0)
			return b->error;
		n = read(fd, b->data + b->len, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		b->len += (size_t)n;
	}
}

int fd_write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}
