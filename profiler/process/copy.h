/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of a file in memory, sealed: nobody can change or shorten it under who reads it. */
#ifndef PROCESS_COPY_H
#define PROCESS_COPY_H

/* Of what `from` reads, at most PROCESS_MAX_COPY_BYTES. 0; -EFBIG, or another negative errno. */
int copy_seal(int from, int *ret_fd);

#endif
