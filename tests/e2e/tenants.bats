#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Two tenants of one btrfs file system, each with a snapshot of the same subvolume, one of which changed its binary in
# place. The kernel names both files by the same device, inode and inode generation; in containers of theirs even
# by the same path. Each must have its own function names.

# shellcheck disable=SC2154 # set by capture.bash

load capture

# tenant NAME: runs its binary where it lies, in our root.
tenant() {
	"$disk/$1/shares" 3 > "$BATS_FILE_TMPDIR/$1.json" 3>&-
}

# contained NAME: runs it in a mount namespace of its own, where it has the same path as the other one's.
contained() {
	unshare --mount --propagation private -- bash -c 'mount --bind "$1" "$2" && exec "$2/shares" 3' \
		bash "$disk/$1" "$BATS_FILE_TMPDIR/app" > "$BATS_FILE_TMPDIR/contained-$1.json" 3>&-
}

# in_maps NAME: what the kernel says of the binary in /proc/PID/maps.
in_maps() {
	local pid
	"$disk/$1/shares" 1 > /dev/null 3>&- &
	pid=$!
	sleep 0.3
	awk '$NF ~ /\/shares$/ { print $4, $5; exit }' /proc/$pid/maps
	kill $pid
	wait $pid || true
}

both() {
	"$1" mine &
	"$1" theirs
	wait $!
}

setup_file() {
	need_root
	[ "$SAMPLER" = slowburn ] || return 0
	export disk=$BATS_FILE_TMPDIR/disk
	command -v mkfs.btrfs > /dev/null || skip "needs btrfs-progs"
	truncate -s 128M "$BATS_FILE_TMPDIR/image"
	mkfs.btrfs -q "$BATS_FILE_TMPDIR/image"
	mkdir "$disk" "$BATS_FILE_TMPDIR/app"
	mount -o loop "$BATS_FILE_TMPDIR/image" "$disk" || skip "no loop device, or no btrfs in this kernel"
	btrfs -q subvolume create "$disk/mine"
	cp "$WORKLOADS/shares" "$disk/mine/shares"
	sync -f "$disk"
	btrfs -q subvolume snapshot "$disk/mine" "$disk/theirs"
	# Symbols, and what the workload prints of itself.
	LC_ALL=C sed -E 's/shares_(half|third|fifth)/theirs_\1/g' "$disk/mine/shares" > "$BATS_FILE_TMPDIR/patched"
	dd if="$BATS_FILE_TMPDIR/patched" of="$disk/theirs/shares" conv=notrunc status=none

	capture_begin beside
	both tenant
	capture_end
	capture_begin contained --record "$BATS_FILE_TMPDIR/recording"
	both contained
	capture_end
}

teardown_file() {
	if mountpoint -q "${disk:-/nowhere}"; then
		umount --lazy "$disk"
	fi
}

setup() {
	only_slowburn
}

@test "what the kernel says of the two binaries is the same, and yet they differ" {
	local mine theirs
	mine=$(in_maps mine)
	theirs=$(in_maps theirs)
	echo "mine: $mine, theirs: $theirs"
	[ -n "$mine" ]
	[ "$mine" = "$theirs" ]
	[ "$(stat -c '%i %s' "$disk/mine/shares")" = "$(stat -c '%i %s' "$disk/theirs/shares")" ]
	grep -q shares_half "$(truth_of mine)"
	grep -q theirs_half "$(truth_of theirs)"
}

@test "side by side in one root: each has its own names" {
	truth functions "$(profile beside)" "$(truth_of mine)" --leaf
	truth functions "$(profile beside)" "$(truth_of theirs)" --leaf
}

@test "in two roots under one path: each has its own names" {
	truth functions "$(profile contained)" "$(truth_of contained-mine)" --leaf
	truth functions "$(profile contained)" "$(truth_of contained-theirs)" --leaf
}

@test "a replay tells them apart as well" {
	"$SLOWBURN" replay --format pprof -o "$(profile replayed)" "$BATS_FILE_TMPDIR/recording"
	truth same "$(profile contained)" "$(profile replayed)"
}
