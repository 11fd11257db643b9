// SPDX-License-Identifier: Apache-2.0
/*
 * One switch over records in order of time. Limits are those of the budget, so that the worst machine
 * costs memory that can be told beforehand; what exceeds them is counted, never guessed.
 */
#include "profiler/agent/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/record.h"
#include "profiler/base/clock.h"
#include "profiler/collect/decode.h"

/* Kernel frames, user frames and the mark of a truncated stack. */
#define MAX_FRAMES (RECORD_MAX_FRAMES + 1)

/*
 * By then the kernel side has a mapping: drains are 0.1 s apart, and one that is later than this, as the machine or
 * compiling held it up, comes with rings that are full.
 */
#define OUTDATED_NS (2 * NS_PER_S)

/* A sample's moment, in the window and as it is stored, in arrays that have just grown. */
#define MOMENT_BYTES (2 * 8 * 3 / 2)

_Static_assert(sizeof(((struct window_series *)0)->comm) == RECORD_COMM_BYTES,
	       "comm sizes disagree");

int pipeline_init(struct pipeline *p, const struct process_source *source,
		  const struct cgroup_hierarchy *cgroups, const struct budget *budget,
		  struct err *err)
{
	struct window_limits limits = budget_window_limits(budget);
	int r;

	*p = (struct pipeline){ .source = source,
				.budget = budget,
				.hierarchy = *cgroups,
				.count_until_ns = UINT64_MAX };
	r = window_init(&p->window, &limits);
	if (r >= 0)
		r = file_table_new(&p->files, source, &p->counters, budget_files(budget),
				   PIPELINE_MAX_PINS);
	if (r >= 0)
		r = process_table_new(&p->processes, source, p->files, &p->counters,
				      budget_processes(budget));
	if (r >= 0)
		r = jit_new(&p->jit, p->processes, p->files, &p->counters);
	if (r >= 0)
		r = bpf_code_new(&p->bpf);
	if (r >= 0)
		r = cgroup_names_new(&p->cgroups, cgroups, source);
	if (r >= 0)
		r = batch_new(&p->batch, &p->counters, budget_batch_bytes(budget));
	if (r < 0) {
		pipeline_release(p);
		return err_errno(err, r, "cannot set up the capture");
	}
	return 0;
}

void pipeline_release(struct pipeline *p)
{
	batch_free(p->batch);
	cgroup_names_free(p->cgroups);
	bpf_code_free(p->bpf);
	jit_free(p->jit);
	process_table_free(p->processes);
	file_table_free(p->files);
	window_release(&p->window);
	*p = (struct pipeline){ 0 };
}

void pipeline_set_code(struct pipeline *p, const struct code_source *code)
{
	p->code = *code;
	jit_set_source(p->jit, code);
}

void pipeline_go_on(struct pipeline *p)
{
	p->goes_on = true;
	p->window.limits.moment_bytes = MOMENT_BYTES;
	process_table_pin_sparingly(p->processes);
}

/* ---- epochs ---- */

struct forgetting {
	struct pipeline *pipeline;
	bool *mapped; /* by file */
};

/* Nothing maps it, and what was made of it can go. */
static bool may_forget(void *ctx, uint32_t file)
{
	struct forgetting *f = ctx;
	struct pipeline *p = f->pipeline;

	if (f->mapped[file] || (p->unwinding && !unwinding_forget(p->unwinding, file)))
		return false;
	if (p->file_forgotten)
		p->file_forgotten(p->forgotten_ctx, file);
	return true;
}

/* Once half of the room is taken; without memory they stay. */
static void files_forget(struct pipeline *p)
{
	struct forgetting f = { .pipeline = p };

	if (file_table_known(p->files) < budget_files(p->budget) / 2)
		return;
	f.mapped = calloc(file_table_count(p->files) + 1UL, sizeof(*f.mapped));
	if (!f.mapped)
		return;
	process_table_mapped(p->processes, f.mapped);
	file_table_forget(p->files, may_forget, &f);
	p->files_kept = file_table_known(p->files);
	free(f.mapped);
}

int pipeline_turn(struct pipeline *p, uint64_t start_ns)
{
	struct window_limits limits = budget_window_limits(p->budget);
	struct cgroup_names *cgroups = NULL;
	struct bpf_code *bpf = NULL;
	struct jit *jit = NULL;
	struct window window;
	int r = window_init(&window, &limits);

	if (r >= 0)
		r = jit_new(&jit, p->processes, p->files, &p->counters);
	if (r >= 0)
		r = bpf_code_new(&bpf);
	if (r >= 0)
		r = cgroup_names_new(&cgroups, &p->hierarchy, p->source);
	if (r < 0) {
		window_release(&window);
		jit_free(jit);
		bpf_code_free(bpf);
		return r;
	}
	window_release(&p->window);
	jit_free(p->jit);
	bpf_code_free(p->bpf);
	cgroup_names_free(p->cgroups);
	p->window = window;
	p->window.start_ns = start_ns;
	p->window.limits.moment_bytes = MOMENT_BYTES;
	p->jit = jit;
	p->bpf = bpf;
	p->cgroups = cgroups;
	jit_set_source(p->jit, &p->code);
	process_table_sweep(p->processes, start_ns);
	files_forget(p);
	return 0;
}

bool pipeline_is_full(const struct pipeline *p)
{
	uint32_t known = file_table_known(p->files), limit = budget_files(p->budget);

	/* An eighth of them, at least, came since the last time. */
	return (known >= limit / 10 * 9 && known - p->files_kept >= limit / 8) ||
	       jit_is_full(p->jit) || bpf_code_is_full(p->bpf) || cgroup_names_is_full(p->cgroups);
}

/* ---- samples ---- */

static uint32_t mapping_space(struct pipeline *p, const struct process_id *id,
			      const struct mapping *m)
{
	switch ((enum mapping_kind)m->kind) {
	case MAPPING_FILE:
		return WINDOW_SPACE_FILES + m->file;
	case MAPPING_VDSO:
		return WINDOW_SPACE_VDSO;
	case MAPPING_ANONYMOUS:
		return jit_space(p->jit, id);
	case MAPPING_UNKNOWN_PROCESS:
		return WINDOW_SPACE_UNKNOWN_PROCESS;
	case MAPPING_UNMAPPED:
		break;
	}
	return WINDOW_SPACE_UNMAPPED;
}

/* One that was let go of with its names, if there is none for this address. */
static void file_open_again(struct pipeline *p, const struct process_id *id, uint64_t addr,
			    struct mapping *m)
{
	if (file_table_get(p->files, m->file)->state == FILE_DONE &&
	    !window_knows(&p->window, addr - m->start + m->offset, WINDOW_SPACE_FILES + m->file))
		process_table_pin(p->processes, id->pid, m);
}

static struct window_frame user_frame(struct pipeline *p, const struct record_sample *s,
				      uint64_t word, struct mapping *ret_mapping)
{
	struct process_id id = { .start_ns = s->start_ns, .pid = s->tgid, .exec_id = s->exec_id };
	uint64_t addr = word & FRAME_ADDR_MASK;
	struct window_frame f = { 0 };
	struct mapping m;

	process_table_resolve(p->processes, s->time_ns, &id, addr, &m);
	if (m.kind == MAPPING_FILE)
		file_open_again(p, &id, addr, &m);
	if (p->unwinding)
		unwinding_use(p->unwinding, &m);
	f.space = mapping_space(p, &id, &m);
	if (m.kind == MAPPING_FILE || m.kind == MAPPING_VDSO)
		f.address = addr - m.start + m.offset;
	else if (m.kind == MAPPING_ANONYMOUS)
		f.address = addr;
	if (word >> FRAME_KIND_SHIFT == FRAME_POINTER)
		f.flags = WINDOW_FRAME_GUESSED;
	*ret_mapping = m;
	return f;
}

/* What is counted is what the answer shows. */
static void frame_add(struct pipeline *p, struct window_frame frames[MAX_FRAMES], uint32_t *n,
		      const struct window_frame *f)
{
	frames[(*n)++] = *f;
	counter_add(&p->counters, COUNTER_FRAMES, 1);
	counter_add(&p->counters, COUNTER_FRAMES_GUESSED, f->flags == WINDOW_FRAME_GUESSED);
}

/* It was guessed, and there is no code. */
static bool is_nowhere(const struct mapping *m, uint64_t word)
{
	return m->kind == MAPPING_UNMAPPED && word >> FRAME_KIND_SHIFT == FRAME_POINTER;
}

/* The frames behind those of the record, the last of which is at *addr in *m; as now. Why the stack ends. */
static enum record_stack_end rest_frames(struct pipeline *p, const struct record_sample *s,
					 struct window_frame frames[MAX_FRAMES], uint32_t *n,
					 struct mapping *m, uint64_t *addr)
{
	uint32_t most = s->kernel_frames + RECORD_MAX_USER_FRAMES;
	enum record_stack_end end = STACK_END_NONE;

	p->rests.begin(p->rests.ctx, s);
	while (end == STACK_END_NONE) {
		struct window_frame f;
		uint64_t word = 0;

		end = *n < most ? p->rests.next(p->rests.ctx, m, &word) : STACK_END_TOO_DEEP;
		if (end != STACK_END_NONE)
			break;
		f = user_frame(p, s, word, m);
		if (is_nowhere(m, word)) {
			end = STACK_END_BAD_FRAME;
			break;
		}
		frame_add(p, frames, n, &f);
		*addr = word & FRAME_ADDR_MASK;
	}
	p->rests.end(p->rests.ctx, end);
	counter_add(&p->counters,
		    end == STACK_END_BOTTOM ? COUNTER_STACKS_FINISHED : COUNTER_STACKS_UNFINISHED,
		    1);
	return end;
}

/*
 * May the kernel side have followed a frame there by what was mapped before? It learns of a mapping some drains
 * after it was made. `word` is the frame that it found: code made at run time has no rows that could be outdated.
 */
static bool is_outdated(const struct record_sample *s, const struct mapping *m, uint64_t word)
{
	if (!s->stamp || !m->replaced_ns || s->time_ns - m->replaced_ns >= OUTDATED_NS)
		return false;
	return m->kind != MAPPING_ANONYMOUS || word >> FRAME_KIND_SHIFT != FRAME_POINTER;
}

/*
 * The user frames of the record, as far as they can be true; *addr is the address of the last, in *m. Why they end
 * before the record does, or STACK_END_NONE.
 */
static enum record_stack_end record_frames(struct pipeline *p, const struct record_sample *s,
					   struct window_frame frames[MAX_FRAMES], uint32_t *n,
					   struct mapping *m, uint64_t *addr)
{
	const uint64_t *user = (const uint64_t *)s->frames + s->kernel_frames;

	for (uint32_t i = 0; i < s->user_frames; i++) {
		struct window_frame f;

		if (i && is_outdated(s, m, user[i]))
			return STACK_END_NO_MAPPING;
		f = user_frame(p, s, user[i], m);
		if (is_nowhere(m, user[i]))
			return STACK_END_BAD_FRAME;
		frame_add(p, frames, n, &f);
		*addr = user[i] & FRAME_ADDR_MASK;
	}
	if (s->stack_end == STACK_END_BOTTOM && s->user_frames && is_outdated(s, m, 0))
		return STACK_END_NO_MAPPING;
	return STACK_END_NONE;
}

static bool is_whole(enum record_stack_end end)
{
	return end == STACK_END_BOTTOM || end == STACK_END_NONE;
}

/*
 * In the words of the answer: `end` is no whole stack's, `m` is where its last frame is. Two of the reasons are two
 * reasons to people: a mapping that nobody knows isn't one that was learnt of too late, nor is memory that is
 * not there memory that we didn't copy.
 */
static enum truncation truncation_of(const struct record_sample *s, enum record_stack_end end,
				     const struct mapping *m)
{
	static const enum truncation plain[STACK_END_COUNT] = {
		[STACK_END_BAD_READ] = TRUNCATED_BAD_READ,
		[STACK_END_BAD_FRAME] = TRUNCATED_BAD_FRAME,
		[STACK_END_TOO_DEEP] = TRUNCATED_TOO_DEEP,
		[STACK_END_COMPAT] = TRUNCATED_COMPAT,
		[STACK_END_NO_MAPPING] = TRUNCATED_NO_MAPPING,
		[STACK_END_NOT_COMPILED] = TRUNCATED_NOT_COMPILED,
		[STACK_END_NO_ROW] = TRUNCATED_NO_ROW,
		[STACK_END_UNSUPPORTED] = TRUNCATED_UNSUPPORTED,
		[STACK_END_LOST] = TRUNCATED_LOST,
	};

	_Static_assert(STACK_END_COUNT == 11, "a new reason needs its line above");
	if (end == STACK_END_NO_MAPPING && s->user_frames && m->kind <= MAPPING_ANONYMOUS)
		return TRUNCATED_TOO_NEW;
	if (end == STACK_END_BAD_READ && s->flags & (RECORD_FLAG_REST | RECORD_FLAG_REST_GONE))
		return TRUNCATED_NOT_COPIED;
	return plain[end];
}

static uint32_t sample_frames(struct pipeline *p, const struct record_sample *s,
			      struct window_frame frames[MAX_FRAMES])
{
	enum record_stack_end end;
	struct mapping m;
	uint64_t addr = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->kernel_frames; i++)
		frames[n++] = (struct window_frame){
			.space = bpf_code_space(p->bpf, s->time_ns, s->frames[i]),
			.address = s->frames[i],
		};
	end = record_frames(p, s, frames, &n, &m, &addr);
	if (end == STACK_END_NONE) {
		end = (enum record_stack_end)s->stack_end;
		if (s->flags & (RECORD_FLAG_REST | RECORD_FLAG_REST_GONE) && p->rests.ctx)
			end = rest_frames(p, s, frames, &n, &m, &addr);
	}
	if (p->unwinding)
		unwinding_sample(p->unwinding, s, end, s->user_frames ? &m : NULL, addr);
	if (!is_whole(end)) {
		enum truncation why = truncation_of(s, end, &m);

		frames[n++] =
			(struct window_frame){ .space = WINDOW_SPACE_TRUNCATED, .address = why };
		counter_add(&p->counters, COUNTER_STACKS_TRUNCATED, 1);
		counter_add(&p->counters, counter_of_truncation(why), 1);
	}
	return n;
}

/* Copies a name up to its NUL, so that equal names are equal bytes. */
static void comm_copy(char to[RECORD_COMM_BYTES], const char from[RECORD_COMM_BYTES])
{
	memcpy(to, from, strnlen(from, RECORD_COMM_BYTES - 1));
}

static void sample_count(struct pipeline *p, const struct record_sample *s)
{
	struct window_frame frames[MAX_FRAMES];
	struct window_series series = {
		.start_ns = s->start_ns,
		.cgroup = s->cgroup,
		.pid = s->tgid,
		.tid = s->tid,
	};
	uint32_t n;

	if (s->time_ns < p->count_from_ns || s->time_ns > p->count_until_ns)
		return;
	comm_copy(series.comm, s->comm);
	comm_copy(series.process_comm, s->leader_comm);
	if (!p->first_sample_ns)
		p->first_sample_ns = s->time_ns;
	if (s->time_ns < p->last_sample_ns)
		counter_add(&p->counters, COUNTER_SAMPLES_LATE, 1);
	else
		p->last_sample_ns = s->time_ns;
	counter_add(&p->counters, COUNTER_SAMPLES, 1);
	if (!cgroup_names_path(p->cgroups, s->cgroup) && p->learn_cgroup)
		p->learn_cgroup(p->learn_ctx, s->cgroup, s->tgid);

	n = sample_frames(p, s, frames);
	if (window_add(&p->window, &series, frames, n, s->time_ns, s->value) < 0)
		counter_add(&p->counters, COUNTER_SAMPLES_DROPPED_MEMORY, 1);
}

/* Events that the batch refused are as good as lost. */
static void refusals_follow(struct pipeline *p, uint64_t time_ns)
{
	uint64_t refused = counter_get(&p->counters, COUNTER_EVENTS_MALFORMED) +
			   counter_get(&p->counters, COUNTER_EVENTS_LOST);

	if (refused != p->events_refused) {
		process_table_lost(p->processes);
		bpf_code_lost(p->bpf, time_ns);
	}
	p->events_refused = refused;
}

static void event_apply(struct pipeline *p, const struct event *e)
{
	struct mapping_event m;

	/* Held back no longer than others, it came too late: what was sampled since may be misplaced. */
	if (e->time_ns < p->last_event_ns)
		counter_add(&p->counters, COUNTER_EVENTS_LATE, 1);
	else
		p->last_event_ns = e->time_ns;

	switch (e->kind) {
	case EVENT_FORK:
		if (e->pid == e->parent_pid)
			break;
		process_table_fork(p->processes, e->time_ns, e->pid, e->parent_pid);
		if (p->unwinding)
			unwinding_fork(p->unwinding, e->pid, e->parent_pid);
		break;
	case EVENT_EXEC:
		process_table_exec(p->processes, e->time_ns, e->pid);
		if (p->unwinding)
			unwinding_exec(p->unwinding, e->pid);
		break;
	case EVENT_EXIT:
		process_table_exit(p->processes, e->time_ns, e->pid, e->tid);
		if (p->unwinding)
			unwinding_exit(p->unwinding, e->pid, e->tid);
		break;
	case EVENT_MMAP:
		m = (struct mapping_event){
			.start = e->start,
			.end = e->end,
			.offset = e->offset,
			.ino = e->ino,
			.generation = e->generation,
			.major = e->major,
			.minor = e->minor,
			.path = e->path,
		};
		process_table_mmap(p->processes, e->time_ns, e->pid, &m);
		if (p->unwinding)
			unwinding_mmap(p->unwinding, e->pid);
		break;
	case EVENT_BPF_CODE:
		(e->unregistered ? bpf_code_unregistered : bpf_code_registered)(
			p->bpf, e->time_ns, e->start, e->end, e->name);
		break;
	case EVENT_BPF_LISTED:
		bpf_code_listed(p->bpf, e->time_ns, e->start, e->end, e->name);
		break;
	case EVENT_BPF_LIST_END:
		bpf_code_list_end(p->bpf, e->time_ns);
		break;
	case EVENT_LOST:
		counter_add(&p->counters, COUNTER_EVENTS_LOST, e->lost);
		refusals_follow(p, e->time_ns);
		break;
	case EVENT_OTHER:
		break;
	}
}

void pipeline_run(struct pipeline *p, uint64_t until_ns)
{
	const struct batch_record *b;

	/* What was refused is not younger than what is held back. */
	refusals_follow(p, until_ns < UINT64_MAX - BATCH_HOLD_BACK_NS
				   ? until_ns + BATCH_HOLD_BACK_NS
				   : p->last_event_ns);
	jit_begin(p->jit, until_ns);
	while ((b = batch_next(p->batch, until_ns))) {
		const struct record_sample *s;
		struct event e;

		/* The batch keeps only what its decoders accept: they can't refuse it now. */
		if (b->kind == BATCH_SAMPLE && decode_sample(b->bytes, b->len, &s) == 0)
			sample_count(p, s);
		else if (b->kind == BATCH_EVENT && decode_event(b->bytes, b->len, &e) == 0)
			event_apply(p, &e);
	}
	batch_drop(p->batch);
	jit_end(p->jit);
}
