// SPDX-License-Identifier: Apache-2.0
/*
 * A question is queued, asked (the supervisor starts a reader) and being read, in one list in the order in which they came. One that nobody waits
 * for is dropped: the supervisor is told, and ends its reader.
 *
 * What a reader says is not believed: its content type is one of a few, its file's name is plain letters, its answer as long as it announced.
 *
 * Refused: sending an answer while it is read, which could not be cached, tagged or become an error half-way; a reader for many
 * questions, which would have seen one question's hostile expression when it answers the next.
 */
#include "web/questions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/inbox.h"
#include "profiler/role/socket.h"
#include "web/source.h"

#define QUEUE_NS (30 * NS_PER_S) /* how long one waits for its reader */
#define READING_NS (WEB_READER_NS + 2 * NS_PER_S) /* the supervisor has killed it by then */
#define AGAIN_NS (50 * NS_PER_MS) /* until a supervisor with too many readers is asked again */
#define WINDOW_NS (10 * NS_PER_S) /* as long as nobody has said how long one is */
#define ANSWERS_AT_ONCE 4 /* this many of the largest may be sent at a time */

enum stage { QUEUED, ASKED, READING };

struct question {
	struct questions *of;
	TAILQ_ENTRY(question) link;
	LIST_HEAD(, waiter) waiters;
	enum stage stage;
	uint64_t id; /* of the request for a reader */
	uint64_t late_ns; /* CLOCK_MONOTONIC: when it is given up */
	struct cache_moment asked;
	struct web_range ranges[READER_MAX_RANGES];
	uint32_t range_count;
	bool of_pprof, once;
	bool moves; /* asked later it would be about another time */
	struct buffer key; /* a message for the reader without its first field: what is asked */
	struct buffer message; /* for the reader */
	/* While it is read. */
	struct source source;
	struct inbox inbox;
	int socket;
	bool replied;
	bool said_all; /* the reader ends by itself */
	struct reader_reply reply;
	struct buffer body;
};

struct questions {
	int epoll;
	struct conversation *conversation;
	struct tally *tally;
	struct web_limits limits;
	struct cache cache;
	uint64_t sequence, window_ns;
	uint64_t not_before_ns; /* the supervisor said that there are too many readers */
	TAILQ_HEAD(question_list, question) list;
};

int questions_new(struct questions **ret, int epoll, struct conversation *conversation,
		  const struct web_limits *limits, struct tally *tally)
{
	struct questions *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->epoll = epoll;
	q->conversation = conversation;
	q->tally = tally;
	q->limits = *limits;
	q->window_ns = WINDOW_NS;
	cache_init(&q->cache, limits->cache_bytes, tally);
	TAILQ_INIT(&q->list);
	*ret = q;
	return 0;
}

/* The reader, if there is one, is let go. */
static void let_go(struct question *one)
{
	if (one->stage != QUEUED)
		one->of->tally->readers--;
	if (one->stage == READING) {
		if (!one->said_all)
			(void)conversation_reader_left(one->of->conversation, one->id);
		source_remove(&one->source);
		inbox_release(&one->inbox);
	}
	fd_close(&one->socket);
	one->stage = QUEUED;
}

static void question_free(struct question *one)
{
	let_go(one);
	TAILQ_REMOVE(&one->of->list, one, link);
	one->of->tally->questions--;
	buffer_release(&one->key);
	buffer_release(&one->message);
	buffer_release(&one->body);
	free(one);
}

void questions_free(struct questions *q)
{
	struct question *one, *following;

	if (!q)
		return;
	for (one = TAILQ_FIRST(&q->list); one; one = following) {
		following = TAILQ_NEXT(one, link);
		question_free(one);
	}
	cache_release(&q->cache);
	free(q);
}

/* Takes `a`, which may be NULL, and gives it to all who wait. */
static void end(struct question *one, struct answer *a)
{
	struct waiter *w;

	while ((w = LIST_FIRST(&one->waiters))) {
		LIST_REMOVE(w, link);
		w->question = NULL;
		w->answered(w, a);
	}
	answer_unref(a);
	question_free(one);
}

static void fail(struct question *one, uint32_t status, const char *sentence)
{
	end(one, answer_text(status, sentence, one->of_pprof, one->of->tally));
}

static void fail_reader(struct question *one, uint32_t status, const char *sentence)
{
	one->of->tally->count[TALLY_READERS_FAILED]++;
	fail(one, status, sentence);
}

/* ---- what a reader answers ---- */

static const char *known_type(const char *type)
{
	static const char *const types[] = { ANSWER_TEXT, ANSWER_JSON, "text/plain",
					     "image/svg+xml" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(type, types[i]))
			return types[i];
	return "application/octet-stream";
}

static void make_plain(char *name)
{
	for (; *name; name++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		      (*name >= '0' && *name <= '9') || strchr("-_.", *name)))
			*name = '_';
}

/* The whole answer is there. */
static void complete(struct question *one)
{
	struct questions *q = one->of;
	const struct answer_head head = {
		.status = 200,
		.content_type = known_type(one->reply.content_type),
		.file_name = one->of_pprof ? "profile" : one->reply.file_name, /* as Go has it */
		.of_pprof = one->of_pprof,
		.cacheable = true,
	};
	const struct cache_key key = { one->key.data, one->key.len };
	struct answer *a = NULL;

	if (answer_new(&a, &head, &one->body, q->tally) < 0) {
		fail(one, 503, "there is no memory for the answer");
		return;
	}
	q->tally->count[TALLY_ANSWERS_READ]++;
	if (one->reply.sentence[0])
		conversation_log(q->conversation, "the store: %.400s", one->reply.sentence);
	if (!one->once)
		cache_keep(&q->cache, &key, a, one->reply.settled && !one->moves, &one->asked);
	end(one, a);
}

/* 0; 1: the question has ended; -EPROTO. */
static int take_reply(struct question *one, const struct buffer *bytes)
{
	struct reader_reply *reply = &one->reply;

	if (one->replied || reader_reply_parse(reply, bytes) < 0 ||
	    reply->bytes > one->of->limits.answer_bytes)
		return -EPROTO;
	one->replied = true;
	make_plain(reply->file_name);
	if (reply->status == 200)
		return 0;
	if (reply->status < 400 || reply->status > 599)
		return -EPROTO;
	one->said_all = true;
	fail(one, reply->status, reply->sentence);
	return 1;
}

static int take_message(struct question *one)
{
	struct socket_message *m = &one->inbox.message;

	switch (m->type) {
	case READER_REPLY:
		return take_reply(one, &m->bytes);
	case READER_ANSWER:
		if (!one->replied || m->bytes.len > one->reply.bytes - one->body.len)
			return -EPROTO;
		buffer_append(&one->body, m->bytes.data, m->bytes.len);
		return buffer_error(&one->body);
	case READER_ENDED:
		if (!one->replied || one->body.len != one->reply.bytes)
			return -EPROTO;
		one->said_all = true;
		complete(one);
		return 1;
	default:
		return -EPROTO;
	}
}

/* Some messages, and not all that there are: others wait, too. */
static void read_some(struct source *source, uint32_t events)
{
	struct question *one =
		(struct question *)((char *)source - offsetof(struct question, source));
	struct questions *q = one->of;
	int r = 1;

	for (int i = 0; r == 1 && i < 16; i++) {
		r = inbox_receive(&one->inbox);
		if (r != 1)
			break;
		r = take_message(one);
		if (r == 1) /* `one` is no more */
			goto next;
		r = r == 0 ? 1 : r;
	}
	if (r == -ENOMEM || r == -E2BIG)
		fail_reader(one, 503, "there is no memory for the answer");
	else if (r < 0)
		fail_reader(one, 500,
			    "the question could not be answered: it took more memory or "
			    "time than it may have; ask for less");
	if (r >= 0)
		return;
next:
	questions_run(q, clock_ns(CLOCK_MONOTONIC));
}

/* ---- a reader for each ---- */

static void ask_supervisor(struct question *one, uint64_t now_ns)
{
	struct questions *q = one->of;

	if (conversation_reader(q->conversation, one->ranges, one->range_count, &one->id) < 0) {
		fail(one, 503, "the server is ending");
		return;
	}
	one->stage = ASKED;
	one->late_ns = now_ns + READING_NS;
	q->tally->readers++;
}

static void begin_reading(struct question *one, int *fd, uint64_t now_ns)
{
	struct questions *q = one->of;
	int r = socket_send(*fd, READER_REQUEST, one->message.data, one->message.len, NULL, 0,
			    now_ns + NS_PER_S);

	if (r == 0)
		r = source_add(&one->source, q->epoll, *fd, EPOLLIN, read_some);
	if (r < 0) {
		fail_reader(one, 503, "the process that reads profiles could not be asked");
		return;
	}
	one->socket = take_fd(fd);
	one->stage = READING;
	one->late_ns = now_ns + READING_NS;
	inbox_init(&one->inbox, one->socket, READER_MAX_MESSAGE_BYTES);
}

static struct question *find_asked(struct questions *q, uint64_t id)
{
	struct question *one;

	TAILQ_FOREACH(one, &q->list, link)
	if (one->stage == ASKED && one->id == id)
		return one;
	return NULL;
}

void questions_take_reader(struct questions *q, const struct web_reader_reply *reply,
			   const char *sentence, int *fd)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct question *one = find_asked(q, reply->id);
	char text[WEB_MAX_SENTENCE + 64];

	if (!one)
		return;
	if (LIST_EMPTY(&one->waiters)) {
		question_free(one); /* they left while it was started */
	} else if (reply->status == -EAGAIN) {
		let_go(one);
		q->not_before_ns = now_ns + AGAIN_NS;
		one->late_ns = one->asked.now_ns + QUEUE_NS;
	} else if (reply->status < 0 || *fd < 0) {
		snprintf(text, sizeof(text), "profiles cannot be read now: %s",
			 *sentence ? sentence : strerror(-reply->status));
		fail(one, 503, text);
	} else {
		begin_reading(one, fd, now_ns);
	}
	questions_run(q, now_ns);
}

static void late(struct question *one)
{
	if (one->stage == QUEUED)
		fail(one, 503, "too many questions about profiles are waiting; ask again later");
	else
		fail_reader(one, 504, "the question took longer than 30 s; ask for less");
}

uint64_t questions_run(struct questions *q, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;
	struct question *one, *following;

	for (one = TAILQ_FIRST(&q->list); one; one = following) {
		following = TAILQ_NEXT(one, link);
		if (one->late_ns <= now_ns) {
			late(one);
			continue;
		}
		next_ns = one->late_ns < next_ns ? one->late_ns : next_ns;
		if (one->stage != QUEUED || q->tally->readers >= q->limits.readers)
			continue;
		if (now_ns >= q->not_before_ns)
			ask_supervisor(one, now_ns);
		else if (q->not_before_ns < next_ns)
			next_ns = q->not_before_ns;
	}
	return next_ns;
}

void waiter_leave(struct waiter *w)
{
	struct question *one = w->question;

	if (!one)
		return;
	LIST_REMOVE(w, link);
	w->question = NULL;
	if (!LIST_EMPTY(&one->waiters))
		return;
	one->of->tally->count[TALLY_QUESTIONS_LEFT]++;
	/* A reader that is being started is let go when its socket comes. */
	if (one->stage != ASKED)
		question_free(one);
}

/* ---- asking ---- */

static int compare_parameters(const void *a, const void *b)
{
	const struct reader_parameter *p = a, *o = b;
	int r = strcmp(p->name, o->name);

	return r ? r : strcmp(p->value, o->value);
}

/* The same question by whatever order of parameters; one after the other, each with its NUL. */
static void write_key(const struct question_form *form, struct buffer *out)
{
	struct reader_parameter sorted[READER_MAX_PARAMETERS];

	memcpy(sorted, form->parameters, form->count * sizeof(sorted[0]));
	qsort(sorted, form->count, sizeof(sorted[0]), compare_parameters);
	buffer_append(out, form->of_pprof ? "p" : "a", 1);
	buffer_append(out, form->endpoint, strlen(form->endpoint) + 1);
	for (uint32_t i = 0; i < form->count; i++) {
		buffer_append(out, sorted[i].name, strlen(sorted[i].name) + 1);
		buffer_append(out, sorted[i].value, strlen(sorted[i].value) + 1);
	}
}

static struct question *find_same(struct questions *q, const struct buffer *key)
{
	struct question *one;

	TAILQ_FOREACH(one, &q->list, link)
	if (!LIST_EMPTY(&one->waiters) && one->asked.sequence == q->sequence &&
	    one->key.len == key->len && !memcmp(one->key.data, key->data, key->len))
		return one;
	return NULL;
}

static bool same_ranges(const struct reader_ranges *a, const struct reader_ranges *b)
{
	for (uint32_t i = 0; i < a->count && i < b->count; i++)
		if (a->items[i].from_ns != b->items[i].from_ns ||
		    a->items[i].to_ns != b->items[i].to_ns)
			return false;
	return a->count == b->count;
}

/* The message for the reader, and the ranges whose files it is to have. 0, or negative errno and a sentence. */
static int compose(struct questions *q, const struct question_form *form, struct question *one,
		   struct err *err)
{
	struct reader_request request = {
		.now_ns = clock_ns(CLOCK_REALTIME),
		.max_answer_bytes = q->limits.answer_bytes,
		.endpoint = form->endpoint,
		.count = form->count,
	};
	struct reader_ranges ranges, later;
	int r;

	memcpy(request.parameters, form->parameters, form->count * sizeof(*form->parameters));
	r = reader_request_ranges(&request, &ranges, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < ranges.count; i++)
		one->ranges[i] =
			(struct web_range){ ranges.items[i].from_ns, ranges.items[i].to_ns };
	one->range_count = ranges.count;
	r = reader_request_write(&request, &one->message);
	request.now_ns += NS_PER_S;
	one->moves = reader_request_ranges(&request, &later, NULL) < 0 ||
		     !same_ranges(&ranges, &later);
	return r < 0 ? err_errno(err, r, "the question is too long") : 0;
}

static struct question *question_new(struct questions *q, const struct question_form *form,
				     struct buffer *key)
{
	struct question *one = calloc(1, sizeof(*one));

	if (!one)
		return NULL;
	one->of = q;
	one->socket = -1;
	one->of_pprof = form->of_pprof;
	one->once = form->once;
	one->asked = (struct cache_moment){ q->sequence, clock_ns(CLOCK_MONOTONIC), q->window_ns };
	one->late_ns = one->asked.now_ns + QUEUE_NS;
	one->key = *key;
	buffer_init(key, key->max);
	buffer_init(&one->message, READER_MAX_REQUEST_BYTES);
	buffer_init(&one->body, q->limits.answer_bytes);
	LIST_INIT(&one->waiters);
	TAILQ_INSERT_TAIL(&q->list, one, link);
	q->tally->questions++;
	return one;
}

/* A new question, if there is room for one. Else the answer says why not. */
static struct answer *begin(struct questions *q, const struct question_form *form,
			    struct buffer *key, struct question **ret)
{
	struct err err = { "" };
	struct question *one;
	int r;

	if (q->tally->questions >= q->limits.queued + q->limits.readers ||
	    q->tally->answer_bytes > ANSWERS_AT_ONCE * q->limits.answer_bytes) {
		q->tally->count[TALLY_QUESTIONS_REFUSED]++;
		return answer_text(503, "too much is being asked for; ask again later",
				   form->of_pprof, q->tally);
	}
	one = question_new(q, form, key);
	if (!one)
		return NULL;
	r = compose(q, form, one, &err);
	if (r < 0) {
		question_free(one);
		return answer_text(r == -EINVAL ? 400 : 503, err.text, form->of_pprof, q->tally);
	}
	*ret = one;
	return NULL;
}

struct answer *questions_ask(struct questions *q, const struct question_form *form,
			     struct waiter *w, void (*answered)(struct waiter *, struct answer *))
{
	_cleanup_(buffer_release) struct buffer key = BUFFER_INIT(READER_MAX_REQUEST_BYTES);
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	const struct cache_moment now = { q->sequence, now_ns, q->window_ns };
	struct question *one;
	struct answer *a;

	*w = (struct waiter){ .answered = answered };
	write_key(form, &key);
	if (buffer_error(&key))
		return answer_text(414, "the question is too long", form->of_pprof, q->tally);
	a = cache_find(&q->cache, &(struct cache_key){ key.data, key.len }, &now);
	if (a) {
		q->tally->count[TALLY_ANSWERS_CACHED]++;
		return answer_ref(a);
	}
	one = find_same(q, &key);
	if (one) {
		q->tally->count[TALLY_ANSWERS_SHARED]++;
	} else {
		a = begin(q, form, &key, &one);
		if (a || !one)
			return a;
	}
	LIST_INSERT_HEAD(&one->waiters, w, link);
	w->question = one;
	return NULL;
}

void questions_note_window(struct questions *q, uint64_t sequence, uint64_t window_ns)
{
	q->sequence = sequence;
	if (window_ns && window_ns != WEB_UNKNOWN)
		q->window_ns = window_ns;
}
