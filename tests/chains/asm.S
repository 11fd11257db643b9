/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asm_middle calls foxtrot: with call frame information, or as BARE without. It keeps in rbp what a frame pointer
 * would be taken for: the address of two words on the stack that lead nowhere.
 */
#ifdef BARE
#define CFI(...)
#else
#define CFI(...) __VA_ARGS__
#endif

	.text
	.p2align 4
	.globl	asm_middle
	.type	asm_middle, @function
asm_middle:
	CFI(.cfi_startproc)
	push	%rbp
	CFI(.cfi_adjust_cfa_offset 8)
	CFI(.cfi_rel_offset %rbp, 0)
	push	%rbx
	CFI(.cfi_adjust_cfa_offset 8)
	sub	$72, %rsp
	CFI(.cfi_adjust_cfa_offset 72)
	lea	32(%rsp), %rbp
	lea	never_called(%rip), %rax
	lea	48(%rsp), %rcx
	mov	%rcx, 0(%rbp)
	mov	%rax, 8(%rbp)
	movq	$0, 16(%rbp)
	mov	%rax, 24(%rbp)
	mov	$9, %ebx
1:	dec	%ebx
	jnz	1b
	call	foxtrot
	mov	$9, %ebx
2:	dec	%ebx
	jnz	2b
	add	$72, %rsp
	CFI(.cfi_adjust_cfa_offset -72)
	pop	%rbx
	CFI(.cfi_adjust_cfa_offset -8)
	pop	%rbp
	CFI(.cfi_adjust_cfa_offset -8)
	CFI(.cfi_restore %rbp)
	ret
	CFI(.cfi_endproc)
	.size	asm_middle, . - asm_middle

	.globl	never_called
	.type	never_called, @function
never_called:
	CFI(.cfi_startproc)
	ud2
	CFI(.cfi_endproc)
	.size	never_called, . - never_called

	.section .note.GNU-stack,"",@progbits
