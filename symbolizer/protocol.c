// SPDX-License-Identifier: Apache-2.0
/*
 * The check of a reply. It runs in the agent, which has privileges, on bytes from a process that
 * may have been taken over by a hostile file: so everything that a reader of `struct symbols` would
 * otherwise have to check again is checked here, once, and in time proportional to the bytes.
 */
#include "symbolizer/protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

_Static_assert(sizeof(struct symbol_request) == 8, "wire format");
_Static_assert(sizeof(struct symbol_moment) == 16, "wire format");
_Static_assert(sizeof(struct symbol_reply) == 24, "wire format");
_Static_assert(sizeof(struct symbol_answer) == 16, "wire format");
_Static_assert(sizeof(struct symbol_function) == 24, "wire format");
_Static_assert(sizeof(struct symbol_module) == 32, "wire format");

/* Where each part begins; false unless the parts are exactly the whole. */
static bool layout_is_sound(const char *bytes, size_t len, uint32_t address_count,
			    struct symbols *s, struct err *err)
{
	const struct symbol_reply *reply = (const struct symbol_reply *)bytes;
	uint64_t need = sizeof(*reply);

	if (len < sizeof(*reply)) {
		err_set(err, -EINVAL, "the symbolizer's reply has only %zu bytes", len);
		return false;
	}
	if (reply->status >= SYMBOLS_STATUS_COUNT) {
		err_set(err, -EINVAL, "the symbolizer's reply has the unknown status %u",
			reply->status);
		return false;
	}
	if (reply->answer_count != address_count) {
		err_set(err, -EINVAL, "the symbolizer answered for %u addresses of %u",
			reply->answer_count, address_count);
		return false;
	}
	s->reply = reply;
	s->answers = (const struct symbol_answer *)(bytes + need);
	need += (uint64_t)reply->answer_count * sizeof(struct symbol_answer);
	s->functions = (const struct symbol_function *)(bytes + need);
	need += (uint64_t)reply->function_count * sizeof(struct symbol_function);
	s->modules = (const struct symbol_module *)(bytes + need);
	need += (uint64_t)reply->module_count * sizeof(struct symbol_module);
	s->strings = bytes + need;
	need += reply->string_bytes;
	if (need != len) {
		err_set(err, -EINVAL, "the symbolizer's reply has %zu bytes, and counts %llu", len,
			(unsigned long long)need);
		return false;
	}
	return true;
}

/*
 * Each ends within SYMBOLS_MAX_NAME: one long string, named often, would cost the reader any
 * amount.
 */
static bool strings_are_sound(const struct symbols *s, struct err *err)
{
	const char *p = s->strings, *end = p + s->reply->string_bytes;

	if (p == end || *p != '\0') {
		err_set(err, -EINVAL, "the symbolizer's strings do not begin with an empty one");
		return false;
	}
	while (p < end) {
		size_t room = (size_t)(end - p);
		const char *nul =
			memchr(p, '\0', room < SYMBOLS_MAX_NAME + 1 ? room : SYMBOLS_MAX_NAME + 1);

		if (!nul) {
			err_set(err, -EINVAL, "a string of the symbolizer's does not end");
			return false;
		}
		p = nul + 1;
	}
	return true;
}

static bool build_id_is_sound(const struct symbols *s, struct err *err)
{
	const char *id;

	if (s->reply->build_id >= s->reply->string_bytes) {
		err_set(err, -EINVAL, "the symbolizer's build id lies outside its strings");
		return false;
	}
	id = s->strings + s->reply->build_id;
	if (id[strspn(id, "0123456789abcdef")] != '\0' ||
	    strlen(id) > 2ul * SYMBOLS_MAX_BUILD_ID_BYTES) {
		err_set(err, -EINVAL, "the symbolizer's build id is none");
		return false;
	}
	return true;
}

static bool module_is_sound(const struct symbols *s, const struct symbol_module *m)
{
	return m->start < m->limit && m->name < s->reply->string_bytes;
}

static bool function_is_sound(const struct symbols *s, const struct symbol_function *f)
{
	return f->size != 0 && f->size <= UINT64_MAX - f->start &&
	       f->name < s->reply->string_bytes && f->system_name < s->reply->string_bytes;
}

static bool answer_is_sound(const struct symbols *s, const struct symbol_answer *a)
{
	if (a->function != SYMBOLS_NONE) {
		const struct symbol_function *f;

		if (a->function >= s->reply->function_count)
			return false;
		f = &s->functions[a->function];
		if (a->vaddr < f->start || a->vaddr - f->start >= f->size)
			return false;
	}
	if (a->module != SYMBOLS_NONE) {
		const struct symbol_module *m;

		if (a->module >= s->reply->module_count)
			return false;
		m = &s->modules[a->module];
		return a->vaddr >= m->start && a->vaddr < m->limit;
	}
	return true;
}

int symbols_check(const void *bytes, size_t len, uint32_t address_count, struct symbols *ret,
		  struct err *err)
{
	struct symbols s;

	if (!layout_is_sound(bytes, len, address_count, &s, err) || !strings_are_sound(&s, err) ||
	    !build_id_is_sound(&s, err))
		return -EINVAL;
	for (uint32_t i = 0; i < s.reply->module_count; i++) {
		if (!module_is_sound(&s, &s.modules[i]))
			return err_set(err, -EINVAL, "the symbolizer's module %u is unsound", i);
	}
	for (uint32_t i = 0; i < s.reply->function_count; i++) {
		if (!function_is_sound(&s, &s.functions[i]))
			return err_set(err, -EINVAL, "the symbolizer's function %u is unsound", i);
	}
	for (uint32_t i = 0; i < s.reply->answer_count; i++) {
		if (!answer_is_sound(&s, &s.answers[i]))
			return err_set(err, -EINVAL, "the symbolizer's answer %u is unsound", i);
	}
	*ret = s;
	return 0;
}
