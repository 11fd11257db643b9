/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which address is what. docs/HTTP.md describes each, and tests/unit/web_routes.c compares the two lists.
 */
#ifndef WEB_ROUTES_H
#define WEB_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "web/request.h"

#define PPROF_PREFIX "/debug/pprof/"

struct route {
	const char *path;
	bool open; /* nothing that needs authority */
	bool posts; /* POST as well as GET and HEAD */
	/* The answer, or NULL: the request waits, or there is no memory. */
	struct answer *(*handle)(struct request *q);
	const char *endpoint; /* of a reader (profiler/reader/request.h); or NULL */
};

/* NULL: there is none. */
const struct route *route_find(const char *path);
size_t route_count(void);
const struct route *route_at(size_t i);

#endif
