// SPDX-License-Identifier: Apache-2.0
/*
 * A file is begun for each hour and each start of ours, and never gone on with: whatever an earlier process left is read
 * and removed, but not repaired. What is where is kept in memory, from one listing at the start.
 *
 * Refused: a journal of what was removed and made. Each step (a file appears by rename, or goes) leaves a store that is
 * whole; what is to be done next is found from what is there.
 */
#include "profiler/store/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/store/appender.h"
#include "profiler/store/rollup.h"
#include "profiler/store/segment.h"

#define PAGE_BYTES 4096u
#define DIRECTORY_MODE_LOCK 0640
#define MAX_ROLLUP_FILES 4096u

/* Files that are looked at for the last window: each kill before the first window of a file leaves one without. */
#define MAX_LOOKS 16u

/* Numbers that may have been used in a file that can't be read to its end. */
#define UNKNOWN_SEQUENCES (1u << 20)

/* What could not be rolled up is tried again after this. */
#define RETRY_NS (300 * NS_PER_S)

/*
 * When the wall clock leaps ahead of the other one by this much, nothing is too old for an hour: it may have been set wrong, and
 * a store that was emptied doesn't come back when it is set right.
 */
#define LEAP_NS (600 * NS_PER_S)
#define DISTRUST_NS (3600 * NS_PER_S)

struct store_writer {
	int dirfd, lock;
	struct store_options options;
	struct store_writer_stats stats;
	struct catalog catalog;
	uint64_t next; /* sequence number */
	struct appender *live; /* NULL: none */
	struct catalog_file live_file;
	uint64_t synced_ns; /* CLOCK_MONOTONIC */
	bool unsynced; /* windows of `live` */
	struct rollup *rolling; /* what is being made; NULL: nothing */
	struct layout_frame last; /* window */
	bool has_last;
	uint64_t last_start_ns, last_monotonic_ns; /* of the last window */
	uint64_t distrust_until_ns; /* CLOCK_MONOTONIC */
	uint64_t retry_ns; /* of what could not be rolled up, wall clock */
};

struct store_options store_options_default(void)
{
	struct store_options o = {
		.max_bytes = 2ULL << 30,
		.sync_ns = 60 * NS_PER_S,
		.limits = STORE_LIMITS_DEFAULT,
	};

	for (uint32_t i = 0; i < STORE_LEVELS; i++)
		o.age_ns[i] = store_levels[i].age_ns;
	return o;
}

const struct store_writer_stats *store_writer_stats(const struct store_writer *w)
{
	return &w->stats;
}

/* ---- opening ---- */

static int lock_store(struct store_writer *w, struct err *err)
{
	w->lock = openat(w->dirfd, STORE_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			 DIRECTORY_MODE_LOCK);
	if (w->lock < 0)
		return err_errno(err, -errno, "cannot write the store");
	if (flock(w->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(err, -EBUSY, "another slowburn writes this store: it has its lock");
	return err_errno(err, -errno, "cannot lock the store");
}

/*
 * The number behind the last one that a file of level 0 may have. Its last window is the store's, if no newer file had one: a file
 * that was begun by a kill's victim has none.
 */
static uint64_t behind(struct store_writer *w, const struct catalog_file *f)
{
	char name[CATALOG_NAME_BYTES];
	uint64_t next = f->first + 1;
	bool newer = w->has_last;
	struct layout_frame frame;
	struct segment *s;
	int fd, r;

	catalog_name(f, name);
	fd = catalog_open(w->dirfd, name, NULL);
	r = fd < 0 ? fd : segment_open(&s, fd, name, &w->options.limits, NULL);
	if (r < 0)
		return next + UNKNOWN_SEQUENCES;
	while ((r = segment_next(s, &frame, NULL)) == 1) {
		next = frame.sequence + 1;
		if (newer)
			continue;
		w->last = frame;
		w->has_last = true;
	}
	segment_free(s);
	return r < 0 ? next + UNKNOWN_SEQUENCES : next;
}

/* Of level 0, the one whose windows came last before those of `before`. */
static const struct catalog_file *newest(const struct store_writer *w, uint64_t before)
{
	const struct catalog_file *found = NULL;

	for (uint32_t i = 0; i < w->catalog.files.count; i++) {
		const struct catalog_file *f = &w->catalog.files.items[i];

		if (!f->level && f->first < before && (!found || f->first > found->first))
			found = f;
	}
	return found;
}

static void find_next(struct store_writer *w)
{
	const struct catalog_file *f = newest(w, UINT64_MAX);

	w->next = 1;
	for (uint32_t i = 0; i < w->catalog.files.count; i++)
		if (w->catalog.files.items[i].last >= w->next)
			w->next = w->catalog.files.items[i].last + 1;
	for (uint32_t i = 0; f && !w->has_last && i < MAX_LOOKS; i++) {
		uint64_t next = behind(w, f);

		if (next > w->next)
			w->next = next;
		f = newest(w, f->first);
	}
}

bool store_writer_last(const struct store_writer *w, struct layout_frame *ret)
{
	if (w->has_last)
		*ret = w->last;
	return w->has_last;
}

const struct catalog *store_writer_catalog(const struct store_writer *w)
{
	return &w->catalog;
}

static int remove_leftovers(struct store_writer *w, struct err *err)
{
	static const char *const names[] = { CATALOG_UNFINISHED, CATALOG_BEGUN };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (unlinkat(w->dirfd, names[i], 0) < 0 && errno != ENOENT)
			return err_errno(err, -errno, "cannot write the store");
	return 0;
}

int store_writer_open(struct store_writer **ret, int dirfd, const struct store_options *options,
		      struct err *err)
{
	struct store_writer *w;
	int r;

	if (options->max_bytes < STORE_MIN_BYTES)
		return err_set(err, -EINVAL, "a store needs %u bytes at least", STORE_MIN_BYTES);
	w = calloc(1, sizeof(*w));
	if (!w)
		return err_errno(err, -ENOMEM, "cannot write the store");
	w->dirfd = dirfd;
	w->lock = -1;
	w->options = *options;
	r = lock_store(w, err);
	if (r == 0)
		r = remove_leftovers(w, err);
	if (r == 0)
		r = catalog_read(&w->catalog, dirfd, err);
	if (r < 0) {
		store_writer_free(w);
		return r;
	}
	find_next(w);
	*ret = w;
	return 0;
}

/* ---- bytes ---- */

uint64_t store_writer_bytes(const struct store_writer *w)
{
	uint64_t sum = w->rolling ? rollup_bytes(w->rolling) : 0;
	struct stat st;

	for (uint32_t i = 0; i < w->catalog.files.count; i++)
		sum += w->catalog.files.items[i].bytes;
	if (fstat(w->dirfd, &st) == 0)
		sum += catalog_bytes(&st);
	return sum;
}

static bool is_live(const struct store_writer *w, const struct catalog_file *f)
{
	return w->live && !f->level && f->first == w->live_file.first;
}

/* Emptied first: who holds it open keeps no blocks. */
static int give_up(struct store_writer *w, uint32_t i)
{
	char name[CATALOG_NAME_BYTES];
	_cleanup_(fd_close) int fd = -1;

	catalog_name(&w->catalog.files.items[i], name);
	fd = openat(w->dirfd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		(void)!ftruncate(fd, 0);
	if (unlinkat(w->dirfd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	catalog_remove(&w->catalog, i);
	return 0;
}

/*
 * May it go? Not before the finer ones that it stands for: they would be rolled up again, and that without an end where there
 * is no room.
 */
static bool may_go(const struct store_writer *w, const struct catalog_file *f,
		   const struct catalog_file *spared)
{
	const struct catalog *c = &w->catalog;

	if (is_live(w, f) || (spared && catalog_is_child(spared, f)))
		return false;
	for (uint32_t i = 0; i < c->files.count && c->files.items[i].level < f->level; i++)
		if (catalog_is_child(f, &c->files.items[i]))
			return false;
	return true;
}

/* The oldest file of the level that is furthest beyond its share, but for those of `spared`; UINT32_MAX: none. */
static uint32_t victim(const struct store_writer *w, const struct catalog_file *spared)
{
	uint64_t bytes[STORE_LEVELS] = { 0 }, most = 0;
	uint32_t oldest[STORE_LEVELS], found = UINT32_MAX;

	memset(oldest, 0xff, sizeof(oldest));
	for (uint32_t i = 0; i < w->catalog.files.count; i++) {
		const struct catalog_file *f = &w->catalog.files.items[i];

		bytes[f->level] += f->bytes;
		if (oldest[f->level] == UINT32_MAX && may_go(w, f, spared))
			oldest[f->level] = i;
	}
	for (uint32_t l = 0; l < STORE_LEVELS; l++) {
		if (oldest[l] == UINT32_MAX || bytes[l] / store_levels[l].share < most)
			continue;
		most = bytes[l] / store_levels[l].share;
		found = oldest[l];
	}
	return found;
}

/* -EDQUOT: there is no more that could give way. What is being rolled up has its sources spared. */
static int make_room(struct store_writer *w, uint64_t need)
{
	const struct catalog_file *spared = w->rolling ? rollup_file(w->rolling) : NULL;

	while (store_writer_bytes(w) + need > w->options.max_bytes) {
		uint32_t i = victim(w, spared);

		if (i == UINT32_MAX || give_up(w, i) < 0)
			return -EDQUOT;
		w->stats.expired_by_bytes++;
	}
	return 0;
}

/* It is begun anew some time later. */
static void abandon_rolling(struct store_writer *w, uint64_t now_ns)
{
	w->stats.sources_bad += rollup_bad(w->rolling);
	w->stats.roll_ups_failed++;
	w->retry_ns = now_ns + RETRY_NS;
	rollup_free(w->rolling);
	w->rolling = NULL;
}

/* For a window, which is worth more than what is made of older ones. */
static int make_room_for_window(struct store_writer *w, uint64_t need)
{
	int r = make_room(w, need);

	if (r == 0 || !w->rolling)
		return r;
	abandon_rolling(w, w->last.start_ns);
	return make_room(w, need);
}

/* On a full disk one file gives way to a window, no more: others may be filling it. */
static bool give_way(struct store_writer *w, int r)
{
	uint32_t i;

	if (r != -ENOSPC && r != -EDQUOT)
		return false;
	if (w->rolling) {
		abandon_rolling(w, w->last.start_ns);
		return true;
	}
	i = victim(w, NULL);
	if (i == UINT32_MAX || give_up(w, i) < 0)
		return false;
	w->stats.expired_by_bytes++;
	return true;
}

/* ---- the file that is being written ---- */

static void measure_live(struct store_writer *w)
{
	struct stat st;

	if (fstat(appender_fd(w->live), &st) < 0)
		return;
	for (uint32_t i = 0; i < w->catalog.files.count; i++)
		if (is_live(w, &w->catalog.files.items[i]))
			w->catalog.files.items[i].bytes = catalog_bytes(&st);
}

/* No window could be written to it. The next file has the same number, and may have the same name. */
static void forget_live(struct store_writer *w)
{
	appender_free(w->live);
	w->live = NULL;
	w->unsynced = false;
	for (uint32_t i = 0; i < w->catalog.files.count; i++) {
		const struct catalog_file *f = &w->catalog.files.items[i];

		if (f->level || f->first != w->live_file.first)
			continue;
		if (give_up(w, i) < 0)
			catalog_remove(&w->catalog, i);
		return;
	}
}

void store_writer_end(struct store_writer *w)
{
	if (!w->live)
		return;
	if (w->next == w->live_file.first) {
		forget_live(w);
		return;
	}
	/* Without its end it is as after a kill: nothing is lost by that. */
	if (make_room_for_window(w, PAGE_BYTES) == 0)
		(void)appender_close(w->live);
	measure_live(w);
	appender_free(w->live);
	w->live = NULL;
	w->unsynced = false;
}

void store_writer_free(struct store_writer *w)
{
	if (!w)
		return;
	rollup_free(w->rolling);
	w->rolling = NULL;
	store_writer_end(w);
	fd_close(&w->lock);
	catalog_release(&w->catalog);
	free(w);
}

/* It gets its name with its header in it: a kill, or a reader, never meets a file without one. */
static int create_live(struct store_writer *w, const char *name, const struct layout_header *header,
		       struct err *err)
{
	int r = appender_new(&w->live, w->dirfd, CATALOG_BEGUN, header, err);

	if (r < 0)
		return r;
	r = appender_publish(w->dirfd, CATALOG_BEGUN, name, err);
	if (r < 0) {
		unlinkat(w->dirfd, CATALOG_BEGUN, 0);
		appender_free(w->live);
		w->live = NULL;
	}
	return r;
}

static int begin_live(struct store_writer *w, uint64_t start_ns, struct err *err)
{
	struct catalog_file f = { .slot_ns = store_slot(0, start_ns),
				  .first = w->next,
				  .last = w->next,
				  .bytes = PAGE_BYTES };
	const struct layout_header header = { .slot_ns = f.slot_ns,
					      .window_ns = store_levels[0].window_ns,
					      .first = f.first,
					      .created_ns = start_ns };
	char name[CATALOG_NAME_BYTES];
	int r = make_room_for_window(w, PAGE_BYTES);

	if (r == 0)
		r = catalog_add(&w->catalog, &f);
	if (r < 0)
		return err_errno(err, r, "cannot begin a file of the store");
	catalog_name(&f, name);
	r = create_live(w, name, &header, err);
	if (give_way(w, r))
		r = create_live(w, name, &header, err);
	if (r < 0) {
		for (uint32_t i = 0; i < w->catalog.files.count; i++)
			if (!w->catalog.files.items[i].level &&
			    w->catalog.files.items[i].first == f.first)
				catalog_remove(&w->catalog, i);
		return r;
	}
	w->live_file = f;
	return 0;
}

/* Somebody removed it: what is written to it is nobody's. */
static bool is_gone(const struct store_writer *w)
{
	struct stat st;

	return fstat(appender_fd(w->live), &st) < 0 || !st.st_nlink;
}

uint64_t store_writer_file(const struct store_writer *w, uint64_t start_ns)
{
	/* So that an hour of much work doesn't become a file that alone is beyond the limit. */
	if (!w->live || appender_bytes(w->live) > w->options.max_bytes / 16 ||
	    store_slot(0, start_ns) != w->live_file.slot_ns || is_gone(w))
		return 0;
	return w->live_file.first;
}

/* ---- windows ---- */

static void watch_clock(struct store_writer *w, const struct layout_frame *x)
{
	uint64_t passed_ns = x->monotonic_ns - w->last_monotonic_ns;

	if (w->last_start_ns && x->monotonic_ns >= w->last_monotonic_ns &&
	    x->start_ns > w->last_start_ns + passed_ns + LEAP_NS)
		w->distrust_until_ns = x->monotonic_ns + DISTRUST_NS;
	w->last_start_ns = x->start_ns;
	w->last_monotonic_ns = x->monotonic_ns;
}

static int drop(struct store_writer *w, const struct layout_frame *f, int r, struct err *err,
		const char *why)
{
	w->stats.windows_dropped++;
	w->stats.samples_dropped += f->count;
	return why ? err_errno(err, r, "%s", why) : r;
}

static int write_frame(struct store_writer *w, void *frame, size_t len)
{
	int r = make_room_for_window(w, len + PAGE_BYTES);

	if (r == 0)
		r = appender_add(w->live, frame, len, w->next);
	if (give_way(w, r))
		r = appender_add(w->live, frame, len, w->next);
	measure_live(w);
	return r;
}

/* Whoever waits to hear that a window is written doesn't wait for the disk. True: it was time. */
static bool sync_live(struct store_writer *w)
{
	if (!w->unsynced || (w->last_monotonic_ns >= w->synced_ns &&
			     w->last_monotonic_ns - w->synced_ns < w->options.sync_ns))
		return false;
	w->synced_ns = w->last_monotonic_ns;
	w->unsynced = false;
	w->stats.syncs_failed += appender_sync(w->live) < 0;
	return true;
}

int store_writer_append(struct store_writer *w, void *frame, size_t len, uint64_t *ret_sequence,
			struct err *err)
{
	struct layout_frame f = { 0 };
	int r = layout_window_read(frame, len, &f);

	if (r < 0)
		return drop(w, &f, r, err, "what is to be written is no window");
	if (f.flags & LAYOUT_WHOLE) {
		store_writer_end(w);
		r = begin_live(w, f.start_ns, err);
		if (r < 0)
			return drop(w, &f, r, err, NULL);
	} else if (!store_writer_file(w, f.start_ns)) {
		return err_errno(err, -ESTALE, "the file of this window is no longer written");
	}
	watch_clock(w, &f);
	r = write_frame(w, frame, len);
	if (r < 0)
		return drop(w, &f, r, err, "cannot write a window");
	f.sequence = w->next++;
	w->last = f;
	w->has_last = true;
	w->stats.windows++;
	w->stats.samples += f.count;
	w->stats.bytes += len;
	w->unsynced = true;
	*ret_sequence = f.sequence;
	return 0;
}

/* ---- what becomes of old files ---- */

static bool expire(struct store_writer *w, uint64_t now_ns)
{
	if (w->last_monotonic_ns < w->distrust_until_ns)
		return false;
	for (uint32_t i = 0; i < w->catalog.files.count; i++) {
		const struct catalog_file *f = &w->catalog.files.items[i];
		uint64_t age_ns = w->options.age_ns[f->level];
		uint64_t end_ns = f->slot_ns + store_levels[f->level].span_ns;

		if (!age_ns || now_ns < end_ns || now_ns - end_ns < age_ns || !may_go(w, f, NULL))
			continue;
		if (give_up(w, i) < 0)
			continue;
		w->stats.expired_by_age++;
		return true;
	}
	return false;
}

/* Is there a finer file of that time which is yet to be rolled up into this level? */
static bool is_awaited(const struct store_writer *w, uint32_t level, uint64_t slot_ns,
		       uint64_t span_ns)
{
	const struct catalog *c = &w->catalog;

	for (uint32_t i = 0; i < c->files.count && c->files.items[i].level < level; i++) {
		const struct catalog_file *f = &c->files.items[i];

		if (f->slot_ns >= slot_ns && f->slot_ns - slot_ns < span_ns &&
		    !catalog_is_covered(c, f))
			return true;
	}
	return false;
}

static int compare_first(const void *a, const void *b)
{
	const struct catalog_file *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* The files that are to become one with file `i`; how many. */
static uint32_t batch(const struct store_writer *w, uint32_t i, struct catalog_file *ret)
{
	const struct catalog_file *first = &w->catalog.files.items[i];
	uint32_t up = first->level + 1, n = 0;
	uint64_t slot_ns = store_slot(up, first->slot_ns);

	for (; i < w->catalog.files.count && n < MAX_ROLLUP_FILES; i++) {
		const struct catalog_file *f = &w->catalog.files.items[i];

		if (f->level == first->level && store_slot(up, f->slot_ns) == slot_ns &&
		    !is_live(w, f) && !catalog_is_covered(&w->catalog, f))
			ret[n++] = *f;
	}
	qsort(ret, n, sizeof(*ret), compare_first);
	return n;
}

static bool is_due(const struct store_writer *w, const struct catalog_file *f, uint64_t now_ns)
{
	uint32_t up = f->level + 1;
	uint64_t slot_ns, span_ns;

	if (up == STORE_LEVELS || is_live(w, f) || catalog_is_covered(&w->catalog, f))
		return false;
	slot_ns = store_slot(up, f->slot_ns);
	span_ns = store_levels[up].span_ns;
	return now_ns >= slot_ns && now_ns - slot_ns >= span_ns &&
	       !is_awaited(w, f->level, slot_ns, span_ns);
}

static int make_room_for_rolling(void *ctx, uint64_t bytes)
{
	struct store_writer *w = ctx;

	return make_room(w, bytes + PAGE_BYTES - (w->rolling ? rollup_bytes(w->rolling) : 0));
}

static int begin_rolling(struct store_writer *w, uint32_t i, uint64_t now_ns, struct err *err)
{
	_cleanup_(free_ptr) struct catalog_file *sources =
		calloc(MAX_ROLLUP_FILES, sizeof(*sources));
	struct rollup_job job = { .dirfd = w->dirfd,
				  .sources = sources,
				  .room = make_room_for_rolling,
				  .ctx = w,
				  .limits = w->options.limits,
				  .created_ns = now_ns };
	int r;

	if (!sources)
		return err_errno(err, -ENOMEM, "cannot roll up");
	job.count = batch(w, i, sources);
	r = rollup_new(&w->rolling, &job, err);
	if (r == 0 && make_room(w, PAGE_BYTES) < 0)
		r = err_errno(err, -EDQUOT, "the store has no room for what is rolled up");
	return r < 0 ? r : 1;
}

/* A bit more of what is being made. */
static int go_on_rolling(struct store_writer *w, struct err *err)
{
	struct catalog_file made;
	int r = rollup_step(w->rolling, &made, err);

	if (r == 1)
		return 1;
	if (r == 0) {
		r = catalog_add(&w->catalog, &made);
		w->stats.rolled_up++;
		w->stats.sources_bad += rollup_bad(w->rolling);
		rollup_free(w->rolling);
		w->rolling = NULL;
	}
	return r < 0 ? r : 1;
}

/* One that is due, if any. */
static int begin_next(struct store_writer *w, uint64_t now_ns, struct err *err)
{
	if (now_ns < w->retry_ns && w->retry_ns - now_ns <= RETRY_NS)
		return 0;
	for (uint32_t i = 0; i < w->catalog.files.count; i++)
		if (is_due(w, &w->catalog.files.items[i], now_ns))
			return begin_rolling(w, i, now_ns, err);
	return 0;
}

static int roll_up(struct store_writer *w, uint64_t now_ns, struct err *err)
{
	int r = w->rolling ? go_on_rolling(w, err) : begin_next(w, now_ns, err);

	if (r < 0 && w->rolling) {
		abandon_rolling(w, now_ns);
	} else if (r < 0) {
		w->stats.roll_ups_failed++;
		w->retry_ns = now_ns + RETRY_NS;
	}
	return r;
}

/* What is too old may be what nobody has rolled up yet, after a pause of ours: that comes first. */
int store_writer_tidy(struct store_writer *w, uint64_t now_ns, struct err *err)
{
	int r;

	if (sync_live(w))
		return 1;
	r = roll_up(w, now_ns, err);
	return r == 0 && expire(w, now_ns) ? 1 : r;
}
