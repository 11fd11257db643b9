// SPDX-License-Identifier: Apache-2.0
/*
 * What is known of a process is complete from its fork or exec on, as long as no event is lost: then
 * its epoch is the table's. Anything else, and an address in no mapping, is a reason to read /proc,
 * which is of now while events and samples are of up to 0.2 s ago: later events are applied over it
 * again, and come to the same.
 *
 * Refused: asking kill(pid, 0) for who is gone (pids are reused), and giving a dead process's
 * mappings to the next one of its pid (a wrong frame is worse than a missing one).
 */
#include "profiler/process/process.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/number.h"
#include "profiler/process/maps.h"
#include "profiler/process/roster.h"
#include "profiler/process/stat.h"

#define MAX_TEXT_BYTES ((size_t)16 << 20)
/* A text buffer that one huge process made is not kept. */
#define KEPT_TEXT_BYTES ((size_t)1 << 20)

/*
 * Of all processes, by how many of those there may be (agent/budget.c counts on it): one large process, and
 * 16 for each. At most 32 MiB. A busy desktop has 20,000.
 */
#define MIN_ALL_MAPPINGS (2U * PROCESS_MAX_MAPPINGS)
#define MEAN_MAPPINGS 16U
#define MAX_ALL_MAPPINGS (1U << 20)

#define GRACE_NS NS_PER_S
#define SWEEP_EVERY_NS NS_PER_S
#define BACKOFF_MIN_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS (25 * NS_PER_S)

/*
 * The kernel counts up exec_id a moment after it says that a process executed: samples in between
 * must not tell us its new identity.
 */
#define EXEC_SETTLE_NS NS_PER_MS

/* No code is mapped below (vm.mmap_min_addr) or above (5-level paging): not worth a look at /proc. */
#define LOWEST_ADDR 0x10000ULL
#define HIGHEST_ADDR (1ULL << 56)

struct process_table {
	const struct process_source *source;
	struct file_table *files;
	struct counters *counters;
	struct roster roster;
	struct mapping_budget budget;
	uint64_t epoch; /* counts the times that events were lost; from 1 */
	uint64_t next_sweep_ns;
	uint32_t sweep;
	uint32_t refused_pid; /* the last one, so that its frames don't count it again */
	bool sparing; /* with pins */
	struct buffer text; /* of one process */
	struct maps_line line;
};

int process_table_new(struct process_table **ret, const struct process_source *source,
		      struct file_table *files, struct counters *counters, uint32_t max_processes)
{
	struct process_table *t;
	int r;

	assert(max_processes > 0);
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->source = source;
	t->files = files;
	t->counters = counters;
	t->epoch = 1;
	t->budget.max = max_processes < MAX_ALL_MAPPINGS / MEAN_MAPPINGS
				? MIN_ALL_MAPPINGS + max_processes * MEAN_MAPPINGS
				: MAX_ALL_MAPPINGS;
	buffer_init(&t->text, MAX_TEXT_BYTES);
	r = roster_init(&t->roster, max_processes);
	if (r < 0) {
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void process_table_free(struct process_table *t)
{
	if (!t)
		return;
	roster_release(&t->roster);
	buffer_release(&t->text);
	free(t);
}

/* Times may come from a recording: they don't wrap. */
static uint64_t later(uint64_t time_ns, uint64_t delay_ns)
{
	return time_ns > UINT64_MAX - delay_ns ? UINT64_MAX : time_ns + delay_ns;
}

/* ---- coming and going ---- */

static void reap(struct process_table *t, uint64_t time_ns)
{
	struct process *p;

	while ((p = roster_longest_dead(&t->roster)) && time_ns > p->dead_ns &&
	       time_ns - p->dead_ns > GRACE_NS)
		roster_remove(&t->roster, p);
}

static int read_pids(struct process_table *t, struct buffer *pids)
{
	int r;

	buffer_init(pids, MAX_TEXT_BYTES);
	r = t->source->read(t->source->ctx, PROCESS_TEXT_PIDS, 0, pids);
	if (r < 0) {
		buffer_release(pids);
		counter_add(t->counters, COUNTER_PROC_UNREADABLE, 1);
	}
	return r;
}

void process_table_sweep(struct process_table *t, uint64_t time_ns)
{
	struct process *p = NULL;
	struct buffer pids;
	uint32_t pid;
	size_t at = 0;

	if (time_ns < t->next_sweep_ns)
		return;
	t->next_sweep_ns = later(time_ns, SWEEP_EVERY_NS);
	if (read_pids(t, &pids) < 0)
		return;
	t->sweep++;
	while (process_pids_next(&pids, &at, &pid)) {
		p = roster_find(&t->roster, pid);
		if (p)
			p->sweep = t->sweep;
	}
	buffer_release(&pids);
	p = NULL;
	while ((p = roster_next(&t->roster, p)))
		if (!p->dead && p->sweep != t->sweep)
			roster_bury(&t->roster, p, time_ns);
}

static struct process *process_add(struct process_table *t, uint64_t time_ns, uint32_t pid)
{
	struct process *p = roster_add(&t->roster, pid), *dead;

	if (!p) {
		if (!roster_longest_dead(&t->roster))
			process_table_sweep(t, time_ns);
		dead = roster_longest_dead(&t->roster);
		if (dead) {
			roster_remove(&t->roster, dead);
			p = roster_add(&t->roster, pid);
		}
	}
	if (!p && t->refused_pid != pid) {
		t->refused_pid = pid;
		counter_add(t->counters, COUNTER_PROCESSES_REFUSED, 1);
	}
	return p;
}

static struct process *process_get(struct process_table *t, uint64_t time_ns, uint32_t pid)
{
	struct process *p = roster_find(&t->roster, pid);

	return p ? p : process_add(t, time_ns, pid);
}

static void mappings_set(struct process *p, struct mapping_list *mappings)
{
	mapping_list_drop(p->mappings);
	p->mappings = mappings;
	p->last_mapping = 0;
}

/* ---- mappings ---- */

/* System V shared memory: "/SYSV" and its key. */
static bool path_is_sysv(const char *path)
{
	const size_t prefix = strlen("/SYSV"), digits = 8;

	return !strncmp(path, "/SYSV", prefix) && strlen(path) == prefix + digits &&
	       strspn(path + prefix, "0123456789abcdef") == digits;
}

/*
 * What the kernel prints as a path (without " (deleted)") is not always a file: "" and "//anon",
 * "[heap]", "anon_inode:[x]" and shared memory are not. A memfd is.
 */
enum mapping_kind mapping_kind_of(const char *path, uint64_t ino)
{
	if (!strcmp(path, "[vdso]"))
		return MAPPING_VDSO;
	if (path[0] != '/' || !ino || !strcmp(path, "//anon") || !strcmp(path, "/dev/zero") ||
	    !strcmp(path, "/anon_hugepage") || path_is_sysv(path))
		return MAPPING_ANONYMOUS;
	return MAPPING_FILE;
}

/* The file number that came of it; without one it stands in the way of what was mapped here before. */
static void file_set(struct mapping *m, int file)
{
	m->kind = file < 0 ? MAPPING_UNMAPPED : MAPPING_FILE;
	m->file = file < 0 ? 0 : (uint32_t)file;
}

/* The mapping that is at `place` in `p`, whose file gets its number. */
static struct mapping mapping_make(struct process_table *t, struct process *p,
				   const struct file_place *place, uint64_t offset)
{
	struct mapping m = { .start = place->start, .end = place->end };

	m.kind = mapping_kind_of(place->path, place->ino);
	if (m.kind != MAPPING_FILE)
		return m;
	m.offset = offset;
	file_set(&m, file_table_intern(t->files, place, &p->root));
	return m;
}

static int mapping_insert(struct process_table *t, struct mapping_list **l, const struct mapping *m)
{
	int r = mapping_list_insert(l, &t->budget, m);

	if (r < 0)
		counter_add(t->counters, COUNTER_MAPPINGS_REFUSED, 1);
	return r;
}

/* The executable mappings in the text of /proc/PID/maps. */
static struct mapping_list *text_mappings(struct process_table *t, struct process *p)
{
	struct mapping_list *l = NULL;
	const struct maps_line *line = &t->line;

	for (size_t at = 0, used; at < t->text.len; at += used) {
		int r = maps_line_parse(t->text.data + at, t->text.len - at, &t->line, &used);
		struct file_place place;
		struct mapping m;

		if (r < 0)
			counter_add(t->counters, COUNTER_MAPS_MALFORMED, 1);
		if (r < 0 || !line->executable)
			continue;
		place = (struct file_place){
			.pid = p->pid,
			.parent_pid = p->parent_pid,
			.start = line->start,
			.end = line->end,
			.ino = line->ino,
			.major = line->major,
			.minor = line->minor,
			.path = line->path,
		};
		m = mapping_make(t, p, &place, line->offset);
		mapping_insert(t, &l, &m);
	}
	return l;
}

/* ---- /proc ---- */

static int text_read(struct process_table *t, enum process_text what, uint32_t pid)
{
	int r;

	if (t->text.capacity > KEPT_TEXT_BYTES)
		buffer_release(&t->text);
	buffer_clear(&t->text);
	r = t->source->read(t->source->ctx, what, pid, &t->text);
	if (r < 0)
		counter_add(t->counters, COUNTER_PROC_UNREADABLE, 1);
	return r;
}

/* Is the process that has this pid now the one that started then? */
static int start_check(struct process_table *t, uint32_t pid, uint64_t start_ns)
{
	uint64_t ticks;
	int r = text_read(t, PROCESS_TEXT_STAT, pid);

	if (r < 0)
		return r;
	r = stat_start_parse(t->text.data, t->text.len, &ticks);
	if (r < 0)
		return r;
	return stat_start_agrees(ticks, start_ns) ? 0 : -ESRCH;
}

/*
 * Reads its mappings anew. They replace those that are known, unless there are none (a kernel thread, a
 * leader that exited before its threads) or they belong to another process: its start is looked at
 * after them, so that they can't be of a later one.
 */
static int mappings_read(struct process_table *t, struct process *p)
{
	struct mapping_list *l;
	int r = text_read(t, PROCESS_TEXT_MAPS, p->pid);

	if (r < 0)
		return r;
	p->root = ROOT_UNASKED;
	l = text_mappings(t, p);
	if (!l)
		return -ENODATA;
	if (p->start_ns)
		r = start_check(t, p->pid, p->start_ns);
	if (r < 0) {
		mapping_list_drop(l);
		return r;
	}
	mappings_set(p, l);
	p->epoch = t->epoch;
	return 0;
}

/* Reads them if it is time to; true if they were. */
static bool mappings_refresh(struct process_table *t, struct process *p, uint64_t time_ns)
{
	int r;

	if (p->dead || time_ns < p->next_read_ns)
		return false;
	/* The first time, and after a long time without need. */
	if (!p->backoff_ns || time_ns >= later(p->next_read_ns, BACKOFF_MAX_NS))
		p->backoff_ns = BACKOFF_MIN_NS;
	else if (p->backoff_ns < BACKOFF_MAX_NS / 2)
		p->backoff_ns *= 2;
	else
		p->backoff_ns = BACKOFF_MAX_NS;
	p->next_read_ns = later(time_ns, p->backoff_ns);

	r = mappings_read(t, p);
	if (r == -ENOENT || r == -ESRCH)
		roster_bury(&t->roster, p, time_ns);
	return r == 0;
}

int process_table_scan(struct process_table *t, uint64_t time_ns)
{
	struct buffer pids;
	uint32_t pid;
	size_t at = 0;
	int r = read_pids(t, &pids);

	if (r < 0)
		return r;
	while (process_pids_next(&pids, &at, &pid)) {
		struct process *p = process_get(t, time_ns, pid);

		if (!p)
			continue;
		r = mappings_read(t, p);
		if (r == -ENOENT || r == -ESRCH)
			roster_bury(&t->roster, p, time_ns);
		else
			roster_revive(&t->roster, p);
	}
	buffer_release(&pids);
	return 0;
}

/* ---- events ---- */

/* The process begins anew at `time_ns`, with `mappings`. */
static void image_begin(struct process_table *t, struct process *p, uint64_t time_ns,
			struct mapping_list *mappings)
{
	roster_revive(&t->roster, p);
	mappings_set(p, mappings);
	p->root = ROOT_UNASKED;
	p->exec_ns = time_ns;
	p->exec_known = false;
	p->next_read_ns = 0;
	p->backoff_ns = 0;
}

void process_table_fork(struct process_table *t, uint64_t time_ns, uint32_t pid,
			uint32_t parent_pid)
{
	struct process *p, *parent;

	if (pid == parent_pid)
		return;
	reap(t, time_ns);
	p = process_get(t, time_ns, pid);
	if (!p)
		return;
	parent = roster_find(&t->roster, parent_pid);
	image_begin(t, p, time_ns, parent ? mapping_list_share(parent->mappings) : NULL);
	p->start_ns = 0;
	p->epoch = parent ? parent->epoch : 0;
	p->parent_pid = parent_pid;
}

void process_table_exec(struct process_table *t, uint64_t time_ns, uint32_t pid)
{
	struct process *p;

	reap(t, time_ns);
	p = process_get(t, time_ns, pid);
	if (!p)
		return;
	image_begin(t, p, time_ns, NULL);
	p->epoch = t->epoch;
}

void process_table_mmap(struct process_table *t, uint64_t time_ns, uint32_t pid,
			const struct mapping_event *e)
{
	struct process *p;
	struct file_place place = {
		.pid = pid,
		.start = e->start,
		.end = e->end,
		.ino = e->ino,
		.generation = e->generation,
		.major = e->major,
		.minor = e->minor,
		.path = t->line.path,
	};
	struct mapping m;

	if (e->start >= e->end)
		return;
	p = process_get(t, time_ns, pid);
	if (!p)
		return;
	if (p->dead)
		roster_bury(&t->roster, p, time_ns);
	place.parent_pid = p->parent_pid;
	snprintf(t->line.path, sizeof(t->line.path), "%s", e->path);
	maps_path_cut_deleted(t->line.path);
	m = mapping_make(t, p, &place, e->offset);
	m.replaced_ns = time_ns;
	/* At once: a process may be gone 50 ms later. What was named before waits for a sample. */
	if (m.kind == MAPPING_FILE && file_table_get(t->files, m.file)->state != FILE_DONE)
		file_set(&m, file_table_pin(t->files, m.file, &place, &p->root));
	if (mapping_insert(t, &p->mappings, &m) < 0)
		p->epoch = 0;
}

void process_table_exit(struct process_table *t, uint64_t time_ns, uint32_t pid, uint32_t tid)
{
	struct process *p;

	reap(t, time_ns);
	p = roster_find(&t->roster, pid);
	/* Threads that outlive their leader keep it; a thread's exit is a sign of that. */
	if (p && (pid == tid || p->dead))
		roster_bury(&t->roster, p, time_ns);
}

void process_table_lost(struct process_table *t)
{
	t->epoch++;
}

/* ---- samples ---- */

uint32_t process_table_mappings(struct process_table *t, uint32_t pid, const struct mapping **ret)
{
	const struct process *p = roster_find(&t->roster, pid);
	uint32_t count = p && p->epoch == t->epoch ? mapping_list_count(p->mappings) : 0;

	if (count)
		*ret = mapping_list_at(p->mappings, 0);
	return count;
}

uint32_t process_table_count(const struct process_table *t)
{
	return t->roster.live;
}

uint32_t process_table_next(struct process_table *t, uint32_t *at)
{
	const struct roster *r = &t->roster;

	while (*at < r->high) {
		const struct process *p = &r->slots[(*at)++];

		if (p->used && !p->dead)
			return p->pid;
	}
	return 0;
}

void process_table_mapped(struct process_table *t, bool *mapped)
{
	struct process *p = NULL;

	while ((p = roster_next(&t->roster, p))) {
		uint32_t count = mapping_list_count(p->mappings);
		const struct mapping *all = count ? mapping_list_at(p->mappings, 0) : NULL;

		for (uint32_t i = 0; i < count; i++)
			if (all[i].kind == MAPPING_FILE)
				mapped[all[i].file] = true;
	}
}

void process_table_mark_files(struct process_table *t, uint64_t now_ns)
{
	struct process *p = NULL;

	while ((p = roster_next(&t->roster, p))) {
		uint32_t count = p->dead ? 0 : mapping_list_count(p->mappings);
		const struct mapping *all = count ? mapping_list_at(p->mappings, 0) : NULL;

		for (uint32_t i = 0; i < count; i++)
			if (all[i].kind == MAPPING_FILE)
				file_table_mapped(t->files, all[i].file, now_ns);
	}
}

/* False if `id` is an earlier image than the one that is known: nothing can be said of it any more. */
static bool identity_settle(struct process_table *t, struct process *p, const struct process_id *id,
			    uint64_t time_ns)
{
	bool settled = time_ns >= later(p->exec_ns, EXEC_SETTLE_NS);
	bool newer = false;

	if (p->start_ns && id->start_ns < p->start_ns)
		return false;
	if (p->start_ns && id->start_ns > p->start_ns) {
		newer = true;
	} else if (p->exec_known && id->exec_id != p->exec_id) {
		if ((int32_t)(id->exec_id - p->exec_id) < 0)
			return false;
		newer = true;
	}
	if (newer) {
		/* Its fork or exec was lost; if we saw somebody die, it was the one before. */
		roster_revive(&t->roster, p);
		mappings_set(p, NULL);
		p->root = ROOT_UNASKED;
		p->epoch = 0;
	}
	p->start_ns = id->start_ns;
	if (newer || (!p->exec_known && settled)) {
		p->exec_id = id->exec_id;
		p->exec_known = true;
	}
	return true;
}

static const struct mapping *mapping_find(struct process *p, uint64_t addr)
{
	uint32_t i = mapping_list_find(p->mappings, addr, p->last_mapping);

	if (i == UINT32_MAX)
		return NULL;
	p->last_mapping = i;
	return mapping_list_at(p->mappings, i);
}

static const struct mapping *mapping_know(struct process_table *t, struct process *p,
					  uint64_t time_ns, uint64_t addr)
{
	const struct mapping *m = mapping_find(p, addr);
	bool sensible = addr >= LOWEST_ADDR && addr < HIGHEST_ADDR;

	if (p->epoch == t->epoch && (m || !sensible))
		return m;
	return mappings_refresh(t, p, time_ns) ? mapping_find(p, addr) : m;
}

/* *m is a copy of the mapping that was found last. */
static void mapping_pin(struct process_table *t, struct process *p, struct mapping *m)
{
	const struct file *f = file_table_get(t->files, m->file);
	struct file_place place = {
		.pid = p->pid,
		.parent_pid = p->parent_pid,
		.start = m->start,
		.end = m->end,
		.ino = f->ino,
		.generation = f->generation,
		.major = f->major,
		.minor = f->minor,
		.path = f->path,
	};
	int file = file_table_pin(t->files, m->file, &place, &p->root);

	if (file == (int)m->file)
		return;
	file_set(m, file);
	mapping_list_settle(p->mappings, p->last_mapping, m->kind, m->file);
}

void process_table_resolve(struct process_table *t, uint64_t time_ns, const struct process_id *id,
			   uint64_t addr, struct mapping *ret)
{
	const struct mapping *m = NULL;
	struct process *p;

	*ret = (struct mapping){ .kind = MAPPING_UNKNOWN_PROCESS };
	reap(t, time_ns);
	p = process_get(t, time_ns, id->pid);
	if (p && identity_settle(t, p, id, time_ns)) {
		if (p->dead)
			roster_bury(&t->roster, p, time_ns);
		m = mapping_know(t, p, time_ns, addr);
		if (m)
			*ret = *m;
		else if (p->mappings)
			ret->kind = MAPPING_UNMAPPED;
	}
	if (ret->kind == MAPPING_FILE &&
	    !(t->sparing && file_table_get(t->files, ret->file)->state == FILE_DONE))
		mapping_pin(t, p, ret);
	if (ret->kind == MAPPING_UNKNOWN_PROCESS)
		counter_add(t->counters, COUNTER_FRAMES_UNKNOWN_PROCESS, 1);
	else if (ret->kind == MAPPING_UNMAPPED)
		counter_add(t->counters, COUNTER_FRAMES_UNMAPPED, 1);
	else if (ret->kind == MAPPING_ANONYMOUS)
		counter_add(t->counters, COUNTER_FRAMES_ANONYMOUS, 1);
}

void process_table_pin_sparingly(struct process_table *t)
{
	t->sparing = true;
}

void process_table_pin(struct process_table *t, uint32_t pid, struct mapping *m)
{
	struct process *p = roster_find(&t->roster, pid);

	if (p)
		mapping_pin(t, p, m);
}
