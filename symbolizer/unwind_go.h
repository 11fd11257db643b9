/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind rows of functions that Go compiled, by what its own table (go_pclntab.h) says of their frames.
 *
 * The table has the frame's size at each instruction, and so the CFA; it is what Go's garbage collector goes
 * by. It doesn't say where the caller's frame pointer is: by the prologue's own instructions, which Go's
 * assembler writes in one of two ways.
 *
 * What changes stacks is told by what the function does, and these are few. A goroutine's stack ends at
 * runtime.goexit, a thread's at runtime.mstart, and where a thread went for the scheduler and won't come
 * back, at runtime.mcall and runtime.morestack.
 */
#ifndef SYMBOLIZER_UNWIND_GO_H
#define SYMBOLIZER_UNWIND_GO_H

#include "symbolizer/go_pclntab.h"
#include "symbolizer/unwind_table.h"

struct unwind_go;

/* As go_pclntab_open(). */
int unwind_go_open(struct elf_file *f, const struct elf_place *section, struct unwind_go **ret);
void unwind_go_free(struct unwind_go *g);

/*
 * The function with the lowest address of those that reach beyond `vaddr`: where it begins and ends,
 * padding included. False: there is none below `limit`. Addresses ascend from call to call.
 */
bool unwind_go_next(struct unwind_go *g, uint64_t vaddr, uint64_t limit, struct elf_range *ret);

/*
 * Its rows for [floor, limit), which is within it. Returns as unwind_table_add().
 */
int unwind_go_rows(struct unwind_go *g, uint64_t floor, uint64_t limit, struct unwind_table *t);

#endif
