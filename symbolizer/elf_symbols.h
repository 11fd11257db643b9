/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of file offsets, from an ELF file's symbol tables, taken as one: .symtab and .dynsym; the .symtab of
 * its debug file; and, where there is none of these .symtab, that of its .gnu_debugdata. What is code, and where
 * it ends, the file itself says for all of them.
 *
 * In a file that Go compiled, its own table (go_pclntab.h) comes before all but the symbols with a size of a .symtab: it
 * is there in stripped ones.
 *
 * What has no name by any of these, and is a stub of the linker's (elf_plt.h), is "function@plt".
 *
 * Symbols that count are named, defined, of type FUNC, GNU_IFUNC or NOTYPE, and lie in a section of
 * code. Of those that contain an address, the answer is
 *
 * 1. one with a size before one without;
 * 2. the one that starts last (the innermost, where they nest);
 * 3. FUNC and GNU_IFUNC before NOTYPE; then GLOBAL and WEAK before LOCAL: in glibc and others the weak one of two is the
 *    function's name (duplocale), the global one the library's own (__duplocale);
 * 4. the better name, by symbolizer/alias.h.
 *
 * A symbol with a size ends there, or with its section. One without ends at the next symbol of any
 * kind, at the next function that has unwind information, or with its section; and, in a file that has no other symbols than
 * .dynsym's, where its code does (symbolizer/code_extent.h), as what comes next there may be anything. It counts only
 * behind the end of every sized one before it: a label within a function is no function. Compilers'
 * and assemblers' own labels (".L…", "$x") never count.
 */
#ifndef SYMBOLIZER_ELF_SYMBOLS_H
#define SYMBOLIZER_ELF_SYMBOLS_H

#include <stdint.h>

#include "symbolizer/reply.h"

/*
 * Fills a reply made for `count` ascending offsets. `debug_fd` is the file's debug file, or -1: if both have a
 * build id, and not the same, it is passed over. 0 or -ENOMEM; what is wrong with a file is in the status.
 */
int elf_symbols_answer(int fd, int debug_fd, const uint64_t *offsets, uint32_t count,
		       struct reply *reply);

#endif
