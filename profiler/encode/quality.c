// SPDX-License-Identifier: Apache-2.0
/*
 * One paragraph for each kind of gap, and one for all counters that have no sentence of their own, so that
 * a new counter is never silent.
 */
#include "profiler/encode/quality.h"

#include <inttypes.h>

#include "profiler/encode/figure.h"
#include "profiler/encode/interpreter.h"
#include "profiler/model/runtime.h"

/* From so many percent on lines that are missing need no reason: some are of no line (the compiler's own code, assembler). */
#define MOST_LINED 90
/* Less is shown as 0.0. */
#define SHOWN_SHARE 0.05
#define SHOWN_UNNAMED 3
#define SHOWN_TRUNCATIONS 3 /* lines */
#define MIB ((uint64_t)1 << 20)

static uint64_t counter(const struct ranking *k, enum counter id)
{
	return counter_get(&k->profile->counters, id);
}

static uint64_t product_capped(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
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
	case COUNTER_FRAMES_ANONYMOUS: /* those without a name are among the unnamed */
	case COUNTER_STACKS_TRUNCATED:
	case COUNTER_LINE_INDEXES_MADE:
	case COUNTER_LINE_INDEXES_USED:
	case COUNTER_LINES_NONE:
	case COUNTER_LINES_BAD:
	case COUNTER_LINES_UNREAD:
	case COUNTER_LINES_LATE:
	case COUNTER_LINES_UNASKED:
	case COUNTER_LINES_LET_GO:
		return true;
	default:
		return id >= COUNTER_TRUNCATED_NO_ROW &&
		       id < COUNTER_TRUNCATED_NO_ROW + TRUNCATION_COUNT;
	}
}

static void samples_line(struct page *g, const struct ranking *k)
{
	uint64_t lost = counters_lost(&k->profile->counters), taken = k->count + lost;

	page_say(g, "%s sample%s", figure_count(k->count).text, figure_plural(k->count));
	if (k->profile->facts.frequency_hz)
		page_say(g, " at %" PRIu32 " Hz a CPU", k->profile->facts.frequency_hz);
	if (!lost) {
		if (k->profile->selected)
			page_say(g, " of those asked for; what was lost is only known for all.");
		else if (!k->profile->facts.cpus_online)
			page_say(g, "; the file doesn't say what was lost.");
		else
			page_say(g, ", none lost.");
		page_paragraph(g, 2);
		return;
	}
	page_say(g, "; %s lost, %s %% of all", figure_count(lost).text,
		 figure_percent(figure_share(lost, taken)).text);
	if (k->is_time)
		page_say(g, ": about %s s of CPU that is in no line above",
			 figure_value(product_capped(lost, k->profile->facts.period)).text);
	page_say(g, ".");
	page_attribute(g, PAGE_ALARM);
	page_paragraph(g, 2);
	page_attribute(g, PAGE_PLAIN);
}

/* What helps, or "". */
static const char *truncation_mend(const struct ranking *k, enum truncation t)
{
	const struct truncation_place *at = &k->truncations.places[t];

	switch (t) {
	case TRUNCATED_NO_ROW:
		return "a build that has it helps";
	case TRUNCATED_BAD_FRAME:
		if (at->kind != PROFILE_MAPPING_ANONYMOUS)
			return "";
		return at->python_count > at->module_count / 2
			       ? "python3 -X perf needs a python built with -fno-omit-frame-pointer"
			       : "java needs -XX:+PreserveFramePointer";
	case TRUNCATED_TOO_NEW:
	case TRUNCATED_NOT_COPIED:
		return "a longer capture has fewer of them";
	case TRUNCATED_NOT_COMPILED:
		return counter(k, COUNTER_UNWIND_REFUSED) || counter(k, COUNTER_UNWIND_EVICTED)
			       ? "more --memory helps"
			       : "a longer capture helps";
	case TRUNCATED_TOO_DEEP:
		return "the innermost frames are kept";
	default:
		return "";
	}
}

static uint64_t truncated_by(const struct ranking *k, enum truncation t)
{
	return counter(k, counter_of_truncation(t));
}

/* "12", as a share of all samples. */
static struct figure truncated_share(const struct ranking *k, uint64_t stacks)
{
	return figure_percent(figure_share(stacks, counter(k, COUNTER_SAMPLES)));
}

/* The reasons that there are, the most frequent first. How many. */
static uint32_t truncations_sort(const struct ranking *k, enum truncation sorted[TRUNCATION_COUNT])
{
	uint32_t count = 0;

	for (enum truncation t = 0; t < TRUNCATION_COUNT; t++) {
		uint32_t at = count;

		if (!truncated_by(k, t))
			continue;
		for (; at && truncated_by(k, sorted[at - 1]) < truncated_by(k, t); at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = t;
		count++;
	}
	return count;
}

/* "no unwind information, most in libx264.so.164: a build that has it helps" */
static void truncation_line(struct page *g, const struct ranking *k, enum truncation t)
{
	const struct truncation_place *at = &k->truncations.places[t];
	const struct call_module *m = &k->tree.modules.items[at->module];
	const char *mend = truncation_mend(k, t);

	buffer_printf(g->out, "%6s  ", truncated_share(k, truncated_by(k, t)).text);
	page_say(g, "%s", truncation_words(t));
	if (m->len && at->module_count) {
		const struct profile_string name = { m->text, m->len };

		page_say(g, ", %s ",
			 at->module_count == at->count      ? "all in"
			 : at->module_count > at->count / 2 ? "most in"
							    : "most often in");
		page_name(g, &g->sentence, &name, 40, false);
	}
	page_say(g, "%s%s", *mend ? ": " : "", mend);
	page_hang(g, 8);
}

/* The less frequent ones in the last line, without more about them. */
static void truncation_lines(struct page *g, const struct ranking *k, const enum truncation *sorted,
			     uint32_t count)
{
	uint32_t lines = count > SHOWN_TRUNCATIONS ? SHOWN_TRUNCATIONS - 1 : count;
	uint64_t rest = 0;

	for (uint32_t i = 0; i < lines; i++)
		truncation_line(g, k, sorted[i]);
	for (uint32_t i = lines; i < count; i++) {
		page_say(g, "%s%s", i > lines ? "; " : "", truncation_words(sorted[i]));
		rest += truncated_by(k, sorted[i]);
	}
	if (!rest)
		return;
	buffer_printf(g->out, "%6s  ", truncated_share(k, rest).text);
	page_hang(g, 8);
}

static void stacks_lines(struct page *g, const struct ranking *k)
{
	uint64_t truncated = counter(k, COUNTER_STACKS_TRUNCATED);
	uint64_t guessed = counter(k, COUNTER_FRAMES_GUESSED);
	enum truncation sorted[TRUNCATION_COUNT];
	uint32_t reasons = truncations_sort(k, sorted);

	if (truncated)
		page_say(g, "%s %% of stacks end before their outermost frame%s",
			 truncated_share(k, truncated).text, reasons ? ":" : ".");
	page_paragraph(g, 2);
	truncation_lines(g, k, sorted, reasons);
	if (guessed)
		page_say(g, "%s %% of user frames are guesses, found by frame pointer.",
			 figure_percent(figure_share(guessed, counter(k, COUNTER_FRAMES))).text);
	page_paragraph(g, 2);
}

static const char *unnamed_reason(const struct call_frame *f)
{
	switch (f->kind) {
	case PROFILE_MAPPING_USER:
		return "has no symbol there: stripped, or a stub of the linker";
	case PROFILE_MAPPING_UNREAD:
		return "could not be read: it was gone, is no binary, or reading it failed or took too long";
	case PROFILE_MAPPING_KERNEL:
		return "has no name: its symbols could not be read (no CAP_SYSLOG, kernel.kptr_restrict "
		       "is 2, or no symbolizer?)";
	case PROFILE_MAPPING_ANONYMOUS:
		return "is code made at run time (JIT)";
	default:
		return "is in no mapping that was known at the time";
	}
}

/* What would have named it, where that is known. */
static void advice_say(struct page *g, const char *stand_in)
{
	const char *advice = runtime_advice_for(stand_in);

	if (advice)
		page_say(g, ": %s", advice);
}

static void unnamed_lines(struct page *g, const struct ranking *k)
{
	uint32_t top[SHOWN_UNNAMED], count = ranking_top_unnamed(k, SHOWN_UNNAMED, top);
	uint64_t rest = k->unnamed_value;

	if (!count)
		return;
	page_say(g, "%s %% of %s sampled was in functions without a name:",
		 figure_percent(figure_share(k->unnamed_value, k->value)).text, k->noun);
	page_paragraph(g, 2);
	for (uint32_t i = 0; i < count; i++) {
		const struct call_frame *f = &k->tree.frames.items[top[i]];

		buffer_printf(g->out, "%6.1f  ",
			      figure_share(k->functions[top[i]].self_value, k->value));
		page_name(g, &g->sentence, &k->profile->strings.items[f->name], 40, false);
		page_say(g, " %s", unnamed_reason(f));
		if (f->kind == PROFILE_MAPPING_ANONYMOUS)
			advice_say(g, profile_text(k->profile, f->name));
		page_hang(g, 8);
		rest -= k->functions[top[i]].self_value;
	}
	if (figure_share(rest, k->value) >= SHOWN_SHARE)
		buffer_printf(g->out, "%6.1f  in others\n", figure_share(rest, k->value));
}

/* Interpreters whose own functions have names, and not those of the program that they run. */
static void interpreters_lines(struct page *g, const struct ranking *k)
{
	for (enum runtime r = RUNTIME_NONE + 1; r < RUNTIME_COUNT; r++) {
		uint64_t value = 0;
		double share;

		/* Without memory for it, nothing is said. */
		if (interpreter_silent_value(k->profile, r, &value) < 0)
			continue;
		share = figure_share(value, k->value);
		if (share < SHOWN_SHARE)
			continue;
		page_say(g, "%s %% of %s sampled was in %s programs that don't name their ",
			 figure_percent(share).text, k->noun, runtime_name(r));
		page_say(g, "functions: %s.", runtime_advice(r));
		page_paragraph(g, 2);
	}
}

/* Why lines are lacking, and what helps. */
static const struct {
	enum counter id;
	const char *words, *mend;
} lacks[] = {
	{ COUNTER_LINES_NONE, "without any on this machine",
	  "'slowburn doctor --symbols' tells the packages" },
	{ COUNTER_LINES_UNREAD, "too large, or that failed", "more --memory may help" },
	{ COUNTER_LINES_LATE, "that took too long", "" },
	{ COUNTER_LINES_UNASKED, "left out, as the time for it was spent", "" },
	{ COUNTER_LINES_LET_GO, "let go of when their last process had ended", "" },
	{ COUNTER_LINES_BAD, "read in part", "" },
};

static void lines_line(struct page *g, const struct ranking *k)
{
	bool any = k->lined_value != 0, first = true;
	double share;

	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++)
		any = any || counter(k, lacks[i].id);
	if (!any || !k->file_value)
		return;
	share = figure_share(k->lined_value, k->file_value);
	page_say(g, "Source lines are known of %s %% of %s in files", figure_percent(share).text,
		 k->noun);
	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		uint64_t count = counter(k, lacks[i].id);

		if (!count)
			continue;
		page_say(g, "%s %s binar%s %s", first ? "; missing:" : ",",
			 figure_count(count).text, count == 1 ? "y" : "ies", lacks[i].words);
		if (*lacks[i].mend)
			page_say(g, " (%s)", lacks[i].mend);
		first = false;
	}
	/* Of a program whose own units were built without -g, and a library in it with. */
	if (first && share < MOST_LINED)
		page_say(g, "; the rest is code that the DWARF of its binary leaves out");
	page_say(g, ".");
	page_paragraph(g, 2);
}

static void gaps_line(struct page *g, const struct ranking *k)
{
	bool any = false;

	for (enum counter id = 0; id < COUNTER_COUNT; id++) {
		if (!counter(k, id) || is_said(id))
			continue;
		page_say(g, "%s%s %s",
			 any ? "; " : "Also counted: ", figure_count(counter(k, id)).text,
			 counter_help(id));
		any = true;
	}
	if (any)
		page_say(g, ".");
	page_paragraph(g, 2);
}

static void cost_line(struct page *g, const struct ranking *k)
{
	const struct profile_facts *f = &k->profile->facts;
	uint64_t kernel_bytes = profile_kernel_bytes(f);

	if (!f->own_cpu_ns && !f->own_bpf_ns && !f->own_memory_bytes)
		return;
	page_say(
		g,
		"While it sampled, slowburn itself took %s %% of one CPU, and %s %% within its BPF programs",
		figure_percent(figure_share(f->own_cpu_ns, f->duration_ns)).text,
		figure_percent(figure_share(f->own_bpf_ns, f->duration_ns)).text);
	if (f->own_memory_bytes)
		page_say(g, "; %s MiB of memory", figure_count(f->own_memory_bytes / MIB).text);
	if (kernel_bytes)
		page_say(g, ", and %s in the kernel for rings and maps",
			 figure_count((kernel_bytes + MIB - 1) / MIB).text);
	if (f->memory_budget_bytes)
		page_say(g, ", of %s allowed", figure_count(f->memory_budget_bytes / MIB).text);
	page_say(g, ".");
	page_paragraph(g, 2);
}

void quality_write(struct page *g, const struct ranking *k)
{
	buffer_text(g->out, "\n");
	page_attribute(g, PAGE_BOLD);
	buffer_text(g->out, "QUALITY\n");
	page_attribute(g, PAGE_PLAIN);
	samples_line(g, k);
	stacks_lines(g, k);
	unnamed_lines(g, k);
	interpreters_lines(g, k);
	lines_line(g, k);
	gaps_line(g, k);
	cost_line(g, k);
}
