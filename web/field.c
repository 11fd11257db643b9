// SPDX-License-Identifier: Apache-2.0
/*
 * RFC 9110 for lists and authorization, 4648 for base64, 6265 for cookies, as far as they are used. What doesn't follow them is taken for
 * nothing, never for something: no gzip, no match, no token.
 */
#include "web/field.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next item between commas, without blanks around it. False: no more. */
static bool next_item(const char **at, const char **ret_item, size_t *ret_len)
{
	size_t len;

	while (is_blank(**at) || **at == ',')
		(*at)++;
	len = strcspn(*at, ",");
	*ret_item = *at;
	*at += len;
	while (len && is_blank((*ret_item)[len - 1]))
		len--;
	*ret_len = len;
	return len > 0;
}

/* "q=0", "q=0.000": not that one. Any other weight is as good as 1. */
static bool is_refused(const char *parameters, size_t len)
{
	while (len && (is_blank(*parameters) || *parameters == ';'))
		parameters++, len--;
	if (len < 3 || strncasecmp(parameters, "q=", 2) != 0)
		return false;
	for (size_t i = 2; i < len; i++)
		if (parameters[i] != '0' && parameters[i] != '.')
			return false;
	return true;
}

bool field_accepts_gzip(const char *value)
{
	const char *at = value, *item;
	bool any = false;
	size_t len;

	while (at && next_item(&at, &item, &len)) {
		size_t name = 0;

		while (name < len && item[name] != ';' && !is_blank(item[name]))
			name++;
		if (name == 4 && !strncasecmp(item, "gzip", 4))
			return !is_refused(item + name, len - name);
		if (name == 1 && *item == '*')
			any = !is_refused(item + name, len - name);
	}
	return any;
}

bool field_matches_etag(const char *value, const char *etag)
{
	const char *at = value, *item;
	size_t len, wanted = strlen(etag);

	while (at && next_item(&at, &item, &len)) {
		if (len == 1 && *item == '*')
			return true;
		if (len > 2 && !strncmp(item, "W/", 2))
			item += 2, len -= 2;
		if (len == wanted && !memcmp(item, etag, len))
			return true;
	}
	return false;
}

bool field_cookie(const char *value, const char *name, char ret[FIELD_MAX_SECRET])
{
	size_t name_len = strlen(name);

	while (value && *value) {
		size_t len;

		value += strspn(value, " \t;");
		len = strcspn(value, ";");
		if (len > name_len && !strncmp(value, name, name_len) && value[name_len] == '=') {
			value += name_len + 1;
			len -= name_len + 1;
			while (len && is_blank(value[len - 1]))
				len--;
			if (len >= FIELD_MAX_SECRET)
				return false;
			memcpy(ret, value, len);
			ret[len] = '\0';
			return true;
		}
		value += len;
	}
	return false;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Without NULs in what comes out. Padding may be there or not. */
static bool base64_decode(const char *text, char ret[FIELD_MAX_SECRET])
{
	uint32_t bits = 0, held = 0;
	size_t n = 0;

	for (; base64_digit(*text) >= 0; text++) {
		bits = bits << 6 | (uint32_t)base64_digit(*text);
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		if (n + 1 == FIELD_MAX_SECRET || !(uint8_t)(bits >> held))
			return false;
		ret[n++] = (char)(uint8_t)(bits >> held);
	}
	ret[n] = '\0';
	return text[strspn(text, "=")] == '\0';
}

/* What is behind the scheme, if it is this one. */
static const char *behind(const char *value, const char *scheme)
{
	size_t len = strlen(scheme);

	if (strncasecmp(value, scheme, len) != 0 || !is_blank(value[len]))
		return NULL;
	return value + len + strspn(value + len, " \t");
}

bool field_token(const char *value, char ret[FIELD_MAX_SECRET])
{
	const char *given = value ? behind(value, "Bearer") : NULL;
	const char *colon;
	size_t len;

	if (given) {
		len = strcspn(given, " \t");
		if (!len || len >= FIELD_MAX_SECRET || given[len + strspn(given + len, " \t")])
			return false;
		memcpy(ret, given, len);
		ret[len] = '\0';
		return true;
	}
	given = value ? behind(value, "Basic") : NULL;
	if (!given || !base64_decode(given, ret))
		return false;
	colon = strchr(ret, ':');
	if (!colon)
		return false;
	memmove(ret, colon + 1, strlen(colon + 1) + 1);
	return true;
}

bool field_is_secret(const char *given, const char *secret)
{
	size_t len = strlen(given), secret_len = strlen(secret);
	volatile uint32_t differs = len != secret_len || !secret_len;

	for (size_t i = 0; i < len; i++)
		differs |= (uint32_t)(given[i] ^ (i < secret_len ? secret[i] : 0));
	return !differs;
}
