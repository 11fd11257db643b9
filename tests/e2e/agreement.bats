#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# slowburn beside `perf record -F 99 -a -g`, over the same time of the same machine: the same shares, by program
# and by leaf function, within what two samplings may differ. slowburn's file is read by `go tool pprof`.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup_file() {
	need_root
	local name perf_pid
	for name in perf openssl python3 go gcc; do
		command -v "$name" > /dev/null || return 0
	done
	python3 "$root/tests/bench/csource.py" --functions 600 > "$BATS_FILE_TMPDIR/large.c"
	cat > "$BATS_FILE_TMPDIR/load.py" <<-'PYTHON'
		import json, re, time
		begin = time.process_time()
		while time.process_time() - begin < 5:
		    text = json.dumps([{"k": i, "v": [i] * 9} for i in range(300)])
		    sum(int(m) for m in re.findall(r"\d+", text))
		    sorted(json.loads(text), key=lambda d: -d["k"])
	PYTHON

	# Where BPF programs come and go while it runs, perf 6.1 may fail to read what it wrote itself.
	capture_begin agreement --no-inlines # as perf is asked for, too
	perf record -N -q -F 99 -a -g --no-bpf-event -o "$BATS_FILE_TMPDIR/beside.perf" > /dev/null 2>&1 3>&- &
	perf_pid=$!
	wait_attached $perf_pid
	openssl speed -seconds 4 -bytes 8192 sha256 > /dev/null 2>&1 3>&- &
	local lane=$!
	python3 "$BATS_FILE_TMPDIR/load.py" 3>&- &
	lane="$lane $!"
	gcc -O2 -c -o "$BATS_FILE_TMPDIR/large.o" "$BATS_FILE_TMPDIR/large.c" 3>&-
	# shellcheck disable=SC2086 # two pids
	wait $lane
	kill -INT $perf_pid
	wait $perf_pid || true
	capture_end
}

@test "shares by program and by leaf function are perf's" {
	[ -e "$BATS_FILE_TMPDIR/beside.perf" ] || skip "needs perf, openssl, python3, go and gcc"
	truth agree "$(profile agreement)" "$BATS_FILE_TMPDIR/beside.perf" --comm openssl python3 cc1
}
