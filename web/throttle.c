// SPDX-License-Identifier: Apache-2.0
/*
 * One number for each client: each failure puts it THROTTLE_NS further into the future. When the table is full, who will be forgiven
 * soonest is forgotten; with 128 bits of token, what that lets a crowd try is nothing.
 */
#include "web/throttle.h"

bool throttle_lets(const struct throttle *t, const struct peer *peer, uint64_t now_ns)
{
	for (uint32_t i = 0; i < THROTTLE_MAX; i++)
		if (t->items[i].until_ns > now_ns && peer_equal(&t->items[i].peer, peer))
			return t->items[i].until_ns - now_ns <= (THROTTLE_BURST - 1) * THROTTLE_NS;
	return true;
}

void throttle_failed(struct throttle *t, const struct peer *peer, uint64_t now_ns)
{
	uint32_t soonest = 0;

	for (uint32_t i = 0; i < THROTTLE_MAX; i++) {
		if (t->items[i].until_ns > now_ns && peer_equal(&t->items[i].peer, peer)) {
			t->items[i].until_ns += THROTTLE_NS;
			return;
		}
		if (t->items[i].until_ns < t->items[soonest].until_ns)
			soonest = i;
	}
	t->items[soonest].peer = *peer;
	t->items[soonest].until_ns = now_ns + THROTTLE_NS;
}
