#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# `slowburn doctor --symbols`: a stripped binary of no package, one of a package, one of Go's; a runtime that says nothing of its
# code, one that does, and one whose word is not taken.

load capture

setup_file() {
	need_root
	cp "$WORKLOADS/shares" "$BATS_FILE_TMPDIR/census-whole"
	cp "$WORKLOADS/shares" "$BATS_FILE_TMPDIR/census-stripped"
	strip "$BATS_FILE_TMPDIR/census-stripped"
	# What they are is told by the names of their files: here it is a program that waits.
	cp "$WORKLOADS/shares" "$BATS_FILE_TMPDIR/node"
	cp "$WORKLOADS/shares" "$BATS_FILE_TMPDIR/python3.12"
	cp "$WORKLOADS/shares" "$BATS_FILE_TMPDIR/python3.13"
	cp "$WORKLOADS/shares" "$BATS_FILE_TMPDIR/python3.14"
	go_program
	local pids=() program
	for program in census-whole census-stripped node python3.12 python3.13 python3.14; do
		WORKLOAD_GO=$(gate "$program.gate") "$BATS_FILE_TMPDIR/$program" 1 > /dev/null 2>&1 3>&- &
		pids+=($!)
	done
	echo "${pids[@]}" > "$BATS_FILE_TMPDIR/pids"
	if [ -x "$BATS_FILE_TMPDIR/census-go" ]; then
		"$BATS_FILE_TMPDIR/census-go" 3>&- &
		pids+=($!)
		echo "${pids[@]}" > "$BATS_FILE_TMPDIR/pids"
	fi
	for program in 3 4 5; do
		echo "1000 8 named" > "/tmp/perf-${pids[$program]}.map"
	done
	chown 12345 "/tmp/perf-${pids[4]}.map"
	touch -d yesterday "/tmp/perf-${pids[5]}.map"
	sleep 0.3
	"$SLOWBURN" doctor --symbols --json > "$BATS_FILE_TMPDIR/census.json"
	"$SLOWBURN" doctor --symbols > "$BATS_FILE_TMPDIR/census.txt"
}

teardown_file() {
	local pids
	[ -e "$BATS_FILE_TMPDIR/pids" ] || return 0
	read -ra pids < "$BATS_FILE_TMPDIR/pids"
	kill "${pids[@]}"
	rm -f "/tmp/perf-${pids[3]}.map" "/tmp/perf-${pids[4]}.map" "/tmp/perf-${pids[5]}.map"
}

# Stripped, if there is Go.
go_program() {
	command -v go > /dev/null || return 0
	echo 'package main; import "time"; func main() { time.Sleep(time.Minute) }' > "$BATS_FILE_TMPDIR/census.go"
	HOME=$BATS_FILE_TMPDIR GOCACHE=$BATS_FILE_TMPDIR/cache GO111MODULE=off CGO_ENABLED=0 \
		go build -ldflags="-s -w" -o "$BATS_FILE_TMPDIR/census-go" "$BATS_FILE_TMPDIR/census.go"
}

# holds CONDITION: of the binaries by the names of their files ("binaries"), and the pids of runtimes ("runtimes").
holds() {
	python3 - "$BATS_FILE_TMPDIR/census.json" "$1" <<- 'END'
		import json, os, sys
		with open(sys.argv[1]) as f:
		    answer = json.load(f)
		binaries = {os.path.basename(b["path"]): b for b in answer["binaries"]}
		runtimes = {r["pid"]: r for r in answer["runtimes"]}
		named = {r["pid"]: r for r in answer["named"]}
		print(answer["processes"], sorted(binaries), runtimes, named)
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

@test "a list that is there is fine, one that is not taken says why" {
	local pids
	read -ra pids < "$BATS_FILE_TMPDIR/pids"
	holds "named[${pids[3]}]['by'] == 'perf map' and 'neither the process' in runtimes[${pids[4]}]['refused']
		and runtimes[${pids[5]}]['refused'] == 'it is older than the process'"
	grep -q "${pids[3]}  python3.12 (Python): fine, by its perf map" "$BATS_FILE_TMPDIR/census.txt"
	grep -q "${pids[5]}  python3.14 (Python): its perf map is not taken: it is older than the process" "$BATS_FILE_TMPDIR/census.txt"
}

@test "a stripped binary of Go's has its own names, and no lines" {
	[ -x "$BATS_FILE_TMPDIR/census-go" ] || skip "needs Go"
	holds 'binaries["census-go"]["names"] and not binaries["census-go"]["lines"]'
}

@test "--roles beside it makes no sense" {
	run "$SLOWBURN" doctor --symbols --roles
	[ "$status" = 2 ]
}

@test "as nobody: packages, too; and never what slowburn itself runs" {
	command -v dpkg > /dev/null || skip "there is no dpkg"
	need_root
	local dir bash package
	dir=$(mktemp -d "$BATS_TMPDIR/census.XXXXXX")
	chmod 755 "$dir"
	cp "$SLOWBURN" "$dir/slowburn"
	setpriv --reuid=65534 --regid=65534 --clear-groups bash -c 'sleep 10; :' 3>&- &
	bash=$!
	sleep 0.2
	setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent "$dir/slowburn" doctor --symbols --json \
		> "$BATS_FILE_TMPDIR/census.json"
	kill $bash
	rm -r "$dir"
	package=$(dpkg -S "$(readlink -f /bin/bash)" 2> /dev/null || dpkg -S /bin/bash)
	holds "binaries['bash']['package'] == '${package%%:*}' and 'slowburn' not in binaries
		and not any(b.startswith('libunwind') for b in binaries)"
}
