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

# A pprof file has our own memory with one digit behind the point: rounded twice, it may be another MiB.
but_for_memory() {
	tr '\n' ' ' | sed -E 's/ +/ /g; s/[0-9]+ MiB of memory/MiB of memory/'
}

@test "query of a range is query of what was exported" {
	fill
	slowburn store export store -o all.pb.gz
	slowburn store export store --from 2025-11-23T00:10:00Z --to 2025-11-23T01:20:00Z -o part.pb.gz
	for format in text json collapsed; do
		equal "all as $format" "$(slowburn query --store store --format $format | but_for_memory)" \
			"$(slowburn query all.pb.gz --format $format | but_for_memory)"
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
	byte "$file" 8 01
	try slowburn store verify store
	equal status "$status" 1
	holds version "$output" "is of version 1, and this slowburn knows version 2"
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

@test "import: files become windows, each at its time, and are rolled up" {
	printf 'bash;main;work 40\nbash;main;sleep 2\n' > first
	printf 'cc1;main;parse 5\n' > second
	try slowburn store import store first --time 2026-01-05T10:20:00Z
	equal output "$output" "1 of 1 files imported: 42 samples"
	equal status "$status" 0
	try slowburn store import store second --time 2026-01-05T10:20:00Z
	equal status "$status" 0
	equal both "$(slowburn query --store store --from 2026-01-05T10:00:00Z --to 2026-01-05T11:00:00Z --format collapsed)" \
		"$(cat first second | sort)"
	# Old as they are, only what they were rolled up to is kept.
	try slowburn store info store
	[[ $output =~ 10s\ +0 ]]
	[[ $output =~ 1d\ +[12]\ +[12]\ +47\  ]]
	try slowburn store verify store
	equal status "$status" 0
	# What a day as one window is for: a range within it has nothing of its own.
	slowburn store export store -o all.pb.gz
	try slowburn store import other all.pb.gz all.pb.gz
	equal output "$output" "2 of 2 files imported: 94 samples"
	equal again "$(slowburn query --store other --format collapsed | sort)" \
		"$(sed 's/ 5$/ 10/; s/ 40$/ 80/; s/ 2$/ 4/' first second | sort)"
}

@test "import: what can't be imported is said, the rest is" {
	printf 'bash;main;work 40\n' > good
	echo nonsense > bad
	: > empty
	try slowburn store import store bad good empty nowhere --time -1m
	equal status "$status" 1
	equal output "$output" "1 of 4 files imported: 40 samples"
	holds bad "$stderr" 'cannot read "bad": it is no profile'
	holds empty "$stderr" 'cannot read "empty": it is empty'
	holds nowhere "$stderr" 'cannot read "nowhere": No such file'
	try slowburn store import store good
	equal status "$status" 1
	holds time "$stderr" '"good" doesn'"'"'t say when it was taken: --time does'
	try slowburn store verify store
	equal output "$output" "1 files, 1 windows, 4096 bytes: 0 damaged"
}

@test "import: not into what somebody writes, and not into what is no store" {
	printf 'bash;main;work 40\n' > good
	slowburn store import store good --time -1m
	try flock store/lock "$SLOWBURN" store import store good --time -1m
	equal status "$status" 1
	equal stderr "$stderr" "slowburn: another slowburn writes this store: it has its lock"
	try slowburn store import nowhere/store good --time -1m
	equal status "$status" 1
	holds stderr "$stderr" 'cannot make the store "nowhere/store"'
	need_root
	mkdir somebodys
	: > somebodys/file
	try slowburn store import somebodys good --time -1m
	equal status "$status" 1
	holds stderr "$stderr" '"somebodys" is no store: other files are in it'
	equal owner "$(stat -c %u somebodys)" 0
}

@test "what makes no sense is refused" {
	fill
	for line in "" "info" "burn store" "info store store" "info store --from now" "export store --from -1h --to -2h" \
		"import store" "import store --time now" "import store x --from -1h" "info store --time now" "import store x --time then" \
		"export store --from yesterday" "export store --from 2025-02-30T00:00:00Z" "export store --to 2025-11-23T00:00:00"; do
		# shellcheck disable=SC2086
		try slowburn store $line
		equal "status of $line" "$status" 2
	done
	try slowburn store info nowhere
	equal status "$status" 1
	equal stderr "$stderr" 'slowburn: cannot open the store "nowhere": No such file or directory'
}
