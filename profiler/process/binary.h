/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the binary that a mapping shows and opens it: the file itself, or none. One thread.
 */
#ifndef PROCESS_BINARY_H
#define PROCESS_BINARY_H

#include "profiler/process/source.h"

/*
 * As process_source.open: waits for no file system that may not answer (process/filesystem.h), and says
 * PROCESS_FILE_SLOW instead.
 */
int binary_open(const struct file_place *place, int *ret_fd);

/* As process_source.fetch, but waits as long as it takes, for ever if need be. */
int binary_copy(const struct file_place *place, int *ret_fd);

/*
 * What is at `path` for those whose root is `root_fd`: an O_PATH descriptor, or negative errno. Links never
 * lead out. `resolve`: further RESOLVE_… bits of openat2().
 */
int binary_look_up(int root_fd, const char *path, uint64_t resolve);

#endif
