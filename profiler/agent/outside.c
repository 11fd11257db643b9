// SPDX-License-Identifier: Apache-2.0
/*
 * A process_source whose facts come from another process. What it says is checked here, once: that replies
 * are whole, that a descriptor reads a regular file and can't write it, that a copy can't change any more.
 *
 * Some processes and files make openers wait for ever: a FUSE server that never answers, a process whose
 * memory map is locked by a thread that waits for such a server. Each costs a request, and is then
 * remembered. A request for many texts that failed says nothing of which was the reason: the one that is
 * needed is asked for again alone, in the other half of its time.
 *
 * Refused: one budget of lost time for both roles. A slow file system is what the fetcher is for, and must
 * not cost the texts of /proc.
 */
#include "profiler/agent/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/agent/ahead.h"
#include "profiler/agent/peer.h"
#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/opener/protocol.h"

#define DEADLINE_NS NS_PER_S
#define MAX_REMEMBERED 64
#define KNOWN_KINDS (PROCESS_FILE_AMBIGUOUS | PROCESS_FILE_SLOW)
#define NEEDED_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Those that cost a request; beyond the maximum the first are forgotten. */
struct culprits {
	uint64_t items[MAX_REMEMBERED];
	uint32_t count;
};

struct outside {
	struct process_source source;
	struct counters *counters; /* borrowed */
	struct peer opener, fetcher;
	struct ahead ahead;
	struct buffer request;
	struct culprits pids, devices, debug_pids;
	uint64_t deadline_ns;
};

/* ---- culprits ---- */

static void culprit_add(struct culprits *c, uint64_t item)
{
	c->items[c->count++ % MAX_REMEMBERED] = item;
}

static bool is_culprit(const struct culprits *c, uint64_t item)
{
	for (uint32_t i = 0; i < c->count && i < MAX_REMEMBERED; i++)
		if (c->items[i] == item)
			return true;
	return false;
}

/*
 * Of a file system without a disk. One on a disk is never a culprit: a process that makes us look for its
 * file by a name that leads elsewhere must not cost all others theirs.
 */
static uint64_t device_of(const struct file_place *place)
{
	return place->major == 0 ? place->minor : UINT64_MAX;
}

/* ---- asking ---- */

static int ask(struct outside *o, struct peer *p, uint32_t type, uint64_t deadline_ns,
	       struct err *err)
{
	int r = buffer_error(&o->request);

	if (r < 0)
		return err_errno(err, r, "the %s could not be asked", p->role);
	r = peer_ask(p, type, &o->request, NULL, 0, OPENER_REPLY, deadline_ns, err);
	/* One that can't be started was not asked; that a file system gives no answer is no fetcher's fault. */
	if (r < 0 && p->asked && !(p == &o->fetcher && r == -ETIMEDOUT))
		counter_add(o->counters, COUNTER_OPENER_FAILED, 1);
	return r;
}

static int disbelieve(struct outside *o, struct peer *p)
{
	peer_disbelieve(p);
	counter_add(o->counters, COUNTER_OPENER_FAILED, 1);
	return -EPROTO;
}

/* The one result of a reply that has no more than `max_fds` descriptors. Its status, or -EPROTO. */
static int reply_status(struct outside *o, struct peer *p, uint32_t max_fds, const char **ret_bytes,
			uint32_t *ret_len)
{
	const struct socket_message *reply = &p->reply;
	struct opener_result result;
	size_t at = 0;

	if (opener_result_parse(&reply->bytes, &at, &result, ret_bytes) < 0 ||
	    at != reply->bytes.len || reply->fd_count > (result.status < 0 ? 0 : max_fds))
		return disbelieve(o, p);
	*ret_len = result.len;
	return result.status;
}

/* ---- texts ---- */

static int texts_ask(struct outside *o, const struct opener_text *texts, uint32_t count,
		     uint64_t deadline_ns)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int r;

	buffer_clear(&o->request);
	buffer_append(&o->request, texts, count * sizeof(*texts));
	r = ask(o, &o->opener, OPENER_READ, deadline_ns, NULL);
	if (r < 0)
		return r;
	if (o->opener.reply.fd_count ||
	    ahead_fill(&o->ahead, texts, count, &o->opener.reply.bytes, now_ns) < 0)
		return disbelieve(o, &o->opener);
	return 0;
}

static int outside_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	struct opener_text texts[AHEAD_MAX_TEXTS];
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct outside *o = ctx;
	size_t before = out->len;
	uint32_t count;
	bool many;
	int r;

	if (ahead_take(&o->ahead, what, pid, now_ns, out, &r))
		return r;
	if (is_culprit(&o->pids, pid))
		return -ETIMEDOUT;
	count = ahead_plan(&o->ahead, what, pid, now_ns, texts);
	many = count > 1 && texts[1].pid != pid;
	r = texts_ask(o, texts, count, many || !pid ? o->deadline_ns / 2 : o->deadline_ns);
	/* A list is nobody's: nothing in it can be at fault. */
	if (r < 0 && (many || !pid) && o->opener.asked) {
		ahead_forget(&o->ahead);
		r = texts_ask(o, texts, 1, o->deadline_ns / 2);
	}
	if (r < 0) {
		ahead_forget(&o->ahead);
		if (pid && o->opener.asked)
			culprit_add(&o->pids, pid);
		return r;
	}
	r = ahead_first(&o->ahead, out);
	if (r == 0 && what == PROCESS_TEXT_PIDS)
		ahead_list(&o->ahead, out->data + before, out->len - before, now_ns);
	return r;
}

/* ---- files ---- */

static int descriptor_check(int fd, bool sealed)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	/* Not fstat() by a path that is empty, as libraries make of it: a filter can't look at one. */
	if (flags < 0 || flags & O_PATH || syscall(SYS_fstat, fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EPROTO;
	if (!sealed)
		return (flags & O_ACCMODE) == O_RDONLY ? 0 : -EPROTO;
	flags = fcntl(fd, F_GET_SEALS);
	return flags >= 0 && (flags & NEEDED_SEALS) == NEEDED_SEALS ? 0 : -EPROTO;
}

/* The reply's first descriptor, checked, now the caller's. 0 or -EPROTO. */
static int descriptor_take(struct outside *o, struct peer *p, uint32_t which, bool sealed,
			   int *ret_fd)
{
	if (which >= p->reply.fd_count || descriptor_check(p->reply.fds[which], sealed) < 0)
		return disbelieve(o, p);
	*ret_fd = take_fd(&p->reply.fds[which]);
	return 0;
}

/* With no room for a descriptor the reply would come without: then nobody is at fault but us. */
static int descriptor_room(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		return -errno;
	fd_close(&fd);
	return 0;
}

static int place_ask(struct outside *o, struct peer *p, uint32_t type,
		     const struct file_place *place)
{
	const char *bytes;
	uint32_t len;
	int r = descriptor_room();

	if (r < 0)
		return r;
	if (is_culprit(&o->pids, place->pid))
		return -ETIMEDOUT;
	buffer_clear(&o->request);
	opener_place_write(place, &o->request);
	r = ask(o, p, type, o->deadline_ns, NULL);
	if (r < 0) {
		if (p->asked && place->pid)
			culprit_add(&o->pids, place->pid);
		return r;
	}
	r = reply_status(o, p, 1, &bytes, &len);
	return r >= 0 && len ? disbelieve(o, p) : r;
}

static int outside_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	struct outside *o = ctx;
	int kind = place_ask(o, &o->opener, OPENER_OPEN, place), r;

	if (kind < 0)
		return kind;
	if (kind & ~KNOWN_KINDS || (kind & PROCESS_FILE_SLOW && o->opener.reply.fd_count))
		return disbelieve(o, &o->opener);
	if (kind & PROCESS_FILE_SLOW) {
		*ret_fd = -1;
		return kind;
	}
	r = descriptor_take(o, &o->opener, 0, false, ret_fd);
	return r < 0 ? r : kind;
}

static int outside_fetch(void *ctx, const struct file_place *place, int *ret_fd)
{
	uint64_t device = device_of(place);
	struct outside *o = ctx;
	int r;

	if (is_culprit(&o->devices, device))
		return -ETIMEDOUT;
	r = place_ask(o, &o->fetcher, OPENER_FETCH, place);
	if (r == -ETIMEDOUT && o->fetcher.asked && device != UINT64_MAX)
		culprit_add(&o->devices, device);
	if (r > 0)
		return disbelieve(o, &o->fetcher);
	return r < 0 ? r : descriptor_take(o, &o->fetcher, 0, true, ret_fd);
}

/* What is wrong with a root's folders of debug files is no reason not to read of its processes. */
static int debug_ask(struct outside *o, const struct debug_place *place, uint32_t first)
{
	int r = descriptor_room();

	if (r < 0)
		return r;
	if (is_culprit(&o->debug_pids, place->pid))
		return -ETIMEDOUT;
	buffer_clear(&o->request);
	opener_debug_write(place, first, &o->request);
	r = ask(o, &o->fetcher, OPENER_DEBUG, o->deadline_ns, NULL);
	if (r < 0 && o->fetcher.asked)
		culprit_add(&o->debug_pids, place->pid);
	return r;
}

int outside_debug(struct outside *o, const struct debug_place *place, uint32_t first, int *ret_fd,
		  uint32_t *ret_uid)
{
	struct opener_debug_found found;
	int r = debug_ask(o, place, first), fd;
	const char *bytes;
	uint32_t len;

	if (r < 0)
		return r;
	r = reply_status(o, &o->fetcher, 1, &bytes, &len);
	if (r < 0)
		return r;
	if (r >= (int)DEBUG_FILE_CANDIDATES || len != sizeof(found) || !o->fetcher.reply.fd_count)
		return disbelieve(o, &o->fetcher);
	memcpy(&found, bytes, sizeof(found));
	fd = o->fetcher.reply.fds[0];
	if (descriptor_check(fd, false) < 0 && descriptor_check(fd, true) < 0)
		return disbelieve(o, &o->fetcher);
	*ret_fd = take_fd(&o->fetcher.reply.fds[0]);
	*ret_uid = found.uid;
	return r;
}

int outside_kernel(struct outside *o, int *ret_kallsyms, int *ret_modules, struct err *err)
{
	_cleanup_(fd_close) int kallsyms = -1;
	int modules = -1, r;
	const char *bytes;
	uint32_t len;

	buffer_clear(&o->request);
	r = ask(o, &o->opener, OPENER_KERNEL, o->deadline_ns, err);
	if (r < 0)
		return r;
	r = reply_status(o, &o->opener, 2, &bytes, &len);
	if (r > 0)
		r = disbelieve(o, &o->opener);
	if (r < 0)
		return err_errno(err, r, "cannot open \"/proc/kallsyms\"");
	r = descriptor_take(o, &o->opener, 0, false, &kallsyms);
	if (r == 0 && o->opener.reply.fd_count > 1)
		r = descriptor_take(o, &o->opener, 1, false, &modules);
	if (r < 0)
		return err_errno(err, r, "the opener's \"/proc/kallsyms\" is none");
	*ret_kallsyms = take_fd(&kallsyms);
	*ret_modules = modules;
	return 0;
}

/* ---- cgroups ---- */

static int outside_cgroup(void *ctx, const char *mount, const char *path, struct buffer *out)
{
	struct outside *o = ctx;
	const char *bytes = NULL;
	uint32_t len = 0;
	int r;

	buffer_clear(&o->request);
	buffer_append(&o->request, mount, strlen(mount) + 1);
	buffer_append(&o->request, path, strlen(path) + 1);
	r = ask(o, &o->opener, OPENER_CGROUP, o->deadline_ns, NULL);
	if (r == 0)
		r = reply_status(o, &o->opener, 0, &bytes, &len);
	if (r != 0)
		return r < 0 ? r : disbelieve(o, &o->opener);
	buffer_append(out, bytes, len);
	return buffer_error(out);
}

/* ---- life ---- */

int outside_new(struct outside **ret, const struct starter *starter, struct counters *counters,
		struct err *err)
{
	struct outside *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return err_errno(err, -ENOMEM, "the opener could not be started");
	o->source = (struct process_source){
		.ctx = o,
		.read = outside_read,
		.open = outside_open,
		.fetch = outside_fetch,
		.cgroup = outside_cgroup,
	};
	o->counters = counters;
	o->deadline_ns = DEADLINE_NS;
	ahead_init(&o->ahead);
	buffer_init(&o->request, OPENER_MAX_REQUEST_BYTES);
	peer_init(&o->opener, starter, OPENER_ROLE, OPENER_MAX_REPLY_BYTES);
	peer_init(&o->fetcher, starter, FETCHER_ROLE,
		  sizeof(struct opener_result) + sizeof(struct opener_debug_found));
	r = peer_start(&o->opener, err);
	if (r < 0) {
		outside_free(o);
		return r;
	}
	*ret = o;
	return 0;
}

void outside_free(struct outside *o)
{
	if (!o)
		return;
	peer_release(&o->opener);
	peer_release(&o->fetcher);
	ahead_release(&o->ahead);
	buffer_release(&o->request);
	free(o);
}

const struct process_source *outside_source(struct outside *o)
{
	return &o->source;
}

void outside_set_deadline(struct outside *o, uint64_t ns)
{
	o->deadline_ns = ns;
}
