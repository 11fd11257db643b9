// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/number.h"

#include <errno.h>
#include <string.h>

#define NS_PER_SEC 1000000000ULL
#define MAX_DURATION_NS (10000ULL * 3600 * NS_PER_SEC)

int number_parse(const char *s, size_t len, uint64_t max, uint64_t *ret_value)
{
	uint64_t v = 0;

	if (!len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		uint64_t digit = (uint64_t)(unsigned char)s[i] - '0';

		if (digit > 9)
			return -EINVAL;
		if (v > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		v = v * 10 + digit;
	}
	if (v > max)
		return -ERANGE;
	*ret_value = v;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int number_parse_hex(const char *s, size_t len, uint64_t *ret_value)
{
	uint64_t v = 0;

	if (!len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int digit = hex_digit(s[i]);

		if (digit < 0)
			return -EINVAL;
		if (v >> 60)
			return -ERANGE;
		v = v << 4 | (uint64_t)digit;
	}
	*ret_value = v;
	return 0;
}

struct unit {
	const char *name;
	uint64_t ns;
};

/* "ms" before "m": the first that fits wins. No name means seconds. */
static const struct unit units[] = {
	{ "ns", 1 },	     { "us", 1000 },	     { "ms", 1000000 },
	{ "s", NS_PER_SEC }, { "m", 60 * NS_PER_SEC }, { "h", 3600 * NS_PER_SEC },
};

static uint64_t unit_take(const char **s)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);

		if (!strncmp(*s, units[i].name, len)) {
			*s += len;
			return units[i].ns;
		}
	}
	return **s ? 0 : NS_PER_SEC;
}

int duration_parse(const char *s, uint64_t *ret_ns)
{
	uint64_t total = 0;

	if (!*s)
		return -EINVAL;
	while (*s) {
		size_t digits = strspn(s, "0123456789"), decimals = 0;
		const char *fraction = s + digits;
		uint64_t whole, part = 0, scale = 1, unit;
		int r = number_parse(s, digits, MAX_DURATION_NS, &whole);

		if (r < 0)
			return r;
		s += digits;
		if (*s == '.') {
			fraction = ++s;
			decimals = strspn(s, "0123456789");
			if (!decimals)
				return -EINVAL;
			s += decimals;
		}
		for (size_t i = 0; i < decimals && i < 9; i++) {
			part = part * 10 + (uint64_t)(fraction[i] - '0');
			scale *= 10;
		}
		unit = unit_take(&s);
		if (!unit)
			return -EINVAL;
		if (whole > MAX_DURATION_NS / unit)
			return -ERANGE;
		total += whole * unit + (uint64_t)((unsigned __int128)part * unit / scale);
		if (total > MAX_DURATION_NS)
			return -ERANGE;
	}
	*ret_ns = total;
	return 0;
}

static int cpu_range_parse(const char *s, size_t len, uint8_t *bits, uint32_t nbits)
{
	const char *dash = memchr(s, '-', len);
	size_t first_len = dash ? (size_t)(dash - s) : len;
	uint64_t first, last;
	int r = number_parse(s, first_len, nbits - 1, &first);

	if (r < 0)
		return r;
	last = first;
	if (dash) {
		r = number_parse(dash + 1, len - first_len - 1, nbits - 1, &last);
		if (r < 0)
			return r;
	}
	if (last < first)
		return -EINVAL;
	for (uint64_t i = first; i <= last; i++)
		bits[i / 8] |= (uint8_t)(1U << (i % 8));
	return 0;
}

int cpu_list_parse(const char *s, size_t len, uint8_t *bits, uint32_t nbits)
{
	memset(bits, 0, (nbits + 7) / 8);
	for (;;) {
		const char *comma = memchr(s, ',', len);
		size_t part = comma ? (size_t)(comma - s) : len;
		int r = cpu_range_parse(s, part, bits, nbits);

		if (r < 0 || !comma)
			return r;
		s += part + 1;
		len -= part + 1;
	}
}
