// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the three header tables with pread, a piece at a time, and keeps a few numbers of each.
 *
 * Never by a mapping: a file that is truncated under a mapping is a SIGBUS, and its owner may do
 * that on purpose. Each offset and size is compared with the size of the file before it is used,
 * each sum is checked for wrapping.
 *
 * Refused: libelf. It reads whole tables into memory (10 MB for node's symbols and strings, of
 * which some 100 kB are wanted), and what is used here of the format are three structs. libdw will
 * need it for DWARF.
 */
#include "symbolizer/elf_file.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Build ids are in the first 100 bytes or so; other notes (systemd's package metadata) are short as
 * well.
 */
#define MAX_NOTE_BYTES 4096u

#if __BYTE_ORDER == __LITTLE_ENDIAN
#define OUR_DATA ELFDATA2LSB
#else
#define OUR_DATA ELFDATA2MSB
#endif

/* The file header in either class, extension numbers resolved. */
struct header {
	uint64_t phoff, shoff;
	uint64_t phnum, shnum;
	uint64_t names; /* e_shstrndx */
};

/* What only the reading of headers needs to remember. */
struct scan {
	uint64_t dynamic_offset, dynamic_bytes;
	uint64_t symtab_link, dynsym_link;
	struct header header;
};

static size_t copy_some(const struct elf_file *f, uint64_t offset, void *bytes, size_t len)
{
	if (offset >= f->size)
		return 0;
	if (len > f->size - offset)
		len = (size_t)(f->size - offset);
	memcpy(bytes, f->bytes + offset, len);
	return len;
}

/* As many bytes as there are: fewer at the end of the file or on a read error. */
static size_t read_some(const struct elf_file *f, uint64_t offset, void *bytes, size_t len)
{
	size_t done = 0;

	if (f->bytes)
		return copy_some(f, offset, bytes, len);
	if (offset > INT64_MAX - len)
		return 0;
	while (done < len) {
		ssize_t n = pread(f->fd, (char *)bytes + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

bool elf_file_read(struct elf_file *f, uint64_t offset, void *ret_bytes, size_t len)
{
	if (read_some(f, offset, ret_bytes, len) == len)
		return true;
	f->damaged = true;
	return false;
}

bool elf_file_read_code(struct elf_file *f, uint64_t vaddr, void *ret_bytes, size_t len)
{
	for (uint32_t i = 0; i < f->segments.count; i++) {
		const struct elf_segment *s = &f->segments.items[i];

		if (s->executable && vaddr >= s->vaddr && vaddr - s->vaddr < s->size)
			return len <= s->size - (vaddr - s->vaddr) &&
			       elf_file_read(f, s->offset + (vaddr - s->vaddr), ret_bytes, len);
	}
	return false;
}

void elf_cursor_init(struct elf_cursor *c, struct elf_file *f, uint64_t offset, uint64_t count,
		     uint32_t entry_bytes)
{
	uint64_t there = offset < f->size ? (f->size - offset) / entry_bytes : 0;

	if (count > there) {
		f->damaged = true;
		count = there;
	}
	c->file = f;
	c->offset = offset;
	c->left = count;
	c->entry_bytes = entry_bytes;
	c->position = 0;
	c->filled = 0;
}

bool elf_cursor_fill(struct elf_cursor *c)
{
	uint64_t count = sizeof(c->bytes) / c->entry_bytes;
	size_t len;

	if (count > c->left)
		count = c->left;
	if (count == 0)
		return false;
	len = read_some(c->file, c->offset, c->bytes, (size_t)count * c->entry_bytes);
	c->position = 0;
	c->filled = (uint32_t)(len - len % c->entry_bytes);
	c->offset += c->filled;
	c->left -= count;
	if (len != count * c->entry_bytes) {
		c->file->damaged = true; /* it was cut off since we asked for its size */
		c->left = 0;
	}
	return c->filled != 0;
}

Elf64_Sym elf_symbol_decode(const struct elf_file *f, const void *entry)
{
	Elf64_Sym wide;
	Elf32_Sym narrow;

	if (f->wide) {
		memcpy(&wide, entry, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, entry, sizeof(narrow));
	return (Elf64_Sym){ .st_name = narrow.st_name,
			    .st_info = narrow.st_info,
			    .st_other = narrow.st_other,
			    .st_shndx = narrow.st_shndx,
			    .st_value = narrow.st_value,
			    .st_size = narrow.st_size };
}

static uint32_t section_bytes(const struct elf_file *f)
{
	return f->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
}

Elf64_Shdr elf_section_decode(const struct elf_file *f, const void *entry)
{
	Elf64_Shdr wide;
	Elf32_Shdr narrow;

	if (f->wide) {
		memcpy(&wide, entry, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, entry, sizeof(narrow));
	return (Elf64_Shdr){ .sh_type = narrow.sh_type,
			     .sh_flags = narrow.sh_flags,
			     .sh_addr = narrow.sh_addr,
			     .sh_offset = narrow.sh_offset,
			     .sh_size = narrow.sh_size,
			     .sh_link = narrow.sh_link,
			     .sh_info = narrow.sh_info,
			     .sh_entsize = narrow.sh_entsize };
}

static Elf64_Phdr segment_decode(const struct elf_file *f, const void *entry)
{
	Elf64_Phdr wide;
	Elf32_Phdr narrow;

	if (f->wide) {
		memcpy(&wide, entry, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, entry, sizeof(narrow));
	return (Elf64_Phdr){ .p_type = narrow.p_type,
			     .p_flags = narrow.p_flags,
			     .p_offset = narrow.p_offset,
			     .p_vaddr = narrow.p_vaddr,
			     .p_filesz = narrow.p_filesz,
			     .p_align = narrow.p_align };
}

/* The section header with this number; false, and damaged, if it isn't there. */
static bool section_read(struct elf_file *f, const struct header *h, uint64_t number,
			 Elf64_Shdr *ret)
{
	unsigned char bytes[sizeof(Elf64_Shdr)];

	if (number >= h->shnum ||
	    !elf_file_read(f, h->shoff + number * section_bytes(f), bytes, section_bytes(f))) {
		f->damaged = true;
		return false;
	}
	*ret = elf_section_decode(f, bytes);
	return true;
}

/*
 * Counts that don't fit in the file header are in section 0 (gABI, "ELF Header", e_shnum; PN_XNUM).
 */
static void header_extend(struct elf_file *f, struct header *h)
{
	struct header zero = { .shoff = h->shoff, .shnum = 1 };
	Elf64_Shdr section;

	if (h->shoff == 0 || h->shoff >= f->size) {
		f->damaged |= h->shoff != 0;
		h->shnum = 0;
		return;
	}
	if (h->shnum != 0 && h->phnum != PN_XNUM && h->names != SHN_XINDEX)
		return;
	if (!section_read(f, &zero, 0, &section))
		return;
	if (h->shnum == 0)
		h->shnum = section.sh_size;
	if (h->phnum == PN_XNUM)
		h->phnum = section.sh_info;
	if (h->names == SHN_XINDEX)
		h->names = section.sh_link;
}

static int header_read(struct elf_file *f, bool alternate, struct header *h)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr narrow;
		Elf64_Ehdr wide;
	} e = { 0 };
	size_t len = read_some(f, 0, &e, sizeof(e));
	uint32_t type, phentsize, shentsize;

	if (len < EI_NIDENT || memcmp(e.ident, ELFMAG, SELFMAG) != 0 ||
	    e.ident[EI_DATA] != OUR_DATA ||
	    (e.ident[EI_CLASS] != ELFCLASS32 && e.ident[EI_CLASS] != ELFCLASS64))
		return -ENOEXEC;
	f->wide = e.ident[EI_CLASS] == ELFCLASS64;
	if (len < (f->wide ? sizeof(e.wide) : sizeof(e.narrow)))
		return -ENOEXEC;
	type = f->wide ? e.wide.e_type : e.narrow.e_type;
	if (type != ET_EXEC && type != ET_DYN && !(alternate && type == ET_REL))
		return -ENOEXEC;
	f->machine = f->wide ? e.wide.e_machine : e.narrow.e_machine;
	h->phoff = f->wide ? e.wide.e_phoff : e.narrow.e_phoff;
	h->shoff = f->wide ? e.wide.e_shoff : e.narrow.e_shoff;
	h->phnum = f->wide ? e.wide.e_phnum : e.narrow.e_phnum;
	h->shnum = f->wide ? e.wide.e_shnum : e.narrow.e_shnum;
	h->names = f->wide ? e.wide.e_shstrndx : e.narrow.e_shstrndx;
	phentsize = f->wide ? e.wide.e_phentsize : e.narrow.e_phentsize;
	shentsize = f->wide ? e.wide.e_shentsize : e.narrow.e_shentsize;
	if (h->shoff != 0 && shentsize != section_bytes(f)) {
		f->damaged = true;
		h->shoff = 0;
	}
	if (h->phnum != 0 && phentsize != (f->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr))) {
		f->damaged = true;
		h->phnum = 0;
	}
	header_extend(f, h);
	return 0;
}

/*
 * Looks for the build id among notes. Layout of a note: namesz, descsz, type, name, desc, the last
 * two padded to 4 bytes, or to 8 in a segment or section that is so aligned.
 */
static void notes_read(struct elf_file *f, uint64_t offset, uint64_t size, uint64_t align)
{
	_Alignas(8) unsigned char bytes[MAX_NOTE_BYTES];
	size_t len, at = 0, pad = align == 8 ? 7 : 3;

	if (f->build_id_bytes)
		return;
	len = read_some(f, offset, bytes, size < sizeof(bytes) ? (size_t)size : sizeof(bytes));
	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t desc, next;

		memcpy(&note, bytes + at, sizeof(note));
		desc = (at + sizeof(note) + note.n_namesz + pad) & ~(uint64_t)pad;
		next = (desc + note.n_descsz + pad) & ~(uint64_t)pad;
		if (desc > len || note.n_descsz > len - desc)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz > 0 &&
		    note.n_descsz <= sizeof(f->build_id) &&
		    memcmp(bytes + at + sizeof(note), "GNU", 4) == 0) {
			memcpy(f->build_id, bytes + desc, note.n_descsz);
			f->build_id_bytes = note.n_descsz;
			return;
		}
		if (next > len)
			return;
		at = (size_t)next;
	}
}

static int segment_add(struct elf_file *f, const Elf64_Phdr *p)
{
	struct elf_segment *s;

	if (p->p_filesz == 0)
		return 0;
	if (p->p_filesz > UINT64_MAX - p->p_vaddr || p->p_filesz > UINT64_MAX - p->p_offset) {
		f->damaged = true;
		return 0;
	}
	if (f->segments.count == ELF_MAX_SEGMENTS) {
		f->too_large = true;
		return 0;
	}
	s = array_push(&f->segments, ELF_MAX_SEGMENTS);
	if (!s)
		return -ENOMEM;
	*s = (struct elf_segment){ .offset = p->p_offset,
				   .size = p->p_filesz,
				   .vaddr = p->p_vaddr,
				   .executable = p->p_flags & PF_X };
	return 0;
}

static int code_add(struct elf_file *f, uint64_t start, uint64_t size)
{
	struct elf_range *r;

	if (size == 0)
		return 0;
	if (size > UINT64_MAX - start) {
		f->damaged = true;
		return 0;
	}
	if (f->code.count == ELF_MAX_CODE_RANGES) {
		f->too_large = true;
		return 0;
	}
	r = array_push(&f->code, ELF_MAX_CODE_RANGES);
	if (!r)
		return -ENOMEM;
	*r = (struct elf_range){ .start = start, .limit = start + size };
	return 0;
}

static int segments_read(struct elf_file *f, struct scan *scan)
{
	struct elf_cursor cursor;
	const void *entry;
	uint64_t count = scan->header.phnum;

	if (count > UINT16_MAX) {
		f->too_large = true;
		count = UINT16_MAX;
	}
	elf_cursor_init(&cursor, f, scan->header.phoff, count,
			f->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
	while ((entry = elf_cursor_next(&cursor))) {
		Elf64_Phdr p = segment_decode(f, entry);

		if (p.p_type == PT_LOAD && segment_add(f, &p) < 0)
			return -ENOMEM;
		if (p.p_type == PT_NOTE)
			notes_read(f, p.p_offset, p.p_filesz, p.p_align);
		if (p.p_type == PT_GNU_EH_FRAME)
			f->frames_index = (struct elf_place){ p.p_offset, p.p_filesz, p.p_vaddr };
		if (p.p_type == PT_DYNAMIC) {
			scan->dynamic_offset = p.p_offset;
			scan->dynamic_bytes = p.p_filesz;
		}
	}
	return 0;
}

static void table_note(struct elf_file *f, struct elf_table *t, uint64_t *link, const Elf64_Shdr *s)
{
	if (t->count != 0)
		return;
	if (s->sh_entsize != elf_symbol_bytes(f)) {
		f->damaged = true;
		return;
	}
	t->offset = s->sh_offset;
	t->count = s->sh_size / s->sh_entsize;
	*link = s->sh_link;
}

void elf_cursor_sections(struct elf_cursor *c, struct elf_file *f)
{
	elf_cursor_init(c, f, f->headers.offset, f->headers.count, section_bytes(f));
}

void elf_section_name(struct elf_file *f, const Elf64_Shdr *s, char *ret, size_t size)
{
	const struct header h = { .shoff = f->headers.offset, .shnum = f->headers.count };
	Elf64_Shdr names;
	uint64_t room;

	ret[0] = '\0';
	if (!f->headers.names || !section_read(f, &h, f->headers.names, &names) ||
	    names.sh_type != SHT_STRTAB || s->sh_name >= names.sh_size)
		return;
	room = names.sh_size - s->sh_name;
	if (room > size - 1)
		room = size - 1;
	if (names.sh_offset > f->size || s->sh_name > f->size - names.sh_offset ||
	    !elf_file_read(f, names.sh_offset + s->sh_name, ret, (size_t)room))
		room = 0;
	ret[room] = '\0';
}

static int sections_read(struct elf_file *f, struct scan *scan)
{
	struct elf_cursor cursor;
	const void *entry;

	f->headers =
		(struct elf_headers){ scan->header.shoff, scan->header.shnum, scan->header.names };
	if (f->headers.count > ELF_MAX_SECTIONS) {
		f->too_large = true;
		f->headers.count = ELF_MAX_SECTIONS;
	}
	if (f->headers.count == 0)
		return 0;
	elf_cursor_sections(&cursor, f);
	while ((entry = elf_cursor_next(&cursor))) {
		Elf64_Shdr s = elf_section_decode(f, entry);

		if (s.sh_type == SHT_SYMTAB)
			table_note(f, &f->symtab, &scan->symtab_link, &s);
		else if (s.sh_type == SHT_DYNSYM)
			table_note(f, &f->dynsym, &scan->dynsym_link, &s);
		else if (s.sh_type == SHT_NOTE)
			notes_read(f, s.sh_offset, s.sh_size, s.sh_addralign);
		if ((s.sh_flags & SHF_EXECINSTR) && (s.sh_flags & SHF_ALLOC) &&
		    code_add(f, s.sh_addr, s.sh_size) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Cuts the table to what is in the file, and to what we are willing to read. */
static void table_cut(struct elf_file *f, struct elf_table *t)
{
	uint64_t there = t->offset < f->size ? (f->size - t->offset) / elf_symbol_bytes(f) : 0;

	if (t->count > there) {
		f->damaged = true;
		t->count = there;
	}
	if (t->count > ELF_MAX_SYMBOLS) {
		f->too_large = true;
		t->count = ELF_MAX_SYMBOLS;
	}
}

/* Finds the table's strings. */
static void table_finish(struct elf_file *f, const struct header *h, struct elf_table *t,
			 uint64_t link)
{
	Elf64_Shdr names;

	if (t->count == 0)
		return;
	if (!section_read(f, h, link, &names) || names.sh_type != SHT_STRTAB ||
	    names.sh_offset > f->size) {
		f->damaged = true;
		t->count = 0;
		return;
	}
	t->names_offset = names.sh_offset;
	t->names_bytes = names.sh_size;
	if (t->names_bytes > f->size - names.sh_offset) {
		f->damaged = true;
		t->names_bytes = f->size - names.sh_offset;
	}
	table_cut(f, t);
}

static int range_compare(const void *a, const void *b)
{
	const struct elf_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Sections say best where code is; without them, executable segments do. */
static int code_finish(struct elf_file *f)
{
	for (uint32_t i = 0, known = f->code.count; !known && i < f->segments.count; i++) {
		const struct elf_segment *s = &f->segments.items[i];

		if (s->executable && code_add(f, s->vaddr, s->size) < 0)
			return -ENOMEM;
	}
	if (f->code.count)
		qsort(f->code.items, f->code.count, sizeof(*f->code.items), range_compare);
	return 0;
}

/*
 * glibc 2.33 to 2.38 make newfstatat of fstat(), which asks about any path as well: the symbolizer's
 * sandbox does not let it pass. On machines of 64 bits the kernel's struct is glibc's.
 */
static int file_stat(int fd, struct stat *ret)
{
	return (int)syscall(SYS_fstat, fd, ret);
}

static int read_all(struct elf_file *f, bool alternate)
{
	struct scan scan = { 0 };
	int r;

	r = header_read(f, alternate, &scan.header);
	if (r < 0)
		return r;
	r = segments_read(f, &scan);
	if (r == 0)
		r = sections_read(f, &scan);
	if (r == 0)
		r = code_finish(f);
	if (r < 0)
		return r;
	table_finish(f, &scan.header, &f->symtab, scan.symtab_link);
	table_finish(f, &scan.header, &f->dynsym, scan.dynsym_link);
	if (f->symtab.count == 0 && f->dynsym.count == 0 && scan.dynamic_bytes != 0)
		elf_dynamic_read(f, scan.dynamic_offset, scan.dynamic_bytes);
	return 0;
}

static int open_fd(struct elf_file *f, int fd, bool alternate)
{
	struct stat st;

	*f = (struct elf_file){ .fd = fd };
	if (file_stat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOEXEC;
	f->size = (uint64_t)st.st_size;
	return read_all(f, alternate);
}

int elf_file_open(struct elf_file *f, int fd)
{
	return open_fd(f, fd, false);
}

int elf_file_open_alternate(struct elf_file *f, int fd)
{
	return open_fd(f, fd, true);
}

int elf_file_open_bytes(struct elf_file *f, const char *bytes, size_t len)
{
	*f = (struct elf_file){ .fd = -1, .bytes = bytes, .size = len };
	return read_all(f, false);
}

void elf_file_release(struct elf_file *f)
{
	array_release(&f->segments);
	array_release(&f->code);
}

const struct elf_segment *elf_file_segment(const struct elf_file *f, uint64_t offset)
{
	const struct elf_segment *found = NULL;

	for (uint32_t i = 0; i < f->segments.count; i++) {
		const struct elf_segment *s = &f->segments.items[i];

		if (offset < s->offset || offset - s->offset >= s->size)
			continue;
		if (s->executable)
			return s;
		if (!found)
			found = s;
	}
	return found;
}

const struct elf_range *elf_file_code(const struct elf_file *f, uint64_t vaddr)
{
	const struct elf_range *ranges = f->code.items;
	uint32_t low = 0, high = f->code.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ranges[middle].start <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || vaddr >= ranges[low - 1].limit)
		return NULL;
	return &ranges[low - 1];
}
