// SPDX-License-Identifier: Apache-2.0
/*
 * First each by its kind and limits, then what they say together. A name that nobody knows is an error: an answer to
 * another question than the one that was meant is worse than none. Only /debug/pprof passes it over, as Go does.
 */
#include "profiler/reader/parameters.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/number.h"

enum kind { TEXT, FLAG, COUNT, DURATION, PERCENT };

static const struct {
	const char *name;
	enum kind kind;
	uint64_t least, most;
} table[] = {
#define X(id, name, kind, least, most) { name, kind, least, most },
	PARAMETERS(X)
#undef X
};

_Static_assert(PARAMETER_COUNT <= 32, "a bit each");
_Static_assert(PARAMETER_RECURSION - PARAMETER_QUERY == (int)QUERY_RECURSION, "in one order");

static int find(const char *name)
{
	for (int i = 0; i < PARAMETER_COUNT; i++)
		if (reader_same_name(table[i].name, name))
			return i;
	return -ENOENT;
}

static int read_flag(int i, const char *value, uint64_t *ret, struct err *err)
{
	if (!*value || !strcmp(value, "1") || !strcmp(value, "true"))
		*ret = 1;
	else if (!strcmp(value, "0") || !strcmp(value, "false"))
		*ret = 0;
	else
		return err_set(err, -EINVAL, "%s \"%.40s\" is not 1 or 0", table[i].name, value);
	return 0;
}

static int read_count(int i, const char *value, uint64_t *ret, struct err *err)
{
	if (number_parse(value, strlen(value), table[i].most, ret) < 0 || *ret < table[i].least)
		return err_set(err, -EINVAL,
			       "%s \"%.40s\" is not a number from %" PRIu64 " to %" PRIu64,
			       table[i].name, value, table[i].least, table[i].most);
	return 0;
}

static int read_duration(int i, const char *value, uint64_t *ret, struct err *err)
{
	if (moment_duration_parse(value, ret) < 0)
		return err_set(err, -EINVAL, "%s \"%.40s\" is not a duration such as 30s or 5m",
			       table[i].name, value);
	if (*ret < table[i].least || *ret > table[i].most)
		return err_set(err, -EINVAL, "%s \"%.40s\" is not from %.9g s to %.9g s",
			       table[i].name, value, (double)table[i].least / NS_PER_S,
			       (double)table[i].most / NS_PER_S);
	return 0;
}

/* "0.25": of a hundred, with at most four digits behind the point. */
static int read_percent(int i, const char *value, uint64_t *ret, struct err *err)
{
	size_t whole = strspn(value, "0123456789"), behind = 0;
	uint64_t percent, part = 0;

	if (value[whole] == '.')
		behind = strspn(value + whole + 1, "0123456789");
	if (value[whole + (behind ? behind + 1 : 0)] || behind > 4 ||
	    number_parse(value, whole, 100, &percent) < 0 ||
	    (behind && number_parse(value + whole + 1, behind, UINT64_MAX, &part) < 0))
		return err_set(err, -EINVAL, "%s \"%.40s\" is not a share from 0 to 100, as 0.25",
			       table[i].name, value);
	for (size_t n = behind; n < 4; n++)
		part *= 10;
	*ret = percent * 10000 + part;
	if (*ret > 1000000)
		return err_set(err, -EINVAL, "%s \"%.40s\" is more than 100", table[i].name, value);
	return 0;
}

static int read_one(struct parameters *p, int i, const char *value, struct err *err)
{
	if (p->given >> i & 1)
		return err_set(err, -EINVAL, "%s is given twice", table[i].name);
	p->given |= 1u << i;
	p->texts[i] = value;
	switch (table[i].kind) {
	case FLAG:
		return read_flag(i, value, &p->numbers[i], err);
	case COUNT:
		return read_count(i, value, &p->numbers[i], err);
	case DURATION:
		return read_duration(i, value, &p->numbers[i], err);
	case PERCENT:
		return read_percent(i, value, &p->numbers[i], err);
	case TEXT:
		break;
	}
	return 0;
}

static int make_query(const struct parameters *p, enum parameter matchers, struct query **ret,
		      struct err *err)
{
	struct query *q;
	int r = query_new(&q);

	if (r < 0)
		return err_errno(err, r, "cannot set up the query");
	if (p->texts[matchers])
		r = query_set(q, QUERY_QUERY, p->texts[matchers], err);
	for (int i = PARAMETER_FOCUS; i < PARAMETER_RECURSION && r == 0; i++)
		if (p->texts[i])
			r = query_set(q, (enum query_parameter)(i - PARAMETER_QUERY), p->texts[i],
				      err);
	if (r == 0 && p->numbers[PARAMETER_RECURSION])
		r = query_set(q, QUERY_RECURSION, NULL, err);
	if (r < 0)
		query_free(q);
	else
		*ret = q;
	return r;
}

static int read_mode(struct parameters *p, struct err *err)
{
	const char *mode = p->texts[PARAMETER_MODE];

	if (!mode)
		p->mode = DIFF_AUTO;
	else if (!strcmp(mode, "absolute"))
		p->mode = DIFF_ABSOLUTE;
	else if (!strcmp(mode, "relative"))
		p->mode = DIFF_RELATIVE;
	else
		return err_set(err, -EINVAL, "mode \"%.40s\" is not absolute or relative", mode);
	return 0;
}

static int read_together(struct parameters *p, struct err *err)
{
	bool other = parameter_given(p, PARAMETER_COMPARE_QUERY);
	int r = make_query(p, PARAMETER_QUERY, &p->query, err);

	if (r == 0)
		r = make_query(p, other ? PARAMETER_COMPARE_QUERY : PARAMETER_QUERY, &p->compared,
			       err);
	/* An empty list is none. */
	if (r == 0 && p->texts[PARAMETER_BY] && *p->texts[PARAMETER_BY])
		r = group_keys_parse(&p->by, p->texts[PARAMETER_BY], err);
	if (r == 0 && p->texts[PARAMETER_ROOT] && *p->texts[PARAMETER_ROOT])
		r = root_keys_parse(&p->root, p->texts[PARAMETER_ROOT], err);
	return r < 0 ? r : read_mode(p, err);
}

int parameters_read(struct parameters *ret, const struct reader_request *q, uint32_t accepted,
		    bool lenient, struct err *err)
{
	struct parameters p = { 0 };
	int r = 0;

	for (uint32_t n = 0; n < q->count && r == 0; n++) {
		int i = find(q->parameters[n].name);

		if (i >= 0 && accepted >> i & 1)
			r = read_one(&p, i, q->parameters[n].value, err);
		else if (!lenient)
			r = err_set(err, -EINVAL, "\"%.40s\" is no parameter of %s%s",
				    q->parameters[n].name, q->endpoint,
				    i < 0 ? ", nor of anything else" : "");
	}
	if (r == 0)
		r = read_together(&p, err);
	if (r < 0)
		parameters_release(&p);
	else
		*ret = p;
	return r;
}

void parameters_release(struct parameters *p)
{
	query_free(p->query);
	query_free(p->compared);
	p->query = p->compared = NULL;
}
