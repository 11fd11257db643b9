/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF files as libunwind reads them in the unwinder: bytes by ELF address, and the table of functions that
 * their .eh_frame_hdr is, or one made from .eh_frame where there is none. One thread.
 */
#ifndef DUMP_ELF_IMAGE_H
#define DUMP_ELF_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "symbolizer/elf_file.h"

/* Kept open at once; those asked for longest ago are closed, and have to be brought again. */
#define ELF_IMAGES_MAX 64u

/* As in .eh_frame_hdr: sorted, both relative to the table's base. */
struct elf_image_entry {
	int32_t start, fde;
};

/* Bytes of the file, read before: libunwind reads a word for each byte that it wants. */
#define ELF_IMAGE_PAGES 16u
#define ELF_IMAGE_PAGE_BYTES 4096u

struct elf_image_page {
	uint64_t offset; /* in the file; len 0: nothing */
	uint32_t len;
	unsigned char bytes[ELF_IMAGE_PAGE_BYTES];
};

struct elf_image {
	uint32_t file;
	int fd; /* owned; -1: it could not be opened */
	struct elf_file elf;
	uint64_t used; /* a count of uses, for who goes first */
	uint64_t base; /* ELF address that entries are relative to */
	uint64_t table; /* of the file's own table: ELF address; 0: it is `made` */
	uint64_t entries;
	ARRAY(struct elf_image_entry) made;
	struct elf_image_page pages[ELF_IMAGE_PAGES]; /* by their number in the file */
};

struct elf_images {
	struct elf_image *all[ELF_IMAGES_MAX];
	uint32_t count;
	uint64_t uses;
};

void elf_images_release(struct elf_images *x);

/* NULL: it has to be brought. */
struct elf_image *elf_images_find(struct elf_images *x, uint32_t file);

/* Takes `fd`, which may be -1: an image without bytes and entries. 0 or -ENOMEM. */
int elf_images_add(struct elf_images *x, uint32_t file, int fd, struct elf_image **ret);

/* The ELF address of a file offset in an executable mapping; false if it is in no segment. */
bool elf_image_vaddr(const struct elf_image *i, uint64_t offset, uint64_t *ret);

/* The 8 bytes at `vaddr`, zeros where the segment ends. False if it is in no segment, or can't be read. */
bool elf_image_read(struct elf_image *i, uint64_t vaddr, uint64_t *ret);

#endif
