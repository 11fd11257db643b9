/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where bytes go: standard output, a file, or something that only looks like one.
 *
 * A file is made under another name beside its target, mode 0600, owned by whom sudo was called by,
 * and takes its name when it is whole: a failure leaves an old file as it was, and no half one.
 * Devices, FIFOs and what lies behind a symbolic link are written in place: replacing /dev/full or a
 * link would be worse than half a file. "-", or a path to what standard output already is, is
 * standard output.
 *
 * One thread.
 */
#ifndef COMMAND_OUTPUT_H
#define COMMAND_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/err.h"

#define OUTPUT_MAX 4 /* unfinished files at once */

struct output {
	int fd; /* borrowed when standard output; -1: not open */
	bool standard; /* standard output */
	bool unique; /* never replaces a file: "-2", "-3" … goes into its name */
	char *path; /* the target; after output_finish() the name it got */
	char *partial; /* the file's name until it is whole; NULL when written in place */
};

#define OUTPUT_INIT      \
	{                \
		.fd = -1 \
	}

/*
 * Do two paths lead to one file, be it there already or not? "-" is none, and neither is a device, which
 * keeps nothing.
 */
bool output_same_file(const char *a, const char *b);

/*
 * Opens what will be written later, so that a target that can't be is known now. `binary`: refused on
 * a terminal. `unique`: path ends in `suffix`, before which a number may be put. 0, or negative errno
 * and a sentence.
 */
int output_open(struct output *o, const char *path, bool binary, struct err *err);
int output_open_unique(struct output *o, const char *path, struct err *err);

/* Writes all of it. 0, or negative errno and a sentence. */
int output_write(struct output *o, const void *bytes, size_t len, struct err *err);

/* Gives the file its name. 0, or negative errno and a sentence: then there is no file. */
int output_finish(struct output *o, struct err *err);

/* Removes what was not finished. */
void output_release(struct output *o);

/* Removes the unfinished files of all outputs; for a signal handler that then ends the process. */
void output_abandon_all(void);

#endif
