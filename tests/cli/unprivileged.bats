#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Without root: one sentence that says what to do, and nothing left behind.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

# As nobody, if we are root; else as who we are.
as_nobody() {
	if [ "$(id -u)" = 0 ]; then
		chmod 777 .
		try setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	else
		try "$@"
	fi
}

@test "profile says what is missing" {
	for words in "" "-o a.pb.gz" "--format text" "--record raw -o -" "-p $$" "-- touch ran"; do
		# shellcheck disable=SC2086 # words
		as_nobody slowburn profile --duration 100 $words
		refused 1 "slowburn: "
		holds "what to do" "$stderr" root
		equal "$words: files" "$(files)" ""
		equal "$words: stdout" "$output" ""
	done
}

@test "SUDO_UID of somebody who isn't root is no matter" {
	SUDO_UID=0 SUDO_GID=0 as_nobody slowburn profile --duration 100
	refused 1 root
	SUDO_UID=x as_nobody slowburn profile --duration 100
	refused 1 root
}

@test "what needs no privileges has none" {
	for words in help "help --man" "help profile" version "profile --help"; do
		# shellcheck disable=SC2086 # words
		as_nobody slowburn $words
		equal "$words: status" "$status" 0
	done
}

@test "a folder that may not be written" {
	need_root
	chmod 755 .
	try setpriv --reuid 65534 --regid 65534 --clear-groups slowburn profile --duration 100
	refused 1 'Permission denied'
}
