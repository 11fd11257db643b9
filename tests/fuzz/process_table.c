// SPDX-License-Identifier: Apache-2.0
/*
 * A history of a machine: each byte is an event, followed by its operands. Few pids, few addresses and few
 * files, so that they meet: pids are reused, mappings overlap, limits are reached. /proc's answers are
 * operands too. After each step all that is known must still be in order.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/process/process.h"

#define MAX_PROCESSES 6
#define MAX_FILES 12
#define MAX_PINS 3
#define PIDS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step { FORK, EXEC, MMAP, EXIT, LOST, RESOLVE, UNPIN, SCAN, LET_GO, BORROW, STEPS };

struct history {
	const uint8_t *at, *end;
	uint64_t now_ns;
	struct process_table *t;
	struct file_table *files;
	struct file_identity opened;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static uint8_t take(struct history *h)
{
	return h->at < h->end ? *h->at++ : 0;
}

static const char *const paths[] = { "/a", "/b (deleted)", "//anon", "[vdso]", "/dev/zero", "" };

static const char *take_path(struct history *h)
{
	return paths[take(h) % (sizeof(paths) / sizeof(paths[0]))];
}

static uint64_t take_addr(struct history *h)
{
	return 0x10000 + take(h) * 0x800ULL;
}

/* Some lines; a start time; pids: what the next bytes say. */
static int source_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	struct history *h = ctx;
	uint8_t answer = take(h);

	if (answer & 0x80)
		return answer & 1 ? -ENOENT : -EACCES;
	switch (what) {
	case PROCESS_TEXT_MAPS:
		for (uint8_t i = 0; i < answer % 8; i++) {
			uint64_t start = take_addr(h);

			buffer_printf(out, "%lx-%lx r-xp 00001000 08:01 %u %s\n", start,
				      start + take(h) * 0x400UL, take(h) % 8U, take_path(h));
		}
		break;
	case PROCESS_TEXT_STAT:
		buffer_printf(out, "%u (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 0 %u 0\n",
			      pid, answer % 4U);
		break;
	case PROCESS_TEXT_PIDS:
		for (uint32_t i = 0; i < PIDS; i++)
			if (i & answer)
				buffer_printf(out, "%u\n", i);
		break;
	case PROCESS_TEXT_ROOT:
		buffer_printf(out, "%u\n", answer % 3U);
		break;
	case PROCESS_TEXT_CGROUP:
	case PROCESS_TEXT_STATUS:
	case PROCESS_TEXT_THREADS:
	case PROCESS_TEXT_COUNT:
		abort();
	}
	return buffer_error(out);
}

static int source_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	static const int answers[] = { 0, 0, -ENOENT, -EMFILE };
	struct history *h = ctx;
	uint8_t answer = take(h);
	int r = answers[answer % 4];

	check(place->path[0] == '/' && place->ino && place->start < place->end);
	/* Mostly the file that was there before. */
	h->opened = (struct file_identity){ .ino = place->ino, .size = answer >> 6 };
	if (r == 0) {
		*ret_fd = -1;
		r = answer >> 4 & (PROCESS_FILE_AMBIGUOUS | PROCESS_FILE_SLOW);
	}
	return r;
}

static int source_fetch(void *ctx, const struct file_place *place, int *ret_fd)
{
	check(place->path[0] == '/' && place->ino && place->start < place->end);
	*ret_fd = -1;
	return take(ctx) & 1 ? -ETIMEDOUT : 0;
}

static int source_identify(void *ctx, int fd, struct file_identity *ret)
{
	const struct history *h = ctx;

	(void)fd;
	*ret = h->opened;
	return 0;
}

static void step_mmap(struct history *h, uint32_t pid)
{
	uint64_t start = take_addr(h);
	struct mapping_event e = {
		.start = start,
		.end = start + take(h) * 0x400ULL,
		.offset = 0x1000,
		.ino = take(h) % 8,
		.generation = take(h) % 3,
		.major = 8,
		.minor = 1,
		.path = take_path(h),
	};

	process_table_mmap(h->t, h->now_ns, pid, &e);
}

static void step_resolve(struct history *h, uint32_t pid)
{
	struct process_id id = { .pid = pid, .start_ns = take(h) % 4 * 10000000ULL };
	uint64_t addr = take_addr(h);
	struct mapping m;

	id.exec_id = take(h) % 3;
	process_table_resolve(h->t, h->now_ns, &id, addr, &m);
	check(m.kind <= MAPPING_UNMAPPED);
	if (m.kind == MAPPING_FILE)
		check(file_table_get(h->files, m.file)->state != FILE_UNSEEN);
	if (m.kind == MAPPING_FILE || m.kind == MAPPING_VDSO || m.kind == MAPPING_ANONYMOUS)
		check(addr >= m.start && addr < m.end);
}

/* All that is stale, each once, to be let go one way or the other. */
static void step_let_go(struct history *h)
{
	uint32_t file, seen = 0;

	process_table_mark_files(h->t, h->now_ns);
	while ((file = file_table_stale(h->files, h->now_ns)) != UINT32_MAX) {
		check(file < file_table_count(h->files) && seen++ < MAX_PINS);
		check(file_table_get(h->files, file)->state == FILE_PINNED);
		if (take(h) & 1)
			file_table_drop(h->files, file);
		else
			file_table_unpin(h->files, file);
	}
}

static void step_borrow(struct history *h, uint32_t file)
{
	const struct file *f;
	int fd, r;

	if (file >= file_table_count(h->files))
		return;
	f = file_table_get(h->files, file);
	if (f->state != FILE_PINNED)
		return;
	r = file_table_borrow(h->files, file, &fd);
	check(r == 0 || f->slow);
	check(f->state == (r == 0 ? FILE_PINNED : FILE_FAILED));
}

static void step(struct history *h)
{
	uint8_t what = take(h) % STEPS, who = take(h);
	uint32_t pid = who % PIDS;

	/* Mostly forward, a few ms or seconds; sometimes back. */
	h->now_ns += (who >> 4) * (who >> 4) * 10000000ULL;
	if (who == 0xff)
		h->now_ns = take(h) * 100000000ULL;
	switch ((enum step)what) {
	case FORK:
		process_table_fork(h->t, h->now_ns, pid, take(h) % PIDS);
		break;
	case EXEC:
		process_table_exec(h->t, h->now_ns, pid);
		break;
	case MMAP:
		step_mmap(h, pid);
		break;
	case EXIT:
		process_table_exit(h->t, h->now_ns, pid, take(h) & 1 ? pid : pid + 1);
		break;
	case LOST:
		process_table_lost(h->t);
		break;
	case RESOLVE:
		step_resolve(h, pid);
		break;
	case UNPIN:
		if (pid < file_table_count(h->files))
			file_table_unpin(h->files, pid);
		break;
	case SCAN:
		process_table_scan(h->t, h->now_ns);
		break;
	case LET_GO:
		step_let_go(h);
		break;
	case BORROW:
		step_borrow(h, pid);
		break;
	case STEPS:
		break;
	}
}

static void check_all(const struct history *h)
{
	uint32_t known = 0, pinned = 0;

	for (uint32_t pid = 0; pid < PIDS; pid++) {
		const struct mapping *all;
		uint32_t n = process_table_mappings(h->t, pid, &all);

		known += n > 0;
		check(n <= PROCESS_MAX_MAPPINGS);
		for (uint32_t i = 0; i < n; i++) {
			check(all[i].start < all[i].end);
			check(i == 0 || all[i - 1].end <= all[i].start);
			check(all[i].kind != MAPPING_FILE ||
			      all[i].file < file_table_count(h->files));
			/* What was cut has kept its offset: it was 0x1000 at a multiple of 0x800. */
			check(all[i].kind != MAPPING_FILE || all[i].offset >= 0x1000);
			check((all[i].offset - all[i].start) % 0x400 == 0);
		}
	}
	check(known <= MAX_PROCESSES);
	check(file_table_count(h->files) <= MAX_FILES);
	for (uint32_t i = 0; i < file_table_count(h->files); i++) {
		const struct file *f = file_table_get(h->files, i);

		pinned += f->state == FILE_PINNED && !f->slow;
	}
	check(pinned <= MAX_PINS && pinned == file_table_pinned(h->files));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct history h = { .at = data, .end = data + size };
	struct process_source source = {
		.ctx = &h,
		.read = source_read,
		.open = source_open,
		.fetch = source_fetch,
		.identify = source_identify,
	};
	struct counters counters = { 0 };

	check(file_table_new(&h.files, &source, &counters, MAX_FILES, MAX_PINS) == 0);
	check(process_table_new(&h.t, &source, h.files, &counters, MAX_PROCESSES) == 0);
	while (h.at < h.end) {
		step(&h);
		check_all(&h);
	}
	check(counter_get(&counters, COUNTER_FILES_UNOPENED) <= MAX_FILES);
	process_table_free(h.t);
	file_table_free(h.files);
	return 0;
}
