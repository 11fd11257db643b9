// SPDX-License-Identifier: Apache-2.0
/*
 * One event at a time: a callback may remove others, whose events of the same call would lead to what is gone. Costs one
 * more system call an event; they are few beside those of the answers.
 */
#include "web/source.h"

#include <errno.h>
#include <sys/epoll.h>

int source_add(struct source *s, int epoll, int fd, uint32_t events,
	       void (*ready)(struct source *s, uint32_t events))
{
	struct epoll_event event = { .events = events, .data = { .ptr = s } };

	*s = (struct source){ epoll, fd, ready };
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	s->fd = -1;
	return -errno;
}

void source_remove(struct source *s)
{
	if (s->fd >= 0)
		epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	s->fd = -1;
}

int source_dispatch(int epoll, int timeout_ms)
{
	/* The kernel goes round: with many that are ready each has its turn. */
	for (int i = 0; i < 64; i++) {
		struct epoll_event event;
		struct source *s;
		int n = epoll_wait(epoll, &event, 1, i ? 0 : timeout_ms);

		if (n < 0)
			return errno == EINTR ? 0 : -errno;
		if (n == 0)
			return 0;
		s = event.data.ptr;
		s->ready(s, event.events);
	}
	return 0;
}
