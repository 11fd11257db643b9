// SPDX-License-Identifier: Apache-2.0
/*
 * Code made at run time, in memory without a file: two functions, of which the second is another one after half of
 * the time, at the same address. It says so as a JIT does, by what LIST says:
 *
 *	map          /tmp/perf-PID.map
 *	dump         jit-PID.dump in DIRECTORY, of which a page is mapped
 *	both         the dump, and a map that names everything "wrong"
 *	none         nothing
 *	growing      a map, to which a child appends rubbish as fast as it can
 *	garbage      a map whose lines are between a mebibyte of rubbish and a line of another
 *	fifo, zero, link, foreign, second   no map but a pipe, a link to /dev/zero, a link to a map, another
 *	             user's map, a map that has a second name
 *
 * usage: jit CPU-SECONDS LIST [DIRECTORY]
 */
#include "truth.h"

#include <elf.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PAGE_BYTES 4096u
#define PAUSE_NS 400000000
/* A round of the code is one cycle, a quantum has some 100,000 of them. */
#define ROUNDS 6
#define NOBODY 12345
#define RUBBISH_BYTES (1u << 20)
#define LONG_NAME 5000

/* push %rbp; mov %rsp,%rbp; 1: dec %rdi; jnz 1b; pop %rbp; ret */
static const unsigned char machine_code[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0xff,
					      0xcf, 0x75, 0xfb, 0x5d, 0xc3 };

enum { STEADY, REUSED, PLACES };

static void (*code[PLACES])(uint64_t rounds);
static char map_path[64], dump_path[4200];
static FILE *map, *dump;

static void work_steady(uint64_t rounds)
{
	code[STEADY](rounds * ROUNDS);
}

static void work_reused(uint64_t rounds)
{
	code[REUSED](rounds * ROUNDS);
}

static void check(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(2);
}

/* ---- what it says ---- */

struct dump_header {
	uint32_t magic, version, bytes, machine, zero, pid;
	uint64_t time_ns, flags;
};

struct dump_load {
	uint32_t kind, bytes;
	uint64_t time_ns;
	uint32_t pid, tid;
	uint64_t vma, address, size, number;
};

static void dump_begin(const char *folder)
{
	struct dump_header h = { 0x4a695444,
				 1,
				 sizeof(h),
				 EM_X86_64,
				 0,
				 (uint32_t)getpid(),
				 clock_ns(CLOCK_MONOTONIC),
				 0 };

	snprintf(dump_path, sizeof(dump_path), "%s/jit-%d.dump", folder, (int)getpid());
	dump = fopen(dump_path, "w+e");
	check(dump, dump_path);
	check(fwrite(&h, sizeof(h), 1, dump) == 1 && fflush(dump) == 0, dump_path);
	check(mmap(NULL, PAGE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(dump), 0) !=
		      MAP_FAILED,
	      "mmap");
}

static void say(int place, const char *name)
{
	static uint64_t number;
	uint64_t address = (uint64_t)(uintptr_t)code[place];

	if (map) {
		fprintf(map, "%llx %zx %s\n", (unsigned long long)address, sizeof(machine_code),
			dump ? "wrong" : name);
		fflush(map);
	}
	if (dump) {
		struct dump_load l = { .kind = 0,
				       .bytes = (uint32_t)(sizeof(l) + strlen(name) + 1 +
							   sizeof(machine_code)),
				       .time_ns = clock_ns(CLOCK_MONOTONIC),
				       .pid = (uint32_t)getpid(),
				       .tid = (uint32_t)getpid(),
				       .vma = address,
				       .address = address,
				       .size = sizeof(machine_code),
				       .number = number++ };

		fwrite(&l, sizeof(l), 1, dump);
		fwrite(name, strlen(name) + 1, 1, dump);
		fwrite(machine_code, sizeof(machine_code), 1, dump);
		fflush(dump);
	}
}

static void rubbish(FILE *file)
{
	uint64_t random = truth_seed();

	for (uint32_t i = 0; i < RUBBISH_BYTES / sizeof(random); i++) {
		truth_random(&random);
		fwrite(&random, sizeof(random), 1, file);
	}
	/* The same address again, in ways that are none; and a line that is long, of somewhere else. */
	fprintf(file, "\n%p wrong\nx%p b wrong\n%p -1 wrong\n", (void *)code[STEADY],
		(void *)code[STEADY], (void *)code[STEADY]);
	fprintf(file, "ffffffffffffffff ffff wrong\n10000 10 %0*d\n", LONG_NAME, 0);
	fflush(file);
}

/* Until it is killed. A child of ours: its rubbish ends with us. */
static pid_t grow(void)
{
	pid_t pid = fork();

	check(pid >= 0, "fork");
	if (pid)
		return pid;
	map = fopen(map_path, "ae");
	for (uint32_t i = 0; map && i < 2000; i++) {
		for (uint32_t k = 0; k < 200; k++)
			fprintf(map, "%x 8 rubbish %u\n", 0x10000 + i * 8, k);
		fflush(map);
		usleep(1000);
	}
	_exit(0);
}

/* What stands where the map is looked for. */
static void stand_in(const char *list)
{
	char other[80];

	snprintf(other, sizeof(other), "%s.other", map_path);
	if (!strcmp(list, "fifo")) {
		check(mkfifo(map_path, 0644) == 0, map_path);
	} else if (!strcmp(list, "zero")) {
		check(symlink("/dev/zero", map_path) == 0, map_path);
	} else {
		map = fopen(!strcmp(list, "link") ? other : map_path, "ae");
		check(map, map_path);
	}
	if (!strcmp(list, "link"))
		check(symlink(other, map_path) == 0, map_path);
	if (!strcmp(list, "foreign"))
		check(chown(map_path, NOBODY, NOBODY) == 0, map_path);
	if (!strcmp(list, "second"))
		check(link(map_path, other) == 0, other);
}

static void begin(const char *list, const char *folder)
{
	snprintf(map_path, sizeof(map_path), "/tmp/perf-%d.map", (int)getpid());
	unlink(map_path); /* another process's, of this pid before */
	if (!strcmp(list, "dump") || !strcmp(list, "both"))
		dump_begin(folder);
	if (strcmp(list, "none") != 0 && strcmp(list, "dump") != 0)
		stand_in(list);
	if (!strcmp(list, "garbage"))
		rubbish(map);
}

static void end(void)
{
	char other[80];

	snprintf(other, sizeof(other), "%s.other", map_path);
	unlink(map_path);
	unlink(other);
	if (dump)
		unlink(dump_path);
}

/* ---- what it does ---- */

static void code_make(void)
{
	unsigned char *memory = mmap(NULL, PLACES * PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(memory != MAP_FAILED, "mmap");
	for (int i = 0; i < PLACES; i++) {
		memcpy(memory + i * PAGE_BYTES, machine_code, sizeof(machine_code));
		*(void **)&code[i] = memory + i * PAGE_BYTES;
	}
}

int main(int argc, char **argv)
{
	struct account accounts[] = {
		{ .name = "void jit::steady(int) [Tier1]", .work = work_steady, .share = 3 },
		{ .name = "JS:*first /srv/app.js:1:10", .work = work_reused, .share = 2 },
		{ .name = "py::second:/srv/app.py", .work = work_reused, .share = 2 },
	};
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	const char *list = argc > 2 ? argv[2] : "map";
	uint64_t cpu_ns = truth_cpu_seconds(argc, argv, 1), random = truth_seed(), steady_ns;
	pid_t child = 0;

	code_make();
	begin(list, argc > 3 ? argv[3] : "/tmp");
	truth_wait_for_go();
	say(STEADY, accounts[0].name);
	say(REUSED, accounts[1].name);
	if (!strcmp(list, "garbage"))
		rubbish(map);
	if (!strcmp(list, "growing"))
		child = grow();
	accounts_run(accounts, 2, cpu_ns / 2, &random);
	/* So that no look at the list falls between this and what comes next. */
	nanosleep(&pause, NULL);
	say(REUSED, accounts[2].name);
	steady_ns = accounts[0].cpu_ns;
	accounts[0].cpu_ns = 0;
	accounts[1].name = accounts[2].name;
	accounts[2] = accounts[1];
	accounts[1].cpu_ns = 0;
	accounts_run(accounts, 2, cpu_ns / 2, &random);
	if (child) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	end();
	truth_print("function", accounts[0].name, 0, accounts[0].cpu_ns + steady_ns);
	truth_print("function", "JS:*first /srv/app.js:1:10", 0, accounts[2].cpu_ns);
	truth_print("function", accounts[1].name, 0, accounts[1].cpu_ns);
	truth_print_process("jit");
	return 0;
}
