// SPDX-License-Identifier: Apache-2.0
/*
 * One place on the shelf: a second would hold as much memory again, and the file's own index on disk is cheaper.
 * A file that somebody writes to while it is read gets an index of something; its next state gets its own.
 */
#include "symbolizer/lines_shelf.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "symbolizer/dwarf_walk.h"
#include "symbolizer/lines_builder.h"

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
	*s = (struct lines_shelf){ 0 };
}

int lines_shelf_get(struct lines_shelf *s, int fd, int alternate, const struct lines **ret)
{
	struct lines_identity file, other;
	int r;

	if (!identify(fd, &file) || !identify(alternate, &other))
		return -ENOEXEC;
	if (s->image.len && same(&file, &s->file) && same(&other, &s->alternate)) {
		*ret = &s->lines;
		return 0;
	}
	lines_shelf_release(s);
	buffer_init(&s->image, LINES_MAX_IMAGE_BYTES);
	r = dwarf_walk(fd, alternate, MAX_SECTION_BYTES, &s->image);
	if (r == 0)
		r = lines_open(&s->lines, s->image.data, s->image.len);
	if (r < 0) {
		lines_shelf_release(s);
		return r;
	}
	s->file = file;
	s->alternate = other;
	*ret = &s->lines;
	return 0;
}
