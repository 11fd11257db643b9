// SPDX-License-Identifier: Apache-2.0
/*
 * Each original stands once in memory and once as a memfd. A mutant is made in the memfd in place and mended from
 * memory afterwards: most are a few bytes, and to copy a library of 2 MB for each would take all the time.
 *
 * Where to do damage is learnt from the original's own headers, which are honest: it was installed, or loaded by
 * this very process.
 *
 * Refused: mutation guided by coverage. That is `make fuzz-symbolizer_elf`; here files are as large and as various
 * as real ones.
 */
#include "tests/hostile/mutant.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/number.h"
#include "tests/hostile/dwarf_fields.h"

#define CORPUS "tests/fuzz/corpus/symbolizer_elf"
#define GO_CORPUS "tests/fuzz/corpus/symbolizer_go_pclntab"
#define MAX_ORIGINALS 48
#define MAX_ORIGINAL_BYTES (16l << 20)
#define MAX_PLACES 40
#define MAX_DEBUG_BYTES 4096
#define MAX_WOUNDS 32
#define MAX_WOUND_BYTES 4096u
#define STORY_BYTES 2048

/* A part of an original that readers look at. */
struct place {
	uint64_t offset, size;
	uint32_t entry; /* bytes of one of its entries */
	const char *name;
};

struct original {
	char name[64];
	unsigned char *bytes;
	uint64_t size;
	int fd;
	struct place places[MAX_PLACES];
	uint32_t place_count;
	struct dwarf_fields fields;
};

struct wound {
	uint64_t offset, len;
};

struct mutants {
	struct original originals[MAX_ORIGINALS];
	uint32_t original_count;
	uint64_t seed, state;
	struct original *damaged; /* or NULL */
	struct wound wounds[MAX_WOUNDS];
	uint32_t wound_count;
	uint64_t least_size; /* that the present one was cut to */
	char story[STORY_BYTES];
	size_t story_len;
};

/* ---- originals ---- */

static void place_add(struct original *o, const char *name, uint64_t offset, uint64_t size,
		      uint32_t entry)
{
	if (o->place_count == MAX_PLACES || offset >= o->size || !size)
		return;
	if (size > o->size - offset)
		size = o->size - offset;
	o->places[o->place_count++] =
		(struct place){ .offset = offset, .size = size, .entry = entry, .name = name };
}

static void places_of_segments(struct original *o, const Elf64_Ehdr *e)
{
	const Elf64_Phdr *p = (const Elf64_Phdr *)(o->bytes + e->e_phoff);

	for (uint32_t i = 0; i < e->e_phnum; i++) {
		if (p[i].p_type == PT_DYNAMIC)
			place_add(o, "dynamic", p[i].p_offset, p[i].p_filesz, sizeof(Elf64_Dyn));
		if (p[i].p_type == PT_NOTE)
			place_add(o, "note", p[i].p_offset, p[i].p_filesz, 4);
		if (p[i].p_type == PT_GNU_EH_FRAME)
			place_add(o, "eh_frame_hdr", p[i].p_offset, p[i].p_filesz, 4);
	}
}

static void places_of_sections(struct original *o, const Elf64_Ehdr *e)
{
	const Elf64_Shdr *s = (const Elf64_Shdr *)(o->bytes + e->e_shoff);

	for (uint32_t i = 0; i < e->e_shnum; i++) {
		switch (s[i].sh_type) {
		case SHT_SYMTAB:
			place_add(o, "symtab", s[i].sh_offset, s[i].sh_size, sizeof(Elf64_Sym));
			break;
		case SHT_DYNSYM:
			place_add(o, "dynsym", s[i].sh_offset, s[i].sh_size, sizeof(Elf64_Sym));
			break;
		case SHT_STRTAB:
			place_add(o, "strings", s[i].sh_offset, s[i].sh_size, 1);
			break;
		case SHT_HASH:
			place_add(o, "hash", s[i].sh_offset, s[i].sh_size, 4);
			break;
		case SHT_GNU_HASH:
			place_add(o, "gnu_hash", s[i].sh_offset, s[i].sh_size, 4);
			break;
		case SHT_PROGBITS: /* what names debug files, or is one */
			if (!(s[i].sh_flags & SHF_ALLOC) && s[i].sh_size < MAX_DEBUG_BYTES)
				place_add(o, "debug", s[i].sh_offset, s[i].sh_size, 4);
			break;
		}
	}
}

/* The tables of headers come twice, to be hit as often again. */
static void places_find(struct original *o)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)o->bytes;

	place_add(o, "header", 0, sizeof(*e), 2);
	if (o->size < sizeof(*e) || memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 ||
	    e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_phoff > o->size ||
	    e->e_phnum * sizeof(Elf64_Phdr) > o->size - e->e_phoff || e->e_shoff > o->size ||
	    e->e_shnum * sizeof(Elf64_Shdr) > o->size - e->e_shoff) {
		place_add(o, "all", 0, o->size, 4);
		return;
	}
	for (int i = 0; i < 2; i++) {
		place_add(o, "segments", e->e_phoff, e->e_phnum * sizeof(Elf64_Phdr),
			  sizeof(Elf64_Phdr));
		place_add(o, "sections", e->e_shoff, e->e_shnum * sizeof(Elf64_Shdr),
			  sizeof(Elf64_Shdr));
	}
	places_of_segments(o, e);
	places_of_sections(o, e);
}

static void whole_write(int fd, const unsigned char *bytes, uint64_t offset, uint64_t len)
{
	while (len) {
		ssize_t n = pwrite(fd, bytes, len, (off_t)offset);

		if (n <= 0)
			fail_msg("a mutant cannot be written");
		bytes += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
}

/* Others are refused at their first bytes, whatever is done to the rest. */
static bool is_loadable(const struct original *o)
{
	const Elf32_Ehdr *e =
		(const Elf32_Ehdr *)o->bytes; /* e_type is at one place in both classes */

	return o->size >= sizeof(*e) && !memcmp(e->e_ident, ELFMAG, SELFMAG) &&
	       (e->e_type == ET_EXEC || e->e_type == ET_DYN);
}

void mutants_add_bytes(struct mutants *m, const char *name, const void *bytes, uint64_t len)
{
	struct original *o = &m->originals[m->original_count];

	if (m->original_count == MAX_ORIGINALS || !len)
		return;
	*o = (struct original){ .size = len };
	o->bytes = malloc(len);
	o->fd = memfd_create("mutant", MFD_CLOEXEC);
	assert_non_null(o->bytes);
	assert_true(o->fd >= 0);
	memcpy(o->bytes, bytes, len);
	snprintf(o->name, sizeof(o->name), "%s", name);
	whole_write(o->fd, o->bytes, 0, o->size);
	places_find(o);
	dwarf_fields_find(&o->fields, o->fd, o->bytes, o->size);
	m->original_count++;
}

/* What can't be read or is too large is no loss. */
static void original_add(struct mutants *m, const char *path, bool loadable)
{
	struct original o = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (o.fd < 0)
		return;
	if (fstat(o.fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= MAX_ORIGINAL_BYTES) {
		o.size = (uint64_t)st.st_size;
		o.bytes = malloc(o.size + 1);
		if (o.bytes && read(o.fd, o.bytes, o.size) == (ssize_t)o.size &&
		    (!loadable || is_loadable(&o)))
			mutants_add_bytes(m, slash ? slash + 1 : path, o.bytes, o.size);
		free(o.bytes);
	}
	close(o.fd);
}

static int original_of_process(struct dl_phdr_info *info, size_t size, void *ctx)
{
	(void)size;
	original_add(ctx, *info->dlpi_name ? info->dlpi_name : "/proc/self/exe", true);
	return 0;
}

static void originals_of_folder(struct mutants *m, const char *folder, bool loadable)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		original_add(m, path, loadable);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

void mutants_add_folder(struct mutants *m, const char *path)
{
	uint32_t before = m->original_count;

	originals_of_folder(m, path, false);
	if (m->original_count == before)
		fail_msg("there is nothing in %s", path);
}

const char *mutants_built_corpus(const char *target, char *path, size_t size)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(len > 0);
	exe[len] = '\0';
	*strrchr(exe, '/') = '\0'; /* …/tests/unit */
	snprintf(path, size, "%s/../fuzz/corpus/%s", exe, target);
	return path;
}

/* The one of this process: for when it comes to a bad end. */
static struct mutants *present;

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void last_words(void)
{
	if (present && present->story_len)
		fprintf(stderr, "# it was %s\n", present->story);
}

int mutants_tell(void **state)
{
	(void)state;
	last_words();
	return 0;
}

uint64_t mutants_setting(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);
	uint64_t value = fallback;

	if (text && number_parse(text, strlen(text), UINT64_MAX, &value) < 0)
		fail_msg("%s is \"%s\", no number", name, text);
	return value;
}

struct mutants *mutants_new(uint64_t seed)
{
	struct mutants *m = mutants_bare(seed);

	originals_of_folder(m, CORPUS, true);
	originals_of_folder(m, GO_CORPUS, true);
	dl_iterate_phdr(original_of_process, m);
	original_add(m, "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", true); /* mangled names */
	original_add(m, "/bin/bash", true); /* no .symtab, a large .dynsym */
	assert_true(m->original_count >= 3);
	return m;
}

struct mutants *mutants_bare(uint64_t seed)
{
	struct mutants *m = calloc(1, sizeof(*m));
	struct timespec now;

	assert_non_null(m);
	clock_gettime(CLOCK_REALTIME, &now);
	m->seed = seed ? seed : (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15 >> 20 | 1;
	present = m;
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(last_words);
	return m;
}

void mutants_free(struct mutants *m)
{
	for (uint32_t i = 0; i < m->original_count; i++) {
		free(m->originals[i].bytes);
		dwarf_fields_release(&m->originals[i].fields);
		close(m->originals[i].fd);
	}
	free(m);
	present = NULL;
}

uint64_t mutants_seed(const struct mutants *m)
{
	return m->seed;
}

/* ---- chance (splitmix64) ---- */

static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t mutants_random(struct mutants *m, uint64_t limit)
{
	return limit ? random_next(&m->state) % limit : 0;
}

/* ---- damage ---- */

__attribute__((format(printf, 2, 3))) static void tell(struct mutants *m, const char *format, ...)
{
	size_t room = sizeof(m->story) - m->story_len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(m->story + m->story_len, room, format, args);
	va_end(args);
	if (n > 0)
		m->story_len += (size_t)n < room ? (size_t)n : room - 1;
}

/* Writes within the original's size, and remembers where. */
static void wound(struct mutants *m, uint64_t offset, const void *bytes, uint64_t len)
{
	const struct original *o = m->damaged;

	if (m->wound_count == MAX_WOUNDS || offset >= o->size)
		return;
	if (len > o->size - offset)
		len = o->size - offset;
	whole_write(o->fd, bytes, offset, len);
	m->wounds[m->wound_count++] = (struct wound){ offset, len };
}

static const struct place *any_place(struct mutants *m, const struct original *o)
{
	return &o->places[mutants_random(m, o->place_count)];
}

/* At the beginning of a field of some entry; long tables are mostly hit at their ends. */
static uint64_t any_field(struct mutants *m, const struct place *p, uint32_t field)
{
	uint64_t near = p->size < 512 ? p->size : 512, at = mutants_random(m, near);

	switch (mutants_random(m, 3)) {
	case 0:
		at = mutants_random(m, p->size);
		break;
	case 1:
		at = p->size - 1 - at;
		break;
	}
	return p->offset + at / field * field;
}

static void flip(struct mutants *m)
{
	const struct place *p = any_place(m, m->damaged);
	uint64_t at = mutants_random(m, 8) ? any_field(m, p, 1)
					   : mutants_random(m, m->damaged->size);
	unsigned char byte = m->damaged->bytes[at] ^ (unsigned char)(1u << mutants_random(m, 8));

	wound(m, at, &byte, 1);
	tell(m, " flip %s@%#" PRIx64 "=%02x", p->name, at, byte);
}

/* What sums and products break on, and what other parts of the file are at. */
static uint64_t any_number(struct mutants *m, uint64_t before)
{
	const struct original *o = m->damaged;
	const struct place *p = any_place(m, o);
	const uint64_t numbers[] = { 0,           1,          2,          3,
				     0x7f,        0xff,       INT16_MAX,  UINT16_MAX,
				     INT32_MAX,   UINT32_MAX, INT64_MAX,  UINT64_MAX,
				     1ull << 63,  1ull << 40, o->size,    o->size - 1,
				     o->size + 1, -o->size,   p->offset,  p->offset + p->size,
				     p->size,     before + 1, before - 1, before * 2,
				     -before };

	if (mutants_random(m, 4) == 0)
		return random_next(&m->state) >> mutants_random(m, 64);
	return numbers[mutants_random(m, sizeof(numbers) / sizeof(numbers[0]))];
}

static void number(struct mutants *m)
{
	const struct place *p = any_place(m, m->damaged);
	uint32_t bytes = 1u << mutants_random(m, 4);
	uint64_t at = any_field(m, p, bytes), value = 0;

	if (at + bytes > m->damaged->size)
		return;
	memcpy(&value, m->damaged->bytes + at, bytes);
	value = any_number(m, value);
	wound(m, at, &value, bytes);
	tell(m, " number %s@%#" PRIx64 "/%u=%#" PRIx64, p->name, at, bytes, value);
}

/* An entry, or some, over others of the same table: two that overlap, one that comes twice. */
static void repeat(struct mutants *m)
{
	const struct place *p = any_place(m, m->damaged);
	uint64_t from = any_field(m, p, p->entry), to = any_field(m, p, p->entry);
	uint64_t len = p->entry * (1 + mutants_random(m, 8));

	if (len > MAX_WOUND_BYTES || from + len > m->damaged->size)
		return;
	wound(m, to, m->damaged->bytes + from, len);
	tell(m, " repeat %s@%#" PRIx64 "+%" PRIu64 " at %#" PRIx64, p->name, from, len, to);
}

/* A piece of another file. */
static void graft(struct mutants *m)
{
	const struct original *donor = &m->originals[mutants_random(m, m->original_count)];
	const struct place *from = any_place(m, donor), *to = any_place(m, m->damaged);
	uint64_t len = 1 + mutants_random(m, MAX_WOUND_BYTES);
	uint64_t at = mutants_random(m, 2) ? to->offset : any_field(m, to, to->entry);

	if (len > from->size)
		len = from->size;
	wound(m, at, donor->bytes + from->offset, len);
	tell(m, " graft %s %s+%" PRIu64 " at %s@%#" PRIx64, donor->name, from->name, len, to->name,
	     at);
}

/* The same byte, over and over: names without an end, tables of ones. */
static void smear(struct mutants *m)
{
	static const unsigned char values[] = { 0x00, 0xff, 0x01, 'x', '_', 0x80 };
	unsigned char bytes[MAX_WOUND_BYTES];
	const struct place *p = any_place(m, m->damaged);
	uint64_t at = any_field(m, p, p->entry), len = 1 + mutants_random(m, sizeof(bytes));
	unsigned char value = values[mutants_random(m, sizeof(values))];

	memset(bytes, value, len);
	wound(m, at, bytes, len);
	tell(m, " smear %s@%#" PRIx64 "+%" PRIu64 "=%02x", p->name, at, len, value);
}

static void resize(struct mutants *m, uint64_t size, const char *what)
{
	if (ftruncate(m->damaged->fd, (off_t)size) < 0)
		fail_msg("a mutant cannot be made %" PRIu64 " bytes long", size);
	if (size < m->least_size)
		m->least_size = size;
	tell(m, " %s %#" PRIx64, what, size);
}

static void cut(struct mutants *m)
{
	const struct place *p = any_place(m, m->damaged);
	uint64_t at = mutants_random(m, 2) ? any_field(m, p, p->entry) + mutants_random(m, 9)
					   : mutants_random(m, m->damaged->size);

	resize(m, at < m->damaged->size ? at : m->damaged->size - 1, "cut");
}

/* A hole behind it, for tables that are said to go on for ever. */
static void stretch(struct mutants *m)
{
	resize(m, m->damaged->size + (1ull << (20 + mutants_random(m, 22))), "stretch");
}

static const struct {
	void (*damage)(struct mutants *m);
	uint32_t weight;
} damages[] = {
	{ flip, 25 }, { number, 40 }, { repeat, 10 }, { graft, 10 },
	{ smear, 4 }, { cut, 10 },    { stretch, 1 },
};

static uint64_t random_of(void *ctx, uint64_t limit)
{
	return mutants_random(ctx, limit);
}

/* To what DWARF means. False if there is none. */
static bool damage_dwarf(struct mutants *m)
{
	struct dwarf_wound wounds[DWARF_MAX_WOUNDS];
	const char *what;
	uint32_t count = dwarf_fields_damage(&m->damaged->fields, random_of, m, wounds, &what);

	for (uint32_t i = 0; i < count; i++) {
		wound(m, wounds[i].offset, &wounds[i].value, wounds[i].bytes);
		tell(m, " %s@%#" PRIx64 "/%u=%#" PRIx64, what, wounds[i].offset, wounds[i].bytes,
		     wounds[i].value);
	}
	return count;
}

static void damage(struct mutants *m)
{
	uint32_t at = (uint32_t)mutants_random(m, 100);
	size_t i = 0;

	if (m->damaged->fields.of[DWARF_FIELD_ENTRY].count && mutants_random(m, 4) &&
	    damage_dwarf(m))
		return;

	while (i + 1 < sizeof(damages) / sizeof(damages[0]) && at >= damages[i].weight)
		at -= damages[i++].weight;
	damages[i].damage(m);
}

static void mend(struct mutants *m)
{
	const struct original *o = m->damaged;

	if (!o)
		return;
	if (ftruncate(o->fd, (off_t)o->size) < 0)
		fail_msg("a mutant cannot be mended");
	if (m->least_size < o->size)
		whole_write(o->fd, o->bytes + m->least_size, m->least_size,
			    o->size - m->least_size);
	for (uint32_t i = 0; i < m->wound_count; i++)
		whole_write(o->fd, o->bytes + m->wounds[i].offset, m->wounds[i].offset,
			    m->wounds[i].len);
	m->wound_count = 0;
	m->story_len = 0;
}

/* Small files, which are quick, more often than large ones. */
static struct original *any_original(struct mutants *m)
{
	struct original *a = &m->originals[mutants_random(m, m->original_count)];
	struct original *b = &m->originals[mutants_random(m, m->original_count)];

	return a->size < b->size ? a : b;
}

int mutants_make(struct mutants *m, uint64_t index)
{
	uint64_t rounds;

	mend(m);
	m->state = m->seed ^ index * 0xd1342543de82ef95;
	m->damaged = any_original(m);
	m->least_size = m->damaged->size;
	tell(m, "seed %" PRIu64 " mutant %" PRIu64 ": %s:", m->seed, index, m->damaged->name);
	rounds = 1 + mutants_random(m, 2) * mutants_random(m, 8);
	for (uint64_t i = 0; i < rounds; i++)
		damage(m);
	return m->damaged->fd;
}

const char *mutants_story(const struct mutants *m)
{
	return m->story;
}

static int offset_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void mutants_offsets(struct mutants *m, uint64_t *ret_offsets, uint32_t count)
{
	uint64_t size = m->damaged->size;

	for (uint32_t i = 0; i < count; i++)
		ret_offsets[i] = i % 16 ? mutants_random(m, size) : any_number(m, size);
	qsort(ret_offsets, count, sizeof(*ret_offsets), offset_compare);
}
