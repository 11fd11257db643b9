/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the debug information of a binary is kept that does not have it itself: names below
 * /usr/lib/debug and beside the binary (GDB manual, "Separate Debug Files"), in the root of the process that maps it,
 * then in ours. What is opened is what has such a name; whether it belongs to the binary is for others to find
 * out. One thread.
 */
#ifndef PROCESS_DEBUG_FILE_H
#define PROCESS_DEBUG_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define DEBUG_FILE_MAX_ID_BYTES 64u
#define DEBUG_FILE_MAX_NAME_BYTES 1024u /* with the NUL */
#define DEBUG_FILE_NAMES 4u /* in a root */
#define DEBUG_FILE_CANDIDATES (2 * DEBUG_FILE_NAMES)
#define DEBUG_FILE_NOBODY \
	UINT32_MAX /* an owner that is nobody's word but a user's own file server's */

struct debug_place {
	uint32_t pid, parent_pid; /* either may be gone; 0: not known */
	const char *path; /* the binary's, in that process's root */
	const uint8_t *build_id; /* of the file that is looked for */
	uint32_t build_id_bytes; /* 0: it has none */
	/*
	 * A file's name, as .gnu_debuglink has it; of an alternate file (dwz) a path, as
	 * .gnu_debugaltlink has it; "": none.
	 */
	const char *name;
	bool alternate;
};

/* A path that begins at the root, an id that is none too long, a name that leads nowhere else. */
bool debug_place_is_sound(const struct debug_place *place);

/*
 * The name of a candidate, below DEBUG_FILE_NAMES, as a path in a root. False if there is none, or it is longer
 * than `size`.
 */
bool debug_place_name(const struct debug_place *place, uint32_t number, char *ret, uint32_t size);

/*
 * The first candidate from number `first` on that is a regular file: its number, below
 * DEBUG_FILE_CANDIDATES, a descriptor that reads it, or a sealed copy (process/copy.h) where its file system may not
 * answer, and its owner's uid, or DEBUG_FILE_NOBODY. Or negative errno: -ENOENT, or why one that has the name could not be had: -EINVAL if it is no
 * regular file. Waits as long as it takes, for ever if need be.
 */
int debug_file_open(const struct debug_place *place, uint32_t first, int *ret_fd,
		    uint32_t *ret_uid);

#endif
