// SPDX-License-Identifier: Apache-2.0
/*
 * The dumper's side of the tracer. Each request has a deadline that is longer than the tracer's own, which lets
 * the thread go by itself; one that doesn't answer is given up, and its end lets the thread go.
 */
#include "profiler/dump/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"

#define DEADLINE_NS (5 * DUMP_MAX_STOP_NS)

int thread_init(struct thread *t, const struct starter *starter)
{
	*t = (struct thread){ 0 };
	peer_init(&t->tracer, starter, TRACER_ROLE, TRACER_MAX_REPLY_BYTES);
	buffer_init(&t->request, TRACER_MAX_REQUEST_BYTES);
	t->pages = calloc(THREAD_MAX_PAGES, sizeof(*t->pages));
	return t->pages ? 0 : -ENOMEM;
}

void thread_release(struct thread *t)
{
	peer_release(&t->tracer);
	buffer_release(&t->request);
	free(t->pages);
	t->pages = NULL;
}

/* The reply's bytes, of at least `least`; negative errno, and then nothing is stopped any more. */
static int ask(struct thread *t, uint32_t type, const void *bytes, size_t len, size_t least,
	       const struct buffer **ret, struct err *err)
{
	int r;

	buffer_clear(&t->request);
	buffer_append(&t->request, bytes, len);
	r = buffer_error(&t->request);
	if (r == 0)
		r = peer_ask(&t->tracer, type, &t->request, NULL, 0, TRACER_REPLY, DEADLINE_NS,
			     err);
	if (r == 0 && (t->tracer.reply.bytes.len < least || t->tracer.reply.fd_count)) {
		peer_disbelieve(&t->tracer);
		r = err_errno(err, -EPROTO, "the tracer's answer could not be read");
	}
	if (r < 0)
		t->stopped = t->to_go = false;
	else
		*ret = &t->tracer.reply.bytes;
	return r;
}

static int stopped_sentence(uint32_t tid, int status, struct err *err)
{
	switch (status) {
	case -ESRCH:
		return err_set(err, status, "thread %u has ended", tid);
	case -EPERM:
		return err_set(
			err, status,
			"thread %u may not be stopped: that takes CAP_SYS_PTRACE, or to be its user "
			"where /proc/sys/kernel/yama/ptrace_scope is 0",
			tid);
	case -ETIMEDOUT:
		return err_set(err, status, "thread %u didn't stop within %d ms", tid,
			       (int)(DUMP_MAX_STOP_NS / NS_PER_MS));
	case -ENOEXEC:
		return err_set(err, status, "thread %u runs 32-bit code, which is not unwound",
			       tid);
	default:
		return err_errno(err, status, "thread %u could not be stopped", tid);
	}
}

int thread_stop(struct thread *t, uint32_t tid, struct err *err)
{
	const struct tracer_stop request = { .tid = tid };
	const struct buffer *reply;
	struct tracer_stopped head;
	int r;

	t->page_count = 0;
	t->stopped = t->to_go = false;
	t->tid = tid;
	r = ask(t, TRACER_STOP, &request, sizeof(request), sizeof(head), &reply, err);
	if (r < 0)
		return r;
	memcpy(&head, reply->data, sizeof(head));
	if (head.status < 0)
		return stopped_sentence(tid, head.status, err);
	if (head.stack_bytes > sizeof(t->stack) || reply->len != sizeof(head) + head.stack_bytes ||
	    head.stack_addr > UINT64_MAX - head.stack_bytes) {
		peer_disbelieve(&t->tracer);
		return err_errno(err, -EPROTO, "the tracer's answer could not be read");
	}
	t->registers = head.registers;
	t->stack_addr = head.stack_addr;
	t->stack_bytes = head.stack_bytes;
	memcpy(t->stack, reply->data + sizeof(head), head.stack_bytes);
	t->stopped = t->to_go = true;
	return 0;
}

uint64_t thread_go(struct thread *t)
{
	const struct buffer *reply;
	struct tracer_released released = { 0 };

	/* Also of one that the tracer has let go by itself: it knows when. */
	if (t->to_go && ask(t, TRACER_RELEASE, NULL, 0, sizeof(released), &reply, NULL) == 0)
		memcpy(&released, reply->data, sizeof(released));
	t->stopped = t->to_go = false;
	return released.stopped_ns;
}

/* Asks for it. What was answered is kept, also that it can't be had. */
static void page_fill(struct thread *t, struct thread_page *p)
{
	const struct tracer_read request = { .addr = p->addr, .len = sizeof(p->bytes) };
	const struct buffer *reply;
	struct tracer_bytes head;

	p->end = DUMP_END_TOO_LATE;
	if (!t->stopped ||
	    ask(t, TRACER_READ, &request, sizeof(request), sizeof(head), &reply, NULL) < 0)
		return;
	memcpy(&head, reply->data, sizeof(head));
	if (head.status == -ESRCH) {
		t->stopped = false;
		return;
	}
	p->end = DUMP_END_BAD_READ;
	if (head.status < 0 || head.len != sizeof(p->bytes) ||
	    reply->len != sizeof(head) + head.len)
		return;
	memcpy(p->bytes, reply->data + sizeof(head), sizeof(p->bytes));
	p->end = DUMP_END_BOTTOM;
}

const struct thread_page *thread_page(struct thread *t, uint64_t addr)
{
	struct thread_page *p;

	for (uint32_t i = t->page_count; i-- > 0;)
		if (t->pages[i].addr == addr)
			return &t->pages[i];
	if (t->page_count == THREAD_MAX_PAGES)
		return NULL;
	p = &t->pages[t->page_count++];
	p->addr = addr;
	page_fill(t, p);
	return p;
}

enum dump_end thread_read(struct thread *t, uint64_t addr, uint64_t *ret)
{
	uint64_t within = addr - t->stack_addr;
	const struct thread_page *p;
	unsigned char word[sizeof(*ret)];

	if (addr >= t->stack_addr && within < t->stack_bytes &&
	    sizeof(*ret) <= t->stack_bytes - within) {
		memcpy(ret, t->stack + within, sizeof(*ret));
		return DUMP_END_BOTTOM;
	}
	for (size_t done = 0, n; done < sizeof(word); done += n) {
		size_t offset = (addr + done) % DUMP_PAGE_BYTES;

		n = DUMP_PAGE_BYTES - offset;
		if (n > sizeof(word) - done)
			n = sizeof(word) - done;
		p = thread_page(t, addr + done - offset);
		if (!p)
			return DUMP_END_BAD_READ;
		if (p->end != DUMP_END_BOTTOM)
			return (enum dump_end)p->end;
		memcpy(word + done, p->bytes + offset, n);
	}
	memcpy(ret, word, sizeof(*ret));
	return DUMP_END_BOTTOM;
}
