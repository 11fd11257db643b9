// SPDX-License-Identifier: Apache-2.0
/*
 * The check of a reply with an unwind table, as symbols_check() is of one with names: it runs in the agent, on
 * bytes from a process that may have been taken over, and what it lets through is what the kernel
 * side will search. In time proportional to the bytes.
 *
 * Pages lie over their rows without holes, in order: each begins where the one before ends, or shares that
 * one's only row. So a run of pages can be cut off anywhere, and its rows with it.
 */
#include "symbolizer/protocol.h"

#include <errno.h>
#include <stdbool.h>

_Static_assert(sizeof(struct unwind_request) == 24, "wire format");
_Static_assert(sizeof(struct unwind_reply) == 72, "wire format");
_Static_assert(sizeof(struct unwind_segment) == 24, "wire format");

static bool counts_are_sound(const struct unwind_reply *r)
{
	return r->status < SYMBOLS_STATUS_COUNT && !(r->flags & ~UNWIND_REPLY_FLAGS) &&
	       r->segment_count <= UNWIND_REPLY_MAX_SEGMENTS &&
	       r->rule_count <= UNWIND_MAX_FILE_RULES && r->page_count <= UNWIND_REPLY_MAX_PAGES &&
	       r->row_count <= UNWIND_REPLY_MAX_ROWS;
}

/* Where each part begins; false unless the parts are exactly the whole. */
static bool layout_is_sound(const char *bytes, size_t len, struct unwind_answer *a, struct err *err)
{
	const struct unwind_reply *reply = (const struct unwind_reply *)bytes;
	uint64_t need = sizeof(*reply);

	if (len < sizeof(*reply)) {
		err_set(err, -EINVAL, "the symbolizer's unwind table has only %zu bytes", len);
		return false;
	}
	if (!counts_are_sound(reply)) {
		err_set(err, -EINVAL,
			"the symbolizer's unwind table counts more than there can be");
		return false;
	}
	a->reply = reply;
	a->segments = (const struct unwind_segment *)(bytes + need);
	need += reply->segment_count * sizeof(struct unwind_segment);
	a->rules = (const struct unwind_rule *)(bytes + need);
	need += reply->rule_count * sizeof(struct unwind_rule);
	a->pages = (const struct unwind_page *)(bytes + need);
	need += reply->page_count * sizeof(struct unwind_page);
	a->rows = (const uint32_t *)(bytes + need);
	need += reply->row_count * sizeof(uint32_t);
	if (need != len) {
		err_set(err, -EINVAL,
			"the symbolizer's unwind table has %zu bytes, and counts %llu", len,
			(unsigned long long)need);
		return false;
	}
	return true;
}

/* It is of what was asked for, and pages and their addresses agree. */
static bool range_is_sound(const struct unwind_reply *r, const struct unwind_request *request)
{
	uint64_t room = (uint64_t)r->page_count * UNWIND_PAGE_BYTES;

	if (r->status != SYMBOLS_OK)
		return !r->segment_count && !r->rule_count && !r->page_count && !r->row_count;
	if (r->row_count > request->max_rows || r->rule_count < UNWIND_RULE_FIRST)
		return false;
	if (!r->page_count)
		return !r->row_count && r->limit == r->start;
	return r->start % UNWIND_PAGE_BYTES == 0 && room <= UINT64_MAX - r->start &&
	       r->start + (UNWIND_PAGE_BYTES - 1) >= request->start && r->limit > r->start &&
	       r->limit <= request->limit && r->limit - r->start <= room &&
	       room - (r->limit - r->start) < UNWIND_PAGE_BYTES;
}

static bool segments_are_sound(const struct unwind_answer *a)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < a->reply->segment_count; i++) {
		const struct unwind_segment *s = &a->segments[i];

		if (s->vaddr < end || !s->size || s->size > UINT64_MAX - s->vaddr ||
		    s->size > UINT64_MAX - s->offset)
			return false;
		end = s->vaddr + s->size;
	}
	return true;
}

static bool rules_are_sound(const struct unwind_answer *a)
{
	for (uint32_t i = 0; i < a->reply->rule_count; i++) {
		const struct unwind_rule *rule = &a->rules[i];

		if (rule->kind >= UNWIND_KIND_COUNT)
			return false;
		if ((rule->kind == UNWIND_SP || rule->kind == UNWIND_FP) &&
		    unwind_rule_parameter(rule) & ~(UNWIND_INTERRUPTED | UNWIND_OTHER_STACK))
			return false;
		if (i == UNWIND_RULE_NONE && a->rules[i].kind != UNWIND_NONE)
			return false;
		if (i == UNWIND_RULE_UNSUPPORTED && a->rules[i].kind != UNWIND_UNSUPPORTED)
			return false;
	}
	return true;
}

static bool rows_are_sound(const struct unwind_answer *a, const struct unwind_page *page)
{
	const uint32_t *rows = a->rows + page->row;

	for (uint32_t i = 0; i < page->count; i++) {
		uint32_t within = unwind_row_within(rows[i]);

		if (unwind_row_rule(rows[i]) >= a->reply->rule_count || within >= UNWIND_PAGE_BYTES)
			return false;
		if (i ? within <= unwind_row_within(rows[i - 1]) : within != 0)
			return false;
	}
	return true;
}

static bool pages_are_sound(const struct unwind_answer *a)
{
	uint32_t end = 0;

	for (uint32_t i = 0; i < a->reply->page_count; i++) {
		const struct unwind_page *p = &a->pages[i];
		bool shares = i && a->pages[i - 1].count == 1 && p->row == a->pages[i - 1].row;

		if (!p->count || p->reserved || (p->row != end && !shares))
			return false;
		if (p->count > UNWIND_PAGE_MAX_ROWS || p->count > a->reply->row_count - p->row ||
		    !rows_are_sound(a, p))
			return false;
		end = p->row + p->count;
	}
	return end == a->reply->row_count;
}

int unwind_check(const void *bytes, size_t len, const struct unwind_request *request,
		 struct unwind_answer *ret, struct err *err)
{
	struct unwind_answer a;

	if (!layout_is_sound(bytes, len, &a, err))
		return -EINVAL;
	if (!range_is_sound(a.reply, request))
		return err_set(err, -EINVAL,
			       "the symbolizer's unwind table is not of what was asked for");
	if (!segments_are_sound(&a))
		return err_set(err, -EINVAL, "the symbolizer's segments are unsound");
	if (!rules_are_sound(&a))
		return err_set(err, -EINVAL, "the symbolizer's unwind rules are unsound");
	if (!pages_are_sound(&a))
		return err_set(err, -EINVAL, "the symbolizer's unwind rows are unsound");
	*ret = a;
	return 0;
}
