#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Code that is in no file has the names that its process gives it: by a perf map, a jitdump; also when an address is
# another function's after a while, in a container, and beside lists that are hostile. The list is gone with its
# process: what it said was seen before.

load capture

setup_file() {
	need_root
	only_slowburn
	local list
	for list in map dump both none growing garbage fifo zero link foreign second; do
		workload_as jit "jit-$list"
	done
	capture_begin all --record "$BATS_FILE_TMPDIR/all.rec"
	run_as jit-map 2.4 map &
	local lane=$!
	run_as jit-dump 2.4 dump "$BATS_FILE_TMPDIR"
	run_as jit-both 1.6 both "$BATS_FILE_TMPDIR"
	wait $lane
	boxed 2.4 &
	lane=$!
	for list in fifo zero link foreign second none; do
		run_as jit-$list 0.5 $list
	done
	run_as jit-garbage 1.6 garbage
	run_as jit-growing 1.6 growing
	wait $lane
	capture_end
}

# In a pid namespace and with a /tmp of its own: there it is process 1.
boxed() {
	unshare --mount --pid --fork sh -c 'mount -t tmpfs tmpfs /tmp && exec "$0" "$1" map' \
		"$WORKLOADS/jit" "$1" > "$BATS_FILE_TMPDIR/jit-boxed.json" 3>&-
}

named() {
	truth functions "$(profile all)" "$(truth_of "jit-$1")" --comm "jit-$1" $leaf
}

# No sample of it has a name, and the capture was none the worse for it.
unnamed() {
	python3 - "$(profile all)" "jit-$1" "$e2e" <<- 'END'
		import sys
		sys.path.insert(0, sys.argv[3])
		from profiles import read_profile
		leaves = {}
		for s in read_profile(sys.argv[1]).samples:
		    if s.comm == sys.argv[2] and not s.kernel:
		        leaves[s.leaf.name] = leaves.get(s.leaf.name, 0) + s.count
		print(leaves)
		sys.exit(0 if leaves.get("[anonymous memory]", 0) > 20 and not set(leaves) & {"wrong"} and
		         not any("jit::" in name for name in leaves) else 1)
	END
}

@test "a perf map: each function, and both that were at one address" {
	named map
}

@test "a jitdump: the same" {
	named dump
}

@test "where there are both, the jitdump is believed" {
	named both
}

@test "a perf map in a container, named by its pid in there" {
	truth functions "$(profile all)" "$(truth_of jit-boxed)" --comm jit $leaf
}

@test "a map with a mebibyte of rubbish in it" {
	named garbage
}

@test "a map that grows all the time" {
	named growing
}

@test "no map: no names" {
	unnamed none
}

@test "a pipe, a link, another user's file, one with two names: no names, and counted" {
	local list
	for list in fifo zero link foreign second; do
		unnamed $list
	done
	grep -q "5 perf maps that were not taken" <(go_comments)
}

go_comments() {
	python3 - "$(profile all)" "$e2e" <<- 'END'
		import sys
		sys.path.insert(0, sys.argv[2])
		from profiles import read_profile
		print("\n".join(read_profile(sys.argv[1]).comments))
	END
}

@test "a replay has the same names" {
	"$SLOWBURN" replay "$BATS_FILE_TMPDIR/all.rec" --format pprof -o "$BATS_FILE_TMPDIR/again.pb.gz"
	truth same "$(profile all)" "$BATS_FILE_TMPDIR/again.pb.gz"
}
