/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files made into windows of a store, packed for who writes it.
 */
#ifndef READER_IMPORT_H
#define READER_IMPORT_H

#include "profiler/role/socket.h"

/*
 * From READER_IMPORT on, which `m` has, and for all that follow (reader/job.h), until the other end goes. 0, or negative errno: it talks
 * nonsense.
 */
int import_serve(int socket, struct socket_message *m);

#endif
