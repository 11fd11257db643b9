/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command line, taken apart by a command's tables (glibc's argp), and the help text made from them.
 *
 * A table ends with { 0 }. A row with text but neither name nor key is a heading; rows of one group
 * number stand together.
 */
#ifndef COMMAND_OPTIONS_H
#define COMMAND_OPTIONS_H

#include <stdio.h>

#include "profiler/command/command.h"

#define OPTIONS_HELP 1

/* "--help", which every command has. */
extern const struct argp_option help_options[];

/*
 * Hands every option and operand to c->take(into, …). *ret_command, if the command takes one, is what
 * follows "--" (an end of argv, NULL-terminated; empty if nothing does), or NULL without "--".
 *
 * 0; OPTIONS_HELP when help was asked for and printed; -EINVAL and a sentence.
 */
int options_parse(const struct command *c, int argc, char **argv, void *into, char ***ret_command,
		  struct err *err);

/*
 * What to exit with when options_parse() gave anything but 0, or a check of its results -EINVAL: prints
 * the sentence if there is one.
 */
int options_status(int r, const struct err *err);

/* What `slowburn NAME --help` prints. 0 or negative errno. */
int options_help(const struct command *c, FILE *out);

static inline bool option_is_heading(const struct argp_option *o)
{
	return !o->name && !o->key;
}

/* All rows of all tables of a command: `struct option_walk w = { .command = c };`. */
struct option_walk {
	const struct command *command;
	size_t table, row;
};

/* The next one, or NULL. */
const struct argp_option *option_next(struct option_walk *w);

#endif
