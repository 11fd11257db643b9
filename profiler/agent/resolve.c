// SPDX-License-Identifier: Apache-2.0
/*
 * When which files are named, and let go of. While samples come that is by symbol tables only; lines, which may take
 * seconds, come last, the files that most samples go through first.
 *
 * Which files are let go of, and when, follows from the records and the drains' times alone: a
 * replay must come to the same file numbers, by which names are recorded. What could be asked about them at the
 * end is the recording's to say.
 */
#include "profiler/agent/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "profiler/agent/heat.h"
#include "profiler/agent/held.h"
#include "profiler/agent/inlining.h"
#include "profiler/agent/naming.h"
#include "profiler/agent/transfer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

#define LET_GO_EVERY_NS NS_PER_S

struct resolver {
	struct pipeline *pipeline;
	const struct name_source *names;
	struct profile *profile;
	struct naming naming;
	struct inlining inlining;
	struct held held;
	uint32_t relieved; /* locations that there were at the last relief */
	uint64_t next_let_go_ns;
	ARRAY(bool) leaving; /* by file: nobody maps it */
	ARRAY(bool) left; /* by file: it was named before the end */
};

int resolver_new(struct resolver **ret, struct pipeline *pipeline, const struct name_source *names,
		 struct profile *profile)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r || profile_init(profile, budget_profile_bytes(pipeline->budget),
			       budget_profile_items(pipeline->budget)) < 0) {
		free(r);
		return -ENOMEM;
	}
	r->pipeline = pipeline;
	r->names = names;
	r->profile = profile;
	held_init(&r->held, pipeline->files, names->find_lines ? &pipeline->counters : NULL);
	naming_init(&r->naming, pipeline, names, profile);
	r->inlining = (struct inlining){ &r->naming, budget_lines_bytes(pipeline->budget) };
	*ret = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	naming_release(&r->naming);
	held_release(&r->held);
	array_release(&r->leaving);
	array_release(&r->left);
	free(r);
}

static const struct file *file_of(const struct resolver *r, uint32_t space)
{
	return file_table_get(r->pipeline->files, space - WINDOW_SPACE_FILES);
}

/* ---- before the end ---- */

static bool is_open(void *ctx, uint32_t space)
{
	const struct resolver *r = ctx;

	return space_is_file(space) && file_of(r, space)->state == FILE_PINNED &&
	       !file_of(r, space)->slow;
}

static bool file_is(const bool *list, uint32_t count, uint32_t file)
{
	return file < count && list[file];
}

static bool is_leaving(void *ctx, uint32_t space)
{
	const struct resolver *r = ctx;
	const struct jit *jit = r->pipeline->jit;
	uint32_t file;

	if (jit_is_code(space))
		file = jit_dump(jit, jit_owner(jit, space));
	else if (space_is_file(space))
		file = space - WINDOW_SPACE_FILES;
	else
		return false;
	return file_is(r->leaving.items, r->leaving.count, file);
}

/* Its descriptors, and those of its DWARF, for the end. */
static int hold(struct resolver *r, uint32_t space)
{
	struct held_file held = { .file = space - WINDOW_SPACE_FILES, .lines = LINE_FILES_NONE };
	_cleanup_(free_ptr) uint64_t *heat = NULL;
	int fd;

	if (r->names->recorded || !r->names->ask_late || naming_gave_up(&r->naming, space) ||
	    !is_open(r, space) || held_find(&r->held, held.file))
		return 0;
	if (file_table_borrow(r->pipeline->files, held.file, &fd) < 0 || fd < 0)
		return 0;
	if (!held_allows(&r->held, fd)) {
		held_refused(&r->held);
		return 0;
	}
	if (held_is_full(&r->held) &&
	    heat_find_files(&r->pipeline->window, file_table_count(r->pipeline->files), &heat) < 0)
		return -ENOMEM;
	held.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (held.fd < 0)
		return 0;
	if (r->names->find_lines)
		(void)r->names->find_lines(r->names->ctx, space, held.fd, &held.lines);
	held_add(&r->held, &held, heat);
	return 0;
}

static int list_set(struct resolver *r, uint32_t file)
{
	while (r->left.count <= file) {
		bool *slot = array_push(&r->left, UINT32_MAX);

		if (!slot)
			return -ENOMEM;
		*slot = false;
	}
	r->left.items[file] = true;
	return 0;
}

static int named_early(void *ctx, const struct run *run)
{
	struct resolver *r = ctx;
	uint32_t file = run->space - WINDOW_SPACE_FILES;
	int e;

	if (!space_is_file(run->space))
		return 0;
	e = list_set(r, file);
	if (e == 0)
		e = hold(r, run->space);
	file_table_unpin(r->pipeline->files, file);
	return e;
}

int resolver_relieve(struct resolver *r, uint32_t pins)
{
	const struct naming_wish wish = { r, is_open, named_early };
	uint32_t count = r->pipeline->window.locations.count;

	if (file_table_pinned(r->pipeline->files) < pins)
		return 0;
	/* Without a new one, no file that is pinned has anything to be named. */
	if (count == r->relieved)
		return 0;
	r->relieved = count;
	return naming_run(&r->naming, &wish);
}

/* How many files nobody has mapped lately, which are then marked; or -ENOMEM. */
static int leaving_find(struct resolver *r, uint64_t now_ns)
{
	struct file_table *files = r->pipeline->files;
	uint32_t file;
	int found = 0;

	r->leaving.count = 0;
	while ((file = file_table_stale(files, now_ns)) != UINT32_MAX) {
		while (r->leaving.count <= file) {
			bool *slot = array_push(&r->leaving, UINT32_MAX);

			if (!slot)
				return -ENOMEM;
			*slot = false;
		}
		r->leaving.items[file] = true;
		found++;
	}
	return found;
}

int resolver_let_go(struct resolver *r, uint64_t now_ns)
{
	const struct naming_wish wish = { r, is_leaving, named_early };
	struct file_table *files = r->pipeline->files;
	int e;

	if (now_ns == UINT64_MAX || now_ns < r->next_let_go_ns)
		return 0;
	r->next_let_go_ns = now_ns + LET_GO_EVERY_NS;
	process_table_mark_files(r->pipeline->processes, now_ns);
	e = leaving_find(r, now_ns);
	held_review(&r->held);
	if (e > 0)
		e = naming_run(&r->naming, &wish);
	/* Those that are left had nothing to be named. */
	for (uint32_t i = 0; i < r->leaving.count && e >= 0; i++)
		if (r->leaving.items[i])
			file_table_drop(files, i);
	return e < 0 ? e : 0;
}

/* ---- at the end ---- */

static bool is_any(void *ctx, uint32_t space)
{
	(void)ctx;
	(void)space;
	return true;
}

static bool wants_lines(void *ctx, uint32_t location)
{
	const struct resolver *r = ctx;
	const struct site *s = &r->naming.sites.items.items[location];

	return s->in_segment && !s->located &&
	       !file_of(r, r->pipeline->window.locations.items[location].space)->slow;
}

static bool wants_late_name(void *ctx, uint32_t location)
{
	const struct resolver *r = ctx;
	uint32_t space = r->pipeline->window.locations.items[location].space;

	return naming_lacks(&r->naming, location) &&
	       file_is(r->left.items, r->left.count, space - WINDOW_SPACE_FILES);
}

/* A descriptor of a file that can still be read: the table's, or one that was held; or -1. */
static int descriptor_of(struct resolver *r, uint32_t space)
{
	uint32_t file = space - WINDOW_SPACE_FILES;
	const struct held_file *held = held_find(&r->held, file);
	int fd;

	if (held)
		return held->fd;
	if (file_of(r, space)->state != FILE_PINNED ||
	    file_table_borrow(r->pipeline->files, file, &fd) < 0)
		return -1;
	return fd;
}

/* Those that were asked about long ago: what has turned up since? */
static int name_late(struct resolver *r)
{
	_cleanup_(runs_release) struct runs runs = { 0 };
	struct run run;
	int e;

	if (!r->names->ask_late)
		return 0;
	e = runs_find(&runs, r->pipeline, wants_late_name, r);
	if (e >= 0)
		e = runs_by_heat(&runs);
	while (e >= 0 && runs_next(&runs, &run)) {
		int fd = r->names->recorded ? -1 : descriptor_of(r, run.space);

		if (r->names->recorded || fd >= 0)
			e = naming_again(&r->naming, &run, fd);
	}
	return e;
}

/* The files that have a run's lines are those held, or looked for now. */
static int lines_of_run(struct resolver *r, const struct run *run)
{
	const struct line_files none = LINE_FILES_NONE;
	struct line_files found = LINE_FILES_NONE;
	const struct held_file *held = held_find(&r->held, run->space - WINDOW_SPACE_FILES);
	int fd, e;

	if (r->names->recorded)
		return inlining_run(&r->inlining, run, &none);
	if (held && held->lines.dwarf >= 0)
		return inlining_run(&r->inlining, run, &held->lines);
	fd = descriptor_of(r, run->space);
	if (fd < 0)
		return 0;
	if (r->names->find_lines)
		(void)r->names->find_lines(r->names->ctx, run->space, fd, &found);
	e = inlining_run(&r->inlining, run, &found);
	line_files_close(&found);
	return e;
}

/* A slow file's copy is there now, and gone with the next one's: its lines are not left for later. */
static int named_last(void *ctx, const struct run *run)
{
	struct resolver *r = ctx;

	if (!space_is_file(run->space))
		return 0;
	if (r->names->ask_lines && file_of(r, run->space)->slow &&
	    file_of(r, run->space)->state == FILE_PINNED && !naming_gave_up(&r->naming, run->space))
		return lines_of_run(r, run);
	return 0;
}

static int find_lines(struct resolver *r)
{
	_cleanup_(runs_release) struct runs runs = { 0 };
	struct run run;
	int e;

	if (!r->names->ask_lines)
		return 0;
	e = runs_find(&runs, r->pipeline, wants_lines, r);
	if (e >= 0)
		e = runs_by_heat(&runs);
	while (e >= 0 && runs_next(&runs, &run))
		e = lines_of_run(r, &run);
	return e;
}

int resolver_finish(struct resolver *r, const struct profile_facts *facts)
{
	const struct naming_wish wish = { r, is_any, named_last };
	const struct window *w = &r->pipeline->window;
	int e;

	r->profile->facts = *facts;
	if (!facts->period)
		r->profile->facts.period = transfer_mean_period(w);
	e = naming_run(&r->naming, &wish);
	if (e >= 0)
		e = name_late(r);
	if (e >= 0)
		e = find_lines(r);
	if (e >= 0)
		e = sites_locate(&r->naming.sites, r->profile);
	if (e >= 0)
		e = transfer(w, &r->naming.sites, r->pipeline->cgroups, r->profile);
	if (e < 0)
		return e;
	counter_add(&r->pipeline->counters, COUNTER_NAMES_DROPPED_MEMORY,
		    counter_get(&r->profile->counters, COUNTER_NAMES_DROPPED_MEMORY));
	r->profile->counters = r->pipeline->counters;
	return 0;
}
