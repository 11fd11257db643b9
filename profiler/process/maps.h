/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of /proc/PID/maps (Documentation/filesystems/proc.rst, 3.1): hostile text. The path is the
 * rest of the line; the kernel writes a newline in a path as "\012", which is undone here.
 */
#ifndef PROCESS_MAPS_H
#define PROCESS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPS_MAX_PATH 4096

struct maps_line {
	uint64_t start, end, offset, ino;
	uint32_t major, minor;
	bool executable;
	bool deleted; /* the path ended in " (deleted)", which is cut */
	char path[MAPS_MAX_PATH + 1];
};

/*
 * Parses the first line of `text` into *ret and *ret_used, its length with the newline. 0; -ENOENT when
 * `len` is 0; -EINVAL when it is no such line or its newline is missing (*ret_used is still set, so that
 * the reader goes on; ret->path is then undefined).
 */
int maps_line_parse(const char *text, size_t len, struct maps_line *ret, size_t *ret_used);

/*
 * Cuts " (deleted)" from the path of an unlinked file, as maps and MMAP2 show it, and tells whether it
 * was there. A file that is really called so loses it too: then only its inode number finds it.
 */
bool maps_path_cut_deleted(char *path);

#endif
