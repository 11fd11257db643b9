// SPDX-License-Identifier: Apache-2.0
/*
 * What this kernel's verifier says of each BPF program: one line "PROGRAM FILTERS RESULT INSTRUCTIONS
 * MICROSECONDS [REASON]", tab-separated, FILTERS being "plain" or "filters", RESULT "ok" or an errno's
 * name in words. Each program is loaded alone, so that one refusal doesn't hide the others; and a second
 * time with every filter on, which is the most that the verifier ever gets to see. What is refused is loaded once
 * more with maps whose entries are made beforehand, as slowburn does before 6.1. The numbers are read from
 * the verifier's own statistics: the kernel gives them out since 5.2, bpf_prog_info only since 5.16.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/sampler.skel.h"

#define LOG_STATISTICS 4 /* BPF_LOG_STATS */
#define LOG_BYTES (4u << 20)
#define PREALLOCATED 8192

static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static void want_all(struct sampler__rodata *ro)
{
	ro->filter_targets = 1;
	ro->filter_threads = 1;
	ro->filter_comm_count = sizeof(ro->filter_comms) / sizeof(ro->filter_comms[0]);
	ro->filter_cgroup = 1;
}

static unsigned long number_after(const char *log, const char *words)
{
	const char *found = strstr(log, words);

	return found ? strtoul(found + strlen(words), NULL, 10) : 0;
}

/* The last line of the log that is not one of the statistics. */
static void print_reason(char *log)
{
	const char *reason = "no reason given";

	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, "processed ", 10) != 0 &&
		    strncmp(line, "verification time", 17) != 0 &&
		    strncmp(line, "stack depth", 11) != 0)
			reason = line;
	}
	printf("\t%s", reason);
}

/* The object with its program number `index` alone; NULL if there is no such program. */
static struct bpf_program *choose(struct sampler *skel, int index)
{
	struct bpf_program *program, *chosen = NULL;
	int n = 0;

	bpf_object__for_each_program(program, skel->obj) {
		if (n == index)
			chosen = program;
		bpf_program__set_autoload(program, n++ == index);
	}
	return chosen;
}

static void print_verdict(const char *program, int filters, int r, char *log)
{
	printf("%s\t%s\t%s\t%lu\t%lu", program, filters ? "filters" : "plain",
	       r < 0 ? strerror(-r) : "ok", number_after(log, "processed "),
	       number_after(log, "verification time "));
	if (r < 0)
		print_reason(log);
	putchar('\n');
}

static int load(struct sampler *skel, struct bpf_program *chosen, int preallocated, char *log)
{
	if (preallocated) {
		bpf_map__set_map_flags(skel->maps.processes, 0);
		bpf_map__set_max_entries(skel->maps.processes, PREALLOCATED);
	}
	log[0] = 0;
	bpf_program__set_log_buf(chosen, log, LOG_BYTES);
	bpf_program__set_log_level(chosen, LOG_STATISTICS);
	return sampler__load(skel);
}

/* Loads the object's program number `index` alone. 1 if there is no such program. */
static int verify(int index, int filters, char *log)
{
	int r = -1;

	for (int preallocated = 0; preallocated < 2 && r < 0; preallocated++) {
		struct sampler *skel = sampler__open();
		struct bpf_program *chosen = skel ? choose(skel, index) : NULL;

		if (!skel) {
			perror("the BPF object");
			exit(1);
		}
		if (!chosen) {
			sampler__destroy(skel);
			return 1;
		}
		if (filters)
			want_all(skel->rodata);
		r = load(skel, chosen, preallocated, log);
		if (r == 0 || preallocated)
			print_verdict(bpf_program__name(chosen), filters, r, log);
		sampler__destroy(skel);
	}
	return 0;
}

int main(void)
{
	char *log = malloc(LOG_BYTES);

	if (!log)
		return 1;
	libbpf_set_print(say_nothing);
	for (int filters = 0; filters < 2; filters++) {
		for (int i = 0; verify(i, filters, log) == 0; i++)
			;
	}
	free(log);
	return 0;
}
