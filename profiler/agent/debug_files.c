// SPDX-License-Identifier: Apache-2.0
/*
 * One search: what does the file say, then candidate after candidate until one belongs. Each is opened by the
 * fetcher and read by the symbolizer; here are two numbers of each, and the decision.
 *
 * Refused: opening all that a root has. Who fills his folders with files of our build id has us try four.
 */
#include "profiler/agent/debug_files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/array.h"
#include "profiler/base/cleanup.h"

#define MAX_TRIES 4

struct debug_files {
	struct outside *outside;
	struct symbols_client *client;
	struct counters *counters;
	uint32_t searches;
	ARRAY(bool) none; /* by file: it has no debug file that we could find */
};

struct search {
	const struct debug_place *place;
	enum debug_question question;
	int fd; /* whose debug file is wanted */
	uint32_t useful; /* DEBUG_REPLY_… of which it must have one */
};

int debug_files_new(struct debug_files **ret, struct outside *outside,
		    struct symbols_client *client, struct counters *counters)
{
	struct debug_files *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->outside = outside;
	d->client = client;
	d->counters = counters;
	*ret = d;
	return 0;
}

void debug_files_free(struct debug_files *d)
{
	if (!d)
		return;
	array_release(&d->none);
	free(d);
}

/* Whoever could replace the binary may say what is in it. A copy in memory is ours, and tells of nobody. */
static bool may_speak_for(int fd, uint32_t uid)
{
	struct stat st;

	/* Not fstat(), of which libraries make a call with an empty path: a filter can't look at one. */
	return uid == 0 || (syscall(SYS_fstat, fd, &st) == 0 && st.st_uid == uid && st.st_nlink);
}

/* Does it belong, and is there anything in it? 1, 0 or negative errno. */
static int candidate_check(struct debug_files *d, const struct search *s, int candidate,
			   uint32_t uid)
{
	struct debug_reply reply;
	int r;

	if (!may_speak_for(s->fd, uid))
		return 0;
	r = symbols_client_debug(d->client, s->question, (const int[]){ s->fd, candidate }, 2,
				 &reply, NULL);
	if (r < 0)
		return r;
	return reply.status == SYMBOLS_OK && reply.flags & DEBUG_REPLY_BELONGS &&
	       reply.flags & s->useful;
}

static int search(struct debug_files *d, const struct search *s, int *ret_fd)
{
	uint32_t first = 0;
	int error = -ENOENT;

	for (int i = 0; i < MAX_TRIES; i++) {
		_cleanup_(fd_close) int fd = -1;
		uint32_t uid;
		int r = outside_debug(d->outside, s->place, first, &fd, &uid), good;

		if (r < 0)
			return r == -ENOENT ? error : r;
		good = candidate_check(d, s, fd, uid);
		if (good > 0) {
			*ret_fd = take_fd(&fd);
			return 0;
		}
		error = good < 0 ? good : -ESTALE;
		first = (uint32_t)r + 1;
	}
	return error;
}

static void failure_count(struct debug_files *d, int error)
{
	enum counter id = COUNTER_DEBUG_FILES_UNREAD;

	if (error == -ENOENT || error == -ENOTDIR)
		id = COUNTER_DEBUG_FILES_MISSING;
	else if (error == -ESTALE || error == -ENOEXEC || error == -EINVAL || error == -ELOOP)
		id = COUNTER_DEBUG_FILES_REFUSED;
	counter_add(d->counters, id, 1);
}

static bool is_known_none(const struct debug_files *d, uint32_t file)
{
	return file < d->none.count && d->none.items[file];
}

/* Without memory it is looked for again. */
static void remember_none(struct debug_files *d, uint32_t file)
{
	while (d->none.count <= file) {
		bool *slot = array_push(&d->none, UINT32_MAX);

		if (!slot)
			return;
		*slot = false;
	}
	d->none.items[file] = true;
}

static struct debug_place place_of(const struct file_place *place, const struct debug_reply *said)
{
	return (struct debug_place){
		.pid = place->pid,
		.parent_pid = place->parent_pid,
		.path = place->path,
		.build_id = said->build_id,
		.build_id_bytes = said->build_id_bytes,
		.name = said->link,
	};
}

static int find(struct debug_files *d, const struct file_place *place, int fd, int *ret_fd)
{
	struct debug_reply said;
	struct debug_place wanted;
	const struct search s = { &wanted, DEBUG_OF_SEPARATE, fd,
				  DEBUG_REPLY_SYMTAB | DEBUG_REPLY_DWARF };
	int r = symbols_client_debug(d->client, DEBUG_OF_FILE, &fd, 1, &said, NULL);

	if (r < 0 || said.status != SYMBOLS_OK || *place->path != '/')
		return r < 0 ? r : -ENOEXEC;
	if (said.flags & DEBUG_REPLY_SYMTAB && !*said.link)
		return -ENODATA;
	if (!said.build_id_bytes && !*said.link)
		return said.flags & DEBUG_REPLY_BAD_LINK ? -EINVAL : -ENODATA;
	wanted = place_of(place, &said);
	return search(d, &s, ret_fd);
}

int debug_files_find(struct debug_files *d, uint32_t file, const struct file_place *place, int fd,
		     int *ret_fd)
{
	int r;

	if (is_known_none(d, file))
		return -ENOENT;
	if (d->searches == DEBUG_FILES_MAX_SEARCHES) {
		counter_add(d->counters, COUNTER_DEBUG_FILES_UNASKED, 1);
		r = -E2BIG;
	} else {
		d->searches++;
		r = find(d, place, fd, ret_fd);
		/* That it names none is no loss of ours. */
		if (r < 0 && r != -ENODATA)
			failure_count(d, r);
	}
	if (r < 0)
		remember_none(d, file);
	return r;
}

int debug_files_find_alternate(struct debug_files *d, const struct file_place *place, int fd,
			       int *ret_fd)
{
	struct debug_reply said;
	struct debug_place wanted;
	const struct search s = { &wanted, DEBUG_OF_ALTERNATE, fd, DEBUG_REPLY_DWARF };
	int r = symbols_client_debug(d->client, DEBUG_OF_FILE, &fd, 1, &said, NULL);

	if (r < 0 || said.status != SYMBOLS_OK || *place->path != '/')
		return r < 0 ? r : -ENOEXEC;
	if (!said.alternate_id_bytes)
		return -ENOENT;
	wanted = place_of(place, &said);
	wanted.build_id = said.alternate_id;
	wanted.build_id_bytes = said.alternate_id_bytes;
	wanted.name = said.alternate;
	wanted.alternate = true;
	r = search(d, &s, ret_fd);
	if (r < 0)
		failure_count(d, r);
	return r;
}
