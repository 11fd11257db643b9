#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Work that repeats at the sampling rate. Two runs of 3 s here, judged by what chance allows for four numbers;
# the ten runs and their goal (rms z <= 1.3) are in tests/bench. One 99 Hz timer gives |z| >= 6 in every single
# run of this length, whatever its phase: SAMPLER=perf fails here.

load capture

@test "bursts on a 99 Hz grid come out at their CPU time" {
	need_root
	local cpu pairs=()
	for cpu in 0 $(($(nproc) - 1)); do
		capture_begin "bursts-$cpu"
		workload bursts "bursts-$cpu" 3 "$cpu"
		capture_end
		pairs+=("$(profile "bursts-$cpu")" "$(truth_of "bursts-$cpu")")
		[ "$(nproc)" != 1 ] || break
	done
	truth lockstep "${pairs[@]}"
}
