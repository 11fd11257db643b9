#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# slowburn dump on real processes: known chains by name, the same by libunwind and by our own rows, nothing changed
# in who was looked at, and processes that mean harm.

load capture

setup() {
	only_slowburn
	need_root
	bats_require_minimum_version 1.5.0
	pids=()
}

teardown() {
	local pid
	for pid in "${pids[@]}"; do kill -KILL "$pid" 2> /dev/null || true; done
}

# begin COMMAND...: in the background; $pid, and all that it prints is in $said.
begin() {
	said=$(mktemp "$BATS_TEST_TMPDIR/said.XXXXXX")
	"$@" > "$said" 2>&1 3>&- &
	pid=$!
	pids+=("$pid")
}

# stacks WHAT...: that workload, when it has come where it is to be looked at.
stacks() {
	local round
	begin "$WORKLOADS/stacks" "$@"
	for ((round = 0; round < 500; round++)); do
		[ ! -s "$said" ] || return 0
		sleep 0.02
	done
	echo "stacks $*: not ready"
	return 1
}

dump() {
	run --separate-stderr timeout 60 "$SLOWBURN" dump "$@"
	# shellcheck disable=SC2154 # bats sets them
	echo "# dump $*: status $status, \"${output:0:3000}\", stderr \"${stderr:0:500}\""
}

# The functions of the first thread, leaf first, in a line.
names() {
	awk '/^TID/ { if (seen++) exit } /^#/ { sub(/\+0x.*/, "", $3); printf "%s ", $3 }' <<< "$output"
}

# state PID: T, R, S …
state() {
	awk '/^State:/ { print $2 }' "/proc/$1/status"
}

@test "a known chain, in order, by name" {
	stacks sleep
	dump --verify "$pid"
	[ "$status" = 0 ]
	[[ " $(names)" == *" pause inner middle outer main "*" __libc_start_main "* ]]
	[[ ${lines[-1]} == "1 thread, "*" frames, 0 differ" ]]
	[ "$(state "$pid")" = S ]
}

@test "through a signal's handler on another stack" {
	stacks signal
	dump --verify "$pid"
	[ "$status" = 0 ]
	[[ " $(names)" == *" pause handler "*" inner middle outer main "* ]]
	[[ ${lines[-1]} == "1 thread, "*" frames, 0 differ" ]]
}

@test "busy: again and again, wherever it is" {
	local round
	stacks burn
	for ((round = 0; round < 50; round++)); do
		run "$SLOWBURN" dump --verify "$pid"
		[ "$status" = 0 ] || { echo "$output"; return 1; }
		[[ " $(names)" == *" inner middle outer main "* ]] || { echo "$output"; return 1; }
		[[ $output == *", 0 differ" ]] || { echo "$output"; return 1; }
	done
	[ "$(state "$pid")" = R ]
}

@test "python3, a shell and sleep: whole, and the same by both" {
	local one=()
	begin python3 -c 'import time
def f(n):
    return f(n - 1) if n else time.sleep(60)
f(40)'
	one+=("$pid")
	mkfifo "$BATS_TEST_TMPDIR/never"
	# shellcheck disable=SC2016
	begin bash -c 'f() { if [ "$2" = 0 ]; then read -r x <> "$1"; else f "$1" $(($2 - 1)); fi; }; f "$1" 10' \
		bash "$BATS_TEST_TMPDIR/never"
	one+=("$pid")
	begin sleep 60
	one+=("$pid")
	sleep 0.5
	dump --verify "${one[@]}"
	[ "$status" = 0 ]
	[[ ${lines[-1]} == "3 threads, "*" frames, 0 differ" ]]
	[ "$(grep -c 'our rows: the same' <<< "$output")" = 3 ]
}

@test "2,000 threads, each once and whole" {
	stacks threads 2000
	dump --verify "$pid"
	[ "$status" = 0 ]
	[ "$(grep -c '^TID ' <<< "$output")" = 2001 ]
	[ "$(grep '^TID ' <<< "$output" | sort -u | wc -l)" = 2001 ]
	[ "$(grep -c '^#.* inner+' <<< "$output")" = 2001 ]
	[[ ${lines[-1]} == "2001 threads, "*" frames, 0 differ" ]]
}

@test "no thread is stopped for longer than 100 ms" {
	stacks threads 200
	dump --json "$pid"
	[ "$status" = 0 ]
	python3 -c '
import json, sys
d = json.load(sys.stdin)
longest = max(t["stopped_ns"] for t in d["processes"][0]["threads"])
print("# longest stop", longest / 1e6, "ms")
assert len(d["processes"][0]["threads"]) == 201 and longest < 1e8, longest' <<< "$output"
}

@test "the JSON: whole stacks, functions, both unwinders" {
	stacks sleep
	dump --json --verify "$pid" 4194303
	[ "$status" = 1 ]
	[ "$stderr" = "slowburn: there is no process 4194303" ]
	PID=$pid python3 -c '
import json, os, sys
d = json.load(sys.stdin)
pid = int(os.environ["PID"])
one, none = d["processes"]
assert one["pid"] == pid and one["name"] == "stacks", one
thread = one["threads"][0]
assert thread["tid"] == pid and thread["state"] == "S" and thread["agreement"] == "same", thread
assert thread["stack"]["whole"] and thread["stack"]["end"] == "the outermost frame"
names = [f.get("function") for f in thread["stack"]["frames"]]
at = names.index("inner")
assert names[at:at + 4] == ["inner", "middle", "outer", "main"], names
assert thread["stack"]["frames"][at]["file"].endswith("/stacks")
assert [f["address"] for f in thread["rows"]["frames"]] == [f["address"] for f in thread["stack"]["frames"]]
assert none["error"] == "there is no process 4194303" and none["threads"] == []
assert d["differ"] == 0 and d["threads"] == 1 and d["frames"] == len(names)' <<< "$output"
}

# A program that waits in a function that was inlined twice, each of them in a line whose comment says so.
make_inlined() {
	cat > "$BATS_TEST_TMPDIR/inlined.c" <<- 'END'
		#include <stdio.h>
		#include <unistd.h>

		static volatile int sink;

		__attribute__((always_inline)) static inline void innermost(void)
		{
			sink = pause(); /* innermost */
		}

		__attribute__((always_inline)) static inline void middle(void)
		{
			innermost(); /* middle */
		}

		__attribute__((noinline)) static void outermost(void)
		{
			middle(); /* outermost */
			sink++;
		}

		int main(void)
		{
			puts("ready");
			fflush(stdout);
			outermost(); /* main */
			return sink;
		}
	END
	gcc -O2 -g -o "$BATS_TEST_TMPDIR/inlined" "$BATS_TEST_TMPDIR/inlined.c"
	begin "$BATS_TEST_TMPDIR/inlined"
	until [ -s "$said" ]; do sleep 0.02; done
	sleep 0.1
}

# line FUNCTION: the number of the line that has it as its comment
line() {
	grep -n "/\* $1 \*/" "$BATS_TEST_TMPDIR/inlined.c" | cut -d: -f1
}

@test "lines, of callers those of the calls, and what was inlined; --no-inlines does without" {
	local c="$BATS_TEST_TMPDIR/inlined.c"
	make_inlined
	dump --cache none "$pid"
	[ "$status" = 0 ]
	[[ " $(names)" == *" innermost middle outermost main "* ]]
	[[ $output == *"#1  (inlined)          innermost  at $c:$(line innermost)"$'\n'* ]]
	[[ $output == *"#1  (inlined)          middle  at $c:$(line middle)"$'\n'* ]]
	[[ $output == *"#1  0x"*" outermost+0x"*"  [inlined]  at $c:$(line outermost)"$'\n'* ]]
	[[ $output == *"#2  0x"*" main+0x"*"  [inlined]  at $c:$(line main)"$'\n'* ]]
	dump --no-inlines "$pid"
	[ "$status" = 0 ]
	[[ " $(names)" == *" pause outermost main "* ]]
	[[ $output != *"  at "* && $output != *"(inlined)"* ]]
	dump --cache none --json "$pid"
	C=$c LINES_WANTED="$(line innermost) $(line middle) $(line outermost)" python3 -c '
import json, os, sys
frame = json.load(sys.stdin)["processes"][0]["threads"][0]["stack"]["frames"][1]
frames = frame["inlined"] + [frame]
lines = [int(x) for x in os.environ["LINES_WANTED"].split()]
assert [f["function"] for f in frames] == ["innermost", "middle", "outermost"], frames
assert [f["line"] for f in frames] == lines, (lines, frames)
assert {f["source"] for f in frames} == {os.environ["C"]}, frames
assert frame["file"].endswith("/inlined"), frame' <<< "$output"
}

@test "the index of lines is kept as symbolize has it" {
	make_inlined
	sleep 1.2 # of files that were just written nothing is kept
	dump --cache "$BATS_TEST_TMPDIR/kept" "$pid"
	[ "$status" = 0 ]
	run -0 "$SLOWBURN" symbolize --cache "$BATS_TEST_TMPDIR/kept" "$BATS_TEST_TMPDIR/inlined" 1000
	[[ $output == *"# index of lines: used, from "* ]]
}

@test "stopped by a signal: looked at, and stopped still; what is pending stays pending" {
	stacks sleep
	kill -STOP "$pid"
	sleep 0.1
	dump "$pid"
	[ "$status" = 0 ]
	[[ $output == *"T (stopped)"* ]]
	[[ " $(names)" == *" inner middle outer main "* ]]
	[ "$(state "$pid")" = T ]
	kill -TERM "$pid"
	dump "$pid"
	[ "$(state "$pid")" = T ]
	[ "$(awk '/^ShdPnd:/ { print $2 }' "/proc/$pid/status")" = 0000000000004000 ]
	kill -CONT "$pid"
	local ended=0
	wait "$pid" || ended=$?
	[ $ended = 143 ]
}

@test "traced by somebody: said, and left alone" {
	stacks traced
	local child
	child=$(cat "$said")
	pids+=("$child")
	dump "$child"
	[ "$status" = 1 ]
	[[ $output == *"thread $child is traced by process $pid"* ]]
	[ "$(awk '/^TracerPid:/ { print $2 }' "/proc/$child/status")" = "$pid" ]
	[ "$(state "$child")" = S ]
}

@test "32-bit code: refused" {
	cd "$BATS_TEST_TMPDIR"
	printf '.globl _start\n_start: mov $29, %%eax\nint $0x80\njmp _start\n' > small.s
	as --32 -o small.o small.s && ld -m elf_i386 -o small small.o || skip "no 32-bit linker"
	begin ./small
	sleep 0.2
	kill -0 "$pid" || skip "this kernel runs no 32-bit code"
	dump "$pid"
	[ "$status" = 1 ]
	[[ $output == *"runs 32-bit code"* ]]
	[ "$(state "$pid")" = S ]
}

@test "no such process, a thread's number, the kernel's own, one that has ended" {
	dump 4194303
	[ "$status" = 1 ]
	[ "$stderr" = "slowburn: there is no process 4194303" ]
	stacks threads 1
	local tid
	tid=$(basename "$(ls -d /proc/"$pid"/task/* | tail -1)")
	dump "$tid"
	[ "$status" = 1 ]
	[ "$stderr" = "slowburn: $tid is a thread of process $pid" ]
	begin bash -c 'sleep 0 & echo $!; exec sleep 60'
	sleep 0.5
	dump "$(cat "$said")"
	[ "$status" = 1 ]
	[[ $stderr == *"has ended"* ]]
}

@test "not itself" {
	run --separate-stderr bash -c 'exec "$SLOWBURN" dump $$'
	[ "$status" = 1 ]
	[[ $stderr == "slowburn: process "*" is this slowburn itself" ]]
}

@test "killed in the middle, wherever that is: who was looked at runs on" {
	local round
	stacks burn
	for ((round = 0; round < 30; round++)); do
		"$SLOWBURN" dump "$pid" "$pid" "$pid" "$pid" > /dev/null 2>&1 3>&- &
		sleep "0.0$((RANDOM % 9))"
		kill -KILL $! 2> /dev/null || true
		wait $! 2> /dev/null || true
	done
	sleep 0.3
	[ "$(state "$pid")" = R ]
	[ "$(awk '/^TracerPid:/ { print $2 }' "/proc/$pid/status")" = 0 ]
	dump "$pid"
	[ "$status" = 0 ]
}

@test "threads that come and go" {
	local round
	stacks churn
	for ((round = 0; round < 10; round++)); do
		dump --verify "$pid"
		[ "$status" -le 1 ]
		[[ $output == *", 0 differ"* ]]
	done
	kill -0 "$pid"
}

@test "registers that hold nonsense: a stack that ends, and says why" {
	local round
	stacks scribble
	for ((round = 0; round < 20; round++)); do
		dump --verify "$pid"
		[ "$status" -le 1 ]
		[[ $output == *"the stack ends here: "* ]]
		[[ $output == "PID $pid stacks"* ]]
	done
	[ "$(state "$pid")" = R ]
}

@test "a process that ends while it is looked at" {
	local round
	for ((round = 0; round < 20; round++)); do
		begin "$WORKLOADS/stacks" threads 50
		sleep "0.0$((RANDOM % 5))"
		{ sleep "0.0$((RANDOM % 9))"; kill -KILL "$pid"; } 3>&- &
		run timeout 20 "$SLOWBURN" dump --verify "$pid"
		[ "$status" -le 1 ] || { echo "$output"; return 1; }
		wait $! || true
	done
}

@test "a deleted program, and one in a mount namespace and chroot of its own" {
	need_mounts
	local place=$BATS_TEST_TMPDIR/gone
	cp "$WORKLOADS/stacks" "$place"
	begin "$place" sleep
	sleep 0.3
	rm "$place"
	dump --verify "$pid"
	[ "$status" = 0 ]
	[[ " $(names)" == *" inner middle outer main "* ]]
	# shellcheck disable=SC2016
	begin unshare --mount bash -c 'mount -t tmpfs none /mnt && cp "$1" /mnt/stacks && exec /mnt/stacks sleep' \
		bash "$WORKLOADS/stacks"
	sleep 0.5
	dump --verify "$pid"
	[ "$status" = 0 ]
	[[ " $(names)" == *" inner middle outer main "* ]]
}

need_mounts() {
	unshare --mount true || skip "needs mount namespaces"
}

@test "without root: one's own, and nobody else's" {
	[ "$(cat /proc/sys/kernel/yama/ptrace_scope 2> /dev/null || echo 0)" = 0 ] || skip "ptrace is restricted"
	local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups) bin=$BATS_TEST_TMPDIR
	chmod 755 "$BATS_TEST_TMPDIR"
	namei -m "$bin" | grep -qE '^ d.{8}-' && bin=$(mktemp -d /tmp/slowburn-e2e.XXXXXX) && chmod 755 "$bin"
	cp "$SLOWBURN" "$WORKLOADS/stacks" "$bin"
	begin "${nobody[@]}" "$bin/stacks" sleep
	sleep 0.5
	run --separate-stderr "${nobody[@]}" "$bin/slowburn" dump --verify "$pid"
	echo "# $output $stderr"
	[ "$status" = 0 ]
	[[ " $(names)" == *" inner middle outer main "* ]]
	begin sleep 60
	run --separate-stderr "${nobody[@]}" "$bin/slowburn" dump "$pid"
	[ "$status" = 1 ]
	[[ $stderr == *"may not be looked at"* ]]
	[ "$bin" = "$BATS_TEST_TMPDIR" ] || rm -rf "$bin"
}

@test "debug unwind of a process: each mapping, and an address in it" {
	stacks sleep
	run "$SLOWBURN" debug unwind "$pid"
	echo "# $output"
	[ "$status" = 0 ]
	[[ $output == *" functions "*" rows "*"/stacks"* ]]
	[[ $output == *"[vdso]"* ]]
	[[ ${lines[-1]} =~ ^[0-9]+\ files:\ [0-9]+\ functions ]]
	local start
	start=$(awk '/\/stacks$/ && / r-xp / { sub(/-.*/, "", $1); print $1 }' "/proc/$pid/maps")
	run "$SLOWBURN" debug unwind "$pid" "$start" 1000
	[ "$status" = 0 ]
	[[ ${lines[0]} == "0x$start  at 0x"* ]]
	[ "${lines[1]}" = "0x1000  no executable mapping there" ]
}
