// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn debug unwind: what the symbolizer made of a file's call frame information. Only its checked reply is
 * looked at here, so that it is what the kernel side would get.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/dump/dumper.h"
#include "symbolizer/unwind_dump.h"

#define MAX_TEXT_BYTES (64u << 20)
#define FLUSH_BYTES (1u << 20)
#define MAX_PLACES 8u /* told of each kind */
#define GIVEN_FILE 0u /* the number of one that came with the job */

/* Rows of a kind: how many, how many bytes of code they hold for, and where the first are. */
struct stretch {
	uint32_t count;
	uint64_t bytes;
	uint32_t place_count;
	uint64_t places[MAX_PLACES], ends[MAX_PLACES];
};

struct sums {
	uint32_t flags;
	uint64_t fdes, fdes_refused, fdes_damaged, rules_refused;
	uint64_t gaps, solved_gaps, guessed_gaps;
	uint64_t rows, rules, pages, bytes;
	uint32_t segments;
	struct stretch none, unsupported, by_frame_pointer;
};

struct writer {
	struct dumper *dumper;
	struct buffer out;
	bool show; /* rows */
	const struct unwind_rule *last; /* in force before */
	int r; /* negative errno: nobody listens */
};

/* ---- rows ---- */

static void stretch_add(struct stretch *s, uint64_t start, uint64_t end)
{
	bool joins = s->count && s->place_count && s->ends[s->place_count - 1] == start;

	s->bytes += end - start;
	if (joins && s->place_count == s->count) {
		s->ends[s->place_count - 1] = end;
		return;
	}
	s->count++;
	if (s->place_count == MAX_PLACES)
		return;
	s->places[s->place_count] = start;
	s->ends[s->place_count++] = end;
}

static void sum_row(void *ctx, uint64_t start, uint64_t end, const struct unwind_rule *rule)
{
	struct sums *s = ctx;

	if (rule->kind == UNWIND_NONE)
		stretch_add(&s->none, start, end);
	else if (rule->kind == UNWIND_UNSUPPORTED)
		stretch_add(&s->unsupported, start, end);
	else if (rule->kind == UNWIND_FRAME_POINTER)
		stretch_add(&s->by_frame_pointer, start, end);
}

static void sums_add(struct sums *s, const struct rows_file *f)
{
	for (uint32_t i = 0; i < f->parts.count; i++) {
		const struct unwind_reply *h = f->parts.items[i].answer.reply;

		s->flags |= h->flags;
		s->fdes += h->fdes;
		s->fdes_refused += h->fdes_refused;
		s->fdes_damaged += h->fdes_damaged;
		s->rules_refused += h->rules_refused;
		s->gaps += h->gaps;
		s->solved_gaps += h->solved_gaps;
		s->guessed_gaps += h->guessed_gaps;
		s->rows += h->row_count;
		s->rules += h->rule_count;
		s->pages += h->page_count;
		s->segments = h->segment_count;
		s->bytes += h->row_count * 4ULL + h->page_count * sizeof(struct unwind_page) +
			    h->rule_count * sizeof(struct unwind_rule);
	}
	rows_each(f, sum_row, s);
}

/* ---- text ---- */

static void flush(struct writer *w)
{
	if (w->r == 0)
		w->r = dumper_flush(w->dumper, &w->out);
	buffer_clear(&w->out);
}

static void put_key(struct writer *w, const char *key)
{
	buffer_printf(&w->out, "  %-18s", key);
}

static void put_sources(struct writer *w, const struct sums *s)
{
	struct buffer *out = &w->out;
	bool eh_frame = s->flags & UNWIND_REPLY_EH_FRAME;
	bool debug_frame = s->flags & UNWIND_REPLY_DEBUG_FRAME;

	put_key(w, "tables");
	buffer_text(out, eh_frame ? ".eh_frame" : "no .eh_frame");
	if (s->flags & UNWIND_REPLY_BY_INDEX)
		buffer_text(out, " (by PT_GNU_EH_FRAME: no section headers)");
	else if (s->flags & UNWIND_REPLY_INDEX)
		buffer_text(out, " (and PT_GNU_EH_FRAME)");
	if (debug_frame)
		buffer_text(out, ", .debug_frame");
	if (s->flags & UNWIND_REPLY_COMPRESSED)
		buffer_text(out, ", a compressed .debug_frame that is not read");
	if (s->flags & UNWIND_REPLY_GO)
		buffer_text(out, "; compiled by Go");
	if (s->flags & UNWIND_REPLY_DAMAGED)
		buffer_text(out, "; damaged: not all could be read");
	if (s->flags & UNWIND_REPLY_TOO_LARGE)
		buffer_text(out, "; in several parts, or not all was read");
	buffer_text(out, "\n");
}

static void put_stretch(struct writer *w, const char *key, const struct stretch *s)
{
	struct buffer *out = &w->out;

	if (!s->count)
		return;
	put_key(w, key);
	buffer_printf(out, "%" PRIu64 " bytes in %u place%s:", s->bytes, s->count,
		      s->count == 1 ? "" : "s");
	for (uint32_t i = 0; i < s->place_count; i++)
		buffer_printf(out, " 0x%" PRIx64 "-0x%" PRIx64, s->places[i], s->ends[i]);
	buffer_text(out, s->count > s->place_count ? " …\n" : "\n");
}

static void put_sums(struct writer *w, const struct sums *s)
{
	struct buffer *out = &w->out;

	put_sources(w, s);
	put_key(w, "functions");
	buffer_printf(out, "%" PRIu64 " described, %" PRIu64 " refused, %" PRIu64 " damaged\n",
		      s->fdes, s->fdes_refused, s->fdes_damaged);
	put_key(w, "gaps");
	buffer_printf(out,
		      "%" PRIu64 " by their instructions, %" PRIu64 " by frame pointer, %" PRIu64
		      " not described\n",
		      s->solved_gaps, s->guessed_gaps, s->gaps);
	put_key(w, "table");
	buffer_printf(out,
		      "%" PRIu64 " rows, %" PRIu64 " rules, %" PRIu64 " pages: %" PRIu64 " bytes\n",
		      s->rows, s->rules, s->pages, s->bytes);
	put_stretch(w, "not expressed", &s->unsupported);
	if (s->rules_refused) {
		put_key(w, "too many rules");
		buffer_printf(out, "%" PRIu64 " rows are not expressed for that\n",
			      s->rules_refused);
	}
	put_stretch(w, "not described", &s->none);
	put_stretch(w, "by frame pointer", &s->by_frame_pointer);
}

static void put_row(void *ctx, uint64_t start, uint64_t end, const struct unwind_rule *rule)
{
	struct writer *w = ctx;

	(void)end;
	/* The first of a page may only repeat the rule. */
	if (w->last && memcmp(w->last, rule, sizeof(*rule)) == 0)
		return;
	w->last = rule;
	buffer_printf(&w->out, "0x%08" PRIx64 "  ", start);
	unwind_dump_words(rule, &w->out);
	buffer_text(&w->out, "\n");
	if (w->out.len >= FLUSH_BYTES)
		flush(w);
}

static void put_rows(struct writer *w, const struct rows_file *f)
{
	w->last = NULL;
	rows_each(f, put_row, w);
}

static void put_rule_at(struct writer *w, uint64_t addr, const struct rows_file *f, uint64_t vaddr)
{
	static const struct unwind_rule none = { .kind = UNWIND_NONE };
	const struct unwind_rule *rule = rows_rule(f, vaddr);

	buffer_printf(&w->out, "0x%" PRIx64 "  ", addr);
	if (addr != vaddr)
		buffer_printf(&w->out, "at 0x%" PRIx64 " in the file  ", vaddr);
	unwind_dump_words(rule ? rule : &none, &w->out);
	buffer_text(&w->out, "\n");
}

/* ---- a file ---- */

static int table_file(struct writer *w, int fd, struct err *err)
{
	struct dumper *d = w->dumper;
	const struct dump_job *job = &d->job;
	const struct rows_file *f;
	struct sums sums = { 0 };
	struct err why;

	if (rows_add(&d->rows, GIVEN_FILE, fd, &why) < 0)
		return err_set(err, -ENOEXEC, "\"%s\" has no unwind table: %s", job->name,
			       why.text);
	f = rows_find(&d->rows, GIVEN_FILE);
	if (!job->address_count) {
		text_escape(&w->out, job->name, strlen(job->name));
		buffer_text(&w->out, "\n");
		sums_add(&sums, f);
		put_sums(w, &sums);
	}
	for (uint32_t i = 0; i < job->address_count; i++)
		put_rule_at(w, job->addresses[i], f, job->addresses[i]);
	if (job->rows)
		put_rows(w, f);
	return 0;
}

/* ---- a process ---- */

static void put_mapping(struct writer *w, const struct target *t, const struct unwinder_mapping *m)
{
	const char *path = target_path(t->from, m->file);
	const struct rows_file *f =
		m->file == UNWINDER_NO_FILE ? NULL : rows_find(&w->dumper->rows, m->file);
	struct sums s = { 0 };

	buffer_printf(&w->out, "%012" PRIx64 "-%012" PRIx64 " ", m->start, m->end);
	if (m->file == UNWINDER_NO_FILE) {
		buffer_text(&w->out, "by frame pointer: in no file\n");
		return;
	}
	if (!f || f->error < 0) {
		buffer_printf(&w->out, "no table: %s  ",
			      f ? strerror(-f->error) : "the file could not be opened");
	} else {
		sums_add(&s, f);
		buffer_printf(&w->out,
			      "%7" PRIu64 " functions %8" PRIu64 " rows %5" PRIu64
			      " rules %5" PRIu64 " pages %9" PRIu64
			      " bytes; bytes of code not expressed %" PRIu64
			      ", not described %" PRIu64 "  ",
			      s.fdes, s.rows, s.rules, s.pages, s.bytes, s.unsupported.bytes,
			      s.none.bytes);
	}
	text_escape(&w->out, path, strlen(path));
	buffer_text(&w->out, "\n");
}

static void put_totals(struct writer *w)
{
	const struct rows *rows = &w->dumper->rows;
	struct sums s = { 0 };
	uint32_t count = 0;

	for (uint32_t i = 0; i < rows->files.count; i++) {
		if (rows->files.items[i].error < 0)
			continue;
		sums_add(&s, &rows->files.items[i]);
		count++;
	}
	buffer_printf(&w->out,
		      "%u files: %" PRIu64 " functions, %" PRIu64 " rows, %" PRIu64
		      " rules, %" PRIu64 " pages, %" PRIu64
		      " bytes; bytes of code not expressed %" PRIu64 ", not described %" PRIu64
		      ", by frame pointer %" PRIu64 "\n",
		      count, s.fdes, s.rows, s.rules, s.pages, s.bytes, s.unsupported.bytes,
		      s.none.bytes, s.by_frame_pointer.bytes);
}

static void put_address(struct writer *w, const struct target *t, uint64_t addr)
{
	const struct unwinder_mapping *m = target_mapping(t, addr);
	const struct rows_file *f =
		m && m->file != UNWINDER_NO_FILE ? rows_find(&w->dumper->rows, m->file) : NULL;
	uint64_t vaddr;

	if (f && f->error == 0 && rows_vaddr(f, m->offset + (addr - m->start), &vaddr)) {
		put_rule_at(w, addr, f, vaddr);
		return;
	}
	buffer_printf(&w->out, "0x%" PRIx64 "  %s\n", addr,
		      !m   ? "no executable mapping there"
		      : !f ? "by frame pointer: in no file that could be read"
			   : "no unwind information");
}

static int table_process(struct writer *w, struct target *t, struct err *err)
{
	const struct dump_job *job = &w->dumper->job;
	int r = target_read(t, &w->dumper->from, job->pids[0], err);

	if (r < 0)
		return r;
	dumper_rows(w->dumper, t);
	for (uint32_t i = 0; i < job->address_count; i++)
		put_address(w, t, job->addresses[i]);
	if (job->address_count)
		return 0;
	for (uint32_t i = 0; i < t->mappings.count; i++) {
		const struct unwinder_mapping *m = &t->mappings.items[i];
		const struct rows_file *f =
			m->file == UNWINDER_NO_FILE ? NULL : rows_find(&w->dumper->rows, m->file);

		put_mapping(w, t, m);
		if (job->rows && f && f->error == 0)
			put_rows(w, f);
	}
	put_totals(w);
	return 0;
}

int dump_table(struct dumper *d, int file, struct err *err)
{
	struct writer w = { .dumper = d };
	struct target t = { 0 };
	int r;

	buffer_init(&w.out, MAX_TEXT_BYTES);
	if (d->job.pid_count)
		r = table_process(&w, &t, err);
	else if (file >= 0)
		r = table_file(&w, file, err);
	else
		r = err_errno(err, -EPROTO, "there is no file to look at");
	flush(&w);
	target_release(&t);
	buffer_release(&w.out);
	return r == 0 && w.r < 0 ? err_errno(err, w.r, "cannot print the table") : r;
}
