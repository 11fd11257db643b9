/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command's options from three places: the command line, a file, and defaults. What one place
 * says of an option, the places behind it no longer do; the values of one place stand beside each
 * other (--listen, twice).
 *
 *	# /etc/slowburn/slowburn.conf
 *	listen = 127.0.0.1:7799		# the long option's name, and what would be its value
 *	kernel = yes			# an option without a value: yes or no
 *	cgroup = "/a # b"		# quotes keep what would be a comment; in them \" and \\ are " and \
 */
#ifndef COMMAND_SETTINGS_H
#define COMMAND_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/command/command.h"

#define SETTINGS_MAX 256u /* values of one place */
#define SETTINGS_MAX_BYTES (64u << 10) /* of a file */

struct settings;

/*
 * Of this command, but for those options in `not_in_files` (keys; 0 ends), which only a command
 * line may have. `defaults` is a text as that of a file, and borrowed. 0; -ENOMEM; or -EINVAL and a
 * sentence: the defaults are wrong.
 */
int settings_new(struct settings **ret, const struct command *command, const int *not_in_files,
		 const char *defaults, struct err *err);
void settings_free(struct settings *s);

/*
 * From the command line: what command.take() is given. `arg` is borrowed. 0, or -EINVAL and a
 * sentence.
 */
int settings_add(struct settings *s, int key, const char *arg, struct err *err);

/*
 * A file, once. Any bytes: 0, or -EINVAL and a sentence that begins with "PATH:LINE: ", and for an
 * unknown key has the nearest that there is; -ENOENT, -E2BIG and others. settings_parse() copies
 * `text`; `path` is copied, cut.
 */
int settings_read(struct settings *s, const char *path, struct err *err);
int settings_parse(struct settings *s, const char *path, const char *text, size_t len,
		   struct err *err);

/*
 * Hands out what counts. 0, or what `take` gave, and its sentence, with the place before it if it
 * was a file.
 */
int settings_apply(const struct settings *s,
		   int (*take)(void *into, int key, const char *arg, struct err *err), void *into,
		   struct err *err);

/* Is there a value of the option of this name that is no default? */
bool settings_were_said(const struct settings *s, const char *name);

/*
 * What counts, and where it comes from: a file that has the same effect. `repeated` are names of options whose values stand
 * beside each other (NULL ends); of others the last one counts.
 */
void settings_print(const struct settings *s, const char *const *repeated, struct buffer *out);

#endif
