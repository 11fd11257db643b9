/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The web process: one thread, one epoll, in which libmicrohttpd's is one of many. What its parts share.
 */
#ifndef WEB_SERVER_H
#define WEB_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <microhttpd.h>

#include "profiler/role/inbox.h"
#include "web/access.h"
#include "web/captures.h"
#include "web/connection.h"
#include "web/control.h"
#include "web/conversation.h"
#include "web/metrics.h"
#include "web/questions.h"
#include "web/source.h"
#include "web/tally.h"

struct request;

struct server {
	int epoll;
	struct web_job job; /* with all limits */
	struct web_status status;
	bool has_status;
	uint64_t status_ns; /* CLOCK_MONOTONIC: when it came */
	bool over;
	struct tally tally;
	struct access access;
	struct conversation conversation;
	struct inbox inbox;
	struct source supervisor, mhd;
	struct MHD_Daemon *daemon;
	struct connections connections;
	struct captures captures;
	struct questions *questions;
	LIST_HEAD(, request) waiting;
};

/* What the role does, on the supervisor's socket. Returns an exit status. */
int web_serve(int socket);

#endif
