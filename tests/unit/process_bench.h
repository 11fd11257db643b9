/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of processes over a made-up /proc (process_fake.h), and its names for times and texts.
 */
#ifndef TESTS_UNIT_PROCESS_BENCH_H
#define TESTS_UNIT_PROCESS_BENCH_H

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/process/process.h"
#include "tests/unit/process_fake.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MS 1000000ULL
#define S (1000 * MS)
/* Start times are ticks of 10 ms in /proc. */
#define START(ticks) ((ticks)*10 * MS)
#define STAT(pid, ticks) \
	pid " (x) y) z) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 0 " ticks " 22 23\n"
#define MAPS_A "400000-401000 r-xp 00000000 08:01 10 /bin/a\n"
#define MAPS_B "400000-401000 r-xp 00000000 08:01 11 /bin/b\n"

struct bench {
	struct fake fake;
	struct counters counters;
	struct file_table *files;
	struct process_table *t;
};

static inline void begin_with(struct bench *b, uint32_t max_processes, uint32_t max_files)
{
	*b = (struct bench){ 0 };
	fake_init(&b->fake);
	assert_int_equal(file_table_new(&b->files, &b->fake.source, &b->counters, max_files, 64),
			 0);
	assert_int_equal(process_table_new(&b->t, &b->fake.source, b->files, &b->counters,
					   max_processes),
			 0);
}

static inline void begin(struct bench *b)
{
	begin_with(b, 16, 64);
}

static inline void end(struct bench *b)
{
	process_table_free(b->t);
	file_table_free(b->files);
}

static inline void map(struct bench *b, uint64_t time_ns, uint32_t pid, uint64_t start,
		       uint64_t end, uint64_t ino, const char *path)
{
	struct mapping_event e = { .start = start,
				   .end = end,
				   .offset = 0x1000,
				   .ino = ino,
				   .generation = ino ? 77 : 0,
				   .major = 8,
				   .minor = 1,
				   .path = path };

	process_table_mmap(b->t, time_ns, pid, &e);
}

static inline struct mapping ask(struct bench *b, uint64_t time_ns, uint32_t pid, uint64_t start_ns,
				 uint32_t exec_id, uint64_t addr)
{
	struct process_id id = { .start_ns = start_ns, .pid = pid, .exec_id = exec_id };
	struct mapping m;

	process_table_resolve(b->t, time_ns, &id, addr, &m);
	return m;
}

/* What `addr` is in a process that started at START(5), with exec_id 1: a file's name or a kind. */
static inline const char *what_is(struct bench *b, uint64_t time_ns, uint32_t pid, uint64_t addr)
{
	static const char *const kinds[] = { [MAPPING_VDSO] = "vdso",
					     [MAPPING_ANONYMOUS] = "anonymous",
					     [MAPPING_UNKNOWN_PROCESS] = "unknown",
					     [MAPPING_UNMAPPED] = "unmapped" };
	struct mapping m = ask(b, time_ns, pid, START(5), 1, addr);

	return m.kind == MAPPING_FILE ? file_table_get(b->files, m.file)->path : kinds[m.kind];
}

#endif
