// SPDX-License-Identifier: Apache-2.0
/*
 * Lines of files, of the symbolizer: the one place that asks it for them. All are read when the capture has ended, and all
 * together have a few seconds: a profile is waited for. A file that takes longer than its share costs the symbolizer, which is
 * started again for the next one.
 *
 * Refused: to give a hot file all the time there is. One that can't be read in 2 s is mostly one that can't be in 5.
 */
#include <errno.h>
#include <fcntl.h>

#include "profiler/agent/names.h"
#include "profiler/aggregate/window.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

#define FILE_NS (2 * NS_PER_S)
#define ALL_FILES_NS (5 * NS_PER_S)
/* With less there is no use in asking. */
#define LEAST_NS (10 * NS_PER_MS)

uint64_t live_lines_left_ns(struct live_names *n)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	if (n->hurry && n->hurry->came(n->hurry->ctx))
		return 0;
	if (!n->lines_until_ns)
		n->lines_until_ns = now_ns + ALL_FILES_NS;
	return n->lines_until_ns > now_ns + LEAST_NS ? n->lines_until_ns - now_ns : 0;
}

int live_lines_find(struct live_names *n, uint32_t space, int fd, struct line_files *ret)
{
	uint32_t file = space - WINDOW_SPACE_FILES;
	struct line_files found = LINE_FILES_NONE;
	struct debug_reply said;
	struct file_place place;
	int r;

	/* While samples come, that time has not begun. */
	if (n->lines_until_ns && !live_lines_left_ns(n))
		return -ETIME;
	place = file_table_place(n->files, file);
	r = symbols_client_debug(n->client, DEBUG_OF_FILE, &fd, 1, &said, NULL);
	if (r < 0)
		return r;
	if (said.status == SYMBOLS_OK && said.flags & DEBUG_REPLY_DWARF) {
		found.dwarf = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		r = found.dwarf < 0 ? -errno : 0;
	} else {
		r = n->debug ? debug_files_find_lines(n->debug, file, &place, fd, &found.dwarf)
			     : -ENOENT;
	}
	if (r < 0)
		return r;
	/* What is only in the alternate file is then missing; the reply says so. */
	if (n->debug)
		(void)debug_files_find_alternate(n->debug, &place, found.dwarf, &found.alternate);
	*ret = found;
	return 0;
}

/* What a file lacks each of its parts says. */
void live_lines_count(struct counters *counters, uint32_t *bad, uint32_t space, int r,
		      const struct lines_answers *a)
{
	const uint32_t lacking = LINES_DAMAGED | LINES_NO_ALTERNATE | LINES_SPLIT;

	if (r == -ETIMEDOUT)
		counter_add(counters, COUNTER_LINES_LATE, 1);
	else if (r == -ECANCELED)
		counter_add(counters, COUNTER_LINES_UNASKED, 1);
	else if (r < 0 || (a->reply->status != SYMBOLS_OK && a->reply->status != SYMBOLS_NO_TABLE))
		counter_add(counters, COUNTER_LINES_UNREAD, 1);
	else if (a->reply->status == SYMBOLS_NO_TABLE)
		counter_add(counters, COUNTER_LINES_NONE, 1);
	else if (a->reply->flags & lacking || a->reply->units_damaged ||
		 (a->reply->answer_count && !lines_answered(a))) {
		counter_add(counters, COUNTER_LINES_BAD, *bad != space);
		*bad = space;
	}
}

int live_lines_ask(struct live_names *n, uint32_t space, const struct line_files *files,
		   const uint64_t *vaddrs, uint32_t count, struct lines_answers *ret,
		   struct err *err)
{
	const int fds[] = { files->dwarf, files->alternate };
	uint64_t left_ns = live_lines_left_ns(n);
	int r;

	/* First: without time nobody has looked where they are. */
	if (!left_ns) {
		counter_add(n->counters, COUNTER_LINES_UNASKED, 1);
		return err_set(err, -ETIME, "the time for lines is spent");
	}
	if (files->dwarf < 0) {
		counter_add(n->counters, COUNTER_LINES_NONE, 1);
		return err_set(err, -ENOENT, "the file has no lines");
	}
	r = symbols_client_lines(n->client, fds, files->alternate < 0 ? 1 : 2, vaddrs, count,
				 left_ns < FILE_NS ? left_ns : FILE_NS, ret, err);
	live_lines_count(n->counters, &n->lines_bad, space, r, ret);
	if (r == 0 && n->told)
		n->told(n->told_ctx, NAMES_LINES, space, ret->reply, lines_bytes(ret));
	return r;
}
