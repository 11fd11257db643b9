/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call frame information: the entries of .eh_frame and .debug_frame, and the programs in them.
 *
 * Formats: DWARF 5, section 6.4, with the numbers of versions 1, 3 and 4; LSB core specification,
 * 10.6, for what .eh_frame does otherwise; System V ABI for x86-64, figure 3.36, for register
 * numbers.
 */
#ifndef SYMBOLIZER_UNWIND_CFI_H
#define SYMBOLIZER_UNWIND_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/unwind.h"
#include "symbolizer/unwind_bytes.h"
#include "symbolizer/unwind_table.h"

#define CFI_MAX_REMEMBERED 16 /* states; compilers nest them once */
#define CFI_MAX_CIE_PROGRAM 4096u /* bytes. Real ones have under 100 */
#define CFI_MAX_AUGMENTATION 32u /* letters; "zPLR" */

/* DWARF numbers of registers */
#define CFI_RAX 0
#define CFI_RDX 1
#define CFI_RCX 2
#define CFI_RBP 6
#define CFI_RSP 7
#define CFI_RIP 16

struct cfi_section {
	const uint8_t *data;
	uint64_t bytes; /* <= UINT32_MAX / 2 */
	uint64_t vaddr;
	bool debug; /* .debug_frame */
};

/* Where a register of the caller's is. */
enum cfi_where {
	CFI_UNSET, /* nothing was said */
	CFI_SAME, /* where it was */
	CFI_AT_CFA, /* in memory at CFA + offset */
	CFI_AT_RSP, /* in memory at rsp + offset */
	CFI_AT_RBP, /* in memory at rbp + offset */
	CFI_UNDEFINED,
	CFI_ELSEWHERE /* something that a rule can't say */
};

enum cfi_cfa {
	CFI_CFA_UNSET,
	CFI_CFA_REGISTER, /* register + offset */
	CFI_CFA_SUM, /* the same by an expression: register + offset */
	CFI_CFA_DEREF, /* *(register + offset) + 8 × parameter */
	CFI_CFA_PLT, /* rsp + offset, + 8 if rip & 15 >= parameter */
	CFI_CFA_OTHER
};

/* What a program has said up to an address. */
struct cfi_state {
	int64_t cfa_offset, fp_offset, ip_offset;
	uint64_t cfa_register;
	int64_t expression_offset; /* of a CFA by expression, which leaves the two above alone */
	uint8_t expression_register;
	uint8_t cfa; /* enum cfi_cfa */
	uint8_t cfa_parameter;
	uint8_t fp, ip; /* enum cfi_where, of rbp and of the return address */
	bool sp_elsewhere; /* the caller's rsp is not the CFA */
	bool rax_saved, rdx_saved; /* at the CFA: see unwind_eh_return.h */
};

struct cfi_cie {
	uint64_t offset; /* in its section */
	const struct cfi_section *section;
	bool valid, augmented, initial_valid;
	uint8_t encoding; /* of an FDE's addresses: DW_EH_PE_… */
	uint32_t program_bytes;
	uint64_t code_align;
	int64_t data_align;
	struct cfi_state initial;
};

/* A CIE or FDE before its content is looked at. */
struct cfi_entry {
	uint64_t cie_offset; /* of an FDE */
	bool is_cie;
	struct bytes body; /* behind the id */
};

/*
 * The entry at *offset, and *offset behind it. 1; 0 at an entry without content (a terminator,
 * where the caller may know that others follow); -EBADMSG at the section's end or if it makes no
 * sense: nothing can be read behind it.
 */
int cfi_entry_next(const struct cfi_section *s, uint64_t *offset, struct cfi_entry *ret);

/* Reads the CIE at s->data + offset; ret->valid says if that worked. */
void cfi_cie_read(const struct cfi_section *s, uint64_t offset, struct cfi_cie *ret);

struct cfi_fde {
	uint64_t start, size; /* vaddr */
	struct bytes program;
};

/* False if the FDE's head is damaged or its addresses are written in a way that we don't know. */
bool cfi_fde_read(const struct cfi_cie *cie, struct bytes body, struct cfi_fde *ret);

/* In unwind_program.c: */

/* The rule for a state: of UNWIND_UNSUPPORTED if none can say it. */
struct unwind_rule cfi_rule(const struct cfi_state *s);

/*
 * Runs an FDE's program and adds its rows to the table, cut to [floor, limit). What comes behind a
 * damaged or unknown instruction is unsupported, and *ret_damaged set. Returns as
 * unwind_table_add().
 */
int cfi_run(const struct cfi_cie *cie, const struct cfi_fde *fde, uint64_t floor, uint64_t limit,
	    struct unwind_table *t, bool *ret_damaged);

/* Runs a CIE's program, in which no address may matter. False if it is damaged. */
bool cfi_run_initial(const struct cfi_cie *cie, struct bytes code, struct cfi_state *ret);

/*
 * Where an FDE's program says that rsp is about to become rcx in a function that has saved rax and
 * rdx, and up to where. False if it says no such thing. Adds no rows.
 */
bool cfi_find_eh_return(const struct cfi_cie *cie, const struct cfi_fde *fde, uint64_t *ret_start,
			uint64_t *ret_limit);

/* An address in code, and b behind it; false if it is damaged or of a form that we don't know. */
bool cfi_take_address(struct bytes *b, uint8_t encoding, const struct cfi_section *s,
		      uint64_t *ret);

/* The two kinds of expressions (DWARF 5, 2.5). In unwind_expression.c. */
void cfi_expression_cfa(struct cfi_state *s, struct bytes expression);
/* An expression for the place of a saved register. */
enum cfi_where cfi_expression_place(struct bytes expression, int64_t *ret_offset);

#endif
