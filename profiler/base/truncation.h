/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a user stack has no outermost frame. One list: from it are made the frame that stands where the stack goes on,
 * "[truncated: no unwind information]", the counter of such stacks (counter.h), and the words of every answer.
 */
#ifndef BASE_TRUNCATION_H
#define BASE_TRUNCATION_H

/*
 * X(identifier, "metric_name", AS("words")); AS is put around the words. They are what people merge, search and write
 * filters by: new ones come behind the others, and none is reworded without need. docs/UNWINDING.md explains each.
 */
#define TRUNCATIONS(X, AS)                                                                        \
	X(TRUNCATED_NO_ROW, "stacks_truncated_no_row", AS("no unwind information"))               \
	X(TRUNCATED_UNSUPPORTED, "stacks_truncated_unsupported",                                  \
	  AS("unwind information not usable"))                                                    \
	X(TRUNCATED_LOST, "stacks_truncated_lost", AS("register not known"))                      \
	X(TRUNCATED_BAD_READ, "stacks_truncated_bad_read", AS("stack not readable"))              \
	X(TRUNCATED_BAD_FRAME, "stacks_truncated_bad_frame", AS("no valid frame"))                \
	X(TRUNCATED_NO_MAPPING, "stacks_truncated_no_mapping", AS("no code known there"))         \
	X(TRUNCATED_TOO_NEW, "stacks_truncated_too_new", AS("process or mapping too new"))        \
	X(TRUNCATED_NOT_COPIED, "stacks_truncated_not_copied", AS("beyond the copied stack"))     \
	X(TRUNCATED_NOT_COMPILED, "stacks_truncated_not_compiled", AS("unwind table not loaded")) \
	X(TRUNCATED_TOO_DEEP, "stacks_truncated_too_deep", AS("too deep"))                        \
	X(TRUNCATED_COMPAT, "stacks_truncated_compat", AS("32-bit process"))

enum truncation {
#define X(id, name, words) id,
	TRUNCATIONS(X, )
#undef X
		TRUNCATION_COUNT
};

/* Static strings; `t` < TRUNCATION_COUNT. */
const char *truncation_words(enum truncation t);
/* The frame's name. */
const char *truncation_frame(enum truncation t);

#endif
