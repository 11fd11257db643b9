// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn doctor --symbols: the binaries that running processes have mapped, which of them lack names or lines, and
 * what brings those. Binaries are opened, read and named by the same processes as in a capture, so that what is
 * found here is what a profile will have.
 *
 * Packages are Debian's: PKG-dbgsym has the debug files of PKG, but for a few that have a -dbg of their own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/debug_files.h"
#include "profiler/base/array.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/dump/code.h"
#include "profiler/dump/dumper.h"
#include "profiler/opener/protocol.h"
#include "profiler/process/package.h"
#include "profiler/process/process.h"
#include "version.h"

#define MAX_PROCESSES 65536u
#define MAX_BINARIES 16384u
#define MAX_TEXT_BYTES (1u << 20)
#define MAX_OUTPUT_BYTES (32u << 20)
#define SHOWN 40u /* lines of text of each kind */

/* A binary that something is missing of. */
struct binary {
	uint32_t file; /* its number in the file table */
	uint32_t pid; /* a process that has it mapped */
	uint32_t processes; /* how many have */
	uint32_t last_pid;
	bool opened, names, lines, go;
	bool asked; /* for its package */
	char package[PACKAGE_MAX_NAME]; /* "": of none */
};

/* A process that makes code at run time, or could say names. */
struct maker {
	uint32_t pid;
	enum runtime runtime;
	bool map, dump; /* its lists, that are believed */
	int refused; /* negative errno: there is a perf map that is not; or 0 */
	char comm[STATUS_MAX_COMM + 1];
};

struct census {
	struct dumper *dumper;
	struct outside *outside;
	struct debug_files *debug;
	ARRAY(struct binary) binaries; /* by file number */
	ARRAY(struct maker) makers; /* once sorted: those that name their code last */
	uint32_t speechless; /* how many don't */
	uint32_t processes, unseen; /* looked at; refused, or gone */
	struct buffer out;
};

/* ---- who runs what ---- */

static struct binary *binary_of(struct census *c, uint32_t file)
{
	while (c->binaries.count <= file) {
		struct binary *b = array_push(&c->binaries, MAX_BINARIES);

		if (!b)
			return NULL;
		*b = (struct binary){ .file = c->binaries.count - 1 };
	}
	return &c->binaries.items[file];
}

static bool is_named(const struct maker *m)
{
	return m->map || m->dump;
}

/* Of what is known to make code, and of what has memory to be executed that is no file's. */
static int maker_note(struct census *c, const struct target *t)
{
	struct maker m = { .pid = t->pid }, *slot;
	struct code code;

	code_open(&code, t);
	m.runtime = code.runtime;
	m.map = code.map_fd >= 0;
	m.dump = code.dump != UNWINDER_NO_FILE;
	m.refused = !m.map && code_map_is_refused(code.map_error) ? code.map_error : 0;
	code_close(&code);
	if (!is_named(&m) && !m.refused && !runtime_advice(m.runtime))
		return 0;
	memcpy(m.comm, t->status.comm, sizeof(m.comm));
	slot = array_push(&c->makers, MAX_PROCESSES);
	if (!slot)
		return -ENOMEM;
	*slot = m;
	c->speechless += !is_named(&m);
	return 0;
}

static int target_note(struct census *c, const struct target *t)
{
	bool maker = false;

	for (uint32_t i = 0; i < t->mappings.count; i++) {
		uint32_t file = t->mappings.items[i].file;
		struct binary *b;
		const char *path;

		maker = maker || file == UNWINDER_NO_FILE;
		if (file == UNWINDER_NO_FILE || file == TARGET_VDSO)
			continue;
		path = target_path(t->from, file);
		maker = maker || runtime_of_file(path) != RUNTIME_NONE;
		/* It is no binary, and says what its process's code is called. */
		if (code_is_dump(path))
			continue;
		b = binary_of(c, file);
		if (!b)
			return -ENOMEM;
		b->processes += b->last_pid != t->pid;
		b->last_pid = b->pid = t->pid;
	}
	return maker ? maker_note(c, t) : 0;
}

/* A kernel thread, or one that has just ended, has nothing mapped: that is nobody's lack. */
static bool is_nothing(int r)
{
	return r == -ENOEXEC || r == -ESRCH || r == -ENOENT;
}

static int processes_look(struct census *c, struct err *err)
{
	_cleanup_(buffer_release) struct buffer pids = BUFFER_INIT(MAX_TEXT_BYTES);
	const struct process_source *source = c->dumper->from.source;
	uint32_t pid;
	size_t at = 0;
	int r = source->read(source->ctx, PROCESS_TEXT_PIDS, 0, &pids);

	if (r < 0)
		return err_errno(err, r, "cannot read the processes in \"/proc\"");
	while (process_pids_next(&pids, &at, &pid)) {
		struct target t;

		if (pid == c->dumper->job.supervisor_pid)
			continue;
		r = target_read(&t, &c->dumper->from, pid, NULL);
		if (r == 0 && t.status.ppid == c->dumper->job.supervisor_pid) {
			target_release(&t); /* ours: nobody asked what we run */
			continue;
		}
		c->processes += r == 0;
		c->unseen += r < 0 && !is_nothing(r);
		if (r == 0)
			r = target_note(c, &t);
		target_release(&t);
		if (r == -ENOMEM)
			return err_errno(err, r, "cannot keep what processes run");
	}
	return 0;
}

/* ---- what is in it ---- */

static void debug_look(struct census *c, struct binary *b, int fd)
{
	const struct file *f = file_table_get(c->dumper->from.files, b->file);
	const struct file_place place = { .pid = b->pid,
					  .ino = f->ino,
					  .generation = f->generation,
					  .major = f->major,
					  .minor = f->minor,
					  .path = f->path };
	_cleanup_(fd_close) int debug_fd = -1;
	struct debug_reply reply;

	if (debug_files_find(c->debug, b->file, &place, fd, &debug_fd) < 0 ||
	    symbols_client_debug(c->dumper->from.names->client, DEBUG_OF_FILE, &debug_fd, 1, &reply,
				 NULL) < 0)
		return;
	b->names = b->names || reply.flags & DEBUG_REPLY_SYMTAB;
	b->lines = b->lines || reply.flags & DEBUG_REPLY_DWARF;
}

static void binary_look(struct census *c, struct binary *b)
{
	struct debug_reply reply;
	int fd;

	if (!b->processes || target_file(&c->dumper->from, b->file, &fd) < 0 ||
	    symbols_client_debug(c->dumper->from.names->client, DEBUG_OF_FILE, &fd, 1, &reply,
				 NULL) < 0 ||
	    reply.status == SYMBOLS_NOT_ELF)
		return;
	b->opened = true;
	b->go = reply.flags & DEBUG_REPLY_GO;
	b->names = reply.flags & (DEBUG_REPLY_SYMTAB | DEBUG_REPLY_MINIDEBUG | DEBUG_REPLY_GO);
	b->lines = reply.flags & DEBUG_REPLY_DWARF;
	if (!b->lines)
		debug_look(c, b, fd);
	file_table_unpin(c->dumper->from.files, b->file);
}

static bool is_lacking(const struct binary *b)
{
	return b->processes && b->opened && !(b->names && b->lines);
}

/* ---- where the rest is ---- */

/* Binaries that are asked about in one root. */
struct question {
	uint32_t pid, count;
	const char *paths[PACKAGE_MAX_PATHS];
	struct binary *binaries[PACKAGE_MAX_PATHS];
	size_t bytes;
};

static void question_ask(struct census *c, struct question *q)
{
	_cleanup_(buffer_release) struct buffer lines =
		BUFFER_INIT(PACKAGE_MAX_PATHS * PACKAGE_MAX_NAME);
	const char *line;

	if (!q->count || outside_packages(c->outside, q->pid, q->paths, q->count, &lines) < 0)
		return;
	line = lines.data;
	for (uint32_t i = 0; i < q->count; i++) {
		const char *newline = memchr(line, '\n', lines.len - (size_t)(line - lines.data));
		size_t len = newline ? (size_t)(newline - line) : 0;

		if (!newline)
			break;
		if (len < PACKAGE_MAX_NAME)
			memcpy(q->binaries[i]->package, line, len);
		q->binaries[i]->asked = true;
		line = newline + 1;
	}
}

/* Are both processes' files the same under the same names? */
static bool same_root(struct census *c, uint32_t a, uint32_t b)
{
	_cleanup_(buffer_release) struct buffer x = BUFFER_INIT(MAX_TEXT_BYTES);
	_cleanup_(buffer_release) struct buffer y = BUFFER_INIT(MAX_TEXT_BYTES);
	const struct process_source *source = c->dumper->from.source;

	return a == b || (source->read(source->ctx, PROCESS_TEXT_ROOT, a, &x) == 0 &&
			  source->read(source->ctx, PROCESS_TEXT_ROOT, b, &y) == 0 &&
			  x.len == y.len && !memcmp(x.data, y.data, x.len));
}

/* Half of what a request may be: the other half is for the longest path. */
#define MAX_QUESTION_BYTES (OPENER_MAX_REQUEST_BYTES / 2)

static int packages_look(struct census *c)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->binaries.count; i++) {
		struct binary *b = &c->binaries.items[i];
		const char *path = target_path(&c->dumper->from, i);

		if (!is_lacking(b))
			continue;
		b->asked = *path != '/'; /* of what has no path it is known */
		if (b->asked)
			continue;
		if (q->count == PACKAGE_MAX_PATHS || q->bytes > MAX_QUESTION_BYTES ||
		    (q->count && !same_root(c, q->pid, b->pid))) {
			question_ask(c, q);
			*q = (struct question){ 0 };
		}
		q->pid = b->pid;
		q->paths[q->count] = path;
		q->binaries[q->count++] = b;
		q->bytes += strlen(path) + 1;
	}
	question_ask(c, q);
	free(q);
	return 0;
}

/* ---- the answer ---- */

/* Packages whose debug files are in one of another name. */
static const struct {
	const char *package, *debug;
} exceptions[] = {
	{ "libc6", "libc6-dbg" },
	{ "libc6-i386", "libc6-dbg" },
};

static void put_debug_package(struct buffer *out, const char *package)
{
	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		if (!strcmp(exceptions[i].package, package)) {
			buffer_text(out, exceptions[i].debug);
			return;
		}
	}
	buffer_printf(out, "%s-dbgsym", package);
}

static const char *lack_words(const struct binary *b)
{
	if (b->lines)
		return "names";
	return b->names ? "lines" : "names, lines";
}

static int compare_binaries(const void *a, const void *b)
{
	const struct binary *x = a, *y = b;

	if (is_lacking(x) != is_lacking(y))
		return is_lacking(y) - is_lacking(x);
	if (x->names != y->names)
		return x->names - y->names;
	return x->processes < y->processes ? 1 : x->processes > y->processes ? -1 : 0;
}

static void put_binary_text(struct census *c, const struct binary *b)
{
	const char *path = target_path(&c->dumper->from, b->file);

	buffer_printf(&c->out, "%5" PRIu32 "  %-12s  ", b->processes, lack_words(b));
	text_escape(&c->out, path, strlen(path));
	if (*b->package) {
		buffer_text(&c->out, ": apt install ");
		put_debug_package(&c->out, b->package);
	} else if (b->go) {
		buffer_text(&c->out, ": built with -ldflags=-w, or stripped; names are Go's own");
	} else if (!b->asked) {
		buffer_text(&c->out, ": no list of packages could be read in its process's root");
	} else if (!b->names) {
		buffer_text(&c->out, ": of no package, and stripped");
	} else {
		buffer_text(&c->out, ": of no package, and built without -g");
	}
	buffer_text(&c->out, "\n");
}

static void put_maker_text(struct buffer *out, const struct maker *m)
{
	const char *advice = runtime_advice(m->runtime);

	buffer_printf(out, "%7" PRIu32 "  ", m->pid);
	text_escape(out, m->comm, strlen(m->comm));
	if (m->runtime != RUNTIME_NONE)
		buffer_printf(out, " (%s)", runtime_name(m->runtime));
	if (is_named(m))
		buffer_printf(out, ": fine, by its %s",
			      m->dump ? m->map ? "jitdump and perf map" : "jitdump" : "perf map");
	else if (m->refused)
		buffer_printf(out, ": its perf map is not taken: %s", code_map_reason(m->refused));
	else
		buffer_printf(out, ": %s", advice);
	buffer_text(out, "\n");
}

static int compare_makers(const void *a, const void *b)
{
	const struct maker *x = a, *y = b;

	if (is_named(x) != is_named(y))
		return is_named(x) - is_named(y);
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static void put_makers_text(struct census *c)
{
	if (c->speechless)
		buffer_text(&c->out,
			    "\nCODE MADE AT RUN TIME  processes that do not say what it is "
			    "called, and how they would\n");
	for (uint32_t i = 0; i < c->makers.count && i < SHOWN; i++) {
		if (i == c->speechless)
			buffer_text(&c->out,
				    "\nCODE MADE AT RUN TIME  processes that say its names\n");
		put_maker_text(&c->out, &c->makers.items[i]);
	}
	if (c->makers.count > SHOWN)
		buffer_printf(&c->out, "       %" PRIu32 " more: see --json\n",
			      c->makers.count - SHOWN);
}

static void put_text(struct census *c, uint32_t lacking)
{
	buffer_printf(&c->out,
		      "%" PRIu32 " processes run %" PRIu32 " binaries; %" PRIu32
		      " lack names or lines.\n",
		      c->processes, c->binaries.count, lacking);
	if (c->unseen)
		buffer_printf(&c->out, "%" PRIu32 " could not be looked at.\n", c->unseen);
	if (lacking)
		buffer_text(&c->out, "\nBINARIES  processes that run it, what it lacks, and what "
				     "brings it (dbgsym packages: debian-debug archive)\n");
	for (uint32_t i = 0; i < lacking && i < SHOWN; i++)
		put_binary_text(c, &c->binaries.items[i]);
	if (lacking > SHOWN)
		buffer_printf(&c->out, "       %" PRIu32 " more: see --json\n", lacking - SHOWN);
	put_makers_text(c);
}

static void put_string(struct buffer *out, const char *key, const char *s)
{
	buffer_printf(out, ", \"%s\": ", key);
	text_json(out, s, strlen(s));
}

static void put_binary_json(struct census *c, const struct binary *b)
{
	buffer_printf(&c->out, "{\"processes\": %" PRIu32 ", \"names\": %s, \"lines\": %s",
		      b->processes, b->names ? "true" : "false", b->lines ? "true" : "false");
	put_string(&c->out, "path", target_path(&c->dumper->from, b->file));
	if (*b->package) {
		put_string(&c->out, "package", b->package);
		buffer_text(&c->out, ", \"debug_package\": \"");
		put_debug_package(&c->out, b->package);
		buffer_text(&c->out, "\"");
	}
	buffer_text(&c->out, "}");
}

static void put_maker_json(struct buffer *out, const struct maker *m, bool first)
{
	const char *advice = runtime_advice(m->runtime);

	buffer_printf(out, "%s{\"pid\": %" PRIu32, first ? "\n" : ",\n", m->pid);
	put_string(out, "comm", m->comm);
	put_string(out, "runtime", runtime_name(m->runtime));
	if (is_named(m))
		put_string(out, "by", m->dump ? "jitdump" : "perf map");
	else if (m->refused)
		put_string(out, "refused", code_map_reason(m->refused));
	if (!is_named(m) && advice)
		put_string(out, "mend", advice);
	buffer_text(out, "}");
}

static void put_json(struct census *c, uint32_t lacking)
{
	buffer_text(&c->out, "{\"version\": ");
	text_json(&c->out, SLOWBURN_VERSION, strlen(SLOWBURN_VERSION));
	buffer_printf(&c->out,
		      ", \"processes\": %" PRIu32 ", \"unseen\": %" PRIu32 ",\n\"binaries\": [",
		      c->processes, c->unseen);
	for (uint32_t i = 0; i < lacking; i++) {
		buffer_text(&c->out, i ? ",\n" : "\n");
		put_binary_json(c, &c->binaries.items[i]);
	}
	buffer_text(&c->out, "],\n\"runtimes\": [");
	for (uint32_t i = 0; i < c->makers.count; i++) {
		if (i == c->speechless)
			buffer_text(&c->out, "],\n\"named\": [");
		put_maker_json(&c->out, &c->makers.items[i], i == 0 || i == c->speechless);
	}
	buffer_text(&c->out, c->speechless == c->makers.count ? "],\n\"named\": []}\n" : "]}\n");
}

static int census_take(struct census *c, struct err *err)
{
	uint32_t lacking = 0;
	int r = processes_look(c, err);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < c->binaries.count; i++) {
		binary_look(c, &c->binaries.items[i]);
		lacking += is_lacking(&c->binaries.items[i]);
	}
	r = packages_look(c);
	if (r < 0)
		return err_errno(err, r, "cannot ask for packages");
	if (c->binaries.count)
		qsort(c->binaries.items, c->binaries.count, sizeof(*c->binaries.items),
		      compare_binaries);
	if (c->makers.count)
		qsort(c->makers.items, c->makers.count, sizeof(*c->makers.items), compare_makers);
	if (c->dumper->job.json)
		put_json(c, lacking);
	else
		put_text(c, lacking);
	r = dumper_flush(c->dumper, &c->out);
	return r < 0 ? err_errno(err, r, "the answer could not be written") : 0;
}

int dump_census(struct dumper *d, struct outside *outside, struct err *err)
{
	struct census c = { .dumper = d, .outside = outside };
	int r = debug_files_new(&c.debug, outside, d->from.names->client, &d->counters);

	if (r < 0)
		return err_errno(err, r, "cannot look for debug files");
	buffer_init(&c.out, MAX_OUTPUT_BYTES);
	r = census_take(&c, err);
	buffer_release(&c.out);
	array_release(&c.binaries);
	array_release(&c.makers);
	debug_files_free(c.debug);
	return r;
}
