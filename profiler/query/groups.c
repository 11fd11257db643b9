// SPDX-License-Identifier: Apache-2.0
/*
 * Interned by value, as the profile's own items are: a group is the numbers of its texts.
 */
#include "profiler/query/groups.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct group_value) == 16, "hashed as bytes: no padding");

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:"

int group_keys_parse(struct group_keys *ret, const char *text, struct err *err)
{
	struct group_keys keys = { 0 };

	for (;; text++) {
		size_t len = strspn(text, NAME_BYTES);

		if (!len || len >= GROUPS_MAX_KEY_BYTES || (text[len] && text[len] != ','))
			return err_set(err, -EINVAL,
				       "\"%.40s\" is no list of labels: comm,cgroup for example",
				       text);
		if (keys.count == GROUPS_MAX_KEYS)
			return err_set(err, -EINVAL, "at most %d labels make groups",
				       GROUPS_MAX_KEYS);
		memcpy(keys.keys[keys.count], text, len);
		for (uint32_t i = 0; i < keys.count; i++)
			if (!strcmp(keys.keys[i], keys.keys[keys.count]))
				return err_set(err, -EINVAL, "label \"%s\" is given twice",
					       keys.keys[i]);
		keys.count++;
		text += len;
		if (!*text)
			break;
	}
	*ret = keys;
	return 0;
}

static bool group_equal(const void *owner, uint32_t item, const void *key)
{
	return !memcmp(&((const struct groups *)owner)->items.items[item], key,
		       sizeof(struct group));
}

static int add_group(struct groups *g, const struct group *group, uint32_t max)
{
	uint64_t hash = hash_bytes(group, sizeof(*group));
	uint32_t found = index_find(&g->index, hash, group_equal, g, group);
	struct group *added;

	if (found != UINT32_MAX)
		return (int)found;
	added = array_push(&g->items, max);
	if (!added)
		return -ENOMEM;
	*added = *group;
	return index_add(&g->index, hash, g->items.count - 1) < 0 ? -ENOMEM
								  : (int)g->items.count - 1;
}

int groups_init(struct groups *g, const struct group_keys *keys, const struct profile *p)
{
	int r = 0;

	*g = (struct groups){ .keys = *keys };
	g->of_series = calloc((size_t)p->series.count + 1, sizeof(*g->of_series));
	if (!g->of_series)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->series.count && r >= 0; i++) {
		struct group group = { 0 };

		for (uint32_t k = 0; k < keys->count; k++) {
			const struct profile_label *l = profile_label_find(p, i, keys->keys[k]);

			if (l)
				group.values[k] = (struct group_value){ .text = l->text,
									.number = l->number };
		}
		r = add_group(g, &group, p->series.count);
		g->of_series[i] = (uint32_t)r;
	}
	if (r < 0)
		groups_release(g);
	return r < 0 ? r : 0;
}

void groups_release(struct groups *g)
{
	array_release(&g->items);
	index_release(&g->index);
	free(g->of_series);
	g->of_series = NULL;
}

void group_value_write(const struct groups *g, const struct profile *p, uint32_t group,
		       uint32_t key, struct buffer *out)
{
	const struct group_value *v = &g->items.items[group].values[key];

	if (v->text == PROFILE_NONE)
		buffer_printf(out, "%" PRId64, v->number);
	else
		buffer_append(out, profile_text(p, v->text), p->strings.items[v->text].len);
}

const struct group_keys group_by_comm = { .keys = { "comm" }, .count = 1 };

bool group_keys_are_comm(const struct group_keys *keys)
{
	return keys->count == 1 && !strcmp(keys->keys[0], "comm");
}

void group_name_write(const struct groups *g, const struct profile *p, uint32_t group,
		      struct buffer *out)
{
	for (uint32_t k = 0; k < g->keys.count; k++) {
		size_t before;

		if (k)
			buffer_text(out, ", ");
		if (g->keys.count > 1)
			buffer_printf(out, "%s: ", g->keys.keys[k]);
		before = out->len;
		group_value_write(g, p, group, k, out);
		if (out->len == before)
			buffer_text(out, "-");
	}
}
