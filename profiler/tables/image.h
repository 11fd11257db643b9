/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which mappings the kernel has of each process. An image is told what happens to its process in the order
 * in which it happened, and brought to the kernel by images_flush(), whose way is: mappings written anew, the
 * process's entry changed by one update, the old mappings given up.
 *
 * A fork shares its parent's mappings, as it does in the kernel, which copied the entry by itself before we
 * know. So do exec (an empty entry) and exit (none). Not thread safe.
 */
#ifndef TABLES_IMAGE_H
#define TABLES_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/process/process.h"
#include "profiler/tables/exe.h"

struct image_list; /* mappings in the kernel, of one process or of several */

struct image {
	struct image_list *list; /* NULL: none */
	uint64_t start_ns; /* with exec_id its identity, once `known` */
	uint64_t next_try_ns, backoff_ns;
	uint32_t pid, exec_id;
	uint32_t next; /* in its bucket, or in the list of unused ones */
	bool used, known;
	bool shown; /* `list` is what the kernel has */
	bool dirty; /* the process's mappings changed since `list` was written */
	bool queued;
	bool forked; /* and the kernel wasn't asked yet what it has */
};

#define IMAGE_BUCKETS 4096u

struct images {
	struct tables *tables; /* all four borrowed */
	struct chunks *chunks;
	struct exes *exes;
	struct counters *counters;
	struct image *all;
	uint32_t high, max, unused;
	uint32_t buckets[IMAGE_BUCKETS];
	ARRAY(uint32_t) queue; /* what images_flush() has to look at */
	uint32_t lists; /* that were ever made: the id of the last */
	uint32_t stamp; /* of the last entry that was set */
	uint64_t lost; /* events, at the last drain */
	uint32_t gone_at; /* where to look next for images of processes that are gone */
	uint64_t until_ns; /* up to when events are known */
	uint32_t exes_known; /* exes->known when lists were last looked through */
	struct unwind_mapping *scratch; /* UNWIND_MAX_MAPPINGS of them */
};

/* `max` <= UNWIND_MAX_PROCESSES. 0 or -ENOMEM; then release is fine. */
int images_init(struct images *m, struct tables *t, struct chunks *chunks, struct exes *exes,
		struct counters *counters, uint32_t max);
void images_release(struct images *m);

/*
 * What happened. Processes come in by their samples, or as children of such: most of a machine's never run, or not for
 * long.
 */
void images_fork(struct images *m, uint32_t pid, uint32_t parent_pid, uint64_t now_ns);
void images_exec(struct images *m, uint32_t pid, uint64_t now_ns);
void images_exit(struct images *m, uint32_t pid, uint64_t now_ns);
void images_mmap(struct images *m, uint32_t pid);
/* A sample, which had no tables, says which image the process is: it is brought to the kernel. */
void images_sampled(struct images *m, uint32_t pid, uint64_t start_ns, uint32_t exec_id,
		    uint64_t now_ns);

/* As process_table_mappings(): 0 also if what is known may be stale. `ctx` is the caller's. */
typedef uint32_t (*images_mappings_fn)(void *ctx, uint32_t pid, const struct mapping **ret);
/* The exe of a mapping, EXE_NONE: it has none. */
typedef uint32_t (*images_exe_fn)(void *ctx, uint32_t pid, const struct mapping *m);

/* In each drain: all events until then (CLOCK_MONOTONIC) were told. */
void images_follow(struct images *m, uint64_t until_ns, uint64_t now_ns);
/* Brings at most `most` images to the kernel. */
void images_flush(struct images *m, images_mappings_fn mappings, images_exe_fn exe, void *ctx,
		  uint32_t most, uint64_t now_ns);

#endif
