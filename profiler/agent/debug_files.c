// SPDX-License-Identifier: Apache-2.0
/*
 * One search: what does the file say, then candidate after candidate until one belongs. Each is opened by the
 * fetcher and read by the symbolizer; here are two numbers of each, and the decision.
 *
 * A process's root that fails, or is full of files that don't belong, does not take from anybody what ours has: a library
 * may be seen through any process that maps it, and so through one that means harm. What all searches may take together is
 * bounded: comparing a file of 256 MiB takes 0.3 s.
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
#include "profiler/base/clock.h"

/* A search of a file that is there takes some ms. */
#define MAX_SEARCHING_NS (10 * NS_PER_S)

struct debug_files {
	struct outside *outside;
	struct symbols_client *client;
	struct counters *counters;
	uint32_t searches;
	uint64_t searching_ns; /* that they took */
	ARRAY(struct finding) findings; /* by file */
};

/* How the last search for a file's debug file failed. */
struct finding {
	int error; /* 0: nobody has searched, or it should be done again */
	int counted; /* enum counter; COUNTER_NONE */
};

#define COUNTER_NONE (-1)

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
	array_release(&d->findings);
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

/* In the roots that `place` tells. */
static int search_place(struct debug_files *d, const struct search *s,
			const struct debug_place *place, int *ret_fd)
{
	int error = -ENOENT;

	for (uint32_t first = 0; first < DEBUG_FILE_CANDIDATES;) {
		_cleanup_(fd_close) int fd = -1;
		uint32_t uid;
		int r = outside_debug(d->outside, place, first, &fd, &uid), good;

		if (r < 0)
			return r == -ENOENT ? error : r;
		good = candidate_check(d, s, fd, uid);
		if (good > 0) {
			*ret_fd = take_fd(&fd);
			return 0;
		}
		error = good < 0 ? good : -ESTALE;
		first = (uint32_t)r < first ? DEBUG_FILE_CANDIDATES : (uint32_t)r + 1;
	}
	return error;
}

static int search(struct debug_files *d, const struct search *s, int *ret_fd)
{
	struct debug_place ours = *s->place;
	int r = search_place(d, s, s->place, ret_fd);

	if ((r != -ETIMEDOUT && r != -EPIPE && r != -EPROTO) || !ours.pid)
		return r;
	ours.pid = ours.parent_pid = 0;
	return search_place(d, s, &ours, ret_fd) == 0 ? 0 : r;
}

static enum counter counter_of(int error)
{
	if (error == -ENOENT || error == -ENOTDIR)
		return COUNTER_DEBUG_FILES_MISSING;
	if (error == -ESTALE || error == -ENOEXEC || error == -EINVAL || error == -ELOOP)
		return COUNTER_DEBUG_FILES_REFUSED;
	return error == -E2BIG ? COUNTER_DEBUG_FILES_UNASKED : COUNTER_DEBUG_FILES_UNREAD;
}

/* NULL: there is no memory for one. */
static struct finding *finding_of(struct debug_files *d, uint32_t file)
{
	while (d->findings.count <= file) {
		struct finding *slot = array_push(&d->findings, UINT32_MAX);

		if (!slot)
			return NULL;
		*slot = (struct finding){ .counted = COUNTER_NONE };
	}
	return &d->findings.items[file];
}

/* A file is in one counter at most: that of its last search that failed. */
static void finding_count(struct debug_files *d, struct finding *f, int counted)
{
	if (f->counted != COUNTER_NONE)
		d->counters->value[f->counted]--;
	if (counted != COUNTER_NONE)
		counter_add(d->counters, (enum counter)counted, 1);
	f->counted = counted;
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

/* Within the limits of searches. */
static int find_measured(struct debug_files *d, const struct file_place *place, int fd, int *ret_fd)
{
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	int r;

	if (d->searches == DEBUG_FILES_MAX_SEARCHES || d->searching_ns > MAX_SEARCHING_NS)
		return -E2BIG;
	d->searches++;
	r = find(d, place, fd, ret_fd);
	d->searching_ns += clock_ns(CLOCK_MONOTONIC) - begin_ns;
	return r;
}

/* `lines`: that there is none is no loss of names. */
static int find_once(struct debug_files *d, uint32_t file, const struct file_place *place, int fd,
		     bool lines, int *ret_fd)
{
	struct finding unknown = { .counted = COUNTER_NONE }, *f = finding_of(d, file);
	bool known;
	int r;

	if (!f)
		f = &unknown;
	known = f->error < 0;
	r = known ? f->error : find_measured(d, place, fd, ret_fd);
	f->error = r < 0 ? r : 0;
	/* That it names none is no loss of ours. */
	if (r == 0)
		finding_count(d, f, COUNTER_NONE);
	else if (r != -ENODATA && !(lines && counter_of(r) == COUNTER_DEBUG_FILES_MISSING))
		finding_count(d, f, (int)counter_of(r));
	return known ? -ENOENT : r;
}

int debug_files_find(struct debug_files *d, uint32_t file, const struct file_place *place, int fd,
		     int *ret_fd)
{
	return find_once(d, file, place, fd, false, ret_fd);
}

int debug_files_find_lines(struct debug_files *d, uint32_t file, const struct file_place *place,
			   int fd, int *ret_fd)
{
	return find_once(d, file, place, fd, true, ret_fd);
}

void debug_files_forget(struct debug_files *d)
{
	for (uint32_t i = 0; i < d->findings.count; i++)
		d->findings.items[i].error = 0;
}

void debug_files_forget_file(struct debug_files *d, uint32_t file)
{
	if (file < d->findings.count)
		d->findings.items[file].error = 0;
}

void debug_files_turn(struct debug_files *d)
{
	array_release(&d->findings);
	d->searches = 0;
	d->searching_ns = 0;
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
		counter_add(d->counters, counter_of(r), 1);
	return r;
}
