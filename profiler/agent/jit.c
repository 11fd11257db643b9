// SPDX-License-Identifier: Apache-2.0
/*
 * Nothing is parsed here, and a map that grows is not read again: how long it was says which lines were
 * there. A new moment begins only when a sample comes after the map has grown; so a process that compiled
 * everything in its first second has a few moments, and each of its functions one location for the rest
 * of its life.
 *
 * Refused: a moment a drain for whoever compiles all the time. Its hot functions would be as many
 * locations, and so would all stacks above them.
 */
#include "profiler/agent/jit.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/array.h"
#include "profiler/base/clock.h"
#include "profiler/base/index.h"

/* 0.5 and 1.5 MiB. */
#define MAX_OWNERS 4096u
#define MAX_MOMENTS 65536u

/* A process may have 16 moments at once, and then one a second. */
#define MOMENT_NS NS_PER_S
#define MOMENT_BURST_NS (15 * NS_PER_S)

/*
 * Where there is no map it is looked for again, as one may turn up while the process runs, and can't be had when it has
 * ended: every 2 s. But one look a drain, in turns: an opener's request costs some 0.1 ms.
 */
#define PATIENCE_MIN_NS NS_PER_S
#define PATIENCE_MAX_NS (2 * NS_PER_S)
#define MAX_LOOKS 1u

struct owner {
	struct process_id id;
	uint32_t moment; /* the last one */
	uint32_t dump; /* number of a file, or JIT_NO_FILE */
	enum runtime runtime;
	bool has_map; /* there is one, and it could be opened */
	bool refused; /* it could not, which was counted */
	bool gone; /* nobody is there to be asked about */
	bool given_up;
	bool grown; /* what was seen last is not what was seen in `moment` */
	uint64_t map_bytes;
	uint64_t look_ns, patience_ns; /* while there is no map */
	uint64_t paid_ns; /* moments are paid for until then */
	uint64_t begun_ns; /* when `moment` was */
};

struct moment {
	struct symbol_moment seen;
	uint32_t owner;
};

struct jit {
	struct code_source source;
	struct process_table *processes;
	struct file_table *files;
	struct counters *counters;
	ARRAY(struct owner) owners;
	ARRAY(struct moment) moments;
	struct index by_id;
	uint32_t last; /* the one that was asked for last */
	uint32_t met; /* owners that were looked at */
	uint32_t turn; /* of these, whose turn it is to be looked at again */
	uint64_t now_ns; /* the end of the drain; UINT64_MAX: of the last */
	uint64_t known_ns; /* the last one that was a time */
};

int jit_new(struct jit **ret, struct process_table *processes, struct file_table *files,
	    struct counters *counters)
{
	struct jit *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->processes = processes;
	j->files = files;
	j->counters = counters;
	*ret = j;
	return 0;
}

void jit_free(struct jit *j)
{
	if (!j)
		return;
	array_release(&j->owners);
	array_release(&j->moments);
	index_release(&j->by_id);
	free(j);
}

void jit_set_source(struct jit *j, const struct code_source *source)
{
	j->source = *source;
}

static uint64_t later(uint64_t time_ns, uint64_t delay_ns)
{
	return time_ns > UINT64_MAX - delay_ns ? UINT64_MAX : time_ns + delay_ns;
}

/* ---- whose it is ---- */

_Static_assert(sizeof(struct process_id) == 16, "hashed as bytes: no padding");

static bool id_equal(const void *owner, uint32_t item, const void *key)
{
	const struct jit *j = owner;

	return !memcmp(&j->owners.items[item].id, key, sizeof(struct process_id));
}

/* 0, or -E2BIG, -ENOMEM. */
static int moment_begin(struct jit *j, struct owner *o)
{
	struct moment *m = array_push(&j->moments, MAX_MOMENTS);

	if (!m)
		return j->moments.count < MAX_MOMENTS ? -ENOMEM : -E2BIG;
	*m = (struct moment){ .owner = (uint32_t)(o - j->owners.items) };
	o->moment = j->moments.count - 1;
	o->begun_ns = j->now_ns;
	o->paid_ns = later(o->paid_ns > j->now_ns ? o->paid_ns : j->now_ns, MOMENT_NS);
	return 0;
}

static struct owner *owner_add(struct jit *j, const struct process_id *id, uint64_t hash)
{
	struct owner *o = array_push(&j->owners, MAX_OWNERS);

	if (!o)
		return NULL;
	*o = (struct owner){ .id = *id, .dump = JIT_NO_FILE, .patience_ns = PATIENCE_MIN_NS };
	if (moment_begin(j, o) < 0 || index_add(&j->by_id, hash, j->owners.count - 1) < 0) {
		j->owners.count--;
		return NULL;
	}
	return o;
}

static struct owner *owner_get(struct jit *j, const struct process_id *id)
{
	uint64_t hash;
	uint32_t found;

	if (j->last < j->owners.count && id_equal(j, j->last, id))
		return &j->owners.items[j->last];
	hash = hash_bytes(id, sizeof(*id));
	found = index_find(&j->by_id, hash, id_equal, j, id);
	if (found == UINT32_MAX) {
		if (!owner_add(j, id, hash))
			return NULL;
		found = j->owners.count - 1;
	}
	j->last = found;
	return &j->owners.items[found];
}

uint32_t jit_space(struct jit *j, const struct process_id *id)
{
	struct owner *o = owner_get(j, id);
	struct moment *m;

	if (!o) {
		counter_add(j->counters, COUNTER_CODE_REFUSED, 1);
		return WINDOW_SPACE_ANONYMOUS;
	}
	if (o->grown && o->paid_ns <= later(j->now_ns, MOMENT_BURST_NS) && moment_begin(j, o) == 0)
		o->grown = false;
	m = &j->moments.items[o->moment];
	m->seen = (struct symbol_moment){ .map_bytes = o->map_bytes, .time_ns = j->now_ns };
	return WINDOW_SPACE_CODE + o->moment;
}

/* ---- what they say of it ---- */

/* "jit-123.dump" */
static bool is_dump(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t digits = strspn(strncmp(name, "jit-", 4) == 0 ? name + 4 : "", "0123456789");

	return digits && !strcmp(name + 4 + digits, ".dump");
}

/* By what it has mapped: what runs there, and the page of a jitdump that is mapped for us to see. */
static void files_look(struct jit *j, struct owner *o)
{
	const struct mapping *all;
	uint32_t count = process_table_mappings(j->processes, o->id.pid, &all);
	uint64_t dump_addr = 0;
	struct mapping m;

	for (uint32_t i = 0; i < count; i++) {
		const char *path;

		if (all[i].kind != MAPPING_FILE)
			continue;
		path = file_table_get(j->files, all[i].file)->path;
		if (o->runtime == RUNTIME_NONE)
			o->runtime = runtime_of_file(path);
		if (is_dump(path))
			dump_addr = all[i].start;
	}
	if (!dump_addr)
		return;
	/* As if it were sampled: then it is held open. */
	process_table_resolve(j->processes, j->known_ns, &o->id, dump_addr, &m);
	if (m.kind == MAPPING_FILE)
		o->dump = m.file;
}

/* It was not there when its moments were, or is another one now: all that can be said is what it says now. */
static void moments_forget(struct jit *j, uint32_t owner)
{
	for (uint32_t i = 0; i < j->moments.count; i++)
		if (j->moments.items[i].owner == owner)
			j->moments.items[i].seen.map_bytes = j->owners.items[owner].map_bytes;
}

static void map_seen(struct jit *j, struct owner *o, uint64_t bytes)
{
	bool other = !o->has_map || bytes < o->map_bytes;

	o->grown = o->grown || bytes != o->map_bytes;
	o->has_map = true;
	o->map_bytes = bytes;
	if (other)
		moments_forget(j, (uint32_t)(o - j->owners.items));
}

/* One that another process left behind (-ESTALE) counts as none: its own may come. */
static bool is_refusal(int r)
{
	return r != -ENOENT && r != -ESRCH && r != -ENODATA && r != -ESTALE;
}

static void owner_look(struct jit *j, struct owner *o)
{
	uint64_t bytes;
	int r;

	if (!o->has_map)
		files_look(j, o);
	r = j->source.look
		    ? j->source.look(j->source.ctx, (uint32_t)(o - j->owners.items), &o->id, &bytes)
		    : -ENODATA;
	if (r >= 0) {
		map_seen(j, o, bytes);
		return;
	}
	if (!o->refused && is_refusal(r)) {
		counter_add(j->counters, COUNTER_CODE_MAPS_REFUSED, 1);
		o->refused = true;
	}
	o->gone = o->gone || r == -ESRCH;
	o->look_ns = later(j->now_ns, o->patience_ns);
	if (o->patience_ns < PATIENCE_MAX_NS)
		o->patience_ns *= 2;
}

/* For those that had no map: whether one has turned up. At the end of the capture all are looked at. */
static void maps_seek(struct jit *j, uint64_t until_ns)
{
	uint32_t most = until_ns == UINT64_MAX ? UINT32_MAX : MAX_LOOKS, first = j->turn;

	for (uint32_t i = 0; i < j->met && most; i++) {
		uint32_t at = (uint32_t)(((uint64_t)first + i) % j->met);
		struct owner *o = &j->owners.items[at];

		if (o->has_map || o->gone || until_ns < o->look_ns)
			continue;
		owner_look(j, o);
		j->turn = at + 1;
		most--;
	}
}

void jit_begin(struct jit *j, uint64_t until_ns)
{
	j->now_ns = until_ns;
	if (until_ns != UINT64_MAX)
		j->known_ns = until_ns;
	for (uint32_t i = 0; i < j->met; i++)
		if (j->owners.items[i].has_map)
			owner_look(j, &j->owners.items[i]);
	maps_seek(j, until_ns);
	for (uint32_t i = 0; i < j->met; i++) {
		struct owner *o = &j->owners.items[i];

		/* Its writer may keep records to itself for a while: it is the time that counts. */
		if (o->dump != JIT_NO_FILE && until_ns >= later(o->begun_ns, MOMENT_NS))
			o->grown = true;
	}
}

void jit_end(struct jit *j)
{
	while (j->met < j->owners.count) {
		struct owner *o = &j->owners.items[j->met++];

		owner_look(j, o);
		o->grown = false;
		j->moments.items[o->moment].seen.map_bytes = o->map_bytes;
	}
}

bool jit_is_full(const struct jit *j)
{
	return j->owners.count >= MAX_OWNERS / 10 * 9 || j->moments.count >= MAX_MOMENTS / 10 * 9;
}

/* ---- for who names it ---- */

uint32_t jit_owner(const struct jit *j, uint32_t space)
{
	assert(jit_is_code(space) && space - WINDOW_SPACE_CODE < j->moments.count);
	return j->moments.items[space - WINDOW_SPACE_CODE].owner;
}

struct symbol_moment jit_moment(const struct jit *j, uint32_t space)
{
	assert(jit_is_code(space) && space - WINDOW_SPACE_CODE < j->moments.count);
	return j->moments.items[space - WINDOW_SPACE_CODE].seen;
}

bool jit_has_names(const struct jit *j, uint32_t owner)
{
	const struct owner *o = &j->owners.items[owner];

	return !o->given_up && (o->has_map || o->dump != JIT_NO_FILE);
}

uint32_t jit_dump(const struct jit *j, uint32_t owner)
{
	return j->owners.items[owner].dump;
}

enum runtime jit_runtime(const struct jit *j, uint32_t owner)
{
	return j->owners.items[owner].runtime;
}

void jit_give_up(struct jit *j, uint32_t owner)
{
	j->owners.items[owner].given_up = true;
}
