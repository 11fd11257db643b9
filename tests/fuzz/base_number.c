// SPDX-License-Identifier: Apache-2.0
/*
 * The strict parsers: what they accept must be what it says, and what they refuse must leave the result
 * alone. The oracles are slower and simpler: a second look at the text, strtoull(), a set of bits.
 */
#include "profiler/base/number.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define UNTOUCHED 0x5a5a5a5a5a5a5a5aULL
#define MAX_DURATION_NS (10000ULL * 3600 * 1000000000)
#define CPUS 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool all_in(const char *s, size_t len, const char *set)
{
	for (size_t i = 0; i < len; i++)
		if (!s[i] || !strchr(set, s[i]))
			return false;
	return len > 0;
}

static void check_integer(const char *s, size_t len, int base)
{
	const char *digits = base == 10 ? "0123456789" : "0123456789abcdefABCDEF";
	uint64_t value = UNTOUCHED;
	int r = base == 10 ? number_parse(s, len, UINT64_MAX, &value)
			   : number_parse_hex(s, len, &value);

	if (r == 0) {
		assert(all_in(s, len, digits));
		errno = 0;
		assert(strtoull(s, NULL, base) == value && errno == 0);
	} else {
		assert(value == UNTOUCHED);
		assert(r == -EINVAL || r == -ERANGE);
		/* Digits only are a number: then it is too large for one. */
		if (all_in(s, len, digits)) {
			errno = 0;
			assert(r == -ERANGE && strtoull(s, NULL, base) == UINT64_MAX &&
			       errno == ERANGE);
		}
	}
}

static void check_maximum(const char *s, size_t len, uint64_t max)
{
	uint64_t value = UNTOUCHED, any = UNTOUCHED;
	int r = number_parse(s, len, max, &value), r_any = number_parse(s, len, UINT64_MAX, &any);

	assert(r == (r_any == 0 && any > max ? -ERANGE : r_any));
	assert(value == (r == 0 ? any : UNTOUCHED));
}

static void check_duration(const char *s)
{
	uint64_t ns = UNTOUCHED, seconds;
	int r = duration_parse(s, &ns);

	assert(r == 0 ? ns <= MAX_DURATION_NS : ns == UNTOUCHED && (r == -EINVAL || r == -ERANGE));
	if (number_parse(s, strlen(s), MAX_DURATION_NS / 1000000000, &seconds) == 0)
		assert(r == 0 && ns == seconds * 1000000000);
}

static void check_size(const char *s)
{
	size_t digits = strspn(s, "0123456789");
	uint64_t bytes = UNTOUCHED, number = 0;
	int r = size_parse(s, &bytes);

	if (r < 0) {
		assert(bytes == UNTOUCHED && (r == -EINVAL || r == -ERANGE));
		return;
	}
	assert(number_parse(s, digits, UINT64_MAX, &number) == 0);
	assert(s[digits] ? bytes >= number && bytes % 1024 == 0 : bytes == number);
}

static void check_cpus(const char *s, size_t len)
{
	uint8_t bits[CPUS / 8 + 1];
	int r, set = 0;

	memset(bits, 0x5a, sizeof(bits));
	r = cpu_list_parse(s, len, bits, CPUS);
	assert(bits[CPUS / 8] == 0x5a);
	for (int i = 0; i < CPUS; i++)
		set += bits[i / 8] >> i % 8 & 1;
	if (r == 0) {
		assert(all_in(s, len, "0123456789,-"));
		assert(set > 0);
	} else {
		assert(r == -EINVAL || r == -ERANGE);
		for (int i = 0; i < CPUS / 8; i++)
			assert(bits[i] == 0x5a);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	check_integer(text, size, 10);
	check_integer(text, size, 16);
	check_maximum(text, size, 65535);
	check_duration(text);
	check_size(text);
	check_cpus(text, size);
	free(text);
	return 0;
}
