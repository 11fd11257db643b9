/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The language runtimes whose functions are in no file, how they are told by the files that they are made
 * of, and what makes them say their functions' names. One table: the quality section, doctor and the stand-ins for
 * what has no name are made from it.
 */
#ifndef MODEL_RUNTIME_H
#define MODEL_RUNTIME_H

#include <stdbool.h>

enum runtime {
	RUNTIME_NONE,
	RUNTIME_JAVA,
	RUNTIME_NODE,
	RUNTIME_CHROMIUM,
	RUNTIME_PYTHON,
	RUNTIME_DOTNET,
	RUNTIME_JULIA,
	RUNTIME_PHP,
	RUNTIME_RUBY,
	RUNTIME_LUAJIT,
	RUNTIME_COUNT
};

/* Of a process that maps the file `path`; RUNTIME_NONE if that says nothing. */
enum runtime runtime_of_file(const char *path);

/* "Java"; "" for RUNTIME_NONE. */
const char *runtime_name(enum runtime r);

/* What stands for its functions while they have no name: "[Java code]", "[anonymous memory]". */
const char *runtime_stand_in(enum runtime r);

/*
 * What names them, as half a sentence: "start it with node --perf-basic-prof". NULL if nothing is known
 * to.
 */
const char *runtime_advice(enum runtime r);

/* How all names begin that it gives its functions, or NULL: that isn't known. */
const char *runtime_prefix(enum runtime r);

/* That of the runtime with this stand-in; NULL if it is none's, or nothing helps. */
const char *runtime_advice_for(const char *stand_in);

#endif
