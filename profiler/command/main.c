// SPDX-License-Identifier: Apache-2.0
/*
 * Where every one of our processes begins: the subcommands that people call, and the roles that we
 * start ourselves (`slowburn symbolizer`, on a socket that is descriptor 3).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/command/command.h"
#include "profiler/command/interrupt.h"
#include "profiler/command/manual.h"
#include "profiler/role/child.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "symbolizer/protocol.h"

/* Words that people try first. */
static const struct {
	const char *word;
	const struct command *command;
} aliases[] = {
	{ "--version", &version_command },
	{ "-V", &version_command },
	{ "--help", &help_command },
	{ "-h", &help_command },
};

/*
 * A file opened later must not become standard output or error. What stands in for a closed one
 * refuses the wrong direction, so that a write to it fails as it should.
 */
static int open_standard_fds(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			return -errno;
	return 0;
}

static int run_symbolizer(void)
{
	struct err err;

	/* Ctrl-C reaches the whole terminal's job; the agent decides when its symbolizer ends. */
	interrupt_ignore();
	if (child_enter() < 0) {
		command_say("the symbolizer is started by slowburn itself");
		return COMMAND_FAILED;
	}
	if (sandbox_enter(role_find(SYMBOLS_ROLE), &err) < 0)
		return command_fail(COMMAND_FAILED, &err);
	return symbolizer_serve(ROLE_CHILD_SOCKET);
}

static const struct command *find(const char *word, struct err *err)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (!strcmp(aliases[i].word, word))
			return aliases[i].command;
	if (word[0] == '-') {
		err_set(err, -EINVAL, "unknown option \"%s\": see 'slowburn help'", word);
		return NULL;
	}
	return command_find(word, err);
}

int main(int argc, char **argv)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
	const struct command *command;
	struct err err;

	if (open_standard_fds() < 0)
		return COMMAND_FAILED;
	if (argc == 2 && !strcmp(argv[1], SYMBOLS_ROLE))
		return run_symbolizer();

	interrupt_init();
	if (argc < 2) {
		manual_overview(stderr);
		return COMMAND_USAGE;
	}
	command = find(argv[1], &err);
	if (!command)
		return command_fail(COMMAND_USAGE, &err);
	return command->run(argc - 1, argv + 1, start_ns);
}
