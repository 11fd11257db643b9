// SPDX-License-Identifier: Apache-2.0
/*
 * Process by process, thread by thread. All that can be done before a thread is stopped is done before: what is
 * mapped is read, files are opened, the unwinder is told, rows are compiled.
 *
 * A thread that can't be stopped is said so, and left as it is: one that somebody traces, one that has ended, one
 * that waits in the kernel (an interrupt would not reach it, and could not be taken back).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/dump/code.h"
#include "profiler/dump/dumper.h"
#include "profiler/dump/finder.h"
#include "profiler/dump/report.h"
#include "profiler/dump/stack.h"
#include "profiler/dump/thread.h"
#include "profiler/dump/walk.h"

#define MAX_THREADS 65536u
#define MAX_THREADS_BYTES (1u << 20)
/* A look again at a thread that waits in the kernel: most such waits are for a disk. */
#define LOOKS 4
#define LOOK_NS (10 * NS_PER_MS)
#define ATTEMPTS 5

struct dump {
	struct dumper *dumper;
	struct report report;
	struct thread thread;
	struct unwinder_client unwinder;
	struct code code; /* of the process at hand */
	struct labels labels;
	struct stacks stacks;
	struct walk theirs, ours;
};

/* ---- a thread ---- */

/* Looks at its state until it can be stopped: 0, or negative errno and a sentence. */
static int thread_status(struct dump *d, uint32_t tid, struct process_status *ret, struct err *err)
{
	static const struct timespec nap = { .tv_nsec = LOOK_NS };
	int r = 0;

	for (int i = 0; i < LOOKS; i++) {
		if (i)
			clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
		r = target_status(&d->dumper->from, tid, ret, err);
		if (r < 0 || ret->state != 'D')
			break;
	}
	if (r < 0)
		return r;
	if (ret->state == 'Z' || ret->state == 'X')
		return err_set(err, -ESRCH, "thread %u has ended", tid);
	if (ret->tracer_pid)
		return err_set(
			err, -EBUSY,
			"thread %u is traced by process %u (a debugger, strace): there can be only one",
			tid, ret->tracer_pid);
	if (ret->state == 'D')
		return err_set(err, -EBUSY,
			       "thread %u waits in the kernel (state D), where it can't be stopped",
			       tid);
	return 0;
}

/* Worth another attempt? The tracer that failed may be about to end, and so still be the one who traces it. */
static bool may_pass(int r, int attempt)
{
	return r == -ETIMEDOUT || r == -EPIPE || (r == -EPERM && attempt > 0);
}

/*
 * On a busy machine the thread, or the tracer, may wait for a CPU until its time is up: it is tried again, and runs
 * when it can in between.
 */
static int thread_halt(struct dump *d, const struct target *t, struct thread_stacks *x)
{
	static const struct timespec nap = { .tv_nsec = LOOK_NS };
	int r = unwinder_prepare(&d->unwinder, &d->dumper->rows, t, &x->why);

	if (r < 0)
		return r;
	for (int i = 0; i < ATTEMPTS; i++) {
		if (i)
			clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
		r = thread_stop(&d->thread, x->tid, &x->why);
		if (!may_pass(r, i))
			break;
	}
	if (r == 0)
		x->why.text[0] = '\0';
	return r;
}

/*
 * Go's code has no table that libunwind knows: there our rows go on from where it stood. Not to compare the two.
 */
static void walk_go_on(struct walk *theirs, const struct walk *ours)
{
	if ((theirs->end != DUMP_END_NO_INDEX && theirs->end != DUMP_END_NO_INFO) ||
	    ours->count <= theirs->count)
		return;
	for (uint32_t i = 0; i < theirs->count; i++)
		if (theirs->frames[i].ip != ours->frames[i].ip ||
		    theirs->frames[i].sp != ours->frames[i].sp)
			return;
	for (; theirs->count < ours->count; theirs->count++) {
		theirs->frames[theirs->count] = ours->frames[theirs->count];
		theirs->frames[theirs->count].flags |= DUMP_FRAME_ROWS;
	}
	theirs->end = ours->end;
}

/* Both walks, while it is stopped: what one of them asks for, the other sees as well. */
static void thread_walk(struct dump *d, const struct target *t, struct thread_stacks *x)
{
	bool verify = d->dumper->job.verify;
	int r = thread_halt(d, t, x);

	if (r < 0)
		return;
	walk_by_rows(&d->dumper->rows, t, &d->thread, &d->ours);
	walk_by_libunwind(&d->unwinder, &d->dumper->rows, t, &d->thread, &d->theirs, &x->why);
	x->stopped_ns = thread_go(&d->thread);
	if (!verify)
		walk_go_on(&d->theirs, &d->ours);
	r = stacks_keep(&d->stacks, &d->theirs, &x->theirs);
	if (r == 0 && verify)
		r = stacks_keep(&d->stacks, &d->ours, &x->ours);
	x->walked = r == 0;
	if (r < 0)
		err_errno(&x->why, r, "the stack of thread %u can't be kept", x->tid);
}

/* One that has ended meanwhile is left out, but for the last. */
static int thread_dump(struct dump *d, const struct target *t, uint32_t tid, bool last)
{
	struct thread_stacks *x = stacks_add(&d->stacks);
	int r;

	if (!x)
		return -ENOMEM;
	x->tid = tid;
	r = thread_status(d, tid, &x->status, &x->why);
	if (r == 0 && x->status.tgid != t->pid)
		r = err_set(&x->why, -ESRCH, "thread %u has ended", tid);
	if (r == 0) {
		x->why.text[0] = '\0';
		thread_walk(d, t, x);
	}
	if (r == -ESRCH && !last)
		d->stacks.threads.count--;
	return 0;
}

/* ---- a process ---- */

static void stack_want(struct dump *d, const struct target *t, const struct stack *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct dump_frame *f = &d->stacks.frames.items[s->first + i];
		uint64_t addr = f->flags & DUMP_FRAME_EXACT ? f->ip : f->ip - 1;
		const struct unwinder_mapping *m = target_mapping(t, addr);

		/* Without memory for it, it has no name. */
		if (m && m->file != UNWINDER_NO_FILE)
			(void)labels_want(&d->labels, m->file, m->offset + (addr - m->start));
		else if (m && code_is_told(&d->code))
			(void)labels_want(&d->labels, UNWINDER_NO_FILE, addr);
	}
}

/* Names and shows the threads that there are by now. 0 or negative errno. */
static int threads_show(struct dump *d, const struct target *t)
{
	labels_clear(&d->labels);
	for (uint32_t i = 0; i < d->stacks.threads.count; i++) {
		stack_want(d, t, &d->stacks.threads.items[i].theirs);
		stack_want(d, t, &d->stacks.threads.items[i].ours);
	}
	labels_ask(&d->labels, &d->code);
	report_threads(&d->report, &d->stacks, t, &d->labels);
	stacks_clear(&d->stacks);
	return dumper_flush(d->dumper, &d->report.out);
}

static int threads_dump(struct dump *d, const struct target *t, const struct buffer *tids,
			struct err *err)
{
	uint32_t tid, count = 0;
	size_t at = 0;
	int r = 0, shown;

	while (r == 0 && process_pids_next(tids, &at, &tid)) {
		if (count++ == MAX_THREADS) {
			r = -E2BIG;
			break;
		}
		r = thread_dump(d, t, tid, at >= tids->len && !d->stacks.threads.count);
		if (r == 0 && !stacks_have_room(&d->stacks))
			r = threads_show(d, t);
	}
	/* Also where there are no more of them: these were stopped and walked. */
	shown = threads_show(d, t);
	if (r == -E2BIG && shown == 0)
		return err_set(err, r, "only %u threads of process %u are shown", MAX_THREADS,
			       t->pid);
	if (r == 0)
		r = shown;
	return r < 0 ? err_errno(err, r, "cannot show the threads of process %u", t->pid) : 0;
}

static int process_read(struct dump *d, struct target *t, uint32_t pid, struct buffer *tids,
			struct err *err)
{
	const struct target_sources *from = &d->dumper->from;
	uint32_t us = d->dumper->job.supervisor_pid;
	int r = target_read(t, from, pid, err);

	if (r < 0)
		return r;
	if (t->status.tgid == us || t->status.ppid == us)
		return err_set(err, -EINVAL, "process %u is this slowburn itself", pid);
	r = from->source->read(from->source->ctx, PROCESS_TEXT_THREADS, pid, tids);
	return r < 0 ? err_errno(err, r, "cannot list the threads of process %u", pid) : 0;
}

/* 0; or negative errno: nobody listens. What fails with the process is said and counted. */
static int process_dump(struct dump *d, uint32_t pid)
{
	_cleanup_(buffer_release) struct buffer tids = BUFFER_INIT(MAX_THREADS_BYTES);
	struct err err = { "" };
	struct target t;
	int r = process_read(d, &t, pid, &tids, &err);

	stacks_clear(&d->stacks); /* of the process before, should any be left */
	d->unwinder.pid = 0; /* a pid may be another's by now */
	if (r == 0 || d->report.json)
		report_process(&d->report, pid, t.status.comm);
	if (r == 0) {
		dumper_rows(d->dumper, &t);
		code_open(&d->code, &t);
		r = threads_dump(d, &t, &tids, &err);
		code_close(&d->code);
	}
	if (r < 0)
		dumper_say(d->dumper, &err);
	report_process_end(&d->report, r < 0 ? &err : NULL);
	target_release(&t);
	return dumper_flush(d->dumper, &d->report.out);
}

/* ---- all ---- */

static void lines_tell(struct dump *d)
{
	struct err err;

	if (!d->labels.late)
		return;
	err_set(&err, -ETIMEDOUT,
		"not all source lines could be read in %llu s; --no-inlines does without",
		FINDER_PATIENCE_NS / NS_PER_S);
	dumper_say(d->dumper, &err);
}

static int dump_all(struct dump *d, struct err *err)
{
	const struct dump_job *job = &d->dumper->job;
	int r;

	report_begin(&d->report);
	r = dumper_flush(d->dumper, &d->report.out);
	for (uint32_t i = 0; i < job->pid_count && r == 0; i++)
		r = process_dump(d, job->pids[i]);
	report_end(&d->report);
	lines_tell(d);
	if (r == 0)
		r = dumper_flush(d->dumper, &d->report.out);
	d->dumper->result.failed = d->report.failed;
	d->dumper->result.differ = d->report.differ;
	return r < 0 ? err_errno(err, r, "cannot print the stacks") : 0;
}

int dump_stacks(struct dumper *dumper, struct err *err)
{
	struct dump *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return err_errno(err, -ENOMEM, "cannot look at processes");
	d->dumper = dumper;
	report_init(&d->report, dumper->job.json, dumper->job.verify);
	labels_init(&d->labels, dumper->job.inlines);
	unwinder_client_init(&d->unwinder, &dumper->starter);
	r = thread_init(&d->thread, &dumper->starter);
	if (r < 0)
		err_errno(err, r, "cannot look at processes");
	else
		r = dump_all(d, err);
	thread_release(&d->thread);
	unwinder_client_release(&d->unwinder);
	labels_release(&d->labels);
	stacks_release(&d->stacks);
	report_release(&d->report);
	free(d);
	return r;
}
