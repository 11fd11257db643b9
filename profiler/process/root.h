/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process sees under which name, as one number: its mount namespace and root
 * (PROCESS_TEXT_ROOT), hashed. Two processes with the same number see the same files under the same
 * names. It is asked for only where a device and inode number don't tell which file is meant.
 */
#ifndef PROCESS_ROOT_H
#define PROCESS_ROOT_H

#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/process/source.h"

#define ROOT_UNASKED 0ULL
#define ROOT_UNKNOWN 1ULL /* asked, but the process is gone: equal for all of those */

struct roots {
	const struct process_source *source;
	struct buffer text;
	/* The last parent that was asked in the place of a child: a storm of children has few parents. */
	uint64_t parent_root;
	uint32_t parent_pid; /* 0: none */
};

/* Borrows the source for its life. */
void roots_init(struct roots *r, const struct process_source *source);
void roots_release(struct roots *r);

/* The root that `pid` has now, or ROOT_UNKNOWN. */
uint64_t roots_ask(struct roots *r, uint32_t pid);

/*
 * *known, which is asked for first if it is ROOT_UNASKED: of the process at `place`, or, if it is
 * gone, of its parent. Good enough to tell which file is meant, not to open one by: a child may
 * have left its parent's root before it mapped anything.
 */
uint64_t roots_of(struct roots *r, const struct file_place *place, uint64_t *known);

/* Parents may have another root by now. */
void roots_forget(struct roots *r);

#endif
