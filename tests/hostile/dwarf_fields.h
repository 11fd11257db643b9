/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an honest file's DWARF has its numbers, and of what kind each is: so that damage can be done to a reference
 * or a form, and not only to some byte.
 */
#ifndef TESTS_HOSTILE_DWARF_FIELDS_H
#define TESTS_HOSTILE_DWARF_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/array.h"

enum dwarf_field_kind {
	DWARF_FIELD_ENTRY, /* where one begins: its abbreviation's code */
	DWARF_FIELD_REFERENCE, /* to an entry of the same unit */
	DWARF_FIELD_ADDRESS,
	DWARF_FIELD_OFFSET, /* into another section */
	DWARF_FIELD_NUMBER, /* all else, and those of headers */
	DWARF_FIELD_TAG, /* of abbreviations */
	DWARF_FIELD_CHILDREN,
	DWARF_FIELD_ATTRIBUTE,
	DWARF_FIELD_FORM,
	DWARF_FIELD_LINE, /* bytes of a line program: header and opcodes */
	DWARF_FIELD_KINDS
};

struct dwarf_field {
	uint64_t offset; /* in the file */
	uint64_t target; /* of an entry: in its unit, as references have it */
	uint8_t bytes; /* 1 to 8; of a number without a fixed size as many as it has */
	uint8_t kind;
};

struct dwarf_fields {
	ARRAY(struct dwarf_field) of[DWARF_FIELD_KINDS];
};

/* Of the file `fd`, whose bytes are `bytes`; none if it has no DWARF, or a compressed one. */
void dwarf_fields_find(struct dwarf_fields *f, int fd, const unsigned char *bytes, size_t len);
void dwarf_fields_release(struct dwarf_fields *f);

/* What is to be written over a file. */
struct dwarf_wound {
	uint64_t offset, value;
	uint8_t bytes;
};

#define DWARF_MAX_WOUNDS 4u

/*
 * One piece of damage that makes sense to a reader: references in circles, one form for another, numbers at their
 * ends, trees that don't end. How many wounds it is (0: there are no such fields); *ret_what says what it is. `random` answers
 * with a number below its second argument.
 */
uint32_t dwarf_fields_damage(const struct dwarf_fields *f,
			     uint64_t (*random)(void *ctx, uint64_t limit), void *ctx,
			     struct dwarf_wound ret[DWARF_MAX_WOUNDS], const char **ret_what);

#endif
