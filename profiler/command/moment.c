// SPDX-License-Identifier: Apache-2.0
/*
 * Digits at fixed places, then a fraction, then the zone. A date that doesn't exist is refused by writing it again.
 * Refused: dates without a zone, which are another moment on each machine.
 */
#include "profiler/command/moment.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/number.h"

#define DATE "dddd-dd-ddTdd:dd:dd"

/* Does the text begin so? 'd' is a digit. */
static bool begins(const char *text, const char *pattern)
{
	for (; *pattern; text++, pattern++)
		if (*pattern == 'd' ? *text < '0' || *text > '9' : *text != *pattern)
			return false;
	return true;
}

static int digits(const char *at, int n)
{
	int value = 0;

	while (n--)
		value = value * 10 + (*at++ - '0');
	return value;
}

/* "Z", "+01:00": seconds east. */
static bool zone(const char *at, int64_t *ret_s)
{
	if (!strcmp(at, "Z")) {
		*ret_s = 0;
		return true;
	}
	if (!(begins(at, "+dd:dd") || begins(at, "-dd:dd")) || at[6])
		return false;
	if (digits(at + 1, 2) > 23 || digits(at + 4, 2) > 59)
		return false;
	*ret_s = (digits(at + 1, 2) * 60 + digits(at + 4, 2)) * 60;
	if (*at == '-')
		*ret_s = -*ret_s;
	return true;
}

static bool absolute(const char *text, uint64_t *ret_ns)
{
	struct tm tm = { 0 }, again;
	uint64_t fraction_ns = 0, unit_ns = NS_PER_S;
	const char *at = text + strlen(DATE);
	int64_t east_s, seconds;
	time_t t;

	if (!begins(text, DATE))
		return false;
	tm.tm_year = digits(text, 4) - 1900;
	tm.tm_mon = digits(text + 5, 2) - 1;
	tm.tm_mday = digits(text + 8, 2);
	tm.tm_hour = digits(text + 11, 2);
	tm.tm_min = digits(text + 14, 2);
	tm.tm_sec = digits(text + 17, 2);
	again = tm;
	t = timegm(&again);
	if (again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday ||
	    again.tm_hour != tm.tm_hour || again.tm_min != tm.tm_min || again.tm_sec != tm.tm_sec)
		return false;
	if (*at == '.') {
		if (!begins(++at, "d"))
			return false;
		for (; begins(at, "d"); at++) {
			unit_ns /= 10;
			fraction_ns += unit_ns * (uint64_t)(*at - '0');
		}
	}
	if (!zone(at, &east_s))
		return false;
	seconds = (int64_t)t - east_s;
	if (seconds < 0 || (uint64_t)seconds >= UINT64_MAX / NS_PER_S)
		return false;
	*ret_ns = (uint64_t)seconds * NS_PER_S + fraction_ns;
	return true;
}

int moment_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns, struct err *err)
{
	uint64_t ago_ns;

	if (!strcmp(text, "now")) {
		*ret_ns = now_ns;
		return 0;
	}
	if (*text == '-' && duration_parse(text + 1, &ago_ns) == 0) {
		*ret_ns = ago_ns < now_ns ? now_ns - ago_ns : 0;
		return 0;
	}
	if (absolute(text, ret_ns))
		return 0;
	return err_set(err, -EINVAL,
		       "time \"%s\" is neither as 2025-11-23T05:30:00Z, nor as -1h30m, nor now",
		       text);
}
