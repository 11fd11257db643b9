// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn config: would `slowburn serve` start with this configuration, and as what? Nothing is
 * started or opened.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <stdio.h>

#include "profiler/base/cleanup.h"
#include "profiler/command/memory.h"
#include "profiler/command/service.h"

#define MAX_BYTES (1u << 20)

static int print(const struct service *s, struct err *err)
{
	static const char *const repeated[] = { "listen", "allow-host", "pid", "tid", "comm", NULL };
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(MAX_BYTES);
	int r;

	settings_print(s->settings, repeated, &text);
	r = buffer_error(&text);
	if (r == 0)
		r = fd_write_all(STDOUT_FILENO, text.data, text.len);
	return r < 0 ? err_errno(err, r, "cannot print the configuration") : 0;
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	struct service service;
	struct err err = { "" };
	int r = service_read(&service, &config_command, argc, argv, &err), status;

	(void)start_ns;
	if (r != 0)
		status = options_status(r, &err);
	else
		status = print(&service, &err) < 0 ? command_fail(COMMAND_FAILED, &err)
						   : COMMAND_OK;
	service_release(&service);
	return status;
}

const struct command config_command = {
	.name = "config",
	.summary = "Check the configuration of slowburn serve, and print it",
	.operands = "",
	.about =
		"Takes the options of serve, and reads the file that it would read: /etc/slowburn/slowburn.conf, or that of "
		"--config. Prints every setting with where it comes from, as a file that has the same effect. What is wrong is "
		"one line, with file and line; then the exit status is 2.\n"
		"A file has lines \"key = value\"; keys are the names of serve's long options, and an option that takes no value "
		"is yes or no. What follows a # is a comment, unless it is in quotes. A setting may stand more than once "
		"where an option may; what a command line says replaces all that a file says of it.",
	.options = SERVICE_OPTIONS,
	.take = service_take,
	.run = run,
};
