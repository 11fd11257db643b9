// SPDX-License-Identifier: Apache-2.0
/*
 * As perf (choose_best_symbol), but for the shorter name, where perf takes the longer: people know
 * lseek and the linker knows lseek64. elfutils takes the first in the table, which is the linker's
 * accident.
 */
#include "symbolizer/alias.h"

#include <string.h>

static size_t leading_underscores(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] == '_')
		n++;
	return n;
}

bool alias_is_better(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t a_underscores = leading_underscores(a, a_len);
	size_t b_underscores = leading_underscores(b, b_len);

	if (a_underscores != b_underscores)
		return a_underscores < b_underscores;
	if (a_len != b_len)
		return a_len < b_len;
	return memcmp(a, b, a_len) < 0;
}
