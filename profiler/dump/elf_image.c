// SPDX-License-Identifier: Apache-2.0
/*
 * .eh_frame_hdr is used where it is as linkers write it: a sorted table of 32-bit pairs relative to itself. In
 * all other cases the functions of .eh_frame are listed (symbolizer/unwind_fdes.h), and libunwind is given such a
 * table of them: what they say is still libunwind's to read.
 *
 * Files are read, not mapped: one that is cut short under us would be a SIGBUS. Refused: .debug_frame.
 * libunwind reads it only if it was built for it, and Debian's was not.
 */
#include "profiler/dump/elf_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/unwind_fdes.h"
#include "symbolizer/unwind_sections.h"

/* Linux Standard Base, core specification, 10.6.2; DW_EH_PE_… of dwarf-eh. */
#define HEADER_VERSION 1
#define FORM_FRAMES 0x1b /* pcrel | sdata4 */
#define FORM_COUNT 0x03 /* udata4 */
#define FORM_TABLE 0x3b /* datarel | sdata4 */

struct header {
	uint8_t version, frames_form, count_form, table_form;
	int32_t frames;
	uint32_t count;
};
_Static_assert(sizeof(struct header) == 12, "the table follows");

static void elf_image_free(struct elf_image *i)
{
	if (!i)
		return;
	elf_file_release(&i->elf);
	array_release(&i->made);
	fd_close(&i->fd);
	free(i);
}

void elf_images_release(struct elf_images *x)
{
	for (uint32_t i = 0; i < x->count; i++)
		elf_image_free(x->all[i]);
	*x = (struct elf_images){ 0 };
}

struct elf_image *elf_images_find(struct elf_images *x, uint32_t file)
{
	for (uint32_t i = 0; i < x->count; i++) {
		if (x->all[i]->file != file)
			continue;
		x->all[i]->used = ++x->uses;
		return x->all[i];
	}
	return NULL;
}

/* ---- the table ---- */

static bool table_find(struct elf_image *i)
{
	const struct elf_place *index = &i->elf.frames_index;
	struct header h;

	if (index->bytes < sizeof(h) || !elf_file_read(&i->elf, index->offset, &h, sizeof(h)) ||
	    h.version != HEADER_VERSION || h.frames_form != FORM_FRAMES ||
	    h.count_form != FORM_COUNT || h.table_form != FORM_TABLE || !h.count ||
	    h.count > (index->bytes - sizeof(h)) / sizeof(struct elf_image_entry))
		return false;
	i->base = index->vaddr;
	i->table = index->vaddr + sizeof(h);
	i->entries = h.count;
	return true;
}

static int entries_make(struct elf_image *i, const struct unwind_fdes *fdes, uint64_t base)
{
	i->base = base;
	for (uint32_t k = 0; k < fdes->list.count; k++) {
		const struct unwind_fde *fde = &fdes->list.items[k];
		int64_t start = (int64_t)(fde->start - base);
		uint32_t offset = fde->place & UNWIND_PLACE_OFFSET_MASK;
		struct elf_image_entry *e;

		if (start < INT32_MIN || start > INT32_MAX || offset > INT32_MAX)
			continue;
		e = array_push(&i->made, UNWIND_MAX_FDES);
		if (!e)
			return -ENOMEM;
		*e = (struct elf_image_entry){ (int32_t)start, (int32_t)offset };
	}
	i->entries = i->made.count;
	return 0;
}

static int table_make(struct elf_image *i)
{
	struct unwind_sections sections;
	struct unwind_fdes *fdes;
	int r = unwind_sections_find(&i->elf, &sections);

	if (r < 0 || !sections.eh_frame.bytes)
		return 0;
	sections.debug_frame.bytes = 0;
	fdes = calloc(1, sizeof(*fdes));
	if (!fdes)
		return -ENOMEM;
	r = unwind_fdes_read(&i->elf, &sections, 0, UINT64_MAX, fdes);
	if (r == 0)
		r = entries_make(i, fdes, sections.eh_frame.vaddr);
	unwind_fdes_release(fdes);
	free(fdes);
	return r;
}

/* ---- files ---- */

static struct elf_image **place_of_oldest(struct elf_images *x)
{
	struct elf_image **oldest = &x->all[0];

	for (uint32_t i = 1; i < x->count; i++)
		if (x->all[i]->used < (*oldest)->used)
			oldest = &x->all[i];
	elf_image_free(*oldest);
	return oldest;
}

int elf_images_add(struct elf_images *x, uint32_t file, int fd, struct elf_image **ret)
{
	struct elf_image *i = calloc(1, sizeof(*i));
	int r = 0;

	if (!i) {
		fd_close(&fd);
		return -ENOMEM;
	}
	*i = (struct elf_image){ .file = file, .fd = fd };
	if (fd >= 0)
		r = elf_file_open(&i->elf, fd);
	if (fd >= 0 && r == 0 && i->elf.wide && !table_find(i))
		r = table_make(i);
	if (r == -ENOMEM) {
		elf_image_free(i);
		return r;
	}
	i->used = ++x->uses;
	*(x->count < ELF_IMAGES_MAX ? &x->all[x->count++] : place_of_oldest(x)) = i;
	*ret = i;
	return 0;
}

bool elf_image_vaddr(const struct elf_image *i, uint64_t offset, uint64_t *ret)
{
	const struct elf_segment *s = elf_file_segment(&i->elf, offset);

	if (!s)
		return false;
	*ret = s->vaddr + (offset - s->offset);
	return true;
}

/* How much of [offset, offset + len) its page has. */
static size_t page_read(struct elf_image *i, uint64_t offset, void *to, size_t len)
{
	struct elf_image_page *p = &i->pages[offset / ELF_IMAGE_PAGE_BYTES % ELF_IMAGE_PAGES];
	size_t within = offset % ELF_IMAGE_PAGE_BYTES;
	uint64_t start = offset - within;

	if (!p->len || p->offset != start) {
		ssize_t n = pread(i->fd, p->bytes, sizeof(p->bytes), (off_t)start);

		p->offset = start;
		p->len = n < 0 ? 0 : (uint32_t)n;
	}
	if (within >= p->len)
		return 0;
	if (len > p->len - within)
		len = p->len - within;
	memcpy(to, p->bytes + within, len);
	return len;
}

bool elf_image_read(struct elf_image *i, uint64_t vaddr, uint64_t *ret)
{
	unsigned char word[sizeof(*ret)] = { 0 };

	for (uint32_t k = 0; k < i->elf.segments.count; k++) {
		const struct elf_segment *s = &i->elf.segments.items[k];
		uint64_t within = vaddr - s->vaddr;
		size_t len = sizeof(word), n;

		if (vaddr < s->vaddr || within >= s->size)
			continue;
		if (len > s->size - within)
			len = (size_t)(s->size - within);
		n = page_read(i, s->offset + within, word, len);
		if (n && n < len) /* the rest is in the next page */
			n += page_read(i, s->offset + within + n, word + n, len - n);
		if (n < len)
			return false;
		memcpy(ret, word, sizeof(word));
		return true;
	}
	return false;
}
