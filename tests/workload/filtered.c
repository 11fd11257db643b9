// SPDX-License-Identifier: Apache-2.0
/*
 * Its system calls go through a classic BPF filter (seccomp) that is as long as one may be: the kernel makes code of
 * it that is in no list of programs.
 * usage: filtered CPU-SECONDS
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "truth.h"

#define LENGTH BPF_MAXINSNS

static int filter_install(void)
{
	static struct sock_filter code[LENGTH];
	struct sock_fprog program = { .len = LENGTH, .filter = code };

	/* All but the last can't be known beforehand, as it is of the call's number. */
	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	for (int i = 1; i + 1 < LENGTH; i++)
		code[i] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 2654435761u);
	code[LENGTH - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static PROFILED void filtered_loop(uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds / 4096; i++)
		syscall(SYS_getppid);
}

int main(int argc, char **argv)
{
	struct account account = { .name = "filtered_loop", .work = filtered_loop, .share = 1 };
	uint64_t random = truth_seed();

	truth_wait_for_go();
	if (filter_install() < 0) {
		perror("filtered: seccomp");
		return 1;
	}
	accounts_run(&account, 1, truth_cpu_seconds(argc, argv, 1), &random);
	truth_print_accounts(&account, 1);
	truth_print_process("filtered");
	return 0;
}
