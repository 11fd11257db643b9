// SPDX-License-Identifier: Apache-2.0
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
	char reason[128];
	size_t len;
	va_list args;

	if (!err)
		return code;
	va_start(args, fmt);
	format(err, fmt, args);
	va_end(args);

	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s",
		 strerror_r(-code, reason, sizeof(reason)));
	return code;
}
