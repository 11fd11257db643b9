// SPDX-License-Identifier: Apache-2.0
/*
 * Edits (insert, delete, replace), by the table of Wagner and Fischer, one row of it. A beginning
 * of a word is as near as the word. "x" is as near to every name of three letters: no hint is
 * better than that.
 */
#include "profiler/command/near.h"

#include <string.h>

#define MAX_NAME_BYTES 32
#define NEAR_EDITS 2

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Names of MAX_NAME_BYTES and more are far. */
static size_t edits(const char *a, const char *b)
{
	size_t row[MAX_NAME_BYTES], na = strlen(a), nb = strlen(b);

	if (na >= MAX_NAME_BYTES || nb >= MAX_NAME_BYTES)
		return MAX_NAME_BYTES;
	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t above = row[j];

			row[j] =
				least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[nb];
}

bool near_is_nearer(struct near *n, const char *other)
{
	size_t len = strlen(n->word);
	size_t best = n->found ? n->best : NEAR_EDITS + 1;
	size_t count = len > 1 && !strncmp(n->word, other, len) ? 0 : edits(n->word, other);

	if (count >= best || count >= strlen(other) || count >= len)
		return false;
	n->found = true;
	n->best = count;
	return true;
}
