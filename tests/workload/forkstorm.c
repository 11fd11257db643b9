/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many children that live 5 to 60 ms, two at a time; each runs one of two functions, storm_red
 * twice as often as storm_blue, and dies. Truth: what each child measured of its function, and all
 * children's CPU time (fork, exec, page faults, exit included) as wait4() tells it.
 *
 * usage: forkstorm [CPU-SECONDS [fork|exec]]
 * fork: children are copies. exec: each child executes this file anew, so it has a new address
 * space.
 */
#include "truth.h"

#include <sys/mman.h>
#include <sys/wait.h>

#define CHILDREN_AT_ONCE 2

struct board { /* shared memory: where children write what they measured */
	uint64_t red_ns, blue_ns;
};

static PROFILED void storm_red(uint64_t rounds)
{
	SPIN_BODY(rounds, 0x9e3779b97f4a7c15);
}

static PROFILED void storm_blue(uint64_t rounds)
{
	SPIN_BODY(rounds, 0xbf58476d1ce4e5b9);
}

static void child_run(int red, uint64_t rounds, struct board *board)
{
	uint64_t begin = thread_cpu_ns();

	if (red)
		storm_red(rounds);
	else
		storm_blue(rounds);
	__atomic_fetch_add(red ? &board->red_ns : &board->blue_ns, thread_cpu_ns() - begin,
			   __ATOMIC_RELAXED);
}

static struct board *board_map(int fd)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (board == MAP_FAILED)
		abort();
	return board;
}

/* In an executed child: forkstorm --child FD red|blue ROUNDS */
static int child_main(char **argv)
{
	struct board *board = board_map((int)strtol(argv[2], NULL, 10));

	child_run(!strcmp(argv[3], "red"), strtoull(argv[4], NULL, 10), board);
	return 0;
}

static void child_start(int executed, int fd, struct board *board, int red, uint64_t rounds)
{
	static char self[4096];
	char fd_text[16], rounds_text[32];
	pid_t pid;

	if (!*self && readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		abort();
	pid = fork();
	if (pid < 0)
		abort();
	if (pid)
		return;
	if (!executed) {
		child_run(red, rounds, board);
		_exit(0);
	}
	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	snprintf(rounds_text, sizeof(rounds_text), "%llu", (unsigned long long)rounds);
	execl(self, "forkstorm", "--child", fd_text, red ? "red" : "blue", rounds_text, NULL);
	_exit(127);
}

int main(int argc, char **argv)
{
	uint64_t random = truth_seed(), cpu_ns, children = 0;
	int executed, fd, running = 0, status;
	struct board *board;

	if (argc == 5 && !strcmp(argv[1], "--child"))
		return child_main(argv);
	cpu_ns = truth_cpu_seconds(argc, argv, 2);
	executed = argc > 2 && !strcmp(argv[2], "exec");
	fd = memfd_create("forkstorm-board", 0);
	if (fd < 0 || ftruncate(fd, sizeof(*board)) < 0)
		abort();
	board = board_map(fd);
	truth_wait_for_go();

	while (board->red_ns + board->blue_ns < cpu_ns || running) {
		if (board->red_ns + board->blue_ns < cpu_ns && running < CHILDREN_AT_ONCE) {
			/* 3 to 30 million rounds: 5 to 60 ms of CPU time */
			child_start(executed, fd, board, board->red_ns <= 2 * board->blue_ns,
				    3000000 + truth_random(&random) % 27000000);
			children++;
			running++;
			continue;
		}
		if (wait(&status) < 0 || status != 0) {
			fprintf(stderr, "forkstorm: a child failed\n");
			return 1;
		}
		running--;
	}
	truth_print("function", "storm_red", 0, board->red_ns);
	truth_print("function", "storm_blue", 0, board->blue_ns);
	printf("{\"what\": \"children\", \"count\": %llu}\n", (unsigned long long)children);
	truth_print_process("forkstorm");
	return 0;
}
