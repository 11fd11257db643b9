#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Workloads that know what they did, in captures of the whole machine: every share within 4.5 standard errors.

load capture

setup_file() {
	need_root
	local gate old
	workload_as forkstorm storm-exec
	workload_as shares shares-stripped
	strip "$BATS_FILE_TMPDIR/shares-stripped"
	# Without its section headers, which are last in the file: runs, but has neither sections nor symbols.
	workload_as shares shares-cut
	truncate -s -300 "$BATS_FILE_TMPDIR/shares-cut"

	# A binary that was deleted before the profiler came.
	gate=$(gate gate)
	WORKLOAD_GO=$gate workload deleted deleted-before 2 &
	old=$!
	sleep 0.2

	capture_begin all
	(
		workload shares shares 4
		workload readloop readloop 3
		workload deleted deleted 2
		run_as shares-stripped 2
		run_as shares-cut 1.5
		workload longname longname 2
	) &
	local lane=$!
	workload threads threads 4
	workload forkstorm forkstorm 3
	run_as storm-exec 3 exec
	workload sizeless sizeless 3
	go_on "$gate"
	wait $old $lane
	capture_end

	# Ten times the samples: a third of the error.
	capture_begin fine -F 997
	workload shares shares-fine 3 &
	lane=$!
	workload readloop readloop-fine 3
	wait $lane
	capture_end
}

@test "three functions at 50/30/20 %: as leaf functions" {
	truth functions "$(profile all)" "$(truth_of shares)" $leaf
}

@test "threads at 1:2:3:4: by name and by tid" {
	truth threads "$(profile all)" "$(truth_of threads)"
}

@test "fork storm: children that live 5 to 60 ms" {
	truth functions "$(profile all)" "$(truth_of forkstorm)" --comm forkstorm
}

@test "exec storm: children with address spaces of their own" {
	truth functions "$(profile all)" "$(truth_of storm-exec)" --comm storm-exec
}

@test "a binary deleted as soon as it runs" {
	truth functions "$(profile all)" "$(truth_of deleted)" $leaf
}

@test "a binary deleted before the profiler came" {
	truth functions "$(profile all)" "$(truth_of deleted-before)" $leaf
}

@test "callers of read(): functions above the kernel's" {
	truth functions "$(profile all)" "$(truth_of readloop)"
}

@test "callers of read(): kernel and user" {
	truth kernel "$(profile all)" "$(truth_of readloop)"
}

@test "symbols without a size take no more than is theirs" {
	truth functions "$(profile all)" "$(truth_of sizeless)" $leaf
}

@test "a stripped binary: its file, no invented names" {
	truth module "$(profile all)" "$(truth_of shares-stripped)" --module shares-stripped --unnamed
}

@test "a truncated ELF file: its file, no invented names" {
	truth module "$(profile all)" "$(truth_of shares-cut)" --module shares-cut --unnamed
}

@test "names with line breaks, escapes and broken UTF-8: every thread has its share" {
	truth threads "$(profile all)" "$(truth_of longname)"
}

@test "at 997 Hz: functions, kernel and user" {
	only_slowburn
	truth functions "$(profile fine)" "$(truth_of shares-fine)" $leaf
	truth functions "$(profile fine)" "$(truth_of readloop-fine)"
	truth kernel "$(profile fine)" "$(truth_of readloop-fine)"
}

@test "the file: strings, mappings and facts are in order" {
	only_slowburn
	truth strings "$(profile all)"
	truth strings "$(profile fine)"
}

@test "go tool pprof reads the file and counts the same" {
	only_slowburn
	command -v go > /dev/null || skip "no go"
	truth go "$(profile all)"
}
