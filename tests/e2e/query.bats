#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# slowburn query and diff on real profiles, beside go tool pprof: each function's flat and cumulative value is the
# same, whatever is asked.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup_file() {
	need_root
	only_slowburn
	local name
	for name in one two; do
		capture_begin $name -F 499
		bash -c 'for ((i = 0; i < 60000; i++)); do :; done; sort --parallel=1 < <(seq 60000 -1 1) > /dev/null' 3>&-
		python3 -c 'import json; [json.loads(json.dumps({"a": list(range(1000))})) for _ in range(300)]' 3>&-
		capture_end
	done
}

setup() {
	only_slowburn
	command -v go > /dev/null || skip "needs go"
}

# same PARAMETER...
same() {
	python3 "$e2e/query.py" "$SLOWBURN" "$(profile one)" "$@"
}

@test "all of it" {
	same
}

@test "focus" {
	same --focus 'python|bash'
	same --focus 'Py.*Eval'
	same --focus 'vmlinux|kallsyms'
}

@test "ignore" {
	same --ignore 'libc'
	same --ignore '^main$' --focus libc
}

@test "hide and show" {
	same --hide '^_'
	same --hide 'libc\.so'
	same --show 'sort|Py'
	same --show 'python' --hide Eval
}

@test "show-from" {
	same --show-from '^main$'
	same --hide 'libc' --show-from 'main'
}

@test "a difference is what -diff_base makes, and so is its pprof file" {
	python3 "$e2e/query.py" "$SLOWBURN" --diff "$(profile one)" "$(profile two)"
}
