// SPDX-License-Identifier: Apache-2.0
/*
 * The keys are a closed list, so that a typing error in --root is an error and not a profile full of
 * "-". A value is written as "key: value": "pid: 12" says what 12 is, and no function is called so.
 */
#include "profiler/encode/root.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"

#define TEXTS_MAX_BYTES ((size_t)64 << 20)
#define TEXTS_MAX_ITEMS (1U << 20)

static const char *const known[] = { "comm", "thread", "pid", "tid", "cgroup" };

#define KNOWN_LIST "comm, thread, pid, tid, cgroup"

static_assert(sizeof(known) / sizeof(known[0]) <= ROOT_MAX_KEYS, "each key once: all must fit");

static const char *find_known(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i]) == len && !memcmp(known[i], text, len))
			return known[i];
	return NULL;
}

static bool has_key(const struct root_keys *keys, const char *key)
{
	for (uint32_t i = 0; i < keys->count; i++)
		if (!strcmp(keys->keys[i], key))
			return true;
	return false;
}

int root_keys_parse(struct root_keys *ret, const char *text, struct err *err)
{
	struct root_keys keys = { 0 };

	for (;;) {
		size_t len = strcspn(text, ",");
		const char *key = find_known(text, len);

		if (!key)
			return err_set(err, -EINVAL,
				       "\"%.*s\" is no label for root frames: they are " KNOWN_LIST,
				       len < 64 ? (int)len : 64, text);
		if (has_key(&keys, key))
			return err_set(err, -EINVAL, "root frame \"%s\" is given twice", key);
		memcpy(keys.keys[keys.count++], key, len + 1);
		if (!text[len])
			break;
		text += len + 1;
	}
	*ret = keys;
	return 0;
}

int root_frame_text(const struct profile *p, uint32_t series, const char *key, struct buffer *out)
{
	const struct profile_label *l = profile_label_find(p, series, key);

	buffer_text(out, key);
	if (!l)
		buffer_text(out, ": -");
	else if (l->text == PROFILE_NONE)
		buffer_printf(out, ": %" PRId64, l->number);
	else {
		buffer_text(out, ": ");
		text_escape(out, profile_text(p, l->text), p->strings.items[l->text].len);
	}
	return buffer_error(out);
}

void root_texts_init(struct root_texts *t)
{
	*t = (struct root_texts){ 0 };
	arena_init(&t->arena, TEXTS_MAX_BYTES);
}

void root_texts_release(struct root_texts *t)
{
	array_release(&t->items);
	index_release(&t->index);
	arena_release(&t->arena);
}

static bool text_equal(const void *owner, uint32_t item, const void *key)
{
	const struct root_texts *t = owner;
	const struct profile_string *k = key;

	return t->items.items[item].len == k->len &&
	       !memcmp(t->items.items[item].text, k->text, k->len);
}

int root_texts_add(struct root_texts *t, const char *text, size_t len)
{
	struct profile_string s = { text, (uint32_t)len };
	uint64_t hash = hash_bytes(text, len);
	uint32_t found;
	int r;

	if (len > TEXTS_MAX_BYTES)
		return -ENOMEM;
	found = index_find(&t->index, hash, text_equal, t, &s);
	if (found != UINT32_MAX)
		return (int)found;
	r = array_reserve((void **)&t->items.items, &t->items.capacity, t->items.count + 1,
			  sizeof(*t->items.items), TEXTS_MAX_ITEMS);
	if (r < 0)
		return -ENOMEM;
	s.text = arena_copy(&t->arena, text, len);
	if (!s.text)
		return -ENOMEM;
	r = index_add(&t->index, hash, t->items.count);
	if (r < 0)
		return r;
	t->items.items[t->items.count] = s;
	return (int)t->items.count++;
}
