/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a connection: an address and, on this machine, a uid that the kernel vouches for.
 */
#ifndef WEB_PEER_H
#define WEB_PEER_H

#include <stdbool.h>
#include <stdint.h>

enum peer_kind { PEER_UNKNOWN, PEER_UID, PEER_IPV4, PEER_IPV6 };

/* One client as far as limits are concerned: a uid of this machine, an address, or the /64 that an address of IPv6 is in. */
struct peer {
	uint32_t kind;
	uint32_t uid; /* of PEER_UID */
	uint8_t address[8]; /* of the others */
};

_Static_assert(sizeof(struct peer) == 16, "peers are compared as bytes");

/* The socket by which the kernel is asked; the caller's to close. Negative errno. */
int peer_asker_open(void);

/*
 * Whose is the connection that was accepted as `client`? Never fails: whom the kernel can't tell for certain has an address only.
 * `asker` may be -1.
 */
void peer_identify(int asker, int client, struct peer *ret);

bool peer_equal(const struct peer *a, const struct peer *b);

#endif
