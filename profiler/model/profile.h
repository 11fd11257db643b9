/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile: the plain value that everything above the window speaks. It knows nothing of processes,
 * ELF files or pprof.
 *
 *	sample ─→ series ─→ labels (key, string or number)
 *	   │
 *	   └───→ node ─→ parent … ─→ node 0      a prefix tree, leaf to root: a stack is its leaf's node
 *	           │
 *	           └─→ location ─→ mapping
 *	                   └─────→ lines (innermost inlined function first) ─→ function
 *
 * All are arrays; an id is a position in one. Strings, functions, mappings, locations, nodes, series
 * and samples are interned: adding an equal one returns the old id. String 0 is "", node 0 is the empty
 * stack. All adders return the id, or -ENOMEM / -E2BIG (the profile stays valid); none takes ownership.
 * Not thread safe.
 */
#ifndef MODEL_PROFILE_H
#define MODEL_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/arena.h"
#include "profiler/base/array.h"
#include "profiler/base/counter.h"
#include "profiler/base/index.h"

#define PROFILE_NONE UINT32_MAX

struct profile_string {
	const char *text; /* in the arena, NUL-terminated; may hold any bytes but NUL */
	uint32_t len;
};

enum profile_mapping_kind {
	PROFILE_MAPPING_USER, /* a file mapped by user space */
	PROFILE_MAPPING_KERNEL, /* the kernel, a module, BPF programs: addresses relative to its start */
	PROFILE_MAPPING_ANONYMOUS, /* memory without a file: JIT code */
	PROFILE_MAPPING_UNREAD, /* a file mapped by user space that could not be read for names */
	PROFILE_MAPPING_NONE, /* frames that lie in no known mapping, or stand for a gap */
};

struct profile_mapping {
	uint64_t start, limit; /* in the address space of its locations */
	uint64_t offset; /* file offset of start */
	uint32_t name; /* string: path, "[kernel.kallsyms]", "[ext4]", "[vdso]" … */
	uint32_t build_id; /* string: lower-case hex, or 0 */
	uint32_t kind; /* enum profile_mapping_kind */
	uint32_t reserved;
};

struct profile_function {
	uint32_t name; /* string: demangled */
	uint32_t system_name; /* string: as the file has it */
	uint32_t file; /* string: source file or 0 */
	uint32_t start_line;
};

struct profile_line {
	uint32_t function;
	uint32_t line; /* 0: not known */
};

struct profile_location {
	uint64_t address; /* an ELF address, or relative to the kernel mapping's start */
	uint32_t mapping; /* or PROFILE_NONE */
	uint32_t first_line, line_count; /* at least one line */
	uint32_t named : 1; /* 0: its function is a stand-in such as "[libc.so.6]" */
	uint32_t amended : 31; /* its number in profile.amended + 1; 0: it is as it was made */
};

/* One time that a location became known better (profile_location_amend). */
struct profile_amendment {
	uint32_t location;
	uint32_t first_line, line_count; /* with which it was made: by them it is found, too */
};

#define PROFILE_NODE_GUESSED 1 /* found by frame pointer */

struct profile_node {
	uint32_t parent;
	uint32_t location;
	uint32_t flags; /* PROFILE_NODE_* */
};

struct profile_label {
	uint32_t key; /* string */
	uint32_t text; /* string, or PROFILE_NONE if it is a number */
	int64_t number;
};

struct profile_series {
	uint32_t first_label, label_count;
};

struct profile_sample {
	uint32_t series;
	uint32_t node;
	uint64_t count; /* samples */
	uint64_t value; /* in facts.value_unit */
};

/* What is true of the whole capture. Times are nanoseconds. */
struct profile_facts {
	uint64_t time_ns; /* CLOCK_REALTIME at the start */
	uint64_t duration_ns;
	uint64_t period; /* of value: 10,101,010 for 99 Hz; mean cycles for cycles */
	uint32_t frequency_hz; /* per CPU */
	uint32_t cpus_profiled;
	uint32_t cpus_online; /* 0: of another program's file, which doesn't say */
	bool filtered; /* a filter was on: samples don't stand for the whole machine */
	/* Static, or in the profile's arena. */
	const char *event; /* "cpu-clock", "cycles" */
	const char *value_type; /* "cpu", "cycles", "samples" */
	const char *value_unit; /* "nanoseconds", "count" */
	/* From /proc/stat, over the profiled CPUs; all zero if it could not be read. */
	uint64_t machine_ns; /* CPUs × time */
	uint64_t busy_ns; /* user, system, interrupts */
	uint64_t steal_ns; /* taken by the hypervisor */
	/* Our own cost, all processes, from the first sample to the end of the capture. */
	uint64_t own_cpu_ns;
	uint64_t own_bpf_ns; /* within the programs, also charged to whom they interrupted */
	uint64_t own_memory_bytes; /* peak PSS of all our processes, 0 if not measured */
	uint64_t own_kernel_bytes; /* at most, of BPF maps and rings; those that are mapped are in the PSS, too */
	uint64_t memory_kernel_bytes; /* what those may take, but for unwind tables */
	uint64_t memory_budget_bytes; /* what all of that may take; 0: not known */
};

/* Of recordings from before it was measured, what it could be. */
static inline uint64_t profile_kernel_bytes(const struct profile_facts *f)
{
	return f->own_kernel_bytes ? f->own_kernel_bytes : f->memory_kernel_bytes;
}

struct profile {
	struct arena arena; /* texts */
	ARRAY(struct profile_string) strings;
	ARRAY(struct profile_mapping) mappings;
	ARRAY(struct profile_function) functions;
	ARRAY(struct profile_line) lines;
	ARRAY(struct profile_location) locations;
	ARRAY(struct profile_node) nodes;
	ARRAY(struct profile_label) labels;
	ARRAY(struct profile_series) series;
	ARRAY(struct profile_sample) samples;
	ARRAY(struct profile_amendment)
	amended; /* in the order in which it was done; a location may be there twice */
	struct index string_index, mapping_index, function_index, location_index, node_index,
		series_index, sample_index;
	struct profile_facts facts;
	struct counters counters; /* the losses */
	bool selected; /* samples were left out later: the counters, which are of all, are none of them */
	uint32_t max_items; /* of each array */
};

/* `max_bytes` bounds texts, `max_items` each array. 0 or -ENOMEM. */
int profile_init(struct profile *p, size_t max_bytes, uint32_t max_items);
void profile_release(struct profile *p);

int profile_string(struct profile *p, const char *text, size_t len);
int profile_mapping(struct profile *p, const struct profile_mapping *m);
int profile_function(struct profile *p, const struct profile_function *f);
/* One location is (mapping, address, lines); its lines are copied. line_count is 1 to 1,000. */
int profile_location(struct profile *p, uint32_t mapping, uint64_t address, bool named,
		     const struct profile_line *lines, uint32_t line_count);
/*
 * The same location, known better: from now on it has these lines (1 to 1,000, copied), wherever it
 * is used, and keeps its id. 0, -ENOMEM, -E2BIG: then it is as it was.
 *
 * profile_location() returns it for what it was made of, and for what it has now, or another
 * location that is one of these, too. What it had between two amendments is forgotten, and would
 * make a new one.
 */
int profile_location_amend(struct profile *p, uint32_t location, bool named,
			   const struct profile_line *lines, uint32_t line_count);
/* The child of `parent` (0: outermost frame) for `location`. */
int profile_node(struct profile *p, uint32_t parent, uint32_t location, uint32_t flags);
/* At most 64 labels, each key once; their order is part of the identity. */
int profile_series(struct profile *p, const struct profile_label *labels, uint32_t count);
/* Adds to the sample of (series, node), makes it if need be. */
int profile_add(struct profile *p, uint32_t series, uint32_t node, uint64_t count, uint64_t value);

/* The same for a sample that is there. */
void profile_add_to(struct profile *p, uint32_t sample, uint64_t count, uint64_t value);

/* Forgets the samples and nothing else: what comes next is another window of the same capture. */
void profile_clear_samples(struct profile *p);

static inline const char *profile_text(const struct profile *p, uint32_t string)
{
	return p->strings.items[string].text;
}

/* The label `key` of a series, or NULL. */
const struct profile_label *profile_label_find(const struct profile *p, uint32_t series,
					       const char *key);

/* Sums over all samples. */
uint64_t profile_total_count(const struct profile *p);
uint64_t profile_total_value(const struct profile *p);

#endif
