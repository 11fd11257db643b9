/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sampling session: owns every BPF and perf file descriptor.
 *
 * Order: session_new() probes, opens, loads and starts the process events; the caller reads /proc; then
 * session_start() attaches the sampler, last, so that nothing of our own start is in the profile.
 * session_drain() moves what has come into a batch; session_stop() detaches, after which one more
 * drain brings the rest. All calls from one thread. Files are opened by session_new() only. The soft limit of open files is raised if there are
 * more CPUs than it has room for.
 *
 * A process of the pid filter is followed by its children, from session_new() on: those that it
 * had before are the caller's to find, and to add by session_add_pid().
 */
#ifndef COLLECT_SESSION_H
#define COLLECT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/counter.h"
#include "profiler/base/err.h"
#include "profiler/collect/batch.h"
#include "profiler/collect/tables.h"

#define SESSION_MAX_CPUS 4096
#define SESSION_MAX_FREQUENCY_HZ 20000
#define SESSION_MAX_TARGETS 65536
#define SESSION_MAX_COMMS 16
#define SESSION_EVENTS_PER_CPU 4

enum session_event {
	SESSION_CPU_CLOCK,
	SESSION_CYCLES,
};

struct session_config {
	uint32_t frequency_hz; /* per CPU; 1 to SESSION_MAX_FREQUENCY_HZ */
	enum session_event event;
	/* CPUs by bit, SESSION_MAX_CPUS of them; NULL: all online ones but isolated and nohz_full. */
	const uint8_t *cpus;
	/* Filters, all of which must hold; each is off when its count is 0. */
	const uint32_t *pids, *tids;
	uint32_t pid_count, tid_count;
	const char *const *comms; /* thread's or process's, cut to 15 bytes */
	uint32_t comm_count;
	uint64_t cgroup; /* its subtree; 0: off */
	const char *cgroup_controller; /* of the v1 hierarchy that ids are taken in; "" for v2 */
	bool user_only, kernel_only;
	/* What rings and maps may take in all; 0: no limit. Rings shrink to that, but not below 36 KiB a CPU. */
	uint64_t ring_bytes_max;
};

struct session_facts {
	uint64_t period; /* what one sample stands for: ns for cpu-clock; 0 for cycles */
	uint32_t cpus_profiled, cpus_online, cpus_isolated; /* isolated: left alone */
	uint32_t event_count; /* perf events on each CPU */
};

struct session;

/* What a session of this kind will take of the kernel's memory on so many CPUs, ring_bytes_max observed. */
uint64_t session_kernel_bytes(const struct session_config *config, uint32_t cpus);

/*
 * 0, or negative errno and a sentence that says what is missing and how to mend it: no root (which
 * capability), no BTF, BPF refused (with the verifier's last line), no such pid, no PMU …
 */
int session_new(struct session **ret, const struct session_config *config, struct err *err);
void session_free(struct session *s);

int session_start(struct session *s, struct err *err);
void session_stop(struct session *s);

/*
 * Moves all that has come into `batch`: sample records and process events, as the kernel wrote them.
 * Never blocks. 0 or -ENOMEM.
 */
int session_drain(struct session *s, struct batch *batch);

/* Adds a list of all BPF programs that are loaded to the batch (programs_list()). To be called behind session_drain(). */
int session_list_programs(struct session *s, struct batch *batch);

/* Follows CPUs that came or went; cheap, call it once a second. Failures are counted. */
void session_follow_cpus(struct session *s);

/* Adds a process to the pid filter (which must be on). 0 or negative errno. */
int session_add_pid(struct session *s, uint32_t pid);

/* The unwind tables that the sampler reads; borrowed. */
struct tables *session_tables(struct session *s);

/*
 * How often the timers were due so far (cpu-clock only, else 0), how often the sampler ran, and how often
 * it met the idle task. On some virtual machines timers of an idle CPU are due and don't run it. It also
 * doesn't run when another BPF program, or a change of a BPF map, is under way on that CPU, when the
 * kernel throttles, and when an interrupt comes later than the next tick.
 */
struct session_ticks {
	uint64_t due, seen, idle;
};
void session_ticks(struct session *s, struct session_ticks *ret);

/*
 * Sets the kernel's counters and CPUS_FAILED to their present values. What batch_add() refuses is in the
 * batch's counters; EVENTS_LOST by the kernel come as EVENT_LOST, for whoever reads the batch to count.
 */
void session_counters(struct session *s, struct counters *counters);
/* Time spent within our BPF sampler so far. */
uint64_t session_bpf_ns(struct session *s);
/* The CPUs that are being profiled, by bit, SESSION_MAX_CPUS of them. */
const uint8_t *session_cpus(const struct session *s);
const struct session_facts *session_facts(const struct session *s);
/* Bytes of BPF maps (chunks of tables, too) and perf rings. */
uint64_t session_memory_bytes(const struct session *s);

#endif
