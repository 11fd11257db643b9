// SPDX-License-Identifier: Apache-2.0
/*
 * A symbolizer that was taken over: this symbolizer_serve() is linked instead of the real one, so that
 * build/tests/liar is slowburn in all else, the sandbox included. It lies about guilty files only, those that
 * end in "GUILTY\n", and answers well about all others: so a test can say whose names must be missing, and that
 * nobody else's are.
 *
 * How it lies is the part of the program's name behind "liar-", as in a link "liar-counts" to it: a child gets no
 * other argument or variable of ours. By the plain name each request about any file at all may get any lie.
 *
 * Refused: files that say themselves how to lie. Then what is asked for would differ from one lie to another.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/role/socket.h"
#include "symbolizer/lines_shelf.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"

#define MARK "GUILTY\n"

enum lie {
	HONEST, /* a well-formed reply is sent after all, changed or not */
	SILENT, /* nothing more is said */
	LEAVE,
};

/* poll() is a call that the sandbox doesn't have. A negative time: for ever. */
static void rest(long ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	ppoll(NULL, 0, ms < 0 ? NULL : &time, NULL);
}

/* An honest reply, to be made a lie of. */
struct draft {
	int socket;
	struct buffer *bytes;
	struct symbol_reply *head;
	struct symbol_answer *answers;
	struct symbol_function *functions;
	struct symbol_module *modules;
	char *strings;
	uint32_t type; /* of the frame */
	int fd; /* to send with it; -1 */
};

static enum lie tell_counts(struct draft *d)
{
	d->head->answer_count++;
	return HONEST;
}

static enum lie tell_more_functions(struct draft *d)
{
	d->head->function_count = UINT32_MAX;
	return HONEST;
}

/* All of the address space is one function: answers lie in it, but it wraps. */
static enum lie tell_ranges(struct draft *d)
{
	for (uint32_t i = 0; i < d->head->function_count; i++)
		d->functions[i].size = UINT64_MAX;
	return HONEST;
}

static enum lie tell_empty_ranges(struct draft *d)
{
	for (uint32_t i = 0; i < d->head->module_count; i++)
		d->modules[i].limit = d->modules[i].start;
	return HONEST;
}

/* Answers refer to functions that are not there. */
static enum lie tell_ids(struct draft *d)
{
	for (uint32_t i = 0; i < d->head->answer_count; i++)
		d->answers[i].function = d->head->function_count;
	return HONEST;
}

static enum lie tell_addresses(struct draft *d)
{
	for (uint32_t i = 0; i < d->head->answer_count; i++)
		d->answers[i].vaddr ^= 1ull << 63;
	return HONEST;
}

/* The wrong way round: each names another's code. */
static enum lie tell_order(struct draft *d)
{
	for (uint32_t i = 0, j = d->head->answer_count; i + 1 < j; i++) {
		struct symbol_answer a = d->answers[i];

		d->answers[i] = d->answers[--j];
		d->answers[j] = a;
	}
	return HONEST;
}

static enum lie tell_strings(struct draft *d)
{
	for (uint32_t i = 0; i < d->head->function_count; i++)
		d->functions[i].name = UINT32_MAX - i;
	d->head->build_id = d->head->string_bytes;
	return HONEST;
}

static enum lie tell_no_end(struct draft *d)
{
	memset(d->strings, 'x', d->head->string_bytes);
	return HONEST;
}

static enum lie tell_status(struct draft *d)
{
	d->head->status = UINT32_MAX;
	return HONEST;
}

static enum lie tell_type(struct draft *d)
{
	d->type = SYMBOLS_MESSAGE_REQUEST;
	return HONEST;
}

/* The socket itself, which is the only descriptor that it has. */
static enum lie tell_fds(struct draft *d)
{
	d->fd = d->socket;
	return HONEST;
}

static enum lie say(const struct draft *d, const void *bytes, size_t len, enum lie then)
{
	return send(d->socket, bytes, len, MSG_NOSIGNAL) < 0 ? LEAVE : then;
}

static enum lie tell_length(struct draft *d)
{
	return say(d, (const uint32_t[]){ UINT32_MAX, SYMBOLS_MESSAGE_REPLY }, 8, SILENT);
}

static enum lie tell_half(struct draft *d)
{
	uint32_t head[] = { (uint32_t)d->bytes->len, SYMBOLS_MESSAGE_REPLY };
	enum lie so_far = say(d, head, sizeof(head), SILENT);

	return so_far == LEAVE ? LEAVE : say(d, d->bytes->data, d->bytes->len / 2, SILENT);
}

static enum lie tell_half_and_leave(struct draft *d)
{
	tell_half(d);
	return LEAVE;
}

/* A frame as long as may be, then more and more: until nobody listens. */
static enum lie tell_endlessly(struct draft *d)
{
	static const char rubbish[64 << 10];
	uint32_t head[] = { SYMBOLS_MAX_REPLY_BYTES, SYMBOLS_MESSAGE_REPLY };
	enum lie then = say(d, head, sizeof(head), SILENT);

	while (then != LEAVE)
		then = say(d, rubbish, sizeof(rubbish), SILENT);
	return LEAVE;
}

/* A byte now and then: never silent for long, and never done. */
static enum lie tell_slowly(struct draft *d)
{
	uint32_t head[] = { (uint32_t)d->bytes->len, SYMBOLS_MESSAGE_REPLY };
	enum lie then = say(d, head, sizeof(head), SILENT);

	for (size_t i = 0; then != LEAVE && i < d->bytes->len; i++) {
		then = say(d, d->bytes->data + i, 1, SILENT);
		rest(50);
	}
	return then;
}

static enum lie tell_twice(struct draft *d)
{
	uint32_t head[] = { (uint32_t)d->bytes->len, SYMBOLS_MESSAGE_REPLY };
	enum lie then = say(d, head, sizeof(head), HONEST);

	return then == LEAVE ? LEAVE : say(d, d->bytes->data, d->bytes->len, HONEST);
}

static enum lie tell_late(struct draft *d)
{
	rest(4000);
	return HONEST;
}

static enum lie tell_nothing(struct draft *d)
{
	return SILENT;
}

static enum lie die(struct draft *d)
{
	__builtin_trap();
}

/* As much as the sandbox lets it have, and used. */
static enum lie eat(struct draft *d)
{
	volatile char *p;

	while ((p = malloc(1 << 20)))
		for (size_t i = 0; i < 1 << 20; i += 4096)
			p[i] = 1;
	__builtin_trap();
}

/* An honest unwind table, to be made a lie of. */
struct table_draft {
	struct buffer *bytes;
	struct unwind_reply *head;
	struct unwind_segment *segments;
	struct unwind_rule *rules;
	struct unwind_page *pages;
	uint32_t *rows;
};

/* What is above it in the stack is taken for the return address. */
static enum lie tell_cfas(struct table_draft *d)
{
	for (uint32_t i = UNWIND_RULE_FIRST; i < d->head->rule_count; i++)
		d->rules[i].cfa_offset += 8;
	return HONEST;
}

static void tell_kinds(struct table_draft *d, enum unwind_kind kind)
{
	for (uint32_t i = UNWIND_RULE_FIRST; i < d->head->rule_count; i++)
		d->rules[i].kind = (uint8_t)kind;
}

static enum lie tell_guesses(struct table_draft *d)
{
	tell_kinds(d, UNWIND_FRAME_POINTER);
	return HONEST;
}

/* The leaf is the outermost frame, wherever it is. */
static enum lie tell_ends(struct table_draft *d)
{
	tell_kinds(d, UNWIND_STOP);
	return HONEST;
}

/* Each frame is a signal's, and what is on the stack its registers. */
static enum lie tell_signals(struct table_draft *d)
{
	tell_kinds(d, UNWIND_SIGNAL);
	return HONEST;
}

/* All that there can be is this file's code. */
static enum lie tell_segments(struct table_draft *d)
{
	for (uint32_t i = 0; i < d->head->segment_count; i++)
		d->segments[i] = (struct unwind_segment){ i, i, i ? 1 : UINT64_MAX };
	return d->head->segment_count == 1 ? HONEST : LEAVE;
}

/* So many pages and no more. */
static void table_cut(struct table_draft *d, uint32_t pages)
{
	uint32_t rows = pages ? d->pages[pages - 1].row + d->pages[pages - 1].count : 0;

	memmove(d->pages + pages, d->rows, rows * sizeof(d->rows[0]));
	d->bytes->len =
		(size_t)((char *)(d->pages + pages) - d->bytes->data) + rows * sizeof(d->rows[0]);
	d->head->page_count = pages;
	d->head->row_count = rows;
}

/* A page of many, which isn't there. */
static enum lie tell_no_pages(struct table_draft *d)
{
	if (d->head->page_count)
		table_cut(d, 0);
	if (d->head->segment_count)
		d->head->start = d->segments[0].vaddr & ~(uint64_t)(UNWIND_PAGE_BYTES - 1);
	d->head->limit = d->head->start + UNWIND_PAGE_BYTES;
	return HONEST;
}

/* Never more than a page of it. */
static enum lie tell_one_page(struct table_draft *d)
{
	if (d->head->page_count > 1) {
		table_cut(d, 1);
		d->head->limit = d->head->start + UNWIND_PAGE_BYTES;
	}
	return HONEST;
}

/* By a rule that isn't there. */
static enum lie tell_rows(struct table_draft *d)
{
	for (uint32_t i = 0; i < d->head->row_count; i++)
		d->rows[i] = UNWIND_ROW(unwind_row_within(d->rows[i]), d->head->rule_count);
	return HONEST;
}

static enum lie table_die(struct table_draft *d)
{
	__builtin_trap();
}

/* Honest lines, to be made a lie of. */
struct lines_draft {
	struct lines_reply *head;
	struct lines_answer *answers;
	struct lines_place *places;
	char *strings;
};

static enum lie tell_lines_counts(struct lines_draft *d)
{
	d->head->answer_count++;
	return HONEST;
}

static enum lie tell_more_places(struct lines_draft *d)
{
	d->head->place_count = UINT32_MAX;
	return HONEST;
}

/* Answers that share their places, or have others'. */
static enum lie tell_first_places(struct lines_draft *d)
{
	for (uint32_t i = 0; i < d->head->answer_count; i++)
		d->answers[i] = (struct lines_answer){ UINT32_MAX - i, 2 };
	return HONEST;
}

static enum lie tell_lines_strings(struct lines_draft *d)
{
	for (uint32_t i = 0; i < d->head->place_count; i++)
		d->places[i].file = d->head->string_bytes + i;
	d->head->build_id = d->head->string_bytes;
	return HONEST;
}

static enum lie tell_lines_no_end(struct lines_draft *d)
{
	memset(d->strings, 'x', d->head->string_bytes);
	return HONEST;
}

static enum lie tell_lines_flags(struct lines_draft *d)
{
	d->head->flags = UINT32_MAX;
	d->head->status = UINT32_MAX;
	return HONEST;
}

static enum lie lines_die(struct lines_draft *d)
{
	__builtin_trap();
}

static const struct {
	const char *name;
	enum lie (*tell)(struct draft *d); /* about names, tables or lines: one of them */
	enum lie (*tell_table)(struct table_draft *d);
	enum lie (*tell_lines)(struct lines_draft *d);
} lies[] = {
	{ .name = "counts", .tell = tell_counts },
	{ .name = "functions", .tell = tell_more_functions },
	{ .name = "ranges", .tell = tell_ranges },
	{ .name = "empty", .tell = tell_empty_ranges },
	{ .name = "ids", .tell = tell_ids },
	{ .name = "addresses", .tell = tell_addresses },
	{ .name = "order", .tell = tell_order },
	{ .name = "strings", .tell = tell_strings },
	{ .name = "no-end", .tell = tell_no_end },
	{ .name = "status", .tell = tell_status },
	{ .name = "type", .tell = tell_type },
	{ .name = "fds", .tell = tell_fds },
	{ .name = "length", .tell = tell_length },
	{ .name = "half", .tell = tell_half },
	{ .name = "half-and-leave", .tell = tell_half_and_leave },
	{ .name = "endless", .tell = tell_endlessly },
	{ .name = "slow", .tell = tell_slowly },
	{ .name = "twice", .tell = tell_twice },
	{ .name = "late", .tell = tell_late },
	{ .name = "nothing", .tell = tell_nothing },
	{ .name = "die", .tell = die },
	{ .name = "eat", .tell = eat },
	{ .name = "table-cfas", .tell_table = tell_cfas },
	{ .name = "table-guesses", .tell_table = tell_guesses },
	{ .name = "table-ends", .tell_table = tell_ends },
	{ .name = "table-signals", .tell_table = tell_signals },
	{ .name = "table-segments", .tell_table = tell_segments },
	{ .name = "table-no-pages", .tell_table = tell_no_pages },
	{ .name = "table-one-page", .tell_table = tell_one_page },
	{ .name = "table-rows", .tell_table = tell_rows },
	{ .name = "table-die", .tell_table = table_die },
	{ .name = "lines-counts", .tell_lines = tell_lines_counts },
	{ .name = "lines-places", .tell_lines = tell_more_places },
	{ .name = "lines-first", .tell_lines = tell_first_places },
	{ .name = "lines-strings", .tell_lines = tell_lines_strings },
	{ .name = "lines-no-end", .tell_lines = tell_lines_no_end },
	{ .name = "lines-flags", .tell_lines = tell_lines_flags },
	{ .name = "lines-die", .tell_lines = lines_die },
};

#define LIES (sizeof(lies) / sizeof(lies[0]))

static size_t chosen = LIES; /* LIES: any */

/* Before the sandbox is entered, in which a program can't ask for its own name. */
__attribute__((constructor)) static void choose(void)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *name;

	if (len < 0)
		abort();
	path[len] = '\0';
	name = strrchr(path, '/');
	if (!name || strncmp(name, "/liar-", 6) != 0)
		return;
	for (chosen = 0; chosen < LIES && strcmp(name + 6, lies[chosen].name) != 0; chosen++)
		;
	if (chosen == LIES)
		abort();
}

static uint32_t random_below(uint32_t limit)
{
	uint32_t x;

	if (getrandom(&x, sizeof(x), 0) != sizeof(x))
		__builtin_trap();
	return x % limit;
}

static bool is_guilty(const struct socket_message *m)
{
	char end[sizeof(MARK) - 1];
	struct stat st;

	/* Not fstat(): glibc may make a call of it that the sandbox refuses. */
	if (m->fd_count < 1 || syscall(SYS_fstat, m->fds[0], &st) < 0 || st.st_size < 8)
		return false;
	return pread(m->fds[0], end, sizeof(end), st.st_size - (off_t)sizeof(end)) ==
		       (ssize_t)sizeof(end) &&
	       !memcmp(end, MARK, sizeof(end));
}

/* The lie that this request gets, or LIES. */
static size_t lie_for(const struct socket_message *m)
{
	if (chosen != LIES)
		return is_guilty(m) ? chosen : LIES;
	return random_below(4) ? LIES : random_below(LIES);
}

static int answer(int socket, const struct socket_message *m, struct buffer *reply)
{
	struct draft d = {
		.socket = socket, .bytes = reply, .type = SYMBOLS_MESSAGE_REPLY, .fd = -1
	};
	size_t which = lie_for(m);
	enum lie then;

	d.head = (struct symbol_reply *)reply->data;
	d.answers = (struct symbol_answer *)(d.head + 1);
	d.functions = (struct symbol_function *)(d.answers + d.head->answer_count);
	d.modules = (struct symbol_module *)(d.functions + d.head->function_count);
	d.strings = (char *)(d.modules + d.head->module_count);
	then = which == LIES || !lies[which].tell ? HONEST : lies[which].tell(&d);
	if (then == HONEST)
		return socket_send(socket, d.type, reply->data, reply->len, &d.fd, d.fd >= 0,
				   UINT64_MAX);
	if (then == SILENT)
		for (;;)
			rest(-1);
	return -EPIPE;
}

/* True if that is what is to be sent. */
static bool table_lie(const struct socket_message *m, struct buffer *reply)
{
	struct table_draft d = { .bytes = reply, .head = (struct unwind_reply *)reply->data };
	size_t which = lie_for(m);

	d.segments = (struct unwind_segment *)(d.head + 1);
	d.rules = (struct unwind_rule *)(d.segments + d.head->segment_count);
	d.pages = (struct unwind_page *)(d.rules + d.head->rule_count);
	d.rows = (uint32_t *)(d.pages + d.head->page_count);
	return which == LIES || !lies[which].tell_table || lies[which].tell_table(&d) == HONEST;
}

static int answer_unwind(int socket, const struct socket_message *m, struct buffer *reply)
{
	int r = request_answer_unwind(m->bytes.data, m->bytes.len, m->fds, m->fd_count, reply);

	if (r < 0)
		return r;
	if (!table_lie(m, reply))
		return -EPIPE;
	return socket_send(socket, SYMBOLS_MESSAGE_UNWIND_REPLY, reply->data, reply->len, NULL, 0,
			   UINT64_MAX);
}

/* What files are needed beside this one: no lies about that. */
static int answer_debug(int socket, const struct socket_message *m, struct buffer *reply)
{
	int r = request_answer_debug(m->bytes.data, m->bytes.len, m->fds, m->fd_count, reply);

	return r < 0 ? r
		     : socket_send(socket, SYMBOLS_MESSAGE_DEBUG_REPLY, reply->data, reply->len,
				   NULL, 0, UINT64_MAX);
}

static int answer_names(int socket, const struct socket_message *m, struct buffer *reply)
{
	int r = request_answer(m->bytes.data, m->bytes.len, m->fds, m->fd_count, reply);

	return r < 0 ? r : answer(socket, m, reply);
}

/* True if that is what is to be sent. */
static bool lines_lie(const struct socket_message *m, struct buffer *reply)
{
	struct lines_draft d = { .head = (struct lines_reply *)reply->data };
	size_t which = lie_for(m);

	d.answers = (struct lines_answer *)(d.head + 1);
	d.places = (struct lines_place *)(d.answers + d.head->answer_count);
	d.strings = (char *)(d.places + d.head->place_count);
	return which == LIES || !lies[which].tell_lines || lies[which].tell_lines(&d) == HONEST;
}

static int answer_lines(int socket, const struct socket_message *m, struct buffer *reply)
{
	static struct lines_shelf shelf;
	int r = request_answer_lines(&shelf, m->bytes.data, m->bytes.len, m->fds, m->fd_count,
				     reply);

	if (r < 0)
		return r;
	if (!lines_lie(m, reply))
		return -EPIPE;
	return socket_send(socket, SYMBOLS_MESSAGE_LINES_REPLY, reply->data, reply->len, NULL, 0,
			   UINT64_MAX);
}

static int answer_any(int socket, const struct socket_message *m, struct buffer *reply)
{
	switch (m->type) {
	case SYMBOLS_MESSAGE_LINES:
		return answer_lines(socket, m, reply);
	case SYMBOLS_MESSAGE_REQUEST:
		return answer_names(socket, m, reply);
	case SYMBOLS_MESSAGE_UNWIND:
		return answer_unwind(socket, m, reply);
	case SYMBOLS_MESSAGE_DEBUG:
		return answer_debug(socket, m, reply);
	default:
		/* One that is younger than this file, which is to be taught. */
		__builtin_trap();
	}
}

int symbolizer_serve(int socket)
{
	struct socket_message m;
	int r;

	socket_message_init(&m, sizeof(struct symbol_request) +
					SYMBOLS_MAX_ADDRESSES * sizeof(uint64_t));
	do {
		struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);

		r = socket_receive(socket, &m, UINT64_MAX);
		if (r == 0)
			r = answer_any(socket, &m, &reply);
		buffer_release(&reply);
		socket_message_release(&m);
	} while (r == 0);
	return 1;
}
