#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The symbolizer killed and stopped while it is relied upon: the answer comes all the same, with every sample that
# was received and their CPU time, and what it cost is one request, if it was just being asked.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup_file() {
	need_root
	workload_as shares busy
	"$BATS_FILE_TMPDIR/busy" 300 > /dev/null 3>&- &
	echo $! > "$BATS_FILE_TMPDIR/busy.pid"
}

teardown_file() {
	kill "$(cat "$BATS_FILE_TMPDIR/busy.pid")" 2> /dev/null || true
}

setup() {
	only_slowburn
	seed=$((10#${EPOCHREALTIME#*.} % 32768))
	echo "RANDOM=$seed"
	RANDOM=$seed
}

symbolizer_of() {
	pgrep -f -P "$1" '^slowburn symbolizer$'
}

# round NAME SIGNAL MILLISECONDS: a capture of 1 s, whose symbolizer gets the signal that long after it started.
round() {
	local name=$1 signal=$2 ms=$3 status=0 pid
	"$SLOWBURN" profile --duration 1s -F 499 --format pprof -o "$(profile "$name")" \
		> "$BATS_TEST_TMPDIR/$name.log" 2>&1 3>&- &
	pid=$!
	until symbolizer_of $pid > /dev/null; do
		kill -0 $pid || return 1
		sleep 0.01
	done
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
	# It may be gone by now, and have been replaced.
	pkill "-$signal" -f -P $pid '^slowburn symbolizer$' || true
	wait $pid || status=$?
	echo "$name: $signal after $ms ms, exit status $status"
	[ $status = 0 ] || cat "$BATS_TEST_TMPDIR/$name.log"
	return $status
}

# rounds SIGNAL MOST LEAST-FAILED MOST-FAILED: ten, five at a time, at random moments up to MOST ms.
rounds() {
	local signal=$1 most=$2 least_failed=$3 most_failed=$4 i half pids pid bad=0
	for half in 0 5; do
		pids=''
		for i in 1 2 3 4 5; do
			round "$signal-$((half + i))" "$signal" $((RANDOM % most)) &
			pids="$pids $!"
		done
		for pid in $pids; do wait "$pid" || bad=1; done
	done
	for i in 1 2 3 4 5 6 7 8 9 10; do
		truth whole "$(profile "$signal-$i")" --failed "$least_failed" "$most_failed" || bad=1
	done
	return $bad
}

@test "killed at ten random moments, before, while and after it is asked" {
	rounds KILL 1400 0 1
}

@test "stopped at ten random moments before it is asked: one request is given up" {
	rounds STOP 800 1 1
}

@test "killed as soon as it comes, each time: no names, the same totals" {
	local pid
	"$SLOWBURN" profile --duration 1s -F 499 --format pprof -o "$(profile all)" > "$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
	pid=$!
	while kill -0 $pid 2> /dev/null; do
		pkill -KILL -f -P $pid '^slowburn symbolizer$' || true
	done
	wait $pid
	truth whole "$(profile all)" --failed 0 100000
}
