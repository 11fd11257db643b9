// SPDX-License-Identifier: Apache-2.0
/*
 * Text is what has a first line of printable bytes and, at its end, a space and digits; protobuf begins with a tag
 * that is a control character, or has one soon after.
 */
#include "profiler/decode/file_format.h"

#include <stdbool.h>
#include <string.h>

static const char recording[] = "slowburn stream\n";

static bool is_text(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 && s[i] != '\t')
			return false;
	return true;
}

/* What is not whole, since only so much was looked at, may be anything that is text. */
static bool is_collapsed(const char *s, size_t len)
{
	const char *newline = memchr(s, '\n', len);

	if (!newline)
		return len && is_text(s, len);
	len = (size_t)(newline - s);
	if (len && s[len - 1] == '\r')
		len--;
	if (!len || !is_text(s, len))
		return false;
	return *s == '#' || (s[len - 1] >= '0' && s[len - 1] <= '9');
}

enum file_format file_format_of(const void *bytes, size_t len)
{
	if (len >= sizeof(recording) - 1 && !memcmp(bytes, recording, sizeof(recording) - 1))
		return FILE_FORMAT_RECORDING;
	return is_collapsed(bytes, len) ? FILE_FORMAT_COLLAPSED : FILE_FORMAT_PPROF;
}
