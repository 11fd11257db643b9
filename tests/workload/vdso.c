// SPDX-License-Identifier: Apache-2.0
/*
 * Asks for the time, again and again: code of the vDSO, which is in no file.
 * usage: vdso CPU-SECONDS
 */
#include "truth.h"

static PROFILED void vdso_loop(uint64_t rounds)
{
	struct timespec ts;

	for (uint64_t i = 0; i < rounds / 16; i++)
		clock_gettime(CLOCK_MONOTONIC, &ts);
}

int main(int argc, char **argv)
{
	struct account account = { .name = "vdso_loop", .work = vdso_loop, .share = 1 };
	uint64_t random = truth_seed();

	truth_wait_for_go();
	accounts_run(&account, 1, truth_cpu_seconds(argc, argv, 1), &random);
	truth_print_accounts(&account, 1);
	truth_print_process("vdso");
	return 0;
}
