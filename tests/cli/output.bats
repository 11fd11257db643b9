#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Where an answer goes: formats, names, files that must survive, disks that are full.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

short="--duration 100ms"

# What says that a text answer is there.
is_text() {
	holds "text answer" "$1" "QUALITY"
}

@test "neither -o nor --format: text, and a pprof file whose name is told" {
	need_root
	try slowburn profile $short
	equal status "$status" 0
	is_text "$output"
	name=$(echo slowburn-*.pb.gz)
	equal files "$(files)" "$name "
	[[ $name =~ ^slowburn-[A-Za-z0-9][A-Za-z0-9._-]*-20[0-9]{6}-[0-9]{6}\.pb\.gz$ ]] ||
		{ echo "name: $name"; return 1; }
	is_pprof "$name"
	holds stderr "$stderr" "\"$name\""
	equal mode "$(stat -c %a "$name")" 600
}

@test "a file that is there is never replaced: -2, -3" {
	need_root
	# All names that this second and the next ones could bring.
	for i in {0..20}; do
		touch "slowburn-$(uname -n)-$(date -d "+$i sec" +%Y%m%d-%H%M%S).pb.gz"
	done
	before=$(files)
	try slowburn profile $short
	equal status "$status" 0
	try slowburn profile $short
	equal status "$status" 0
	is_pprof slowburn-*-2.pb.gz
	for name in $before; do
		equal "size of $name" "$(stat -c %s "$name")" 0
	done
	# Two at once, too.
	slowburn profile $short > /dev/null & first=$!
	slowburn profile $short > /dev/null
	wait $first
	equal "pprof files" "$(find . -name '*.pb.gz' -size +0 | wc -l)" 4
}

@test "-o: the format by the file's name, text on standard output as well" {
	need_root
	for name in a.pb.gz a.pprof a.prof a.unknown noend; do
		try slowburn profile $short -o $name
		equal "$name: status" "$status" 0
		is_text "$output"
		is_pprof $name
		equal "$name: stderr" "$stderr" ""
	done
	for name in a.collapsed a.folded; do
		try slowburn profile $short -F 2000 -o $name -- bash -c 'for ((i = 0; i < 50000; i++)); do :; done'
		equal "$name: status" "$status" 0
		is_text "$output"
		grep -qE '^bash;.* [0-9]+$' $name || { head -5 $name; return 1; }
	done
	try slowburn profile $short -o a.txt
	is_text "$(< a.txt)"
	try slowburn profile $short -o b.txt --format pprof
	is_pprof b.txt
	equal files "$(files)" \
		"a.collapsed a.folded a.pb.gz a.pprof a.prof a.txt a.unknown b.txt noend "
}

@test "standard output alone: --format, -o -" {
	need_root
	slowburn profile $short --format pprof > out 2> err
	is_pprof out
	slowburn profile $short -o - > out 2>> err
	is_pprof out
	slowburn profile $short -o - --format text > out 2>> err
	is_text "$(< out)"
	slowburn profile $short --format text > out 2>> err
	is_text "$(< out)"
	slowburn profile $short -o /dev/stdout > out 2>> err
	is_pprof out
	slowburn profile $short -o out > out 2>> err
	is_pprof out
	equal stderr "$(< err)" ""
	equal files "$(files)" "err out "
}

@test "--root: labels as root frames" {
	need_root
	slowburn profile -F 2000 --format collapsed --root comm,pid -- \
		bash -c 'for ((i = 0; i < 50000; i++)); do :; done' > out
	grep -qE '^comm: bash;pid: [0-9]+;' out || { head -5 out; return 1; }
}

@test "a target that can't be written is found before the capture" {
	mkdir folder
	start=$SECONDS
	try slowburn profile --duration 100 -o nowhere/x.pb.gz
	refused 1 'cannot write "nowhere/x.pb.gz": No such file or directory'
	try slowburn profile --duration 100 -o folder
	refused 1 'cannot write "folder": Is a directory'
	try slowburn profile --duration 100 -o folder/
	refused 1 'cannot write "folder/": Is a directory'
	try slowburn profile --duration 100 -o ''
	refused 1 'empty'
	try slowburn profile --duration 100 --record nowhere/x
	refused 1 'cannot write "nowhere/x"'
	cd /proc
	try slowburn profile --duration 100
	refused 1 'cannot write "slowburn-'
	try slowburn profile --duration 100 -- touch "$dir/cwd/ran"
	refused 1 'cannot write "slowburn-'
	cd "$dir/cwd"
	[ $((SECONDS - start)) -lt 20 ]
	equal files "$(files)" "folder "
	equal "in the folder" "$(files folder)" ""
}

@test "a full device: a clear error, status 1, the text answer all the same" {
	need_root
	try slowburn profile $short -o /dev/full
	refused 1 'cannot write "/dev/full": No space left on device'
	is_text "$output"
	[ -c /dev/full ]
	try sh -c "slowburn profile $short -o a.pb.gz > /dev/full"
	refused 1 'cannot write to standard output: No space left on device'
	is_pprof a.pb.gz
}

@test "a full disk: no half file, the old one as it was" {
	need_root
	mkdir "$dir/full"
	mount -t tmpfs -o size=16k none "$dir/full"
	echo old > "$dir/full/a.pb.gz"
	dd if=/dev/zero of="$dir/full/ballast" bs=4k 2> /dev/null || true
	try slowburn profile $short -o "$dir/full/a.pb.gz"
	refused 1 "cannot write \"$dir/full/a.pb.gz\": No space left on device"
	is_text "$output"
	equal "the old file" "$(< "$dir/full/a.pb.gz")" old
	equal files "$(files "$dir/full")" "a.pb.gz ballast "
	cd "$dir/full"
	try slowburn profile $short
	refused 1 "No space left on device"
	is_text "$output"
	equal files "$(files)" "a.pb.gz ballast "
	cd "$dir/cwd"
}

@test "special files and links are written in place" {
	need_root
	try slowburn profile $short -o /dev/null
	equal status "$status" 0
	[ -c /dev/null ]
	mkfifo fifo
	gzip -dc < fifo > content & reader=$!
	try slowburn profile $short -o fifo
	equal status "$status" 0
	wait $reader
	[ -p fifo ]
	[ -s content ]
	head -c 100000 /dev/zero > target
	ln -s target link
	try slowburn profile $short -o link
	equal status "$status" 0
	[ -L link ]
	is_pprof target
	ln -s nowhere/at/all dangling
	try slowburn profile $short -o dangling
	refused 1 'cannot write "dangling"'
	equal files "$(files)" "content dangling fifo link target "
}

@test "a recording behind a link leaves nothing of what was there; none on standard output" {
	need_root
	head -c 9000000 /dev/zero > target
	ln -s target link
	try slowburn profile $short --record link --format text
	equal status "$status" 0
	[ "$(stat -c %s target)" -lt 9000000 ]
	try slowburn replay target
	equal status "$status" 0
	equal stderr "$stderr" ""
	try slowburn profile $short --record /dev/stdout
	refused 1 '--record "/dev/stdout" is standard output'
	equal files "$(files)" "link target "
}

@test "a pipe that broke: status 1, no noise" {
	need_root
	run --separate-stderr bash -c "slowburn profile $short -o a.pb.gz | true; echo \${PIPESTATUS[0]}"
	# shellcheck disable=SC2154 # bats sets it
	equal stderr "$stderr" ""
	equal status "$output" 1
	is_pprof a.pb.gz
}

@test "standard output is closed" {
	need_root
	try sh -c "slowburn profile $short --format text >&-"
	refused 1 "cannot write to standard output: Bad file descriptor"
	try sh -c "slowburn profile $short -o a.pb.gz >&- 2>&-"
	equal status "$status" 1
	is_pprof a.pb.gz
}

@test "names with newlines stay on one line of an error" {
	try slowburn profile --duration 100 -o $'no\nwhere/x\e[2J'
	refused 1 'cannot write "no\nwhere/x\x1b[2J"'
}

@test "sudo: files belong to who called it" {
	need_root
	chmod 777 .
	SUDO_UID=65534 SUDO_GID=65534 try slowburn profile $short --record raw -o a.txt
	equal status "$status" 0
	SUDO_UID=65534 SUDO_GID=65534 try slowburn profile $short
	equal status "$status" 0
	for name in *; do
		equal "$name: owner, mode" "$(stat -c '%u %g %a' "$name")" "65534 65534 600"
	done
	SUDO_UID=0 SUDO_GID=0 try slowburn profile $short -o root.txt
	equal "root.txt: owner" "$(stat -c '%u %g' root.txt)" "0 0"
	SUDO_UID=me SUDO_GID=65534 try slowburn profile $short -o b.txt
	refused 1 "SUDO_UID"
}

@test "SLOWBURN_TIMING" {
	need_root
	SLOWBURN_TIMING=1 try slowburn profile -F 2000 -o a.pb.gz -- bash -c 'for ((i = 0; i < 100000; i++)); do :; done'
	equal status "$status" 0
	[[ $stderr =~ ^timing:\ start_ns=([0-9]+)\ first_sample_ns=([0-9]+)\ capture_end_ns=([0-9]+)\ answer_ns=([0-9]+)\ capture_cpu_ns=[0-9]+$ ]]
	[ "${BASH_REMATCH[1]}" -lt "${BASH_REMATCH[2]}" ]
	[ "${BASH_REMATCH[2]}" -lt "${BASH_REMATCH[3]}" ]
	[ "${BASH_REMATCH[3]}" -lt "${BASH_REMATCH[4]}" ]
}
