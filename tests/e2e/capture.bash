# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Loaded by the .bats files here: starts and ends captures around workloads, and asks truth.py about them.
#
# A capture of the whole machine begins before a workload and ends after it, so that what the workload says of
# itself is what the profile must have, in full. SAMPLER=perf takes `perf record -F 99 -a -g`
# instead of slowburn, for those tests that make sense with it: what must fail with it, fails.

e2e=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
root=${e2e%/tests/e2e}
export SLOWBURN=${SLOWBURN:-$root/build/slowburn}
export WORKLOADS=${WORKLOADS:-${SLOWBURN%/*}/tests/workload}
export SAMPLER=${SAMPLER:-slowburn}
# Empty where interrupts take more than the error that is allowed.
leaf=${LEAF---leaf}
export PYTHONDONTWRITEBYTECODE=1
unset SUDO_UID SUDO_GID SUDO_USER # but for the tests that are about them
# Nothing is found that another test or another build has left: a place that can't be made is no cache, and nothing is said.
export CACHE_DIRECTORY=/nowhere/cache

truth() {
	python3 "$e2e/truth.py" "$@"
}

# The file of the capture NAME.
profile() {
	case $SAMPLER in
	perf) echo "$BATS_FILE_TMPDIR/$1.perf" ;;
	*) echo "$BATS_FILE_TMPDIR/$1.pb.gz" ;;
	esac
}

only_slowburn() {
	[ "$SAMPLER" = slowburn ] || skip "is about slowburn"
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# The perf events that a process and its children have open.
perf_events_of() {
	local child n
	n=$(find "/proc/$1/fd" -lname 'anon_inode:*perf_event*' 2> /dev/null | wc -l)
	for child in $(pgrep -P "$1"); do
		n=$((n + $(perf_events_of "$child")))
	done
	echo "$n"
}

# Until the process $1 has opened its perf events, and has opened no more for 0.3 s.
wait_attached() {
	local before=0 now=0 same=0 i
	for ((i = 0; i < 200; i++)); do
		kill -0 "$1" 2> /dev/null || return 1
		now=$(perf_events_of "$1")
		if [ "$now" -gt 1 ] && [ "$now" = "$before" ]; then
			same=$((same + 1))
			[ $same -lt 6 ] || return 0
		else
			same=0
		fi
		before=$now
		sleep 0.05
	done
	return 1
}

# capture_begin NAME [OPTION...]: profiles in the background; returns when it samples.
capture_begin() {
	local name=$1 out
	shift
	out=$(profile "$name")
	case $SAMPLER in
	perf) perf record -N -q -F 99 -a -g -o "$out" > "$out.log" 2>&1 3>&- & ;;
	# It ends with who began it: a setup that failed before capture_end would be waited for.
	*) setpriv --pdeathsig INT "$SLOWBURN" profile --format pprof -o "$out" "$@" > "$out.log" 2>&1 3>&- & ;;
	esac
	capture_pid=$!
	if ! wait_attached $capture_pid; then
		echo "the profiler didn't start:"
		cat "$out.log"
		kill -KILL $capture_pid 2> /dev/null
		return 1
	fi
	capture_log=$out.log
}

capture_end() {
	local status=0
	kill -INT "$capture_pid"
	wait "$capture_pid" || status=$?
	if [ "$SAMPLER" = slowburn ] && [ $status != 0 ]; then
		echo "the profiler ended with $status:"
		cat "$capture_log"
		return 1
	fi
}

# workload NAME FILE [ARGUMENT...]: runs it, its truth goes to FILE.json.
workload() {
	local name=$1 file=$2
	shift 2
	TMPDIR=$BATS_FILE_TMPDIR "$WORKLOADS/$name" "$@" > "$BATS_FILE_TMPDIR/$file.json" 3>&-
}

# A workload's program under another name, so that its samples can be told apart.
workload_as() {
	cp "$WORKLOADS/$1" "$BATS_FILE_TMPDIR/$2"
}

run_as() {
	local file=$1
	shift
	"$BATS_FILE_TMPDIR/$file" "$@" > "$BATS_FILE_TMPDIR/$file.json" 3>&-
}

truth_of() {
	echo "$BATS_FILE_TMPDIR/$1.json"
}

# absent PATTERN FILE: no byte of the file matches. (bats ignores the status of `! command`.)
absent() {
	[ -e "$2" ] || return 1
	if LC_ALL=C grep -nP "$1" "$2"; then
		echo "that should not be in $2"
		return 1
	fi
}

# A FIFO for WORKLOAD_GO; `go_on FILE` lets the workload that waits for it run.
gate() {
	mkfifo "$BATS_FILE_TMPDIR/$1"
	echo "$BATS_FILE_TMPDIR/$1"
}

go_on() {
	echo > "$1"
}
