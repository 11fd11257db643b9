#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A file system that stops answering (tests/workload/fusehang.c) holds a binary that runs: the capture ends in its time,
# that file is refused, once, and all else has its names. What waits for such a file system can't be killed: it is left
# behind, and goes when the file system does.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup_file() {
	need_root
	[ -c /dev/fuse ] || skip "no /dev/fuse"
	# Its processes can then be told from those of others by the file that they run.
	ln "$SLOWBURN" "$BATS_FILE_TMPDIR/slowburn" 2> /dev/null || cp "$SLOWBURN" "$BATS_FILE_TMPDIR/slowburn"
	workload_as shares honest
	"$BATS_FILE_TMPDIR/honest" 300 > /dev/null 3>&- &
	echo $! > "$BATS_FILE_TMPDIR/honest.pid"
}

teardown_file() {
	kill "$(cat "$BATS_FILE_TMPDIR/honest.pid" 2> /dev/null)" 2> /dev/null || true
}

setup() {
	only_slowburn
	program=$BATS_FILE_TMPDIR/slowburn
	work=$BATS_TEST_TMPDIR
	servers=$work/servers runners=$work/runners
}

# The servers first: with them goes what waits for them.
teardown() {
	local mount
	# shellcheck disable=SC2046 # lists of numbers
	kill -KILL $(cat "$servers" "$runners" 2> /dev/null) 2> /dev/null || true
	for mount in "$work"/mount-*; do
		umount -l "$mount" 2> /dev/null || true
	done
}

# until_said FILE LINE
until_said() {
	local i
	for ((i = 0; i < 200; i++)); do
		! grep -qx "$2" "$1" || return 0
		sleep 0.02
	done
	echo "\"$2\" was never said"
	return 1
}

# serve NAME [WHAT-GETS-NO-ANSWER...]: workload "shares" as NAME, on a file system of its own
serve() {
	local name=$1
	shift
	cp "$WORKLOADS/shares" "$work/$name"
	mkdir "$work/mount-$name"
	"$WORKLOADS/fusehang" "$work/mount-$name" "$work/$name" "$@" > "$work/$name.said" 2>&1 3>&- &
	echo $! > "$work/$name.server"
	echo $! >> "$servers"
	until_said "$work/$name.said" mounted
}

# run NAME: from there
run_from() {
	"$work/mount-$1/$1" 300 > /dev/null 2>&1 3>&- &
	echo $! > "$work/$1.runner"
	echo $! >> "$runners"
	sleep 0.2
	kill -0 $!
}

# read_ahead NAME: all of it is in the page cache
read_ahead() {
	cat "$work/mount-$1/$1" > /dev/null
}

hush() {
	kill -USR1 "$(cat "$work/$1.server")"
	until_said "$work/$1.said" mute
}

# capture NAME SECONDS MOST-MS
capture() {
	local status=0 begin=${EPOCHREALTIME/./} ms
	timeout -s KILL 60 "$program" profile --duration "$2s" -F 499 --format pprof -o "$(profile "$1")" > "$work/$1.log" 2>&1 3>&- ||
		status=$?
	ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	echo "$1: exit status $status after $ms ms"
	[ $status = 0 ] || cat "$work/$1.log"
	[ $status = 0 ] && [ $ms -le "$3" ]
}

# ours [ROLE]: the pids of what runs of our program, in that role
ours() {
	find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname "$program" 2> /dev/null | while IFS=/ read -r _ _ pid _; do
		[ -z "$1" ] || [ "$(tr '\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null)" = "slowburn $1 " ] || continue
		echo "$pid"
	done
}

# none_left: when its file systems are gone, so is each process of ours, within a second
none_left() {
	local i
	# shellcheck disable=SC2046 # a list of numbers
	kill -KILL $(cat "$servers") 2> /dev/null || true
	for ((i = 0; i < 50; i++)); do
		[ -n "$(ours)" ] || return 0
		sleep 0.02
	done
	ps -o pid,stat,wchan:20,args -p "$(ours | paste -sd,)"
	return 1
}

@test "one that answers: its files have their names" {
	serve good
	run_from good
	capture good 1 5000
	truth whole "$(profile good)" --counted unfetched 0 0 --slack-ms 200
	truth names "$(profile good)" --named honest good
}

@test "one that answers nothing: in time, one file refused, all others named" {
	serve deaf
	read_ahead deaf
	run_from deaf
	hush deaf
	capture deaf 2 6000
	truth whole "$(profile deaf)" --counted unfetched 1 1 --counted unopened 0 0 --slack-ms 200
	truth names "$(profile deaf)" --named honest --nameless deaf
	kill -KILL "$(cat "$work/deaf.runner")"
	none_left
}

@test "one that is silent about one thing only: in time" {
	local what
	for what in lookup getattr statfs open read flush release; do
		serve $what $what
		# With all of it in the page cache nothing would be read.
		[ $what = read ] || read_ahead $what
		run_from $what
		hush $what
		capture $what 1 5000
		truth whole "$(profile $what)" --counted unfetched 0 1 --slack-ms 200
		truth names "$(profile $what)" --named honest --seen $what
		kill -KILL "$(cat "$work/$what.runner")" "$(cat "$work/$what.server")"
	done
	none_left
}

@test "silent about opening, reading or the name: the file is refused, by its counter" {
	local what names='open read getattr'
	for what in $names; do
		serve $what $what
		[ $what = read ] || read_ahead $what
		run_from $what
		hush $what
	done
	capture three 2 9000
	truth whole "$(profile three)" --counted unfetched 2 3 --slack-ms 200
	truth names "$(profile three)" --named honest --nameless open read
	none_left
}

@test "six at once: four are waited for, and all are refused in time" {
	local i
	for i in 1 2 3 4 5 6; do
		serve many-$i
		read_ahead many-$i
		run_from many-$i
		hush many-$i
	done
	capture many 2 10000
	truth whole "$(profile many)" --counted unfetched 6 6 --slack-ms 200
	truth names "$(profile many)" --named honest --nameless many-1 many-2 many-3 many-4 many-5 many-6 --min 3
	# Four that were given up, and the one that would have been the next.
	echo "left behind: $(ours fetcher | wc -l)"
	[ "$(ours fetcher | wc -l)" -le 5 ]
	none_left
}

@test "the process is gone, its file system still silent" {
	local pid
	serve late
	read_ahead late
	run_from late
	hush late
	capture late 2 6000 &
	pid=$!
	sleep 0.7
	kill -KILL "$(cat "$work/late.runner")"
	wait $pid
	truth whole "$(profile late)" --counted unfetched 0 1 --slack-ms 200
	truth names "$(profile late)" --named honest --nameless late
	none_left
}
