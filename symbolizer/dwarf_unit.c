// SPDX-License-Identifier: Apache-2.0
/*
 * Headers first, which are few bytes each; a unit's own first entry only when the unit is walked or referred to.
 * Tables of abbreviations are kept in a cache by their offset: units of one file share them, or follow one another.
 *
 * Refused: type units and .debug_types, which have no code; split DWARF, whose entries are in other files.
 */
#include "symbolizer/dwarf_unit.h"

#include <errno.h>
#include <string.h>

#include <dwarf.h>

#include "symbolizer/dwarf_value.h"

#define LENGTH_64_BITS 0xffffffffu /* the length follows in eight bytes */
#define LENGTH_RESERVED 0xfffffff0u

/* Steps by the size of what is read: the honest need less than one in two bytes. */
#define WORK_PER_BYTE 2u
#define WORK_LEAST (1u << 20)

struct bytes dwarf_section_bytes(const struct dwarf_file *f, enum dwarf_section_kind kind,
				 uint64_t offset)
{
	const struct dwarf_section *s = &f->sections[kind];
	bool bad = !s->bytes || offset > s->len;

	if (bad)
		return (struct bytes){ .at = (const uint8_t *)"",
				       .end = (const uint8_t *)"",
				       .bad = true };
	return (struct bytes){ .at = s->bytes + offset, .end = s->bytes + s->len };
}

/* ---- headers ---- */

/* Between the length and the first entry. */
static bool header_parse(struct bytes *b, struct dwarf_unit *u)
{
	u->format.version = (uint8_t)bytes_fixed(b, 2);
	if (u->format.version >= 5) {
		u->type = bytes_u8(b);
		u->format.address_bytes = bytes_u8(b);
		u->abbrev_offset = bytes_fixed(b, u->format.offset_bytes);
		if (u->type == DW_UT_skeleton || u->type == DW_UT_split_compile)
			bytes_skip(b, 8); /* the id of the other half */
		else if (u->type == DW_UT_type || u->type == DW_UT_split_type)
			bytes_skip(b, 8ull + u->format.offset_bytes);
	} else {
		u->type = DW_UT_compile;
		u->abbrev_offset = bytes_fixed(b, u->format.offset_bytes);
		u->format.address_bytes = bytes_u8(b);
	}
	return !b->bad && u->format.version >= 2 && u->format.version <= 5 &&
	       (u->format.address_bytes == 4 || u->format.address_bytes == 8);
}

/* The unit at *offset, which is then behind it. False: nothing behind it can be found either. */
static bool unit_parse(const struct dwarf_file *f, uint64_t *offset, struct dwarf_unit *ret,
		       bool *ret_good)
{
	struct bytes b = dwarf_section_bytes(f, DWARF_INFO, *offset);
	const uint8_t *start = b.at;
	uint64_t len = bytes_fixed(&b, 4);

	*ret = (struct dwarf_unit){ .offset = *offset,
				    .format.offset_bytes = 4,
				    .addr_base = DWARF_NO_OFFSET,
				    .rnglists_base = DWARF_NO_OFFSET,
				    .stmt_list = DWARF_NO_OFFSET };
	if (len == LENGTH_64_BITS) {
		ret->format.offset_bytes = 8;
		len = bytes_fixed(&b, 8);
	} else if (len >= LENGTH_RESERVED) {
		return false;
	}
	if (b.bad || len > bytes_left(&b))
		return false;
	b.end = b.at + len;
	ret->end = *offset + (uint64_t)(b.end - start);
	*ret_good = header_parse(&b, ret);
	ret->header_bytes = (uint32_t)(b.at - start);
	*offset = ret->end;
	return true;
}

static int units_find(struct dwarf *d, bool alternate)
{
	const struct dwarf_file *f = alternate ? &d->alternate : &d->file;
	__typeof__(d->units) *units = (void *)(alternate ? (void *)&d->alternate_units : &d->units);
	uint64_t offset = 0;

	while (offset < f->sections[DWARF_INFO].len) {
		struct dwarf_unit unit, *u;
		bool good = false;

		d->units_found++;
		if (!unit_parse(f, &offset, &unit, &good)) {
			d->units_damaged++;
			return 0;
		}
		if (!good) {
			d->units_damaged++;
			continue;
		}
		u = array_push(units, DWARF_MAX_UNITS);
		if (!u)
			return units->count < DWARF_MAX_UNITS ? -ENOMEM : -E2BIG;
		*u = unit;
		u->alternate = alternate;
	}
	return 0;
}

int dwarf_open(struct dwarf *d, int fd, int alternate, size_t max_bytes)
{
	int r = dwarf_file_open(&d->file, fd, false, max_bytes);

	if (r < 0)
		return r;
	if (alternate >= 0 && d->file.needs_alternate) {
		r = dwarf_file_open(&d->alternate, alternate, true, max_bytes - d->file.bytes);
		if (r == -ENOMEM || r == -E2BIG)
			return r;
		if (r < 0)
			dwarf_file_release(&d->alternate);
	}
	d->work = WORK_LEAST + WORK_PER_BYTE * (uint64_t)(d->file.bytes + d->alternate.bytes);
	r = units_find(d, false);
	return r < 0 ? r : units_find(d, true);
}

void dwarf_release(struct dwarf *d)
{
	for (uint32_t i = 0; i < DWARF_ABBREV_CACHE; i++)
		dwarf_abbrevs_release(&d->abbrevs[i]);
	array_release(&d->units);
	array_release(&d->alternate_units);
	dwarf_file_release(&d->file);
	dwarf_file_release(&d->alternate);
}

/* ---- abbreviations ---- */

static bool same_format(const struct dwarf_format *a, const struct dwarf_format *b)
{
	return a->version == b->version && a->address_bytes == b->address_bytes &&
	       a->offset_bytes == b->offset_bytes;
}

/* The alternate file's tables are told from the file's by an offset that no section has. */
const struct dwarf_abbrevs *dwarf_unit_abbrevs(struct dwarf *d, const struct dwarf_unit *u)
{
	uint64_t key = u->abbrev_offset << 1 | u->alternate;
	struct dwarf_abbrevs *t =
		&d->abbrevs[(key * 0x9e3779b97f4a7c15ull >> 32) % DWARF_ABBREV_CACHE];
	int r;

	if (t->used && t->offset == key && same_format(&t->format, &u->format))
		return t;
	t->used = false;
	t->offset = key;
	t->format = u->format;
	r = dwarf_abbrevs_parse(
		t, dwarf_section_bytes(dwarf_file_of(d, u), DWARF_ABBREV, u->abbrev_offset),
		&d->work);
	if (r == -ENOMEM)
		d->out_of_memory = true;
	t->used = r == 0;
	return r == 0 ? t : NULL;
}

/* ---- entries ---- */

/* The first entry's bases: what addresses and strings of all others need. */
static void root_take(struct dwarf_unit *u, uint16_t attribute, const struct dwarf_value *v)
{
	switch (attribute) {
	case DW_AT_str_offsets_base:
		u->str_offsets_base = v->number;
		break;
	case DW_AT_addr_base:
	case DW_AT_GNU_addr_base:
		u->addr_base = v->number;
		break;
	case DW_AT_rnglists_base:
		u->rnglists_base = v->number;
		break;
	case DW_AT_stmt_list:
		u->stmt_list = v->number;
		break;
	case DW_AT_dwo_name:
	case DW_AT_GNU_dwo_name:
		u->split = true;
		break;
	default:
		break;
	}
}

static void root_take_strings(const struct dwarf *d, struct dwarf_unit *u, uint16_t attribute,
			      const struct dwarf_value *v)
{
	if (attribute == DW_AT_name)
		u->name = dwarf_value_string(d, u, v);
	else if (attribute == DW_AT_comp_dir)
		u->directory = dwarf_value_string(d, u, v);
	else if (attribute == DW_AT_low_pc)
		dwarf_value_address(d, u, v, &u->low_pc);
}

/* Twice: strings and addresses may come before the bases that they need. */
static bool root_read(struct dwarf *d, struct dwarf_unit *u, const struct dwarf_abbrevs *t,
		      const struct dwarf_abbrev *a, struct bytes b)
{
	const struct dwarf_spec *specs = dwarf_abbrev_specs(t, a);
	struct bytes again = b;
	struct dwarf_value v;
	bool good = true;

	if (!dwarf_step(d, 2ull * a->spec_count))
		return false;
	for (uint32_t i = 0; i < a->spec_count && good; i++) {
		good = dwarf_value_read(&b, &specs[i], &u->format, &v);
		if (good)
			root_take(u, specs[i].attribute, &v);
	}
	if (!dwarf_step_over(d, again.at, &b) || !good)
		return false;
	for (uint32_t i = 0; i < a->spec_count; i++) {
		if (!dwarf_value_read(&again, &specs[i], &u->format, &v))
			return false;
		root_take_strings(d, u, specs[i].attribute, &v);
	}
	return true;
}

/* The abbreviation of the entry at `b`, which is then at its attributes; NULL if there is none. */
static const struct dwarf_abbrev *abbrev_read(struct dwarf *d, const struct dwarf_abbrevs *t,
					      struct bytes *b)
{
	const uint8_t *from = b->at;
	uint64_t code = bytes_uleb(b);

	return dwarf_step_over(d, from, b) ? dwarf_abbrevs_find(t, code) : NULL;
}

bool dwarf_unit_prepare(struct dwarf *d, struct dwarf_unit *u)
{
	const struct dwarf_file *f = dwarf_file_of(d, u);
	const struct dwarf_abbrevs *t;
	const struct dwarf_abbrev *a;
	struct bytes b;

	if (u->prepared)
		return true;
	if (u->type == DW_UT_type || u->type == DW_UT_split_type)
		return false;
	t = dwarf_unit_abbrevs(d, u);
	if (!t)
		return false;
	b = dwarf_section_bytes(f, DWARF_INFO, u->offset + u->header_bytes);
	if (b.bad)
		return false;
	b.end = f->sections[DWARF_INFO].bytes + u->end;
	a = abbrev_read(d, t, &b);
	if (!a || !root_read(d, u, t, a, b))
		return false;
	u->tag = a->tag;
	u->prepared = true;
	return true;
}

static void entry_take(const struct dwarf *d, const struct dwarf_unit *u, uint16_t attribute,
		       const struct dwarf_value *v, struct dwarf_entry *e)
{
	switch (attribute) {
	case DW_AT_low_pc:
		e->has_low = dwarf_value_address(d, u, v, &e->low);
		break;
	case DW_AT_high_pc:
		e->has_high = dwarf_value_address(d, u, v, &e->high);
		if (!e->has_high) {
			e->high = v->number;
			e->has_high = e->high_is_length = true;
		}
		break;
	case DW_AT_ranges:
		e->ranges = *v;
		break;
	case DW_AT_abstract_origin:
		e->origin = *v;
		break;
	case DW_AT_specification:
		e->specification = *v;
		break;
	case DW_AT_name:
		e->name = dwarf_value_string(d, u, v);
		break;
	case DW_AT_linkage_name:
	case DW_AT_MIPS_linkage_name:
		e->linkage_name = dwarf_value_string(d, u, v);
		break;
	case DW_AT_call_file:
		e->call_file = v->number < UINT32_MAX ? (uint32_t)v->number : UINT32_MAX;
		break;
	case DW_AT_call_line:
		e->call_line = v->number < UINT32_MAX ? (uint32_t)v->number : 0;
		break;
	default:
		break;
	}
}

bool dwarf_entry_read(struct dwarf *d, const struct dwarf_unit *u, const struct dwarf_abbrevs *t,
		      const struct dwarf_abbrev *a, struct bytes *b, struct dwarf_entry *ret)
{
	const struct dwarf_spec *specs = dwarf_abbrev_specs(t, a);
	const uint8_t *from = b->at;
	struct dwarf_value v;
	bool good = true;

	*ret = (struct dwarf_entry){ .tag = a->tag, .children = a->children };
	if (!dwarf_step(d, 1ull + a->spec_count))
		return false;
	for (uint32_t i = 0; i < a->spec_count && good; i++) {
		good = dwarf_value_read(b, &specs[i], &u->format, &v);
		if (good)
			entry_take(d, u, specs[i].attribute, &v, ret);
	}
	return dwarf_step_over(d, from, b) && good;
}

/* ---- references ---- */

static struct dwarf_unit *unit_find(struct dwarf *d, bool alternate, uint64_t offset)
{
	struct dwarf_unit *units = alternate ? d->alternate_units.items : d->units.items;
	uint32_t low = 0, high = alternate ? d->alternate_units.count : d->units.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (units[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low && offset < units[low - 1].end ? &units[low - 1] : NULL;
}

bool dwarf_reference(struct dwarf *d, const struct dwarf_unit *u, const struct dwarf_value *v,
		     struct dwarf_unit **ret_unit, uint64_t *ret_offset)
{
	struct dwarf_unit *to;
	bool alternate = u->alternate;
	uint64_t offset = v->number;

	switch (v->form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
		if (offset >= u->end - u->offset)
			return false;
		offset += u->offset;
		break;
	case DW_FORM_ref_addr:
		break;
	case DW_FORM_ref_sup4:
	case DW_FORM_ref_sup8:
	case DW_FORM_GNU_ref_alt:
		alternate = true;
		break;
	default:
		return false;
	}
	to = unit_find(d, alternate, offset);
	if (!to || offset < to->offset + to->header_bytes || !dwarf_unit_prepare(d, to))
		return false;
	*ret_unit = to;
	*ret_offset = offset;
	return true;
}

bool dwarf_entry_at(struct dwarf *d, const struct dwarf_unit *u, uint64_t offset,
		    struct dwarf_entry *ret)
{
	const struct dwarf_file *f = dwarf_file_of(d, u);
	struct bytes b = dwarf_section_bytes(f, DWARF_INFO, offset);
	const struct dwarf_abbrevs *t = dwarf_unit_abbrevs(d, u);
	const struct dwarf_abbrev *a;

	if (b.bad || !t)
		return false;
	b.end = f->sections[DWARF_INFO].bytes + u->end;
	a = abbrev_read(d, t, &b);
	return a && dwarf_entry_read(d, u, t, a, &b, ret);
}
