#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A symbolizer that was taken over by a file (tests/hostile/liar.c) and lies about it in every way there is: the answer
# comes, its totals are those of an honest one, and what lacks names is that file.

# shellcheck disable=SC2154 # set by capture.bash

load capture

# Refused when they are read; those of the second line are never done being read, and cost the deadline.
lies='counts functions ranges empty ids addresses strings no-end status type fds length half-and-leave endless die eat'
waits='half slow late nothing'
# About lines and inlined functions.
lines_lies='lines-counts lines-places lines-first lines-strings lines-no-end lines-flags lines-die'
# About unwind tables: those of the second line can't be told from the truth.
table_lies='table-rows table-die table-no-pages'
table_stories='table-cfas table-guesses table-ends table-signals table-segments table-one-page'

setup_file() {
	need_root
	[ "$SAMPLER" = slowburn ] || return 0
	workload_as shares innocent
	workload_as shares guilty
	echo GUILTY >> "$BATS_FILE_TMPDIR/guilty"
	local name
	for name in innocent guilty; do
		"$BATS_FILE_TMPDIR/$name" 300 > /dev/null 3>&- &
		echo $! >> "$BATS_FILE_TMPDIR/pids"
	done
}

teardown_file() {
	# shellcheck disable=SC2046 # a list of numbers
	[ ! -e "$BATS_FILE_TMPDIR/pids" ] || kill $(cat "$BATS_FILE_TMPDIR/pids") 2> /dev/null || true
}

setup() {
	only_slowburn
}

# The program that lies so; "" for any way.
liar() {
	local program=$BATS_FILE_TMPDIR/liar${1:+-$1}
	[ -e "$program" ] || ln "${SLOWBURN%/*}/tests/liar" "$program" 2> /dev/null || cp "${SLOWBURN%/*}/tests/liar" "$program"
	echo "$program"
}

# capture NAME [LIE [TIME]]: of 0.3 s; on a busy machine each program may then have a few samples only
capture() {
	local name=$1 lie=$2 time=${3:-300ms} status=0
	"$(liar "$lie")" profile --duration "$time" -F 499 --format pprof -o "$(profile "$name")" \
		> "$BATS_TEST_TMPDIR/$name.log" 2>&1 3>&- || status=$?
	if [ $status != 0 ]; then
		echo "$name: exit status $status"
		cat "$BATS_TEST_TMPDIR/$name.log"
	fi
	return $status
}

# all FUNCTION ARGUMENT...: with each argument, four at a time.
all() {
	local function=$1 argument pids='' pid n=0 bad=0
	shift
	for argument; do
		"$function" "$argument" &
		pids="$pids $!"
		n=$((n + 1))
		if [ $((n % 4)) = 0 ]; then
			for pid in $pids; do wait "$pid" || bad=1; done
			pids=''
		fi
	done
	for pid in $pids; do wait "$pid" || bad=1; done
	return $bad
}

caught() {
	capture "$1" "$1" || return 1
	truth whole "$(profile "$1")" --slack-ms 200 --failed 1 1 && truth names "$(profile "$1")" --named innocent --nameless guilty --min 2 && return
	echo "that was: $1"
	return 1
}

@test "lies of every kind: refused, with the file that they are about" {
	# shellcheck disable=SC2086 # a list of words
	all caught $lies
}

@test "answers that never end: given up, with the file that they are about" {
	# shellcheck disable=SC2086 # a list of words
	all caught $waits
}

# The next request may be sent before the second one is there, and then fails.
@test "an answer told twice is taken once" {
	capture twice twice
	truth whole "$(profile twice)" --failed 0 1
	truth names "$(profile twice)" --named guilty --seen innocent --min 2
}

# unlined LIE: what slowburn symbolize says of an address of the guilty file has its name and no line, and says why.
unlined() {
	local address out
	address=0x$(nm "$BATS_FILE_TMPDIR/guilty" | sed -n 's/ T main$//p')
	out=$("$(liar "$1")" symbolize --inlines "$BATS_FILE_TMPDIR/guilty" "$address" 2>&1) && [[ $out == main$'\n'"??:0"*"DWARF: the symbolizer"* ]] && return
	echo "$1: $out"
	return 1
}

@test "lies about lines: refused, and the name is there" {
	# shellcheck disable=SC2086 # a list of words
	all unlined $lines_lies
	"$(liar lines-counts)" symbolize --inlines "$BATS_FILE_TMPDIR/innocent" \
		"0x$(nm "$BATS_FILE_TMPDIR/innocent" | sed -n 's/ T main$//p')" | grep 'shares.c:[1-9]'
}

@test "what can't be told from the truth costs its own names only" {
	capture order order
	truth whole "$(profile order)" --failed 0 1
	truth names "$(profile order)" --named innocent --min 2
}

any() {
	capture "any-$1" '' && truth whole "$(profile "any-$1")" --slack-ms 200 --failed 0 100000
}

@test "any lie about any file: the totals stand" {
	all any 1 2 3 4
}

# unwound FAILED LIE: long enough that all files have their tables
unwound() {
	local failed=$1 lie=$2
	capture "$lie" "$lie" 1500ms || return 1
	truth whole "$(profile "$lie")" --slack-ms 200 --failed "$failed" "$failed" &&
		truth names "$(profile "$lie")" --named innocent --min 2 && truth stacks "$(profile "$lie")" --comm innocent && return
	echo "that was: $lie"
	return 1
}

refused() {
	unwound 1 "$1"
}

believed() {
	unwound 0 "$1"
}

@test "unwind tables that are none: refused, and everybody else's stacks stand" {
	# shellcheck disable=SC2086 # a list of words
	all refused $table_lies
}

@test "unwind tables that are wrong: so are the stacks of their file, and nobody else's" {
	# shellcheck disable=SC2086 # a list of words
	all believed $table_stories
}
