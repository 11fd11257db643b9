// SPDX-License-Identifier: Apache-2.0
/*
 * stopwatch COMM owner PID        times the ticks of the perf events that process PID opened
 * stopwatch COMM empty|walk HZ    the same for a BPF program of its own, on every CPU
 *
 * Only ticks that interrupt a thread called COMM are counted; "" is any. Writes "ready" when it is, and at SIGINT
 * or SIGTERM one line of JSON: runs, mean, percentiles, maximum, frames.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/stopwatch.h"
#include "tests/bench/stopwatch.skel.h"

static void die(const char *what)
{
	fprintf(stderr, "stopwatch: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Of a kernel function; 0 if nobody says. */
static unsigned long long address_of(const char *name)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long found = 0;
	char line[512];

	while (file && !found && fgets(line, sizeof(line), file)) {
		char *end;
		unsigned long long address = strtoull(line, &end, 16);

		if (strlen(end) > 3 && !strncmp(end + 3, name, strlen(name)) &&
		    end[3 + strlen(name)] == '\n')
			found = address;
	}
	if (file)
		fclose(file);
	return found;
}

static struct stopwatch *load(const char *comm, int owner)
{
	struct stopwatch *skel = stopwatch__open();

	if (!skel)
		die("open");
	skel->rodata->stopwatch_owner = owner;
	skel->rodata->stopwatch_function = address_of("perf_swevent_hrtimer");
	if (!skel->rodata->stopwatch_function)
		die("no perf_swevent_hrtimer in /proc/kallsyms");
	snprintf((char *)skel->rodata->stopwatch_comm, sizeof(skel->rodata->stopwatch_comm), "%s",
		 comm);
	if (stopwatch__load(skel))
		die("load");
	return skel;
}

static void attach(struct bpf_program *program)
{
	if (!bpf_program__attach(program))
		die(bpf_program__name(program));
}

static void attach_clock(struct bpf_program *program, unsigned hz)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000000 / hz,
	};

	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
		long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0 || !bpf_program__attach_perf_event(program, (int)fd))
			die("perf event");
	}
}

static void add_up(int map, struct stopwatch_tally *sum)
{
	int cpus = libbpf_num_possible_cpus();
	struct stopwatch_tally *all = calloc(cpus > 0 ? cpus : 1, sizeof(*all));
	__u32 zero = 0;

	if (!all || bpf_map_lookup_elem(map, &zero, all))
		die("tally");
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum->count += all[cpu].count;
		sum->sum_ns += all[cpu].sum_ns;
		sum->stacks += all[cpu].stacks;
		sum->frames += all[cpu].frames;
		if (all[cpu].max_ns > sum->max_ns)
			sum->max_ns = all[cpu].max_ns;
		for (unsigned i = 0; i < STOPWATCH_BUCKETS; i++)
			sum->buckets[i] += all[cpu].buckets[i];
	}
	free(all);
}

/* Where a bucket ends. */
static unsigned long long bucket_end(unsigned bucket)
{
	unsigned next = bucket + 1;
	unsigned long long high = STOPWATCH_PARTS | (next & (STOPWATCH_PARTS - 1));

	return next < STOPWATCH_PARTS ? next : high << ((next >> STOPWATCH_PART_BITS) - 1);
}

/* The upper end of the bucket in which the share lies, or the maximum. */
static unsigned long long percentile(const struct stopwatch_tally *t, double share)
{
	unsigned long long so_far = 0;

	for (unsigned i = 0; i < STOPWATCH_BUCKETS; i++) {
		so_far += t->buckets[i];
		if (so_far && (double)so_far >= share * (double)t->count)
			return bucket_end(i) < t->max_ns ? bucket_end(i) : t->max_ns;
	}
	return t->max_ns;
}

static void print(const struct stopwatch_tally *t)
{
	printf("{\"runs\": %llu, \"mean_ns\": %.1f, \"p50_ns\": %llu, \"p99_ns\": %llu, "
	       "\"p999_ns\": %llu, \"max_ns\": %llu, \"frames\": %.2f}\n",
	       t->count, t->count ? (double)t->sum_ns / (double)t->count : 0.0, percentile(t, 0.5),
	       percentile(t, 0.99), percentile(t, 0.999), t->max_ns,
	       t->stacks ? (double)t->frames / (double)t->stacks : 0.0);
}

int main(int argc, char **argv)
{
	struct stopwatch_tally sum = { 0 };
	struct stopwatch *skel;
	int got, is_peer;
	sigset_t ends;
	long number;

	if (argc != 4) {
		fputs("usage: stopwatch COMM owner PID | stopwatch COMM empty|walk HZ\n", stderr);
		return 2;
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	number = strtol(argv[3], NULL, 10);
	is_peer = strcmp(argv[2], "owner") != 0;
	skel = load(argv[1], is_peer ? getpid() : (int)number);
	attach(skel->progs.stopwatch_start);
	attach(skel->progs.stopwatch_stop);
	if (is_peer)
		attach_clock(argv[2][0] == 'e' ? skel->progs.peer_empty : skel->progs.peer_walk,
			     (unsigned)number);
	puts("ready");
	fflush(stdout);
	sigwait(&ends, &got);
	add_up(bpf_map__fd(skel->maps.tallies), &sum);
	print(&sum);
	stopwatch__destroy(skel);
	return 0;
}
