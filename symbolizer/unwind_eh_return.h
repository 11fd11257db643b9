/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where call frame information stops to be true: in libgcc's functions that throw.
 *
 * _Unwind_RaiseException and its three relatives end with __builtin_eh_return. Before that,
 * uw_install_context() writes the registers of the frame that catches over those that they had saved
 * themselves, return address included (libgcc/unwind-dw2.c):
 *
 *	…				the frames above are as they say
 *	call	uw_install_context_1	from here on, and in what is called, they are not
 *	call	_Unwind_DebugHook
 *	mov	…, %rdx … %rbp		the other frame's registers
 *	mov	%rcx, %rsp		CFA = rcx + 8
 *	jmp	*%rcx
 *
 * A stack that goes through there can't be followed, though it looks as if it could. Such a function is
 * known by what it saves: rax and rdx, in which a handler gets its arguments, and nobody else does.
 */
#ifndef SYMBOLIZER_UNWIND_EH_RETURN_H
#define SYMBOLIZER_UNWIND_EH_RETURN_H

#include <stdbool.h>

#include "symbolizer/elf_file.h"
#include "symbolizer/unwind_cfi.h"

/* The part of a function in which its saved registers are another frame's; false: there is none. */
bool unwind_eh_return_find(struct elf_file *f, const struct cfi_cie *cie, const struct cfi_fde *fde,
			   struct elf_range *ret);

#endif
