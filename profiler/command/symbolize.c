// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn symbolize: the functions and lines of addresses of a file, or of a process's memory. The file is opened here, as
 * whoever called; a process's files are opened by the opener. Both are read by the symbolizer, in its sandbox.
 *
 * What is pasted ("-") is a stack as gdb, perf script or a crash log prints it: an address a line. Refused: to know each of
 * those formats; where in a line the address is, is alike in all.
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
#define MAX_PID 4194304 /* PID_MAX_LIMIT */
#define BLANKS " \t\r\n"
#define HEX_DIGITS "0123456789abcdefABCDEF"
/* What a pasted line begins with is an address if it is no shorter: "cc1" is none. */
#define MIN_PASTED_DIGITS 5

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
	bool pasted; /* addresses are in what comes by standard input */
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

static int take_pid(struct request *q, const char *arg, struct err *err)
{
	uint64_t pid;

	if (number_parse(arg, strlen(arg), MAX_PID, &pid) < 0 || !pid)
		return err_set(err, -EINVAL, "process \"%s\" is not a number from 1 to %d", arg,
			       MAX_PID);
	q->job.pids[0] = (uint32_t)pid;
	q->job.pid_count = 1;
	return 0;
}

static int take_operand(struct request *q, const char *arg, struct err *err)
{
	if (q->file || q->job.pid_count) {
		q->pasted = q->pasted || !strcmp(arg, "-");
		return strcmp(arg, "-") != 0 ? take_address(q, arg, strlen(arg), err) : 0;
	}
	if (!*arg)
		return err_set(err, -EINVAL, "an empty word is no file");
	q->file = arg;
	return 0;
}

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct request *q = into;
	int r = index_cache_take(&q->cache, key, arg, err);

	if (r != 1)
		return r;
	switch (key) {
	case 'p':
		return take_pid(q, arg, err);
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
		return take_operand(q, arg, err);
	}
}

/* ---- standard input ---- */

/* Words apart, each an address. */
static int words_take(struct request *q, const char *p, struct err *err)
{
	for (p += strspn(p, BLANKS); *p; p += strspn(p, BLANKS)) {
		size_t len = strcspn(p, BLANKS);
		int r = take_address(q, p, len, err);

		if (r < 0)
			return r;
		p += len;
	}
	return 0;
}

/* What a line of a stack has. */
struct pasted {
	const char *addr;
	size_t len; /* 0: no address */
	bool caller; /* it is where a call comes back to */
};

static size_t prefixed_len(const char *p)
{
	size_t n = strncmp(p, "0x", 2) == 0 ? strspn(p + 2, HEX_DIGITS) : 0;

	return n ? n + 2 : 0;
}

/* "#1  0x55d0… in main ()", as gdb, sanitizers and slowburn dump have it: what is inlined has no address of its own. */
static struct pasted numbered_find(const char *line)
{
	size_t digits = strspn(line + 1, "0123456789");
	const char *word = line + 1 + digits;

	word += strspn(word, " \t");
	return (struct pasted){ word, prefixed_len(word), strspn(line + 1, "0") < digits };
}

/*
 * A word that begins with 0x, also in brackets; or all of the first word. What is given to a function ("argv=0x7ffd…"), what is
 * added to a name ("main+0x12") and gdb's "Thread 0x7f1b…" is none. Below another address it is a caller's; but for one that
 * stands alone, as in a list.
 */
static struct pasted bare_find(const char *line, size_t len, bool below)
{
	const char *first = line + strspn(line, " \t");
	size_t digits = strspn(first, HEX_DIGITS), n;

	for (const char *p = first; p + 2 < line + len; p++) {
		if (p != line && !strchr(" \t[(<", p[-1]))
			continue;
		if (p - line >= 7 && !strncmp(p - 7, "Thread ", 7))
			continue;
		n = prefixed_len(p);
		if (n)
			return (struct pasted){ p, n, below && (p != first || p + n < line + len) };
	}
	if (digits < MIN_PASTED_DIGITS || (first[digits] && !strchr(BLANKS, first[digits])))
		digits = 0;
	return (struct pasted){ first, digits, below && first + digits < line + len };
}

/* An address a line; a line without one is passed over. What a signal interrupted is no caller. */
static int pasted_take(struct request *q, const char *p, struct err *err)
{
	static const char signal[] = "<signal handler called>";
	bool below = false, interrupted = false;

	while (*p) {
		size_t all = strcspn(p, "\n"), len = strcspn(p, "\r\n");
		const char *line = p + strspn(p, " \t");
		struct pasted x = *line == '#' ? numbered_find(line) : bare_find(p, len, below);
		int r = x.len ? take_address(q, x.addr, x.len, err) : 0;

		if (r < 0)
			return r;
		if (x.len)
			q->job.callers[q->job.address_count - 1] = x.caller && !interrupted;
		below = x.len;
		interrupted = memmem(p, len, signal, sizeof(signal) - 1);
		p += all + (p[all] == '\n');
	}
	return q->job.address_count
		       ? 0
		       : err_set(err, -EINVAL, "there is no address in what standard input has");
}

/* All of it. */
static int addresses_read(struct request *q, struct err *err)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(MAX_INPUT_BYTES);
	int r = buffer_read_fd(&text, STDIN_FILENO);
	const char *p = r == 0 ? buffer_cstr(&text) : NULL;

	if (!p)
		return err_errno(err, r < 0 ? r : -ENOMEM,
				 "cannot read addresses from standard input");
	return q->pasted ? pasted_take(q, p, err) : words_take(q, p, err);
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
	if (!q.file && !q.job.pid_count)
		return options_status(
			err_set(&err, -EINVAL,
				"which file or process? See 'slowburn help symbolize'"),
			&err);
	if (q.file)
		fd = inspection_open(q.file, &err);
	if (q.file && fd < 0)
		return command_fail(COMMAND_FAILED, &err);
	if (!q.job.address_count || q.pasted)
		r = addresses_read(&q, &err);
	if (r < 0)
		return command_fail(r == -EINVAL ? COMMAND_USAGE : COMMAND_FAILED, &err);
	if (q.file)
		names_set(&q.job, q.file);
	index_cache_open(&q.cache);
	r = inspection_run_cached(&q.job, fd, &q.cache);
	index_cache_release(&q.cache);
	return r;
}

static const struct argp_option symbolize_options[] = {
	{ "pid", 'p', "PID", 0,
	  "addresses are of this process's memory, as it is now; instead of FILE", 1 },
	{ "inlines", OPTION_INLINES, NULL, 0,
	  "also what the innermost function was inlined into, outwards", 1 },
	{ "addresses", OPTION_ADDRESSES, NULL, 0, "print each address before its names", 1 },
	{ "no-demangle", OPTION_RAW, NULL, 0, "print names as they are in the file", 1 },
	{ "json", OPTION_JSON, NULL, 0, "print JSON, with both forms of each name", 1 },
	{ 0 },
};

const struct command symbolize_command = {
	.name = "symbolize",
	.summary = "Name addresses of a file or a process: function, source file and line",
	.operands = "FILE|-p PID [ADDR...|-]",
	.about =
		"ADDR is hexadecimal, as the file's symbols have it; without any, addresses are read from "
		"standard input up to its end, at most 65,536. With \"-\" a stack may be pasted there, as gdb, perf script or a "
		"crash log prints it: in each line the first word that begins with 0x, or else the first word if it is "
		"hexadecimal; other lines are passed over. An address behind a number above #0, or in the line below another's if it doesn't stand alone, is where a call "
		"comes back to: so what is told is the call, one byte before, and that is said. All others are looked up as they are. Names come from the file's symbols and DWARF, "
		"or from its debug file (by build id or .gnu_debuglink, here on this machine). What each of them "
		"gave is told at the end, in lines that begin with \"#\".\n"
		"The innermost function is told; with --inlines the others after it. The outermost is the one that "
		"has a symbol.\n"
		"With -p an address is of the process's memory, or of the kernel's. Before its names stands where it is: the "
		"mapping, and the address in its file; or why nothing can be said of it. Files, and their debug files, are those that the "
		"process sees, also in a container; code made at run time has the names of its perf map and jitdump. It takes "
		"root, or to be the process's user; the kernel's names take root.\n"
		"Files are parsed in the same sandbox as when profiling.",
	.options = { symbolize_options, index_cache_options, help_options },
	.take = take,
	.run = run,
};
