/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that are looked for in dpkg's lists of packages' files (dpkg-query(1), /var/lib/dpkg/info), which are whoever's root's
 * they are found in. One thread.
 */
#ifndef PROCESS_PACKAGE_LIST_H
#define PROCESS_PACKAGE_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/process/package.h"

struct package_search;

/* Borrows the paths, at most PACKAGE_MAX_PATHS. 0, -E2BIG or -ENOMEM. */
int package_search_new(struct package_search **ret, const char *const *paths, uint32_t count);
void package_search_free(struct package_search *s);

/* Is a file of this name a list? "libc6:amd64.list" is. */
bool package_is_list(const char *name);

/* Reads a list of this name; of all together so many bytes. What is none, or can't be read, names nothing. */
void package_search_list(struct package_search *s, const char *name, int fd);

/* Once, and last: a line for each path, in the order asked, as packages_find() says. 0 or negative errno. */
int package_search_answer(struct package_search *s, struct buffer *out);

#endif
