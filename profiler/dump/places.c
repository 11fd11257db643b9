// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses and mappings are both sorted, and looked at side by side. Only files in which an address lies are opened, by the
 * opener and through the process that maps them: so what is deleted, or in a container, is what the process has there.
 *
 * Refused: the list of executable mappings that stacks are unwound by (target.h). Of an address that is not code it could only say
 * that it isn't there.
 */
#include "profiler/dump/places.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/process/maps.h"
#include "profiler/process/process.h"

#define KERNEL_START (1ULL << 63)

static int compare_addresses(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return compare_addresses(a, b);
}

/* ---- one mapping ---- */

/* The file of this mapping, opened. Its number, or UNWINDER_NO_FILE; *ret_error: 0, or why it can't be read. */
static uint32_t file_open(const struct target *t, const struct maps_line *line, uint64_t *root,
			  int *ret_error)
{
	const struct file_place place = {
		.pid = t->pid,
		.parent_pid = t->status.ppid,
		.start = line->start,
		.end = line->end,
		.ino = line->ino,
		.major = line->major,
		.minor = line->minor,
		.path = line->path,
	};
	const struct file *f;
	int file = file_table_intern(t->from->files, &place, root);

	if (file >= 0)
		file = file_table_pin(t->from->files, (uint32_t)file, &place, root);
	*ret_error = file < 0 ? file : 0;
	if (file < 0)
		return UNWINDER_NO_FILE;
	f = file_table_get(t->from->files, (uint32_t)file);
	if (f->state != FILE_PINNED)
		*ret_error = f->state == FILE_FAILED && f->error < 0 ? f->error : -EMFILE;
	return (uint32_t)file;
}

/* What all addresses in this mapping have in common. */
static struct place place_of(const struct target *t, const struct maps_line *line, uint64_t *root)
{
	enum mapping_kind kind = mapping_kind_of(line->path, line->ino);
	struct place place = { .file = UNWINDER_NO_FILE,
			       .executable = line->executable,
			       .deleted = line->deleted };

	if (kind == MAPPING_VDSO) {
		place.kind = PLACE_FILE;
		place.file = TARGET_VDSO;
	} else if (kind == MAPPING_FILE) {
		place.file = file_open(t, line, root, &place.error);
		place.kind = place.error < 0 ? PLACE_UNREAD : PLACE_FILE;
	} else {
		size_t len = strlen(line->path);

		place.kind = line->executable ? PLACE_CODE : PLACE_DATA;
		if (line->path[0] == '[' && len < sizeof(place.label))
			memcpy(place.label, line->path, len + 1);
	}
	return place;
}

/* ---- all of them ---- */

static void line_settle(struct places *p, const struct target *t, const struct maps_line *line,
			uint32_t *next, uint64_t *root)
{
	struct place common;

	while (*next < p->count && p->all[*next].addr < line->start)
		(*next)++;
	if (*next == p->count || p->all[*next].addr >= line->end)
		return;
	common = place_of(t, line, root);
	for (; *next < p->count && p->all[*next].addr < line->end; (*next)++) {
		struct place *x = &p->all[*next];
		uint64_t addr = x->addr;
		uint32_t order = x->order;

		*x = common;
		x->addr = addr;
		x->order = order;
		if (x->kind == PLACE_FILE || x->kind == PLACE_UNREAD)
			x->offset = line->offset + (addr - line->start);
	}
}

static int lines_settle(struct places *p, const struct target *t, const struct buffer *text)
{
	struct maps_line *line = malloc(sizeof(*line));
	uint64_t root = ROOT_UNASKED;
	uint32_t next = 0;

	if (!line)
		return -ENOMEM;
	for (size_t at = 0, used; at < text->len; at += used)
		if (maps_line_parse(text->data + at, text->len - at, line, &used) == 0)
			line_settle(p, t, line, &next, &root);
	free(line);
	return 0;
}

int places_find(struct places *p, const struct target *t, const uint64_t *addresses, uint32_t count,
		struct err *err)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(TARGET_MAX_MAPS_BYTES);
	int r;

	*p = (struct places){ .all = calloc(count + 1ul, sizeof(*p->all)), .count = count };
	if (!p->all)
		return err_errno(err, -ENOMEM, "cannot look for addresses");
	for (uint32_t i = 0; i < count; i++)
		p->all[i] = (struct place){
			.addr = addresses[i],
			.order = i,
			.file = UNWINDER_NO_FILE,
			.kind = addresses[i] >= KERNEL_START ? PLACE_KERNEL : PLACE_NOWHERE,
		};
	r = target_maps(t, &text, err);
	if (r < 0)
		return r;
	p->none_mapped = !text.len;
	qsort(p->all, count, sizeof(*p->all), compare_addresses);
	r = lines_settle(p, t, &text);
	if (r < 0)
		return err_errno(err, r, "cannot look for addresses");
	qsort(p->all, count, sizeof(*p->all), compare_places);
	return 0;
}

void places_release(struct places *p)
{
	free(p->all);
	p->all = NULL;
	p->count = 0;
}

uint32_t places_alike(const struct places *p, uint32_t first)
{
	uint32_t end = first;

	while (end < p->count && p->all[end].kind == p->all[first].kind &&
	       p->all[end].file == p->all[first].file)
		end++;
	return end - first;
}

/* ---- words ---- */

static void put_path(struct buffer *out, const struct place *x, const struct target *t)
{
	const char *path = target_path(t->from, x->file);

	text_escape(out, path, strlen(path));
	if (x->deleted)
		buffer_text(out, " (deleted)");
}

/* Why a file could not be opened, and what would help. */
static void put_error(struct buffer *out, const struct place *x)
{
	int error = x->error;

	if (x->deleted && (error == -ENOENT || error == -ESTALE))
		buffer_text(out, "it was deleted or replaced, and only root, or "
				 "CAP_CHECKPOINT_RESTORE, can still open it");
	else if (error == -ESTALE)
		buffer_text(out, "another file has its name now");
	else if (error == -EMFILE)
		buffer_text(out, "too many files at once");
	else if (error == -ETIMEDOUT)
		buffer_text(out, "its file system gave no answer");
	else
		buffer_text(out, strerror(-error));
}

static void put_process(struct buffer *out, const struct target *t)
{
	buffer_printf(out, "process %" PRIu32 " (", t->pid);
	text_escape(out, t->status.comm, strlen(t->status.comm));
	buffer_text(out, ")");
}

void place_describe(const struct places *p, const struct place *x, const struct target *t,
		    struct buffer *out)
{
	switch (x->kind) {
	case PLACE_FILE:
		buffer_text(out, "in ");
		put_path(out, x, t);
		break;
	case PLACE_UNREAD:
		buffer_text(out, "in ");
		put_path(out, x, t);
		buffer_text(out, ", which cannot be opened: ");
		put_error(out, x);
		break;
	case PLACE_CODE:
	case PLACE_DATA:
		buffer_printf(out, "in %s", *x->label ? x->label : "anonymous memory");
		if (x->kind == PLACE_DATA)
			buffer_text(out, ", which is not code");
		break;
	case PLACE_KERNEL:
		buffer_text(out, "in the kernel");
		break;
	case PLACE_NOWHERE:
		if (p->none_mapped) {
			buffer_text(out, "nowhere: ");
			put_process(out, t);
			buffer_text(out,
				    " has no memory, it is the kernel's own or has just ended");
		} else {
			buffer_text(out, "in no mapping of ");
			put_process(out, t);
		}
		break;
	}
}
