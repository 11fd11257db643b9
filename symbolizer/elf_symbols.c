// SPDX-License-Identifier: Apache-2.0
/*
 * Puts the answer together: where each asked offset is, who of a file's own symbols, its debug
 * file's, Go and the linker's stubs has a name for it, in which order. What a symbol table says is
 * symbolizer/symbol_gaps.h.
 *
 * Go's table and the relocations of stubs are looked at only if an address is left that they may be
 * about: most files have neither, or nobody asks.
 *
 * Refused: to look for a stub before symbols: some linkers give stubs symbols of their own.
 */
#include "symbolizer/elf_symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/demangle.h"
#include "symbolizer/elf_debug.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/elf_plt.h"
#include "symbolizer/go_pclntab.h"
#include "symbolizer/minidebug.h"
#include "symbolizer/symbol_gaps.h"
#include "symbolizer/unwind_sections.h"

#define STUB_SUFFIX "@plt" /* as objdump has it */

/* Where an answer's address is, sorted by vaddr, which file offsets need not be. */
struct place {
	uint64_t vaddr;
	uint32_t answer;
};

/* Go's own names: looked for when a symbol table doesn't have one. */
struct go_names {
	bool asked;
	struct go_pclntab *table; /* NULL: there is none */
	struct elf_range last; /* the last function that was asked for, without its padding */
	uint32_t number; /* its, in the reply; SYMBOLS_NONE: it has none */
};

struct pass {
	struct elf_file *file; /* the one that was asked about */
	struct symbol_gaps *gaps;
	uint64_t *vaddrs;
	struct place *places;
	uint32_t count;
	uint64_t symbols; /* names that are in no symbol table */
	struct go_names go;
};

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

/* By symbol tables and Go. What is left without a name has SYMBOLS_NONE. */
static int name_functions(struct pass *p, struct reply *reply)
{
	struct symbol_candidate last = { 0 };
	uint32_t number = SYMBOLS_NONE;

	for (uint32_t i = 0; i < p->count; i++) {
		struct symbol_candidate c = symbol_gaps_find(p->gaps, i);
		const char *name;
		size_t len;
		int r;

		if (!symbol_gaps_is_sure(p->gaps, i)) {
			uint32_t go;

			r = go_name(p, p->vaddrs[i], reply, &go);
			if (r < 0)
				return r;
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
			len = symbol_gaps_name(p->gaps, &c, &name);
			if (!len)
				continue;
			r = reply_add_function(reply, c.start, c.end - c.start, name, len, NULL,
					       &number);
			if (r < 0)
				return r;
		}
		reply->answers[p->places[i].answer].function = number;
	}
	return 0;
}

/* A stub has the name of what it calls, in both forms. */
static int stub_add(struct pass *p, const struct elf_plt *plt, const struct elf_stub *stub,
		    struct reply *reply, uint32_t *ret_number)
{
	char name[SYMBOLS_MAX_NAME + 1], shown[SYMBOLS_MAX_NAME + 1];
	const size_t room = SYMBOLS_MAX_NAME + 1 - strlen(STUB_SUFFIX);
	size_t len = elf_plt_name(plt, stub, name, room);
	bool demangled;

	*ret_number = SYMBOLS_NONE;
	if (!len)
		return 0;
	demangled = demangle(name, shown, room);
	memcpy(name + len, STUB_SUFFIX, sizeof(STUB_SUFFIX));
	if (demangled)
		memcpy(shown + strlen(shown), STUB_SUFFIX, sizeof(STUB_SUFFIX));
	p->symbols++;
	return reply_add_function(reply, stub->start, stub->limit - stub->start, name, strlen(name),
				  demangled ? shown : name, ret_number);
}

/* Both are ascending: places without a name and stubs. */
static int stubs_match(struct pass *p, const struct elf_plt *plt, struct reply *reply)
{
	uint32_t number = SYMBOLS_NONE, named = UINT32_MAX; /* `number` is of stub `named` */

	for (uint32_t i = 0, k = 0; i < p->count && k < plt->stubs.count; i++) {
		uint32_t *function = &reply->answers[p->places[i].answer].function;
		int r = 0;

		while (k < plt->stubs.count && plt->stubs.items[k].limit <= p->vaddrs[i])
			k++;
		if (*function != SYMBOLS_NONE || k == plt->stubs.count ||
		    p->vaddrs[i] < plt->stubs.items[k].start)
			continue;
		if (named != k)
			r = stub_add(p, plt, &plt->stubs.items[k], reply, &number);
		if (r < 0)
			return r;
		named = k;
		*function = number;
	}
	return 0;
}

/* What is left without a name may be a stub of the linker's. */
static int name_stubs(struct pass *p, struct reply *reply)
{
	uint64_t *left = calloc(p->count + 1ul, sizeof(*left));
	struct elf_plt plt = { 0 };
	uint32_t count = 0;
	int r;

	if (!left)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->count; i++) {
		if (reply->answers[p->places[i].answer].function == SYMBOLS_NONE)
			left[count++] = p->vaddrs[i];
	}
	r = elf_plt_find(p->file, left, count, &plt);
	if (r == 0)
		r = stubs_match(p, &plt, reply);
	p->file->too_large |= plt.too_large;
	elf_plt_release(&plt);
	free(left);
	return r;
}

/*
 * `other` is a file with more symbols of the same, or NULL. A reply that is full is answered as it
 * is.
 */
static int name_answers(struct pass *p, struct elf_file *other, struct reply *reply)
{
	int r = symbol_gaps_new(&p->gaps, p->file, other, p->vaddrs, p->count);

	if (r == 0)
		r = name_functions(p, reply);
	if (r == 0)
		r = name_stubs(p, reply);
	p->file->too_large |= r == -E2BIG;
	return r == -E2BIG ? 0 : r;
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

static enum symbol_status status_of(const struct pass *p, const struct elf_file *other)
{
	if (p->file->too_large || (other && other->too_large))
		return SYMBOLS_LIMIT;
	if (p->file->damaged || (other && other->damaged))
		return SYMBOLS_DAMAGED;
	return p->symbols || (p->gaps && symbol_gaps_count(p->gaps)) ? SYMBOLS_OK
								     : SYMBOLS_NO_TABLE;
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
	if (!p->places || !p->vaddrs)
		goto out;
	r = place_answers(p, offsets, count, reply);
	if (r == 0)
		r = name_answers(p, other, reply);
	reply->status = status_of(p, other);
out:
	symbol_gaps_free(p->gaps);
	go_pclntab_free(p->go.table);
	free(p->places);
	free(p->vaddrs);
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
