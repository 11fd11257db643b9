// SPDX-License-Identifier: Apache-2.0
/*
 * Sites are sorted by ELF address, which need not be the order of file offsets; asked for in parts, so that a reply has
 * room for chains; what it had no room for is in the next part. The first one takes what it takes to read the file; the
 * others find its index made.
 */
#include "profiler/agent/inlining.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/agent/entry.h"
#include "profiler/agent/line_frames.h"
#include "profiler/base/cleanup.h"

/* A reply of 16 MiB has 1 KiB for each. */
#define PART_ADDRESSES 16384u

struct asked {
	uint64_t vaddr;
	uint32_t location; /* of the window */
};

static int compare_asked(const void *a, const void *b)
{
	const struct asked *x = a, *y = b;

	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	return x->location < y->location ? -1 : x->location > y->location;
}

static const char *function_text(const struct profile *p, uint32_t function, bool system)
{
	const struct profile_function *f = &p->functions.items[function];

	return profile_text(p, system ? f->system_name : f->name);
}

/* The symbol's, outermost. */
static uint32_t site_function(const struct profile *p, const struct site *site)
{
	const struct profile_location *l;

	if (!site->located)
		return site->id;
	l = &p->locations.items[site->id];
	return p->lines.items[l->first_line + l->line_count - 1].function;
}

/* DWARF may know a function, and not what it is called. */
static int frame_enter(struct profile *p, const struct line_frame *f, const char *unnamed)
{
	return *f->name ? entry_function(p, f->name, f->system_name, f->file)
			: entry_function(p, unnamed, unnamed, f->file);
}

/* A location, or what it is now. */
static int site_set(struct profile *p, struct site *site, const struct profile_line *lines,
		    uint32_t count)
{
	int r;

	if (site->located)
		return profile_location_amend(p, site->id, site->named, lines, count);
	r = profile_location(p, site->mapping, site->address, site->named, lines, count);
	if (r < 0)
		return r;
	site_located(site, (uint32_t)r);
	return 0;
}

/* The site's location, made of its frames. */
static int site_locate(struct inlining *x, struct site *site, const struct line_frame *frames,
		       uint32_t count)
{
	struct profile *p = x->naming->profile;
	uint64_t before = budget_lines_taken(p), added;
	struct profile_line lines[LINE_FRAMES_MAX];
	uint32_t function = site_function(p, site);
	int r;

	for (uint32_t i = 0; i < count; i++) {
		const char *unnamed = i + 1 < count ? "[inlined]"
						    : function_text(p, function, false);

		r = frame_enter(p, &frames[i], unnamed);
		if (r < 0)
			return r;
		lines[i] = (struct profile_line){ .function = (uint32_t)r, .line = frames[i].line };
	}
	site->named |= *frames[count - 1].name != '\0';
	r = site_set(p, site, lines, count);
	if (r < 0)
		return r;
	added = budget_lines_taken(p) - before;
	x->left_bytes -= added < x->left_bytes ? added : x->left_bytes;
	return 0;
}

int inlining_apply(struct inlining *x, struct site *site, const struct lines_answers *a, uint32_t i)
{
	struct profile *p = x->naming->profile;
	struct line_frame frames[LINE_FRAMES_MAX];
	uint32_t count, function;

	if (!a->answers[i].count)
		return 0;
	if (entry_names_are_full(p) || !x->left_bytes) {
		counter_add(&p->counters, COUNTER_NAMES_DROPPED_MEMORY, 1);
		return 0;
	}
	function = site_function(p, site);
	count = line_frames(a, i, site->named ? function_text(p, function, false) : "",
			    site->named ? function_text(p, function, true) : "", frames,
			    LINE_FRAMES_MAX);
	return site_locate(x, site, frames, count);
}

/* How many were answered; 0: no more is to be had; or negative errno. */
static int part_ask(struct inlining *x, uint32_t space, const struct line_files *files,
		    const struct asked *asked, uint64_t *vaddrs, uint32_t count)
{
	const struct name_source *names = x->naming->names;
	struct lines_answers a;
	int r = 0;

	for (uint32_t i = 0; i < count; i++)
		vaddrs[i] = asked[i].vaddr;
	if (names->ask_lines(names->ctx, space, files, vaddrs, count, &a, NULL) < 0)
		return 0;
	if (a.reply->status != SYMBOLS_OK)
		return 0;
	for (uint32_t i = 0; i < count && r >= 0; i++)
		r = inlining_apply(x, &x->naming->sites.items.items[asked[i].location], &a, i);
	return r < 0 ? r : (int)lines_answered(&a);
}

/* Those that lines can be asked for, sorted. How many. */
static uint32_t asked_fill(const struct inlining *x, const struct run *run, struct asked *asked)
{
	const struct site *sites = x->naming->sites.items.items;
	uint32_t count = 0;

	for (uint32_t i = 0; i < run->count; i++)
		if (sites[run->locations[i]].in_segment && !sites[run->locations[i]].located)
			asked[count++] = (struct asked){ sites[run->locations[i]].address,
							 run->locations[i] };
	qsort(asked, count, sizeof(*asked), compare_asked);
	return count;
}

int inlining_run(struct inlining *x, const struct run *run, const struct line_files *files)
{
	_cleanup_(free_ptr) struct asked *asked = calloc(run->count, sizeof(*asked));
	_cleanup_(free_ptr) uint64_t *vaddrs = calloc(PART_ADDRESSES, sizeof(*vaddrs));
	uint32_t count;
	int r = 1;

	if (!asked || !vaddrs)
		return -ENOMEM; // NOLINT(clang-analyzer-unix.Malloc): freed by _cleanup_
	count = asked_fill(x, run, asked);
	for (uint32_t done = 0; done < count && r > 0; done += r > 0 ? (uint32_t)r : 0) {
		uint32_t part = count - done < PART_ADDRESSES ? count - done : PART_ADDRESSES;

		r = part_ask(x, run->space, files, asked + done, vaddrs, part);
	}
	return r < 0 ? r : 0;
}
