/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of a file's inlined functions and lines: one flat image of bytes, which means the same wherever it
 * is mapped or read.
 *
 *	struct lines_header
 *	struct lines_stretch × stretch_count	by start
 *	struct lines_scope × scope_count
 *	u32 × (page_count + 1)	the number of the first stretch that starts in this page or behind it
 *	string_bytes of strings, each NUL-terminated; 0 is ""
 *
 * A stretch reaches up to the next one's start; the last one says that nothing is known. A page is 2^page_shift bytes of
 * code from base on: 64 where code is dense, so that what is searched is one or two cache lines long. Numbers are of this
 * machine's order. An image is checked as a whole by its checksum once, which finds accidents; what somebody
 * wrote on purpose is bounded by each look-up.
 */
#ifndef SYMBOLIZER_LINES_H
#define SYMBOLIZER_LINES_H

#include <stddef.h>
#include <stdint.h>

#define LINES_MAGIC 0x1a44584942534c53ull /* "SLSBIXD\x1a" in memory */
#define LINES_VERSION 3u
#define LINES_NONE UINT32_MAX
#define LINES_MAX_DEPTH 128u /* of a chain; what is further out is cut */
#define LINES_MAX_BUILD_ID_BYTES 64

struct lines_header {
	uint64_t magic;
	uint32_t version;
	uint32_t header_bytes;
	uint64_t size; /* of all */
	uint64_t checksum; /* XXH3 of all behind it */
	uint64_t base; /* ELF address */
	uint32_t stretch_count, scope_count, page_count, string_bytes;
	uint32_t page_shift;
	uint32_t units, units_damaged; /* all, and those that could not be read to their end */
	uint32_t flags; /* of LINES_OF_FILE, symbolizer/protocol.h */
	uint32_t build_id_bytes;
	unsigned char build_id[LINES_MAX_BUILD_ID_BYTES];
	uint32_t zero; /* a stretch never lies across two cache lines */
};

/* Code that is in one function at one line. */
struct lines_stretch {
	uint32_t start; /* relative to base */
	uint32_t scope; /* the innermost function; or LINES_NONE */
	uint32_t file; /* string; LINES_NONE: no line is known */
	uint32_t line; /* 0: none */
};

/* A function, or a place where one was inlined. */
struct lines_scope {
	uint32_t name; /* string, as in the file: mangled */
	uint32_t parent; /* the scope that it was inlined into, a lower number; or LINES_NONE */
	uint32_t call_file; /* string: where it was inlined */
	uint32_t call_line;
};

/* An image that was opened; borrows its bytes. */
struct lines {
	const struct lines_header *header;
	const struct lines_stretch *stretches;
	const struct lines_scope *scopes;
	const uint32_t *pages;
	const char *strings;
};

struct lines_frame {
	uint32_t name; /* string, "": not known */
	uint32_t file; /* string, "": not known */
	uint32_t line; /* 0: not known */
};

/* Of the whole image by the counts in its header, and what its checksum has to be. */
uint64_t lines_size(const struct lines_header *h);
uint64_t lines_checksum(const void *bytes, size_t len);

/*
 * 0; -EINVAL: it is none, of another version, or damaged. `bytes` is 16-byte aligned. Its build id is the caller's to
 * compare.
 */
int lines_open(struct lines *ret, const void *bytes, size_t len);

/*
 * The frames at an ELF address, the innermost first, at most `max` (<= LINES_MAX_DEPTH makes sense). 0: nothing is
 * known of it.
 */
uint32_t lines_find(const struct lines *x, uint64_t vaddr, struct lines_frame *ret, uint32_t max);

/* Never NULL: "" for what is no string. */
static inline const char *lines_string(const struct lines *x, uint32_t at)
{
	return at < x->header->string_bytes ? x->strings + at : "";
}

#endif
