// SPDX-License-Identifier: Apache-2.0
/*
 * Sorted by file and offset, which makes a request of each file's part; then looked up by halves.
 */
#include "profiler/dump/label.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STRINGS_BYTES (32u << 20)

void labels_init(struct labels *l)
{
	*l = (struct labels){ 0 };
	buffer_init(&l->strings, MAX_STRINGS_BYTES);
}

void labels_release(struct labels *l)
{
	array_release(&l->all);
	buffer_release(&l->strings);
}

void labels_clear(struct labels *l)
{
	l->all.count = 0;
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

/* A function's name, once in the strings; `known` has where, by its number in the reply. */
static uint32_t name_keep(struct labels *l, const struct symbols *s, uint32_t function,
			  uint32_t *known)
{
	const char *name = s->strings + s->functions[function].name;
	uint32_t at = (uint32_t)l->strings.len;

	if (known[function])
		return known[function];
	buffer_append(&l->strings, name, strlen(name) + 1);
	if (buffer_error(&l->strings) < 0) { /* what is in it is whole */
		l->strings.error = 0;
		return 0;
	}
	known[function] = at;
	return at;
}

/* What has a name keeps it. */
static void apply(struct labels *l, struct label *labels, uint32_t count, const struct symbols *s)
{
	uint32_t *known = calloc(s->reply->function_count + 1UL, sizeof(*known));

	for (uint32_t i = 0; known && i < count; i++) {
		const struct symbol_answer *a = &s->answers[i];

		if (a->function == SYMBOLS_NONE || labels[i].name)
			continue;
		labels[i].name = name_keep(l, s, a->function, known);
		labels[i].within = a->vaddr - s->functions[a->function].start;
	}
	free(known);
}

static int file_ask(const struct target_sources *from, uint32_t file, int fd,
		    const uint64_t *offsets, uint32_t count, struct symbols *ret)
{
	const void *bytes;
	uint32_t len;

	if (file == TARGET_VDSO)
		return symbols_client_ask(from->names->client, SYMBOLS_ELF, &fd, 1, offsets, count,
					  ret, &bytes, &len, NULL);
	return live_names_file(from->names, file, fd, offsets, count, ret, &bytes, &len, NULL);
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

static void file_take(struct labels *l, const struct target_sources *from, struct label *labels,
		      const uint64_t *offsets, uint32_t count)
{
	struct symbols s;
	int fd;

	if (target_file(from, labels->file, &fd) >= 0 &&
	    file_ask(from, labels->file, fd, offsets, count, &s) == 0)
		apply(l, labels, count, &s);
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
	return label && label->name ? l->strings.data + label->name : "";
}
