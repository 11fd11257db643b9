// SPDX-License-Identifier: Apache-2.0
/*
 * The reply is kept as it came, and texts are given out of it. Only the kind that was asked for is read
 * ahead of a list: reading the other, too, costs 15 µs a process for what is seldom used. Refused: keeping
 * texts of several replies, which takes a table where one array does.
 */
#include "profiler/agent/ahead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/array.h"

/* Who goes through a list passes over few. */
#define MAX_PASSED_OVER 16

void ahead_init(struct ahead *a)
{
	*a = (struct ahead){ 0 };
	buffer_init(&a->reply, OPENER_MAX_REPLY_BYTES);
}

void ahead_release(struct ahead *a)
{
	free(a->pids);
	buffer_release(&a->reply);
}

void ahead_forget(struct ahead *a)
{
	a->pid_count = a->pid_next = 0;
	a->from_list = false;
	a->text_count = 0;
}

void ahead_list(struct ahead *a, const char *text, size_t len, uint64_t now_ns)
{
	const struct buffer list = { .data = (char *)text, .len = len };
	size_t at = 0;
	uint32_t pid;

	ahead_forget(a);
	a->listed_ns = now_ns;
	/* Where there is no room for more, nothing is foreseen of those. */
	while (process_pids_next(&list, &at, &pid) &&
	       array_reserve((void **)&a->pids, &a->pid_capacity, a->pid_count + 1ULL, sizeof(pid),
			     AHEAD_MAX_PIDS) == 0)
		a->pids[a->pid_count++] = pid;
}

/* ---- asking ---- */

static bool is_young(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns - then_ns < AHEAD_MAX_AGE_NS;
}

/* Moves on to where the list has `pid`; false if that isn't near. */
static bool list_find(struct ahead *a, uint32_t pid, uint64_t now_ns)
{
	if (!is_young(a->listed_ns, now_ns))
		return false;
	for (uint32_t i = 0; i <= MAX_PASSED_OVER && i < a->pid_count - a->pid_next; i++) {
		if (a->pids[a->pid_next + i] == pid) {
			a->pid_next += i;
			return true;
		}
	}
	return false;
}

uint32_t ahead_plan(struct ahead *a, enum process_text what, uint32_t pid, uint64_t now_ns,
		    struct opener_text ret[AHEAD_MAX_TEXTS])
{
	uint32_t count = 1;

	ret[0] = (struct opener_text){ .what = what, .pid = pid };
	a->from_list = (what == PROCESS_TEXT_MAPS || what == PROCESS_TEXT_STAT) &&
		       list_find(a, pid, now_ns);
	if (a->from_list) {
		uint32_t left = a->pid_count - a->pid_next;

		for (; count < left && count < AHEAD_MAX_TEXTS; count++)
			ret[count] = (struct opener_text){ what, a->pids[a->pid_next + count] };
	} else if (what == PROCESS_TEXT_MAPS) {
		ret[count++] = (struct opener_text){ PROCESS_TEXT_STAT, pid };
	}
	return count;
}

int ahead_fill(struct ahead *a, const struct opener_text *texts, uint32_t count,
	       struct buffer *reply, uint64_t asked_ns)
{
	uint32_t answered = 0;
	struct buffer before;
	size_t at = 0;

	a->text_count = a->text_next = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct ahead_text *t = &a->texts[i];

		t->text = texts[i];
		if (opener_result_parse(reply, &at, &t->result, &t->bytes) < 0)
			return -EPROTO;
		t->there = i == 0 || t->result.status != -EAGAIN;
		answered += t->there;
	}
	if (at != reply->len)
		return -EPROTO;
	before = a->reply;
	a->reply = *reply;
	*reply = before;
	buffer_clear(reply);
	a->text_count = count;
	a->asked_ns = asked_ns;
	if (a->from_list) {
		/* Those that are not there follow those that are: they come with the next. */
		a->pid_next += answered;
		a->listed_ns = asked_ns;
	}
	return 0;
}

/* ---- giving out ---- */

static int text_give(struct ahead_text *t, struct buffer *out)
{
	size_t room = out->max > out->len ? out->max - out->len : 0;

	t->there = false;
	if (t->result.status < 0)
		return t->result.status;
	buffer_append(out, t->bytes, t->result.len < room ? t->result.len : room);
	return buffer_error(out);
}

int ahead_first(struct ahead *a, struct buffer *out)
{
	int r = text_give(&a->texts[0], out);

	if (a->reply.capacity > AHEAD_MAX_BYTES) {
		a->text_count = 0;
		buffer_release(&a->reply);
		buffer_init(&a->reply, OPENER_MAX_REPLY_BYTES);
	}
	return r;
}

bool ahead_take(struct ahead *a, enum process_text what, uint32_t pid, uint64_t now_ns,
		struct buffer *out, int *ret_status)
{
	if (!is_young(a->asked_ns, now_ns))
		a->text_count = 0;
	for (uint32_t i = 0; i < a->text_count; i++) {
		uint32_t n = (a->text_next + i) % a->text_count;
		struct ahead_text *t = &a->texts[n];

		if (!t->there || t->text.what != what || t->text.pid != pid)
			continue;
		a->text_next = n + 1;
		*ret_status = text_give(t, out);
		return true;
	}
	return false;
}
