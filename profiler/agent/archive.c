// SPDX-License-Identifier: Apache-2.0
/*
 * A queue of windows, each with its part: the profile whose samples they are. Only the first is ever on its way, so that a reply can be of
 * nothing else, a socket's buffer is never full, and the packer's marks say what the file has. Its frame goes as memory by a
 * descriptor: one small message, whatever its length.
 *
 * When a storekeeper dies between writing and saying so, the next one's HELLO tells which window is the last in the store: it counts once.
 *
 * Refused: keeping packed frames. They would fit the one file that the dead storekeeper wrote.
 */
#include "profiler/agent/archive.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/socket.h"
#include "profiler/store/level.h"
#include "profiler/store/packer.h"
#include "profiler/storekeeper/protocol.h"

/* For the rest of a message that has begun. */
#define PATIENCE_NS (100 * NS_PER_MS)

/* One more than the maximum: of the oldest, a window may be on its way. */
#define PARTS (ARCHIVE_MAX_PARTS + 2)

struct part {
	const struct profile *profile; /* the caller's, or `own`; NULL: nobody's place */
	struct profile own;
	uint32_t windows; /* held */
};

/* A window; what is not its own is in its part. */
struct held {
	struct part *part;
	struct profile_sample *samples;
	uint32_t sample_count;
	struct columns_moment *moments; /* `window` has them */
	struct store_window window;
	struct profile_facts facts;
	struct counters counters;
	uint64_t number, count; /* samples */
};

struct archive {
	int socket;
	bool is_greeted; /* by the storekeeper's HELLO */
	bool is_sent; /* the first window, and there was no reply yet */
	bool was_sent; /* the same, to this storekeeper or one that has gone */
	int lost; /* why there is no storekeeper any more, to be said once */
	struct socket_message message;

	struct held windows[ARCHIVE_MAX_WINDOWS]; /* from `first` on, round */
	uint32_t first, window_count;
	size_t bytes;
	uint64_t number; /* of the last one */
	uint64_t last_start_ns; /* of the last one that was held */

	struct part parts[PARTS];
	struct part *part; /* that is appended to; NULL: none yet */
	uint32_t part_count;

	struct packer *packer;
	const struct part *packed; /* whose windows the file has; NULL: the next frame is whole */
	uint64_t file;
	bool is_full; /* the file has enough of `part` */

	struct archive_fate fates[ARCHIVE_MAX_FATES];
	uint32_t first_fate, fate_count;
	struct counters *counters;
	struct counters dropped,
		told; /* since the last window that got there; what the one on its way says of that */
	uint64_t committed, windows_dropped;
	struct err why;
};

/* ---- life ---- */

int archive_new(struct archive **ret, struct counters *counters)
{
	struct archive *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->socket = -1;
	a->counters = counters;
	socket_message_init(&a->message, KEEPER_MAX_MESSAGE_BYTES);
	if (packer_new(&a->packer, PACKER_EFFORT) < 0) {
		archive_free(a);
		return -ENOMEM;
	}
	*ret = a;
	return 0;
}

static struct held *window_at(struct archive *a, uint32_t i)
{
	return &a->windows[(a->first + i) % ARCHIVE_MAX_WINDOWS];
}

static size_t bytes_of(const struct held *h)
{
	return h->sample_count * sizeof(*h->samples) + h->window.moment_count * sizeof(*h->moments);
}

/* When nothing hangs on it any more. The one that is appended to stays. */
static void part_leave(struct archive *a, struct part *p)
{
	if (p->windows || p == a->part)
		return;
	if (a->packed == p)
		a->packed = NULL;
	if (p->profile == &p->own)
		profile_release(&p->own);
	*p = (struct part){ 0 };
	a->part_count--;
}

static void held_release(struct archive *a, struct held *h)
{
	a->bytes -= bytes_of(h);
	free(h->samples);
	free(h->moments);
	h->part->windows--;
	part_leave(a, h->part);
	*h = (struct held){ 0 };
}

void archive_free(struct archive *a)
{
	if (!a)
		return;
	while (a->window_count)
		held_release(a, window_at(a, --a->window_count));
	fd_close(&a->socket);
	socket_message_release(&a->message);
	packer_free(a->packer);
	free(a);
}

/* ---- what becomes of windows ---- */

static void tell(struct archive *a, const struct held *h, int status, uint64_t sequence)
{
	struct archive_fate *f;

	if (a->fate_count == ARCHIVE_MAX_FATES) {
		a->first_fate = (a->first_fate + 1) % ARCHIVE_MAX_FATES;
		a->fate_count--;
	}
	f = &a->fates[(a->first_fate + a->fate_count++) % ARCHIVE_MAX_FATES];
	*f = (struct archive_fate){ .number = h->number,
				    .sequence = sequence,
				    .start_ns = h->window.start_ns,
				    .end_ns = h->window.end_ns,
				    .samples = h->count,
				    .status = status };
}

static void count_dropped(struct archive *a, const struct held *h, int status)
{
	struct counters *const both[] = { &a->dropped, a->counters };

	for (size_t i = 0; i < 2; i++) {
		if (!both[i])
			continue;
		counter_add(both[i], COUNTER_WINDOWS_DROPPED_STORE, 1);
		counter_add(both[i], COUNTER_SAMPLES_DROPPED_STORE, h->count);
	}
	a->windows_dropped++;
	tell(a, h, status, 0);
}

static void remove_window(struct archive *a, uint32_t i)
{
	held_release(a, window_at(a, i));
	for (; i > 0; i--)
		*window_at(a, i) = *window_at(a, i - 1);
	a->first = (a->first + 1) % ARCHIVE_MAX_WINDOWS;
	a->window_count--;
}

static void drop(struct archive *a, uint32_t i, int status)
{
	count_dropped(a, window_at(a, i), status);
	remove_window(a, i);
}

/* The first one is in the store. */
static void commit(struct archive *a, uint64_t sequence)
{
	for (uint32_t i = 0; i < COUNTER_COUNT; i++)
		a->dropped.value[i] -= a->told.value[i];
	a->committed++;
	tell(a, window_at(a, 0), 0, sequence);
	a->is_sent = a->was_sent = false;
	remove_window(a, 0);
}

/* ---- appending ---- */

bool archive_turns(const struct archive *a, uint64_t start_ns)
{
	return a->part &&
	       (a->is_full || store_slot(0, start_ns) != store_slot(0, a->last_start_ns));
}

static struct part *part_new(struct archive *a, const struct profile *p)
{
	for (uint32_t i = 0; i < PARTS; i++) {
		if (a->parts[i].profile)
			continue;
		a->parts[i].profile = p;
		a->part_count++;
		return &a->parts[i];
	}
	return NULL; /* not reached: archive_part() sees to it */
}

static int copy(void *ret, const void *from, size_t count, size_t size)
{
	void *to = count ? malloc(count * size) : NULL;

	if (count && !to)
		return -ENOMEM;
	if (count)
		memcpy(to, from, count * size);
	*(void **)ret = to;
	return 0;
}

static int hold(struct held *h, const struct profile *p, const struct store_window *w)
{
	int r = copy(&h->samples, p->samples.items, p->samples.count, sizeof(*h->samples));

	if (r < 0)
		return r;
	h->sample_count = p->samples.count;
	r = copy(&h->moments, w->moments, w->moment_count, sizeof(*h->moments));
	if (r < 0) {
		free(h->samples);
		return r;
	}
	h->window = *w;
	h->window.moments = h->moments;
	h->facts = p->facts;
	h->counters = p->counters;
	return 0;
}

/* Room for one more window of so many bytes. The one that may be in the store already stays. */
static int make_room(struct archive *a, size_t bytes)
{
	uint32_t oldest = a->was_sent ? 1 : 0;

	while (a->window_count == ARCHIVE_MAX_WINDOWS || bytes > ARCHIVE_MAX_BYTES - a->bytes) {
		if (a->window_count <= oldest)
			return -E2BIG;
		err_set(&a->why, 0, "the storekeeper doesn't take them in time");
		drop(a, oldest, -ENOBUFS);
	}
	return 0;
}

int archive_append(struct archive *a, struct profile *p, const struct store_window *w)
{
	struct held h = { .number = ++a->number,
			  .window = { .start_ns = w->start_ns, .end_ns = w->end_ns },
			  .count = profile_total_count(p) };
	const struct held size = { .sample_count = p->samples.count,
				   .window.moment_count = w->moment_count };
	int r = bytes_of(&size) > ARCHIVE_MAX_BYTES ? -E2BIG : make_room(a, bytes_of(&size));

	assert(!a->part || a->part->profile == p);
	for (uint32_t i = 0; r == 0 && i < w->moment_count; i++)
		if (w->moments[i].sample >= p->samples.count)
			r = -EINVAL;
	if (r == 0)
		r = hold(&h, p, w);
	if (r < 0) {
		err_errno(&a->why, r, "a window could not be held");
		count_dropped(a, &h, r);
		return r;
	}
	if (!a->part)
		a->part = part_new(a, p);
	h.part = a->part;
	h.part->windows++;
	a->bytes += bytes_of(&h);
	a->last_start_ns = w->start_ns;
	*window_at(a, a->window_count++) = h;
	return 0;
}

/* All windows of the oldest part that has more than the one that may be in the store already. */
static void drop_oldest_part(struct archive *a)
{
	uint32_t at = a->was_sent ? 1 : 0;
	/* That one's own part may have nothing else: then it is the next one's turn. */
	const struct part *oldest = a->window_count > at ? window_at(a, at)->part : NULL;

	err_set(&a->why, 0, "the storekeeper doesn't take them in time");
	while (a->window_count > at && window_at(a, at)->part == oldest)
		drop(a, at, -ENOBUFS);
}

int archive_part(struct archive *a, struct profile *p)
{
	struct part *part = a->part;

	a->part = NULL;
	a->is_full = false;
	if (part && part->windows) {
		part->own = *p;
		part->profile = &part->own;
		*p = (struct profile){ 0 };
		if (a->part_count > ARCHIVE_MAX_PARTS)
			drop_oldest_part(a);
		return 0;
	}
	if (part)
		part_leave(a, part);
	profile_release(p);
	*p = (struct profile){ 0 };
	return 0;
}

/* ---- sending ---- */

void archive_connect(struct archive *a, int fd)
{
	fd_close(&a->socket);
	a->socket = fd;
	a->is_greeted = a->is_sent = false;
	a->packed = NULL; /* it begins a file */
	a->lost = 0;
}

static void disconnect(struct archive *a, int why)
{
	fd_close(&a->socket);
	a->is_greeted = a->is_sent = false;
	a->lost = why;
}

/* Memory with what was packed; nobody waits for it. The descriptor or negative errno. */
static int frame_memory(struct archive *a, size_t *ret_len)
{
	_cleanup_(fd_close) int fd = memfd_create("slowburn-window", MFD_CLOEXEC);
	const void *frame = packer_frame(a->packer, ret_len);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, frame, *ret_len);
	return r < 0 ? r : take_fd(&fd);
}

/* The first window, behind what its file has, or whole. 0 and what is to be said of it. */
static int pack(struct archive *a, struct keeper_window *ret)
{
	const struct held *h = window_at(a, 0);
	struct profile view = *h->part->profile;
	struct counters counters = h->counters;

	if (a->packed != h->part) {
		packer_begin(a->packer);
		a->file = 0;
	}
	view.samples.items = h->samples;
	view.samples.count = h->sample_count;
	view.facts = h->facts;
	a->told = a->dropped;
	counters.value[COUNTER_WINDOWS_DROPPED_STORE] =
		counter_get(&a->told, COUNTER_WINDOWS_DROPPED_STORE);
	counters.value[COUNTER_SAMPLES_DROPPED_STORE] =
		counter_get(&a->told, COUNTER_SAMPLES_DROPPED_STORE);
	*ret = (struct keeper_window){ .number = h->number, .file = a->file };
	return packer_pack(a->packer, &view, &counters, &h->window);
}

static void send_first(struct archive *a)
{
	_cleanup_(fd_close) int fd = -1;
	struct keeper_window head;
	size_t len;
	int r = pack(a, &head);

	if (r == 0) {
		fd = frame_memory(a, &len);
		head.bytes = len;
		r = fd < 0 ? fd : 0;
	}
	if (r < 0) {
		/* What can't be packed now can't be packed later. */
		err_errno(&a->why, r, "a window could not be packed");
		drop(a, 0, r);
		return;
	}
	r = socket_send(a->socket, KEEPER_WINDOW, &head, sizeof(head), &fd, 1,
			clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS);
	a->is_sent = a->was_sent = r == 0;
	if (r < 0)
		disconnect(a, r);
}

/* ---- hearing ---- */

/* Is the first window, of which a storekeeper died that had it, the last one in the store? */
static void hear_hello(struct archive *a, const struct keeper_hello *hello)
{
	const struct held *h = window_at(a, 0);

	a->is_greeted = true;
	if (a->window_count && a->was_sent && hello->sequence &&
	    hello->start_ns == h->window.start_ns && hello->end_ns == h->window.end_ns &&
	    hello->monotonic_ns == h->window.monotonic_ns && hello->count == h->count)
		commit(a, hello->sequence);
	a->was_sent = false;
}

static int hear_committed(struct archive *a, const struct keeper_committed *c)
{
	struct part *part = window_at(a, 0)->part;

	if (!a->is_sent || c->number != window_at(a, 0)->number)
		return -EPROTO;
	packer_keep(a->packer);
	a->file = c->file;
	/* Of a part that nothing hangs on any more, nothing goes on. */
	a->packed = c->full ? NULL : part;
	if (c->full && part == a->part)
		a->is_full = true;
	commit(a, c->sequence);
	return 0;
}

static int hear_refused(struct archive *a, const struct keeper_dropped *d, bool again)
{
	const struct buffer *b = &a->message.bytes;

	if (!a->is_sent || d->number != window_at(a, 0)->number || d->status >= 0)
		return -EPROTO;
	a->is_sent = false;
	if (again) {
		if (!a->file)
			return -EPROTO; /* it was whole */
		a->packed = NULL;
		return 0;
	}
	err_set(&a->why, 0, "%.*s", (int)(b->len - sizeof(*d)), b->data + sizeof(*d));
	a->was_sent = false;
	drop(a, 0, d->status);
	return 0;
}

static int hear(struct archive *a)
{
	const struct buffer *b = &a->message.bytes;
	union {
		struct keeper_hello hello;
		struct keeper_committed committed;
		struct keeper_dropped dropped;
	} x;
	int r = socket_receive(a->socket, &a->message, clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS);

	if (r < 0)
		return r;
	memset(&x, 0, sizeof(x));
	memcpy(&x, b->data, b->len < sizeof(x) ? b->len : sizeof(x));
	switch (a->message.type) {
	case KEEPER_HELLO:
		if (b->len != sizeof(x.hello) || a->is_greeted)
			return -EPROTO;
		hear_hello(a, &x.hello);
		return 0;
	case KEEPER_COMMITTED:
		return b->len == sizeof(x.committed) ? hear_committed(a, &x.committed) : -EPROTO;
	case KEEPER_DROPPED:
	case KEEPER_REPACK:
		return b->len >= sizeof(x.dropped)
			       ? hear_refused(a, &x.dropped, a->message.type == KEEPER_REPACK)
			       : -EPROTO;
	default:
		return -EPROTO;
	}
}

static bool has_message(const struct archive *a)
{
	struct pollfd p = { .fd = a->socket, .events = POLLIN };

	return a->socket >= 0 && poll(&p, 1, 0) > 0;
}

int archive_poll(struct archive *a, struct archive_fate *ret)
{
	int r = 0;

	while (has_message(a)) {
		r = hear(a);
		if (r < 0)
			disconnect(a, r);
	}
	while (a->socket >= 0 && a->is_greeted && !a->is_sent && a->window_count)
		send_first(a);
	if (a->fate_count) {
		*ret = a->fates[a->first_fate];
		a->first_fate = (a->first_fate + 1) % ARCHIVE_MAX_FATES;
		a->fate_count--;
		return 1;
	}
	r = a->lost;
	a->lost = 0;
	return r;
}

/* ---- what it is like ---- */

uint64_t archive_number(const struct archive *a)
{
	return a->number;
}

int archive_fd(const struct archive *a)
{
	return a->socket;
}

void archive_status(const struct archive *a, struct archive_status *ret)
{
	*ret = (struct archive_status){ .windows = a->window_count,
					.parts = a->part_count,
					.bytes = a->bytes,
					.committed = a->committed,
					.dropped = a->windows_dropped,
					.why = a->why };
}
