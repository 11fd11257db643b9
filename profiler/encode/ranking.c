// SPDX-License-Identifier: Apache-2.0
/*
 * One pass over the samples adds each to its process, pid and stack; functions come from the call tree.
 * The hottest few are picked by insertion into a short sorted list: sorting 50,000 stacks to show five
 * is refused.
 */
#include "profiler/encode/ranking.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAME_BYTES (64u << 10)
#define MAX_NAMES_BYTES (64u << 20)

static_assert(offsetof(struct ranking_pid, value) == 16, "pid and process are the key");
static_assert(offsetof(struct ranking_stack, count) == 8, "process and node are the key");
static_assert(offsetof(struct ranking_line, count) == 16, "what is before it is the key");

/* What a series says of whom its samples are. */
struct owner {
	uint32_t process;
	uint32_t pid; /* number in pids, or PROFILE_NONE */
};

static bool pid_equal(const void *owner, uint32_t item, const void *key)
{
	const struct ranking *k = owner;

	return !memcmp(&k->pids.items[item], key, offsetof(struct ranking_pid, value));
}

static bool stack_equal(const void *owner, uint32_t item, const void *key)
{
	const struct ranking *k = owner;

	return !memcmp(&k->stacks.items[item], key, offsetof(struct ranking_stack, count));
}

static int add_pid(struct ranking *k, uint32_t process, int64_t pid, uint32_t *ret_pid)
{
	const struct ranking_pid key = { .pid = pid, .process = process };
	uint64_t hash = hash_bytes(&key, offsetof(struct ranking_pid, value));
	uint32_t found = index_find(&k->pid_index, hash, pid_equal, k, &key);

	if (found == UINT32_MAX) {
		struct ranking_pid *added = array_push(&k->pids, k->profile->series.count);

		if (!added)
			return -ENOMEM;
		*added = key;
		found = k->pids.count - 1;
		if (index_add(&k->pid_index, hash, found) < 0)
			return -ENOMEM;
		k->processes.items[process].pid_count++;
	}
	*ret_pid = found;
	return 0;
}

static int add_stack(struct ranking *k, uint32_t process, uint32_t node,
		     const struct profile_sample *s)
{
	const struct ranking_stack key = { .process = process, .node = node };
	uint64_t hash = hash_bytes(&key, offsetof(struct ranking_stack, count));
	uint32_t found = index_find(&k->stack_index, hash, stack_equal, k, &key);

	if (found == UINT32_MAX) {
		struct ranking_stack *added = array_push(&k->stacks, k->profile->samples.count);

		if (!added)
			return -ENOMEM;
		*added = key;
		found = k->stacks.count - 1;
		if (index_add(&k->stack_index, hash, found) < 0)
			return -ENOMEM;
	}
	k->stacks.items[found].count += s->count;
	k->stacks.items[found].value += s->value;
	return 0;
}

/* What a group is called: a text of the profile where it is one, else one of ours. */
static int name_group(struct ranking *k, uint32_t group, struct profile_string *ret)
{
	const struct group_value *v = &k->groups.items.items[group].values[0];
	struct buffer text = BUFFER_INIT(MAX_NAME_BYTES);
	const char *copy;
	int r;

	if (k->groups.keys.count == 1 && v->text != PROFILE_NONE) {
		*ret = k->profile->strings.items[v->text];
		return 0;
	}
	group_name_write(&k->groups, k->profile, group, &text);
	r = buffer_error(&text);
	copy = r == 0 ? arena_copy(&k->names, text.data, text.len) : NULL;
	if (copy)
		*ret = (struct profile_string){ copy, (uint32_t)text.len };
	buffer_release(&text);
	return copy ? 0 : r < 0 ? r : -ENOMEM;
}

static int add_processes(struct ranking *k)
{
	for (uint32_t i = 0; i < k->groups.items.count; i++) {
		struct ranking_process *added = array_push(&k->processes, k->profile->series.count);
		int r;

		if (!added)
			return -ENOMEM;
		*added = (struct ranking_process){ 0 };
		r = name_group(k, i, &added->name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int find_owners(struct ranking *k, struct owner *owners)
{
	int r = add_processes(k);

	for (uint32_t i = 0; i < k->profile->series.count && r == 0; i++) {
		const struct profile_label *pid = profile_label_find(k->profile, i, "pid");

		owners[i] = (struct owner){ k->groups.of_series[i], PROFILE_NONE };
		if (pid && pid->text == PROFILE_NONE)
			r = add_pid(k, owners[i].process, pid->number, &owners[i].pid);
	}
	return r;
}

static bool line_equal(const void *owner, uint32_t item, const void *key)
{
	const struct ranking *k = owner;

	return !memcmp(&k->lines.items[item], key, offsetof(struct ranking_line, count));
}

static int add_line(struct ranking *k, const struct profile_line *line,
		    const struct profile_sample *s)
{
	const struct profile_function *f = &k->profile->functions.items[line->function];
	const struct ranking_line key = { .file = f->file,
					  .function = f->name,
					  .line = line->line };
	uint64_t hash = hash_bytes(&key, offsetof(struct ranking_line, count));
	uint32_t found = index_find(&k->line_index, hash, line_equal, k, &key);

	if (found == UINT32_MAX) {
		struct ranking_line *added = array_push(&k->lines, k->profile->samples.count);

		if (!added)
			return -ENOMEM;
		*added = key;
		found = k->lines.count - 1;
		if (index_add(&k->line_index, hash, found) < 0)
			return -ENOMEM;
	}
	k->lines.items[found].count += s->count;
	k->lines.items[found].value += s->value;
	return 0;
}

/* Of a sample with a leaf. 0 or -ENOMEM. */
static int add_lined(struct ranking *k, const struct profile_sample *s)
{
	const struct profile *p = k->profile;
	const struct profile_location *l = &p->locations.items[p->nodes.items[s->node].location];
	const struct profile_line *line = &p->lines.items[l->first_line];
	uint32_t kind = l->mapping == PROFILE_NONE ? PROFILE_MAPPING_NONE
						   : p->mappings.items[l->mapping].kind;

	if (kind != PROFILE_MAPPING_USER && kind != PROFILE_MAPPING_UNREAD)
		return 0;
	k->file_value += s->value;
	if (!line->line)
		return 0;
	k->lined_value += s->value;
	return add_line(k, line, s);
}

static int add_sample(struct ranking *k, const struct profile_sample *s, const struct owner *owner)
{
	struct ranking_process *process = &k->processes.items[owner->process];
	uint32_t node = k->tree.node_of[s->node];

	k->count += s->count;
	k->value += s->value;
	process->count += s->count;
	process->value += s->value;
	if (owner->pid != PROFILE_NONE)
		k->pids.items[owner->pid].value += s->value;
	if (node) {
		const struct call_frame *leaf =
			&k->tree.frames.items[k->tree.nodes.items[node].frame];

		if (leaf->kind == PROFILE_MAPPING_KERNEL) {
			k->kernel_value += s->value;
			process->kernel_value += s->value;
		}
		if (!leaf->named)
			k->unnamed_value += s->value;
		if (add_lined(k, s) < 0)
			return -ENOMEM;
	} else {
		k->stackless_value += s->value;
	}
	return add_stack(k, owner->process, node, s);
}

int ranking_init(struct ranking *k, const struct profile *p, const struct group_keys *by)
{
	struct owner *owners = NULL;
	int r;

	*k = (struct ranking){ .profile = p };
	arena_init(&k->names, MAX_NAMES_BYTES);
	k->is_time = !strcmp(p->facts.value_unit, "nanoseconds");
	k->noun = k->is_time ? "CPU time" : p->facts.value_type;
	r = calltree_init(&k->tree, p);
	if (r < 0)
		return r;
	r = calltree_sums(&k->tree, p->samples.items, p->samples.count, &k->functions);
	if (r < 0)
		goto out;
	r = truncations_find(&k->tree, &k->truncations);
	if (r < 0)
		goto out;
	r = groups_init(&k->groups, by ? by : &group_by_comm, p);
	if (r < 0)
		goto out;
	owners = calloc((size_t)p->series.count + 1, sizeof(*owners));
	r = owners ? find_owners(k, owners) : -ENOMEM;
	for (uint32_t i = 0; i < p->samples.count && r == 0; i++)
		r = add_sample(k, &p->samples.items[i], &owners[p->samples.items[i].series]);
out:
	free(owners);
	if (r < 0)
		ranking_release(k);
	return r;
}

void ranking_release(struct ranking *k)
{
	calltree_release(&k->tree);
	free(k->functions);
	k->functions = NULL;
	groups_release(&k->groups);
	arena_release(&k->names);
	array_release(&k->processes);
	array_release(&k->pids);
	array_release(&k->stacks);
	array_release(&k->lines);
	index_release(&k->line_index);
	index_release(&k->pid_index);
	index_release(&k->stack_index);
}

/* Is item a hotter than b? With equal heat the order is the callback's too. */
typedef bool (*hotter_fn)(const struct ranking *k, uint32_t a, uint32_t b);

/* Puts `item` into the sorted `top` of `count`, of which at most `max` stay. Returns the new count. */
static uint32_t insert(const struct ranking *k, hotter_fn hotter, uint32_t item, uint32_t *top,
		       uint32_t count, uint32_t max)
{
	uint32_t at = count;

	while (at > 0 && hotter(k, item, top[at - 1]))
		at--;
	if (at == max)
		return count;
	if (count < max)
		count++;
	memmove(&top[at + 1], &top[at], (count - at - 1) * sizeof(*top));
	top[at] = item;
	return count;
}

static int compare_names(const struct ranking *k, uint32_t a, uint32_t b)
{
	return strcmp(profile_text(k->profile, a), profile_text(k->profile, b));
}

static bool hotter_function(const struct ranking *k, uint32_t a, uint32_t b)
{
	const struct call_sum *x = &k->functions[a], *y = &k->functions[b];
	int r;

	if (x->self_value != y->self_value)
		return x->self_value > y->self_value;
	if (x->total_value != y->total_value)
		return x->total_value > y->total_value;
	r = compare_names(k, k->tree.frames.items[a].name, k->tree.frames.items[b].name);
	return r ? r < 0 : a < b;
}

uint32_t ranking_top_functions(const struct ranking *k, uint32_t max, uint32_t *ret_frames)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < k->tree.frames.count; i++)
		if (k->functions[i].self_value)
			count = insert(k, hotter_function, i, ret_frames, count, max);
	return count;
}

uint32_t ranking_top_unnamed(const struct ranking *k, uint32_t max, uint32_t *ret_frames)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < k->tree.frames.count; i++)
		if (k->functions[i].self_value && !k->tree.frames.items[i].named)
			count = insert(k, hotter_function, i, ret_frames, count, max);
	return count;
}

static bool hotter_process(const struct ranking *k, uint32_t a, uint32_t b)
{
	const struct ranking_process *x = &k->processes.items[a], *y = &k->processes.items[b];

	if (x->value != y->value)
		return x->value > y->value;
	return strcmp(x->name.text, y->name.text) < 0;
}

uint32_t ranking_top_processes(const struct ranking *k, uint32_t max, uint32_t *ret_processes)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < k->processes.count; i++)
		if (k->processes.items[i].value)
			count = insert(k, hotter_process, i, ret_processes, count, max);
	return count;
}

static bool hotter_pid(const struct ranking *k, uint32_t a, uint32_t b)
{
	const struct ranking_pid *x = &k->pids.items[a], *y = &k->pids.items[b];

	return x->value != y->value ? x->value > y->value : x->pid < y->pid;
}

uint32_t ranking_top_pids(const struct ranking *k, uint32_t process, uint32_t max,
			  uint32_t *ret_pids)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < k->pids.count; i++)
		if (k->pids.items[i].process == process)
			count = insert(k, hotter_pid, i, ret_pids, count, max);
	return count;
}

static bool hotter_line(const struct ranking *k, uint32_t a, uint32_t b)
{
	const struct ranking_line *x = &k->lines.items[a], *y = &k->lines.items[b];
	int r;

	if (x->value != y->value)
		return x->value > y->value;
	r = compare_names(k, x->file, y->file);
	if (r == 0)
		r = (x->line > y->line) - (x->line < y->line);
	return r ? r < 0 : compare_names(k, x->function, y->function) < 0;
}

uint32_t ranking_top_lines(const struct ranking *k, uint32_t max, uint32_t *ret_lines)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < k->lines.count; i++)
		if (k->lines.items[i].value)
			count = insert(k, hotter_line, i, ret_lines, count, max);
	return count;
}

static bool hotter_stack(const struct ranking *k, uint32_t a, uint32_t b)
{
	const struct ranking_stack *x = &k->stacks.items[a], *y = &k->stacks.items[b];
	int r;

	if (x->value != y->value)
		return x->value > y->value;
	r = strcmp(k->processes.items[x->process].name.text,
		   k->processes.items[y->process].name.text);
	return r ? r < 0 : x->node < y->node;
}

uint32_t ranking_top_stacks(const struct ranking *k, uint32_t max, uint32_t *ret_stacks)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < k->stacks.count; i++)
		if (k->stacks.items[i].count > 1)
			count = insert(k, hotter_stack, i, ret_stacks, count, max);
	return count;
}
