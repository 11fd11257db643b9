// SPDX-License-Identifier: Apache-2.0
/*
 * The check of a reply with lines, which runs where the privileges are, as that of symbols (protocol.c): all that
 * a reader would otherwise have to look at again.
 */
#include "symbolizer/protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

_Static_assert(sizeof(struct lines_request) == 8, "wire format");
_Static_assert(sizeof(struct lines_reply) == 32, "wire format");
_Static_assert(sizeof(struct lines_answer) == 8, "wire format");
_Static_assert(sizeof(struct lines_place) == 16, "wire format");

/* Where each part begins; false unless the parts are exactly the whole. */
static bool layout_is_sound(const char *bytes, size_t len, uint32_t address_count,
			    struct lines_answers *a)
{
	const struct lines_reply *reply = (const struct lines_reply *)bytes;
	uint64_t need = sizeof(*reply);

	if (len < sizeof(*reply) || reply->status >= SYMBOLS_STATUS_COUNT ||
	    reply->flags & ~LINES_FLAGS || reply->answer_count != address_count ||
	    reply->units_damaged > UINT32_MAX / 2)
		return false;
	a->reply = reply;
	a->answers = (const struct lines_answer *)(bytes + need);
	need += (uint64_t)reply->answer_count * sizeof(struct lines_answer);
	a->places = (const struct lines_place *)(bytes + need);
	need += (uint64_t)reply->place_count * sizeof(struct lines_place);
	a->strings = bytes + need;
	return need + reply->string_bytes == len;
}

/* Each ends within SYMBOLS_MAX_NAME. */
static bool strings_are_sound(const struct lines_answers *a)
{
	const char *p = a->strings, *end = p + a->reply->string_bytes;

	if (p == end || *p != '\0')
		return false;
	while (p < end) {
		size_t room = (size_t)(end - p);

		p = memchr(p, '\0', room < SYMBOLS_MAX_NAME + 1 ? room : SYMBOLS_MAX_NAME + 1);
		if (!p)
			return false;
		p++;
	}
	return true;
}

static bool build_id_is_sound(const struct lines_answers *a)
{
	const char *id = a->strings + a->reply->build_id;

	return a->reply->build_id < a->reply->string_bytes &&
	       id[strspn(id, "0123456789abcdef")] == '\0' &&
	       strlen(id) <= 2ul * SYMBOLS_MAX_BUILD_ID_BYTES;
}

/*
 * Answers share no places: otherwise a small reply could stand for any amount of them.
 */
static bool answers_are_sound(const struct lines_answers *a)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < a->reply->answer_count; i++) {
		const struct lines_answer *answer = &a->answers[i];

		if (!answer->count)
			continue;
		if (answer->first != next || answer->count > a->reply->place_count - next)
			return false;
		next += answer->count;
	}
	return next == a->reply->place_count;
}

static bool places_are_sound(const struct lines_answers *a)
{
	uint32_t bytes = a->reply->string_bytes;

	for (uint32_t i = 0; i < a->reply->place_count; i++) {
		const struct lines_place *p = &a->places[i];

		if (p->name >= bytes || p->system_name >= bytes || p->file >= bytes)
			return false;
	}
	return true;
}

int lines_check(const void *bytes, size_t len, uint32_t address_count, struct lines_answers *ret,
		struct err *err)
{
	struct lines_answers a;

	if (!layout_is_sound(bytes, len, address_count, &a))
		return err_set(err, -EINVAL,
			       "the symbolizer's lines are not of what was asked for");
	if (!strings_are_sound(&a) || !build_id_is_sound(&a))
		return err_set(err, -EINVAL, "the symbolizer's strings of lines are unsound");
	if (!answers_are_sound(&a) || !places_are_sound(&a))
		return err_set(err, -EINVAL, "the symbolizer's lines are unsound");
	*ret = a;
	return 0;
}

uint32_t lines_answered(const struct lines_answers *a)
{
	uint32_t count = a->reply->answer_count;

	while (a->reply->flags & LINES_INCOMPLETE && count && !a->answers[count - 1].count)
		count--;
	return count;
}

uint32_t lines_bytes(const struct lines_answers *a)
{
	const struct lines_reply *reply = a->reply;

	return (uint32_t)(sizeof(*reply) + reply->answer_count * sizeof(*a->answers) +
			  reply->place_count * sizeof(*a->places) + reply->string_bytes);
}
