#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Storms of processes that live some 10 ms and less: make over small C files, /bin/true. Of their samples at least
# 95 % have their binary and, where a symbol covers it, their leaf function; and as many have their whole stack,
# although no process lives until there could be unwind tables for it in the kernel.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup_file() {
	need_root
	python3 "$root/tests/bench/csource.py" --files 240 --directory "$BATS_FILE_TMPDIR/storm"
	capture_begin storm
	make -s -j "$(nproc)" -C "$BATS_FILE_TMPDIR/storm" > /dev/null 3>&-
	capture_end
}

# For $1 seconds.
true_storm() {
	local end=$((SECONDS + $1))
	while [ "$SECONDS" -lt "$end" ]; do
		/bin/true 3>&-
	done
}

@test "a build of small files: at least 95 % of its samples are complete" {
	truth complete "$(profile storm)" --comm cc1 as gcc make sh collect2 ld --min 300 --share 0.95
}

@test "the compiler's functions have their names" {
	truth complete "$(profile storm)" --comm cc1 --min 100 --share 0.95
	truth complete "$(profile storm)" --comm as --min 20 --share 0.95
}

@test "a build of small files: at least 95 % of its stacks are whole" {
	only_slowburn
	truth bottom "$(profile storm)" --comm cc1 as gcc make sh collect2 ld --min 300 --share 0.95
}

@test "processes that live a millisecond: at least 95 % of their stacks are whole" {
	only_slowburn
	capture_begin true
	true_storm 4
	capture_end
	truth bottom "$(profile true)" --comm true --min 30 --share 0.95
}

@test "a program that was there before us: its stacks are whole from the first sample on" {
	only_slowburn
	sh -c 'while :; do :; done' 3>&- &
	busy=$!
	capture_begin first
	capture_end
	kill $busy
	truth bottom "$(profile first)" --comm sh --min 10 --share 0.97
}
