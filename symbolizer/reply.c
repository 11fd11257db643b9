// SPDX-License-Identifier: Apache-2.0
/*
 * Collects the parts of a reply and writes them one behind the other. Names are not interned:
 * functions are added once each, so equal names are rare, and the reply is gone in a moment.
 */
#include "symbolizer/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/demangle.h"

/* Of SYMBOLS_MAX_REPLY_BYTES, what fixed-size parts can't need. */
#define MAX_FUNCTIONS SYMBOLS_MAX_ADDRESSES
#define MAX_MODULES 4096u
#define MAX_STRING_BYTES (13u << 20)

_Static_assert(sizeof(struct symbol_reply) + SYMBOLS_MAX_ADDRESSES * sizeof(struct symbol_answer) +
			       MAX_FUNCTIONS * sizeof(struct symbol_function) +
			       MAX_MODULES * sizeof(struct symbol_module) + MAX_STRING_BYTES <=
		       SYMBOLS_MAX_REPLY_BYTES,
	       "a full reply can be sent");

int reply_init(struct reply *r, uint32_t count)
{
	*r = (struct reply){ .count = count };
	buffer_init(&r->strings, MAX_STRING_BYTES);
	buffer_append(&r->strings, "", 1);
	r->answers = calloc(count ? count : 1, sizeof(*r->answers));
	if (!r->answers || buffer_error(&r->strings) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		r->answers[i].function = SYMBOLS_NONE;
		r->answers[i].module = SYMBOLS_NONE;
	}
	return 0;
}

void reply_release(struct reply *r)
{
	free(r->answers);
	r->answers = NULL;
	array_release(&r->functions);
	array_release(&r->modules);
	buffer_release(&r->strings);
}

/* Adds a string, cut to SYMBOLS_MAX_NAME; "" is always 0. */
static int add_string(struct reply *r, const char *s, size_t len, uint32_t *ret)
{
	uint32_t at = (uint32_t)r->strings.len;
	char *copy;

	if (!len) {
		*ret = 0;
		return 0;
	}
	if (len > SYMBOLS_MAX_NAME)
		len = SYMBOLS_MAX_NAME;
	copy = buffer_extend(&r->strings, len + 1);
	if (!copy) {
		int code = buffer_error(&r->strings);

		r->strings.error = 0; /* what is in it is whole: a reply with some names is one */
		return code;
	}
	memcpy(copy, s, len);
	copy[len] = '\0';
	*ret = at;
	return 0;
}

int reply_add_function(struct reply *r, uint64_t start, uint64_t size, const char *name, size_t len,
		       const char *shown, uint32_t *ret_number)
{
	char demangled[SYMBOLS_MAX_NAME + 1];
	struct symbol_function *f;
	uint32_t name_at, system_name_at = 0;
	int code;

	code = add_string(r, name, len, &system_name_at);
	if (code < 0)
		return code;
	name_at = system_name_at;
	if (!shown && demangle(r->strings.data + system_name_at, demangled, sizeof(demangled)))
		shown = demangled;
	if (shown)
		code = add_string(r, shown, strlen(shown), &name_at);
	if (code < 0)
		return code;
	f = array_push(&r->functions, MAX_FUNCTIONS);
	if (!f)
		return r->functions.count < MAX_FUNCTIONS ? -ENOMEM : -E2BIG;
	*f = (struct symbol_function){
		.start = start, .size = size, .name = name_at, .system_name = system_name_at
	};
	*ret_number = r->functions.count - 1;
	return 0;
}

int reply_add_module(struct reply *r, uint64_t start, uint64_t limit, uint64_t offset,
		     const char *name, size_t len, uint32_t *ret_number)
{
	struct symbol_module *m;
	uint32_t name_at = 0;
	int code;

	code = add_string(r, name, len, &name_at);
	if (code < 0)
		return code;
	m = array_push(&r->modules, MAX_MODULES);
	if (!m)
		return r->modules.count < MAX_MODULES ? -ENOMEM : -E2BIG;
	*m = (struct symbol_module){
		.start = start, .limit = limit, .offset = offset, .name = name_at
	};
	*ret_number = r->modules.count - 1;
	return 0;
}

int reply_set_build_id(struct reply *r, const unsigned char *id, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * SYMBOLS_MAX_BUILD_ID_BYTES];

	if (len > SYMBOLS_MAX_BUILD_ID_BYTES)
		return -E2BIG;
	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[id[i] >> 4];
		text[2 * i + 1] = digits[id[i] & 15];
	}
	return add_string(r, text, 2 * len, &r->build_id);
}

int reply_write(const struct reply *r, struct buffer *out)
{
	struct symbol_reply head = {
		.status = r->status,
		.answer_count = r->count,
		.function_count = r->functions.count,
		.module_count = r->modules.count,
		.string_bytes = (uint32_t)r->strings.len,
		.build_id = r->build_id,
	};

	buffer_append(out, &head, sizeof(head));
	buffer_append(out, r->answers, r->count * sizeof(*r->answers));
	buffer_append(out, r->functions.items, r->functions.count * sizeof(*r->functions.items));
	buffer_append(out, r->modules.items, r->modules.count * sizeof(*r->modules.items));
	buffer_append(out, r->strings.data, r->strings.len);
	return buffer_error(out);
}
