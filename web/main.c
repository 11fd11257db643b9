// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn-web, which is started by slowburn only (profiler/role/program.h): by then it is nobody, and here it gives up the rest, before it
 * hears a word.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "profiler/role/child.h"
#include "profiler/role/sandbox.h"
#include "web/server.h"

int main(void)
{
	struct err err;

	/* A client that goes is an error of send(2), where the library does not say MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	/* For the Date field, which is in UTC; glibc looks for the local time all the same, and can't later. */
	tzset();
	if (child_enter() < 0) {
		fprintf(stderr, WEB_PROGRAM " is started by slowburn itself\n");
		return EXIT_FAILURE;
	}
	if (sandbox_enter(role_find(WEB_ROLE), &err) < 0) {
		fprintf(stderr, WEB_PROGRAM ": %s\n", err.text);
		return EXIT_FAILURE;
	}
	return web_serve(ROLE_CHILD_SOCKET);
}
