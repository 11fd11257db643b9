// SPDX-License-Identifier: Apache-2.0
/*
 * An open file costs an fstat() a look, and stays what it is when its process ends or somebody takes its
 * name away. What is in it is the symbolizer's to read.
 */
#include "profiler/agent/perfmaps.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "profiler/base/array.h"
#include "profiler/base/cleanup.h"

#define MAX_OPEN 256u
#define MAX_OWNERS (1u << 16)

struct perfmaps {
	struct outside *outside;
	ARRAY(int) fds; /* by owner; -1: none */
	uint32_t open;
};

int perfmaps_new(struct perfmaps **ret, struct outside *outside)
{
	struct perfmaps *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->outside = outside;
	*ret = p;
	return 0;
}

void perfmaps_turn(struct perfmaps *p)
{
	for (uint32_t i = 0; i < p->fds.count; i++)
		fd_close(&p->fds.items[i]);
	array_release(&p->fds);
	p->open = 0;
}

void perfmaps_free(struct perfmaps *p)
{
	if (!p)
		return;
	perfmaps_turn(p);
	free(p);
}

/* 0 or negative errno. */
static int map_open(struct perfmaps *p, uint32_t owner, const struct process_id *id)
{
	int r;

	while (p->fds.count <= owner) {
		int *slot = array_push(&p->fds, MAX_OWNERS);

		if (!slot)
			return -ENOMEM;
		*slot = -1;
	}
	if (p->fds.items[owner] >= 0)
		return 0;
	if (p->open >= MAX_OPEN)
		return -EMFILE;
	r = outside_perfmap(p->outside, id->pid, id->start_ns, &p->fds.items[owner]);
	p->open += r == 0;
	return r;
}

static int look(void *ctx, uint32_t owner, const struct process_id *id, uint64_t *ret_bytes)
{
	struct perfmaps *p = ctx;
	int r = map_open(p, owner, id);
	struct stat st;

	if (r < 0)
		return r;
	if (fstat(p->fds.items[owner], &st) < 0)
		return -errno;
	*ret_bytes = (uint64_t)st.st_size;
	return 0;
}

struct code_source perfmaps_source(struct perfmaps *p)
{
	return (struct code_source){ p, look };
}

int perfmaps_fd(const struct perfmaps *p, uint32_t owner)
{
	return owner < p->fds.count ? p->fds.items[owner] : -1;
}
