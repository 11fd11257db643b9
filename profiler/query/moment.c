// SPDX-License-Identifier: Apache-2.0
/*
 * Digits at fixed places, then a fraction, then the zone. A date that doesn't exist is refused by writing it again.
 * Refused: dates without a zone, which are another moment on each machine.
 */
#include "profiler/query/moment.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/base/number.h"

#define DATE "dddd-dd-ddTdd:dd:dd"
#define NS_PER_DAY (24 * 3600 * NS_PER_S)
#define MAX_DAYS 3653
/* The year 2262: so that nobody who adds to a moment has to think. */
#define MAX_SECONDS (INT64_MAX / (int64_t)NS_PER_S - 1)

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
	if (seconds < 0 || (uint64_t)seconds > MAX_SECONDS)
		return false;
	*ret_ns = (uint64_t)seconds * NS_PER_S + fraction_ns;
	return true;
}

/* Digits, and a fraction of at most nine: true, and what they come to. */
static bool seconds_since_1970(const char *text, uint64_t *ret_ns)
{
	size_t whole = strspn(text, "0123456789"), fraction = 0;
	uint64_t seconds, ns = 0;

	if (text[whole] == '.') {
		fraction = strspn(text + whole + 1, "0123456789");
		if (!fraction || fraction > 9 ||
		    number_parse(text + whole + 1, fraction, UINT64_MAX, &ns) < 0)
			return false;
		for (size_t i = fraction++; i < 9; i++)
			ns *= 10;
	}
	if (text[whole + fraction] || number_parse(text, whole, MAX_SECONDS, &seconds) < 0)
		return false;
	*ret_ns = seconds * NS_PER_S + ns;
	return true;
}

/* "7d" of "7d12h": true, and what is behind it. */
static bool take_days(const char **at, char unit, uint64_t unit_days, uint64_t *days)
{
	size_t len = strspn(*at, "0123456789");
	uint64_t n;

	if ((*at)[len] != unit)
		return true;
	if (number_parse(*at, len, MAX_DAYS, &n) < 0)
		return false;
	*days += n * unit_days;
	*at += len + 1;
	return true;
}

int moment_duration_parse(const char *text, uint64_t *ret_ns)
{
	uint64_t days = 0, rest_ns = 0;
	const char *at = text;

	if (!take_days(&at, 'w', 7, &days) || !take_days(&at, 'd', 1, &days))
		return -EINVAL;
	/* What is behind days has units: "1d12" could be hours or seconds. */
	if (*at && at != text && !strpbrk(at, "hmsuµn"))
		return -EINVAL;
	if ((*at || at == text) && duration_parse(at, &rest_ns) < 0)
		return -EINVAL;
	if (days > MAX_DAYS || !(days || rest_ns))
		return -EINVAL;
	*ret_ns = days * NS_PER_DAY + rest_ns;
	return 0;
}

int moment_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns, struct err *err)
{
	uint64_t ago_ns;

	if (!strcmp(text, "now")) {
		*ret_ns = now_ns;
		return 0;
	}
	if (*text == '-' && moment_duration_parse(text + 1, &ago_ns) == 0) {
		*ret_ns = ago_ns < now_ns ? now_ns - ago_ns : 0;
		return 0;
	}
	if (absolute(text, ret_ns) || seconds_since_1970(text, ret_ns))
		return 0;
	return err_set(err, -EINVAL,
		       "time \"%.80s\" is neither as 2025-11-23T05:30:00Z, nor as -1h30m, nor now",
		       text);
}

int moment_range_parse(const char *from, const char *to, uint64_t now_ns, struct moment_range *ret,
		       struct err *err)
{
	struct moment_range range = { 0, UINT64_MAX };
	int r = 0;

	if (from && strcmp(from, "first") != 0)
		r = moment_parse(from, now_ns, &range.from_ns, err);
	if (r == 0 && to && strcmp(to, "last") != 0)
		r = moment_parse(to, now_ns, &range.to_ns, err);
	if (r == 0 && range.from_ns >= range.to_ns)
		r = err_set(err, -EINVAL, "\"from\" is not before \"to\"");
	if (r == 0)
		*ret = range;
	return r;
}

int moment_range_before(const struct moment_range *range, const char *ago, struct moment_range *ret,
			struct err *err)
{
	uint64_t ago_ns;

	if (moment_duration_parse(ago, &ago_ns) < 0)
		return err_set(err, -EINVAL,
			       "\"%.80s\" is not how long before, such as 1h30m or 1d", ago);
	if (ago_ns > range->from_ns || range->to_ns == UINT64_MAX)
		return err_set(err, -EINVAL,
			       "what was %.80s before needs a range that begins and ends: "
			       "say from when",
			       ago);
	*ret = (struct moment_range){ range->from_ns - ago_ns, range->to_ns - ago_ns };
	return 0;
}
