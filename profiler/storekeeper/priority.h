/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storekeeper is in nobody's way: not as urgent as who started it, and while it rolls up after all others that want the disk.
 */
#ifndef STOREKEEPER_PRIORITY_H
#define STOREKEEPER_PRIORITY_H

#include <stdbool.h>

/* Best effort: once, at the start. */
void priority_batch(void);
/* The class of what is read and synced from now on. Cheap if nothing changes. */
void priority_idle(bool idle);

#endif
