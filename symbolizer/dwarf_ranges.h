/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an entry's code is: DW_AT_low_pc and _high_pc, .debug_ranges (DWARF 4, 2.17.3), .debug_rnglists (DWARF
 * 5, 2.17.3).
 */
#ifndef SYMBOLIZER_DWARF_RANGES_H
#define SYMBOLIZER_DWARF_RANGES_H

#include "profiler/base/array.h"
#include "symbolizer/dwarf_unit.h"

#define DWARF_MAX_RANGES (1u << 16) /* of one entry */

struct dwarf_ranges {
	ARRAY(struct elf_range) items; /* none is empty */
};

/*
 * Replaces what is in *ret, as far as it could be read: false, if it is damaged or no memory is left (then
 * d->out_of_memory is set).
 */
bool dwarf_ranges_read(struct dwarf *d, const struct dwarf_unit *u, const struct dwarf_entry *e,
		       struct dwarf_ranges *ret);

#endif
