// SPDX-License-Identifier: Apache-2.0
/*
 * What is said, in which order: the figures are ranking.h's, the lines page.h's. A table's columns are of
 * fixed width but for the name, which gets what is left and is shortened sensibly (name.h). What doesn't
 * fit into a table is in its last lines, so that a column adds up to what its title says.
 *
 * Refused: bars and boxes. This is read in pagers, tickets and chat windows too.
 */
#include "profiler/encode/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/encode/figure.h"
#include "profiler/encode/page.h"
#include "profiler/encode/quality.h"
#include "profiler/encode/ranking.h"

#define DEFAULT_COLUMNS 100
#define MIN_COLUMNS 60
#define MAX_COLUMNS 1000
#define MAX_ROWS 1000
#define STACK_LEAF_FRAMES 30 /* shown at most, nearest the leaf */
#define STACK_ROOT_FRAMES 2
#define STACK_LINES 2 /* unless two frames at each end need more */
#define SHOWN_PIDS 3

struct text {
	const struct profile *p;
	const struct profile_facts *facts;
	struct ranking ranking;
	struct page page;
	uint32_t top[MAX_ROWS];
	uint32_t rows;
};

/* ---- the first lines ------------------------------------------------------------------------- */

/* Time, and what is counted by the thousand million as time is; else each one. */
static bool is_large(const struct text *t)
{
	return t->ranking.is_time || !strcmp(t->facts->event, "cycles");
}

static struct figure amount(const struct text *t, uint64_t value)
{
	return is_large(t) ? figure_value(value) : figure_count(value);
}

static void say_cpus(struct text *t)
{
	const struct profile_facts *f = t->facts;

	if (f->duration_ns || f->cpus_online)
		page_say(&t->page, " in %s s", figure_value(f->duration_ns).text);
	if (!f->cpus_online) /* another program's file */
		return;
	page_say(&t->page, " on %" PRIu32, f->cpus_profiled);
	if (f->cpus_profiled < f->cpus_online)
		page_say(&t->page, " of %" PRIu32, f->cpus_online);
	page_say(&t->page, " CPU%s", figure_plural(f->cpus_online));
}

static void say_value(struct text *t)
{
	const struct profile_facts *f = t->facts;
	const struct figure value = amount(t, t->ranking.value);

	if (t->ranking.is_time)
		page_say(&t->page, "%s s of CPU", value.text);
	else if (is_large(t))
		page_say(&t->page, "%s G %s", value.text, f->value_type);
	else if (!strcmp(f->value_unit, "count"))
		page_say(&t->page, "%s %s", value.text, f->value_type);
	else
		page_say(&t->page, "%s %s of %s", value.text, f->value_unit, f->value_type);
}

static void headline(struct text *t)
{
	const struct profile_facts *f = t->facts;
	uint64_t machine = f->machine_ns ? f->machine_ns : f->cpus_profiled * f->duration_ns;

	say_value(t);
	say_cpus(t);
	if (t->ranking.is_time && f->duration_ns)
		page_say(&t->page, ": %.2f cores",
			 (double)t->ranking.value / (double)f->duration_ns);
	if (t->ranking.is_time && machine)
		page_say(&t->page, ", %s %% of %s",
			 figure_percent(figure_share(t->ranking.value, machine)).text,
			 f->cpus_profiled < f->cpus_online ? "these CPUs" : "the machine");
	page_attribute(&t->page, PAGE_BOLD);
	page_paragraph(&t->page, 0);
	page_attribute(&t->page, PAGE_PLAIN);
}

static void split_line(struct text *t)
{
	const struct profile_facts *f = t->facts;
	double kernel = figure_share(t->ranking.kernel_value, t->ranking.value);

	page_say(&t->page, "user %s %%, kernel %s %% of it", figure_percent(100 - kernel).text,
		 figure_percent(kernel).text);
	if (t->ranking.is_time && f->busy_ns) {
		double share = figure_share(t->ranking.value, f->busy_ns);

		if (f->filtered)
			page_say(&t->page,
				 "; a filter was on: this is %s %% of what was busy by /proc/stat",
				 figure_percent(share).text);
		else
			page_say(&t->page, "; %s %% of what was busy by /proc/stat was sampled",
				 figure_percent(share).text);
	} else if (f->filtered) {
		page_say(&t->page, "; a filter was on");
	}
	if (f->steal_ns)
		page_say(&t->page, "; the hypervisor took another %s s (%s %% of the machine)",
			 figure_value(f->steal_ns).text,
			 figure_percent(figure_share(f->steal_ns, f->machine_ns)).text);
	page_paragraph(&t->page, 0);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void title(struct text *t, const char *name, const char *meaning)
{
	buffer_text(t->page.out, "\n");
	page_attribute(&t->page, PAGE_BOLD);
	buffer_text(t->page.out, name);
	page_attribute(&t->page, PAGE_PLAIN);
	page_attribute(&t->page, PAGE_DIM);
	if (!strcmp(t->ranking.noun, "samples"))
		buffer_printf(t->page.out, "  %% of samples%s\n", meaning);
	else
		buffer_printf(t->page.out, "  %% of %s sampled%s\n", t->ranking.noun, meaning);
	page_attribute(&t->page, PAGE_PLAIN);
}

static void put_name(struct text *t, struct buffer *out, uint32_t string, size_t columns, bool pad)
{
	page_name(&t->page, out, &t->p->strings.items[string], columns, pad);
}

static uint32_t row_limit(const struct text *t, uint32_t usual)
{
	return t->rows ? t->rows : usual;
}

/* "  23.4   ±2.3" */
static void put_share(struct text *t, uint64_t value, uint64_t count)
{
	double share = figure_share(value, t->ranking.value);
	char error[16];

	snprintf(error, sizeof(error), "±%.1f", figure_share_error(count, t->ranking.count));
	if (share >= 10)
		page_attribute(&t->page, PAGE_BOLD);
	buffer_printf(t->page.out, "%6.1f", share);
	if (share >= 10)
		page_attribute(&t->page, PAGE_PLAIN);
	page_attribute(&t->page, PAGE_DIM);
	page_spaces(&t->page, 7 - text_width(error, strlen(error)));
	buffer_text(t->page.out, error);
	page_attribute(&t->page, PAGE_PLAIN);
}

/* As kallsyms has it; to a person it is the kernel. */
static bool is_kernel_image(const struct call_module *m)
{
	static const char name[] = "[kernel.kallsyms]";

	return m->len == sizeof(name) - 1 && !memcmp(m->text, name, m->len);
}

static void put_module(struct text *t, const struct call_frame *f, size_t columns)
{
	const struct call_module *m = &t->ranking.tree.modules.items[f->module];
	const struct buffer *name;

	if (!m->len)
		return;
	name = is_kernel_image(m) ? page_escape(&t->page, "[kernel]", strlen("[kernel]"))
				  : page_escape(&t->page, m->text, m->len);
	page_attribute(&t->page, PAGE_DIM);
	if (!buffer_error(name))
		text_fit(t->page.out, name->data, name->len, columns, false);
	page_attribute(&t->page, PAGE_PLAIN);
}

static void functions_table(struct text *t)
{
	const size_t module_columns = t->page.columns / 5;
	const size_t name_columns = t->page.columns - module_columns - 25;
	const struct ranking *k = &t->ranking;
	uint32_t count = ranking_top_functions(k, row_limit(t, 15), t->top), all = 0;
	uint64_t rest = k->value - k->stackless_value;

	title(t, "FUNCTIONS", "; ± two standard errors");
	buffer_text(t->page.out, "  self      ±   total  ");
	text_fit(t->page.out, "function", 8, name_columns + 2, true);
	buffer_text(t->page.out, "module\n");
	for (uint32_t i = 0; i < count; i++) {
		const struct call_frame *f = &k->tree.frames.items[t->top[i]];
		const struct call_sum *s = &k->functions[t->top[i]];

		put_share(t, s->self_value, s->self_count);
		buffer_printf(t->page.out, "  %6.1f  ", figure_share(s->total_value, k->value));
		put_name(t, t->page.out, f->name, name_columns, true);
		buffer_text(t->page.out, "  ");
		put_module(t, f, module_columns);
		page_end_row(&t->page);
		rest -= s->self_value;
	}
	for (uint32_t i = 0; i < k->tree.frames.count; i++)
		all += k->functions[i].self_value > 0;
	if (all > count)
		buffer_printf(t->page.out, "%6.1f  %15sin %s more function%s\n",
			      figure_share(rest, k->value), "", figure_count(all - count).text,
			      figure_plural(all - count));
	if (k->stackless_value)
		buffer_printf(t->page.out, "%6.1f  %15swithout a stack\n",
			      figure_share(k->stackless_value, k->value), "");
}

/* "/usr/src/a.c", 12: "a.c:12", in so many columns. */
static void put_line(struct text *t, const struct ranking_line *l, size_t columns)
{
	const struct profile_string *file = &t->p->strings.items[l->file];
	const char *slash = memrchr(file->text, '/', file->len);
	size_t skip = slash ? (size_t)(slash + 1 - file->text) : 0;
	char number[16];
	int digits = snprintf(number, sizeof(number), ":%" PRIu32, l->line);
	const struct profile_string name = { file->text + skip, file->len - (uint32_t)skip };
	size_t before = t->page.out->len, used;

	page_name(&t->page, t->page.out, &name, columns - (size_t)digits, false);
	buffer_text(t->page.out, number);
	if (buffer_error(t->page.out) < 0)
		return;
	used = text_width(t->page.out->data + before, t->page.out->len - before);
	page_spaces(&t->page, columns > used ? columns - used : 0);
}

/* Only where some are known. */
static void lines_table(struct text *t)
{
	const size_t line_columns = (t->page.columns - 17) / 3;
	const struct ranking *k = &t->ranking;
	uint32_t count = ranking_top_lines(k, row_limit(t, 5), t->top);

	if (!count)
		return;
	title(t, "LINES", "; of the innermost function");
	buffer_text(t->page.out, "  self      ±  ");
	text_fit(t->page.out, "source line", 11, line_columns + 2, true);
	buffer_text(t->page.out, "function\n");
	for (uint32_t i = 0; i < count; i++) {
		const struct ranking_line *l = &k->lines.items[t->top[i]];

		put_share(t, l->value, l->count);
		buffer_text(t->page.out, "  ");
		put_line(t, l, line_columns);
		buffer_text(t->page.out, "  ");
		put_name(t, t->page.out, l->function, t->page.columns - line_columns - 17, false);
		page_end_row(&t->page);
	}
}

static void put_pids(struct text *t, uint32_t process, size_t columns)
{
	const struct ranking *k = &t->ranking;
	uint32_t top[SHOWN_PIDS], all = k->processes.items[process].pid_count;

	buffer_clear(&t->page.scratch);
	if (all > SHOWN_PIDS) {
		buffer_printf(&t->page.scratch, "%s pids", figure_count(all).text);
	} else {
		ranking_top_pids(k, process, SHOWN_PIDS, top);
		for (uint32_t i = 0; i < all; i++)
			buffer_printf(&t->page.scratch, "%s%" PRId64, i ? ", " : "",
				      k->pids.items[top[i]].pid);
	}
	text_fit(t->page.out, t->page.scratch.data, t->page.scratch.len, columns, false);
}

static void processes_table(struct text *t)
{
	const struct ranking *k = &t->ranking;
	const bool by_comm = group_keys_are_comm(&k->groups.keys);
	const size_t comm_columns = !by_comm               ? t->page.columns - 58
				    : t->page.columns < 80 ? 16
							   : 24;
	uint32_t count = ranking_top_processes(k, row_limit(t, 10), t->top), all = 0;
	uint64_t rest = k->value;

	title(t, by_comm ? "PROCESSES" : "GROUPS", "; kernel: % of its own");
	buffer_printf(t->page.out, " share      ±  %6s  kernel  ",
		      t->ranking.is_time ? "CPU s"
		      : is_large(t)      ? "G"
					 : "count");
	text_fit(t->page.out, by_comm ? "process" : "group  ", 7, comm_columns + 2, true);
	buffer_text(t->page.out, "pid\n");
	for (uint32_t i = 0; i < count; i++) {
		const struct ranking_process *row = &k->processes.items[t->top[i]];

		put_share(t, row->value, row->count);
		buffer_printf(t->page.out, "  %6s  %6.1f  ", amount(t, row->value).text,
			      figure_share(row->kernel_value, row->value));
		page_name(&t->page, t->page.out, &row->name, comm_columns, true);
		buffer_text(t->page.out, "  ");
		put_pids(t, t->top[i], t->page.columns - comm_columns - 33);
		page_end_row(&t->page);
		rest -= row->value;
	}
	for (uint32_t i = 0; i < k->processes.count; i++)
		all += k->processes.items[i].value > 0;
	if (all > count)
		buffer_printf(t->page.out, "%6.1f  %7s%6s  %8sin %s%s more %s%s\n",
			      figure_share(rest, k->value), "", amount(t, rest).text, "",
			      by_comm ? "processes of " : "", figure_count(all - count).text,
			      by_comm ? "name" : "group", figure_plural(all - count));
}

/* Files of one program don't say whose their samples are. */
static bool has_processes(const struct text *t)
{
	return t->facts->cpus_online || t->ranking.processes.count > 1 ||
	       t->ranking.processes.items[0].name.len;
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* A frame, and how often it called itself directly. */
struct stack_part {
	uint32_t frame;
	uint32_t inlined; /* into its caller: it is no call */
	uint32_t repeats;
};

struct stack_parts {
	ARRAY(struct stack_part) parts; /* leaf first */
};

static int fold_stack(const struct text *t, uint32_t node, struct stack_parts *s)
{
	const struct calltree *tree = &t->ranking.tree;

	s->parts.count = 0;
	for (; node; node = tree->nodes.items[node].parent) {
		const struct call_node *n = &tree->nodes.items[node];
		struct stack_part *last = s->parts.count ? &s->parts.items[s->parts.count - 1]
							 : NULL;
		struct stack_part *added;

		if (last && last->frame == n->frame && last->inlined == n->inlined) {
			last->repeats++;
			continue;
		}
		added = array_push(&s->parts, tree->nodes.count);
		if (!added)
			return -ENOMEM;
		*added = (struct stack_part){ n->frame, n->inlined, 1 };
	}
	return 0;
}

static void say_part(struct text *t, const struct stack_part *part, bool first)
{
	if (!first)
		page_say(&t->page, PAGE_ARROW);
	put_name(t, &t->page.sentence, t->ranking.tree.frames.items[part->frame].name,
		 (t->page.columns - 15) * 3 / 5, false);
	if (part->inlined)
		page_say(&t->page, " (inlined)");
	if (part->repeats > 1)
		page_say(&t->page, " ×%" PRIu32, part->repeats);
}

/* "comm: leaf ← caller ← … 5 more … ← main", with `leaves` frames before what is left out. */
static void say_stack(struct text *t, uint32_t process, const struct stack_parts *s,
		      uint32_t leaves)
{
	uint32_t all = s->parts.count;
	uint32_t roots = all > STACK_ROOT_FRAMES ? STACK_ROOT_FRAMES : 0;
	uint64_t hidden = 0;

	page_discard(&t->page);
	if (has_processes(t)) {
		page_name(&t->page, &t->page.sentence, &t->ranking.processes.items[process].name,
			  32, false);
		page_say(&t->page, ": ");
	}
	if (!all)
		page_say(&t->page, "[no stack]");
	if (leaves + roots >= all) {
		leaves = all;
		roots = 0;
	}
	for (uint32_t i = 0; i < leaves; i++)
		say_part(t, &s->parts.items[i], i == 0);
	/* Frames, not parts: stacks that differ by a recursion there look different. */
	for (uint32_t i = leaves; i < all - roots; i++)
		hidden += s->parts.items[i].repeats;
	if (hidden)
		page_say(&t->page, PAGE_ARROW "… %" PRIu64 " more …", hidden);
	for (uint32_t i = all - roots; i < all; i++)
		say_part(t, &s->parts.items[i], false);
}

static int put_stack(struct text *t, const struct ranking_stack *row, struct stack_parts *s)
{
	const size_t indent = 15;
	uint32_t leaves;
	int r = fold_stack(t, row->node, s);

	if (r < 0)
		return r;
	leaves = s->parts.count < STACK_LEAF_FRAMES ? s->parts.count : STACK_LEAF_FRAMES;
	put_share(t, row->value, row->count);
	buffer_text(t->page.out, "  ");
	do {
		say_stack(t, row->process, s, leaves);
	} while (page_stack_lines(&t->page, indent) > STACK_LINES && --leaves > 1);
	page_hang_stack(&t->page, indent);
	return 0;
}

static int stacks_table(struct text *t)
{
	struct stack_parts s = { 0 };
	uint32_t count = ranking_top_stacks(&t->ranking, row_limit(t, 5), t->top);
	int r = 0;

	title(t, "STACKS", ": leaf ← caller");
	if (!count)
		buffer_text(t->page.out, "       no stack was sampled more than once\n");
	for (uint32_t i = 0; i < count && r == 0; i++)
		r = put_stack(t, &t->ranking.stacks.items[t->top[i]], &s);
	array_release(&s.parts);
	return r;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* The profile has samples, or had, and none of what was asked for. */
static void nothing_selected(struct text *t)
{
	page_attribute(&t->page, PAGE_BOLD);
	page_say(&t->page, "No sample is what was asked for.");
	page_paragraph(&t->page, 0);
	page_attribute(&t->page, PAGE_PLAIN);
}

static void nothing(struct text *t)
{
	uint64_t refused = counter_get(&t->p->counters, COUNTER_SAMPLES_FILTERED);

	page_attribute(&t->page, PAGE_BOLD);
	page_say(&t->page, "No %s was sampled", t->ranking.noun);
	say_cpus(t);
	page_say(&t->page, ".");
	page_paragraph(&t->page, 0);
	page_attribute(&t->page, PAGE_PLAIN);
	if (counters_lost(&t->p->counters))
		page_say(&t->page, "Every sample was lost: see below.");
	else if (refused)
		page_say(&t->page,
			 "The filter let none of %s samples through: what it names did not run.",
			 figure_count(refused).text);
	else if (t->facts->filtered)
		page_say(&t->page, "What the filter names did not run.");
	else
		page_say(&t->page, "The machine was idle, or the time was too short for a sample.");
	if (t->facts->busy_ns)
		page_say(&t->page, " By /proc/stat the CPUs were busy for %s s.",
			 figure_value(t->facts->busy_ns).text);
	page_paragraph(&t->page, 0);
}

static int answer(struct text *t)
{
	int r;

	if (!t->ranking.count && t->p->selected) {
		nothing_selected(t);
		return 0;
	}
	if (!t->ranking.count) {
		nothing(t);
		quality_write(&t->page, &t->ranking);
		return 0;
	}
	headline(t);
	split_line(t);
	functions_table(t);
	lines_table(t);
	if (has_processes(t))
		processes_table(t);
	r = stacks_table(t);
	if (r < 0)
		return r;
	quality_write(&t->page, &t->ranking);
	return 0;
}

static uint32_t clamp(uint32_t value, uint32_t usual, uint32_t least, uint32_t most)
{
	if (!value)
		return usual;
	return value < least ? least : value > most ? most : value;
}

int text_encode(const struct profile *p, const struct text_options *options, struct buffer *out)
{
	static const struct text_options usual;
	const struct text_options *o = options ? options : &usual;
	struct text *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->p = p;
	t->facts = &p->facts;
	t->rows = clamp(o->rows, 0, 1, MAX_ROWS);
	page_init(&t->page, out, clamp(o->columns, DEFAULT_COLUMNS, MIN_COLUMNS, MAX_COLUMNS),
		  o->color);
	r = ranking_init(&t->ranking, p, o->by.count ? &o->by : NULL);
	if (r == 0)
		r = answer(t);
	if (r == 0)
		r = page_error(&t->page);
	ranking_release(&t->ranking);
	page_release(&t->page);
	free(t);
	return r;
}
