#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# slowburn query and diff on real profiles, beside go tool pprof: each function's figures are equal, whatever is asked.

load capture

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
}
