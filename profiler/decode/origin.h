/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What names tell that a format doesn't say: what a mapping is, and whether a name is a stand-in.
 */
#ifndef DECODE_ORIGIN_H
#define DECODE_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/model/profile.h"

/* As slowburn and perf write them: "[kernel.kallsyms]", "[ext4]", "[vdso]", "//anon", "/usr/bin/node". */
enum profile_mapping_kind origin_of_mapping(const char *name);

/* "[libc.so.6]", "[unknown]", "": no function's name. */
bool origin_is_stand_in(const char *name, size_t len);

#endif
