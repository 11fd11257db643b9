// SPDX-License-Identifier: Apache-2.0
/*
 * The identity of a process (start, exec id) is what its samples say, or what the kernel side wrote into its
 * entry at fork and exec, if that was before the last event that we know. An entry with the identity of an image
 * that is gone by now harms nobody: the sampler compares. One with the identity of an image that is still to come,
 * and the mappings of the one before, would be believed.
 *
 * Refused: one list for equal mappings of processes that aren't relatives. ASLR leaves hardly any.
 */
#include "profiler/tables/image.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define BACKOFF_MIN_NS (100000000ULL)
#define BACKOFF_MAX_NS (25000000000ULL)
/* Of each drain, at 0.4 us each. Exits tell of nearly all; not if they were lost, or of threads without a leader. */
#define GONE_LOOKS 16u

struct image_list {
	uint32_t refs;
	uint32_t addr, count; /* of mappings in the kernel */
	uint32_t id;
	uint32_t unresolved; /* mappings whose ELF address isn't known yet */
	uint32_t exe_count;
	uint32_t exes[]; /* held */
};

#define MAPPING_WORDS ((uint32_t)(sizeof(struct unwind_mapping) / 4))
_Static_assert((UNWIND_LIST_WORDS + UNWIND_MAX_MAPPINGS * MAPPING_WORDS) <= UNWIND_CHUNK_WORDS,
	       "mappings fit a chunk");
_Static_assert(PROCESS_MAX_MAPPINGS <= UNWIND_MAX_MAPPINGS, "all that is known has room");

int images_init(struct images *m, struct tables *t, struct chunks *chunks, struct exes *exes,
		struct counters *counters, uint32_t max)
{
	*m = (struct images){
		.tables = t,
		.chunks = chunks,
		.exes = exes,
		.counters = counters,
		.max = max,
		.unused = NONE,
	};
	assert(max <= UNWIND_MAX_PROCESSES);
	memset(m->buckets, 0xff, sizeof(m->buckets));
	m->all = calloc(max, sizeof(*m->all));
	m->scratch = calloc(UNWIND_MAX_MAPPINGS, sizeof(*m->scratch));
	return m->all && m->scratch ? 0 : -ENOMEM;
}

/* ---- lists ---- */

static uint32_t list_words(const struct image_list *l)
{
	return UNWIND_LIST_WORDS + l->count * MAPPING_WORDS;
}

static void list_sign(uint32_t *at, uint32_t id, uint32_t count)
{
	const struct unwind_list list = { id, count };
	uint64_t bits;

	memcpy(&bits, &list, sizeof(bits));
	__atomic_store_n((uint64_t *)at, bits, __ATOMIC_RELEASE);
}

/*
 * From then on nobody in the kernel begins with it, whoever has a copy of an entry that leads there. Who can't be
 * told so, for want of memory, costs us the words.
 */
static void list_drop(struct images *m, struct image_list *l, uint64_t now_ns)
{
	uint32_t *at;

	if (!l || --l->refs)
		return;
	at = chunks_at(m->chunks, l->addr - UNWIND_LIST_WORDS);
	if (at) {
		list_sign(at, 0, 0);
		chunks_give(m->chunks, l->addr - UNWIND_LIST_WORDS, list_words(l), now_ns);
	}
	for (uint32_t i = 0; i < l->exe_count; i++)
		exes_drop(m->exes, l->exes[i], now_ns);
	free(l);
}

void images_release(struct images *m)
{
	for (uint32_t i = 0; i < m->high; i++)
		if (m->all[i].used)
			list_drop(m, m->all[i].list, 0);
	array_release(&m->queue);
	free(m->all);
	free(m->scratch);
	*m = (struct images){ 0 };
}

/* ---- which there are ---- */

static uint32_t image_find(const struct images *m, uint32_t pid)
{
	uint32_t i = m->buckets[pid % IMAGE_BUCKETS];

	while (i != NONE && m->all[i].pid != pid)
		i = m->all[i].next;
	return i;
}

static uint32_t image_add(struct images *m, uint32_t pid)
{
	uint32_t i = m->unused;

	if (i != NONE) {
		m->unused = m->all[i].next;
	} else if (m->high < m->max) {
		i = m->high++;
	} else {
		counter_add(m->counters, COUNTER_UNWIND_PROCESSES_REFUSED, 1);
		return NONE;
	}
	/* Its number may still be in the queue. */
	m->all[i] = (struct image){ .pid = pid, .used = true, .queued = m->all[i].queued };
	m->all[i].next = m->buckets[pid % IMAGE_BUCKETS];
	m->buckets[pid % IMAGE_BUCKETS] = i;
	return i;
}

static uint32_t image_get(struct images *m, uint32_t pid)
{
	uint32_t i = image_find(m, pid);

	return i == NONE ? image_add(m, pid) : i;
}

static void image_remove(struct images *m, uint32_t number, uint64_t now_ns)
{
	struct image *p = &m->all[number];
	uint32_t *link = &m->buckets[p->pid % IMAGE_BUCKETS];

	while (*link != number)
		link = &m->all[*link].next;
	*link = p->next;
	list_drop(m, p->list, now_ns);
	*p = (struct image){ .next = m->unused, .queued = p->queued };
	m->unused = number;
}

static void queue(struct images *m, uint32_t number)
{
	uint32_t *slot;

	if (m->all[number].queued)
		return;
	slot = array_push(&m->queue, UNWIND_MAX_PROCESSES);
	if (!slot) /* the next event or sample tries again */
		return;
	*slot = number;
	m->all[number].queued = true;
}

/* ---- what happened ---- */

void images_exec(struct images *m, uint32_t pid, uint64_t now_ns)
{
	uint32_t i = image_find(m, pid);

	if (i == NONE)
		return;
	list_drop(m, m->all[i].list, now_ns);
	m->all[i].list = NULL;
	m->all[i].known = m->all[i].shown = m->all[i].dirty = m->all[i].forked = false;
	m->all[i].next_try_ns = m->all[i].backoff_ns = 0;
}

void images_fork(struct images *m, uint32_t pid, uint32_t parent_pid, uint64_t now_ns)
{
	uint32_t parent = image_find(m, parent_pid), child;

	images_exec(m, pid, now_ns); /* if its pid is known, an exit was lost */
	if (parent == NONE || !m->all[parent].list)
		return;
	child = image_get(m, pid);
	if (child == NONE)
		return;
	m->all[child].list = m->all[parent].list;
	m->all[child].list->refs++;
	m->all[child].dirty = m->all[parent].dirty;
	m->all[child].forked = true;
	queue(m, child);
}

/* The kernel side removed its entry, unless the process lives on without its leader: then it ends here. */
void images_exit(struct images *m, uint32_t pid, uint64_t now_ns)
{
	uint32_t i = image_find(m, pid);
	struct unwind_process entry;

	if (i == NONE)
		return;
	if (m->all[i].list && tables_get_process(m->tables, pid, &entry) == 0 &&
	    entry.id == m->all[i].list->id)
		tables_remove_process(m->tables, pid);
	image_remove(m, i, now_ns);
}

void images_mmap(struct images *m, uint32_t pid)
{
	uint32_t i = image_find(m, pid);

	if (i == NONE || !m->all[i].list)
		return;
	m->all[i].dirty = true;
	queue(m, i);
}

void images_sampled(struct images *m, uint32_t pid, uint64_t start_ns, uint32_t exec_id,
		    uint64_t now_ns)
{
	uint32_t i = image_get(m, pid);
	struct image *p = i == NONE ? NULL : &m->all[i];
	bool same = p && p->known && p->start_ns == start_ns && p->exec_id == exec_id;

	if (!p || (same && p->shown))
		return;
	if (p->known &&
	    !same) { /* its exec or exit was lost, or this is a late sample of the one before */
		if (start_ns < p->start_ns ||
		    (start_ns == p->start_ns && (int32_t)(exec_id - p->exec_id) < 0))
			return;
		images_exec(m, pid, now_ns);
	}
	p->known = true;
	p->start_ns = start_ns;
	p->exec_id = exec_id;
	if (!p->list)
		p->dirty = true;
	queue(m, i);
}

/* ---- to the kernel ---- */

enum identity {
	IDENTITY_KNOWN,
	IDENTITY_UNKNOWN, /* until a sample says it */
	IDENTITY_LATER, /* when more events have come */
};

static void back_off(struct image *p, uint64_t now_ns)
{
	uint64_t delay = p->backoff_ns ? p->backoff_ns * 2 : BACKOFF_MIN_NS;

	p->backoff_ns = delay < BACKOFF_MAX_NS ? delay : BACKOFF_MAX_NS;
	p->next_try_ns = now_ns + p->backoff_ns;
}

/* Mappings as the kernel wants them, in m->scratch. Returns a list without address, or NULL. */
static struct image_list *list_plan(struct images *m, const struct image *p,
				    const struct mapping *all, uint32_t count, images_exe_fn exe_of,
				    void *ctx)
{
	struct image_list *l;

	if (count > UNWIND_MAX_MAPPINGS)
		count = UNWIND_MAX_MAPPINGS;
	l = calloc(1, sizeof(*l) + count * sizeof(l->exes[0]));
	if (!l)
		return NULL;
	l->refs = 1;
	for (uint32_t i = 0; i < count; i++) {
		struct unwind_mapping *to = &m->scratch[l->count];
		bool is_file = all[i].kind == MAPPING_FILE || all[i].kind == MAPPING_VDSO;
		uint32_t exe = EXE_NONE;
		uint64_t vaddr;

		if (is_file)
			exe = exe_of(ctx, p->pid, &all[i]);
		*to = (struct unwind_mapping){ .start = all[i].start,
					       .end = all[i].end,
					       .kind = UNWIND_MAPPING_ANONYMOUS };
		l->count++;
		if (exe == EXE_NONE ? is_file : m->exes->all[exe].state == EXE_REFUSED)
			to->kind = UNWIND_MAPPING_REFUSED;
		if (exe == EXE_NONE || exe_has_none(&m->exes->all[exe]))
			continue;
		if (!m->exes->all[exe].segments) {
			to->kind = UNWIND_MAPPING_UNRESOLVED;
			l->unresolved++;
			/* Held: it can't become another file's while we wait for it. */
		} else if (exes_vaddr(m->exes, exe, all[i].offset, &vaddr)) {
			to->vaddr = vaddr;
			to->kind = UNWIND_MAPPING_FILE;
			to->exe = exe;
		} else {
			continue;
		}
		exes_hold(m->exes, exe);
		l->exes[l->exe_count++] = exe;
	}
	return l;
}

static void list_abandon(struct images *m, struct image_list *l, uint64_t now_ns)
{
	for (uint32_t i = 0; i < l->exe_count; i++)
		exes_drop(m->exes, l->exes[i], now_ns);
	free(l);
}

/* The process's mappings of now, written; NULL if there are none, or no room. */
static struct image_list *list_new(struct images *m, const struct image *p,
				   images_mappings_fn mappings, images_exe_fn exe_of, void *ctx,
				   uint64_t now_ns)
{
	const struct mapping *all;
	uint32_t count = mappings(ctx, p->pid, &all);
	struct image_list *l = count ? list_plan(m, p, all, count, exe_of, ctx) : NULL;
	uint32_t addr, *to = NULL;

	if (!l)
		return NULL;
	addr = chunks_take(m->chunks, list_words(l), now_ns);
	if (addr)
		to = chunks_at(m->chunks, addr);
	if (!to) {
		if (addr)
			chunks_return(m->chunks, addr, list_words(l));
		counter_add(m->counters, COUNTER_UNWIND_PROCESSES_REFUSED, 1);
		list_abandon(m, l, now_ns);
		return NULL;
	}
	l->addr = addr + UNWIND_LIST_WORDS;
	l->id = ++m->lists;
	memcpy(to + UNWIND_LIST_WORDS, m->scratch, l->count * sizeof(*m->scratch));
	list_sign(to, l->id, l->count);
	return l;
}

/*
 * What the kernel has of it, and who it is if we don't know. An entry that the kernel side wrote later than our
 * events reach is of an image that we haven't heard of: a child that has executed something by now, say. Its
 * mappings are others than those that we know. One that user space wrote says nothing new.
 */
static enum identity identity_learn(const struct images *m, struct image *p)
{
	struct unwind_process entry;

	if (tables_get_process(m->tables, p->pid, &entry) < 0)
		return p->known ? IDENTITY_KNOWN : IDENTITY_UNKNOWN;
	if (entry.since_ns > m->until_ns)
		return IDENTITY_LATER;
	if (!p->known) {
		if (!entry.since_ns)
			return IDENTITY_UNKNOWN;
		p->start_ns = entry.start_ns;
		p->exec_id = entry.exec_id;
		p->known = true;
	}
	if (p->forked)
		p->shown = p->list && p->start_ns == entry.start_ns &&
			   p->exec_id == entry.exec_id && entry.id == p->list->id;
	p->forked = false;
	return IDENTITY_KNOWN;
}

static int show(struct images *m, struct image *p)
{
	struct unwind_process entry;
	int r;

	if ((++m->stamp & 0xffff) == 0) /* which in a sample means none */
		m->stamp++;
	entry = (struct unwind_process){
		.start_ns = p->start_ns,
		.exec_id = p->exec_id,
		.mappings = p->list->addr,
		.id = p->list->id,
		.count = p->list->count,
		.stamp = m->stamp,
	};
	r = tables_set_process(m->tables, p->pid, &entry);

	p->shown = r == 0;
	return r;
}

/* False: it has to wait for events. */
static bool image_flush(struct images *m, struct image *p, images_mappings_fn mappings,
			images_exe_fn exe_of, void *ctx, uint64_t now_ns)
{
	enum identity identity = identity_learn(m, p);
	struct image_list *old = NULL, *new;

	if (identity != IDENTITY_KNOWN)
		return identity == IDENTITY_UNKNOWN;
	if (p->dirty || !p->list) {
		new = list_new(m, p, mappings, exe_of, ctx, now_ns);
		if (!new) { /* what it had is no longer true */
			list_drop(m, p->list, now_ns);
			p->list = NULL;
			p->shown = false;
			back_off(p, now_ns);
			return true;
		}
		old = p->list;
		p->list = new;
		p->dirty = p->shown = false;
	}
	if (!p->shown && show(m, p) < 0) {
		counter_add(m->counters, COUNTER_UNWIND_PROCESSES_REFUSED, 1);
		back_off(p, now_ns);
		list_drop(m, old, now_ns);
		return true;
	}
	p->backoff_ns = 0;
	list_drop(m, old, now_ns);
	return true;
}

static bool list_is_stale(const struct images *m, const struct image_list *l)
{
	uint32_t known = 0;

	for (uint32_t i = 0; i < l->exe_count; i++) {
		const struct exe *e = &m->exes->all[l->exes[i]];

		known += e->segments || exe_has_none(e);
	}
	return known > l->exe_count - l->unresolved;
}

/* Files became known that mappings wait for. */
static void unresolved_queue(struct images *m)
{
	if (m->exes_known == m->exes->known)
		return;
	m->exes_known = m->exes->known;
	for (uint32_t i = 0; i < m->high; i++) {
		struct image *p = &m->all[i];

		if (!p->used || !p->list || !p->list->unresolved || !list_is_stale(m, p->list))
			continue;
		p->dirty = true;
		queue(m, i);
	}
}

/*
 * Events were lost: any list may be of an image that is gone, or lack what was mapped since. A wrong frame is worse
 * than a missing one: nobody has mappings until a sample, by which the process table reads them anew.
 */
static void losses_follow(struct images *m, uint64_t now_ns)
{
	uint64_t lost = counter_get(m->counters, COUNTER_EVENTS_LOST) +
			counter_get(m->counters, COUNTER_EVENTS_MALFORMED);

	if (lost == m->lost)
		return;
	m->lost = lost;
	for (uint32_t i = 0; i < m->high; i++) {
		list_drop(m, m->all[i].list, now_ns);
		m->all[i].list = NULL;
		m->all[i].shown = m->all[i].forked = false;
	}
}

/* Some at a time: those of which the kernel side knows nothing (any more) are gone, or come again. */
static void gone_remove(struct images *m, uint64_t now_ns)
{
	for (uint32_t n = 0; n < GONE_LOOKS && m->high; n++) {
		struct unwind_process entry;
		uint32_t i = m->gone_at++ % m->high;

		if (m->all[i].used && !m->all[i].queued &&
		    tables_get_process(m->tables, m->all[i].pid, &entry) == -ENOENT)
			image_remove(m, i, now_ns);
	}
}

void images_follow(struct images *m, uint64_t until_ns, uint64_t now_ns)
{
	losses_follow(m, now_ns);
	gone_remove(m, now_ns);
	m->until_ns = until_ns;
}

void images_flush(struct images *m, images_mappings_fn mappings, images_exe_fn exe, void *ctx,
		  uint32_t most, uint64_t now_ns)
{
	uint32_t done = 0, count, kept = 0;

	unresolved_queue(m);
	count = m->queue.count;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = m->queue.items[i];
		struct image *p = &m->all[number];
		bool wait = p->used && (done == most || now_ns < p->next_try_ns);

		if (wait) {
			m->queue.items[kept++] = number;
			continue;
		}
		p->queued = false;
		if (!p->used)
			continue;
		p->queued = !image_flush(m, p, mappings, exe, ctx, now_ns);
		if (p->queued)
			m->queue.items[kept++] = number;
		done++;
	}
	m->queue.count = kept;
}
