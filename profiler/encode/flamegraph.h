/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile's stacks by function as one tree, for whoever draws it: as columns, since a flame graph has 100,000 nodes.
 *
 *	{"type": "cpu", "unit": "nanoseconds", "start_ns": …, "duration_ns": …, "period": 10101010, "samples": 1322,
 *	 "value": …, "lost_samples": 0, "machine_ns": …, "busy_ns": …, "filtered": false, "scale": 10101010,
 *	 "modules": ["", "app", …], "files": ["", "main.c", …],
 *	 "frames": {"name": ["", "main", …], "module": [0, 1, …], "kind": ["none", "user", …], "named": [1, 1, …],
 *	   "file": [0, 1, …], "line": [0, 12, …]},
 *	 "nodes": {"depth": [0, 1, …], "frame": [0, 1, …], "flags": [0, …], "total": […], "self": […]},
 *	 "node_count": 31000, "merged": [[7, 812], …]}
 *
 * Nodes are in preorder, children by their total, largest first; the one of depth 0 is all. Totals and selfs are to
 * be multiplied by `scale`. Flags: 1 inlined into its parent, 2 found by frame pointer (a guess), 4 "(other)": children of its
 * parent that were too many or too small, and all below them; `merged` says how many nodes are in each. `node_count` is
 * how many there are without merging. So a node's total is always its self and its children's totals.
 *
 * Of two profiles: "before": {"start_ns" … "filtered"} of the other one, "mode", and "total_before" and "self_before"
 * beside the other columns. Frames of kind "label" are root frames. "line" is
 * where the function begins, 0 if that isn't known; of several functions of one name in one module it is one's.
 */
#ifndef ENCODE_FLAMEGRAPH_H
#define ENCODE_FLAMEGRAPH_H

#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/encode/root.h"
#include "profiler/model/profile.h"
#include "profiler/query/diff.h"

struct flamegraph_options {
	const struct root_keys *root; /* or NULL */
	uint32_t max_nodes; /* shown as themselves: the largest; there is at most one "(other)" for each */
	double min_share; /* of all: what is smaller is merged, too */
};

/* Both append to `out`. 0, or -ENOMEM / -E2BIG, with part of it written. */
int flamegraph_encode(const struct profile *p, const struct flamegraph_options *options,
		      struct buffer *out);
int flamegraph_encode_diff(const struct diff *d, const struct flamegraph_options *options,
			   struct buffer *out);

/* "user", "kernel", "anonymous", "unread", "none": of enum profile_mapping_kind. */
const char *flamegraph_kind_name(uint32_t kind);

#endif
