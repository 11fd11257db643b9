/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a client may show a wrong token: THROTTLE_BURST times at once, then once in THROTTLE_NS.
 */
#ifndef WEB_THROTTLE_H
#define WEB_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "web/peer.h"

#define THROTTLE_MAX 256
#define THROTTLE_BURST 10
#define THROTTLE_NS (10 * 1000000000ULL)

struct throttle {
	struct {
		struct peer peer;
		uint64_t until_ns; /* when nothing will be left of its failures, each THROTTLE_NS */
	} items[THROTTLE_MAX];
};

/* CLOCK_MONOTONIC. May it try? */
bool throttle_lets(const struct throttle *t, const struct peer *peer, uint64_t now_ns);
void throttle_failed(struct throttle *t, const struct peer *peer, uint64_t now_ns);

#endif
