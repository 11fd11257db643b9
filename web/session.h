/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has shown the token once and got a cookie for it: a random value that is good for the same client only, since cookies of one
 * host go to all of its ports. A new session takes the place of the one that was used longest ago.
 */
#ifndef WEB_SESSION_H
#define WEB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "web/peer.h"

#define SESSION_MAX 64
#define SESSION_VALUE_BYTES 33 /* 128 bits as hexadecimal digits, and a NUL */
#define SESSION_NS (12 * 3600 * 1000000000ULL) /* without a request */

struct session {
	char value[SESSION_VALUE_BYTES]; /* "": free */
	struct peer peer;
	uint64_t used_ns;
};

struct sessions {
	struct session items[SESSION_MAX];
};

/* `now_ns`: CLOCK_MONOTONIC. 0 or negative errno: no randomness. */
int sessions_begin(struct sessions *s, const struct peer *peer, uint64_t now_ns,
		   char ret_value[SESSION_VALUE_BYTES]);

/* Is there such a session of this client? */
bool sessions_know(struct sessions *s, const char *value, const struct peer *peer, uint64_t now_ns);

#endif
