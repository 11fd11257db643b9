// SPDX-License-Identifier: Apache-2.0
#include "web/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"

static struct web_status status;
static struct tally tally;
static const struct metrics metrics = { &status, &tally, "1.2.3" };

static void fill(void)
{
	for (uint32_t i = 0; i < WEB_FIGURE_COUNT; i++)
		status.figure[i] = WEB_UNKNOWN;
	for (uint32_t i = 0; i < COUNTER_COUNT; i++)
		status.counters.value[i] = 1ULL << (i % 40);
	for (uint32_t i = 0; i < TALLY_COUNT; i++)
		tally.count[i] = i;
}

/* The sum of all values of the lines that begin so. */
static uint64_t sum_of(const char *text, const char *beginning)
{
	uint64_t sum = 0;

	for (const char *at = strstr(text, beginning); at; at = strstr(at + 1, beginning)) {
		const char *end = strchr(at, '\n');
		const char *value = memrchr(at, ' ', (size_t)(end - at));

		if (at == text || at[-1] == '\n')
			sum += strtoull(value + 1, NULL, 10);
	}
	return sum;
}

/* Each sample that is lost is lost by one reason. */
static void test_lost(void **state)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(1 << 20);

	fill();
	metrics_write(&metrics, &out);
	assert_int_equal(sum_of(buffer_cstr(&out), "slowburn_lost_samples_total{"),
			 counters_lost(&status.counters));
}

/* All counters are there: what is in no metric by reason has one of its own. */
static void test_all_counters(void **state)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(1 << 20);
	uint64_t sum = 0, shown = 0;
	const char *text;

	fill();
	memset(&tally, 0, sizeof(tally));
	for (uint32_t i = 0; i < COUNTER_COUNT; i++)
		sum += status.counters.value[i];
	metrics_write(&metrics, &out);
	text = buffer_cstr(&out);
	for (const char *at = text; at && *at; at = strchr(at, '\n'), at += at != NULL)
		if (*at != '#' && strncmp(at, "slowburn_build_info", 19) != 0)
			shown += strtoull(strchr(strchr(at, '}') &&
								 strchr(at, '}') < strchr(at, '\n')
							 ? strchr(at, '}')
							 : at,
						 ' '),
					  NULL, 10);
	assert_int_equal(shown, sum);
}

/* What isn't known is not shown, and what is known is, in its unit. */
static void test_figures(void **state)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(1 << 20);

	fill();
	metrics_write(&metrics, &out);
	assert_null(strstr(buffer_cstr(&out), "slowburn_process_up"));
	assert_null(strstr(buffer_cstr(&out), "slowburn_cpu_seconds_total"));
	status.figure[WEB_FIGURE_KEEPER_UP] = 0;
	status.figure[WEB_FIGURE_CPU] = 1500000001;
	buffer_clear(&out);
	metrics_write(&metrics, &out);
	assert_non_null(strstr(buffer_cstr(&out),
			       "# HELP slowburn_process_up is the process running?\n"
			       "# TYPE slowburn_process_up gauge\n"
			       "slowburn_process_up{process=\"storekeeper\"} 0\n"));
	assert_non_null(strstr(buffer_cstr(&out), "# TYPE slowburn_cpu_seconds_total counter\n"
						  "slowburn_cpu_seconds_total 1.500000001\n"));
	assert_non_null(strstr(buffer_cstr(&out), "slowburn_build_info{version=\"1.2.3\"} 1\n"));
}

/* One HELP and one TYPE for each metric. */
static void test_heads(void **state)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(1 << 20);
	char name[256];

	fill();
	for (uint32_t i = 0; i < WEB_FIGURE_COUNT; i++)
		status.figure[i] = i;
	metrics_write(&metrics, &out);
	for (const char *at = strstr(buffer_cstr(&out), "# HELP "); at;
	     at = strstr(at + 1, "# HELP ")) {
		size_t len = strcspn(at + 7, " ");

		snprintf(name, sizeof(name), "# HELP %.*s ", (int)len, at + 7);
		if (strstr(at + 1, name))
			fail_msg("twice: %s", name);
		snprintf(name, sizeof(name), "\n# TYPE %.*s ", (int)len, at + 7);
		assert_non_null(strstr(out.data, name));
	}
}

static void test_none_yet(void **state)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(1 << 20);
	const struct metrics early = { NULL, &tally, "1" };

	metrics_write(&early, &out);
	assert_null(strstr(buffer_cstr(&out), "slowburn_lost_samples_total"));
	assert_non_null(strstr(out.data, "slowburn_http_connections "));
	buffer_clear(&out);
	metrics_write_json(&early, &out);
	assert_non_null(strstr(buffer_cstr(&out), "\"counters\":{}}\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost),     cmocka_unit_test(test_all_counters),
		cmocka_unit_test(test_figures),  cmocka_unit_test(test_heads),
		cmocka_unit_test(test_none_yet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
