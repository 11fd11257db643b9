/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A jitdump: the file jit-PID.dump, in which a process lists the code that it made, with times (perf's
 * tools/perf/Documentation/jitdump-specification.txt). All integers are the machine's:
 *
 *	header:  u32 magic "JiTD", version 1, size of the header, e_machine, 0, pid; u64 time, flags
 *	record:  u32 kind, size of the record; u64 time; then by kind
 *	  0 load:   u32 pid, tid; u64 vma, address, size, number; name, NUL; the code
 *	  1 move:   u32 pid, tid; u64 vma, old address, new address, size, number
 *	  2 lines, 3 close, 4 unwinding: passed over; so is what is not known
 *
 * Times are CLOCK_MONOTONIC, unless flag 1 says that they are the processor's: those can't be compared
 * with ours, and the last record that names an address wins.
 */
#ifndef SYMBOLIZER_JITDUMP_H
#define SYMBOLIZER_JITDUMP_H

#include <stdbool.h>
#include <stddef.h>

#include "symbolizer/claim.h"
#include "symbolizer/peek.h"
#include "symbolizer/protocol.h"

/* Does it begin as one? */
bool jitdump_is(struct peek *file);

/*
 * Enters all loads and moves as claims; their moment is their time. Statuses as of perfmap_claim(); a
 * file without a usable header is SYMBOLS_DAMAGED and has none.
 */
enum symbol_status jitdump_claim(struct peek *dump, struct claims *claims);

/* The name in the load of `claim`: *ret is borrowed until the next look at `dump`. 0, or -ESTALE if it is gone. */
int jitdump_name(struct peek *dump, const struct claim *claim, const char **ret, size_t *ret_len);

#endif
