// SPDX-License-Identifier: Apache-2.0
/*
 * Processes that fork, exec and end, some of that unseen: what is believed of whom, and for how
 * long.
 */
#include "profiler/process/process.h"

#include "tests/unit/process_bench.h"

static void fork_copies(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	process_table_fork(b.t, 101 * S, 8, 7);
	map(&b, 102 * S, 7, 0x500000, 0x501000, 11, "/lib/parent");
	map(&b, 102 * S, 8, 0x500000, 0x501000, 12, "/lib/child");
	assert_string_equal(what_is(&b, 103 * S, 7, 0x400000), "/bin/a");
	assert_string_equal(what_is(&b, 103 * S, 8, 0x400000), "/bin/a");
	assert_string_equal(what_is(&b, 103 * S, 7, 0x500000), "/lib/parent");
	assert_string_equal(what_is(&b, 103 * S, 8, 0x500000), "/lib/child");
	process_table_exec(b.t, 104 * S, 8);
	map(&b, 104 * S, 8, 0x400000, 0x401000, 13, "/bin/b");
	assert_string_equal(what_is(&b, 105 * S, 8, 0x400000), "/bin/b");
	assert_string_equal(what_is(&b, 105 * S, 8, 0x500000), "unmapped");
	assert_string_equal(what_is(&b, 105 * S, 7, 0x400000), "/bin/a");
	/* nothing of it needed /proc, but for the address in no mapping */
	assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], 1);
	end(&b);
}

static void threads_change_nothing(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	process_table_fork(b.t, 101 * S, 7, 7);
	process_table_exit(b.t, 102 * S, 7, 9);
	process_table_exit(b.t, 102 * S, 99, 99); /* nobody */
	assert_string_equal(what_is(&b, 200 * S, 7, 0x400000), "/bin/a");
	end(&b);
}

static void exec_empties(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	process_table_exec(b.t, 102 * S, 7);
	map(&b, 102 * S, 7, 0x500000, 0x501000, 11, "/bin/b");
	assert_int_equal(ask(&b, 103 * S, 7, START(5), 2, 0x400000).kind, MAPPING_UNMAPPED);
	assert_int_equal(ask(&b, 103 * S, 7, START(5), 2, 0x500000).kind, MAPPING_FILE);
	/* a sample of the image before it comes too late to be resolved, and does no harm */
	assert_int_equal(ask(&b, 103 * S, 7, START(5), 1, 0x500000).kind, MAPPING_UNKNOWN_PROCESS);
	assert_int_equal(ask(&b, 103 * S, 7, START(5), 2, 0x500000).kind, MAPPING_FILE);
	end(&b);
}

/*
 * The kernel counts exec_id up a moment after the event: a sample in between is no reason to
 * forget.
 */
static void exec_settles(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_fork(b.t, 100 * S, 7, 6);
	process_table_exec(b.t, 101 * S, 7);
	map(&b, 101 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	assert_int_equal(ask(&b, 101 * S + 100, 7, START(5), 1, 0x400000).kind, MAPPING_FILE);
	assert_int_equal(ask(&b, 101 * S + MS, 7, START(5), 2, 0x400000).kind, MAPPING_FILE);
	assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], 0);
	assert_int_equal(ask(&b, 102 * S, 7, START(5), 1, 0x400000).kind, MAPPING_UNKNOWN_PROCESS);
	end(&b);
}

static void dlclose_dlopen(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x404000, 10, "/lib/one");
	assert_string_equal(what_is(&b, 101 * S, 7, 0x402000), "/lib/one");
	/* munmap() tells nothing; what comes to lie there does */
	map(&b, 102 * S, 7, 0x401000, 0x403000, 11, "/lib/two");
	assert_string_equal(what_is(&b, 103 * S, 7, 0x400fff), "/lib/one");
	assert_string_equal(what_is(&b, 103 * S, 7, 0x401000), "/lib/two");
	assert_string_equal(what_is(&b, 103 * S, 7, 0x402fff), "/lib/two");
	assert_string_equal(what_is(&b, 103 * S, 7, 0x403000), "/lib/one");
	assert_int_equal(ask(&b, 103 * S, 7, START(5), 1, 0x403000).offset, 0x4000);
	end(&b);
}

static void exit_grace(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	process_table_exit(b.t, 101 * S, 7, 7);
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	assert_string_equal(what_is(&b, 102 * S, 7, 0x400000), "/bin/a");
	/* a sample of one of its threads, or the thread's exit, keeps it for another second */
	assert_string_equal(what_is(&b, 103 * S, 7, 0x400000), "/bin/a");
	process_table_exit(b.t, 104 * S, 7, 9);
	assert_string_equal(what_is(&b, 105 * S, 7, 0x400000), "/bin/a");
	assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], 0);
	assert_string_equal(what_is(&b, 106 * S + 1, 7, 0x400000), "unknown");
	end(&b);
}

static void gone_unless_seen(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	process_table_exit(b.t, 101 * S, 7, 7);
	assert_string_equal(what_is(&b, 102 * S + 1, 7, 0x400000), "unknown");
	assert_int_equal(counter_get(&b.counters, COUNTER_FRAMES_UNKNOWN_PROCESS), 1);
	end(&b);
}

static void pid_reused(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	assert_int_equal(ask(&b, 100 * S + 50 * MS, 7, START(5), 1, 0x400000).kind, MAPPING_FILE);
	process_table_exit(b.t, 101 * S, 7, 7);
	process_table_fork(b.t, 101 * S + MS, 7, 6);
	process_table_exec(b.t, 101 * S + MS, 7);
	map(&b, 101 * S + MS, 7, 0x500000, 0x501000, 11, "/bin/b");
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, "", 0);
	assert_int_equal(ask(&b, 102 * S, 7, START(6), 9, 0x500000).kind, MAPPING_FILE);
	assert_int_equal(ask(&b, 102 * S, 7, START(6), 9, 0x400000).kind, MAPPING_UNMAPPED);
	assert_int_equal(ask(&b, 102 * S, 7, START(5), 1, 0x400000).kind, MAPPING_UNKNOWN_PROCESS);
	assert_int_equal(ask(&b, 200 * S, 7, START(6), 9, 0x500000).kind, MAPPING_FILE);
	end(&b);
}

/* The same without the events: they were lost, and only the sample's identity tells. */
static void pid_reused_unseen(void **state)
{
	struct bench b;
	struct mapping m;

	(void)state;
	begin(&b);
	fake_set(&b.fake, PROCESS_TEXT_PIDS, 0, "7\n", 0);
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_A, 0);
	process_table_scan(b.t, 100 * S);
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_B, 0);
	fake_set(&b.fake, PROCESS_TEXT_STAT, 7, STAT("7", "9000"), 0);
	m = ask(&b, 102 * S, 7, START(9000), 1, 0x400000);
	assert_int_equal(m.kind, MAPPING_FILE);
	assert_string_equal(file_table_get(b.files, m.file)->path, "/bin/b");
	end(&b);
}

/* Its death was seen, its successor's birth was not: the successor isn't dead. */
static void pid_reused_half_seen(void **state)
{
	struct bench b;
	struct mapping m;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	process_table_exit(b.t, 101 * S, 7, 7);
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_B, 0);
	fake_set(&b.fake, PROCESS_TEXT_STAT, 7, STAT("7", "9000"), 0);
	m = ask(&b, 101 * S + MS, 7, START(9000), 1, 0x400000);
	assert_int_equal(m.kind, MAPPING_FILE);
	assert_string_equal(file_table_get(b.files, m.file)->path, "/bin/b");
	assert_int_equal(ask(&b, 110 * S, 7, START(9000), 1, 0x400000).kind, MAPPING_FILE);
	end(&b);
}

/* The pid is another's already when /proc is asked: its mappings are not ours. */
static void maps_of_another(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_B, 0);
	fake_set(&b.fake, PROCESS_TEXT_STAT, 7, STAT("7", "9000"), 0);
	assert_string_equal(what_is(&b, 100 * S, 7, 0x400000), "unknown");
	assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], 1);
	assert_int_equal(b.fake.opens, 0);
	/* and the one who has it now is read for itself */
	assert_int_equal(ask(&b, 102 * S, 7, START(9000), 1, 0x400000).kind, MAPPING_FILE);
	end(&b);
}

/* An exec that was lost: what was known is forgotten, and read. */
static void exec_unseen(void **state)
{
	struct bench b;
	struct mapping m;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_B, 0);
	fake_set(&b.fake, PROCESS_TEXT_STAT, 7, STAT("7", "5"), 0);
	m = ask(&b, 102 * S, 7, START(5), 2, 0x400000);
	assert_int_equal(m.kind, MAPPING_FILE);
	assert_string_equal(file_table_get(b.files, m.file)->path, "/bin/b");
	end(&b);
}

/* Unknown addresses: 100 ms, 200 ms, … 25 s between two looks at /proc, whatever is asked. */
static void backoff(void **state)
{
	static const uint64_t delays_ms[] = { 100,  200,   400,   800,   1600, 3200,
					      6400, 12800, 25000, 25000, 25000 };
	uint64_t now = 100 * S;
	struct bench b;

	(void)state;
	begin(&b);
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_A, 0);
	fake_set(&b.fake, PROCESS_TEXT_STAT, 7, STAT("7", "5"), 0);
	assert_string_equal(what_is(&b, now, 7, 0x900000), "unmapped");
	for (uint32_t i = 0; i < COUNT(delays_ms); i++) {
		assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], i + 1);
		what_is(&b, now + 1, 7, 0x900000);
		what_is(&b, now + delays_ms[i] * MS - 1, 7, 0x900000);
		assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], i + 1);
		now += delays_ms[i] * MS;
		what_is(&b, now, 7, 0x900000);
	}
	/* after a long time without need it starts over */
	now += 51 * S;
	what_is(&b, now, 7, 0x900000);
	what_is(&b, now + 100 * MS, 7, 0x900000);
	assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], COUNT(delays_ms) + 3);
	/* known addresses and nonsense never ask */
	what_is(&b, now + 99 * S, 7, 0x400000);
	what_is(&b, now + 99 * S, 7, 0);
	what_is(&b, now + 99 * S, 7, UINT64_MAX);
	assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], COUNT(delays_ms) + 3);
	end(&b);
}

/* A mapping that no event told of is found by looking. */
static void missed_mapping(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x500000, 0x501000, 11, "/bin/b");
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_A, 0);
	fake_set(&b.fake, PROCESS_TEXT_STAT, 7, STAT("7", "5"), 0);
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	end(&b);
}

static void lost(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_B, 0);
	fake_set(&b.fake, PROCESS_TEXT_STAT, 7, STAT("7", "5"), 0);
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	process_table_lost(b.t);
	assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], 0);
	assert_string_equal(what_is(&b, 102 * S, 7, 0x400000), "/bin/b");
	assert_string_equal(what_is(&b, 102 * S, 7, 0x400000), "/bin/b");
	assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], 1);
	/* again and again: what is known is kept until it may be read */
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_A, 0);
	process_table_lost(b.t);
	assert_string_equal(what_is(&b, 102 * S + 99 * MS, 7, 0x400000), "/bin/b");
	assert_string_equal(what_is(&b, 102 * S + 100 * MS, 7, 0x400000), "/bin/a");
	/* exec makes all known again */
	process_table_lost(b.t);
	process_table_exec(b.t, 110 * S, 7);
	map(&b, 110 * S, 7, 0x400000, 0x401000, 12, "/bin/c");
	assert_int_equal(ask(&b, 111 * S, 7, START(5), 2, 0x400000).kind, MAPPING_FILE);
	assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], 2);
	end(&b);
}

/* What /proc can't say any more doesn't cost what is known. */
static void lost_and_gone(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	process_table_exec(b.t, 100 * S, 7);
	map(&b, 100 * S, 7, 0x400000, 0x401000, 10, "/bin/a");
	process_table_lost(b.t);
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	assert_int_equal(counter_get(&b.counters, COUNTER_PROC_UNREADABLE), 1);
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, "", 0); /* a zombie leader */
	process_table_fork(b.t, 101 * S, 8, 7);
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 8, "", 0);
	assert_string_equal(what_is(&b, 101 * S, 8, 0x400000), "/bin/a");
	end(&b);
}

static void unknown_process(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7, MAPS_A, 0);
	fake_set(&b.fake, PROCESS_TEXT_STAT, 7, STAT("7", "5"), 0);
	assert_string_equal(what_is(&b, 100 * S, 7, 0x400000), "/bin/a");
	assert_string_equal(what_is(&b, 100 * S, 8, 0x400000), "unknown");
	assert_string_equal(what_is(&b, 100 * S, 8, 0x400001), "unknown");
	assert_int_equal(b.fake.reads[PROCESS_TEXT_MAPS], 2);
	assert_int_equal(counter_get(&b.counters, COUNTER_FRAMES_UNKNOWN_PROCESS), 2);
	end(&b);
}

/*
 * A mapping of a process of which nothing else is known is no reason to believe that there is no
 * more.
 */
static void half_known(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	map(&b, 100 * S, 7, 0x500000, 0x501000, 11, "/lib/b");
	fake_set(&b.fake, PROCESS_TEXT_MAPS, 7,
		 MAPS_A "500000-501000 r-xp 00001000 08:01 11 /lib/b\n", 0);
	fake_set(&b.fake, PROCESS_TEXT_STAT, 7, STAT("7", "5"), 0);
	assert_string_equal(what_is(&b, 101 * S, 7, 0x400000), "/bin/a");
	assert_string_equal(what_is(&b, 101 * S, 7, 0x500000), "/lib/b");
	end(&b);
}

/* Exits that were lost must not fill the table for ever. */
static void exits_unseen(void **state)
{
	struct bench b;

	(void)state;
	begin_with(&b, 3, 64);
	for (uint32_t pid = 1; pid <= 3; pid++) {
		process_table_exec(b.t, 100 * S, pid);
		map(&b, 100 * S, pid, 0x400000, 0x401000, 10, "/bin/a");
	}
	fake_set(&b.fake, PROCESS_TEXT_PIDS, 0, "2\n4\n", 0);
	process_table_exec(b.t, 101 * S, 4);
	map(&b, 101 * S, 4, 0x400000, 0x401000, 10, "/bin/a");
	assert_string_equal(what_is(&b, 101 * S, 4, 0x400000), "/bin/a");
	assert_string_equal(what_is(&b, 101 * S, 2, 0x400000), "/bin/a");
	assert_int_equal(counter_get(&b.counters, COUNTER_PROCESSES_REFUSED), 0);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fork_copies),
		cmocka_unit_test(threads_change_nothing),
		cmocka_unit_test(exec_empties),
		cmocka_unit_test(exec_settles),
		cmocka_unit_test(dlclose_dlopen),
		cmocka_unit_test(exit_grace),
		cmocka_unit_test(gone_unless_seen),
		cmocka_unit_test(pid_reused),
		cmocka_unit_test(pid_reused_unseen),
		cmocka_unit_test(pid_reused_half_seen),
		cmocka_unit_test(maps_of_another),
		cmocka_unit_test(exec_unseen),
		cmocka_unit_test(backoff),
		cmocka_unit_test(missed_mapping),
		cmocka_unit_test(lost),
		cmocka_unit_test(lost_and_gone),
		cmocka_unit_test(unknown_process),
		cmocka_unit_test(half_known),
		cmocka_unit_test(exits_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
