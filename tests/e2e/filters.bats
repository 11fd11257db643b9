#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Filters are in the kernel; here each runs beside a decoy that it must keep out, on a machine with nothing idle.

load capture

setup_file() {
	need_root
	workload_as shares decoy
	workload_as shares wanted
}

setup() {
	only_slowburn
}

teardown() {
	local pid
	for pid in ${decoys:-}; do
		kill "$pid" 2> /dev/null || true
		wait "$pid" 2> /dev/null || true
	done
	decoys=''
}

# A program that must not be seen, until the test ends.
decoy() {
	"$@" "$BATS_FILE_TMPDIR/decoy" 60 > /dev/null 3>&- &
	decoys="${decoys:-} $!"
}

@test "-p: the process and its children, those born later too" {
	local gate pid
	decoy env
	gate=$(gate gate-p)
	WORKLOAD_GO=$gate "$WORKLOADS/forkstorm" 2 > "$(truth_of p)" 3>&- &
	pid=$!
	sleep 0.1
	capture_begin p -p $pid
	go_on "$gate"
	wait $pid
	capture_end
	truth only "$(profile p)" --comm forkstorm --min 120
	truth functions "$(profile p)" "$(truth_of p)" --comm forkstorm
}

# A shell, a shell below it, and work below both; the tree is there before the profiler comes.
@test "-p: children that run already, and theirs" {
	local gate root pid i
	decoy env
	gate=$(gate gate-tree)
	# shellcheck disable=SC2016 # for those shells to expand
	WORKLOAD_GO=$gate sh -c 'sh -c '\''"$1" 1.5 & wait'\'' sh "$1"; true' sh "$BATS_FILE_TMPDIR/wanted" \
		> "$(truth_of tree)" 3>&- &
	root=$!
	for ((i = 0; i < 100; i++)); do
		pid=$(pgrep -P "$(pgrep -P $root || echo 0)" -x wanted) && break
		sleep 0.05
	done
	[ -n "$pid" ]
	capture_begin tree -p $root
	go_on "$gate"
	wait $root
	capture_end
	truth only "$(profile tree)" --comm wanted sh --min 120
	truth functions "$(profile tree)" "$(truth_of tree)"
}

@test "-p: children that execute another program" {
	local gate pid
	decoy env
	gate=$(gate gate-x)
	WORKLOAD_GO=$gate "$WORKLOADS/forkstorm" 1.5 exec > "$(truth_of x)" 3>&- &
	pid=$!
	sleep 0.1
	capture_begin x -p $pid
	go_on "$gate"
	wait $pid
	capture_end
	truth functions "$(profile x)" "$(truth_of x)" --comm forkstorm
}

@test "-t: one thread of many" {
	local pid tid
	"$WORKLOADS/threads" 600 2 > "$(truth_of t)" 3>&- &
	pid=$!
	sleep 0.2
	tid=$(grep -l '^worker-2$' /proc/$pid/task/*/comm | cut -d/ -f5)
	capture_begin t -t "$tid"
	sleep 1.5
	capture_end
	kill $pid
	truth only "$(profile t)" --tid "$tid" --min 30
}

@test "-C: one CPU's samples only" {
	[ "$(nproc)" -gt 1 ] || skip "one CPU"
	decoy taskset -c 0
	capture_begin C -C 1
	taskset -c 1 "$BATS_FILE_TMPDIR/wanted" 1.5 > "$(truth_of C)" 3>&-
	capture_end
	truth functions "$(profile C)" "$(truth_of C)"
	truth only "$(profile C)" --absent decoy --min 100
}

# In a cgroup of its own, below DIRECTORY: runs "wanted" in a child of it.
in_cgroup() {
	local directory=$1
	shift
	mkdir -p "$directory/inner"
	sh -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' sh "$directory/inner" "$@" 3>&-
}

check_cgroup() {
	local directory=$1 name=$2
	[ -w "${directory%/*}" ] || skip "no ${directory%/*}"
	mkdir -p "$directory/inner"
	if [ -e "$directory/cpuset.cpus" ]; then
		skip "a cpuset needs CPUs first"
	fi
	decoy env
	capture_begin "$name" --cgroup "$directory"
	in_cgroup "$directory" "$BATS_FILE_TMPDIR/wanted" 1.5 > "$(truth_of "$name")"
	capture_end
	rmdir "$directory/inner" "$directory"
	truth only "$(profile "$name")" --comm wanted sh --min 120
	truth functions "$(profile "$name")" "$(truth_of "$name")"
}

@test "--cgroup: a subtree of the v2 hierarchy" {
	local mount
	mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$mount" ] || skip "no v2 hierarchy"
	check_cgroup "$mount/slowburn-e2e" cgroup2
}

@test "--cgroup: a subtree of a v1 hierarchy" {
	local mount
	mount=$(awk '$3 == "cgroup" && $4 ~ /(^|,)(cpu|cpuacct)(,|$)/ { print $2; exit }' /proc/mounts)
	[ -n "$mount" ] || skip "no v1 hierarchy"
	check_cgroup "$mount/slowburn-e2e" cgroup1
}

@test "--comm: processes of that name" {
	decoy env
	capture_begin comm --comm wanted
	"$BATS_FILE_TMPDIR/wanted" 1.5 > "$(truth_of comm)" 3>&-
	capture_end
	truth only "$(profile comm)" --comm wanted --min 100
	truth functions "$(profile comm)" "$(truth_of comm)"
}

@test "-u: no sample has a kernel frame, the user time is all there" {
	capture_begin u -u
	workload readloop u 2
	capture_end
	truth only "$(profile u)" --user --min 30
	truth show "$(profile u)"
}

@test "-k: every sample hit the kernel" {
	capture_begin k -k
	workload readloop k 2
	capture_end
	truth only "$(profile k)" --kernel --min 100
}

@test "-F: twice the rate, twice the samples, the same time" {
	capture_begin F -F 397
	workload shares F 1.5
	capture_end
	truth functions "$(profile F)" "$(truth_of F)" --hz 397
}
