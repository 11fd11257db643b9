/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that grow up to a maximum. The first failed write sticks: further writes do nothing and
 * buffer_error() tells, so that an encoder tests once, at its end.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
	char *data; /* owned; NUL-terminated only by buffer_cstr() */
	size_t len;
	size_t capacity;
	size_t max;
	int error; /* 0, -ENOMEM or -E2BIG */
};

#define BUFFER_INIT(max_bytes)     \
	{                          \
		.max = (max_bytes) \
	}

void buffer_init(struct buffer *b, size_t max_bytes);
void buffer_release(struct buffer *b);
/* Forgets content and error, keeps the memory. */
void buffer_clear(struct buffer *b);

void buffer_append(struct buffer *b, const void *bytes, size_t len);
void buffer_text(struct buffer *b, const char *s);
__attribute__((format(printf, 2, 3))) void buffer_printf(struct buffer *b, const char *fmt, ...);

/* `len` writable bytes at the end, already counted in b->len; NULL on error. */
void *buffer_extend(struct buffer *b, size_t len);

/* The content with a NUL behind it (not counted), or NULL on error. Valid until the next write. */
const char *buffer_cstr(struct buffer *b);

static inline int buffer_error(const struct buffer *b)
{
	return b->error;
}

/*
 * Appends all that can be read from `fd`. 0 or negative errno; -E2BIG beyond the buffer's maximum. What
 * was read before a failure stays; a failed read(2) doesn't stick.
 */
int buffer_read_fd(struct buffer *b, int fd);

/*
 * Writes `len` bytes to `fd`, however many calls that takes. 0 or negative errno: -EAGAIN too, where
 * `fd` is non-blocking.
 */
int fd_write_all(int fd, const void *bytes, size_t len);

#endif
