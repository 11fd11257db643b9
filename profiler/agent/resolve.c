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

#include "profiler/agent/background_lines.h"
#include "profiler/agent/heat.h"
#include "profiler/agent/held.h"
#include "profiler/agent/inlining.h"
#include "profiler/agent/naming.h"
#include "profiler/agent/transfer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

#define LET_GO_EVERY_NS NS_PER_S
#define NO_FILE UINT32_MAX
#define LATE_RUNS 4 /* asked about in one resolver_late() */

struct resolver {
	struct pipeline *pipeline;
	const struct name_source *names;
	struct profile *profile;
	struct naming naming;
	struct inlining inlining;
	struct held held;
	struct background_lines *lines; /* borrowed; NULL: they are read at the end */
	struct transfer transfer;
	uint32_t relieved; /* locations that there were at the last relief */
	uint64_t next_let_go_ns;
	ARRAY(bool) leaving; /* by file: nobody maps it */
	ARRAY(bool) left; /* by file: it was named before the end */
	uint32_t slow_turn; /* the slow file that this cut may read; or NO_FILE */
	uint32_t late_space; /* up to which it was asked again about what has no name */
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
	transfer_release(&r->transfer);
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
	bool briefly;
	int fd;

	if (r->names->recorded || !r->names->ask_late || naming_gave_up(&r->naming, space) ||
	    !is_open(r, space) || held_find(&r->held, held.file))
		return 0;
	if (file_table_borrow(r->pipeline->files, held.file, &fd) < 0 || fd < 0)
		return 0;
	briefly = !held_allows(&r->held, fd);
	if (briefly && !r->lines) {
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
	if (briefly)
		held.until_ns = clock_ns(CLOCK_MONOTONIC) + HELD_BRIEFLY_NS;
	held_add(&r->held, &held, heat);
	if (briefly)
		background_lines_hurry(r->lines, held.file);
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

	if (r->lines && now_ns != UINT64_MAX)
		background_lines_poll(r->lines, now_ns);
	if (now_ns == UINT64_MAX || now_ns < r->next_let_go_ns)
		return 0;
	r->next_let_go_ns = now_ns + LET_GO_EVERY_NS;
	process_table_mark_files(r->pipeline->processes, now_ns);
	e = leaving_find(r, now_ns);
	held_review(&r->held, now_ns);
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
	e = runs_find(&runs, r->pipeline, 0, wants_late_name, r);
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
	e = runs_find(&runs, r->pipeline, 0, wants_lines, r);
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
		e = transfer(&r->transfer, w, &r->naming.sites, r->pipeline->cgroups, r->profile);
	if (e < 0)
		return e;
	counter_add(&r->pipeline->counters, COUNTER_NAMES_DROPPED_MEMORY,
		    counter_get(&r->profile->counters, COUNTER_NAMES_DROPPED_MEMORY));
	r->profile->counters = r->pipeline->counters;
	return 0;
}

/* ---- a job that goes on ---- */

/* Waiting for a slow file takes as long as rings last: one at a time. */
static bool is_wanted_now(void *ctx, uint32_t space)
{
	struct resolver *r = ctx;
	uint32_t file = space - WINDOW_SPACE_FILES;

	if (!space_is_file(space) || !file_of(r, space)->slow ||
	    file_of(r, space)->state != FILE_PINNED)
		return true;
	if (r->slow_turn == NO_FILE)
		r->slow_turn = file;
	return r->slow_turn == file;
}

static int named_now(void *ctx, const struct run *run)
{
	(void)ctx;
	(void)run;
	return 0;
}

int resolver_cut(struct resolver *r, const struct profile_facts *facts)
{
	const struct naming_wish wish = { r, is_wanted_now, named_now };
	const struct window *w = &r->pipeline->window;
	int e;

	profile_clear_samples(r->profile);
	r->profile->facts = *facts;
	if (!facts->period)
		r->profile->facts.period = transfer_mean_period(w);
	r->slow_turn = NO_FILE;
	r->naming.in_order = true;
	e = naming_run(&r->naming, &wish);
	if (e >= 0)
		e = naming_stand_in(&r->naming);
	if (e >= 0)
		e = sites_locate(&r->naming.sites, r->profile);
	if (e >= 0 && r->naming.moved)
		transfer_again(&r->transfer);
	if (e >= 0)
		e = transfer(&r->transfer, w, &r->naming.sites, r->pipeline->cgroups, r->profile);
	if (e < 0)
		return e;
	r->naming.moved = false;
	if (r->lines)
		background_lines_want(r->lines);
	/* All have their names: what is sampled in them from now on, and is new, opens them again. */
	file_table_relax(r->pipeline->files, RESOLVER_PINS / 2);
	return 0;
}

const struct columns_moment *resolver_moments(const struct resolver *r, uint32_t *ret_count)
{
	*ret_count = r->transfer.moments.count;
	return r->transfer.moments.items;
}

/* Its file was read and had no name for it, and is there to be asked again. */
static bool may_have_turned_up(void *ctx, uint32_t location)
{
	const struct resolver *r = ctx;
	const struct site *s = &r->naming.sites.items.items[location];
	uint32_t space = r->pipeline->window.locations.items[location].space;

	return s->known && s->in_segment && !s->named && space > r->late_space &&
	       !naming_gave_up(&r->naming, space) && is_open((void *)ctx, space);
}

/* It was made at run time, by a process that says of its code what it didn't say then. */
static void code_name_again(struct resolver *r)
{
	const struct window *w = &r->pipeline->window;
	struct sites *s = &r->naming.sites;

	for (uint32_t i = 0; i < s->items.count; i++) {
		uint32_t space = w->locations.items[i].space;

		if (!jit_is_code(space) || s->items.items[i].named || !s->items.items[i].known ||
		    !jit_has_names(r->pipeline->jit, jit_owner(r->pipeline->jit, space)))
			continue;
		s->items.items[i].known = 0;
		if (i < s->known_below)
			s->known_below = i;
	}
}

int resolver_late(struct resolver *r)
{
	_cleanup_(runs_release) struct runs runs = { 0 };
	struct run run;
	uint32_t asked = 0;
	int e = 0, fd;

	code_name_again(r);
	if (r->names->ask_late)
		e = runs_find(&runs, r->pipeline, 0, may_have_turned_up, r);
	while (e >= 0 && asked < LATE_RUNS && runs_next(&runs, &run)) {
		asked++;
		r->late_space = run.space;
		fd = descriptor_of(r, run.space);
		if (fd >= 0)
			e = naming_again(&r->naming, &run, fd);
	}
	if (asked < LATE_RUNS)
		r->late_space = 0;
	return e;
}

/* Nine tenths. */
static bool is_nearly(uint64_t used, uint64_t limit)
{
	return used >= limit / 10 * 9;
}

bool resolver_is_full(const struct resolver *r)
{
	const struct window *w = &r->pipeline->window;
	const struct profile *p = r->profile;

	/* Names of functions are left out from seven eighths on (agent/entry.h). */
	return is_nearly(w->used_bytes, w->limits.bytes) ||
	       p->arena.used_bytes >= p->arena.max_bytes / 4 * 3 ||
	       is_nearly(p->nodes.count, p->max_items) ||
	       is_nearly(p->labels.count, p->max_items) ||
	       is_nearly(p->lines.count, p->max_items) || is_nearly(p->strings.count, p->max_items);
}

int resolver_turn(struct resolver *r, uint64_t start_ns, struct profile *ret)
{
	struct profile fresh;
	int e = profile_init(&fresh, budget_profile_bytes(r->pipeline->budget),
			     budget_profile_items(r->pipeline->budget));

	if (e < 0)
		return e;
	e = pipeline_turn(r->pipeline, start_ns);
	if (e < 0) {
		profile_release(&fresh);
		return e;
	}
	*ret = *r->profile;
	*r->profile = fresh;
	naming_turn(&r->naming);
	transfer_release(&r->transfer);
	held_release(&r->held);
	if (r->lines)
		background_lines_epoch(r->lines);
	r->relieved = r->late_space = 0;
	return 0;
}

void resolver_read_lines(struct resolver *r, struct background_lines *b)
{
	r->lines = b;
}

struct naming *resolver_naming(struct resolver *r)
{
	return &r->naming;
}

struct held *resolver_held(struct resolver *r)
{
	return &r->held;
}
