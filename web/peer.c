// SPDX-License-Identifier: Apache-2.0
/*
 * A unix socket has its peer's credentials (SO_PEERCRED). Of a connection over loopback the kernel is asked for the client's socket by both
 * addresses and ports (sock_diag(7)), which anybody may ask: the answer has the uid of who made it.
 *
 * A socket that was closed has no owner any more, and the kernel then says 0, which is root's. It says a state, too, and that changes before the
 * owner goes: so it is asked a second time, and what it said first holds if the socket is still ESTABLISHED then.
 *
 * Refused: /proc/net/tcp, which is read whole, and needs /proc; addresses of ours other than loopback's: the packets of one could
 * come from elsewhere.
 */
#include "web/peer.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Both ends, as addresses of IPv4 where they are such. */
struct connection {
	int family;
	uint8_t client[16], server[16];
	in_port_t client_port, server_port; /* as on the wire */
};

int peer_asker_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

bool peer_equal(const struct peer *a, const struct peer *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* An end of the connection; false if it is no TCP one. */
static bool take_address(const struct sockaddr_storage *from, int *ret_family, uint8_t ret[16],
			 in_port_t *ret_port)
{
	const struct sockaddr_in6 *v6 = (const void *)from;
	const struct sockaddr_in *v4 = (const void *)from;

	memset(ret, 0, 16);
	if (from->ss_family == AF_INET) {
		*ret_family = AF_INET;
		memcpy(ret, &v4->sin_addr, 4);
		*ret_port = v4->sin_port;
		return true;
	}
	if (from->ss_family != AF_INET6)
		return false;
	*ret_port = v6->sin6_port;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		*ret_family = AF_INET;
		memcpy(ret, &v6->sin6_addr.s6_addr[12], 4);
	} else {
		*ret_family = AF_INET6;
		memcpy(ret, &v6->sin6_addr, 16);
	}
	return true;
}

static bool connection_of(int client, struct connection *ret)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);
	int family;

	if (getpeername(client, (struct sockaddr *)&address, &len) < 0 ||
	    !take_address(&address, &ret->family, ret->client, &ret->client_port))
		return false;
	len = sizeof(address);
	return getsockname(client, (struct sockaddr *)&address, &len) == 0 &&
	       take_address(&address, &family, ret->server, &ret->server_port) &&
	       family == ret->family;
}

static bool is_loopback(int family, const uint8_t address[16])
{
	static const uint8_t v6[16] = { [15] = 1 };

	return family == AF_INET ? address[0] == 127 : memcmp(address, v6, 16) == 0;
}

/* Asks for the client's socket, as the client sees it. 0, -EAGAIN (it isn't ESTABLISHED) or another negative errno. */
static int ask_owner(int asker, const struct connection *c, uint32_t *ret_uid)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} question = {
		.header = { .nlmsg_len = sizeof(question),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST },
		.request = { .sdiag_family = (uint8_t)c->family,
			     .sdiag_protocol = IPPROTO_TCP,
			     .idiag_states = ~0u,
			     .id = { .idiag_sport = c->client_port,
				     .idiag_dport = c->server_port,
				     .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
	};
	_Alignas(struct nlmsghdr) char answer[1024];
	const struct nlmsghdr *header = (const void *)answer;
	const struct inet_diag_msg *found = NLMSG_DATA(answer);
	ssize_t n;

	memcpy(question.request.id.idiag_src, c->client, 16);
	memcpy(question.request.id.idiag_dst, c->server, 16);
	if (send(asker, &question, sizeof(question), 0) < 0)
		return -errno;
	/* The kernel has answered when send() returns. */
	n = recv(asker, answer, sizeof(answer), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < NLMSG_LENGTH(sizeof(*found)) || header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    found->id.idiag_sport != c->client_port || found->id.idiag_dport != c->server_port)
		return -ENOENT;
	if (found->idiag_state != TCP_ESTABLISHED)
		return -EAGAIN;
	*ret_uid = found->idiag_uid;
	return 0;
}

static bool owner_of(int asker, const struct connection *c, uint32_t *ret_uid)
{
	uint32_t again;

	return ask_owner(asker, c, ret_uid) == 0 && ask_owner(asker, c, &again) == 0;
}

void peer_identify(int asker, int client, struct peer *ret)
{
	struct connection c = { 0 };
	struct ucred credentials;
	socklen_t len = sizeof(credentials);
	uint32_t uid;

	*ret = (struct peer){ .kind = PEER_UNKNOWN };
	if (!connection_of(client, &c)) {
		if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &credentials, &len) == 0 &&
		    credentials.pid)
			*ret = (struct peer){ .kind = PEER_UID, .uid = credentials.uid };
		return;
	}
	if (is_loopback(c.family, c.client) && is_loopback(c.family, c.server) && asker >= 0 &&
	    owner_of(asker, &c, &uid)) {
		*ret = (struct peer){ .kind = PEER_UID, .uid = uid };
		return;
	}
	ret->kind = c.family == AF_INET ? PEER_IPV4 : PEER_IPV6;
	memcpy(ret->address, c.client, sizeof(ret->address));
}
