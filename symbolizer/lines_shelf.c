// SPDX-License-Identifier: Apache-2.0
/*
 * One place on the shelf: a second would hold as much memory again, and the file's own index on disk is cheaper.
 * A file that somebody writes to while it is read gets an index of something; its next state gets its own.
 *
 * An index that comes is believed if it is whole and has the file's build id. Whether it is of this state of the file is
 * for who hands both over to know. It is mapped and not read, as it is in the page cache anyway and would take as much of our
 * memory again; of all the files that come it is the only one that nobody else can write to.
 */
#include "symbolizer/lines_shelf.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "symbolizer/dwarf_walk.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/lines_builder.h"
#include "symbolizer/protocol.h"

#define MAX_SECTION_BYTES (512ul << 20) /* of one file and its alternate, decompressed */

static bool identify(int fd, struct lines_identity *ret)
{
	struct stat st;

	/* Not fstat(), which glibc makes newfstatat of; see elf_file.c. */
	*ret = (struct lines_identity){ 0 };
	if (fd < 0)
		return true;
	if (syscall(SYS_fstat, fd, &st) < 0)
		return false;
	*ret = (struct lines_identity){ .dev = st.st_dev,
					.ino = st.st_ino,
					.size = (uint64_t)st.st_size,
					.changed_s = st.st_ctim.tv_sec,
					.changed_ns = st.st_ctim.tv_nsec };
	return true;
}

static bool same(const struct lines_identity *a, const struct lines_identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->changed_s == b->changed_s && a->changed_ns == b->changed_ns;
}

void lines_shelf_release(struct lines_shelf *s)
{
	buffer_release(&s->image);
	if (s->mapped)
		munmap(s->mapped, s->mapped_bytes);
	*s = (struct lines_shelf){ 0 };
}

static bool same_build_id(const struct lines_header *h, int fd)
{
	struct elf_file elf = { 0 };
	bool same = elf_file_open(&elf, fd) == 0 && elf.build_id_bytes == h->build_id_bytes &&
		    memcmp(elf.build_id, h->build_id, h->build_id_bytes) == 0;

	elf_file_release(&elf);
	return same;
}

/* Puts the index that came onto the empty shelf, if it is good. */
static bool index_take(struct lines_shelf *s, const struct lines_files *files)
{
	struct stat st;
	void *p;

	if (syscall(SYS_fstat, files->index, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    (uint64_t)st.st_size > LINES_MAX_KEPT_BYTES)
		return false;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, files->index, 0);
	if (p == MAP_FAILED)
		return false;
	s->mapped = p;
	s->mapped_bytes = (size_t)st.st_size;
	if (lines_open(&s->lines, p, s->mapped_bytes) == 0 &&
	    same_build_id(s->lines.header, files->file))
		return true;
	lines_shelf_release(s);
	return false;
}

/* All of it, or it is worth nothing. */
static bool index_write(const struct lines_shelf *s, int room)
{
	return room >= 0 && s->image.len <= LINES_MAX_KEPT_BYTES &&
	       fd_write_all(room, s->image.data, s->image.len) == 0;
}

static int index_make(struct lines_shelf *s, const struct lines_files *files)
{
	int r;

	buffer_init(&s->image, LINES_MAX_IMAGE_BYTES);
	r = dwarf_walk(files->file, files->alternate, MAX_SECTION_BYTES, &s->image);
	if (r == 0)
		r = lines_open(&s->lines, s->image.data, s->image.len);
	if (r < 0)
		lines_shelf_release(s);
	return r;
}

int lines_shelf_get(struct lines_shelf *s, const struct lines_files *files,
		    const struct lines **ret, uint32_t *ret_flags)
{
	struct lines_identity file, other;
	uint32_t flags = 0;

	if (!identify(files->file, &file) || !identify(files->alternate, &other))
		return -ENOEXEC;
	if (!s->lines.header || !same(&file, &s->file) || !same(&other, &s->alternate)) {
		lines_shelf_release(s);
		if (files->index >= 0)
			flags = index_take(s, files) ? LINES_INDEX_USED : LINES_INDEX_BAD;
		if (!s->lines.header) {
			int r = index_make(s, files);

			if (r < 0)
				return r;
			flags |= LINES_INDEX_MADE;
			if (index_write(s, files->room))
				flags |= LINES_INDEX_WRITTEN;
		}
		s->file = file;
		s->alternate = other;
	}
	*ret = &s->lines;
	*ret_flags = flags;
	return 0;
}
