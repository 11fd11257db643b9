// SPDX-License-Identifier: Apache-2.0
/*
 * Two lists: all programs that an event was about, oldest first, and, for who samples, the places by
 * address, without overlaps, each with the youngest program that lay there. A program that was there
 * before us is learnt of when it goes: what was sampled in it has WINDOW_SPACE_KERNEL by then, and is
 * found among all programs when it is named.
 *
 * Refused: asking for programs by their ids (it needs CAP_SYS_ADMIN), or reading /proc/kallsyms a second time
 * (50 ms). The event that takes a name away tells it.
 */
#include "profiler/agent/bpf_code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/record.h"
#include "profiler/base/array.h"
#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"

/* At most 0.2, 0.3 and 0.5 MiB: 4,096 loads in a capture. */
#define MAX_PROGRAMS 4096u
#define MAX_PLACES (3 * MAX_PROGRAMS)
#define MAX_NAME_BYTES (512u << 10)

/* The event comes first, then a grace period (of RCU) in which a CPU may still run the program. */
#define LINGER_NS NS_PER_S

struct program {
	uint64_t start, end;
	uint64_t from_ns; /* 0: it was there before us */
	uint64_t gone_ns; /* UINT64_MAX: it is there */
	uint32_t name; /* in the buffer of names */
	uint32_t list; /* the number of the last one that it was in */
	bool vanished; /* no event said that it went */
};

struct place {
	uint64_t start, end;
	uint32_t program;
};

struct bpf_code {
	ARRAY(struct program) programs;
	ARRAY(struct place) places;
	struct buffer names; /* each with its NUL */
	uint32_t lists; /* that have ended */
	uint64_t lost_ns; /* the last time that events were lost */
	bool in_doubt; /* some were lost since the last list */
	bool lost; /* some were, ever */
	bool full; /* one was refused: no list can help any more */
	bool list_cut; /* of the list under way some had no room */
};

int bpf_code_new(struct bpf_code **ret)
{
	struct bpf_code *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	buffer_init(&c->names, MAX_NAME_BYTES);
	*ret = c;
	return 0;
}

void bpf_code_free(struct bpf_code *c)
{
	if (!c)
		return;
	array_release(&c->programs);
	array_release(&c->places);
	buffer_release(&c->names);
	free(c);
}

void bpf_code_lost(struct bpf_code *c, uint64_t time_ns)
{
	c->in_doubt = true;
	c->lost = true;
	if (c->lost_ns < time_ns)
		c->lost_ns = time_ns;
}

static void full(struct bpf_code *c)
{
	c->full = true;
	bpf_code_lost(c, UINT64_MAX);
}

/* ---- places ---- */

/* The first place that ends behind the address. */
static uint32_t place_after(const struct bpf_code *c, uint64_t address)
{
	uint32_t low = 0, high = c->places.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (c->places.items[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static const struct program *program_at(const struct bpf_code *c, uint64_t address,
					uint32_t *ret_number)
{
	uint32_t i = place_after(c, address);

	if (i == c->places.count || c->places.items[i].start > address)
		return NULL;
	*ret_number = c->places.items[i].program;
	return &c->programs.items[*ret_number];
}

/* Replaces `count` places from `first` on by `with_count` others. 0 or -ENOMEM. */
static int places_replace(struct bpf_code *c, uint32_t first, uint32_t count,
			  const struct place *with, uint32_t with_count)
{
	uint32_t behind = c->places.count - first - count;

	for (uint32_t i = count; i < with_count; i++) {
		struct place *slot = array_push(&c->places, MAX_PLACES);

		if (!slot) {
			c->places.count = first + count + behind;
			return -ENOMEM;
		}
	}
	memmove(&c->places.items[first + with_count], &c->places.items[first + count],
		behind * sizeof(*with));
	memcpy(&c->places.items[first], with, with_count * sizeof(*with));
	c->places.count = first + with_count + behind;
	return 0;
}

/* What lay there before keeps what the new one leaves of it. */
static int place_put(struct bpf_code *c, const struct place *new)
{
	uint32_t first = place_after(c, new->start), end = first, n = 0;
	struct place with[3];

	while (end < c->places.count && c->places.items[end].start < new->end)
		end++;
	if (end > first && c->places.items[first].start < new->start) {
		with[n] = c->places.items[first];
		with[n++].end = new->start;
	}
	with[n++] = *new;
	if (end > first && c->places.items[end - 1].end > new->end) {
		with[n] = c->places.items[end - 1];
		with[n++].start = new->end;
	}
	return places_replace(c, first, end - first, with, n);
}

/* ---- events ---- */

static int program_add(struct bpf_code *c, const struct program *new, const char *name)
{
	uint32_t name_at = (uint32_t)c->names.len;
	struct program *p;

	buffer_append(&c->names, name, strlen(name) + 1);
	if (buffer_error(&c->names) < 0)
		return buffer_error(&c->names);
	p = array_push(&c->programs, MAX_PROGRAMS);
	if (!p)
		return -ENOMEM;
	*p = *new;
	p->name = name_at;
	return place_put(c, &(struct place){ .start = new->start,
					     .end = new->end,
					     .program = c->programs.count - 1 });
}

void bpf_code_registered(struct bpf_code *c, uint64_t time_ns, uint64_t start, uint64_t end,
			 const char *name)
{
	const struct program new = {
		.start = start, .end = end, .from_ns = time_ns, .gone_ns = UINT64_MAX
	};

	if (program_add(c, &new, name) < 0)
		full(c);
}

void bpf_code_unregistered(struct bpf_code *c, uint64_t time_ns, uint64_t start, uint64_t end,
			   const char *name)
{
	const struct program new = { .start = start, .end = end, .gone_ns = time_ns };
	uint32_t number;

	if (program_at(c, start, &number)) {
		struct program *p = &c->programs.items[number];

		/* A list may have missed it a moment before. */
		if (p->gone_ns == UINT64_MAX || p->vanished)
			p->gone_ns = time_ns;
		p->vanished = false;
		return;
	}
	if (program_add(c, &new, name) < 0)
		full(c);
}

/* ---- lists ---- */

/* As the list has it: names of the kernel's may be longer. */
static bool same_name(const char *ours, const char *listed)
{
	return strncmp(ours, listed, RECORD_PROGRAM_NAME_BYTES - 1) == 0;
}

/* Is it one that a list has? All but trampolines and dispatchers. */
static bool is_program(const char *name)
{
	return strncmp(name, "bpf_prog_", 9) == 0;
}

void bpf_code_listed(struct bpf_code *c, uint64_t time_ns, uint64_t start, uint64_t end,
		     const char *name)
{
	const struct program new = { .start = start,
				     .end = end,
				     .from_ns = c->lists ? time_ns : 0,
				     .gone_ns = UINT64_MAX,
				     .list = c->lists + 1 };
	uint32_t number;

	if (program_at(c, start, &number)) {
		struct program *p = &c->programs.items[number];

		if (p->start == start && p->end == end && p->gone_ns == UINT64_MAX &&
		    same_name(c->names.data + p->name, name)) {
			p->list = c->lists + 1;
			return;
		}
	}
	/* Half of the room is for those that come later. */
	if (c->programs.count >= MAX_PROGRAMS / 2 || program_add(c, &new, name) < 0)
		c->list_cut = true;
}

void bpf_code_list_end(struct bpf_code *c, uint64_t time_ns)
{
	bool cut = c->list_cut;

	c->list_cut = false;
	if (cut)
		return;
	c->lists++;
	/* Where no event was lost, that of a program which is just going is still to come. */
	for (uint32_t i = 0; c->in_doubt && i < c->programs.count; i++) {
		struct program *p = &c->programs.items[i];

		if (p->gone_ns != UINT64_MAX || p->list == c->lists ||
		    !is_program(c->names.data + p->name))
			continue;
		p->gone_ns = time_ns;
		p->vanished = true;
	}
	if (c->lost_ns < time_ns)
		c->in_doubt = false;
}

bool bpf_code_wants_list(const struct bpf_code *c)
{
	return c->in_doubt && !c->full;
}

uint32_t bpf_code_space(const struct bpf_code *c, uint64_t time_ns, uint64_t address)
{
	const struct program *p;
	uint32_t number;

	/* Mostly it is the kernel itself, which lies elsewhere. */
	if (!c->places.count || address < c->places.items[0].start ||
	    address >= c->places.items[c->places.count - 1].end)
		return WINDOW_SPACE_KERNEL;
	p = program_at(c, address, &number);
	if (!p)
		return WINDOW_SPACE_KERNEL;
	if (time_ns < p->from_ns || (time_ns > p->gone_ns && time_ns - p->gone_ns > LINGER_NS))
		return WINDOW_SPACE_BPF_GONE;
	return WINDOW_SPACE_BPF + number;
}

/* ---- names ---- */

static struct bpf_symbol symbol_of(const struct bpf_code *c, const struct program *p,
				   uint64_t address)
{
	const char *name = c->names.data + p->name;

	if (c->in_doubt || p->vanished || !*name || (c->lost && !is_program(name)))
		return (struct bpf_symbol){ 0 };
	return (struct bpf_symbol){ .name = name, .offset = address - p->start };
}

bool bpf_code_find(const struct bpf_code *c, uint32_t space, uint64_t address,
		   struct bpf_symbol *ret)
{
	if (space == WINDOW_SPACE_BPF_GONE) {
		*ret = (struct bpf_symbol){ 0 };
		return true;
	}
	if (bpf_code_is_space(space)) {
		*ret = symbol_of(c, &c->programs.items[space - WINDOW_SPACE_BPF], address);
		return true;
	}
	if (space != WINDOW_SPACE_KERNEL)
		return false;
	/* It was sampled before the first event was about it. */
	for (uint32_t i = 0; i < c->programs.count; i++) {
		const struct program *p = &c->programs.items[i];

		if (address < p->start || address >= p->end)
			continue;
		*ret = p->from_ns ? (struct bpf_symbol){ 0 } : symbol_of(c, p, address);
		return true;
	}
	return false;
}

bool bpf_code_is_full(const struct bpf_code *c)
{
	return c->full || c->programs.count >= MAX_PROGRAMS / 10 * 9 ||
	       c->names.len >= MAX_NAME_BYTES / 10 * 9;
}

bool bpf_code_is_certain(const struct bpf_code *c)
{
	return !c->in_doubt && !c->lost;
}

bool bpf_code_knows(const struct bpf_code *c, const char *name)
{
	for (uint32_t i = 0; i < c->programs.count; i++)
		if (!strcmp(c->names.data + c->programs.items[i].name, name))
			return true;
	return false;
}
