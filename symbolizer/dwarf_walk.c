// SPDX-License-Identifier: Apache-2.0
/*
 * Entries come as a tree, written in order. Only functions and inlined ones are decoded; of all others it is
 * enough to know how long they are. A function's name is looked up where its origin is, once for each origin.
 *
 * Refused: dwarf_getscopes() and its like for each address, which walk a unit every time (37 ms each on a large one).
 */
#include "symbolizer/dwarf_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dwarf.h>

#include "symbolizer/dwarf_line.h"
#include "symbolizer/dwarf_ranges.h"
#include "symbolizer/dwarf_unit.h"
#include "symbolizer/dwarf_value.h"
#include "symbolizer/lines_builder.h"
#include "symbolizer/protocol.h"

#define MAX_DEPTH 1024u /* of the tree */
#define MAX_REFERENCES 8u /* from an entry to its name; honest ones need three */
#define MAX_NAMES (1u << 23)

struct named {
	uint64_t entry; /* its offset; its lowest bit: in the alternate file */
	uint32_t name; /* string */
};

struct walk {
	struct dwarf dwarf;
	struct lines_builder builder;
	struct dwarf_line_files files;
	struct dwarf_ranges ranges;
	struct index index; /* of the names below, by entry */
	ARRAY(struct named) names;
	struct dwarf_unit *unit; /* under way */
	uint32_t scopes[MAX_DEPTH + 1]; /* in force at each depth, or LINES_NONE */
};

/* What ends the walk, as no index comes of it any more: 0, or the error. */
static int trouble(const struct walk *w)
{
	return w->builder.error ? w->builder.error : w->dwarf.out_of_memory ? -ENOMEM : 0;
}

/* ---- names ---- */

static uint32_t string_add(struct walk *w, const char *s)
{
	size_t len = strnlen(s, SYMBOLS_MAX_NAME);

	return dwarf_step_string(&w->dwarf, len) ? lines_builder_string(&w->builder, s, len) : 0;
}

static const struct dwarf_value *origin_of(const struct dwarf_entry *e)
{
	return e->origin.form ? &e->origin : e->specification.form ? &e->specification : NULL;
}

/*
 * As llvm-symbolizer has it: the first linkage name on the way through origins and specifications, else the first
 * plain one. `offset` of `u` is the first entry on that way.
 */
static uint32_t name_search(struct walk *w, struct dwarf_unit *u, uint64_t offset)
{
	const char *plain = NULL;

	for (uint32_t i = 0; i < MAX_REFERENCES; i++) {
		const struct dwarf_value *next;
		struct dwarf_entry e;

		if (!dwarf_entry_at(&w->dwarf, u, offset, &e))
			break;
		if (e.linkage_name)
			return string_add(w, e.linkage_name);
		if (!plain)
			plain = e.name;
		next = origin_of(&e);
		if (!next || !dwarf_reference(&w->dwarf, u, next, &u, &offset))
			break;
	}
	return plain ? string_add(w, plain) : 0;
}

static bool entry_equal(const void *owner, uint32_t item, const void *key)
{
	const struct walk *w = owner;

	return w->names.items[item].entry == *(const uint64_t *)key;
}

static uint32_t name_referred(struct walk *w, const struct dwarf_value *origin)
{
	struct dwarf_unit *u;
	uint64_t offset, key, hash;
	struct named *named;
	uint32_t item;

	if (!dwarf_reference(&w->dwarf, w->unit, origin, &u, &offset))
		return 0;
	key = offset << 1 | u->alternate;
	hash = key * 0x9e3779b97f4a7c15ull;
	hash ^= hash >> 32;
	item = index_find(&w->index, hash, entry_equal, w, &key);
	if (item != UINT32_MAX)
		return w->names.items[item].name;
	named = array_push(&w->names, MAX_NAMES);
	if (!named || index_add(&w->index, hash, w->names.count - 1) < 0) {
		w->dwarf.out_of_memory = true;
		return 0;
	}
	*named = (struct named){ key, name_search(w, u, offset) };
	return named->name;
}

static uint32_t name_of(struct walk *w, const struct dwarf_entry *e)
{
	const struct dwarf_value *origin = origin_of(e);
	uint32_t name = 0;

	if (e->linkage_name)
		return string_add(w, e->linkage_name);
	if (origin)
		name = name_referred(w, origin);
	return !name && e->name ? string_add(w, e->name) : name;
}

/* ---- entries ---- */

/* A function that has code: its scope, or LINES_NONE if it has none that is still there. */
static uint32_t function_add(struct walk *w, const struct dwarf_entry *e, uint32_t parent)
{
	bool inlined = e->tag == DW_TAG_inlined_subroutine;
	struct lines_scope scope = { .parent = inlined ? parent : LINES_NONE };
	uint32_t number, i = 0;

	/* Of a function that the linker threw away, which starts at 0, what was inlined may seem to be in other code. */
	if (inlined && parent == LINES_NONE)
		return LINES_NONE;
	if (!dwarf_ranges_read(&w->dwarf, w->unit, e, &w->ranges))
		w->unit->damaged = true;
	while (i < w->ranges.items.count &&
	       !lines_builder_has_code(&w->builder, w->ranges.items.items[i].start))
		i++;
	if (i == w->ranges.items.count)
		return LINES_NONE;
	scope.name = name_of(w, e);
	if (inlined) {
		scope.call_file = dwarf_line_path(&w->dwarf, &w->files, &w->builder, e->call_file);
		scope.call_line = e->call_line;
	}
	number = lines_builder_scope(&w->builder, &scope);
	for (; i < w->ranges.items.count; i++)
		lines_builder_claim(&w->builder, number, w->ranges.items.items[i].start,
				    w->ranges.items.items[i].limit);
	return number;
}

/* Passes over an entry and all below it, by its DW_AT_sibling. */
static bool leap(const struct walk *w, struct bytes *b, const struct dwarf_abbrevs *t,
		 const struct dwarf_abbrev *a, const uint8_t *unit_start)
{
	const struct dwarf_spec *specs = dwarf_abbrev_specs(t, a);
	uint64_t to = 0;

	for (uint32_t i = 0; i < a->spec_count; i++) {
		struct dwarf_value v;

		if (!dwarf_value_read(b, &specs[i], &t->format, &v))
			return false;
		if (specs[i].attribute == DW_AT_sibling)
			to = v.form == DW_FORM_ref_addr ? v.number - w->unit->offset : v.number;
	}
	if (to > (uint64_t)(b->end - unit_start) || unit_start + to < b->at)
		return false;
	b->at = unit_start + to;
	return true;
}

static bool unit_walk(struct walk *w)
{
	struct dwarf *d = &w->dwarf;
	const struct dwarf_unit *u = w->unit;
	const struct dwarf_abbrevs *t = dwarf_unit_abbrevs(d, u);
	struct bytes b = dwarf_section_bytes(dwarf_file_of(d, u), DWARF_INFO, u->offset);
	const uint8_t *start = b.at;
	uint32_t depth = 0;

	b.end = start + (u->end - u->offset);
	b.at += u->header_bytes;
	w->scopes[0] = LINES_NONE;
	while (bytes_left(&b)) {
		uint64_t code = bytes_uleb(&b);
		const struct dwarf_abbrev *a;
		uint32_t scope = w->scopes[depth];

		if (!code) {
			/* What is behind the tree is padding. */
			if (depth <= 1)
				return true;
			depth--;
			continue;
		}
		a = t ? dwarf_abbrevs_find(t, code) : NULL;
		if (!a)
			return false;
		/* An entry of one byte may have a thousand attributes of none; dwarf_entry_read() takes its own. */
		if (!a->code_bearing && !dwarf_step(d, 1ull + a->spec_count))
			return false;
		if (a->leapt) {
			if (!leap(w, &b, t, a, start))
				return false;
			continue;
		}
		if (a->code_bearing) {
			struct dwarf_entry e;

			if (!dwarf_entry_read(d, u, t, a, &b, &e))
				return false;
			scope = function_add(w, &e, scope);
			if (trouble(w) < 0)
				return false;
			t = dwarf_unit_abbrevs(d, u); /* a name may have been in another unit */
			if (!e.children)
				continue;
		} else {
			bool function = a->tag == DW_TAG_subprogram;

			if (!dwarf_values_skip(&b, t, a))
				return false;
			if (!a->children)
				continue;
			if (function)
				scope = LINES_NONE;
		}
		if (depth == MAX_DEPTH)
			return false;
		w->scopes[++depth] = scope;
	}
	return depth <= 1;
}

/* ---- all of it ---- */

static int units_walk(struct walk *w)
{
	struct dwarf *d = &w->dwarf;

	for (uint32_t i = 0; i < d->units.count; i++) {
		struct dwarf_unit *u = &d->units.items[i];
		bool whole;

		if (u->type == DW_UT_type || u->type == DW_UT_split_type)
			continue;
		w->unit = u;
		lines_builder_unit(&w->builder);
		whole = dwarf_unit_prepare(d, u);
		if (whole) {
			whole = dwarf_line_read(d, u, &w->files, &w->builder);
			whole = unit_walk(w) && whole && !u->damaged;
		}
		d->units_damaged += !whole;
		if (trouble(w) < 0)
			return trouble(w);
		if (!d->work)
			return -E2BIG;
	}
	return 0;
}

static int image_write(struct walk *w, struct buffer *ret)
{
	const struct dwarf *d = &w->dwarf;
	const struct elf_file *elf = &d->file.elf;
	struct lines_header h = { .units = d->units_found, .units_damaged = d->units_damaged };

	if (d->file.compressed)
		h.flags |= LINES_COMPRESSED;
	if (d->alternate.bytes)
		h.flags |= LINES_ALTERNATE;
	else if (d->file.needs_alternate)
		h.flags |= LINES_NO_ALTERNATE;
	if (elf->damaged || d->alternate.elf.damaged)
		h.flags |= LINES_DAMAGED;
	for (uint32_t i = 0; i < d->units.count; i++)
		if (d->units.items[i].split)
			h.flags |= LINES_SPLIT;
	h.build_id_bytes = elf->build_id_bytes;
	memcpy(h.build_id, elf->build_id, elf->build_id_bytes);
	return lines_builder_write(&w->builder, &h, ret);
}

static void walk_free(struct walk *w)
{
	index_release(&w->index);
	array_release(&w->names);
	array_release(&w->ranges.items);
	dwarf_line_files_release(&w->files);
	lines_builder_release(&w->builder);
	dwarf_release(&w->dwarf);
	free(w);
}

int dwarf_walk(int fd, int alternate, size_t max_bytes, struct buffer *ret_image)
{
	struct walk *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	r = dwarf_open(&w->dwarf, fd, alternate, max_bytes);
	if (r == 0)
		r = lines_builder_init(&w->builder, &w->dwarf.file.elf);
	if (r == 0)
		r = units_walk(w);
	if (r == 0)
		r = image_write(w, ret_image);
	walk_free(w);
	return r;
}
