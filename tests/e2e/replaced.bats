#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Where a binary was, in a container's root, there is something else now: a link to a file of the host's, a pipe, a
# device, a directory, a file without an end. While the process lives its binary is found all the same; when only the
# name is left, what stands there is neither opened nor taken for it, and nothing waits for it.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup_file() {
	need_root
	[ "$SAMPLER" = slowburn ] || return 0
	# Names that only the host's file has.
	sed 's/replaced_spin/the_hosts_own/g' "$WORKLOADS/replaced" > "$BATS_FILE_TMPDIR/decoy"
	things="link:$BATS_FILE_TMPDIR/decoy fifo device directory sparse"
	local when
	for when in live gone; do round $when; done
}

setup() {
	only_slowburn
	things="link:$BATS_FILE_TMPDIR/decoy fifo device directory sparse"
}

# All things at once, in a capture that begins before them and ends after them.
round() {
	local when=$1 thing name pids='' pid begin=${EPOCHREALTIME/./}
	capture_begin "$when" -F 499
	for thing in $things; do
		name=$when-${thing%%:*}
		mkdir "$BATS_FILE_TMPDIR/root-$name"
		workload replaced "$name" "$BATS_FILE_TMPDIR/root-$name" "$thing" "$when" "$([ "$when" = live ] && echo 0.5 || echo 4)" &
		pids="$pids $!"
	done
	for pid in $pids; do wait "$pid"; done
	capture_end
	echo $(((${EPOCHREALTIME/./} - begin) / 1000)) > "$BATS_FILE_TMPDIR/$when.ms"
}

# never_opened WHEN: links, pipes, devices; a regular file may be looked into.
never_opened() {
	local thing bad=0
	for thing in link fifo device directory; do
		grep '"opened"' "$(truth_of "$1-$thing")" | grep -q '"times": 0}' || { echo "$thing was opened"; bad=1; }
	done
	return $bad
}

@test "while it lives its own binary is found, whatever has its name" {
	local thing
	for thing in link fifo device directory sparse; do
		truth functions "$(profile live)" "$(truth_of "live-$thing")" --leaf --hz 499
	done
	never_opened live
	absent the_hosts_own <(gzip -dc "$(profile live)")
}

@test "gone: what has its name now is not opened, and lends it no names" {
	truth whole "$(profile gone)" --slack-ms 200
	truth names "$(profile gone)" --seen victim --min 50
	never_opened gone
	absent the_hosts_own <(gzip -dc "$(profile gone)")
}

@test "nothing was waited for" {
	# 5 × 0.5 s of CPU time on as many CPUs as there are; 4 × 0.3 s; and what starts and ends a capture
	[ "$(cat "$BATS_FILE_TMPDIR/live.ms")" -lt 15000 ]
	[ "$(cat "$BATS_FILE_TMPDIR/gone.ms")" -lt 15000 ]
}
