/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slowburn store import: profiles from files, as windows of a store that nobody else writes.
 */
#ifndef COMMAND_STORE_IMPORT_H
#define COMMAND_STORE_IMPORT_H

#include <stdint.h>

#define STORE_IMPORT_MAX_FILES 65536u

/*
 * `time_ns`: when those were taken that don't say so; 0: they are an error. Returns an exit status; what failed was said, and the other files
 * are imported nevertheless.
 */
int store_import(const char *directory, const char *const *files, uint32_t count, uint64_t time_ns);

#endif
