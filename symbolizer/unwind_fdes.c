// SPDX-License-Identifier: Apache-2.0
/*
 * The sections are read whole into memory, and walked once to list what is in them: 16 bytes an
 * FDE. Then the list is sorted, by radix: in libLLVM it costs a tenth of a comparison sort, and
 * its time depends on nothing that the file's author chooses.
 *
 * Refused: .eh_frame_hdr, which is sorted, but may be missing, wrong, or of another form; walking
 * .eh_frame is 5 % of the time.
 */
#include "symbolizer/unwind_fdes.h"

#include <errno.h>
#include <stdlib.h>

#define PLACE_SECTION_SHIFT 31

#define RADIX_BITS 11
#define RADIX_SIZE (1u << RADIX_BITS)

/* The CIE at this offset, maybe not a valid one; NULL if so many were read that it has to end. */
static const struct cfi_cie *cie_find(struct unwind_fdes *x, const struct cfi_section *s,
				      uint64_t offset)
{
	/* CIEs lie at least 16 bytes apart. */
	struct cfi_cie *cie = &x->cies[(offset >> 4) % UNWIND_CIES];

	if (cie->section == s && cie->offset == offset)
		return cie;
	if (x->cie_cost >= UNWIND_MAX_CIE_COST)
		return NULL;
	cfi_cie_read(s, offset, cie);
	x->cie_cost += UNWIND_CIE_COST + cie->program_bytes;
	return cie;
}

static int fde_add(struct unwind_fdes *x, const struct cfi_fde *fde, uint64_t place)
{
	struct unwind_fde *item;

	if (x->list.count == UNWIND_MAX_FDES) {
		x->too_large = true;
		return 0;
	}
	item = array_push(&x->list, UNWIND_MAX_FDES);
	if (!item)
		return -ENOMEM;
	*item = (struct unwind_fde){ .start = fde->start,
				     .size = (uint32_t)fde->size,
				     .place = (uint32_t)place };
	return 0;
}

static int section_list(struct unwind_fdes *x, uint32_t number, bool terminated, uint64_t start,
			uint64_t limit)
{
	const struct cfi_section *s = &x->sections[number];
	uint64_t offset = 0;

	while (offset < s->bytes) {
		uint64_t at = offset;
		struct cfi_entry e;
		struct cfi_fde fde;
		const struct cfi_cie *cie;
		int r = cfi_entry_next(s, &offset, &e);

		if (r == 0 && terminated)
			return 0;
		if (r < 0) {
			x->damaged = true;
			return 0;
		}
		if (r == 0 || e.is_cie)
			continue;
		cie = cie_find(x, s, e.cie_offset);
		if (!cie) {
			x->too_large = true;
			return 0;
		}
		/* Address 0 is what a function has whose code the linker dropped. */
		if (!cfi_fde_read(cie, e.body, &fde) || fde.start == 0 || fde.size > UINT32_MAX)
			x->refused++;
		else if (fde.size && fde.start < limit && fde.start + fde.size > start &&
			 fde_add(x, &fde, (uint64_t)number << PLACE_SECTION_SHIFT | at) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int section_read(struct elf_file *f, const struct elf_place *where, struct unwind_fdes *x,
			uint32_t number)
{
	struct cfi_section *s = &x->sections[number];
	uint64_t bytes = where->bytes;
	uint8_t *data;

	s->debug = number == UNWIND_DEBUG_FRAME;
	if (!bytes)
		return 0;
	if (bytes > UNWIND_MAX_SECTION_BYTES) {
		x->too_large = true;
		bytes = UNWIND_MAX_SECTION_BYTES;
	}
	data = malloc((size_t)bytes);
	if (!data)
		return -ENOMEM;
	s->data = data;
	if (!elf_file_read(f, where->offset, data, (size_t)bytes))
		return 0;
	s->bytes = bytes;
	s->vaddr = where->vaddr;
	return 0;
}

static bool is_sorted(const struct unwind_fdes *x)
{
	for (uint32_t i = 1; i < x->list.count; i++) {
		if (x->list.items[i - 1].start > x->list.items[i].start)
			return false;
	}
	return true;
}

/* Stable, by start - lowest: one pass for each 11 bits of the greatest. */
static int sort(struct unwind_fdes *x)
{
	struct unwind_fde *from = x->list.items, *to, *scratch;
	uint32_t count = x->list.count, places[RADIX_SIZE];
	uint64_t lowest = UINT64_MAX, highest = 0;

	for (uint32_t i = 0; i < count; i++) {
		lowest = from[i].start < lowest ? from[i].start : lowest;
		highest = from[i].start > highest ? from[i].start : highest;
	}
	scratch = reallocarray(NULL, count, sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	to = scratch;
	for (unsigned int shift = 0; shift < 64 && (highest - lowest) >> shift;
	     shift += RADIX_BITS) {
		struct unwind_fde *swap = from;
		uint32_t sum = 0;

		memset(places, 0, sizeof(places));
		for (uint32_t i = 0; i < count; i++)
			places[(from[i].start - lowest) >> shift & (RADIX_SIZE - 1)]++;
		for (uint32_t i = 0; i < RADIX_SIZE; i++) {
			uint32_t here = places[i];

			places[i] = sum;
			sum += here;
		}
		for (uint32_t i = 0; i < count; i++)
			to[places[(from[i].start - lowest) >> shift & (RADIX_SIZE - 1)]++] =
				from[i];
		from = to;
		to = swap;
	}
	if (from == scratch)
		memcpy(x->list.items, scratch, count * sizeof(*scratch));
	free(scratch);
	return 0;
}

int unwind_fdes_read(struct elf_file *f, const struct unwind_sections *where, uint64_t start,
		     uint64_t limit, struct unwind_fdes *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = section_read(f, &where->eh_frame, ret, UNWIND_EH_FRAME);
	if (r == 0)
		r = section_read(f, &where->debug_frame, ret, UNWIND_DEBUG_FRAME);
	if (r == 0)
		r = section_list(ret, UNWIND_EH_FRAME, where->terminated, start, limit);
	if (r == 0)
		r = section_list(ret, UNWIND_DEBUG_FRAME, false, start, limit);
	if (r == 0 && !is_sorted(ret))
		r = sort(ret);
	return r;
}

void unwind_fdes_release(struct unwind_fdes *x)
{
	for (uint32_t i = 0; i < UNWIND_SECTION_COUNT; i++) {
		free((void *)x->sections[i].data);
		x->sections[i].data = NULL;
	}
	array_release(&x->list);
}

bool unwind_fdes_open(struct unwind_fdes *x, const struct unwind_fde *fde, struct cfi_fde *ret,
		      const struct cfi_cie **ret_cie)
{
	const struct cfi_section *s = &x->sections[fde->place >> PLACE_SECTION_SHIFT];
	uint64_t offset = fde->place & UNWIND_PLACE_OFFSET_MASK;
	const struct cfi_cie *cie;
	struct cfi_entry e;

	if (cfi_entry_next(s, &offset, &e) != 1)
		return false;
	cie = cie_find(x, s, e.cie_offset);
	if (!cie || !cfi_fde_read(cie, e.body, ret))
		return false;
	*ret_cie = cie;
	return true;
}
