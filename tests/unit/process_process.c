// SPDX-License-Identifier: Apache-2.0
/*
 * What processes have mapped, by events and by /proc: of a made-up /proc, and of this machine's.
 */
#include "profiler/process/process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/process/stat.h"
#include "tests/unit/process_bench.h"
#include "tests/unit/torture.h"

static void scanned(void **state)
{
	struct bench b;
	struct mapping m;

	(void)state;
	begin(&b);
	fake_set(&b.fake, PROCESS_TEXT_PIDS, 0, "7\n8\n9\nself\n99999999999\n\n10", 0);
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7,
		 "3ff000-400000 r--p 00000000 08:01 10 /bin/a\n"
		 "400000-401000 r-xp 00001000 08:01 10 /bin/a\n"
		 "rubbish\n"
		 "401000-402000 rw-p 00002000 08:01 10 /bin/a\n"
		 "500000-501000 rwxp 00000000 00:00 0 \n"
		 "7fff0000-7fff1000 r-xp 00000000 00:00 0                  [vdso]\n",
		 0);
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 8, "", 0); /* a kernel thread */
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 9, NULL, -EACCES);
	assert_int_equal(process_table_scan(b.t, 100 * S), 0);
	assert_int_equal(b.fake.opens, 0); /* not before a sample needs it */
	assert_int_equal(counter_get(&b.counters, COUNTER_MAPS_MALFORMED), 1);
	assert_int_equal(counter_get(&b.counters, COUNTER_PROC_UNREADABLE), 2); /* 9 and 10 */

	m = ask(&b, 100 * S, 7, START(5), 1, 0x400123);
	assert_int_equal(m.kind, MAPPING_FILE);
	assert_int_equal(m.start, 0x400000);
	assert_int_equal(m.end, 0x401000);
	assert_int_equal(m.offset, 0x1000);
	assert_int_equal(b.fake.opens, 1);
	assert_int_equal(b.fake.last.pid, 7);
	assert_int_equal(b.fake.last.start, 0x400000);
	assert_int_equal(b.fake.last.end, 0x401000);
	assert_int_equal(b.fake.last.ino, 10);
	assert_string_equal(b.fake.last_path, "/bin/a");
	assert_string_equal(what_is(&b, 100 * S, 7, 0x500000), "anonymous");
	assert_string_equal(what_is(&b, 100 * S, 7, 0x7fff0fff), "vdso");
	assert_string_equal(what_is(&b, 100 * S, 7, 0x3ff000), "unmapped"); /* not executable */
	assert_int_equal(b.fake.opens, 1);
	assert_int_equal(counter_get(&b.counters, COUNTER_FRAMES_ANONYMOUS), 1);
	assert_int_equal(counter_get(&b.counters, COUNTER_FRAMES_UNMAPPED), 1);
	end(&b);
}

static void scan_fails(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	fake_set(&b.fake, PROCESS_TEXT_PIDS, 0, NULL, -EACCES);
	assert_int_equal(process_table_scan(b.t, 100 * S), -EACCES);
	end(&b);
}

/* begin-1, begin, end-1, end. */
static void bounds(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	assert_string_equal(what_is(&b, 101 * S, 7, 0x3fffff), "unmapped");
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400fff), "/bin/a");
	assert_string_equal(what_is(&b, 101 * S, 7, 0x401000), "unmapped");
	end(&b);
}

static void kinds(void **state)
{
	static const struct {
		const char *path;
		uint64_t ino;
		const char *want;
	} rows[] = {
		{ "/bin/a", 10, "/bin/a" },
		{ "/bin/a (deleted)", 10, "/bin/a" },
		{ "/memfd:jit (deleted)", 10, "/memfd:jit" },
		{ "/dev/shm/x", 10, "/dev/shm/x" },
		{ "//toolong", 10, "//toolong" },
		{ "//anon", 0, "anonymous" },
		{ "//anon", 10, "anonymous" },
		{ "", 0, "anonymous" },
		{ "", 10, "anonymous" },
		{ "[vdso]", 0, "vdso" },
		{ "[vsyscall]", 0, "anonymous" },
		{ "[heap]", 0, "anonymous" },
		{ "[stack]", 0, "anonymous" },
		{ "[anon:dalvik]", 0, "anonymous" },
		{ "[uprobes]", 0, "anonymous" },
		{ "anon_inode:[perf_event]", 10, "anonymous" },
		{ "/dev/zero", 10, "anonymous" },
		{ "/dev/zero (deleted)", 10, "anonymous" },
		{ "/dev/zeroes", 10, "/dev/zeroes" },
		{ "/anon_hugepage (deleted)", 10, "anonymous" },
		{ "/SYSV00000000 (deleted)", 10, "anonymous" },
		{ "/SYSV0000000", 10, "/SYSV0000000" },
		{ "/SYSV00000000/a", 10, "/SYSV00000000/a" },
		{ "/no/inode", 0, "anonymous" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bench b;
		const char *got;

		begin(&b);
		process_table_exec(b.t, 100 * S, 7);
		map(&b, 100 * S, 7, 0x400000, 0x401000, rows[i].ino, rows[i].path);
		got = what_is(&b, 101 * S, 7, 0x400010);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("\"%s\", inode %" PRIu64 ": got %s, want %s", rows[i].path,
				 rows[i].ino, got, rows[i].want);
		end(&b);
	}
}

/* The vDSO's own pages and anonymous memory have no offset, whatever MMAP2 says. */
static void offsets(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	map(&b, 100 * S, 7, 0x500000, 0x501000, 0, "[vdso]");
	map(&b, 100 * S, 7, 0x600000, 0x601000, 0, "//anon");
	assert_int_equal(ask(&b, 101 * S, 7, START(5), 1, 0x400000).offset, 0x1000);
	assert_int_equal(ask(&b, 101 * S, 7, START(5), 1, 0x500000).offset, 0);
	assert_int_equal(ask(&b, 101 * S, 7, START(5), 1, 0x600000).offset, 0);
	end(&b);
}

/* A new binary is opened when it is mapped, not when it is hit; and once. */
static void pinned_at_once(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_fork(b.t, 100 * S, 7, 6);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a (deleted)");
	assert_int_equal(b.fake.opens, 1);
	assert_int_equal(b.fake.last.pid, 7);
	assert_int_equal(b.fake.last.parent_pid, 6);
	assert_int_equal(b.fake.last.generation, 77);
	assert_string_equal(b.fake.last_path, "/bin/a");
	map(&b, 100 * S, 8, 0x400000, 0x401000, 10, "/bin/a");
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	file_table_unpin(b.files, 0);
	/* its names are known: mapping it opens it no more, a new sample does */
	map(&b, 100 * S, 9, 0x400000, 0x401000, 10, "/bin/a");
	assert_int_equal(b.fake.opens, 1);
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	assert_int_equal(b.fake.opens, 2);
	end(&b);
}

/* maps has no inode generation, MMAP2 has: one file all the same. */
static void one_file_by_both_ways(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	fake_set(&b.fake, PROCESS_TEXT_PIDS, 0, "7\n", 0);
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_A, 0);
	process_table_scan(b.t, 100 * S);
	process_table_exec(b.t, 100 * S, 8);
	map(&b, 100 * S, 8, 0x600000, 0x601000, 10, "/bin/a");
	assert_int_equal(ask(&b, 101 * S, 7, START(5), 1, 0x400000).file,
			 ask(&b, 101 * S, 8, START(5), 1, 0x600000).file);
	assert_int_equal(file_table_count(b.files), 1);
	end(&b);
}

static void process_limit(void **state)
{
	struct bench b;

	(void)state;
	begin_with(&b, 3, 64);
	fake_set(&b.fake, PROCESS_TEXT_PIDS, 0, "1\n2\n3\n", 0);
	for (uint32_t pid = 1; pid <= 3; pid++) {
		process_table_exec(b.t, 100 * S, pid);
		map(&b, 100 * S, pid, 0x400000, 0x401000, 10, "/bin/a");
	}
	/* all live: the new one is refused, once */
	process_table_exec(b.t, 100 * S, 4);
	map(&b, 100 * S, 4, 0x400000, 0x401000, 10, "/bin/a");
	assert_string_equal(what_is(&b, 100 * S, 4, 0x400000), "unknown");
	assert_int_equal(counter_get(&b.counters, COUNTER_PROCESSES_REFUSED), 1);
	assert_int_equal(b.fake.reads[PROCESS_TEXT_PIDS], 1); /* once a second */
	/* two dead: the longest dead makes room, before its second is over */
	process_table_exit(b.t, 100 * S + 2, 2, 2);
	process_table_exit(b.t, 100 * S + 3, 1, 1);
	process_table_exec(b.t, 100 * S + 4, 4);
	map(&b, 100 * S + 4, 4, 0x400000, 0x401000, 10, "/bin/a");
	assert_string_equal(what_is(&b, 100 * S + 5, 4, 0x400000), "/bin/a");
	assert_string_equal(what_is(&b, 100 * S + 5, 1, 0x400000), "/bin/a");
	assert_string_equal(what_is(&b, 100 * S + 5, 3, 0x400000), "/bin/a");
	assert_int_equal(counter_get(&b.counters, COUNTER_PROCESSES_REFUSED), 1);
	end(&b);
}

static void mapping_limit(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	for (uint64_t i = 0; i < PROCESS_MAX_MAPPINGS + 2; i++)
		map(&b, 100 * S, 7, 0x1000000 + i * 0x2000, 0x1001000 + i * 0x2000, 0, "//anon");
	assert_int_equal(counter_get(&b.counters, COUNTER_MAPPINGS_REFUSED), 2);
	/* What was unmapped meanwhile only /proc can tell. */
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_A, 0);
	fake_set(&b.fake, PROCESS_TEXT_STAT, 7, STAT("7", "5"), 0);
	assert_string_equal(what_is(&b, 101 * S, 7, 0x1000000), "unmapped");
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	map(&b, 102 * S, 7, 0x1000000, 0x1001000, 0, "//anon");
	assert_string_equal(what_is(&b, 103 * S, 7, 0x1000000), "anonymous");
	end(&b);
}

/* A file that the table has no room for hides what was there before. */
static void file_limit(void **state)
{
	struct bench b;

	(void)state;
	begin_with(&b, 16, 1);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x402000, 10, "/bin/a");
	map(&b, 101 * S, 7, 0x401000, 0x402000, 11, "/bin/b");
	assert_string_equal(what_is(&b, 102 * S, 7, 0x400000), "/bin/a");
	assert_string_equal(what_is(&b, 102 * S, 7, 0x401000), "unmapped");
	assert_int_equal(counter_get(&b.counters, COUNTER_FILES_REFUSED), 1);
	end(&b);
}

/* Two containers made from one btrfs snapshot: what maps says of their binaries is the same. */
static void two_roots(void **state)
{
	struct bench b;
	uint32_t first, second;

	(void)state;
	begin(&b);
	b.fake.open_kind = PROCESS_FILE_AMBIGUOUS;
	fake_set(&b.fake, PROCESS_TEXT_PIDS, 0, "7\n8\n", 0);
	for (uint32_t pid = 7; pid <= 8; pid++) {
		fake_set(&b.fake, PROCESS_TEXT_MAPS, pid, MAPS_A, 0);
		fake_set(&b.fake, PROCESS_TEXT_ROOT, pid, pid == 7 ? "one" : "two", 0);
	}
	fake_set(&b.fake, PROCESS_TEXT_ROOT, 9, "one", 0);
	assert_int_equal(process_table_scan(b.t, 100 * S), 0);
	assert_int_equal(file_table_count(b.files), 1);
	process_table_fork(b.t, 101 * S, 9, 7);
	process_table_fork(b.t, 101 * S, 10, 8); /* and gone before anyone can ask */
	first = ask(&b, 102 * S, 7, START(5), 1, 0x400000).file;
	second = ask(&b, 102 * S, 8, START(5), 1, 0x400000).file;
	assert_int_not_equal(first, second);
	assert_int_equal(b.fake.last.pid, 8);
	assert_int_equal(b.fake.last.start, 0x400000);
	assert_int_equal(ask(&b, 102 * S, 9, START(5), 1, 0x400000).file, first);
	assert_int_equal(ask(&b, 102 * S, 10, START(5), 1, 0x400000).file, second);
	assert_int_equal(ask(&b, 102 * S, 7, START(5), 1, 0x400000).file, first);
	assert_int_equal(ask(&b, 102 * S, 8, START(5), 1, 0x400000).file, second);
	assert_int_equal(b.fake.opens, 2);

	/* An exec may lead into another root. */
	fake_set(&b.fake, PROCESS_TEXT_ROOT, 7, "two", 0);
	process_table_exec(b.t, 103 * S, 7);
	map(&b, 103 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	assert_int_equal(ask(&b, 104 * S, 7, START(5), 1, 0x400000).file, second);
	assert_int_equal(file_table_count(b.files), 2);
	end(&b);
}

/* No room for the second of two files that looked like one: unmapped, rather than the first one's names. */
static void two_roots_in_a_full_table(void **state)
{
	struct bench b;

	(void)state;
	begin_with(&b, 16, 1);
	b.fake.open_kind = PROCESS_FILE_AMBIGUOUS;
	fake_set(&b.fake, PROCESS_TEXT_PIDS, 0, "7\n8\n", 0);
	for (uint32_t pid = 7; pid <= 8; pid++) {
		fake_set(&b.fake, PROCESS_TEXT_MAPS, pid, MAPS_A, 0);
		fake_set(&b.fake, PROCESS_TEXT_ROOT, pid, pid == 7 ? "one" : "two", 0);
	}
	assert_int_equal(process_table_scan(b.t, 100 * S), 0);
	assert_string_equal(what_is(&b, 102 * S, 7, 0x400000), "/bin/a");
	assert_string_equal(what_is(&b, 102 * S, 8, 0x400000), "unmapped");
	assert_string_equal(what_is(&b, 102 * S, 8, 0x400000), "unmapped");
	assert_int_equal(counter_get(&b.counters, COUNTER_FILES_REFUSED), 1);
	assert_int_equal(counter_get(&b.counters, COUNTER_FRAMES_UNMAPPED), 2);
	end(&b);
}

static void living_mappings_are_marked(void **state)
{
	struct bench b;
	uint32_t a, c;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	process_table_exec(b.t, 100 * S, 8);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	map(&b, 100 * S, 7, 0x500000, 0x501000, 0, "//anon");
	map(&b, 100 * S, 8, 0x400000, 0x401000, 11, "/bin/b");
	a = ask(&b, 100 * S, 7, START(5), 1, 0x400000).file;
	c = ask(&b, 100 * S, 8, START(5), 1, 0x400000).file;
	process_table_mark_files(b.t, 101 * S);
	assert_int_equal(file_table_stale(b.files, 101 * S), UINT32_MAX);
	process_table_exit(b.t, 102 * S, 8, 8); /* it stays in the table for a while: no matter */
	process_table_mark_files(b.t, 106 * S);
	assert_int_equal(file_table_stale(b.files, 106 * S), c);
	assert_int_equal(file_table_stale(b.files, 106 * S), UINT32_MAX);
	process_table_exec(b.t, 107 * S, 7);
	process_table_mark_files(b.t, 111 * S);
	assert_int_equal(file_table_stale(b.files, 111 * S), a);
	assert_int_equal(file_table_stale(b.files, 111 * S), c);
	end(&b);
}

/* A recording may say anything. */
static void absurd(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	map(&b, 0, 7, 5, 5, 10, "/bin/a");
	map(&b, 0, 7, 6, 5, 10, "/bin/a");
	assert_int_equal(file_table_count(b.files), 0);
	map(&b, UINT64_MAX, 7, 0, UINT64_MAX, UINT64_MAX, "/bin/a");
	assert_string_equal(what_is(&b, UINT64_MAX, 7, 0x400000), "/bin/a");
	process_table_exit(b.t, UINT64_MAX, 7, 7);
	process_table_exit(b.t, 0, 7, 7);
	process_table_fork(b.t, 0, 8, 7);
	process_table_fork(b.t, UINT64_MAX, 7, 8);
	process_table_exec(b.t, UINT64_MAX, 9);
	assert_string_equal(what_is(&b, UINT64_MAX, 9, 0x400000), "unknown");
	assert_string_equal(what_is(&b, 0, 9, 0x400000), "unknown");
	end(&b);
	process_table_free(NULL);
}

/* What is known is sorted and whole, whatever could not be had. */
static int history(void *ctx)
{
	const struct mapping *all;
	struct bench *b = ctx;
	uint32_t n;
	int r;

	*b = (struct bench){ 0 };
	fake_init(&b->fake);
	fake_set(&b->fake, PROCESS_TEXT_PIDS, 0, "7\n8\n", 0);
	fake_set(&b->fake, PROCESS_TEXT_MAPS, 7, MAPS_A, 0);
	fake_set(&b->fake, PROCESS_TEXT_STAT, 7, STAT("7", "5"), 0);
	r = file_table_new(&b->files, &b->fake.source, &b->counters, 64, 4);
	if (r >= 0)
		r = process_table_new(&b->t, &b->fake.source, b->files, &b->counters, 16);
	if (r >= 0)
		r = process_table_scan(b->t, 100 * S);
	if (r >= 0) {
		process_table_fork(b->t, 101 * S, 9, 7);
		for (uint64_t i = 0; i < 40; i++)
			map(b, 101 * S, 9, 0x500000 + 0x2000 * i, 0x501000 + 0x2000 * i, 20 + i,
			    "/lib/x");
		for (uint32_t pid = 7; pid < 10; pid++)
			what_is(b, 102 * S, pid, 0x400000);
		n = process_table_mappings(b->t, 9, &all);
		for (uint32_t i = 1; i < n; i++)
			assert_true(all[i - 1].end <= all[i].start);
	}
	process_table_free(b->t);
	file_table_free(b->files);
	return r;
}

static void survives_without_memory(void **state)
{
	struct bench b;

	(void)state;
	assert_in_range(torture(history, &b), 10, 1000);
}

static uint64_t start_of(pid_t pid)
{
	struct buffer text = BUFFER_INIT(4096);
	uint64_t ticks;

	assert_int_equal(process_source_live.read(NULL, PROCESS_TEXT_STAT, (uint32_t)pid, &text),
			 0);
	assert_int_equal(stat_start_parse(text.data, text.len, &ticks), 0);
	buffer_release(&text);
	return START(ticks);
}

/* A child of ours, as /proc has it: found, its binary opened, and still known when it is gone. */
static void real_child(void **state)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct counters counters = { 0 };
	struct file_table *files;
	struct process_table *t;
	struct process_id id = { .exec_id = 1 };
	struct stat ours, opened;
	struct mapping m;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		for (;;)
			pause();
	}
	id.pid = (uint32_t)pid;
	id.start_ns = start_of(pid) + 7; /* between two ticks, as the kernel's own is */
	assert_int_equal(file_table_new(&files, &process_source_live, &counters, 4096, 64), 0);
	assert_int_equal(process_table_new(&t, &process_source_live, files, &counters, 4096), 0);

	/* asked for without a scan: read for itself, its start compared */
	process_table_resolve(t, now, &id, (uintptr_t)real_child, &m);
	assert_int_equal(m.kind, MAPPING_FILE);
	assert_int_equal(file_table_get(files, m.file)->state, FILE_PINNED);
	assert_int_equal(fstat(file_table_get(files, m.file)->fd, &opened), 0);
	assert_int_equal(stat("/proc/self/exe", &ours), 0);
	assert_int_equal(opened.st_ino, ours.st_ino);
	assert_int_equal(counter_get(&counters, COUNTER_PROC_UNREADABLE), 0);

	/* another that had its pid before is not it */
	id.start_ns -= 100 * S;
	process_table_resolve(t, now, &id, (uintptr_t)real_child, &m);
	assert_int_equal(m.kind, MAPPING_UNKNOWN_PROCESS);
	id.start_ns += 100 * S;

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	process_table_exit(t, now + 1, id.pid, id.pid);
	process_table_resolve(t, now + S, &id, (uintptr_t)real_child, &m);
	assert_int_equal(m.kind, MAPPING_FILE);
	process_table_free(t);
	file_table_free(files);
}

static void real_scan(void **state)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct counters counters = { 0 };
	const struct mapping *all;
	struct file_table *files;
	struct process_table *t;
	bool found = false;
	uint32_t n;

	(void)state;
	assert_int_equal(file_table_new(&files, &process_source_live, &counters, 65536, 64), 0);
	assert_int_equal(process_table_new(&t, &process_source_live, files, &counters, 65536), 0);
	assert_int_equal(process_table_scan(t, now), 0);
	n = process_table_mappings(t, (uint32_t)getpid(), &all);
	for (uint32_t i = 0; i < n; i++)
		found |= all[i].start <= (uintptr_t)real_scan && (uintptr_t)real_scan < all[i].end;
	assert_true(found);
	assert_int_equal(file_table_pinned(files), 0);
	assert_int_equal(counter_get(&counters, COUNTER_MAPS_MALFORMED), 0);
	process_table_free(t);
	file_table_free(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scanned),
		cmocka_unit_test(scan_fails),
		cmocka_unit_test(bounds),
		cmocka_unit_test(kinds),
		cmocka_unit_test(offsets),
		cmocka_unit_test(pinned_at_once),
		cmocka_unit_test(one_file_by_both_ways),
		cmocka_unit_test(process_limit),
		cmocka_unit_test(mapping_limit),
		cmocka_unit_test(file_limit),
		cmocka_unit_test(two_roots),
		cmocka_unit_test(two_roots_in_a_full_table),
		cmocka_unit_test(living_mappings_are_marked),
		cmocka_unit_test(absurd),
		cmocka_unit_test(survives_without_memory),
		cmocka_unit_test(real_child),
		cmocka_unit_test(real_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
