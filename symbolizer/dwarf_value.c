// SPDX-License-Identifier: Apache-2.0
/*
 * A form is a size, or a rule by which the size follows from the bytes; what the value refers to is another
 * section, by an offset or by a number in a table of offsets. Every bound is the reader's (unwind_bytes.h).
 */
#include "symbolizer/dwarf_value.h"

#include <dwarf.h>

#define MAX_INDIRECTIONS 4u

uint32_t dwarf_form_bytes(uint64_t form, const struct dwarf_format *format)
{
	switch (form) {
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const:
		return 0;
	case DW_FORM_data1:
	case DW_FORM_flag:
	case DW_FORM_ref1:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_ref_sup4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return 8;
	case DW_FORM_data16:
		return 16;
	case DW_FORM_addr:
		return format->address_bytes;
	case DW_FORM_ref_addr:
		return format->version <= 2 ? format->address_bytes : format->offset_bytes;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_strp_sup:
	case DW_FORM_sec_offset:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return format->offset_bytes;
	default:
		return DWARF_FORM_VARIES;
	}
}

static bool block_read(struct bytes *b, uint64_t len, struct dwarf_value *v)
{
	struct bytes block = bytes_cut(b, len);

	v->number = len;
	v->bytes = block.at;
	return !b->bad;
}

static bool string_read(struct bytes *b, struct dwarf_value *v)
{
	const uint8_t *nul = memchr(b->at, '\0', bytes_left(b));

	if (!nul) {
		bytes_skip(b, UINT64_MAX);
		return false;
	}
	v->bytes = b->at;
	b->at = nul + 1;
	return true;
}

/* Forms whose size is told by the bytes. */
static bool varying_read(struct bytes *b, struct dwarf_value *v)
{
	switch (v->form) {
	case DW_FORM_udata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		v->number = bytes_uleb(b);
		return !b->bad;
	case DW_FORM_sdata:
		v->number = (uint64_t)bytes_sleb(b);
		return !b->bad;
	case DW_FORM_string:
		return string_read(b, v);
	case DW_FORM_block1:
		return block_read(b, bytes_u8(b), v);
	case DW_FORM_block2:
		return block_read(b, bytes_fixed(b, 2), v);
	case DW_FORM_block4:
		return block_read(b, bytes_fixed(b, 4), v);
	case DW_FORM_block:
	case DW_FORM_exprloc:
		return block_read(b, bytes_uleb(b), v);
	default:
		return false;
	}
}

bool dwarf_value_read(struct bytes *b, const struct dwarf_spec *spec,
		      const struct dwarf_format *format, struct dwarf_value *ret)
{
	uint64_t form = spec->form;
	uint32_t bytes;

	for (uint32_t i = 0; form == DW_FORM_indirect && i < MAX_INDIRECTIONS; i++)
		form = bytes_uleb(b);
	*ret = (struct dwarf_value){ .form = form < UINT16_MAX ? (uint16_t)form : 0 };
	bytes = dwarf_form_bytes(form, format);
	if (bytes == DWARF_FORM_VARIES)
		return varying_read(b, ret);
	if (form == DW_FORM_implicit_const)
		ret->number = (uint64_t)spec->constant;
	else if (form == DW_FORM_flag_present)
		ret->number = 1;
	else if (bytes <= 8)
		ret->number = bytes_fixed(b, bytes);
	else
		bytes_skip(b, bytes);
	return !b->bad;
}

bool dwarf_values_skip(struct bytes *b, const struct dwarf_abbrevs *t, const struct dwarf_abbrev *a)
{
	const struct dwarf_spec *specs = dwarf_abbrev_specs(t, a);
	struct dwarf_value v;

	if (a->bytes != DWARF_ABBREV_VARIES) {
		bytes_skip(b, a->bytes);
		return !b->bad;
	}
	for (uint32_t i = 0; i < a->spec_count; i++) {
		uint32_t bytes = dwarf_form_bytes(specs[i].form, &t->format);

		if (bytes != DWARF_FORM_VARIES)
			bytes_skip(b, bytes);
		else if (!dwarf_value_read(b, &specs[i], &t->format, &v))
			return false;
	}
	return !b->bad;
}

/* ---- what a value refers to ---- */

static const char *string_at(const struct dwarf_file *f, enum dwarf_section_kind kind,
			     uint64_t offset)
{
	const struct dwarf_section *s = &f->sections[kind];

	return offset < s->len ? (const char *)s->bytes + offset : NULL;
}

/* `start` plus `number` times `size`, without wrapping. */
static bool table_offset(uint64_t start, uint64_t number, uint64_t size, uint64_t *ret)
{
	return !__builtin_mul_overflow(number, size, &number) &&
	       !__builtin_add_overflow(start, number, ret);
}

static const char *string_numbered(const struct dwarf *d, const struct dwarf_unit *u,
				   uint64_t number)
{
	const struct dwarf_file *f = dwarf_file_of(d, u);
	uint64_t at;
	struct bytes b;

	if (!table_offset(u->str_offsets_base, number, u->format.offset_bytes, &at))
		return NULL;
	b = dwarf_section_bytes(f, DWARF_STR_OFFSETS, at);
	at = bytes_fixed(&b, u->format.offset_bytes);
	return b.bad ? NULL : string_at(f, DWARF_STR, at);
}

const char *dwarf_value_string(const struct dwarf *d, const struct dwarf_unit *u,
			       const struct dwarf_value *v)
{
	const struct dwarf_file *f = dwarf_file_of(d, u);

	switch (v->form) {
	case DW_FORM_string:
		return (const char *)v->bytes;
	case DW_FORM_strp:
		return string_at(f, DWARF_STR, v->number);
	case DW_FORM_line_strp:
		return string_at(f, DWARF_LINE_STR, v->number);
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_strp_alt:
		return string_at(&d->alternate, DWARF_STR, v->number);
	case DW_FORM_strx:
	case DW_FORM_strx1:
	case DW_FORM_strx2:
	case DW_FORM_strx3:
	case DW_FORM_strx4:
	case DW_FORM_GNU_str_index:
		return string_numbered(d, u, v->number);
	default:
		return NULL;
	}
}

bool dwarf_address(const struct dwarf *d, const struct dwarf_unit *u, uint64_t number,
		   uint64_t *ret)
{
	struct bytes b;
	uint64_t at;

	if (u->addr_base == DWARF_NO_OFFSET ||
	    !table_offset(u->addr_base, number, u->format.address_bytes, &at))
		return false;
	b = dwarf_section_bytes(dwarf_file_of(d, u), DWARF_ADDR, at);
	at = bytes_fixed(&b, u->format.address_bytes);
	if (b.bad)
		return false;
	*ret = at;
	return true;
}

bool dwarf_value_address(const struct dwarf *d, const struct dwarf_unit *u,
			 const struct dwarf_value *v, uint64_t *ret)
{
	switch (v->form) {
	case DW_FORM_addr:
		*ret = v->number;
		return true;
	case DW_FORM_addrx:
	case DW_FORM_addrx1:
	case DW_FORM_addrx2:
	case DW_FORM_addrx3:
	case DW_FORM_addrx4:
	case DW_FORM_GNU_addr_index:
		return dwarf_address(d, u, v->number, ret);
	default:
		return false;
	}
}
