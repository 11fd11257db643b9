/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facts of a capture as text in a recording: "name value\n" lines, so that a recording of an older
 * or newer slowburn still reads. Unknown names are passed over, known ones checked.
 */
#ifndef AGENT_FACTS_H
#define AGENT_FACTS_H

#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/model/profile.h"

struct facts {
	struct profile_facts profile;
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC: samples count from, until */
	uint32_t lets_go; /* with each drain: resolver_let_go(); older recordings: 0 */
	/* Those that a replay can't count again: the kernel's, and the collector's own. */
	struct counters counters;
};

void facts_write(const struct facts *f, struct buffer *out);

/* Sets what the text names and leaves the rest. 0, or -EINVAL and a sentence. */
int facts_parse(struct facts *f, const char *text, size_t len, struct err *err);

#endif
