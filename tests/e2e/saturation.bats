#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Every CPU busy for 10 s: nothing is lost, and the profile's CPU time is all there was. What the hypervisor
# took away (steal) is no one's CPU time, and is subtracted.

load capture

steal_ns() {
	awk -v hz="$(getconf CLK_TCK)" '$1 == "cpu" { printf "%.0f\n", $9 * 1000000000 / hz }' /proc/stat
}

setup_file() {
	need_root
	[ "$SAMPLER" = slowburn ] || return 0
	local before
	workload saturate saturate 12 &
	sleep 0.5
	before=$(steal_ns)
	"$SLOWBURN" profile --duration 10s --format pprof -o "$(profile saturated)" \
		> "$BATS_FILE_TMPDIR/log" 2>&1 3>&- || { cat "$BATS_FILE_TMPDIR/log"; return 1; }
	echo $(($(steal_ns) - before)) > "$BATS_FILE_TMPDIR/steal"
	wait
}

@test "all CPUs saturated: lost 0, CPU time = CPUs x time within 1 %" {
	only_slowburn
	truth saturated "$(profile saturated)" --cpus "$(nproc)" --steal-ns "$(cat "$BATS_FILE_TMPDIR/steal")"
}

@test "silent when stderr is no terminal, but for the answer" {
	only_slowburn
	absent '[\r\x1b]' "$BATS_FILE_TMPDIR/log"
}
