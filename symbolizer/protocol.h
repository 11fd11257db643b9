/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said to the symbolizer and what it answers: the public header of symbolizer/.
 *
 * The symbolizer is a process of its own: it parses bytes written by people we don't trust. It is
 * told no path, no pid and not what time it is: a request brings file descriptors and addresses, the reply
 * names. It keeps nothing between requests that it needs (it may keep caches), so that it can be
 * killed and started again at any moment. One request is in flight at a time.
 *
 * A message is a frame of role/socket.h. Request:
 *
 *	struct symbol_request, then count × u64 addresses in ascending order
 *	SYMBOLS_CODE: then count × struct symbol_moment
 *	fds: SYMBOLS_ELF: the file (offsets in it are the addresses), and its debug file if there is one
 *	     SYMBOLS_KERNEL: /proc/kallsyms, and /proc/modules if there is one
 *	     SYMBOLS_CODE: what a process says of the code that it made: a jitdump, a perf map, or
 *	     both, in any order
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
 *
 * The other request asks for a file's unwind table (bpf/unwind.h). Request:
 *
 *	struct unwind_request
 *	fds: the file
 *
 * Reply, which nobody believes before unwind_check() has:
 *
 *	struct unwind_reply
 *	struct unwind_segment × segment_count	executable ones, by address
 *	struct unwind_rule × rule_count		the first two are those that every file has
 *	struct unwind_page × page_count		of the addresses from `start` on; row: its number below
 *	u32 rows × row_count			rule: its number above
 *
 * The third asks for lines and inlined functions, by a file's DWARF. Request:
 *
 *	struct lines_request, then count × u64 ELF addresses in ascending order
 *	fds, of which `with` says which there are, in this order:
 *		the file that has the DWARF (the binary, or its separate debug file)
 *		LINES_WITH_ALTERNATE: what dwz moved to another
 *		LINES_WITH_INDEX: an index that was made of them before, to be mapped; it may be damaged, or another's
 *		LINES_WITH_ROOM: an empty memfd, which the index is written to if it is made now, and not too large
 *
 * Reply, which nobody believes before lines_check() has:
 *
 *	struct lines_reply
 *	struct lines_answer × answer_count	one for each address asked, in that order
 *	struct lines_place × place_count
 *	string_bytes of strings, each NUL-terminated; offset 0 is ""
 *
 * The fourth asks what a file says of its debug files, or whether another is one of them. Request:
 *
 *	struct debug_request
 *	fds: the file; and the other one, unless the question is DEBUG_OF_FILE
 *
 * Reply: struct debug_reply, which nobody believes before debug_check() has.
 */
#ifndef SYMBOLIZER_PROTOCOL_H
#define SYMBOLIZER_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/unwind.h"
#include "profiler/base/err.h"

#define SYMBOLS_ROLE "symbolizer" /* argv[1] of the process */
#define BACKGROUND_SYMBOLS_ROLE "background symbolizer" /* the same, at the lowest priority */
#define SYMBOLS_MESSAGE_REQUEST 1 /* types of frames */
#define SYMBOLS_MESSAGE_REPLY 2
#define SYMBOLS_MESSAGE_UNWIND 3
#define SYMBOLS_MESSAGE_UNWIND_REPLY 4
#define SYMBOLS_MESSAGE_DEBUG 5
#define SYMBOLS_MESSAGE_DEBUG_REPLY 6
#define SYMBOLS_MESSAGE_LINES 7
#define SYMBOLS_MESSAGE_LINES_REPLY 8

#define SYMBOLS_MAX_ADDRESSES 65536
#define SYMBOLS_MAX_CODE_ADDRESSES 16384 /* of SYMBOLS_CODE: with their moments no more bytes */
#define SYMBOLS_MAX_REPLY_BYTES (16u << 20)
#define SYMBOLS_MAX_NAME 4096 /* bytes of a name, mangled or not; longer ones are cut */
#define SYMBOLS_MAX_BUILD_ID_BYTES 64
#define SYMBOLS_NONE UINT32_MAX

enum symbol_space {
	SYMBOLS_ELF = 1, /* addresses are file offsets */
	SYMBOLS_KERNEL, /* addresses are kernel addresses */
	SYMBOLS_CODE, /* addresses are a process's, of code that it made at run time */
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

/*
 * When code was seen at an address. Another's may have been there before, and be there now: the last one to
 * be known by then is meant, or else the first that became known later.
 */
struct symbol_moment {
	uint64_t map_bytes; /* so long was the perf map */
	uint64_t time_ns; /* CLOCK_MONOTONIC, for a jitdump */
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
	uint64_t vaddr; /* ELF address; for the kernel, relative to the module's start; else as asked */
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

/* Of one reply: 4 MiB of rows, and an index of 1 MiB, which is for 512 MiB of code. */
#define UNWIND_REPLY_MAX_ROWS (1u << 20)
#define UNWIND_REPLY_MAX_PAGES (1u << 17)
#define UNWIND_REPLY_MAX_SEGMENTS 1024u

/* For [start, limit) of the file's ELF addresses, as far as max_rows reach. */
struct unwind_request {
	uint64_t start, limit;
	uint32_t max_rows; /* <= UNWIND_REPLY_MAX_ROWS */
	uint32_t reserved;
};

#define UNWIND_REPLY_DAMAGED 1u /* not all of it could be read */
#define UNWIND_REPLY_TOO_LARGE 2u /* not all of it was read, or the table ends early */
#define UNWIND_REPLY_COMPRESSED 4u /* .debug_frame was not looked at, as it is compressed */
/* What it was made from. */
#define UNWIND_REPLY_EH_FRAME 8u
#define UNWIND_REPLY_DEBUG_FRAME 16u
#define UNWIND_REPLY_INDEX 32u /* there is a .eh_frame_hdr (PT_GNU_EH_FRAME) */
#define UNWIND_REPLY_BY_INDEX 64u /* by which .eh_frame was found: there are no section headers */
#define UNWIND_REPLY_GO 128u /* Go's compiler made it */
#define UNWIND_REPLY_FLAGS 255u

struct unwind_reply {
	uint64_t start; /* of the first page: a multiple of UNWIND_PAGE_BYTES */
	uint64_t limit; /* what lies behind is not in the table */
	uint32_t status; /* enum symbol_status: _OK, _NOT_ELF, _LIMIT */
	uint32_t flags; /* UNWIND_REPLY_… */
	uint32_t segment_count, rule_count, page_count, row_count;
	uint32_t fdes, fdes_refused, fdes_damaged;
	uint32_t gaps, guessed_gaps; /* without rows, and by frame pointer */
	uint32_t rules_refused; /* rows unsupported because there were too many rules */
	uint32_t solved_gaps; /* with rows from their instructions */
	uint32_t reserved;
};

/* Executable, and in the file. */
struct unwind_segment {
	uint64_t vaddr, offset, size;
};

/* A reply that was checked: rows, pages and rules refer to what is there, and are as bpf/unwind.h has it. */
struct unwind_answer {
	const struct unwind_reply *reply;
	const struct unwind_segment *segments;
	const struct unwind_rule *rules;
	const struct unwind_page *pages;
	const uint32_t *rows;
};

/* 0, or -EINVAL and a sentence. `bytes` is 8-byte aligned and must outlive *ret. In unwind_check.c. */
int unwind_check(const void *bytes, size_t len, const struct unwind_request *request,
		 struct unwind_answer *ret, struct err *err);

struct lines_request {
	uint32_t count; /* <= SYMBOLS_MAX_ADDRESSES */
	uint32_t with; /* LINES_WITH_…: the descriptors behind the first */
};

#define LINES_WITH_ALTERNATE 1u
#define LINES_WITH_INDEX 2u
#define LINES_WITH_ROOM 4u
#define LINES_WITH_ALL 7u

#define LINES_MAX_KEPT_BYTES (128u << 20) /* of an index that comes or is written */

#define LINES_DAMAGED 1u /* some section could not be read */
#define LINES_COMPRESSED 2u /* some were compressed */
#define LINES_ALTERNATE 4u /* a part of it was in another file (dwz) */
/* It is, and that file did not come or is no good: some names are missing. */
#define LINES_NO_ALTERNATE 8u
#define LINES_SPLIT 16u /* parts of it are in .dwo files, which are not read */
#define LINES_OF_FILE 31u /* the above; the rest is of this reply */
/* It was full: the last answers are empty, and may be asked for again. */
#define LINES_INCOMPLETE 32u
#define LINES_INDEX_USED 64u /* the one that came with the request */
#define LINES_INDEX_BAD 128u /* that one is no good, and was not used */
#define LINES_INDEX_MADE 256u /* now, from the file */
#define LINES_INDEX_WRITTEN 512u /* and the room holds all of it */
#define LINES_FLAGS 1023u

struct lines_reply {
	uint32_t status; /* enum symbol_status: _OK, _NOT_ELF, _NO_TABLE (no DWARF), _LIMIT */
	uint32_t flags; /* LINES_… */
	uint32_t units, units_damaged; /* all, and those that could not be read to their end */
	uint32_t answer_count, place_count, string_bytes;
	uint32_t build_id; /* string: lower-case hex */
};

/* Its places: the innermost function first, then what it was inlined into. count 0: nothing is known. */
struct lines_answer {
	uint32_t first, count;
};

/* A function, and where in it: all are strings; "": not known. */
struct lines_place {
	uint32_t name; /* demangled */
	uint32_t system_name; /* as in the file; equal to name if not mangled */
	uint32_t file;
	uint32_t line; /* 0: not known */
};

/* A reply that was checked, as struct symbols is. */
struct lines_answers {
	const struct lines_reply *reply;
	const struct lines_answer *answers;
	const struct lines_place *places;
	const char *strings;
};

/* 0, or -EINVAL and a sentence. `bytes` is 8-byte aligned and must outlive *ret. In lines_check.c. */
int lines_check(const void *bytes, size_t len, uint32_t address_count, struct lines_answers *ret,
		struct err *err);
/*
 * How many of the first addresses a reply that was checked is about: all, unless it was full. Those behind are to be asked about
 * again; 0 of a full one: that would be of no use.
 */
uint32_t lines_answered(const struct lines_answers *a);
/* Of the whole reply: it is its parts, and nothing else. */
uint32_t lines_bytes(const struct lines_answers *a);

#define DEBUG_MAX_LINK_BYTES 256u /* of a file's name, with its NUL */
#define DEBUG_MAX_ALTERNATE_BYTES 1024u /* of a path, with its NUL */

enum debug_question {
	DEBUG_OF_FILE, /* what does the first file say? */
	DEBUG_OF_SEPARATE, /* what does the second say, and is it the first's debug file? */
	DEBUG_OF_ALTERNATE, /* the same: is it the alternate file (dwz) that the first names? */
};

struct debug_request {
	uint32_t question; /* enum debug_question */
	uint32_t reserved;
};

#define DEBUG_REPLY_SYMTAB 1u /* it has a .symtab */
#define DEBUG_REPLY_DWARF 2u /* and DWARF */
#define DEBUG_REPLY_MINIDEBUG 4u /* a .gnu_debugdata */
#define DEBUG_REPLY_BELONGS 8u /* it is what was asked for, by build id or CRC */
#define DEBUG_REPLY_BAD_LINK 16u /* its .gnu_debuglink names no file */
#define DEBUG_REPLY_GO 32u /* Go's own table of its functions; of DEBUG_OF_FILE only */
#define DEBUG_REPLY_FLAGS 63u

struct debug_reply {
	uint32_t status; /* enum symbol_status: _OK, _NOT_ELF, _LIMIT (too large to be compared) */
	uint32_t flags; /* DEBUG_REPLY_… */
	uint32_t build_id_bytes, alternate_id_bytes; /* 0: it has none */
	uint8_t build_id[SYMBOLS_MAX_BUILD_ID_BYTES];
	uint8_t alternate_id[SYMBOLS_MAX_BUILD_ID_BYTES]; /* of the alternate file */
	char link[DEBUG_MAX_LINK_BYTES]; /* name of its debug file, without a folder; "": none */
	char alternate[DEBUG_MAX_ALTERNATE_BYTES]; /* path of its alternate file; "": none */
};

/* Could it be the name of a file in a folder? */
bool debug_link_is_sound(const char *name);

/* Copies a reply that is sound. 0, or -EINVAL and a sentence. In debug_check.c. */
int debug_check(const void *bytes, size_t len, struct debug_reply *ret, struct err *err);

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
