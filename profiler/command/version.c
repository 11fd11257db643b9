// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn version: ours, and those of the libraries that do the delicate work. The names of the files
 * that were really loaded are told rather than numbers from headers: the two differ exactly when
 * somebody has to ask.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/command/options.h"
#include "version.h"

static const char *const told[] = { "libbpf", "libelf" };

static int print_library(struct dl_phdr_info *info, size_t size, void *into)
{
	char path[PATH_MAX];
	const char *name;

	(void)size;
	(void)into;
	/* "libbpf.so.1" is a link to "libbpf.so.1.1.0". */
	if (!info->dlpi_name || !realpath(info->dlpi_name, path))
		return 0;
	name = strrchr(path, '/') + 1;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (!strncmp(name, told[i], strlen(told[i])))
			printf(" %s", name);
	return 0;
}

static int take(void *into, int key, const char *arg, struct err *err)
{
	(void)into;
	return key ? 1 : err_set(err, -EINVAL, "\"%s\" is one word too many", arg);
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	struct err err;
	int r = options_parse(&version_command, argc, argv, NULL, NULL, &err);

	(void)start_ns;
	if (r != 0)
		return options_status(r, &err);
	printf("slowburn %s\nLibraries:", SLOWBURN_VERSION);
	dl_iterate_phdr(print_library, NULL);
	printf("\nLicense: Apache-2.0; its BPF programs GPL-2.0-only or Apache-2.0\n");
	r = command_flush(stdout);
	if (r == 0)
		return COMMAND_OK;
	err_errno(&err, r, "cannot write to standard output");
	return options_status(r, &err);
}

const struct command version_command = {
	.name = "version",
	.summary = "Print the version, the libraries in use and the license",
	.operands = "",
	.about = "",
	.options = { help_options },
	.take = take,
	.run = run,
};
