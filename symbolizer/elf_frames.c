// SPDX-License-Identifier: Apache-2.0
/*
 * A binary search by pread: it is asked only for the few symbols without a size. The table is
 *
 *	u8 version, u8 how the frames' address is written, u8 the count, u8 the table
 *	address of .eh_frame, count, then count × { start, address of the FDE }, by start
 *
 * All linkers write 4-byte entries relative to the header (0x3b); gold and lld write nothing else,
 * and so nothing else is read. A table that isn't sorted gives a wrong limit within [vaddr, limit]:
 * its owner's names only.
 */
#include "symbolizer/elf_frames.h"

#include <string.h>

#define VERSION 1
#define FORM_PCREL_SDATA4 0x1b /* DW_EH_PE_pcrel | DW_EH_PE_sdata4 */
#define FORM_UDATA4 0x03 /* DW_EH_PE_udata4 */
#define FORM_DATAREL_SDATA4 0x3b /* DW_EH_PE_datarel | DW_EH_PE_sdata4 */

struct header {
	uint8_t version, frames_form, count_form, table_form;
	int32_t frames;
	uint32_t count;
};

struct entry {
	int32_t start;
	int32_t frame;
};

uint64_t elf_frames_next(struct elf_file *f, uint64_t vaddr, uint64_t limit)
{
	const struct elf_place *place = &f->frames_index;
	struct header h;
	uint32_t low = 0, high;

	if (place->bytes < sizeof(h) || !elf_file_read(f, place->offset, &h, sizeof(h)))
		return limit;
	if (h.version != VERSION || h.frames_form != FORM_PCREL_SDATA4 ||
	    h.count_form != FORM_UDATA4 || h.table_form != FORM_DATAREL_SDATA4 ||
	    h.count > (place->bytes - sizeof(h)) / sizeof(struct entry))
		return limit;
	/* The first entry behind vaddr is in [low, high]. */
	high = h.count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct entry e;
		uint64_t start;

		if (!elf_file_read(f, place->offset + sizeof(h) + (uint64_t)middle * sizeof(e), &e,
				   sizeof(e)))
			return limit;
		start = place->vaddr + (uint64_t)(int64_t)e.start;
		if (start > vaddr) {
			high = middle;
			if (start < limit)
				limit = start;
		} else {
			low = middle + 1;
		}
	}
	return limit;
}
