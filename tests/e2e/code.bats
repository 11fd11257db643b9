#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Code that is in no file has the names that its process gives it: by a perf map, a jitdump; also when an address is
# another function's after a while, in a container, and beside lists that are hostile. The list is gone with its
# process: what it said was seen before.

load capture

setup_file() {
	need_root
	only_slowburn
	local list
	for list in late map dump both none growing garbage fifo zero link foreign second; do
		workload_as jit "jit-$list"
	done
	declare -A flood_pid
	for list in early gone stays; do
		busy_program $list || true
	done
	flood_load early
	capture_begin all --record "$BATS_FILE_TMPDIR/all.rec"
	run_as jit-map 2.4 map &
	local lane=$!
	run_as jit-dump 2.4 dump "$BATS_FILE_TMPDIR"
	run_as jit-both 1.6 both "$BATS_FILE_TMPDIR"
	wait $lane
	late &
	lane=$!
	for list in fifo zero link foreign second none; do
		run_as jit-$list 0.5 $list
	done
	run_as jit-garbage 1.6 garbage
	run_as jit-growing 1.6 growing
	wait $lane
	boxed 2.4
	workload vdso vdso 1
	workload filtered filtered 1
	floods
	capture_end
	flood_end stays
}

# The BPF program sb_NAME_xdp, which takes some 50 µs for each packet.
busy_program() {
	command -v clang > /dev/null && command -v ip > /dev/null || return 1
	cat > "$BATS_FILE_TMPDIR/busy.c" <<- 'END'
		#include <linux/bpf.h>
		#include <bpf/bpf_helpers.h>
		SEC("xdp") int NAME(struct xdp_md *ctx)
		{
			__u64 x = ctx->rx_queue_index + 1;

			for (int i = 0; i < 20000; i++) {
				x ^= x << 13;
				x ^= x >> 7;
				x ^= x << 17;
				asm volatile("" : "+r"(x));
			}
			return x ? XDP_PASS : XDP_DROP;
		}
		char LICENSE[] SEC("license") = "GPL";
	END
	clang -O2 -g -target bpf -mcpu=v3 -idirafter "/usr/include/$(uname -m)-linux-gnu" -DNAME="sb_$1_xdp" \
		-c "$BATS_FILE_TMPDIR/busy.c" -o "$BATS_FILE_TMPDIR/$1.o" 2> /dev/null || {
		rm -f "$BATS_FILE_TMPDIR/$1.o"
		return 1
	}
}

# One second of packets to the program NAME, which is in nobody's way: in a network namespace of its own, whose end is
# the program's. It sends from when "NAME.go" is there until "NAME.sent" is, and ends when "NAME.stop" is.
flood() {
	unshare --net sh -c 'ip link set lo up && ip link set dev lo xdpgeneric obj "$1/$2.o" sec xdp && exec python3 -c "
import os, socket, time
def wait(path):
    end = time.monotonic() + 60
    while time.monotonic() < end and not os.path.exists(path):
        time.sleep(0.05)
open(\"/proc/self/comm\", \"w\").write(\"$2\")
open(\"$1/$2.loaded\", \"w\").close()
wait(\"$1/$2.go\")
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.process_time() + 1
while time.process_time() < end:
    s.sendto(b\"x\", (\"127.0.0.1\", 9))
open(\"$1/$2.sent\", \"w\").close()
wait(\"$1/$2.stop\")
"' sh "$BATS_FILE_TMPDIR" "$1" > /dev/null 2>&1 3>&-
}

flood_load() {
	[ -e "$BATS_FILE_TMPDIR/$1.o" ] || return 0
	flood "$1" &
	flood_pid[$1]=$!
	flood_wait "$1" loaded
}

flood_send() {
	touch "$BATS_FILE_TMPDIR/$1.go"
	flood_wait "$1" sent
}

flood_wait() {
	while kill -0 "${flood_pid[$1]:-none}" 2> /dev/null && [ ! -e "$BATS_FILE_TMPDIR/$1.$2" ]; do
		sleep 0.1
	done
}

# Until its network namespace is taken down, a moment after it ends.
flood_end() {
	touch "$BATS_FILE_TMPDIR/$1.stop"
	[ -z "${flood_pid[$1]:-}" ] || wait "${flood_pid[$1]}" || true
	sleep 0.5
}

# One that was loaded before the capture and one that was not, both gone before it ends; and where they were,
# perhaps, one that stays.
floods() {
	flood_send early
	flood_end early
	flood_load gone
	flood_send gone
	flood_end gone
	flood_load stays
	flood_send stays
}

# In a pid namespace and with a /tmp of its own: there it is process 1.
boxed() {
	unshare --mount --pid --fork sh -c '
		mount -t tmpfs tmpfs /mnt && cp "$0" /mnt/jit && mount -t tmpfs tmpfs /tmp && exec /mnt/jit "$1" map' \
		"$WORKLOADS/jit" "$1" > "$BATS_FILE_TMPDIR/jit-boxed.json" 3>&-
}

# A process that says nothing, until after 2 s somebody says it for it; and takes it back when the process has ended.
late() {
	local pid start
	run_as jit-late 6 none &
	sleep 2
	pid=$(pgrep -P $! -x jit-late)
	start=$(awk -F'[- ]' '$3 == "rwxp" && $6 == 0 { print $1; exit }' "/proc/$pid/maps")
	printf '%s 1000 late_steady\n%x 1000 late_reused\n' "$start" $((0x$start + 0x1000)) > "/tmp/perf-$pid.map"
	wait
	rm -f "/tmp/perf-$pid.map"
}

named() {
	truth functions "$(profile all)" "$(truth_of "jit-$1")" --comm "jit-$1" $leaf
}

# leaves NAME CONDITION: of the samples of the program NAME, by names and modules of leaves ("leaves", shares of all).
leaves() {
	python3 - "$(profile all)" "$1" "$2" "$e2e" <<- 'END'
		import collections, sys
		sys.path.insert(0, sys.argv[4])
		from profiles import read_profile
		leaves = collections.Counter()
		for s in read_profile(sys.argv[1]).samples:
		    if s.comm == sys.argv[2]:
		        leaves[s.leaf.name, s.leaf.module] += s.count
		total = sum(leaves.values())
		leaves = collections.Counter({leaf: n / total for leaf, n in leaves.items()})
		print(total, leaves.most_common(8))
		sys.exit(0 if total > 20 and eval("(" + sys.argv[3] + ")") else 1)
	END
}

# No sample of it has a name, and the capture was none the worse for it.
unnamed() {
	leaves "jit-$1" 'leaves["[anonymous memory]", "[anonymous memory]"] > 0.9 and
		not any("jit::" in name or "wrong" in name for name, _ in leaves)'
}

@test "a perf map: each function, and both that were at one address" {
	named map
}

@test "a jitdump: the same" {
	named dump
}

@test "where there are both, the jitdump is believed" {
	named both
}

@test "a perf map in a container, named by its pid in there" {
	truth functions "$(profile all)" "$(truth_of jit-boxed)" --comm jit $leaf
}

@test "a map with a mebibyte of rubbish in it" {
	named garbage
}

@test "a map that grows all the time" {
	named growing
}

@test "a map that turns up while the process runs: what was sampled before has names, too" {
	leaves jit-late 'leaves["late_steady", "[anonymous memory]"] > 0.4 and leaves["late_reused", "[anonymous memory]"] > 0.25
		and leaves["[anonymous memory]", "[anonymous memory]"] < 0.01'
}

@test "no map: no names" {
	unnamed none
}

@test "a pipe, a link, another user's file, one with two names: no names, and counted" {
	local list
	for list in fifo zero link foreign second; do
		unnamed $list
	done
	grep -q "5 perf maps that were not taken" <(go_comments)
}

go_comments() {
	python3 - "$(profile all)" "$e2e" <<- 'END'
		import sys
		sys.path.insert(0, sys.argv[2])
		from profiles import read_profile
		print("\n".join(read_profile(sys.argv[1]).comments))
	END
}

@test "the vDSO's functions" {
	leaves vdso '0.5 < sum(n for (name, module), n in leaves.items() if module == "[vdso]" and "clock_gettime" in name)'
}

# xdp NAME: its time has its own name, and no other program's.
xdp() {
	[ -e "$BATS_FILE_TMPDIR/$1.sent" ] || skip "there is no clang or ip, or no XDP on this kernel"
	leaves "$1" 'leaves["bpf_prog_sb_'"$1"'_xdp", "[bpf]"] > 0.5 and
		sum(n for (name, module), n in leaves.items() if module == "[bpf]" and "'"$1"'" not in name) < 0.02'
}

@test "an XDP program under a flood of packets, as itself" {
	xdp stays
}

@test "one that was unloaded before the capture's end, as itself" {
	xdp gone
}

@test "one that was loaded before it, too" {
	xdp early
}

# Nobody tells of it, and before it in memory there are programs that have names.
@test "a classic filter has no other program's name" {
	leaves filtered 'leaves["[bpf]", "[bpf]"] + leaves["[kernel]", "[kernel.kallsyms]"] > 0.4 and
		not any(name.startswith("bpf_prog_") for name, module in leaves)'
}

@test "a replay has the same names" {
	"$SLOWBURN" replay "$BATS_FILE_TMPDIR/all.rec" --format pprof -o "$BATS_FILE_TMPDIR/again.pb.gz"
	truth same "$(profile all)" "$BATS_FILE_TMPDIR/again.pb.gz"
}
