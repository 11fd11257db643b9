#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What the kernel's verifier has to look at for each of our programs stays within verifier.budget.

load capture

setup_file() {
	need_root
	"$BUILD/tests/kernels/verify" > "$BATS_FILE_TMPDIR/verified"
}

budget() {
	grep -v '^#' "$BATS_TEST_DIRNAME/verifier.budget"
}

@test "each program is loaded, and within its budget" {
	local program filters result instructions rest most
	while IFS=$'\t' read -r program filters result instructions rest; do
		most=$(budget | awk -v p="$program" '$1 == p { print $2 }')
		echo "$program ($filters): $result, $instructions instructions of ${most:-no budget} $rest"
		echo "# $program ($filters): $instructions instructions of ${most:-no budget}" >&3
		[ "$result" = ok ] && [ "$instructions" -gt 0 ] && [ "$instructions" -le "${most:-0}" ]
	done < "$BATS_FILE_TMPDIR/verified"
}

@test "each budget is of a program that exists" {
	local program most
	while read -r program most; do
		[ -z "$program" ] || grep -q "^$program	" "$BATS_FILE_TMPDIR/verified" || { echo "no program $program"; return 1; }
	done < <(budget)
	[ "$(cut -f1 "$BATS_FILE_TMPDIR/verified" | sort -u | wc -l)" = "$(budget | grep -c .)" ]
}
