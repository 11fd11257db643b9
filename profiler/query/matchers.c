// SPDX-License-Identifier: Apache-2.0
/*
 * A hand-written parser from left to right, since its errors are to say where; one matcher at a time: a name, an
 * operator, a quoted value.
 */
#include "profiler/query/matchers.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/query/pattern.h"

#define MAX_KEY_BYTES 64
#define MAX_VALUE_BYTES 1024

struct matcher {
	char key[MAX_KEY_BYTES];
	char value[MAX_VALUE_BYTES];
	size_t len; /* of the value */
	struct pattern *pattern; /* NULL: the value as it is */
	bool negated;
};

struct matchers {
	struct matcher items[MATCHERS_MAX];
	uint32_t count;
};

struct parser {
	const char *begin, *at;
	struct err *err;
};

static int wrong(const struct parser *p, const char *what)
{
	return err_set(p->err, -EINVAL, "query \"%.60s\", at character %zu: %s", p->begin,
		       (size_t)(p->at - p->begin) + 1, what);
}

static void skip_spaces(struct parser *p)
{
	p->at += strspn(p->at, " \t\n");
}

static int parse_key(struct parser *p, char *ret)
{
	size_t len = 0;

	while (isascii((unsigned char)p->at[len]) &&
	       (isalnum((unsigned char)p->at[len]) || (p->at[len] && strchr("_.:", p->at[len]))))
		len++;
	if (!len || isdigit((unsigned char)*p->at))
		return wrong(p, "a label's name is expected: comm, pid, cgroup …");
	if (len >= MAX_KEY_BYTES)
		return wrong(p, "this label's name is too long");
	memcpy(ret, p->at, len);
	ret[len] = '\0';
	p->at += len;
	return 0;
}

static int parse_operator(struct parser *p, bool *ret_negated, bool *ret_regex)
{
	*ret_negated = *p->at == '!';
	if (*p->at != '!' && *p->at != '=')
		return wrong(p, "=, !=, =~ or !~ is expected");
	p->at++;
	*ret_regex = *p->at == '~';
	if (*ret_negated && *p->at != '=' && *p->at != '~')
		return wrong(p, "!= or !~ is expected");
	if (*ret_negated || *ret_regex)
		p->at++;
	return 0;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Behind a backslash. The byte that it stands for, or -1. */
static int parse_escape(struct parser *p)
{
	static const char letters[] = "\\\"'ntr", bytes[] = "\\\"'\n\t\r";
	const char *at = *p->at ? strchr(letters, *p->at) : NULL;
	int high, low;

	if (at) {
		p->at++;
		return bytes[at - letters];
	}
	if (*p->at != 'x')
		return -1;
	high = hex_digit(p->at[1]);
	low = high < 0 ? -1 : hex_digit(p->at[2]);
	if (low < 0 || high * 16 + low == 0)
		return -1;
	p->at += 3;
	return high * 16 + low;
}

static int parse_value(struct parser *p, struct matcher *m)
{
	char quote = *p->at;

	if (quote != '"' && quote != '\'' && quote != '`')
		return wrong(p, "a value in quotes is expected");
	for (p->at++; *p->at != quote;) {
		int byte = (unsigned char)*p->at;

		if (!byte)
			return wrong(p, "the value has no closing quote");
		p->at++;
		if (byte == '\\' && quote != '`')
			byte = parse_escape(p);
		if (byte < 0)
			return wrong(
				p,
				"no such escape: \\\\, \\\", \\', \\n, \\t, \\r and \\xNN are known");
		if (m->len + 1 == MAX_VALUE_BYTES)
			return wrong(p, "the value is too long");
		m->value[m->len++] = (char)byte;
	}
	p->at++;
	return 0;
}

static int parse_matcher(struct parser *p, struct matcher *m)
{
	const char *value;
	struct err why;
	bool regex = false;
	int r = parse_key(p, m->key);

	if (r < 0)
		return r;
	skip_spaces(p);
	r = parse_operator(p, &m->negated, &regex);
	if (r < 0)
		return r;
	skip_spaces(p);
	value = p->at;
	r = parse_value(p, m);
	if (r < 0 || !regex)
		return r;
	r = pattern_new(&m->pattern, m->value, true, &why);
	p->at = r == -EINVAL ? value : p->at;
	return r == -EINVAL ? wrong(p, why.text) : r < 0 ? err_set(p->err, r, "%s", why.text) : 0;
}

static int parse(struct parser *p, struct matchers *m)
{
	bool braces;

	skip_spaces(p);
	braces = *p->at == '{';
	p->at += braces;
	skip_spaces(p);
	while (*p->at && *p->at != '}') {
		int r;

		if (m->count == MATCHERS_MAX)
			return wrong(p, "this is one matcher too many: at most 32");
		r = parse_matcher(p, &m->items[m->count++]);
		if (r < 0)
			return r;
		skip_spaces(p);
		if (*p->at != ',')
			break;
		p->at++;
		skip_spaces(p);
	}
	if (braces && *p->at != '}')
		return wrong(p, "a comma or } is expected");
	p->at += braces;
	skip_spaces(p);
	return *p->at ? wrong(p, braces ? "nothing is expected behind }" : "a comma is expected")
		      : 0;
}

int matchers_new(struct matchers **ret, const char *text, struct err *err)
{
	struct parser p = { text, text, err };
	struct matchers *m;
	int r;

	if (strlen(text) > MATCHERS_MAX_BYTES)
		return err_set(err, -E2BIG, "a query has more than %d bytes", MATCHERS_MAX_BYTES);
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_errno(err, -ENOMEM, "cannot read the query");
	r = parse(&p, m);
	if (r < 0)
		matchers_free(m);
	else
		*ret = m;
	return r;
}

void matchers_free(struct matchers *m)
{
	for (uint32_t i = 0; m && i < m->count; i++)
		pattern_free(m->items[i].pattern);
	free(m);
}

static int matcher_holds(const struct matcher *m, const struct profile *p, uint32_t series)
{
	const struct profile_label *l = profile_label_find(p, series, m->key);
	struct profile_string value = { "", 0 };
	char digits[24];
	int r;

	if (l && l->text != PROFILE_NONE) {
		value = p->strings.items[l->text];
	} else if (l) {
		value.len = (uint32_t)snprintf(digits, sizeof(digits), "%" PRId64, l->number);
		value.text = digits;
	}
	r = m->pattern ? pattern_match(m->pattern, value.text, value.len)
		       : value.len == m->len && !memcmp(value.text, m->value, m->len);
	return r < 0 ? r : (r > 0) != m->negated;
}

int matchers_hold(const struct matchers *m, const struct profile *p, uint32_t series)
{
	for (uint32_t i = 0; i < m->count; i++) {
		int r = matcher_holds(&m->items[i], p, series);

		if (r <= 0)
			return r;
	}
	return 1;
}
