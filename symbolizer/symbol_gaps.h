/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which symbol each of some addresses lies in: a file's symbol tables, and another file's of the
 * same code, taken as one by the rules of symbolizer/elf_symbols.h.
 */
#ifndef SYMBOLIZER_SYMBOL_GAPS_H
#define SYMBOLIZER_SYMBOL_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"

struct symbol_gaps;

struct symbol_candidate {
	uint64_t start;
	uint64_t end; /* 0: without a size */
	uint32_t name; /* in its table's strings */
	uint16_t table;
	uint16_t rank; /* by type and binding; 0: there is none */
};

/*
 * Reads all tables. `other` is a file with more symbols of the same code, or NULL. The files and
 * the `count` ascending addresses are borrowed until symbol_gaps_free(). 0 or -ENOMEM; what is
 * wrong with a file is noted in it.
 */
int symbol_gaps_new(struct symbol_gaps **ret, struct elf_file *file, struct elf_file *other,
		    const uint64_t *vaddrs, uint32_t count);
void symbol_gaps_free(struct symbol_gaps *g);

/* The symbol of address number i; its rank is 0 if there is none. Cheapest in ascending order. */
struct symbol_candidate symbol_gaps_find(struct symbol_gaps *g, uint32_t i);

/* Has it a symbol with a size in a .symtab? That is the linker's last word. */
bool symbol_gaps_is_sure(const struct symbol_gaps *g, uint32_t i);

/* A symbol's name, valid until the next one's; its length, 0 if it can't be read. */
size_t symbol_gaps_name(struct symbol_gaps *g, const struct symbol_candidate *c, const char **ret);

/* Symbols that counted. */
uint64_t symbol_gaps_count(const struct symbol_gaps *g);

#endif
