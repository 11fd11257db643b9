/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of dump's own processes without its sandbox: forked from the test, with its conversation where a role has it.
 */
#ifndef TESTS_DUMP_SERVER_H
#define TESTS_DUMP_SERVER_H

#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/base/clock.h"

#define DUMP_SERVER_SOCKET 3

static inline uint64_t deadline(void)
{
	return clock_ns(CLOCK_MONOTONIC) + 20 * NS_PER_S;
}

/* Its pid and our end of the socket, or a negative number. It ends when the socket is closed, or we do. */
static inline pid_t dump_server_start(int (*serve)(int socket), int *ret_socket)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	pid = fork();
	if (!pid) {
		/* Not the other ends of other servers' sockets, nor the test library's handlers. */
		if (dup2(pair[1], DUMP_SERVER_SOCKET) < 0 ||
		    close_range(DUMP_SERVER_SOCKET + 1, ~0u, 0) < 0)
			_exit(99);
		for (int s = 1; s < 32; s++)
			signal(s, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(serve(DUMP_SERVER_SOCKET));
	}
	close(pair[1]);
	*ret_socket = pair[0];
	return pid;
}

#endif
