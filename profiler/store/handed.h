/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store as a process has it that can open nothing: its files were handed to it, one by one.
 */
#ifndef STORE_HANDED_H
#define STORE_HANDED_H

#include <stddef.h>

#include "profiler/base/array.h"
#include "profiler/store/reader.h"

#define HANDED_MAX_FILES 4000u

struct handed_file {
	int fd;
	char name[CATALOG_NAME_BYTES];
};

/* All zero: none yet. */
struct handed {
	struct catalog catalog;
	ARRAY(struct handed_file) files; /* as they came */
};

/*
 * What came with a message: a struct catalog_file, and its descriptor, which is taken (and *fd -1) if it returns 0.
 * -EPROTO: it can't be one; -E2BIG, -ENOMEM.
 */
int handed_take(struct handed *h, const void *bytes, size_t len, int *fd);
void handed_release(struct handed *h);

/* Borrows `h`; each file can be read again. */
struct store_source handed_source(struct handed *h);

#endif
