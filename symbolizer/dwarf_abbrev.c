// SPDX-License-Identifier: Apache-2.0
/*
 * One pass over the table. Compilers number abbreviations from 1 on, without gaps, so that a code is an index;
 * where they don't, the table is sorted and searched.
 */
#include "symbolizer/dwarf_abbrev.h"

#include <errno.h>
#include <stdlib.h>

#include <dwarf.h>

#include "symbolizer/dwarf_value.h"

#define MAX_ABBREVS (1u << 20)
#define MAX_SPECS (1u << 22)
#define MAX_SPECS_EACH 1024u

/* Entries that have no code below them, whatever they have. */
static bool is_codeless(uint64_t tag)
{
	return tag == DW_TAG_enumeration_type || tag == DW_TAG_array_type ||
	       tag == DW_TAG_subroutine_type;
}

static bool is_function(uint64_t tag)
{
	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
}

/* What one attribute says of the abbreviation. */
static void digest(const struct dwarf_abbrevs *t, const struct dwarf_spec *spec,
		   struct dwarf_abbrev *a, uint32_t *bytes)
{
	uint32_t fixed = dwarf_form_bytes(spec->form, &t->format);

	if (spec->attribute == DW_AT_low_pc || spec->attribute == DW_AT_ranges)
		a->code_bearing = is_function(a->tag);
	if (spec->attribute == DW_AT_sibling)
		a->leapt = a->children && is_codeless(a->tag);
	*bytes = fixed == DWARF_FORM_VARIES || *bytes == DWARF_FORM_VARIES ? DWARF_FORM_VARIES
									   : *bytes + fixed;
}

static int specs_parse(struct dwarf_abbrevs *t, struct bytes *b, struct dwarf_abbrev *a)
{
	uint32_t bytes = 0;

	a->first_spec = t->specs.count;
	for (;;) {
		uint64_t attribute = bytes_uleb(b), form = bytes_uleb(b);
		int64_t constant = form == DW_FORM_implicit_const ? bytes_sleb(b) : 0;
		struct dwarf_spec *spec;

		if (b->bad || attribute > UINT16_MAX || form > UINT16_MAX)
			return -EINVAL;
		if (!attribute && !form)
			break;
		if (a->spec_count == MAX_SPECS_EACH)
			return -E2BIG;
		spec = array_push(&t->specs, MAX_SPECS);
		if (!spec)
			return t->specs.count < MAX_SPECS ? -ENOMEM : -E2BIG;
		*spec = (struct dwarf_spec){ (uint16_t)attribute, (uint16_t)form,
					     constant >= 0 && constant <= INT32_MAX
						     ? (int32_t)constant
						     : 0 };
		a->spec_count++;
		digest(t, spec, a, &bytes);
	}
	a->bytes = bytes < DWARF_ABBREV_VARIES ? (uint16_t)bytes : DWARF_ABBREV_VARIES;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct dwarf_abbrev *x = a, *y = b;

	return x->code < y->code ? -1 : x->code > y->code;
}

/* 1, 0 at the end of the table, or an error. */
static int abbrev_parse(struct dwarf_abbrevs *t, struct bytes *b)
{
	uint64_t code = bytes_uleb(b), tag;
	struct dwarf_abbrev *a;
	int r;

	if (b->bad)
		return -EINVAL;
	if (!code)
		return 0;
	tag = bytes_uleb(b);
	a = array_push(&t->items, MAX_ABBREVS);
	if (!a)
		return t->items.count < MAX_ABBREVS ? -ENOMEM : -E2BIG;
	*a = (struct dwarf_abbrev){ .code = code,
				    .tag = tag < UINT16_MAX ? (uint16_t)tag : 0,
				    .children = bytes_u8(b) };
	r = specs_parse(t, b, a);
	if (r < 0)
		return r;
	t->dense = t->dense && code == t->items.count;
	return 1;
}

int dwarf_abbrevs_parse(struct dwarf_abbrevs *t, struct bytes b, uint64_t *work)
{
	int r;

	t->dense = true;
	t->items.count = 0;
	t->specs.count = 0;
	do {
		const uint8_t *from = b.at;
		uint64_t cost;

		r = abbrev_parse(t, &b);
		/* By bytes, and for bad ones too: a number may have millions of them, and be read for each unit. */
		cost = 1 + (uint64_t)(b.at - from) / 2;
		if (*work < cost) {
			*work = 0;
			return -E2BIG;
		}
		*work -= cost;
	} while (r > 0);
	if (r < 0)
		return r;
	if (!t->dense)
		qsort(t->items.items, t->items.count, sizeof(*t->items.items), compare);
	return 0;
}

void dwarf_abbrevs_release(struct dwarf_abbrevs *t)
{
	array_release(&t->items);
	array_release(&t->specs);
	t->used = false;
}

const struct dwarf_abbrev *dwarf_abbrevs_search(const struct dwarf_abbrevs *t, uint64_t code)
{
	uint32_t low = 0, high = t->items.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->items.items[middle].code < code)
			low = middle + 1;
		else
			high = middle;
	}
	return low < t->items.count && t->items.items[low].code == code ? &t->items.items[low]
									: NULL;
}
