/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said to the symbolizer and what it answers: the public header of symbolizer/.
 *
 * The symbolizer is a process of its own: it parses bytes written by people we don't trust. It is
 * told no path, no pid and no time: a request brings file descriptors and addresses, the reply
 * names. It keeps nothing between requests that it needs (it may keep caches), so that it can be
 * killed and started again at any moment. One request is in flight at a time.
 *
 * A message is a frame of role/socket.h. Request:
 *
 *	struct symbol_request, then count × u64 addresses in ascending order
 *	fds: SYMBOLS_ELF: the file (offsets in it are the addresses)
 *	     SYMBOLS_KERNEL: /proc/kallsyms, and /proc/modules if there is one
 *
 * Reply:
 *
 *	struct symbol_reply
 *	struct symbol_answer × answer_count     one for each address asked, in that order
 *	struct symbol_function × function_count
 *	struct symbol_module × module_count
 *	string_bytes of strings, each NUL-terminated; offset 0 is ""
 *
 * The receiver believes none of it before symbols_check() has.
 */
#ifndef SYMBOLIZER_PROTOCOL_H
#define SYMBOLIZER_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/err.h"

#define SYMBOLS_ROLE "symbolizer" /* argv[1] of the process */
#define SYMBOLS_MESSAGE_REQUEST 1 /* types of frames */
#define SYMBOLS_MESSAGE_REPLY 2

#define SYMBOLS_MAX_ADDRESSES 65536
#define SYMBOLS_MAX_REPLY_BYTES (16u << 20)
#define SYMBOLS_MAX_NAME 4096 /* bytes of a name, mangled or not; longer ones are cut */
#define SYMBOLS_MAX_BUILD_ID_BYTES 64
#define SYMBOLS_NONE UINT32_MAX

enum symbol_space {
	SYMBOLS_ELF = 1, /* addresses are file offsets */
	SYMBOLS_KERNEL, /* addresses are kernel addresses */
};

enum symbol_status {
	SYMBOLS_OK,
	SYMBOLS_NOT_ELF, /* no usable ELF file: all answers are empty */
	SYMBOLS_NO_TABLE, /* a good file without any symbols */
	SYMBOLS_DAMAGED, /* some table of it was refused; answers hold what could be read */
	SYMBOLS_LIMIT, /* too large for the symbolizer's budget */
	SYMBOLS_NO_ADDRESSES, /* kallsyms shows only zeros (kptr_restrict, no CAP_SYSLOG) */
	SYMBOLS_STATUS_COUNT
};

struct symbol_request {
	uint32_t space; /* enum symbol_space */
	uint32_t count;
};

struct symbol_reply {
	uint32_t status; /* enum symbol_status */
	uint32_t answer_count, function_count, module_count, string_bytes;
	uint32_t build_id; /* string: lower-case hex; SYMBOLS_ELF only */
};

/*
 * An address that lies in no segment or module has neither, and vaddr 0: no kernel address leaves.
 */
struct symbol_answer {
	uint64_t vaddr; /* ELF address; for the kernel, relative to the module's start */
	uint32_t function; /* or SYMBOLS_NONE */
	uint32_t module; /* SYMBOLS_KERNEL; for an ELF file its loadable segment; or SYMBOLS_NONE */
};

/* Every vaddr that names it is in [start, start + size). */
struct symbol_function {
	uint64_t start; /* like vaddr */
	uint64_t size; /* the file's, else up to the next symbol or the end of the code */
	uint32_t name; /* string: demangled */
	uint32_t system_name; /* string: as in the file; equal to name if not mangled */
};

/* A kernel module ("" is the kernel itself), or a loadable segment of an ELF file (name ""). */
struct symbol_module {
	uint64_t start, limit; /* like vaddr: 0 and its size for the kernel and modules */
	uint64_t offset; /* file offset of start; 0 for the kernel */
	uint32_t name; /* string: "" or the module's name: "ext4", "bpf" */
	uint32_t reserved;
};

/* A reply that was checked: all pointers lie within its bytes, all references are in range. */
struct symbols {
	const struct symbol_reply *reply;
	const struct symbol_answer *answers;
	const struct symbol_function *functions;
	const struct symbol_module *modules;
	const char *strings;
};

/* 0, or -EINVAL and a sentence. `bytes` is 8-byte aligned and must outlive *ret. */
int symbols_check(const void *bytes, size_t len, uint32_t address_count, struct symbols *ret,
		  struct err *err);

/* The symbolizer's main: serves `socket` until its other end closes. Returns an exit status. */
int symbolizer_serve(int socket);

#endif
