// SPDX-License-Identifier: Apache-2.0
/*
 * Rounds: the hottest file that has sites to be asked about, a part of them at each drain, then the
 * next file, until none is left or the time is spent. A round begins when much of what was sampled
 * has no lines, or once a minute: what is new then is little, and a process for it is dear.
 *
 * Where a file's DWARF is, is found when its turn has come, by the opener and the ordinary
 * symbolizer, as names are. What that takes counts as time of ours.
 *
 * Refused: to ask as soon as a site is seen. Each window of a busy machine has some; a process that
 * is started for them each time costs more than all that it answers.
 */
#include "profiler/agent/background_lines.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/agent/heat.h"
#include "profiler/agent/inlining.h"
#include "profiler/agent/line_reader.h"
#include "profiler/base/cleanup.h"

#define ROUND_NS (60 * NS_PER_S)
/* One begins at once if of a window's frames that could have lines one in so many has none, ... */
#define HOT_PART 20
/* ... but no sooner than this behind the last one: with the next window. */
#define LEAST_ROUND_NS (8 * NS_PER_S)
#define IDLE_NS (10 * NS_PER_S)
/*
 * A question's CPU time, which is the index's mostly; and a turn's time, as a busy machine leaves
 * little to it.
 */
#define QUESTION_CPU_NS (2 * NS_PER_S)
#define TURN_NS (300 * NS_PER_S)
#define PROCESS_CPU_NS (5 * NS_PER_S)
#define MAX_FAILURES 2
#define HEAT_OF_HURRY (UINT64_MAX / 2) /* more than any samples' */

/* A file of the table. */
struct wanted {
	uint64_t heat; /* frames at sites that nobody has asked about, since it had its turn */
	uint8_t failures;
	bool over; /* it has no lines, or can't be read */
};

struct asked {
	uint64_t vaddr;
	uint32_t location; /* of the window */
};

/* The file whose turn it is. */
struct turn {
	bool taken;
	bool orphaned; /* of another epoch: its answers are nobody's */
	uint32_t file;
	struct line_files files;
	ARRAY(struct asked) asked; /* sorted */
	uint32_t done, part; /* answered; asked about now */
	uint64_t until_ns;
};

struct background_lines {
	struct background_lines_config with; /* borrowed */
	struct line_reader *reader;
	struct inlining inlining;
	ARRAY(struct wanted) files;
	struct turn turn;
	bool round; /* files have their turns */
	bool hot; /* the last window has much that wants one */
	uint64_t round_ns; /* when the last one ended */
	uint64_t used_ns; /* when the process was last of use */
	uint64_t left_ns; /* that may be spent */
	uint64_t debt_ns; /* that was spent beyond it */
	uint64_t earned_ns; /* when that was last added to */
	uint64_t charged_ns; /* CPU time that was paid for */
	uint32_t bad; /* the last space that was counted as LINES_BAD */
};

int background_lines_new(struct background_lines **ret,
			 const struct background_lines_config *config)
{
	struct background_lines *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->with = *config;
	r = line_reader_new(&b->reader, config->starter, config->service, config->counters);
	if (r < 0) {
		free(b);
		return r;
	}
	b->turn.files = LINE_FILES_NONE;
	b->left_ns = config->burst_ns;
	background_lines_epoch(b);
	*ret = b;
	return 0;
}

static void turn_end(struct background_lines *b)
{
	line_files_close(&b->turn.files);
	array_release(&b->turn.asked);
	b->turn = (struct turn){ .files = LINE_FILES_NONE };
}

/* Before its limit ends it (role/file_roles.c), and the next file is blamed. */
static void process_renew(struct background_lines *b)
{
	if (line_reader_process_ns(b->reader) > PROCESS_CPU_NS)
		line_reader_stop(b->reader);
}

/* It need not be held for us any longer. */
static void turn_done(struct background_lines *b)
{
	if (!b->turn.orphaned)
		held_drop(b->with.held, b->turn.file);
	turn_end(b);
}

void background_lines_free(struct background_lines *b)
{
	if (!b)
		return;
	line_reader_free(b->reader);
	turn_end(b);
	array_release(&b->files);
	free(b);
}

void background_lines_epoch(struct background_lines *b)
{
	b->files.count = 0;
	b->hot = false;
	b->turn.orphaned = b->turn.taken;
	b->inlining = (struct inlining){ b->with.naming,
					 budget_lines_bytes(b->with.naming->pipeline->budget) };
}

void background_lines_forget_file(struct background_lines *b, uint32_t file)
{
	if (file < b->files.count)
		b->files.items[file] = (struct wanted){ 0 };
	if (b->turn.taken && b->turn.file == file)
		b->turn.orphaned = true;
	held_drop(b->with.held, file);
}

bool background_lines_idle(const struct background_lines *b)
{
	return !b->turn.taken && !b->round;
}

/* ---- what is wanted ---- */

static const struct window *window_of(const struct background_lines *b)
{
	return &b->with.naming->pipeline->window;
}

static struct site *site_of(const struct background_lines *b, uint32_t location)
{
	return &b->with.naming->sites.items.items[location];
}

/* Its lines are to be had, and nobody has asked for them. */
static bool is_wanted(const struct background_lines *b, uint32_t location)
{
	const struct site *s = site_of(b, location);

	return s->known && s->in_segment && !s->asked;
}

/* 0 or -ENOMEM. */
static int files_follow(struct background_lines *b)
{
	uint32_t count = file_table_count(b->with.naming->pipeline->files);
	int r = array_reserve((void **)&b->files.items, &b->files.capacity, count,
			      sizeof(*b->files.items), UINT32_MAX);

	while (r == 0 && b->files.count < count)
		b->files.items[b->files.count++] = (struct wanted){ 0 };
	return r;
}

void background_lines_want(struct background_lines *b)
{
	const struct window *w = window_of(b);
	_cleanup_(free_ptr) uint64_t *frames = NULL;
	uint64_t all = 0, wanted = 0;
	uint32_t known = b->with.naming->sites.items.count;

	/* Without the memory for it, the next window's are. */
	if (files_follow(b) < 0 || heat_find(w, &frames) < 0)
		return;
	for (uint32_t i = 0; i < w->locations.count && i < known; i++) {
		uint32_t space = w->locations.items[i].space;
		struct wanted *file;

		if (!frames[i] || !space_is_file(space) || !site_of(b, i)->in_segment)
			continue;
		file = &b->files.items[space - WINDOW_SPACE_FILES];
		all += frames[i];
		if (file->over || !is_wanted(b, i))
			continue;
		file->heat += frames[i];
		wanted += frames[i];
	}
	b->hot = wanted && wanted >= all / HOT_PART;
}

void background_lines_hurry(struct background_lines *b, uint32_t file)
{
	if (files_follow(b) < 0 || b->files.items[file].over)
		return;
	b->files.items[file].heat = HEAT_OF_HURRY;
	b->round = true;
}

/* ---- time ---- */

static void earn(struct background_lines *b, uint64_t now_ns)
{
	uint64_t ns = b->earned_ns ? (now_ns - b->earned_ns) / BACKGROUND_CPU_PARTS : 0;
	uint64_t paid = ns < b->debt_ns ? ns : b->debt_ns;

	if (ns || !b->earned_ns)
		b->earned_ns = now_ns;
	b->debt_ns -= paid;
	b->left_ns += ns - paid;
	if (b->left_ns > b->with.burst_ns)
		b->left_ns = b->with.burst_ns;
}

static void spend(struct background_lines *b, uint64_t ns)
{
	uint64_t paid = ns < b->left_ns ? ns : b->left_ns;

	b->left_ns -= paid;
	b->debt_ns += ns - paid;
}

static void spend_cpu(struct background_lines *b)
{
	uint64_t cpu_ns = line_reader_cpu_ns(b->reader);

	if (cpu_ns > b->charged_ns)
		spend(b, cpu_ns - b->charged_ns);
	b->charged_ns = cpu_ns;
}

/* ---- a file's turn ---- */

/* The hottest one, or one that is let go of soon; UINT32_MAX: none is wanted. */
static uint32_t next_file(const struct background_lines *b)
{
	uint32_t found = UINT32_MAX;

	for (uint32_t i = 0; i < b->files.count; i++)
		if (b->files.items[i].heat &&
		    (found == UINT32_MAX || b->files.items[i].heat > b->files.items[found].heat))
			found = i;
	return found;
}

/* Its DWARF's files, in b->turn; or negative errno: -EAGAIN, nobody holds it open now. */
static int find_files(struct background_lines *b, uint32_t file)
{
	const struct naming *n = b->with.naming;
	const struct held_file *held = held_find(b->with.held, file);
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	const struct file *f = file_table_get(n->pipeline->files, file);
	int fd = -1, r;

	if (held && held->until_ns)
		b->turn.until_ns = held->until_ns;
	if (held && held->lines.dwarf >= 0)
		return line_files_copy(&held->lines, &b->turn.files);
	/* To borrow a slow one would be to copy it. */
	if (held)
		fd = held->fd;
	else if (f->state == FILE_PINNED && !f->slow)
		(void)file_table_borrow(n->pipeline->files, file, &fd);
	if (fd < 0)
		return -EAGAIN;
	r = b->with.names->find_lines(b->with.names->ctx, WINDOW_SPACE_FILES + file, fd,
				      &b->turn.files);
	spend(b, clock_ns(CLOCK_MONOTONIC) - begin_ns);
	return r;
}

static int compare_asked(const void *a, const void *b)
{
	const struct asked *x = a, *y = b;

	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	return x->location < y->location ? -1 : x->location > y->location;
}

/* All sites of the file that nobody has asked about. 0 or -ENOMEM. */
static int collect(struct background_lines *b)
{
	const struct window *w = window_of(b);
	uint32_t known = b->with.naming->sites.items.count;
	struct turn *t = &b->turn;

	for (uint32_t i = 0; i < w->locations.count && i < known; i++) {
		struct asked *slot;

		if (w->locations.items[i].space != WINDOW_SPACE_FILES + t->file || !is_wanted(b, i))
			continue;
		slot = array_push(&t->asked, UINT32_MAX);
		if (!slot)
			return -ENOMEM;
		*slot = (struct asked){ site_of(b, i)->address, i };
	}
	if (t->asked.count)
		qsort(t->asked.items, t->asked.count, sizeof(*t->asked.items), compare_asked);
	return 0;
}

static void asked_set(struct background_lines *b, uint32_t from, bool asked)
{
	for (uint32_t i = from; i < b->turn.asked.count; i++)
		site_of(b, b->turn.asked.items[i].location)->asked = asked;
}

/* It may be tried again with the next round, if it may. */
static void turn_fail(struct background_lines *b)
{
	struct turn *t = &b->turn;

	if (!t->orphaned && t->file < b->files.count) {
		struct wanted *file = &b->files.items[t->file];

		file->over = ++file->failures >= MAX_FAILURES;
		asked_set(b, t->done, false);
	}
	turn_end(b);
}

/* Asks about the next part. A process that can't be had is nobody's fault. */
static void ask_part(struct background_lines *b, uint64_t now_ns)
{
	struct turn *t = &b->turn;
	const int fds[] = { t->files.dwarf, t->files.alternate };
	uint64_t vaddrs[LINE_READER_MAX_ADDRESSES];

	t->part = t->asked.count - t->done;
	if (t->part > LINE_READER_MAX_ADDRESSES)
		t->part = LINE_READER_MAX_ADDRESSES;
	for (uint32_t i = 0; i < t->part; i++)
		vaddrs[i] = t->asked.items[t->done + i].vaddr;
	if (line_reader_ask(b->reader, fds, t->files.alternate < 0 ? 1 : 2, vaddrs, t->part) == 0)
		return;
	asked_set(b, t->done, false);
	turn_end(b);
	b->round = false;
	b->round_ns = now_ns;
}

/* It has no lines; or could they not be found now? */
static bool is_none(int r)
{
	return r == -ENOENT || r == -ENODATA || r == -ENOEXEC;
}

static void turn_begin(struct background_lines *b, uint32_t number, uint64_t now_ns)
{
	struct wanted *file = &b->files.items[number];
	int r;

	file->heat = 0;
	b->turn.taken = true;
	b->turn.file = number;
	b->turn.until_ns = now_ns + TURN_NS;
	r = find_files(b, number);
	if (r < 0) {
		counter_add(b->with.counters, COUNTER_LINES_NONE, is_none(r));
		if (r != -EAGAIN)
			file->over = is_none(r) || ++file->failures >= MAX_FAILURES;
		turn_done(b);
		return;
	}
	if (collect(b) < 0 || !b->turn.asked.count) {
		turn_done(b);
		return;
	}
	asked_set(b, 0, true);
	ask_part(b, now_ns);
}

/* ---- answers ---- */

/* Of the present part. How many sites were answered; 0: no more is to be had. */
static uint32_t apply(struct background_lines *b, const struct lines_answers *a)
{
	struct turn *t = &b->turn;

	if (t->orphaned || a->reply->status != SYMBOLS_OK)
		return 0;
	for (uint32_t i = 0; i < t->part; i++) {
		struct site *site = site_of(b, t->asked.items[t->done + i].location);

		counter_add(b->with.counters, COUNTER_NAMES_DROPPED_MEMORY,
			    inlining_apply(&b->inlining, site, a, i) < 0);
	}
	return lines_answered(a);
}

static void take_answer(struct background_lines *b, const struct lines_answers *a, uint64_t now_ns)
{
	struct turn *t = &b->turn;
	uint32_t answered = apply(b, a);

	if (answered && t->done + answered < t->asked.count) {
		t->done += answered;
		ask_part(b, now_ns);
		return;
	}
	if (!t->orphaned && a->reply->status != SYMBOLS_OK)
		b->files.items[t->file].over = true;
	turn_done(b);
}

/* Has the question cost what it may? */
static bool is_late(const struct background_lines *b, uint64_t now_ns)
{
	return line_reader_question_ns(b->reader) > QUESTION_CPU_NS || now_ns > b->turn.until_ns;
}

static void follow_question(struct background_lines *b, uint64_t now_ns)
{
	struct lines_answers a;
	int r = line_reader_poll(b->reader, &a);

	if (r == 0 && !is_late(b, now_ns))
		return;
	if (r == 0) {
		line_reader_stop(b->reader);
		r = -ETIMEDOUT;
	}
	b->used_ns = now_ns;
	counter_add(b->with.counters, COUNTER_SYMBOLIZER_FAILED, r < 0 && r != -ETIMEDOUT);
	live_lines_count(b->with.counters, &b->bad, WINDOW_SPACE_FILES + b->turn.file,
			 r < 0 ? r : 0, &a);
	if (r == 1)
		take_answer(b, &a, now_ns);
	else
		turn_fail(b);
}

/* ---- rounds ---- */

static bool is_due(const struct background_lines *b, uint64_t now_ns)
{
	uint64_t since_ns = now_ns - b->round_ns;

	return !b->round_ns || since_ns >= ROUND_NS || (b->hot && since_ns >= LEAST_ROUND_NS);
}

static void next_turn(struct background_lines *b, uint64_t now_ns)
{
	uint32_t file;

	if (!b->round && !is_due(b, now_ns))
		return;
	file = b->left_ns ? next_file(b) : UINT32_MAX;
	if (file != UINT32_MAX) {
		b->round = true;
		turn_begin(b, file, now_ns);
		return;
	}
	if (b->round)
		b->round_ns = now_ns;
	b->round = false;
	b->hot = false;
}

void background_lines_poll(struct background_lines *b, uint64_t now_ns)
{
	earn(b, now_ns);
	if (line_reader_is_asked(b->reader))
		follow_question(b, now_ns);
	if (!b->turn.taken) {
		process_renew(b);
		next_turn(b, now_ns);
	}
	spend_cpu(b);
	if (!b->turn.taken && line_reader_runs(b->reader) && now_ns - b->used_ns > IDLE_NS)
		line_reader_stop(b->reader);
}
