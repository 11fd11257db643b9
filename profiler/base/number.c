// SPDX-License-Identifier: Apache-2.0
/*
 * By hand rather than by strtoull(): that takes spaces, signs and leftovers, reads up to a NUL that a
 * piece of a line doesn't have, and asks the locale.
 */
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

/* "ms" before "m": the first that fits wins. The micro sign and the Greek letter are two characters. */
static const struct unit units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\u00b5s", 1000 },
	{ "\u03bcs", 1000 },
	{ "ms", 1000000 },
	{ "s", NS_PER_SEC },
	{ "m", 60 * NS_PER_SEC },
	{ "h", 3600 * NS_PER_SEC },
};

/* The unit at *s, in nanoseconds, and *s behind it; 0 if there is none. */
static uint64_t unit_take(const char **s)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);

		if (!strncmp(*s, units[i].name, len)) {
			*s += len;
			return units[i].ns;
		}
	}
	return 0;
}

/* "12.5" is whole 12, part 5 of scale 10. Beyond nine decimals they make no nanosecond. */
struct decimal {
	uint64_t whole, part, scale;
};

static int decimal_take(const char **s, struct decimal *ret)
{
	struct decimal d = { .scale = 1 };
	size_t digits = strspn(*s, "0123456789");
	int r = number_parse(*s, digits, MAX_DURATION_NS, &d.whole);

	if (r < 0)
		return r;
	*s += digits;
	if (**s == '.') {
		(*s)++;
		digits = strspn(*s, "0123456789");
		if (!digits)
			return -EINVAL;
		for (size_t i = 0; i < digits && i < 9; i++) {
			d.part = d.part * 10 + (uint64_t)((*s)[i] - '0');
			d.scale *= 10;
		}
		*s += digits;
	}
	*ret = d;
	return 0;
}

int duration_parse(const char *s, uint64_t *ret_ns)
{
	const char *start = s;
	uint64_t total = 0;

	do {
		const char *number = s;
		struct decimal d;
		uint64_t unit;
		int r = decimal_take(&s, &d);

		if (r < 0)
			return r;
		unit = !*s && number == start ? NS_PER_SEC : unit_take(&s);
		if (!unit)
			return -EINVAL;
		if (d.whole > MAX_DURATION_NS / unit)
			return -ERANGE;
		/* At most 3.6e12 × 1e9. */
		total += d.whole * unit + (uint64_t)((unsigned __int128)d.part * unit / d.scale);
		if (total > MAX_DURATION_NS)
			return -ERANGE;
	} while (*s);
	*ret_ns = total;
	return 0;
}

/* `bits` may be NULL: then it only says if it would work. */
int size_parse(const char *s, uint64_t *ret_bytes)
{
	static const char letters[] = "KMGT";
	size_t digits = strspn(s, "0123456789");
	const char *unit = s + digits;
	uint32_t shift = 0;
	uint64_t number;
	int r = number_parse(s, digits, UINT64_MAX, &number);

	if (r < 0)
		return r;
	if (*unit) {
		const char *letter = strchr(letters, *unit & ~('a' ^ 'A'));

		if (!letter || (strcmp(unit + 1, "") != 0 && strcmp(unit + 1, "iB") != 0))
			return -EINVAL;
		shift = 10 * (uint32_t)(letter - letters + 1);
	}
	if (number > UINT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = number << shift;
	return 0;
}

static int cpu_range_parse(const char *s, size_t len, uint8_t *bits, uint32_t nbits)
{
	const char *dash = memchr(s, '-', len);
	size_t first_len = dash ? (size_t)(dash - s) : len;
	uint64_t first, last;
	int r = number_parse(s, first_len, UINT64_MAX, &first);

	if (r < 0)
		return r;
	last = first;
	if (dash) {
		r = number_parse(dash + 1, len - first_len - 1, UINT64_MAX, &last);
		if (r < 0)
			return r;
	}
	if (last < first)
		return -EINVAL;
	if (last >= nbits)
		return -ERANGE;
	for (uint64_t i = first; bits && i <= last; i++)
		bits[i / 8] |= (uint8_t)(1U << (i % 8));
	return 0;
}

static int cpu_ranges_parse(const char *s, size_t len, uint8_t *bits, uint32_t nbits)
{
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

int cpu_list_parse(const char *s, size_t len, uint8_t *ret_bits, uint32_t nbits)
{
	int r = cpu_ranges_parse(s, len, NULL, nbits);

	if (r < 0)
		return r;
	memset(ret_bits, 0, (nbits + 7UL) / 8);
	return cpu_ranges_parse(s, len, ret_bits, nbits);
}
