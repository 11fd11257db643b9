// SPDX-License-Identifier: Apache-2.0
/*
 * A hash that nobody outside can foresee stands for the text, so that no one can choose a mount
 * namespace that passes for another's. Refused: a table of all processes' roots. Who keeps track of
 * a process keeps its number (struct process), and drops it when the process executes.
 */
#include "profiler/process/root.h"

#include "profiler/base/index.h"

#define MAX_TEXT_BYTES 4096

void roots_init(struct roots *r, const struct process_source *source)
{
	*r = (struct roots){ .source = source };
	buffer_init(&r->text, MAX_TEXT_BYTES);
}

void roots_release(struct roots *r)
{
	buffer_release(&r->text);
}

uint64_t roots_ask(struct roots *r, uint32_t pid)
{
	uint64_t hash;

	buffer_clear(&r->text);
	if (!pid || r->source->read(r->source->ctx, PROCESS_TEXT_ROOT, pid, &r->text) < 0 ||
	    !r->text.len)
		return ROOT_UNKNOWN;
	hash = hash_bytes(r->text.data, r->text.len);
	return hash > ROOT_UNKNOWN ? hash : hash + ROOT_UNKNOWN + 1;
}

static uint64_t parent_root(struct roots *r, uint32_t pid)
{
	if (!pid)
		return ROOT_UNKNOWN;
	if (r->parent_pid != pid) {
		r->parent_root = roots_ask(r, pid);
		r->parent_pid = pid;
	}
	return r->parent_root;
}

uint64_t roots_of(struct roots *r, const struct file_place *place, uint64_t *known)
{
	if (*known != ROOT_UNASKED)
		return *known;
	*known = roots_ask(r, place->pid);
	if (*known == ROOT_UNKNOWN)
		*known = parent_root(r, place->parent_pid);
	return *known;
}

void roots_forget(struct roots *r)
{
	r->parent_pid = 0;
}
