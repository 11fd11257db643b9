// SPDX-License-Identifier: Apache-2.0
/*
 * Lists are read to their end or to the first thing that can't be; each pair costs a step of the file's work, as
 * many entries may name the same long list.
 */
#include "symbolizer/dwarf_ranges.h"

#include <dwarf.h>

static bool add(struct dwarf *d, struct dwarf_ranges *r, uint64_t start, uint64_t limit)
{
	struct elf_range *item;

	if (start >= limit)
		return true;
	if (r->items.count == DWARF_MAX_RANGES)
		return false;
	item = array_push(&r->items, DWARF_MAX_RANGES);
	if (!item) {
		d->out_of_memory = true;
		return false;
	}
	*item = (struct elf_range){ start, limit };
	return true;
}

/* Pairs relative to a base, which a pair that begins with the highest address changes. */
static bool pairs_read(struct dwarf *d, const struct dwarf_unit *u, uint64_t offset,
		       struct dwarf_ranges *ret)
{
	struct bytes b = dwarf_section_bytes(dwarf_file_of(d, u), DWARF_RANGES, offset);
	uint32_t size = u->format.address_bytes;
	uint64_t highest = size == 8 ? UINT64_MAX : UINT32_MAX, base = u->low_pc;

	while (dwarf_step(d, 1)) {
		uint64_t start = bytes_fixed(&b, size), limit = bytes_fixed(&b, size);

		if (b.bad)
			return false;
		if (!start && !limit)
			return true;
		if (start == highest)
			base = limit;
		else if (!add(d, ret, base + start, base + limit))
			return false;
	}
	return false;
}

/* One entry of a .debug_rnglists list. */
struct list_entry {
	uint64_t first, second;
	bool end, is_base;
};

static bool list_entry_read(struct dwarf *d, const struct dwarf_unit *u, struct bytes *b,
			    uint64_t base, struct list_entry *ret)
{
	uint32_t size = u->format.address_bytes;
	uint8_t kind = bytes_u8(b);
	uint64_t x;

	*ret = (struct list_entry){ 0 };
	switch (kind) {
	case DW_RLE_end_of_list:
		ret->end = true;
		break;
	case DW_RLE_base_addressx:
		ret->is_base = true;
		return dwarf_address(d, u, bytes_uleb(b), &ret->first) && !b->bad;
	case DW_RLE_startx_endx:
		x = bytes_uleb(b);
		return dwarf_address(d, u, x, &ret->first) &&
		       dwarf_address(d, u, bytes_uleb(b), &ret->second) && !b->bad;
	case DW_RLE_startx_length:
		x = bytes_uleb(b);
		ret->second = bytes_uleb(b);
		if (!dwarf_address(d, u, x, &ret->first))
			return false;
		ret->second += ret->first;
		break;
	case DW_RLE_offset_pair:
		ret->first = base + bytes_uleb(b);
		ret->second = base + bytes_uleb(b);
		break;
	case DW_RLE_base_address:
		ret->is_base = true;
		ret->first = bytes_fixed(b, size);
		break;
	case DW_RLE_start_end:
		ret->first = bytes_fixed(b, size);
		ret->second = bytes_fixed(b, size);
		break;
	case DW_RLE_start_length:
		ret->first = bytes_fixed(b, size);
		ret->second = ret->first + bytes_uleb(b);
		break;
	default:
		return false;
	}
	return !b->bad;
}

static bool list_read(struct dwarf *d, const struct dwarf_unit *u, uint64_t offset,
		      struct dwarf_ranges *ret)
{
	struct bytes b = dwarf_section_bytes(dwarf_file_of(d, u), DWARF_RNGLISTS, offset);
	uint64_t base = u->low_pc;

	while (dwarf_step(d, 1)) {
		const uint8_t *from = b.at;
		struct list_entry e;
		bool good = list_entry_read(d, u, &b, base, &e);

		if (!dwarf_step_over(d, from, &b) || !good)
			return false;
		if (e.end)
			return true;
		if (e.is_base)
			base = e.first;
		else if (!add(d, ret, e.first, e.second))
			return false;
	}
	return false;
}

/* DW_FORM_rnglistx: the number of an offset that is relative to the table of offsets. */
static bool list_offset(const struct dwarf *d, const struct dwarf_unit *u, uint64_t number,
			uint64_t *ret)
{
	uint32_t size = u->format.offset_bytes;
	struct bytes b;
	uint64_t at;

	if (u->rnglists_base == DWARF_NO_OFFSET || __builtin_mul_overflow(number, size, &at) ||
	    __builtin_add_overflow(u->rnglists_base, at, &at))
		return false;
	b = dwarf_section_bytes(dwarf_file_of(d, u), DWARF_RNGLISTS, at);
	at = bytes_fixed(&b, size);
	return !b.bad && !__builtin_add_overflow(u->rnglists_base, at, ret);
}

bool dwarf_ranges_read(struct dwarf *d, const struct dwarf_unit *u, const struct dwarf_entry *e,
		       struct dwarf_ranges *ret)
{
	uint64_t offset = e->ranges.number;

	ret->items.count = 0;
	if (e->ranges.form) {
		if (e->ranges.form == DW_FORM_rnglistx && !list_offset(d, u, offset, &offset))
			return false;
		return u->format.version >= 5 ? list_read(d, u, offset, ret)
					      : pairs_read(d, u, offset, ret);
	}
	if (!e->has_low || !e->has_high)
		return true;
	return add(d, ret, e->low, e->high_is_length ? e->low + e->high : e->high);
}
