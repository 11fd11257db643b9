// SPDX-License-Identifier: Apache-2.0
/*
 * Both walk over the same thread. What the unwinder asks for (pages, files) is answered here and bounded; what it
 * answers is frames, which are only shown: one that was taken over can make this stack wrong, and no more.
 */
#include "profiler/dump/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/unwind_step.h"
#include "profiler/base/clock.h"

/* A walk of 4,096 frames through files that are on a cold disk. */
#define WALK_PATIENCE_NS (5 * NS_PER_S)

/* ---- libunwind ---- */

void unwinder_client_init(struct unwinder_client *c, const struct starter *starter)
{
	*c = (struct unwinder_client){ 0 };
	peer_init(&c->peer, starter, UNWINDER_ROLE, UNWINDER_MAX_REPLY_BYTES);
}

void unwinder_client_release(struct unwinder_client *c)
{
	peer_release(&c->peer);
}

static int say(struct unwinder_client *c, uint32_t type, const void *bytes, size_t len, int fd,
	       uint64_t until_ns)
{
	return socket_send(c->peer.socket, type, bytes, len, &fd, fd >= 0, until_ns);
}

static void give_up(struct unwinder_client *c)
{
	peer_disbelieve(&c->peer);
	c->pid = 0;
}

struct space {
	ARRAY(struct unwinder_mapping) all;
};

static int space_add(struct space *s, const struct unwinder_mapping *m, uint64_t start,
		     uint64_t end, bool by_frame_pointer)
{
	struct unwinder_mapping *to;

	if (start >= end)
		return 0;
	to = array_push(&s->all, DUMP_MAX_MAPPINGS);
	if (!to)
		return s->all.count == DUMP_MAX_MAPPINGS ? -E2BIG : -ENOMEM;
	*to = (struct unwinder_mapping){ .start = start,
					 .end = end,
					 .offset = m->offset + (start - m->start),
					 .file = m->file,
					 .by_frame_pointer = by_frame_pointer };
	return 0;
}

/* A mapping, cut where ranges of its code keep frame pointers. */
static int space_add_file(struct space *s, const struct unwinder_mapping *m,
			  const struct rows_file *f)
{
	uint64_t at = m->start, vaddr;
	int r = 0;

	if (!rows_mapping_vaddr(f, m->offset, &vaddr))
		return space_add(s, m, m->start, m->end, false);
	for (uint32_t i = 0; r == 0 && i < f->by_frame_pointer.count; i++) {
		const struct rows_range *range = &f->by_frame_pointer.items[i];
		uint64_t start, end;

		if (range->limit <= vaddr ||
		    (range->start >= vaddr && range->start - vaddr >= m->end - m->start))
			continue;
		start = range->start < vaddr ? m->start : m->start + (range->start - vaddr);
		end = range->limit - vaddr < m->end - m->start ? m->start + (range->limit - vaddr)
							       : m->end;
		r = space_add(s, m, at, start, false);
		if (r == 0)
			r = space_add(s, m, start, end, true);
		at = end;
	}
	return r < 0 ? r : space_add(s, m, at, m->end, false);
}

static int space_fill(struct space *s, const struct rows *rows, const struct target *t)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < t->mappings.count; i++) {
		const struct unwinder_mapping *m = &t->mappings.items[i];
		const struct rows_file *f = m->file == UNWINDER_NO_FILE ? NULL
									: rows_find(rows, m->file);

		if (m->file == UNWINDER_NO_FILE)
			r = space_add(s, m, m->start, m->end, true);
		else if (f && f->error == 0)
			r = space_add_file(s, m, f);
		else
			r = space_add(s, m, m->start, m->end, false);
	}
	return r;
}

int unwinder_prepare(struct unwinder_client *c, const struct rows *rows, const struct target *t,
		     struct err *err)
{
	struct space space = { 0 };
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + WALK_PATIENCE_NS;
	int r;

	if (c->pid == t->pid && c->peer.socket >= 0)
		return 0;
	c->peer.asked_ns = clock_ns(CLOCK_MONOTONIC);
	r = peer_start(&c->peer, err);
	if (r < 0)
		return r;
	r = space_fill(&space, rows, t);
	if (r == 0)
		r = say(c, UNWINDER_SPACE, space.all.items,
			space.all.count * sizeof(*space.all.items), -1, until_ns);
	array_release(&space.all);
	if (r < 0) {
		give_up(c);
		return err_errno(err, r, "the unwinder can't be told what is mapped");
	}
	c->pid = t->pid;
	return 0;
}

static int answer_memory(struct unwinder_client *c, struct thread *thread, uint64_t until_ns)
{
	const struct buffer *b = &c->peer.reply.bytes;
	struct {
		struct unwinder_memory head;
		unsigned char bytes[DUMP_PAGE_BYTES];
	} answer = { .head.end = DUMP_END_BAD_READ };
	const struct thread_page *p;

	if (b->len != sizeof(answer.head.addr))
		return -EPROTO;
	memcpy(&answer.head.addr, b->data, sizeof(answer.head.addr));
	if (answer.head.addr % DUMP_PAGE_BYTES)
		return -EPROTO;
	p = thread_page(thread, answer.head.addr);
	if (p && p->end == DUMP_END_BOTTOM) {
		answer.head.len = sizeof(answer.bytes);
		memcpy(answer.bytes, p->bytes, sizeof(answer.bytes));
	} else if (p) {
		answer.head.end = p->end;
	}
	return say(c, UNWINDER_MEMORY, &answer, sizeof(answer.head) + answer.head.len, -1,
		   until_ns);
}

static int answer_file(struct unwinder_client *c, const struct target *t, uint64_t until_ns)
{
	const struct buffer *b = &c->peer.reply.bytes;
	uint32_t file;
	int fd = -1;

	if (b->len != sizeof(file))
		return -EPROTO;
	memcpy(&file, b->data, sizeof(file));
	if (target_file(t->from, file, &fd) < 0)
		fd = -1;
	return say(c, UNWINDER_FILE, &file, sizeof(file), fd, until_ns);
}

static int take_frames(const struct buffer *b, struct walk *ret)
{
	struct unwinder_done done;

	if (b->len < sizeof(done))
		return -EPROTO;
	memcpy(&done, b->data, sizeof(done));
	if (done.end >= DUMP_END_COUNT || done.count > DUMP_MAX_FRAMES ||
	    b->len != sizeof(done) + done.count * sizeof(*ret->frames))
		return -EPROTO;
	ret->end = (enum dump_end)done.end;
	ret->count = done.count;
	memcpy(ret->frames, b->data + sizeof(done), done.count * sizeof(*ret->frames));
	return 0;
}

static int send_walk(struct unwinder_client *c, const struct thread *thread, uint64_t until_ns)
{
	struct buffer request = BUFFER_INIT(UNWINDER_MAX_REQUEST_BYTES);
	const struct unwinder_walk head = {
		.registers = thread->registers,
		.stack_addr = thread->stack_addr,
		.stack_bytes = thread->stack_bytes,
	};
	int r;

	buffer_append(&request, &head, sizeof(head));
	buffer_append(&request, thread->stack, thread->stack_bytes);
	r = buffer_error(&request);
	if (r == 0)
		r = say(c, UNWINDER_WALK, request.data, request.len, -1, until_ns);
	buffer_release(&request);
	return r;
}

static int converse(struct unwinder_client *c, const struct target *t, struct thread *thread,
		    struct walk *ret)
{
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + WALK_PATIENCE_NS;
	int r = send_walk(c, thread, until_ns);

	for (uint32_t needs = 0; r == 0 && needs <= UNWINDER_MAX_NEEDS; needs++) {
		r = socket_receive(c->peer.socket, &c->peer.reply, until_ns);
		if (r < 0)
			return r;
		switch (c->peer.reply.type) {
		case UNWINDER_NEED_MEMORY:
			r = answer_memory(c, thread, until_ns);
			break;
		case UNWINDER_NEED_FILE:
			r = answer_file(c, t, until_ns);
			break;
		case UNWINDER_DONE:
			return take_frames(&c->peer.reply.bytes, ret);
		default:
			return -EPROTO;
		}
	}
	return r < 0 ? r : -E2BIG;
}

void walk_by_libunwind(struct unwinder_client *c, const struct rows *rows, const struct target *t,
		       struct thread *thread, struct walk *ret, struct err *err)
{
	int r = unwinder_prepare(c, rows, t, err);

	ret->count = 0;
	ret->end = DUMP_END_FAILED;
	if (r < 0)
		return;
	err->text[0] = '\0';
	r = converse(c, t, thread, ret);
	if (r == 0)
		return;
	give_up(c);
	ret->count = 0;
	ret->end = DUMP_END_FAILED;
	err_errno(err, r, "libunwind's process failed over thread %u", thread->tid);
}

/* ---- rows ---- */

struct source {
	struct thread *thread;
	enum dump_end trouble; /* why the last read failed */
};

static int read_word(void *source, __u64 addr, __u64 *ret)
{
	struct source *s = source;
	uint64_t word = 0;
	enum dump_end end = thread_read(s->thread, addr, &word);

	if (end != DUMP_END_BOTTOM) {
		s->trouble = end;
		return -1;
	}
	*ret = word;
	return 0;
}

static int read_register(void *source, __u32 number, __u64 *ret)
{
	const struct source *s = source;

	*ret = s->thread->registers.values[number];
	return 0;
}

/* The rule at a frame; or NULL, and why there is none. */
static const struct unwind_rule *rule_at(const struct rows *rows, const struct target *t,
					 uint64_t addr, enum dump_end *ret_why)
{
	static const struct unwind_rule by_frame_pointer = { .kind = UNWIND_FRAME_POINTER };
	const struct unwinder_mapping *m = target_mapping(t, addr);
	const struct rows_file *f;
	const struct unwind_rule *rule = NULL;
	uint64_t vaddr;

	*ret_why = DUMP_END_NO_MAPPING;
	if (!m)
		return NULL;
	if (m->file == UNWINDER_NO_FILE)
		return &by_frame_pointer;
	f = rows_find(rows, m->file);
	*ret_why = DUMP_END_NO_FILE;
	if (!f || f->error < 0)
		return NULL;
	*ret_why = DUMP_END_NO_INFO;
	if (rows_vaddr(f, m->offset + (addr - m->start), &vaddr))
		rule = rows_rule(f, vaddr);
	return rule;
}

static enum dump_end end_of(int end, const struct source *s)
{
	switch (end) {
	case UNWIND_END_BOTTOM:
		return DUMP_END_BOTTOM;
	case UNWIND_END_NO_ROW:
		return DUMP_END_NO_INFO;
	case UNWIND_END_LOST:
		return DUMP_END_LOST;
	case UNWIND_END_BAD_READ:
		return s->trouble;
	case UNWIND_END_BAD_FRAME:
		return DUMP_END_BAD_FRAME;
	default:
		return DUMP_END_UNSUPPORTED;
	}
}

static struct dump_frame frame_shown(const struct unwind_frame *f)
{
	return (struct dump_frame){
		.ip = f->flags & UNWIND_EXACT ? f->ip : f->ip + 1,
		.sp = f->sp,
		.flags = (f->flags & UNWIND_EXACT ? DUMP_FRAME_EXACT : 0) |
			 (f->flags & UNWIND_GUESSED ? DUMP_FRAME_GUESSED : 0),
	};
}

void walk_by_rows(const struct rows *rows, const struct target *t, struct thread *thread,
		  struct walk *ret)
{
	const uint64_t *registers = thread->registers.values;
	struct source s = { .thread = thread, .trouble = DUMP_END_BAD_READ };
	const struct unwind_source from = { .read = read_word,
					    .leaf_register = read_register,
					    .memory = &s,
					    .user_end = DUMP_USER_END,
					    .thread_pointer = thread->registers.thread_pointer };
	struct unwind_frame f = { .ip = registers[DUMP_RIP],
				  .sp = registers[DUMP_RSP],
				  .fp = registers[DUMP_RBP],
				  .flags = UNWIND_EXACT };
	const struct unwind_rule *rule;
	int end;

	ret->count = 0;
	for (;;) {
		if (ret->count == DUMP_MAX_FRAMES) {
			ret->end = DUMP_END_TOO_DEEP;
			return;
		}
		ret->frames[ret->count++] = frame_shown(&f);
		rule = rule_at(rows, t, f.ip, &ret->end);
		if (!rule)
			return;
		end = unwind_step(rule, &f, &from);
		if (end != UNWIND_END_NONE) {
			ret->end = end_of(end, &s);
			return;
		}
	}
}
