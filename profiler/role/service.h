/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's side of the supervisor: what it may ask of it. One request at a time; each is answered
 * within SERVICE_DEADLINE_NS or the socket is of no more use.
 */
#ifndef ROLE_SERVICE_H
#define ROLE_SERVICE_H

#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/role/starter.h"

#define SERVICE_DEADLINE_NS (5000000000ULL)
#define SERVICE_MAX_BYTES 1024 /* of a message */

enum service_message {
	/* The role's name; reply: struct service_start_reply, and a sentence or a descriptor. */
	SERVICE_START = 1,
	SERVICE_USAGE, /* reply: struct service_usage */
	SERVICE_REPLY = 100,
};

struct service_start_reply {
	int32_t status; /* 0 or negative errno */
	int32_t pid;
};

/* Of all processes of this slowburn, the asking one and those that ended included. */
struct service_usage {
	uint64_t cpu_ns;
	uint64_t memory_bytes; /* proportional set size, now; 0 if it can't be read */
};

/* A starter on this socket, which it borrows. */
struct starter service_starter(const int *socket);

/* 0 or negative errno. */
int service_usage(int socket, struct service_usage *ret);

#endif
