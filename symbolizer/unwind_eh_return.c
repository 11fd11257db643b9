// SPDX-License-Identifier: Apache-2.0
/*
 * The part begins with the last call but one before rsp is set. Calls are looked for by their bytes
 * (E8, and a target within the file's code): data that look like one can only be in other
 * instructions, and are as rare as that.
 *
 * Refused: the symbol's name, which a static program may not have; and the whole function, in which almost
 * all of the time that throwing takes is spent.
 */
#include "symbolizer/unwind_eh_return.h"

#include <dwarf.h>
#include <string.h>

#define SEARCHED_BYTES 512u /* before rsp is set; libgcc has 130 */
#define CALL_BYTES 5u
#define CALL 0xe8

static bool is_call(const struct elf_file *f, const uint8_t *at, uint64_t vaddr)
{
	int32_t distance;

	if (*at != CALL)
		return false;
	memcpy(&distance, at + 1, sizeof(distance));
	return elf_file_code(f, vaddr + CALL_BYTES + (uint64_t)(int64_t)distance) != NULL;
}

/* The last call but one in [start, end), or `start`. */
static uint64_t find_call(struct elf_file *f, uint64_t start, uint64_t end)
{
	uint8_t bytes[SEARCHED_BYTES];
	uint64_t last = start, before = start;

	if (end - start > sizeof(bytes))
		start = end - sizeof(bytes);
	if (!elf_file_read_code(f, start, bytes, (size_t)(end - start)))
		return last;
	for (uint64_t at = start; at + CALL_BYTES <= end;) {
		if (!is_call(f, bytes + (at - start), at)) {
			at++;
			continue;
		}
		before = last;
		last = at;
		at += CALL_BYTES;
	}
	return before;
}

bool unwind_eh_return_find(struct elf_file *f, const struct cfi_cie *cie, const struct cfi_fde *fde,
			   struct elf_range *ret)
{
	uint64_t start, limit;

	/* Nearly no program mentions rdx: the others are not run twice. */
	if (!memchr(fde->program.at, DW_CFA_offset | CFI_RDX, bytes_left(&fde->program)) ||
	    !cfi_find_eh_return(cie, fde, &start, &limit))
		return false;
	*ret = (struct elf_range){ find_call(f, fde->start, start), limit };
	return true;
}
