#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The doctor, and whether what it says is so: what it calls lost is missing from a profile taken under the
# same conditions, and its exit status is the profile's.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

# privileged COMMAND...: with the privileges that the command line $privileges leaves.
privileged() {
	# shellcheck disable=SC2086 # words
	${privileges:-env} "$@"
}

without() {
	local names=-${1//,/,-}
	privileges="setpriv --bounding-set=$names --inh-caps=$names"
}

# says STATUS CHECK VERDICT...: the doctor's exit status and some of its verdicts; its JSON is in "found".
says() {
	local want=$1 status=0
	shift
	privileged slowburn doctor --json > found 2> complaints || status=$?
	python3 -m json.tool found > /dev/null || return 1
	python3 - "$@" <<- 'EOT' || return 1
		import json, sys
		checks = json.load(open("found"))["checks"]
		for name, want in zip(sys.argv[1::2], sys.argv[2::2]):
		    found = [c["verdict"] for c in checks if c["name"] == name]
		    if found != [want]:
		        sys.exit(f"{name}: is {found}, should be {want}")
	EOT
	equal "standard error" "$(< complaints)" "" || return 1
	equal "doctor's status" "$status" "$want"
}

# bash as another user, busy, under another name; its functions are in its dynamic symbols.
start_spinner() {
	cp "$(command -v bash)" "$dir/spinner"
	chown 65534 "$dir/spinner"
	chmod "${1:-755}" "$dir/spinner"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/spinner" -c 'while :; do :; done' &
	spinner=$!
	sleep 0.3
}

# Is the spinner's code named in a profile?
named() {
	privileged slowburn profile --duration 1s -F 1999 --comm spinner --format collapsed > stacks || return 2
	[ -s stacks ] || { echo "the spinner was not sampled"; return 2; }
	grep -qE 'execute_command|unwind_frame|word_list|do_redirections|dispose_words' stacks
}

@test "root: fine, but for what this machine lacks" {
	need_root
	says 0 BTF fine BPF fine "BPF ring buffer" fine bpf_task_pt_regs fine tp_btf fine \
		"perf events" fine "BPF on perf events" fine CAP_BPF fine CAP_PERFMON fine \
		CAP_SYS_PTRACE fine CAP_CHECKPOINT_RESTORE fine CAP_SYSLOG fine CAP_SETUID fine \
		CAP_SETGID fine CAP_KILL fine CAP_SETPCAP fine separation fine memory fine \
		"pid namespace" fine profiling fine
	grep -q '"profiling": true' found
	! grep -q '"fatal"' found
}

@test "its text: a line a check, names first, in 100 columns, and what it comes to" {
	need_root
	try slowburn doctor
	equal status "$status" 0
	equal stderr "$stderr" ""
	equal "longest line over 100" "$(LC_ALL=C.UTF-8 grep -E '^.{101}' <<< "$output")" ""
	grep -qE '^  CAP_SYS_PTRACE +fine +opener, fetcher: reads ' <<< "$output" || { echo "$output"; return 1; }
	holds "the end" "${lines[-1]}" "Profiling will work"
	! grep -q $'\e' <<< "$output"
}

@test "on a terminal: its width, its colours, unless NO_COLOR" {
	need_root
	need script
	for setting in TERM=xterm NO_COLOR=1; do
		script -qec "stty cols 70 rows 30; env TERM=xterm $setting slowburn doctor" seen < /dev/null > /dev/null
		tr -d '\r' < seen | sed -e 1d -e '/^Script done/d' -e $'s/\e\\[[0-9;]*m//g' > plain
		equal "longest line over 70" "$(LC_ALL=C.UTF-8 grep -E '^.{71}' plain)" ""
		grep -q 'Profiling will work' plain
		colours=$(grep -c $'\e\\[1m' seen || true)
		if [ $setting = NO_COLOR=1 ]; then equal colours "$colours" 0; else [ "$colours" -gt 0 ]; fi
	done
}

@test "without CAP_BPF or CAP_PERFMON: fatal, as the profile" {
	need_root
	need setpriv
	for name in bpf perfmon; do
		without $name # CAP_SYS_ADMIN would do for the kernel, but none of our processes keeps it
		says 1 "CAP_${name^^}" fatal profiling fatal
		grep -q '"profiling": false' found
		try privileged slowburn profile --duration 200ms --format text
		refused 1 "CAP_${name^^}"
	done
	privileges="setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin"
	says 0 CAP_BPF fine CAP_PERFMON fine profiling fine
}

@test "nobody: fatal, and every capability is named" {
	need_root
	need setpriv
	privileges="setpriv --reuid 65534 --regid 65534 --clear-groups"
	says 1 CAP_BPF fatal CAP_PERFMON fatal CAP_SYS_PTRACE degraded CAP_DAC_READ_SEARCH degraded \
		CAP_CHECKPOINT_RESTORE degraded CAP_SYS_NICE degraded "user namespace" fine profiling fatal
	try privileged slowburn doctor
	equal status "$status" 1
	holds "the end" "${lines[-1]}" "Profiling will not work"
}

@test "without CAP_SYSLOG: kernel functions have no names" {
	need_root
	need setpriv
	[ "$(< /proc/sys/kernel/perf_event_paranoid)" -gt 1 ] || skip "everybody may see kernel addresses"
	privileges=""
	says 0 CAP_SYSLOG fine "kernel symbols" fine
	dd if=/dev/zero of=/dev/null bs=4k status=none &
	slowburn profile --duration 1s --kernel --format collapsed > stacks
	! grep -qF '[kernel]' stacks || { cat stacks; return 1; }
	without syslog
	says 0 CAP_SYSLOG degraded "kernel symbols" degraded profiling fine
	privileged slowburn profile --duration 1s --kernel --format collapsed > stacks
	kill $!
	grep -qF '[kernel]' stacks
	equal "named kernel frames" "$(grep -cE 'do_syscall_64|vfs_read' stacks || true)" 0
}

@test "without CAP_SYS_PTRACE: what processes had mapped before has no names" {
	need_root
	need setpriv
	start_spinner
	privileges=""
	says 0 CAP_SYS_PTRACE fine
	named
	without sys_ptrace
	says 0 CAP_SYS_PTRACE degraded profiling fine
	run named
	equal "named without it" "$status" 1
	kill $spinner
}

@test "without CAP_DAC_READ_SEARCH: binaries that we may not read have no names" {
	need_root
	need setpriv
	start_spinner 700
	privileges=""
	says 0 CAP_DAC_READ_SEARCH fine
	named
	without dac_read_search # CAP_DAC_OVERRIDE would do, but the opener has none
	says 0 CAP_DAC_READ_SEARCH degraded profiling fine
	run named
	equal "named without it" "$status" 1
	kill $spinner
}

@test "without CAP_CHECKPOINT_RESTORE: deleted binaries have no names" {
	need_root
	need setpriv
	start_spinner
	rm "$dir/spinner"
	privileges=""
	says 0 CAP_CHECKPOINT_RESTORE fine
	named
	without checkpoint_restore
	says 0 CAP_CHECKPOINT_RESTORE degraded profiling fine
	run named
	equal "named without it" "$status" 1
	kill $spinner
}

# confined PARENT ROLE: the pid of that child, once it has given up what it doesn't need: its filter of system calls, beside
# its parent's, is the last of that.
confined() {
	local pid tries
	for tries in $(seq 200); do
		pid=$(pgrep -P "$1" -f "^slowburn $2\$") || pid=none
		awk '/^Seccomp_filters:/ && $2 >= 2 { good = 1 } END { exit !good }' "/proc/$pid/status" 2> /dev/null && break
		sleep 0.1
	done
	[ "$tries" != 200 ] && echo "$pid"
}

# uids_of: the effective uids of our processes while a profile is taken; their bounding sets are in files.
uids_of() {
	# shellcheck disable=SC2086 # words, and no shell between us and it
	${privileges:-env} slowburn profile --duration 30s --format text > answer 2>&1 &
	local profile=$! uids="" role pid
	for role in agent opener symbolizer; do
		pid=$(confined $profile $role) || { cat answer; return 1; }
		uids+="$role $(awk '/^Uid:/ { print $3 }' "/proc/$pid/status") "
		awk '/^CapBnd:/ { print $2 }' "/proc/$pid/status" > "bounding.$role"
	done
	kill -INT $profile
	wait $profile || grep -q '^slowburn: interrupted before' answer || { cat answer; return 1; }
	echo "$uids"
}

@test "without CAP_SETUID, CAP_SETGID or CAP_KILL: all our processes have one uid" {
	need_root
	need setpriv
	for name in slowburn-agent slowburn-opener slowburn-symbolizer; do
		! getent passwd $name > /dev/null || skip "this machine has a user $name"
	done
	privileges=""
	equal uids "$(uids_of)" "agent 65522 opener 65523 symbolizer 65521 "
	for name in setuid setgid kill; do
		without $name
		says 0 "CAP_${name^^}" degraded separation degraded profiling fine
		equal "uids without $name" "$(uids_of)" "agent 0 opener 0 symbolizer 0 "
	done
}

@test "without CAP_SETPCAP: bounding sets stay" {
	need_root
	need setpriv
	privileges=""
	uids_of
	equal "the symbolizer's" "$(< bounding.symbolizer)" 0000000000000000
	without setpcap
	says 0 CAP_SETPCAP degraded separation fine profiling fine
	uids_of
	[ "$(< bounding.symbolizer)" != 0000000000000000 ]
}

@test "without CAP_DAC_OVERRIDE: no answer in another user's folder" {
	need_root
	need setpriv
	mkdir theirs
	chown 65534:65534 theirs
	privileges=""
	privileged slowburn profile --duration 200ms -o theirs/answer.pb.gz
	is_pprof theirs/answer.pb.gz
	without dac_override
	says 0 CAP_DAC_OVERRIDE degraded profiling fine
	try privileged slowburn profile --duration 200ms -o theirs/another.pb.gz
	refused 1 'Permission denied'
	equal "their files" "$(files theirs)" "answer.pb.gz "
}

@test "without CAP_FOWNER: another user's file in a sticky folder is not replaced" {
	need_root
	need setpriv
	mkdir sticky
	chown 65534:65534 sticky
	chmod 1777 sticky
	echo old > sticky/answer.pb.gz
	chown 65534:65534 sticky/answer.pb.gz
	without fowner
	says 0 CAP_FOWNER degraded profiling fine
	try privileged slowburn profile --duration 200ms -o sticky/answer.pb.gz
	refused 1 'sticky/answer.pb.gz'
	equal "their file" "$(< sticky/answer.pb.gz)" old
	privileges=""
	privileged slowburn profile --duration 200ms -o sticky/answer.pb.gz
	is_pprof sticky/answer.pb.gz
}

@test "capabilities that nobody of us keeps are not missed" {
	need_root
	need setpriv
	without sys_admin,net_admin,net_raw,sys_module,sys_rawio,sys_boot,mknod,audit_write,fsetid,ipc_lock,sys_resource
	says 0 CAP_BPF fine CAP_PERFMON fine CAP_SYS_PTRACE fine CAP_SETUID fine separation fine profiling fine
	! grep -q '"fatal"' found
}

@test "what each process keeps: also to those who may nothing" {
	[ -z "${SAN:-}" ] || skip "sanitizers need more calls than the page tells"
	need setpriv
	try slowburn doctor --roles
	equal status "$status" 0
	for role in supervisor agent opener fetcher symbolizer; do
		holds "the roles" "$output" "### $role"
	done
	holds "the roles" "$output" "CAP_BPF: "
	equal "longest line over 100" "$(LC_ALL=C.UTF-8 grep -E '^.{101}' <<< "$output")" ""
	[ "$(id -u)" != 0 ] || equal "as nobody" "$(setpriv --reuid 65534 --clear-groups slowburn doctor --roles)" "$output"
	# What is read there is what the manual says.
	if [ -e "$BATS_TEST_DIRNAME/../../docs/SECURITY.md" ]; then
		holds "docs/SECURITY.md" "$(< "$BATS_TEST_DIRNAME/../../docs/SECURITY.md")" "$output"
	fi
}

@test "--memory: the budget and its shares, and the profile keeps to it" {
	need_root
	[ -z "${SAN:-}" ] || skip "sanitizers are not limited"
	privileges=""
	says 0 memory fine
	grep -q '"256 MiB: kernel [0-9]*, tables [0-9]*, agent [0-9]* (' found
	for size in 64M 1G; do
		try slowburn doctor --memory $size
		equal status "$status" 0
		grep -qE "memory +fine +$(numfmt --from=iec --to-unit=1Mi $size) MiB: kernel" <<< "$output"
		slowburn profile --memory $size --duration 3s --format text > answer &
		sleep 1.5
		limits=$(pgrep -P $! | while read -r pid; do awk '/^Max data size/ { print $4 }' "/proc/$pid/limits"; done)
		wait $!
		tr -s " \n" " " < answer | grep -qE "of (64|1,024) allowed"
		sum=0
		for limit in $limits; do sum=$((sum + limit)); done
		[ "$sum" -gt 0 ] && [ "$sum" -le "$(numfmt --from=iec $size)" ] || { echo "limits: $limits"; return 1; }
	done
}

@test "the memory limit of a control group" {
	need_root
	group=/sys/fs/cgroup/memory/slowburn-doctor-$$
	file=memory.limit_in_bytes
	[ -d /sys/fs/cgroup/memory ] || { group=/sys/fs/cgroup/slowburn-doctor-$$; file=memory.max; }
	mkdir $group 2> /dev/null && [ -e $group/$file ] || { rmdir $group 2> /dev/null; skip "no memory control group can be made"; }
	in_group() { sh -c 'echo $$ > "$1"/cgroup.procs && shift && exec "$@"' - $group "$@"; }
	privileges=in_group
	echo $((400 << 20)) > $group/$file
	says 0 memory fine profiling fine
	echo $((200 << 20)) > $group/$file
	says 0 memory degraded profiling fine
	grep -q '160 MiB of 200 MiB' found
	in_group slowburn profile --duration 300ms --format text > answer
	grep -q "of 160 allowed" answer
	echo $((70 << 20)) > $group/$file
	says 1 memory fatal profiling fatal
	try in_group slowburn profile --duration 300ms --format text
	refused 1 "four fifths of 70 MiB are 56, and profiling this machine takes 64"
	# Sanitizers take more than that.
	[ -n "${SAN:-}" ] || in_group slowburn profile --memory 64M --duration 300ms --format text > answer
	rmdir $group
}

@test "CAP_SYS_NICE: not held, limit instead, priority chosen" {
	need_root
	need setpriv
	without sys_nice
	says 0 CAP_SYS_NICE degraded profiling fine
	privileges="nice -n 5 $privileges"
	says 0 CAP_SYS_NICE fine
	without sys_nice
	privileges="prlimit --nice=40 $privileges"
	prlimit --nice=40 true 2> /dev/null || return 0 # needs CAP_SYS_RESOURCE
	says 0 CAP_SYS_NICE fine
}

@test "no BTF" {
	need_root
	unshare --mount true || skip "needs mount namespaces"
	hidden() { unshare --mount sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' - "$@"; }
	privileges=hidden
	says 1 BTF fatal profiling fatal BPF fine
	try privileged slowburn profile --duration 200ms
	refused 1 '"/sys/kernel/btf/vmlinux" cannot be read'
}

@test "no kernel symbols, no cgroups, isolated CPUs, kptr_restrict 2: as files say it" {
	need_root
	unshare --mount true || skip "needs mount namespaces"
	echo 0000000000000000 T vfs_read > zeros
	echo 1 > isolated
	echo 2 > two
	changed() {
		unshare --mount sh -c 'mount --bind zeros /proc/kallsyms && mount --bind two /proc/sys/kernel/kptr_restrict &&
			mount --bind isolated /sys/devices/system/cpu/isolated && umount -R /sys/fs/cgroup && exec "$@"' - "$@"
	}
	[ "$(nproc)" -gt 1 ] || skip "needs two CPUs"
	changed true || skip "cannot be changed here"
	privileges=changed
	says 0 "kernel symbols" degraded kptr_restrict degraded CPUs degraded cgroups degraded profiling fine
}

@test "namespaces of users, processes and time" {
	need_root
	unshare --user --map-root-user true || skip "needs user namespaces"
	chmod 777 .
	privileges="unshare --user --map-root-user"
	says 1 "user namespace" fatal CAP_SYSLOG degraded profiling fatal
	try privileged slowburn profile --duration 200ms
	refused 1 "initial user namespace"
	privileges="unshare --pid --fork --mount-proc"
	says 1 "pid namespace" fatal profiling fatal
	try privileged slowburn profile --duration 200ms
	refused 1 "process ids of its own"
	privileges="unshare --time --fork"
	says 0 "time namespace" fine profiling fine
	for offset in 1000 -1000; do
		privileges="unshare --time --fork --monotonic $offset --boottime $offset"
		says 1 "time namespace" fatal profiling fatal
	done
}

@test "a seccomp filter that refuses bpf, and one that doesn't" {
	need_root
	[ "$(uname -m)" = x86_64 ] || skip "knows numbers of x86-64 only"
	cat > filtered <<- 'EOT'
		import ctypes, os, struct, sys
		# load the number; if it is argv[1], EPERM; else allow
		code = ((0x20, 0, 0, 0), (0x15, 0, 1, int(sys.argv[1])), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7fff0000))
		insns = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in code))
		prog = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(insns)))
		if ctypes.CDLL(None, use_errno=True).prctl(22, 2, prog, 0, 0):
		    sys.exit(os.strerror(ctypes.get_errno()))
		os.execvp(sys.argv[2], sys.argv[2:])
	EOT
	for call in 321 298; do # bpf, perf_event_open
		privileges="python3 filtered $call"
		says 1 seccomp fatal CAP_BPF fine profiling fatal
		try privileged slowburn profile --duration 200ms
		refused 1 ""
	done
	privileges="python3 filtered 169" # reboot
	says 0 seccomp fine profiling fine
}

@test "open files: as many as it takes, and the profile agrees" {
	need_root
	for limit in 12 20 24 40 80; do
		limited() { bash -c "ulimit -n $limit && exec \"\$@\"" - "$@"; }
		privileges=limited
		limited slowburn profile --duration 200ms --format text > answer 2>&1 && status=0 || status=$?
		says $status
	done
	equal "with 80" "$status" 0
	[ "$(nproc)" -gt 8 ] || says 0 "open files" degraded
	limit=12
	says 1 "open files" fatal profiling fatal
}

@test "to a full disk and a pipe that broke" {
	try sh -c 'slowburn doctor > /dev/full'
	refused 1 "No space left on device"
	try bash -c 'slowburn doctor --json | true'
	equal stderr "$stderr" ""
}
