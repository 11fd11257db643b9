// SPDX-License-Identifier: Apache-2.0
/*
 * Files before standard output: a pager that isn't read, or a pipe that broke, must not cost the file.
 * An answer is encoded in memory and written at once; what came out of a capture can't be had again,
 * so one part that fails never keeps the other from being written.
 */
#include "profiler/command/answer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/command/command.h"
#include "profiler/command/look.h"

#define MAX_ANSWER_BYTES (512u << 20)

enum {
	OPTION_FORMAT = 0x300,
	OPTION_ROOT,
	OPTION_NO_INLINES,
};

const struct argp_option answer_options[] = {
	{ NULL, 0, NULL, 0, "Where the answer goes:", 30 },
	{ "output", 'o', "FILE", 0,
	  "write this file, in the format that --format or its name says (.pb.gz, .pprof, .prof; "
	  ".txt; .collapsed, .folded; .json; else pprof); - is standard output",
	  30 },
	{ "format", OPTION_FORMAT, "FORMAT", 0,
	  "text, pprof, collapsed or json; on standard output, unless -o says otherwise", 30 },
	{ "root", OPTION_ROOT, "KEYS", 0,
	  "put labels in as root frames, in pprof and collapsed: a list with commas of comm, thread, "
	  "pid, tid, cgroup",
	  30 },
	{ "no-inlines", OPTION_NO_INLINES, NULL, 0,
	  "functions as symbol tables have them: no frames for inlined ones, no source lines. Without "
	  "it they are read when the capture has ended, for 5 s at most",
	  30 },
	{ 0 },
};

int answer_take(struct answer_options *o, int key, const char *arg, struct err *err)
{
	switch (key) {
	case 'o':
		o->path = arg;
		return 0;
	case OPTION_FORMAT:
		o->format = format_by_name(arg, err);
		return o->format ? 0 : -EINVAL;
	case OPTION_ROOT:
		return root_keys_parse(&o->root, arg, err);
	case OPTION_NO_INLINES:
		o->no_inlines = true;
		return 0;
	default:
		return 1;
	}
}

int answer_file_name(const char *host, uint64_t time_s, char *ret_name, size_t size)
{
	char clean[65] = "host", when[32];
	time_t t = (time_t)time_s;
	struct tm tm;
	size_t n = 0;
	int len;

	/* Letters, digits and what stands between them: no slash, no dot in front, no surprise. */
	for (; host[n] && n < sizeof(clean) - 1; n++) {
		bool plain = isascii(host[n]) && isalnum((unsigned char)host[n]);
		bool between = n > 0 && strchr("-_.", host[n]);

		clean[n] = host[n];
		if (!plain && !between)
			clean[n] = '_';
	}
	if (n)
		clean[n] = '\0';
	if (!localtime_r(&t, &tm) || !strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm))
		return -EINVAL;
	len = snprintf(ret_name, size, "slowburn-%s-%s.pb.gz", clean, when);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

static struct output *add_part(struct answer *a, const struct format *format)
{
	struct answer_part *part = &a->parts[a->count++];

	part->format = format;
	part->output = (struct output)OUTPUT_INIT;
	return &part->output;
}

static int open_chosen(struct answer *a, struct err *err)
{
	char host[65] = "", name[160];
	int r;

	/* POSIX leaves it open whether a name that is cut ends in NUL. */
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	r = answer_file_name(host, clock_ns(CLOCK_REALTIME) / NS_PER_S, name, sizeof(name));
	if (r < 0)
		return err_errno(err, r, "cannot make up a name for the profile: use -o FILE");
	return output_open_unique(add_part(a, &format_pprof), name, err);
}

int answer_open(struct answer *a, const struct answer_options *o, bool file_too, struct err *err)
{
	int r = 0;

	*a = (struct answer){ .options = o };
	if (o->path) {
		const struct format *f = o->format ?: format_by_file(o->path);
		struct output *out = add_part(a, f);

		r = output_open(out, o->path, f->binary, err);
		if (r == 0 && !out->standard)
			r = output_open(add_part(a, &format_text), "-", false, err);
	} else if (o->format) {
		r = output_open(add_part(a, o->format), "-", o->format->binary, err);
	} else {
		if (file_too)
			r = open_chosen(a, err);
		if (r == 0)
			r = output_open(add_part(a, &format_text), "-", false, err);
	}
	if (r < 0)
		answer_release(a);
	return r;
}

int answer_open_one(struct answer *a, const struct answer_options *o, const struct format *usual,
		    struct err *err)
{
	bool named = o->path && strcmp(o->path, "-") != 0;
	const struct format *f = o->format ?: named ? format_by_file(o->path) : usual;
	int r;

	*a = (struct answer){ .options = o };
	r = output_open(add_part(a, f), o->path ? o->path : "-", f->binary, err);
	if (r < 0)
		answer_release(a);
	return r;
}

/* A reader that has seen enough needs no explanation. */
static int part_fail(const struct answer_part *part, int r, const struct err *err)
{
	if (r != -EPIPE || !part->output.standard)
		command_fail(COMMAND_FAILED, err);
	return COMMAND_FAILED;
}

int answer_put(struct answer *a, uint32_t number, const void *bytes, size_t len)
{
	struct err err;
	int r;

	if (number >= a->count || a->parts[number].failed)
		return COMMAND_FAILED;
	r = output_write(&a->parts[number].output, bytes, len, &err);
	a->parts[number].failed = r < 0;
	return r < 0 ? part_fail(&a->parts[number], r, &err) : COMMAND_OK;
}

int answer_end(struct answer *a, uint32_t number)
{
	struct err err;
	int r;

	if (number >= a->count || a->parts[number].failed)
		return COMMAND_FAILED;
	r = output_finish(&a->parts[number].output, &err);
	a->parts[number].written = r == 0;
	return r < 0 ? part_fail(&a->parts[number], r, &err) : COMMAND_OK;
}

int answer_close(struct answer *a)
{
	int status = COMMAND_OK;

	/* Last, where it can be seen below the text. */
	for (uint32_t i = 0; i < a->count; i++) {
		if (!a->parts[i].written)
			status = COMMAND_FAILED;
		else if (a->parts[i].output.unique)
			command_say("the profile is in \"%s\": go tool pprof %s",
				    a->parts[i].output.path, a->parts[i].output.path);
	}
	return status;
}

void answer_describe(const struct answer *a, struct job_part ret_parts[ANSWER_MAX_PARTS])
{
	for (uint32_t i = 0; i < a->count; i++)
		ret_parts[i] = (struct job_part){
			.format = a->parts[i].format,
			.root = a->options->root,
			.look = look_of(a->parts[i].output.fd),
		};
}

int answer_write(struct answer *a, const struct profile *p)
{
	struct job_part parts[ANSWER_MAX_PARTS];

	answer_describe(a, parts);
	for (uint32_t i = 0; i < a->count; i++) {
		_cleanup_(buffer_release) struct buffer bytes = BUFFER_INIT(MAX_ANSWER_BYTES);
		const struct job_part *part = &parts[i];
		int r = part->format->encode(p, part->root.count ? &part->root : NULL, &part->look,
					     &bytes);
		struct err err;

		if (r == 0)
			r = buffer_error(&bytes);
		if (r == 0) {
			answer_put(a, i, bytes.data, bytes.len);
			answer_end(a, i);
		} else {
			err_errno(&err, r, "cannot make the %s answer", part->format->name);
			command_fail(COMMAND_FAILED, &err);
		}
	}
	return answer_close(a);
}

void answer_release(struct answer *a)
{
	for (uint32_t i = 0; i < a->count; i++)
		output_release(&a->parts[i].output);
	a->count = 0;
}
