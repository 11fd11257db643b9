// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn symbolize -p: addresses of a process's memory. What is alike is asked about together (a file, the kernel, code made at
 * run time), and each answer is written down as it comes, since the next request ends what the symbolizer said; at the
 * end they are printed in the order in which they were asked for.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/dump/code.h"
#include "profiler/dump/dumper.h"
#include "profiler/dump/finder.h"
#include "profiler/dump/listing.h"
#include "profiler/dump/places.h"

#define MAX_TEXT_BYTES (64u << 20)
#define MAX_SOURCES_BYTES (4u << 20)
#define MAX_PLACE_BYTES (64u << 10)
#define MAX_NOTE 256

/* What was written of an address. */
struct block {
	size_t at, len;
};

struct lookup {
	struct dumper *dumper;
	struct target target;
	struct places places;
	struct code code;
	struct block *blocks; /* by the order of the addresses */
	struct buffer text, sources, place;
	uint32_t source_count;
};

/* ---- what is written down ---- */

/* An address, and behind its place whatever else is to be said. */
static void write_address(struct lookup *l, const struct place *x, const char *note,
			  const uint64_t *vaddr, const struct finder_frame *frames, uint32_t count)
{
	const char *path = x->file == UNWINDER_NO_FILE ? (*x->label ? x->label : NULL)
						       : target_path(l->target.from, x->file);
	struct listing_item item = {
		.addr = l->dumper->job.addresses[x->order],
		.caller = l->dumper->job.callers[x->order],
		.path = path,
		.vaddr = vaddr,
		.frames = frames,
		.count = count,
	};
	struct block *block = &l->blocks[x->order];

	buffer_clear(&l->place);
	place_describe(&l->places, x, &l->target, &l->place);
	if (vaddr)
		buffer_printf(&l->place, " at 0x%" PRIx64, *vaddr);
	buffer_text(&l->place, note);
	item.place = buffer_cstr(&l->place);
	if (!item.place)
		item.place = "";
	block->at = l->text.len;
	listing_put(&l->text, &l->dumper->job, &item);
	block->len = l->text.len - block->at;
}

static void write_origin(struct lookup *l, const char *whose, const struct origin *origin)
{
	bool json = l->dumper->job.json;

	if (json)
		buffer_text(&l->sources, l->source_count ? ",\n" : "\n");
	l->source_count++;
	listing_put_origin(&l->sources, &l->dumper->job, whose, origin);
}

__attribute__((format(printf, 4, 5))) static void
write_source(struct lookup *l, const char *whose, const char *what, const char *fmt, ...)
{
	struct origin origin = { .what = what };
	va_list args;

	va_start(args, fmt);
	vsnprintf(origin.result, sizeof(origin.result), fmt, args);
	va_end(args);
	write_origin(l, whose, &origin);
}

/* The function of an answer, as the only frame; false if it has none. */
static bool frame_of(const struct symbols *s, const struct symbol_answer *a,
		     struct finder_frame *ret)
{
	if (a->function == SYMBOLS_NONE)
		return false;
	*ret = (struct finder_frame){
		.name = s->strings + s->functions[a->function].name,
		.system_name = s->strings + s->functions[a->function].system_name,
		.file = "",
	};
	return true;
}

/* All the same: nothing more is known. */
static void write_bare(struct lookup *l, const struct place *all, uint32_t count, const char *note)
{
	for (uint32_t i = 0; i < count; i++)
		write_address(l, &all[i], note, NULL, NULL, 0);
}

/* ---- a file ---- */

static uint64_t *offsets_of(const struct place *all, uint32_t count)
{
	uint64_t *offsets = calloc(count + 1ul, sizeof(*offsets));

	for (uint32_t i = 0; offsets && i < count; i++)
		offsets[i] = all[i].offset;
	return offsets;
}

static void write_found(struct lookup *l, const struct place *all, uint32_t count,
			const struct finder *f)
{
	struct finder_frame frames[FINDER_MAX_FRAMES];

	for (uint32_t i = 0; i < f->origin_count; i++)
		write_origin(l, f->subject.name, &f->origins[i]);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t n = finder_frames(f, i, frames, FINDER_MAX_FRAMES);
		uint64_t vaddr;
		bool known = finder_vaddr(f, i, &vaddr);

		write_address(l, &all[i], all[i].executable ? "" : ", mapped as data",
			      known ? &vaddr : NULL, frames, n);
	}
}

static int file_write(struct lookup *l, const struct place *all, uint32_t count,
		      const uint64_t *offsets)
{
	const struct target_sources *from = l->target.from;
	struct finder_subject subject = {
		.file = all->file,
		.name = target_path(from, all->file),
		.place = file_table_place(from->files, all->file),
		.addresses = offsets,
		.count = count,
		.by_offset = true,
		.patience_ns = FINDER_PATIENCE_NS,
	};
	char note[sizeof(struct err) + 16];
	struct finder found;
	struct err err;
	int r = target_file(from, all->file, &subject.fd);

	if (r < 0) {
		snprintf(note, sizeof(note), ", which cannot be read: %s", strerror(-r));
		write_bare(l, all, count, note);
		return 0;
	}
	r = finder_run(&found, from->names, &subject, &err);
	if (r == 0) {
		write_found(l, all, count, &found);
	} else {
		write_source(l, subject.name, "file", "%s", err.text);
		write_bare(l, all, count,
			   r == -ENOEXEC ? ", which is no ELF file of this machine"
					 : ", which could not be read");
	}
	finder_release(&found);
	return 0;
}

/* The vDSO is nobody's file and has no debug file: only its symbols are asked for. */
static int vdso_write(struct lookup *l, const struct place *all, uint32_t count,
		      const uint64_t *offsets)
{
	struct live_names *names = l->target.from->names;
	struct finder_frame frame;
	const void *bytes;
	struct symbols s;
	struct err err;
	uint32_t len;
	int fd = live_names_vdso(names, &err), r = fd;

	if (r >= 0)
		r = symbols_client_ask(names->client, SYMBOLS_ELF, &fd, 1, offsets, count, &s,
				       &bytes, &len, &err);
	if (r < 0) {
		write_source(l, "[vdso]", "symbols", "%s", err.text);
		write_bare(l, all, count, "");
		return 0;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct symbol_answer *a = &s.answers[i];
		bool known = a->module != SYMBOLS_NONE;

		write_address(l, &all[i], "", known ? &a->vaddr : NULL, &frame,
			      frame_of(&s, a, &frame));
	}
	return 0;
}

static int group_file(struct lookup *l, const struct place *all, uint32_t count)
{
	_cleanup_(free_ptr) uint64_t *offsets = offsets_of(all, count);

	if (!offsets)
		return -ENOMEM;
	return all->file == TARGET_VDSO ? vdso_write(l, all, count, offsets)
					: file_write(l, all, count, offsets);
}

/* ---- the kernel, and code in no file ---- */

static uint64_t *addresses_of(const struct place *all, uint32_t count)
{
	uint64_t *addresses = calloc(count + 1ul, sizeof(*addresses));

	for (uint32_t i = 0; addresses && i < count; i++)
		addresses[i] = all[i].addr;
	return addresses;
}

static void kernel_write(struct lookup *l, const struct place *all, uint32_t count,
			 const struct symbols *s)
{
	bool hidden = s->reply->status == SYMBOLS_NO_ADDRESSES;
	struct finder_frame frame;
	char note[MAX_NOTE];
	uint32_t named = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct symbol_answer *a = &s->answers[i];
		const char *module =
			a->module == SYMBOLS_NONE ? "" : s->strings + s->modules[a->module].name;
		bool known = frame_of(s, a, &frame);

		named += known;
		snprintf(note, sizeof(note), "%s%s%s", *module ? ", module " : "", module,
			 hidden ? ", whose names take root, or CAP_SYSLOG" : "");
		write_address(l, &all[i], note, NULL, &frame, known);
	}
	if (hidden)
		write_source(l, "[kernel]", "/proc/kallsyms",
			     "it shows no addresses (no CAP_SYSLOG, or kernel.kptr_restrict is 2)");
	else
		write_source(l, "[kernel]", "/proc/kallsyms", "%u of %u addresses named", named,
			     count);
}

static int group_kernel(struct lookup *l, const struct place *all, uint32_t count)
{
	_cleanup_(free_ptr) uint64_t *addresses = addresses_of(all, count);
	const void *bytes;
	struct symbols s;
	struct err err;
	uint32_t len;

	if (!addresses)
		return -ENOMEM;
	if (live_names_kernel(l->target.from->names, addresses, count, &s, &bytes, &len, &err) <
	    0) {
		write_source(l, "[kernel]", "/proc/kallsyms", "%s", err.text);
		write_bare(l, all, count, ", whose names could not be read");
	} else {
		kernel_write(l, all, count, &s);
	}
	return 0;
}

/* Names by one of the lists, of what has none yet. */
static void list_write(struct lookup *l, const struct place *all, uint32_t count,
		       const uint64_t *addresses, enum code_list list)
{
	static const char *const words[] = { [CODE_DUMP] = "jitdump", [CODE_MAP] = "perf map" };
	struct finder_frame frame;
	struct err err = { "" };
	struct symbols s;
	uint32_t named = 0;
	int r = code_ask(&l->code, list, addresses, count, &s, &err);

	if (r == -ENOENT) {
		write_source(l, "[anonymous memory]", words[list], "%s",
			     list == CODE_MAP ? code_map_reason(l->code.map_error)
					      : "none is mapped");
		return;
	}
	if (r < 0) {
		write_source(l, "[anonymous memory]", words[list], "%s", err.text);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!frame_of(&s, &s.answers[i], &frame))
			continue;
		named++;
		if (!l->blocks[all[i].order].len)
			write_address(l, &all[i], "", NULL, &frame, 1);
	}
	write_source(l, "[anonymous memory]", words[list], "%u of %u addresses named%s", named,
		     count,
		     s.reply->status == SYMBOLS_OK      ? ""
		     : s.reply->status == SYMBOLS_LIMIT ? "; it is too long to be read whole"
							: "; some of it is damaged");
}

/* What stays without a name says why, and what would help. */
static void nameless_write(struct lookup *l, const struct place *all, uint32_t count)
{
	const char *advice = runtime_advice(l->code.runtime);
	char note[MAX_NOTE];

	if (code_is_told(&l->code))
		snprintf(note, sizeof(note), ", which the process's own list does not name");
	else
		snprintf(note, sizeof(note), ", code that its process does not name%s%s",
			 advice ? ": " : "", advice ? advice : "");
	for (uint32_t i = 0; i < count; i++)
		if (!l->blocks[all[i].order].len)
			write_address(l, &all[i], note, NULL, NULL, 0);
}

static int group_code(struct lookup *l, const struct place *all, uint32_t count)
{
	_cleanup_(free_ptr) uint64_t *addresses = addresses_of(all, count);

	if (!addresses)
		return -ENOMEM;
	for (uint32_t at = 0, part; at < count; at += part) {
		part = count - at;
		if (part > SYMBOLS_MAX_CODE_ADDRESSES)
			part = SYMBOLS_MAX_CODE_ADDRESSES;
		for (enum code_list list = 0; list < CODE_LISTS; list++)
			list_write(l, all + at, part, addresses + at, list);
	}
	nameless_write(l, all, count);
	return 0;
}

/* ---- all ---- */

static int group_write(struct lookup *l, const struct place *all, uint32_t count)
{
	switch (all->kind) {
	case PLACE_FILE:
		return group_file(l, all, count);
	case PLACE_KERNEL:
		return group_kernel(l, all, count);
	case PLACE_CODE:
		return group_code(l, all, count);
	default:
		write_bare(l, all, count, "");
		return 0;
	}
}

static int groups_write(struct lookup *l)
{
	int r = 0;

	for (uint32_t at = 0, n; at < l->places.count && r == 0; at += n) {
		n = places_alike(&l->places, at);
		r = group_write(l, &l->places.all[at], n);
	}
	if (r == 0)
		r = buffer_error(&l->text);
	return r == 0 ? buffer_error(&l->sources) : r;
}

static void answer_put(struct lookup *l, struct buffer *out)
{
	const struct dump_job *job = &l->dumper->job;

	if (job->json) {
		buffer_printf(out, "{\n\t\"pid\": %" PRIu32 ",\n\t\"name\": ", l->target.pid);
		text_json(out, l->target.status.comm, strlen(l->target.status.comm));
		buffer_text(out, ",\n\t\"sources\": [");
		buffer_append(out, l->sources.data, l->sources.len);
		buffer_text(out, "\n\t],\n\t\"addresses\": [\n");
	}
	for (uint32_t i = 0; i < job->address_count; i++) {
		buffer_append(out, l->text.data + l->blocks[i].at, l->blocks[i].len);
		if (job->json)
			buffer_text(out, i + 1 < job->address_count ? ",\n" : "\n");
	}
	if (job->json)
		buffer_text(out, "\t]\n}\n");
	else
		buffer_append(out, l->sources.data, l->sources.len);
}

/* The lists of code are looked for only where there is such code. */
static void code_find(struct lookup *l)
{
	const struct target_sources *from = l->target.from;
	struct target t;

	for (uint32_t i = 0; i < l->places.count; i++) {
		if (l->places.all[i].kind != PLACE_CODE)
			continue;
		if (target_read(&t, from, l->target.pid, NULL) == 0)
			code_open(&l->code, &t);
		target_release(&t);
		return;
	}
}

/* It may end while it is looked at: then what is missing is missing for that. */
static void end_tell(struct lookup *l)
{
	struct process_status status = { 0 };
	struct err err;

	if (target_status(l->target.from, l->target.pid, &status, &err) != -ESRCH &&
	    status.state != 'Z' && status.state != 'X')
		return;
	err_set(&err, -ESRCH, "process %u (%s) ended while it was looked at", l->target.pid,
		l->target.status.comm);
	dumper_say(l->dumper, &err);
}

static int lookup_run(struct lookup *l, struct err *err)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(2 * MAX_TEXT_BYTES);
	const struct dump_job *job = &l->dumper->job;
	_cleanup_(free_ptr) uint64_t *sought = calloc(job->address_count + 1ul, sizeof(*sought));
	int r;

	if (!sought)
		return err_errno(err, -ENOMEM, "cannot look up addresses");
	r = target_begin(&l->target, &l->dumper->from, job->pids[0], err);
	for (uint32_t i = 0; r == 0 && i < job->address_count; i++)
		sought[i] = dump_job_sought(job, i);
	if (r == 0)
		r = places_find(&l->places, &l->target, sought, job->address_count, err);
	if (r < 0) // NOLINT(clang-analyzer-unix.Malloc): freed by _cleanup_
		return r;
	code_find(l);
	r = groups_write(l);
	if (r < 0)
		return err_errno(err, r, "cannot keep the names of so many addresses");
	answer_put(l, &out);
	r = dumper_flush(l->dumper, &out);
	if (r < 0)
		return err_errno(err, r, "cannot print names");
	end_tell(l);
	return 0;
}

int dump_addresses(struct dumper *d, struct err *err)
{
	struct lookup l = { .dumper = d, .code = { .map_fd = -1, .dump = UNWINDER_NO_FILE } };
	int r;

	l.code.from = &d->from;
	l.code.map_error = -ENOENT;
	buffer_init(&l.text, MAX_TEXT_BYTES);
	buffer_init(&l.sources, MAX_SOURCES_BYTES);
	buffer_init(&l.place, MAX_PLACE_BYTES);
	l.blocks = calloc(d->job.address_count + 1ul, sizeof(*l.blocks));
	r = l.blocks ? lookup_run(&l, err) : err_errno(err, -ENOMEM, "cannot look up addresses");
	code_close(&l.code);
	places_release(&l.places);
	target_release(&l.target);
	buffer_release(&l.place);
	buffer_release(&l.sources);
	buffer_release(&l.text);
	free(l.blocks);
	return r;
}
