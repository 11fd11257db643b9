/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel-heavy: 40 % of the CPU time in read() of /dev/zero, 35 % in pread() of a cached file, 25 %
 * in user code.
 *
 * A read moves 1 MiB, so what runs in user mode around the system call is some hundred ns in some
 * ten µs, and the time of the two readers is kernel time to better than 1 %. The kernel's own split
 * (getrusage) is counted by the tick on most kernels, 4 ms at a time: it is printed too, but the
 * measured time is the truth.
 *
 * read() of libc sets up no frame, so that a walk along frame pointers starting in it skips its
 * caller. That caller is zero_read_once, and what is looked for in the stacks is zero_reader above
 * it, which any method must find.
 *
 * usage: readloop [CPU-SECONDS]
 */
#include "truth.h"

#include <sys/mman.h>

#define BLOCK_BYTES (1u << 20)

static char *buffer;
static int zero_fd = -1, file_fd = -1;

static PROFILED void zero_read_once(void)
{
	if (read(zero_fd, buffer, BLOCK_BYTES) != (ssize_t)BLOCK_BYTES)
		abort();
	__asm__ volatile("" ::: "memory"); /* no tail call: zero_read_once stays on the stack */
}

static PROFILED void file_pread_once(void)
{
	if (pread(file_fd, buffer, BLOCK_BYTES, 0) != (ssize_t)BLOCK_BYTES)
		abort();
	__asm__ volatile("" ::: "memory");
}

static PROFILED void zero_reader(uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i += 20000)
		zero_read_once();
}

static PROFILED void file_reader(uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i += 20000)
		file_pread_once();
}

static PROFILED void user_part(uint64_t rounds)
{
	SPIN_BODY(rounds, 0x9e3779b97f4a7c15);
}

static void print_kernel_split(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) < 0)
		abort();
	printf("{\"what\": \"rusage\", \"user_us\": %lld, \"system_us\": %lld}\n",
	       (long long)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec,
	       (long long)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
	struct account accounts[] = {
		{ .name = "zero_reader", .work = zero_reader, .share = 40 },
		{ .name = "file_reader", .work = file_reader, .share = 35 },
		{ .name = "user_part", .work = user_part, .share = 25 },
	};
	uint64_t random = truth_seed(), kernel_ns;

	buffer = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	zero_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	file_fd = memfd_create("readloop-file", MFD_CLOEXEC);
	if (buffer == MAP_FAILED || zero_fd < 0 || file_fd < 0 ||
	    ftruncate(file_fd, BLOCK_BYTES) < 0)
		abort();
	if (pwrite(file_fd, buffer, BLOCK_BYTES, 0) != (ssize_t)BLOCK_BYTES)
		abort();

	truth_wait_for_go();
	accounts_run(accounts, 3, truth_cpu_seconds(argc, argv, 2), &random);
	truth_print_accounts(accounts, 3);
	kernel_ns = accounts[0].cpu_ns + accounts[1].cpu_ns;
	truth_print("kernel", "readloop", 0, kernel_ns);
	print_kernel_split();
	truth_print_process("readloop");
	return 0;
}
