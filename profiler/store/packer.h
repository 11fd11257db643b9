/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window of a profile as the frame that a file has of it, in memory. Who packs needs no file, and who writes no profile: frames go
 * from one process to another in between. Not thread safe.
 *
 * A frame has what was added to the profile's arrays since the one before that was kept: it can only follow that one, in one
 * file. The first of a file is whole (LAYOUT_WHOLE), and has all of them.
 */
#ifndef STORE_PACKER_H
#define STORE_PACKER_H

#include <stddef.h>

#include "profiler/model/profile.h"
#include "profiler/store/window.h"

/* zstd's, of windows that are written every 10 s; and of what is written once and read often. */
#define PACKER_EFFORT 5
#define PACKER_EFFORT_ROLLED_UP 7

struct packer;

/* 0 or -ENOMEM. */
int packer_new(struct packer **ret, int effort);
void packer_free(struct packer *k);

/* The next frame is to be whole, as the first one is. */
void packer_begin(struct packer *k);

/*
 * The samples of `p`, which is the same profile from one packer_begin() to the next, but for its samples, facts and counters.
 * 0, -ENOMEM, -E2BIG, or -EINVAL: the moments aren't the samples'.
 */
int packer_pack(struct packer *k, const struct profile *p, const struct counters *counters,
		const struct store_window *w);

/* What was packed, borrowed until the next call; its sequence number is 0, and for who writes it to set. */
void *packer_frame(struct packer *k, size_t *ret_len);

/* It is in its file: the next frame is to follow it. */
void packer_keep(struct packer *k);

#endif
