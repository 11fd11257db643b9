/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the one thread waits for: a descriptor, and what is done when it is ready. Embedded in what it belongs to.
 */
#ifndef WEB_SOURCE_H
#define WEB_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

struct source {
	int epoll, fd; /* borrowed; fd -1: not waited for */
	void (*ready)(struct source *s, uint32_t events);
};

#define SOURCE_INIT          \
	{                    \
		-1, -1, NULL \
	}

/* `events`: EPOLL… 0 or negative errno. */
int source_add(struct source *s, int epoll, int fd, uint32_t events,
	       void (*ready)(struct source *s, uint32_t events));
void source_remove(struct source *s);

/*
 * Waits at most `timeout_ms` (-1: without end), then calls what is ready. What one callback removes is not called any more. 0 or
 * negative errno.
 */
int source_dispatch(int epoll, int timeout_ms);

#endif
