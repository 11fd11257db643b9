/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and lines of a file's addresses, from all that there is of them; and what each source gave. One thread.
 */
#ifndef DUMP_FINDER_H
#define DUMP_FINDER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/base/err.h"
#include "profiler/dump/dumper.h"
#include "symbolizer/protocol.h"

#define FINDER_MAX_ORIGINS 7u
#define FINDER_MAX_PARTS 16u /* of lines: C++ fills a reply with some 10,000 addresses */
#define FINDER_MAX_FRAMES 128u /* of an address; the symbolizer gives no more */
/* For the lines of one file: one of a gigabyte takes some seconds. */
#define FINDER_PATIENCE_NS (30 * NS_PER_S)

/* A place where names were sought. */
struct origin {
	const char *what; /* "symbols" */
	char result[600]; /* what it gave, or why nothing */
};

/* A file, and what is asked about it. All is borrowed. */
struct finder_subject {
	int fd;
	uint32_t file; /* its number: what was learnt of its debug file is remembered by it */
	const char *name; /* in sentences */
	struct file_place place; /* through whom its debug files are looked for */
	const uint64_t *addresses;
	uint32_t count; /* <= SYMBOLS_MAX_ADDRESSES */
	bool by_offset; /* they are offsets in the file, else ELF addresses */
	uint64_t patience_ns; /* for lines; 0: only names are wanted */
};

struct asked;

/* Lines of addresses [first, first + count). */
struct finder_part {
	uint32_t first, count;
	void *bytes; /* the reply */
	struct lines_answers lines; /* in it */
};

struct finder {
	struct finder_subject subject;
	struct live_names *names_from;
	struct symbols_client *client;
	struct asked *asked; /* by address */
	uint64_t *vaddrs, *offsets; /* the same */
	uint32_t *positions; /* among them, of address number i as it was asked for */
	uint32_t count;
	int debug, alternate; /* -1: there is none */
	struct buffer names;
	struct origin origins[FINDER_MAX_ORIGINS];
	uint32_t origin_count;
	bool lines_late; /* they took longer than the patience */
	struct finder_part parts[FINDER_MAX_PARTS]; /* of vaddrs */
	uint32_t part_count;
	char index[600]; /* what became of the file's index; "" */
};

/* Strings are "" if not known; they are from outside. */
struct finder_frame {
	const char *name, *system_name, *file;
	uint32_t line; /* 0: not known */
};

/*
 * Looks the addresses up. 0, or negative errno and a sentence: nothing can be said about the file. In every case
 * finder_release() is called.
 */
int finder_run(struct finder *f, struct live_names *names, const struct finder_subject *subject,
	       struct err *err);
void finder_release(struct finder *f);

/* The ELF address of address number `i`. False: it is in no segment. */
bool finder_vaddr(const struct finder *f, uint32_t i, uint64_t *ret);

/* How far behind the beginning of its symbol address number `i` is. False: it has no symbol. */
bool finder_within(const struct finder *f, uint32_t i, uint64_t *ret);

/*
 * Address number `i`, until finder_release(): the innermost function first, at most `max` (FINDER_MAX_FRAMES is all). The outermost is named by
 * the symbol, if there is one, as the unwinder and the linker know it. 0: nothing is known.
 */
uint32_t finder_frames(const struct finder *f, uint32_t i, struct finder_frame *ret, uint32_t max);

#endif
