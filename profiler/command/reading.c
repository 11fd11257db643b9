// SPDX-License-Identifier: Apache-2.0
/*
 * Files are opened here, as whoever called; what is in them is the reader's to look at. Its bytes go to where the
 * user wanted them, as they come.
 */
#include "profiler/command/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/command/command.h"
#include "profiler/command/inspection.h"
#include "profiler/command/interrupt.h"
#include "profiler/command/output.h"
#include "profiler/server/store_files.h"
#include "profiler/role/socket.h"
#include "profiler/role/supervisor.h"

#define MESSAGE_PATIENCE_NS (5 * NS_PER_S)

enum {
	OPTION_FIRST = 0xa00, /* + enum query_parameter */
	OPTION_BEHIND = OPTION_FIRST + QUERY_PARAMETER_COUNT,
	OPTION_BY = OPTION_BEHIND,
};

#define VALUE_OF_QUERY "MATCHERS"
#define VALUE_OF_FOCUS "REGEX"
#define VALUE_OF_IGNORE "REGEX"
#define VALUE_OF_HIDE "REGEX"
#define VALUE_OF_SHOW "REGEX"
#define VALUE_OF_SHOW_FROM "REGEX"
#define VALUE_OF_RECURSION NULL

const struct argp_option reading_options[] = {
	{ NULL, 0, NULL, 0, "What of it:", 10 },
#define X(id, name, help) { name, OPTION_FIRST + QUERY_##id, VALUE_OF_##id, 0, help, 10 },
	QUERY_PARAMETERS(X)
#undef X
		{ "by", OPTION_BY, "LABELS", 0,
		  "make groups by these labels, a list with commas, for text and JSON; the default is comm",
		  10 },
	{ 0 },
};

static int take_parameter(struct reader_job *job, int parameter, const char *arg, struct err *err)
{
	size_t len = arg ? strlen(arg) : 0;

	if (job->given[parameter])
		return err_set(err, -EINVAL, "--%s is given twice",
			       reading_options[1 + parameter].name);
	if (len >= sizeof(job->parameters[parameter]))
		return err_set(err, -EINVAL, "--%s is too long",
			       reading_options[1 + parameter].name);
	job->given[parameter] = true;
	if (arg)
		memcpy(job->parameters[parameter], arg, len + 1);
	return 0;
}

static int take_file(struct reading *x, const char *arg, struct err *err)
{
	uint32_t i = 0;

	if (!*arg)
		return err_set(err, -EINVAL, "an empty word is no file");
	while (i < READER_MAX_FILES && x->files[i])
		i++;
	if (i == READER_MAX_FILES)
		return err_set(err, -EINVAL, "\"%s\" is one file too many", arg);
	x->files[i] = arg;
	return 0;
}

int reading_take(struct reading *x, int key, const char *arg, struct err *err)
{
	if (key == 0)
		return take_file(x, arg, err);
	if (key >= OPTION_FIRST && key < OPTION_BEHIND)
		return take_parameter(&x->job, key - OPTION_FIRST, arg, err);
	if (key == OPTION_BY) {
		x->by = arg;
		return group_keys_parse(&x->job.by, arg, err);
	}
	return answer_take(&x->answer, key, arg, err);
}

/* ---- the conversation ---- */

struct conversation {
	struct supervisor *supervisor;
	int reader;
	struct socket_message message;
	struct answer answer;
	uint32_t part; /* that is under way */
	struct reader_result result;
	struct err failure;
	bool question, ended;
};

/* Of a question: was it answered? -EINVAL: it makes no sense. */
static int replied(struct conversation *c, struct err *err)
{
	struct reader_reply reply;

	if (reader_reply_parse(&reply, &c->message.bytes) < 0)
		return err_errno(err, -EPROTO, "the reader can't be understood");
	if (reply.status != 200)
		return err_set(err, reply.status == 400 ? -EINVAL : -EIO, "%s", reply.sentence);
	if (*reply.sentence) {
		command_say("%s", reply.sentence);
		c->result.broken_off = 1;
	}
	return 0;
}

static int ended(struct conversation *c)
{
	const struct buffer *b = &c->message.bytes;
	size_t len = b->len - sizeof(c->result);

	if (b->len < sizeof(c->result) || len >= sizeof(c->failure.text))
		return -EPROTO;
	memcpy(&c->result, b->data, sizeof(c->result));
	memcpy(c->failure.text, b->data + sizeof(c->result), len);
	c->failure.text[len] = '\0';
	c->ended = true;
	return 0;
}

/* -EPIPE, and nothing in *err: what failed was said. */
static int hear(struct conversation *c, struct err *err)
{
	const struct buffer *b = &c->message.bytes;
	int r = socket_receive(c->reader, &c->message,
			       clock_ns(CLOCK_MONOTONIC) + MESSAGE_PATIENCE_NS);

	if (r == -EPIPE)
		return err_set(err, r, "the reader ended before its time: is the file too large?");
	if (r < 0)
		return err_errno(err, r, "the reader can't be understood");
	switch (c->message.type) {
	case READER_ANSWER:
		return answer_put(&c->answer, c->part, b->data, b->len) == COMMAND_OK ? 0 : -EPIPE;
	case READER_ANSWERED:
		return answer_end(&c->answer, c->part++) == COMMAND_OK ? 0 : -EPIPE;
	case READER_SAID:
		command_say("%.*s", (int)(b->len < sizeof(err->text) ? b->len : sizeof(err->text)),
			    b->data);
		return 0;
	case READER_REPLY:
		return replied(c, err);
	case READER_ENDED:
		if (c->question) {
			c->ended = true;
			return answer_end(&c->answer, c->part) == COMMAND_OK ? 0 : -EPIPE;
		}
		r = ended(c);
		return r < 0 ? err_errno(err, r, "the reader can't be understood") : 0;
	default:
		return err_errno(err, -EPROTO, "the reader can't be understood");
	}
}

static int converse(struct conversation *c, struct err *err)
{
	int r = 0;

	while (r == 0 && !c->ended) {
		struct pollfd p = { .fd = c->reader, .events = POLLIN };

		if (interrupt_came())
			return err_set(err, -EINTR, "interrupted");
		if (poll(&p, 1, -1) > 0)
			r = hear(c, err);
	}
	if (r == 0 && c->result.status < 0) {
		*err = c->failure;
		r = c->result.status;
	}
	return r;
}

/* The files as they were opened, or the job alone, behind a store's. */
static int tell(const struct conversation *c, const struct reader_job *job, const int *files,
		struct err *err)
{
	int r = job->store ? store_files_send(files[0], job->from_ns, job->to_ns, c->reader,
					      READER_STORE_FILE, err)
			   : 0;

	if (r < 0)
		return r;
	r = socket_send(c->reader, READER_JOB, job, sizeof(*job), files,
			job->store ? 0 : job->file_count,
			clock_ns(CLOCK_MONOTONIC) + MESSAGE_PATIENCE_NS);
	return r < 0 ? err_errno(err, r, "cannot tell the reader what to do") : 0;
}

/* The files of the question's ranges, and it. */
static int ask(const struct conversation *c, const struct reading *x, int store, struct err *err)
{
	_cleanup_(buffer_release) struct buffer message = BUFFER_INIT(READER_MAX_REQUEST_BYTES);
	const struct reader_part *part = &x->job.parts[0];
	struct store_files_range files[READER_MAX_RANGES];
	struct question_texts texts;
	struct reader_request request;
	struct reader_ranges ranges;
	int r;

	question_request(&x->question, &x->job, x->by, part->format, &part->look, &texts, &request);
	r = reader_request_ranges(&request, &ranges, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < ranges.count; i++)
		files[i] = (struct store_files_range){ ranges.items[i].from_ns,
						       ranges.items[i].to_ns };
	r = store_files_send_ranges(store, files, ranges.count, c->reader, READER_STORE_FILE,
				    MESSAGE_PATIENCE_NS, err);
	if (r < 0)
		return r;
	r = reader_request_write(&request, &message);
	if (r == 0)
		r = socket_send(c->reader, READER_REQUEST, message.data, message.len, NULL, 0,
				clock_ns(CLOCK_MONOTONIC) + MESSAGE_PATIENCE_NS);
	return r < 0 ? err_errno(err, r, "cannot ask the reader") : 0;
}

static int start(struct conversation *c, const struct reading *x, const int *files, struct err *err)
{
	_cleanup_(fd_close) int service = -1;
	int r = supervisor_confine(READER_SUPERVISOR_ROLE, err);

	if (r == 0)
		r = supervisor_new(&c->supervisor, NULL, err);
	if (r == 0)
		r = supervisor_lead(c->supervisor, READER_ROLE, &c->reader, &service, err);
	if (r < 0)
		return r;
	return c->question ? ask(c, x, files[0], err) : tell(c, &x->job, files, err);
}

/* ---- life ---- */

static void describe(struct reading *x, const struct answer *a)
{
	struct job_part parts[ANSWER_MAX_PARTS];

	_Static_assert(READER_MAX_PARTS == ANSWER_MAX_PARTS, "all parts fit");
	answer_describe(a, parts);
	x->job.part_count = a->count;
	x->job.root = x->answer.root;
	for (uint32_t i = 0; i < a->count; i++) {
		memcpy(x->job.parts[i].format, parts[i].format->name,
		       strlen(parts[i].format->name) + 1);
		x->job.parts[i].look = parts[i].look;
	}
}

static int open_store(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_errno(err, -errno, "cannot open the store \"%s\"", path) : fd;
}

static int open_files(struct reading *x, int *files, struct err *err)
{
	for (uint32_t i = 0; i < x->job.file_count; i++) {
		size_t len = strlen(x->files[i]), most = sizeof(x->job.names[i]) - 1;
		const char *end = len > most ? x->files[i] + len - most : x->files[i];

		memcpy(x->job.names[i], end, strlen(end) + 1);
		files[i] = x->job.store ? open_store(x->files[i], err)
					: inspection_open(x->files[i], err);
		if (files[i] < 0)
			return files[i];
	}
	return 0;
}

/* Before anything is opened: a query that makes no sense is the command line's fault. */
static int check(const struct reading *x, struct err *err)
{
	struct query *q = NULL;
	int r = reader_job_query(&x->job, &q, err);

	query_free(q);
	for (uint32_t i = 0; i < x->job.file_count && r == 0; i++)
		if (x->answer.path && output_same_file(x->answer.path, x->files[i]))
			r = err_set(err, -EINVAL, "--output \"%s\" is the file that is read",
				    x->answer.path);
	return r;
}

static int run(struct reading *x, struct conversation *c, int *files)
{
	struct err err = { "" };
	int r = interrupt_catch(1, output_abandon_all);

	if (r < 0)
		err_errno(&err, r, "cannot catch signals");
	if (r == 0)
		r = open_files(x, files, &err);
	if (r == 0 && c->question)
		r = answer_open_one(&c->answer, &x->answer,
				    strcmp(x->question.endpoint, "flamegraph") != 0 ? &format_text
										    : &format_json,
				    &err);
	else if (r == 0)
		r = answer_open(&c->answer, &x->answer, false, &err);
	if (r < 0)
		return command_fail(COMMAND_FAILED, &err);
	describe(x, &c->answer);
	r = start(c, x, files, &err);
	if (r == 0)
		r = converse(c, &err);
	if (r == -EINVAL && c->question)
		return command_fail(COMMAND_USAGE, &err);
	if (r < 0)
		return *err.text ? command_fail(COMMAND_FAILED, &err) : COMMAND_FAILED;
	return answer_close(&c->answer) == COMMAND_OK && !c->result.broken_off ? COMMAND_OK
									       : COMMAND_FAILED;
}

int reading_run(struct reading *x)
{
	struct conversation c = { .reader = -1, .question = x->question.endpoint };
	int files[READER_MAX_FILES] = { -1, -1 }, status;
	struct err err;

	if (check(x, &err) < 0)
		return command_fail(COMMAND_USAGE, &err);
	socket_message_init(&c.message, READER_MAX_MESSAGE_BYTES);
	status = run(x, &c, files);
	answer_release(&c.answer);
	fd_close(&c.reader);
	supervisor_free(c.supervisor);
	socket_message_release(&c.message);
	for (uint32_t i = 0; i < READER_MAX_FILES; i++)
		fd_close(&files[i]);
	return status;
}
