// SPDX-License-Identifier: Apache-2.0
/*
 * The table is read once, in whatever order it is, and only the best symbol for each asked address
 * is kept: memory goes with the question, not with the file, and a question about ten addresses of
 * a browser costs one pass of 3 ns a symbol. Names are read last, and only those that were chosen.
 *
 * The asked addresses, ascending, cut the address space into gaps; slot i belongs to the gap
 * (a[i-1], a[i]]:
 *
 *	      a[0]          a[1]   a[2]
 *	 slot 0 |   slot 1    | 2    |   slot 3
 *	--------+-------------+------+-------------→ vaddr
 *
 * A label counts for the gap that it starts in, and for the later ones unless they have a later
 * label; the first start in a gap is where labels of the gaps before end. After the pass that is
 * settled by one walk up and one down. A sized symbol is offered to each address that it contains,
 * which few do and few are contained twice; a file that makes it otherwise meets a limit on steps.
 *
 * All tables are read: .dynsym mostly repeats .symtab, but bpftrace's .symtab has three symbols,
 * kept for its own probes, and .dynsym has the rest. The vaddr of a symbol in a debug file is that
 * of the file that it was taken from, whose sections of code it must lie in: a debug file's own
 * have no bytes, and can't be trusted to agree.
 *
 * Refused: a sorted index of all symbols, 30 times the work for one question; kept between
 * questions it would pay, and that is what the on-disk index will be for.
 */
#include "symbolizer/symbol_gaps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/alias.h"
#include "symbolizer/code_extent.h"
#include "symbolizer/elf_frames.h"
#include "symbolizer/search.h"

/*
 * A step is what the pass does for a symbol, or one halving of a search: 3 ns, up to 9 where a file
 * makes every one miss the caches. So 0.9 s at most, and for chromium's 3 M symbols 0.1 s.
 */
#define MAX_STEPS (96u << 20)
#define STEPS_PER_NAME 256u /* what reading a name costs, in steps of a pass */
#define STEPS_PER_SEARCH (ELF_FRAMES_MAX_READS * STEPS_PER_NAME)
#define STEPS_PER_CODE_BYTE 32u /* what looking for the end of code costs */

struct slot {
	struct symbol_candidate sized; /* contains the address */
	struct symbol_candidate label; /* starts last in the gap */
	uint64_t first_start; /* of all symbols in the gap; UINT64_MAX: there is none */
	uint64_t last_end; /* of sized symbols, in the gap; 0: there is none */
};

/* A symbol table and a piece of its strings. */
struct table {
	struct elf_file *file;
	const struct elf_table *table;
	uint64_t at; /* where in the strings `bytes` are from */
	uint32_t filled;
	char bytes[SYMBOLS_MAX_NAME + 1];
};

/* TABLE_OTHER: another file's .symtab */
enum { TABLE_SYMTAB, TABLE_DYNSYM, TABLE_OTHER, TABLES };

struct symbol_gaps {
	struct elf_file *file; /* the one that was asked about */
	struct table tables[TABLES];
	struct search search;
	struct slot *slots; /* count + 1 */
	const uint64_t *vaddrs;
	uint32_t count;
	uint32_t search_steps, code_steps; /* of one search among the addresses; among the code */
	uint64_t steps;
	uint64_t symbols; /* that counted */
	bool stripped; /* of what would say where labels end */
	struct elf_range code; /* the one of the last symbol: mostly of the next, too */
	struct elf_range label; /* the last one whose end was looked for */
};

/*
 * Names of neighbours in the table mostly are neighbours, too: a piece of each table's strings is
 * kept.
 */
size_t symbol_gaps_name(struct symbol_gaps *g, const struct symbol_candidate *c, const char **ret)
{
	struct table *t = &g->tables[c->table];
	const char *nul = NULL;
	uint64_t room;

	if (c->name >= t->at && c->name - t->at < t->filled)
		nul = memchr(t->bytes + (c->name - t->at), '\0', t->filled - (c->name - t->at));
	if (nul) {
		*ret = t->bytes + (c->name - t->at);
		return (size_t)(nul - *ret);
	}
	t->filled = 0;
	room = t->table->names_bytes - c->name; /* candidate_make() has compared them */
	if (room > sizeof(t->bytes))
		room = sizeof(t->bytes);
	if (!elf_file_read(t->file, t->table->names_offset + c->name, t->bytes, (size_t)room))
		return 0;
	t->at = c->name;
	t->filled = (uint32_t)room;
	*ret = t->bytes;
	nul = memchr(t->bytes, '\0', t->filled);
	if (nul)
		return (size_t)(nul - t->bytes);
	/* Too long: cut. Or the strings end without a NUL. */
	t->file->damaged |= room < sizeof(t->bytes);
	return room < SYMBOLS_MAX_NAME ? (size_t)room : SYMBOLS_MAX_NAME;
}

static bool name_is_better(struct symbol_gaps *g, const struct symbol_candidate *a,
			   const struct symbol_candidate *b)
{
	char first[SYMBOLS_MAX_NAME];
	const char *name;
	size_t first_len, len;

	if (a->name == b->name && a->table == b->table)
		return false;
	g->steps += 2 * STEPS_PER_NAME;
	first_len = symbol_gaps_name(g, a, &name);
	if (!first_len)
		return false;
	memcpy(first, name, first_len);
	len = symbol_gaps_name(g, b, &name);
	return !len || alias_is_better(first, first_len, name, len);
}

/* A label of the assembler's (.L…) or a mapping symbol ($a, $d, $t, $x, $x.1). */
static bool name_is_internal(struct symbol_gaps *g, const struct symbol_candidate *c)
{
	const char *name;
	size_t len;

	g->steps += STEPS_PER_NAME;
	len = symbol_gaps_name(g, c, &name);
	if (len < 2)
		return false;
	if (name[0] == '$')
		return strchr("adtx", name[1]) && (len == 2 || name[2] == '.');
	return name[0] == '.' && name[1] == 'L';
}

static bool candidate_is_better(struct symbol_gaps *g, const struct symbol_candidate *a,
				const struct symbol_candidate *b)
{
	if (!b->rank || a->start != b->start)
		return !b->rank || a->start > b->start;
	if (a->rank != b->rank)
		return a->rank > b->rank;
	return name_is_better(g, a, b);
}

/* 0 for symbols that are no code. Between weak symbols and others the linker has chosen. */
static uint16_t rank_of(const Elf64_Sym *s)
{
	uint32_t type = ELF64_ST_TYPE(s->st_info);
	uint16_t rank = ELF64_ST_BIND(s->st_info) == STB_LOCAL ? 1 : 2;

	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
		return 0;
	return type == STT_NOTYPE ? rank : (uint16_t)(rank + 2);
}

/* Fills what table number `table` says about a symbol; false if it doesn't count. */
static bool candidate_make(struct symbol_gaps *g, uint16_t table, const Elf64_Sym *s,
			   struct symbol_candidate *ret)
{
	const struct elf_range *code;

	ret->rank = rank_of(s);
	if (!ret->rank || s->st_name == 0 || s->st_shndx == SHN_UNDEF || s->st_shndx == SHN_ABS ||
	    s->st_shndx == SHN_COMMON)
		return false;
	if (s->st_value < g->code.start || s->st_value >= g->code.limit) {
		g->steps += g->code_steps;
		code = elf_file_code(g->file, s->st_value);
		if (!code)
			return false;
		g->code = *code;
	}
	if (s->st_name >= g->tables[table].table->names_bytes) {
		g->tables[table].file->damaged = true;
		return false;
	}
	ret->start = s->st_value;
	ret->name = s->st_name;
	ret->table = table;
	ret->end = 0;
	if (s->st_size)
		ret->end = s->st_size < g->code.limit - s->st_value ? s->st_value + s->st_size
								    : g->code.limit;
	return true;
}

static void offer_sized(struct symbol_gaps *g, const struct symbol_candidate *c, uint32_t first)
{
	uint32_t i;

	for (i = first; i < g->count && g->vaddrs[i] < c->end; i++) {
		if (candidate_is_better(g, c, &g->slots[i].sized))
			g->slots[i].sized = *c;
	}
	g->steps += i - first;
	/* It ends in the gap of the first address it doesn't contain. */
	if (g->slots[i].last_end < c->end)
		g->slots[i].last_end = c->end;
}

static void offer(struct symbol_gaps *g, const struct symbol_candidate *c)
{
	uint32_t before = g->search.last, first = search_find(&g->search, c->start);
	struct slot *slot = &g->slots[first];
	bool matters;

	if (first != before)
		g->steps += g->search_steps;
	/*
	 * Nearly all are no better than what is known; the names of the others, if they may be
	 * internal, are read.
	 */
	matters = c->start < slot->first_start || c->end || candidate_is_better(g, c, &slot->label);
	if (!matters || (c->rank == 1 && name_is_internal(g, c)))
		return;
	g->symbols++;
	if (c->start < slot->first_start)
		slot->first_start = c->start;
	if (c->end)
		offer_sized(g, c, first);
	else if (candidate_is_better(g, c, &slot->label))
		slot->label = *c;
}

static void table_pass(struct symbol_gaps *g, uint16_t table)
{
	struct elf_file *f = g->tables[table].file;
	const struct elf_table *t = g->tables[table].table;
	struct elf_cursor cursor;
	const void *entry;

	elf_cursor_init(&cursor, f, t->offset, t->count, elf_symbol_bytes(f));
	while ((entry = elf_cursor_next(&cursor))) {
		Elf64_Sym symbol = elf_symbol_decode(f, entry);
		struct symbol_candidate c;

		if (++g->steps > MAX_STEPS) {
			g->file->too_large = true;
			return;
		}
		if (candidate_make(g, table, &symbol, &c))
			offer(g, &c);
	}
}

/* Hands labels and ends up to the gaps behind, and first starts down to those before. */
static void settle(struct symbol_gaps *g)
{
	for (uint32_t i = 1; i <= g->count; i++) {
		if (!g->slots[i].label.rank)
			g->slots[i].label = g->slots[i - 1].label;
		if (g->slots[i].last_end < g->slots[i - 1].last_end)
			g->slots[i].last_end = g->slots[i - 1].last_end;
	}
	for (uint32_t i = g->count; i-- > 0;) {
		if (g->slots[i].first_start > g->slots[i + 1].first_start)
			g->slots[i].first_start = g->slots[i + 1].first_start;
	}
}

/*
 * Where a label ends before `limit`: where the function behind it starts, by unwind information;
 * and, in a stripped file, whose next symbol may be far, where its code does. Many addresses ask
 * about one label, one after the other. Each of 65,536 about another one would take a second: then
 * the later ones have no end (0), which is better than another function's.
 */
static uint64_t label_end(struct symbol_gaps *g, uint64_t label, uint64_t limit)
{
	uint64_t bytes;

	if (g->label.limit && g->label.start == label)
		return g->label.limit;
	if (g->file->frames_index.bytes)
		g->steps += STEPS_PER_SEARCH;
	if (g->steps <= MAX_STEPS)
		limit = elf_frames_next(g->file, label, limit);
	bytes = limit - label < CODE_EXTENT_MAX_BYTES ? limit - label : CODE_EXTENT_MAX_BYTES;
	g->steps += g->stripped ? bytes * STEPS_PER_CODE_BYTE : 0;
	if (g->steps > MAX_STEPS) {
		g->file->too_large = true;
		return 0;
	}
	g->label.start = label;
	g->label.limit = g->stripped ? code_extent(g->file, label, limit) : limit;
	return g->label.limit;
}

struct symbol_candidate symbol_gaps_find(struct symbol_gaps *g, uint32_t i)
{
	const struct slot *slot = &g->slots[i];
	struct symbol_candidate c = slot->label;
	const struct elf_range *code;
	uint64_t next;

	if (slot->sized.rank)
		return slot->sized;
	if (!c.rank)
		return c;
	/*
	 * The gap behind this address is that of the next larger one: settle() has handed it down.
	 */
	c.end = g->slots[i + 1].first_start;
	code = elf_file_code(g->file, c.start);
	if (code && c.end > code->limit)
		c.end = code->limit;
	if (c.start < slot->last_end || g->vaddrs[i] >= c.end) {
		c.rank = 0;
		return c;
	}
	next = label_end(g, c.start, c.end);
	if (c.end > next)
		c.end = next;
	if (g->vaddrs[i] >= c.end)
		c.rank = 0;
	return c;
}

/* Of a binary search among `count`. */
static uint32_t halvings(uint32_t count)
{
	uint32_t steps = 0;

	for (; count; count /= 2)
		steps++;
	return steps;
}

static void tables_read(struct symbol_gaps *g, struct elf_file *other)
{
	uint16_t tables = other ? TABLES : TABLE_OTHER;

	g->tables[TABLE_SYMTAB] = (struct table){ .file = g->file, .table = &g->file->symtab };
	g->tables[TABLE_DYNSYM] = (struct table){ .file = g->file, .table = &g->file->dynsym };
	if (other)
		g->tables[TABLE_OTHER] = (struct table){ .file = other, .table = &other->symtab };
	g->stripped = !other && !g->file->symtab.count;
	g->search = (struct search){ .addresses = g->vaddrs, .count = g->count };
	g->search_steps = halvings(g->count);
	g->code_steps = halvings(g->file->code.count);
	for (uint32_t i = 0; i <= g->count; i++)
		g->slots[i] = (struct slot){ .first_start = UINT64_MAX };
	for (uint16_t i = 0; i < tables; i++)
		table_pass(g, i);
	settle(g);
}

int symbol_gaps_new(struct symbol_gaps **ret, struct elf_file *file, struct elf_file *other,
		    const uint64_t *vaddrs, uint32_t count)
{
	struct symbol_gaps *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->file = file;
	g->vaddrs = vaddrs;
	g->count = count;
	g->slots = calloc(count + 1ul, sizeof(*g->slots));
	if (!g->slots) {
		free(g);
		return -ENOMEM;
	}
	tables_read(g, other);
	*ret = g;
	return 0;
}

void symbol_gaps_free(struct symbol_gaps *g)
{
	if (!g)
		return;
	free(g->slots);
	free(g);
}

bool symbol_gaps_is_sure(const struct symbol_gaps *g, uint32_t i)
{
	return g->slots[i].sized.rank && g->slots[i].sized.table != TABLE_DYNSYM;
}

uint64_t symbol_gaps_count(const struct symbol_gaps *g)
{
	return g->symbols;
}
