#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# More than there is room for: a binary with a gigabyte of code, more binaries than fit, 5,000 processes. With
# --memory 64M slowburn then knows less, says so, and everything else is as it was. Each capture looks only at
# what it is about: what the machine does beside it would take of the same room.

load capture

setup_file() {
	need_root
	local i
	cd "$BATS_FILE_TMPDIR" || return 1
	for i in 400 1100; do
		python3 "$BATS_TEST_DIRNAME/giant.py" giant$i $i
	done
	for i in $(seq 9); do
		python3 "$BATS_TEST_DIRNAME/giant.py" large$i 24
	done
}

setup() {
	need_root
	only_slowburn
	cd "$BATS_FILE_TMPDIR" || return 1
}

teardown() {
	[ -z "${load_pid-}" ] || kill -KILL -- "-$load_pid" 2> /dev/null || true
}

# In a process group of its own, whose leader's children are looked at.
load() {
	setsid bash -c "$1" > /dev/null 2>&1 3>&- &
	load_pid=$!
	sleep 0.2
}

# capture SECONDS MEMORY: of the load, to capture.pb.gz
capture() {
	"$SLOWBURN" profile --format pprof -o capture.pb.gz --memory "$2" --duration "$1s" -F 199 -p "$load_pid" \
		> capture.log 2>&1 3>&- || { cat capture.log; return 1; }
}

stacks() {
	python3 "$BATS_TEST_DIRNAME/giant.py" --check capture.pb.gz "$@"
}

@test "400 MiB of code and 64 MiB of memory: counted, the leaf is there, the neighbour's stacks are whole" {
	load "./giant400 & exec $WORKLOADS/saturate 30"
	capture 6 64M
	stacks giant400 --min 50 --leaf --why "unwind table not loaded" \
		--said "unwind tables for which there was no room|tables that made room"
	stacks saturate --min 50 --whole 0.9
}

@test "400 MiB of code, and memory enough: what is touched of it" {
	load "./giant400 & wait"
	capture 6 256M
	stacks giant400 --min 50 --leaf --whole 0.6 --depth 13
}

@test "more than a gigabyte of code: refused, told, and nobody else's loss" {
	load "./giant1100 & exec $WORKLOADS/saturate 30"
	capture 6 256M
	stacks giant1100 --min 50 --leaf --why "unwind table not loaded" --said "unwind tables for which there was no room|binaries without a usable unwind table"
	stacks saturate --min 50 --whole 0.9
}

@test "more binaries than fit: those that nobody is in any more make room" {
	load 'for i in 1 2 3 4 5 6 7 8; do timeout 0.7 ./large$i; done; sleep 5; ./large9'
	capture 24 64M
	stacks large1 --min 10 --whole 0.3
	stacks large9 --min 50 --whole 0.3 --said "unwind tables that made room for others"
}

@test "5,000 processes and 64 MiB of memory: those beyond the limit are counted, the others whole" {
	load "exec $WORKLOADS/crowd 5000 30"
	sleep 2.5
	capture 6 64M
	stacks crowd --min 50 --leaf --said "processes beyond the limit of the process table"
}

@test "5,000 processes and memory enough" {
	load "exec $WORKLOADS/crowd 5000 30"
	sleep 2.5
	capture 6 256M
	stacks crowd --min 50 --leaf --whole 0.9
}
