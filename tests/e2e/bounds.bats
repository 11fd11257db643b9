#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Names never reach beyond their symbol, on real files whose symbols are few: x264's assembler has some without a size
# (perf gives them all that follows), a stripped cc1 and libcrypto have large stretches without any.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup() {
	only_slowburn
}

library() {
	ldconfig -p | awk -v name="$1" '$1 == name && /x86-64/ { print $NF; exit }'
}

# bounds FILE [--widen N]
bounds() {
	run python3 -B "$e2e/bounds.py" "$SLOWBURN" "$@"
	echo "$output"
}

@test "x264, whose assembler has symbols without a size" {
	local file
	file=$(library libx264.so.164)
	[ -n "$file" ] || skip "libx264-164 is not installed"
	bounds "$file"
	[ "$status" = 0 ]
}

@test "libcrypto" {
	local file
	file=$(library libcrypto.so.3)
	[ -n "$file" ] || skip "libssl3 is not installed"
	bounds "$file"
	[ "$status" = 0 ]
}

@test "gcc's cc1, stripped" {
	local file
	file=$(gcc -print-prog-name=cc1 2> /dev/null || true)
	[ -f "$file" ] || skip "gcc's cc1 is not installed"
	bounds "$file"
	[ "$status" = 0 ]
}

@test "the judge sees a name that reaches too far" {
	local file
	file=$(library libcrypto.so.3)
	[ -n "$file" ] || skip "libssl3 is not installed"
	bounds "$file" --widen 64
	[ "$status" = 1 ]
	[[ $output == *"beyond their symbol: "[1-9]* ]]
}
