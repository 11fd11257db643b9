// SPDX-License-Identifier: Apache-2.0
/*
 * One paragraph for each kind of gap, and one for all counters that have no sentence of their own, so that
 * a new counter is never silent.
 */
#include "profiler/encode/quality.h"

#include <inttypes.h>

#include "profiler/encode/figure.h"
#include "profiler/model/runtime.h"

/* Less is shown as 0.0. */
#define SHOWN_SHARE 0.05
#define SHOWN_UNNAMED 3
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
		return true;
	default:
		return false;
	}
}

static void samples_line(struct page *g, const struct ranking *k)
{
	uint64_t lost = counters_lost(&k->profile->counters), taken = k->count + lost;

	page_say(g, "%s sample%s", figure_count(k->count).text, figure_plural(k->count));
	if (k->profile->facts.frequency_hz)
		page_say(g, " at %" PRIu32 " Hz a CPU", k->profile->facts.frequency_hz);
	if (!lost) {
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

static void stacks_line(struct page *g, const struct ranking *k)
{
	uint64_t truncated = counter(k, COUNTER_STACKS_TRUNCATED);
	uint64_t guessed = counter(k, COUNTER_FRAMES_GUESSED);

	if (truncated)
		page_say(g, "%s %% of stacks end before their outermost frame.",
			 figure_percent(figure_share(truncated, counter(k, COUNTER_SAMPLES))).text);
	if (guessed)
		page_say(g, "%s%s %% of user frames are guesses, found by frame pointer.",
			 truncated ? " " : "",
			 figure_percent(figure_share(guessed, counter(k, COUNTER_FRAMES))).text);
	page_paragraph(g, 2);
}

static const char *unnamed_reason(const struct call_frame *f)
{
	switch (f->kind) {
	case PROFILE_MAPPING_USER:
		return "has no symbol there: it was stripped";
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
	stacks_line(g, k);
	unnamed_lines(g, k);
	gaps_line(g, k);
	cost_line(g, k);
}
