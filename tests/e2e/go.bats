#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Go's stacks (tests/chains/go): by its own table, stripped, position-independent, and with C between. Each frame made the
# call that the next one was entered by, and those of our own functions are the ones that ran.

load capture

setup_file() {
	need_root
	only_slowburn
	command -v go > /dev/null || skip "needs Go"
	cd "$root/tests/chains/go"
	export HOME=$BATS_FILE_TMPDIR GOCACHE=$BATS_FILE_TMPDIR/cache GO111MODULE=off GOFLAGS= at=$BATS_FILE_TMPDIR
	CGO_ENABLED=0 go build -o "$at/go-plain" .
	CGO_ENABLED=0 go build -ldflags="-s -w" -o "$at/go-bare" .
	CGO_ENABLED=0 go build -buildmode=pie -o "$at/go-moved" .
	CGO_ENABLED=0 go build -buildmode=pie -ldflags="-s -w" -o "$at/go-movedbare" .
	CGO_CFLAGS="-O2 -fomit-frame-pointer" go build -o "$at/go-c" .
	"$SLOWBURN" profile --no-inlines -F 997 --format pprof -o "$(profile go)" -- sh -c '
		for program in plain bare movedbare c; do
			GOMAXPROCS=2 "$at/go-$program" 8 &
		done
		wait' > "$at/log" 2>&1 3>&-
}

setup() {
	need_root
	only_slowburn
	command -v go > /dev/null || skip "needs Go"
}

judge() {
	python3 -B "$root/tests/chains/go/judge.py" "${@:3}" "$(profile go)" "go-$1" "$BATS_FILE_TMPDIR/go-$2"
}

@test "the judge sees a frame that is missing" {
	judge plain plain --drop
}

@test "with symbols" {
	judge plain plain
}

@test "stripped" {
	judge bare plain
}

@test "stripped, position-independent" {
	judge movedbare moved
}

@test "with C, and back to Go" {
	judge c c
}

@test "not one guess, and functions of stripped files have names" {
	python3 -B - "$root/tests/e2e" "$(profile go)" <<- 'E'
		import sys
		sys.path.insert(0, sys.argv[1])
		import profiles
		frames = [f for s in profiles.read_profile(sys.argv[2]).samples for f in s.frames if f.module.endswith("bare")]
		unnamed = sum(not f.named for f in frames)
		print(f"{unnamed} of {len(frames)} frames have no name")
		sys.exit(not frames or unnamed > 0.001 * len(frames))
	E
}
