// SPDX-License-Identifier: Apache-2.0
/*
 * Asked by name before each request, as the supervisor answers in less time than it takes to look up some hundred addresses. What the
 * symbolizer wrote is handed on unseen: it is as good as its answers are.
 *
 * Refused: a hash as the name, which two files could share if somebody wanted them to; names by build id, which is
 * whatever a file's author wrote.
 */
#include "profiler/agent/line_index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "symbolizer/lines.h"
#include "symbolizer/protocol.h"
#include "version.h"

/* Some file systems' times have steps of 10 ms. */
#define SETTLED_NS NS_PER_S

_Static_assert(LINES_MAX_KEPT_BYTES <= CACHE_MAX_ENTRY_BYTES, "what is written can be kept");
_Static_assert(SOCKET_MAX_FDS >= 4, "two files, an index and room");

void line_index_init(struct line_index *x, int service, struct counters *counters)
{
	*x = (struct line_index){ .service = service, .counters = counters, .fd = -1, .room = -1 };
}

void line_index_release(struct line_index *x)
{
	fd_close(&x->fd);
	fd_close(&x->room);
}

/* ---- names ---- */

/* The changes of the last second aside, a file in this state is this one, with these bytes. */
static bool is_settled(const struct stat *st)
{
	uint64_t now_ns = clock_ns(CLOCK_REALTIME);
	uint64_t changed_ns =
		(uint64_t)st->st_ctim.tv_sec * NS_PER_S + (uint64_t)st->st_ctim.tv_nsec;

	return S_ISREG(st->st_mode) && st->st_nlink && changed_ns < now_ns &&
	       now_ns - changed_ns >= SETTLED_NS;
}

/* "" unless there is one. */
static void name_make(const int *files, uint32_t count, char *ret, size_t size)
{
	int len = snprintf(ret, size, "%s-%u", SLOWBURN_VERSION, LINES_VERSION);

	for (uint32_t i = 0; i < count; i++) {
		size_t at = len < 0 ? size : (size_t)len;
		struct stat st;

		if (at >= size || fstat(files[i], &st) < 0 || !is_settled(&st))
			goto none;
		len += snprintf(ret + at, size - at,
				"-%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%lx",
				(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
				(uint64_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	}
	if (len >= 0 && (size_t)len < size)
		return;
none:
	ret[0] = '\0';
}

/* ---- the cache ---- */

__attribute__((format(printf, 2, 3))) static void tell(struct line_index *x, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(x->result, sizeof(x->result), fmt, args);
	va_end(args);
}

/* Errors that are about an entry, not about the cache. */
static bool goes_on(int r)
{
	return r == 0 || r == -ENOENT || r == -EFBIG || r == -EINVAL || r == -EAGAIN;
}

/* After what it said last: one that isn't there, or takes its time, is asked nothing more. */
static void give_up_unless(struct line_index *x, int r)
{
	if (goes_on(r))
		return;
	x->service = -1;
	if (!*x->word.text)
		snprintf(x->word.text, sizeof(x->word.text), "the cache has failed: %s",
			 strerror(-r));
}

uint32_t line_index_begin(struct line_index *x, const int *files, uint32_t file_count,
			  int ret_fds[static SOCKET_MAX_FDS], uint32_t *ret_count)
{
	uint32_t with = file_count > 1 ? LINES_WITH_ALTERNATE : 0;

	x->result[0] = x->name[0] = '\0';
	*ret_count = file_count;
	memcpy(ret_fds, files, file_count * sizeof(*files));
	if (x->service < 0)
		return with;
	name_make(files, file_count, x->name, sizeof(x->name));
	if (!*x->name)
		return with;
	give_up_unless(x, service_cache_find(x->service, x->name, &x->fd, &x->word));
	if (x->fd >= 0) {
		ret_fds[(*ret_count)++] = x->fd;
		with |= LINES_WITH_INDEX;
	}
	x->room = x->service < 0 ? -1 : memfd_create("index", MFD_CLOEXEC);
	if (x->room >= 0) {
		ret_fds[(*ret_count)++] = x->room;
		with |= LINES_WITH_ROOM;
	}
	return with;
}

/* It was made: is it kept, and if not, why? */
static void keep(struct line_index *x, const int *files, uint32_t file_count, bool written)
{
	char name[sizeof(x->name)];
	int r;

	if (x->service < 0) {
		tell(x, "made%s%s", *x->word.text ? ", and not kept: " : "", x->word.text);
		return;
	}
	name_make(files, file_count, name, sizeof(name));
	if (!*x->name || strcmp(name, x->name) != 0) {
		tell(x, "made, and not kept: the file has just changed, or has no name");
		return;
	}
	r = written ? service_cache_keep(x->service, x->name, x->room, &x->word) : -EFBIG;
	if (r < 0) {
		counter_add(x->counters, COUNTER_LINE_INDEXES_UNKEPT, 1);
		tell(x, "made, and not kept in %s: %s", x->word.text, strerror(-r));
		give_up_unless(x, r);
		return;
	}
	tell(x, "made, and kept in %s", x->word.text);
}

static void bad_remove(struct line_index *x)
{
	counter_add(x->counters, COUNTER_LINE_INDEXES_BAD, 1);
	if (x->service >= 0)
		(void)service_cache_drop(x->service, x->name);
}

void line_index_end(struct line_index *x, const int *files, uint32_t file_count, uint32_t flags,
		    bool failed)
{
	if (x->fd >= 0 && (failed || flags & LINES_INDEX_BAD))
		bad_remove(x);
	if (flags & LINES_INDEX_MADE) {
		counter_add(x->counters, COUNTER_LINE_INDEXES_MADE, 1);
		keep(x, files, file_count, flags & LINES_INDEX_WRITTEN);
	} else if (flags & LINES_INDEX_USED) {
		counter_add(x->counters, COUNTER_LINE_INDEXES_USED, 1);
		tell(x, "used, from %s", x->word.text);
	}
	fd_close(&x->fd);
	fd_close(&x->room);
}
