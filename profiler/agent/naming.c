// SPDX-License-Identifier: Apache-2.0
/*
 * A run is split into requests, a reply entered in the profile, its answers noted by site. What events of BPF programs
 * tell comes first: nobody need be asked about it.
 *
 * Refused: naming while sampling, but for a job that goes on. It costs CPU time when it is scarce, and a short capture
 * would name nothing twice.
 */
#include "profiler/agent/naming.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/entry.h"
#include "profiler/agent/kernel_names.h"
#include "profiler/agent/module.h"
#include "profiler/base/bpf_name.h"
#include "profiler/base/cleanup.h"

#define PAGE_BYTES 4096ULL

/* An event's length has 32 bits. */
#define BPF_MAX_BYTES (1ULL << 32)
#define BPF_STAND_IN "[bpf]"

void naming_init(struct naming *n, struct pipeline *pipeline, const struct name_source *names,
		 struct profile *profile)
{
	*n = (struct naming){ .pipeline = pipeline, .names = names, .profile = profile };
}

void naming_release(struct naming *n)
{
	sites_release(&n->sites);
	array_release(&n->functions);
	array_release(&n->mappings);
	array_release(&n->nameless);
}

static uint64_t run_address(const struct naming *n, const struct run *run, uint32_t i)
{
	return run_location(n->pipeline, run, i)->address;
}

/* ---- what a site becomes ---- */

/*
 * What stood for it had a location, and keeps it: that one may be others', too, of whom nothing is known yet (code of two
 * processes at one address). Stacks through the site have another from now on.
 */
static void site_set(struct naming *n, uint32_t location, struct site site)
{
	struct site *s = &n->sites.items.items[location];

	if (s->located) {
		n->moved = true;
		if (location < n->sites.located_below)
			n->sites.located_below = location;
	}
	site.known = 1;
	*s = site;
}

static int stand_in_add(struct naming *n, const char *name)
{
	return entry_function(n->profile, name, name, "");
}

/*
 * One mapping that holds all offsets of the run, for what no segment is known of. Kernel addresses
 * leave no trace: they must not leave this machine.
 */
static int fallback_mapping(struct naming *n, const struct run *run, const struct module *module,
			    enum profile_mapping_kind kind, const char *build_id)
{
	uint64_t last = run_address(n, run, run->count - 1);
	uint64_t limit = last > UINT64_MAX - PAGE_BYTES ? UINT64_MAX
							: (last / PAGE_BYTES + 1) * PAGE_BYTES;
	struct profile_mapping m = { .kind = kind, .limit = limit };

	if (kind == PROFILE_MAPPING_KERNEL)
		m.limit = PAGE_BYTES;
	return entry_mapping(n->profile, module->path, build_id, m);
}

/*
 * What stands for the run's sites: `ret` is the first one's. For a file that has no names that is because it could not be
 * read.
 */
static int stand_in_make(struct naming *n, const struct run *run, const struct module *module,
			 struct site *ret)
{
	enum profile_mapping_kind kind = space_is_file(run->space) ? PROFILE_MAPPING_UNREAD
								   : module->kind;
	int mapping = fallback_mapping(n, run, module, kind, ""), function;

	if (mapping < 0)
		return mapping;
	function = stand_in_add(n, module->stand_in);
	if (function < 0)
		return function;
	*ret = (struct site){ .mapping = (uint32_t)mapping, .id = (uint32_t)function };
	return 0;
}

static uint64_t stand_in_address(const struct naming *n, const struct run *run,
				 const struct module *module, uint32_t i)
{
	bool kernel = !space_is_file(run->space) && module->kind == PROFILE_MAPPING_KERNEL;

	return kernel ? 0 : run_address(n, run, i);
}

/* No names were to be had. */
static int run_stand_in(struct naming *n, const struct run *run, const struct module *module)
{
	struct site site;
	int r = stand_in_make(n, run, module, &site);

	for (uint32_t i = 0; i < run->count && r >= 0; i++) {
		site.address = stand_in_address(n, run, module, i);
		site_set(n, run->locations[i], site);
	}
	return r;
}

/* Nor asked for, as yet. */
static int run_stand_in_for_now(struct naming *n, const struct run *run,
				const struct module *module)
{
	struct site site;
	int r = stand_in_make(n, run, module, &site);

	for (uint32_t i = 0; i < run->count && r >= 0; i++) {
		const struct profile_line line = { .function = site.id };
		struct site *s = &n->sites.items.items[run->locations[i]];

		r = profile_location(n->profile, site.mapping, stand_in_address(n, run, module, i),
				     false, &line, 1);
		if (r >= 0)
			site_located(s, (uint32_t)r);
	}
	return r < 0 ? r : 0;
}

/* Stand-ins for where stacks go on: one a reason. */
static int run_truncated(struct naming *n, const struct run *run, const struct module *module)
{
	const struct profile_mapping m = { .kind = module->kind, .limit = PAGE_BYTES };
	int mapping = entry_mapping(n->profile, module->path, "", m);

	for (uint32_t i = 0; i < run->count && mapping >= 0; i++) {
		enum truncation why = (enum truncation)run_address(n, run, i);
		int function = stand_in_add(n, truncation_frame(why));

		if (function < 0)
			return function;
		site_set(n, run->locations[i],
			 (struct site){ .mapping = (uint32_t)mapping, .id = (uint32_t)function });
	}
	return mapping < 0 ? mapping : 0;
}

/* A location that events tell of (agent/bpf_code.h). Of its address no more is left than where in the program it was. */
static int bpf_name(struct naming *n, uint32_t location, const struct bpf_symbol *symbol)
{
	const struct profile_mapping m = { .kind = PROFILE_MAPPING_KERNEL, .limit = BPF_MAX_BYTES };
	const char *name = symbol->name ? symbol->name : BPF_STAND_IN, *shown;
	char copy[SYMBOLS_MAX_NAME];
	int mapping, function;

	counter_add(&n->pipeline->counters, COUNTER_BPF_NAMES_WITHHELD, !symbol->name);
	shown = bpf_name_shown(name, strlen(name), copy, sizeof(copy));
	mapping = entry_mapping(n->profile, "[bpf]", "", m);
	if (mapping < 0)
		return mapping;
	function = entry_function(n->profile, shown ? shown : name, name, "");
	if (function < 0)
		return function;
	site_set(n, location,
		 (struct site){ .address = symbol->offset,
				.mapping = (uint32_t)mapping,
				.id = (uint32_t)function,
				.named = symbol->name != NULL });
	return 0;
}

/* ---- a reply ---- */

/* Its functions, entered in the profile: PROFILE_NONE for those that found no room. */
static int functions_enter(struct naming *n, const struct symbols *s)
{
	n->functions.count = 0;
	for (uint32_t i = 0; i < s->reply->function_count; i++) {
		const struct symbol_function *f = &s->functions[i];
		uint32_t *slot = array_push(&n->functions, UINT32_MAX);
		int id;

		if (!slot)
			return -ENOMEM;
		*slot = PROFILE_NONE;
		if (entry_names_are_full(n->profile)) {
			counter_add(&n->profile->counters, COUNTER_NAMES_DROPPED_MEMORY, 1);
			continue;
		}
		id = entry_function(n->profile, s->strings + f->name, s->strings + f->system_name,
				    "");
		if (id < 0)
			return id;
		*slot = (uint32_t)id;
	}
	return 0;
}

static int mappings_enter(struct naming *n, const struct module *module, const struct symbols *s)
{
	const char *build_id = s->strings + s->reply->build_id;

	n->mappings.count = 0;
	for (uint32_t i = 0; i < s->reply->module_count; i++) {
		const struct symbol_module *m = &s->modules[i];
		const char *name = s->strings + m->name;
		char bracketed[128];
		uint32_t *slot = array_push(&n->mappings, UINT32_MAX);
		int id = -ENOMEM;

		snprintf(bracketed, sizeof(bracketed), "[%s]", name);
		if (slot)
			id = entry_mapping(n->profile, *name ? bracketed : module->path, build_id,
					   (struct profile_mapping){ .start = m->start,
								     .limit = m->limit,
								     .offset = m->offset,
								     .kind = module->kind });
		if (id < 0)
			return id;
		*slot = (uint32_t)id;
	}
	return 0;
}

/*
 * A name of /proc/kallsyms that may be another's: that of now, not of then; or of whoever lies before it, of whom an
 * event told where it ends.
 */
static bool is_in_doubt(const struct naming *n, const struct module *module,
			const struct symbols *s, const struct symbol_answer *a)
{
	const struct bpf_code *bpf = n->pipeline->bpf;

	if (module->kind != PROFILE_MAPPING_KERNEL || a->module == SYMBOLS_NONE ||
	    a->function == SYMBOLS_NONE ||
	    strcmp(s->strings + s->modules[a->module].name, "bpf") != 0)
		return false;
	return !bpf_code_is_certain(bpf) ||
	       bpf_code_knows(bpf, s->strings + s->functions[a->function].system_name);
}

/* What stands for what has no name. */
struct unnamed {
	uint32_t mapping, function;
};

/* 0 or negative errno. */
static int answer_apply(struct naming *n, const struct run *run, uint32_t i,
			const struct module *module, const struct symbols *s,
			const struct unnamed *unnamed)
{
	const struct symbol_answer *a = &s->answers[i];
	struct site site = { .address = a->vaddr,
			     .mapping = unnamed->mapping,
			     .id = unnamed->function };

	site.named = a->function != SYMBOLS_NONE && n->functions.items[a->function] != PROFILE_NONE;
	if (site.named)
		site.id = n->functions.items[a->function];
	if (site.named && is_in_doubt(n, module, s, a)) {
		int function = stand_in_add(n, BPF_STAND_IN);

		if (function < 0)
			return function;
		counter_add(&n->pipeline->counters, COUNTER_BPF_NAMES_WITHHELD, 1);
		site.named = 0;
		site.id = (uint32_t)function;
	}
	if (a->module != SYMBOLS_NONE) {
		site.mapping = n->mappings.items[a->module];
		site.in_segment = space_is_file(run->space);
	} else {
		site.address = module->kind == PROFILE_MAPPING_KERNEL ? 0 : run_address(n, run, i);
	}
	site_set(n, run->locations[i], site);
	return 0;
}

static int run_apply(struct naming *n, const struct run *run, const struct module *module,
		     const struct symbols *s)
{
	int mapping =
		fallback_mapping(n, run, module, module->kind, s->strings + s->reply->build_id);
	int r = mapping < 0 ? mapping : functions_enter(n, s);
	struct unnamed unnamed = { .mapping = (uint32_t)mapping };

	if (r >= 0)
		r = mappings_enter(n, module, s);
	if (r >= 0)
		r = stand_in_add(n, module->stand_in);
	unnamed.function = (uint32_t)r;
	for (uint32_t i = 0; i < run->count && r >= 0; i++)
		r = answer_apply(n, run, i, module, s, &unnamed);
	return r < 0 ? r : 0;
}

/* ---- a request ---- */

static bool is_pinned(const struct naming *n, uint32_t space)
{
	return space_is_file(space) &&
	       file_table_get(n->pipeline->files, space - WINDOW_SPACE_FILES)->state == FILE_PINNED;
}

bool naming_gave_up(const struct naming *n, uint32_t space)
{
	return space < n->nameless.count && n->nameless.items[space];
}

static bool can_be_asked(const struct naming *n, const struct run *run)
{
	uint32_t space = run->space;

	if (jit_is_code(space))
		return n->names->ask_code && jit_has_names(n->pipeline->jit, run->owner);
	if (naming_gave_up(n, space))
		return false;
	return space == WINDOW_SPACE_KERNEL || space == WINDOW_SPACE_VDSO || is_pinned(n, space);
}

/* The file is at fault, not the run. */
static int run_ask_no_more(struct naming *n, const struct run *run, const struct module *module)
{
	while (n->nameless.count <= run->space) {
		bool *slot = array_push(&n->nameless, UINT32_MAX);

		if (!slot)
			return -ENOMEM;
		*slot = false;
	}
	n->nameless.items[run->space] = true;
	return run_stand_in(n, run, module);
}

/* How a file is asked about: for the first time, or later. */
typedef int (*ask_fn)(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		      struct symbols *ret, struct err *err);

static int run_ask(struct naming *n, const struct run *run, ask_fn ask, int fd, struct symbols *ret)
{
	uint64_t *addresses = calloc(run->count, sizeof(*addresses));
	int r;

	if (!addresses)
		return -ENOMEM;
	for (uint32_t i = 0; i < run->count; i++)
		addresses[i] = run_address(n, run, i);
	r = ask(n->names->ctx, run->space, fd, addresses, run->count, ret, NULL);
	if (r >= 0 && n->kernel && run->space == WINDOW_SPACE_KERNEL)
		kernel_names_learn(n->kernel, ret, addresses, run->count);
	free(addresses);
	return r;
}

/* The jitdump of code, if it can be had; or -1: there may be a perf map. */
static int dump_borrow(struct naming *n, uint32_t owner)
{
	uint32_t dump = jit_dump(n->pipeline->jit, owner);
	int fd = -1;

	if (dump == JIT_NO_FILE || !is_pinned(n, WINDOW_SPACE_FILES + dump) ||
	    file_table_borrow(n->pipeline->files, dump, &fd) < 0)
		return -1;
	return fd;
}

static int run_ask_code(struct naming *n, const struct run *run, struct symbols *ret)
{
	struct symbol_moment *moments = calloc(run->count, sizeof(*moments));
	uint64_t *addresses = calloc(run->count, sizeof(*addresses));
	int r = -ENOMEM;

	if (!moments || !addresses)
		goto out;
	for (uint32_t i = 0; i < run->count; i++) {
		const struct window_location *l = run_location(n->pipeline, run, i);

		addresses[i] = l->address;
		moments[i] = jit_moment(n->pipeline->jit, l->space);
	}
	r = n->names->ask_code(n->names->ctx, run->owner, dump_borrow(n, run->owner), addresses,
			       moments, run->count, ret, NULL);
out:
	free(moments);
	free(addresses);
	return r;
}

/* The process is at fault, not the run. */
static int run_name_code_part(struct naming *n, const struct run *run, const struct module *module)
{
	struct symbols s;
	int r = run_ask_code(n, run, &s);

	if (r < 0) {
		jit_give_up(n->pipeline->jit, run->owner);
		return run_stand_in(n, run, module);
	}
	counter_add(&n->pipeline->counters, COUNTER_CODE_MAPS_BAD, s.reply->status != SYMBOLS_OK);
	return run_apply(n, run, module, &s);
}

/*
 * Asks for at most SYMBOLS_MAX_ADDRESSES. A want of memory costs names and no more: how much asking takes
 * is the symbolizer's to say.
 */
static int run_name_part(struct naming *n, const struct run *run, const struct module *module)
{
	struct symbols s;
	int fd = -1, r = 0;

	if (jit_is_code(run->space))
		return run_name_code_part(n, run, module);
	if (space_is_file(run->space))
		r = file_table_borrow(n->pipeline->files, run->space - WINDOW_SPACE_FILES, &fd);
	if (r >= 0)
		r = run_ask(n, run, n->names->ask, fd, &s);
	if (r < 0)
		return run_ask_no_more(n, run, module);
	if (space_is_file(run->space) && s.reply->status == SYMBOLS_NOT_ELF) {
		counter_add(&n->pipeline->counters, COUNTER_FILES_BAD, 1);
		return run_ask_no_more(n, run, module);
	}
	return run_apply(n, run, module, &s);
}

/* ---- runs ---- */

static int run_name(struct naming *n, const struct run *run)
{
	uint32_t most = jit_is_code(run->space) ? SYMBOLS_MAX_CODE_ADDRESSES
						: SYMBOLS_MAX_ADDRESSES;
	struct module module;

	module_of(n->pipeline, run, &module);
	if (run->space == WINDOW_SPACE_TRUNCATED)
		return run_truncated(n, run, &module);
	for (uint32_t done = 0; done < run->count;) {
		bool ask = can_be_asked(n, run); /* no more, once a part of it failed */
		struct run part = *run;
		int r;

		part.locations += done;
		part.count -= done;
		if (ask && part.count > most)
			part.count = most;
		r = ask ? run_name_part(n, &part, &module) : run_stand_in(n, &part, &module);
		if (r < 0)
			return r;
		done += part.count;
	}
	return 0;
}

struct search {
	const struct naming *naming;
	const struct naming_wish *wish;
};

static bool is_missing(void *ctx, uint32_t location)
{
	const struct search *s = ctx;
	const struct naming *n = s->naming;

	return !n->sites.items.items[location].known &&
	       s->wish->wanted(s->wish->ctx, n->pipeline->window.locations.items[location].space);
}

/* Those that events tell of. */
static int bpf_name_all(struct naming *n, struct search *s)
{
	const struct window *w = &n->pipeline->window;

	for (uint32_t i = sites_first_unknown(&n->sites); i < w->locations.count; i++) {
		const struct window_location *l = &w->locations.items[i];
		struct bpf_symbol symbol;
		int r;

		if (!is_missing(s, i) ||
		    !bpf_code_find(n->pipeline->bpf, l->space, l->address, &symbol))
			continue;
		r = bpf_name(n, i, &symbol);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Behind the answer to the first that was asked about: others that will be. What can't be had is asked about when it is there. */
static void kernel_name_ahead(struct naming *n)
{
	_cleanup_(free_ptr) uint64_t *grid = calloc(KERNEL_NAMES_AHEAD, sizeof(*grid));
	uint32_t count = grid ? kernel_names_ahead(n->kernel, grid) : 0;
	struct symbols s;

	if (count &&
	    n->names->ask(n->names->ctx, WINDOW_SPACE_KERNEL, -1, grid, count, &s, NULL) == 0)
		kernel_names_learn(n->kernel, &s, grid, count);
}

/* Those that lie in functions of the kernel which were asked about before. */
static int kernel_name_all(struct naming *n, struct search *s)
{
	const struct window *w = &n->pipeline->window;

	for (uint32_t i = sites_first_unknown(&n->sites); i < w->locations.count; i++) {
		struct site site;
		int r;

		if (w->locations.items[i].space != WINDOW_SPACE_KERNEL || !is_missing(s, i))
			continue;
		r = kernel_names_find(n->kernel, n->profile, w->locations.items[i].address, &site);
		if (r < 0)
			return r;
		if (r > 0)
			site_set(n, i, site);
	}
	return 0;
}

int naming_run(struct naming *n, const struct naming_wish *wish)
{
	struct search search = { n, wish };
	_cleanup_(runs_release) struct runs runs = { 0 };
	struct run run;
	int r = sites_follow(&n->sites, n->pipeline->window.locations.count);

	if (r >= 0)
		r = bpf_name_all(n, &search);
	if (r >= 0 && n->kernel)
		r = kernel_name_all(n, &search);
	if (r >= 0)
		r = runs_find(&runs, n->pipeline, sites_first_unknown(&n->sites), is_missing,
			      &search);
	if (r >= 0 && !n->in_order)
		r = runs_by_heat(&runs);
	while (r >= 0 && runs_next(&runs, &run)) {
		r = run_name(n, &run);
		if (r >= 0)
			r = wish->named(wish->ctx, &run);
	}
	if (r >= 0 && n->kernel)
		kernel_name_ahead(n);
	return r < 0 ? r : 0;
}

static bool has_nothing(void *ctx, uint32_t location)
{
	const struct naming *n = ctx;
	const struct site *s = &n->sites.items.items[location];

	return !s->known && !s->located;
}

int naming_stand_in(struct naming *n)
{
	_cleanup_(runs_release) struct runs runs = { 0 };
	struct run run;
	int r = sites_follow(&n->sites, n->pipeline->window.locations.count);

	if (r >= 0)
		r = runs_find(&runs, n->pipeline, sites_first_unknown(&n->sites), has_nothing, n);
	while (r >= 0 && runs_next(&runs, &run)) {
		struct module module;

		module_of(n->pipeline, &run, &module);
		r = run_stand_in_for_now(n, &run, &module);
	}
	return r;
}

void naming_turn(struct naming *n)
{
	sites_release(&n->sites);
	if (n->kernel)
		kernel_names_turn(n->kernel);
	n->moved = false;
}

void naming_forget_file(struct naming *n, uint32_t file)
{
	uint32_t space = WINDOW_SPACE_FILES + file;

	if (space < n->nameless.count)
		n->nameless.items[space] = false;
}

/* It has a name now. If it has a location, that is known better. */
static int site_rename(struct naming *n, struct site *site, uint32_t function)
{
	const struct profile_line line = { .function = function };
	int r = 0;

	if (!site->located)
		site->id = function;
	else if (!n->profile->locations.items[site->id].named)
		r = profile_location_amend(n->profile, site->id, true, &line, 1);
	if (r == -E2BIG) {
		counter_add(&n->profile->counters, COUNTER_NAMES_DROPPED_MEMORY, 1);
		return 0;
	}
	site->named = r == 0;
	return r;
}

int naming_again(struct naming *n, const struct run *run, int fd)
{
	struct symbols s;
	int r;

	if (run->count > SYMBOLS_MAX_ADDRESSES || run_ask(n, run, n->names->ask_late, fd, &s) < 0)
		return 0;
	r = functions_enter(n, &s);
	for (uint32_t i = 0; i < run->count && r >= 0; i++) {
		struct site *site = &n->sites.items.items[run->locations[i]];
		uint32_t function = s.answers[i].function;

		if (function == SYMBOLS_NONE || n->functions.items[function] == PROFILE_NONE)
			continue;
		r = site_rename(n, site, n->functions.items[function]);
	}
	return r;
}
