/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of kernel addresses, from the text of /proc/kallsyms (and /proc/modules, where there is
 * one):
 *
 *	ffffffff81000000 T _stext
 *	ffffffffc0201000 t ext4_init_fs	[ext4]
 *
 * Symbols of code are of type T, t, W or w. Of several at an address global ones come before weak
 * before local, then symbolizer/alias.h decides. A symbol ends at the next one of any type, or where
 * another module begins; the last one of a module at the module's end, or 64 KiB on if nobody says
 * where that is; one of [bpf] 64 KiB on in any case, a trampoline or dispatcher there 4 KiB on.
 *
 * Addresses in the answer are relative to _stext, or to the module's base or lowest symbol.
 * "bpf_prog_HASH_name" of [bpf] is shown as "bpf_prog_name". With an all-zero table (kptr_restrict)
 * the status is SYMBOLS_NO_ADDRESSES.
 */
#ifndef SYMBOLIZER_KALLSYMS_H
#define SYMBOLIZER_KALLSYMS_H

#include <stdint.h>

#include "symbolizer/reply.h"

/*
 * Fills a reply made for `count` ascending addresses, as far as there is room: else the status says
 * SYMBOLS_LIMIT. Reads both from where they stand, which is to be the beginning; `modules_fd` may be
 * -1. 0 or -ENOMEM.
 */
int kallsyms_answer(int symbols_fd, int modules_fd, const uint64_t *addresses, uint32_t count,
		    struct reply *reply);

#endif
