// SPDX-License-Identifier: Apache-2.0
/*
 * Window locations that have no name yet are sorted by (space, address), which makes runs: one request
 * each. What is in no file gets a stand-in function. Stand-ins are one a module, not one an address:
 * "[cc1]" with a third of the time says more than a thousand lines of cc1+0x…; the address stays in the
 * location.
 *
 * Which files are let go of, and when, follows from the records and the drains' times alone: a
 * replay must come to the same file numbers, by which names are recorded.
 *
 * Refused: naming while sampling. It costs CPU time when it is scarce, and a short capture would name
 * nothing twice.
 */
#include "profiler/agent/resolve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/bpf_name.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

#define LET_GO_EVERY_NS NS_PER_S

#define PAGE_BYTES 4096ULL

/* An event's length has 32 bits. */
#define BPF_MAX_BYTES (1ULL << 32)
#define BPF_STAND_IN "[bpf]"

struct resolver {
	struct pipeline *pipeline;
	const struct name_source *names;
	struct profile *profile;
	ARRAY(uint32_t) location_of; /* window location → profile location, PROFILE_NONE: not yet */
	ARRAY(uint32_t) functions; /* of the reply at hand: its function → the profile's */
	ARRAY(uint32_t) mappings; /* of the reply at hand: its module → the profile's */
	uint32_t relieved; /* locations that there were at the last relief */
	uint64_t next_let_go_ns;
	ARRAY(bool) leaving; /* by file: nobody maps it */
	ARRAY(bool) nameless; /* by space: a request failed or found no ELF file; ask no more */
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
	*ret = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	array_release(&r->location_of);
	array_release(&r->functions);
	array_release(&r->mappings);
	array_release(&r->nameless);
	array_release(&r->leaving);
	free(r);
}

/* Where there is no room for a text it is "", and counted: no reason to have no profile. */
static int string_add(struct profile *p, const char *s)
{
	int r = profile_string(p, s, strlen(s));

	if (r != -E2BIG)
		return r;
	counter_add(&p->counters, COUNTER_NAMES_DROPPED_MEMORY, 1);
	return 0;
}

/* The last eighth is for what is not a function's name: files, labels, stand-ins. */
static bool names_are_full(const struct profile *p)
{
	return p->arena.used_bytes > p->arena.max_bytes / 8 * 7;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* What a location is part of, as people see it. */
struct module {
	const char *path; /* mapping name */
	const char *stand_in; /* function name for what has no other */
	enum profile_mapping_kind kind;
};

/* Is it a file's? */
static bool is_file(uint32_t space)
{
	return space >= WINDOW_SPACE_FILES && space < WINDOW_SPACE_BPF;
}

static struct module module_of_code(const struct resolver *r, uint32_t owner)
{
	const struct jit *jit = r->pipeline->jit;
	/* What has names for some of its code has no name for this: that is no runtime's lack. */
	enum runtime runtime = jit_has_names(jit, owner) ? RUNTIME_NONE : jit_runtime(jit, owner);

	return (struct module){ "[anonymous memory]", runtime_stand_in(runtime),
				PROFILE_MAPPING_ANONYMOUS };
}

static struct module module_of(const struct resolver *r, uint32_t space, char *text, size_t size)
{
	const struct file *f;

	switch (space) {
	case WINDOW_SPACE_KERNEL:
		return (struct module){ "[kernel.kallsyms]", "[kernel]", PROFILE_MAPPING_KERNEL };
	case WINDOW_SPACE_VDSO:
		return (struct module){ "[vdso]", "[vdso]", PROFILE_MAPPING_USER };
	case WINDOW_SPACE_ANONYMOUS:
		return (struct module){ "[anonymous memory]", "[anonymous memory]",
					PROFILE_MAPPING_ANONYMOUS };
	case WINDOW_SPACE_UNKNOWN_PROCESS:
		return (struct module){ "[unknown process]", "[unknown process]",
					PROFILE_MAPPING_NONE };
	case WINDOW_SPACE_TRUNCATED:
		return (struct module){ "[truncated]", "[truncated]", PROFILE_MAPPING_NONE };
	case WINDOW_SPACE_UNMAPPED:
		return (struct module){ "[unknown]", "[unknown]", PROFILE_MAPPING_NONE };
	}
	f = file_table_get(r->pipeline->files, space - WINDOW_SPACE_FILES);
	snprintf(text, size, "[%s]", base_name(f->path));
	return (struct module){ f->path, text, PROFILE_MAPPING_USER };
}

static int function_add(struct profile *p, const char *name, const char *system_name)
{
	struct profile_function f = { 0 };
	int r = string_add(p, name);

	if (r < 0)
		return r;
	f.name = (uint32_t)r;
	r = string_add(p, system_name);
	if (r < 0)
		return r;
	f.system_name = (uint32_t)r;
	return profile_function(p, &f);
}

static int mapping_add(struct profile *p, const char *name, const char *build_id,
		       struct profile_mapping m)
{
	int r = string_add(p, name);

	if (r < 0)
		return r;
	m.name = (uint32_t)r;
	r = string_add(p, build_id);
	if (r < 0)
		return r;
	m.build_id = (uint32_t)r;
	return profile_mapping(p, &m);
}

/*
 * A run of window locations of one space, addresses ascending. Code that a process made is one run, whenever
 * it was seen.
 */
struct run {
	uint32_t space;
	uint32_t owner; /* of code (agent/jit.h) */
	const uint32_t *locations;
	uint32_t count;
};

static uint64_t run_address(const struct resolver *r, const struct run *run, uint32_t i)
{
	return r->pipeline->window.locations.items[run->locations[i]].address;
}

/*
 * One mapping that holds all offsets of the run, for what no segment is known of. Kernel addresses
 * leave no trace: they must not leave this machine.
 */
static int fallback_mapping(struct resolver *r, const struct run *run, const struct module *module,
			    const char *build_id)
{
	uint64_t last = run_address(r, run, run->count - 1);
	uint64_t limit = last > UINT64_MAX - PAGE_BYTES ? UINT64_MAX
							: (last / PAGE_BYTES + 1) * PAGE_BYTES;
	struct profile_mapping m = { .kind = module->kind, .limit = limit };

	if (module->kind == PROFILE_MAPPING_KERNEL)
		m.limit = PAGE_BYTES;
	return mapping_add(r->profile, module->path, build_id, m);
}

static int location_set(struct resolver *r, const struct run *run, uint32_t i, uint32_t mapping,
			uint64_t address, bool named, uint32_t function)
{
	struct profile_line line = { .function = function };
	int location = profile_location(r->profile, mapping, address, named, &line, 1);

	if (location < 0)
		return location;
	r->location_of.items[run->locations[i]] = (uint32_t)location;
	return 0;
}

/* No names were to be had: for a file that is because it could not be read. */
static int run_stand_in(struct resolver *r, const struct run *run, struct module module)
{
	bool keep_address = module.kind != PROFILE_MAPPING_KERNEL;
	int mapping, function;

	if (is_file(run->space))
		module.kind = PROFILE_MAPPING_UNREAD;
	mapping = fallback_mapping(r, run, &module, "");
	function = mapping < 0 ? mapping
			       : function_add(r->profile, module.stand_in, module.stand_in);

	for (uint32_t i = 0; i < run->count && function >= 0; i++) {
		int e = location_set(r, run, i, (uint32_t)mapping,
				     keep_address ? run_address(r, run, i) : 0, false,
				     (uint32_t)function);
		if (e < 0)
			return e;
	}
	return function < 0 ? function : 0;
}

/* Stand-ins for where stacks go on: one a reason. */
static int run_truncated(struct resolver *r, const struct run *run, const struct module *module)
{
	const struct profile_mapping m = { .kind = module->kind, .limit = PAGE_BYTES };
	int mapping = mapping_add(r->profile, module->path, "", m), e = 0;

	for (uint32_t i = 0; i < run->count && mapping >= 0 && e >= 0; i++) {
		const char *name = truncation_frame((enum truncation)run_address(r, run, i));
		int function = function_add(r->profile, name, name);

		e = function < 0 ? function
				 : location_set(r, run, i, (uint32_t)mapping, 0, false,
						(uint32_t)function);
	}
	return mapping < 0 ? mapping : e;
}

/* The reply's functions and modules, entered in the profile. */
static int reply_enter(struct resolver *r, const struct module *module, const struct symbols *s)
{
	const char *build_id = s->strings + s->reply->build_id;

	r->functions.count = r->mappings.count = 0;
	for (uint32_t i = 0; i < s->reply->function_count; i++) {
		const struct symbol_function *f = &s->functions[i];
		uint32_t *slot = array_push(&r->functions, UINT32_MAX);
		int id;

		if (!slot)
			return -ENOMEM;
		*slot = PROFILE_NONE;
		if (names_are_full(r->profile)) {
			counter_add(&r->profile->counters, COUNTER_NAMES_DROPPED_MEMORY, 1);
			continue;
		}
		id = function_add(r->profile, s->strings + f->name, s->strings + f->system_name);
		if (id < 0)
			return id;
		*slot = (uint32_t)id;
	}
	for (uint32_t i = 0; i < s->reply->module_count; i++) {
		const struct symbol_module *m = &s->modules[i];
		const char *name = s->strings + m->name;
		char bracketed[128];
		uint32_t *slot = array_push(&r->mappings, UINT32_MAX);
		int id = -ENOMEM;

		snprintf(bracketed, sizeof(bracketed), "[%s]", name);
		if (slot)
			id = mapping_add(r->profile, *name ? bracketed : module->path, build_id,
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
static bool is_in_doubt(const struct resolver *r, const struct module *module,
			const struct symbols *s, const struct symbol_answer *a)
{
	const struct bpf_code *bpf = r->pipeline->bpf;

	if (module->kind != PROFILE_MAPPING_KERNEL || a->module == SYMBOLS_NONE ||
	    a->function == SYMBOLS_NONE ||
	    strcmp(s->strings + s->modules[a->module].name, "bpf") != 0)
		return false;
	return !bpf_code_is_certain(bpf) ||
	       bpf_code_knows(bpf, s->strings + s->functions[a->function].system_name);
}

static int run_apply(struct resolver *r, const struct run *run, const struct module *module,
		     const struct symbols *s)
{
	int fallback = fallback_mapping(r, run, module, s->strings + s->reply->build_id);
	int e = fallback < 0 ? fallback : reply_enter(r, module, s);
	int stand_in = e < 0 ? e : function_add(r->profile, module->stand_in, module->stand_in);

	for (uint32_t i = 0; i < run->count && stand_in >= 0; i++) {
		const struct symbol_answer *a = &s->answers[i];
		bool mapped = a->module != SYMBOLS_NONE;
		bool named = a->function != SYMBOLS_NONE &&
			     r->functions.items[a->function] != PROFILE_NONE;
		uint64_t address = a->vaddr;
		int unnamed = stand_in;

		if (named && is_in_doubt(r, module, s, a)) {
			named = false;
			unnamed = function_add(r->profile, BPF_STAND_IN, BPF_STAND_IN);
			if (unnamed < 0)
				return unnamed;
			counter_add(&r->pipeline->counters, COUNTER_BPF_NAMES_WITHHELD, 1);
		}
		if (!mapped)
			address = module->kind == PROFILE_MAPPING_KERNEL ? 0
									 : run_address(r, run, i);
		e = location_set(r, run, i,
				 mapped ? r->mappings.items[a->module] : (uint32_t)fallback,
				 address, named,
				 named ? r->functions.items[a->function] : (uint32_t)unnamed);
		if (e < 0)
			return e;
	}
	return stand_in < 0 ? stand_in : 0;
}

/* A location that events tell of (agent/bpf_code.h). Of its address no more is left than where in the program it was. */
static int bpf_name(struct resolver *r, uint32_t i, const struct bpf_symbol *symbol)
{
	const struct profile_mapping m = { .kind = PROFILE_MAPPING_KERNEL, .limit = BPF_MAX_BYTES };
	const char *name = symbol->name ? symbol->name : BPF_STAND_IN, *shown;
	struct profile_line line = { 0 };
	char copy[SYMBOLS_MAX_NAME];
	int mapping, function, location;

	counter_add(&r->pipeline->counters, COUNTER_BPF_NAMES_WITHHELD, !symbol->name);
	shown = bpf_name_shown(name, strlen(name), copy, sizeof(copy));
	mapping = mapping_add(r->profile, "[bpf]", "", m);
	if (mapping < 0)
		return mapping;
	function = function_add(r->profile, shown ? shown : name, name);
	if (function < 0)
		return function;
	line.function = (uint32_t)function;
	location = profile_location(r->profile, (uint32_t)mapping, symbol->offset, symbol->name,
				    &line, 1);
	if (location < 0)
		return location;
	r->location_of.items[i] = (uint32_t)location;
	return 0;
}

static bool is_pinned(const struct resolver *r, uint32_t space)
{
	return is_file(space) &&
	       file_table_get(r->pipeline->files, space - WINDOW_SPACE_FILES)->state == FILE_PINNED;
}

/* Which spaces name_missing() is about. */
typedef bool (*space_fn)(const struct resolver *r, uint32_t space);

static bool is_any(const struct resolver *r, uint32_t space)
{
	(void)r;
	(void)space;
	return true;
}

static bool is_open(const struct resolver *r, uint32_t space)
{
	return is_pinned(r, space) &&
	       !file_table_get(r->pipeline->files, space - WINDOW_SPACE_FILES)->slow;
}

static bool file_is_leaving(const struct resolver *r, uint32_t file)
{
	return file < r->leaving.count && r->leaving.items[file];
}

static bool is_leaving(const struct resolver *r, uint32_t space)
{
	if (jit_is_code(space))
		return file_is_leaving(r, jit_dump(r->pipeline->jit,
						   jit_owner(r->pipeline->jit, space)));
	return is_file(space) && file_is_leaving(r, space - WINDOW_SPACE_FILES);
}

static bool can_be_asked(const struct resolver *r, const struct run *run)
{
	uint32_t space = run->space;

	if (jit_is_code(space))
		return r->names->ask_code && jit_has_names(r->pipeline->jit, run->owner);
	if (space < r->nameless.count && r->nameless.items[space])
		return false;
	return space == WINDOW_SPACE_KERNEL || space == WINDOW_SPACE_VDSO || is_pinned(r, space);
}

static int ask_no_more(struct resolver *r, uint32_t space)
{
	while (r->nameless.count <= space) {
		bool *slot = array_push(&r->nameless, UINT32_MAX);

		if (!slot)
			return -ENOMEM;
		*slot = false;
	}
	r->nameless.items[space] = true;
	return 0;
}

/* The file is at fault, not the run. */
static int run_ask_no_more(struct resolver *r, const struct run *run, const struct module *module)
{
	int e = ask_no_more(r, run->space);

	return e < 0 ? e : run_stand_in(r, run, *module);
}

static int run_ask(struct resolver *r, const struct run *run, int fd, struct symbols *ret)
{
	uint64_t *addresses = calloc(run->count, sizeof(*addresses));
	int e;

	if (!addresses)
		return -ENOMEM;
	for (uint32_t i = 0; i < run->count; i++)
		addresses[i] = run_address(r, run, i);
	e = r->names->ask(r->names->ctx, run->space, fd, addresses, run->count, ret, NULL);
	free(addresses);
	return e;
}

/* The jitdump of code, if it can be had; or -1: there may be a perf map. */
static int dump_borrow(struct resolver *r, uint32_t owner)
{
	uint32_t dump = jit_dump(r->pipeline->jit, owner);
	int fd = -1;

	if (dump == JIT_NO_FILE || !is_pinned(r, WINDOW_SPACE_FILES + dump) ||
	    file_table_borrow(r->pipeline->files, dump, &fd) < 0)
		return -1;
	return fd;
}

static int run_ask_code(struct resolver *r, const struct run *run, struct symbols *ret)
{
	struct symbol_moment *moments = calloc(run->count, sizeof(*moments));
	uint64_t *addresses = calloc(run->count, sizeof(*addresses));
	int e = -ENOMEM;

	if (!moments || !addresses)
		goto out;
	for (uint32_t i = 0; i < run->count; i++) {
		const struct window_location *l =
			&r->pipeline->window.locations.items[run->locations[i]];

		addresses[i] = l->address;
		moments[i] = jit_moment(r->pipeline->jit, l->space);
	}
	e = r->names->ask_code(r->names->ctx, run->owner, dump_borrow(r, run->owner), addresses,
			       moments, run->count, ret, NULL);
out:
	free(moments);
	free(addresses);
	return e;
}

/* The process is at fault, not the run. */
static int run_name_code_part(struct resolver *r, const struct run *run,
			      const struct module *module)
{
	struct module unnamed = *module;
	struct symbols s;
	int e = run_ask_code(r, run, &s);

	if (e < 0) {
		jit_give_up(r->pipeline->jit, run->owner);
		return run_stand_in(r, run, unnamed);
	}
	counter_add(&r->pipeline->counters, COUNTER_CODE_MAPS_BAD, s.reply->status != SYMBOLS_OK);
	return run_apply(r, run, module, &s);
}

/*
 * Asks for at most SYMBOLS_MAX_ADDRESSES. A want of memory costs names and no more: how much asking takes
 * is the symbolizer's to say.
 */
static int run_name_part(struct resolver *r, const struct run *run, const struct module *module)
{
	struct symbols s;
	int fd = -1, e = 0;

	if (jit_is_code(run->space))
		return run_name_code_part(r, run, module);
	if (is_file(run->space))
		e = file_table_borrow(r->pipeline->files, run->space - WINDOW_SPACE_FILES, &fd);
	if (e >= 0)
		e = run_ask(r, run, fd, &s);
	if (e < 0)
		return run_ask_no_more(r, run, module);
	if (is_file(run->space) && s.reply->status == SYMBOLS_NOT_ELF) {
		counter_add(&r->pipeline->counters, COUNTER_FILES_BAD, 1);
		return run_ask_no_more(r, run, module);
	}
	return run_apply(r, run, module, &s);
}

static int run_name(struct resolver *r, const struct run *run)
{
	bool is_code = jit_is_code(run->space);
	uint32_t most = is_code ? SYMBOLS_MAX_CODE_ADDRESSES : SYMBOLS_MAX_ADDRESSES;
	char text[512];
	struct module module = is_code ? module_of_code(r, run->owner)
				       : module_of(r, run->space, text, sizeof(text));

	if (run->space == WINDOW_SPACE_TRUNCATED)
		return run_truncated(r, run, &module);
	for (uint32_t done = 0; done < run->count;) {
		bool ask = can_be_asked(r, run); /* no more, once a part of it failed */
		struct run part = *run;
		int e;

		part.locations += done;
		part.count -= done;
		if (ask && part.count > most)
			part.count = most;
		e = ask ? run_name_part(r, &part, &module) : run_stand_in(r, &part, module);
		if (e < 0)
			return e;
		done += part.count;
	}
	if (is_file(run->space))
		file_table_unpin(r->pipeline->files, run->space - WINDOW_SPACE_FILES);
	return 0;
}

/* What is asked about in one request: a space, or all code of a process. */
static uint32_t asked_together(const struct jit *jit, uint32_t space)
{
	return jit_is_code(space) ? WINDOW_SPACE_CODE + jit_owner(jit, space) : space;
}

static int compare_locations(const void *a, const void *b, void *ctx)
{
	const struct pipeline *p = ctx;
	const struct window_location *x = &p->window.locations.items[*(const uint32_t *)a];
	const struct window_location *y = &p->window.locations.items[*(const uint32_t *)b];
	uint32_t x_place = asked_together(p->jit, x->space);
	uint32_t y_place = asked_together(p->jit, y->space);

	if (x_place != y_place)
		return x_place < y_place ? -1 : 1;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->space < y->space ? -1 : x->space > y->space;
}

/* The locations from `start` on that are asked about in one request. */
static struct run run_from(const struct pipeline *p, const uint32_t *missing, uint32_t start,
			   uint32_t count)
{
	const struct window_location *all = p->window.locations.items;
	struct run run = { .space = all[missing[start]].space, .locations = missing + start };
	uint32_t place = asked_together(p->jit, run.space);

	if (jit_is_code(run.space))
		run.owner = jit_owner(p->jit, run.space);
	while (start + run.count < count &&
	       asked_together(p->jit, all[missing[start + run.count]].space) == place)
		run.count++;
	return run;
}

/* Room in location_of for all locations that the window has by now. */
static int locations_follow(struct resolver *r)
{
	while (r->location_of.count < r->pipeline->window.locations.count) {
		uint32_t *slot = array_push(&r->location_of, UINT32_MAX);

		if (!slot)
			return -ENOMEM;
		*slot = PROFILE_NONE;
	}
	return 0;
}

/* Locations that are still to be asked about, sorted; those that events tell of are named. How many, or negative errno. */
static int missing_find(struct resolver *r, space_fn wanted, uint32_t *missing)
{
	const struct window *w = &r->pipeline->window;
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->locations.count; i++) {
		const struct window_location *l = &w->locations.items[i];
		struct bpf_symbol symbol;
		int e;

		if (r->location_of.items[i] != PROFILE_NONE || !wanted(r, l->space))
			continue;
		if (!bpf_code_find(r->pipeline->bpf, l->space, l->address, &symbol)) {
			missing[count++] = i;
			continue;
		}
		e = bpf_name(r, i, &symbol);
		if (e < 0)
			return e;
	}
	qsort_r(missing, count, sizeof(*missing), compare_locations, r->pipeline);
	return (int)count;
}

static int name_missing(struct resolver *r, space_fn wanted)
{
	const struct window *w = &r->pipeline->window;
	uint32_t *missing = NULL;
	uint32_t count;
	int e = locations_follow(r);

	if (e < 0)
		return e;
	missing = calloc(w->locations.count ? w->locations.count : 1, sizeof(*missing));
	e = missing ? missing_find(r, wanted, missing) : -ENOMEM;
	count = e < 0 ? 0 : (uint32_t)e;
	for (uint32_t start = 0; start < count && e >= 0;) {
		struct run run = run_from(r->pipeline, missing, start, count);

		e = run_name(r, &run);
		start += run.count;
	}
	free(missing);
	return e < 0 ? e : 0;
}

int resolver_relieve(struct resolver *r, uint32_t pins)
{
	uint32_t count = r->pipeline->window.locations.count;

	if (file_table_pinned(r->pipeline->files) < pins)
		return 0;
	/* Without a new one, no file that is pinned has anything to be named. */
	if (count == r->relieved)
		return 0;
	r->relieved = count;
	return name_missing(r, is_open);
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
	struct file_table *files = r->pipeline->files;
	int e;

	if (now_ns == UINT64_MAX || now_ns < r->next_let_go_ns)
		return 0;
	r->next_let_go_ns = now_ns + LET_GO_EVERY_NS;
	process_table_mark_files(r->pipeline->processes, now_ns);
	e = leaving_find(r, now_ns);
	if (e > 0)
		e = name_missing(r, is_leaving);
	/* Those that are left had nothing to be named. */
	for (uint32_t i = 0; i < r->leaving.count && e >= 0; i++)
		if (r->leaving.items[i])
			file_table_drop(files, i);
	return e < 0 ? e : 0;
}

static int label_text(struct profile *p, struct profile_label *l, const char *key, const char *text)
{
	int k = string_add(p, key);
	int t = k < 0 ? k : string_add(p, text);

	if (t < 0)
		return t;
	*l = (struct profile_label){ .key = (uint32_t)k, .text = (uint32_t)t };
	return 0;
}

static int label_number(struct profile *p, struct profile_label *l, const char *key, int64_t number)
{
	int k = string_add(p, key);

	if (k < 0)
		return k;
	*l = (struct profile_label){ .key = (uint32_t)k, .text = PROFILE_NONE, .number = number };
	return 0;
}

static int series_add(struct resolver *r, const struct window_series *s)
{
	struct profile *p = r->profile;
	struct profile_label labels[5];
	const char *cgroup = cgroup_names_path(r->pipeline->cgroups, s->cgroup);
	char id[48];
	int e;

	if (!cgroup) {
		snprintf(id, sizeof(id), "[cgroup %" PRIu64 "]", s->cgroup);
		cgroup = id;
	}
	e = label_text(p, &labels[0], "comm", s->process_comm);
	if (e >= 0)
		e = label_text(p, &labels[1], "thread", s->comm);
	if (e >= 0)
		e = label_number(p, &labels[2], "pid", s->pid);
	if (e >= 0)
		e = label_number(p, &labels[3], "tid", s->tid);
	if (e >= 0)
		e = label_text(p, &labels[4], "cgroup", cgroup);
	return e < 0 ? e : profile_series(p, labels, 5);
}

/* A window node's parent has a lower number, so one pass in order maps them all. */
static int nodes_add(struct resolver *r, uint32_t *node_of)
{
	const struct window *w = &r->pipeline->window;

	node_of[0] = 0;
	for (uint32_t i = 1; i < w->nodes.count; i++) {
		const struct window_node *n = &w->nodes.items[i];
		int id = profile_node(r->profile, node_of[n->parent],
				      r->location_of.items[n->location], n->flags);
		if (id < 0)
			return id;
		node_of[i] = (uint32_t)id;
	}
	return 0;
}

static int all_series_add(struct resolver *r, uint32_t *series_of)
{
	const struct window *w = &r->pipeline->window;

	for (uint32_t i = 0; i < w->series.count; i++) {
		int id = series_add(r, &w->series.items[i]);

		if (id < 0)
			return id;
		series_of[i] = (uint32_t)id;
	}
	return 0;
}

static int samples_add(struct resolver *r, const uint32_t *series_of, const uint32_t *node_of)
{
	const struct window *w = &r->pipeline->window;
	struct profile *p = r->profile;
	bool time = strcmp(p->facts.value_unit, "nanoseconds") == 0;

	for (uint32_t i = 0; i < w->samples.count; i++) {
		const struct window_sample *s = &w->samples.items[i];
		/* The clock's events have unequal periods; a sample stands for their common rate. */
		uint64_t value = s->value;
		int e;

		if (time && __builtin_mul_overflow(s->count, p->facts.period, &value))
			value = UINT64_MAX;
		e = profile_add(p, series_of[s->series], node_of[s->node], s->count, value);
		if (e < 0)
			return e;
	}
	return 0;
}

/* Cycles have no fixed period: the profile's is their mean. */
static uint64_t mean_period(const struct window *w)
{
	uint64_t count = 0, value = 0;

	for (uint32_t i = 0; i < w->samples.count; i++) {
		count += w->samples.items[i].count;
		value += w->samples.items[i].value;
	}
	return count ? value / count : 0;
}

int resolver_finish(struct resolver *r, const struct profile_facts *facts)
{
	const struct window *w = &r->pipeline->window;
	uint32_t *node_of = NULL, *series_of = NULL;
	int e;

	r->profile->facts = *facts;
	if (!facts->period)
		r->profile->facts.period = mean_period(w);
	e = name_missing(r, is_any);
	if (e < 0)
		return e;
	node_of = calloc(w->nodes.count + 1UL, sizeof(*node_of));
	series_of = calloc(w->series.count + 1UL, sizeof(*series_of));
	e = node_of && series_of ? nodes_add(r, node_of) : -ENOMEM;
	if (e >= 0)
		e = all_series_add(r, series_of);
	if (e >= 0)
		e = samples_add(r, series_of, node_of);
	free(node_of);
	free(series_of);
	counter_add(&r->pipeline->counters, COUNTER_NAMES_DROPPED_MEMORY,
		    counter_get(&r->profile->counters, COUNTER_NAMES_DROPPED_MEMORY));
	r->profile->counters = r->pipeline->counters;
	return e;
}
