#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Names never reach beyond their symbol, on real files whose symbols are few: x264's assembler has some without a size
# (perf gives them all that follows), a stripped cc1 and libcrypto have large stretches without any. And the linker's stubs, which
# have none, have objdump's names.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup() {
	only_slowburn
}

library() {
	ldconfig -p | awk -v name="$1" '$1 == name && /x86-64/ { print $NF; exit }'
}

# bounds FILE [--widen N]
bounds() {
	run python3 -B "$e2e/bounds.py" "$SLOWBURN" "$@"
	echo "$output"
}

@test "x264, whose assembler has symbols without a size" {
	local file
	file=$(library libx264.so.164)
	[ -n "$file" ] || skip "libx264-164 is not installed"
	bounds "$file"
	[ "$status" = 0 ]
}

@test "libcrypto" {
	local file
	file=$(library libcrypto.so.3)
	[ -n "$file" ] || skip "libssl3 is not installed"
	bounds "$file"
	[ "$status" = 0 ]
}

@test "gcc's cc1, stripped" {
	local file
	file=$(gcc -print-prog-name=cc1 2> /dev/null || true)
	[ -f "$file" ] || skip "gcc's cc1 is not installed"
	bounds "$file"
	[ "$status" = 0 ]
}

# stubs LINKER FLAGS...: of a program of a few calls; all names are objdump's, and there are at least five.
stubs() {
	local file=$BATS_TEST_TMPDIR/program
	printf '%s\n' '#include <string>' '#include <cstdio>' 'int main(int n, char **v) {' 'std::string s(v[0]);' \
		's.append(s); std::puts(s.c_str()); return (int)(long)&std::puts + n; }' > "$file.cc"
	g++ -O1 "-fuse-ld=$1" "${@:2}" -o "$file" "$file.cc"
	bounds "$file"
	[ "$status" = 0 ]
	[[ $output =~ and\ ([0-9]+)\ stubs ]]
	[ "${BASH_REMATCH[1]}" -ge 5 ]
}

@test "stubs of ld: lazy, at once, with CET" {
	stubs bfd -Wl,-z,lazy -fcf-protection=none
	stubs bfd -Wl,-z,now -fcf-protection=none
	stubs bfd -Wl,-z,ibtplt -fcf-protection=full
}

@test "stubs of lld and gold" {
	stubs lld -Wl,-z,lazy -fcf-protection=none
	stubs lld -Wl,-z,force-ibt -fcf-protection=full
	stubs gold
}

@test "the judge sees a name that reaches too far" {
	local file
	file=$(library libcrypto.so.3)
	[ -n "$file" ] || skip "libssl3 is not installed"
	bounds "$file" --widen 64
	[ "$status" = 1 ]
	[[ $output == *"beyond their symbol: "[1-9]* ]]
}
