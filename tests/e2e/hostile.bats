#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Names and files written by somebody who means harm. The time is counted under the file's name, nothing reaches
# an output raw, and the rest of the machine keeps its names.

load capture

modes='garbage lying truncated huge loop'

setup_file() {
	need_root
	[ "$SAMPLER" = slowburn ] || return 0
	local mode lane
	capture_begin files
	workload shares beside 4 &
	lane=$!
	for mode in $modes; do
		workload badelf "badelf-$mode" "$mode" 1
	done
	wait $lane
	capture_end

	workload longname longname 3 &
	lane=$!
	sleep 0.2
	local format
	for format in text collapsed; do
		"$SLOWBURN" profile --duration 1s --format $format -o "$BATS_FILE_TMPDIR/names.$format" \
			> "$BATS_FILE_TMPDIR/names.log" 2>&1 3>&- || { cat "$BATS_FILE_TMPDIR/names.log"; return 1; }
	done
	wait $lane
}

setup() {
	only_slowburn
}

@test "code in files that are no honest ELF: counted under their names" {
	[ -z "${SAN:-}" ] || skip "a count of samples"
	local mode
	for mode in $modes; do
		truth module "$(profile files)" "$(truth_of "badelf-$mode")" --module "badelf-$mode.so" --unnamed
	done
}

@test "beside them, honest programs keep their names" {
	truth functions "$(profile files)" "$(truth_of beside)" --leaf
	truth strings "$(profile files)"
}

@test "text: no control characters, no broken UTF-8" {
	grep -q longname_work "$BATS_FILE_TMPDIR/names.text"
	absent '[\x00-\x08\x0b-\x1f\x7f]' "$BATS_FILE_TMPDIR/names.text"
	iconv -f UTF-8 -t UTF-8 "$BATS_FILE_TMPDIR/names.text" > /dev/null
}

@test "collapsed: a stack and a count on every line" {
	grep -q longname_work "$BATS_FILE_TMPDIR/names.collapsed"
	absent '[\x00-\x09\x0b-\x1f\x7f]' "$BATS_FILE_TMPDIR/names.collapsed"
	absent '^(?![^;].* [0-9]+$)' "$BATS_FILE_TMPDIR/names.collapsed"
	iconv -f UTF-8 -t UTF-8 "$BATS_FILE_TMPDIR/names.collapsed" > /dev/null
}

@test "nothing in a name was executed" {
	[ ! -e pwned ]
	[ ! -e "$BATS_FILE_TMPDIR/pwned" ]
}
