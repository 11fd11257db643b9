// SPDX-License-Identifier: Apache-2.0
/*
 * Looks each address up and copies what was found, each string once. Names are demangled here and not when the
 * index is made: few of a file's functions are ever shown.
 */
#include "symbolizer/lines_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/array.h"
#include "profiler/base/index.h"
#include "symbolizer/demangle.h"
#include "symbolizer/protocol.h"

/* Of SYMBOLS_MAX_REPLY_BYTES. */
#define MAX_PLACES (1u << 19)
#define MAX_STRING_BYTES (7u << 20)

_Static_assert(sizeof(struct lines_reply) + SYMBOLS_MAX_ADDRESSES * sizeof(struct lines_answer) +
			       MAX_PLACES * sizeof(struct lines_place) + MAX_STRING_BYTES <=
		       SYMBOLS_MAX_REPLY_BYTES,
	       "a full reply can be sent");

/* A string of the index, and where it is in the reply. */
struct copied {
	uint32_t from;
	uint32_t plain, demangled; /* the second only of names; SYMBOLS_NONE: not made yet */
};

struct writer {
	const struct lines *lines;
	struct lines_reply head;
	struct lines_answer *answers;
	ARRAY(struct lines_place) places;
	struct buffer strings;
	struct index index; /* of what was copied */
	ARRAY(struct copied) copied;
};

static bool copied_equal(const void *owner, uint32_t item, const void *key)
{
	const struct writer *w = owner;

	return w->copied.items[item].from == *(const uint32_t *)key;
}

/* 0, -ENOMEM or -E2BIG. */
static int text_add(struct writer *w, const char *s, uint32_t *ret)
{
	size_t len = strnlen(s, SYMBOLS_MAX_NAME);
	size_t at = w->strings.len;
	char *copy;

	if (!len) {
		*ret = 0;
		return 0;
	}
	copy = buffer_extend(&w->strings, len + 1);
	if (!copy) {
		int r = buffer_error(&w->strings);

		w->strings.error = 0; /* what is in it is whole */
		return r;
	}
	memcpy(copy, s, len);
	copy[len] = '\0';
	*ret = (uint32_t)at;
	return 0;
}

static int string_copy(struct writer *w, uint32_t from, struct copied **ret)
{
	uint64_t hash = from * 0x9e3779b97f4a7c15ull;
	uint32_t item, plain;
	struct copied *c;
	int r;

	hash ^= hash >> 32;
	item = index_find(&w->index, hash, copied_equal, w, &from);
	if (item == UINT32_MAX) {
		r = text_add(w, lines_string(w->lines, from), &plain);
		if (r < 0)
			return r;
		c = array_push(&w->copied, MAX_PLACES);
		if (!c && w->copied.count == MAX_PLACES)
			return -E2BIG;
		if (!c || index_add(&w->index, hash, w->copied.count - 1) < 0)
			return -ENOMEM;
		*c = (struct copied){ from, plain, SYMBOLS_NONE };
		item = w->copied.count - 1;
	}
	*ret = &w->copied.items[item];
	return 0;
}

static int name_copy(struct writer *w, uint32_t from, uint32_t *ret_name, uint32_t *ret_system)
{
	char demangled[SYMBOLS_MAX_NAME + 1];
	struct copied *c;
	int r = string_copy(w, from, &c);

	if (r < 0)
		return r;
	if (c->demangled == SYMBOLS_NONE) {
		uint32_t at = c->plain;

		if (demangle(w->strings.data + at, demangled, sizeof(demangled)))
			r = text_add(w, demangled, &at);
		if (r < 0)
			return r;
		c->demangled = at;
	}
	*ret_name = c->demangled;
	*ret_system = c->plain;
	return 0;
}

static int place_add(struct writer *w, const struct lines_frame *f)
{
	struct lines_place place = { .line = f->line }, *at;
	struct copied *file;
	int r = name_copy(w, f->name, &place.name, &place.system_name);

	if (r == 0)
		r = string_copy(w, f->file, &file);
	if (r < 0)
		return r;
	place.file = file->plain;
	at = array_push(&w->places, MAX_PLACES);
	if (!at)
		return w->places.count < MAX_PLACES ? -ENOMEM : -E2BIG;
	*at = place;
	return 0;
}

/* One address: all of its places, or none. */
static int address_add(struct writer *w, uint64_t vaddr, struct lines_answer *ret)
{
	struct lines_frame frames[LINES_MAX_DEPTH];
	uint32_t count = lines_find(w->lines, vaddr, frames, LINES_MAX_DEPTH);
	uint32_t first = w->places.count;

	for (uint32_t i = 0; i < count; i++) {
		int r = place_add(w, &frames[i]);

		if (r < 0) {
			w->places.count = first;
			return r;
		}
	}
	*ret = (struct lines_answer){ first, count };
	return 0;
}

static int build_id_add(struct writer *w)
{
	static const char digits[] = "0123456789abcdef";
	const struct lines_header *h = w->lines->header;
	char text[2 * LINES_MAX_BUILD_ID_BYTES + 1];
	uint32_t len = h->build_id_bytes;

	for (uint32_t i = 0; i < len; i++) {
		text[2 * i] = digits[h->build_id[i] >> 4];
		text[2 * i + 1] = digits[h->build_id[i] & 15];
	}
	text[2ul * len] = '\0';
	return text_add(w, text, &w->head.build_id);
}

static int answers_fill(struct writer *w, const uint64_t *vaddrs, uint32_t count)
{
	const struct lines_header *h = w->lines->header;
	int r;

	buffer_append(&w->strings, "", 1);
	w->head.flags |= h->flags & LINES_OF_FILE;
	w->head.units = h->units;
	/* Of an index that came, a number may be any. */
	w->head.units_damaged = h->units_damaged < h->units ? h->units_damaged : h->units;
	r = build_id_add(w);
	for (uint32_t i = 0; i < count && r == 0; i++)
		r = address_add(w, vaddrs[i], &w->answers[i]);
	if (r == -E2BIG) {
		w->head.flags |= LINES_INCOMPLETE;
		r = 0;
	}
	return r;
}

static int writer_write(struct writer *w, struct buffer *reply)
{
	struct lines_reply *h = &w->head;

	h->place_count = w->places.count;
	h->string_bytes = (uint32_t)w->strings.len;
	buffer_append(reply, h, sizeof(*h));
	buffer_append(reply, w->answers, h->answer_count * sizeof(*w->answers));
	buffer_append(reply, w->places.items, h->place_count * sizeof(*w->places.items));
	buffer_append(reply, w->strings.data, w->strings.len);
	return buffer_error(reply);
}

/* A reply that says no more than why. */
static int write_none(enum symbol_status status, uint32_t count, struct buffer *reply)
{
	struct lines_reply head = { .status = status, .answer_count = count, .string_bytes = 1 };
	struct lines_answer *answers;

	buffer_clear(reply);
	buffer_append(reply, &head, sizeof(head));
	answers = buffer_extend(reply, count * sizeof(*answers));
	if (answers)
		memset(answers, 0, count * sizeof(*answers));
	buffer_append(reply, "", 1);
	return buffer_error(reply);
}

static enum symbol_status status_of(int r)
{
	return r == -ENOEXEC ? SYMBOLS_NOT_ELF : r == -ENODATA ? SYMBOLS_NO_TABLE : SYMBOLS_LIMIT;
}

int lines_answer(struct lines_shelf *shelf, const struct lines_files *files, const uint64_t *vaddrs,
		 uint32_t count, struct buffer *reply)
{
	struct writer w = { .head = { .status = SYMBOLS_OK, .answer_count = count } };
	int r = lines_shelf_get(shelf, files, &w.lines, &w.head.flags);

	buffer_init(&w.strings, MAX_STRING_BYTES);
	if (r < 0)
		return write_none(status_of(r), count, reply);
	w.answers = calloc(count ? count : 1, sizeof(*w.answers));
	r = w.answers ? answers_fill(&w, vaddrs, count) : -ENOMEM;
	if (r == 0)
		r = writer_write(&w, reply);
	free(w.answers);
	array_release(&w.places);
	array_release(&w.copied);
	index_release(&w.index);
	buffer_release(&w.strings);
	return r < 0 ? write_none(status_of(r), count, reply) : 0;
}
