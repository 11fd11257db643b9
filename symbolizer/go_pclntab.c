// SPDX-License-Identifier: Apache-2.0
/*
 * The table is read where it is needed, by pages of which some are kept: kubelet's has 30 MB, of which
 * names and frames are a fifth. Its parts, from Go 1.18 on:
 *
 *	header       magic, 0, 0, 1, 8; number of functions, of files; start of text; where the parts are
 *	names        NUL-terminated
 *	units        u32 each: a file's number in its unit → where its name is
 *	files        names, NUL-terminated
 *	values       programs: (change of the value, change of the address) until 0; LEB128, zigzag
 *	functions    (start, where its struct is) by start; then the end of the last; then the structs
 *
 * Before 1.18 the starts are addresses and not relative to the text, before 1.16 offsets are of the table
 * and not of its part. A function's struct says its start again: so a table that was cut or
 * patched shows.
 *
 * Refused: to read the table as a whole, which would cost a process with a small budget these 30 MB; to
 * believe a start of text that isn't told (Go 1.26, or a linker that relocates it): it is looked up
 * among the relocations, or is that of .text if functions fill just that section.
 */
#include "symbolizer/go_pclntab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"

#define PAGE_BYTES 4096u
#define PAGES 128u

/* A step is a byte or so of a program; reading a page costs as much as 1,000. So 0.5 s at most. */
#define MAX_STEPS (128u << 20)
#define STEPS_PER_PAGE 1024u

#define MAX_SEARCHED_BYTES (256u << 20) /* for a table without a section */
#define MAX_RELOCATIONS (4u << 20)
#define TEXT_PADDING 4096u /* what linkers may put behind the last function, within .text */

#define HEADER_WORDS 8 /* behind the first 8 bytes */
#define MAX_STRUCT_BYTES 44u

/* What differs between versions: numbers of header words (0: the table's start), places in a struct. */
struct layout {
	uint32_t magic;
	uint8_t text, names, units, files, values, functions;
	uint8_t pointer; /* bytes of a start */
	uint8_t name, frames, lines_file, lines, unit, flags; /* 0: there is none */
	uint8_t bytes; /* of a struct, without what varies */
};

static const struct layout layouts[] = {
	{ 0xfffffffb, 0, 0, 0, 0, 0, 0, 8, 8, 20, 24, 28, 0, 0, 40 }, /* Go 1.2 */
	{ 0xfffffffa, 0, 2, 3, 4, 5, 6, 8, 8, 20, 24, 28, 36, 0,
	  44 }, /* Go 1.16; 1.17 has flags, too */
	{ 0xfffffff0, 2, 3, 4, 5, 6, 7, 4, 4, 16, 20, 24, 32, 37, 40 }, /* Go 1.18 */
	{ 0xfffffff1, 2, 3, 4, 5, 6, 7, 4, 4, 16, 20, 24, 32, 41, 44 }, /* Go 1.20 */
};

struct page {
	uint64_t number; /* + 1; 0: nothing is in it */
	uint32_t filled;
	uint8_t bytes[PAGE_BYTES];
};

struct go_pclntab {
	struct elf_file *file;
	struct elf_place place;
	const struct layout *layout;
	uint64_t text; /* starts are relative to it */
	uint64_t names, units, files, values; /* where these begin in the table */
	uint64_t starts; /* and the list of functions */
	uint64_t structs; /* what the places of structs are relative to */
	uint32_t count;
	uint32_t steps;
	struct page pages[PAGES];
};

/* ---- bytes of the table ---- */

static bool steps_take(struct go_pclntab *t, uint32_t count)
{
	if (t->steps > MAX_STEPS - count) {
		t->file->too_large = true;
		return false;
	}
	t->steps += count;
	return true;
}

/* The page with this number, or NULL. */
static const struct page *page_get(struct go_pclntab *t, uint64_t number)
{
	struct page *p = &t->pages[number % PAGES];
	uint64_t at = number * PAGE_BYTES, left;

	if (p->number == number + 1)
		return p;
	if (at >= t->place.bytes || !steps_take(t, STEPS_PER_PAGE))
		return NULL;
	left = t->place.bytes - at;
	p->filled = left < PAGE_BYTES ? (uint32_t)left : PAGE_BYTES;
	p->number = 0;
	if (!elf_file_read(t->file, t->place.offset + at, p->bytes, p->filled))
		return NULL;
	p->number = number + 1;
	return p;
}

/* As many bytes as are on one page, at most `len`; 0: there are none. */
static size_t table_some(struct go_pclntab *t, uint64_t at, void *ret, size_t len)
{
	const struct page *p = page_get(t, at / PAGE_BYTES);
	size_t within = at % PAGE_BYTES;

	if (!p || within >= p->filled)
		return 0;
	if (len > p->filled - within)
		len = p->filled - within;
	memcpy(ret, p->bytes + within, len);
	return len;
}

static bool table_read(struct go_pclntab *t, uint64_t at, void *ret, size_t len)
{
	uint8_t *to = ret;

	if (at > t->place.bytes || len > t->place.bytes - at)
		return false;
	while (len) {
		size_t some = table_some(t, at, to, len);

		if (!some)
			return false;
		to += some;
		at += some;
		len -= some;
	}
	return true;
}

static uint32_t field(const uint8_t *bytes, uint32_t at)
{
	uint32_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return value;
}

/* A start of the list or of a struct, as an address. */
static uint64_t start_of(const struct go_pclntab *t, const uint8_t *bytes)
{
	uint64_t value;

	if (t->layout->pointer == sizeof(uint32_t))
		return t->text + field(bytes, 0);
	memcpy(&value, bytes, sizeof(value));
	return value;
}

static uint32_t entry_bytes(const struct go_pclntab *t)
{
	return t->layout->pointer * 2u;
}

/* ---- where the table is ---- */

static const struct layout *layout_find(const void *head)
{
	static const uint8_t amd64[] = { 0, 0, 1, 8 }; /* instructions of 1 byte, pointers of 8 */
	uint32_t magic;

	memcpy(&magic, head, sizeof(magic));
	if (memcmp((const uint8_t *)head + sizeof(magic), amd64, sizeof(amd64)) != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++)
		if (layouts[i].magic == magic)
			return &layouts[i];
	return NULL;
}

/* File offset of an address, and how many bytes follow; false if it is in no segment. */
static bool offset_of(const struct elf_file *f, uint64_t vaddr, uint64_t *ret_offset,
		      uint64_t *ret_bytes)
{
	for (uint32_t i = 0; i < f->segments.count; i++) {
		const struct elf_segment *s = &f->segments.items[i];

		if (vaddr >= s->vaddr && vaddr - s->vaddr < s->size) {
			*ret_offset = s->offset + (vaddr - s->vaddr);
			*ret_bytes = s->size - (vaddr - s->vaddr);
			return true;
		}
	}
	return false;
}

/* The relocations of a position-independent file, which are at DT_RELA. */
static bool relocations_find(struct elf_file *f, uint64_t *ret_offset, uint64_t *ret_count)
{
	uint64_t vaddr = 0, bytes = 0, room;
	struct elf_cursor cursor;
	const void *entry;
	Elf64_Phdr dynamic = { 0 };
	Elf64_Ehdr e;

	if (!elf_file_read(f, 0, &e, sizeof(e)) || e.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	elf_cursor_init(&cursor, f, e.e_phoff, e.e_phnum, sizeof(Elf64_Phdr));
	while (dynamic.p_type != PT_DYNAMIC && (entry = elf_cursor_next(&cursor)))
		memcpy(&dynamic, entry, sizeof(dynamic));
	if (dynamic.p_type != PT_DYNAMIC)
		return false;
	elf_cursor_init(&cursor, f, dynamic.p_offset, dynamic.p_filesz / sizeof(Elf64_Dyn),
			sizeof(Elf64_Dyn));
	while ((entry = elf_cursor_next(&cursor))) {
		Elf64_Dyn d;

		memcpy(&d, entry, sizeof(d));
		if (d.d_tag == DT_NULL)
			break;
		vaddr = d.d_tag == DT_RELA ? d.d_un.d_ptr : vaddr;
		bytes = d.d_tag == DT_RELASZ ? d.d_un.d_val : bytes;
	}
	*ret_count = bytes / sizeof(Elf64_Rela);
	return bytes && offset_of(f, vaddr, ret_offset, &room) && bytes <= room;
}

/* What the dynamic linker will write at this address; 0: nothing that is known. */
static uint64_t relocated(struct elf_file *f, uint64_t vaddr)
{
	struct elf_cursor cursor;
	uint64_t offset, count;
	const void *entry;

	if (!relocations_find(f, &offset, &count))
		return 0;
	elf_cursor_init(&cursor, f, offset, count < MAX_RELOCATIONS ? count : MAX_RELOCATIONS,
			sizeof(Elf64_Rela));
	while ((entry = elf_cursor_next(&cursor))) {
		Elf64_Rela r;

		memcpy(&r, entry, sizeof(r));
		if (r.r_offset == vaddr && ELF64_R_TYPE(r.r_info) == R_X86_64_RELATIVE)
			return (uint64_t)r.r_addend;
	}
	return 0;
}

/* The range of code that functions of so many bytes fill, if there is just one; else 0. */
static uint64_t text_of_size(const struct elf_file *f, uint64_t bytes)
{
	uint64_t found = 0;

	for (uint32_t i = 0; i < f->code.count; i++) {
		const struct elf_range *c = &f->code.items[i];

		if (c->limit - c->start < bytes || c->limit - c->start - bytes > TEXT_PADDING)
			continue;
		if (found)
			return 0;
		found = c->start;
	}
	return found;
}

/* Where functions' starts are relative to; false if that can't be known. */
static bool text_find(struct go_pclntab *t, const uint64_t *words)
{
	uint8_t last[sizeof(uint32_t)];

	if (!t->layout->text)
		return true;
	t->text = words[t->layout->text];
	if (!t->text)
		t->text = relocated(t->file, t->place.vaddr + 8 + t->layout->text * sizeof(*words));
	if (!t->text &&
	    table_read(t, t->starts + (uint64_t)t->count * entry_bytes(t), last, sizeof(last)))
		t->text = text_of_size(t->file, field(last, 0));
	return t->text != 0;
}

/* Is there a table at this place? It is believed if its first function and its last make sense. */
static bool table_try(struct go_pclntab *t, struct elf_place place)
{
	uint64_t words[HEADER_WORDS] = { 0 };
	struct go_function first, last;
	uint8_t head[8];

	for (uint32_t i = 0; i < PAGES; i++)
		t->pages[i].number = 0;
	t->place = place;
	t->text = 0;
	if (!table_read(t, 0, head, sizeof(head)))
		return false;
	t->layout = layout_find(head);
	if (!t->layout || !table_read(t, sizeof(head), words, sizeof(words)))
		return false;
	t->names = t->layout->names ? words[t->layout->names] : 0;
	t->units = t->layout->units ? words[t->layout->units] : 0;
	t->files = t->layout->files ? words[t->layout->files] : 0;
	t->values = t->layout->values ? words[t->layout->values] : 0;
	t->structs = t->layout->functions ? words[t->layout->functions] : 0;
	t->starts = t->layout->functions ? t->structs : 16;
	if (t->starts > place.bytes || words[0] == 0 ||
	    words[0] > (place.bytes - t->starts) / entry_bytes(t))
		return false;
	t->count = words[0] < GO_MAX_FUNCTIONS ? (uint32_t)words[0] : GO_MAX_FUNCTIONS;
	return text_find(t, words) && go_pclntab_function(t, 0, &first) &&
	       go_pclntab_function(t, t->count - 1, &last) && first.start <= last.start;
}

/* By the table's first bytes, in whatever segment it is. */
static bool table_search(struct go_pclntab *t)
{
	const struct elf_file *f = t->file;
	uint64_t searched = 0;

	for (uint32_t i = 0; i < f->segments.count; i++) {
		const struct elf_segment *s = &f->segments.items[i];
		struct elf_cursor cursor;
		const void *entry;

		if (s->size > MAX_SEARCHED_BYTES - searched)
			break;
		searched += s->size;
		elf_cursor_init(&cursor, t->file, s->offset, s->size / 8, 8);
		for (uint64_t at = 0; (entry = elf_cursor_next(&cursor)); at += 8) {
			if (!layout_find(entry))
				continue;
			if (table_try(t, (struct elf_place){ s->offset + at, s->size - at,
							     s->vaddr + at }))
				return true;
			if (!steps_take(t, STEPS_PER_PAGE)) /* the file is full of such bytes */
				return false;
		}
	}
	return false;
}

int go_pclntab_open(struct elf_file *f, const struct elf_place *section, struct go_pclntab **ret)
{
	struct go_pclntab *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->file = f;
	if (!(section->bytes && table_try(t, *section)) && !table_search(t)) {
		free(t);
		return -ENOENT;
	}
	*ret = t;
	return 0;
}

void go_pclntab_free(struct go_pclntab *t)
{
	free(t);
}

/* ---- functions ---- */

uint32_t go_pclntab_count(const struct go_pclntab *t)
{
	return t->count;
}

static bool start_read(struct go_pclntab *t, uint32_t number, uint64_t *ret)
{
	uint8_t bytes[sizeof(uint64_t)];

	if (!table_read(t, t->starts + (uint64_t)number * entry_bytes(t), bytes,
			t->layout->pointer))
		return false;
	*ret = start_of(t, bytes);
	return true;
}

bool go_pclntab_function(struct go_pclntab *t, uint32_t number, struct go_function *ret)
{
	const struct layout *l = t->layout;
	uint8_t entry[16], bytes[MAX_STRUCT_BYTES];
	const struct elf_range *code;
	struct go_function f = { .unit = GO_NONE };
	uint64_t place = 0;

	if (!table_read(t, t->starts + (uint64_t)number * entry_bytes(t), entry, entry_bytes(t)) ||
	    !start_read(t, number + 1, &f.limit))
		return false;
	memcpy(&place, entry + l->pointer, l->pointer);
	f.start = start_of(t, entry);
	code = elf_file_code(t->file, f.start);
	if (!code || f.limit <= f.start || place > t->place.bytes ||
	    !table_read(t, t->structs + place, bytes, l->bytes) || start_of(t, bytes) != f.start)
		return false;
	if (f.limit > code->limit)
		f.limit = code->limit;
	f.name = field(bytes, l->name);
	f.frame_values = field(bytes, l->frames);
	f.file_values = field(bytes, l->lines_file);
	f.line_values = field(bytes, l->lines);
	if (l->unit)
		f.unit = field(bytes, l->unit);
	f.flags_known = l->flags != 0;
	f.flags = f.flags_known ? bytes[l->flags] : 0;
	*ret = f;
	return true;
}

uint32_t go_pclntab_find(struct go_pclntab *t, uint64_t vaddr)
{
	uint32_t low = 0, high = t->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		uint64_t start;

		if (!start_read(t, middle, &start))
			return GO_NONE;
		if (start <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : GO_NONE;
}

/* A string of the table, NUL-terminated and cut. */
static size_t string_read(struct go_pclntab *t, uint64_t at, char *ret, size_t size)
{
	size_t len = 0;

	ret[0] = 0;
	while (len < size - 1) {
		size_t some = table_some(t, at + len, ret + len, size - 1 - len);
		const char *nul = memchr(ret + len, 0, some);

		if (nul)
			return (size_t)(nul - ret);
		if (!some)
			break;
		len += some;
	}
	ret[len] = 0;
	return len;
}

size_t go_pclntab_name(struct go_pclntab *t, const struct go_function *f, char *ret, size_t size)
{
	return string_read(t, t->names + f->name, ret, size);
}

uint64_t go_pclntab_end(struct go_pclntab *t, const struct go_function *f)
{
	uint64_t end = f->start;
	struct go_values v;

	go_values_begin(t, f, f->line_values, &v);
	while (go_values_next(&v))
		end = v.limit;
	return end;
}

/* ---- values ---- */

void go_values_begin(struct go_pclntab *t, const struct go_function *f, uint32_t values,
		     struct go_values *ret)
{
	*ret = (struct go_values){
		.start = f->start,
		.limit = f->start,
		.value = -1,
		.table = t,
		.at = values ? t->values + values : UINT64_MAX, /* 0: there are none */
		.end = f->limit,
		.first = true,
	};
}

/* As Go reads it: 32 bits, of however many bytes. */
static bool value_take(struct go_values *v, uint32_t *ret)
{
	uint32_t value = 0, bits = 0;
	const struct page *p;
	uint8_t byte;

	do {
		p = page_get(v->table, v->at / PAGE_BYTES);
		if (!p || v->at % PAGE_BYTES >= p->filled || !steps_take(v->table, 1))
			return false;
		byte = p->bytes[v->at++ % PAGE_BYTES];
		value |= (uint32_t)(byte & 0x7f) << (bits & 31);
		bits += 7;
	} while (byte & 0x80);
	*ret = value;
	return true;
}

bool go_values_next(struct go_values *v)
{
	uint32_t change, bytes;

	v->start = v->limit;
	while (v->start < v->end && v->limit == v->start) {
		if (!value_take(v, &change) || (change == 0 && !v->first) || !value_take(v, &bytes))
			return false;
		v->first = false;
		v->value = (int32_t)((uint32_t)v->value + ((change >> 1) ^ (0 - (change & 1))));
		v->limit = bytes < v->end - v->start ? v->start + bytes : v->end;
	}
	return v->limit > v->start;
}

static bool value_at(struct go_pclntab *t, const struct go_function *f, uint32_t values,
		     uint64_t vaddr, uint32_t *ret)
{
	struct go_values v;

	go_values_begin(t, f, values, &v);
	while (go_values_next(&v)) {
		if (vaddr < v.limit) {
			*ret = (uint32_t)v.value;
			return v.value >= 0;
		}
	}
	return false;
}

/* Where the name of a function's file is in the table. */
static bool file_find(struct go_pclntab *t, const struct go_function *f, uint32_t number,
		      uint64_t *ret)
{
	uint64_t list = t->units + ((uint64_t)f->unit + number) * sizeof(uint32_t);
	uint32_t place;

	if (f->unit == GO_NONE) { /* Go 1.2: the list's place is behind the functions */
		if (!table_read(t, t->starts + (uint64_t)t->count * entry_bytes(t) + 8, &place,
				sizeof(place)))
			return false;
		list = place + (uint64_t)number * sizeof(uint32_t);
	}
	if (!table_read(t, list, &place, sizeof(place)) || place == UINT32_MAX)
		return false;
	*ret = t->files + place;
	return true;
}

bool go_pclntab_line(struct go_pclntab *t, uint64_t vaddr, char *ret_file, size_t size,
		     uint32_t *ret_line)
{
	uint32_t number = go_pclntab_find(t, vaddr), file, line;
	struct go_function f;
	uint64_t name;

	if (number == GO_NONE || !go_pclntab_function(t, number, &f) ||
	    !value_at(t, &f, f.file_values, vaddr, &file) ||
	    !value_at(t, &f, f.line_values, vaddr, &line) || !file_find(t, &f, file, &name) ||
	    !string_read(t, name, ret_file, size))
		return false;
	*ret_line = line;
	return true;
}
