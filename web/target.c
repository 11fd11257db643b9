// SPDX-License-Identifier: Apache-2.0
/*
 * Decoded in place, in a copy of its own: what libmicrohttpd makes of it is not looked at, since it lets NULs and half an escape pass.
 *
 * Refused: targets with a scheme and a host, which only proxies are asked for; ';' between parameters; paths with "//" at their
 * beginning, which are another host's when a client is sent there; control characters, as they have no place in a label or an expression.
 */
#include "web/target.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes in place. What is between ' ' and '~', and bytes of UTF-8, may come out of it; tabs and ends of lines, too, in values. */
static int decode(char *text, bool plus, bool in_value, struct err *err)
{
	char *to = text;

	for (const char *at = text; *at; at++) {
		unsigned char c = (unsigned char)*at;

		if (c == '%') {
			int high = hex(at[1]), low = high < 0 ? -1 : hex(at[2]);

			if (low < 0)
				return err_set(
					err, -EINVAL,
					"a \"%%\" in the URL has no two hexadecimal digits behind it");
			c = (unsigned char)(high << 4 | low);
			at += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if ((c < ' ' && !(in_value && (c == '\t' || c == '\n'))) || c == 0x7f)
			return err_set(err, -EINVAL,
				       "a control character (%%%02X) in the URL is not accepted",
				       c);
		*to++ = (char)c;
	}
	*to = '\0';
	return 0;
}

static int add(struct target *t, char *pair, struct err *err)
{
	char *value = strchr(pair, '=');
	int r;

	if (t->count == READER_MAX_PARAMETERS)
		return err_set(err, -E2BIG, "the URL has more than %d parameters",
			       READER_MAX_PARAMETERS);
	if (value)
		*value++ = '\0';
	else
		value = pair + strlen(pair);
	r = decode(pair, true, false, err);
	if (r == 0)
		r = decode(value, true, true, err);
	if (r == 0)
		t->parameters[t->count++] = (struct reader_parameter){ pair, value };
	return r;
}

static int parse(struct target *t, struct err *err)
{
	char *query = strchr(t->text, '?'), *pair;
	int r;

	if (query)
		*query++ = '\0';
	if (t->text[0] != '/' || t->text[1] == '/')
		return err_set(err, -EINVAL, "the URL's path does not begin with one \"/\"");
	r = decode(t->text, false, false, err);
	t->path = t->text;
	while (r == 0 && (pair = strsep(&query, "&")))
		if (*pair)
			r = add(t, pair, err);
	return r;
}

int target_parse(struct target *ret, const char *raw, struct err *err)
{
	size_t len = strlen(raw);

	*ret = (struct target){ 0 };
	if (len > TARGET_MAX_BYTES)
		return err_set(err, -E2BIG, "the URL is longer than %u bytes", TARGET_MAX_BYTES);
	ret->text = malloc(len + 1);
	if (!ret->text)
		return err_errno(err, -ENOMEM, "cannot read the URL");
	memcpy(ret->text, raw, len + 1);
	return parse(ret, err);
}

void target_release(struct target *t)
{
	free(t->text);
	*t = (struct target){ 0 };
}

const char *target_find(const struct target *t, const char *name)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (!strcmp(t->parameters[i].name, name))
			return t->parameters[i].value;
	return NULL;
}

void target_remove(struct target *t, const char *name)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < t->count; i++)
		if (strcmp(t->parameters[i].name, name) != 0)
			t->parameters[left++] = t->parameters[i];
	t->count = left;
}

/* Letters, digits and "-._~" stand for themselves everywhere; '/' does in paths. */
static void encode(const char *text, bool path, struct buffer *out)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("-._~", c) || (path && c == '/');

		if (plain)
			buffer_append(out, text, 1);
		else
			buffer_printf(out, "%%%02X", c);
	}
}

void target_write(const struct target *t, struct buffer *out)
{
	/* "/%2Fhost" was one path, and must not become another host. */
	buffer_text(out, "/");
	for (const char *at = t->path + 1; *at; at++) {
		char one[] = { *at, '\0' };

		encode(one, at > t->path + 1, out);
	}
	for (uint32_t i = 0; i < t->count; i++) {
		buffer_text(out, i ? "&" : "?");
		encode(t->parameters[i].name, false, out);
		buffer_text(out, "=");
		encode(t->parameters[i].value, false, out);
	}
}
