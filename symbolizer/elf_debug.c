// SPDX-License-Identifier: Apache-2.0
/*
 * Sections are found by name, as nothing else tells them; of those alone that could be meant, which are not
 * loaded. Where both files have a build id that decides: a debug file that was stripped of something, or packed
 * by dwz, after the link was made has the right one and the wrong CRC.
 *
 * Refused: believing a name. A debug file of another build names every frame, and each wrongly.
 */
#include "symbolizer/elf_debug.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/go_pclntab.h"
#include "symbolizer/unwind_sections.h"

/* The longest name that is looked for, and a byte by which a longer one is told from it. */
#define NAME_BYTES sizeof(".gnu_debugaltlink_")
#define MAX_SECTIONS 16384u
/* A CRC of so much takes 0.15 s, and as long again to read: within a request's time. */
#define MAX_CRC_BYTES (256ull << 20)
#define CRC_STEP 65536u

/* What is in the file of a section, at most `size` bytes, terminated. Their number. */
static size_t section_text(struct elf_file *f, const Elf64_Shdr *s, char *ret, size_t size)
{
	size_t len = s->sh_size < size ? (size_t)s->sh_size : size - 1;

	if (s->sh_size >= size || !elf_file_read(f, s->sh_offset, ret, len)) {
		f->damaged = true;
		len = 0;
	}
	ret[len] = '\0';
	return len;
}

static void link_read(struct elf_file *f, const Elf64_Shdr *s, struct elf_debug *ret)
{
	char text[DEBUG_MAX_LINK_BYTES + 8];
	size_t len = section_text(f, s, text, sizeof(text)), name = strlen(text);
	size_t crc = (name + 4) & ~(size_t)3;

	ret->linked = true;
	if (crc > len || len - crc < sizeof(ret->link_crc) || !debug_link_is_sound(text)) {
		f->damaged = true;
		return;
	}
	memcpy(ret->link, text, name + 1);
	memcpy(&ret->link_crc, text + crc, sizeof(ret->link_crc));
}

static void alternate_read(struct elf_file *f, const Elf64_Shdr *s, struct elf_debug *ret)
{
	char text[DEBUG_MAX_ALTERNATE_BYTES + SYMBOLS_MAX_BUILD_ID_BYTES + 1];
	size_t len = section_text(f, s, text, sizeof(text)), name = strlen(text), id;

	id = len > name ? len - name - 1 : 0;
	if (!name || name >= sizeof(ret->alternate) || !id || id > sizeof(ret->alternate_id)) {
		f->damaged = true;
		return;
	}
	memcpy(ret->alternate, text, name + 1);
	memcpy(ret->alternate_id, text + name + 1, id);
	ret->alternate_id_bytes = (uint32_t)id;
}

static void section_note(struct elf_file *f, const char *name, const Elf64_Shdr *s,
			 struct elf_debug *ret)
{
	if (!strcmp(name, ".gnu_debuglink") && !ret->linked)
		link_read(f, s, ret);
	else if (!strcmp(name, ".gnu_debugaltlink") && !ret->alternate_id_bytes)
		alternate_read(f, s, ret);
	else if (!strcmp(name, ".gnu_debugdata"))
		ret->minidebug = (struct elf_place){ .offset = s->sh_offset, .bytes = s->sh_size };
	else if (!strcmp(name, ".debug_info") || !strcmp(name, ".zdebug_info"))
		ret->dwarf |= s->sh_size != 0;
}

void elf_debug_read(struct elf_file *f, struct elf_debug *ret)
{
	struct elf_cursor cursor;
	uint32_t seen = 0;
	const void *entry;

	*ret = (struct elf_debug){ 0 };
	elf_cursor_sections(&cursor, f);
	while (seen++ < MAX_SECTIONS && (entry = elf_cursor_next(&cursor))) {
		Elf64_Shdr s = elf_section_decode(f, entry);
		char name[NAME_BYTES];

		if (s.sh_type != SHT_PROGBITS || s.sh_flags & SHF_ALLOC)
			continue;
		elf_section_name(f, &s, name, sizeof(name));
		section_note(f, name, &s, ret);
	}
}

/* liblzma has it since xz needs the same one: CRC-32 of IEEE 802.3, as zlib's. */
static bool crc_is(struct elf_file *f, uint32_t wanted)
{
	char bytes[CRC_STEP];
	uint32_t crc = 0;

	for (uint64_t at = 0; at < f->size;) {
		size_t len = f->size - at < sizeof(bytes) ? (size_t)(f->size - at) : sizeof(bytes);

		if (!elf_file_read(f, at, bytes, len))
			return false;
		crc = lzma_crc32((const uint8_t *)bytes, len, crc);
		at += len;
	}
	return crc == wanted;
}

int elf_debug_belongs(const struct elf_file *f, const struct elf_debug *debug,
		      struct elf_file *candidate)
{
	if (f->wide != candidate->wide || f->machine != candidate->machine)
		return 0;
	if (f->build_id_bytes && candidate->build_id_bytes)
		return f->build_id_bytes == candidate->build_id_bytes &&
		       !memcmp(f->build_id, candidate->build_id, f->build_id_bytes);
	if (!*debug->link)
		return 0;
	return candidate->size > MAX_CRC_BYTES ? -EFBIG : crc_is(candidate, debug->link_crc);
}

bool elf_debug_is_alternate(const struct elf_debug *debug, const struct elf_file *candidate)
{
	return debug->alternate_id_bytes &&
	       debug->alternate_id_bytes == candidate->build_id_bytes &&
	       !memcmp(debug->alternate_id, candidate->build_id, debug->alternate_id_bytes);
}

/* ---- the request ---- */

struct pair {
	struct elf_file file, candidate;
	struct elf_debug of_file, of_candidate;
};

/* What `f` says of itself. */
static void describe(const struct elf_file *f, const struct elf_debug *d, struct debug_reply *ret)
{
	ret->flags |= (f->symtab.count ? DEBUG_REPLY_SYMTAB : 0) |
		      (d->dwarf ? DEBUG_REPLY_DWARF : 0) |
		      (d->minidebug.bytes ? DEBUG_REPLY_MINIDEBUG : 0) |
		      (d->linked && !*d->link ? DEBUG_REPLY_BAD_LINK : 0);
	ret->build_id_bytes = f->build_id_bytes;
	memcpy(ret->build_id, f->build_id, f->build_id_bytes);
	ret->alternate_id_bytes = d->alternate_id_bytes;
	memcpy(ret->alternate_id, d->alternate_id, d->alternate_id_bytes);
	memcpy(ret->link, d->link, sizeof(ret->link));
	memcpy(ret->alternate, d->alternate, sizeof(ret->alternate));
}

/* A file that Go compiled names its functions however it was stripped. */
static bool has_go_table(struct elf_file *f)
{
	struct unwind_sections sections;
	struct go_pclntab *table = NULL;
	bool has = unwind_sections_find(f, &sections) == 0 && sections.go &&
		   go_pclntab_open(f, &sections.go_table, &table) == 0 && go_pclntab_count(table);

	go_pclntab_free(table);
	return has;
}

static int file_read(int fd, bool alternate, struct elf_file *f, struct elf_debug *d)
{
	int r = alternate ? elf_file_open_alternate(f, fd) : elf_file_open(f, fd);

	if (r == 0)
		elf_debug_read(f, d);
	return r;
}

static int answer(struct pair *p, uint32_t question, const int *fds, struct debug_reply *ret)
{
	int r = file_read(fds[0], false, &p->file, &p->of_file);

	if (r == 0 && question == DEBUG_OF_FILE) {
		describe(&p->file, &p->of_file, ret);
		ret->flags |= has_go_table(&p->file) ? DEBUG_REPLY_GO : 0;
	}
	if (r < 0 || question == DEBUG_OF_FILE)
		return r;
	r = file_read(fds[1], question == DEBUG_OF_ALTERNATE, &p->candidate, &p->of_candidate);
	if (r < 0)
		return r;
	describe(&p->candidate, &p->of_candidate, ret);
	if (question == DEBUG_OF_SEPARATE)
		r = elf_debug_belongs(&p->file, &p->of_file, &p->candidate);
	else
		r = elf_debug_is_alternate(&p->of_file, &p->candidate);
	if (r > 0)
		ret->flags |= DEBUG_REPLY_BELONGS;
	return r < 0 ? r : 0;
}

int elf_debug_answer(const struct debug_request *request, const int *fds, uint32_t fd_count,
		     struct buffer *reply)
{
	struct debug_reply ret = { .status = SYMBOLS_OK };
	struct pair *p;
	int r;

	if (request->question > DEBUG_OF_ALTERNATE ||
	    fd_count != (request->question == DEBUG_OF_FILE ? 1 : 2))
		return -EPROTO;
	p = calloc(1, sizeof(*p));
	r = p ? answer(p, request->question, fds, &ret) : -ENOMEM;
	if (r < 0)
		ret = (struct debug_reply){ .status = r == -ENOEXEC ? SYMBOLS_NOT_ELF
								    : SYMBOLS_LIMIT };
	if (p) {
		elf_file_release(&p->file);
		elf_file_release(&p->candidate);
	}
	free(p);
	buffer_append(reply, &ret, sizeof(ret));
	return buffer_error(reply);
}
