/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locals that free themselves: `_cleanup_(fd_close) int fd = -1;`. A result leaves by take_fd or
 * take_ptr. A function uses this or a forward `out:` label, never both.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* `p` is evaluated once; the names are such that no caller has them. */
#define take_ptr(p)                                \
	({                                         \
		__typeof__(p) *take_from_ = &(p);  \
		__typeof__(p) take_ = *take_from_; \
		*take_from_ = NULL;                \
		take_;                             \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Closes a descriptor if there is one, keeps errno, sets it to -1. */
static inline void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static inline void file_close(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}

static inline void free_ptr(void *p)
{
	free(*(void **)p);
}

#endif
