// SPDX-License-Identifier: Apache-2.0
/*
 * First all room is taken, then rows are written, then index entries that point to them, and last the file's
 * entry: the kernel reads at any moment, on other CPUs. What fails gives all of its room back.
 *
 * Refused: evicting one file's regions one by one. Who has many of them is evicted whole, as the others.
 */
#include "profiler/tables/exe.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_WORDS 16384u /* 64 KiB: small enough to find room among others */
#define BACKOFF_MIN_NS (100000000ULL)
#define BACKOFF_MAX_NS (60000000000ULL)
#define TIMEOUT_DELAY_NS (10000000000ULL)
#define TIMEOUT_FACTOR 4
#define MAX_TIMEOUTS 3
#define MAX_FILES (1u << 24)

_Static_assert(UNWIND_PAGE_MAX_ROWS <= PIECE_WORDS, "a page fits a piece");
_Static_assert(UNWIND_REPLY_MAX_PAGES * 2 <= UNWIND_CHUNK_WORDS, "an index fits a chunk");

int exes_init(struct exes *x, struct tables *t, struct chunks *chunks, struct rules *rules,
	      struct counters *counters, uint32_t max)
{
	assert(max <= UNWIND_MAX_EXES);
	*x = (struct exes){
		.tables = t,
		.chunks = chunks,
		.rules = rules,
		.counters = counters,
		.max = max,
		.known = 1,
	};
	x->all = calloc(max, sizeof(*x->all));
	return x->all ? 0 : -ENOMEM;
}

void exes_release(struct exes *x)
{
	for (uint32_t i = 0; i < x->count; i++) {
		free(x->all[i].segments);
		array_release(&x->all[i].pieces);
		array_release(&x->all[i].rules);
	}
	array_release(&x->by_file);
	free(x->all);
	*x = (struct exes){ 0 };
}

/* ---- which there are ---- */

uint32_t exes_find(const struct exes *x, uint32_t file)
{
	return file < x->by_file.count ? x->by_file.items[file] : EXE_NONE;
}

/* What it has in the kernel is given up. It is EXE_UNKNOWN then, or stays what it is for good. */
static void exe_empty(struct exes *x, uint32_t number, uint64_t now_ns)
{
	struct exe *e = &x->all[number];
	struct unwind_exe *shown = &tables_exes(x->tables)[number];

	__atomic_store_n(&shown->index, 0, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < e->pieces.count; i++)
		chunks_give(x->chunks, e->pieces.items[i].addr, e->pieces.items[i].words, now_ns);
	for (uint32_t i = 0; i < e->rules.count; i++)
		rules_give(x->rules, e->rules.items[i], now_ns);
	if (e->index)
		chunks_give(x->chunks, e->index, e->pages * 2, now_ns);
	array_release(&e->pieces);
	array_release(&e->rules);
	e->index = 0;
	if (!exe_has_none(e))
		e->state = EXE_UNKNOWN;
}

/*
 * A number that nobody has mapped for a while, to be another file's. The kernel may go by old mappings for as long
 * as by anything that was given up: then the new file's rows would be taken for the old one's.
 */
static uint32_t number_reuse(struct exes *x, uint64_t now_ns)
{
	uint32_t oldest = EXE_NONE;

	for (uint32_t i = 0; i < x->count; i++) {
		const struct exe *e = &x->all[i];

		if (e->users || now_ns - e->used_ns < UNWIND_GRACE_NS ||
		    (e->left_ns && now_ns - e->left_ns < UNWIND_GRACE_NS))
			continue;
		if (oldest == EXE_NONE || e->used_ns < x->all[oldest].used_ns)
			oldest = i;
	}
	if (oldest == EXE_NONE)
		return EXE_NONE;
	exe_empty(x, oldest, now_ns);
	if (x->all[oldest].file != EXE_NONE)
		x->by_file.items[x->all[oldest].file] = EXE_NONE;
	x->segments -= x->all[oldest].segment_count;
	free(x->all[oldest].segments);
	return oldest;
}

static bool file_reserve(struct exes *x, uint32_t file)
{
	if (file >= MAX_FILES)
		return false;
	while (x->by_file.count <= file) {
		uint32_t *slot = array_push(&x->by_file, MAX_FILES);

		if (!slot)
			return false;
		*slot = EXE_NONE;
	}
	return true;
}

uint32_t exes_intern(struct exes *x, uint32_t file, uint64_t now_ns)
{
	uint32_t number = exes_find(x, file);

	if (number != EXE_NONE)
		return number;
	if (!file_reserve(x, file))
		return EXE_NONE;
	number = x->count < x->max ? x->count++ : number_reuse(x, now_ns);
	if (number == EXE_NONE)
		return EXE_NONE;
	x->all[number] = (struct exe){ .file = file, .used_ns = now_ns };
	x->by_file.items[file] = number;
	return number;
}

bool exes_forget(struct exes *x, uint32_t file)
{
	uint32_t number = exes_find(x, file);

	if (number == EXE_NONE)
		return true;
	if (x->all[number].users)
		return false;
	x->by_file.items[file] = EXE_NONE;
	x->all[number].file = EXE_NONE;
	return true;
}

void exes_hold(struct exes *x, uint32_t number)
{
	x->all[number].users++;
}

void exes_drop(struct exes *x, uint32_t number, uint64_t now_ns)
{
	assert(x->all[number].users);
	if (--x->all[number].users == 0)
		x->all[number].left_ns = now_ns;
}

/* ---- addresses ---- */

/*
 * A mapping begins at a page, which may begin before the segment does: what is before it in the file is
 * mapped, too, and what is behind it. Where two share a page, a mapping that begins there is the later one's.
 */
bool exes_vaddr(const struct exes *x, uint32_t number, uint64_t offset, uint64_t *ret_vaddr)
{
	const struct exe *e = &x->all[number];
	uint64_t latest = 0;
	bool found = false;

	for (uint32_t i = 0; i < e->segment_count; i++) {
		const struct unwind_segment *s = &e->segments[i];
		uint64_t first = s->offset & ~(uint64_t)(UNWIND_PAGE_BYTES - 1);

		if (offset < first || offset - first >= s->size + (s->offset - first))
			continue;
		if (found && first < latest)
			continue;
		*ret_vaddr = s->vaddr + (offset - s->offset);
		latest = first;
		found = true;
	}
	return found;
}

/* The same of any place in a mapping: that of its segment, where two share its page. */
static bool place_vaddr(const struct exes *x, uint32_t number, uint64_t offset, uint64_t *ret_vaddr)
{
	const struct exe *e = &x->all[number];

	for (uint32_t i = 0; i < e->segment_count; i++) {
		const struct unwind_segment *s = &e->segments[i];

		if (offset >= s->offset && offset - s->offset < s->size) {
			*ret_vaddr = s->vaddr + (offset - s->offset);
			return true;
		}
	}
	return exes_vaddr(x, number, offset, ret_vaddr);
}

/* The index's entry for a page; all 0: it isn't here. -ENOMEM: the index can't be mapped. */
static int page_get(const struct exes *x, const struct exe *e, uint64_t page,
		    struct unwind_page *ret)
{
	const uint32_t *at = chunks_at(x->chunks, e->index);

	if (!at)
		return -ENOMEM;
	memcpy(ret, at + page * 2, sizeof(*ret));
	return 0;
}

static bool page_is_there(const struct exes *x, const struct exe *e, uint64_t page)
{
	struct unwind_page entry;

	/* No memory: it can't be stored either. */
	return page_get(x, e, page, &entry) < 0 || entry.count != 0;
}

int exes_rule(const struct exes *x, uint32_t number, uint64_t offset, uint64_t into,
	      struct unwind_rule *ret)
{
	const struct exe *e = &x->all[number];
	struct unwind_page page;
	const uint32_t *rows;
	uint64_t vaddr;
	uint32_t row;

	if (exe_has_none(e))
		return e->state == EXE_BAD ? -ENOEXEC : -ENOTSUP;
	if (!e->segments || !e->index)
		return -EAGAIN;
	if (!exes_vaddr(x, number, offset, &vaddr))
		return -ENOEXEC;
	vaddr += into;
	*ret = x->rules->all[UNWIND_RULE_NONE];
	if (vaddr < e->start || (vaddr - e->start) / UNWIND_PAGE_BYTES >= e->pages)
		return 0;
	if (page_get(x, e, (vaddr - e->start) / UNWIND_PAGE_BYTES, &page) < 0 || !page.count)
		return -EAGAIN;
	rows = chunks_at(x->chunks, page.row);
	if (!rows)
		return -EAGAIN;
	row = unwind_row_find(rows, UINT32_MAX, 0, page.count, vaddr % UNWIND_PAGE_BYTES);
	*ret = x->rules->all[unwind_row_rule(row)];
	return 0;
}

bool exes_missing(const struct exes *x, uint32_t number, uint64_t offset, uint64_t now_ns,
		  struct unwind_request *ret)
{
	const struct exe *e = &x->all[number];
	uint64_t vaddr, page;

	if (exe_has_none(e) || e->state == EXE_WHOLE || now_ns < e->next_ask_ns)
		return false;
	*ret = (struct unwind_request){ .limit = UINT64_MAX, .max_rows = UNWIND_REPLY_MAX_ROWS };
	if (!e->huge)
		return true;
	if (!e->segments) { /* which say what to ask for */
		ret->limit = 0;
		return true;
	}
	if (!place_vaddr(x, number, offset, &vaddr) || vaddr < e->start)
		return false;
	page = (vaddr - e->start) / UNWIND_PAGE_BYTES;
	if (page >= e->pages || (e->index && page_is_there(x, e, page)))
		return false;
	ret->start = vaddr & ~(uint64_t)(EXE_REGION_BYTES - 1);
	ret->limit = ret->start + EXE_REGION_BYTES;
	return true;
}

/* ---- storing ---- */

static void back_off(struct exe *e, uint64_t now_ns)
{
	uint64_t delay = e->backoff_ns ? e->backoff_ns * 2 : BACKOFF_MIN_NS;

	e->backoff_ns = delay < BACKOFF_MAX_NS ? delay : BACKOFF_MAX_NS;
	e->next_ask_ns = now_ns + e->backoff_ns;
}

void exes_refuse(struct exes *x, uint32_t number, enum exe_state state, uint64_t now_ns)
{
	struct exe *e = &x->all[number];

	back_off(e, now_ns);
	if (state == EXE_UNKNOWN || exe_has_none(e))
		return;
	e->state = state;
	exe_empty(x, number, now_ns);
	x->known++;
}

bool exes_time_out(struct exes *x, uint32_t number, uint64_t now_ns)
{
	struct exe *e = &x->all[number];
	uint64_t delay_ns = TIMEOUT_DELAY_NS;

	if (++e->timeouts >= MAX_TIMEOUTS) {
		exes_refuse(x, number, EXE_REFUSED, now_ns);
		return true;
	}
	for (uint32_t i = 1; i < e->timeouts; i++)
		delay_ns *= TIMEOUT_FACTOR;
	e->next_ask_ns = now_ns + delay_ns;
	return false;
}

static uint64_t capacity(const struct exes *x)
{
	return (uint64_t)x->chunks->max * UNWIND_CHUNK_WORDS;
}

/* The last eighth is for mappings: without them rows are of no use. */
static uint64_t room(const struct exes *x)
{
	return capacity(x) / 8 * 7;
}

/* Will so many words fit when all that was given up has left? */
static bool room_will_be(const struct exes *x, uint64_t words)
{
	return x->chunks->used - x->chunks->leaving + words <= room(x);
}

/*
 * Gives the least recently used ones up until there will be room for so many words; at least one, if none is leaving
 * already: the room that there is may be in pieces. 0 or -ENOSPC.
 */
static int room_make(struct exes *x, uint64_t words, uint32_t but, uint64_t now_ns)
{
	bool enough = x->chunks->leaving && room_will_be(x, words);

	if (words > room(x))
		return -ENOSPC;
	while (!enough) {
		uint32_t oldest = EXE_NONE;

		for (uint32_t i = 0; i < x->count; i++) {
			const struct exe *e = &x->all[i];

			if (i == but || !e->index || now_ns - e->used_ns < EXE_KEEP_NS)
				continue;
			if (oldest == EXE_NONE || e->used_ns < x->all[oldest].used_ns)
				oldest = i;
		}
		if (oldest == EXE_NONE)
			return -ENOSPC;
		exe_empty(x, oldest, now_ns);
		counter_add(x->counters, COUNTER_UNWIND_EVICTED, 1);
		enough = room_will_be(x, words);
	}
	return 0;
}

/* A run of the answer's pages whose rows are one piece. */
struct run {
	uint32_t first, count; /* pages */
	uint32_t row, rows; /* of the answer */
};

static struct run run_at(const struct unwind_answer *a, uint32_t first, uint32_t page_count)
{
	struct run run = { .first = first, .row = a->pages[first].row };

	while (first + run.count < page_count) {
		const struct unwind_page *p = &a->pages[first + run.count];

		if (p->row + p->count - run.row > PIECE_WORDS)
			break;
		run.rows = p->row + p->count - run.row;
		run.count++;
	}
	return run;
}

/* Its own numbers → the kernel's, which the file has now. 0 or -ENOMEM, and then it has none of them. */
static int rules_enter(struct exes *x, struct exe *e, const struct unwind_answer *a,
		       uint16_t numbers[UNWIND_MAX_FILE_RULES], uint64_t now_ns)
{
	uint32_t count = a->reply->rule_count, refused = x->rules->refused;

	if (array_reserve((void **)&e->rules.items, &e->rules.capacity,
			  (uint64_t)e->rules.count + count, sizeof(*e->rules.items),
			  UINT32_MAX) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		numbers[i] = rules_take(x->rules, &a->rules[i], now_ns);
		e->rules.items[e->rules.count++] = numbers[i];
	}
	counter_add(x->counters, COUNTER_UNWIND_RULES_REFUSED, x->rules->refused - refused);
	return 0;
}

static uint32_t room_take(struct exes *x, uint32_t words, uint64_t now_ns)
{
	chunks_turn(x->chunks, now_ns);
	if (x->chunks->used + words > room(x))
		return 0;
	return chunks_take(x->chunks, words, now_ns);
}

/* Takes a piece for each run. What was taken is in e->pieces, whatever comes. */
static int pieces_take(struct exes *x, struct exe *e, const struct unwind_answer *a,
		       uint32_t page_count, uint64_t now_ns)
{
	for (uint32_t i = 0; i < page_count;) {
		struct run run = run_at(a, i, page_count);
		struct exe_piece *piece = array_push(&e->pieces, UINT32_MAX);

		if (!piece)
			return -ENOMEM;
		piece->words = run.rows;
		piece->addr = room_take(x, run.rows, now_ns);
		if (!piece->addr) {
			e->pieces.count--;
			return -ENOSPC;
		}
		i += run.count;
	}
	return 0;
}

static int rows_write(struct exes *x, const struct unwind_answer *a, const struct exe_piece *piece,
		      const struct run *run, const uint16_t *numbers)
{
	uint32_t *to = chunks_at(x->chunks, piece->addr);

	if (!to)
		return -ENOMEM;
	for (uint32_t i = 0; i < run->rows; i++) {
		uint32_t row = a->rows[run->row + i];

		to[i] = UNWIND_ROW(unwind_row_within(row), numbers[unwind_row_rule(row)]);
	}
	return 0;
}

/* Index entries of a run: each one store of 8 bytes, behind its rows. */
static void pages_write(const struct exe *e, uint64_t *index, const struct unwind_answer *a,
			const struct exe_piece *piece, const struct run *run)
{
	uint64_t first = (a->reply->start - e->start) / UNWIND_PAGE_BYTES + run->first;

	for (uint32_t i = 0; i < run->count && first + i < e->pages; i++) {
		struct unwind_page page = a->pages[run->first + i];
		uint64_t bits;

		page.row = piece->addr + (page.row - run->row);
		memcpy(&bits, &page, sizeof(bits));
		__atomic_store_n(&index[first + i], bits, __ATOMIC_RELEASE);
	}
}

/* The index, empty. */
static int index_take(struct exes *x, struct exe *e, uint64_t now_ns)
{
	uint32_t *at;

	if (e->index)
		return 0;
	e->index = room_take(x, e->pages * 2, now_ns);
	if (!e->index)
		return -ENOSPC;
	at = chunks_at(x->chunks, e->index);
	if (!at)
		return -ENOMEM;
	memset(at, 0, e->pages * 8UL);
	return 0;
}

static int write_all(struct exes *x, struct exe *e, const struct unwind_answer *a,
		     uint32_t page_count, uint32_t piece, const uint16_t *numbers)
{
	uint64_t *index = (uint64_t *)chunks_at(x->chunks, e->index);
	int r = index ? 0 : -ENOMEM;

	for (uint32_t i = 0, n = piece; i < page_count && r == 0;) {
		struct run run = run_at(a, i, page_count);

		r = rows_write(x, a, &e->pieces.items[n++], &run, numbers);
		i += run.count;
	}
	for (uint32_t i = 0, n = piece; i < page_count && r == 0;) {
		struct run run = run_at(a, i, page_count);

		pages_write(e, index, a, &e->pieces.items[n++], &run);
		i += run.count;
	}
	return r;
}

static int pages_store(struct exes *x, uint32_t number, const struct unwind_answer *a,
		       uint32_t page_count, uint64_t now_ns)
{
	struct exe *e = &x->all[number];
	struct unwind_exe *shown = &tables_exes(x->tables)[number];
	uint32_t pieces = e->pieces.count, rules = e->rules.count;
	uint16_t numbers[UNWIND_MAX_FILE_RULES];
	bool had_index = e->index != 0;
	int r = rules_enter(x, e, a, numbers, now_ns);

	if (r == 0)
		r = index_take(x, e, now_ns);
	if (r == 0)
		r = pieces_take(x, e, a, page_count, now_ns);
	if (r == 0)
		r = write_all(x, e, a, page_count, pieces, numbers);
	if (r == 0) {
		shown->start = e->start;
		shown->pages = e->pages;
		__atomic_store_n(&shown->index, e->index, __ATOMIC_RELEASE);
		return 0;
	}
	while (e->pieces.count > pieces) {
		e->pieces.count--;
		chunks_return(x->chunks, e->pieces.items[e->pieces.count].addr,
			      e->pieces.items[e->pieces.count].words);
	}
	while (e->rules.count > rules)
		rules_give(x->rules, e->rules.items[--e->rules.count], now_ns);
	if (!had_index && e->index) {
		chunks_return(x->chunks, e->index, e->pages * 2);
		e->index = 0;
	}
	return r;
}

/* Which part of the file's addresses is code. 0, -ENOEXEC: none is, -ENFILE: there are too many, -ENOMEM. */
static int segments_learn(struct exes *x, struct exe *e, const struct unwind_answer *a)
{
	uint32_t count = a->reply->segment_count;
	const struct unwind_segment *last;
	uint64_t pages;

	if (e->segments)
		return 0;
	if (!count)
		return -ENOEXEC;
	if (count > EXE_MAX_SEGMENTS - x->segments)
		return -ENFILE;
	last = &a->segments[count - 1];
	e->segments = calloc(count, sizeof(*e->segments));
	if (!e->segments)
		return -ENOMEM;
	x->segments += count;
	memcpy(e->segments, a->segments, count * sizeof(*e->segments));
	e->segment_count = count;
	e->start = a->segments[0].vaddr & ~(uint64_t)(UNWIND_PAGE_BYTES - 1);
	pages = (last->vaddr + (last->size - 1) - e->start) / UNWIND_PAGE_BYTES + 1;
	e->pages = pages < UNWIND_REPLY_MAX_PAGES ? (uint32_t)pages : UNWIND_REPLY_MAX_PAGES;
	if (pages > e->pages)
		counter_add(x->counters, COUNTER_UNWIND_REFUSED, 1);
	x->known++;
	return 0;
}

/*
 * How many of the answer's pages are whole: where rows ran out, the last one may not be. The limit of an answer
 * without pages is anything.
 */
static uint32_t pages_whole(const struct exe *e, const struct unwind_answer *a,
			    const struct unwind_request *request, bool *ret_cut)
{
	uint64_t end = e->start + (uint64_t)e->pages * UNWIND_PAGE_BYTES;
	const struct unwind_segment *last = &e->segments[e->segment_count - 1];
	uint32_t count = a->reply->page_count;

	if (end > last->vaddr + last->size)
		end = last->vaddr + last->size;
	if (end > request->limit)
		end = request->limit;
	*ret_cut = a->reply->limit < end;
	if (!*ret_cut || !count)
		return count;
	return (uint32_t)((a->reply->limit - a->reply->start) / UNWIND_PAGE_BYTES);
}

/* For the symbolizer's memory. 1: a part of it may not be; -ENOMEM: it was a part. */
static int too_large(struct exes *x, struct exe *e)
{
	if (!e->huge) {
		e->huge = true;
		return 1;
	}
	counter_add(x->counters, COUNTER_UNWIND_REFUSED, 1);
	return -ENOMEM;
}

int exes_store(struct exes *x, uint32_t number, const struct unwind_answer *a,
	       const struct unwind_request *request, uint64_t now_ns)
{
	struct exe *e = &x->all[number];
	uint32_t page_count;
	bool cut;
	int r;

	if (exe_has_none(e))
		return 0;
	if (a->reply->status == SYMBOLS_LIMIT)
		r = too_large(x, e);
	else
		r = a->reply->status == SYMBOLS_OK ? segments_learn(x, e, a) : -ENOEXEC;
	if (r == -ENOEXEC) {
		exes_refuse(x, number, EXE_BAD, now_ns);
		return 0;
	}
	if (r == 1 || (r == 0 && !request->limit))
		return 1;
	if (r == 0) {
		page_count = pages_whole(e, a, request, &cut);
		if (cut && !e->huge) {
			e->huge = true;
			return 1;
		}
		r = page_count && a->reply->start >= e->start
			    ? pages_store(x, number, a, page_count, now_ns)
			    : -EINVAL; /* the file was written to */
	}
	if (r == -ENFILE)
		counter_add(x->counters, COUNTER_UNWIND_REFUSED, 1);
	if (r == -ENOSPC) {
		counter_add(x->counters, COUNTER_UNWIND_REFUSED, 1);
		r = room_make(x, a->reply->row_count + e->pages * 2ULL, number, now_ns);
		/* What is touched of it may fit. */
		if (r < 0 && !e->huge && a->reply->row_count > capacity(x) / 4) {
			e->huge = true;
			return 1;
		}
		/* When what left is free: asking earlier costs a compilation and finds nothing. */
		if (r == 0) {
			e->next_ask_ns = now_ns + 2 * UNWIND_GRACE_NS;
			e->backoff_ns = 0;
			return -EAGAIN;
		}
	}
	if (r < 0) {
		back_off(e, now_ns);
		return r;
	}
	e->state = e->huge ? EXE_REGIONS : EXE_WHOLE;
	/* A region that ends early will the next time, too, and take room again. */
	if (cut)
		back_off(e, now_ns);
	else
		e->backoff_ns = 0;
	return 0;
}
