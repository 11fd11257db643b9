// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn symbolize: the functions and lines of a file's addresses. The file is opened here, as whoever called; it
 * is read by the symbolizer, in its sandbox.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/number.h"
#include "profiler/command/index_cache.h"
#include "profiler/command/inspection.h"
#include "profiler/command/options.h"

#define MAX_INPUT_BYTES (4u << 20)
#define BLANKS " \t\r\n"

enum {
	OPTION_INLINES = 0x900,
	OPTION_ADDRESSES,
	OPTION_RAW,
	OPTION_JSON,
};

struct request {
	struct dump_job job;
	const char *file;
	struct index_cache cache;
};

static int take_address(struct request *q, const char *arg, size_t len, struct err *err)
{
	bool prefixed = len > 2 && !strncmp(arg, "0x", 2);
	uint64_t addr;

	if (number_parse_hex(arg + 2 * prefixed, len - 2 * prefixed, &addr) < 0)
		return err_set(err, -EINVAL, "address \"%.*s\" is not a hexadecimal number",
			       len < 64 ? (int)len : 64, arg);
	if (q->job.address_count == DUMP_MAX_ADDRESSES)
		return err_set(err, -EINVAL, "address %.*s is one too many: at most %u", (int)len,
			       arg, DUMP_MAX_ADDRESSES);
	q->job.addresses[q->job.address_count++] = addr;
	return 0;
}

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct request *q = into;
	int r = index_cache_take(&q->cache, key, arg, err);

	if (r != 1)
		return r;
	switch (key) {
	case OPTION_INLINES:
		q->job.inlines = true;
		return 0;
	case OPTION_ADDRESSES:
		q->job.addressed = true;
		return 0;
	case OPTION_RAW:
		q->job.raw = true;
		return 0;
	case OPTION_JSON:
		q->job.json = true;
		return 0;
	default:
		if (q->file)
			return take_address(q, arg, strlen(arg), err);
		if (!*arg)
			return err_set(err, -EINVAL, "an empty word is no file");
		q->file = arg;
		return 0;
	}
}

/* All of standard input, words apart. */
static int addresses_read(struct request *q, struct err *err)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(MAX_INPUT_BYTES);
	int r = buffer_read_fd(&text, STDIN_FILENO);
	const char *p = r == 0 ? buffer_cstr(&text) : NULL;

	if (!p)
		return err_errno(err, r < 0 ? r : -ENOMEM,
				 "cannot read addresses from standard input");
	for (p += strspn(p, BLANKS); *p; p += strspn(p, BLANKS)) {
		size_t len = strcspn(p, BLANKS);

		r = take_address(q, p, len, err);
		if (r < 0)
			return r;
		p += len;
	}
	return 0;
}

static void names_set(struct dump_job *job, const char *file)
{
	char path[PATH_MAX];

	_Static_assert(sizeof(job->path) >= PATH_MAX, "any path fits");
	if (realpath(file, path))
		memcpy(job->path, path, strlen(path) + 1);
	inspection_name(job, file);
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	static struct request q = { .job.kind = DUMP_NAMES };
	_cleanup_(fd_close) int fd = -1;
	struct err err;
	int r = options_parse(&symbolize_command, argc, argv, &q, NULL, &err);

	(void)start_ns;
	if (r != 0)
		return options_status(r, &err);
	if (!q.file)
		return options_status(
			err_set(&err, -EINVAL, "which file? See 'slowburn help symbolize'"), &err);
	fd = inspection_open(q.file, &err);
	if (fd < 0)
		return command_fail(COMMAND_FAILED, &err);
	if (!q.job.address_count)
		r = addresses_read(&q, &err);
	if (r < 0)
		return command_fail(r == -EINVAL ? COMMAND_USAGE : COMMAND_FAILED, &err);
	names_set(&q.job, q.file);
	index_cache_open(&q.cache);
	r = inspection_run_cached(&q.job, fd, &q.cache);
	index_cache_release(&q.cache);
	return r;
}

static const struct argp_option symbolize_options[] = {
	{ "inlines", OPTION_INLINES, NULL, 0,
	  "also what the innermost function was inlined into, outwards", 1 },
	{ "addresses", OPTION_ADDRESSES, NULL, 0, "print each address before its names", 1 },
	{ "no-demangle", OPTION_RAW, NULL, 0, "print names as they are in the file", 1 },
	{ "json", OPTION_JSON, NULL, 0, "print JSON, with both forms of each name", 1 },
	{ 0 },
};

const struct command symbolize_command = {
	.name = "symbolize",
	.summary = "Name addresses of a file: function, source file and line",
	.operands = "FILE [ADDR...]",
	.about =
		"ADDR is hexadecimal, as the file's symbols have it; without any, addresses are read from "
		"standard input up to its end, at most 65,536. Names come from the file's symbols and DWARF, "
		"or from its debug file (by build id or .gnu_debuglink, here on this machine). What each of them "
		"gave is told at the end, in lines that begin with \"#\".\n"
		"The innermost function is told; with --inlines the others after it. The outermost is the one that "
		"has a symbol. Files are parsed in the same sandbox as when profiling.",
	.options = { symbolize_options, index_cache_options, help_options },
	.take = take,
	.run = run,
};
