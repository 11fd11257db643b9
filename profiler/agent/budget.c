// SPDX-License-Identifier: Apache-2.0
/*
 * Shares, and what fits into them. Sizes are worst cases: a hash index that has just doubled, every stack
 * another one. Most machines use a tenth of that.
 *
 * Refused: one pool that all tables draw from. It would hold more of one kind, but which of them is
 * full when memory is would depend on who came first; and a window that leaves no room for its names is
 * no answer.
 */
#include "profiler/agent/budget.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>

#include "profiler/agent/site.h"
#include "profiler/model/profile.h"
#include "profiler/process/file.h"
#include "profiler/process/process.h"
#include "profiler/process/roster.h"

#define MIB ((uint64_t)1 << 20)

/* ---- shares ---- */

/*
 * What each can't do without, and its part of what is left then. The agent: the kernel's types, of up to
 * 8 MiB of BTF. The symbolizer: 65,536 addresses of a file, with names, half of that. The opener: one
 * /proc/PID/maps. The fetcher: a small binary. The supervisor: a message at a time.
 */
#define AGENT_LEAST (28 * MIB)
#define SYMBOLIZER_LEAST (7 * MIB)
#define OPENER_LEAST (3 * MIB)
#define FETCHER_LEAST (4 * MIB)
#define SUPERVISOR_LEAST (6 * MIB)
#define LEAST (AGENT_LEAST + SYMBOLIZER_LEAST + OPENER_LEAST + FETCHER_LEAST + SUPERVISOR_LEAST)

#define PARTS 16
#define SYMBOLIZER_PARTS 4
#define OPENER_PARTS 1
#define FETCHER_PARTS 3
#define SUPERVISOR_PARTS 1
_Static_assert(SYMBOLIZER_PARTS + OPENER_PARTS + FETCHER_PARTS + SUPERVISOR_PARTS < PARTS,
	       "the agent has the rest");

#define KERNEL_MOST_PART 4
_Static_assert(BUDGET_LEAST_BYTES - BUDGET_LEAST_BYTES / KERNEL_MOST_PART >= LEAST,
	       "the least budget is enough");

/* Unwind tables may be a quarter, but leave to the others half of what they don't need at least. */
#define TABLES_PART 4

/* The agent's own tables; an eighth of it is for all else: messages, libbpf, the heap's gaps. */
#define TABLE_PARTS 32
#define BATCH_PARTS 3
#define WINDOW_PARTS 5
#define PROCESS_PARTS 4
#define PROFILE_PARTS 11
#define ANSWER_PARTS 5
_Static_assert(BATCH_PARTS + WINDOW_PARTS + PROCESS_PARTS + PROFILE_PARTS + ANSWER_PARTS ==
		       TABLE_PARTS - TABLE_PARTS / 8,
	       "the rest is for all else");

/* More than these three may ever take (role/file_roles.c): beyond it their parts are the agent's. */
#define HELPER_MOST (64 * MIB)

uint64_t budget_total(uint64_t asked, uint64_t cgroup_limit)
{
	uint64_t total = cgroup_limit / 5 * 4;

	if (asked)
		return asked;
	return total < BUDGET_DEFAULT_BYTES ? total : BUDGET_DEFAULT_BYTES;
}

uint64_t budget_kernel_most(uint64_t total)
{
	return total / KERNEL_MOST_PART;
}

static int refuse(uint64_t asked, uint64_t cgroup_limit, uint64_t least, struct err *err)
{
	uint64_t least_mib = (least + MIB - 1) / MIB;

	if (asked)
		return err_set(err, -EINVAL,
			       "%" PRIu64 " MiB of memory are too few to profile this machine: "
			       "--memory %" PRIu64 "M is the least",
			       asked / MIB, least_mib);
	return err_set(err, -EINVAL,
		       "the memory limit of our control group is too low: four fifths of %" PRIu64
		       " MiB are %" PRIu64 ", and profiling this machine takes %" PRIu64,
		       cgroup_limit / MIB, budget_total(0, cgroup_limit) / MIB, least_mib);
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Of what the agent has. By when there is an answer, batch, window and processes are gone. An encoder may hold what it writes twice. */
static void agent_divide(struct budget *b)
{
	uint64_t table = b->agent / TABLE_PARTS;

	b->batch = table * BATCH_PARTS;
	b->window = table * WINDOW_PARTS;
	b->processes = table * PROCESS_PARTS;
	b->profile = table * PROFILE_PARTS;
	b->answer = table * (ANSWER_PARTS + BATCH_PARTS + WINDOW_PARTS + PROCESS_PARTS) / 2;
}

int budget_divide(struct budget *ret, uint64_t total, uint64_t cgroup_limit, uint64_t kernel_bytes,
		  struct err *err)
{
	uint64_t asked = total, tables, part;

	total = budget_total(asked, cgroup_limit);
	if (total < BUDGET_LEAST_BYTES || kernel_bytes > total - LEAST)
		return refuse(asked, cgroup_limit,
			      kernel_bytes > BUDGET_LEAST_BYTES - LEAST ? kernel_bytes + LEAST
									: BUDGET_LEAST_BYTES,
			      err);
	tables = least_of(total / TABLES_PART, (total - LEAST - kernel_bytes) / 2);
	part = (total - LEAST - kernel_bytes - tables) / PARTS;
	*ret = (struct budget){
		.total = total,
		.kernel = kernel_bytes,
		.tables = tables,
		.symbolizer = least_of(SYMBOLIZER_LEAST + part * SYMBOLIZER_PARTS, HELPER_MOST),
		.opener = least_of(OPENER_LEAST + part * OPENER_PARTS, HELPER_MOST),
		.fetcher = least_of(FETCHER_LEAST + part * FETCHER_PARTS, HELPER_MOST),
		.supervisor = least_of(SUPERVISOR_LEAST + part * SUPERVISOR_PARTS, HELPER_MOST),
	};
	ret->agent = total - kernel_bytes - tables - ret->symbolizer - ret->opener - ret->fetcher -
		     ret->supervisor;
	agent_divide(ret);
	return 0;
}

void budget_go_on(struct budget *b)
{
	uint64_t most = (b->agent - AGENT_LEAST) / 3 * 2;

	b->background = least_of(b->symbolizer, most);
	if (b->background < SYMBOLIZER_LEAST)
		b->background = 0;
	b->agent -= b->background;
	agent_divide(b);
	b->answer = 0;
}

/* ---- what fits into them ---- */

#define REPLAY_BATCH_BYTES (64 * MIB)
#define REPLAY_WINDOW_BYTES (1024 * MIB)
#define REPLAY_PROCESSES 65536
#define REPLAY_FILES 65536
#define REPLAY_PROFILE_BYTES (1024 * MIB)
#define REPLAY_LINES_BYTES (256 * MIB)

/* With all the memory in the world: what an index and the tables can number. */
#define MOST_ITEMS (1u << 28)
#define MOST_PROCESSES (1u << 22)
#define MOST_FILES (1u << 22)

/*
 * An item of an array that has just grown by half, and of an index that has just doubled: 8 bytes a slot, of
 * which 3/8 are used. While it doubles, the old one is there, too, which matters for the largest only.
 */
#define INDEX_BYTES 22
#define GROWING_INDEX_BYTES 32
#define ITEM_BYTES(type) (sizeof(type) * 3 / 2)
#define INDEXED_BYTES(type) (ITEM_BYTES(type) + INDEX_BYTES)
/* What the resolver notes of an item: its number in the profile, or that it is to be named. */
#define NOTE_BYTES sizeof(uint32_t)

/* What it knows of a location by then. */
#define SITE_BYTES ITEM_BYTES(struct site)
/*
 * What one more of each takes at most: in the window, and in the profile, where a location is also a line, a
 * function and that one's two names, and a series five labels and three texts.
 */
#define NODE_BYTES                                                                                \
	(ITEM_BYTES(struct window_node) + GROWING_INDEX_BYTES + ITEM_BYTES(struct profile_node) + \
	 GROWING_INDEX_BYTES + NOTE_BYTES)
#define SAMPLE_BYTES (INDEXED_BYTES(struct window_sample) + INDEXED_BYTES(struct profile_sample))
#define LOCATION_BYTES                                                              \
	(INDEXED_BYTES(struct window_location) + SITE_BYTES + 2 * NOTE_BYTES +      \
	 INDEXED_BYTES(struct profile_location) + ITEM_BYTES(struct profile_line) + \
	 INDEXED_BYTES(struct profile_function) + 2 * INDEXED_BYTES(struct profile_string))
#define SERIES_BYTES                                                                               \
	(INDEXED_BYTES(struct window_series) + NOTE_BYTES + INDEXED_BYTES(struct profile_series) + \
	 5 * ITEM_BYTES(struct profile_label) + 3 * INDEXED_BYTES(struct profile_string))

/* The part of the profile that is names, and that of what lines add to its arrays. */
#define NAMES_PART 4
#define LINES_PART 32

#define MEAN_MAPPINGS 16
#define MEAN_PATH_BYTES 256

/* A process, found by its pid (and as many that are gone), and its share of all mappings. */
#define PROCESS_BYTES \
	(sizeof(struct process) + 2 * INDEX_BYTES + MEAN_MAPPINGS * sizeof(struct mapping))
/* A file, its neighbours in the table's lists, its path and what alignment takes of that. */
#define FILE_BYTES (sizeof(struct file) + 32 + INDEX_BYTES + 2 * MEAN_PATH_BYTES)

/*
 * A record has 40 bytes or more (PERF_RECORD_LOST with its id), and is sorted by an entry of 24.
 */
#define RECORD_BYTES 40
#define ENTRY_BYTES 24

static uint32_t items(uint64_t bytes, uint64_t each, uint32_t most)
{
	return (uint32_t)least_of(bytes / each, most);
}

size_t budget_batch_bytes(const struct budget *b)
{
	return b ? b->batch / (RECORD_BYTES + ENTRY_BYTES) * RECORD_BYTES : REPLAY_BATCH_BYTES;
}

struct window_limits budget_window_limits(const struct budget *b)
{
	return (struct window_limits){
		.bytes = b ? b->window + b->profile - budget_profile_bytes(b) -
					 b->profile / LINES_PART
			   : REPLAY_WINDOW_BYTES,
		.series_bytes = SERIES_BYTES,
		.location_bytes = LOCATION_BYTES,
		.node_bytes = NODE_BYTES,
		.sample_bytes = SAMPLE_BYTES,
	};
}

uint32_t budget_processes(const struct budget *b)
{
	return b ? items(b->processes / 2, PROCESS_BYTES, MOST_PROCESSES) : REPLAY_PROCESSES;
}

uint32_t budget_files(const struct budget *b)
{
	return b ? items(b->processes / 2, FILE_BYTES, MOST_FILES) : REPLAY_FILES;
}

uint32_t budget_profile_items(const struct budget *b)
{
	/* None of its arrays has more items than a window of nothing but their cause: a label is dearest. */
	return items(budget_window_limits(b).bytes, sizeof(struct profile_label), MOST_ITEMS);
}

size_t budget_profile_bytes(const struct budget *b)
{
	return b ? b->profile / NAMES_PART : REPLAY_PROFILE_BYTES;
}

uint64_t budget_lines_bytes(const struct budget *b)
{
	return b ? b->profile / LINES_PART : REPLAY_LINES_BYTES;
}

uint64_t budget_lines_taken(const struct profile *p)
{
	return p->lines.count * ITEM_BYTES(struct profile_line) +
	       p->functions.count * INDEXED_BYTES(struct profile_function) +
	       p->amended.count * INDEXED_BYTES(struct profile_amendment) +
	       p->strings.count * INDEXED_BYTES(struct profile_string);
}

/* glibc's own threshold, which it would raise with each large piece that is freed, up to 32 MiB. */
#define PIECE_BYTES (128 << 10)

void budget_begin(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, PIECE_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, PIECE_BYTES);
	(void)mallopt(M_ARENA_MAX, 1);
}
