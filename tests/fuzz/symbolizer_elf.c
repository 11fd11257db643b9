// SPDX-License-Identifier: Apache-2.0
/*
 * The input is an ELF file, asked about offsets spread over it. Whatever it is, the reply passes
 * the agent's check.
 *
 * The corpus, made in tests/fuzz/corpus/symbolizer_elf with binutils 2.40 from sources of a few
 * lines:
 *
 *	printf '.globl _start, sized, alias\n.type sized,@function\n.size sized, 2\n' > a.s
 *	printf '.weak alias\n_start: nop\nsized: alias: nop\nnop\nlabel: nop\n' >> a.s
 *	printf '.Llocal: nop\n.set inner, sized + 1\n' >> a.s
 *	as -o a.o a.s
 *	ld -z noseparate-code --build-id=sha1 -o static a.o
 *	ld -z noseparate-code --build-id=sha1 -shared --hash-style=gnu -s -o shared-gnu-hash a.o
 *	ld -z noseparate-code -shared --hash-style=sysv -s -o shared-sysv-hash a.o
 *	as --32 -o b.o a.s; ld -m elf_i386 -z noseparate-code -o static-32 b.o
 *	for f in shared-gnu-hash shared-sysv-hash; do cp $f $f-headless
 *		printf '\0\0\0\0\0\0\0\0' | dd of=$f-headless bs=1 seek=40 conv=notrunc
 *		printf '\0\0' | dd of=$f-headless bs=1 seek=60 conv=notrunc; done
 *	head -c 700 static > truncated; cp a.o relocatable; printf '\177ELF' > magic; rm a.s b.o a.o
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"

#define OFFSETS 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct {
		struct symbol_request head;
		uint64_t offsets[OFFSETS];
	} request = { .head = { SYMBOLS_ELF, OFFSETS } };
	struct symbols s;

	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		abort();
	for (uint32_t i = 0; i < OFFSETS; i++)
		request.offsets[i] = i * (size / OFFSETS + 1);
	request.offsets[OFFSETS - 1] = UINT64_MAX;
	if (request_answer(&request, sizeof(request), &fd, 1, &reply) < 0 ||
	    symbols_check(reply.data, reply.len, OFFSETS, &s, NULL) < 0)
		abort();
	buffer_release(&reply);
	close(fd);
	return 0;
}
