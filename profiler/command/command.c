// SPDX-License-Identifier: Apache-2.0
/*
 * The table of subcommands, and the one place that speaks on standard error. Sentences hold names from
 * outside (paths, arguments), so they are escaped on their way to the terminal. An abbreviation of a
 * subcommand is refused with a hint: scripts that rely on one break when the next command arrives.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/command/near.h"

#define MAX_SENTENCE_BYTES 4096

const struct command *const commands[] = {
	&profile_command,   &serve_command, &config_command,
	&replay_command,    &query_command, &diff_command,
	&symbolize_command, &dump_command,  &debug_command,
	&doctor_command,    &store_command, &version_command,
	&help_command,      NULL,
};

static const struct command *nearest(const char *name)
{
	const struct command *found = NULL;
	struct near near = { .word = name };

	for (size_t i = 0; commands[i]; i++)
		if (near_is_nearer(&near, commands[i]->name))
			found = commands[i];
	return found;
}

const struct command *command_find(const char *name, struct err *err)
{
	const struct command *near;

	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	near = nearest(name);
	if (near)
		err_set(err, -EINVAL, "there is no command \"%s\": did you mean \"%s\"?", name,
			near->name);
	else
		err_set(err, -EINVAL, "there is no command \"%s\": see 'slowburn help'", name);
	return NULL;
}

int command_flush(FILE *out)
{
	if (fflush(out) != 0)
		return -errno;
	/* An earlier write failed, and what errno was then is gone. */
	return ferror(out) ? -EIO : 0;
}

static void say(const char *text)
{
	_cleanup_(buffer_release) struct buffer line = BUFFER_INIT(MAX_SENTENCE_BYTES);

	buffer_text(&line, "slowburn: ");
	text_escape(&line, text, strlen(text));
	buffer_text(&line, "\n");
	/* There is nobody left to tell if this fails. One write, so that lines don't mix. */
	if (!buffer_error(&line))
		(void)fd_write_all(STDERR_FILENO, line.data, line.len);
}

int command_fail(int status, const struct err *err)
{
	say(err->text);
	return status;
}

void command_say(const char *fmt, ...)
{
	char text[sizeof(((struct err *)NULL)->text)];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) >= 0)
		say(text);
	va_end(args);
}
