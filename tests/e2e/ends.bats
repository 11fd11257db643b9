#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Stacks that can't be followed to their end say why: programs each of which has one reason for that. What a new
# process's first samples have besides (no table yet, a copy of the stack that is too short) is at most 20 in 100.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup_file() {
	need_root
	only_slowburn
	local why i
	for why in no-row unsupported lost bad-read bad-frame no-mapping deep jit exit far whole; do
		workload_as ends "end-$why"
	done
	capture_begin ends -F 499 --record "$BATS_FILE_TMPDIR/ends.slowburn"
	for why in no-row unsupported lost bad-read bad-frame no-mapping deep jit exit whole; do
		"$BATS_FILE_TMPDIR/end-$why" "$why" 0.8 3>&-
	done
	# Each is a new process: what the kernel knows of it comes too late.
	for ((i = 0; i < 30; i++)); do
		"$BATS_FILE_TMPDIR/end-far" far 0.03 3>&-
	done
	capture_end
}

setup() {
	only_slowburn
}

# ends REASON WORDS [OPTION...]
ends() {
	local comm=end-$1 words=$2
	shift 2
	truth ends "$(profile ends)" --comm "$comm" --why "$words" "$@"
}

@test "no unwind information" {
	ends no-row "no unwind information" --within cut_no_row
}

@test "unwind information not usable" {
	ends unsupported "unwind information not usable" --within cut_unsupported
}

@test "register not known" {
	ends lost "register not known" --within cut_lost
}

@test "stack not readable" {
	ends bad-read "stack not readable" --within cut_bad_read
}

@test "no valid frame" {
	ends bad-frame "no valid frame" --within cut_bad_frame
}

@test "no valid frame: code made at run time" {
	ends jit "no valid frame" --within "[anonymous memory]"
}

@test "whole: code made at run time that is returned to its own way out" {
	# Until the kernel side knows the process: user space has a copy of its stack only, not of its code.
	ends exit "" --share 0.5
}

@test "no code known there" {
	ends no-mapping "no code known there" --within "[unknown]"
}

@test "too deep" {
	ends deep "too deep" --within deep
}

@test "beyond the copied stack" {
	ends far "beyond the copied stack" --within far --share 0.3
}

@test "whole: nothing is said" {
	ends whole ""
}

@test "the text says which, where and what helps; collapsed stacks and a replay have the same" {
	"$SLOWBURN" replay --format text "$BATS_FILE_TMPDIR/ends.slowburn" > "$BATS_FILE_TMPDIR/ends.txt"
	"$SLOWBURN" replay --format collapsed "$BATS_FILE_TMPDIR/ends.slowburn" > "$BATS_FILE_TMPDIR/ends.collapsed"
	"$SLOWBURN" replay --format pprof -o "$BATS_FILE_TMPDIR/again.pb.gz" "$BATS_FILE_TMPDIR/ends.slowburn"
	sed -n '/^QUALITY/,$p' "$BATS_FILE_TMPDIR/ends.txt"
	grep -Eq '^  [0-9.]+ % of stacks end before their outermost frame:$' "$BATS_FILE_TMPDIR/ends.txt"
	grep -Eq '^end-deep;\[truncated: too deep\];deep;deep' "$BATS_FILE_TMPDIR/ends.collapsed"
	truth collapsed "$(profile ends)" "$BATS_FILE_TMPDIR/ends.collapsed"
	truth same "$(profile ends)" "$BATS_FILE_TMPDIR/again.pb.gz"
}
