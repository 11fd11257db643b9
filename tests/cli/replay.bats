#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# slowburn replay: the same answer again; files that are no recordings, or damaged ones.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

record() {
	slowburn profile -F 2000 --record raw --format collapsed --root comm,pid -- \
		bash -c 'for ((i = 0; i < 80000; i++)); do :; done' > live
}

@test "a recording gives the same answer, to anybody" {
	need_root
	record
	equal mode "$(stat -c %a raw)" 600
	chmod 644 raw
	try slowburn replay raw --format collapsed --root comm,pid
	equal status "$status" 0
	equal stderr "$stderr" ""
	[ -s live ]
	equal "replayed" "$output" "$(< live)"
	equal files "$(files)" "live raw "
	run --separate-stderr setpriv --reuid 65534 --clear-groups slowburn replay --format collapsed --root comm,pid raw
	equal "replayed by nobody" "$output" "$(< live)"
}

@test "text alone without options, files with -o" {
	need_root
	record
	try slowburn replay raw
	equal status "$status" 0
	holds text "$output" QUALITY
	equal files "$(files)" "live raw "
	try slowburn replay -o a.pb.gz raw
	holds text "$output" QUALITY
	is_pprof a.pb.gz
	try slowburn replay -o /dev/full raw
	refused 1 "No space left on device"
	holds text "$output" QUALITY
}

@test "a recording that breaks off gives what it has, and says so" {
	need_root
	slowburn profile -F 10000 -o /dev/null --record raw -- \
		bash -c 'for ((i = 0; i < 400000; i++)); do :; done' > whole
	head -c $(($(stat -c %s raw) * 3 / 4)) raw > cut-off
	try slowburn replay cut-off
	equal status "$status" 1
	equal stderr "$stderr" 'slowburn: "cut-off" breaks off early: this is what it has'
	holds text "$output" QUALITY
	head -c 100 raw > cut-off
	try slowburn replay cut-off
	refused 1 'cannot replay "cut-off"'
}

@test "never over the recording itself" {
	need_root
	slowburn profile --duration 300ms --format text --record r > /dev/null
	cp r before
	ln -s r link
	for name in r ./r "$PWD/r" link; do
		try slowburn replay r -o "$name"
		refused 2 "is the recording itself"
	done
	cmp r before
}

@test "a pipe in which nothing comes: the first signal ends it" {
	mkfifo pipe
	sleep 20 > pipe &
	try -124 timeout --kill-after=5 1 slowburn replay pipe
}

@test "files that are no recordings" {
	: > empty
	head -c 5000 /dev/zero > zeros
	echo hello > text
	mkdir folder
	for name in empty zeros text folder "$dir/slowburn"; do
		try slowburn replay "$name"
		refused 1 "cannot replay \"$name\": "
		equal "$name: stdout" "$output" ""
	done
	try slowburn replay missing
	refused 1 'cannot read "missing": No such file or directory'
	try slowburn replay ''
	refused 1 'cannot read ""'
	try slowburn replay text -o a.pb.gz
	refused 1 'cannot replay "text"'
	equal files "$(files)" "empty folder text zeros "
}

@test "a full disk at the end of a recording: the text answer is still printed" {
	need_root
	mkdir "$dir/full"
	mount -t tmpfs -o size=16k none "$dir/full"
	# Enough for its beginning, not for what all processes have mapped.
	head -c 12000 /dev/zero > "$dir/full/ballast"
	try slowburn profile --duration 500ms --record "$dir/full/raw" --format text
	refused 1 "No space left on device"
	holds text "$output" QUALITY
	equal files "$(files "$dir/full")" "ballast "
}
