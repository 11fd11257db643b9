#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A binary that was deleted while it ran is held open for its names; once its last process is gone, for some 5 s. That
# returns its blocks to the disk, and its file system to whoever wants to unmount it. The names are there all the same.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup() {
	need_root
	only_slowburn
}

# held NAME: does a process of the capture hold the deleted file NAME open?
held() {
	local pid
	for pid in $(pgrep -P "$capture_pid"); do
		[ -z "$(find "/proc/$pid/fd" -lname "*/$1 (deleted)" 2> /dev/null)" ] || return 0
	done
	return 1
}

@test "a deleted binary is held while it runs, let go when it has ended, and named" {
	local i
	workload_as shares brief
	capture_begin pins
	run_as brief 1 &
	sleep 0.5
	rm "$BATS_FILE_TMPDIR/brief"
	held brief
	wait $!
	for ((i = 0; i < 80; i++)); do
		held brief || break
		sleep 0.1
	done
	echo "held for $i tenths of a second"
	[ $i -gt 20 ]
	[ $i -lt 80 ]
	capture_end
	truth functions "$(profile pins)" "$(truth_of brief)" --leaf
}
