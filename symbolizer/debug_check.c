// SPDX-License-Identifier: Apache-2.0
/*
 * The check of a reply about debug files, in the agent. Its texts become names of files that somebody with
 * privileges opens: they end, a link is one name, and what it all means is checked again there.
 */
#include "symbolizer/protocol.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct debug_request) == 8, "wire format");
_Static_assert(sizeof(struct debug_reply) == 16 + 2 * SYMBOLS_MAX_BUILD_ID_BYTES +
						      DEBUG_MAX_LINK_BYTES +
						      DEBUG_MAX_ALTERNATE_BYTES,
	       "wire format");

bool debug_link_is_sound(const char *name)
{
	return *name && strlen(name) < DEBUG_MAX_LINK_BYTES && !strchr(name, '/') &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

int debug_check(const void *bytes, size_t len, struct debug_reply *ret, struct err *err)
{
	struct debug_reply reply;

	if (len != sizeof(reply))
		return err_set(err, -EINVAL,
			       "the symbolizer's reply about debug files has %zu bytes", len);
	memcpy(&reply, bytes, sizeof(reply));
	if (reply.status != SYMBOLS_OK && reply.status != SYMBOLS_NOT_ELF &&
	    reply.status != SYMBOLS_LIMIT)
		return err_set(err, -EINVAL,
			       "the symbolizer's reply about debug files has the status %u",
			       reply.status);
	if (reply.flags & ~DEBUG_REPLY_FLAGS || reply.build_id_bytes > sizeof(reply.build_id) ||
	    reply.alternate_id_bytes > sizeof(reply.alternate_id) ||
	    !ends(reply.link, sizeof(reply.link)) ||
	    !ends(reply.alternate, sizeof(reply.alternate)) ||
	    (*reply.link && !debug_link_is_sound(reply.link)))
		return err_set(err, -EINVAL,
			       "the symbolizer's reply about debug files is unsound");
	*ret = reply;
	return 0;
}
