// SPDX-License-Identifier: Apache-2.0
/*
 * Each check looks at facts and says fine, degraded and what is lost, fatal and why, or unknown, and how
 * to mend it. Fatal is what profiling can't do without; whether it really works is not concluded
 * from that but tried (doctor.c).
 */
#include "profiler/command/check.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/collect/rings.h"
#include "profiler/command/memory.h"
#include "profiler/command/memory_limit.h"
#include "profiler/command/selection.h"
#include "profiler/role/role.h"

#define BIT(capability) (1ULL << (capability))
#define MIB (1u << 20)

/* Without all of them our processes keep the uid that slowburn was started with (role/sandbox.h). */
#define OWN_UID_CAPABILITIES (BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL))

/* What is open beside the events: programs, maps, sockets. */
#define OTHER_FILES 16
/* Binaries that are held open until their names have been read. */
#define PINNED_FILES 1024
/* 20 minus the nice value of -10 that slowburn takes. */
#define WANTED_NICE_LIMIT 30

struct check {
	const char *group, *name;
	void (*look)(const struct check *k, const struct condition *c, struct finding *f);
	enum verdict without; /* if it isn't there */
	const char *
		use; /* what it is for; of a capability that the table of roles has, that tells it */
	const char *lost; /* what profiling lacks, or why it can't be, without it */
	const char *mend;
	enum probe probe;
	int capability;
};

/* ---- what is held ---- */

static bool holds(const struct condition *c, uint64_t all)
{
	return ((uint64_t)c->capabilities.value & all) == all;
}

static bool may_ask(const struct condition *c)
{
	return (holds(c, BIT(CAP_SYS_ADMIN)) || holds(c, BIT(CAP_BPF) | BIT(CAP_PERFMON))) &&
	       !c->other_user_namespace;
}

static bool is_refusal(int r)
{
	return r == -EPERM || r == -EACCES;
}

/* Privileges are there, and still the kernel says no: then something else filters. */
static bool is_filtered(const struct condition *c)
{
	return may_ask(c) &&
	       (is_refusal(c->probes[PROBE_BPF]) || is_refusal(c->probes[PROBE_PERF_EVENT]));
}

/* ---- the kernel ---- */

static void look_kernel(const struct check *k, const struct condition *c, struct finding *f)
{
	(void)k;
	finding_set(f, VERDICT_FINE, "Linux %s on %s", c->release, c->machine);
}

static void look_btf(const struct check *k, const struct condition *c, struct finding *f)
{
	if (c->btf == 0)
		finding_set(f, VERDICT_FINE, "%s", k->use);
	else if (c->btf == -EINVAL)
		finding_set(f, k->without, "\"/sys/kernel/btf/vmlinux\" is no BTF: %s", k->lost);
	else
		finding_set(f, k->without, "\"/sys/kernel/btf/vmlinux\" cannot be read (%s): %s",
			    strerrordesc_np(-c->btf), k->lost);
	if (c->btf < 0)
		finding_mend(f, "%s", k->mend);
}

static void look_probe(const struct check *k, const struct condition *c, struct finding *f)
{
	int r = c->probes[k->probe];

	if (r == 0) {
		finding_set(f, VERDICT_FINE, "%s", k->use);
	} else if (is_refusal(r) && !may_ask(c)) {
		finding_set(f, VERDICT_UNKNOWN,
			    "refused: only those with CAP_BPF and CAP_PERFMON may ask");
	} else if (is_refusal(r)) {
		finding_set(f, k->without, "refused (%s) despite the capabilities: %s",
			    strerrordesc_np(-r), k->lost);
		finding_mend(f, "a seccomp filter or a security module does that: see below");
	} else {
		finding_set(f, k->without, "not there (%s): %s", strerrordesc_np(-r), k->lost);
		finding_mend(f, "%s", k->mend);
	}
}

static void look_kallsyms(const struct check *k, const struct condition *c, struct finding *f)
{
	if (c->kallsyms == 0)
		finding_set(f, VERDICT_FINE, "%s", k->use);
	else if (c->kallsyms == 1)
		finding_set(f, k->without, "addresses in \"/proc/kallsyms\" are hidden: %s",
			    k->lost);
	else
		finding_set(f, k->without, "\"/proc/kallsyms\" cannot be read (%s): %s",
			    strerrordesc_np(-c->kallsyms), k->lost);
	if (c->kallsyms == 1)
		finding_mend(f, "see CAP_SYSLOG and kptr_restrict below");
	else if (c->kallsyms < 0)
		finding_mend(f, "%s", k->mend);
}

static void look_lockdown(const struct check *k, const struct condition *c, struct finding *f)
{
	(void)k;
	if (!c->lockdown[0])
		finding_set(f, VERDICT_FINE, "this kernel has none, or doesn't tell");
	else if (strcmp(c->lockdown, "confidentiality") != 0)
		finding_set(f, VERDICT_FINE, "\"%s\": lets BPF read what slowburn reads",
			    c->lockdown);
	else
		finding_set(
			f, VERDICT_UNKNOWN,
			"\"confidentiality\": refuses much of BPF; slowburn avoids what it is known to "
			"refuse, the last line tells whether that is enough");
}

/* ---- privileges ---- */

/* What this role keeps the capability for, or NULL. */
static const char *use_of(const struct role *role, int capability)
{
	for (size_t i = 0; i < role->capability_count; i++)
		if (role->capabilities[i].number == (uint32_t)capability)
			return role->capabilities[i].use;
	return NULL;
}

/* Who keeps the capability and what for: "opener, fetcher: reads …; tracer: stops …"; "" if nobody keeps it. */
static void describe_use(int capability, char *to, size_t size)
{
	const char *before = NULL;
	size_t len = 0;

	to[0] = '\0';
	for (size_t i = 0; i < role_count(); i++) {
		const char *use = use_of(role_at(i), capability);

		if (!use)
			continue;
		if (before && strcmp(before, use) != 0)
			len += (size_t)snprintf(to + len, size - len, ": %s; ", before);
		else if (before)
			len += (size_t)snprintf(to + len, size - len, ", ");
		assert(len < size);
		len += (size_t)snprintf(to + len, size - len, "%s", role_at(i)->name);
		assert(len < size);
		before = use;
	}
	if (before)
		snprintf(to + len, size - len, ": %s", before);
}

static void set_held(const struct check *k, struct finding *f)
{
	char use[256];

	describe_use(k->capability, use, sizeof(use));
	finding_set(f, VERDICT_FINE, "%s", use[0] ? use : k->use);
}

static void lacks(const struct check *k, struct finding *f)
{
	finding_set(f, k->without, "not held: %s", k->lost);
	/* The names in containers' options have no "CAP_". */
	finding_mend(f, "run as root (sudo); container: --cap-add %s", k->name + strlen("CAP_"));
}

static void look_capability(const struct check *k, const struct condition *c, struct finding *f)
{
	if (!c->capabilities.known) {
		finding_set(f, VERDICT_UNKNOWN, "\"/proc/self/status\" doesn't tell");
	} else if (c->other_user_namespace) {
		finding_set(f, k->without, "doesn't count in this user namespace: %s", k->lost);
		finding_mend(f, "see user namespace below");
	} else if (holds(c, BIT(k->capability))) {
		set_held(k, f);
	} else {
		lacks(k, f);
	}
}

/* What each of our processes gives up before it looks at anything: role/sandbox.h. */
static void look_separation(const struct check *k, const struct condition *c, struct finding *f)
{
	if (c->filters < 0) {
		finding_set(f, VERDICT_FATAL,
			    "processes can't give up system calls here (%s): ours don't run half "
			    "confined",
			    strerrordesc_np(-c->filters));
		finding_mend(f, "a kernel with CONFIG_SECCOMP_FILTER, and nothing that refuses "
				"prctl(PR_SET_SECCOMP)");
	} else if (!c->capabilities.known) {
		finding_set(f, VERDICT_UNKNOWN, "\"/proc/self/status\" doesn't tell");
	} else if (holds(c, OWN_UID_CAPABILITIES) && !c->other_user_namespace) {
		finding_set(f, VERDICT_FINE, "%s", k->use);
	} else {
		finding_set(f, k->without, "%s", k->lost);
		finding_mend(f, "%s", k->mend);
	}
}

/* As the kernel's kallsyms_show_value(). */
static void look_syslog(const struct check *k, const struct condition *c, struct finding *f)
{
	bool held = holds(c, BIT(CAP_SYSLOG)) && !c->other_user_namespace;
	bool open_to_all = c->kptr_restrict.known && c->kptr_restrict.value == 0 &&
			   c->perf_event_paranoid.known && c->perf_event_paranoid.value <= 1;

	if (open_to_all && c->capabilities.known && !held)
		finding_set(f, VERDICT_FINE,
			    "not held, and not needed: kptr_restrict and perf_event_paranoid show "
			    "everybody the kernel's names");
	else
		look_capability(k, c, f);
}

static void look_nice(const struct check *k, const struct condition *c, struct finding *f)
{
	if (c->nice != 0)
		finding_set(f, VERDICT_FINE, "not needed: slowburn was started with nice %d",
			    c->nice);
	else if (c->nice_limit.rlim_cur >= WANTED_NICE_LIMIT)
		finding_set(f, VERDICT_FINE, "%s (the limit RLIMIT_NICE allows it)", k->use);
	else
		look_capability(k, c, f);
}

static void set_condition(const struct check *k, bool good, struct finding *f)
{
	finding_set(f, good ? VERDICT_FINE : k->without, "%s", good ? k->use : k->lost);
	if (!good)
		finding_mend(f, "%s", k->mend);
}

static void look_user_namespace(const struct check *k, const struct condition *c, struct finding *f)
{
	set_condition(k, !c->other_user_namespace, f);
}

static void look_pid_namespace(const struct check *k, const struct condition *c, struct finding *f)
{
	set_condition(k, !c->other_pid_namespace, f);
}

static void look_time_namespace(const struct check *k, const struct condition *c, struct finding *f)
{
	set_condition(k, !c->shifted_time, f);
}

/* The probe says whether this is one of the kernels that mind; it was made with all that we hold. */
static void look_restricted_perf(const struct check *k, const struct condition *c,
				 struct finding *f)
{
	if (holds(c, BIT(CAP_SYS_ADMIN)) || c->probes[PROBE_PERF_EVENT] == 0) {
		finding_set(f, VERDICT_FINE, "%" PRId64 ": %s", c->perf_event_paranoid.value,
			    k->use);
	} else {
		finding_set(f, k->without, "%" PRId64 ": %s", c->perf_event_paranoid.value,
			    k->lost);
		finding_mend(f, "%s", k->mend);
	}
}

static void look_paranoid(const struct check *k, const struct condition *c, struct finding *f)
{
	if (!c->perf_event_paranoid.known)
		finding_set(f, VERDICT_UNKNOWN, "this kernel doesn't tell: has it no perf events?");
	else if (c->perf_event_paranoid.value > ROLE_PARANOID_MAX)
		look_restricted_perf(k, c, f);
	else if (holds(c, BIT(CAP_PERFMON) | BIT(CAP_SYS_ADMIN)))
		finding_set(f, VERDICT_FINE, "%" PRId64 ", which doesn't matter with CAP_PERFMON",
			    c->perf_event_paranoid.value);
	else
		finding_set(f, VERDICT_FINE, "%" PRId64 "; no value of it replaces CAP_PERFMON",
			    c->perf_event_paranoid.value);
}

static void look_kptr(const struct check *k, const struct condition *c, struct finding *f)
{
	if (!c->kptr_restrict.known)
		finding_set(f, VERDICT_UNKNOWN, "this kernel doesn't tell");
	else if (c->kptr_restrict.value < 2)
		finding_set(f, VERDICT_FINE, "%" PRId64 "%s", c->kptr_restrict.value,
			    c->kptr_restrict.value == 1 ? ": shows kernel addresses with CAP_SYSLOG"
							: "");
	else {
		finding_set(f, k->without, "%" PRId64 ": %s", c->kptr_restrict.value, k->lost);
		finding_mend(f, "%s", k->mend);
	}
}

/* What both kinds of filter have in common: what they really do is seen by what was refused. */
static void set_filter(const struct check *k, const struct condition *c, struct finding *f,
		       const char *what)
{
	if (is_filtered(c)) {
		finding_set(f, k->without, "%s, and %s is refused despite the capabilities", what,
			    is_refusal(c->probes[PROBE_BPF]) ? "bpf()" : "perf_event_open()");
		finding_mend(f, "%s", k->mend);
	} else if (!may_ask(c)) {
		finding_set(f, VERDICT_UNKNOWN,
			    "%s; what it refuses can't be seen without CAP_BPF and CAP_PERFMON",
			    what);
	} else {
		finding_set(f, VERDICT_FINE, "%s, and lets bpf() and perf_event_open() pass", what);
	}
}

static void look_seccomp(const struct check *k, const struct condition *c, struct finding *f)
{
	if (!c->seccomp.known)
		finding_set(f, VERDICT_UNKNOWN, "\"/proc/self/status\" doesn't tell");
	else if (c->seccomp.value == SECCOMP_MODE_DISABLED)
		finding_set(f, VERDICT_FINE, "no filter");
	else
		set_filter(k, c, f, "a filter is in force");
}

static void look_label(const struct check *k, const struct condition *c, struct finding *f)
{
	char what[sizeof(c->label) + 32];

	if (!c->label[0] || !strcmp(c->label, "unconfined")) {
		finding_set(f, VERDICT_FINE, "%s",
			    c->label[0] ? "unconfined" : "none labels this process");
		return;
	}
	snprintf(what, sizeof(what), "confined as \"%s\"", c->label);
	set_filter(k, c, f, what);
}

/* ---- limits ---- */

static uint64_t events_files(const struct condition *c)
{
	return (uint64_t)cpus_count(&c->online) * (SESSION_EVENTS_PER_CPU + 1) + OTHER_FILES;
}

static void look_files(const struct check *k, const struct condition *c, struct finding *f)
{
	uint64_t need = events_files(c);

	if (c->files.rlim_max >= need + PINNED_FILES) {
		finding_set(f, VERDICT_FINE,
			    "%" PRIu64 " open files; slowburn takes up to %" PRIu64,
			    (uint64_t)c->files.rlim_max, need + PINNED_FILES);
	} else if (c->files.rlim_max >= need) {
		finding_set(f, VERDICT_DEGRADED,
			    "%" PRIu64 " open files of %" PRIu64 ": on a busy machine %s",
			    (uint64_t)c->files.rlim_max, need + PINNED_FILES, k->lost);
		finding_mend(f, "ulimit -Hn %" PRIu64, need + PINNED_FILES);
	} else {
		finding_set(f, VERDICT_FATAL,
			    "%" PRIu64 " open files; the events of %" PRIu32
			    " CPUs alone take about %" PRIu64,
			    (uint64_t)c->files.rlim_max, cpus_count(&c->online), need);
		finding_mend(f, "ulimit -Hn %" PRIu64, need + PINNED_FILES);
	}
}

/* As the kernel's perf_mmap(): so much for each CPU, then RLIMIT_MEMLOCK. The agent has no CAP_IPC_LOCK. */
static void look_locked_memory(const struct check *k, const struct condition *c, struct finding *f)
{
	uint64_t cpus = cpus_count(&c->online);
	uint64_t need = cpus * (RINGS_MAX_EVENT_BYTES + (uint64_t)sysconf(_SC_PAGESIZE));
	uint64_t given = c->perf_event_mlock_kb.known && c->perf_event_mlock_kb.value > 0
				 ? cpus * (uint64_t)c->perf_event_mlock_kb.value * 1024
				 : 0;

	if (c->perf_event_paranoid.known && c->perf_event_paranoid.value < 0)
		finding_set(f, VERDICT_FINE, "no limit with perf_event_paranoid below 0");
	else if (need <= given || need - given <= c->locked_memory.rlim_cur)
		finding_set(f, VERDICT_FINE,
			    "enough for the process events' rings: %" PRIu64 " KiB", need >> 10);
	else {
		finding_set(f, k->without,
			    "%s takes %" PRIu64 " KiB, of which %" PRIu64 " are allowed", k->lost,
			    need >> 10, (given + c->locked_memory.rlim_cur) >> 10);
		finding_mend(f, "%s", k->mend);
	}
}

/* One number, and what becomes of it. */
static void set_shares(struct finding *f, enum verdict verdict, const struct budget *b,
		       const char *why)
{
	finding_set(f, verdict,
		    "%" PRIu64 " MiB%s: kernel %" PRIu64 ", tables %" PRIu64 ", agent %" PRIu64
		    " (batch %" PRIu64 ", window %" PRIu64 ", processes %" PRIu64
		    ", profile %" PRIu64 ", answer %" PRIu64 "), symbolizer %" PRIu64
		    ", opener %" PRIu64 ", fetcher %" PRIu64 ", supervisor %" PRIu64,
		    b->total / MIB, why, (b->kernel + MIB - 1) / MIB, b->tables / MIB,
		    b->agent / MIB, b->batch / MIB, b->window / MIB, b->processes / MIB,
		    b->profile / MIB, b->answer / MIB, b->symbolizer / MIB, b->opener / MIB,
		    b->fetcher / MIB, b->supervisor / MIB);
}

static void look_memory(const struct check *k, const struct condition *c, struct finding *f)
{
	struct session_config session = { .frequency_hz = SELECTION_DEFAULT_HZ };
	uint64_t wanted = c->memory_asked ? c->memory_asked : BUDGET_DEFAULT_BYTES;
	uint32_t cpus = cpus_count(&c->online);
	char why[128] = "";
	struct budget b;
	struct err err;

	if (memory_divide(c->memory_asked, c->memory_limit, cpus ? cpus : 1, &session, &b, &err) <
	    0) {
		finding_set(f, VERDICT_FATAL, "%s", err.text);
		if (c->memory_asked)
			finding_mend(f, "a larger --memory, or none");
		else
			finding_mend(f, "allow our control group %" PRIu64 " MiB",
				     wanted / 4 * 5 / MIB);
	} else if (b.total > c->memory_limit) {
		snprintf(why, sizeof(why),
			 ", more than the %" PRIu64
			 " that our control group may take (beyond that the "
			 "kernel kills it)",
			 c->memory_limit / MIB);
		set_shares(f, k->without, &b, why);
		finding_mend(f, "allow it %" PRIu64 " MiB, or a smaller --memory",
			     wanted / 4 * 5 / MIB);
	} else if (b.total < wanted || c->memory_limit < wanted) {
		snprintf(why, sizeof(why),
			 " of %" PRIu64 " MiB that our control group may take (%s)",
			 c->memory_limit / MIB, k->lost);
		set_shares(f, k->without, &b, why);
		finding_mend(f, "allow it %" PRIu64 " MiB", wanted / 4 * 5 / MIB);
	} else {
		set_shares(f, VERDICT_FINE, &b, "");
	}
}

/* ---- the machine ---- */

static void look_cycles(const struct check *k, const struct condition *c, struct finding *f)
{
	look_probe(k, c, f);
	/* A PMU without CAP_PERFMON is refused as everything is. */
	if (f->verdict == k->without)
		finding_mend(f, "%s", k->mend);
}

static void look_cpus(const struct check *k, const struct condition *c, struct finding *f)
{
	uint32_t online = cpus_count(&c->online), left = 0;

	for (uint32_t cpu = 0; cpu < SESSION_MAX_CPUS; cpu++)
		left += cpus_has(&c->online, cpu) && cpus_has(&c->isolated, cpu);
	if (!online)
		finding_set(f, VERDICT_UNKNOWN, "the kernel doesn't tell which are online");
	else if (!left)
		finding_set(f, VERDICT_FINE, "%" PRIu32 " online, none isolated: all are sampled",
			    online);
	else {
		finding_set(f, k->without,
			    "%" PRIu32 " of %" PRIu32 " are isolated or nohz_full: %s", left,
			    online, k->lost);
		finding_mend(f, "%s", k->mend);
	}
}

bool check_cpu_is_sampled(const struct condition *c, int cpu)
{
	return cpu >= 0 && !cpus_has(&c->isolated, (uint32_t)cpu);
}

static void look_cgroups(const struct check *k, const struct condition *c, struct finding *f)
{
	const struct cgroup_hierarchy *h = &c->cgroups;

	if (!h->mount[0]) {
		finding_set(f, k->without, "no hierarchy is mounted here: %s", k->lost);
		finding_mend(f, "%s", k->mend);
	} else if (h->controller[0]) {
		finding_set(f, VERDICT_FINE, "v1, the hierarchy of \"%s\" at \"%s\"", h->controller,
			    h->mount);
	} else {
		finding_set(f, VERDICT_FINE, "v2 at \"%s\"", h->mount);
	}
}

/* ---- the table ---- */

#define KERNEL "KERNEL"
#define PRIVILEGES "PRIVILEGES"
#define LIMITS "LIMITS"
#define MACHINE "MACHINE"
#define CAPABILITY(id) .name = #id, .group = PRIVILEGES, .look = look_capability, .capability = id
#define SPECIAL_CAPABILITY(id) .name = #id, .group = PRIVILEGES, .capability = id
#define LOST_UIDS                                                                             \
	"our processes keep the uid that slowburn was started with: between them stand only " \
	"their capabilities and system calls"
#define KERNEL_PROBE(id) .group = KERNEL, .look = look_probe, .probe = PROBE_##id

static const struct check checks[] = {
	{ .group = KERNEL, .name = "kernel", .look = look_kernel },
	{ .group = KERNEL,
	  .name = "BTF",
	  .look = look_btf,
	  .without = VERDICT_FATAL,
	  .use = "describes the kernel's types",
	  .lost = "our BPF programs can't find the kernel's fields",
	  .mend = "a kernel with CONFIG_DEBUG_INFO_BTF, /sys mounted and visible here" },
	{ KERNEL_PROBE(BPF), .name = "BPF", .without = VERDICT_FATAL, .use = "maps can be made",
	  .lost = "the sampler is a BPF program", .mend = "a kernel with CONFIG_BPF_SYSCALL" },
	{ KERNEL_PROBE(RING_BUFFER), .name = "BPF ring buffer", .without = VERDICT_FATAL,
	  .use = "brings the samples", .lost = "samples come by it",
	  .mend = "a kernel with it (Linux 6.1 and later are supported)" },
	{ KERNEL_PROBE(TASK_REGISTERS), .name = "bpf_task_pt_regs", .without = VERDICT_DEGRADED,
	  .use = "leads from kernel mode to the user stack",
	  .lost = "the sampler takes longer ways, and none under lockdown=confidentiality",
	  .mend = "a kernel with it (Linux 6.1 and later are supported)" },
	{ KERNEL_PROBE(TP_BTF), .name = "tp_btf", .without = VERDICT_DEGRADED,
	  .use = "follows the children of -p and of a command",
	  .lost = "profile -p and profile -- COMMAND will fail; the whole machine can be profiled",
	  .mend = "a kernel with CONFIG_BPF_EVENTS and BTF" },
	{ KERNEL_PROBE(PERF_EVENT), .name = "perf events", .without = VERDICT_FATAL,
	  .use = "are the sampler's timers", .lost = "they are the sampler's timers",
	  .mend = "a kernel with CONFIG_PERF_EVENTS" },
	{ KERNEL_PROBE(PERF_BPF), .name = "BPF on perf events", .without = VERDICT_FATAL,
	  .use = "runs the sampler at each tick",
	  .lost = "the sampler can't be attached to its timers",
	  .mend = "a kernel with CONFIG_BPF_EVENTS" },
	{ .group = KERNEL,
	  .name = "kernel symbols",
	  .look = look_kallsyms,
	  .without = VERDICT_DEGRADED,
	  .use = "can be read",
	  .lost = "kernel functions will be one, \"[kernel]\"",
	  .mend = "a kernel with CONFIG_KALLSYMS, /proc mounted and visible here" },
	{ .group = KERNEL, .name = "lockdown", .look = look_lockdown },

	{ CAPABILITY(CAP_BPF), .without = VERDICT_FATAL, .lost = "the sampler can't be loaded" },
	{ CAPABILITY(CAP_PERFMON), .without = VERDICT_FATAL,
	  .lost = "the sampler can't be loaded, nor CPUs sampled" },
	{ CAPABILITY(CAP_SYS_PTRACE), .without = VERDICT_DEGRADED,
	  .lost = "what processes had mapped before slowburn came is not known, nor what is theirs in "
		  "containers, so that their functions have no names" },
	{ CAPABILITY(CAP_DAC_READ_SEARCH), .without = VERDICT_DEGRADED,
	  .lost = "functions of binaries that not everybody may read have no names" },
	{ CAPABILITY(CAP_CHECKPOINT_RESTORE), .without = VERDICT_DEGRADED,
	  .lost = "functions of binaries that were deleted or replaced while they run have no names" },
	{ SPECIAL_CAPABILITY(CAP_SYSLOG), .look = look_syslog, .without = VERDICT_DEGRADED,
	  .lost = "kernel functions will be one, \"[kernel]\"" },
	{ SPECIAL_CAPABILITY(CAP_SYS_NICE), .look = look_nice, .without = VERDICT_DEGRADED,
	  .use = "used before it is given up: runs with nice -10, for a quick start on a busy machine",
	  .lost = "on a busy machine it takes up to seconds to the first sample, not 0.1 s" },
	{ CAPABILITY(CAP_SETUID), .without = VERDICT_DEGRADED, .lost = LOST_UIDS },
	{ CAPABILITY(CAP_SETGID), .without = VERDICT_DEGRADED, .lost = LOST_UIDS },
	{ CAPABILITY(CAP_KILL), .without = VERDICT_DEGRADED, .lost = LOST_UIDS },
	{ CAPABILITY(CAP_SETPCAP), .without = VERDICT_DEGRADED,
	  .lost = "the bounding sets of our processes stay as they are; they can't gain anything by "
		  "them" },
	{ CAPABILITY(CAP_DAC_OVERRIDE), .without = VERDICT_DEGRADED,
	  .lost = "the answer can't be written into another user's folder" },
	{ CAPABILITY(CAP_FOWNER), .without = VERDICT_DEGRADED,
	  .lost = "another user's answer of the same name, in a folder such as /tmp, can't be "
		  "replaced" },
	{ .group = PRIVILEGES,
	  .name = "separation",
	  .look = look_separation,
	  .without = VERDICT_DEGRADED,
	  .use = "our processes have uids, capabilities and system calls of their own: slowburn doctor "
		 "--roles",
	  .lost = "our processes have capabilities and system calls of their own, but one uid",
	  .mend = "see CAP_SETUID, CAP_SETGID and CAP_KILL above" },
	{ .group = PRIVILEGES,
	  .name = "user namespace",
	  .look = look_user_namespace,
	  .without = VERDICT_FATAL,
	  .use = "the first one: capabilities mean what they say",
	  .lost = "not the first one: capabilities that are held only in here are none for BPF and perf",
	  .mend = "run it outside, or in a container that is not rootless" },
	{ .group = PRIVILEGES,
	  .name = "pid namespace",
	  .look = look_pid_namespace,
	  .without = VERDICT_FATAL,
	  .use = "the first one: process ids are those of the samples",
	  .lost = "not the first one: the process ids in samples are others than those in /proc here",
	  .mend = "start the container with the host's (--pid=host, hostPID)" },
	{ .group = PRIVILEGES,
	  .name = "time namespace",
	  .look = look_time_namespace,
	  .without = VERDICT_FATAL,
	  .use = "clocks are the kernel's",
	  .lost = "its clocks are shifted: the samples' times are others than ours",
	  .mend = "run it outside of the time namespace" },
	{ .group = PRIVILEGES,
	  .name = "perf_event_paranoid",
	  .look = look_paranoid,
	  .without = VERDICT_FATAL,
	  .use = "where that asks for CAP_SYS_ADMIN (Debian, Ubuntu) the agent has it until it is sealed",
	  .lost = "kernels of Debian and Ubuntu then refuse perf events without CAP_SYS_ADMIN",
	  .mend = "sysctl kernel.perf_event_paranoid=2, or run as root; container: --cap-add SYS_ADMIN" },
	{ .group = PRIVILEGES,
	  .name = "kptr_restrict",
	  .look = look_kptr,
	  .without = VERDICT_DEGRADED,
	  .lost = "hides kernel addresses from root, too: kernel functions will be one, \"[kernel]\"",
	  .mend = "sysctl kernel.kptr_restrict=1" },
	{ .group = PRIVILEGES,
	  .name = "seccomp",
	  .look = look_seccomp,
	  .without = VERDICT_FATAL,
	  .mend = "let bpf and perf_event_open through: a container with --security-opt "
		  "seccomp=unconfined, a unit with SystemCallFilter=bpf perf_event_open" },
	{ .group = PRIVILEGES,
	  .name = "security module",
	  .look = look_label,
	  .without = VERDICT_FATAL,
	  .mend = "run it unconfined: a container with --security-opt apparmor=unconfined or "
		  "label=disable; the kernel's log names what was denied" },

	{ .group = LIMITS,
	  .name = "open files",
	  .look = look_files,
	  .lost = "binaries are let go before their names were read" },
	{ .group = LIMITS,
	  .name = "locked memory",
	  .look = look_locked_memory,
	  .without = VERDICT_FATAL,
	  .lost = "the process events' rings",
	  .mend = "ulimit -Hl unlimited, or a larger sysctl kernel.perf_event_mlock_kb" },
	{ .group = LIMITS,
	  .name = "memory",
	  .look = look_memory,
	  .without = VERDICT_DEGRADED,
	  .lost = "what doesn't fit is left out and counted" },

	{ .group = MACHINE,
	  .name = "CPUs",
	  .look = look_cpus,
	  .without = VERDICT_DEGRADED,
	  .lost = "they are left alone, what runs there is not in the answer",
	  .mend = "name them: slowburn profile --cpus" },
	{ .group = MACHINE,
	  .name = "cycles",
	  .look = look_cycles,
	  .probe = PROBE_CYCLES,
	  .without = VERDICT_DEGRADED,
	  .use = "a hardware counter: profile -e cycles",
	  .lost = "profile -e cycles will fail; cpu-clock, the default, needs no hardware",
	  .mend = "pass the host's PMU through, if this is a virtual machine" },
	{ .group = MACHINE,
	  .name = "cgroups",
	  .look = look_cgroups,
	  .without = VERDICT_DEGRADED,
	  .lost = "containers and units are known by /proc alone, and --cgroup finds none",
	  .mend = "mount /sys/fs/cgroup here, read-only will do" },
};

_Static_assert(sizeof(checks) / sizeof(checks[0]) < CHECK_MAX, "room for the decisive one, too");

uint32_t checks_run(const struct condition *c, struct finding ret[CHECK_MAX])
{
	uint32_t count = sizeof(checks) / sizeof(checks[0]);

	for (uint32_t i = 0; i < count; i++) {
		ret[i] = (struct finding){ .group = checks[i].group, .name = checks[i].name };
		checks[i].look(&checks[i], c, &ret[i]);
	}
	return count;
}
