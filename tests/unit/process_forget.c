// SPDX-License-Identifier: Apache-2.0
/*
 * Files that are let go of for good: what stays is found as before, what goes is not, and its number is another's.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiler/process/file.h"
#include "tests/unit/process_fake.h"
#include "tests/unit/torture.h"

#define FILES 64u

struct bench {
	struct fake fake;
	struct counters counters;
	struct file_table *t;
	bool goes[2 * FILES];
	uint32_t asked;
};

static int begin(struct bench *b, uint32_t max_files)
{
	*b = (struct bench){ 0 };
	fake_init(&b->fake);
	return file_table_new(&b->t, &b->fake.source, &b->counters, max_files, FILES);
}

static struct file_place place(uint64_t ino, const char *path, uint32_t pid)
{
	return (struct file_place){
		.pid = pid, .ino = ino, .generation = 7, .major = 8, .minor = 1, .path = path
	};
}

static int intern_as(struct bench *b, uint32_t pid, uint64_t ino, const char *path)
{
	struct file_place p = place(ino, path, pid);
	uint64_t root = ROOT_UNASKED;

	return file_table_intern(b->t, &p, &root);
}

/* The file with this inode; two share each path. */
static int intern(struct bench *b, uint64_t ino)
{
	char path[32];

	snprintf(path, sizeof(path), "/file-%" PRIu64, ino / 2);
	return intern_as(b, 1, ino, path);
}

static int pin_as(struct bench *b, uint32_t pid, int file)
{
	const struct file *f = file_table_get(b->t, (uint32_t)file);
	struct file_place p = place(f->ino, f->path, pid);
	uint64_t root = ROOT_UNASKED;

	return file_table_pin(b->t, (uint32_t)file, &p, &root);
}

static bool may(void *ctx, uint32_t file)
{
	struct bench *b = ctx;

	b->asked++;
	return b->goes[file];
}

static void what_stays_is_found(void **state)
{
	struct bench b;

	assert_int_equal(begin(&b, FILES), 0);
	for (uint32_t i = 0; i < FILES; i++) {
		assert_int_equal(intern(&b, 1 + i), i);
		b.goes[i] = i % 3 != 0;
	}
	file_table_forget(b.t, may, &b);
	assert_int_equal(b.asked, FILES);
	assert_int_equal(file_table_known(b.t), (FILES + 2) / 3);
	assert_int_equal(file_table_count(b.t), FILES);
	for (uint32_t i = 0; i < FILES; i += 3) {
		char path[32];

		snprintf(path, sizeof(path), "/file-%u", (1 + i) / 2);
		assert_int_equal(intern(&b, 1 + i), i);
		assert_string_equal(file_table_get(b.t, i)->path, path);
	}
	/* There is room for as many as went, with their numbers, and for no more. */
	for (uint32_t i = 0; i < FILES - (FILES + 2) / 3; i++) {
		int number = intern(&b, 1000 + i);

		assert_true(number >= 0 && number % 3 != 0);
		assert_int_equal(file_table_get(b.t, (uint32_t)number)->ino, 1000 + i);
	}
	assert_int_equal(intern(&b, 5000), -E2BIG);
	assert_int_equal(file_table_known(b.t), FILES);
	file_table_free(b.t);
}

/* One that is held open stays, and is not asked about. */
static void what_is_open_stays(void **state)
{
	struct bench b;
	struct file_place p = place(3, "/file-1", 1);

	assert_int_equal(begin(&b, FILES), 0);
	for (uint32_t i = 0; i < 4; i++)
		b.goes[intern(&b, 1 + i)] = true;
	assert_int_equal(pin_as(&b, 1, 2), 2);
	file_table_forget(b.t, may, &b);
	assert_int_equal(b.asked, 3);
	assert_int_equal(file_table_known(b.t), 1);
	assert_int_equal(file_table_get(b.t, 2)->state, FILE_PINNED);
	assert_int_equal(file_table_pinned(b.t), 1);
	assert_int_equal(intern(&b, p.ino), 2);
	/* What went is another file, and opened as such. */
	assert_int_not_equal(intern(&b, 1), 2);
	assert_int_equal(pin_as(&b, 1, intern(&b, 1)), intern(&b, 1));
	assert_int_equal(file_table_pinned(b.t), 2);
	file_table_free(b.t);
}

/* Files that belong to a root are told apart as before. */
static void roots_stay_apart(void **state)
{
	int file[3];
	struct bench b;

	assert_int_equal(begin(&b, FILES), 0);
	b.fake.open_kind = PROCESS_FILE_AMBIGUOUS;
	for (uint32_t pid = 1; pid <= 3; pid++) {
		char root[16];

		snprintf(root, sizeof(root), "root %u", pid);
		fake_set(&b.fake, PROCESS_TEXT_ROOT, pid, root, 0);
		file[pid - 1] = pin_as(&b, pid, intern_as(&b, pid, 5, "/lib"));
		file_table_drop(b.t, (uint32_t)file[pid - 1]);
	}
	assert_int_not_equal(file[0], file[1]);
	assert_int_not_equal(file[1], file[2]);
	b.goes[file[1]] = true;
	file_table_forget(b.t, may, &b);
	assert_int_equal(file_table_known(b.t), 2);
	assert_int_equal(pin_as(&b, 1, intern_as(&b, 1, 5, "/lib")), file[0]);
	assert_int_equal(pin_as(&b, 3, intern_as(&b, 3, 5, "/lib")), file[2]);
	assert_int_equal(file_table_known(b.t), 2);
	/* Its old number was free for whoever comes next: itself, as another. */
	assert_int_equal(pin_as(&b, 2, intern_as(&b, 2, 5, "/lib")), file[1]);
	assert_int_equal(file_table_known(b.t), 3);
	file_table_free(b.t);
}

/* Again and again: numbers, paths and indexes are those of the files that there are. */
static void nothing_is_used_up(void **state)
{
	struct bench b;

	assert_int_equal(begin(&b, FILES), 0);
	for (uint64_t i = 0; i < 200 * FILES; i++) {
		int number = intern(&b, 1 + i);

		assert_in_range(number, 0, FILES - 1);
		b.goes[number] = i % 16 != 0;
		if (file_table_known(b.t) < FILES)
			continue;
		file_table_forget(b.t, may, &b);
		for (uint32_t k = 0; k < FILES; k++)
			b.goes[k] = true;
		assert_true(file_table_known(b.t) < FILES / 2);
	}
	file_table_free(b.t);
}

/* Those that nobody asked for first; then all, oldest first. */
static void pins_are_relaxed(void **state)
{
	struct bench b;

	assert_int_equal(begin(&b, FILES), 0);
	for (uint32_t i = 0; i < 10; i++)
		pin_as(&b, 1, intern(&b, 1 + i));
	for (uint32_t i = 0; i < 10; i += 2)
		pin_as(&b, 1, (int)i); /* asked for */
	file_table_relax(b.t, 7);
	assert_int_equal(file_table_pinned(b.t), 7);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(file_table_get(b.t, i)->state,
				 i == 1 || i == 3 || i == 5 ? FILE_DONE : FILE_PINNED);
	file_table_relax(b.t, 0);
	assert_int_equal(file_table_pinned(b.t), 0);
	file_table_relax(b.t, 0);
	assert_int_equal(counter_get(&b.counters, COUNTER_FILES_PIN_EVICTED), 0);
	file_table_free(b.t);
}

/* Without memory all stay as they are. */
static int forget_some(void *ctx)
{
	struct bench b;
	int r = begin(&b, FILES);

	for (uint32_t i = 0; i < 20 && r >= 0; i++) {
		b.goes[i] = i % 2;
		r = intern(&b, 1 + i);
	}
	if (r >= 0) {
		file_table_forget(b.t, may, &b);
		r = file_table_known(b.t) == 10 ? 0 : -ENOMEM;
		for (uint32_t i = 0; i < 20; i += 2)
			assert_int_equal(intern(&b, 1 + i), i);
		if (r < 0)
			assert_int_equal(file_table_known(b.t), 20);
	}
	file_table_free(b.t);
	return r < 0 ? r : 0;
}

static void without_memory(void **state)
{
	assert_true(torture(forget_some, NULL) > 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stays_is_found), cmocka_unit_test(what_is_open_stays),
		cmocka_unit_test(roots_stay_apart),    cmocka_unit_test(nothing_is_used_up),
		cmocka_unit_test(pins_are_relaxed),    cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
