/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small ELF files whose DWARF wants all memory and all time. Their code is that of symbolizer_sections.h.
 */
#ifndef TESTS_HOSTILE_BOMB_H
#define TESTS_HOSTILE_BOMB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuse;

struct bomb {
	const char *name;
	void (*make)(struct fuse *b);
	bool honest; /* nothing is wrong with it, but that it is long */
};

extern const struct bomb bombs[];
extern const size_t bomb_count;

/* The file, in memory, the largest of its sections `bytes` long when it is decompressed. */
int bomb_make(const struct bomb *bomb, uint64_t bytes);

#endif
