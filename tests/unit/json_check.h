/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a text JSON (RFC 8259)? Strictly: no control characters in strings, no byte that is no UTF-8, no leading zeros, nothing
 * behind the end.
 */
#ifndef TESTS_UNIT_JSON_CHECK_H
#define TESTS_UNIT_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct json_check {
	const unsigned char *at, *end;
	uint32_t depth;
};

static inline void json_space(struct json_check *c)
{
	while (c->at < c->end && strchr(" \t\n\r", *c->at) && *c->at)
		c->at++;
}

static inline bool json_take(struct json_check *c, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0)
		return false;
	c->at += len;
	return true;
}

/* One character of more than seven bits. */
static inline bool json_utf8(struct json_check *c)
{
	uint32_t lead = *c->at, n = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1, code;

	if (lead < 0xc2 || lead > 0xf4 || (size_t)(c->end - c->at) <= n)
		return false;
	code = lead & (0x3fu >> n);
	for (uint32_t i = 1; i <= n; i++) {
		if ((c->at[i] & 0xc0) != 0x80)
			return false;
		code = code << 6 | (c->at[i] & 0x3f);
	}
	c->at += n + 1;
	return code >= (n == 3   ? 0x10000u
			: n == 2 ? 0x800u
				 : 0x80u) &&
	       code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
}

static inline bool json_string(struct json_check *c)
{
	if (!json_take(c, "\""))
		return false;
	while (c->at < c->end && *c->at != '"') {
		if (*c->at < 0x20)
			return false;
		if (*c->at >= 0x80) {
			if (!json_utf8(c))
				return false;
			continue;
		}
		if (*c->at++ != '\\')
			continue;
		/* We write no \u. */
		if (c->at == c->end || !*c->at || !strchr("\"\\/bfnrt", *c->at++))
			return false;
	}
	return json_take(c, "\"");
}

static inline bool json_digits(struct json_check *c)
{
	const unsigned char *first = c->at;

	while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
		c->at++;
	return c->at > first;
}

static inline bool json_figure(struct json_check *c)
{
	json_take(c, "-");
	if (!json_take(c, "0") && !json_digits(c))
		return false;
	if (json_take(c, ".") && !json_digits(c))
		return false;
	if (!json_take(c, "e") && !json_take(c, "E"))
		return true;
	if (!json_take(c, "+"))
		json_take(c, "-");
	return json_digits(c);
}

static inline bool json_value(struct json_check *c);

static inline bool json_list(struct json_check *c, bool object)
{
	const char *close = object ? "}" : "]";

	json_space(c);
	if (json_take(c, close))
		return true;
	for (;;) {
		json_space(c);
		if (object) {
			if (!json_string(c))
				return false;
			json_space(c);
			if (!json_take(c, ":"))
				return false;
		}
		if (!json_value(c))
			return false;
		if (json_take(c, close))
			return true;
		if (!json_take(c, ","))
			return false;
	}
}

static inline bool json_value(struct json_check *c)
{
	bool valid;

	json_space(c);
	if (c->at == c->end || ++c->depth > 100)
		return false;
	if (json_take(c, "{"))
		valid = json_list(c, true);
	else if (json_take(c, "["))
		valid = json_list(c, false);
	else if (*c->at == '"')
		valid = json_string(c);
	else
		valid = json_take(c, "true") || json_take(c, "false") || json_take(c, "null") ||
			json_figure(c);
	c->depth--;
	json_space(c);
	return valid;
}

static inline bool json_is_valid(const char *text, size_t len)
{
	struct json_check c = { (const unsigned char *)text, (const unsigned char *)text + len, 0 };

	return json_value(&c) && c.at == c.end;
}

#endif
