// SPDX-License-Identifier: Apache-2.0
/*
 * Files are told by the beginnings of their names, up to a version: "python3.12", "libjvm.so". A program that
 * is called like another's interpreter gets advice that is not for it, and no more.
 *
 * CPython says names from 3.12 on. Older ones are passed over: there is nothing to advise.
 */
#include "profiler/model/runtime.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "profiler/base/number.h"

#define MAX_FILES 4

static const struct {
	const char *name, *stand_in, *advice;
	const char *files[MAX_FILES];
	const char *prefix;
} runtimes[RUNTIME_COUNT] = {
	[RUNTIME_NONE] = { "", "[anonymous memory]", NULL, { NULL } },
	[RUNTIME_JAVA] = { "Java",
			   "[Java code]",
			   "start it with java -XX:+PreserveFramePointer, and have it list its "
			   "code: jcmd PID Compiler.perfmap (JDK 17 and later)",
			   { "libjvm.so" } },
	[RUNTIME_NODE] = { "Node.js",
			   "[Node.js code]",
			   "start it with node --perf-basic-prof",
			   { "node", "nodejs", "libnode.so" } },
	[RUNTIME_CHROMIUM] = { "Chromium",
			       "[Chromium code]",
			       "start it with --no-sandbox --js-flags=--perf-basic-prof",
			       { "chromium", "chrome", "chrome-headless-shell",
				 "headless_shell" } },
	[RUNTIME_PYTHON] = { "Python",
			     "[Python code]",
			     "start it with python3 -X perf, or with PYTHONPERFSUPPORT=1",
			     { "python3.", "libpython3." },
			     "py::" },
	[RUNTIME_DOTNET] = { ".NET",
			     "[.NET code]",
			     "start it with DOTNET_PerfMapEnabled=1",
			     { "libcoreclr.so" } },
	[RUNTIME_JULIA] = { "Julia",
			    "[Julia code]",
			    "start it with ENABLE_JITPROFILING=1",
			    { "libjulia-internal.so", "libjulia.so" } },
	[RUNTIME_PHP] = { "PHP",
			  "[PHP code]",
			  "set opcache.jit_debug=16, which writes a perf map",
			  { "php", "opcache.so", "libphp" } },
	[RUNTIME_RUBY] = { "Ruby",
			   "[Ruby code]",
			   "start it with ruby --yjit --yjit-perf=map (Ruby 3.3 and later)",
			   { "ruby", "libruby" } },
	[RUNTIME_LUAJIT] = { "LuaJIT", "[Lua code]", NULL, { "luajit", "libluajit" } },
};

/* A name, and behind it nothing, or what begins as a version or a further suffix does. */
static bool begins(const char *name, const char *file)
{
	size_t len = strlen(file);
	char next;

	if (strncmp(name, file, len) != 0)
		return false;
	next = name[len];
	return !next || next == '.' || next == '-' || (next >= '0' && next <= '9');
}

/* "python3.12", "libpython3.12.so.1.0": does its version know -X perf? */
static bool python_is_able(const char *name)
{
	const char *minor = strstr(name, "3.");
	uint64_t value;

	return minor &&
	       number_parse(minor + 2, strspn(minor + 2, "0123456789"), UINT16_MAX, &value) == 0 &&
	       value >= 12;
}

enum runtime runtime_of_file(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (enum runtime r = RUNTIME_NONE + 1; r < RUNTIME_COUNT; r++)
		for (int i = 0; i < MAX_FILES && runtimes[r].files[i]; i++)
			if (begins(name, runtimes[r].files[i]))
				return r != RUNTIME_PYTHON || python_is_able(name) ? r
										   : RUNTIME_NONE;
	return RUNTIME_NONE;
}

const char *runtime_name(enum runtime r)
{
	return runtimes[r].name;
}

const char *runtime_stand_in(enum runtime r)
{
	return runtimes[r].stand_in;
}

const char *runtime_advice(enum runtime r)
{
	return runtimes[r].advice;
}

const char *runtime_prefix(enum runtime r)
{
	return runtimes[r].prefix;
}

const char *runtime_advice_for(const char *stand_in)
{
	for (enum runtime r = RUNTIME_NONE + 1; r < RUNTIME_COUNT; r++)
		if (!strcmp(runtimes[r].stand_in, stand_in))
			return runtimes[r].advice;
	return NULL;
}
