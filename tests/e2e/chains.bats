#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Programs whose stacks are known beforehand (tests/chains): by compiler, level, linker, kind of file, and what they
# do with their stack. Every sample of theirs has exactly the known stack, or ends early and says so, and at least 99
# in 100 don't; there is not one wrong frame.

# shellcheck disable=SC2154 # set by capture.bash

load capture

chains() {
	python3 -B "$root/tests/chains/chains.py" "$@"
}

setup_file() {
	need_root
	only_slowburn
	# What is told apart here are frames on the stack.
	CHAIN_WARM=50 CHAIN_MS=200 "$SLOWBURN" profile --no-inlines -F 1997 --format pprof -o "$(profile chains)" -- \
		python3 -B "$root/tests/chains/chains.py" run "$WORKLOADS/../chains" > "$BATS_FILE_TMPDIR/run.log" 2>&1 3>&-
}

setup() {
	only_slowburn
}

@test "the judge refuses what is wrong" {
	chains selftest
}

@test "every program ran" {
	cat "$BATS_FILE_TMPDIR/run.log"
	absent '^run ' "$BATS_FILE_TMPDIR/run.log"
}

@test "not one wrong frame" {
	chains check "$WORKLOADS/../chains" "$(profile chains)"
}
