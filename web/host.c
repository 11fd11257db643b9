// SPDX-License-Identifier: Apache-2.0
/*
 * Names are compared as texts: what DNS says of one is just what can't be relied upon. A name that isn't plain letters, digits, '-', '_' and
 * '.' is none, so "localhost.", which is another name to whoever compares, is not taken for localhost.
 */
#include "web/host.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "profiler/base/number.h"

#define NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
#define ADDRESS "0123456789abcdefABCDEF:."

int host_parse(const char *text, struct host *ret)
{
	bool bracket = *text == '[';
	const char *name = text + bracket;
	size_t len = strspn(name, bracket ? ADDRESS : NAME);
	const char *rest = name + len;
	struct host h = { 0 };
	uint64_t port = 0;

	if (!len || len > HOST_MAX_NAME)
		return -EINVAL;
	if (bracket && *rest++ != ']')
		return -EINVAL;
	if (*rest && (*rest != ':' ||
		      number_parse(rest + 1, strlen(rest + 1), UINT16_MAX, &port) < 0 || !port))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		h.name[i] =
			(char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
	h.port = (uint32_t)port;
	*ret = h;
	return 0;
}

bool host_is_local(const struct host *h)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(h->name, names[i]))
			return true;
	return false;
}

bool host_is_origin(const char *host, const char *origin)
{
	static const struct {
		const char *scheme;
		uint32_t port;
	} schemes[] = { { "http://", 80 }, { "https://", 443 } };
	struct host ours, theirs;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i].scheme);

		if (strncasecmp(origin, schemes[i].scheme, len) != 0)
			continue;
		if (host_parse(host, &ours) < 0 || host_parse(origin + len, &theirs) < 0)
			return false;
		ours.port = ours.port ? ours.port : schemes[i].port;
		theirs.port = theirs.port ? theirs.port : schemes[i].port;
		return ours.port == theirs.port && !strcmp(ours.name, theirs.name);
	}
	return false;
}
