#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The configuration of slowburn serve: what is said where, what counts, and what is wrong. Needs no privileges: nothing is
# started.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

# The line of one setting.
setting() {
	grep -E "^(# )?$1 " <<< "$output"
}

@test "defaults" {
	try slowburn config --config /dev/null
	equal status "$status" 0
	equal listen "$(setting listen)" "listen = 127.0.0.1:7799 # default"
	equal store "$(setting store)" "store = /var/lib/slowburn # default"
	equal limit "$(setting store-limit)" "store-limit = 2G # default"
	equal frequency "$(setting frequency)" "frequency = 99 # default"
	equal comm "$(setting comm)" "# comm is not set"
	equal "what is no setting" "$(setting config)$(setting help)" ""
}

@test "a file counts more than a default, the command line more than a file" {
	printf '%s\n' '# ours' 'listen = 127.0.0.1:1' 'listen = [::1]:2  # two' '' 'kernel = yes' 'user=no' \
		'store = "/a b # c"' 'comm = x' > conf
	try slowburn config --config conf --comm y --comm z -F 49
	equal status "$status" 0
	equal listen "$(setting listen)" "listen = 127.0.0.1:1 # conf:2
listen = [::1]:2 # conf:3"
	equal kernel "$(setting kernel)" "kernel = yes # conf:5"
	equal user "$(setting user)" "user = no # conf:6"
	equal store "$(setting store)" 'store = "/a b # c" # conf:7'
	equal comm "$(setting comm)" "comm = y # command line
comm = z # command line"
	equal frequency "$(setting frequency)" "frequency = 49 # command line"
}

@test "of what counts once the last is printed" {
	printf '%s\n' 'keep-10s = 1d' 'listen = 127.0.0.1:1' 'keep-10s = 2d' 'listen = 127.0.0.1:2' > conf
	try slowburn config --config conf
	equal once "$(setting keep-10s)" "keep-10s = 2d # conf:3"
	equal each "$(setting listen)" "listen = 127.0.0.1:1 # conf:2
listen = 127.0.0.1:2 # conf:4"
}

@test "what it prints is a configuration with the same effect" {
	printf '%s\n' 'listen = unix:/run/x' 'kernel = yes' 'store = "a\"b\\c"' 'keep-10s = 2d' > conf
	slowburn config --config conf -F 49 > printed
	slowburn config --config printed | sed 's/ # .*//' > again
	equal settings "$(cat again)" "$(sed 's/ # .*//' printed)"
	grep -q '^store = "a\\"b\\\\c"$' again
}

# Each line: the text of a file (\n, printf), "=>", what the sentence holds.
@test "what is wrong has file, line and the nearest key" {
	local line
	while IFS= read -r line; do
		# shellcheck disable=SC2059 # it is a format
		printf "${line%% => *}\n" > conf
		try slowburn config --config conf
		refused 2 "slowburn: conf:${line##* => }"
		equal "standard output" "$output" ""
		try slowburn serve --config conf
		refused 2 "slowburn: conf:${line##* => }"
	done <<- 'EOT'
		listn = x => 1: there is no setting "listn": did you mean "listen"?
		# x\n\nstore-limits = 1G => 3: there is no setting "store-limits": did you mean "store-limit"?
		nothing-like-it = 1 => 1: there is no setting "nothing-like-it": see 'slowburn help
		config = /x => 1: there is no setting "config"
		help = yes => 1: there is no setting "help"
		listen => 1: "listen" is not "key = value"
		= x => 1: "= x" is not "key = value"
		store = => 1: "store" has no value
		store = "x => 1: the quotes around the value of "store" don't end
		store = "x" y => 1: there is something behind the quotes of "store"
		kernel = maybe => 1: "kernel" is yes or no, not "maybe"
		\n\nlisten = localhost:80 => 3: "localhost:80" is no place to listen
		frequency = 0 => 1: frequency "0" is not a number from 1 to 20000
		store-limit = 1K => 1: store limit "1K" is too little: 1M is the least
		store-limit = big => 1: store limit "big" is not a size
		keep-1h = soon => 1: "soon" is not a time such as 36h or 7d, or always
		log-format = xml => 1: log format "xml" is not text, logfmt or json
		log-level = loud => 1: log level "loud" is not error, warning, info or debug
		allow-host = a/b => 1: "a/b" is no name of a host
		memory = 1M => 1: memory "1M" is too little
		store = \377 => 1: the line is not UTF-8 text
		store = a\0b => 1: the line is not UTF-8 text
	EOT
}

@test "what no single setting can tell" {
	printf 'kernel = yes\nuser = yes\n' > conf
	try slowburn config --config conf
	refused 2 "--user and --kernel together leave nothing"
	try slowburn config --listen 127.0.0.1:1 --listen 127.0.0.1:2 --listen 127.0.0.1:3 --listen 127.0.0.1:4 --listen 127.0.0.1:5
	refused 2 "one too many: 4 are possible"
}

@test "files that are none" {
	try slowburn config --config nowhere
	refused 1 'cannot read the configuration "nowhere": No such file or directory'
	try slowburn config --config .
	refused 1 'cannot read the configuration "."'
	head -c 70000 /dev/zero | tr '\0' '#' > large
	try slowburn config --config large
	refused 1 '"large" has more than 64 KiB'
	try slowburn config --config ''
	refused 2 "an empty word is no configuration"
	try slowburn config word
	refused 2 '"word" is one word too many'
}
