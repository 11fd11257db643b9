#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What a terminal gets to see: no binary, a line of progress that leaves no trace, the answer in its width.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

# on_terminal COMMAND: what the terminal got, into the file "seen"; its own exit status.
on_terminal() {
	# script copies its input to the terminal: there must be none. stty: a size of our own.
	script -qec "stty cols ${columns:-100} rows 30; $1" seen.raw < /dev/null > /dev/null 2>&1
	local status=$?
	sed -e 1d -e '/^Script done/d' -e '/^\r*$/d' seen.raw | tr -d '\r' > seen
	return $status
}

@test "never binary to a terminal, and that is said before the capture" {
	need script
	for words in "-o -" "--format pprof" "-o /dev/tty" "-o /dev/stdout" "-o x.txt --record /dev/tty"; do
		SECONDS=0
		on_terminal "slowburn profile --duration 100 $words" && status=0 || status=$?
		equal "$words: status" "$status" 1
		[ $SECONDS -lt 20 ]
		holds "$words" "$(< seen)" "slowburn: a terminal can't show this"
		equal "$words: lines" "$(wc -l < seen)" 1
	done
	rm seen seen.raw
	equal files "$(files)" ""
}

@test "progress: time left, samples, lost, four times a second, then gone" {
	need_root
	need script
	on_terminal "slowburn profile --duration 1500ms -o a.pb.gz > out"
	LC_ALL=C grep -qa $'\r2 s left, [0-9]* samples, 0 lost' seen.raw || { od -c seen.raw; return 1; }
	LC_ALL=C grep -qa $'\r1 s left, [0-9]* samples, 0 lost' seen.raw
	redrawn=$(grep -oa ' s left' seen.raw | wc -l)
	[ "$redrawn" -ge 4 ] && [ "$redrawn" -le 8 ] || { echo "drawn $redrawn times in 1.5 s"; return 1; }
	# The last thing on the line: blanks, and back to its beginning.
	[[ $(sed 1d seen.raw | grep -av '^Script done' | tr '\r' '\n' | sed '/^ *$/d' | tail -1) == *lost ]]
	LC_ALL=C grep -qa $'\r \\{20,\\}\r' seen.raw
}

@test "progress without an end says how to end it" {
	need_root
	need script
	on_terminal "timeout --foreground -s INT 1 slowburn profile --format text > out" || true
	LC_ALL=C grep -qa $'\r0 s, [0-9]* samples, 0 lost (Ctrl-C ends it)' seen.raw || { od -c seen.raw; return 1; }
	holds out "$(< out)" QUALITY
}

@test "progress is cut to a narrow terminal" {
	need_root
	need script
	columns=20 on_terminal "slowburn profile --duration 600ms --format text > out"
	while IFS= read -r line; do
		[ ${#line} -le 19 ] || { echo "${#line} columns: $line"; return 1; }
	done < <(sed 1d seen.raw | grep -av '^Script done' | tr '\r' '\n')
}

@test "no progress beside a command, nor into a file or pipe" {
	need_root
	need script
	on_terminal "slowburn profile --format text -- sleep 0.5 > out"
	equal "beside a command" "$(< seen)" ""
	try slowburn profile --duration 400ms --format text
	equal stderr "$stderr" ""
}

@test "the text answer is as wide as the terminal, and coloured unless NO_COLOR or dumb" {
	need_root
	need script
	busy='bash -c "for ((i = 0; i < 60000; i++)); do :; done"'
	export TERM=xterm
	columns=70 on_terminal "slowburn profile -F 2000 --format text -- $busy"
	grep -qa $'\e\\[' seen || { echo "no colour"; return 1; }
	sed $'s/\e\\[[0-9;]*m//g' seen > plain
	equal "longest line over 70" "$(LC_ALL=C.UTF-8 grep -E '^.{71}' plain)" ""
	for setting in NO_COLOR=1 TERM=dumb; do
		on_terminal "env $setting slowburn profile -F 2000 --format text -- $busy"
		! grep -qa $'\e' seen || { echo "colour with $setting"; return 1; }
	done
}
