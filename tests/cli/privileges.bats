# SPDX-License-Identifier: Apache-2.0
#
# A kernel that lacks something, and privileges taken one by one: a clear error, or a gap that is told.

load slowburn.bash
# shellcheck disable=SC2154 # set by slowburn.bash

# without CAPABILITY,… COMMAND...
without() {
	local names=-${1//,/,-}
	shift
	try setpriv --bounding-set="$names" --inh-caps="$names" "$@"
}

@test "no BTF" {
	need_root
	unshare --mount true || skip "needs mount namespaces"
	try unshare --mount sh -c 'mount -t tmpfs none /sys/kernel/btf && exec slowburn profile --duration 1s'
	refused 1 '"/sys/kernel/btf/vmlinux" cannot be read'
	equal "files" "$(files)" ""
}

@test "BPF refused, perf events refused" {
	need_root
	need setpriv
	without bpf,sys_admin slowburn profile --duration 1s
	refused 1 "CAP_BPF"
	without perfmon,sys_admin slowburn profile --duration 1s
	refused 1 "CAP_PERFMON"
	without bpf,perfmon,sys_admin slowburn profile --duration 1s
	refused 1 "CAP_BPF and CAP_PERFMON"
}

@test "CAP_BPF and CAP_PERFMON alone: samples, and gaps that are told" {
	need_root
	need setpriv
	dd if=/dev/zero of=/dev/null bs=4k status=none &
	try setpriv --bounding-set=-all,+bpf,+perfmon --inh-caps=-all \
		slowburn profile --duration 1s --format text
	kill $!
	equal "exit status" "$status" 0
	holds "the answer" "$output" "[kernel] has no name"
	holds "the answer" "$output" "without a name"
}

@test "another process id namespace" {
	need_root
	unshare --pid --fork --mount-proc true || skip "needs namespaces, and a root that is a mount point"
	try unshare --pid --fork --mount-proc slowburn profile --duration 1s
	refused 1 "process ids of its own"
}

@test "a time namespace with other clocks" {
	need_root
	unshare --time --boottime 1000 true 2> /dev/null || skip "needs time namespaces"
	try unshare --time --monotonic 1000 --boottime 1000 slowburn profile --duration 1s
	refused 1 "time namespace"
}

@test "no memory to speak of: an error, no crash" {
	need_root
	[ -z "${SAN:-}" ] || skip "sanitizers need address space"
	for limit in 20000 40000 80000; do
		try bash -c "ulimit -v $limit; exec slowburn profile --duration 300ms --format text"
		[ "$status" -le 1 ] || return 1
		[ "$status" = 0 ] || refused 1 ""
	done
}

@test "a cpu that is not there, cycles that can't be counted" {
	need_root
	try slowburn profile --duration 1s -C 4000
	refused 1 "4000"
	perf stat -e cycles true 2>&1 | grep -q 'not supported' || skip "this machine counts cycles"
	try slowburn profile --duration 1s -e cycles
	refused 1 "use cpu-clock"
}
