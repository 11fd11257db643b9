// SPDX-License-Identifier: Apache-2.0
#include "profiler/agent/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "tests/unit/torture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TICKS_PER_S 100
#define MS(n) ((n)*1000000ULL)

/* Every field of cpu0 to cpu3 is another power of ten, so that a sum tells what is in it. */
#define FOUR_CPUS                                            \
	"cpu  4444 4444 4444 4444 4444 4444 4444 4444 0 0\n" \
	"cpu0 1 2 3 4 5 6 7 8 0 0\n"                         \
	"cpu1 10 20 30 40 50 60 70 80 0 0\n"                 \
	"cpu2 100 200 300 400 500 600 700 800 0 0\n"         \
	"cpu3 1000 2000 3000 4000 5000 6000 7000 8000 9000 9000\n"

static const struct {
	const char *name, *text;
	uint32_t cpus; /* bits 0 to 11 */
	int r;
	uint64_t busy, idle, steal; /* ticks */
} rows[] = {
	{ "one CPU", FOUR_CPUS, 0x1, 0, 19, 9, 8 },
	{ "two CPUs", FOUR_CPUS, 0x5, 0, 1919, 909, 808 },
	{ "all CPUs", FOUR_CPUS, 0xfff, 0, 21109, 9999, 8888 },
	{ "guest time is in user already", FOUR_CPUS, 0x8, 0, 19000, 9000, 8000 },
	{ "a CPU that is not there", FOUR_CPUS, 0x10, -EINVAL, 0, 0, 0 },
	{ "no CPU", FOUR_CPUS, 0, -EINVAL, 0, 0, 0 },
	{ "nothing", "", 0xfff, -EINVAL, 0, 0, 0 },
	{ "only the sum", "cpu  1 2 3 4 5 6 7 8 9 10\n", 0xfff, -EINVAL, 0, 0, 0 },
	{ "other lines", "intr 1 2 3\ncpu0 1 2 3 4 5 6 7 8\nctxt 5\nbtime 1\n", 0x1, 0, 19, 9, 8 },
	{ "no newline at the end", "cpu0 1 2 3 4 5 6 7 8", 0x1, 0, 19, 9, 8 },
	{ "several spaces", "cpu0  1   2 3 4 5 6 7 8  \n", 0x1, 0, 19, 9, 8 },
	{ "the last CPU", "cpu11 1 2 3 4 5 6 7 8\n", 0x800, 0, 19, 9, 8 },
	{ "a CPU beyond the set", "cpu12 1 2 3 4 5 6 7 8\n", 0xfff, -EINVAL, 0, 0, 0 },
	{ "a CPU beyond any", "cpu99999999999999999999 1 2 3 4 5 6 7 8\n", 0xfff, -EINVAL, 0, 0,
	  0 },
	{ "two days up", "cpu0 1 2 3 20000000 5 6 7 8\n", 0x1, 0, 19, 20000005, 8 },
	{ "four years up", "cpu0 1 2 3 12622780800 5 6 7 8\n", 0x1, 0, 19, 12622780805, 8 },
	{ "a field too few", "cpu0 1 2 3 4 5 6 7\n", 0x1, -EINVAL, 0, 0, 0 },
	{ "fields of the next line", "cpu0 1 2 3 4 5 6 7\n8\n", 0x1, -EINVAL, 0, 0, 0 },
	{ "a negative field", "cpu0 1 2 3 4 -5 6 7 8\n", 0x1, -EINVAL, 0, 0, 0 },
	{ "no numbers", "cpu0 a b c d e f g h\n", 0x1, -EINVAL, 0, 0, 0 },
	{ "a bad line costs itself only", "cpu0 x\ncpu1 1 2 3 4 5 6 7 8\n", 0x3, 0, 19, 9, 8 },
	{ "a name that begins the same", "cpufreq 1 2 3 4 5 6 7 8\n", 0xfff, -EINVAL, 0, 0, 0 },
	{ "spaces before", " cpu0 1 2 3 4 5 6 7 8\n", 0x1, 0, 19, 9, 8 },
	{ "empty lines", "\n\n\ncpu0 1 2 3 4 5 6 7 8\n\n", 0x1, 0, 19, 9, 8 },
};

static void proc_stat(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t cpus[2] = { (uint8_t)rows[i].cpus, (uint8_t)(rows[i].cpus >> 8) };
		struct machine_usage m = { 1, 2, 3, 4 };
		uint64_t busy = rows[i].r < 0 ? 1 : rows[i].busy * MS(10);
		uint64_t idle = rows[i].r < 0 ? 2 : rows[i].idle * MS(10);
		uint64_t steal = rows[i].r < 0 ? 3 : rows[i].steal * MS(10);
		int r = machine_usage_parse(rows[i].text, strlen(rows[i].text), cpus, 12,
					    TICKS_PER_S, &m);

		if (r != rows[i].r || m.busy_ns != busy || m.idle_ns != idle || m.steal_ns != steal)
			fail_msg("%s: got %d, %" PRIu64 " %" PRIu64 " %" PRIu64
				 ", want %d, %" PRIu64 " %" PRIu64 " %" PRIu64,
				 rows[i].name, r, m.busy_ns, m.idle_ns, m.steal_ns, rows[i].r, busy,
				 idle, steal);
	}
}

static struct machine_usage usage_of(const char *text, uint8_t cpus)
{
	struct machine_usage m;

	assert_int_equal(machine_usage_parse(text, strlen(text), &cpus, 8, TICKS_PER_S, &m), 0);
	return m;
}

/* cpu1 was up for a day before it went away: when it comes, that day was not spent in the capture. */
static void only_the_same_cpus_are_compared(void **state)
{
	const char *start = "cpu0 1 2 3 4 5 6 7 8\ncpu2 1 2 3 9 5 6 7 8\n",
		   *end = "cpu0 2 4 6 8 10 12 14 16\ncpu1 8640000 2 3 4 5 6 7 8\n"
			  "cpu2 1 2 3 5 5 6 7 8\n";
	const struct machine_usage none = { 0 };
	struct machine_usage before = usage_of(start, 0x7), after = usage_of(end, 0x5), used;

	assert_true(machine_usage_since(&before, &after, &used));
	assert_int_equal(used.busy_ns, 19 * MS(10));
	assert_int_equal(used.idle_ns, 5 * MS(10));
	assert_int_equal(used.steal_ns, 8 * MS(10));
	after = usage_of(end, 0x4);
	assert_true(after.busy_ns < before.busy_ns && after.idle_ns < before.idle_ns);
	before = usage_of(start, 0x4);
	assert_true(machine_usage_since(&before, &after, &used));
	assert_int_equal(used.busy_ns, 0);
	assert_int_equal(used.idle_ns, 0);

	for (uint8_t cpus = 1; cpus < 8; cpus++) {
		before = usage_of(end, cpus);
		for (uint8_t others = 1; others < 8; others++) {
			after = usage_of(end, others);
			if (machine_usage_since(&before, &after, &used) != (cpus == others))
				fail_msg("CPUs 0x%x and 0x%x: got %d", cpus, others,
					 cpus != others);
		}
		assert_false(machine_usage_since(&none, &before, &used));
	}
	assert_false(machine_usage_since(&none, &none, &used));
}

static void no_cpus_at_all(void **state)
{
	struct machine_usage m;
	uint8_t cpus = 0xff;

	assert_int_equal(machine_usage_parse(FOUR_CPUS, strlen(FOUR_CPUS), &cpus, 0, TICKS_PER_S,
					     &m),
			 -EINVAL);
}

static void spin(uint64_t cpu_ns)
{
	uint64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start < cpu_ns)
		;
}

/* A machine's time passes on all its CPUs: busy, idle and stolen make up the time that went by. */
static void the_live_machine(void **state)
{
	uint64_t online = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN), wall, sum;
	int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	struct machine_usage before, after;
	uint8_t cpus[1024];

	memset(cpus, 0xff, sizeof(cpus));
	assert_int_equal(machine_usage_read(fd, cpus, sizeof(cpus) * 8, &before), 0);
	wall = clock_ns(CLOCK_MONOTONIC);
	spin(MS(300));
	assert_int_equal(machine_usage_read(fd, cpus, sizeof(cpus) * 8, &after), 0);
	wall = (clock_ns(CLOCK_MONOTONIC) - wall) * online;
	assert_in_range(after.busy_ns - before.busy_ns, MS(250), wall + MS(50) * online);
	sum = after.busy_ns - before.busy_ns + after.idle_ns - before.idle_ns + after.steal_ns -
	      before.steal_ns;
	assert_in_range(sum, wall - wall / 5 - MS(50) * online, wall + wall / 5 + MS(50) * online);
	close(fd);
}

static int read_stat(void *ctx)
{
	const int *fd = ctx;
	struct machine_usage m;
	uint8_t cpus[128];

	memset(cpus, 0xff, sizeof(cpus));
	return machine_usage_read(*fd, cpus, sizeof(cpus) * 8, &m);
}

static void survives_without_memory(void **state)
{
	int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);

	assert_true(torture(read_stat, &fd) >= 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proc_stat),
		cmocka_unit_test(only_the_same_cpus_are_compared),
		cmocka_unit_test(no_cpus_at_all),
		cmocka_unit_test(the_live_machine),
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
