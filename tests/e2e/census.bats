#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# `slowburn doctor --symbols`: a stripped binary of no package, one of a package, a runtime that says nothing of its code
# and one that does.

load capture

setup_file() {
	need_root
	cp "$WORKLOADS/shares" "$BATS_FILE_TMPDIR/census-whole"
	cp "$WORKLOADS/shares" "$BATS_FILE_TMPDIR/census-stripped"
	strip "$BATS_FILE_TMPDIR/census-stripped"
	# What they are is told by the names of their files: here it is a program that waits.
	cp "$WORKLOADS/shares" "$BATS_FILE_TMPDIR/node"
	cp "$WORKLOADS/shares" "$BATS_FILE_TMPDIR/python3.12"
	local pids=() program
	for program in census-whole census-stripped node python3.12; do
		WORKLOAD_GO=$(gate "$program.gate") "$BATS_FILE_TMPDIR/$program" 1 > /dev/null 2>&1 3>&- &
		pids+=($!)
	done
	echo "${pids[@]}" > "$BATS_FILE_TMPDIR/pids"
	echo "1000 8 named" > "/tmp/perf-${pids[3]}.map"
	sleep 0.3
	"$SLOWBURN" doctor --symbols --json > "$BATS_FILE_TMPDIR/census.json"
	"$SLOWBURN" doctor --symbols > "$BATS_FILE_TMPDIR/census.txt"
}

teardown_file() {
	local pids
	[ -e "$BATS_FILE_TMPDIR/pids" ] || return 0
	read -ra pids < "$BATS_FILE_TMPDIR/pids"
	kill "${pids[@]}"
	rm -f "/tmp/perf-${pids[3]}.map"
}

# holds CONDITION: of the binaries by the names of their files ("binaries"), and the pids of runtimes ("runtimes").
holds() {
	python3 - "$BATS_FILE_TMPDIR/census.json" "$1" <<- 'END'
		import json, os, sys
		with open(sys.argv[1]) as f:
		    answer = json.load(f)
		binaries = {os.path.basename(b["path"]): b for b in answer["binaries"]}
		runtimes = {r["pid"]: r for r in answer["runtimes"]}
		print(answer["processes"], sorted(binaries), runtimes)
		sys.exit(0 if eval("(" + sys.argv[2] + ")") else 1)
	END
}

@test "a binary with names and lines is not listed, one that was stripped is" {
	holds '"census-whole" not in binaries and not binaries["census-stripped"]["names"]
		and not binaries["census-stripped"]["lines"] and "package" not in binaries["census-stripped"]'
}

@test "of a package: as dpkg -S says" {
	command -v dpkg > /dev/null || skip "there is no dpkg"
	bash -c 'sleep 5; :' 3>&- &
	local bash=$! package
	"$SLOWBURN" doctor --symbols --json > "$BATS_FILE_TMPDIR/census.json"
	kill $bash
	package=$(dpkg -S "$(readlink -f /bin/bash)" 2> /dev/null || dpkg -S /bin/bash)
	holds "binaries['bash']['package'] == '${package%%:*}' and binaries['bash']['debug_package'] == '${package%%:*}-dbgsym'"
}

@test "a runtime without a list of its code, and how it would have one" {
	local pids
	read -ra pids < "$BATS_FILE_TMPDIR/pids"
	holds "'--perf-basic-prof' in runtimes[${pids[2]}]['mend'] and ${pids[3]} not in runtimes"
	grep -q "${pids[2]}  node (Node.js): start it with node --perf-basic-prof" "$BATS_FILE_TMPDIR/census.txt"
}

@test "--roles beside it makes no sense" {
	run "$SLOWBURN" doctor --symbols --roles
	[ "$status" = 2 ]
}
