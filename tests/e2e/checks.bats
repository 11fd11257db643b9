#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The checks that the other files here rely on: each passes on a profile that is right, and fails on one that is
# wrong in the way it is there for.

# shellcheck disable=SC2154 # set by capture.bash

load capture

@test "the checks can fail" {
	if command -v go > /dev/null; then
		python3 "$e2e/selftest.py" --go
	else
		python3 "$e2e/selftest.py"
	fi
}
