// SPDX-License-Identifier: Apache-2.0
/*
 * A fixed buffer, so that saying what went wrong can't fail for want of memory. A sentence that is too
 * long (paths of others are) is cut; the reason behind it is not.
 */
#include "profiler/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void format(struct err *err, const char *fmt, va_list args)
{
	int n = vsnprintf(err->text, sizeof(err->text), fmt, args);

	if (n < 0)
		err->text[0] = '\0';
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	if (err) {
		va_list args;

		va_start(args, fmt);
		format(err, fmt, args);
		va_end(args);
	}
	return code;
}

int err_errno(struct err *err, int code, const char *fmt, ...)
{
	char text[128];
	const char *reason = strerror_r(-code, text, sizeof(text));
	size_t len, room;
	va_list args;

	if (!err)
		return code;
	va_start(args, fmt);
	format(err, fmt, args);
	va_end(args);

	len = strlen(err->text);
	room = sizeof(err->text) - sizeof(": ") - strnlen(reason, sizeof(text));
	if (len > room)
		len = room;
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", reason);
	return code;
}
