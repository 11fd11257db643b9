// SPDX-License-Identifier: Apache-2.0
/*
 * The input is a symbol's name. The corpus: one name for each mangling, and names that libiberty
 * (or ours) answers badly: expansion without end, nesting, truncation.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/demangle.h"
#include "symbolizer/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[SYMBOLS_MAX_NAME + 1], out[SYMBOLS_MAX_NAME + 1];

	if (size > SYMBOLS_MAX_NAME)
		size = SYMBOLS_MAX_NAME;
	memcpy(name, data, size);
	name[size] = '\0';
	if (demangle(name, out, sizeof(out)) && strlen(out) >= sizeof(out))
		abort();
	return 0;
}
