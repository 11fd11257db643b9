// SPDX-License-Identifier: Apache-2.0
/*
 * The input is an ELF file, asked about offsets spread over it, alone and as its own debug file, and then for its
 * debug files. Whatever it is, the replies pass the agent's checks.
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
 *	head -c 700 static > truncated; cp a.o relocatable; printf '\177ELF' > magic
 *	strip -o s static; objcopy --only-keep-debug static a.debug
 *	objcopy --add-gnu-debuglink=a.debug s debuglink; mv a.debug debug-file
 *	xz -k -e debug-file; objcopy --add-section .gnu_debugdata=debug-file.xz s minidebug
 *	printf '../../.dwz/a\0\1\2\3\4\5\6\7\10' > alt
 *	printf '.globl f\nf: call a@plt\ncall b@plt\njmp *c@GOTPCREL(%%rip)\ncall c@plt\nret\n' > c.s; as -o c.o c.s
 *	ld -z noseparate-code --hash-style=gnu -shared -s -o plt c.o
 *	ld -z noseparate-code --hash-style=gnu -z ibtplt -shared -s -o plt-cet c.o
 *	truncate -s 5600 plt-cet; rm c.s c.o # so that one of the offsets is in .plt.sec
 *	objcopy --add-section .gnu_debugaltlink=alt debuglink alternate; rm a.s b.o a.o s alt debug-file.xz
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

struct request {
	struct symbol_request head;
	uint64_t offsets[OFFSETS];
};

static void ask_names(const struct request *request, const int *fds, uint32_t fd_count)
{
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	struct symbols s;

	if (request_answer(request, sizeof(*request), fds, fd_count, &reply) < 0 ||
	    symbols_check(reply.data, reply.len, OFFSETS, &s, NULL) < 0)
		abort();
	buffer_release(&reply);
}

static void ask_debug(uint32_t question, const int *fds, uint32_t fd_count)
{
	const struct debug_request request = { .question = question };
	struct buffer reply = BUFFER_INIT(1 << 16);
	struct debug_reply r;

	if (request_answer_debug(&request, sizeof(request), fds, fd_count, &reply) < 0 ||
	    debug_check(reply.data, reply.len, &r, NULL) < 0)
		abort();
	buffer_release(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct request request = { .head = { SYMBOLS_ELF, OFFSETS } };
	const int fds[] = { fd, fd };

	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		abort();
	for (uint32_t i = 0; i < OFFSETS; i++)
		request.offsets[i] = i * (size / OFFSETS + 1);
	request.offsets[OFFSETS - 1] = UINT64_MAX;
	ask_names(&request, fds, 1);
	ask_names(&request, fds, 2);
	ask_debug(DEBUG_OF_FILE, fds, 1);
	ask_debug(DEBUG_OF_SEPARATE, fds, 2);
	ask_debug(DEBUG_OF_ALTERNATE, fds, 2);
	close(fd);
	return 0;
}
