// SPDX-License-Identifier: Apache-2.0
/*
 * Whose time was in an interpreter that says nothing of its program: by series, also where the beginning of one that does
 * had no names yet.
 */
#include "profiler/encode/interpreter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/encode_profile.h"

#define EVAL "_PyEval_EvalFrameDefault@/usr/bin/python3.12"

static uint64_t silent(const struct profile *p, enum runtime runtime)
{
	uint64_t value = 77;

	assert_int_equal(interpreter_silent_value(p, runtime, &value), 0);
	return value / TEST_PERIOD_NS;
}

static void test_silence(void **state)
{
	struct profile p;
	uint32_t series;

	(void)state;
	test_profile(&p);
	assert_int_equal(silent(&p, RUNTIME_PYTHON), 0);
	series = test_series(&p, "silent", 1, 1);
	test_stack(&p, series, 10, "main@/usr/bin/python3.12", EVAL, NULL);
	test_stack(&p, series, 5, EVAL, "memcpy@libc.so.6", NULL); /* a frame is enough */
	test_stack(&p, series, 3, "start_thread@libc.so.6", NULL); /* none of it */
	series = test_series(&p, "says", 2, 2);
	test_stack(&p, series, 7, "main@/usr/bin/python3.12", EVAL, NULL); /* before it began to */
	test_stack(&p, series, 20, EVAL, "py::work:/srv/app.py@[anon]", EVAL, NULL);
	series = test_series(&p, "old", 3, 3);
	test_stack(&p, series, 9, "_PyEval_EvalFrameDefault@/usr/bin/python3.11", NULL);
	series = test_series(&p, "cc1", 4, 4);
	test_stack(&p, series, 11, "main@cc1", "py::like@cc1", NULL);
	assert_int_equal(silent(&p, RUNTIME_PYTHON), 15);
	assert_int_equal(silent(&p, RUNTIME_NODE), 0);
	profile_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
