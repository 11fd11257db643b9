// SPDX-License-Identifier: Apache-2.0
/*
 * The fields are a fixed row, optional ones up to a "-", and three more. getmntent() was refused: it
 * reads the older /proc/mounts, which has neither the device number nor the mounted root.
 *
 *	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 */
#include "profiler/process/mountinfo.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/number.h"

struct cursor {
	const char *at, *end;
};

/* The next field; an empty one, which no line has, is what stands behind the last. */
static struct mountinfo_field take_field(struct cursor *c)
{
	struct mountinfo_field f = { .text = c->at };
	const char *space = memchr(c->at, ' ', (size_t)(c->end - c->at));

	f.len = (size_t)((space ? space : c->end) - c->at);
	c->at = space ? space + 1 : c->end;
	return f;
}

static bool device_parse(const struct mountinfo_field *f, struct mountinfo *ret)
{
	const char *colon = memchr(f->text, ':', f->len);
	size_t before = colon ? (size_t)(colon - f->text) : 0;
	uint64_t major, minor;

	if (!colon || number_parse(f->text, before, UINT32_MAX, &major) < 0 ||
	    number_parse(colon + 1, f->len - before - 1, UINT32_MAX, &minor) < 0)
		return false;
	ret->major = (uint32_t)major;
	ret->minor = (uint32_t)minor;
	return true;
}

int mountinfo_parse(const char *text, size_t len, struct mountinfo *ret, size_t *ret_used)
{
	struct mountinfo m = { 0 };
	struct mountinfo_field f;
	const char *newline;
	struct cursor c;

	if (!len)
		return -ENOENT;
	newline = memchr(text, '\n', len);
	c = (struct cursor){ text, newline ? newline : text + len };
	*ret_used = newline ? (size_t)(newline - text) + 1 : len;
	f = take_field(&c);
	if (number_parse(f.text, f.len, UINT64_MAX, &m.id) < 0)
		return -EINVAL;
	take_field(&c); /* parent's */
	f = take_field(&c);
	if (!device_parse(&f, &m))
		return -EINVAL;
	m.root = take_field(&c);
	m.mount = take_field(&c);
	take_field(&c); /* the mount's own options */
	do {
		f = take_field(&c);
		if (!f.len)
			return -EINVAL;
	} while (!mountinfo_field_is(&f, "-"));
	m.type = take_field(&c);
	take_field(&c); /* source: may be empty */
	m.options = take_field(&c);
	if (!m.root.len || !m.mount.len || !m.type.len || !m.options.len)
		return -EINVAL;
	*ret = m;
	return 0;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

int mountinfo_unescape(const struct mountinfo_field *f, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < f->len; n++) {
		const char *s = f->text + i;
		bool escaped = f->len - i >= 4 && s[0] == '\\' && s[1] <= '3' && is_octal(s[1]) &&
			       is_octal(s[2]) && is_octal(s[3]);

		if (n + 1 >= size)
			return -E2BIG;
		if (escaped)
			out[n] = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
		else
			out[n] = s[0];
		i += escaped ? 4 : 1;
	}
	if (n >= size)
		return -E2BIG;
	out[n] = '\0';
	return 0;
}

bool mountinfo_field_is(const struct mountinfo_field *f, const char *text)
{
	return f->len == strlen(text) && !memcmp(f->text, text, f->len);
}

bool mountinfo_field_lists(const struct mountinfo_field *f, const char *item)
{
	struct mountinfo_field rest = *f;

	for (;;) {
		const char *comma = memchr(rest.text, ',', rest.len);
		struct mountinfo_field first = rest;

		if (comma)
			first.len = (size_t)(comma - rest.text);
		if (mountinfo_field_is(&first, item))
			return true;
		if (!comma)
			return false;
		rest.text = comma + 1;
		rest.len -= first.len + 1;
	}
}
