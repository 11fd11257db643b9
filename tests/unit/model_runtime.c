// SPDX-License-Identifier: Apache-2.0
#include "profiler/model/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_files(void **state)
{
	static const struct {
		const char *path;
		enum runtime want;
	} rows[] = {
		{ "/usr/bin/node", RUNTIME_NODE },
		{ "node", RUNTIME_NODE },
		{ "/usr/lib/x86_64-linux-gnu/libnode.so.108", RUNTIME_NODE },
		{ "/usr/bin/nodeenv", RUNTIME_NONE },
		{ "/opt/node/bin/npm", RUNTIME_NONE },
		{ "/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so", RUNTIME_JAVA },
		{ "/usr/bin/python3.12", RUNTIME_PYTHON },
		{ "/usr/local/bin/python3.13", RUNTIME_PYTHON },
		{ "/usr/local/lib/libpython3.12.so.1.0", RUNTIME_PYTHON },
		{ "/usr/bin/python3.11", RUNTIME_NONE },
		{ "/usr/bin/python3.9", RUNTIME_NONE },
		{ "/usr/bin/python3", RUNTIME_NONE },
		{ "/usr/lib/dotnet/shared/Microsoft.NETCore.App/8.0.1/libcoreclr.so",
		  RUNTIME_DOTNET },
		{ "/opt/julia/lib/julia/libjulia-internal.so.1.10", RUNTIME_JULIA },
		{ "/usr/lib/php/20220829/opcache.so", RUNTIME_PHP },
		{ "/usr/bin/php8.2", RUNTIME_PHP },
		{ "/usr/lib/x86_64-linux-gnu/libruby-3.1.so.3.1", RUNTIME_RUBY },
		{ "/usr/lib/chromium/chromium", RUNTIME_CHROMIUM },
		{ "/usr/lib/x86_64-linux-gnu/libluajit-5.1.so.2.1.0", RUNTIME_LUAJIT },
		{ "/bin/bash", RUNTIME_NONE },
		{ "", RUNTIME_NONE },
		{ "/", RUNTIME_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum runtime r = runtime_of_file(rows[i].path);

		if (r != rows[i].want)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].path, runtime_name(r),
				 runtime_name(rows[i].want));
	}
}

/* Stand-ins are what advice is found by: they differ. */
static void test_advice(void **state)
{
	(void)state;
	assert_string_equal(runtime_stand_in(RUNTIME_NONE), "[anonymous memory]");
	assert_null(runtime_advice_for("[anonymous memory]"));
	assert_null(runtime_advice_for("main"));
	for (enum runtime r = RUNTIME_NONE + 1; r < RUNTIME_COUNT; r++) {
		assert_true(runtime_name(r)[0] != '\0');
		assert_int_equal(runtime_stand_in(r)[0], '[');
		assert_ptr_equal(runtime_advice_for(runtime_stand_in(r)), runtime_advice(r));
	}
	assert_string_equal(runtime_prefix(RUNTIME_PYTHON), "py::");
	assert_null(runtime_prefix(RUNTIME_NONE));
	assert_non_null(strstr(runtime_advice(RUNTIME_NODE), "--perf-basic-prof"));
	assert_non_null(strstr(runtime_advice(RUNTIME_JAVA), "Compiler.perfmap"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
