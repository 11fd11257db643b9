#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# slowburn store: what it says of a store that is whole, being written, or damaged.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

# Two hours of a recording, 20 samples in each window; the second was not rolled up yet.
fill() {
	need_root
	slowburn profile -F 2000 --record raw --format collapsed -- \
		bash -c 'for ((i = 0; i < 80000; i++)); do :; done' > live
	mkdir store
	# What the bench leaves in memory at its end is no matter.
	ASAN_OPTIONS=detect_leaks=0 "${SLOWBURN%/*}/tests/bench/store" fill store 2 20 raw > filled
}

# byte FILE OFFSET VALUE
byte() {
	printf "%b" "\\x$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "info and verify of a store that is whole" {
	fill
	try slowburn store info store
	equal status "$status" 0
	equal stderr "$stderr" ""
	[[ $output =~ 10s\ +2\ +720\ +14400\  ]]
	[[ $output =~ 5min\ +1\ +12\ +7200\  ]]
	holds "bytes in all" "$output" "bytes in all; 0 files without an end"
	try slowburn store verify store
	equal status "$status" 0
	equal output "$output" "3 files, 732 windows, $(sum_of_bytes) bytes: 0 damaged"
}

sum_of_bytes() {
	stat -c '%s %b' store/*.slowburn | awk '{ p = int(($1 + 4095) / 4096) * 4096; b = $2 * 512; s += p > b ? p : b } END { print s }'
}

@test "export gives a range as a pprof file" {
	fill
	try slowburn store export store -o all.pb.gz
	equal status "$status" 0
	is_pprof all.pb.gz
	try slowburn store export store --from 2025-11-23T00:10:00Z --to 2025-11-23T01:20:00+01:00 -o part.pb.gz
	equal status "$status" 0
	is_pprof part.pb.gz
	try slowburn store export store --from 2025-11-24T00:00:00Z -o none.pb.gz
	equal status "$status" 1
	equal stderr "$stderr" "slowburn: the store has no window in that range"
	[ ! -e none.pb.gz ]
}

@test "query of a range is query of what was exported" {
	fill
	slowburn store export store -o all.pb.gz
	slowburn store export store --from 2025-11-23T00:10:00Z --to 2025-11-23T01:20:00Z -o part.pb.gz
	for format in text json collapsed; do
		equal "all as $format" "$(slowburn query --store store --format $format)" \
			"$(slowburn query all.pb.gz --format $format)"
	done
	differ=$(slowburn query all.pb.gz --format collapsed | cksum)
	part=$(slowburn query --store store --from 2025-11-23T00:10:00Z --to 2025-11-23T01:20:00Z \
		--query 'comm="bash"' --focus . --format collapsed)
	equal part "$part" "$(slowburn query part.pb.gz --query 'comm="bash"' --focus . --format collapsed)"
	[ -n "$part" ]
	[ "$(cksum <<< "$part")" != "$differ" ]
	try slowburn query --store store --from 2025-11-24T00:00:00Z
	equal status "$status" 1
	equal stderr "$stderr" 'slowburn: the store "store" has no window in that range'
	try slowburn query --from -1h all.pb.gz
	equal status "$status" 2
	equal stderr "$stderr" "slowburn: --from and --to are for --store"
	try slowburn query --store store all.pb.gz
	equal stderr "$stderr" 'slowburn: one file or store at a time: "store" or "all.pb.gz"'
	try slowburn query --store none
	equal stderr "$stderr" 'slowburn: cannot open the store "none": No such file or directory'
}

@test "query of a damaged store says so, and has the rest" {
	fill
	file=$(ls store/10s-20251123T01*)
	byte "$file" 5000 a5
	byte "$file" 5001 5a
	try slowburn query --store store --format collapsed
	equal status "$status" 1
	holds stderr "$stderr" "is damaged "
	[ -n "$output" ]
}

@test "a bit that was turned is found, with file and window, and the rest is there" {
	fill
	file=$(ls store/10s-20251123T00*)
	byte "$file" 5000 a5
	byte "$file" 5001 5a
	try slowburn store verify store
	equal status "$status" 1
	where='^"10s-20251123T00-1-1.slowburn" is damaged (in window|at byte) [0-9]+'
	[[ $output =~ $where ]] || { echo "$output"; return 1; }
	holds sum "$output" "1 damaged"
	try slowburn store export store -o all.pb.gz
	equal "status: the coarser level has it" "$status" 0
}

@test "what a kill leaves is an end, what somebody cut off from a closed file too, and said" {
	fill
	file=$(ls store/10s-20251123T00*)
	truncate -s -150 "$file"
	try slowburn store verify store
	equal status "$status" 0
	holds tail "$output" "bytes behind its last window are no window: being written, or cut off by a kill"
	holds sum "$output" "731 windows"
	truncate -s 30 "$file"
	try slowburn store verify store
	equal status "$status" 1
	holds cut "$output" "is cut off within its header"
}

@test "another version, another file, no file of ours: each has its sentence" {
	fill
	file=store/10s-20251123T00-1-1.slowburn
	byte "$file" 8 02
	try slowburn store verify store
	equal status "$status" 1
	holds version "$output" "is of version 2, and this slowburn knows version 1"
	cp store/10s-20251123T01-361-361.slowburn "$file"
	try slowburn store verify store
	equal status "$status" 1
	holds other "$output" "is another file than its name says"
	head -c 100000 /dev/urandom > "$file"
	try slowburn store verify store
	equal status "$status" 1
	holds ours "$output" "is no file of a store"
	rm "$file"
	ln -s /etc/passwd "$file"
	try slowburn store verify store
	equal "status: links are nobody's files" "$status" 0
}

@test "what makes no sense is refused" {
	fill
	for line in "" "info" "burn store" "info store store" "info store --from now" "export store --from -1h --to -2h" \
		"export store --from yesterday" "export store --from 2025-02-30T00:00:00Z" "export store --to 2025-11-23T00:00:00"; do
		# shellcheck disable=SC2086
		try slowburn store $line
		equal "status of $line" "$status" 2
	done
	try slowburn store info nowhere
	equal status "$status" 1
	equal stderr "$stderr" 'slowburn: cannot open the store "nowhere": No such file or directory'
}
