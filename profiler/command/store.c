// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn store: what a store has, whether it is whole, a range of it as a file, and files into it. Files are opened here, as whoever
 * called; the reader, which has no privileges, reads them.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiler/base/array.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/command/interrupt.h"
#include "profiler/query/moment.h"
#include "profiler/command/options.h"
#include "profiler/command/output.h"
#include "profiler/command/store_import.h"
#include "profiler/server/store_files.h"
#include "profiler/reader/job.h"
#include "profiler/role/child.h"
#include "profiler/role/socket.h"

#define PATIENCE_NS (300 * NS_PER_S)

enum { OPTION_FROM = 0xa00, OPTION_TO, OPTION_TIME };

static const struct {
	const char *name;
	enum reader_account_kind kind;
} actions[] = {
	{ "info", READER_INFO },
	{ "verify", READER_VERIFY },
	{ "export", READER_EXPORT },
};

struct request {
	const char *action, *directory, *from, *to, *output, *time;
	struct reader_account job;
	bool is_import;
	uint64_t time_ns;
	ARRAY(const char *) files; /* of an import */
};

static int take_operand(struct request *q, const char *arg, struct err *err)
{
	const char **file;

	if (!q->action) {
		q->action = arg;
		q->is_import = !strcmp(arg, "import");
		return 0;
	}
	if (!q->directory) {
		q->directory = arg;
		return 0;
	}
	if (!q->is_import)
		return err_set(err, -EINVAL, "one store at a time: \"%s\" or \"%s\"", q->directory,
			       arg);
	file = array_push(&q->files, STORE_IMPORT_MAX_FILES);
	if (!file)
		return err_set(err, -EINVAL, "more than %u files", STORE_IMPORT_MAX_FILES);
	*file = arg;
	return 0;
}

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct request *q = into;

	switch (key) {
	case OPTION_FROM:
		q->from = arg;
		return 0;
	case OPTION_TO:
		q->to = arg;
		return 0;
	case 'o':
		q->output = arg;
		return 0;
	case OPTION_TIME:
		q->time = arg;
		return 0;
	default:
		return take_operand(q, arg, err);
	}
}

static int check_import(struct request *q, uint64_t now_ns, struct err *err)
{
	if (!q->files.count)
		return err_set(err, -EINVAL, "which files? See 'slowburn help store'");
	if (q->from || q->to || q->output)
		return err_set(err, -EINVAL, "--from, --to and -o are for export");
	return q->time ? moment_parse(q->time, now_ns, &q->time_ns, err) : 0;
}

static int check(struct request *q, struct err *err)
{
	uint64_t now_ns = clock_ns(CLOCK_REALTIME);
	struct moment_range range;
	bool found = false;
	int r;

	if (!q->action || !q->directory)
		return err_set(err, -EINVAL, "which %s? See 'slowburn help store'",
			       q->action ? "store" : "action");
	if (q->is_import)
		return check_import(q, clock_ns(CLOCK_REALTIME), err);
	if (q->time)
		return err_set(err, -EINVAL, "--time is for import");
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, q->action) != 0)
			continue;
		q->job.kind = actions[i].kind;
		found = true;
	}
	if (!found)
		return err_set(err, -EINVAL, "\"%s\" is not info, verify, export or import",
			       q->action);
	if (q->job.kind != READER_EXPORT)
		return q->from || q->to || q->output
			       ? err_set(err, -EINVAL, "--from, --to and -o are for export")
			       : 0;
	r = moment_range_parse(q->from, q->to, now_ns, &range, err);
	if (r < 0)
		return r;
	q->job.from_ns = range.from_ns;
	q->job.to_ns = range.to_ns;
	q->job.window_ns = UINT64_MAX;
	return 0;
}

static int hand_over(const struct request *q, int dirfd, int socket, struct err *err)
{
	bool all = q->job.kind != READER_EXPORT;
	int r = store_files_send(dirfd, all ? 0 : q->job.from_ns, all ? UINT64_MAX : q->job.to_ns,
				 socket, READER_STORE_FILE, err);

	if (r < 0)
		return r;
	r = socket_send(socket, READER_ACCOUNT, &q->job, sizeof(q->job), NULL, 0,
			clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS);
	return r < 0 ? err_errno(err, r, "the reader doesn't take its job") : 0;
}

/* Its answer to its end. 0, 1: something is damaged. */
static int hear(int socket, struct socket_message *m, struct output *out, struct err *err)
{
	struct reader_result result;
	const struct buffer *b = &m->bytes;
	size_t len;

	for (;;) {
		int r = socket_receive(socket, m, clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS);

		if (r < 0)
			return err_errno(err, r, "the reader ended before its time");
		if (m->type == READER_ANSWER)
			r = output_write(out, b->data, b->len, err);
		else if (m->type == READER_SAID)
			command_say("%.*s; the rest was exported", (int)b->len, b->data);
		else if (m->type != READER_ANSWERED)
			break;
		if (r < 0)
			return r;
	}
	if (m->type != READER_ENDED || b->len < sizeof(result) ||
	    b->len - sizeof(result) >= sizeof(err->text))
		return err_errno(err, -EPROTO, "the reader can't be understood");
	memcpy(&result, b->data, sizeof(result));
	len = b->len - sizeof(result);
	memcpy(err->text, b->data + sizeof(result), len);
	err->text[len] = '\0';
	if (result.status < 0 && !len)
		err_errno(err, result.status, "the reader failed");
	return result.status < 0 ? result.status : result.broken_off != 0;
}

static int ask(const struct request *q, int dirfd, struct output *out, struct err *err)
{
	struct child child = { .socket = -1 };
	struct socket_message message;
	int r;

	socket_message_init(&message, READER_MAX_MESSAGE_BYTES);
	r = child_start(&child, READER_ROLE, err);
	if (r == 0)
		r = hand_over(q, dirfd, child.socket, err);
	if (r == 0)
		r = hear(child.socket, &message, out, err);
	if (child.pid)
		child_stop(&child, NULL);
	socket_message_release(&message);
	return r;
}

static int run_request(const struct request *q)
{
	_cleanup_(fd_close) int dirfd = -1;
	_cleanup_(output_release) struct output out = OUTPUT_INIT;
	struct err err = { "" };
	int r;

	r = interrupt_catch(0, output_abandon_all);
	if (r < 0)
		err_errno(&err, r, "cannot catch signals");
	dirfd = open(q->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && dirfd < 0)
		r = err_errno(&err, -errno, "cannot open the store \"%s\"", q->directory);
	if (r == 0)
		r = output_open(&out, q->output ? q->output : "-", q->job.kind == READER_EXPORT,
				&err);
	if (r == 0)
		r = ask(q, dirfd, &out, &err);
	if (r >= 0) {
		if (output_finish(&out, &err) < 0)
			r = -EIO;
	}
	if (r < 0)
		return command_fail(COMMAND_FAILED, &err);
	return r ? COMMAND_FAILED : COMMAND_OK;
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	struct request q = { 0 };
	struct err err;
	int r = options_parse(&store_command, argc, argv, &q, NULL, &err);

	(void)start_ns;
	if (r == 0)
		r = check(&q, &err);
	if (r < 0 || r == OPTIONS_HELP)
		r = options_status(r, &err);
	else if (q.is_import)
		r = store_import(q.directory, q.files.items, q.files.count, q.time_ns);
	else
		r = run_request(&q);
	array_release(&q.files);
	return r;
}

static const struct argp_option store_options[] = {
	{ "from", OPTION_FROM, "TIME", 0,
	  "export: windows that start then or later (default: the first)", 1 },
	{ "to", OPTION_TO, "TIME", 0, "export: and before then (default: the last)", 1 },
	{ "output", 'o', "FILE", 0, "export: write to FILE (default: standard output)", 1 },
	{ "time", OPTION_TIME, "TIME", 0,
	  "import: when those files were taken that don't say so, such as collapsed stacks", 1 },
	{ 0 },
};

const struct command store_command = {
	.name = "store",
	.summary = "Tell what a store has, check it, get profiles out of it, or into it",
	.operands = "info|verify|export DIR, or import DIR FILE…",
	.about =
		"info: levels, files, windows, bytes a sample, the time they span, and what was dropped. verify: decodes "
		"everything; the exit status is 1 if something is damaged, and a line says which file and window. export: a "
		"range of time as one pprof file. import: pprof files, collapsed stacks and recordings become windows of the "
		"store, each at its time, and are rolled up as others are; not while slowburn writes that store.\n"
		"TIME is as in 2025-11-23T05:30:00Z (RFC 3339), -1h30m (ago), or now. A store that is being written can be "
		"read meanwhile. Its files are parsed by a process that has no privileges.",
	.options = { store_options, help_options },
	.take = take,
	.run = run,
};
