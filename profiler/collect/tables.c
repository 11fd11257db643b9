// SPDX-License-Identifier: Apache-2.0
/*
 * Unwind tables where the kernel reads them.
 *
 * Chunks are made when they are first asked for and stay until the end: a slot of a map that holds a map
 * is never emptied or filled again (CVE-2023-52447). Each has its descriptor, by which it can be mapped
 * again; what is mapped counts as our memory, the descriptor doesn't. Writing rows by map updates was
 * refused: a store costs 30 ns where an update costs 500.
 */
#include "profiler/collect/tables.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"

/* A chunk has a header page or two beside its words. */
#define CHUNK_KERNEL_BYTES (UNWIND_CHUNK_BYTES + 8192u)

#define RULES_BYTES (UNWIND_MAX_RULES * sizeof(struct unwind_rule))
#define EXES_BYTES (UNWIND_MAX_EXES * sizeof(struct unwind_exe))

struct chunk_mapping {
	int fd; /* -1: doesn't exist */
	uint32_t *words; /* NULL: not mapped */
};

struct tables {
	struct tables_maps maps;
	struct unwind_rule *rules;
	struct unwind_exe *exes;
	uint32_t chunk_count;
	struct chunk_mapping chunks[UNWIND_MAX_CHUNKS];
};

static void *map_memory(int fd, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int tables_new(struct tables **ret, const struct tables_maps *maps)
{
	struct tables *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->maps = *maps;
	for (uint32_t i = 0; i < UNWIND_MAX_CHUNKS; i++)
		t->chunks[i].fd = -1;
	t->rules = map_memory(maps->rules, RULES_BYTES);
	t->exes = map_memory(maps->exes, EXES_BYTES);
	if (!t->rules || !t->exes) {
		tables_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void tables_free(struct tables *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < UNWIND_MAX_CHUNKS; i++) {
		tables_release_chunk(t, i);
		fd_close(&t->chunks[i].fd);
	}
	if (t->rules)
		munmap(t->rules, RULES_BYTES);
	if (t->exes)
		munmap(t->exes, EXES_BYTES);
	free(t);
}

/* The map of chunk `number`, in its place in the kernel. */
static int create_chunk(const struct tables *t, uint32_t number)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	_cleanup_(fd_close) int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "chunk", sizeof(uint32_t),
						    UNWIND_CHUNK_BYTES, 1, &opts);

	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(t->maps.chunks, &number, &fd, BPF_ANY) < 0)
		return -errno;
	return take_fd(&fd);
}

uint32_t *tables_map_chunk(struct tables *t, uint32_t number)
{
	struct chunk_mapping *c = number < UNWIND_MAX_CHUNKS ? &t->chunks[number] : NULL;

	if (!c || c->words)
		return c ? c->words : NULL;
	if (c->fd < 0) {
		c->fd = create_chunk(t, number);
		if (c->fd < 0) {
			c->fd = -1;
			return NULL;
		}
		t->chunk_count++;
	}
	c->words = map_memory(c->fd, UNWIND_CHUNK_BYTES);
	return c->words;
}

void tables_release_chunk(struct tables *t, uint32_t number)
{
	struct chunk_mapping *c = number < UNWIND_MAX_CHUNKS ? &t->chunks[number] : NULL;

	if (!c || !c->words)
		return;
	munmap(c->words, UNWIND_CHUNK_BYTES);
	c->words = NULL;
}

uint64_t tables_bytes(const struct tables *t)
{
	return (uint64_t)t->chunk_count * CHUNK_KERNEL_BYTES;
}

struct unwind_rule *tables_rules(struct tables *t)
{
	return t->rules;
}

struct unwind_exe *tables_exes(struct tables *t)
{
	return t->exes;
}

int tables_set_process(struct tables *t, uint32_t tgid, const struct unwind_process *p)
{
	return bpf_map_update_elem(t->maps.processes, &tgid, p, BPF_ANY) < 0 ? -errno : 0;
}

int tables_get_process(struct tables *t, uint32_t tgid, struct unwind_process *ret)
{
	struct unwind_process p;

	if (bpf_map_lookup_elem(t->maps.processes, &tgid, &p) < 0)
		return -errno;
	*ret = p;
	return 0;
}

int tables_remove_process(struct tables *t, uint32_t tgid)
{
	return bpf_map_delete_elem(t->maps.processes, &tgid) < 0 ? -errno : 0;
}
