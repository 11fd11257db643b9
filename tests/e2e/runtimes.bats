#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The runtimes themselves, those that are installed: their functions have names when they were asked to say them, and if
# not, the answer says how they would be.

load capture

# As long as the file "go" is there, which a capture is in.
setup() {
	need_root
	only_slowburn
	cd "$BATS_TEST_TMPDIR" || return 1
	touch go
	cat > busy.js <<- 'END'
		const fs = require("fs");
		function fibonacci(n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
		function busyLoop() { let s = 0; while (fs.existsSync("go")) for (let i = 0; i < 50; i++) s += fibonacci(20); return s; }
		busyLoop();
	END
	cat > Busy.java <<- 'END'
		public class Busy {
			static int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
			public static void main(String[] a) {
				long s = 0;
				while (new java.io.File("go").exists())
					for (int i = 0; i < 50; i++)
						s += fibonacci(20);
				System.out.println(s);
			}
		}
	END
	cat > busy.py <<- 'END'
		import os
		def py_inner(n):
		    s = 0
		    for i in range(n):
		        s += i * i
		    return s
		while os.path.exists("go"):
		    py_inner(100000)
	END
}

teardown() {
	rm -f "$BATS_TEST_TMPDIR/go"
	wait
	[ -z "${pid:-}" ] || rm -f "/tmp/perf-$pid.map"
}

# text PID: the answer of a second and a half.
text() {
	"$SLOWBURN" profile --format text -o out.txt --duration 1500ms -p "$1"
	cat out.txt
}

# run_busy COMMAND...: in the background, as $pid; for a second, in which what is hot is compiled.
run_busy() {
	"$@" > busy.log 2>&1 3>&- &
	pid=$!
	sleep 1
}

@test "Node.js with a perf map" {
	command -v node > /dev/null || skip "there is no node"
	run_busy node --perf-basic-prof busy.js
	text "$pid"
	grep -qE "fibonacci .*/busy.js:2:19 +\[anonymous memory\]" out.txt
	grep -q "busyLoop" out.txt
}

@test "Node.js with a jitdump" {
	command -v node > /dev/null || skip "there is no node"
	run_busy node --perf-prof busy.js
	text "$pid"
	grep -qE "fibonacci .*/busy.js:2:19 +\[anonymous memory\]" out.txt
}

@test "Node.js without: what would name it" {
	command -v node > /dev/null || skip "there is no node"
	run_busy node busy.js
	text "$pid"
	tr -s ' \n' ' ' < out.txt | grep -qF "[Node.js code] is code made at run time (JIT): start it with node --perf-basic-prof"
}

@test "Java, which has listed its code" {
	command -v jcmd > /dev/null && command -v javac > /dev/null || skip "there is no JDK"
	javac Busy.java
	run_busy java -XX:+PreserveFramePointer Busy
	jcmd "$pid" Compiler.perfmap
	[ -e "/tmp/perf-$pid.map" ] || skip "this JDK has no Compiler.perfmap"
	text "$pid"
	grep -qE "int Busy.fibonacci\(int\) +\[anonymous memory\]" out.txt
}

# What it is is told by its file's name: here it is another program.
@test "Python without: what would name it" {
	cp "$WORKLOADS/shares" python3.12
	"$SLOWBURN" profile --format text -o out.txt -- ./python3.12 1 > /dev/null
	cat out.txt
	tr -s ' \n' ' ' < out.txt | grep -qF "was in Python programs that don't name their functions: start it with python3 -X perf"
}

@test "Python from 3.12 on" {
	local python
	for python in python3 python3.13 python3.12 ~/.pyenv/versions/3.1[2-9]*/bin/python3; do
		"$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2> /dev/null && break
		python=
	done
	[ -n "$python" ] || skip "there is no Python 3.12"
	run_busy "$python" -X perf busy.py
	text "$pid"
	grep -q "py::py_inner:.*busy.py" out.txt
}
