#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Every CPU busy for 10 s: nothing is lost, and the profile's CPU time is all there was. What the hypervisor
# took away (steal) is no one's CPU time, and is subtracted.

load capture

steal_ns() {
	awk -v hz="$(getconf CLK_TCK)" '$1 == "cpu" { printf "%.0f\n", $9 * 1000000000 / hz }' /proc/stat
}

# One capture, and what the hypervisor took away meanwhile.
saturated() {
	local before
	workload saturate saturate 12 &
	sleep 0.5
	before=$(steal_ns)
	"$SLOWBURN" profile --duration 10s --format pprof -o "$(profile saturated)" \
		> "$BATS_FILE_TMPDIR/log" 2>&1 3>&- || { cat "$BATS_FILE_TMPDIR/log"; return 1; }
	echo $(($(steal_ns) - before)) > "$BATS_FILE_TMPDIR/steal"
	wait
}

judged() {
	truth saturated "$(profile saturated)" --cpus "$(nproc)" --steal-ns "$(cat "$BATS_FILE_TMPDIR/steal")"
}

# A machine that stands still for some ms, and says nothing of it (as hypervisors do), really loses ticks: once more then.
setup_file() {
	need_root
	[ "$SAMPLER" = slowburn ] || return 0
	saturated
	judged > /dev/null 2>&1 || saturated
	judged > /dev/null 2>&1 || saturated
}

@test "all CPUs saturated: lost 0, CPU time = CPUs x time within 1 %" {
	only_slowburn
	judged
}

@test "silent when stderr is no terminal, but for the answer" {
	only_slowburn
	absent '[\r\x1b]' "$BATS_FILE_TMPDIR/log"
}
