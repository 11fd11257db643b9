#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A build id is what a file's author wrote into it. One file has libc's, its code and other names, another has libc's and
# no symbols that can be read; they run beside libc itself: each has its own names, and libc has libc's.

# shellcheck disable=SC2154 # set by capture.bash

load capture

# forge OUT EXPRESSION: libc with that done to it: d, a bytearray; sections by name, as (header's offset, offset, size)
forge() {
	local libc
	libc=$(ldd "$WORKLOADS/libcall" | awk '/libc\.so/ { print $3 }')
	python3 - "$libc" "$1" "$2" <<- 'EOF'
	import struct, sys
	d = bytearray(open(sys.argv[1], "rb").read())
	shoff, = struct.unpack_from("<Q", d, 40)
	size, count, names = struct.unpack_from("<HHH", d, 58)
	raw = [struct.unpack_from("<IIQQQQ", d, shoff + i * size) for i in range(count)]
	strings = raw[names][4]
	sections = {d[strings + s[0]:d.index(b"\0", strings + s[0])].decode(): (shoff + i * size, s[4], s[5]) for i, s in enumerate(raw)}
	exec(sys.argv[3])
	open(sys.argv[2], "wb").write(d)
	EOF
}

setup_file() {
	need_root
	[ "$SAMPLER" = slowburn ] || return 0
	forge "$BATS_FILE_TMPDIR/forged.so" '_, at, n = sections[".dynstr"]; d[at:at + n] = d[at:at + n].upper()'
	forge "$BATS_FILE_TMPDIR/broken.so" 'h, at, n = sections[".dynsym"]; d[at:at + n] = b"\xff" * n; struct.pack_into("<Q", d, h + 56, 7)'
	local round order who pids='' pid
	for round in 1 2; do
		capture_begin "forgery-$round" -F 499
		# Who is seen first is not to matter.
		if [ $round = 1 ]; then order='forged broken libc'; else order='libc broken forged'; fi
		for who in $order; do
			case $who in
			libc) workload libcall "libc-$round" 1 & ;;
			*) workload libcall "$who-$round" 1 "$BATS_FILE_TMPDIR/$who.so" & ;;
			esac
			pids="$pids $!"
			sleep 0.2
		done
		for pid in $pids; do wait "$pid"; done
		pids=''
		capture_end
	done
}

setup() {
	only_slowburn
}

build_id() {
	readelf -n "$1" | awk '/Build ID/ { print $3 }'
}

@test "the forgeries have libc's build id" {
	local libc
	libc=$(ldd "$WORKLOADS/libcall" | awk '/libc\.so/ { print $3 }')
	[ -n "$(build_id "$libc")" ]
	[ "$(build_id "$BATS_FILE_TMPDIR/forged.so")" = "$(build_id "$libc")" ]
	[ "$(build_id "$BATS_FILE_TMPDIR/broken.so")" = "$(build_id "$libc")" ]
}

@test "libc's names are libc's, before and after a forgery was seen" {
	local round
	for round in 1 2; do
		truth names "$(profile forgery-$round)" --comm libcall --mostly libc.so.6 rand_r --min 200
	done
}

# But for a debug file, which is found by the build id: libc's, where it is installed, is the broken one's, too.
@test "the forgeries' names are their own" {
	local round id broken=(--nameless broken.so)
	id=$(build_id "$BATS_FILE_TMPDIR/broken.so")
	[ ! -e "/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug" ] || broken=(--mostly broken.so rand_r)
	for round in 1 2; do
		truth names "$(profile forgery-$round)" --comm libcall --mostly forged.so RAND_R "${broken[@]}" --min 200
	done
}
