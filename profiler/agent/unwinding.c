// SPDX-License-Identifier: Apache-2.0
/*
 * A file is compiled when a sample is in it: at once, if that brought a copy of its stack; else behind the drain, by a
 * queue of wishes. A wish is for what was at an offset of a file, seen mapped by a process, through which it is opened
 * if it isn't open already. A file that failed is asked for again when a sample is in it, with back-off
 * (tables/exe.c).
 *
 * Refused: compiling what is mapped before it is sampled. It is 0.3 s of CPU on a machine with 300 binaries in use, of
 * which ten are ever in a sample. And more frequent drains while processes are new, so that they have tables sooner:
 * it costs more than copies do, and who lives 5 ms has none in time.
 */
#include "profiler/agent/unwinding.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/collect/decode.h"
#include "profiler/tables/image.h"
#include "profiler/tables/walk.h"

/*
 * What compiling may take: a twentieth of the time, which may be saved up; and so much at once, as rings hold 2 s. It is
 * looked at between requests, of which the longest takes 0.1 s; one that hangs, and is the last of its file, 1.5 s.
 */
#define COMPILE_PART 20
#define COMPILE_SAVED_NS NS_PER_S
#define COMPILE_AT_ONCE_NS (400 * NS_PER_MS)

/* Mapped chunks count as our memory, and mapping one takes 30 us. */
#define UNMAP_NS (10 * NS_PER_S)

#define MAX_WISHES 1024u
#define MAX_IMAGES 512u /* of one drain */

/* Keys of exes: 0 is the vDSO, then files. */
#define KEY_VDSO 0u
#define KEY_FILES 1u

struct wish {
	uint32_t exe, pid;
	uint64_t offset;
};

struct wishes {
	struct wish items[MAX_WISHES];
	uint32_t first, count;
};

struct unwinding {
	struct unwinding_config with;
	struct chunks chunks;
	struct rules rules;
	struct exes exes;
	struct images images;
	struct wishes wishes;
	bool wished[UNWIND_MAX_EXES]; /* whole files that are in the queue */
	uint64_t now_ns; /* of this drain */
	uint64_t unmapped_ns; /* when chunks were unmapped last */
	uint64_t allowance_ns; /* for compiling */
	uint64_t spent_ns; /* of it, in this drain */
	struct walk walk; /* over the sample at hand */
	const struct record_sample *walked;
};

int unwinding_new(struct unwinding **ret, const struct unwinding_config *config)
{
	struct unwinding *u = calloc(1, sizeof(*u));
	uint32_t processes = config->max_processes < UNWIND_MAX_PROCESSES ? config->max_processes
									  : UNWIND_MAX_PROCESSES;
	int r;

	if (!u)
		return -ENOMEM;
	u->with = *config;
	u->now_ns = clock_ns(CLOCK_MONOTONIC);
	u->allowance_ns = COMPILE_SAVED_NS;
	chunks_init(&u->chunks, config->tables, config->budget_bytes);
	r = rules_init(&u->rules, config->tables, UNWIND_MAX_RULES);
	if (r == 0)
		r = exes_init(&u->exes, config->tables, &u->chunks, &u->rules, config->counters,
			      UNWIND_MAX_EXES);
	if (r == 0)
		r = images_init(&u->images, config->tables, &u->chunks, &u->exes, config->counters,
				processes);
	if (r < 0) {
		unwinding_free(u);
		return r;
	}
	*ret = u;
	return 0;
}

void unwinding_free(struct unwinding *u)
{
	if (!u)
		return;
	images_release(&u->images);
	exes_release(&u->exes);
	rules_release(&u->rules);
	chunks_release(&u->chunks);
	free(u);
}

/* ---- wishes ---- */

static bool key_of(const struct mapping *m, uint32_t *ret)
{
	if (m->kind == MAPPING_FILE)
		*ret = KEY_FILES + m->file;
	else if (m->kind == MAPPING_VDSO)
		*ret = KEY_VDSO;
	else
		return false;
	return true;
}

static void wish(struct unwinding *u, uint32_t exe, uint32_t pid, uint64_t offset)
{
	struct wishes *w = &u->wishes;
	struct unwind_request request;

	if (w->count == MAX_WISHES || !exes_missing(&u->exes, exe, offset, u->now_ns, &request))
		return;
	if (!u->exes.all[exe].huge) {
		if (u->wished[exe])
			return;
		u->wished[exe] = true;
	}
	w->items[(w->first + w->count++) % MAX_WISHES] = (struct wish){ exe, pid, offset };
}

static bool wish_next(struct unwinding *u, struct wish *ret)
{
	struct wishes *w = &u->wishes;

	if (!w->count)
		return false;
	*ret = w->items[w->first];
	w->first = (w->first + 1) % MAX_WISHES;
	w->count--;
	u->wished[ret->exe] = false;
	return true;
}

/* ---- what happened ---- */

void unwinding_fork(struct unwinding *u, uint32_t pid, uint32_t parent_pid)
{
	images_fork(&u->images, pid, parent_pid, u->now_ns);
}

void unwinding_exec(struct unwinding *u, uint32_t pid)
{
	images_exec(&u->images, pid, u->now_ns);
}

void unwinding_mmap(struct unwinding *u, uint32_t pid)
{
	images_mmap(&u->images, pid);
}

void unwinding_exit(struct unwinding *u, uint32_t pid, uint32_t tid)
{
	if (pid == tid)
		images_exit(&u->images, pid, u->now_ns);
}

void unwinding_use(struct unwinding *u, const struct mapping *m)
{
	uint32_t key, exe = EXE_NONE;

	if (key_of(m, &key))
		exe = exes_find(&u->exes, key);
	if (exe != EXE_NONE)
		exes_use(&u->exes, exe, u->now_ns);
}

void unwinding_sample(struct unwinding *u, const struct record_sample *s, enum record_stack_end end,
		      const struct mapping *m, uint64_t addr)
{
	uint32_t key, exe = EXE_NONE;

	if (!s->user_frames || end == STACK_END_COMPAT)
		return;
	if (s->flags & RECORD_FLAG_NO_TABLES)
		images_sampled(&u->images, s->tgid, s->start_ns, s->exec_id, u->now_ns);
	if (!m)
		return;
	/* We know of a mapping there, and the kernel doesn't. */
	if (s->stack_end == STACK_END_NO_MAPPING && m->kind <= MAPPING_ANONYMOUS)
		images_mmap(&u->images, s->tgid);
	if (end == STACK_END_NOT_COMPILED && key_of(m, &key))
		exe = exes_find(&u->exes, key);
	if (exe != EXE_NONE)
		wish(u, exe, s->tgid, m->offset + (addr - m->start));
}

/* ---- files ---- */

/* The process's mapping of this exe, or NULL: it is gone. */
static const struct mapping *mapping_of(struct unwinding *u, uint32_t pid, uint32_t key)
{
	const struct mapping *all;
	uint32_t count = process_table_mappings(u->with.processes, pid, &all);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t k;

		if (key_of(&all[i], &k) && k == key)
			return &all[i];
	}
	return NULL;
}

/*
 * A descriptor to read the file by; *ret_own says if it is to be closed. The file table's own, if it has one: to have
 * it open another here would be another capture than the recorded one.
 */
static int file_open(struct unwinding *u, const struct wish *w, int *ret_fd, bool *ret_own)
{
	uint32_t key = u->exes.all[w->exe].file;
	const struct mapping *m;
	const struct file *f;
	struct file_place place;
	int kind, fd = -1;

	*ret_own = false;
	if (key == KEY_VDSO) {
		*ret_fd = live_names_vdso(u->with.names, NULL);
		return *ret_fd < 0 ? *ret_fd : 0;
	}
	if (key == EXE_NONE) /* forgotten since it was wished for */
		return -ESRCH;
	f = file_table_get(u->with.files, key - KEY_FILES);
	if (f->state == FILE_PINNED && !f->slow) {
		*ret_fd = f->fd;
		return f->fd < 0 ? -EBADF : 0;
	}
	if (f->slow)
		return -ENOTSUP;
	m = mapping_of(u, w->pid, key);
	if (!m)
		return -ESRCH;
	place = (struct file_place){
		.pid = w->pid,
		.start = m->start,
		.end = m->end,
		.ino = f->ino,
		.generation = f->generation,
		.major = f->major,
		.minor = f->minor,
		.path = f->path,
	};
	kind = u->with.source->open(u->with.source->ctx, &place, &fd);
	if (kind < 0)
		return kind;
	if (kind & (PROCESS_FILE_SLOW | PROCESS_FILE_AMBIGUOUS) || fd < 0) {
		fd_close(&fd);
		return kind & PROCESS_FILE_SLOW ? -ENOTSUP : -EAGAIN;
	}
	*ret_fd = fd;
	*ret_own = true;
	return 0;
}

static bool may_compile(const struct unwinding *u)
{
	return u->spent_ns < u->allowance_ns && u->spent_ns < COMPILE_AT_ONCE_NS;
}

/* The symbolizer gave no answer that can be believed. The file is at fault only if it was asked about it. */
static void compile_failed(struct unwinding *u, uint32_t exe, int r)
{
	bool at_fault = symbols_client_asked(u->with.names->client) && r != -ENOMEM;

	if (at_fault && r == -ETIMEDOUT)
		at_fault = exes_time_out(&u->exes, exe, u->now_ns);
	else
		exes_refuse(&u->exes, exe, at_fault ? EXE_REFUSED : EXE_UNKNOWN, u->now_ns);
	counter_add(u->with.counters, COUNTER_UNWIND_FILES_BAD, at_fault);
}

/* Asks for what is wished and stores it. A huge file is asked about three times: for all, for its segments, for a part. */
static void compile(struct unwinding *u, const struct wish *w, int fd)
{
	struct unwind_request request;
	struct unwind_answer answer;

	for (int i = 0; i < 3; i++) {
		uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
		int r;

		if ((i && !may_compile(u)) ||
		    !exes_missing(&u->exes, w->exe, w->offset, u->now_ns, &request))
			return;
		r = symbols_client_unwind(u->with.names->client, fd, &request, &answer, NULL);
		u->spent_ns += clock_ns(CLOCK_MONOTONIC) - begin_ns;
		if (r < 0) {
			compile_failed(u, w->exe, r);
			return;
		}
		if (answer.reply->status != SYMBOLS_LIMIT &&
		    (answer.reply->status != SYMBOLS_OK || !answer.reply->segment_count))
			counter_add(u->with.counters, COUNTER_UNWIND_FILES_BAD, 1);
		if (exes_store(&u->exes, w->exe, &answer, &request, u->now_ns) != 1)
			return;
	}
}

static void fulfil(struct unwinding *u, const struct wish *w)
{
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	struct unwind_request request;
	bool own = false;
	int fd = -1, r;

	if (!exes_missing(&u->exes, w->exe, w->offset, u->now_ns, &request))
		return;
	r = file_open(u, w, &fd, &own);
	u->spent_ns += clock_ns(CLOCK_MONOTONIC) - begin_ns;
	if (r < 0) {
		if (r == -ENOTSUP)
			counter_add(u->with.counters, COUNTER_UNWIND_FILES_BAD, 1);
		exes_refuse(&u->exes, w->exe, r == -ENOTSUP ? EXE_REFUSED : EXE_UNKNOWN, u->now_ns);
	} else {
		compile(u, w, fd);
		if (own)
			fd_close(&fd);
	}
}

/* The next drain's share. */
static void allowance_add(struct unwinding *u, uint64_t passed_ns)
{
	u->allowance_ns -= u->spent_ns < u->allowance_ns ? u->spent_ns : u->allowance_ns;
	u->allowance_ns += passed_ns / COMPILE_PART;
	if (u->allowance_ns > COMPILE_SAVED_NS)
		u->allowance_ns = COMPILE_SAVED_NS;
	u->spent_ns = 0;
}

static void wishes_fulfil(struct unwinding *u)
{
	struct wish next;

	while (may_compile(u) && wish_next(u, &next))
		fulfil(u, &next);
}

/* ---- the rest of stacks ---- */

/* The rule there, for which the file may have to be compiled first. STACK_END_NONE, or why there is none. */
static enum record_stack_end file_rule(struct unwinding *u, const struct mapping *m, uint64_t addr,
				       uint32_t key, struct unwind_rule *ret)
{
	uint32_t exe = exes_intern(&u->exes, key, u->now_ns);
	const struct wish w = { exe, u->walked->tgid, m->offset + (addr - m->start) };
	int r;

	if (exe == EXE_NONE)
		return STACK_END_NOT_COMPILED;
	r = exes_rule(&u->exes, exe, m->offset, addr - m->start, ret);
	if (r == -EAGAIN && may_compile(u)) {
		fulfil(u, &w);
		r = exes_rule(&u->exes, exe, m->offset, addr - m->start, ret);
	}
	if (r == -EAGAIN)
		return STACK_END_NOT_COMPILED;
	if (r == -ENOTSUP) /* here and below as the kernel side does */
		return STACK_END_UNSUPPORTED;
	if (r == -ENOEXEC)
		*ret = (struct unwind_rule){ .kind = UNWIND_FRAME_POINTER };
	return STACK_END_NONE;
}

static void rest_begin(void *ctx, const struct record_sample *s)
{
	struct unwinding *u = ctx;
	const struct record_rest *rest = decode_rest(s);

	u->walked = s;
	u->walk.rest = NULL;
	if (rest)
		walk_begin(&u->walk, rest);
}

static enum record_stack_end rest_next(void *ctx, const struct mapping *m, uint64_t *ret_word)
{
	struct unwinding *u = ctx;
	struct unwind_rule rule = { .kind = UNWIND_FRAME_POINTER };
	enum record_stack_end end = STACK_END_NONE;
	uint32_t key;

	if (!u->walk.rest)
		return (enum record_stack_end)u->walked->stack_end;
	if (m->kind > MAPPING_ANONYMOUS)
		return STACK_END_NO_MAPPING;
	if (key_of(m, &key))
		end = file_rule(u, m, u->walk.frame.ip, key, &rule);
	return end == STACK_END_NONE ? walk_step(&u->walk, &rule, ret_word) : end;
}

static void rest_end(void *ctx, enum record_stack_end end)
{
	struct unwinding *u = ctx;

	u->walked = NULL;
}

struct rest_source unwinding_rests(struct unwinding *u)
{
	return (struct rest_source){ u, rest_begin, rest_next, rest_end };
}

/* ---- processes ---- */

static uint32_t image_mappings(void *ctx, uint32_t pid, const struct mapping **ret)
{
	struct unwinding *u = ctx;

	return process_table_mappings(u->with.processes, pid, ret);
}

static uint32_t image_exe(void *ctx, uint32_t pid, const struct mapping *m)
{
	struct unwinding *u = ctx;
	uint32_t key, exe = EXE_NONE;

	if (key_of(m, &key))
		exe = exes_intern(&u->exes, key, u->now_ns);
	return exe;
}

bool unwinding_forget(struct unwinding *u, uint32_t file)
{
	return exes_forget(&u->exes, KEY_FILES + file);
}

void unwinding_unmap(struct unwinding *u)
{
	chunks_unmap(&u->chunks);
}

void unwinding_work(struct unwinding *u, uint64_t until_ns)
{
	uint64_t before_ns = u->now_ns;

	u->now_ns = clock_ns(CLOCK_MONOTONIC);
	images_follow(&u->images, until_ns, u->now_ns);
	images_flush(&u->images, image_mappings, image_exe, u, MAX_IMAGES, u->now_ns);
	if (u->wishes.count) {
		wishes_fulfil(u);
		images_flush(&u->images, image_mappings, image_exe, u, MAX_IMAGES, u->now_ns);
	}
	allowance_add(u, u->now_ns - before_ns);
	if (u->now_ns - u->unmapped_ns >= UNMAP_NS) {
		u->unmapped_ns = u->now_ns;
		chunks_unmap(&u->chunks);
	}
}
