// SPDX-License-Identifier: Apache-2.0
/*
 * The checks of both sides, each made once. An opener has capabilities and answers an agent that parses
 * what strangers wrote; the agent has others, and believes no opener that strangers' file systems may have
 * taken over. Lengths are the frame's own: a request that says otherwise is none.
 */
#include "profiler/opener/protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define MAX_ERRNO 4095

_Static_assert(sizeof(struct opener_text) == 8, "wire format");
_Static_assert(sizeof(struct opener_result) == 8, "wire format");
_Static_assert(sizeof(struct opener_place) == 56, "wire format");
_Static_assert(sizeof(struct opener_debug) == 32 + DEBUG_FILE_MAX_ID_BYTES, "wire format");
_Static_assert(sizeof(struct opener_debug_found) == 8, "wire format");

int opener_place_parse(const struct buffer *bytes, struct file_place *ret)
{
	struct opener_place place;
	const char *path;
	size_t len;

	if (bytes->len < sizeof(place))
		return -EPROTO;
	memcpy(&place, bytes->data, sizeof(place));
	path = bytes->data + sizeof(place);
	len = bytes->len - sizeof(place);
	if (place.unused || place.path_bytes != len || !len || len > OPENER_MAX_PATH_BYTES ||
	    memchr(path, '\0', len) != path + len - 1)
		return -EPROTO;
	*ret = (struct file_place){
		.pid = place.pid,
		.parent_pid = place.parent_pid,
		.start = place.start,
		.end = place.end,
		.ino = place.ino,
		.generation = place.generation,
		.major = place.major,
		.minor = place.minor,
		.path = path,
	};
	return 0;
}

void opener_place_write(const struct file_place *place, struct buffer *out)
{
	size_t len = strlen(place->path) + 1;
	struct opener_place head = {
		.start = place->start,
		.end = place->end,
		.ino = place->ino,
		.generation = place->generation,
		.pid = place->pid,
		.parent_pid = place->parent_pid,
		.major = place->major,
		.minor = place->minor,
		.path_bytes = (uint32_t)len,
	};

	if (len > OPENER_MAX_PATH_BYTES)
		out->error = out->error ? out->error : -E2BIG;
	buffer_append(out, &head, sizeof(head));
	buffer_append(out, place->path, len);
}

/* Is it one text, terminated, and nothing behind? */
static bool is_text(const char *text, size_t len)
{
	return len && memchr(text, '\0', len) == text + len - 1;
}

int opener_debug_parse(const struct buffer *bytes, struct debug_place *ret, uint32_t *ret_first)
{
	const struct opener_debug *d = (const struct opener_debug *)bytes->data;
	struct debug_place place;
	const char *path;
	size_t len;

	if (bytes->len < sizeof(*d))
		return -EPROTO;
	path = bytes->data + sizeof(*d);
	len = bytes->len - sizeof(*d);
	if (d->unused || d->alternate > 1 || d->path_bytes > OPENER_MAX_PATH_BYTES ||
	    d->path_bytes > len || d->name_bytes != len - d->path_bytes ||
	    !is_text(path, d->path_bytes) || !is_text(path + d->path_bytes, d->name_bytes))
		return -EPROTO;
	place = (struct debug_place){
		.pid = d->pid,
		.parent_pid = d->parent_pid,
		.path = path,
		.build_id = d->build_id,
		.build_id_bytes = d->build_id_bytes,
		.name = path + d->path_bytes,
		.alternate = d->alternate,
	};
	if (!debug_place_is_sound(&place))
		return -EPROTO;
	*ret = place;
	*ret_first = d->first;
	return 0;
}

void opener_debug_write(const struct debug_place *place, uint32_t first, struct buffer *out)
{
	size_t path = strlen(place->path) + 1, name = strlen(place->name) + 1;
	struct opener_debug head = {
		.pid = place->pid,
		.parent_pid = place->parent_pid,
		.first = first,
		.alternate = place->alternate,
		.path_bytes = (uint32_t)path,
		.name_bytes = (uint32_t)name,
		.build_id_bytes = place->build_id_bytes,
	};

	if (path > OPENER_MAX_PATH_BYTES || !debug_place_is_sound(place)) {
		out->error = out->error ? out->error : -E2BIG;
		return;
	}
	if (place->build_id_bytes)
		memcpy(head.build_id, place->build_id, place->build_id_bytes);
	buffer_append(out, &head, sizeof(head));
	buffer_append(out, place->path, path);
	buffer_append(out, place->name, name);
}

int opener_texts_parse(const struct buffer *bytes, const struct opener_text **ret,
		       uint32_t *ret_count)
{
	const struct opener_text *texts = (const struct opener_text *)bytes->data;
	size_t count = bytes->len / sizeof(*texts);

	if (!count || count > OPENER_MAX_TEXTS || bytes->len % sizeof(*texts))
		return -EPROTO;
	for (size_t i = 0; i < count; i++)
		if (texts[i].what >= PROCESS_TEXT_COUNT)
			return -EPROTO;
	*ret = texts;
	*ret_count = (uint32_t)count;
	return 0;
}

int opener_cgroup_parse(const struct buffer *bytes, const char **ret_mount, const char **ret_path)
{
	const char *mount = bytes->data, *path;

	path = bytes->len ? memchr(mount, '\0', bytes->len) : NULL;
	if (!path || *mount != '/')
		return -EPROTO;
	path++;
	if (path == mount + bytes->len ||
	    memchr(path, '\0', bytes->len - (size_t)(path - mount)) != mount + bytes->len - 1)
		return -EPROTO;
	*ret_mount = mount;
	*ret_path = path;
	return 0;
}

int opener_result_parse(const struct buffer *reply, size_t *at, struct opener_result *ret,
			const char **ret_bytes)
{
	struct opener_result result;
	size_t left = reply->len - *at;

	if (left < sizeof(result))
		return -EPROTO;
	memcpy(&result, reply->data + *at, sizeof(result));
	if (result.status < -MAX_ERRNO || (result.status < 0 && result.len) ||
	    result.len > left - sizeof(result))
		return -EPROTO;
	*ret = result;
	*ret_bytes = reply->data + *at + sizeof(result);
	*at += sizeof(result) + result.len;
	return 0;
}
