// SPDX-License-Identifier: Apache-2.0
/*
 * The profile's arrays and their interning. Each array has an index from the hash of an item's identity
 * to its number; identities are plain bytes without padding, so that hashing and comparing are one
 * hash_bytes() and one memcmp(). An item is appended first and indexed second: if the index can't grow,
 * the append is taken back, and nothing else has changed.
 *
 * Refused: pointers between items (numbers survive a realloc, and can be written to a file as they are),
 * and removing items (a profile is filtered by copying what stays).
 */
#include "profiler/model/profile.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ITEMS (1U << 30) /* what an index can number, and what fits an int */
#define MAX_LABELS 64
#define MAX_LINES 1000

/* One array and its index. The first `key_size` bytes of an item are its identity. */
struct set {
	void **items;
	uint32_t *count, *capacity;
	struct index *index;
	size_t size, key_size;
};

#define SET(array, by, key_bytes)                                                                \
	(&(const struct set){ (void **)&(array).items, &(array).count, &(array).capacity, &(by), \
			      sizeof(*(array).items), (key_bytes) })

static_assert(sizeof(struct profile_mapping) == 40, "hashed as bytes: no padding");
static_assert(sizeof(struct profile_function) == 16, "hashed as bytes: no padding");
static_assert(sizeof(struct profile_node) == 12, "hashed as bytes: no padding");
static_assert(sizeof(struct profile_label) == 16, "hashed as bytes: no padding");
static_assert(sizeof(struct profile_line) == 8, "hashed as bytes: no padding");
static_assert(offsetof(struct profile_sample, count) == 8, "series and node are the identity");

static bool set_equal(const void *owner, uint32_t item, const void *key)
{
	const struct set *s = owner;

	return !memcmp((const char *)*s->items + item * s->size, key, s->key_size);
}

/* The number of the item with this identity; makes it, a copy of `item`, if there is none. */
static int set_add(const struct set *s, const void *item, uint32_t max)
{
	uint64_t hash = hash_bytes(item, s->key_size);
	uint32_t found = index_find(s->index, hash, set_equal, s, item);
	int r;

	if (found != UINT32_MAX)
		return (int)found;
	r = array_reserve(s->items, s->capacity, *s->count + 1, s->size, max);
	if (r < 0)
		return r;
	memcpy((char *)*s->items + *s->count * s->size, item, s->size);
	r = index_add(s->index, hash, *s->count);
	if (r < 0)
		return r;
	return (int)(*s->count)++;
}

int profile_init(struct profile *p, size_t max_bytes, uint32_t max_items)
{
	const struct profile_node empty = { 0 };
	int r;

	*p = (struct profile){ .max_items = max_items < MAX_ITEMS ? max_items : MAX_ITEMS };
	p->facts = (struct profile_facts){ .event = "cpu-clock",
					   .value_type = "cpu",
					   .value_unit = "nanoseconds" };
	arena_init(&p->arena, max_bytes);
	r = profile_string(p, "", 0);
	if (r < 0)
		goto out;
	/* Not indexed: nobody's child, and so never found as one. */
	r = array_reserve((void **)&p->nodes.items, &p->nodes.capacity, 1, sizeof(empty),
			  p->max_items);
	if (r < 0)
		goto out;
	p->nodes.items[p->nodes.count++] = empty;
	return 0;
out:
	profile_release(p);
	return r;
}

void profile_release(struct profile *p)
{
	array_release(&p->strings);
	array_release(&p->mappings);
	array_release(&p->functions);
	array_release(&p->lines);
	array_release(&p->locations);
	array_release(&p->nodes);
	array_release(&p->labels);
	array_release(&p->series);
	array_release(&p->samples);
	array_release(&p->amended);
	index_release(&p->string_index);
	index_release(&p->mapping_index);
	index_release(&p->function_index);
	index_release(&p->location_index);
	index_release(&p->node_index);
	index_release(&p->series_index);
	index_release(&p->sample_index);
	arena_release(&p->arena);
}

struct string_key {
	const char *text;
	size_t len;
};

static bool string_equal(const void *owner, uint32_t item, const void *key)
{
	const struct profile *p = owner;
	const struct string_key *k = key;

	return p->strings.items[item].len == k->len &&
	       !memcmp(p->strings.items[item].text, k->text, k->len);
}

int profile_string(struct profile *p, const char *text, size_t len)
{
	const struct string_key key = { text, len };
	uint64_t hash = hash_bytes(text, len);
	uint32_t found = index_find(&p->string_index, hash, string_equal, p, &key);
	const char *copy;
	int r;

	if (found != UINT32_MAX)
		return (int)found;
	assert(!memchr(text, '\0', len));
	if (len >= UINT32_MAX)
		return -E2BIG;
	r = array_reserve((void **)&p->strings.items, &p->strings.capacity, p->strings.count + 1,
			  sizeof(*p->strings.items), p->max_items);
	if (r < 0)
		return r;
	/* Only malloc() touches errno: the arena's limit leaves it. */
	errno = 0;
	copy = arena_copy(&p->arena, text, len);
	if (!copy)
		return errno ? -ENOMEM : -E2BIG;
	p->strings.items[p->strings.count] = (struct profile_string){ copy, (uint32_t)len };
	r = index_add(&p->string_index, hash, p->strings.count);
	if (r < 0)
		return r;
	return (int)p->strings.count++;
}

int profile_mapping(struct profile *p, const struct profile_mapping *m)
{
	assert(m->name < p->strings.count && m->build_id < p->strings.count);
	return set_add(SET(p->mappings, p->mapping_index, sizeof(*m)), m, p->max_items);
}

int profile_function(struct profile *p, const struct profile_function *f)
{
	assert(f->name < p->strings.count && f->system_name < p->strings.count &&
	       f->file < p->strings.count);
	return set_add(SET(p->functions, p->function_index, sizeof(*f)), f, p->max_items);
}

struct location_key {
	uint64_t address;
	uint64_t lines_hash;
	uint32_t mapping, line_count;
	const struct profile_line *lines; /* what is hashed ends before this */
};

static uint64_t location_hash(const struct location_key *key)
{
	return hash_bytes(key, offsetof(struct location_key, lines));
}

static struct location_key location_key(uint64_t address, uint32_t mapping,
					const struct profile_line *lines, uint32_t count)
{
	return (struct location_key){ address, hash_bytes(lines, count * sizeof(*lines)), mapping,
				      count, lines };
}

static bool lines_equal(const struct profile *p, uint32_t first, uint32_t count,
			const struct location_key *k)
{
	return count == k->line_count &&
	       !memcmp(&p->lines.items[first], k->lines, count * sizeof(*k->lines));
}

/* By what it has, or was made of. */
static bool location_equal(const void *owner, uint32_t item, const void *key)
{
	const struct profile *p = owner;
	const struct profile_location *l = &p->locations.items[item];
	const struct profile_amendment *made;
	const struct location_key *k = key;

	if (l->address != k->address || l->mapping != k->mapping)
		return false;
	if (lines_equal(p, l->first_line, l->line_count, k))
		return true;
	if (!l->amended)
		return false;
	made = &p->amended.items[l->amended - 1];
	return lines_equal(p, made->first_line, made->line_count, k);
}

/* Room behind the last one. */
static int lines_reserve(struct profile *p, const struct profile_line *lines, uint32_t count)
{
	assert(count);
	for (uint32_t i = 0; i < count; i++)
		assert(lines[i].function < p->functions.count);
	if (count > MAX_LINES || count > p->max_items - p->lines.count)
		return -E2BIG;
	return array_reserve((void **)&p->lines.items, &p->lines.capacity, p->lines.count + count,
			     sizeof(*lines), p->max_items);
}

/* Where there is room; the first one's number. */
static uint32_t lines_append(struct profile *p, const struct profile_line *lines, uint32_t count)
{
	uint32_t first = p->lines.count;

	memcpy(&p->lines.items[first], lines, count * sizeof(*lines));
	p->lines.count += count;
	return first;
}

int profile_location(struct profile *p, uint32_t mapping, uint64_t address, bool named,
		     const struct profile_line *lines, uint32_t line_count)
{
	const struct location_key key = location_key(address, mapping, lines, line_count);
	uint64_t hash = location_hash(&key);
	uint32_t found = index_find(&p->location_index, hash, location_equal, p, &key);
	int r;

	if (found != UINT32_MAX)
		return (int)found;
	assert(mapping == PROFILE_NONE || mapping < p->mappings.count);
	r = lines_reserve(p, lines, line_count);
	if (r < 0)
		return r;
	r = array_reserve((void **)&p->locations.items, &p->locations.capacity,
			  p->locations.count + 1, sizeof(*p->locations.items), p->max_items);
	if (r < 0)
		return r;
	r = index_add(&p->location_index, hash, p->locations.count);
	if (r < 0)
		return r;
	p->locations.items[p->locations.count] = (struct profile_location){
		.address = address,
		.mapping = mapping,
		.first_line = lines_append(p, lines, line_count),
		.line_count = line_count,
		.named = named,
	};
	return (int)p->locations.count++;
}

int profile_location_amend(struct profile *p, uint32_t location, bool named,
			   const struct profile_line *lines, uint32_t line_count)
{
	struct profile_location *l = p->locations.items + location;
	struct profile_amendment made = { location, l->first_line, l->line_count };
	const struct location_key key = location_key(l->address, l->mapping, lines, line_count);
	int r;

	assert(location < p->locations.count);
	if (lines_equal(p, l->first_line, l->line_count, &key) && l->named == named)
		return 0;
	if (l->amended)
		made = p->amended.items[l->amended - 1];
	r = lines_reserve(p, lines, line_count);
	if (r == 0)
		r = array_reserve((void **)&p->amended.items, &p->amended.capacity,
				  p->amended.count + 1, sizeof(made), p->max_items);
	/*
	 * By what it was made of it is indexed already. Another may be by this, too, until that one
	 * is amended.
	 */
	if (r == 0 && !lines_equal(p, made.first_line, made.line_count, &key))
		r = index_add(&p->location_index, location_hash(&key), location);
	if (r < 0)
		return r;
	p->amended.items[p->amended.count++] = made;
	l->first_line = lines_append(p, lines, line_count);
	l->line_count = line_count;
	l->named = named;
	l->amended = p->amended.count & INT32_MAX;
	return 0;
}

int profile_node(struct profile *p, uint32_t parent, uint32_t location, uint32_t flags)
{
	const struct profile_node n = { parent, location, flags };
	uint32_t next = parent + 1;

	assert(parent < p->nodes.count && location < p->locations.count);
	/* A stack's nodes were mostly added one behind the other: where the child would be then is close by, and the index far off. */
	if (next < p->nodes.count && !memcmp(&p->nodes.items[next], &n, sizeof(n)))
		return (int)next;
	return set_add(SET(p->nodes, p->node_index, sizeof(n)), &n, p->max_items);
}

struct series_key {
	const struct profile_label *labels;
	uint32_t count;
};

static bool series_equal(const void *owner, uint32_t item, const void *key)
{
	const struct profile *p = owner;
	const struct profile_series *s = &p->series.items[item];
	const struct series_key *k = key;

	return s->label_count == k->count &&
	       (!k->count || !memcmp(&p->labels.items[s->first_label], k->labels,
				     k->count * sizeof(*k->labels)));
}

/* Copies labels so that equal ones have equal bytes. */
static void labels_normalize(const struct profile *p, struct profile_label *to,
			     const struct profile_label *from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		to[i] = from[i];
		assert(to[i].key < p->strings.count);
		for (uint32_t j = 0; j < i; j++)
			assert(to[j].key != to[i].key);
		if (to[i].text == PROFILE_NONE)
			continue;
		assert(to[i].text < p->strings.count);
		to[i].number = 0;
	}
}

int profile_series(struct profile *p, const struct profile_label *labels, uint32_t count)
{
	struct profile_label normal[MAX_LABELS];
	const struct series_key key = { normal, count };
	uint64_t hash;
	uint32_t found;
	int r;

	if (count > MAX_LABELS || count > p->max_items - p->labels.count)
		return -E2BIG;
	labels_normalize(p, normal, labels, count);
	hash = hash_bytes(normal, count * sizeof(*normal));
	found = index_find(&p->series_index, hash, series_equal, p, &key);
	if (found != UINT32_MAX)
		return (int)found;
	r = array_reserve((void **)&p->labels.items, &p->labels.capacity, p->labels.count + count,
			  sizeof(*normal), p->max_items);
	if (r < 0)
		return r;
	r = array_reserve((void **)&p->series.items, &p->series.capacity, p->series.count + 1,
			  sizeof(*p->series.items), p->max_items);
	if (r < 0)
		return r;
	r = index_add(&p->series_index, hash, p->series.count);
	if (r < 0)
		return r;
	p->series.items[p->series.count] = (struct profile_series){ p->labels.count, count };
	if (count)
		memcpy(&p->labels.items[p->labels.count], normal, count * sizeof(*normal));
	p->labels.count += count;
	return (int)p->series.count++;
}

/* A recording can hold any number: a sum that would wrap stays at its end. */
static uint64_t add_capped(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

int profile_add(struct profile *p, uint32_t series, uint32_t node, uint64_t count, uint64_t value)
{
	const struct profile_sample s = { .series = series, .node = node };
	int r;

	assert(series < p->series.count && node < p->nodes.count);
	r = set_add(SET(p->samples, p->sample_index, offsetof(struct profile_sample, count)), &s,
		    p->max_items);
	if (r < 0)
		return r;
	profile_add_to(p, (uint32_t)r, count, value);
	return r;
}

void profile_add_to(struct profile *p, uint32_t sample, uint64_t count, uint64_t value)
{
	struct profile_sample *s = &p->samples.items[sample];

	s->count = add_capped(s->count, count);
	s->value = add_capped(s->value, value);
}

void profile_clear_samples(struct profile *p)
{
	index_release(&p->sample_index);
	p->samples.count = 0;
}

const struct profile_label *profile_label_find(const struct profile *p, uint32_t series,
					       const char *key)
{
	const struct profile_series *s = &p->series.items[series];

	for (uint32_t i = s->first_label; i < s->first_label + s->label_count; i++)
		if (!strcmp(profile_text(p, p->labels.items[i].key), key))
			return &p->labels.items[i];
	return NULL;
}

uint64_t profile_total_count(const struct profile *p)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < p->samples.count; i++)
		sum = add_capped(sum, p->samples.items[i].count);
	return sum;
}

uint64_t profile_total_value(const struct profile *p)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < p->samples.count; i++)
		sum = add_capped(sum, p->samples.items[i].value);
	return sum;
}
