#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A storm of processes that live some 10 ms: make over small C files. Of their samples at least 95 % have their
# binary and, where a symbol covers it, their leaf function.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup_file() {
	need_root
	python3 "$root/tests/bench/csource.py" --files 240 --directory "$BATS_FILE_TMPDIR/storm"
	capture_begin storm
	make -s -j "$(nproc)" -C "$BATS_FILE_TMPDIR/storm" > /dev/null 3>&-
	capture_end
}

@test "a build of small files: at least 95 % of its samples are complete" {
	truth complete "$(profile storm)" --comm cc1 as gcc make sh collect2 ld --min 300 --share 0.95
}

@test "the compiler's functions have their names" {
	truth complete "$(profile storm)" --comm cc1 --min 100 --share 0.95
	truth complete "$(profile storm)" --comm as --min 20 --share 0.95
}
