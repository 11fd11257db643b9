// SPDX-License-Identifier: Apache-2.0
/*
 * Facts stand in the stream behind the drain at which they were learnt. So at each drain all chunks up
 * to the next record are read ahead into a list, and each question takes the first answer to it that is
 * left. What was not asked for is dropped at the next drain. Answers to one question are chained, and an
 * index finds the chain: a recording may hold a million facts that nobody asks for.
 */
#include "profiler/agent/player.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/recorder.h"
#include "profiler/base/arena.h"
#include "profiler/base/array.h"
#include "profiler/base/index.h"
#include "profiler/collect/stream.h"

#define MAX_FACT_BYTES ((size_t)256 << 20)
#define MAX_FACTS (1u << 20)
#define NO_FACT UINT32_MAX

/* What is asked. A text that could not be read is an answer to the same question as one that could. */
struct question {
	uint64_t key;
	uint64_t kind; /* STREAM_TEXT, STREAM_FILE, STREAM_SYMBOLS, STREAM_LINES, STREAM_REST or STREAM_CODE; others are not asked for */
};

struct fact {
	struct question question;
	void *bytes; /* in the arena, with a NUL behind them */
	uint32_t len;
	uint32_t kind; /* enum stream_kind */
	uint32_t next; /* the next answer to the same question, or NO_FACT */
	uint32_t at,
		last; /* of the first answer: the one to be taken next, or NO_FACT; the last one */
};

struct player {
	struct stream_reader *reader;
	struct facts facts;
	struct process_source source;
	struct file_identity opened; /* by the last open() */
	struct recorded_rest rest; /* of the sample at hand */
	uint32_t rest_words, rest_next;
	struct arena arena; /* bytes of the list */
	ARRAY(struct fact) list;
	struct index questions; /* to the first answer to each */
	uint32_t cgroups_seen; /* the list was searched for cgroups up to here */
	struct stream_chunk ahead; /* read, not yet used: a record or a drain */
	int ahead_state; /* 1: there is one; 0: end; negative: why there is none */
	struct err ahead_err;
};

static bool answers(const void *owner, uint32_t item, const void *key)
{
	const struct player *p = owner;

	return !memcmp(&p->list.items[item].question, key, sizeof(struct question));
}

/* The number of the first answer to `q`, or UINT32_MAX. */
static uint32_t first_answer(const struct player *p, const struct question *q)
{
	return index_find(&p->questions, hash_bytes(q, sizeof(*q)), answers, p, q);
}

static const struct fact *fact_take(struct player *p, enum stream_kind kind, uint64_t key)
{
	const struct question q = { .key = key, .kind = kind };
	uint32_t first = first_answer(p, &q), taken;

	if (first == UINT32_MAX || p->list.items[first].at == NO_FACT)
		return NULL;
	taken = p->list.items[first].at;
	p->list.items[first].at = p->list.items[taken].next;
	return &p->list.items[taken];
}

static int fact_code(const struct fact *f)
{
	int32_t code = -ENOENT;

	if (f && f->len == sizeof(code))
		memcpy(&code, f->bytes, sizeof(code));
	return code > 0 || code < -4095 ? -EIO : code;
}

static int source_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	const struct fact *f = fact_take(ctx, STREAM_TEXT, (uint64_t)what << 32 | pid);
	int code;

	if (f && f->kind == STREAM_TEXT) {
		buffer_append(out, f->bytes, f->len);
		return buffer_error(out);
	}
	code = fact_code(f);
	return code < 0 ? code : -EIO;
}

/* Kinds that we don't know would be another slowburn's. */
static int source_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	const struct fact *f = fact_take(ctx, STREAM_FILE, place->ino);
	struct recorded_file file = { .result = -ENOENT };
	struct player *p = ctx;

	if (f && (f->len == sizeof(file) || f->len == sizeof(file.result)))
		memcpy(&file, f->bytes, f->len);
	if (file.result < -4095 || file.result > (PROCESS_FILE_AMBIGUOUS | PROCESS_FILE_SLOW))
		return -EIO;
	p->opened = file.identity;
	if (file.result >= 0)
		*ret_fd = -1;
	return file.result;
}

static int source_fetch(void *ctx, const struct file_place *place, int *ret_fd)
{
	int r = source_open(ctx, place, ret_fd);

	return r > 0 ? -EIO : r;
}

static int source_cgroup(void *ctx, const char *mount, const char *path, struct buffer *out)
{
	(void)ctx;
	(void)mount;
	(void)path;
	(void)out;
	return -ENOENT;
}

static int source_identify(void *ctx, int fd, struct file_identity *ret)
{
	const struct player *p = ctx;

	(void)fd;
	*ret = p->opened;
	return 0;
}

static int symbols_take(struct player *p, uint64_t key, uint32_t count, struct symbols *ret,
			struct err *err)
{
	const struct fact *f = fact_take(p, STREAM_SYMBOLS, key);

	if (!f || !f->len)
		return err_set(err, -ENOENT, "the recording has no names for this binary");
	return symbols_check(f->bytes, f->len, count, ret, err);
}

static int names_ask(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		     struct symbols *ret, struct err *err)
{
	(void)fd;
	(void)addresses;
	return symbols_take(ctx, space, count, ret, err);
}

static int names_ask_late(void *ctx, uint32_t space, int fd, const uint64_t *addresses,
			  uint32_t count, struct symbols *ret, struct err *err)
{
	(void)fd;
	(void)addresses;
	return symbols_take(ctx, RECORDED_LATE | space, count, ret, err);
}

static int names_ask_lines(void *ctx, uint32_t space, const struct line_files *files,
			   const uint64_t *vaddrs, uint32_t count, struct lines_answers *ret,
			   struct err *err)
{
	const struct fact *f = fact_take(ctx, STREAM_LINES, space);

	(void)files;
	(void)vaddrs;
	if (!f || !f->len)
		return err_set(err, -ENOENT, "the recording has no lines for this binary");
	return lines_check(f->bytes, f->len, count, ret, err);
}

static int names_ask_code(void *ctx, uint32_t owner, int dump_fd, const uint64_t *addresses,
			  const struct symbol_moment *moments, uint32_t count, struct symbols *ret,
			  struct err *err)
{
	(void)moments;
	return names_ask(ctx, NAMES_CODE_SPACE(owner), dump_fd, addresses, count, ret, err);
}

static int code_look(void *ctx, uint32_t owner, const struct process_id *id, uint64_t *ret_bytes)
{
	const struct fact *f = fact_take(ctx, STREAM_CODE, owner);
	struct recorded_look look = { .result = -ENODATA };

	(void)id;
	if (f && f->len == sizeof(look))
		memcpy(&look, f->bytes, sizeof(look));
	if (look.result > 0 || look.result < -4095)
		return -ENODATA;
	if (look.result == 0)
		*ret_bytes = look.bytes;
	return look.result;
}

/* ---- the rest of stacks ---- */

/* Damaged, or not recorded: the stack ends where its record does. */
static bool rest_is_valid(const struct recorded_rest *rest, uint32_t words)
{
	for (uint32_t i = 0; i < words; i++)
		if (rest->words[i] >> FRAME_KIND_SHIFT >= FRAME_KIND_COUNT)
			return false;
	return rest->end != STACK_END_NONE && rest->end < STACK_END_COUNT;
}

static void rest_begin(void *ctx, const struct record_sample *s)
{
	struct player *p = ctx;
	const struct fact *f = fact_take(p, STREAM_REST, s->time_ns);
	const size_t least = offsetof(struct recorded_rest, words);
	uint32_t words;

	p->rest.end = s->stack_end;
	p->rest_words = p->rest_next = 0;
	if (!f || f->len < least || f->len > sizeof(p->rest) || f->len % sizeof(uint64_t))
		return;
	words = (uint32_t)((f->len - least) / sizeof(uint64_t));
	memcpy(&p->rest, f->bytes, f->len);
	if (rest_is_valid(&p->rest, words))
		p->rest_words = words;
	else
		p->rest.end = s->stack_end;
}

static enum record_stack_end rest_next(void *ctx, const struct mapping *m, uint64_t *ret_word)
{
	struct player *p = ctx;

	(void)m;
	if (p->rest_next == p->rest_words)
		return (enum record_stack_end)p->rest.end;
	*ret_word = p->rest.words[p->rest_next++];
	return STACK_END_NONE;
}

static void rest_end(void *ctx, enum record_stack_end end)
{
	(void)ctx;
	(void)end;
}

/* ---- reading ---- */

/* Puts the fact `number` behind the others that answer its question. 0 or -ENOMEM. */
static int fact_chain(struct player *p, uint32_t number)
{
	struct fact *all = p->list.items;
	const struct question *q = &all[number].question;
	uint32_t first = first_answer(p, q);

	if (first == UINT32_MAX) {
		all[number].at = all[number].last = number;
		return index_add(&p->questions, hash_bytes(q, sizeof(*q)), number);
	}
	all[all[first].last].next = number;
	all[first].last = number;
	if (all[first].at == NO_FACT)
		all[first].at = number;
	return 0;
}

/* The chunk at hand, kept in the list. */
static int fact_keep(struct player *p, const struct stream_chunk *c, struct err *err)
{
	enum stream_kind asked = c->kind == STREAM_TEXT_ERROR ? STREAM_TEXT : c->kind;
	void *bytes = arena_alloc(&p->arena, c->len + 1UL);
	struct fact *f = bytes ? array_push(&p->list, MAX_FACTS) : NULL;

	if (!f)
		return err_set(err, -E2BIG, "the recording holds too much between two drains");
	memcpy(bytes, c->bytes, c->len);
	*f = (struct fact){
		.question = { .key = c->key, .kind = asked },
		.bytes = bytes,
		.len = c->len,
		.kind = c->kind,
		.next = NO_FACT,
	};
	if (fact_chain(p, p->list.count - 1) < 0)
		return err_errno(err, -ENOMEM, "cannot read the recording");
	return 0;
}

/* Reads up to the next record or drain, which stays ahead. */
static int facts_read(struct player *p, struct err *err)
{
	for (;;) {
		int r;

		p->ahead_state = stream_read(p->reader, &p->ahead, &p->ahead_err);
		if (p->ahead_state != 1)
			return 0;
		switch (p->ahead.kind) {
		case STREAM_SAMPLE:
		case STREAM_EVENT:
		case STREAM_DRAIN:
			return 0;
		case STREAM_FACTS:
			r = facts_parse(&p->facts, p->ahead.bytes, p->ahead.len, err);
			break;
		default:
			r = fact_keep(p, &p->ahead, err);
			break;
		}
		if (r < 0)
			return r;
	}
}

static void facts_drop(struct player *p)
{
	p->list.count = p->cgroups_seen = 0;
	index_release(&p->questions);
	arena_release(&p->arena);
}

int player_new(struct player **ret, int fd, struct err *err)
{
	struct player *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_errno(err, -ENOMEM, "cannot read the recording");
	arena_init(&p->arena, MAX_FACT_BYTES);
	p->source = (struct process_source){
		.ctx = p,
		.read = source_read,
		.open = source_open,
		.fetch = source_fetch,
		.cgroup = source_cgroup,
		.identify = source_identify,
	};
	p->facts.end_ns = UINT64_MAX;
	r = stream_reader_new(&p->reader, fd, err);
	if (r >= 0)
		r = facts_read(p, err);
	if (r >= 0 && p->ahead_state < 0 && p->ahead_state != -ENODATA)
		r = err_set(err, p->ahead_state, "%s", p->ahead_err.text);
	if (r >= 0 && !p->facts.profile.event)
		r = err_set(err, -EINVAL, "the recording does not say what was recorded");
	if (r < 0) {
		player_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void player_free(struct player *p)
{
	if (!p)
		return;
	stream_reader_free(p->reader);
	facts_drop(p);
	array_release(&p->list);
	free(p);
}

const struct facts *player_facts(const struct player *p)
{
	return &p->facts;
}

const struct process_source *player_source(struct player *p)
{
	return &p->source;
}

struct name_source player_names(struct player *p)
{
	return (struct name_source){ .ctx = p,
				     .ask = names_ask,
				     .ask_code = names_ask_code,
				     .ask_late = names_ask_late,
				     .ask_lines = names_ask_lines,
				     .recorded = true };
}

struct code_source player_code(struct player *p)
{
	return (struct code_source){ p, code_look };
}

struct rest_source player_rests(struct player *p)
{
	return (struct rest_source){ p, rest_begin, rest_next, rest_end };
}

int player_cgroups(struct player *p, struct cgroup_names *names)
{
	for (; p->cgroups_seen < p->list.count; p->cgroups_seen++) {
		const struct fact *f = &p->list.items[p->cgroups_seen];

		if (f->kind == STREAM_CGROUP &&
		    cgroup_names_set(names, f->question.key, f->bytes) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

/* What the batch refuses it has counted, as it did in the capture. */
static int record_add(struct player *p, struct batch *batch, struct err *err)
{
	enum batch_kind kind = p->ahead.kind == STREAM_SAMPLE ? BATCH_SAMPLE : BATCH_EVENT;

	if (batch_add(batch, kind, p->ahead.bytes, p->ahead.len) == -ENOMEM)
		return err_errno(err, -ENOMEM, "cannot read the recording");
	return 0;
}

int player_next(struct player *p, struct batch *batch, uint64_t *ret_now_ns, struct err *err)
{
	bool drained = false;
	int r = 0;

	facts_drop(p);
	*ret_now_ns = UINT64_MAX; /* for records without a drain behind them */
	while (p->ahead_state == 1 && !drained && r >= 0) {
		drained = p->ahead.kind == STREAM_DRAIN;
		if (drained)
			*ret_now_ns = p->ahead.key;
		else
			r = record_add(p, batch, err);
		if (r >= 0)
			r = facts_read(p, err);
	}
	if (r < 0)
		return r;
	if (p->ahead_state < 0 && p->ahead_state != -ENODATA)
		return err_set(err, p->ahead_state, "%s", p->ahead_err.text);
	return p->ahead_state == 1;
}

bool player_broke_off(const struct player *p)
{
	return p->ahead_state == -ENODATA;
}
