// SPDX-License-Identifier: Apache-2.0
/*
 * Goes the way that a stub goes: its jump names a slot, the slot's relocation a symbol. So nothing
 * is assumed of the order of stubs, which is each linker's own. What is asked about is few: it is
 * sorted, and the relocations pass by it once, first those that are of stubs (they say so:
 * SHF_INFO_LINK), where nearly all are; of libLLVM these are 487 of 408,000.
 *
 * Refused: a table of all stubs, as bfd makes it, which reads all relocations of every file; and
 * stubs that push a number and go on to the dynamic linker (.plt where there is .plt.sec), which
 * objdump doesn't name either.
 */
#include "symbolizer/elf_plt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/search.h"

#define STUB_BYTES 16u /* of most; a section whose stubs are 8 bytes long says so */
#define MAX_SECTIONS 8u /* with stubs that were asked about */
#define MAX_NAMES 64u /* of sections of code: what is read */
#define MAX_TABLES 16u /* of relocations */
#define MAX_RELOCATIONS (8u << 20) /* libLLVM has 0.4 M, chromium 1 M; 0.1 s */

/* A section of stubs. */
struct section {
	uint64_t start, limit;
	uint32_t stub_bytes;
};

struct relocations {
	uint64_t offset, count;
	bool stubs; /* no others */
};

struct sections {
	struct section code[MAX_SECTIONS];
	struct relocations tables[MAX_TABLES];
	uint32_t code_count, table_count, names;
};

struct slot {
	uint64_t vaddr;
	uint32_t stub;
};

static bool is_asked(struct search *asked, const Elf64_Shdr *s)
{
	uint32_t first = search_find(asked, s->sh_addr);

	return first < asked->count && asked->addresses[first] - s->sh_addr < s->sh_size;
}

static bool has_stubs(struct elf_file *f, const Elf64_Shdr *s)
{
	static const char *const names[] = { ".plt", ".plt.sec", ".plt.got", ".plt.bnd" };
	char name[16];

	elf_section_name(f, s, name, sizeof(name));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static void section_take(struct sections *all, struct elf_file *f, struct search *asked,
			 const Elf64_Shdr *s)
{
	if (s->sh_type == SHT_RELA && s->sh_entsize == sizeof(Elf64_Rela) &&
	    all->table_count < MAX_TABLES)
		all->tables[all->table_count++] =
			(struct relocations){ s->sh_offset, s->sh_size / sizeof(Elf64_Rela),
					      (s->sh_flags & SHF_INFO_LINK) != 0 };
	if (s->sh_type != SHT_PROGBITS || !(s->sh_flags & SHF_EXECINSTR) ||
	    s->sh_size > UINT64_MAX - s->sh_addr || all->code_count == MAX_SECTIONS ||
	    !is_asked(asked, s) || ++all->names > MAX_NAMES || !has_stubs(f, s))
		return;
	all->code[all->code_count++] = (struct section){ s->sh_addr, s->sh_addr + s->sh_size,
							 s->sh_entsize == 8 ? 8 : STUB_BYTES };
}

static void sections_find(struct sections *ret, struct elf_file *f, struct search *asked)
{
	struct elf_cursor cursor;
	const void *entry;

	elf_cursor_sections(&cursor, f);
	while ((entry = elf_cursor_next(&cursor))) {
		Elf64_Shdr s = elf_section_decode(f, entry);

		section_take(ret, f, asked, &s);
	}
}

/*
 * The slot of a stub's jump: jmp *slot(%rip). Before it may be an endbr64, mold's mov $number,
 * %r11d, and a bnd prefix.
 */
static bool slot_of(const unsigned char *code, size_t len, uint64_t vaddr, uint64_t *ret)
{
	static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa },
				   number[] = { 0x41, 0xbb };
	size_t at = 0;
	int32_t distance;

	if (len >= sizeof(endbr64) && memcmp(code, endbr64, sizeof(endbr64)) == 0)
		at += sizeof(endbr64);
	if (len - at >= 6 && memcmp(code + at, number, sizeof(number)) == 0)
		at += 6;
	if (at < len && code[at] == 0xf2)
		at++;
	if (len - at < 6 || code[at] != 0xff || code[at + 1] != 0x25)
		return false;
	memcpy(&distance, code + at + 2, sizeof(distance));
	*ret = vaddr + at + 6 + (uint64_t)(int64_t)distance;
	return true;
}

/* 0 or -ENOMEM. */
static int stub_add(struct elf_plt *plt, const struct section *s, uint64_t vaddr)
{
	unsigned char code[STUB_BYTES];
	struct elf_stub stub = { 0 }, *new;
	size_t len = s->stub_bytes;

	stub.start = vaddr - (vaddr - s->start) % s->stub_bytes;
	if (len > s->limit - stub.start)
		len = (size_t)(s->limit - stub.start);
	stub.limit = stub.start + len;
	if (plt->stubs.count && plt->stubs.items[plt->stubs.count - 1].start >= stub.start)
		return 0; /* the same; or sections overlap */
	if (!elf_file_read_code(plt->file, stub.start, code, len) ||
	    !slot_of(code, len, stub.start, &stub.slot))
		return 0;
	new = array_push(&plt->stubs, SYMBOLS_MAX_ADDRESSES);
	if (!new)
		return -ENOMEM;
	*new = stub;
	return 0;
}

static int stubs_find(struct elf_plt *plt, const struct sections *all, const uint64_t *vaddrs,
		      uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t k = 0; k < all->code_count; k++) {
			const struct section *s = &all->code[k];

			if (vaddrs[i] < s->start || vaddrs[i] >= s->limit)
				continue;
			if (stub_add(plt, s, vaddrs[i]) < 0)
				return -ENOMEM;
			break;
		}
	}
	return 0;
}

/* Of a slot's first relocation; how many stubs it tells about. */
static uint32_t relocation_take(struct elf_plt *plt, const struct slot *slots, uint32_t i,
				const Elf64_Rela *rela)
{
	uint32_t type = ELF64_R_TYPE(rela->r_info), told = 0;

	if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_IRELATIVE)
		return 0;
	for (; i < plt->stubs.count && slots[i].vaddr == rela->r_offset; i++) {
		struct elf_stub *stub = &plt->stubs.items[slots[i].stub];

		if (stub->known)
			break;
		stub->known = true;
		stub->symbol = (uint32_t)ELF64_R_SYM(rela->r_info);
		stub->resolver = (uint64_t)rela->r_addend;
		told++;
	}
	return told;
}

/* Reads tables until all `left` stubs are known. */
static void relocations_read(struct elf_plt *plt, const struct sections *all, bool stubs,
			     struct search *search, const struct slot *slots, uint32_t *left,
			     uint64_t *room)
{
	for (uint32_t i = 0; *left && i < all->table_count; i++) {
		const struct relocations *t = &all->tables[i];
		struct elf_cursor cursor;
		const void *entry;

		if (t->stubs != stubs)
			continue;
		plt->too_large |= t->count > *room;
		elf_cursor_init(&cursor, plt->file, t->offset, t->count < *room ? t->count : *room,
				sizeof(Elf64_Rela));
		*room -= t->count < *room ? t->count : *room;
		while (*left && (entry = elf_cursor_next(&cursor))) {
			Elf64_Rela rela;
			uint32_t found;

			memcpy(&rela, entry, sizeof(rela));
			found = search_find(search, rela.r_offset);
			if (found < search->count && slots[found].vaddr == rela.r_offset)
				*left -= relocation_take(plt, slots, found, &rela);
		}
	}
}

static int slot_compare(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

static int stubs_name(struct elf_plt *plt, const struct sections *all)
{
	uint32_t count = plt->stubs.count, left = count;
	struct slot *slots = calloc(count, sizeof(*slots));
	uint64_t *vaddrs = calloc(count, sizeof(*vaddrs)), room = MAX_RELOCATIONS;
	struct search search = { .addresses = vaddrs, .count = count };
	int r = -ENOMEM;

	if (!slots || !vaddrs)
		goto out;
	for (uint32_t i = 0; i < count; i++)
		slots[i] = (struct slot){ plt->stubs.items[i].slot, i };
	qsort(slots, count, sizeof(*slots), slot_compare);
	for (uint32_t i = 0; i < count; i++)
		vaddrs[i] = slots[i].vaddr;
	relocations_read(plt, all, true, &search, slots, &left, &room);
	relocations_read(plt, all, false, &search, slots, &left, &room);
	r = 0;
out:
	free(slots);
	free(vaddrs);
	return r;
}

int elf_plt_find(struct elf_file *f, const uint64_t *vaddrs, uint32_t count, struct elf_plt *ret)
{
	struct search asked = { .addresses = vaddrs, .count = count };
	struct sections all = { 0 };
	int r;

	*ret = (struct elf_plt){ .file = f };
	if (!f->wide || f->machine != EM_X86_64 || !count)
		return 0;
	sections_find(&all, f, &asked);
	r = stubs_find(ret, &all, vaddrs, count);
	return r < 0 || !ret->stubs.count ? r : stubs_name(ret, &all);
}

void elf_plt_release(struct elf_plt *plt)
{
	array_release(&plt->stubs);
}

size_t elf_plt_name(const struct elf_plt *plt, const struct elf_stub *stub, char *ret, size_t size)
{
	const struct elf_table *t = &plt->file->dynsym;
	unsigned char entry[sizeof(Elf64_Sym)];
	Elf64_Sym symbol;
	uint64_t room;

	if (!stub->known)
		return 0;
	if (!stub->symbol)
		return (size_t)snprintf(ret, size, "*ABS*+0x%llx",
					(unsigned long long)stub->resolver);
	if (stub->symbol >= t->count ||
	    !elf_file_read(plt->file, t->offset + stub->symbol * sizeof(entry), entry,
			   sizeof(entry)))
		return 0;
	symbol = elf_symbol_decode(plt->file, entry);
	if (symbol.st_name >= t->names_bytes)
		return 0;
	room = t->names_bytes - symbol.st_name;
	if (room > size - 1)
		room = size - 1;
	if (!elf_file_read(plt->file, t->names_offset + symbol.st_name, ret, (size_t)room))
		return 0;
	ret[room] = '\0';
	return strlen(ret);
}
