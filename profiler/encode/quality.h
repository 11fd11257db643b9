/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quality section of the text answer: what was lost, cut short, guessed or left without a name, and
 * what it cost to know.
 */
#ifndef ENCODE_QUALITY_H
#define ENCODE_QUALITY_H

#include "profiler/encode/page.h"
#include "profiler/encode/ranking.h"

/* Every counter of a gap that isn't 0 is said, at the latest in "Also counted". */
void quality_write(struct page *g, const struct ranking *k);

#endif
