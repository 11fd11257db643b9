#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What the command line refuses, and the help. Needs no privileges: none of it gets as far as BPF.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

# Each line: the words, "=>", what the sentence holds.
refuse_all() {
	local line words
	while IFS= read -r line; do
		eval "words=(${line%% => *})"
		try slowburn "${words[@]}"
		refused 2 "${line##* => }"
		equal "standard output" "$output" ""
		equal "files" "$(files)" ""
	done
}

@test "numbers that make no sense" {
	refuse_all <<- 'EOT'
		profile -F 0 => frequency "0" is not a number from 1 to 20000
		profile -F 1e9 => frequency "1e9"
		profile -F 1000000000 => frequency "1000000000"
		profile -F 20001 => frequency "20001"
		profile -F -1 => frequency "-1"
		profile -F 99hz => frequency "99hz"
		profile -F '' => frequency ""
		profile -F 99999999999999999999999 => frequency "99999999999999999999999"
		profile --duration -1 => duration "-1" is not a time
		profile --duration 0 => duration "0" is no time at all
		profile --duration 0.0s => duration "0.0s" is no time at all
		profile --duration 99999999h => duration "99999999h" is longer than 10000h
		profile --duration 10x => duration "10x" is not a time
		profile --duration '' => duration "" is not a time
		profile --duration ' 1' => duration " 1" is not a time
		profile --memory 63M => memory "63M" is too little: 64M is the least
		profile --memory 0 => memory "0" is too little
		profile --memory 256MB => memory "256MB" is not a size such as 256M or 1G
		profile --memory 1.5G => memory "1.5G" is not a size
		profile --memory -1G => memory "-1G" is not a size
		profile --memory '' => memory "" is not a size
		doctor --memory 99999999999T => memory "99999999999T" is not a size
		profile -p abc => process "abc" is not a number
		profile -p 0 => process "0" is not a number
		profile -p -1 => process "-1" is not a number
		profile -p 1,,2 => process "" is not a number
		profile -p 1, => process "" is not a number
		profile -p 4194305 => process "4194305" is not a number from 1 to 4194304
		profile -t 0x10 => thread "0x10" is not a number
		profile -C 99999 => CPU list "99999" goes beyond 4095
		profile -C 3-1 => CPU list "3-1" is not a list
		profile -C a => CPU list "a" is not a list
		profile -C '' => CPU list "" is not a list
	EOT
}

@test "words that mean nothing" {
	refuse_all <<- 'EOT'
		profile -e instructions => event "instructions" is not cpu-clock or cycles
		profile --format svg => format "svg" is not text, pprof, collapsed or json
		profile --root foo => "foo"
		profile --root comm,,pid => root
		profile --root '' => root
		profile --comm '' => empty
		profile --cgroup '' => empty
		profile --bogus => unknown option "--bogus"
		profile -Z => unknown option "-Z"
		profile -ukZ => unknown option "-Z"
		profile -F => option "-F" needs a value: HZ
		profile --duration => option "--duration" needs a value: TIME
		profile --c=3 => option "--c" may mean several
		profile --user=1 => option "--user" takes no value
		profile ls => "ls" is no option: a command to run comes after --
		profile foo -- ls => "foo" is no option
		profile - => "-" is no option
		profile -- => no command after --
		profile -- '' => empty word
		profile --record - => needs a file
		replay => which recording?
		replay a b => one recording at a time: "a" or "b"
		replay --duration 1 a => unknown option "--duration"
		dump => which process?
		dump abc => process "abc" is not a number from 1 to 4194304
		dump 0 => process "0" is not a number
		dump -- -1 => process "-1" is not a number
		dump 1 4194305 => process "4194305" is not a number
		dump --verify => which process?
		dump --verify=1 1 => takes no value
		dump --rows 1 => unknown option "--rows"
		symbolize => which file or process?
		symbolize '' => an empty word is no file
		symbolize x y => address "y" is not a hexadecimal number
		symbolize x 0x => address "0x" is not
		symbolize x 10000000000000000 => address "10000000000000000" is not
		symbolize --inlines=1 x => takes no value
		symbolize --pid x 1 => process "x" is not a number
		symbolize -p 0 1 => process "0" is not a number
		symbolize -p 1 y => address "y" is not a hexadecimal number
		debug => what is to be looked at?
		debug rows => there is no "rows" to look at
		debug unwind => which file or process?
		debug unwind '' => an empty word is no file
		debug unwind x y => address "y" is not a hexadecimal number
		debug unwind x 0x => address "0x" is not
		debug unwind x 10000000000000000 => address "10000000000000000" is not
		help nonsense => no command "nonsense"
		help profile replay => "replay" is one word too many
		doctor me => "me" is one word too many
		doctor --jsn => unknown option "--jsn"
		doctor --json=1 => takes no value
		doctor --roles=agent => takes no value
		doctor --roles --json => --roles has no JSON
		version 3 => "3" is one word too many
	EOT
}

@test "options that contradict each other" {
	refuse_all <<- 'EOT'
		profile -u -k => --user and --kernel
		profile -uk => --user and --kernel
		profile -a -p 1 => --all
		profile -a -t 1 -- true => --all
		profile -t 1 -- true => a command after -- is all that is sampled, and --tid is something else
		profile -p 1 -- true => --pid is something else
		profile -p 1 -t 2 -- true => --pid is something else
		profile -o x --record x => --output "x" and --record "x" are one file
		profile -o x --record ./x => --output "x" and --record "./x" are one file
		profile -o ../cwd/x --record "$PWD/x" => are one file
	EOT
}

@test "more --comm than there is room for" {
	words=()
	for i in {1..17}; do words+=(--comm "c$i"); done
	try slowburn profile "${words[@]}"
	refused 2 '"c17" is one too many: 16'
}

@test "more pids than there is room for" {
	words=()
	for i in {1..7}; do words+=(-p "$(seq -s, $((i * 10000)) $((i * 10000 + 9999)))"); done
	try slowburn profile "${words[@]}"
	refused 2 'more than 65536'
}

@test "subcommands that don't exist" {
	refuse_all <<- 'EOT'
		profil => did you mean "profile"?
		pofile => did you mean "profile"?
		rpelay => did you mean "replay"?
		hepl => did you mean "help"?
		docter => did you mean "doctor"?
		dupm => did you mean "dump"?
		surgeon => no command "surgeon": see 'slowburn help'
		x => no command "x": see
		'' => no command ""
		--bogus => unknown option "--bogus"
		$'new\nline' => no command "new\nline"
	EOT
}

@test "no subcommand at all: the overview, on standard error" {
	try slowburn
	equal status "$status" 2
	equal stdout "$output" ""
	holds stderr "$stderr" "slowburn profile --duration 10s"
}

@test "a role of ours, called by hand" {
	try slowburn symbolizer < /dev/null
	refused 1 "started by slowburn itself"
}

@test "version" {
	for words in version --version -V; do
		try slowburn $words
		equal "$words: status" "$status" 0
		[[ ${lines[0]} =~ ^slowburn\ [0-9]+\.[0-9]+ ]] || { echo "first line: $output"; return 1; }
		holds "$words" "$output" "libbpf.so"
		holds "$words" "$output" "libelf"
		holds "$words" "$output" "Apache-2.0"
		equal "$words: stderr" "$stderr" ""
	done
}

@test "help: the overview, and each command by two ways" {
	for words in help --help -h; do
		try slowburn $words
		equal "$words: status" "$status" 0
		for command in profile replay dump debug doctor version help; do
			holds "$words" "$output" "slowburn $command"
		done
	done
	for command in profile replay dump debug doctor version help; do
		try slowburn help $command
		equal "help $command: status" "$status" 0
		by_help=$output
		try slowburn $command --help
		equal "$command --help: status" "$status" 0
		equal "$command --help" "$output" "$by_help"
		holds "$command --help" "$output" "Usage: slowburn $command"
	done
}

@test "help: every option" {
	try slowburn profile --help
	for option in --duration= '-F, --frequency=' '-p, --pid=' '-t, --tid=' '-C, --cpus=' --cgroup= \
		--comm= '-u, --user' '-k, --kernel' '-e, --event=' '-a, --all' '-o, --output=' --format= \
		--root= --record= '-h, --help' '[-- COMMAND'; do
		[[ $output == *"$option"* ]] || { echo "no $option"; return 1; }
	done
}

@test "symbolize: files that are none" {
	try slowburn symbolize nothing-there 0
	refused 1 'cannot read "nothing-there": No such file'
	try slowburn symbolize / 0
	refused 1 'no regular file'
	echo text > text
	try slowburn symbolize text 0
	refused 1 'no ELF file'
}

@test "symbolize: ourselves, by operands and by standard input" {
	address=$(nm "$dir/slowburn" | awk '$3 == "main" { print $1 }')
	[ -n "$address" ] || skip "no symbols"
	try slowburn symbolize --no-demangle "$dir/slowburn" "$address"
	equal status "$status" 0
	equal "its name" "$(head -1 <<< "$output")" main
	holds "its line" "$output" "profiler/command/main.c:"
	holds "its source" "$output" "# symbols: 1 of 1 addresses named"
	try slowburn symbolize --json "$dir/slowburn" "0x$address"
	equal "its function" "$(python3 -c 'import json, sys
print(json.load(sys.stdin)["addresses"][0]["frames"][-1]["function"])' <<< "$output")" main
	printf '%s\n0\n' "$address" > addresses
	try slowburn symbolize --addresses "$dir/slowburn" < addresses
	equal status "$status" 0
	holds "what nobody knows" "$output" $'0x0\n??\n??:0\n'
	echo nonsense > addresses
	try slowburn symbolize "$dir/slowburn" < addresses
	refused 2 'address "nonsense" is not a hexadecimal number'
}

@test "debug unwind: files that are none" {
	try slowburn debug unwind nothing-there
	refused 1 'cannot read "nothing-there": No such file'
	try slowburn debug unwind /
	refused 1 'no regular file'
	try slowburn debug unwind /dev/null
	refused 1 'no regular file'
	mkfifo fifo
	try slowburn debug unwind fifo
	refused 1 'no regular file'
	echo text > text
	try slowburn debug unwind text
	refused 1 'no x86-64 ELF file'
	head -c 100 "$dir/slowburn" > cut
	try slowburn debug unwind cut
	equal status "$status" 0
	holds "a part of a file" "$output" "no .eh_frame; damaged"
}

@test "debug unwind: our own tables, without privileges" {
	try slowburn debug unwind "$dir/slowburn"
	equal status "$status" 0
	holds "its tables" "$output" ".eh_frame (and PT_GNU_EH_FRAME)"
	[[ $output =~ table\ +([0-9]+)\ rows,\ ([0-9]+)\ rules ]] || { echo "$output"; return 1; }
	[ "${BASH_REMATCH[1]}" -gt 5000 ]
	try slowburn debug unwind --rows "$dir/slowburn"
	holds "rows" "$output" "CFA=rsp+16, RA=*(CFA-8)"
	main=$(nm "$dir/slowburn" | awk '$3 == "main" { print $1 }')
	try slowburn debug unwind "$dir/slowburn" "$main" 0x1
	equal "at main, and nowhere" "$output" "0x$(sed 's/^0*//' <<< "$main")  CFA=rsp+8, RA=*(CFA-8)
0x1  no unwind information"
}

@test "debug unwind and dump to a full disk and to a pipe that broke" {
	try sh -c 'slowburn debug unwind --rows "$1" > /dev/full' sh "$dir/slowburn"
	refused 1 "No space left on device"
	try bash -c 'slowburn debug unwind --rows "$1" | true; echo ${PIPESTATUS[0]}' bash "$dir/slowburn"
	equal "lines on standard error" "$(wc -l <<< "$stderr")" 1
}

@test "help to a full disk and to a pipe that broke" {
	try sh -c 'slowburn help > /dev/full'
	refused 1 "No space left on device"
	try sh -c 'slowburn profile --help > /dev/full'
	refused 1 "No space left on device"
	try sh -c 'slowburn version > /dev/full'
	refused 1 "No space left on device"
	try bash -c 'slowburn help --man | true; echo ${PIPESTATUS[0]}'
	equal stderr "$stderr" ""
}

@test "the manual page: no warning, every option, every command" {
	need mandoc
	slowburn help --man > slowburn.8
	try mandoc -Tlint -Wwarning slowburn.8
	equal "mandoc: status" "$status" 0
	equal "mandoc" "$output$stderr" ""
	mandoc -Tascii slowburn.8 | sed 's/.\x08//g' > page
	for command in profile replay dump debug doctor version help; do
		while read -r option; do
			grep -qF -- "$option" page || { echo "slowburn $command: no $option"; return 1; }
		done < <(slowburn $command --help | grep -oE '^ +(-., )?--[a-z]+' | grep -oE -- '--[a-z]+')
	done
	for text in 'EXIT STATUS' 'ENVIRONMENT' 'EXAMPLES' 'SLOWBURN_TIMING' 'NO_COLOR'; do
		grep -qF -- "$text" page || { echo "no $text"; return 1; }
	done
}
