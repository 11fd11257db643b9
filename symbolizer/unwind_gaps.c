// SPDX-License-Identifier: Apache-2.0
/*
 * A gap is taken apart where it has other things than code. Symbols are read when the first gap is worth it.
 *
 * The cold part of a function (gcc's "f.cold") has a symbol that says it is one. It begins as deep as f is
 * where it jumps there, so it is none.
 *
 * Refused: short gaps, which are padding in nearly all cases; and to look further than the part of
 * a file that is asked for, which is how large files are read.
 */
#include "symbolizer/unwind_gaps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/code_rules.h"

#define MAX_BETWEEN_SECTIONS 64u /* bytes */
#define MAX_NAME 511u

static const struct unwind_rule rule_none = { .kind = UNWIND_NONE };

void unwind_gaps_init(struct unwind_gaps *g, struct elf_file *f, const struct unwind_fdes *fdes,
		      uint64_t start, uint64_t limit)
{
	*g = (struct unwind_gaps){ .file = f, .fdes = fdes, .start = start, .limit = limit };
}

void unwind_gaps_release(struct unwind_gaps *g)
{
	array_release(&g->functions);
}

/* The function with call frame information that has this address, or NULL. */
static const struct unwind_fde *fde_find(const struct unwind_fdes *x, uint64_t vaddr)
{
	uint32_t low = 0, high = x->list.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (x->list.items[middle].start <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low && vaddr - x->list.items[low - 1].start < x->list.items[low - 1].size
		       ? &x->list.items[low - 1]
		       : NULL;
}

/* By its name: "f.cold", "f.cold.3". A name that is cut or unreadable is a function's. */
static bool is_cold_part(struct elf_file *f, const struct elf_table *table, const Elf64_Sym *symbol)
{
	char name[MAX_NAME + 1];
	uint64_t left = symbol->st_name < table->names_bytes ? table->names_bytes - symbol->st_name
							     : 0;
	size_t len = left < MAX_NAME ? (size_t)left : MAX_NAME;
	const char *cold;

	if (!len || !elf_file_read(f, table->names_offset + symbol->st_name, name, len))
		return false;
	name[len] = 0;
	cold = strstr(name, ".cold");
	return cold && (cold[5] == 0 || cold[5] == '.');
}

static int symbols_add(struct unwind_gaps *g, const struct elf_table *table)
{
	struct elf_cursor cursor;
	const void *entry;

	if (table->count > UNWIND_GAPS_MAX_TABLE)
		return 0;
	elf_cursor_init(&cursor, g->file, table->offset, table->count, elf_symbol_bytes(g->file));
	while ((entry = elf_cursor_next(&cursor))) {
		Elf64_Sym symbol = elf_symbol_decode(g->file, entry);
		uint64_t *slot;

		if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF ||
		    symbol.st_value < g->start || symbol.st_value >= g->limit ||
		    !elf_file_code(g->file, symbol.st_value) ||
		    fde_find(g->fdes, symbol.st_value) || is_cold_part(g->file, table, &symbol))
			continue;
		if (g->functions.count == UNWIND_GAPS_MAX_SYMBOLS) {
			g->too_large = true;
			return 0;
		}
		slot = array_push(&g->functions, UNWIND_GAPS_MAX_SYMBOLS);
		if (!slot)
			return -ENOMEM;
		*slot = symbol.st_value;
	}
	return 0;
}

static int vaddr_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* `endbr64; bnd jmp *x(%rip)`, the first two if they are there. */
static bool is_stub(struct elf_file *f, uint64_t vaddr)
{
	static const uint8_t endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa }, jump[] = { 0xff, 0x25 };
	const struct elf_range *range = elf_file_code(f, vaddr);
	uint8_t bytes[sizeof(endbr) + 1 + sizeof(jump)], *at = bytes;

	if (!range || range->limit - vaddr < sizeof(bytes) ||
	    !elf_file_read_code(f, vaddr, bytes, sizeof(bytes)))
		return false;
	at += memcmp(at, endbr, sizeof(endbr)) == 0 ? sizeof(endbr) : 0;
	at += *at == 0xf2;
	return memcmp(at, jump, sizeof(jump)) == 0;
}

/* Does a function begin there, by call frame information, by a symbol, or as linkage stubs look? */
static bool begins(void *owner, uint64_t vaddr)
{
	struct unwind_gaps *g = owner;
	const struct unwind_fde *fde = fde_find(g->fdes, vaddr);

	if (g->functions.count &&
	    bsearch(&vaddr, g->functions.items, g->functions.count, sizeof(vaddr), vaddr_compare))
		return true;
	return (fde && fde->start == vaddr) || is_stub(g->file, vaddr);
}

static int gaps_open(struct unwind_gaps *g)
{
	Elf64_Ehdr e;
	int r;

	if (g->opened)
		return 0;
	r = symbols_add(g, &g->file->symtab);
	if (r == 0)
		r = symbols_add(g, &g->file->dynsym);
	if (r < 0)
		return r;
	if (g->functions.count)
		qsort(g->functions.items, g->functions.count, sizeof(uint64_t), vaddr_compare);
	if (elf_file_read(g->file, 0, &e, sizeof(e))) {
		g->program_start = e.e_entry;
		g->fixed = e.e_type == ET_EXEC;
	}
	g->opened = true;
	return 0;
}

static int rows_add(const struct code_piece *piece, const struct code_rules *rules,
		    struct unwind_table *t)
{
	int r = 0;

	for (uint32_t i = 0; i < rules->insns.list.count && r == 0; i++)
		r = unwind_table_add(t, piece->vaddr + rules->insns.list.items[i].at,
				     &rules->rules[i]);
	if (r == 0 && rules->insns.too_large && rules->insns.list.count) {
		const struct code_insn *last =
			&rules->insns.list.items[rules->insns.list.count - 1];

		r = unwind_table_add(t, piece->vaddr + last->at + last->len, &rule_none);
	}
	return r;
}

/* [from, to), all of it code but for padding between sections. */
static int piece_add(struct unwind_gaps *g, uint64_t from, uint64_t to, struct unwind_table *t,
		     bool *ret_told)
{
	struct code_piece piece = { .file = g->file,
				    .vaddr = from,
				    .len = (uint32_t)(to - from),
				    .functions = g->functions.items,
				    .function_count = g->functions.count,
				    .program_start = g->program_start,
				    .max_steps = UNWIND_GAPS_MAX_STEPS - g->steps,
				    .fixed = g->fixed,
				    .cut_start = from == g->start &&
						 elf_file_code(g->file, from - 1),
				    .cut_end = to == g->limit && elf_file_code(g->file, to),
				    .begins = begins,
				    .owner = g };
	_cleanup_(free_ptr) uint8_t *bytes = malloc(piece.len);
	struct code_rules rules = { 0 };
	int r = 0;

	if (!bytes)
		return -ENOMEM;
	piece.bytes = bytes;
	if (elf_file_read_code(g->file, from, bytes, piece.len))
		r = code_rules_find(&piece, &rules);
	g->bytes += piece.len;
	g->steps += rules.steps;
	g->too_large |= rules.too_large;
	*ret_told |= rules.told != 0;
	if (r == 0)
		r = rules.rules ? rows_add(&piece, &rules, t)
				: unwind_table_add(t, from, &rule_none);
	code_rules_release(&rules);
	return r;
}

/* Where code ends that begins in a section: linkers lay .init, .plt, .text and .fini side by side. */
static uint64_t code_end(const struct elf_file *f, const struct elf_range *range)
{
	const struct elf_range *last = &f->code.items[f->code.count - 1];

	while (range < last && range[1].start >= range->limit &&
	       range[1].start - range->limit <= MAX_BETWEEN_SECTIONS)
		range++;
	return range->limit;
}

/* Where the next section of code begins behind vaddr, or `to`. */
static uint64_t code_next(const struct elf_file *f, uint64_t vaddr, uint64_t to)
{
	for (uint32_t i = 0; i < f->code.count; i++) {
		if (f->code.items[i].start > vaddr)
			return f->code.items[i].start < to ? f->code.items[i].start : to;
	}
	return to;
}

int unwind_gaps_add(struct unwind_gaps *g, uint64_t from, uint64_t to, struct unwind_table *t,
		    bool *ret_told)
{
	int r = gaps_open(g);

	*ret_told = false;
	while (r == 0 && from < to) {
		const struct elf_range *range = elf_file_code(g->file, from);
		uint64_t end = range ? code_end(g->file, range) : code_next(g->file, from, to);

		if (end > to)
			end = to;
		if (range && (end - from > UNWIND_GAP_MAX_BYTES ||
			      end - from > UNWIND_GAPS_MAX_BYTES - g->bytes ||
			      g->steps >= UNWIND_GAPS_MAX_STEPS)) {
			g->too_large = true;
			range = NULL;
		}
		r = range ? piece_add(g, from, end, t, ret_told)
			  : unwind_table_add(t, from, &rule_none);
		from = end;
	}
	return r;
}
