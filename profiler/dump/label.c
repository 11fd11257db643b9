// SPDX-License-Identifier: Apache-2.0
/*
 * Sorted by file and offset, which makes a request of each file's part; then looked up by halves.
 */
#include "profiler/dump/label.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/dump/finder.h"

#define MAX_STRINGS_BYTES (32u << 20)
#define MAX_LINES (1u << 21)

void labels_init(struct labels *l, bool lines)
{
	*l = (struct labels){ .lines_wanted = lines,
			      .patience_ns = lines ? FINDER_PATIENCE_NS : 0 };
	buffer_init(&l->strings, MAX_STRINGS_BYTES);
}

void labels_release(struct labels *l)
{
	array_release(&l->all);
	array_release(&l->lines);
	index_release(&l->string_index);
	buffer_release(&l->strings);
}

void labels_clear(struct labels *l)
{
	l->all.count = 0;
	l->lines.count = 0;
	index_release(&l->string_index);
	buffer_clear(&l->strings);
}

int labels_want(struct labels *l, uint32_t file, uint64_t offset)
{
	struct label *label = array_push(&l->all, LABELS_MAX);

	if (!label)
		return l->all.count == LABELS_MAX ? -E2BIG : -ENOMEM;
	*label = (struct label){ .offset = offset, .file = file };
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct label *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void sort(struct labels *l)
{
	uint32_t kept = 0;

	if (l->all.count)
		qsort(l->all.items, l->all.count, sizeof(*l->all.items), compare);
	for (uint32_t i = 0; i < l->all.count; i++)
		if (!kept || compare(&l->all.items[kept - 1], &l->all.items[i]) != 0)
			l->all.items[kept++] = l->all.items[i];
	l->all.count = kept;
}

/* ---- strings ---- */

static bool string_equal(const void *owner, uint32_t item, const void *key)
{
	const struct labels *l = owner;

	return !strcmp(l->strings.data + item, key);
}

/* Each once. Its place; 0 for "", and where there is no room. */
static uint32_t string_keep(struct labels *l, const char *s)
{
	size_t len = strlen(s);
	uint64_t hash = hash_bytes(s, len);
	uint32_t at = (uint32_t)l->strings.len, found;

	if (!len)
		return 0;
	found = index_find(&l->string_index, hash, string_equal, l, s);
	if (found != UINT32_MAX)
		return found;
	buffer_append(&l->strings, s, len + 1);
	if (buffer_error(&l->strings) < 0) { /* what is in it is whole */
		l->strings.error = 0;
		return 0;
	}
	return index_add(&l->string_index, hash, at) < 0 ? 0 : at;
}

/* ---- what is in no ELF file of a process ---- */

/* What has a name keeps it. */
static void apply(struct labels *l, struct label *labels, uint32_t count, const struct symbols *s)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct symbol_answer *a = &s->answers[i];

		if (a->function == SYMBOLS_NONE || labels[i].name)
			continue;
		labels[i].name = string_keep(l, s->strings + s->functions[a->function].name);
		labels[i].within = a->vaddr - s->functions[a->function].start;
		labels[i].placed = true;
	}
}

static void vdso_take(struct labels *l, const struct target_sources *from, int fd,
		      struct label *labels, const uint64_t *offsets, uint32_t count)
{
	const void *bytes;
	struct symbols s;
	uint32_t len;

	if (symbols_client_ask(from->names->client, SYMBOLS_ELF, &fd, 1, offsets, count, &s, &bytes,
			       &len, NULL) == 0)
		apply(l, labels, count, &s);
}

/* Of code in no file; the jitdump first, as it has times. */
static void code_take(struct labels *l, const struct code *code, struct label *labels,
		      const uint64_t *addresses, uint32_t count)
{
	struct symbols s;

	for (enum code_list list = 0; list < CODE_LISTS; list++)
		if (code_ask(code, list, addresses, count, &s, NULL) == 0)
			apply(l, labels, count, &s);
}

/* ---- files ---- */

/* The innermost first; where only a name is known, that is no line. */
static void lines_keep(struct labels *l, struct label *label, const struct finder_frame *frames,
		       uint32_t count)
{
	if (count == 1 && !*frames->file && !frames->line)
		return;
	label->first_line = l->lines.count;
	for (uint32_t i = 0; i < count; i++) {
		struct label_line *line = array_push(&l->lines, MAX_LINES);

		if (!line) { /* all of them, or none */
			l->lines.count = label->first_line;
			return;
		}
		*line = (struct label_line){ .name = string_keep(l, frames[i].name),
					     .file = string_keep(l, frames[i].file),
					     .line = frames[i].line };
	}
	label->line_count = count;
}

static void found_take(struct labels *l, struct label *labels, const struct finder *f)
{
	struct finder_frame frames[FINDER_MAX_FRAMES];

	for (uint32_t i = 0; i < f->count; i++) {
		uint32_t count = finder_frames(f, i, frames, FINDER_MAX_FRAMES);

		if (!count)
			continue;
		labels[i].name = string_keep(l, frames[count - 1].name);
		labels[i].placed = finder_within(f, i, &labels[i].within);
		lines_keep(l, &labels[i], frames, count);
	}
}

static void file_take(struct labels *l, const struct target_sources *from, struct label *labels,
		      const uint64_t *offsets, uint32_t count)
{
	struct finder_subject subject = {
		.file = labels->file,
		.name = target_path(from, labels->file),
		.addresses = offsets,
		.count = count,
		.by_offset = true,
		.patience_ns = l->patience_ns,
	};
	uint64_t begun_ns = clock_ns(CLOCK_MONOTONIC), took_ns;
	struct finder found;
	struct err err;

	if (target_file(from, labels->file, &subject.fd) < 0)
		return;
	if (labels->file == TARGET_VDSO) {
		vdso_take(l, from, subject.fd, labels, offsets, count);
		return;
	}
	subject.place = file_table_place(from->files, labels->file);
	if (finder_run(&found, from->names, &subject, &err) == 0)
		found_take(l, labels, &found);
	/* What came after the time was spent is late, too. */
	l->late = l->late || found.lines_late || (l->lines_wanted && !l->patience_ns);
	finder_release(&found);
	took_ns = clock_ns(CLOCK_MONOTONIC) - begun_ns;
	l->patience_ns -= took_ns < l->patience_ns ? took_ns : l->patience_ns;
}

/* All of one file, or as many as a request may have. */
static void ask(struct labels *l, const struct code *code, struct label *labels, uint32_t count)
{
	uint64_t *offsets = calloc(count, sizeof(*offsets));

	for (uint32_t i = 0; offsets && i < count; i++)
		offsets[i] = labels[i].offset;
	if (offsets && labels->file == UNWINDER_NO_FILE)
		code_take(l, code, labels, offsets, count);
	else if (offsets)
		file_take(l, code->from, labels, offsets, count);
	free(offsets);
}

void labels_ask(struct labels *l, const struct code *code)
{
	sort(l);
	if (!l->strings.len)
		buffer_append(&l->strings, "", 1);
	for (uint32_t start = 0, end; start < l->all.count; start = end) {
		end = start + 1;
		while (end < l->all.count && end - start < SYMBOLS_MAX_CODE_ADDRESSES &&
		       l->all.items[end].file == l->all.items[start].file)
			end++;
		ask(l, code, &l->all.items[start], end - start);
	}
}

const struct label *labels_find(const struct labels *l, uint32_t file, uint64_t offset)
{
	const struct label key = { .file = file, .offset = offset };

	if (!l->all.count)
		return NULL;
	return bsearch(&key, l->all.items, l->all.count, sizeof(*l->all.items), compare);
}

const char *label_name(const struct labels *l, const struct label *label)
{
	return label_text(l, label ? label->name : 0);
}

const char *label_text(const struct labels *l, uint32_t string)
{
	return string ? l->strings.data + string : "";
}
