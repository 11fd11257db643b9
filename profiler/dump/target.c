// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/PID/maps once, before the threads are stopped: what is mapped while we look has no names and ends
 * stacks. Files are opened by the opener, through the process that maps them, so that containers and deleted
 * files are what the process runs.
 */
#include "profiler/dump/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/process/maps.h"
#include "profiler/process/process.h"

#define MAX_STATUS_BYTES 16384u

int target_status(const struct target_sources *from, uint32_t pid, struct process_status *ret,
		  struct err *err)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(MAX_STATUS_BYTES);
	int r = from->source->read(from->source->ctx, PROCESS_TEXT_STATUS, pid, &text);

	if (r == -ENOENT || r == -ESRCH)
		return err_set(err, -ESRCH, "there is no process %u", pid);
	if (r == 0)
		r = process_status_parse(text.data, text.len, ret);
	return r < 0 ? err_errno(err, r, "cannot read /proc/%u/status", pid) : 0;
}

/* The number of the file at this mapping, which is held open; or UNWINDER_NO_FILE. */
static uint32_t file_of(struct target *t, const struct maps_line *line, uint64_t *root)
{
	const struct file_place place = {
		.pid = t->pid,
		.start = line->start,
		.end = line->end,
		.ino = line->ino,
		.major = line->major,
		.minor = line->minor,
		.path = line->path,
	};
	enum mapping_kind kind = mapping_kind_of(line->path, line->ino);
	int file;

	if (kind == MAPPING_VDSO)
		return TARGET_VDSO;
	if (kind != MAPPING_FILE)
		return UNWINDER_NO_FILE;
	file = file_table_intern(t->from->files, &place, root);
	if (file >= 0)
		file = file_table_pin(t->from->files, (uint32_t)file, &place, root);
	return file < 0 ? UNWINDER_NO_FILE : (uint32_t)file;
}

/* Each line in turn into *line. */
static int lines_parse(struct target *t, const struct buffer *text, struct maps_line *line)
{
	uint64_t root = ROOT_UNASKED, end = 0;

	for (size_t at = 0, used; at < text->len; at += used) {
		struct unwinder_mapping *m;

		if (maps_line_parse(text->data + at, text->len - at, line, &used) < 0 ||
		    !line->executable || line->start < end)
			continue;
		m = array_push(&t->mappings, DUMP_MAX_MAPPINGS);
		if (!m)
			return t->mappings.count == DUMP_MAX_MAPPINGS ? -E2BIG : -ENOMEM;
		*m = (struct unwinder_mapping){ .start = line->start,
						.end = line->end,
						.offset = line->offset };
		m->file = file_of(t, line, &root);
		end = line->end;
	}
	return 0;
}

static int mappings_parse(struct target *t, const struct buffer *text)
{
	struct maps_line *line = malloc(sizeof(*line));
	int r = line ? lines_parse(t, text, line) : -ENOMEM;

	free(line);
	return r;
}

int target_begin(struct target *t, const struct target_sources *from, uint32_t pid, struct err *err)
{
	int r;

	*t = (struct target){ .from = from, .pid = pid };
	r = target_status(from, pid, &t->status, err);
	if (r < 0)
		return r;
	if (t->status.tgid != pid)
		return err_set(err, -EINVAL, "%u is a thread of process %u", pid, t->status.tgid);
	if (t->status.state == 'Z' || t->status.state == 'X')
		return err_set(err, -ESRCH, "process %u (%s) has ended, and waits for its parent",
			       pid, t->status.comm);
	return 0;
}

/* What a look at the mappings came to, in a sentence. */
static int maps_fail(const struct target *t, int r, struct err *err)
{
	if (r == -EACCES || r == -EPERM)
		return err_set(err, r,
			       "process %u (%s) may not be looked at: that takes root, or "
			       "CAP_SYS_PTRACE, or to be its user",
			       t->pid, t->status.comm);
	if (r == -ESRCH || r == -ENOENT)
		return err_set(err, -ESRCH, "process %u (%s) has just ended", t->pid,
			       t->status.comm);
	return err_errno(err, r, "cannot read the mappings of process %u (%s)", t->pid,
			 t->status.comm);
}

int target_maps(const struct target *t, struct buffer *text, struct err *err)
{
	int r = t->from->source->read(t->from->source->ctx, PROCESS_TEXT_MAPS, t->pid, text);

	return r < 0 ? maps_fail(t, r, err) : 0;
}

int target_read(struct target *t, const struct target_sources *from, uint32_t pid, struct err *err)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(TARGET_MAX_MAPS_BYTES);
	int r = target_begin(t, from, pid, err);

	if (r == 0)
		r = target_maps(t, &text, err);
	if (r < 0)
		return r;
	r = mappings_parse(t, &text);
	if (r < 0)
		return maps_fail(t, r, err);
	if (!t->mappings.count)
		return err_set(err, -ENOEXEC,
			       "process %u (%s) has no code mapped: it is the kernel's, or has "
			       "just ended",
			       pid, t->status.comm);
	return 0;
}

void target_release(struct target *t)
{
	array_release(&t->mappings);
}

const struct unwinder_mapping *target_mapping(const struct target *t, uint64_t addr)
{
	return unwinder_mapping_find(t->mappings.items, t->mappings.count, addr);
}

int target_file(const struct target_sources *from, uint32_t file, int *ret_fd)
{
	int r;

	if (file == TARGET_VDSO) {
		r = live_names_vdso(from->names, NULL);
		*ret_fd = r;
		return r < 0 ? r : 0;
	}
	if (file >= file_table_count(from->files))
		return -ENOENT;
	if (file_table_get(from->files, file)->state != FILE_PINNED)
		return -ENOENT;
	return file_table_borrow(from->files, file, ret_fd);
}

const char *target_path(const struct target_sources *from, uint32_t file)
{
	if (file == TARGET_VDSO)
		return "[vdso]";
	if (file == UNWINDER_NO_FILE || file >= file_table_count(from->files))
		return "";
	return file_table_get(from->files, file)->path;
}
