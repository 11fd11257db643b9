// SPDX-License-Identifier: Apache-2.0
/*
 * Records are walked by their sizes; code is never looked at. A move has no name, only the number of
 * the load that has: when moves won anything, the loads are walked once more for their numbers. A record
 * that can't be one ends the walk (what follows has no known place), and what was before it is good: a
 * file is mostly read while it is written, and ends in the middle of a record or in zeros.
 *
 * Refused: following a move by the load's address. Two loads may have been there.
 */
#include "symbolizer/jitdump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/array.h"

#define MAGIC 0x4a695444u
#define VERSION 1u
#define FLAG_PROCESSOR_TIME 1u
#define MAX_RECORDS (8u << 20)
/* A debugging aid of one V8 had 2 GiB in an hour, nearly all of it code: what is passed over costs nothing. */
#define MAX_DUMP_BYTES (16ull << 30)
/* What is read of it in one walk, of which there are at most two: 0.15 s each if it is in memory. */
#define MAX_READ_BYTES (1ull << 30)

enum record_kind { RECORD_LOAD, RECORD_MOVE };

struct header {
	uint32_t magic, version, bytes, machine, zero, pid;
	uint64_t time_ns, flags;
};

struct record {
	uint32_t kind, bytes;
	uint64_t time_ns;
};

struct load {
	struct record record;
	uint32_t pid, tid;
	uint64_t vma, address, size, number;
};

struct move {
	struct record record;
	uint32_t pid, tid;
	uint64_t vma, from, address, size, number;
};

_Static_assert(sizeof(struct header) == 40, "file format");
_Static_assert(sizeof(struct record) == 16, "file format");
_Static_assert(sizeof(struct load) == 56, "file format");
_Static_assert(sizeof(struct move) == 64, "file format");

/* The `size` bytes at `off`, or false where there are fewer. */
static bool read_at(struct peek *dump, uint64_t off, void *to, size_t size)
{
	const unsigned char *bytes;

	if (peek_at(dump, off, size, &bytes) < size)
		return false;
	memcpy(to, bytes, size);
	return true;
}

bool jitdump_is(struct peek *file)
{
	uint32_t magic;

	return read_at(file, 0, &magic, sizeof(magic)) && magic == MAGIC;
}

/* ---- the walk ---- */

struct walk {
	struct peek *dump;
	uint64_t off; /* of the record at hand */
	uint64_t next;
	uint32_t count;
	uint64_t read; /* of the dump when it began */
	struct record record;
	enum symbol_status status; /* so far */
};

static bool walk_begin(struct walk *w, struct peek *dump, struct header *ret)
{
	*w = (struct walk){ .dump = dump, .read = dump->total, .status = SYMBOLS_DAMAGED };
	if (!read_at(dump, 0, ret, sizeof(*ret)) || ret->magic != MAGIC ||
	    ret->version != VERSION || ret->bytes < sizeof(*ret) || ret->bytes > PEEK_BYTES)
		return false;
	w->next = ret->bytes;
	w->status = SYMBOLS_OK;
	return true;
}

static bool walk_next(struct walk *w)
{
	if (w->count++ == MAX_RECORDS || w->next > MAX_DUMP_BYTES ||
	    w->dump->total - w->read > MAX_READ_BYTES) {
		w->status = SYMBOLS_LIMIT;
		return false;
	}
	w->off = w->next;
	if (!read_at(w->dump, w->off, &w->record, sizeof(w->record))) {
		w->status = w->dump->error ? SYMBOLS_DAMAGED : w->status;
		return false;
	}
	if (w->record.bytes < sizeof(w->record)) {
		/* Space that the writer has made, and not used yet. */
		if (w->record.bytes || w->record.kind || w->record.time_ns)
			w->status = SYMBOLS_DAMAGED;
		return false;
	}
	w->next = w->off + w->record.bytes;
	return true;
}

/* The record at hand as a load or a move, and its number; false if it is neither, or not all there. */
static bool walk_claim(struct walk *w, struct claim *ret, uint64_t *ret_number)
{
	struct load load;
	struct move move;

	*ret = (struct claim){ .since = w->record.time_ns, .at = w->off };
	if (w->record.kind == RECORD_LOAD && w->record.bytes > sizeof(load) &&
	    read_at(w->dump, w->off, &load, sizeof(load))) {
		ret->start = load.address;
		ret->size = load.size;
		*ret_number = load.number;
	} else if (w->record.kind == RECORD_MOVE && w->record.bytes >= sizeof(move) &&
		   read_at(w->dump, w->off, &move, sizeof(move))) {
		ret->start = move.address;
		ret->size = move.size;
		*ret_number = move.number;
	}
	return ret->size && ret->size <= UINT64_MAX - ret->start;
}

/* ---- moves ---- */

/* A move that won some address. */
struct moved {
	uint64_t number;
	uint64_t at; /* the move, and then its load */
	uint64_t load_at; /* 0: not found */
};

struct moves {
	ARRAY(struct moved) items;
};

static int compare_numbers(const void *a, const void *b)
{
	const struct moved *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* Which of the winners are moves. 0 or -ENOMEM. */
static int moves_find(struct moves *moves, struct peek *dump, const struct claims *claims)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < claims->search.count; i++) {
		const struct claim *c = &claims->best[i];
		struct moved *moved;
		struct move move;

		if (!c->size || c->at == last || !read_at(dump, c->at, &move, sizeof(move)) ||
		    move.record.kind != RECORD_MOVE)
			continue;
		last = c->at;
		moved = array_push(&moves->items, SYMBOLS_MAX_CODE_ADDRESSES);
		if (!moved)
			return -ENOMEM;
		*moved = (struct moved){ .number = move.number, .at = c->at };
	}
	return 0;
}

/* The last load of each number that is behind no move of it. SYMBOLS_LIMIT: not all were looked at. */
static enum symbol_status moves_settle(struct moves *moves, struct peek *dump)
{
	struct moved *all = moves->items.items;
	uint32_t count = moves->items.count;
	struct header header;
	struct claim claim;
	struct moved key;
	struct walk w;

	qsort(all, count, sizeof(*all), compare_numbers);
	if (!walk_begin(&w, dump, &header))
		return w.status;
	while (walk_next(&w)) {
		struct moved *m;

		if (w.record.kind != RECORD_LOAD || !walk_claim(&w, &claim, &key.number))
			continue;
		m = bsearch(&key, all, count, sizeof(*all), compare_numbers);
		while (m && m > all && m[-1].number == key.number)
			m--;
		for (; m && m < all + count && m->number == key.number; m++)
			if (w.off < m->at)
				m->load_at = w.off;
	}
	return w.status;
}

static int compare_places(const void *a, const void *b)
{
	const struct moved *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* Winners that are moves point to their loads now, or are nobody's. */
static void moves_apply(struct moves *moves, struct claims *claims)
{
	qsort(moves->items.items, moves->items.count, sizeof(struct moved), compare_places);
	for (uint32_t i = 0; i < claims->search.count; i++) {
		struct moved key = { .at = claims->best[i].at };
		const struct moved *m = bsearch(&key, moves->items.items, moves->items.count,
						sizeof(key), compare_places);

		if (!m || !claims->best[i].size)
			continue;
		claims->best[i].at = m->load_at;
		if (!m->load_at)
			claims->best[i].size = 0;
	}
}

/* ---- both looks ---- */

enum symbol_status jitdump_claim(struct peek *dump, struct claims *claims)
{
	struct moves moves = { 0 };
	struct header header;
	struct claim claim;
	uint64_t number;
	bool moved = false;
	struct walk w;

	if (!walk_begin(&w, dump, &header))
		return w.status;
	while (walk_next(&w)) {
		if (w.record.kind > RECORD_MOVE)
			continue;
		if (!walk_claim(&w, &claim, &number)) {
			w.status = SYMBOLS_DAMAGED;
			continue;
		}
		moved = moved || w.record.kind == RECORD_MOVE;
		if (header.flags & FLAG_PROCESSOR_TIME)
			claim.since = 0;
		if (claims_add(claims, &claim) < 0)
			return SYMBOLS_LIMIT;
	}
	if (moved && moves_find(&moves, dump, claims) < 0)
		w.status = SYMBOLS_LIMIT;
	if (moves.items.count) {
		if (moves_settle(&moves, dump) == SYMBOLS_LIMIT)
			w.status = SYMBOLS_LIMIT;
		moves_apply(&moves, claims);
	}
	array_release(&moves.items);
	return w.status;
}

int jitdump_name(struct peek *dump, const struct claim *claim, const char **ret, size_t *ret_len)
{
	const unsigned char *bytes;
	struct load load;
	size_t n, most;

	if (!read_at(dump, claim->at, &load, sizeof(load)) || load.record.kind != RECORD_LOAD ||
	    load.record.bytes <= sizeof(load))
		return -ESTALE;
	most = load.record.bytes - sizeof(load);
	if (most > SYMBOLS_MAX_NAME)
		most = SYMBOLS_MAX_NAME;
	n = peek_at(dump, claim->at + sizeof(load), most, &bytes);
	*ret = (const char *)bytes;
	*ret_len = strnlen(*ret, n < most ? n : most);
	return *ret_len ? 0 : -ESTALE;
}
