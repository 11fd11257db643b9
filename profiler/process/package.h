/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which Debian packages files are of, as `dpkg -S` tells: from the lists in /var/lib/dpkg/info of a process's root. One
 * thread.
 */
#ifndef PROCESS_PACKAGE_H
#define PROCESS_PACKAGE_H

#include <stdint.h>

#include "profiler/base/buffer.h"

#define PACKAGE_MAX_PATHS 512u /* of one question */
#define PACKAGE_MAX_NAME 128u /* with the NUL; a longer one is no package's */

/*
 * Appends a line for each path: the name of its package without architecture, or nothing if none has it. 0, or
 * negative errno: -ENOENT if that root has no packages. Reads all lists, for as long as it takes.
 */
int packages_find(uint32_t pid, const char *const *paths, uint32_t count, struct buffer *out);

#endif
