// SPDX-License-Identifier: Apache-2.0
/*
 * Each value is checked when it is read, with its own sentence; what depends on the machine (is there
 * such a process, such a CPU?) is left to those who will ask it. Ranges of pids, names of events that
 * perf knows beside ours, and regular expressions for --comm were refused: the kernel side compares.
 */
#include "profiler/command/selection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/number.h"

enum {
	OPTION_CGROUP = 0x200,
	OPTION_COMM,
};

const struct argp_option selection_options[] = {
	{ NULL, 0, NULL, 0, "What to sample (all of these must hold):", 20 },
	{ "pid", 'p', "PID", 0,
	  "these processes, their threads, and all their children; a list with commas, or "
	  "given more than once",
	  20 },
	{ "tid", 't', "TID", 0, "these threads; likewise", 20 },
	{ "cpus", 'C', "LIST", 0,
	  "these CPUs, such as 0,2-3; without it all online ones, but isolated and nohz_full CPUs are "
	  "left alone",
	  20 },
	{ "cgroup", OPTION_CGROUP, "PATH", 0,
	  "processes of this control group and of those below it: a folder in a cgroup mount, or a "
	  "path within the hierarchy",
	  20 },
	{ "comm", OPTION_COMM, "NAME", 0,
	  "threads and processes of this name (15 bytes of it); may be given more than once", 20 },
	{ "user", 'u', NULL, 0, "user mode only", 20 },
	{ "kernel", 'k', NULL, 0, "kernel mode only", 20 },
	{ "all", 'a', NULL, 0,
	  "the whole machine, although a COMMAND is given: else only that is sampled", 20 },
	{ NULL, 0, NULL, 0, "How to sample:", 21 },
	{ "frequency", 'F', "HZ", 0, "samples a second on each CPU, 1 to 20000; without it 99",
	  21 },
	{ "event", 'e', "EVENT", 0,
	  "what makes a sample: cpu-clock (time; without this option), or cycles (needs a performance "
	  "counter, which virtual machines often lack)",
	  21 },
	{ 0 },
};

void selection_init(struct selection *s)
{
	*s = (struct selection){ .frequency_hz = SELECTION_DEFAULT_HZ };
}

void selection_release(struct selection *s)
{
	array_release(&s->pids);
	array_release(&s->tids);
}

int selection_add_pid(struct selection *s, uint32_t pid)
{
	uint32_t *item = array_push(&s->pids, SESSION_MAX_TARGETS);

	if (!item)
		return s->pids.count < SESSION_MAX_TARGETS ? -ENOMEM : -E2BIG;
	*item = pid;
	return 0;
}

static int add_tid(struct selection *s, uint32_t tid)
{
	uint32_t *item = array_push(&s->tids, SESSION_MAX_TARGETS);

	if (!item)
		return s->tids.count < SESSION_MAX_TARGETS ? -ENOMEM : -E2BIG;
	*item = tid;
	return 0;
}

/* "12,34" */
static int take_ids(struct selection *s, const char *list, const char *what,
		    int (*add)(struct selection *, uint32_t), struct err *err)
{
	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");
		uint64_t id;
		int r = number_parse(p, len, SELECTION_MAX_PID, &id);

		if (r < 0 || id == 0)
			return err_set(err, -EINVAL, "%s \"%.*s\" is not a number from 1 to %d",
				       what, (int)len, p, SELECTION_MAX_PID);
		r = add(s, (uint32_t)id);
		if (r == -E2BIG)
			return err_set(err, -EINVAL, "more than %d of %s", SESSION_MAX_TARGETS,
				       what);
		if (r < 0)
			return err_errno(err, r, "cannot take %s \"%s\"", what, list);
		p += len;
		if (!*p)
			return 0;
	}
}

static int take_cpus(struct selection *s, const char *list, struct err *err)
{
	int r = cpu_list_parse(list, strlen(list), s->cpus, SESSION_MAX_CPUS);

	if (r == -ERANGE)
		return err_set(err, -EINVAL, "CPU list \"%s\" goes beyond %d", list,
			       SESSION_MAX_CPUS - 1);
	if (r < 0)
		return err_set(err, -EINVAL, "CPU list \"%s\" is not a list such as 0,2-3", list);
	s->cpus_given = true;
	return 0;
}

static int take_comm(struct selection *s, const char *name, struct err *err)
{
	if (!*name)
		return err_set(err, -EINVAL, "the name that --comm gives is empty");
	if (s->comm_count == SESSION_MAX_COMMS)
		return err_set(err, -EINVAL, "--comm \"%s\" is one too many: %d are possible", name,
			       SESSION_MAX_COMMS);
	s->comms[s->comm_count++] = name;
	return 0;
}

static int take_frequency(struct selection *s, const char *text, struct err *err)
{
	uint64_t hz;
	int r = number_parse(text, strlen(text), SESSION_MAX_FREQUENCY_HZ, &hz);

	if (r < 0 || hz == 0)
		return err_set(err, -EINVAL, "frequency \"%s\" is not a number from 1 to %d", text,
			       SESSION_MAX_FREQUENCY_HZ);
	s->frequency_hz = (uint32_t)hz;
	return 0;
}

static int take_event(struct selection *s, const char *name, struct err *err)
{
	static const char *const names[] = {
		[SESSION_CPU_CLOCK] = "cpu-clock",
		[SESSION_CYCLES] = "cycles",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], name)) {
			s->event = (enum session_event)i;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "event \"%s\" is not cpu-clock or cycles", name);
}

int selection_take(struct selection *s, int key, const char *arg, struct err *err)
{
	switch (key) {
	case 'p':
		return take_ids(s, arg, "process", selection_add_pid, err);
	case 't':
		return take_ids(s, arg, "thread", add_tid, err);
	case 'C':
		return take_cpus(s, arg, err);
	case 'F':
		return take_frequency(s, arg, err);
	case 'e':
		return take_event(s, arg, err);
	case OPTION_COMM:
		return take_comm(s, arg, err);
	case OPTION_CGROUP:
		s->cgroup = arg;
		return *arg ? 0 : err_set(err, -EINVAL, "the path that --cgroup gives is empty");
	case 'u':
		s->user_only = true;
		return 0;
	case 'k':
		s->kernel_only = true;
		return 0;
	case 'a':
		s->whole_machine = true;
		return 0;
	default:
		return 1;
	}
}

int selection_check(const struct selection *s, bool command, struct err *err)
{
	const char *target = s->pids.count ? "pid" : s->tids.count ? "tid" : NULL;

	if (s->user_only && s->kernel_only)
		return err_set(err, -EINVAL,
			       "--user and --kernel together leave nothing: without "
			       "them both modes are sampled");
	if (s->whole_machine && target)
		return err_set(err, -EINVAL, "--all is the whole machine, --%s is not: give one",
			       target);
	if (command && target)
		return err_set(err, -EINVAL,
			       "a command after -- is all that is sampled, and --%s is something "
			       "else: give one",
			       target);
	return 0;
}

int selection_apply(const struct selection *s, struct job *j, struct err *err)
{
	int r = cgroup_hierarchy_choose(&j->cgroups, err);
	uint64_t cgroup = 0;

	if (r == 0 && s->cgroup)
		r = cgroup_find(s->cgroup, &j->cgroups, &cgroup, err);
	if (r < 0)
		return r;
	j->session = (struct session_config){
		.frequency_hz = s->frequency_hz,
		.event = s->event,
		.cpus = s->cpus_given ? s->cpus : NULL,
		.pids = s->pids.items,
		.tids = s->tids.items,
		.pid_count = s->pids.count,
		.tid_count = s->tids.count,
		.comms = s->comms,
		.comm_count = s->comm_count,
		.cgroup = cgroup,
		.cgroup_controller = j->cgroups.controller,
		.user_only = s->user_only,
		.kernel_only = s->kernel_only,
	};
	return 0;
}
