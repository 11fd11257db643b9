#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# slowburn profile -- COMMAND: who it runs as, when it begins and ends.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

@test "the command's words, input, output and environment are its own" {
	need_root
	echo input > in
	WORD=value try sh -c 'slowburn profile -o a.pb.gz -- \
		sh -c '\''cat; echo "$WORD" "$@"; echo err >&2'\'' -- --duration "a  b" < in'
	equal status "$status" 0
	equal "first lines" "${lines[*]:0:2}" "input value --duration a  b"
	equal stderr "$stderr" err
}

@test "only the command and its children are in the profile; with -a, all" {
	need_root
	bash -c 'while :; do :; done' & other=$!
	busy='for ((i = 0; i < 60000; i++)); do :; done'
	slowburn profile -F 2000 --format collapsed --root pid -- bash -c "$busy; (exec bash -c '$busy; :')" > own
	slowburn profile -a -F 2000 --format collapsed --root pid -- bash -c "$busy" > all
	kill $other
	! grep -q "^pid: $other;" own || { grep "^pid: $other;" own; return 1; }
	equal "processes of the command" "$(grep -o '^pid: [0-9]*' own | sort -u | wc -l)" 2
	grep -q "^pid: $other;" all || { cut -d';' -f1 all | sort | uniq -c; return 1; }
}

@test "it is not started if the capture can't be" {
	need_root
	try slowburn profile --cgroup /not/there -- touch ran
	equal status "$status" 1
	equal files "$(files)" ""
}

@test "not found, not to be run: status 1, and no file is left" {
	need_root
	try slowburn profile -- no-such-command
	refused 1 'cannot run "no-such-command": No such file or directory'
	try slowburn profile -- ./no/such/command
	refused 1 'cannot run "./no/such/command"'
	touch plain
	try slowburn profile -- ./plain
	refused 1 'cannot run "./plain": Permission denied'
	try slowburn profile -- "$dir"
	refused 1 "cannot run \"$dir\": Permission denied"
	equal files "$(files)" "plain "
}

@test "how it ended is told, if not well" {
	need_root
	try slowburn profile --format text -- sh -c 'exit 3'
	equal status "$status" 0
	equal stderr "$stderr" 'slowburn: "sh" ended with status 3'
	try slowburn profile --format text -- sh -c 'kill -SEGV $$'
	equal status "$status" 0
	equal stderr "$stderr" 'slowburn: "sh" was ended by signal 11 (Segmentation fault)'
	try slowburn profile --format text -- true
	equal stderr "$stderr" ""
}

@test "how it ended is known though our caller ignores SIGCHLD" {
	need_root
	try env --ignore-signal=CHLD slowburn profile --format text -- sh -c 'exit 3'
	equal status "$status" 0
	equal stderr "$stderr" 'slowburn: "sh" ended with status 3'
}

@test "--duration ends before the command does: it gets SIGTERM" {
	need_root
	try slowburn profile --format text --duration 300ms -- \
		bash -c 'trap "echo got TERM; exit 0" TERM; while :; do sleep 0.05; done'
	equal status "$status" 0
	equal "first line" "${lines[0]}" "got TERM"
	equal stderr "$stderr" ""
	SECONDS=0
	try slowburn profile --format text --duration 200ms -- \
		bash -c 'trap "" TERM; exec > /dev/null 2>&1; for i in {1..30}; do sleep 0.1; done; touch went-on'
	equal status "$status" 0
	[[ $stderr =~ ^'slowburn: "bash" (process '[0-9]+') goes on: it ignores SIGTERM'$ ]]
	[ $SECONDS -lt 3 ]
	for _ in {1..50}; do [ -e went-on ] || sleep 0.1; done
	[ -e went-on ]
}

@test "the command ends before --duration" {
	need_root
	SECONDS=0
	try slowburn profile --format text --duration 1000s -- sleep 0.1
	equal status "$status" 0
	[ $SECONDS -lt 10 ]
}

@test "sudo: it runs as who called it, at home there, in their groups" {
	need_root
	chmod 777 .
	export SUDO_UID SUDO_GID
	SUDO_UID=65534 SUDO_GID=$(id -g nobody)
	HOME=/root USER=root LOGNAME=root try slowburn profile --format text -- \
		sh -c 'id -u; id -ru; id -g; id -G; echo "$HOME $USER $LOGNAME"; touch mine; grep ^Cap /proc/self/status'
	equal status "$status" 0
	equal "uid, gid" "${lines[*]:0:3}" "65534 65534 $SUDO_GID"
	equal groups "${lines[3]}" "$(id -G nobody)"
	equal environment "${lines[4]}" "$(getent passwd nobody | cut -d: -f6) nobody nobody"
	equal "effective capabilities" "$(grep CapEff <<< "$output")" $'CapEff:\t0000000000000000'
	equal owner "$(stat -c %u mine)" 65534
}

@test "sudo: a user without an entry, and one who may not run it" {
	need_root
	export SUDO_UID=54321 SUDO_GID=54321
	try slowburn profile --format text -- sh -c 'id -u; id -G; echo "$HOME,$USER,"'
	equal status "$status" 0
	equal "ids, environment" "${lines[*]:0:3}" "54321 54321 /,,"
	printf '#!/bin/sh\n' > private
	chmod 700 private
	try slowburn profile -o /dev/null -- ./private
	refused 1 'cannot run "./private": Permission denied'
	for broken in "x 1" "1 x" "4294967295 1" "1 "; do
		SUDO_UID=${broken% *} SUDO_GID=${broken#* } try slowburn profile -o /dev/null -- touch ran
		refused 1 "SUDO_UID \"${broken% *}\" and SUDO_GID \"${broken#* }\""
	done
	equal files "$(files)" "private "
}

@test "it inherits no descriptor and no signal setting of ours" {
	need_root
	try slowburn profile --format text --record /dev/null -- \
		sh -c 'ls /proc/self/fd | tr "\n" " "; echo; grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status'
	equal status "$status" 0
	own=$(sh -c 'ls /proc/self/fd | tr "\n" " "; echo; grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status')
	equal "descriptors and signals" "$(head -4 <<< "$output")" "$own"
}

@test "what our caller ignored, it ignores" {
	need_root
	signals='grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status'
	for ignored in PIPE CHLD HUP; do
		try env --ignore-signal=$ignored slowburn profile --format text --record /dev/null -- sh -c "$signals"
		equal status "$status" 0
		equal "$ignored: signals" "$(head -3 <<< "$output")" \
			"$(env --ignore-signal=$ignored sh -c "$signals")"
	done
}
