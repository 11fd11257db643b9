/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one check of slowburn doctor found, and the list of them as text and as JSON.
 */
#ifndef COMMAND_FINDING_H
#define COMMAND_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/encode/text.h"

enum verdict {
	VERDICT_FINE,
	VERDICT_DEGRADED, /* profiling works; the text says what it lacks */
	VERDICT_FATAL, /* profiling can't work; the text says why */
	VERDICT_UNKNOWN, /* can't be asked, for want of what another finding names */
};

struct finding {
	const char *group, *name; /* static strings */
	enum verdict verdict;
	/* For people; may hold bytes from outside as they came. A text that is too long is cut. */
	char text[320];
	char mend[320]; /* how to mend it; "" if there is nothing to mend, or nothing to be done */
};

__attribute__((format(printf, 3, 4))) void finding_set(struct finding *f, enum verdict verdict,
						       const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void finding_mend(struct finding *f, const char *fmt, ...);

/*
 * All of them, those of a group together; the last is the decisive one: will profiling work? 0 or negative
 * errno, with part of it written.
 */
int findings_text(const struct finding *f, uint32_t count, const struct text_options *look,
		  struct buffer *out);

/*
 *	{"version": "…", "profiling": true, "checks": [{"group": "kernel", "name": "BTF",
 *	 "verdict": "fine", "text": "…", "mend": "…"}, …]}
 */
int findings_json(const struct finding *f, uint32_t count, struct buffer *out);

#endif
