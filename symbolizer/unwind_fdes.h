/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that a file's .eh_frame and .debug_frame describe, by address. Sections follow the
 * order of the linker's input, which is not that of the text.
 */
#ifndef SYMBOLIZER_UNWIND_FDES_H
#define SYMBOLIZER_UNWIND_FDES_H

#include "symbolizer/unwind_cfi.h"
#include "symbolizer/unwind_sections.h"

#define UNWIND_MAX_FDES (1u << 20) /* 16 MiB; libclang-cpp has 150,000 */
#define UNWIND_MAX_SECTION_BYTES (32u << 20) /* libLLVM's has 5 MiB */
#define UNWIND_CIES 64u /* kept; most files have fewer than ten */
/*
 * CIEs are read again when others took their places. A file can be made such that each FDE does
 * that: what they may cost in all, in bytes of their programs and these for the rest.
 */
#define UNWIND_MAX_CIE_COST (256u << 20)
#define UNWIND_CIE_COST 64u

enum { UNWIND_EH_FRAME, UNWIND_DEBUG_FRAME, UNWIND_SECTION_COUNT };

struct unwind_fde {
	uint64_t start;
	uint32_t size;
	uint32_t place; /* section << 31 | offset in it */
};
#define UNWIND_PLACE_OFFSET_MASK (UINT32_MAX >> 1)

struct unwind_fdes {
	struct cfi_section sections[UNWIND_SECTION_COUNT]; /* .data is owned */
	ARRAY(struct unwind_fde) list; /* by start; of the same start, .eh_frame's first */
	uint32_t refused; /* FDEs that could not be used, and CIEs' FDEs */
	uint32_t cie_cost;
	bool damaged, too_large;
	struct cfi_cie cies[UNWIND_CIES];
};

/*
 * Those that overlap [start, limit). 0 or -ENOMEM; what is wrong with the file is in `damaged` and
 * `too_large`. In every case unwind_fdes_release() may be called, as on zeroed ones.
 */
int unwind_fdes_read(struct elf_file *f, const struct unwind_sections *where, uint64_t start,
		     uint64_t limit, struct unwind_fdes *ret);
void unwind_fdes_release(struct unwind_fdes *x);

/* One of the list: its program, and the CIE that it belongs to (valid until the next call). */
bool unwind_fdes_open(struct unwind_fdes *x, const struct unwind_fde *fde, struct cfi_fde *ret,
		      const struct cfi_cie **ret_cie);

#endif
