/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of files over a made-up source (process_fake.h).
 */
#ifndef TESTS_UNIT_PROCESS_FILE_BENCH_H
#define TESTS_UNIT_PROCESS_FILE_BENCH_H

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/process/file.h"
#include "tests/unit/process_fake.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct bench {
	struct fake fake;
	struct counters counters;
	struct file_table *t;
};

static inline void begin(struct bench *b, uint32_t max_files, uint32_t max_pins)
{
	*b = (struct bench){ 0 };
	fake_init(&b->fake);
	assert_int_equal(file_table_new(&b->t, &b->fake.source, &b->counters, max_files, max_pins),
			 0);
}

static inline struct file_place place(uint64_t ino, uint64_t generation, const char *path,
				      uint32_t pid)
{
	return (struct file_place){ .pid = pid,
				    .ino = ino,
				    .generation = generation,
				    .major = 8,
				    .minor = 1,
				    .path = path };
}

/* As a process of which nothing is known. */
static inline int intern_as(struct bench *b, uint32_t pid, uint64_t ino, const char *path)
{
	struct file_place p = place(ino, 7, path, pid);
	uint64_t root = ROOT_UNASKED;

	return file_table_intern(b->t, &p, &root);
}

static inline int intern(struct bench *b, uint64_t ino, uint64_t generation, const char *path)
{
	struct file_place p = place(ino, generation, path, 1);
	uint64_t root = ROOT_UNASKED;

	return file_table_intern(b->t, &p, &root);
}

/* Its number, as it turns out. */
static inline int pin(struct bench *b, int file, uint32_t pid)
{
	const struct file *f = file_table_get(b->t, (uint32_t)file);
	struct file_place p = place(f->ino, f->generation, f->path, pid);
	uint64_t root = ROOT_UNASKED;

	return file_table_pin(b->t, (uint32_t)file, &p, &root);
}

static inline void set_root(struct bench *b, uint32_t pid, const char *text)
{
	fake_set(&b->fake, PROCESS_TEXT_ROOT, pid, text, text ? 0 : -ESRCH);
}

static inline uint64_t count(const struct bench *b, enum counter id)
{
	return counter_get(&b->counters, id);
}

static inline void expect_state(const struct bench *b, int file, enum file_state want)
{
	const struct file *f = file_table_get(b->t, (uint32_t)file);

	if (f->state != (uint32_t)want)
		fail_msg("\"%s\": state %u, want %u", f->path, f->state, want);
}

#endif
