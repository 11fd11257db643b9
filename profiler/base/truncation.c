// SPDX-License-Identifier: Apache-2.0
/* The one list, unrolled. */
#include "profiler/base/truncation.h"

#include <assert.h>

#define FRAME(words) "[truncated: " words "]"

const char *truncation_words(enum truncation t)
{
	static const char *const words_of[TRUNCATION_COUNT] = {
#define X(id, name, words) words,
		TRUNCATIONS(X, )
#undef X
	};

	assert(t < TRUNCATION_COUNT);
	return words_of[t];
}

const char *truncation_frame(enum truncation t)
{
	static const char *const frames[TRUNCATION_COUNT] = {
#define X(id, name, frame) frame,
		TRUNCATIONS(X, FRAME)
#undef X
	};

	assert(t < TRUNCATION_COUNT);
	return frames[t];
}
