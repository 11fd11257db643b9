// SPDX-License-Identifier: Apache-2.0
/*
 * A session: the BPF programs, and for each CPU its process events and its ticker.
 *
 * What could be missing is asked for first, one question after the other, so that the answer can name
 * it; what only the attempt can tell is explained where it fails. CPUs that come and go are found by
 * reading sysfs once a second: a netlink socket for that would be one more descriptor to own for
 * something that hardly ever happens.
 */
#include "profiler/collect/session.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bpf/record.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/collect/cpus.h"
#include "profiler/collect/programs.h"
#include "profiler/collect/rings.h"
#include "profiler/collect/sideband.h"
#include "profiler/collect/ticker.h"

#define INITIAL_PID_NAMESPACE 0xEFFFFFFCu /* PROC_PID_INIT_INO: its inode, since 3.8 */

/* The longest period at 99 Hz and a little. At lower frequencies captures begin half a tick late. */
#define MAX_SETTLE_NS (50 * NS_PER_MS)

struct session_cpu {
	struct sideband sideband;
	struct ticks ticks;
	bool online; /* as far as we know */
	bool leaving; /* went offline: what its ring holds is still to be read */
};

struct session {
	struct programs *programs;
	struct ticker ticker;
	struct session_facts facts;
	uint64_t cpus_failed;
	uint64_t ticks_due; /* of events that were closed */
	int online_fd; /* the list of those that run: opened once, read every second */
	struct cpus online, isolated;
	struct cpus profiled; /* those whose timers run */
	struct cpus wanted; /* those named by the configuration */
	bool all_cpus; /* none was named: all but the isolated */
	bool follows_pids;
	bool started;
	struct rings rings;
	uint32_t cpu_count; /* of `cpus`: every CPU number there can be */
	struct session_cpu *cpus;
};

/* ---- what must be there ---- */

static int check_capabilities(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
	uint64_t held;
	bool bpf, perfmon;

	if (syscall(SYS_capget, &header, data) < 0)
		return 0; /* then the load will tell */
	held = data[0].effective | (uint64_t)data[1].effective << 32;
	bpf = held & (1ULL << CAP_BPF | 1ULL << CAP_SYS_ADMIN);
	perfmon = held & (1ULL << CAP_PERFMON | 1ULL << CAP_SYS_ADMIN);
	if (bpf && perfmon)
		return 0;
	return err_set(err, -EPERM,
		       "sampling needs the capabilit%s %s%s%s: run it as root (sudo slowburn ...)",
		       bpf || perfmon ? "y" : "ies", bpf ? "" : "CAP_BPF",
		       bpf || perfmon ? "" : " and ", perfmon ? "" : "CAP_PERFMON");
}

/* Are this process's clocks others than the kernel's (time_namespaces(7))? Then all offsets are not 0. */
static bool clocks_are_shifted(void)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(4096);
	_cleanup_(fd_close) int fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC);
	const char *offsets = fd >= 0 && buffer_read_fd(&text, fd) == 0 ? buffer_cstr(&text) : NULL;

	return offsets && strpbrk(offsets, "123456789");
}

static int check_kernel(struct err *err)
{
	struct stat st;

	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		return err_errno(err, -errno,
				 "this kernel doesn't describe its types (CONFIG_DEBUG_INFO_BTF): "
				 "\"/sys/kernel/btf/vmlinux\" cannot be read");
	if (stat("/proc/self/ns/pid", &st) == 0 && st.st_ino != INITIAL_PID_NAMESPACE)
		return err_set(
			err, -ENOTSUP,
			"this container has process ids of its own, which the kernel's samples "
			"don't have: start it with the host's (--pid=host)");
	if (clocks_are_shifted())
		return err_set(err, -ENOTSUP,
			       "this time namespace's clocks are not the kernel's, which stamp the "
			       "samples: start slowburn in the first one");
	return 0;
}

static bool task_exists(uint32_t tgid, uint32_t tid)
{
	return syscall(SYS_tgkill, tgid, tid, 0) == 0 || errno != ESRCH;
}

static int check_pid(uint32_t pid, struct err *err)
{
	if (pid && pid <= INT32_MAX && task_exists(pid, pid))
		return 0;
	if (pid && pid <= INT32_MAX && syscall(SYS_tkill, pid, 0) == 0)
		return err_set(err, -ESRCH, "%u is a thread, not a process: name it with --tid",
			       pid);
	return err_set(err, -ESRCH, "there is no process with pid %u", pid);
}

static int check_tid(uint32_t tid, struct err *err)
{
	if (tid && tid <= INT32_MAX && (syscall(SYS_tkill, tid, 0) == 0 || errno != ESRCH))
		return 0;
	return err_set(err, -ESRCH, "there is no thread with tid %u", tid);
}

static int check_config(const struct session_config *config, struct err *err)
{
	int r = 0;

	if (!config->frequency_hz || config->frequency_hz > SESSION_MAX_FREQUENCY_HZ)
		return err_set(err, -EINVAL, "a frequency of %u Hz is not between 1 and %u",
			       config->frequency_hz, SESSION_MAX_FREQUENCY_HZ);
	if (config->pid_count > SESSION_MAX_TARGETS || config->tid_count > SESSION_MAX_TARGETS)
		return err_set(err, -E2BIG, "more than %u processes or threads are named",
			       SESSION_MAX_TARGETS);
	if (config->comm_count > SESSION_MAX_COMMS)
		return err_set(err, -E2BIG, "more than %u command names are given",
			       SESSION_MAX_COMMS);
	if (config->user_only && config->kernel_only)
		return err_set(err, -EINVAL,
			       "only user code and only kernel code: then nothing is left");
	for (uint32_t i = 0; i < config->pid_count && r == 0; i++)
		r = check_pid(config->pids[i], err);
	for (uint32_t i = 0; i < config->tid_count && r == 0; i++)
		r = check_tid(config->tids[i], err);
	return r;
}

/* ---- CPUs ---- */

static bool is_wanted(const struct session *s, uint32_t cpu)
{
	return s->all_cpus ? !cpus_has(&s->isolated, cpu) : cpus_has(&s->wanted, cpu);
}

/* Processes of the CPUs that we sample also run on the others; isolated ones are left alone. */
static bool is_watched(const struct session *s, uint32_t cpu)
{
	return is_wanted(s, cpu) || !cpus_has(&s->isolated, cpu);
}

/*
 * CPUs that come and go are followed by reading the list again, by a descriptor: by then nothing can be
 * opened any more.
 */
static int read_cpus(struct session *s, const struct session_config *config, struct err *err)
{
	struct cpus possible;
	int r;

	r = cpus_read(&possible, "/sys/devices/system/cpu/possible");
	s->online_fd = open(CPUS_ONLINE, O_RDONLY | O_CLOEXEC);
	if (r == 0)
		r = s->online_fd < 0 ? -errno : cpus_read_again(&s->online, s->online_fd);
	if (r == 0)
		r = cpus_read_isolated(&s->isolated);
	if (r < 0)
		return err_errno(err, r, "cannot read which CPUs there are");
	for (uint32_t cpu = 0; cpu < SESSION_MAX_CPUS; cpu++) {
		if (cpus_has(&possible, cpu) || cpus_has(&s->online, cpu))
			s->cpu_count = cpu + 1;
	}
	s->all_cpus = !config->cpus;
	if (config->cpus)
		memcpy(s->wanted.bits, config->cpus, sizeof(s->wanted.bits));
	for (uint32_t cpu = 0; cpu < SESSION_MAX_CPUS; cpu++) {
		if (cpus_has(&s->wanted, cpu) && !cpus_has(&s->online, cpu))
			return err_set(err, -ENODEV, "CPU %u is not online", cpu);
	}
	s->cpus = calloc(s->cpu_count, sizeof(*s->cpus));
	if (!s->cpus)
		return err_errno(err, -ENOMEM, "cannot start a session");
	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++)
		s->cpus[cpu] = (struct session_cpu){
			.sideband = SIDEBAND_CLOSED,
			.ticks = TICKS_CLOSED,
		};
	return 0;
}

static void count_cpus(struct session *s)
{
	s->facts.cpus_online = cpus_count(&s->online);
	s->facts.cpus_isolated = 0;
	s->facts.cpus_profiled = 0;
	memset(&s->profiled, 0, sizeof(s->profiled));
	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++) {
		if (!cpus_has(&s->online, cpu))
			continue;
		if (is_wanted(s, cpu)) {
			s->profiled.bits[cpu / 8] |= (uint8_t)(1U << (cpu % 8));
			s->facts.cpus_profiled++;
		} else if (cpus_has(&s->isolated, cpu)) {
			s->facts.cpus_isolated++;
		}
	}
}

/*
 * Its events and its place in a ring; its timers don't tick yet. Timers first: where perf events are refused,
 * theirs is the sentence that says why.
 */
static int open_cpu(struct session *s, uint32_t cpu, struct err *err)
{
	struct session_cpu *c = &s->cpus[cpu];
	int r;

	c->online = true;
	if (!is_watched(s, cpu))
		return 0;
	if (is_wanted(s, cpu)) {
		r = ticker_open(&s->ticker, cpu, programs_sampler_fd(s->programs), &c->ticks, err);
		if (r < 0)
			return r;
	}
	r = c->sideband.fd < 0 ? sideband_open(&c->sideband, cpu, s->rings.event_bytes) : 0;
	if (r == 0 && is_wanted(s, cpu))
		r = programs_add_ring(s->programs, cpu);
	if (r < 0) {
		sideband_close(&c->sideband);
		ticks_close(&c->ticks);
		return err_errno(err, r, "cannot watch CPU %u", cpu);
	}
	return 0;
}

static void stop_cpu(struct session *s, struct session_cpu *c)
{
	s->ticks_due += ticks_due(&c->ticks, &s->ticker);
	ticks_close(&c->ticks);
}

static void close_cpu(struct session *s, struct session_cpu *c)
{
	stop_cpu(s, c);
	sideband_close(&c->sideband);
	c->leaving = false;
}

/*
 * Before our own programs are loaded, as that is told where they lie: else what lies behind them, and is in no list,
 * would have their names. Where it fails open_cpu() tries again, and says why.
 */
static void listen_early(struct session *s)
{
	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++)
		if (cpus_has(&s->online, cpu) && is_watched(s, cpu))
			(void)sideband_open(&s->cpus[cpu].sideband, cpu, s->rings.event_bytes);
}

/* A CPU may go between our reading the list and this: that is no reason to fail. */
static int open_cpus(struct session *s, struct err *err)
{
	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++) {
		int r = cpus_has(&s->online, cpu) ? open_cpu(s, cpu, err) : 0;

		if (r == -ENODEV)
			s->cpus_failed++;
		else if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Five descriptors for each CPU, and one for each chunk of unwind tables, are more than the usual soft
 * limit of 1,024 on large machines. If the hard limit is too low as well, opening fails and says so.
 */
static void raise_file_limit(const struct session *s)
{
	rlim_t need = (rlim_t)s->cpu_count * (SESSION_EVENTS_PER_CPU + 2) + UNWIND_MAX_CHUNKS + 256;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
		return;
	limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- memory ---- */

/*
 * The scratch of one CPU, for a record at its longest; and maps that there are but one
 * of: for the most part the rules and files of unwind tables. What is in those comes on top.
 */
#define CPU_MAPS_BYTES (RECORD_MAX_WHOLE_BYTES + 384u)
#define MAPS_BYTES (1840u << 10)
/* An entry of a hash map, its links and its share of the buckets included. */
#define TARGET_BYTES 96u

static uint64_t maps_bytes(const struct session_config *config, uint32_t cpus)
{
	uint64_t targets = (config->pid_count ? SESSION_MAX_TARGETS : 0) + config->tid_count;

	return MAPS_BYTES + (uint64_t)cpus * CPU_MAPS_BYTES + targets * TARGET_BYTES;
}

static void rings_choose(struct rings *ret, const struct session_config *config, uint32_t cpus)
{
	uint64_t maps = maps_bytes(config, cpus), max = config->ring_bytes_max;

	rings_want(ret, config->frequency_hz, cpus);
	if (max)
		rings_shrink(ret, cpus, max > maps ? max - maps : 0);
}

uint64_t session_kernel_bytes(const struct session_config *config, uint32_t cpus)
{
	struct rings rings;

	rings_choose(&rings, config, cpus);
	return rings_bytes(&rings, cpus) + maps_bytes(config, cpus);
}

/* ---- life ---- */

static int new_parts(struct session *s, const struct session_config *config, struct err *err)
{
	uint32_t random[SESSION_EVENTS_PER_CPU];
	int r;

	r = check_config(config, err);
	if (r == 0)
		r = check_capabilities(err);
	if (r == 0)
		r = check_kernel(err);
	if (r == 0)
		r = read_cpus(s, config, err);
	if (r < 0)
		return r;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_errno(err, -EIO, "cannot get random numbers");
	ticker_init(&s->ticker, config->event, config->frequency_hz, random);
	s->facts.period = config->event == SESSION_CPU_CLOCK ? NS_PER_S / config->frequency_hz : 0;
	s->facts.event_count = s->ticker.count;
	s->follows_pids = config->pid_count > 0;
	count_cpus(s);
	raise_file_limit(s);
	/* CPUs that come later take theirs on top: hardly ever any does. */
	rings_choose(&s->rings, config, cpus_count(&s->online));
	listen_early(s);
	r = programs_load(&s->programs, config, s->cpu_count, s->rings.sample_bytes, err);
	if (r < 0)
		return r;
	return open_cpus(s, err);
}

int session_new(struct session **ret, const struct session_config *config, struct err *err)
{
	struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_errno(err, -ENOMEM, "cannot start a session");
	s->online_fd = -1;
	r = new_parts(s, config, err);
	if (r == 0)
		*ret = take_ptr(s);
	session_free(s);
	return r;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	for (uint32_t cpu = 0; s->cpus && cpu < s->cpu_count; cpu++)
		close_cpu(s, &s->cpus[cpu]);
	programs_free(s->programs);
	fd_close(&s->online_fd);
	free(s->cpus);
	free(s);
}

/*
 * All timers were started together and first tick a whole period later, so that what is counted from now
 * on would miss half a tick of each. After a random part of a period the wait for the first tick is
 * as long as for any other: 20 captures of 1 s had 2.3 % too few samples without this.
 */
static void phases_settle(const struct ticker *t)
{
	uint64_t longest_ns = 0;
	struct timespec wait;
	uint32_t random;

	for (uint32_t i = 0; t->event == SESSION_CPU_CLOCK && i < t->count; i++)
		if (longest_ns < t->periods_ns[i])
			longest_ns = t->periods_ns[i];
	if (longest_ns > MAX_SETTLE_NS)
		longest_ns = MAX_SETTLE_NS;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return;
	wait = (struct timespec){ .tv_nsec = (long)((double)random / UINT32_MAX *
						    (double)longest_ns) };
	nanosleep(&wait, NULL);
}

int session_start(struct session *s, struct err *err)
{
	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++) {
		int r = ticks_start(&s->cpus[cpu].ticks);

		if (r < 0) {
			session_stop(s);
			return err_errno(err, r, "cannot sample CPU %u", cpu);
		}
	}
	s->started = true;
	phases_settle(&s->ticker);
	return 0;
}

void session_stop(struct session *s)
{
	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++)
		stop_cpu(s, &s->cpus[cpu]);
	s->started = false;
}

int session_drain(struct session *s, struct batch *batch)
{
	int result = 0, r;

	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++) {
		struct session_cpu *c = &s->cpus[cpu];

		r = sideband_drain(&c->sideband, batch);
		if (r < 0)
			result = r;
		if (c->leaving)
			close_cpu(s, c);
	}
	r = programs_drain(s->programs, batch);
	return r < 0 ? r : result;
}

int session_list_programs(struct session *s, struct batch *batch)
{
	return programs_list(s->programs, batch);
}

static void cpu_came(struct session *s, uint32_t cpu)
{
	int r;

	close_cpu(s, &s->cpus[cpu]);
	r = open_cpu(s, cpu, NULL);
	if (r == 0 && s->started)
		r = ticks_start(&s->cpus[cpu].ticks);
	if (r < 0)
		s->cpus_failed++;
}

static void cpu_went(struct session *s, uint32_t cpu)
{
	stop_cpu(s, &s->cpus[cpu]);
	s->cpus[cpu].online = false;
	s->cpus[cpu].leaving = true;
}

void session_follow_cpus(struct session *s)
{
	struct cpus online;

	if (cpus_read_again(&online, s->online_fd) < 0 ||
	    memcmp(&online, &s->online, sizeof(online)) == 0)
		return;
	s->online = online;
	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++) {
		bool is_online = cpus_has(&online, cpu);

		if (is_online && !s->cpus[cpu].online)
			cpu_came(s, cpu);
		else if (!is_online && s->cpus[cpu].online)
			cpu_went(s, cpu);
	}
	count_cpus(s);
}

int session_add_pid(struct session *s, uint32_t pid)
{
	return s->follows_pids ? programs_add_target(s->programs, pid) : -EINVAL;
}

struct tables *session_tables(struct session *s)
{
	return programs_tables(s->programs);
}

/* ---- figures ---- */

void session_ticks(struct session *s, struct session_ticks *ret)
{
	struct bpf_tally tally;

	*ret = (struct session_ticks){ .due = s->ticks_due };
	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++)
		ret->due += ticks_due(&s->cpus[cpu].ticks, &s->ticker);
	if (programs_tally(s->programs, &tally) < 0)
		return;
	for (int i = 0; i < BPF_TICK_COUNTERS; i++)
		ret->seen += tally.count[i];
	ret->idle = tally.count[BPF_COUNTER_SAMPLES_IDLE];
}

void session_counters(struct session *s, struct counters *counters)
{
	struct bpf_tally tally;

	if (programs_tally(s->programs, &tally) == 0) {
		for (int i = 0; i < BPF_COUNTER_COUNT; i++)
			counters->value[i] = tally.count[i];
	}
	counters->value[COUNTER_CPUS_FAILED] = s->cpus_failed;
}

uint64_t session_bpf_ns(struct session *s)
{
	struct bpf_tally tally;

	return programs_tally(s->programs, &tally) == 0 ? tally.own_ns : 0;
}

const uint8_t *session_cpus(const struct session *s)
{
	return s->profiled.bits;
}

const struct session_facts *session_facts(const struct session *s)
{
	return &s->facts;
}

uint64_t session_memory_bytes(const struct session *s)
{
	uint64_t bytes = programs_memory_bytes(s->programs);

	for (uint32_t cpu = 0; cpu < s->cpu_count; cpu++)
		bytes += s->cpus[cpu].sideband.map_bytes;
	return bytes;
}
