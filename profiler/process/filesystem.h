/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which file systems answer by themselves, and which ask somebody who may never answer (FUSE, NFS). It
 * is known before they are touched, from what the kernel says of them in mountinfo. A file system that
 * is not known to answer is slow. What was learnt is remembered for 1 s. One thread.
 */
#ifndef PROCESS_FILESYSTEM_H
#define PROCESS_FILESYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is it slow? By its device number, as a mapping of process `pid` has it. */
bool filesystem_is_slow(uint32_t pid, uint32_t major, uint32_t minor);

struct filesystem {
	uint32_t major, minor; /* as mappings have it, whatever stat() says */
	bool slow;
	bool stacked; /* overlayfs: its files are another file system's */
	bool doubtful; /* it may say of a file that it is anybody's: who is not root says so */
};

/* What is mounted as `mount_id`, seen by process `pid`, init or us. 0 or -ENOENT. */
int filesystem_of_mount(uint32_t pid, uint64_t mount_id, struct filesystem *ret);

/* Of the file systems in a text of mountinfo, any bytes, the one with this device number: 0 or -ENOENT. */
int filesystem_parse(const char *text, size_t len, uint32_t major, uint32_t minor,
		     struct filesystem *ret);

#endif
