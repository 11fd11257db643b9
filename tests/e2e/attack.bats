#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Our own processes killed, stopped and starved while they are relied upon: the answer comes all the same, with every
# sample that was received and their CPU time, and what it costs is what was just being asked.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup_file() {
	need_root
	local i
	for i in 1 2 3; do
		workload_as shares "busy-$i"
		"$BATS_FILE_TMPDIR/busy-$i" 300 > /dev/null 3>&- &
		echo $! >> "$BATS_FILE_TMPDIR/busy.pids"
	done
}

teardown_file() {
	# shellcheck disable=SC2046 # a list of numbers
	[ ! -e "$BATS_FILE_TMPDIR/busy.pids" ] || kill $(cat "$BATS_FILE_TMPDIR/busy.pids") 2> /dev/null || true
}

setup() {
	only_slowburn
}

# role_of PID ROLE: the pid of its child of that role.
role_of() {
	pgrep -f -P "$1" "^slowburn $2\$"
}

# begin NAME [OPTION...]: a capture; sets pid, and returns when it samples.
begin() {
	local name=$1 i agent
	shift
	"$SLOWBURN" profile -F 499 --format pprof -o "$(profile "$name")" "$@" > "$BATS_TEST_TMPDIR/$name.log" 2>&1 3>&- &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		agent=$(role_of $pid agent) &&
			[ "$(find "/proc/$agent/fd" -lname 'anon_inode:*perf_event*' 2> /dev/null | wc -l)" -gt 1 ] && break
		sleep 0.02
	done
	[ -n "$(role_of $pid opener)" ] && [ -n "$(role_of $pid symbolizer)" ] && [ $i -lt 200 ]
}

# ours PID: the processes below it, it included.
ours() {
	local child
	echo "$1"
	for child in $(pgrep -P "$1"); do ours "$child"; done
}

# gone PID...: within a second none of them runs any more.
gone() {
	local i p left
	for ((i = 0; i < 50; i++)); do
		left=''
		for p; do
			# A zombie is gone: it is up to its new parent to notice.
			[ ! -e "/proc/$p" ] || [ "$(sed 's/.*) //; s/ .*//' "/proc/$p/stat" 2> /dev/null)" = Z ] || left="$left $p"
		done
		[ -n "$left" ] || return 0
		sleep 0.02
	done
	echo "still there: $left"
	return 1
}

@test "200 random moments: killed, stopped, starved of memory" {
	local seed=${SEED:-${EPOCHREALTIME#*.}} i bad=0
	mkdir "$BATS_FILE_TMPDIR/random"
	echo "SEED=$seed"
	python3 "$e2e/torment.py" "$((10#$seed))" 40 5 5 "$BATS_FILE_TMPDIR/random" "$SLOWBURN" || bad=1
	for i in {1..40}; do
		truth whole "$BATS_FILE_TMPDIR/random/$i.pb.gz" --slack-ms 500 --failed 0 5 --counted opener 0 5 || bad=1
	done
	return $bad
}

@test "killed while they have nothing to do: nobody notices" {
	begin idle --duration 1s
	sleep 0.3
	kill -KILL "$(role_of $pid opener)" "$(role_of $pid symbolizer)"
	wait $pid
	# One of them may be asked just then: about a process that has come.
	truth whole "$(profile idle)" --failed 0 0 --counted opener 0 1
	truth names "$(profile idle)" --named busy-1 busy-2 busy-3
}

@test "the symbolizer stopped before it is asked: one file lacks names" {
	begin stopped --duration 500ms
	kill -STOP "$(role_of $pid symbolizer)"
	wait $pid
	truth whole "$(profile stopped)" --failed 1 1
}

@test "the symbolizer killed as soon as it comes, each time: no names, the same totals" {
	begin all --duration 500ms
	while kill -0 $pid 2> /dev/null; do
		pkill -KILL -f -P $pid '^slowburn symbolizer$' || true
	done
	wait $pid
	truth whole "$(profile all)" --failed 0 100000
}

@test "the opener stopped while it samples: one request is given up, programs started later have their names" {
	begin opener --duration 4s
	kill -STOP "$(role_of $pid opener)"
	workload_as shares later
	run_as later 0.2
	sleep 1.5
	workload_as shares latest
	run_as latest 1
	wait $pid
	truth whole "$(profile opener)" --failed 0 0 --counted opener 1 1
	truth names "$(profile opener)" --min 5 --named busy-1 busy-2 busy-3 latest
}

@test "the opener killed as soon as it comes, each time: the same totals" {
	begin openers --duration 500ms
	while kill -0 $pid 2> /dev/null; do
		pkill -KILL -f -P $pid '^slowburn opener$' || true
	done
	wait $pid
	truth whole "$(profile openers)" --failed 0 100000 --counted opener 0 100000
}

@test "the agent killed: exit status 1, a sentence, no file" {
	local status=0
	begin agent --duration 5s
	kill -KILL "$(role_of $pid agent)"
	wait $pid || status=$?
	cat "$BATS_TEST_TMPDIR/agent.log"
	[ $status = 1 ]
	grep -q '^slowburn: .*agent' "$BATS_TEST_TMPDIR/agent.log"
	[ ! -e "$(profile agent)" ]
	# Nor a half-written one under another name; what was said is in another folder.
	[ "$(find "$BATS_FILE_TMPDIR" -maxdepth 1 -name '*agent*')" = '' ]
}

@test "the agent stopped: the first Ctrl-C and the second still end it" {
	local status=0
	begin frozen --duration 5s
	kill -STOP "$(role_of $pid agent)"
	kill -INT $pid
	sleep 0.3
	kill -INT $pid 2> /dev/null || true
	gone $pid
	wait $pid || status=$?
	[ $status != 0 ]
	[ ! -e "$(profile frozen)" ]
}

@test "the supervisor killed: within a second none of ours is left" {
	local all
	begin supervisor --duration 20s
	all=$(ours $pid)
	[ "$(wc -w <<< "$all")" -ge 4 ]
	kill -KILL $pid
	# shellcheck disable=SC2086 # a list of numbers
	gone $all
}
