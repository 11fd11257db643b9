// SPDX-License-Identifier: Apache-2.0
/*
 * A job as bytes: a head of fixed size, then its arrays in the head's order, each padded to 8 bytes. Both
 * ends are the same program, so that structs go as they are; pointers go as counts.
 *
 * Refused: the command line itself, to be read again by the agent. It names files and cgroups, and the
 * agent can open nothing.
 */
#include "profiler/agent/job.h"

#include <errno.h>
#include <string.h>

#define COMM_BYTES 32
#define CPU_BYTES (SESSION_MAX_CPUS / 8)
#define ALIGNMENT 8

struct part_head {
	uint32_t format, columns, rows, color;
	struct root_keys root;
};

struct head {
	struct cgroup_hierarchy cgroups;
	struct budget budget;
	struct part_head parts[JOB_MAX_PARTS];
	uint64_t cgroup, ring_bytes_max, duration_ns, drain_ns, window_ns;
	uint32_t frequency_hz, event;
	uint32_t pid_count, tid_count, comm_count, part_count;
	uint32_t has_cpus, user_only, kernel_only, record;
	uint32_t no_inlines, watch;
};

static const struct format *const formats[] = { &format_text, &format_pprof, &format_collapsed,
						&format_json };
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static uint32_t format_number(const struct format *f)
{
	uint32_t i = 0;

	while (i < FORMATS && formats[i] != f)
		i++;
	return i;
}

static void part_write(const struct job_part *p, struct part_head *ret)
{
	*ret = (struct part_head){
		.format = format_number(p->format),
		.columns = p->look.columns,
		.rows = p->look.rows,
		.color = p->look.color,
		.root = p->root,
	};
}

static void array_write(struct buffer *out, const void *items, size_t bytes)
{
	static const char padding[ALIGNMENT];

	if (bytes)
		buffer_append(out, items, bytes);
	buffer_append(out, padding, -bytes % ALIGNMENT);
}

void job_write(const struct job *j, struct buffer *out)
{
	const struct session_config *s = &j->session;
	struct head h = {
		.cgroups = j->cgroups,
		.budget = j->budget,
		.cgroup = s->cgroup,
		.ring_bytes_max = s->ring_bytes_max,
		.duration_ns = j->duration_ns,
		.drain_ns = j->drain_ns,
		.window_ns = j->window_ns,
		.frequency_hz = s->frequency_hz,
		.event = s->event,
		.pid_count = s->pid_count,
		.tid_count = s->tid_count,
		.comm_count = s->comm_count,
		.part_count = j->part_count,
		.has_cpus = s->cpus != NULL,
		.user_only = s->user_only,
		.kernel_only = s->kernel_only,
		.record = j->record,
		.no_inlines = j->no_inlines,
		.watch = j->watch,
	};

	for (uint32_t i = 0; i < j->part_count; i++)
		part_write(&j->parts[i], &h.parts[i]);
	array_write(out, &h, sizeof(h));
	array_write(out, s->cpus, s->cpus ? CPU_BYTES : 0);
	array_write(out, s->pids, s->pid_count * sizeof(*s->pids));
	array_write(out, s->tids, s->tid_count * sizeof(*s->tids));
	for (uint32_t i = 0; i < s->comm_count; i++) {
		char comm[COMM_BYTES] = "";

		memcpy(comm, s->comms[i], strnlen(s->comms[i], sizeof(comm) - 1));
		array_write(out, comm, sizeof(comm));
	}
}

/* ---- and back ---- */

struct cursor {
	char *at;
	size_t left;
};

/* The next array, or NULL if it isn't there. */
static void *array_read(struct cursor *c, size_t bytes)
{
	size_t padded = bytes + -bytes % ALIGNMENT;
	void *items = c->at;

	if (padded < bytes || padded > c->left)
		return NULL;
	c->at += padded;
	c->left -= padded;
	return items;
}

static bool is_terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool part_read(const struct part_head *h, struct job_part *ret)
{
	if (h->format >= FORMATS || h->root.count > ROOT_MAX_KEYS)
		return false;
	for (uint32_t i = 0; i < h->root.count; i++)
		if (!is_terminated(h->root.keys[i], sizeof(h->root.keys[i])))
			return false;
	*ret = (struct job_part){
		.format = formats[h->format],
		.root = h->root,
		.look = { .columns = h->columns, .rows = h->rows, .color = h->color != 0 },
	};
	return true;
}

static bool head_is_sane(const struct head *h)
{
	return h->pid_count <= SESSION_MAX_TARGETS && h->tid_count <= SESSION_MAX_TARGETS &&
	       h->comm_count <= SESSION_MAX_COMMS && h->part_count <= JOB_MAX_PARTS &&
	       (!h->watch || (h->window_ns && !h->part_count && !h->record && !h->duration_ns)) &&
	       (h->event == SESSION_CPU_CLOCK || h->event == SESSION_CYCLES) &&
	       is_terminated(h->cgroups.controller, sizeof(h->cgroups.controller)) &&
	       is_terminated(h->cgroups.mount, sizeof(h->cgroups.mount));
}

static int arrays_read(struct job *j, const struct head *h, struct cursor *c)
{
	struct session_config *s = &j->session;

	s->cpus = h->has_cpus ? array_read(c, CPU_BYTES) : NULL;
	s->pids = array_read(c, h->pid_count * sizeof(*s->pids));
	s->tids = array_read(c, h->tid_count * sizeof(*s->tids));
	if ((h->has_cpus && !s->cpus) || !s->pids || !s->tids)
		return -EPROTO;
	for (uint32_t i = 0; i < h->comm_count; i++) {
		const char *comm = array_read(c, COMM_BYTES);

		if (!comm || !is_terminated(comm, COMM_BYTES))
			return -EPROTO;
		j->comms[i] = comm;
	}
	s->comms = j->comms;
	return c->left ? -EPROTO : 0;
}

int job_parse(struct job *ret, struct buffer *bytes)
{
	struct cursor c = { bytes->data, bytes->len };
	const struct head *h = array_read(&c, sizeof(*h));

	if (!h || !head_is_sane(h))
		return -EPROTO;
	*ret = (struct job){
		.cgroups = h->cgroups,
		.budget = h->budget,
		.duration_ns = h->duration_ns,
		.drain_ns = h->drain_ns,
		.window_ns = h->window_ns,
		.part_count = h->part_count,
		.record = h->record != 0,
		.no_inlines = h->no_inlines != 0,
		.watch = h->watch != 0,
		.session = {
			.frequency_hz = h->frequency_hz,
			.event = (enum session_event)h->event,
			.pid_count = h->pid_count,
			.tid_count = h->tid_count,
			.comm_count = h->comm_count,
			.cgroup = h->cgroup,
			.ring_bytes_max = h->ring_bytes_max,
			.user_only = h->user_only != 0,
			.kernel_only = h->kernel_only != 0,
		},
	};
	ret->session.cgroup_controller = ret->cgroups.controller;
	for (uint32_t i = 0; i < h->part_count; i++)
		if (!part_read(&h->parts[i], &ret->parts[i]))
			return -EPROTO;
	return arrays_read(ret, h, &c);
}
