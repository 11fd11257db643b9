// SPDX-License-Identifier: Apache-2.0
/*
 * Each comment is matched against its pattern from left to right: fixed words, and numbers between them. A comment
 * that isn't exactly so is somebody's words and changes nothing.
 *
 * Refused: fields of our own in the message. Tools that rewrite pprof files drop those, and keep comments.
 */
#include "profiler/decode/remarks.h"

#include <math.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/number.h"

/* What is left of a comment; NULL once something didn't match. */
struct scan {
	const char *at;
};

static bool skip(struct scan *s, const char *words)
{
	size_t len = strlen(words);

	if (s->at && !strncmp(s->at, words, len)) {
		s->at += len;
		return true;
	}
	s->at = NULL;
	return false;
}

static bool skip_if(struct scan *s, const char *words)
{
	return s->at && !strncmp(s->at, words, strlen(words)) && skip(s, words);
}

static uint64_t number(struct scan *s, uint64_t max)
{
	uint64_t value = 0;
	size_t len = s->at ? strspn(s->at, "0123456789") : 0;

	if (!len || number_parse(s->at, len, max, &value) < 0)
		s->at = NULL;
	else
		s->at += len;
	return value;
}

/* "12.34" in units of `unit`; the digits behind the point are as many as there are. */
static uint64_t decimal(struct scan *s, double unit)
{
	uint64_t whole = number(s, UINT32_MAX), part;
	double value = (double)whole, scale = 1;
	const char *digits;

	if (!skip(s, "."))
		return 0;
	digits = s->at;
	part = number(s, UINT32_MAX);
	for (; s->at && digits < s->at; digits++)
		scale *= 10;
	return (uint64_t)llround((value + (double)part / scale) * unit);
}

static bool is_whole(const struct scan *s)
{
	return s->at && !*s->at;
}

bool remarks_begin(struct profile *p, const char *comment)
{
	struct scan s = { comment };
	struct profile_facts f = p->facts;
	const char *event;
	size_t len;

	if (!skip(&s, "slowburn: "))
		return false;
	f.filtered = skip_if(&s, "what its filter let through, ");
	if (!f.filtered && !skip(&s, "the whole machine, "))
		return false;
	event = s.at;
	len = strcspn(event, ",");
	s.at += len;
	skip(&s, ", ");
	f.frequency_hz = (uint32_t)number(&s, UINT32_MAX);
	skip(&s, " samples a second on ");
	f.cpus_profiled = (uint32_t)number(&s, UINT32_MAX);
	skip(&s, " of ");
	f.cpus_online = (uint32_t)number(&s, UINT32_MAX);
	skip(&s, " CPUs");
	f.event = is_whole(&s) ? arena_copy(&p->arena, event, len) : NULL;
	if (!f.event)
		return false;
	p->facts = f;
	return true;
}

static bool take_stat(struct profile_facts *f, const char *comment)
{
	struct scan s = { comment };
	uint64_t busy, machine, steal;

	skip(&s, "/proc/stat: busy ");
	busy = decimal(&s, NS_PER_S);
	skip(&s, " s of ");
	machine = decimal(&s, NS_PER_S);
	skip(&s, " s, stolen ");
	steal = decimal(&s, NS_PER_S);
	skip(&s, " s");
	if (!is_whole(&s))
		return false;
	f->busy_ns = busy;
	f->machine_ns = machine;
	f->steal_ns = steal;
	return true;
}

static bool take_cost(struct profile_facts *f, const char *comment)
{
	struct scan s = { comment };
	uint64_t cpu, bpf;

	skip(&s, "own cost while sampling: ");
	cpu = decimal(&s, NS_PER_S);
	skip(&s, " s of CPU, ");
	bpf = decimal(&s, NS_PER_S);
	skip(&s, " s within BPF programs");
	if (!is_whole(&s))
		return false;
	f->own_cpu_ns = cpu;
	f->own_bpf_ns = bpf;
	return true;
}

static bool take_memory(struct profile_facts *f, const char *comment)
{
	struct scan s = { comment };
	uint64_t memory, kernel, budget;

	skip(&s, "own memory: ");
	memory = decimal(&s, 1 << 20);
	skip(&s, " MiB, and ");
	kernel = decimal(&s, 1 << 20);
	skip(&s, " in the kernel for rings and maps, of ");
	budget = decimal(&s, 1 << 20);
	skip(&s, " allowed");
	if (!is_whole(&s))
		return false;
	f->own_memory_bytes = memory;
	f->own_kernel_bytes = kernel;
	f->memory_budget_bytes = budget;
	return true;
}

void remarks_take(struct profile *p, const char *comment)
{
	struct scan s = { comment };
	uint64_t value;

	if (take_stat(&p->facts, comment) || take_cost(&p->facts, comment) ||
	    take_memory(&p->facts, comment))
		return;
	value = number(&s, UINT64_MAX);
	if (!skip(&s, " "))
		return;
	for (enum counter id = 0; id < COUNTER_COUNT; id++)
		if (!strcmp(s.at, counter_help(id)))
			p->counters.value[id] = value;
}
