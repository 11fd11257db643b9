/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the words that there are somebody may have meant.
 */
#ifndef COMMAND_NEAR_H
#define COMMAND_NEAR_H

#include <stdbool.h>
#include <stddef.h>

struct near {
	const char *word; /* what was written */
	bool found;
	size_t best; /* edits to the nearest until now */
};

/* Is `other` near `word`, and nearer than all that were asked about before? */
bool near_is_nearer(struct near *n, const char *other);

#endif
