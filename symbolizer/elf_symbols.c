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
 * kept for its own probes, and .dynsym has the rest. The vaddr of a symbol in a debug file is that of the file that it was taken
 * from, whose sections of code it must lie in: a debug file's own have no bytes, and can't be trusted to agree.
 *
 * Refused: a sorted index of all symbols, 30 times the work for one question; kept between
 * questions it would pay, and that is what the on-disk index will be for.
 */
#include "symbolizer/elf_symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/alias.h"
#include "symbolizer/code_extent.h"
#include "symbolizer/elf_debug.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/elf_frames.h"
#include "symbolizer/go_pclntab.h"
#include "symbolizer/minidebug.h"
#include "symbolizer/search.h"
#include "symbolizer/unwind_sections.h"

/*
 * A step is what the pass does for a symbol, or one halving of a search: 3 ns, up to 9 where a file makes every one
 * miss the caches. So 0.9 s at most, and for chromium's 3 M symbols 0.1 s.
 */
#define MAX_STEPS (96u << 20)
#define STEPS_PER_NAME 256u /* what reading a name costs, in steps of a pass */
#define STEPS_PER_SEARCH (ELF_FRAMES_MAX_READS * STEPS_PER_NAME)
#define STEPS_PER_CODE_BYTE 32u /* what looking for the end of code costs */

struct candidate {
	uint64_t start;
	uint64_t end; /* 0: without a size */
	uint32_t name; /* in its table's strings */
	uint16_t table;
	uint16_t rank; /* by type and binding; 0: there is none */
};

struct slot {
	struct candidate sized; /* contains the address */
	struct candidate label; /* starts last in the gap */
	uint64_t first_start; /* of all symbols in the gap; UINT64_MAX: there is none */
	uint64_t last_end; /* of sized symbols, in the gap; 0: there is none */
};

/* Where an answer's address is, sorted by vaddr, which file offsets need not be. */
struct place {
	uint64_t vaddr;
	uint32_t answer;
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

/* Go's own names: looked for when a symbol table doesn't have one. */
struct go_names {
	bool asked;
	struct go_pclntab *table; /* NULL: there is none */
	struct elf_range last; /* the last function that was asked for, without its padding */
	uint32_t number; /* its, in the reply; SYMBOLS_NONE: it has none */
};

struct pass {
	struct elf_file *file; /* the one that was asked about */
	struct table tables[TABLES];
	struct search search;
	struct slot *slots; /* count + 1 */
	uint64_t *vaddrs;
	struct place *places;
	uint32_t count;
	uint32_t search_steps, code_steps; /* of one search among the addresses; among the code */
	uint64_t steps;
	uint64_t symbols; /* that counted */
	bool stripped; /* of what would say where labels end */
	struct elf_range code; /* the one of the last symbol: mostly of the next, too */
	struct elf_range label; /* the last one whose end was looked for */
	struct go_names go;
};

/*
 * A candidate's name, valid until the next call for its table; its length, 0 if it can't be read.
 * Names of neighbours in the table mostly are neighbours, too.
 */
static size_t name_read(struct pass *p, const struct candidate *c, const char **ret)
{
	struct table *t = &p->tables[c->table];
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

static bool name_is_better(struct pass *p, const struct candidate *a, const struct candidate *b)
{
	char first[SYMBOLS_MAX_NAME];
	const char *name;
	size_t first_len, len;

	if (a->name == b->name && a->table == b->table)
		return false;
	p->steps += 2 * STEPS_PER_NAME;
	first_len = name_read(p, a, &name);
	if (!first_len)
		return false;
	memcpy(first, name, first_len);
	len = name_read(p, b, &name);
	return !len || alias_is_better(first, first_len, name, len);
}

/* A label of the assembler's (.L…) or a mapping symbol ($a, $d, $t, $x, $x.1). */
static bool name_is_internal(struct pass *p, const struct candidate *c)
{
	const char *name;
	size_t len;

	p->steps += STEPS_PER_NAME;
	len = name_read(p, c, &name);
	if (len < 2)
		return false;
	if (name[0] == '$')
		return strchr("adtx", name[1]) && (len == 2 || name[2] == '.');
	return name[0] == '.' && name[1] == 'L';
}

static bool candidate_is_better(struct pass *p, const struct candidate *a,
				const struct candidate *b)
{
	if (!b->rank || a->start != b->start)
		return !b->rank || a->start > b->start;
	if (a->rank != b->rank)
		return a->rank > b->rank;
	return name_is_better(p, a, b);
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
static bool candidate_make(struct pass *p, uint16_t table, const Elf64_Sym *s,
			   struct candidate *ret)
{
	const struct elf_range *code;

	ret->rank = rank_of(s);
	if (!ret->rank || s->st_name == 0 || s->st_shndx == SHN_UNDEF || s->st_shndx == SHN_ABS ||
	    s->st_shndx == SHN_COMMON)
		return false;
	if (s->st_value < p->code.start || s->st_value >= p->code.limit) {
		p->steps += p->code_steps;
		code = elf_file_code(p->file, s->st_value);
		if (!code)
			return false;
		p->code = *code;
	}
	if (s->st_name >= p->tables[table].table->names_bytes) {
		p->tables[table].file->damaged = true;
		return false;
	}
	ret->start = s->st_value;
	ret->name = s->st_name;
	ret->table = table;
	ret->end = 0;
	if (s->st_size)
		ret->end = s->st_size < p->code.limit - s->st_value ? s->st_value + s->st_size
								    : p->code.limit;
	return true;
}

static void offer_sized(struct pass *p, const struct candidate *c, uint32_t first)
{
	uint32_t i;

	for (i = first; i < p->count && p->vaddrs[i] < c->end; i++) {
		if (candidate_is_better(p, c, &p->slots[i].sized))
			p->slots[i].sized = *c;
	}
	p->steps += i - first;
	/* It ends in the gap of the first address it doesn't contain. */
	if (p->slots[i].last_end < c->end)
		p->slots[i].last_end = c->end;
}

static void offer(struct pass *p, const struct candidate *c)
{
	uint32_t before = p->search.last, first = search_find(&p->search, c->start);
	struct slot *slot = &p->slots[first];
	bool matters;

	if (first != before)
		p->steps += p->search_steps;
	/*
	 * Nearly all are no better than what is known; the names of the others, if they may be
	 * internal, are read.
	 */
	matters = c->start < slot->first_start || c->end || candidate_is_better(p, c, &slot->label);
	if (!matters || (c->rank == 1 && name_is_internal(p, c)))
		return;
	p->symbols++;
	if (c->start < slot->first_start)
		slot->first_start = c->start;
	if (c->end)
		offer_sized(p, c, first);
	else if (candidate_is_better(p, c, &slot->label))
		slot->label = *c;
}

static void table_pass(struct pass *p, uint16_t table)
{
	struct elf_file *f = p->tables[table].file;
	const struct elf_table *t = p->tables[table].table;
	struct elf_cursor cursor;
	const void *entry;

	elf_cursor_init(&cursor, f, t->offset, t->count, elf_symbol_bytes(f));
	while ((entry = elf_cursor_next(&cursor))) {
		Elf64_Sym symbol = elf_symbol_decode(f, entry);
		struct candidate c;

		if (++p->steps > MAX_STEPS) {
			p->file->too_large = true;
			return;
		}
		if (candidate_make(p, table, &symbol, &c))
			offer(p, &c);
	}
}

/* Hands labels and ends up to the gaps behind, and first starts down to those before. */
static void settle(struct pass *p)
{
	for (uint32_t i = 1; i <= p->count; i++) {
		if (!p->slots[i].label.rank)
			p->slots[i].label = p->slots[i - 1].label;
		if (p->slots[i].last_end < p->slots[i - 1].last_end)
			p->slots[i].last_end = p->slots[i - 1].last_end;
	}
	for (uint32_t i = p->count; i-- > 0;) {
		if (p->slots[i].first_start > p->slots[i + 1].first_start)
			p->slots[i].first_start = p->slots[i + 1].first_start;
	}
}

/*
 * Where a label ends before `limit`: where the function behind it starts, by unwind information; and, in a stripped
 * file, whose next symbol may be far, where its code does. Many addresses ask about one label, one after the other. Each of
 * 65,536 about another one would take a second: then the later ones have no end (0), which is better than another
 * function's.
 */
static uint64_t label_end(struct pass *p, uint64_t label, uint64_t limit)
{
	uint64_t bytes;

	if (p->label.limit && p->label.start == label)
		return p->label.limit;
	if (p->file->frames_index.bytes)
		p->steps += STEPS_PER_SEARCH;
	if (p->steps <= MAX_STEPS)
		limit = elf_frames_next(p->file, label, limit);
	bytes = limit - label < CODE_EXTENT_MAX_BYTES ? limit - label : CODE_EXTENT_MAX_BYTES;
	p->steps += p->stripped ? bytes * STEPS_PER_CODE_BYTE : 0;
	if (p->steps > MAX_STEPS) {
		p->file->too_large = true;
		return 0;
	}
	p->label.start = label;
	p->label.limit = p->stripped ? code_extent(p->file, label, limit) : limit;
	return p->label.limit;
}

/* What is shown for the address of slot i; its rank is 0 if there is nothing. */
static struct candidate choose(struct pass *p, uint32_t i)
{
	const struct slot *slot = &p->slots[i];
	struct candidate c = slot->label;
	const struct elf_range *code;
	uint64_t next;

	if (slot->sized.rank)
		return slot->sized;
	if (!c.rank)
		return c;
	/*
	 * The gap behind this address is that of the next larger one: settle() has handed it down.
	 */
	c.end = p->slots[i + 1].first_start;
	code = elf_file_code(p->file, c.start);
	if (code && c.end > code->limit)
		c.end = code->limit;
	if (c.start < slot->last_end || p->vaddrs[i] >= c.end) {
		c.rank = 0;
		return c;
	}
	next = label_end(p, c.start, c.end);
	if (c.end > next)
		c.end = next;
	if (p->vaddrs[i] >= c.end)
		c.rank = 0;
	return c;
}

/* 0 or -ENOMEM. That a file is no good for this says nothing of its symbol tables. */
static int go_open(struct pass *p)
{
	bool damaged = p->file->damaged;
	struct unwind_sections sections;
	int r = -ENOENT;

	if (p->go.asked)
		return 0;
	p->go.asked = true;
	if (unwind_sections_find(p->file, &sections) == 0 && sections.go)
		r = go_pclntab_open(p->file, &sections.go_table, &p->go.table);
	p->file->damaged = damaged;
	return r == -ENOENT ? 0 : r;
}

/* The function that Go has at this address, as a number of the reply, or SYMBOLS_NONE. */
static int go_name(struct pass *p, uint64_t vaddr, struct reply *reply, uint32_t *ret_number)
{
	struct go_names *go = &p->go;
	char name[SYMBOLS_MAX_NAME + 1];
	struct go_function f;
	uint32_t number;
	size_t len;
	int r = go_open(p);

	*ret_number = SYMBOLS_NONE;
	if (r < 0 || !go->table)
		return r;
	if (vaddr < go->last.start || vaddr >= go->last.limit) {
		number = go_pclntab_find(go->table, vaddr);
		if (number == GO_NONE || !go_pclntab_function(go->table, number, &f))
			return 0;
		go->last = (struct elf_range){ f.start, go_pclntab_end(go->table, &f) };
		go->number = SYMBOLS_NONE;
		if (vaddr >= go->last.limit)
			return 0;
		len = go_pclntab_name(go->table, &f, name, sizeof(name));
		if (len)
			r = reply_add_function(reply, f.start, go->last.limit - f.start, name, len,
					       name, &go->number);
		p->symbols += len != 0;
	}
	*ret_number = go->number;
	return r;
}

/* An exact name of a .symtab is the linker's last word; before others comes Go's. */
static bool go_is_asked(const struct slot *slot)
{
	return !slot->sized.rank || slot->sized.table == TABLE_DYNSYM;
}

/* A reply that is full is answered as it is. */
static int full(struct pass *p, int error)
{
	p->file->too_large |= error == -E2BIG;
	return error == -E2BIG ? 0 : error;
}

static int name_answers(struct pass *p, struct reply *reply)
{
	struct candidate last = { 0 };
	uint32_t number = SYMBOLS_NONE;

	for (uint32_t i = 0; i < p->count; i++) {
		struct candidate c = choose(p, i);
		const char *name;
		size_t len;
		int r;

		if (go_is_asked(&p->slots[i])) {
			uint32_t go;

			r = go_name(p, p->vaddrs[i], reply, &go);
			if (r < 0)
				return full(p, r);
			if (go != SYMBOLS_NONE) {
				reply->answers[p->places[i].answer].function = go;
				continue;
			}
		}
		if (!c.rank)
			continue;
		if (!last.rank || c.start != last.start || c.end != last.end) {
			last = c;
			number = SYMBOLS_NONE;
			len = name_read(p, &c, &name);
			if (!len)
				continue;
			r = reply_add_function(reply, c.start, c.end - c.start, name, len, NULL,
					       &number);
			if (r < 0)
				return full(p, r);
		}
		reply->answers[p->places[i].answer].function = number;
	}
	return 0;
}

static int place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	return x->answer < y->answer ? -1 : x->answer > y->answer;
}

/* Segments of the file, and in which of them each offset is. */
static int place_answers(struct pass *p, const uint64_t *offsets, uint32_t count,
			 struct reply *reply)
{
	const struct elf_segment *segments = p->file->segments.items;
	bool sorted = true;

	for (uint32_t i = 0; i < p->file->segments.count; i++) {
		uint32_t number;
		int r = reply_add_module(reply, segments[i].vaddr,
					 segments[i].vaddr + segments[i].size, segments[i].offset,
					 "", 0, &number);

		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct elf_segment *s = elf_file_segment(p->file, offsets[i]);
		uint64_t vaddr;

		if (!s)
			continue;
		vaddr = s->vaddr + (offsets[i] - s->offset);
		reply->answers[i].vaddr = vaddr;
		reply->answers[i].module = (uint32_t)(s - segments);
		sorted &= p->count == 0 || p->places[p->count - 1].vaddr <= vaddr;
		p->places[p->count++] = (struct place){ .vaddr = vaddr, .answer = i };
	}
	if (!sorted)
		qsort(p->places, p->count, sizeof(*p->places), place_compare);
	for (uint32_t i = 0; i < p->count; i++)
		p->vaddrs[i] = p->places[i].vaddr;
	return 0;
}

/* Of a binary search among `count`. */
static uint32_t halvings(uint32_t count)
{
	uint32_t steps = 0;

	for (; count; count /= 2)
		steps++;
	return steps;
}

/* `other` is a file with more symbols of the same, or NULL. */
static int name_from_tables(struct pass *p, struct elf_file *other, struct reply *reply)
{
	uint16_t tables = other ? TABLES : TABLE_OTHER;

	p->tables[TABLE_SYMTAB] = (struct table){ .file = p->file, .table = &p->file->symtab };
	p->tables[TABLE_DYNSYM] = (struct table){ .file = p->file, .table = &p->file->dynsym };
	if (other)
		p->tables[TABLE_OTHER] = (struct table){ .file = other, .table = &other->symtab };
	p->stripped = !other && !p->file->symtab.count;
	p->search = (struct search){ .addresses = p->vaddrs, .count = p->count };
	p->search_steps = halvings(p->count);
	p->code_steps = halvings(p->file->code.count);
	for (uint32_t i = 0; i <= p->count; i++)
		p->slots[i] = (struct slot){ .first_start = UINT64_MAX };
	for (uint16_t i = 0; i < tables; i++)
		table_pass(p, i);
	settle(p);
	return name_answers(p, reply);
}

static enum symbol_status status_of(const struct pass *p, const struct elf_file *other)
{
	if (p->file->too_large || (other && other->too_large))
		return SYMBOLS_LIMIT;
	if (p->file->damaged || (other && other->damaged))
		return SYMBOLS_DAMAGED;
	return p->symbols ? SYMBOLS_OK : SYMBOLS_NO_TABLE;
}

static int answer_file(struct elf_file *f, struct elf_file *other, const uint64_t *offsets,
		       uint32_t count, struct reply *reply)
{
	struct pass *p = calloc(1, sizeof(*p));
	int r = -ENOMEM;

	if (!p)
		return r;
	p->file = f;
	p->places = calloc(count + 1ul, sizeof(*p->places));
	p->vaddrs = calloc(count + 1ul, sizeof(*p->vaddrs));
	p->slots = calloc(count + 1ul, sizeof(*p->slots));
	if (!p->places || !p->vaddrs || !p->slots)
		goto out;
	r = place_answers(p, offsets, count, reply);
	if (r == 0)
		r = name_from_tables(p, other, reply);
	reply->status = status_of(p, other);
out:
	go_pclntab_free(p->go.table);
	free(p->places);
	free(p->vaddrs);
	free(p->slots);
	free(p);
	return r;
}

/* ---- where the symbols are ---- */

/* A file and those that may have more symbols of it. */
struct sources {
	struct elf_file file, debug;
	struct minidebug mini;
};

static bool is_another(const struct elf_file *f, const struct elf_file *debug)
{
	return f->wide != debug->wide || f->machine != debug->machine ||
	       (f->build_id_bytes && debug->build_id_bytes &&
		(f->build_id_bytes != debug->build_id_bytes ||
		 memcmp(f->build_id, debug->build_id, f->build_id_bytes) != 0));
}

/* The debug file, else what the file brings along, else NULL. */
static struct elf_file *other_open(struct sources *s, int debug_fd)
{
	struct elf_debug debug;
	int r = debug_fd < 0 ? -ENOENT : elf_file_open(&s->debug, debug_fd);

	if (r == 0 && s->debug.symtab.count && !is_another(&s->file, &s->debug))
		return &s->debug;
	if (s->file.symtab.count)
		return NULL;
	elf_debug_read(&s->file, &debug);
	r = minidebug_open(&s->mini, &s->file, &debug.minidebug);
	s->file.damaged |= r == -ENOEXEC;
	s->file.too_large |= r == -E2BIG;
	return r == 0 ? &s->mini.file : NULL;
}

static int sources_answer(struct sources *s, int fd, int debug_fd, const uint64_t *offsets,
			  uint32_t count, struct reply *reply)
{
	int r = elf_file_open(&s->file, fd);

	if (r == 0)
		r = reply_set_build_id(reply, s->file.build_id, s->file.build_id_bytes);
	if (r == 0)
		r = answer_file(&s->file, other_open(s, debug_fd), offsets, count, reply);
	if (r == -ENOEXEC) {
		reply->status = SYMBOLS_NOT_ELF;
		r = 0;
	}
	return r;
}

int elf_symbols_answer(int fd, int debug_fd, const uint64_t *offsets, uint32_t count,
		       struct reply *reply)
{
	struct sources *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = sources_answer(s, fd, debug_fd, offsets, count, reply);
	elf_file_release(&s->file);
	elf_file_release(&s->debug);
	minidebug_release(&s->mini);
	free(s);
	return r;
}
