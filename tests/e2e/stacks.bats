#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Stacks of code without frame pointers, to their bottom: by the tables in the kernel. The process is there before
# the capture is, and is let go a second after its beginning: by then it has been seen. Its file is where files aren't
# slow: of those on 9p, as the guests of `make kernels` have them, there are no tables.

load capture

@test "40 calls without frame pointers, each stack in full" {
	need_root
	only_slowburn
	gate=$(gate deep)
	workload_as deep deep-calls
	WORKLOAD_GO=$gate run_as deep-calls 3 &
	deep=$!
	capture_begin deep
	sleep 1
	go_on "$gate"
	wait $deep
	capture_end
	truth chain "$(profile deep)" --comm deep-calls deep_spin deep_odd+deep_even\*20 main || {
		truth show "$(profile deep)"
		return 1
	}
}
