// SPDX-License-Identifier: Apache-2.0
/*
 * Layout only: the figures are ranking.h's. A table's columns are of fixed width but for the name, which
 * gets what is left and is shortened sensibly (name.h); sentences are wrapped. What doesn't fit into a
 * table is its last line, so that a column adds up to what its title says.
 *
 * Refused: bars and boxes. This is read in pagers, tickets and chat windows too.
 */
#include "profiler/encode/text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/encode/name.h"
#include "profiler/encode/ranking.h"

#define DEFAULT_COLUMNS 100
#define MIN_COLUMNS 60
#define MAX_COLUMNS 1000
#define MAX_ROWS 1000
#define STACK_LEAF_FRAMES 30 /* shown at most, nearest the leaf */
#define STACK_ROOT_FRAMES 2
#define STACK_LINES 2 /* unless two frames at each end need more */
#define SHOWN_PIDS 3
#define SHOWN_UNNAMED 3

#define ARROW " ← "

enum attribute { PLAIN, BOLD, DIM, ALARM };

struct text {
	const struct profile *p;
	const struct profile_facts *facts;
	struct ranking ranking;
	struct buffer *out;
	struct buffer scratch; /* a name */
	struct buffer sentence; /* a paragraph before it is wrapped */
	uint32_t top[MAX_ROWS];
	uint32_t columns, rows;
	bool color;
	bool is_time; /* the value is CPU time */
};

static void attribute(struct text *t, enum attribute a)
{
	static const char *const codes[] = {
		[PLAIN] = "\033[m", [BOLD] = "\033[1m", [DIM] = "\033[2m", [ALARM] = "\033[1;31m"
	};

	if (t->color)
		buffer_text(t->out, codes[a]);
}

static void spaces(struct text *t, size_t count)
{
	for (; count > 0; count--)
		buffer_append(t->out, " ", 1);
}

/* ---- figures --------------------------------------------------------------------------------- */

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Two standard errors of a share, in percent points: `part` of `whole` samples. */
static double error_points(uint64_t part, uint64_t whole)
{
	double p;

	if (!whole)
		return 0;
	p = (double)part / (double)whole;
	return p < 1 ? 200 * sqrt(p * (1 - p) / (double)whole) : 0;
}

/* A number that a sentence can hold. Callers use up to four in one printf. */
struct figure {
	char text[40];
};

/* "66", "6.6", "0.66", "<0.01", "0" */
static struct figure figure_percent(double x)
{
	struct figure f;

	if (x <= 0)
		snprintf(f.text, sizeof(f.text), "0");
	else if (x < 0.01)
		snprintf(f.text, sizeof(f.text), "<0.01");
	else
		snprintf(f.text, sizeof(f.text), "%.*f", x >= 9.95 ? 0 : x >= 0.995 ? 1 : 2, x);
	return f;
}

/* "1,322" */
static struct figure figure_count(uint64_t n)
{
	struct figure f;
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), used = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			f.text[used++] = ',';
		f.text[used++] = digits[i];
	}
	f.text[used] = '\0';
	return f;
}

/* Seconds, or thousand millions of cycles: three digits or so. */
static struct figure figure_value(uint64_t value)
{
	double x = (double)value / 1e9;
	struct figure f;

	snprintf(f.text, sizeof(f.text), "%.*f", x >= 99.95 ? 0 : x >= 9.995 ? 1 : 2, x);
	return f;
}

/* ---- paragraphs ------------------------------------------------------------------------------ */

/* May the line end at this space? A stack's only before an arrow, a sentence's not before "%". */
static bool may_end(const char *s, size_t len, bool stack)
{
	if (stack)
		return len >= strlen(ARROW) && !memcmp(s, ARROW, strlen(ARROW));
	return len > 1 && *s == ' ' && s[1] != '%';
}

/* The length of the line that begins at `s`. */
static size_t line_end(const char *s, size_t len, size_t columns, bool stack)
{
	size_t width = 0, best = 0;

	for (size_t i = 0; i < len; i++) {
		if (may_end(s + i, len - i, stack))
			best = i;
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
		if (width > columns)
			return best ? best : i;
	}
	return len;
}

/* Writes the sentence, wrapped, each line but the first `indent` deep. Returns the number of lines. */
static uint32_t wrap(struct text *t, struct buffer *out, size_t indent, bool stack)
{
	const char *s = buffer_cstr(&t->sentence);
	size_t len = t->sentence.len;
	uint32_t lines = 0;

	while (s && len) {
		size_t n = line_end(s, len, t->columns - indent, stack);

		if (out) {
			for (size_t i = 0; lines && i < indent; i++)
				buffer_text(out, " ");
			buffer_append(out, s, n);
			buffer_text(out, "\n");
		}
		lines++;
		while (n < len && s[n] == ' ')
			n++;
		s += n;
		len -= n;
	}
	return lines;
}

static void paragraph(struct text *t, size_t indent)
{
	if (!t->sentence.len)
		return;
	spaces(t, indent);
	wrap(t, t->out, indent, false);
	buffer_clear(&t->sentence);
}

/* As printf, for the sentence. */
#define say(t, ...) buffer_printf(&(t)->sentence, __VA_ARGS__)

/* "CPU time", "cycles": what percentages are of. */
static const char *value_noun(const struct text *t)
{
	return t->is_time ? "CPU time" : t->facts->value_type;
}

static void title(struct text *t, const char *name, const char *meaning)
{
	buffer_text(t->out, "\n");
	attribute(t, BOLD);
	buffer_text(t->out, name);
	attribute(t, PLAIN);
	attribute(t, DIM);
	buffer_printf(t->out, "  %% of %s sampled%s\n", value_noun(t), meaning);
	attribute(t, PLAIN);
}

/* Escapes a string of the profile into scratch, which is then valid until the next one. */
static const struct buffer *escaped(struct text *t, const char *s, size_t len)
{
	buffer_clear(&t->scratch);
	text_escape(&t->scratch, len ? s : "[unknown]", len ? len : strlen("[unknown]"));
	if (buffer_error(&t->scratch))
		t->out->error = buffer_error(&t->scratch);
	return &t->scratch;
}

static void put_name(struct text *t, struct buffer *out, uint32_t string, size_t columns, bool pad)
{
	const struct profile_string *s = &t->p->strings.items[string];
	const struct buffer *name = escaped(t, s->text, s->len);

	if (!buffer_error(name))
		name_fit(out, name->data, name->len, columns, pad);
}

/* ---- the first lines ------------------------------------------------------------------------- */

static uint64_t product_capped(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void say_cpus(struct text *t)
{
	const struct profile_facts *f = t->facts;

	say(t, "in %s s on %" PRIu32, figure_value(f->duration_ns).text, f->cpus_profiled);
	if (f->cpus_profiled < f->cpus_online)
		say(t, " of %" PRIu32, f->cpus_online);
	say(t, " CPU%s", plural(f->cpus_online));
}

static void headline(struct text *t)
{
	const struct profile_facts *f = t->facts;
	uint64_t machine = f->machine_ns ? f->machine_ns : f->cpus_profiled * f->duration_ns;

	if (t->is_time)
		say(t, "%s s of CPU ", figure_value(t->ranking.value).text);
	else
		say(t, "%s G %s ", figure_value(t->ranking.value).text, f->value_type);
	say_cpus(t);
	if (t->is_time && f->duration_ns)
		say(t, ": %.2f cores, %s %% of %s",
		    (double)t->ranking.value / (double)f->duration_ns,
		    figure_percent(percent(t->ranking.value, machine)).text,
		    f->cpus_profiled < f->cpus_online ? "these CPUs" : "the machine");
	attribute(t, BOLD);
	paragraph(t, 0);
	attribute(t, PLAIN);
}

static void split_line(struct text *t)
{
	const struct profile_facts *f = t->facts;
	double kernel = percent(t->ranking.kernel_value, t->ranking.value);

	say(t, "user %s %%, kernel %s %% of it", figure_percent(100 - kernel).text,
	    figure_percent(kernel).text);
	if (t->is_time && f->busy_ns) {
		double share = percent(t->ranking.value, f->busy_ns);

		if (f->filtered)
			say(t, "; a filter was on: this is %s %% of what was busy by /proc/stat",
			    figure_percent(share).text);
		else
			say(t, "; %s %% of what was busy by /proc/stat was sampled",
			    figure_percent(share).text);
	} else if (f->filtered) {
		say(t, "; a filter was on");
	}
	if (f->steal_ns)
		say(t, "; the hypervisor took another %s s (%s %% of the machine)",
		    figure_value(f->steal_ns).text,
		    figure_percent(percent(f->steal_ns, f->machine_ns)).text);
	paragraph(t, 0);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static uint32_t row_limit(const struct text *t, uint32_t usual)
{
	return t->rows ? t->rows : usual;
}

/* Ends a line; a last column that is empty leaves no spaces. */
static void end_row(struct text *t)
{
	while (t->out->len && t->out->data[t->out->len - 1] == ' ')
		t->out->len--;
	buffer_text(t->out, "\n");
}

/* "  23.4   ±2.3" */
static void put_share(struct text *t, uint64_t value, uint64_t count)
{
	double share = percent(value, t->ranking.value);
	char error[16];

	snprintf(error, sizeof(error), "±%.1f", error_points(count, t->ranking.count));
	if (share >= 10)
		attribute(t, BOLD);
	buffer_printf(t->out, "%6.1f", share);
	if (share >= 10)
		attribute(t, PLAIN);
	attribute(t, DIM);
	spaces(t, 7 - text_width(error, strlen(error)));
	buffer_text(t->out, error);
	attribute(t, PLAIN);
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
	name = is_kernel_image(m) ? escaped(t, "[kernel]", strlen("[kernel]"))
				  : escaped(t, m->text, m->len);
	attribute(t, DIM);
	if (!buffer_error(name))
		text_fit(t->out, name->data, name->len, columns, false);
	attribute(t, PLAIN);
}

static void functions_table(struct text *t)
{
	const size_t module_columns = t->columns / 5;
	const size_t name_columns = t->columns - module_columns - 25;
	const struct ranking *k = &t->ranking;
	uint32_t count = ranking_top_functions(k, row_limit(t, 15), t->top), all = 0;
	uint64_t rest = k->value;

	title(t, "FUNCTIONS", "; ± two standard errors");
	buffer_text(t->out, "  self      ±   total  ");
	text_fit(t->out, "function", 8, name_columns + 2, true);
	buffer_text(t->out, "module\n");
	for (uint32_t i = 0; i < count; i++) {
		const struct call_frame *f = &k->tree.frames.items[t->top[i]];
		const struct call_sum *s = &k->functions[t->top[i]];

		put_share(t, s->self_value, s->self_count);
		buffer_printf(t->out, "  %6.1f  ", percent(s->total_value, k->value));
		put_name(t, t->out, f->name, name_columns, true);
		buffer_text(t->out, "  ");
		put_module(t, f, module_columns);
		end_row(t);
		rest -= s->self_value;
	}
	for (uint32_t i = 0; i < k->tree.frames.count; i++)
		all += k->functions[i].self_value > 0;
	if (all > count)
		buffer_printf(t->out, "%6.1f  %15sin %s more function%s\n", percent(rest, k->value),
			      "", figure_count(all - count).text, plural(all - count));
	else if (rest)
		buffer_printf(t->out, "%6.1f  %15swithout a stack\n", percent(rest, k->value), "");
}

static void put_pids(struct text *t, uint32_t process, size_t columns)
{
	const struct ranking *k = &t->ranking;
	uint32_t top[SHOWN_PIDS], all = k->processes.items[process].pid_count;

	buffer_clear(&t->scratch);
	if (all > SHOWN_PIDS) {
		buffer_printf(&t->scratch, "%s pids", figure_count(all).text);
	} else {
		ranking_top_pids(k, process, SHOWN_PIDS, top);
		for (uint32_t i = 0; i < all; i++)
			buffer_printf(&t->scratch, "%s%" PRId64, i ? ", " : "",
				      k->pids.items[top[i]].pid);
	}
	text_fit(t->out, t->scratch.data, t->scratch.len, columns, false);
}

static void processes_table(struct text *t)
{
	const size_t comm_columns = t->columns < 80 ? 16 : 24;
	const struct ranking *k = &t->ranking;
	uint32_t count = ranking_top_processes(k, row_limit(t, 10), t->top), all = 0;
	uint64_t rest = k->value;

	title(t, "PROCESSES", "; kernel: % of its own");
	buffer_printf(t->out, " share      ±  %6s  kernel  ", t->is_time ? "CPU s" : "G");
	text_fit(t->out, "process", 7, comm_columns + 2, true);
	buffer_text(t->out, "pid\n");
	for (uint32_t i = 0; i < count; i++) {
		const struct ranking_process *row = &k->processes.items[t->top[i]];

		put_share(t, row->value, row->count);
		buffer_printf(t->out, "  %6s  %6.1f  ", figure_value(row->value).text,
			      percent(row->kernel_value, row->value));
		put_name(t, t->out, row->comm, comm_columns, true);
		buffer_text(t->out, "  ");
		put_pids(t, t->top[i], t->columns - comm_columns - 33);
		end_row(t);
		rest -= row->value;
	}
	for (uint32_t i = 0; i < k->processes.count; i++)
		all += k->processes.items[i].value > 0;
	if (all > count)
		buffer_printf(t->out, "%6.1f  %7s%6s  %8sin processes of %s more name%s\n",
			      percent(rest, k->value), "", figure_value(rest).text, "",
			      figure_count(all - count).text, plural(all - count));
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* A frame, and how often it called itself directly. */
struct stack_part {
	uint32_t frame;
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
		uint32_t frame = tree->nodes.items[node].frame;
		struct stack_part *added;

		if (s->parts.count && s->parts.items[s->parts.count - 1].frame == frame) {
			s->parts.items[s->parts.count - 1].repeats++;
			continue;
		}
		added = array_push(&s->parts, tree->nodes.count);
		if (!added)
			return -ENOMEM;
		*added = (struct stack_part){ .frame = frame, .repeats = 1 };
	}
	return 0;
}

static void say_part(struct text *t, const struct stack_part *part, bool first)
{
	if (!first)
		say(t, ARROW);
	put_name(t, &t->sentence, t->ranking.tree.frames.items[part->frame].name,
		 (t->columns - 15) * 3 / 5, false);
	if (part->repeats > 1)
		say(t, " ×%" PRIu32, part->repeats);
}

/* "comm: leaf ← caller ← … 5 more … ← main", with `leaves` frames before what is left out. */
static void say_stack(struct text *t, uint32_t comm, const struct stack_parts *s, uint32_t leaves)
{
	uint32_t all = s->parts.count;
	uint32_t roots = all > STACK_ROOT_FRAMES ? STACK_ROOT_FRAMES : 0;

	buffer_clear(&t->sentence);
	put_name(t, &t->sentence, comm, 32, false);
	say(t, ": ");
	if (!all)
		say(t, "[no stack]");
	if (leaves + roots >= all) {
		leaves = all;
		roots = 0;
	}
	for (uint32_t i = 0; i < leaves; i++)
		say_part(t, &s->parts.items[i], i == 0);
	if (leaves + roots < all)
		say(t, ARROW "… %" PRIu32 " more …", all - leaves - roots);
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
	buffer_text(t->out, "  ");
	do {
		say_stack(t, t->ranking.processes.items[row->process].comm, s, leaves);
	} while (wrap(t, NULL, indent, true) > STACK_LINES && --leaves > 1);
	wrap(t, t->out, indent, true);
	buffer_clear(&t->sentence);
	return 0;
}

static int stacks_table(struct text *t)
{
	struct stack_parts s = { 0 };
	uint32_t count = ranking_top_stacks(&t->ranking, row_limit(t, 5), t->top);
	int r = 0;

	title(t, "STACKS", ": leaf ← caller");
	if (!count)
		buffer_text(t->out, "       no stack was sampled more than once\n");
	for (uint32_t i = 0; i < count && r == 0; i++)
		r = put_stack(t, &t->ranking.stacks.items[t->top[i]], &s);
	array_release(&s.parts);
	return r;
}

/* ---- quality --------------------------------------------------------------------------------- */

static uint64_t counter(const struct text *t, enum counter id)
{
	return counter_get(&t->p->counters, id);
}

/* Said in a sentence of its own, or no loss at all. */
static bool is_said(enum counter id)
{
	switch (id) {
	case COUNTER_SAMPLES_SENT:
	case COUNTER_SAMPLES_IDLE:
	case COUNTER_SAMPLES_FILTERED:
	case COUNTER_SAMPLES:
	case COUNTER_FRAMES:
	case COUNTER_FRAMES_GUESSED:
	case COUNTER_STACKS_TRUNCATED:
		return true;
	default:
		return false;
	}
}

static void samples_line(struct text *t)
{
	uint64_t lost = counters_lost(&t->p->counters), taken = t->ranking.count + lost;

	say(t, "%s sample%s", figure_count(t->ranking.count).text, plural(t->ranking.count));
	if (t->facts->frequency_hz)
		say(t, " at %" PRIu32 " Hz a CPU", t->facts->frequency_hz);
	if (!lost) {
		say(t, ", none lost.");
		paragraph(t, 2);
		return;
	}
	say(t, "; %s lost, %s %% of all", figure_count(lost).text,
	    figure_percent(percent(lost, taken)).text);
	if (t->is_time)
		say(t, ": about %s s of CPU that is in no line above",
		    figure_value(product_capped(lost, t->facts->period)).text);
	say(t, ".");
	attribute(t, ALARM);
	paragraph(t, 2);
	attribute(t, PLAIN);
}

static void stacks_line(struct text *t)
{
	uint64_t truncated = counter(t, COUNTER_STACKS_TRUNCATED);
	uint64_t guessed = counter(t, COUNTER_FRAMES_GUESSED);

	if (truncated)
		say(t, "%s %% of stacks end before their outermost frame. ",
		    figure_percent(percent(truncated, counter(t, COUNTER_SAMPLES))).text);
	if (guessed)
		say(t, "%s %% of user frames are guesses, found by frame pointer.",
		    figure_percent(percent(guessed, counter(t, COUNTER_FRAMES))).text);
	paragraph(t, 2);
}

static const char *unnamed_reason(const struct call_frame *f)
{
	switch (f->kind) {
	case PROFILE_MAPPING_USER:
		return "has no symbol there: stripped, or could not be read";
	case PROFILE_MAPPING_KERNEL:
		return "has no name: its symbols could not be read (is kernel.kptr_restrict 2?)";
	case PROFILE_MAPPING_ANONYMOUS:
		return "is code made at run time (JIT)";
	default:
		return "is in no mapping that was known at the time";
	}
}

static void unnamed_lines(struct text *t)
{
	const struct ranking *k = &t->ranking;
	uint32_t top[SHOWN_UNNAMED], count = ranking_top_unnamed(k, SHOWN_UNNAMED, top);

	if (!count)
		return;
	say(t, "%s %% of %s sampled was in functions without a name:",
	    figure_percent(percent(k->unnamed_value, k->value)).text, value_noun(t));
	paragraph(t, 2);
	for (uint32_t i = 0; i < count; i++) {
		const struct call_frame *f = &k->tree.frames.items[top[i]];

		buffer_printf(t->out, "%6.1f  ",
			      percent(k->functions[top[i]].self_value, k->value));
		put_name(t, &t->sentence, f->name, 40, false);
		say(t, " %s", unnamed_reason(f));
		wrap(t, t->out, 8, false);
		buffer_clear(&t->sentence);
	}
}

static void gaps_line(struct text *t)
{
	bool any = false;

	for (enum counter id = 0; id < COUNTER_COUNT; id++) {
		if (!counter(t, id) || is_said(id))
			continue;
		say(t, "%s%s %s", any ? "; " : "Also counted: ", figure_count(counter(t, id)).text,
		    counter_help(id));
		any = true;
	}
	if (any)
		say(t, ".");
	paragraph(t, 2);
}

static void cost_line(struct text *t)
{
	const struct profile_facts *f = t->facts;

	if (!f->own_cpu_ns && !f->own_bpf_ns && !f->own_memory_bytes)
		return;
	say(t, "slowburn itself took %s %% of one CPU, and %s %% within its BPF programs",
	    figure_percent(percent(f->own_cpu_ns, f->duration_ns)).text,
	    figure_percent(percent(f->own_bpf_ns, f->duration_ns)).text);
	if (f->own_memory_bytes)
		say(t, "; %s MiB of memory", figure_count(f->own_memory_bytes >> 20).text);
	say(t, ".");
	paragraph(t, 2);
}

static void quality(struct text *t)
{
	buffer_text(t->out, "\n");
	attribute(t, BOLD);
	buffer_text(t->out, "QUALITY\n");
	attribute(t, PLAIN);
	samples_line(t);
	stacks_line(t);
	unnamed_lines(t);
	gaps_line(t);
	cost_line(t);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void nothing(struct text *t)
{
	uint64_t refused = counter(t, COUNTER_SAMPLES_FILTERED);

	attribute(t, BOLD);
	say(t, "No %s was sampled ", value_noun(t));
	say_cpus(t);
	say(t, ".");
	paragraph(t, 0);
	attribute(t, PLAIN);
	if (counters_lost(&t->p->counters))
		say(t, "Every sample was lost: see below.");
	else if (refused)
		say(t, "The filter let none of %s samples through: what it names did not run.",
		    figure_count(refused).text);
	else if (t->facts->filtered)
		say(t, "What the filter names did not run.");
	else
		say(t, "The machine was idle, or the time was too short for a sample.");
	if (t->facts->busy_ns)
		say(t, " By /proc/stat the CPUs were busy for %s s.",
		    figure_value(t->facts->busy_ns).text);
	paragraph(t, 0);
}

static int answer(struct text *t)
{
	int r;

	if (!t->ranking.count) {
		nothing(t);
		quality(t);
		return 0;
	}
	headline(t);
	split_line(t);
	functions_table(t);
	processes_table(t);
	r = stacks_table(t);
	if (r < 0)
		return r;
	quality(t);
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
	t->out = out;
	t->color = o->color;
	t->columns = clamp(o->columns, DEFAULT_COLUMNS, MIN_COLUMNS, MAX_COLUMNS);
	t->rows = clamp(o->rows, 0, 1, MAX_ROWS);
	t->is_time = !strcmp(p->facts.value_unit, "nanoseconds");
	buffer_init(&t->scratch, out->max);
	buffer_init(&t->sentence, out->max);
	r = ranking_init(&t->ranking, p);
	if (r == 0)
		r = answer(t);
	if (r == 0)
		r = buffer_error(&t->sentence);
	if (r == 0)
		r = buffer_error(out);
	ranking_release(&t->ranking);
	buffer_release(&t->scratch);
	buffer_release(&t->sentence);
	free(t);
	return r;
}
