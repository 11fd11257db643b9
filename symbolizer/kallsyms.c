// SPDX-License-Identifier: Apache-2.0
/*
 * The text (5 MB, 120,000 lines, of which reading alone takes the kernel 50 ms) goes by once, in
 * pieces, and only the best symbol before each asked address is kept, with the gaps of
 * elf_symbols.c: slot i belongs to the addresses in (a[i-1], a[i]]. Nothing relies on the order of
 * lines, which is nearly but not quite by address.
 *
 * Names are kept as text, because they can't be read again. The one in a slot is mostly replaced by
 * the next line's, and is then the last in the buffer: so the buffer doesn't grow.
 *
 * Refused: a copy of the table between requests; the kernel loads modules and BPF programs
 * meanwhile.
 */
#include "symbolizer/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/bpf_name.h"
#include "profiler/base/index.h"
#include "profiler/base/number.h"
#include "symbolizer/alias.h"
#include "symbolizer/search.h"

#define MAX_TEXT_BYTES (256u << 20) /* a kernel with all its modules: 20 MB */
#define MAX_NAME_BYTES (32u << 20)
#define MAX_KERNEL_MODULES 4096u /* Debian's whole kernel has 4,000, of which 200 are loaded */
#define UNKNOWN_END_BYTES (64u << 10)
#define PAGE_BYTES 4096u
#define PIECE_BYTES (64u << 10)
#define KERNEL 0u /* the kernel's own number among modules */

/* What a line says, and whom it is about; the texts are in the piece. */
struct line {
	uint64_t address;
	char type;
	const char *name, *module;
	size_t name_len, module_len;
};

struct symbol {
	uint64_t start; /* 0: there is none */
	uint32_t name, name_len; /* in the buffer of names */
	uint32_t module;
	uint32_t rank; /* 0: no code, it only says where code ends */
};

struct slot {
	struct symbol last; /* starts last in the gap */
	uint64_t first_start; /* in the gap; UINT64_MAX: there is none */
	uint32_t first_module;
};

struct module {
	uint32_t name, name_len; /* in the buffer of module names */
	uint32_t number; /* in the reply, or SYMBOLS_NONE */
	uint64_t lowest, highest; /* symbols of code, by their start */
	uint64_t base, size; /* by /proc/modules; 0: not known */
};

struct kallsyms {
	struct search search;
	struct slot *slots; /* count + 1 */
	struct buffer names, module_names;
	ARRAY(struct module) modules;
	struct index by_name;
	uint32_t last_module; /* the last line's: mostly the next one's, too */
	ARRAY(uint64_t) bases; /* of modules, as far as they are known; ascending */
	uint64_t stext, text, end; /* _stext, _text, _end; 0: not seen */
	bool damaged, too_large, any_line, any_address;
};

/* ---- lines ---- */

/*
 * At most 16 digits, then one space: 0, or -EINVAL. The general parser takes three times as long.
 */
static int address_parse(const char **p, const char *end, uint64_t *ret)
{
	const char *s = *p;
	uint64_t value = 0;

	for (; s < end && *s != ' '; s++) {
		unsigned char c = (unsigned char)*s;
		unsigned int digit = c - '0';

		if (digit > 9) {
			digit = (c | 0x20u) - 'a' + 10;
			if (digit < 10 || digit > 15)
				return -EINVAL;
		}
		if (s - *p == 16)
			return -EINVAL;
		value = value << 4 | digit;
	}
	if (s == *p || s == end)
		return -EINVAL;
	*p = s + 1;
	*ret = value;
	return 0;
}

/* Printable bytes up to a tab or the end: a name has neither spaces nor control characters. */
static size_t word_length(const char *s, const char *end)
{
	const char *p = s;

	while (p < end && (unsigned char)*p > ' ')
		p++;
	return (size_t)(p - s);
}

static int line_parse(const char *s, const char *end, struct line *ret)
{
	int r = address_parse(&s, end, &ret->address);

	if (r < 0 || end - s < 3 || s[1] != ' ')
		return -EINVAL;
	ret->type = s[0];
	ret->name = s + 2;
	ret->name_len = word_length(ret->name, end);
	s = ret->name + ret->name_len;
	ret->module_len = 0;
	if (ret->name_len == 0 || ret->name_len > SYMBOLS_MAX_NAME)
		return -EINVAL;
	if (s == end)
		return 0;
	/* "\t[module]" */
	if (end - s < 4 || s[0] != '\t' || s[1] != '[' || end[-1] != ']')
		return -EINVAL;
	ret->module = s + 2;
	ret->module_len = (size_t)(end - 1 - ret->module);
	return word_length(ret->module, end - 1) == ret->module_len ? 0 : -EINVAL;
}

/* Calls `take` for each line of a file, without its end. A line longer than a piece is none. */
static int lines_read(int fd, int (*take)(struct kallsyms *, const char *, const char *),
		      struct kallsyms *k)
{
	char piece[PIECE_BYTES];
	size_t held = 0, total = 0;
	bool skipping = false;

	for (;;) {
		const char *s = piece, *newline, *end;
		ssize_t n = read(fd, piece + held, sizeof(piece) - held);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			k->damaged |= n < 0 || held > 0; /* every line has an end */
			return 0;
		}
		total += (size_t)n;
		if (total > MAX_TEXT_BYTES)
			return -E2BIG;
		end = piece + held + n;
		while ((newline = memchr(s, '\n', (size_t)(end - s)))) {
			r = skipping ? 0 : take(k, s, newline);
			if (r < 0)
				return r;
			skipping = false;
			s = newline + 1;
		}
		held = (size_t)(end - s);
		if (skipping || held == sizeof(piece)) {
			k->damaged = skipping = true;
			held = 0;
		}
		memmove(piece, s, held);
	}
}

/* ---- modules ---- */

struct name_key {
	const char *text;
	size_t len;
};

static bool module_has_name(const void *owner, uint32_t item, const void *key)
{
	const struct kallsyms *k = owner;
	const struct name_key *wanted = key;
	const struct module *m = &k->modules.items[item];

	return m->name_len == wanted->len &&
	       (!wanted->len || !memcmp(k->module_names.data + m->name, wanted->text, wanted->len));
}

static int module_find(struct kallsyms *k, const char *name, size_t len, uint32_t *ret)
{
	struct name_key key = { .text = name, .len = len };
	uint64_t hash;
	struct module *m;
	uint32_t number;

	if (k->modules.count && module_has_name(k, k->last_module, &key)) {
		*ret = k->last_module;
		return 0;
	}
	hash = hash_bytes(name, len);
	number = index_find(&k->by_name, hash, module_has_name, k, &key);
	if (number == UINT32_MAX) {
		number = k->modules.count;
		if (number == MAX_KERNEL_MODULES)
			return -E2BIG;
		m = array_push(&k->modules, MAX_KERNEL_MODULES);
		if (!m)
			return -ENOMEM;
		*m = (struct module){ .name = (uint32_t)k->module_names.len,
				      .name_len = (uint32_t)len,
				      .number = SYMBOLS_NONE,
				      .lowest = UINT64_MAX };
		buffer_append(&k->module_names, name, len);
		if (buffer_error(&k->module_names) < 0 || index_add(&k->by_name, hash, number) < 0)
			return -ENOMEM;
	}
	k->last_module = number;
	*ret = number;
	return 0;
}

/* "ext4 1093632 2 jbd2,mbcache Live 0xffffffffc0a00000 (E)": words 0, 1 and 5. */
static int take_module(struct kallsyms *k, const char *s, const char *end)
{
	struct name_key words[6] = { 0 };
	uint64_t size, base;
	uint32_t number;
	int r;

	for (uint32_t i = 0; i < 6; i++) {
		words[i].text = s;
		words[i].len = word_length(s, end);
		s += words[i].len;
		s += s < end;
	}
	if (words[0].len == 0 || words[5].len < 3 || memcmp(words[5].text, "0x", 2) != 0 ||
	    number_parse(words[1].text, words[1].len, UINT32_MAX, &size) < 0 ||
	    number_parse_hex(words[5].text + 2, words[5].len - 2, &base) < 0) {
		k->damaged = true;
		return 0;
	}
	r = module_find(k, words[0].text, words[0].len, &number);
	if (r < 0)
		return r;
	if (base != 0 && size <= UINT64_MAX - base) {
		k->modules.items[number].base = base;
		k->modules.items[number].size = size;
	}
	return 0;
}

static int base_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int bases_collect(struct kallsyms *k)
{
	for (uint32_t i = 0; i < k->modules.count; i++) {
		uint64_t *base;

		if (!k->modules.items[i].base)
			continue;
		base = array_push(&k->bases, MAX_KERNEL_MODULES);
		if (!base)
			return -ENOMEM;
		*base = k->modules.items[i].base;
	}
	if (k->bases.count)
		qsort(k->bases.items, k->bases.count, sizeof(*k->bases.items), base_compare);
	return 0;
}

/* The least base behind an address, which is not its module's any more; UINT64_MAX: there is none. */
static uint64_t next_base(const struct kallsyms *k, uint64_t address)
{
	struct search search = { .addresses = k->bases.items, .count = k->bases.count };
	uint32_t i = address < UINT64_MAX ? search_find(&search, address + 1) : k->bases.count;

	return i < k->bases.count ? k->bases.items[i] : UINT64_MAX;
}

static uint64_t module_start(const struct kallsyms *k, const struct module *m)
{
	if (m == &k->modules.items[KERNEL]) {
		if (k->stext)
			return k->stext;
		if (k->text)
			return k->text;
	}
	return m->base && m->base <= m->lowest ? m->base : m->lowest;
}

/*
 * The first address that certainly isn't the module's any more. Since Linux 6.4 a module's size is
 * that of several places, so that with it, too, the next module may begin before the end.
 */
static uint64_t module_limit(const struct kallsyms *k, const struct module *m)
{
	uint64_t limit = UINT64_MAX,
		 next = next_base(k, m->highest > m->base ? m->highest : m->base);

	if (m == &k->modules.items[KERNEL] && k->end > m->lowest)
		return k->end;
	if (m->base && m->base + m->size > m->highest)
		limit = m->base + m->size;
	else if (m->highest < UINT64_MAX - UNKNOWN_END_BYTES)
		limit = m->highest + UNKNOWN_END_BYTES;
	return limit < next ? limit : next;
}

/* ---- symbols ---- */

static uint32_t rank_of(char type)
{
	switch (type) {
	case 't':
		return 1;
	case 'W':
	case 'w':
		return 2;
	case 'T':
		return 3;
	default:
		return 0;
	}
}

static bool line_is(const struct line *line, const char *name)
{
	return line->name_len == strlen(name) && !memcmp(line->name, name, line->name_len);
}

static void note_landmark(struct kallsyms *k, const struct line *line)
{
	if (line_is(line, "_stext"))
		k->stext = line->address;
	else if (line_is(line, "_text"))
		k->text = line->address;
	else if (line_is(line, "_end"))
		k->end = line->address;
}

/* Labels that the linker puts behind code. */
static bool is_end_of_code(const struct line *line)
{
	return line_is(line, "_etext") || line_is(line, "_einittext");
}

static bool symbol_is_better(const struct kallsyms *k, const struct symbol *a,
			     const struct line *line, const struct symbol *b)
{
	if (a->start != b->start)
		return a->start > b->start;
	if (a->rank != b->rank)
		return a->rank > b->rank;
	return alias_is_better(line->name, line->name_len, k->names.data + b->name, b->name_len);
}

/*
 * Puts a symbol into a slot, and its name where the old one was if that was the last. Without room for
 * the name it has none: the old one's would be wrong.
 */
static int slot_set(struct kallsyms *k, struct slot *slot, struct symbol *s,
		    const struct line *line)
{
	if (slot->last.start && slot->last.name + slot->last.name_len == k->names.len)
		k->names.len = slot->last.name;
	s->name = (uint32_t)k->names.len;
	buffer_append(&k->names, line->name, line->name_len);
	if (buffer_error(&k->names) < 0)
		s->rank = 0;
	else
		s->name_len = (uint32_t)line->name_len;
	slot->last = *s;
	return buffer_error(&k->names);
}

static int take_symbol(struct kallsyms *k, const char *text, const char *end)
{
	struct line line;
	struct symbol s = { 0 };
	struct module *m;
	struct slot *slot;
	int r;

	k->any_line = true;
	if (line_parse(text, end, &line) < 0) {
		k->damaged = true;
		return 0;
	}
	if (line.address == 0)
		return 0;
	k->any_address = true;
	r = module_find(k, line.module_len ? line.module : "", line.module_len, &s.module);
	if (r < 0)
		return r;
	if (s.module == KERNEL && line.name[0] == '_')
		note_landmark(k, &line);
	s.start = line.address;
	s.rank = rank_of(line.type);
	m = &k->modules.items[s.module];
	if (s.rank && s.start < m->lowest)
		m->lowest = s.start;
	if (s.rank && s.start > m->highest)
		m->highest = s.start;
	if (s.rank && s.module == KERNEL && is_end_of_code(&line))
		s.rank = 0;
	slot = &k->slots[search_find(&k->search, s.start)];
	if (s.start < slot->first_start) {
		slot->first_start = s.start;
		slot->first_module = s.module;
	}
	if (!symbol_is_better(k, &s, &line, &slot->last))
		return 0;
	return slot_set(k, slot, &s, &line);
}

static void settle(struct kallsyms *k)
{
	for (uint32_t i = 1; i <= k->search.count; i++) {
		if (!k->slots[i].last.start)
			k->slots[i].last = k->slots[i - 1].last;
	}
	for (uint32_t i = k->search.count; i-- > 0;) {
		if (k->slots[i].first_start == UINT64_MAX) {
			k->slots[i].first_start = k->slots[i + 1].first_start;
			k->slots[i].first_module = k->slots[i + 1].first_module;
		}
	}
}

/* ---- answers ---- */

static bool module_is_bpf(const struct kallsyms *k, uint32_t module)
{
	const struct name_key key = { .text = "bpf", .len = 3 };

	return module_has_name(k, module, &key);
}

/* What the kernel makes beside programs, to call them, is a page at most. */
static uint64_t bpf_bytes_max(const struct kallsyms *k, const struct symbol *s)
{
	static const char trampoline[] = "bpf_trampoline_", dispatcher[] = "bpf_dispatcher_";
	const char *name = k->names.data + s->name;
	const size_t len = sizeof(trampoline) - 1;

	_Static_assert(sizeof(trampoline) == sizeof(dispatcher), "both are as long");
	if (s->name_len > len && (!memcmp(name, trampoline, len) || !memcmp(name, dispatcher, len)))
		return PAGE_BYTES;
	return UNKNOWN_END_BYTES;
}

/* Where symbol `s` ends, the next symbol after the asked address being that of `next`. */
static uint64_t symbol_end(const struct kallsyms *k, const struct symbol *s,
			   const struct slot *next)
{
	uint64_t limit = next_base(k, s->start);

	/* Symbols of [bpf] lie between the modules. */
	if (next->first_start == UINT64_MAX || next->first_module != s->module) {
		uint64_t module_end = module_limit(k, &k->modules.items[s->module]);

		if (limit > module_end)
			limit = module_end;
	}
	/* Nor does the next one say where the last one ended, where others were in between. */
	if (module_is_bpf(k, s->module) && limit - s->start > bpf_bytes_max(k, s))
		limit = s->start + bpf_bytes_max(k, s);
	return next->first_start < limit ? next->first_start : limit;
}

static int answer_module(struct kallsyms *k, struct module *m, struct reply *reply)
{
	uint64_t start = module_start(k, m);

	if (m->number != SYMBOLS_NONE)
		return 0;
	return reply_add_module(reply, 0, module_limit(k, m) - start, 0,
				m->name_len ? k->module_names.data + m->name : "", m->name_len,
				&m->number);
}

static int answer_function(struct kallsyms *k, const struct symbol *s, uint64_t end,
			   struct reply *reply, uint32_t *ret)
{
	const char *name = k->names.data + s->name;
	uint64_t start = module_start(k, &k->modules.items[s->module]);
	char copy[SYMBOLS_MAX_NAME];

	return reply_add_function(reply, s->start - start, end - s->start, name, s->name_len,
				  bpf_name_shown(name, s->name_len, copy, sizeof(copy)), ret);
}

/* What doesn't fit in the reply is left out of it. */
static int unless_full(struct kallsyms *k, int r)
{
	k->too_large |= r == -E2BIG;
	return r == -E2BIG ? 0 : r;
}

static int answer_all(struct kallsyms *k, struct reply *reply)
{
	const struct symbol *last = NULL;
	uint32_t function = SYMBOLS_NONE;

	for (uint32_t i = 0; i < k->search.count; i++) {
		const struct symbol *s = &k->slots[i].last;
		uint64_t address = k->search.addresses[i], start, end;
		struct module *m;
		int r;

		if (!s->start)
			continue;
		m = &k->modules.items[s->module];
		start = module_start(k, m);
		end = symbol_end(k, s, &k->slots[i + 1]);
		if (address < start || address >= end || address >= module_limit(k, m))
			continue;
		r = unless_full(k, answer_module(k, m, reply));
		if (r < 0)
			return r;
		if (m->number == SYMBOLS_NONE)
			continue;
		reply->answers[i].module = m->number;
		reply->answers[i].vaddr = address - start;
		if (!s->rank || s->start < start)
			continue;
		if (!last || last->start != s->start) {
			function = SYMBOLS_NONE;
			r = unless_full(k, answer_function(k, s, end, reply, &function));
			if (r < 0)
				return r;
			last = s;
		}
		reply->answers[i].function = function;
	}
	return 0;
}

static int read_all(struct kallsyms *k, int symbols_fd, int modules_fd)
{
	uint32_t kernel;
	int r;

	r = module_find(k, "", 0, &kernel); /* the first: number KERNEL */
	if (r == 0 && modules_fd >= 0)
		r = lines_read(modules_fd, take_module, k);
	if (r == 0)
		r = bases_collect(k);
	if (r == 0)
		r = lines_read(symbols_fd, take_symbol, k);
	if (r == -E2BIG) {
		k->too_large = true;
		r = 0;
	}
	if (r == 0)
		settle(k);
	return r;
}

static enum symbol_status status_of(const struct kallsyms *k)
{
	if (k->too_large)
		return SYMBOLS_LIMIT;
	if (k->any_line && !k->any_address)
		return SYMBOLS_NO_ADDRESSES;
	if (k->damaged)
		return SYMBOLS_DAMAGED;
	return k->any_line ? SYMBOLS_OK : SYMBOLS_NO_TABLE;
}

int kallsyms_answer(int symbols_fd, int modules_fd, const uint64_t *addresses, uint32_t count,
		    struct reply *reply)
{
	struct kallsyms k = { .search = { .addresses = addresses, .count = count } };
	int r = -ENOMEM;

	buffer_init(&k.names, MAX_NAME_BYTES);
	buffer_init(&k.module_names, MAX_NAME_BYTES);
	k.slots = calloc(count + 1ul, sizeof(*k.slots));
	if (!k.slots)
		goto out;
	for (uint32_t i = 0; i <= count; i++)
		k.slots[i].first_start = UINT64_MAX;
	r = read_all(&k, symbols_fd, modules_fd);
	if (r == 0)
		r = answer_all(&k, reply);
	reply->status = status_of(&k);
out:
	free(k.slots);
	buffer_release(&k.names);
	buffer_release(&k.module_names);
	array_release(&k.modules);
	array_release(&k.bases);
	index_release(&k.by_name);
	return r;
}
