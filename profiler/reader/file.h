/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile from a file of any kind that is read: which, is told by what is in it.
 */
#ifndef READER_FILE_H
#define READER_FILE_H

#include "profiler/base/err.h"
#include "profiler/model/profile.h"

/* `name` is for sentences. 0; 1: a recording that breaks off early, and what it has; or negative errno and a sentence. */
int file_read_profile(int fd, const char *name, struct profile *ret, struct err *err);

#endif
