/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which server a client believes to speak with, and which page made it speak. A page of somebody's can have a browser ask us: by another
 * name that leads to our address (DNS rebinding), or by our own name from elsewhere.
 */
#ifndef WEB_HOST_H
#define WEB_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_MAX_NAME 255

struct host {
	char name[HOST_MAX_NAME + 1]; /* lower case; an address of IPv6 without brackets */
	uint32_t port; /* 0: none was said */
};

/* "name", "name:port", "[::1]:port". 0 or -EINVAL. */
int host_parse(const char *text, struct host *ret);

/* localhost and the addresses of loopback. */
bool host_is_local(const struct host *h);

/* Is a page of this Origin one of the server that Host names? */
bool host_is_origin(const char *host, const char *origin);

#endif
