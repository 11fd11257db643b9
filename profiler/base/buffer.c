// SPDX-License-Identifier: Apache-2.0
/*
 * Grows by half, and never beyond its maximum. There is always room for a NUL behind the content, so
 * that buffer_cstr() works on a full buffer and vsnprintf() may write where the content goes.
 */
#include "profiler/base/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CAPACITY ((size_t)256)
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
	size_t want, need;
	char *grown;

	if (b->error)
		return b->error;
	if (b->len > b->max || len > b->max - b->len)
		return b->error = -E2BIG;
	if (len < b->capacity - b->len)
		return 0;
	need = b->len + len;
	if (need > SIZE_MAX / 4)
		return b->error = -ENOMEM;
	want = b->capacity > FIRST_CAPACITY ? b->capacity : FIRST_CAPACITY;
	while (want <= need)
		want += want / 2;
	if (want > b->max)
		want = b->max + 1;
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
	size_t room;
	va_list args;
	int n;

	/* Once into the room that is there; if that is too little, again into what it asked for. */
	if (reserve(b, 0) < 0)
		return;
	room = b->capacity - b->len;
	va_start(args, fmt);
	n = vsnprintf(b->data + b->len, room, fmt, args);
	va_end(args);
	if (n < 0)
		b->error = -E2BIG; /* beyond INT_MAX: our formats have no other way to fail */
	if (n < 0 || reserve(b, (size_t)n) < 0)
		return;
	if ((size_t)n >= room) {
		va_start(args, fmt);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, args);
		va_end(args);
	}
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
		size_t left = b->max > b->len ? b->max - b->len : 0;
		size_t room = left < READ_STEP ? left : READ_STEP;
		char past_end;
		ssize_t n;

		if (reserve(b, room) < 0)
			return b->error;
		/* A full buffer is fine if nothing follows. */
		n = left ? read(fd, b->data + b->len, room) : read(fd, &past_end, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (!left)
			return -E2BIG;
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
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}
