/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a store: what is in a directory, by names alone.
 *
 *	10s-20261123T05-42-42.slowburn     level, UTC begin of its time, first and last sequence number
 *
 * At the finest level, the last is the first again: it isn't known while the file is written. A file of a coarser
 * level stands for those of the next finer one, of its time, whose first is between its first and last: they are its
 * children.
 */
#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/err.h"

#define CATALOG_NAME_BYTES 96
/* What has no name yet: what is being rolled up; a file without a header. */
#define CATALOG_UNFINISHED "unfinished"
#define CATALOG_BEGUN "begun"
#define CATALOG_MAX_FILES 65536u

struct catalog_file {
	uint32_t level;
	uint64_t slot_ns;
	uint64_t first, last;
	uint64_t bytes; /* on disk */
};

struct catalog {
	ARRAY(struct catalog_file) files; /* by level, time, first */
};

void catalog_name(const struct catalog_file *f, char ret[CATALOG_NAME_BYTES]);
/* All but `bytes`. False: no file of ours. */
bool catalog_parse(const char *name, struct catalog_file *ret);

/* What is there. 0, -E2BIG, or negative errno, and a sentence. */
int catalog_read(struct catalog *c, int dirfd, struct err *err);
void catalog_release(struct catalog *c);

/* Keeps the order. 0 or -ENOMEM, -E2BIG. */
int catalog_add(struct catalog *c, const struct catalog_file *f);
void catalog_remove(struct catalog *c, uint32_t i);

/* Where the files of a level begin; STORE_LEVELS: all there are. */
uint32_t catalog_level(const struct catalog *c, uint32_t level);

bool catalog_is_child(const struct catalog_file *parent, const struct catalog_file *f);
/* Is there a file that stands for this one? */
bool catalog_is_covered(const struct catalog *c, const struct catalog_file *f);

/* What a file takes on disk: its blocks, or its size in pages if that is more. */
struct stat;
uint64_t catalog_bytes(const struct stat *st);

/*
 * Opens a file of the store for reading: a regular one, no link; nothing is waited for. The descriptor, or negative errno
 * and a sentence.
 */
int catalog_open(int dirfd, const char *name, struct err *err);

#endif
