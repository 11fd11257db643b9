#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Stripped programs whose names are in other files: each kind of place where they may be, and each way in which what is
# there may be another program's, another user's, or no file. The host is a mount namespace with a /usr/lib/debug of
# its own, in which slowburn runs, too.

# shellcheck disable=SC2154 # set by capture.bash

load capture

named='byid owndir chrooted fromours link mini theirs'
refused='wrongcrc otherid fifo foreign'

# random_id FILE: a build id's note, with an id that nobody else has
random_id() {
	{ printf '\4\0\0\0\24\0\0\0\3\0\0\0GNU\0' && head -c 20 /dev/urandom; } > "$1"
}

# id_name NOTE: below /usr/lib/debug
id_name() {
	od -An -tx1 -v -j16 "$1" | tr -d ' \n' | sed 's|^..|.build-id/&/|; s|$|.debug|'
}

# make FULL NAME: a stripped program NAME, its debug file NAME.debug, and the note of its build id
make_stripped() {
	random_id "$work/$2.note"
	objcopy --update-section .note.gnu.build-id="$work/$2.note" "$work/$1" "$work/$2.full"
	objcopy --only-keep-debug "$work/$2.full" "$work/$2.debug"
	strip -o "$work/$2" "$work/$2.full"
}

# put FILE FOLDER NAME: the file, as NAME's debug file by its build id, in that /usr/lib/debug
put() {
	install -D -m 644 "$1" "$2/$(id_name "$work/$3.note")"
}

make_programs() {
	local name
	cp "$WORKLOADS/shares" "$work/full"
	sed 's/shares_/theirs_/g' "$work/full" > "$work/full-theirs"
	gcc -O1 -g -std=gnu11 -D_GNU_SOURCE -static -I"$root" -o "$work/full-static" "$root/tests/workload/shares.c" -lm -lpthread
	sed 's/shares_/theirs_/g' "$work/full-static" > "$work/full-static-theirs"
	for name in byid link wrongcrc mini otherid fifo foreign theirs nothing; do make_stripped full $name; done
	make_stripped full-theirs owndir
	make_stripped full-static-theirs chrooted
	make_stripped full-static fromours
}

# What is where, for each of them.
make_places() {
	put "$work/byid.debug" "$host" byid
	put "$work/fromours.debug" "$host" fromours

	# The host has files for these, too, with other names in them.
	sed 's/theirs_/shares_/g' "$work/owndir.debug" > "$work/decoy"
	put "$work/decoy" "$host" owndir
	put "$work/owndir.debug" "$work/debug-owndir" owndir
	sed 's/theirs_/shares_/g' "$work/chrooted.debug" > "$work/decoy"
	put "$work/decoy" "$host" chrooted
	mkdir -p "$work/root/kept" "$work/root/usr/lib/debug/$(dirname "$(id_name "$work/chrooted.note")")"
	cp "$work/chrooted.debug" "$work/root/kept/a"
	ln -s /kept/a "$work/root/usr/lib/debug/$(id_name "$work/chrooted.note")"
	cp "$work/chrooted" "$work/fromours" "$work/root"

	local name
	mkdir "$work/.debug"
	for name in link wrongcrc; do
		strip --remove-section .note.gnu.build-id "$work/$name"
		objcopy --remove-section .note.gnu.build-id "$work/$name.debug"
		objcopy --add-gnu-debuglink="$work/$name.debug" "$work/$name"
		mv "$work/$name.debug" "$work/.debug"
	done
	echo >> "$work/.debug/wrongcrc.debug"

	nm --defined-only "$work/mini.full" | awk '$2 ~ /[tT]/ { print $3 }' > "$work/keep"
	objcopy -S --remove-section .gdb_index --keep-symbols="$work/keep" "$work/mini.debug" "$work/mini.small"
	xz "$work/mini.small"
	objcopy --add-section .gnu_debugdata="$work/mini.small.xz" "$work/mini"

	put "$work/byid.debug" "$host" otherid
	mkdir -p "$host/$(dirname "$(id_name "$work/fifo.note")")"
	mkfifo "$host/$(id_name "$work/fifo.note")"

	for name in foreign theirs; do
		put "$work/$name.debug" "$work/debug-$name" $name
		chown 12345 "$work/debug-$name/$(id_name "$work/$name.note")"
	done
	chown 12345 "$work/theirs"
}

# start NAME [CPU-SECONDS]: it runs in the root that it is about, and its parent stays there until teardown: what a
# process sees nobody can tell any more when both are gone.
start() {
	local enter=() stay='"$@" & wait $!; echo done >&2; exec sleep 300'
	case $1 in
	owndir | foreign | theirs)
		# shellcheck disable=SC2016 # expanded there
		enter=(unshare --mount --propagation private -- bash -c 'mount --bind "$0" /usr/lib/debug && exec "$@"' "$work/debug-$1")
		;;
	esac
	case $1 in
	chrooted | fromours) enter+=(python3 -c "$in_root" "$work/root" "/$1") ;;
	*) enter+=(bash -c "$stay" bash "$work/$1") ;;
	esac
	nsenter -t "$holder" --mount -- "${enter[@]}" "${2:-0.7}" > "$work/$1.json" 2> "$work/$1.said" 3>&- &
	echo $! >> "$work/parents"
}

in_root='
import os, sys, time
os.chroot(sys.argv[1])
child = os.fork()
if not child:
    os.execv(sys.argv[2], sys.argv[2:])
os.waitpid(child, 0)
print("done", file=sys.stderr, flush=True)
time.sleep(300)
'

# wait_done NAME
wait_done() {
	local i
	for ((i = 0; i < 600; i++)); do
		! grep -qx "done" "$work/$1.said" || return 0
		sleep 0.05
	done
	echo "$1 is not done"
	return 1
}

setup_file() {
	need_root
	[ "$SAMPLER" = slowburn ] || return 0
	mkdir -p /usr/lib/debug
	export work=$BATS_FILE_TMPDIR/work host=$BATS_FILE_TMPDIR/host
	mkdir "$work" "$host"
	chmod 755 "$BATS_FILE_TMPDIR" "$work"
	make_programs
	make_places
	unshare --mount --propagation private -- bash -c 'mount --bind "$0" /usr/lib/debug && exec sleep 300' "$host" > /dev/null 2>&1 3>&- &
	export holder=$!
	until nsenter -t "$holder" --mount -- mountpoint -q /usr/lib/debug; do sleep 0.05; done
	printf '#!/bin/sh\nexec nsenter -t %s --mount -- "%s" "$@"\n' "$holder" "$SLOWBURN" > "$work/slowburn"
	chmod 755 "$work/slowburn"
	export SLOWBURN=$work/slowburn

	local name
	# shellcheck disable=SC2046 # words
	capture_begin all -F 499 --record "$BATS_FILE_TMPDIR/recording" $(printf -- '--comm %s ' $named $refused nothing)
	for name in $named $refused nothing; do start "$name"; done
	for name in $named $refused nothing; do wait_done "$name"; done
	capture_end
}

teardown_file() {
	# shellcheck disable=SC2046 # a list of numbers
	kill "${holder:-}" $(cat "$work/parents" 2> /dev/null) 2> /dev/null || true
}

setup() {
	only_slowburn
	SLOWBURN=$work/slowburn
}

# functions NAME: each has its share
functions() {
	truth functions "$(profile all)" "$work/$1.json" --leaf --hz 499
}

# nameless NAME: all of it is counted under the file's name
nameless() {
	truth module "$(profile all)" "$work/$1.json" --module "$1" --unnamed --hz 499
}

@test "by build id in /usr/lib/debug" { functions byid; }

@test "in a mount namespace of its own: its own debug file, not the host's" { functions owndir; }

@test "in a root of its own: its own debug file, behind a link that counts from there" { functions chrooted; }

@test "in a root that has none: ours" { functions fromours; }

@test "by .gnu_debuglink, without a build id: the CRC is right" { functions link; }

@test "from .gnu_debugdata" { functions mini; }

@test "a debug file of the binary's owner" { functions theirs; }

@test "the CRC is wrong: no names" { nameless wrongcrc; }

@test "the build id is another's: no names" { nameless otherid; }

@test "a pipe: no names, and nobody waits" { nameless fifo; }

@test "another user's debug file for root's binary: no names" { nameless foreign; }

@test "no debug file: no names" { nameless nothing; }

@test "those that were refused are counted, and what is missing is" {
	truth whole "$(profile all)" --slack-ms 200 --counted debug-refused 4 4 --counted debug-missing 1 20 --counted debug-unread 0 0
}

@test "a replay has the same" {
	"$SLOWBURN" replay --format pprof -o "$(profile replayed)" "$BATS_FILE_TMPDIR/recording"
	truth same "$(profile all)" "$(profile replayed)"
}

@test "dump names by them, too, in the process's own root" {
	local pid child
	start theirs 20
	pid=$!
	for ((i = 0; i < 100; i++)); do
		child=$(pgrep -P $pid -x theirs) && break
		sleep 0.05
	done
	"$SLOWBURN" dump "$child" > "$BATS_TEST_TMPDIR/dump" || { cat "$BATS_TEST_TMPDIR/dump"; kill "$child" $pid; false; }
	kill "$child" $pid
	cat "$BATS_TEST_TMPDIR/dump"
	grep -Eq 'main\+0x.*\[theirs\]' "$BATS_TEST_TMPDIR/dump"
}

@test "a /usr/lib/debug that never answers: the capture ends, that binary has no names, others have" {
	local status=0 begin ms mounter
	[ -c /dev/fuse ] || skip "no /dev/fuse"
	cp "$work/nothing" "$work/hung"
	# shellcheck disable=SC2016 # expanded there
	nsenter -t "$holder" --mount -- unshare --mount --propagation private -- bash -c '
		"$0" /usr/lib/debug "$1" lookup > "$2" &
		server=$!
		until grep -qx mounted "$2"; do sleep 0.02; done
		kill -USR1 $server
		until grep -qx mute "$2"; do sleep 0.02; done
		"$3" 60 > /dev/null &
		trap "kill -KILL $server $!" TERM
		wait' "$WORKLOADS/fusehang" "$work/byid" "$BATS_TEST_TMPDIR/said" "$work/hung" > /dev/null 2>&1 3>&- &
	mounter=$!
	for ((i = 0; i < 100; i++)); do
		! pgrep -x hung > /dev/null || break
		sleep 0.05
	done
	capture_begin hung -F 499 --comm hung --comm byid
	start byid 0.7
	wait_done byid
	sleep 0.3
	begin=${EPOCHREALTIME/./}
	capture_end || status=$?
	ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
	kill $mounter
	echo "ended with $status after $ms ms"
	[ $status = 0 ]
	[ $ms -lt 5000 ]
	truth functions "$(profile hung)" "$work/byid.json" --leaf --hz 499
	truth names "$(profile hung)" --nameless hung --min 50
	# its own, and its libraries'
	truth whole "$(profile hung)" --slack-ms 200 --counted debug-unread 1 3
}

@test "libc's own functions, where its debug file is installed" {
	local libc id
	libc=$(ldconfig -p | awk '$1 == "libc.so.6" { print $NF; exit }')
	id=$(readelf -n "$libc" | sed -n 's/.*Build ID: \(..\)\(.*\)/\1\/\2/p')
	[ -e "/usr/lib/debug/.build-id/$id.debug" ] || skip "libc6-dbg is not installed"
	SLOWBURN=${WORKLOADS%/tests/workload}/slowburn
	capture_begin libc --comm shares
	workload shares libc 0.5
	capture_end
	truth names "$(profile libc)" --named shares --min 20
	gzip -dc "$(profile libc)" | grep -aq __libc_start_call_main
}
