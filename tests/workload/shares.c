/* SPDX-License-Identifier: Apache-2.0 */
/* Three functions at 50, 30 and 20 % of the CPU time of one thread.
 * usage: shares [CPU-SECONDS] */
#include "truth.h"

static PROFILED void shares_half(uint64_t rounds)
{
	SPIN_BODY(rounds, 0x9e3779b97f4a7c15);
}

static PROFILED void shares_third(uint64_t rounds)
{
	SPIN_BODY(rounds, 0xbf58476d1ce4e5b9);
}

static PROFILED void shares_fifth(uint64_t rounds)
{
	SPIN_BODY(rounds, 0x94d049bb133111eb);
}

int main(int argc, char **argv)
{
	struct account accounts[] = {
		{ .name = "shares_half", .work = shares_half, .share = 50 },
		{ .name = "shares_third", .work = shares_third, .share = 30 },
		{ .name = "shares_fifth", .work = shares_fifth, .share = 20 },
	};
	uint64_t random = truth_seed();

	truth_wait_for_go();
	accounts_run(accounts, 3, truth_cpu_seconds(argc, argv, 2), &random);
	truth_print_accounts(accounts, 3);
	truth_print_process("shares");
	return 0;
}
