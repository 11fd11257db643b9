/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which BPF program lay where, and when: by the events in which the kernel says that it has made code or
 * gives it back (PERF_RECORD_KSYMBOL). Its memory is used again at once, and /proc/kallsyms tells only
 * what is there when it is read. So:
 *
 *	sampled between both events, or up to 1 s after the second	that program
 *	sampled before a program was given back that was there		that program
 *	before us
 *	sampled otherwise where any event was about			nobody knows: no name
 *	where no event was about					as /proc/kallsyms has it: what is
 *									there now was there then
 *
 * Beside the events there are lists of all programs, one from the start: so that what /proc/kallsyms names, which
 * doesn't say how long a program is, can't be a classic filter (seccomp, sockets) behind it, which is in no list.
 *
 * After events were lost, or refused for want of room, a new list says which programs are still what they were: those keep their
 * names. One that is gone and another that came, without an event, have none (BPF_NAMES_WITHHELD); nor have trampolines and
 * dispatchers, which are in no list. Until there is such a list, or where the kernel makes none, no BPF program has a name.
 */
#ifndef AGENT_BPF_CODE_H
#define AGENT_BPF_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/aggregate/window.h"

struct bpf_code;

/* 0 or -ENOMEM. */
int bpf_code_new(struct bpf_code **ret);
void bpf_code_free(struct bpf_code *c);

/* In order of time. The name is copied; start < end. */
void bpf_code_registered(struct bpf_code *c, uint64_t time_ns, uint64_t start, uint64_t end,
			 const char *name);
void bpf_code_unregistered(struct bpf_code *c, uint64_t time_ns, uint64_t start, uint64_t end,
			   const char *name);
/* Events up to that time may be missing. */
void bpf_code_lost(struct bpf_code *c, uint64_t time_ns);

/* All programs that were there at time_ns: each, then the end. In order of time with the events. */
void bpf_code_listed(struct bpf_code *c, uint64_t time_ns, uint64_t start, uint64_t end,
		     const char *name);
void bpf_code_list_end(struct bpf_code *c, uint64_t time_ns);
/* Would a list help? */
bool bpf_code_wants_list(const struct bpf_code *c);

/* Are there nearly as many programs as there may be, or more? */
bool bpf_code_is_full(const struct bpf_code *c);

/*
 * The window space of a kernel address that was sampled at that time: WINDOW_SPACE_KERNEL, WINDOW_SPACE_BPF_GONE
 * or from WINDOW_SPACE_BPF on.
 */
uint32_t bpf_code_space(const struct bpf_code *c, uint64_t time_ns, uint64_t address);

/* ---- for who names it, when all events were seen ---- */

struct bpf_symbol {
	const char *name; /* as the kernel has it; borrowed; NULL: not known */
	uint64_t offset; /* in it; 0 if it is not known */
};

/* Is it known by events what was there, or that it can't be known? `space` as above. */
bool bpf_code_find(const struct bpf_code *c, uint32_t space, uint64_t address,
		   struct bpf_symbol *ret);
/* Is it the name of one that an event was about? Then what lies elsewhere is not that. */
bool bpf_code_knows(const struct bpf_code *c, const char *name);
/* May BPF programs that no event was about have the names of /proc/kallsyms? */
bool bpf_code_is_certain(const struct bpf_code *c);

static inline bool bpf_code_is_space(uint32_t space)
{
	return space == WINDOW_SPACE_BPF_GONE ||
	       (space >= WINDOW_SPACE_BPF && space < WINDOW_SPACE_CODE);
}

#endif
