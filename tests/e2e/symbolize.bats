#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# `slowburn symbolize -p`: each kind of place in a process's memory has its names, or one sentence that says why not; and stacks
# as other programs print them can be pasted.

load capture

setup() {
	only_slowburn
	bats_require_minimum_version 1.5.0
	pids=()
}

teardown() {
	local pid
	for pid in "${pids[@]}"; do kill -KILL "$pid" 2> /dev/null || true; done
	rm -f "/tmp/perf-${pids[0]:-none}.map"
}

# begin COMMAND...: in the background; its $pid.
begin() {
	"$@" > /dev/null 2>&1 3>&- &
	pid=$!
	pids+=("$pid")
	sleep 0.3
}

symbolize() {
	run --separate-stderr timeout 60 "$SLOWBURN" symbolize "$@"
	# shellcheck disable=SC2154 # bats sets them
	echo "# symbolize $*: status $status, \"${output:0:3000}\", stderr \"${stderr:0:500}\""
}

# The address of a symbol of the workload NAME in the process $pid.
address() {
	local base
	base=$(awk -v file="/$1\$" '$6 ~ file { print $1; exit }' "/proc/$pid/maps")
	printf '%x' $((0x${base%%-*} + 0x$(nm "$WORKLOADS/$1" | awk -v name="$2" '$3 == name { print $1 }')))
}

# The start of the first mapping of $pid whose line in maps matches.
mapping() {
	grep -E "$1" "/proc/$pid/maps" | head -1 | cut -d- -f1
}

@test "a function of the program, its file and the address in it" {
	begin "$WORKLOADS/stacks" sleep
	symbolize -p "$pid" "$(address stacks inner)"
	[ "$status" = 0 ]
	[[ ${lines[0]} == "0x$(address stacks inner) in "*"/stacks at 0x"* ]]
	[ "${lines[1]}" = inner ]
	# What is printed there is what FILE takes.
	symbolize "$WORKLOADS/stacks" "${lines[0]##*at }"
	[ "${lines[0]}" = inner ]
}

@test "no mapping, data, the stack: a sentence each, in the order asked for" {
	begin "$WORKLOADS/stacks" sleep
	symbolize -p "$pid" "$(mapping '\[stack\]')" 10 "$(address stacks main)" "$(mapping '\[heap\]')"
	[ "$status" = 0 ]
	[[ ${lines[0]} == *" in [stack], which is not code" ]]
	[[ ${lines[3]} == "0x10 in no mapping of process $pid (stacks)" ]]
	[ "${lines[7]}" = main ]
	[[ ${lines[9]} == *" in [heap], which is not code" ]]
}

@test "the kernel" {
	need_root
	begin "$WORKLOADS/stacks" sleep
	local sys
	sys=$(awk '$3 == "do_sys_poll" { print $1 }' /proc/kallsyms)
	[ -n "$sys" ] || skip "no do_sys_poll"
	symbolize -p "$pid" "$sys"
	[[ ${lines[0]} == "0x$sys in the kernel" && ${lines[1]} == do_sys_poll ]]
}

@test "a file that was deleted" {
	need_root
	cp "$WORKLOADS/stacks" "$BATS_TEST_TMPDIR/stacks"
	begin "$BATS_TEST_TMPDIR/stacks" sleep
	rm "$BATS_TEST_TMPDIR/stacks"
	local at
	at=$(printf '%x' $((0x$(mapping /stacks) + 0x$(nm "$WORKLOADS/stacks" | awk '$3 == "inner" { print $1 }'))))
	symbolize -p "$pid" "$at"
	[[ ${lines[0]} == *"/stacks (deleted) at 0x"* && ${lines[1]} == inner ]]
}

@test "in another mount namespace, where the name is another file's" {
	need_root
	# shellcheck disable=SC2016 # the inner shell's
	begin unshare --mount sh -c 'mount -t tmpfs tmpfs /mnt && cp "$0" /mnt/boxed && exec /mnt/boxed sleep' "$WORKLOADS/stacks"
	local at
	at=$(printf '%x' $((0x$(mapping /mnt/boxed) + 0x$(nm "$WORKLOADS/stacks" | awk '$3 == "inner" { print $1 }'))))
	symbolize -p "$pid" "$at"
	[[ ${lines[0]} == *"in /mnt/boxed at 0x"* && ${lines[1]} == inner ]]
}

@test "code made at run time: by perf map, by jitdump, and without either" {
	local list
	for list in map dump none; do
		begin "$WORKLOADS/jit" 30 $list "$BATS_TEST_TMPDIR"
		symbolize -p "$pid" "$(mapping 'r-?xp 00000000 00:00 0 *$|rwxp 00000000 00:00 0 *$')"
		[ "$status" = 0 ]
		[[ ${lines[0]} == *"in anonymous memory"* ]]
		if [ $list = none ]; then
			[[ ${lines[0]} == *", code that its process does not name" ]]
		else
			[[ ${lines[1]} == *"jit::steady(int)"* ]]
		fi
		rm -f "/tmp/perf-$pid.map"
	done
}

@test "dump names code made at run time, too" {
	need_root
	local round
	begin "$WORKLOADS/jit" 30 map
	for ((round = 0; round < 20; round++)); do
		run --separate-stderr "$SLOWBURN" dump "$pid"
		rm -f "$BATS_TEST_TMPDIR/seen"
		! grep -E '(jit::|JS:).*\[anonymous memory\]' <<< "$output" || touch "$BATS_TEST_TMPDIR/seen"
		! grep -E '\?\?  \[anonymous memory\]' <<< "$output"
		[ ! -e "$BATS_TEST_TMPDIR/seen" ] || break
	done
	rm -f "/tmp/perf-$pid.map"
	[ -e "$BATS_TEST_TMPDIR/seen" ]
}

@test "a perf map older than its process, or another user's, is not believed, and it says so" {
	need_root
	begin "$WORKLOADS/jit" 30 none
	local at
	at=$(mapping 'xp 00000000 00:00 0 *$')
	echo "$at 1000 wrong" > "/tmp/perf-$pid.map"
	symbolize -p "$pid" "$at"
	[ "${lines[1]}" = wrong ] # root's own, of now: it is
	touch -d yesterday "/tmp/perf-$pid.map"
	symbolize -p "$pid" "$at"
	[[ ${lines[1]} == "??" && $output == *"perf map: it is older than the process"* ]]
	touch "/tmp/perf-$pid.map"
	chown 12345 "/tmp/perf-$pid.map"
	symbolize -p "$pid" "$at"
	[[ ${lines[1]} == "??" && $output == *"perf map: it is neither the process's user's nor root's"* ]]
}

@test "pasted: dump's own lines, gdb's, perf script's; what is no address is passed over" {
	begin "$WORKLOADS/stacks" sleep
	local inner main behind
	inner=$(address stacks inner) main=$(address stacks main)
	behind=$(printf '%x' $((0x$inner + 1)))
	run --separate-stderr "$SLOWBURN" symbolize -p "$pid" - <<- END
		Program received signal SIGSEGV
		#0  0x$inner in inner (argv=0x7ffffff0) at x.c:1
		cc1 1234 5678.9: cycles:
		    $main main+0x10 (/tmp/stacks)
		./prog(main+0x12) [0x$behind]
		Thread 1 (Thread 0x7ffff7d8a740 (LWP 12)):
	END
	echo "$output"
	[ "$(grep -c '^0x' <<< "$output")" = 3 ]
	[ "$(grep -cx inner <<< "$output")" = 2 ]
	[ "$(grep -cx main <<< "$output")" = 1 ]
}

# An address one behind the beginning of a function is that function's as it is, and as a caller's; its beginning, as a caller's, is not.
@test "pasted: callers are looked up at their call, what stands for itself is not" {
	local inner line wanted
	inner=$(nm "$WORKLOADS/stacks" | awk '$3 == "inner" { print $1 }')
	while IFS='|' read -r wanted line; do
		[ -n "$wanted" ] || continue
		run --separate-stderr "$SLOWBURN" symbolize "$WORKLOADS/stacks" - \
			<<< "$(printf '%b' "${line//INNER/$inner}")"
		echo "\"$line\": $output"
		[ "$(grep -cx inner <<< "$output")" = "$wanted" ]
	done <<- 'END'
		1|INNER
		2|INNER\nINNER
		2|INNER\r\nINNER\r
		2|0xINNER\n0xINNER
		1|INNER inner+0x0 (stacks)\nINNER inner+0x0 (stacks)
		1|0xINNER inner+0x0\r\n0xINNER inner+0x0\r
		2|INNER inner+0x0 (stacks)\n\nINNER inner+0x0 (stacks)
		1|#0  0xINNER in inner ()\n#1  0xINNER in inner ()
		0|#1  0xINNER in inner ()\n#10 0xINNER in inner ()
		1|#0  0xINNER in inner ()\n#1  inner (0xINNER)\n#2  (inlined) inner at inner.c:1
		1|#1  <signal handler called>\n#2  0xINNER in inner ()\n#3  0xINNER in inner ()
		1|    #0 0xINNER in inner\n    #1 0xINNER in inner
	END
}

@test "pasted: what dump prints has dump's lines" {
	begin "$WORKLOADS/stacks" sleep
	run -0 --separate-stderr "$SLOWBURN" dump "$pid"
	local dumped=$output
	run -0 --separate-stderr "$SLOWBURN" symbolize --inlines -p "$pid" - <<< "$dumped"
	# shellcheck disable=SC2001
	[ "$(grep -v -e '^0x' -e '^#' -e '^$' <<< "$output" | grep -v -e '^??:0$' | grep -e '^[^:]*$')" = \
		"$(sed -n 's/^#[0-9]* *[^ ]* *\([^ +]*\).*/\1/p' <<< "$dumped")" ]
	[ "$(grep -e ':[1-9][0-9]*$' <<< "$output")" = "$(sed -n 's/^#.*  at //p' <<< "$dumped")" ]
	[ "$(grep -c ', the call before$' <<< "$output")" = $(($(grep -c '^#[0-9]* *0x' <<< "$dumped") - 1)) ]
}

@test "pasted: without any address that is said" {
	run --separate-stderr "$SLOWBURN" symbolize "$WORKLOADS/stacks" - <<< "no address here"
	[ "$status" = 2 ]
	[[ $stderr == *"there is no address in what standard input has"* ]]
}

@test "JSON" {
	begin "$WORKLOADS/stacks" sleep
	symbolize --json -p "$pid" "$(address stacks inner)" 10
	python3 -c '
import json, sys
answer = json.loads(sys.argv[1])
inner, nowhere = answer["addresses"]
assert answer["pid"] == int(sys.argv[2]) and answer["name"] == "stacks", answer
assert inner["frames"][0]["function"] == "inner" and inner["mapping"].endswith("/stacks"), inner
assert nowhere["frames"] == [] and "in no mapping" in nowhere["place"] and "mapping" not in nowhere, nowhere
assert any(s["source"] == "symbols" and s["mapping"] == inner["mapping"] for s in answer["sources"]), answer' "$output" "$pid"
}

# A reply of the symbolizer has room for 7 MB of strings.
@test "names of 12 MB in one call: all have their lines" {
	command -v gcc > /dev/null || skip "needs gcc"
	local at="$BATS_TEST_TMPDIR/long"
	python3 -c '
for i in range(3000):
    print("void f%04d_%s(void) { }" % (i, "x" * 3990))
print("int main(void) { return 0; }")' > "$at.c"
	gcc -g -o "$at" "$at.c"
	nm "$at" | awk '$3 ~ /^f[0-9]+_/ { print $1 }' > "$at.addresses"
	"$SLOWBURN" symbolize --cache none --inlines --json "$at" < "$at.addresses" > "$at.json"
	python3 - "$at.json" <<- 'end'
		import json, sys
		answer = json.load(open(sys.argv[1]))
		frames = [a["frames"][0] for a in answer["addresses"]]
		lines = [f["line"] for f in frames]
		print(answer["sources"], len(lines), lines.count(0), lines[:3], lines[-3:])
		assert lines == list(range(1, 3001))
		assert all(f["system_name"].startswith("f%04d_" % i) for i, f in enumerate(frames))
	end
}

@test "who can't be looked at: a sentence and status 1" {
	symbolize -p 4194304 1000
	[ "$status" = 1 ]
	[[ $stderr == *"there is no process 4194304"* ]]
	symbolize -p 0 1000
	[ "$status" = 2 ]
	symbolize -p 2 1000
	if [ -e /proc/2 ] && [ ! -s /proc/2/maps ] && [ "$(id -u)" = 0 ]; then
		[[ $output == "0x1000 nowhere: process 2 "* ]]
	fi
}

@test "as nobody: one's own process, nobody else's, and no names of the kernel's" {
	need_root
	local slowburn=$BATS_TEST_TMPDIR/slowburn
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR"
	cp "$SLOWBURN" "$slowburn"
	begin setpriv --reuid 65534 --regid 65534 --clear-groups sleep 30
	local at
	at=$(mapping 'r-xp .*/libc\.so')
	run --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups "$slowburn" symbolize -p "$pid" "$at" ffffffff81000000
	echo "$status $output $stderr"
	[ "$status" = 0 ]
	[[ $output == *"in "*"/libc.so.6 at 0x"* && $output == *"in the kernel, whose names take root"* ]]
	run --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups "$slowburn" symbolize -p $$ "$at"
	[ "$status" = 1 ]
	[[ $stderr == *"may not be looked at"* ]]
}
