// SPDX-License-Identifier: Apache-2.0
/*
 * Three digits are enough for who looks at a machine, and a share near the ends gets as many as tell it
 * from the end: "100 % of what was busy was sampled" is a claim, and printf makes it from 99.5.
 */
#include "profiler/encode/figure.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* What arithmetic alone may make of 100 %. */
#define ALMOST 1e-9

double figure_share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

double figure_share_error(uint64_t part, uint64_t whole)
{
	double n = (double)whole + 4, p = ((double)part + 2) / n;

	return whole && part <= whole ? 200 * sqrt(p * (1 - p) / n) : 0;
}

static int decimals(double x)
{
	if (x >= 99.5 && x < 100 - ALMOST)
		return 1;
	return x >= 9.95 ? 0 : x >= 0.995 ? 1 : 2;
}

struct figure figure_percent(double x)
{
	struct figure f;

	if (x <= 0)
		snprintf(f.text, sizeof(f.text), "0");
	else if (x < 0.01)
		snprintf(f.text, sizeof(f.text), "<0.01");
	else if (x >= 99.95 && x < 100 - ALMOST)
		snprintf(f.text, sizeof(f.text), ">99.9");
	else
		snprintf(f.text, sizeof(f.text), "%.*f", decimals(x), x);
	return f;
}

struct figure figure_count(uint64_t n)
{
	struct figure f;
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), used = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			f.text[used++] = ',';
		f.text[used++] = digits[i];
	}
	f.text[used] = '\0';
	return f;
}

struct figure figure_value(uint64_t value)
{
	double x = (double)value / 1e9;
	struct figure f;

	snprintf(f.text, sizeof(f.text), "%.*f", x >= 99.95 ? 0 : x >= 9.995 ? 1 : 2, x);
	return f;
}

const char *figure_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}
