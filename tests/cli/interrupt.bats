#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# SIGINT, SIGTERM, SIGHUP: the first ends the capture and the answer is written, the second ends all.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

# Until it samples: its unfinished file is there and BPF is attached.
start() {
	slowburn profile "$@" > out 2> err & pid=$!
	for _ in {1..100}; do
		if [ -n "$(bpf_fds $pid)" ]; then
			sleep 0.2
			return
		fi
		sleep 0.05
	done
	echo "never began: $(< err)"
	return 1
}

bpf_fds() {
	local agent
	agent=$(pgrep -f -P "$1" '^slowburn agent$') || return 0
	find "/proc/$agent/fd" -lname 'anon_inode:*bpf*' 2> /dev/null
}

@test "the first signal ends the capture, and everything is written" {
	need_root
	for signal in INT TERM HUP; do
		start -o "$signal.pb.gz"
		equal "$signal: unfinished files" "$(find . -name '.slowburn-*' | wc -l)" 1
		kill -$signal $pid
		wait $pid && status=0 || status=$?
		equal "$signal: status" "$status" 0
		holds "$signal: text" "$(< out)" QUALITY
		equal "$signal: stderr" "$(< err)" ""
		is_pprof $signal.pb.gz
	done
	equal files "$(files)" "HUP.pb.gz INT.pb.gz TERM.pb.gz err out "
}

@test "the second signal aborts: status 1, no half file, an old one stays" {
	need_root
	echo old > a.pb.gz
	# Standard output is a FIFO that nobody reads: it can't get to its end.
	mkfifo stuck
	exec 7<> stuck
	head -c 65536 /dev/zero >&7
	slowburn profile --no-inlines --record raw -o a.pb.gz > stuck 2> err & pid=$!
	for _ in {1..100}; do [ -n "$(bpf_fds $pid)" ] && break || sleep 0.05; done
	sleep 0.3
	kill -INT $pid
	sleep 0.5
	kill -INT $pid
	wait $pid && status=0 || status=$?
	exec 7>&-
	equal status "$status" 1
	equal stderr "$(< err)" ""
	# The first signal's files were whole by then.
	equal files "$(files)" "a.pb.gz err raw stuck "
}

# Copies of a program with much DWARF, each of which spends some time in its own code. The first index in the cache says that lines
# are being read; a symbolizer that is stopped then would be waited for 2 s a file.
@test "a first signal after the capture leaves out the lines that are still missing" {
	need_root
	for i in {1..24}; do cp "$(command -v slowburn)" "c$i"; done
	mkdir -m 700 cache
	sleep 1.2 # what has just changed is not kept
	slowburn profile -F 4999 --cache "$PWD/cache" --format text -- bash -c \
		'for i in {1..24}; do ./c$i symbolize --cache none ./c$i 0x20000 > symbols; done' > out 2> err & pid=$!
	for _ in {1..3000}; do
		[ -z "$(find cache -name '*.slowburn-index')" ] || break
		sleep 0.01
	done
	symbolizer=$(pgrep -f -P $pid '^slowburn symbolizer$')
	kill -STOP "$symbolizer"
	begin=$EPOCHREALTIME
	kill -INT $pid
	wait $pid && status=0 || status=$?
	took_ms=$(((${EPOCHREALTIME/./} - ${begin/./}) / 1000))
	equal status "$status" 0
	equal stderr "$(< err)" ""
	holds text "$(< out)" "left out, as the time"
	[ $took_ms -lt 1500 ] || { echo "the answer took $took_ms ms"; return 1; }
}

@test "two signals at once leave nothing at all" {
	need_root
	echo old > a.pb.gz
	start --record raw -o a.pb.gz
	kill -STOP $pid
	kill -INT $pid
	kill -TERM $pid
	kill -CONT $pid
	wait $pid && status=0 || status=$?
	equal status "$status" 1
	equal "a.pb.gz" "$(< a.pb.gz)" old
	equal files "$(files)" "a.pb.gz err out "
	equal stdout "$(< out)" ""
}

@test "nohup's SIGHUP is ignored" {
	need_root
	trap '' HUP
	start --format text
	kill -HUP $pid
	sleep 0.3
	kill -0 $pid
	kill -INT $pid
	wait $pid
	trap - HUP
	holds text "$(< out)" QUALITY
}

@test "a command is ended with the capture" {
	need_root
	start --format text -- bash -c 'trap "echo TERM > got; exit" TERM; while :; do sleep 0.02; done'
	kill -INT $pid
	wait $pid
	equal "what it got" "$(< got)" TERM
	equal stderr "$(< err)" ""
	holds text "$(< out)" QUALITY
}

@test "two signals at once end the command, too" {
	need_root
	start --format text -- bash -c 'echo $$ > child; trap "echo TERM > got; exit" TERM; while :; do sleep 0.02; done'
	kill -STOP $pid
	kill -INT $pid
	kill -TERM $pid
	kill -CONT $pid
	wait $pid && status=0 || status=$?
	equal status "$status" 1
	for _ in {1..50}; do [ -e got ] && break || sleep 0.05; done
	kill -KILL "$(< child)" 2> /dev/null || true
	equal "what it got" "$(< got)" TERM
}

@test "no process of ours stays behind" {
	need_root
	start -o a.pb.gz
	children=$(pgrep -P $pid)
	[ -n "$children" ]
	kill -INT $pid
	kill -INT $pid
	wait $pid || true
	sleep 0.2
	for child in $children; do
		# A zombie is dead: whoever is process 1 here may be slow to reap it.
		state=$(sed -n 's/^State:\t//p' "/proc/$child/status" 2> /dev/null || true)
		[[ -z $state || $state == Z* ]] || { echo "$child: $state"; return 1; }
	done
}
