#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# slowburn query and slowburn diff: files of all kinds, formats, parameters that make no sense, files that are none.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

stacks() {
	printf 'app;main;f 100\napp;main;g 50\napp;main;g;read_[k] 20\nother;x 3\n' > before
	printf 'app;main;f 300\napp;main;g 52\napp;main;g;read_[k] 21\nother;x 2\nnew;y;z 40\n' > after
}

@test "one file in all formats, to anybody" {
	stacks
	try slowburn query before
	equal status "$status" 0
	equal stderr "$stderr" ""
	holds headline "$output" "173 samples"
	holds text "$output" FUNCTIONS
	try slowburn query before --format collapsed
	equal again "$output" "$(sort before)"
	slowburn query before -o a.pb.gz > /dev/null
	is_pprof a.pb.gz
	try slowburn query a.pb.gz --format collapsed
	equal "through pprof" "$output" "$(sort before)"
	zcat a.pb.gz > plain
	try slowburn query plain --format pprof -o b.pb.gz
	equal "through plain protobuf" "$(zcat b.pb.gz | cksum)" "$(zcat a.pb.gz | cksum)"
	try slowburn query before --format json
	equal total "$(python3 -c 'import json, sys; print(json.load(sys.stdin)["value"])' <<< "$output")" 173
	[ "$(id -u)" != 0 ] || equal "as nobody" \
		"$(setpriv --reuid 65534 --clear-groups slowburn query before)" "$(slowburn query before)"
	equal files "$(files)" "a.pb.gz after b.pb.gz before plain "
}

@test "parts of a file" {
	stacks
	try slowburn query before --query 'comm=~"o.*"' --format collapsed
	equal query "$output" "other;x 3"
	try slowburn query before --focus '^g$' --hide read --format collapsed
	equal "focus and hide" "$output" "app;main;g 70"
	try slowburn query before --show-from '^g$' --ignore kernel.kallsyms --format collapsed
	equal "show-from and ignore" "$output" "app;g 50"
	try slowburn query before --root comm --format collapsed --show '^f$'
	equal "show and root" "$output" "comm: app;f 100"
	try slowburn query before --by comm,pid
	holds groups "$output" "GROUPS"
	holds "a group" "$output" "comm: app, pid: -"
	try slowburn query before --focus nothing
	equal status "$status" 0
	holds "nothing is left" "$output" "No sample is what was asked for."
}

@test "what changed, most significant first" {
	stacks
	try slowburn diff before after
	equal status "$status" 0
	holds shares "$output" "change in percent points"
	equal first "$(awk '/^ *change/ { getline; print $6; exit }' <<< "$output")" z
	holds group "$output" PROCESSES
	holds honest "$output" "at most 5 % is chance"
	try slowburn diff before before
	holds "nothing changed" "$output" "Nothing here changed by more than chance"
	try slowburn diff before after --format collapsed
	equal difffolded "$output" "$(printf '%s\n' 'app;main;f 100 300' 'app;main;g 50 52' 'app;main;g;read_[k] 20 21' 'new;y;z 0 40' 'other;x 3 2')"
	try slowburn diff before after --format json --by comm
	equal group "$(python3 -c 'import json, sys; print(json.load(sys.stdin)["groups"][0]["labels"]["comm"])' <<< "$output")" new
	try slowburn diff before after --absolute
	refused 1 "they are only compared --relative"
	try slowburn diff before after -o d.pb.gz
	is_pprof d.pb.gz
	try slowburn query d.pb.gz
	refused 1 "it is a difference of two profiles"
}

@test "words that make no sense" {
	stacks
	local words why
	while IFS='|' read -r words why; do
		# shellcheck disable=SC2086 # words
		try slowburn $words
		refused 2 "$why" || return 1
	done <<- 'EOT'
		query|which file?
		query before after|one file or store at a time
		diff before|which two files?
		diff before after before|one file too many
		query before --query comm|at character 5: =, !=, =~ or !~ is expected
		query before --focus (|missing closing parenthesis, at character 2
		query before --hide a --hide b|--hide is given twice
		diff before after --absolute --relative|exclude each other
		diff before after --by comm,,pid|is no list of labels
		diff before after --by comm,comm|is given twice
		query before -o before|is the file that is read
		diff before after -o after|is the file that is read
	EOT
}

@test "files that are no profiles" {
	mkdir folder
	: > empty
	echo "no profile" > words
	printf '\x1f\x8b\x08\x00' > cut
	head -c 100000 /dev/urandom > noise
	mkfifo fifo
	local file why
	while read -r file why; do
		try slowburn query "$file"
		refused 1 "$why" || return 1
	done <<- 'EOT'
		folder is no regular file
		fifo is no regular file
		missing No such file or directory
		empty it is empty
		words it is no profile
		cut it is damaged
		noise it is no profile
	EOT
	printf 'a;b 1\nwrong\n' > line
	try slowburn query line
	refused 1 'line 2 is no stack with a number behind it: "wrong"'
}

@test "a bomb is refused, and a hostile name doesn't reach the terminal" {
	head -c 300000000 /dev/zero | gzip > bomb
	try slowburn query bomb
	refused 1 "256 MiB when it is decompressed"
	printf 'a;\033[31mred 1\n' > red
	cat red red > colour
	try slowburn query colour --format collapsed
	[[ $output != *$'\033'* ]]
}

@test "the process that reads has no privileges" {
	need_root
	need strace
	stacks
	# LeakSanitizer, where there is one, can't work beside strace.
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=openat,socket,capset -o trace slowburn query before > /dev/null
	local reader
	reader=$(awk '$2 ~ /^capset/ { pid = $1 } END { print pid }' trace)
	# Behind its last capset it opens nothing.
	equal opened "$(awk -v p="$reader" '$1 == p && /capset/ { n = 0 } $1 == p && /openat|socket\(/ { n++ } END { print n + 0 }' trace)" 0
}

@test "a recording is read like any other file" {
	need_root
	slowburn profile --duration 1s --record raw -o /dev/null > /dev/null
	slowburn replay raw -o a.pb.gz > /dev/null
	try slowburn query raw --format pprof -o b.pb.gz
	equal status "$status" 0
	cmp a.pb.gz b.pb.gz
	# And ours again, byte for byte.
	slowburn query a.pb.gz -o c.pb.gz > /dev/null
	cmp a.pb.gz c.pb.gz
	head -c $(($(stat -c %s raw) / 2)) raw > cut-off
	try slowburn query cut-off
	equal status "$status" 1
}
