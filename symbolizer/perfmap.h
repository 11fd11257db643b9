/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A perf map: the text /tmp/perf-PID.map, in which a process lists the code that it made (perf's
 * tools/perf/Documentation/jit-interface.txt):
 *
 *	START SIZE name of the function, with spaces
 *
 * both hexadecimal, with or without 0x (V8 writes none, the JDK does). Lines come in any order of
 * addresses, and are appended as code is made: one that is further down is younger. The last one counts
 * once its newline is there.
 */
#ifndef SYMBOLIZER_PERFMAP_H
#define SYMBOLIZER_PERFMAP_H

#include <stddef.h>

#include "symbolizer/claim.h"
#include "symbolizer/peek.h"
#include "symbolizer/protocol.h"

/*
 * Enters all lines as claims; their moment is how long the map was once they were there. SYMBOLS_OK;
 * SYMBOLS_DAMAGED if lines were none, and passed over; SYMBOLS_LIMIT if it was too much, and the rest
 * was left.
 */
enum symbol_status perfmap_claim(struct peek *map, struct claims *claims);

/* The name in the line of `claim`: *ret is borrowed until the next look at `map`. 0, or -ESTALE if it is gone. */
int perfmap_name(struct peek *map, const struct claim *claim, const char **ret, size_t *ret_len);

#endif
