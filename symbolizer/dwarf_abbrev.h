/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Abbreviations (DWARF 5, 7.5.3): what attributes an entry has and how each is written. Each is digested once:
 * whether an entry of it can have code, and how long it is if that is always the same, so that most entries
 * are passed over without a look at their attributes.
 */
#ifndef SYMBOLIZER_DWARF_ABBREV_H
#define SYMBOLIZER_DWARF_ABBREV_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "symbolizer/unwind_bytes.h"

#define DWARF_ABBREV_VARIES UINT16_MAX

/* How a unit writes what may be written in several ways. */
struct dwarf_format {
	uint8_t version, address_bytes, offset_bytes; /* 2 to 5; 4 or 8; 4 or 8 */
};

struct dwarf_spec {
	uint16_t attribute, form;
	int32_t constant; /* of DW_FORM_implicit_const */
};

struct dwarf_abbrev {
	uint64_t code;
	uint32_t first_spec;
	uint16_t tag, spec_count;
	uint16_t bytes; /* of all attributes, or DWARF_ABBREV_VARIES */
	bool children;
	bool code_bearing; /* a function, or one inlined, with addresses */
	bool leapt; /* what is below has no code, and DW_AT_sibling leads past it */
};

struct dwarf_abbrevs {
	bool used;
	uint64_t offset; /* in .debug_abbrev */
	struct dwarf_format format;
	bool dense; /* codes are 1, 2, 3, … */
	ARRAY(struct dwarf_abbrev) items; /* by code */
	ARRAY(struct dwarf_spec) specs;
};

/*
 * Parses the table that begins at `b`. Counts what it read down from *work. 0; -EINVAL: damaged; -ENOMEM; -E2BIG:
 * too large, or no work is left.
 */
int dwarf_abbrevs_parse(struct dwarf_abbrevs *t, struct bytes b, uint64_t *work);
void dwarf_abbrevs_release(struct dwarf_abbrevs *t);

/* Its attributes; NULL if it has none. */
static inline const struct dwarf_spec *dwarf_abbrev_specs(const struct dwarf_abbrevs *t,
							  const struct dwarf_abbrev *a)
{
	return a->spec_count ? t->specs.items + a->first_spec : NULL;
}

/* NULL if there is none of this code. */
const struct dwarf_abbrev *dwarf_abbrevs_search(const struct dwarf_abbrevs *t, uint64_t code);

static inline const struct dwarf_abbrev *dwarf_abbrevs_find(const struct dwarf_abbrevs *t,
							    uint64_t code)
{
	if (t->dense)
		return code - 1 < t->items.count ? &t->items.items[code - 1] : NULL;
	return dwarf_abbrevs_search(t, code);
}

#endif
