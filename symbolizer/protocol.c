// SPDX-License-Identifier: Apache-2.0
/*
 * The check of a reply. It runs in the agent, which has privileges, on bytes from a process that may have been
 * taken over by a hostile file: so everything that a reader of `struct symbols` would otherwise have to check
 * again is checked here, once, and in time proportional to the bytes.
 */
#include "symbolizer/protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

_Static_assert(sizeof(struct symbol_request) == 8, "wire format");
_Static_assert(sizeof(struct symbol_reply) == 24, "wire format");
_Static_assert(sizeof(struct symbol_answer) == 16, "wire format");
_Static_assert(sizeof(struct symbol_function) == 24, "wire format");
_Static_assert(sizeof(struct symbol_module) == 32, "wire format");

/* Where each part begins; -EINVAL unless the parts are exactly the whole. */
static int layout_check(const char *bytes, size_t len, uint32_t address_count, struct symbols *s,
			struct err *err)
{
	const struct symbol_reply *reply = (const struct symbol_reply *)bytes;
	uint64_t need = sizeof(*reply);

	if (len < sizeof(*reply))
		return err_set(err, -EINVAL, "The symbolizer's reply has only %zu bytes", len);
	if (reply->status >= SYMBOLS_STATUS_COUNT)
		return err_set(err, -EINVAL, "The symbolizer's reply has the unknown status %u",
			       reply->status);
	if (reply->answer_count != address_count)
		return err_set(err, -EINVAL, "The symbolizer answered for %u addresses of %u",
			       reply->answer_count, address_count);
	s->reply = reply;
	s->answers = (const struct symbol_answer *)(bytes + need);
	need += (uint64_t)reply->answer_count * sizeof(struct symbol_answer);
	s->functions = (const struct symbol_function *)(bytes + need);
	need += (uint64_t)reply->function_count * sizeof(struct symbol_function);
	s->modules = (const struct symbol_module *)(bytes + need);
	need += (uint64_t)reply->module_count * sizeof(struct symbol_module);
	s->strings = bytes + need;
	need += reply->string_bytes;
	if (need != len)
		return err_set(err, -EINVAL, "The symbolizer's reply has %zu bytes, and counts %llu",
			       len, (unsigned long long)need);
	return 0;
}

/* Each ends within SYMBOLS_MAX_NAME: one long string, named often, would cost the reader any amount. */
static int strings_check(const struct symbols *s, struct err *err)
{
	const char *p = s->strings, *end = p + s->reply->string_bytes;

	if (p == end || *p != '\0')
		return err_set(err, -EINVAL, "The symbolizer's strings do not begin with an empty one");
	while (p < end) {
		size_t room = (size_t)(end - p);
		const char *nul = memchr(p, '\0', room < SYMBOLS_MAX_NAME + 1 ? room :
									       SYMBOLS_MAX_NAME + 1);

		if (!nul)
			return err_set(err, -EINVAL, "A string of the symbolizer's does not end");
		p = nul + 1;
	}
	return 0;
}

static int build_id_check(const struct symbols *s, struct err *err)
{
	const char *id;

	if (s->reply->build_id >= s->reply->string_bytes)
		return err_set(err, -EINVAL, "The symbolizer's build id lies outside its strings");
	id = s->strings + s->reply->build_id;
	if (id[strspn(id, "0123456789abcdef")] != '\0' ||
	    strlen(id) > 2ul * SYMBOLS_MAX_BUILD_ID_BYTES)
		return err_set(err, -EINVAL, "The symbolizer's build id is none");
	return 0;
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
	int r;

	r = layout_check(bytes, len, address_count, &s, err);
	if (r == 0)
		r = strings_check(&s, err);
	if (r == 0)
		r = build_id_check(&s, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < s.reply->module_count; i++) {
		if (!module_is_sound(&s, &s.modules[i]))
			return err_set(err, -EINVAL, "The symbolizer's module %u is unsound", i);
	}
	for (uint32_t i = 0; i < s.reply->function_count; i++) {
		if (!function_is_sound(&s, &s.functions[i]))
			return err_set(err, -EINVAL, "The symbolizer's function %u is unsound", i);
	}
	for (uint32_t i = 0; i < s.reply->answer_count; i++) {
		if (!answer_is_sound(&s, &s.answers[i]))
			return err_set(err, -EINVAL, "The symbolizer's answer %u is unsound", i);
	}
	*ret = s;
	return 0;
}
