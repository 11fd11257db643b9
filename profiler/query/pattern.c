// SPDX-License-Identifier: Apache-2.0
/*
 * PCRE2's interpreter, without its JIT: whoever matches may not make memory executable. Backtracking is bounded
 * by the match limit, one that was reached once is reached for good: a pattern that is too slow for one of 100,000
 * names must not be tried on all of them.
 */
#include "profiler/query/pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_LIMIT 200000 /* calls of match(): some ms */
#define DEPTH_LIMIT 1000
#define HEAP_LIMIT_KIB 4096
#define LONGEST_SUBJECT ((size_t)64 << 10)
#define SHOWN_BYTES 60

struct pattern {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
	bool exhausted;
};

static int fail(struct err *err, const char *text, int code, size_t at)
{
	PCRE2_UCHAR why[160];

	pcre2_get_error_message(code, why, sizeof(why));
	return err_set(err, -EINVAL, "regular expression \"%.*s\": %s, at character %zu",
		       SHOWN_BYTES, text, (const char *)why, at + 1);
}

static int set_limits(struct pattern *p)
{
	p->data = pcre2_match_data_create_from_pattern(p->code, NULL);
	p->limits = pcre2_match_context_create(NULL);
	if (!p->data || !p->limits)
		return -ENOMEM;
	pcre2_set_match_limit(p->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(p->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(p->limits, HEAP_LIMIT_KIB);
	return 0;
}

int pattern_new(struct pattern **ret, const char *text, bool whole, struct err *err)
{
	const uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C |
				 PCRE2_DOLLAR_ENDONLY |
				 (whole ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0);
	struct pattern *p;
	size_t at = 0;
	int code, r;

	if (strlen(text) > PATTERN_MAX_BYTES)
		return err_set(err, -E2BIG, "a regular expression has more than %d bytes",
			       PATTERN_MAX_BYTES);
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_errno(err, -ENOMEM, "cannot compile a regular expression");
	p->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
	r = p->code ? set_limits(p) : fail(err, text, code, at);
	if (r == -ENOMEM)
		err_errno(err, r, "cannot compile a regular expression");
	if (r < 0)
		pattern_free(p);
	else
		*ret = p;
	return r;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	pcre2_match_context_free(p->limits);
	pcre2_match_data_free(p->data);
	pcre2_code_free(p->code);
	free(p);
}

int pattern_match(struct pattern *p, const char *s, size_t len)
{
	int r;

	if (p->exhausted || len > LONGEST_SUBJECT)
		return p->exhausted ? -ELOOP : 0;
	r = pcre2_match(p->code, (PCRE2_SPTR)s, len, 0, 0, p->data, p->limits);
	if (r >= 0)
		return 1;
	if (r == PCRE2_ERROR_NOMATCH)
		return 0;
	p->exhausted = true;
	return -ELOOP;
}
