// SPDX-License-Identifier: Apache-2.0
/*
 * The input is an ELF file whose unwind table is compiled: whole, and a part of it with few rows.
 * Whatever it is, the table is one that the kernel side can search.
 *
 * The corpus, made in tests/fuzz/corpus/symbolizer_unwind with binutils 2.40:
 *
 *	cat > a.s <<'S'
 *	.globl _start; _start: .cfi_startproc; .cfi_undefined rip; call f; hlt; .cfi_endproc
 *	.skip 40
 *	f: .cfi_startproc; push %rbp; .cfi_def_cfa_offset 16; .cfi_offset rbp, -16
 *	mov %rsp, %rbp; .cfi_def_cfa_register rbp; .cfi_remember_state; pop %rbp
 *	.cfi_restore rbp; .cfi_def_cfa rsp, 8; ret; .cfi_restore_state; nop; .cfi_endproc
 *	plt: .cfi_startproc; .cfi_escape 0xf,0xb,0x77,8,0x80,0,0x3f,0x1a,0x3b,0x2a,0x33,0x24,0x22
 *	nop; .cfi_escape 0xf,6,0x77,0x98,1,6,0x23,8; nop; .cfi_escape 0x10,6,2,0x76,0; nop
 *	.cfi_def_cfa r10, 0; nop; .cfi_val_offset rbp, -16; nop; .cfi_register rip, rdi
 *	nop; .cfi_escape 2,1,3,1,0,4,1,0,0,0,0x12,7,0x7f,0x13,0x7e,0x2e,8,0x2f,6,1; .cfi_endproc
 *	signal: .cfi_startproc; .cfi_signal_frame; .cfi_escape 0xf,4,0x77,0xa0,1,6
 *	.cfi_escape 0x10,6,3,0x77,0xf8,0,0x10,7,3,0x77,0xa0,1,0x10,16,3,0x77,0xa8,1
 *	nop; .cfi_endproc
 *	.rept 1200; push %rbp; mov %rsp, %rbp; .endr
 *	S
 *	as -o a.o a.s; (echo .cfi_sections .debug_frame; cat a.s) | as -o b.o
 *	(cat a.s; echo '.section .gopclntab, "a"; .long 0') | as -o c.o
 *	ld -z noseparate-code --eh-frame-hdr -s -o eh-frame a.o
 *	ld -z noseparate-code --no-eh-frame-hdr -o no-index a.o
 *	ld -z noseparate-code -o debug-frame b.o; ld -z noseparate-code -o both a.o b.o -z muldefs
 *	ld -z noseparate-code -o go c.o; cp eh-frame headless
 *	printf '\0\0\0\0\0\0\0\0' | dd of=headless bs=1 seek=40 conv=notrunc
 *	printf '\0\0' | dd of=headless bs=1 seek=60 conv=notrunc
 *	head -c 600 eh-frame > truncated; cp a.o relocatable; rm a.s a.o b.o c.o
 *
 * bare and bare-stripped have no call frame information at all:
 *
 *	cat > d.s <<'S'
 *	.globl _start; .type _start,@function; _start: xor %ebp,%ebp; mov %rsp,%rdi
 *	and $-16,%rsp; call f; hlt; .size _start,.-_start; .skip 13
 *	f: push %rbp; mov %rsp,%rbp; and $-64,%rsp; sub $96,%rsp; mov %rbp,8(%rsp); call g
 *	jmp *%rax; mov 8(%rsp),%rbp; leave; ret
 *	g: mov %rsp,%rax; and $-32,%rsp; sub $64,%rsp; mov %rax,32(%rsp); test %edi,%edi; jz 1f
 *	call *%rdi; 1: mov 32(%rsp),%rsp; ret; nop; r: mov $15,%rax; syscall
 *	c: xor %eax,%eax; mov $56,%al; syscall; test %eax,%eax; jnz 1f; xor %ebp,%ebp; pop %rdi
 *	call *%r9; hlt; 1: ret
 *	S
 *	as -o d.o d.s; ld -z noseparate-code -o bare d.o; ld -s -z noseparate-code -o bare-stripped d.o
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "symbolizer/unwind_compile.h"
#include "tests/unit/symbolizer_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_page(const struct unwind_table *t, const struct unwind_page *page)
{
	check(page->count >= 1 && page->count <= UNWIND_PAGE_MAX_ROWS);
	check(page->row < t->rows.count && page->count <= t->rows.count - page->row);
	check(unwind_row_within(t->rows.items[page->row]) == 0);
	for (uint32_t i = 0; i < page->count; i++) {
		uint32_t row = t->rows.items[page->row + i];

		check(unwind_row_rule(row) < t->rule_count);
		check(unwind_row_within(row) < UNWIND_PAGE_BYTES);
		check(i == 0 ||
		      unwind_row_within(row) > unwind_row_within(t->rows.items[page->row + i - 1]));
	}
}

static void compile(int fd, uint64_t start, uint64_t limit, uint32_t max_rows)
{
	struct unwind_table *t = malloc(sizeof(*t));
	struct buffer text = BUFFER_INIT(1 << 20);
	struct unwind_outcome outcome;
	struct elf_file f;

	if (!t)
		abort();
	unwind_table_init(t, 0, 0);
	if (elf_file_open(&f, fd) == 0 &&
	    unwind_compile(&f, start, limit, max_rows, t, &outcome) == 0) {
		check(t->limit >= t->start && t->limit <= limit);
		check(t->rows.count <= max_rows && t->rule_count <= UNWIND_MAX_FILE_RULES);
		check((uint64_t)t->pages.count * UNWIND_PAGE_BYTES >= t->limit - t->start);
		for (uint32_t i = 0; i < t->pages.count; i++)
			check_page(t, &t->pages.items[i]);
		for (uint32_t i = 0; i < t->rule_count; i++)
			check(t->rules[i].kind < UNWIND_KIND_COUNT);
		rows_dump(t, &outcome, &text);
	}
	elf_file_release(&f);
	unwind_table_release(t);
	buffer_release(&text);
	free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		abort();
	compile(fd, 0, UINT64_MAX, UNWIND_MAX_ROWS);
	compile(fd, 0x400100, 0x401000, 10);
	close(fd);
	return 0;
}
