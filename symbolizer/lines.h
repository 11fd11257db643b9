/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of a file's inlined functions and lines: one flat image of bytes, which means the same wherever it
 * is mapped or read, and in which an address is found in two binary searches.
 *
 *	struct lines_header
 *	u32 × range_count	starts of ranges, ascending, relative to base
 *	u32 × range_count	the innermost function there: a scope, or LINES_NONE
 *	struct lines_scope × scope_count
 *	u32 × row_count		starts of rows, ascending, relative to base
 *	u32 × row_count		their file: a string; LINES_NONE: no line is known from here on
 *	u32 × row_count		their line; 0: none
 *	string_bytes of strings, each NUL-terminated; 0 is ""
 *
 * A range or row is in force up to the next one's start; the last ones are LINES_NONE. Numbers are of this machine's
 * order. An image is checked as a whole by its checksum once, which finds accidents; what somebody wrote on
 * purpose is bounded by each look-up.
 */
#ifndef SYMBOLIZER_LINES_H
#define SYMBOLIZER_LINES_H

#include <stddef.h>
#include <stdint.h>

#define LINES_MAGIC 0x1a44584942534c53ull /* "SLSBIXD\x1a" in memory */
#define LINES_VERSION 1u
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
	uint32_t range_count, scope_count, row_count, string_bytes;
	uint32_t units, units_damaged; /* all, and those that could not be read to their end */
	uint32_t flags; /* of LINES_OF_FILE, symbolizer/protocol.h */
	uint32_t build_id_bytes;
	unsigned char build_id[LINES_MAX_BUILD_ID_BYTES];
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
	const uint32_t *range_starts, *range_scopes;
	const struct lines_scope *scopes;
	const uint32_t *row_starts, *row_files, *row_lines;
	const char *strings;
};

struct lines_frame {
	uint32_t name; /* string, "": not known */
	uint32_t file; /* string, "": not known */
	uint32_t line; /* 0: not known */
};

/*
 * 0; -EINVAL: it is none, of another version, or damaged. `bytes` is 8-byte aligned. Its build id is the caller's to
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
