/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's side of the supervisor: what it may ask of it. One request at a time; each is answered
 * within SERVICE_DEADLINE_NS, or has failed: a reply that comes later is passed over. Each frame's type has
 * the request's number in its upper half, by which that is seen. One thread.
 */
#ifndef ROLE_SERVICE_H
#define ROLE_SERVICE_H

#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/cache/cache.h"
#include "profiler/role/starter.h"

#define SERVICE_DEADLINE_NS (5000000000ULL)
#define SERVICE_CACHE_DEADLINE_NS (1000000000ULL) /* of what is done without, if it takes long */
#define SERVICE_MAX_BYTES 1024 /* of a message */

enum service_message {
	/* The role's name; reply: struct service_start_reply, and a sentence or a descriptor. */
	SERVICE_START = 1,
	SERVICE_USAGE, /* reply: struct service_usage */
	/*
	 * About an entry of the cache (profiler/cache/cache.h), by its name; reply: struct service_cache_reply and the
	 * path of the cache, or why not. _FIND: with a descriptor to read. _KEEP: comes with a memfd. _DROP.
	 */
	SERVICE_CACHE_FIND,
	SERVICE_CACHE_KEEP,
	SERVICE_CACHE_DROP,
	SERVICE_REPLY = 100,
};

#define SERVICE_NUMBER_SHIFT 16
#define SERVICE_MESSAGE_MASK ((1u << SERVICE_NUMBER_SHIFT) - 1)

struct service_start_reply {
	int32_t status; /* 0 or negative errno */
	int32_t pid;
};

/* Of all processes of this slowburn, the asking one and those that ended included. */
struct service_usage {
	uint64_t cpu_ns;
	uint64_t memory_bytes; /* proportional set size, now; 0 if it can't be read */
};

struct service_cache_reply {
	int32_t status; /* 0 or negative errno, as cache_…() have it; -ENODEV: there is no cache */
	uint32_t reserved;
};

/* What there is to say of the cache beside an errno: its path, or a sentence. */
struct service_cache_word {
	char text[SERVICE_MAX_BYTES];
};

/* A starter on this socket, which it borrows. */
struct starter service_starter(const int *socket);

/* 0 or negative errno. */
int service_usage(int socket, struct service_usage *ret);

/*
 * The cache's entry of this name, the caller's to close. 0; -ENOENT: there is none; -ENODEV: no cache; another negative
 * errno: don't ask again. *ret_word is always written.
 */
int service_cache_find(int socket, const char *name, int *ret_fd,
		       struct service_cache_word *ret_word);
/* Keeps what is in `memory`, borrowed, under this name. The same. */
int service_cache_keep(int socket, const char *name, int memory,
		       struct service_cache_word *ret_word);
/* Removes one that is no good. */
int service_cache_drop(int socket, const char *name);

#endif
