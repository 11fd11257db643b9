// SPDX-License-Identifier: Apache-2.0
/*
 * All values are compared, each in the same time. Refused: signed values without a table, which can't be ended before their time.
 */
#include "web/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "web/field.h"

static bool is_live(const struct session *s, uint64_t now_ns)
{
	return s->value[0] && now_ns - s->used_ns < SESSION_NS;
}

static struct session *oldest(struct sessions *s)
{
	struct session *found = &s->items[0];

	for (uint32_t i = 0; i < SESSION_MAX && found->value[0]; i++)
		if (!s->items[i].value[0] || s->items[i].used_ns < found->used_ns)
			found = &s->items[i];
	return found;
}

int sessions_begin(struct sessions *s, const struct peer *peer, uint64_t now_ns,
		   char ret_value[SESSION_VALUE_BYTES])
{
	uint8_t random[SESSION_VALUE_BYTES / 2];
	struct session *item = oldest(s);

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(item->value + 2 * i, 3, "%02x", random[i]);
	item->peer = *peer;
	item->used_ns = now_ns;
	memcpy(ret_value, item->value, SESSION_VALUE_BYTES);
	return 0;
}

bool sessions_know(struct sessions *s, const char *value, const struct peer *peer, uint64_t now_ns)
{
	struct session *found = NULL;

	for (uint32_t i = 0; i < SESSION_MAX; i++)
		if (field_is_secret(value, s->items[i].value))
			found = &s->items[i];
	if (!found || !is_live(found, now_ns) || !peer_equal(&found->peer, peer))
		return false;
	found->used_ns = now_ns;
	return true;
}
