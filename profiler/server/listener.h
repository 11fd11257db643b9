/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets that a server listens on: opened by who may, and handed to the web process.
 *
 *	127.0.0.1:7799, [::1]:7799	addresses, no names; port 0: any that is free
 *	unix:/run/slowburn/http		a file, mode 0660, of the group "slowburn" if there is one
 *
 * And those that systemd hands over ($LISTEN_FDS, sd_listen_fds(3)).
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/err.h"

#define LISTENER_MAX 4u
#define LISTENER_NAME_BYTES 128u

struct listener {
	int fd;
	bool tcp;
	char name[LISTENER_NAME_BYTES]; /* as above, with the port that it really has */
	bool made; /* a file of ours in the file system: removed at the end */
};

struct listeners {
	uint32_t count;
	struct listener items[LISTENER_MAX];
};

/* Can it be listened on, as it is written? 0, or -EINVAL and a sentence. */
int listener_check(const char *where, struct err *err);

/*
 * Opens one more, within 0.3 s if somebody who ends listens there. `group`: of a unix socket, or
 * -1. 0, or negative errno and a sentence.
 */
int listeners_open(struct listeners *l, const char *where, gid_t group, struct err *err);

/*
 * Takes those that systemd handed over to this process: their number, or negative errno and a
 * sentence. Once.
 */
int listeners_inherit(struct listeners *l, struct err *err);

/* Closes them, and removes the files. */
void listeners_release(struct listeners *l);

#endif
