// SPDX-License-Identifier: Apache-2.0
/*
 * The dynamic symbol table of a file without section headers, as the dynamic loader finds it:
 * DT_SYMTAB and DT_STRTAB, and, because nothing says how many symbols there are, the count in
 * DT_HASH or the end of the last chain in DT_GNU_HASH. Layout of the latter (binutils,
 * bfd/elflink.c):
 *
 *	u32 bucket_count, first_symbol, bloom_words, bloom_shift
 *	word bloom[bloom_words]		a word is 4 or 8 bytes, by class
 *	u32 buckets[bucket_count]	number of a chain's first symbol, 0: none
 *	u32 chains[]			hash of symbol first_symbol + i; bit 0: last of its chain
 */
#include "symbolizer/elf_file.h"

#include <string.h>

#define MAX_ENTRIES 4096u /* libLLVM has 36 */
#define MAX_BUCKETS (8u << 20)

/* Values of the tags that matter, as virtual addresses; 0: not there. */
struct dynamic {
	uint64_t symbols, names, names_bytes, hash, gnu_hash;
};

static void entry_take(struct dynamic *d, int64_t tag, uint64_t value)
{
	switch (tag) {
	case DT_SYMTAB:
		d->symbols = value;
		break;
	case DT_STRTAB:
		d->names = value;
		break;
	case DT_STRSZ:
		d->names_bytes = value;
		break;
	case DT_HASH:
		d->hash = value;
		break;
	case DT_GNU_HASH:
		d->gnu_hash = value;
		break;
	}
}

static void entries_read(struct elf_file *f, uint64_t offset, uint64_t bytes, struct dynamic *d)
{
	uint32_t entry_bytes = f->wide ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);
	uint64_t count = bytes / entry_bytes;
	struct elf_cursor cursor;
	const void *entry;

	elf_cursor_init(&cursor, f, offset, count < MAX_ENTRIES ? count : MAX_ENTRIES, entry_bytes);
	while ((entry = elf_cursor_next(&cursor))) {
		Elf64_Dyn wide;
		Elf32_Dyn narrow;

		if (f->wide) {
			memcpy(&wide, entry, sizeof(wide));
		} else {
			memcpy(&narrow, entry, sizeof(narrow));
			wide.d_tag = narrow.d_tag;
			wide.d_un.d_val = narrow.d_un.d_val;
		}
		if (wide.d_tag == DT_NULL)
			return;
		entry_take(d, wide.d_tag, wide.d_un.d_val);
	}
}

/* Where a virtual address is in the file, and how many bytes of its segment follow. */
static bool locate(const struct elf_file *f, uint64_t vaddr, uint64_t *ret_offset,
		   uint64_t *ret_room)
{
	for (uint32_t i = 0; vaddr && i < f->segments.count; i++) {
		const struct elf_segment *s = &f->segments.items[i];

		if (vaddr < s->vaddr || vaddr - s->vaddr >= s->size)
			continue;
		*ret_offset = s->offset + (vaddr - s->vaddr);
		*ret_room = s->size - (vaddr - s->vaddr);
		return true;
	}
	return false;
}

static uint64_t count_by_hash(struct elf_file *f, uint64_t offset)
{
	uint32_t head[2]; /* bucket count, chain count: one chain entry a symbol */

	return elf_file_read(f, offset, head, sizeof(head)) ? head[1] : 0;
}

static uint64_t count_by_gnu_hash(struct elf_file *f, uint64_t offset)
{
	uint32_t head[4], last = 0;
	struct elf_cursor cursor;
	const void *entry;
	uint64_t chain, there;

	if (!elf_file_read(f, offset, head, sizeof(head)))
		return 0;
	offset += sizeof(head) + (uint64_t)head[2] * (f->wide ? 8 : 4);
	elf_cursor_init(&cursor, f, offset, head[0] < MAX_BUCKETS ? head[0] : MAX_BUCKETS, 4);
	while ((entry = elf_cursor_next(&cursor))) {
		uint32_t first;

		memcpy(&first, entry, sizeof(first));
		if (first > last)
			last = first;
	}
	if (last < head[1])
		return head[1]; /* no chains: only what is before the first hashed symbol */
	chain = offset + ((uint64_t)head[0] + last - head[1]) * 4;
	there = chain < f->size ? (f->size - chain) / 4 : 0;
	elf_cursor_init(&cursor, f, chain, there < ELF_MAX_SYMBOLS ? there : ELF_MAX_SYMBOLS, 4);
	while ((entry = elf_cursor_next(&cursor))) {
		uint32_t hash;

		memcpy(&hash, entry, sizeof(hash));
		last++;
		if (hash & 1)
			return last;
	}
	/* The chain has no end within what is read of it: a file may be as long as its owner likes. */
	f->too_large |= there > ELF_MAX_SYMBOLS;
	return last;
}

void elf_dynamic_read(struct elf_file *f, uint64_t offset, uint64_t bytes)
{
	struct elf_table t = { 0 };
	struct dynamic d = { 0 };
	uint64_t hash_offset, room;

	entries_read(f, offset, bytes, &d);
	if (!locate(f, d.names, &t.names_offset, &room) || t.names_offset > f->size)
		return;
	t.names_bytes = d.names_bytes < room ? d.names_bytes : room;
	if (t.names_bytes > f->size - t.names_offset)
		t.names_bytes = f->size - t.names_offset;
	if (!locate(f, d.symbols, &t.offset, &room))
		return;
	room /= elf_symbol_bytes(f);
	if (locate(f, d.hash, &hash_offset, &(uint64_t){ 0 }))
		t.count = count_by_hash(f, hash_offset);
	else if (locate(f, d.gnu_hash, &hash_offset, &(uint64_t){ 0 }))
		t.count = count_by_gnu_hash(f, hash_offset);
	if (t.count > room)
		t.count = room;
	if (t.count > ELF_MAX_SYMBOLS) {
		f->too_large = true;
		t.count = ELF_MAX_SYMBOLS;
	}
	f->dynsym = t;
}
