/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subcommand: one row of a const table. Parsing, `slowburn help NAME` and slowburn(8) are all made
 * from it, so that they cannot drift apart.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "profiler/base/err.h"

enum command_status {
	COMMAND_OK = 0,
	COMMAND_FAILED = 1, /* the machine refused */
	COMMAND_USAGE = 2, /* the command line makes no sense */
};

#define COMMAND_MAX_TABLES 7

struct command {
	const char *name;
	const char *summary; /* one clause, no full stop */
	const char *operands; /* behind the options, as in a synopsis; "" if there are none */
	const char *about; /* paragraphs, a line each; "" or ends without a newline */
	const struct argp_option *options[COMMAND_MAX_TABLES + 1]; /* tables; NULL behind the last */
	/*
	 * Takes the option `key` with `arg` (NULL if it has none), or with key 0 the operand `arg`, into
	 * `into`; `arg` outlives it. 0, or -EINVAL and a sentence.
	 */
	int (*take)(void *into, int key, const char *arg, struct err *err);
	bool takes_command; /* what follows "--" is somebody else's command line */
	/* argv[0] is the subcommand's name; start_ns: CLOCK_MONOTONIC when the program began. */
	int (*run)(int argc, char **argv, uint64_t start_ns);
};

extern const struct command profile_command, replay_command, query_command, diff_command,
	symbolize_command, dump_command, debug_command, doctor_command, version_command,
	help_command, store_command, serve_command, config_command;

/* All of them, in the order of the manual; ends with NULL. */
extern const struct command *const commands[];

/* NULL, and a sentence with the nearest name, if there is no such subcommand. */
const struct command *command_find(const char *name, struct err *err);

/* Has all that was printed been written? 0, or negative errno: -EIO if it is no longer known which. */
int command_flush(FILE *out);

/* Prints the sentence as "slowburn: …" and returns `status`. */
int command_fail(int status, const struct err *err);
/* The same for something that is no failure, and for sentences made here. */
__attribute__((format(printf, 1, 2))) void command_say(const char *fmt, ...);

#endif
