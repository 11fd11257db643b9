// SPDX-License-Identifier: Apache-2.0
/*
 * Loading the BPF side.
 *
 * What depends on the configuration is written into read-only data before the load, so that the
 * verifier removes what isn't used. libbpf is kept from printing; of all that it would have said, the
 * verifier's last line is kept for the error's sentence. The vmlinux BTF that libbpf parses meanwhile
 * is by far the most memory we ever use, and is given back.
 */
#include "profiler/collect/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/controller.h"
#include "bpf/record.h"
#include "bpf/sampler.skel.h"
#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/number.h"
#include "profiler/collect/decode.h"

#define MAX_LISTED 8192u /* BPF programs; of more there is no list */

struct programs {
	struct sampler *skel;
	struct tables *tables;
	struct ring_buffer *rings; /* NULL until the first is added */
	uint32_t slots;
	uint32_t ring_bytes;
	int *ring_fds; /* by slot; -1: not filled */
	uint64_t map_bytes, ring_map_bytes; /* all maps but chunks and rings; a ring */
	uint32_t possible_cpus;
	struct bpf_tally *tallies; /* room for one of each CPU */
	struct batch *batch; /* while draining */
	int drain_result;
};

/* ---- what libbpf and the verifier say ---- */

static struct {
	char line[256];
	bool from_verifier;
} last_words;

/* The last line that tells something: behind it the verifier adds its statistics. */
static void keep_last_line(const char *text)
{
	size_t len = strlen(text);

	while (len) {
		size_t start;

		while (len && text[len - 1] == '\n')
			len--;
		start = len;
		while (start && text[start - 1] != '\n')
			start--;
		if (len > start && strncmp(text + start, "-- ", 3) != 0 &&
		    strncmp(text + start, "processed ", 10) != 0) {
			snprintf(last_words.line, sizeof(last_words.line), "%.*s",
				 (int)(len - start), text + start);
			return;
		}
		len = start;
	}
}

static __attribute__((format(printf, 2, 0))) int hear(enum libbpf_print_level level,
						      const char *format, va_list args)
{
	_cleanup_(free_ptr) char *text = NULL;

	if (level != LIBBPF_WARN || last_words.from_verifier || vasprintf(&text, format, args) < 0)
		return 0;
	last_words.from_verifier = strstr(text, "BEGIN PROG LOAD LOG") != NULL;
	keep_last_line(text);
	return 0;
}

static int explain(int r, struct err *err)
{
	if (r == -EPERM)
		return err_set(
			err, r,
			"the kernel refuses our BPF programs: the capabilities CAP_BPF and "
			"CAP_PERFMON must hold in the initial user namespace (no rootless "
			"container), and kernel lockdown must not be \"confidentiality\"%s%s",
			last_words.from_verifier ? "; " : "",
			last_words.from_verifier ? last_words.line : "");
	/* So libbpf says that it found no types. We did: they didn't fit. */
	if (r == -ESRCH && !last_words.from_verifier)
		return err_set(
			err, -ENOMEM,
			"the kernel's types in \"/sys/kernel/btf/vmlinux\" can't be read into "
			"memory: they need more than --memory allows, or are damaged");
	if (last_words.from_verifier)
		return err_set(err, r, "the kernel's verifier refuses a BPF program: \"%s\"",
			       last_words.line);
	return err_errno(err, r, "the BPF programs cannot be loaded (%s)",
			 last_words.line[0] ? last_words.line : "no reason given");
}

/* ---- memory ---- */

/*
 * The kernel's own account of a map, from the "memlock:" line of its fdinfo; 0 if there is none. To be asked as
 * long as files may be opened.
 */
static uint64_t map_bytes(int fd)
{
	static const char key[] = "memlock:\t";
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(4096);
	_cleanup_(fd_close) int info = -1;
	char path[64];
	const char *line;
	uint64_t bytes;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0 || buffer_read_fd(&text, info) < 0 || !buffer_cstr(&text))
		return 0;
	line = strstr(text.data, key);
	if (!line)
		return 0;
	line += strlen(key);
	return number_parse(line, strcspn(line, "\n"), UINT64_MAX, &bytes) == 0 ? bytes : 0;
}

/*
 * Before 6.4 the kernel tells of each map what a full hash of it would be: 2.5 MB too much, for the most part of
 * the processes' map, whose entries are made when they are needed. Of that the buckets count, and arrays are
 * what is in them.
 */
#define BUCKET_BYTES 16u

static uint64_t map_kernel_bytes(const struct bpf_map *map)
{
	uint64_t entries = bpf_map__max_entries(map);

	if (bpf_map__map_flags(map) & BPF_F_NO_PREALLOC)
		return entries * BUCKET_BYTES;
	if (bpf_map__type(map) == BPF_MAP_TYPE_ARRAY)
		return entries * ((bpf_map__value_size(map) + 7u) & ~7u);
	return map_bytes(bpf_map__fd(map));
}

static uint64_t maps_bytes(const struct programs *p)
{
	const struct bpf_map *map;
	uint64_t bytes = 0;

	bpf_object__for_each_map(map, p->skel->obj)
		bytes += map_kernel_bytes(map);
	return bytes;
}

uint64_t programs_memory_bytes(const struct programs *p)
{
	uint64_t bytes = p->map_bytes + tables_bytes(p->tables);

	for (uint32_t i = 0; i < p->slots; i++)
		bytes += p->ring_fds[i] >= 0 ? p->ring_map_bytes : 0;
	return bytes;
}

/* ---- loading ---- */

static int find_controller(const char *name, uint32_t *ret, struct err *err)
{
	static const char *const names[BPF_CONTROLLER_COUNT] = { "",
#define X(id, kernel_name, name) name,
								 BPF_CONTROLLERS(X)
#undef X
	};

	for (uint32_t i = 0; i < BPF_CONTROLLER_COUNT; i++) {
		if (strcmp(names[i], name ? name : "") == 0) {
			*ret = i;
			return 0;
		}
	}
	return err_set(
		err, -EINVAL,
		"cgroups of the v1 hierarchy \"%s\" can't be told apart in the kernel: it has no "
		"controller that we know",
		name);
}

static int set_filters(struct sampler *skel, const struct session_config *config, struct err *err)
{
	struct sampler__rodata *ro = skel->rodata;
	uint32_t controller = BPF_CONTROLLER_NONE;
	int r;

	r = find_controller(config->cgroup_controller, &controller, err);
	if (r < 0)
		return r;
	ro->cgroup_controller = controller;
	ro->filter_cgroup = config->cgroup;
	ro->filter_targets = config->pid_count > 0;
	ro->filter_threads = config->tid_count > 0;
	ro->filter_user_only = config->user_only;
	ro->filter_kernel_only = config->kernel_only;
	ro->filter_comm_count = config->comm_count;
	for (uint32_t i = 0; i < config->comm_count; i++) {
		char comm[RECORD_COMM_BYTES] = "";

		_Static_assert(sizeof(ro->filter_comms[0]) == sizeof(comm), "a name is two words");
		snprintf(comm, sizeof(comm), "%s", config->comms[i]);
		memcpy((void *)ro->filter_comms[i], comm, sizeof(comm));
	}
	return 0;
}

/*
 * May a sampler look up in a map whose entries aren't preallocated (since 6.1)? Asked by a program that
 * does just that, so that no version has to be known.
 */
static bool can_grow(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	_cleanup_(fd_close) int map = bpf_map_create(BPF_MAP_TYPE_HASH, "probe", 4, 8, 1, &opts);
	_cleanup_(fd_close) int program = -1;
	const struct bpf_insn code[] = {
		{ .code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .off = -4 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10 },
		{ .code = BPF_ALU64 | BPF_ADD, .dst_reg = BPF_REG_2, .imm = -4 },
		{ .code = BPF_DW, /* BPF_LD | BPF_IMM: both are 0 */
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map },
		{ 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	if (map >= 0)
		program = bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "probe", "GPL", code,
					sizeof(code) / sizeof(code[0]), NULL);
	return program >= 0;
}

/* Preallocated, 8,192 entries are about 1 MiB. */
#define PREALLOCATED_PROCESSES 8192u

static int set_processes(struct bpf_map *map)
{
	int r;

	if (can_grow())
		return 0;
	r = bpf_map__set_map_flags(map, 0);
	return r < 0 ? r : bpf_map__set_max_entries(map, PREALLOCATED_PROCESSES);
}

static int set_shape(struct programs *p, const struct session_config *config)
{
	struct sampler *skel = p->skel;
	int r;

	r = set_processes(skel->maps.processes);
	if (r < 0)
		return r;
	r = bpf_map__set_max_entries(skel->maps.rings, p->slots);
	if (r < 0)
		return r;
	/* How many children there are, and will be, nobody can say: 5 MiB for the most. */
	r = bpf_map__set_max_entries(skel->maps.targets,
				     config->pid_count ? SESSION_MAX_TARGETS : 1);
	if (r < 0)
		return r;
	return bpf_map__set_max_entries(skel->maps.threads,
					config->tid_count ? config->tid_count : 1);
}

static int add_threads(struct programs *p, const struct session_config *config)
{
	int fd = bpf_map__fd(p->skel->maps.threads);

	for (uint32_t i = 0; i < config->tid_count; i++) {
		uint64_t value = 0;

		if (bpf_map_update_elem(fd, &config->tids[i], &value, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

/* Children are followed before their parents are entered, so that none slips through. */
static int start_filters(struct programs *p, const struct session_config *config, struct err *err)
{
	int r;

	r = sampler__attach(p->skel);
	for (uint32_t i = 0; i < config->pid_count && r == 0; i++)
		r = programs_add_target(p, config->pids[i]);
	if (r == 0)
		r = add_threads(p, config);
	if (r < 0)
		return explain(r, err);
	return 0;
}

static int allocate(struct programs *p, uint32_t cpus)
{
	p->possible_cpus = cpus;
	p->slots = (cpus + RECORD_CPUS_PER_RING - 1) / RECORD_CPUS_PER_RING;
	p->tallies = calloc(cpus, sizeof(*p->tallies));
	p->ring_fds = malloc(p->slots * sizeof(*p->ring_fds));
	for (uint32_t i = 0; p->ring_fds && i < p->slots; i++)
		p->ring_fds[i] = -1;
	return p->tallies && p->ring_fds ? 0 : -ENOMEM;
}

static int find_tables(struct programs *p)
{
	const struct tables_maps maps = {
		.chunks = bpf_map__fd(p->skel->maps.chunks),
		.rules = bpf_map__fd(p->skel->maps.rules),
		.exes = bpf_map__fd(p->skel->maps.exes),
		.processes = bpf_map__fd(p->skel->maps.processes),
	};

	return tables_new(&p->tables, &maps);
}

/*
 * The list of programs is nothing that sampling needs: where the kernel refuses it (before 5.9, and under
 * lockdown=confidentiality) all is loaded again without it.
 */
static int load(struct programs *p, const struct session_config *config, bool list, struct err *err)
{
	int r;

	p->skel = sampler__open();
	if (!p->skel)
		return explain(-errno, err);
	r = set_filters(p->skel, config, err);
	if (r < 0)
		return r;
	r = set_shape(p, config);
	if (r == 0)
		r = bpf_program__set_autoload(p->skel->progs.program_list, list);
	if (r == 0)
		r = sampler__load(p->skel);
	if (r < 0 && r != -ENOMEM && list) {
		sampler__destroy(p->skel);
		p->skel = NULL;
		memset(&last_words, 0, sizeof(last_words));
		return load(p, config, false, err);
	}
	if (r == 0)
		r = find_tables(p);
	if (r < 0)
		return explain(r, err);
	p->map_bytes = maps_bytes(p);
	return start_filters(p, config, err);
}

int programs_load(struct programs **ret, const struct session_config *config, uint32_t cpus,
		  uint32_t ring_bytes, struct err *err)
{
	struct programs *p = calloc(1, sizeof(*p));
	libbpf_print_fn_t before = libbpf_set_print(hear);
	int r = -ENOMEM;

	memset(&last_words, 0, sizeof(last_words));
	if (p) {
		p->ring_bytes = ring_bytes;
		r = allocate(p, cpus);
	}
	if (r < 0) {
		err_errno(err, r, "cannot load the BPF programs");
		goto out;
	}
	r = load(p, config, true, err);
	if (r == 0)
		*ret = take_ptr(p);
out:
	programs_free(p);
	libbpf_set_print(before);
	malloc_trim(0);
	return r;
}

void programs_free(struct programs *p)
{
	if (!p)
		return;
	ring_buffer__free(p->rings);
	for (uint32_t i = 0; p->ring_fds && i < p->slots; i++)
		fd_close(&p->ring_fds[i]);
	tables_free(p->tables);
	sampler__destroy(p->skel);
	free(p->ring_fds);
	free(p->tallies);
	free(p);
}

/* ---- samples ---- */

static int take_sample(void *ctx, void *bytes, size_t len)
{
	struct programs *p = ctx;

	if (batch_add(p->batch, BATCH_SAMPLE, bytes, len) == -ENOMEM)
		p->drain_result = -ENOMEM;
	return 0; /* what was refused is counted: go on with the next */
}

static int read_ring(struct programs *p, int fd)
{
	if (p->rings)
		return ring_buffer__add(p->rings, fd, take_sample, p);
	p->rings = ring_buffer__new(fd, take_sample, p, NULL);
	return p->rings ? 0 : -errno;
}

int programs_add_ring(struct programs *p, uint32_t cpu)
{
	uint32_t slot = cpu / RECORD_CPUS_PER_RING;
	_cleanup_(fd_close) int fd = -1;
	int r;

	if (cpu >= p->possible_cpus)
		return -ERANGE;
	if (p->ring_fds[slot] >= 0)
		return 0;
	fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, p->ring_bytes, NULL);
	if (fd < 0)
		return -errno;
	if (!p->ring_map_bytes)
		p->ring_map_bytes = map_bytes(fd);
	r = read_ring(p, fd);
	if (r < 0)
		return r;
	/* From here on libbpf reads it: it stays ours, even if the kernel never sees it. */
	p->ring_fds[slot] = take_fd(&fd);
	if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.rings), &slot, &p->ring_fds[slot],
				BPF_ANY) < 0)
		return -errno;
	return 0;
}

int programs_drain(struct programs *p, struct batch *batch)
{
	if (!p->rings)
		return 0;
	p->batch = batch;
	p->drain_result = 0;
	(void)ring_buffer__consume(p->rings); /* the number of records: take_sample() never fails */
	p->batch = NULL;
	return p->drain_result;
}

/* ---- what else is loaded ---- */

static int list_add(struct batch *batch, uint64_t time_ns, const struct record_program *p)
{
	struct listed_record r;

	encode_listed(&r, time_ns, p);
	return batch_add(batch, BATCH_EVENT, &r, sizeof(r));
}

int programs_list(struct programs *p, struct batch *batch)
{
	_cleanup_(buffer_release) struct buffer bytes =
		BUFFER_INIT(MAX_LISTED * sizeof(struct record_program));
	const struct bpf_link *link = p->skel->links.program_list;
	_cleanup_(fd_close) int fd = -1;
	uint64_t time_ns = clock_ns(CLOCK_MONOTONIC);
	int r;

	if (!link)
		return -ENOTSUP;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return -errno;
	r = buffer_read_fd(&bytes, fd);
	for (size_t i = 0; r == 0 && bytes.len - i >= sizeof(struct record_program);
	     i += sizeof(struct record_program)) {
		const struct record_program *listed = (const void *)(bytes.data + i);

		/* One that is interpreted has no code. */
		if (listed->start && listed->bytes)
			r = list_add(batch, time_ns, listed);
	}
	/* A moment later, as equal times have no order. */
	return r < 0 ? r : list_add(batch, time_ns + 1, NULL);
}

int programs_sampler_fd(const struct programs *p)
{
	return bpf_program__fd(p->skel->progs.sampler_tick);
}

int programs_add_target(struct programs *p, uint32_t pid)
{
	uint64_t start_ns = 0;

	/* NOEXIST: the kernel's entry of a child that it follows knows more than we do. */
	if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.targets), &pid, &start_ns, BPF_NOEXIST) <
		    0 &&
	    errno != EEXIST)
		return errno == E2BIG ? -ENOSPC : -errno;
	return 0;
}

int programs_tally(struct programs *p, struct bpf_tally *ret)
{
	struct bpf_tally sum = { 0 };
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.tallies), &zero, p->tallies) < 0)
		return -errno;
	for (uint32_t cpu = 0; cpu < p->possible_cpus; cpu++) {
		for (int i = 0; i < BPF_COUNTER_COUNT; i++)
			sum.count[i] += p->tallies[cpu].count[i];
		sum.own_ns += p->tallies[cpu].own_ns;
	}
	*ret = sum;
	return 0;
}

struct tables *programs_tables(const struct programs *p)
{
	return p->tables;
}
