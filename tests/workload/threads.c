/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N named threads ("worker-1" … "worker-N") whose CPU times are as 1 : 2 : … : N, in one function.
 * usage: threads [CPU-SECONDS-OF-ALL [N]]
 */
#include "truth.h"

#include <pthread.h>
#include <sys/prctl.h>

#define THREADS_MAX 64

struct worker {
	pthread_t thread;
	pid_t tid;
	char name[16];
	uint64_t cpu_ns; /* first what it shall use, then what it used */
};

static PROFILED void threads_work(uint64_t rounds)
{
	SPIN_BODY(rounds, 0x9e3779b97f4a7c15);
}

static void *worker_run(void *data)
{
	struct worker *worker = data;
	struct account account = { .name = worker->name, .work = threads_work, .share = 1 };
	uint64_t random = truth_seed() ^ (uint64_t)worker->name[7];

	worker->tid = gettid();
	prctl(PR_SET_NAME, worker->name);
	accounts_run(&account, 1, worker->cpu_ns, &random);
	worker->cpu_ns = thread_cpu_ns();
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t cpu_ns = truth_cpu_seconds(argc, argv, 3);
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 4;
	struct worker workers[THREADS_MAX] = { 0 };

	if (n < 1 || n > THREADS_MAX) {
		fprintf(stderr, "threads: between 1 and %d threads, not \"%s\"\n", THREADS_MAX,
			argv[2]);
		return 2;
	}
	truth_wait_for_go();
	for (unsigned long i = 0; i < n; i++) {
		snprintf(workers[i].name, sizeof(workers[i].name), "worker-%lu", i + 1);
		workers[i].cpu_ns = cpu_ns * (i + 1) * 2 / (n * (n + 1));
		if (pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]))
			abort();
	}
	for (unsigned long i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		truth_print("thread", workers[i].name, workers[i].tid, workers[i].cpu_ns);
	}
	truth_print_process("threads");
	return 0;
}
