// SPDX-License-Identifier: Apache-2.0
/*
 * The symbolizer's own reader takes honest files apart here; it is the mutants that it is tested with. A section is
 * found in the file by its bytes, which are the same there unless it is compressed.
 */
#include "tests/hostile/dwarf_fields.h"

#include <stdlib.h>
#include <string.h>

#include <dwarf.h>

#include "symbolizer/dwarf_unit.h"
#include "symbolizer/dwarf_value.h"

#define MAX_FIELDS (1u << 16) /* of a kind */
#define MAX_SECTION_BYTES (64u << 20)
#define MAX_LINE_BYTES 4096u /* of each program */
#define MAX_ABBREV_BYTES 4096u /* of each table */

struct finder {
	struct dwarf_fields *fields;
	struct dwarf *dwarf;
	uint64_t places[DWARF_SECTION_COUNT]; /* in the file; 0: not found */
};

static void field_add(struct finder *f, enum dwarf_field_kind kind, enum dwarf_section_kind section,
		      const uint8_t *at, uint64_t len, uint64_t target)
{
	struct dwarf_field *field;

	if (!len || !f->places[section])
		return;
	field = array_push(&f->fields->of[kind], MAX_FIELDS);
	if (field)
		*field = (struct dwarf_field){
			.offset = f->places[section] +
				  (uint64_t)(at - f->dwarf->file.sections[section].bytes),
			.target = target,
			.bytes = len < 8 ? (uint8_t)len : 8,
			.kind = (uint8_t)kind
		};
}

static enum dwarf_field_kind kind_of(uint16_t form)
{
	switch (form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
	case DW_FORM_ref_addr:
	case DW_FORM_GNU_ref_alt:
		return DWARF_FIELD_REFERENCE;
	case DW_FORM_addr:
	case DW_FORM_addrx:
		return DWARF_FIELD_ADDRESS;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_sec_offset:
	case DW_FORM_GNU_strp_alt:
	case DW_FORM_rnglistx:
	case DW_FORM_strx1:
	case DW_FORM_strx:
		return DWARF_FIELD_OFFSET;
	default:
		return DWARF_FIELD_NUMBER;
	}
}

/* One entry and all that it has. False at the end of what can be read. */
static bool entry_find(struct finder *f, const struct dwarf_unit *u, const struct dwarf_abbrevs *t,
		       struct bytes *b, const uint8_t *start)
{
	const uint8_t *from = b->at;
	uint64_t code = bytes_uleb(b);
	const struct dwarf_abbrev *a = code ? dwarf_abbrevs_find(t, code) : NULL;
	const struct dwarf_spec *specs = a ? dwarf_abbrev_specs(t, a) : NULL;
	struct dwarf_value v;

	if (!code)
		return !b->bad;
	if (!a)
		return false;
	field_add(f, DWARF_FIELD_ENTRY, DWARF_INFO, from, (uint64_t)(b->at - from),
		  (uint64_t)(from - start));
	for (uint32_t i = 0; i < a->spec_count; i++) {
		from = b->at;
		if (!dwarf_value_read(b, &specs[i], &u->format, &v))
			return false;
		field_add(f, kind_of(v.form), DWARF_INFO, from, (uint64_t)(b->at - from), 0);
	}
	return true;
}

static void abbrevs_find(struct finder *f, const struct dwarf_unit *u)
{
	struct bytes b = dwarf_section_bytes(&f->dwarf->file, DWARF_ABBREV, u->abbrev_offset);
	const uint8_t *start = b.at, *from = b.at;

	while (bytes_uleb(&b) && !b.bad && b.at - start < MAX_ABBREV_BYTES) {
		uint64_t attribute = 1;

		field_add(f, DWARF_FIELD_NUMBER, DWARF_ABBREV, from, 1, 0);
		field_add(f, DWARF_FIELD_TAG, DWARF_ABBREV, b.at, 1, 0);
		bytes_uleb(&b);
		field_add(f, DWARF_FIELD_CHILDREN, DWARF_ABBREV, b.at, 1, 0);
		bytes_u8(&b);
		while (attribute && !b.bad) {
			from = b.at;
			attribute = bytes_uleb(&b);
			field_add(f, DWARF_FIELD_ATTRIBUTE, DWARF_ABBREV, from, 1, 0);
			field_add(f, DWARF_FIELD_FORM, DWARF_ABBREV, b.at, 1, 0);
			if (bytes_uleb(&b) == DW_FORM_implicit_const)
				bytes_sleb(&b);
		}
		from = b.at;
	}
}

static void line_find(struct finder *f, const struct dwarf_unit *u)
{
	struct bytes b = dwarf_section_bytes(&f->dwarf->file, DWARF_LINE, u->stmt_list);
	uint64_t len = bytes_fixed(&b, 4);

	field_add(f, DWARF_FIELD_NUMBER, DWARF_LINE, b.at - 4, 4, 0);
	for (uint64_t i = 0; i < len && i < MAX_LINE_BYTES && bytes_left(&b); i++)
		field_add(f, DWARF_FIELD_LINE, DWARF_LINE, b.at++, 1, 0);
}

static void unit_find(struct finder *f, struct dwarf_unit *u)
{
	const struct dwarf_section *s = &f->dwarf->file.sections[DWARF_INFO];
	const uint8_t *start = s->bytes + u->offset;
	struct bytes b = { .at = start + u->header_bytes, .end = s->bytes + u->end };
	const struct dwarf_abbrevs *t = dwarf_unit_abbrevs(f->dwarf, u);

	field_add(f, DWARF_FIELD_NUMBER, DWARF_INFO, start, 4, 0);
	for (uint32_t i = 4; i < u->header_bytes; i++)
		field_add(f, DWARF_FIELD_NUMBER, DWARF_INFO, start + i, 1, 0);
	abbrevs_find(f, u);
	while (t && bytes_left(&b) && entry_find(f, u, t, &b, start))
		;
	if (dwarf_unit_prepare(f->dwarf, u) && u->stmt_list != DWARF_NO_OFFSET)
		line_find(f, u);
}

void dwarf_fields_find(struct dwarf_fields *fields, int fd, const unsigned char *bytes, size_t len)
{
	struct dwarf *d = calloc(1, sizeof(*d));
	struct finder f = { .fields = fields, .dwarf = d };

	if (!d || dwarf_open(d, fd, -1, MAX_SECTION_BYTES) < 0)
		goto out;
	for (uint32_t i = 0; i < DWARF_SECTION_COUNT; i++) {
		const struct dwarf_section *s = &d->file.sections[i];
		const unsigned char *at = s->len ? memmem(bytes, len, s->bytes, s->len) : NULL;

		f.places[i] = at ? (uint64_t)(at - bytes) : 0;
	}
	for (uint32_t i = 0; i < d->units.count; i++)
		unit_find(&f, &d->units.items[i]);
out:
	if (d)
		dwarf_release(d);
	free(d);
}

void dwarf_fields_release(struct dwarf_fields *f)
{
	for (uint32_t i = 0; i < DWARF_FIELD_KINDS; i++)
		array_release(&f->of[i]);
}

/* ---- damage ---- */

struct surgeon {
	const struct dwarf_fields *fields;
	uint64_t (*random)(void *ctx, uint64_t limit);
	void *ctx;
	struct dwarf_wound *wounds;
	uint32_t count;
};

static uint64_t chance(struct surgeon *s, uint64_t limit)
{
	return s->random(s->ctx, limit);
}

/* NULL if there is none of this kind. */
static const struct dwarf_field *any(struct surgeon *s, enum dwarf_field_kind kind)
{
	uint32_t count = s->fields->of[kind].count;

	return count ? &s->fields->of[kind].items[chance(s, count)] : NULL;
}

static void write_over(struct surgeon *s, const struct dwarf_field *f, uint64_t value)
{
	if (f && s->count < DWARF_MAX_WOUNDS)
		s->wounds[s->count++] = (struct dwarf_wound){ f->offset, value, f->bytes };
}

/* Entries come in the order of the file: which one is a reference's own? */
static uint64_t own_entry(const struct surgeon *s, const struct dwarf_field *reference)
{
	uint32_t low = 0, high = s->fields->of[DWARF_FIELD_ENTRY].count;
	const struct dwarf_field *entries = s->fields->of[DWARF_FIELD_ENTRY].items;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (entries[middle].offset <= reference->offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? entries[low - 1].target : 0;
}

/* To itself, or to another that leads back. */
static void refer_in_circles(struct surgeon *s)
{
	const struct dwarf_field *a = any(s, DWARF_FIELD_REFERENCE);
	const struct dwarf_field *b = chance(s, 2) ? any(s, DWARF_FIELD_REFERENCE) : a;

	if (!a)
		return;
	write_over(s, a, own_entry(s, b));
	if (b != a)
		write_over(s, b, own_entry(s, a));
}

/* To any entry, or close by one, or to none. */
static void refer_elsewhere(struct surgeon *s)
{
	const struct dwarf_field *to = any(s, DWARF_FIELD_ENTRY);
	const uint64_t others[] = { 0, 1, 11, UINT32_MAX, to ? to->target + 1 : 0 };

	write_over(s, any(s, DWARF_FIELD_REFERENCE),
		   to && chance(s, 2) ? to->target
				      : others[chance(s, sizeof(others) / sizeof(others[0]))]);
}

static void change_forms(struct surgeon *s)
{
	for (uint64_t i = 1 + chance(s, 2); i; i--)
		write_over(s, any(s, DWARF_FIELD_FORM), chance(s, 0x2d));
}

static void change_attributes(struct surgeon *s)
{
	static const uint8_t attributes[] = { DW_AT_sibling,          DW_AT_name,
					      DW_AT_stmt_list,        DW_AT_low_pc,
					      DW_AT_high_pc,          DW_AT_comp_dir,
					      DW_AT_inline,           DW_AT_abstract_origin,
					      DW_AT_decl_file,        DW_AT_specification,
					      DW_AT_ranges,           DW_AT_call_file,
					      DW_AT_call_line,        DW_AT_linkage_name,
					      DW_AT_str_offsets_base, DW_AT_addr_base,
					      DW_AT_rnglists_base,    DW_AT_dwo_name };

	write_over(s, any(s, DWARF_FIELD_ATTRIBUTE), attributes[chance(s, sizeof(attributes))]);
}

static void change_tags(struct surgeon *s)
{
	static const uint8_t tags[] = { DW_TAG_subprogram,    DW_TAG_inlined_subroutine,
					DW_TAG_array_type,    DW_TAG_enumeration_type,
					DW_TAG_partial_unit,  DW_TAG_compile_unit,
					DW_TAG_lexical_block, 0 };

	write_over(s, any(s, DWARF_FIELD_TAG), tags[chance(s, sizeof(tags))]);
}

/* Trees that don't end, or end at once. */
static void change_children(struct surgeon *s)
{
	for (uint64_t i = 1 + chance(s, DWARF_MAX_WOUNDS); i; i--)
		write_over(s, any(s, DWARF_FIELD_CHILDREN), chance(s, 3));
}

/* One entry becomes another kind, or the end of its siblings. */
static void change_codes(struct surgeon *s)
{
	for (uint64_t i = 1 + chance(s, DWARF_MAX_WOUNDS); i; i--)
		write_over(s, any(s, DWARF_FIELD_ENTRY), chance(s, 24));
}

static void go_to_extremes(struct surgeon *s)
{
	static const uint64_t numbers[] = { 0,          1,
					    2,          0x7f,
					    0x80,       UINT8_MAX,
					    UINT16_MAX, INT32_MAX,
					    UINT32_MAX, INT64_MAX,
					    UINT64_MAX, 0xfffffff0,
					    1ull << 63, 0x8080808080808080,
					    0x1000,     0x401000 };
	static const uint8_t kinds[] = { DWARF_FIELD_ADDRESS, DWARF_FIELD_OFFSET,
					 DWARF_FIELD_NUMBER, DWARF_FIELD_NUMBER };

	for (uint64_t i = 1 + chance(s, 2); i; i--)
		write_over(s, any(s, kinds[chance(s, sizeof(kinds))]),
			   numbers[chance(s, sizeof(numbers) / sizeof(numbers[0]))]);
}

/* An address or an offset next to where it was in another place: ranges that overlap. */
static void shift(struct surgeon *s)
{
	write_over(s, any(s, chance(s, 2) ? DWARF_FIELD_ADDRESS : DWARF_FIELD_OFFSET),
		   chance(s, 2) ? chance(s, 0x800) : 0x401000 + chance(s, 0x200));
}

static void change_lines(struct surgeon *s)
{
	for (uint64_t i = 1 + chance(s, DWARF_MAX_WOUNDS); i; i--)
		write_over(s, any(s, DWARF_FIELD_LINE), chance(s, chance(s, 2) ? 16 : 256));
}

uint32_t dwarf_fields_damage(const struct dwarf_fields *f,
			     uint64_t (*random)(void *ctx, uint64_t limit), void *ctx,
			     struct dwarf_wound ret[DWARF_MAX_WOUNDS], const char **ret_what)
{
	static const struct {
		void (*operate)(struct surgeon *s);
		const char *what;
	} operations[] = {
		{ refer_in_circles, "circle" },   { refer_elsewhere, "reference" },
		{ change_forms, "form" },         { change_attributes, "attribute" },
		{ change_tags, "tag" },           { change_children, "children" },
		{ change_codes, "code" },         { go_to_extremes, "extreme" },
		{ go_to_extremes, "extreme" },    { shift, "shift" },
		{ change_lines, "line program" },
	};
	struct surgeon s = { .fields = f, .random = random, .ctx = ctx, .wounds = ret };
	uint64_t i = random(ctx, sizeof(operations) / sizeof(operations[0]));

	operations[i].operate(&s);
	*ret_what = operations[i].what;
	return s.count;
}
