// SPDX-License-Identifier: Apache-2.0
/*
 * Where every one of our processes begins: the subcommands that people call, and the roles that we
 * start ourselves (`slowburn agent`, say, on a socket that is descriptor 3).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/job.h"
#include "profiler/agent/serve.h"
#include "profiler/base/clock.h"
#include "profiler/command/command.h"
#include "profiler/command/interrupt.h"
#include "profiler/command/manual.h"
#include "profiler/dump/job.h"
#include "profiler/dump/protocol.h"
#include "profiler/opener/protocol.h"
#include "profiler/reader/job.h"
#include "profiler/role/child.h"
#include "profiler/role/program.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "profiler/storekeeper/protocol.h"
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

static int run_opener(int socket)
{
	return opener_serve(socket, false);
}

static int run_fetcher(int socket)
{
	return opener_serve(socket, true);
}

/* The bodies of our further processes. */
static const struct {
	const char *role;
	int (*serve)(int socket);
} bodies[] = {
	{ AGENT_ROLE, agent_serve },
	{ OPENER_ROLE, run_opener },
	{ FETCHER_ROLE, run_fetcher },
	{ SYMBOLS_ROLE, symbolizer_serve },
	{ BACKGROUND_SYMBOLS_ROLE, symbolizer_serve },
	{ DUMPER_ROLE, dumper_serve },
	{ TRACER_ROLE, tracer_serve },
	{ UNWINDER_ROLE, unwinder_serve },
	{ READER_ROLE, reader_serve },
	{ STOREKEEPER_ROLE, storekeeper_serve },
};

/* Is it the role of another program? Then we are that one now, or could not become it. */
static bool become_program(const char *word)
{
	const struct role *role = role_find(word);
	struct err err;

	if (!role || !role->program)
		return false;
	interrupt_ignore();
	if (child_enter() < 0)
		command_say("the %s is started by slowburn itself", word);
	else if (program_become(role, &err) < 0)
		command_fail(COMMAND_FAILED, &err);
	return true;
}

/* Is this one of ours, and has it run? */
static bool run_role(const char *word, int *ret_status)
{
	if (become_program(word)) {
		*ret_status = COMMAND_FAILED;
		return true;
	}
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct err err;

		if (strcmp(word, bodies[i].role) != 0)
			continue;
		/* Ctrl-C reaches the whole terminal's job; the supervisor decides when the others end. */
		interrupt_ignore();
		*ret_status = COMMAND_FAILED;
		if (child_enter() < 0)
			command_say("the %s is started by slowburn itself", word);
		else if (sandbox_enter(role_find(word), &err) < 0)
			command_fail(COMMAND_FAILED, &err);
		else
			*ret_status = bodies[i].serve(ROLE_CHILD_SOCKET);
		return true;
	}
	return false;
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
	int status;

	if (open_standard_fds() < 0)
		return COMMAND_FAILED;
	if (argc == 2 && run_role(argv[1], &status))
		return status;

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
