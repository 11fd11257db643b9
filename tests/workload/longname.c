/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names written by somebody who means harm, or doesn't speak ASCII. Copies itself into a directory
 * of $TMPDIR whose name has a line break, the escape sequence that clears a terminal, a semicolon
 * and UTF-8, under a file name of the same kind, and executes the copy, whose path is then in
 * /proc/PID/maps and whose comm is the start of that file name. Three threads with equal shares and
 * names of their own do the work; one name is not UTF-8 at all.
 *
 * Nothing of this may reach a terminal unescaped, break a line of collapsed output, or make a pprof
 * string invalid UTF-8. The directory is left for the caller to remove: the path has to be there.
 *
 * usage: longname [CPU-SECONDS]
 */
#include "truth.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define DIRECTORY_NAME "line\nbreak \033[2J;semi $(touch pwned) \xc3\xa9t\xc3\xa9"
#define FILE_NAME "na\nme\033[31m;\xe2\x82\xac-and-far-more-than-fifteen-bytes"

static const char *const thread_names[] = {
	"t\033]0;title\007",
	"t\xff\xfe raw",
	"\xe2\x82\xac 1; b\n",
};

struct worker {
	pthread_t thread;
	const char *name;
	uint64_t cpu_ns;
	pid_t tid;
};

static PROFILED void longname_work(uint64_t rounds)
{
	SPIN_BODY(rounds, 0x9e3779b97f4a7c15);
}

static void *worker_run(void *data)
{
	struct worker *worker = data;
	struct account account = { .name = worker->name, .work = longname_work, .share = 1 };
	uint64_t random = truth_seed();

	worker->tid = gettid();
	prctl(PR_SET_NAME, worker->name);
	accounts_run(&account, 1, worker->cpu_ns, &random);
	worker->cpu_ns = thread_cpu_ns();
	return NULL;
}

static void execute_copy(char **argv)
{
	const char *tmp = getenv("TMPDIR");
	char directory[3000], path[4000];
	struct stat st;
	int in, out;

	snprintf(directory, sizeof(directory), "%s/" DIRECTORY_NAME, tmp && *tmp ? tmp : "/tmp");
	snprintf(path, sizeof(path), "%s/" FILE_NAME, directory);
	mkdir(directory, 0755);
	in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (in < 0 || out < 0 || fstat(in, &st) < 0 ||
	    sendfile(out, in, NULL, (size_t)st.st_size) != st.st_size) {
		perror("longname: copying");
		exit(2);
	}
	close(out);
	setenv("WORKLOAD_COPIED", "1", 1);
	execv(path, argv);
	perror("longname: executing the copy");
	exit(2);
}

int main(int argc, char **argv)
{
	size_t n = sizeof(thread_names) / sizeof(thread_names[0]);
	uint64_t cpu_ns = truth_cpu_seconds(argc, argv, 1);
	struct worker workers[3] = { 0 };
	char comm[17] = "";

	if (!getenv("WORKLOAD_COPIED"))
		execute_copy(argv);
	truth_wait_for_go();
	for (size_t i = 0; i < n; i++) {
		workers[i].name = thread_names[i];
		workers[i].cpu_ns = cpu_ns / n;
		if (pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]))
			abort();
	}
	for (size_t i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		truth_print("thread", workers[i].name, workers[i].tid, workers[i].cpu_ns);
	}
	prctl(PR_GET_NAME, comm);
	truth_print_process(comm);
	return 0;
}
