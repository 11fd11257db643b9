/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a capture's raw stream (collect/stream.h): the records as they were drained, and every
 * outside fact the moment it was learnt; cgroups' names only when they are known (recorder_cgroup).
 * The first error sticks and recorder_close() returns it.
 */
#ifndef AGENT_RECORDER_H
#define AGENT_RECORDER_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/agent/facts.h"
#include "profiler/agent/jit.h"
#include "profiler/agent/names.h"
#include "profiler/agent/rest.h"
#include "profiler/collect/batch.h"
#include "profiler/process/source.h"

struct recorder;

/* The bytes of a STREAM_FILE: what open() or fetch() said. Older recordings have the first four only. */
struct recorded_file {
	int32_t result; /* negative errno, or enum process_file_kind */
	uint32_t zero;
	struct file_identity identity; /* all 0: not known */
};

_Static_assert(sizeof(struct recorded_file) == 48, "recordings have this size");

/*
 * The bytes of a STREAM_REST: what was found of a sample's stack (RECORD_FLAG_REST_GONE) behind its own frames. Of the
 * stack itself there is nothing.
 */
struct recorded_rest {
	uint64_t end; /* enum record_stack_end */
	uint64_t words[RECORD_MAX_USER_FRAMES]; /* frames, as in a sample; as many as there are */
};

/* The bytes of a STREAM_CODE: what a look at a perf map said. */
struct recorded_look {
	uint64_t bytes;
	int32_t result;
	uint32_t zero;
};

/* Keys of STREAM_SYMBOLS: late answers about a space are none to the first question. */
#define RECORDED_LATE (1ULL << 32)

/* Takes no ownership of `fd`; borrows `inner`, whose answers it passes on and writes down. */
int recorder_new(struct recorder **ret, int fd, const struct process_source *inner);
void recorder_free(struct recorder *r);

const struct process_source *recorder_source(struct recorder *r);
/* Passes on and writes down what `inner` says; borrows what it leads to. */
struct rest_source recorder_rests(struct recorder *r, const struct rest_source *inner);
/* The same. */
struct code_source recorder_code(struct recorder *r, const struct code_source *inner);
/* Says of the capture that it lets go of files with each drain (resolver_let_go). */
void recorder_facts(struct recorder *r, const struct facts *f);
/* Matches batch_tap_fn; `ctx` is the recorder. */
void recorder_record(void *ctx, enum batch_kind kind, const void *bytes, size_t len);
void recorder_drain(struct recorder *r, uint64_t now_ns);
void recorder_cgroup(struct recorder *r, uint64_t id, const char *path);
/* Matches live_names.told; `ctx` is the recorder. */
void recorder_names(void *ctx, enum names_kind kind, uint32_t space, const void *bytes,
		    uint32_t len);
int recorder_close(struct recorder *r);

#endif
