#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# One recording of real programs; what is replayed from it is what was captured, in every format.

load capture

setup_file() {
	need_root
	[ "$SAMPLER" = slowburn ] || return 0
	# -F 997: a recording is written in frames of 1 MiB, and one that breaks off shall have some whole ones
	capture_begin recorded -F 997 --record "$BATS_FILE_TMPDIR/recording"
	workload readloop readloop 2 &
	local lane=$!
	workload forkstorm forkstorm 1
	wait $lane
	capture_end
}

setup() {
	only_slowburn
}

replay() {
	"$SLOWBURN" replay "$BATS_FILE_TMPDIR/recording" "$@"
}

@test "a replay is the profile that was captured" {
	replay -o "$BATS_TEST_TMPDIR/again.pb.gz" > /dev/null
	cmp "$(profile recorded)" "$BATS_TEST_TMPDIR/again.pb.gz"
	truth functions "$BATS_TEST_TMPDIR/again.pb.gz" "$(truth_of readloop)"
}

@test "without privileges, too, and without the binaries" {
	cp "$BATS_FILE_TMPDIR/recording" "$SLOWBURN" "$BATS_TEST_TMPDIR"
	chmod -R a+rX "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR"
	setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
		"$BATS_TEST_TMPDIR/slowburn" replay "$BATS_TEST_TMPDIR/recording" --format pprof > "$BATS_TEST_TMPDIR/again.pb.gz"
	truth same "$(profile recorded)" "$BATS_TEST_TMPDIR/again.pb.gz"
}

@test "collapsed: the same stacks and counts as pprof" {
	replay --format collapsed > "$BATS_TEST_TMPDIR/collapsed"
	truth collapsed "$(profile recorded)" "$BATS_TEST_TMPDIR/collapsed"
}

@test "--root comm,pid: every stack stands on its labels" {
	replay -o "$BATS_TEST_TMPDIR/rooted.pb.gz" --root comm,pid > /dev/null
	truth rooted "$(profile recorded)" "$BATS_TEST_TMPDIR/rooted.pb.gz" --keys comm pid
}

@test "text: names the hottest function and process, and fits in 100 columns" {
	replay --format text > "$BATS_TEST_TMPDIR/text"
	cat "$BATS_TEST_TMPDIR/text"
	grep -q readloop "$BATS_TEST_TMPDIR/text"
	grep -q forkstorm "$BATS_TEST_TMPDIR/text"
	grep -q storm_red "$BATS_TEST_TMPDIR/text"
	grep -q -i lost "$BATS_TEST_TMPDIR/text"
	[ "$(LC_ALL=C.UTF-8 wc -L < "$BATS_TEST_TMPDIR/text")" -le 100 ]
}

@test "a recording that breaks off: what it has, an error, no crash" {
	local size status
	size=$(stat -c %s "$BATS_FILE_TMPDIR/recording")
	head -c $((size * 2 / 3)) "$BATS_FILE_TMPDIR/recording" > "$BATS_TEST_TMPDIR/cut"
	status=0
	"$SLOWBURN" replay "$BATS_TEST_TMPDIR/cut" --format text > "$BATS_TEST_TMPDIR/said" 2> "$BATS_TEST_TMPDIR/errors" || status=$?
	echo "the first $((size * 2 / 3)) of $size bytes"
	cat "$BATS_TEST_TMPDIR/errors" "$BATS_TEST_TMPDIR/said"
	[ "$status" = 1 ]
	[ -s "$BATS_TEST_TMPDIR/errors" ]
	# On a slow machine it broke off while the workloads were starting.
	grep -qE ' (readloop|bash) ' "$BATS_TEST_TMPDIR/said"
}
