/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes' values by their forms (DWARF 5, 7.5.6, and GNU's extensions).
 */
#ifndef SYMBOLIZER_DWARF_VALUE_H
#define SYMBOLIZER_DWARF_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/dwarf_abbrev.h"
#include "symbolizer/dwarf_unit.h"

#define DWARF_FORM_VARIES UINT32_MAX

/* How many bytes a value has; DWARF_FORM_VARIES: that is not always the same, or the form unknown. */
uint32_t dwarf_form_bytes(uint64_t form, const struct dwarf_format *format);

/* Reads a value, and leaves `b` behind it; false if that can't be. */
bool dwarf_value_read(struct bytes *b, const struct dwarf_spec *spec,
		      const struct dwarf_format *format, struct dwarf_value *ret);

/* Passes over all attributes of an entry. */
bool dwarf_values_skip(struct bytes *b, const struct dwarf_abbrevs *t,
		       const struct dwarf_abbrev *a);

/* NULL if it is none. NUL-terminated, and as long as the section at most. */
const char *dwarf_value_string(const struct dwarf *d, const struct dwarf_unit *u,
			       const struct dwarf_value *v);

bool dwarf_value_address(const struct dwarf *d, const struct dwarf_unit *u,
			 const struct dwarf_value *v, uint64_t *ret);

#endif
