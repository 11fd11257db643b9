// SPDX-License-Identifier: Apache-2.0
/*
 * Files are handed over before the socket is: until then a reader has seen nothing of anybody's, so
 * that we may wait for it a moment. A pidfd tells its end, since its socket is no longer ours.
 *
 * Refused: a reader that stays for the next question. What one question's data made of it would
 * answer the next.
 */
#include "profiler/server/readers.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/reader/job.h"
#include "profiler/role/usage.h"

#define HAND_OVER_NS NS_PER_S /* of one file */
#define LOOK_NS NS_PER_S /* at one that was killed */

void readers_init(struct readers *r, int store, uint64_t memory_bytes)
{
	*r = (struct readers){ .store = store, .memory_bytes = memory_bytes };
	for (uint32_t i = 0; i < WEB_MAX_READERS; i++) {
		r->items[i].child.socket = -1;
		r->items[i].pidfd = -1;
	}
}

void readers_kill(struct readers *r)
{
	for (uint32_t i = 0; i < WEB_MAX_READERS; i++)
		if (r->items[i].child.pid > 0)
			kill(r->items[i].child.pid, SIGKILL);
}

void readers_leave(struct readers *r, uint64_t id)
{
	for (uint32_t i = 0; i < WEB_MAX_READERS; i++)
		if (r->items[i].child.pid > 0 && r->items[i].id == id)
			kill(r->items[i].child.pid, SIGKILL);
}

void readers_release(struct readers *r)
{
	readers_kill(r);
	for (uint32_t i = 0; i < WEB_MAX_READERS; i++) {
		child_stop(&r->items[i].child, &r->usage);
		fd_close(&r->items[i].pidfd);
	}
}

int readers_start(struct readers *r, uint64_t id, const struct store_files_range *ranges,
		  uint32_t count, int *ret_socket, struct err *err)
{
	struct child child = { .socket = -1 };
	uint32_t i = 0;
	int result;

	readers_tend(r);
	while (i < WEB_MAX_READERS && r->items[i].child.pid)
		i++;
	if (i == WEB_MAX_READERS)
		return err_set(err, -EAGAIN, "%u readers are at work", WEB_MAX_READERS);
	result = child_start_limited(&child, READER_ROLE, r->memory_bytes, err);
	if (result < 0)
		return result;
	result = store_files_send_ranges(r->store, ranges, count, child.socket, READER_STORE_FILE,
					 HAND_OVER_NS, err);
	r->items[i].pidfd = pidfd_open(child.pid, 0);
	if (result == 0 && r->items[i].pidfd < 0)
		result = err_errno(err, -errno, "cannot watch a reader");
	if (result < 0) {
		fd_close(&r->items[i].pidfd);
		child_stop(&child, &r->usage);
		return result;
	}
	*ret_socket = take_fd(&child.socket);
	r->items[i].child = child;
	r->items[i].id = id;
	r->items[i].until_ns = clock_ns(CLOCK_MONOTONIC) + WEB_READER_NS;
	r->items[i].late = false;
	r->started++;
	return 0;
}

void readers_poll(const struct readers *r, struct pollfd *ret)
{
	for (uint32_t i = 0; i < WEB_MAX_READERS; i++)
		ret[i] = (struct pollfd){ .fd = r->items[i].pidfd, .events = POLLIN };
}

uint64_t readers_due_ns(const struct readers *r)
{
	uint64_t due_ns = UINT64_MAX;

	for (uint32_t i = 0; i < WEB_MAX_READERS; i++)
		if (r->items[i].child.pid && r->items[i].until_ns < due_ns)
			due_ns = r->items[i].until_ns;
	return due_ns;
}

void readers_tend(struct readers *r)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	for (uint32_t i = 0; i < WEB_MAX_READERS; i++) {
		if (!r->items[i].child.pid)
			continue;
		if (child_ended(&r->items[i].child, &r->usage, NULL)) {
			fd_close(&r->items[i].pidfd);
		} else if (now_ns >= r->items[i].until_ns) {
			kill(r->items[i].child.pid, SIGKILL);
			r->killed += !r->items[i].late;
			r->items[i].late = true;
			r->items[i].until_ns = now_ns + LOOK_NS;
		}
	}
}

void readers_usage(const struct readers *r, struct service_usage *sum)
{
	sum->cpu_ns += usage_ended_ns(&r->usage);
	for (uint32_t i = 0; i < WEB_MAX_READERS; i++) {
		if (r->items[i].child.pid <= 0)
			continue;
		sum->cpu_ns += usage_cpu_ns(r->items[i].child.pid);
		sum->memory_bytes += usage_memory_bytes(r->items[i].child.pid);
	}
}
