/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The units of a file's .debug_info (and of dwz's alternate file, which the first refers to), found by their
 * headers one behind the other, never by .debug_aranges: clang writes none.
 */
#ifndef SYMBOLIZER_DWARF_UNIT_H
#define SYMBOLIZER_DWARF_UNIT_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "symbolizer/dwarf_abbrev.h"
#include "symbolizer/dwarf_file.h"
#include "symbolizer/unwind_bytes.h"

#define DWARF_MAX_UNITS (1u << 18) /* chromium has 30,000 */
#define DWARF_ABBREV_CACHE 256u /* tables kept: a power of two */
#define DWARF_NO_OFFSET UINT64_MAX

struct dwarf_unit {
	uint64_t offset, end; /* in .debug_info */
	uint64_t abbrev_offset;
	uint64_t low_pc;
	/* Offsets into the sections of these names; the last two may be DWARF_NO_OFFSET. */
	uint64_t str_offsets_base, addr_base, rnglists_base;
	uint64_t stmt_list;
	const char *name, *directory; /* or NULL */
	uint32_t header_bytes; /* up to its first entry */
	struct dwarf_format format;
	uint16_t tag; /* of its first entry, once it is prepared */
	uint8_t type; /* DW_UT_… */
	bool alternate; /* in the alternate file */
	bool prepared; /* what its first entry says is in here */
	bool split; /* its entries are in another file (.dwo), which nobody reads */
	bool damaged; /* found while it was walked */
};

/* All that is read of one file, or two. */
struct dwarf {
	struct dwarf_file file, alternate;
	ARRAY(struct dwarf_unit) units, alternate_units; /* by offset */
	struct dwarf_abbrevs abbrevs[DWARF_ABBREV_CACHE];
	uint64_t work; /* left: each step takes one, so that no file takes for ever */
	uint32_t units_found; /* by their headers, damaged ones included */
	uint32_t units_damaged; /* left out, at least in part */
	bool out_of_memory;
};

/* An attribute's value, as it stands in the file. */
struct dwarf_value {
	uint16_t form;
	uint64_t number; /* or the length of a block */
	const uint8_t *bytes; /* of a block or an inline string */
};

/* A decoded entry: what names and places code. */
struct dwarf_entry {
	uint16_t tag;
	bool children;
	bool has_low, has_high, high_is_length;
	uint64_t low, high;
	struct dwarf_value ranges, origin, specification; /* form 0: there is none */
	const char *name, *linkage_name; /* or NULL */
	uint32_t call_file, call_line;
};

/*
 * Opens `fd`, and `alternate` unless that is -1, and finds all units. `d` is zeroed. Errors as
 * dwarf_file_open()'s; an alternate file that is no good counts as none. In every case dwarf_release() may be
 * called.
 */
int dwarf_open(struct dwarf *d, int fd, int alternate, size_t max_bytes);
void dwarf_release(struct dwarf *d);

static inline const struct dwarf_file *dwarf_file_of(const struct dwarf *d,
						     const struct dwarf_unit *u)
{
	return u->alternate ? &d->alternate : &d->file;
}

/* The bytes of a section from `offset` on; bad if that is beyond its end. */
struct bytes dwarf_section_bytes(const struct dwarf_file *f, enum dwarf_section_kind kind,
				 uint64_t offset);

/* Reads the unit's first entry, unless that was done. Entries of its may then be read. False: it is damaged. */
bool dwarf_unit_prepare(struct dwarf *d, struct dwarf_unit *u);

/* The unit's abbreviations, or NULL; valid until the next call for another unit. */
const struct dwarf_abbrevs *dwarf_unit_abbrevs(struct dwarf *d, const struct dwarf_unit *u);

/*
 * Reads the attributes of an entry whose abbreviation is `a` of `t`; `b` is then behind them. False if they are damaged. The
 * addresses of a unit that is not prepared yet may be missing.
 */
bool dwarf_entry_read(struct dwarf *d, const struct dwarf_unit *u, const struct dwarf_abbrevs *t,
		      const struct dwarf_abbrev *a, struct bytes *b, struct dwarf_entry *ret);

/* Where a reference leads: a prepared unit, and an offset within its .debug_info. */
bool dwarf_reference(struct dwarf *d, const struct dwarf_unit *u, const struct dwarf_value *v,
		     struct dwarf_unit **ret_unit, uint64_t *ret_offset);

/* The entry at this offset of the unit. */
bool dwarf_entry_at(struct dwarf *d, const struct dwarf_unit *u, uint64_t offset,
		    struct dwarf_entry *ret);

/* The address with this number in .debug_addr. */
bool dwarf_address(const struct dwarf *d, const struct dwarf_unit *u, uint64_t number,
		   uint64_t *ret);

/* Takes `n` steps; false when no more are left. */
static inline bool dwarf_step(struct dwarf *d, uint64_t n)
{
	if (d->work < n) {
		d->work = 0;
		return false;
	}
	d->work -= n;
	return true;
}

/*
 * The same for what was just read: a number or a string may have any length, and many references may lead to one. Some bytes of
 * honest entries go with the steps that their attributes take.
 */
static inline bool dwarf_step_over(struct dwarf *d, const uint8_t *from, const struct bytes *b)
{
	return dwarf_step(d, (uint64_t)(b->at - from) / 4);
}

/* And for a string that is put among the others: it is copied, hashed and compared, each time that it is met. */
static inline bool dwarf_step_string(struct dwarf *d, size_t len)
{
	return dwarf_step(d, len / 32);
}

#endif
