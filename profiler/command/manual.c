// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn(8) as mdoc(7), which man on every Linux and BSD reads. Options and commands come from the
 * tables that also parse them; what no table of theirs can say (exit status, environment, examples)
 * stands in tables here.
 */
#include "profiler/command/manual.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "profiler/command/command.h"
#include "profiler/command/options.h"

#define MANUAL_DATE "November 22, 2026"

struct entry {
	const char *term, *text;
};

static const char *const description[] = {
	"slowburn samples the stacks of everything that runs on this machine, in kernel and user mode, and "
	"says where the CPU time went: by function, by process, by stack. The programs that it watches "
	"need no preparation and are not touched.",
	"It needs root, or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, "
	"CAP_CHECKPOINT_RESTORE and CAP_SYSLOG, and a kernel with BTF. What was lost, cut short or could not be named is counted and told with every "
	"answer.",
};

static const struct entry environment[] = {
	{ "NO_COLOR", "If set and not empty, the text answer has no colours." },
	{ "SUDO_UID", "With SUDO_GID set by sudo: who COMMAND runs as, and who owns the files." },
	{ "SLOWBURN_TIMING",
	  "If 1, a line on standard error tells when things happened (CLOCK_MONOTONIC, in nanoseconds): "
	  "start, first sample, end of the capture, answer; and the CPU time of the capture." },
};

static const struct entry statuses[] = {
	{ "0", "The answer was written." },
	{ "1",
	  "Something failed, or COMMAND could not be run; one sentence on standard error says what. "
	  "What could be written was." },
	{ "2", "The command line makes no sense." },
};

static const struct entry examples[] = {
	{ "slowburn profile --duration 10s", "The whole machine, for ten seconds." },
	{ "slowburn profile -p 4711,4712 -o web.pb.gz",
	  "Two processes until Ctrl-C, into a file." },
	{ "slowburn profile --user -- make -j4", "A command and its children, user mode only." },
	{ "slowburn profile -C 0,2-3 -F 999 --duration 1m", "Three CPUs, more finely." },
	{ "slowburn profile --duration 5 --format collapsed --root comm,pid > stacks",
	  "For flame graph tools, each process by itself." },
	{ "slowburn profile --duration 10 --record bug.slowburn",
	  "What we would like to see with a bug." },
	{ "slowburn dump --verify 4711", "What a process's threads do now, by two unwinders." },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Text that is only text: no macro, no escape; each sentence on its own line, as mdoc wants it. */
static void put_text(FILE *out, const char *s)
{
	bool line_start = true;

	for (; *s; s++) {
		if (line_start && (*s == '.' || *s == '\''))
			fputs("\\&", out);
		line_start = *s == '\n';
		if (line_start)
			fputs("\n.Pp", out);
		if (*s == '\\')
			fputs("\\e", out);
		else if (*s == '-')
			fputs("\\-", out);
		else
			fputc(*s, out);
		if (*s == '.' && s[1] == ' ') {
			fputc('\n', out);
			line_start = true;
			s++;
		}
	}
	fputc('\n', out);
}

static void put_option(FILE *out, const struct argp_option *o)
{
	bool brief = o->key > ' ' && o->key < 0x7f;

	fputs(".It", out);
	if (brief)
		fprintf(out, " Fl %c%s", o->key, o->name ? " ," : "");
	if (o->name)
		fprintf(out, " Fl \\-%s", o->name);
	if (o->arg)
		fprintf(out, "%s Ar %s", o->name ? " Ns = Ns" : "", o->arg);
	fputc('\n', out);
	put_text(out, o->doc);
}

static void put_command(FILE *out, const struct command *c)
{
	struct option_walk walk = { .command = c };
	const struct argp_option *o;
	bool list = false;

	fprintf(out, ".Ss slowburn %s\n%s.\n", c->name, c->summary);
	if (*c->about) {
		fputs(".Pp\n", out);
		put_text(out, c->about);
	}
	while ((o = option_next(&walk))) {
		if (option_is_heading(o)) {
			fprintf(out, "%s.Pp\n", list ? ".El\n" : "");
			put_text(out, o->doc);
			list = false;
			continue;
		}
		if (!list)
			fputs(".Bl -tag -width Ds\n", out);
		list = true;
		put_option(out, o);
	}
	if (list)
		fputs(".El\n", out);
}

static void put_entries(FILE *out, const char *section, const char *macro, const struct entry *e,
			size_t count)
{
	fprintf(out, ".Sh %s\n.Bl -tag -width Ds\n", section);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, ".It %s ", macro);
		put_text(out, e[i].term);
		put_text(out, e[i].text);
	}
	fputs(".El\n", out);
}

static void put_synopsis(FILE *out)
{
	fputs(".Sh SYNOPSIS\n", out);
	for (size_t i = 0; commands[i]; i++) {
		fprintf(out, ".Nm\n.Cm %s\n.Op Ar OPTION ...\n", commands[i]->name);
		if (*commands[i]->operands)
			put_text(out, commands[i]->operands);
	}
}

int manual_print(FILE *out)
{
	fputs(".\\\" SPDX-License-Identifier: Apache-2.0\n.Dd " MANUAL_DATE
	      "\n.Dt SLOWBURN 8\n.Os\n"
	      ".Sh NAME\n.Nm slowburn\n.Nd where the CPU time of this machine goes\n",
	      out);
	put_synopsis(out);
	fputs(".Sh DESCRIPTION\n", out);
	for (size_t i = 0; i < COUNT(description); i++) {
		if (i)
			fputs(".Pp\n", out);
		put_text(out, description[i]);
	}
	fputs(".Sh COMMANDS\n", out);
	for (size_t i = 0; commands[i]; i++)
		put_command(out, commands[i]);
	put_entries(out, "ENVIRONMENT", "Ev", environment, COUNT(environment));
	put_entries(out, "EXIT STATUS", "Sy", statuses, COUNT(statuses));
	fputs(".Sh EXAMPLES\n", out);
	for (size_t i = 0; i < COUNT(examples); i++) {
		fputs(i ? ".Pp\n" : "", out);
		put_text(out, examples[i].text);
		fputs(".Dl ", out);
		put_text(out, examples[i].term);
	}
	fputs(".Sh SEE ALSO\n.Xr perf 1 ,\n.Xr perf_event_open 2 ,\n.Xr capabilities 7\n", out);
	return command_flush(out);
}

int manual_overview(FILE *out)
{
	fputs("slowburn: where the CPU time of this machine goes\n\n", out);
	for (size_t i = 0; commands[i]; i++)
		fprintf(out, "  slowburn %-9s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\nExamples:\n", out);
	for (size_t i = 0; i < COUNT(examples); i++)
		fprintf(out, "  %-52s%s%s\n", examples[i].term,
			strlen(examples[i].term) > 51 ? "\n      " : "", examples[i].text);
	fputs("\nMore: slowburn help COMMAND, slowburn help --man\n", out);
	return command_flush(out);
}
