// SPDX-License-Identifier: Apache-2.0
/*
 * Stubs of files made by hand, right and wrong. That real linkers' stubs have objdump's names is
 * tests/e2e/bounds.bats.
 */
#include "symbolizer/elf_plt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/torture.h"

#define PLT 0x1000u /* vaddr and offset of the stubs: file and addresses are the same */
#define DATA 0x2000u /* where slots are */
#define CALL(n) "\xff\x25" n

/* A file of 0x3000 bytes with what is named, at these offsets. */
enum { AT_RELA = 0x400, AT_SYMBOLS = 0x800, AT_NAMES = 0xa00, AT_SECTION_NAMES = 0xb00 };
enum { NONE, STUBS, RELA, SYMBOLS, NAMES, SECTION_NAMES, SECTIONS };

struct file {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	Elf64_Shdr sections[SECTIONS];
	unsigned char rest[0x3000 - sizeof(Elf64_Ehdr) - sizeof(Elf64_Phdr) -
			   SECTIONS * sizeof(Elf64_Shdr)];
};
_Static_assert(sizeof(struct file) == 0x3000, "offsets above are in it");

struct sample {
	const char *name;
	const char *section; /* NULL: .plt */
	const char code[40];
	uint32_t stub_bytes, bytes; /* of the section; 0: 16, 32 */
	Elf64_Rela rela[3];
	uint64_t asked[4]; /* from PLT */
	const char *want; /* for each: "-", or start+size name */
	uint16_t machine; /* 0: x86-64 */
};

#define JUMP_SLOT(at, symbol)                                       \
	{                                                           \
		(at), ELF64_R_INFO((symbol), R_X86_64_JUMP_SLOT), 0 \
	}
#define OF_TYPE(at, symbol, type, addend)                      \
	{                                                      \
		(at), ELF64_R_INFO((symbol), (type)), (addend) \
	}

/* The distance is from behind the jump: the one at PLT ends at 0x1006, and 0xffa on is 0x2000. */
#define TO_DATA CALL("\xfa\x0f\0\0")
#define TO_DATA_16 CALL("\xea\x0f\0\0") /* from PLT + 16 */

/* clang-format off */
static const struct sample samples[] = {
	{ "each byte of it, and none before or behind", .code = "\xff\x35\1\0\0\0\xff\x25\1\0\0\0\x90\x90\x90\x90" TO_DATA_16,
	  .rela = { JUMP_SLOT(DATA, 1) }, .asked = { 15, 16, 31, 32 }, .want = "- 16+16:first 16+16:first -" },
	{ "eight bytes long", .section = ".plt.got", .code = TO_DATA "\x66\x90" CALL("\xfa\x0f\0\0"), .stub_bytes = 8, .bytes = 16,
	  .rela = { OF_TYPE(DATA, 1, R_X86_64_GLOB_DAT, 0), OF_TYPE(DATA + 8, 2, R_X86_64_GLOB_DAT, 0) },
	  .asked = { 0, 7, 8, 15 }, .want = "0+8:first 0+8:first 8+8:second 8+8:second" },
	{ "endbr64", .section = ".plt.sec", .code = "\xf3\x0f\x1e\xfa" CALL("\xf6\x0f\0\0"), .rela = { JUMP_SLOT(DATA, 2) },
	  .asked = { 4 }, .want = "0+16:second" },
	{ "endbr64 and bnd", .section = ".plt.sec", .code = "\xf3\x0f\x1e\xfa\xf2" CALL("\xf5\x0f\0\0"), .rela = { JUMP_SLOT(DATA, 2) },
	  .asked = { 4 }, .want = "0+16:second" },
	{ "mold's", .code = "\xf3\x0f\x1e\xfa\x41\xbb\1\0\0\0" CALL("\xf0\x0f\0\0"), .rela = { JUMP_SLOT(DATA, 1) },
	  .asked = { 15 }, .want = "0+16:first" },
	{ "backwards", .code = CALL("\x02\xf4\xff\xff"), .rela = { JUMP_SLOT(0x408, 1) }, .asked = { 0 }, .want = "0+16:first" },
	{ "a resolver", .code = TO_DATA, .rela = { OF_TYPE(DATA, 0, R_X86_64_IRELATIVE, 0xabc0) }, .asked = { 0 },
	  .want = "0+16:*ABS*+0xabc0" },
	{ "the first of a slot's relocations", .code = TO_DATA TO_DATA, .rela = { JUMP_SLOT(DATA, 2), JUMP_SLOT(DATA, 1) },
	  .asked = { 0 }, .want = "0+16:second" },
	{ "two stubs of a slot", .code = TO_DATA "0123456789" TO_DATA_16, .rela = { JUMP_SLOT(DATA, 2) }, .asked = { 0, 16 },
	  .want = "0+16:second 16+16:second" },
	{ "cut by the section's end", .code = TO_DATA "0123456789" TO_DATA_16, .bytes = 22,
	  .rela = { JUMP_SLOT(DATA, 1) }, .asked = { 16, 21, 22 }, .want = "16+6:first 16+6:first -" },
	{ "cut within its jump", .code = TO_DATA, .bytes = 5, .rela = { JUMP_SLOT(DATA, 1) }, .asked = { 0 }, .want = "-" },
	{ "no relocation", .code = TO_DATA, .rela = { JUMP_SLOT(DATA + 8, 1) }, .asked = { 0 }, .want = "-" },
	{ "a relocation that means something else", .code = TO_DATA, .rela = { OF_TYPE(DATA, 1, R_X86_64_64, 0) }, .asked = { 0 },
	  .want = "-" },
	{ "a symbol that isn't there", .code = TO_DATA, .rela = { JUMP_SLOT(DATA, 4) }, .asked = { 0 }, .want = "0+16:" },
	{ "a name that isn't there", .code = TO_DATA, .rela = { JUMP_SLOT(DATA, 3) }, .asked = { 0 }, .want = "0+16:" },
	{ "another jump", .code = "\xff\xe0\xfa\x0f\0\0", .rela = { JUMP_SLOT(DATA, 1) }, .asked = { 0 }, .want = "-" },
	{ "not called a section of stubs", .section = ".text", .code = TO_DATA, .rela = { JUMP_SLOT(DATA, 1) }, .asked = { 0 },
	  .want = "-" },
	{ "another machine", .machine = EM_AARCH64, .code = TO_DATA, .rela = { JUMP_SLOT(DATA, 1) }, .asked = { 0 }, .want = "-" },
};
/* clang-format on */

static void file_make(struct file *f, const struct sample *s)
{
	static const char names[] = "\0first\0second";
	Elf64_Sym symbols[4] = { { 0 }, { .st_name = 1 }, { .st_name = 7 }, { .st_name = 4000 } };
	unsigned char *bytes = (unsigned char *)f;

	*f = (struct file){
		.header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
					 ELFDATA2LSB, 1 },
			    .e_type = ET_DYN,
			    .e_machine = s->machine ? s->machine : EM_X86_64,
			    .e_phoff = offsetof(struct file, segment),
			    .e_phnum = 1,
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_shoff = offsetof(struct file, sections),
			    .e_shnum = SECTIONS,
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shstrndx = SECTION_NAMES },
		.segment = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = sizeof(*f) },
	};
	f->sections[STUBS] = (Elf64_Shdr){ .sh_name = 1,
					   .sh_type = SHT_PROGBITS,
					   .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
					   .sh_addr = PLT,
					   .sh_offset = PLT,
					   .sh_size = s->bytes ? s->bytes : 32,
					   .sh_entsize = s->stub_bytes ? s->stub_bytes : 16 };
	f->sections[RELA] = (Elf64_Shdr){ .sh_type = SHT_RELA,
					  .sh_offset = AT_RELA,
					  .sh_size = sizeof(s->rela),
					  .sh_entsize = sizeof(s->rela[0]) };
	f->sections[SYMBOLS] = (Elf64_Shdr){ .sh_type = SHT_DYNSYM,
					     .sh_offset = AT_SYMBOLS,
					     .sh_size = sizeof(symbols),
					     .sh_link = NAMES,
					     .sh_entsize = sizeof(symbols[0]) };
	f->sections[NAMES] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
					   .sh_offset = AT_NAMES,
					   .sh_size = sizeof(names) };
	f->sections[SECTION_NAMES] =
		(Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = AT_SECTION_NAMES, .sh_size = 32 };
	memcpy(bytes + AT_RELA, s->rela, sizeof(s->rela));
	memcpy(bytes + AT_SYMBOLS, symbols, sizeof(symbols));
	memcpy(bytes + AT_NAMES, names, sizeof(names));
	snprintf((char *)bytes + AT_SECTION_NAMES + 1, 31, "%s", s->section ? s->section : ".plt");
	memcpy(bytes + PLT, s->code, sizeof(s->code));
}

static void describe(const struct elf_plt *plt, uint64_t vaddr, char *ret, size_t size)
{
	char name[100];

	for (uint32_t i = 0; i < plt->stubs.count; i++) {
		const struct elf_stub *stub = &plt->stubs.items[i];

		if (!stub->known || vaddr < stub->start || vaddr >= stub->limit)
			continue;
		if (!elf_plt_name(plt, stub, name, sizeof(name)))
			name[0] = '\0';
		snprintf(ret, size, "%u+%u:%s", (unsigned int)(stub->start - PLT),
			 (unsigned int)(stub->limit - stub->start), name);
		return;
	}
	snprintf(ret, size, "-");
}

/* What is said of the addresses that are asked for; later zeros mean that there are no more. */
static void answer(const struct file *f, const struct sample *s, char *ret, size_t size)
{
	struct elf_file elf;
	struct elf_plt plt;
	uint64_t vaddrs[4];
	uint32_t count = 1;
	size_t len;

	vaddrs[0] = PLT + s->asked[0];
	for (; count < 4 && s->asked[count]; count++)
		vaddrs[count] = PLT + s->asked[count];
	assert_int_equal(elf_file_open_bytes(&elf, (const char *)f, sizeof(*f)), 0);
	assert_int_equal(elf_plt_find(&elf, vaddrs, count, &plt), 0);
	len = (size_t)snprintf(ret, size, "%s:", s->name);
	for (uint32_t i = 0; i < count && len + 2 < size; i++) {
		ret[len++] = ' ';
		describe(&plt, vaddrs[i], ret + len, size - len);
		len = strlen(ret);
	}
	elf_plt_release(&plt);
	elf_file_release(&elf);
}

static void test_samples(void **state)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		char got[500], want[500];
		struct file f;

		file_make(&f, &samples[i]);
		answer(&f, &samples[i], got, sizeof(got));
		snprintf(want, sizeof(want), "%s: %s", samples[i].name, samples[i].want);
		assert_string_equal(got, want);
	}
}

/*
 * The relocations of stubs are read first, wherever they are; others only if these don't know all
 * stubs.
 */
static void test_order(void **state)
{
	static const uint64_t vaddr = PLT;
	struct elf_file elf;
	struct elf_plt plt;
	struct file f;

	file_make(&f, &samples[2]);
	f.sections[NONE] = f.sections[RELA];
	f.sections[NONE].sh_offset =
		sizeof(f); /* nothing is there: who reads it calls the file damaged */
	f.sections[RELA].sh_flags = SHF_INFO_LINK;
	for (int known = 1; known >= 0; known--) {
		assert_int_equal(elf_file_open_bytes(&elf, (const char *)&f, sizeof(f)), 0);
		assert_int_equal(elf_plt_find(&elf, &vaddr, 1, &plt), 0);
		assert_int_equal(plt.stubs.count, 1);
		assert_int_equal(plt.stubs.items[0].known, known);
		assert_int_equal(elf.damaged, !known);
		elf_plt_release(&plt);
		elf_file_release(&elf);
		memset((char *)&f + AT_RELA, 0, sizeof(samples[0].rela));
	}
}

static int find(void *ctx)
{
	static const uint64_t vaddr = PLT;
	struct elf_plt plt = { 0 };
	struct elf_file elf;
	int r = elf_file_open_bytes(&elf, ctx, sizeof(struct file));

	if (r == 0)
		r = elf_plt_find(&elf, &vaddr, 1, &plt);
	elf_plt_release(&plt);
	elf_file_release(&elf);
	return r;
}

static void test_no_memory(void **state)
{
	struct file f;

	file_make(&f, &samples[2]);
	assert_true(torture(find, &f) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
