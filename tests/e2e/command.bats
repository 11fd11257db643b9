#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# `profile -- COMMAND`, and how a capture ends.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup_file() {
	need_root
	# A copy, so that its processes can be told from those of other tests.
	cp "$SLOWBURN" "$BATS_FILE_TMPDIR/slowburn"
}

setup() {
	only_slowburn
	SLOWBURN=$BATS_FILE_TMPDIR/slowburn
	out=$(profile "$BATS_TEST_NUMBER")
}

teardown() {
	# Whatever happened: nothing of it is left running.
	[ "$SAMPLER" = slowburn ] || return 0
	local left
	left=$(find /proc -maxdepth 2 -name exe -lname "$SLOWBURN*" 2> /dev/null || true)
	if [ -n "$left" ]; then
		echo "still running: $left"
		return 1
	fi
}

@test "profiles the command until it ends" {
	"$SLOWBURN" profile --format pprof -o "$out" -- "$WORKLOADS/shares" 2 > "$(truth_of shares)"
	truth functions "$out" "$(truth_of shares)" $leaf
}

@test "the command's children are in the profile" {
	"$SLOWBURN" profile --format pprof -o "$out" -- sh -c "$WORKLOADS/forkstorm 1.5; :" > "$(truth_of storm)"
	truth functions "$out" "$(truth_of storm)" --comm forkstorm
}

@test "the command runs as the user who called sudo" {
	SUDO_UID=65534 SUDO_GID=65534 SUDO_USER=nobody \
		"$SLOWBURN" profile -o "$out" -- sh -c 'id -u; id -g; id -G; grep -E "^(CapEff|CapPrm|NoNewPrivs|Seccomp):" /proc/self/status' \
		> "$BATS_TEST_TMPDIR/said"
	cat "$BATS_TEST_TMPDIR/said"
	[ "$(sed -n 1p "$BATS_TEST_TMPDIR/said")" = 65534 ]
	[ "$(sed -n 2p "$BATS_TEST_TMPDIR/said")" = 65534 ]
	[ "$(sed -n 3p "$BATS_TEST_TMPDIR/said")" = 65534 ]
	grep -q '^CapEff:.*\s0000000000000000$' "$BATS_TEST_TMPDIR/said"
	grep -q '^CapPrm:.*\s0000000000000000$' "$BATS_TEST_TMPDIR/said"
	grep -q '^NoNewPrivs:.*\s0$' "$BATS_TEST_TMPDIR/said"
	grep -q '^Seccomp:.*\s0$' "$BATS_TEST_TMPDIR/said"
}

@test "the command inherits our environment's signals and no descriptor of ours" {
	"$SLOWBURN" profile -o "$out" -- sh -c 'ls -l /proc/self/fd; grep -E "^Sig(Blk|Ign):" /proc/self/status' \
		> "$BATS_TEST_TMPDIR/said" 3>&-
	cat "$BATS_TEST_TMPDIR/said"
	sh -c 'grep -E "^Sig(Blk|Ign):" /proc/self/status' > "$BATS_TEST_TMPDIR/plain"
	diff <(grep ^Sig "$BATS_TEST_TMPDIR/said") "$BATS_TEST_TMPDIR/plain"
	grep -e '->' "$BATS_TEST_TMPDIR/said" > "$BATS_TEST_TMPDIR/links"
	absent 'bpf|perf_event|socket|memfd|ring' "$BATS_TEST_TMPDIR/links"
}

@test "a command that doesn't exist: a clear error, no file" {
	local status=0
	"$SLOWBURN" profile -o "$out" -- /nonexistent/program > "$BATS_TEST_TMPDIR/said" 2>&1 || status=$?
	cat "$BATS_TEST_TMPDIR/said"
	[ "$status" -ne 0 ]
	grep -q '"/nonexistent/program"' "$BATS_TEST_TMPDIR/said"
	[ ! -e "$out" ]
}

@test "a command that dies at once" {
	"$SLOWBURN" profile --format pprof -o "$out" -- true
	truth show "$out"
}

@test "SIGINT once: the capture ends, the answer is written" {
	capture_begin "$BATS_TEST_NUMBER"
	workload shares int 1.5
	capture_end
	truth functions "$out" "$(truth_of int)" $leaf
}

@test "SIGTERM once: the same" {
	capture_begin "$BATS_TEST_NUMBER"
	workload shares term 1.5
	kill -TERM "$capture_pid"
	wait "$capture_pid"
	truth functions "$out" "$(truth_of term)" $leaf
}

# The second signal must come between the first and the answer, some 100 ms: several delays are tried.
@test "SIGINT twice: aborts, leaves no file" {
	local delay status aborted=0
	for delay in 0.002 0.005 0.01 0.02 0.04; do
		rm -f "$out"
		capture_begin "$BATS_TEST_NUMBER"
		kill -INT "$capture_pid"
		sleep $delay
		kill -INT "$capture_pid" 2> /dev/null || true
		status=0
		wait "$capture_pid" || status=$?
		echo "after $delay s: exit status $status, $(ls "$out" 2> /dev/null || echo no file)"
		if [ $status != 0 ]; then
			[ ! -e "$out" ]
			aborted=$((aborted + 1))
		fi
	done
	[ $aborted -gt 0 ]
}

@test "a process of -p that ends: the capture says so or goes on, and writes" {
	local pid
	sleep 1 3>&- &
	pid=$!
	"$SLOWBURN" profile --duration 2s --format pprof -o "$out" -p $pid
	truth show "$out"
}

@test "the clock: --duration 2s takes 2 s" {
	local begin end
	begin=$(date +%s%N)
	"$SLOWBURN" profile --duration 2s --format pprof -o "$out"
	end=$(date +%s%N)
	echo "took $(((end - begin) / 1000000)) ms"
	[ $((end - begin)) -ge 2000000000 ]
	[ $((end - begin)) -le 3500000000 ]
	python3 -c "
import sys
sys.path.insert(0, '$e2e')
import truth
seconds = truth.read_profile('$out').duration_ns / 1e9
print(seconds)
sys.exit(not 1.98 <= seconds <= 2.1)"
}
