#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Inlined functions and source lines in a profile: where the DWARF is in the program, in a debug file, in one that comes while
# the capture runs; and where it isn't read.

# shellcheck disable=SC2154 # set by capture.bash

load capture

# Two functions that are always inlined into one that never is, all of them in known lines.
write_source() {
	cat > "$work/inlined.c" <<- 'END'
		#include <stdlib.h>
		#include <time.h>

		static volatile unsigned long sink;

		__attribute__((always_inline)) static inline unsigned long innermost(unsigned long x)
		{
			for (int i = 0; i < 4000; i++)
				x = x * 6364136223846793005ul + (x >> 7); /* innermost */
			return x;
		}

		__attribute__((always_inline)) static inline unsigned long middle(unsigned long x)
		{
			return innermost(x) ^ 1; /* middle */
		}

		__attribute__((noinline)) static void outermost(unsigned long x)
		{
			sink = middle(x); /* outermost */
		}

		static double cpu_s(void)
		{
			struct timespec t;

			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
			return t.tv_sec + t.tv_nsec / 1e9;
		}

		int main(int argc, char **argv)
		{
			double s = argc > 1 ? atof(argv[1]) : 1;

			while (cpu_s() < s)
				outermost(sink); /* main */
			return 0;
		}
	END
}

# random_id NAME: a build id's note for that program, that nobody else has
random_id() {
	{ printf '\4\0\0\0\24\0\0\0\3\0\0\0GNU\0' && head -c 20 /dev/urandom; } > "$work/$1.note"
	objcopy --update-section .note.gnu.build-id="$work/$1.note" "$work/$1"
}

make_programs() {
	local name
	write_source
	gcc -O2 -g -Wl,--build-id -o "$work/inl-whole" "$work/inlined.c"
	for name in inl-apart inl-later inl-never; do
		cp "$work/inl-whole" "$work/$name"
		random_id $name
		objcopy --only-keep-debug "$work/$name" "$work/$name.debug"
		strip "$work/$name"
		objcopy --add-gnu-debuglink="$work/$name.debug" "$work/$name"
	done
	mkdir "$work/.debug" "$work/away"
	mv "$work/inl-apart.debug" "$work/.debug"
	mv "$work/inl-later.debug" "$work/inl-never.debug" "$work/away"
	# Of more DWARF than there is memory for by 64 MiB in all.
	objcopy --dump-section .debug_str="$work/strings" "$work/inl-whole" "$work/inl-large"
	truncate -s +16M "$work/strings"
	objcopy --update-section .debug_str="$work/strings" "$work/inl-large"
}

setup_file() {
	need_root
	[ "$SAMPLER" = slowburn ] || return 0
	export work=$BATS_FILE_TMPDIR/work
	mkdir "$work"
	chmod 755 "$BATS_FILE_TMPDIR" "$work"
	make_programs
	capture_begin all -F 499 --record "$BATS_FILE_TMPDIR/recording" --comm inl-whole --comm inl-apart --comm inl-later --comm inl-never
	"$work/inl-later" 1 3>&-
	"$work/inl-whole" 1 3>&-
	"$work/inl-apart" 1 3>&-
	"$work/inl-never" 1 3>&-
	# Nobody has mapped it for 5 s: it was let go of by then.
	sleep 5
	mv "$work/away/inl-later.debug" "$work/.debug"
	capture_end
}

setup() {
	only_slowburn
}

# line_of MARK: where it is in the source
line_of() {
	awk -v mark="/* $1 */" 'index($0, mark) { print NR }' "$work/inlined.c"
}

# chains FILE COMM CONDITION: of the samples of COMM in "outermost", share["…"] is that of those whose innermost frames are
# "innermost:9 < middle:15 < outermost:20 < main:37"; a frame without a line has none there.
chains() {
	python3 - "$1" "$2" "$3" "$e2e" "$work/inlined.c" <<- 'END'
		import collections, sys
		sys.path.insert(0, sys.argv[4])
		from profiles import read_profile
		share, total = collections.Counter(), 0
		for s in read_profile(sys.argv[1]).samples:
		    if s.comm != sys.argv[2] or s.leaf.kernel:
		        continue
		    total += s.count
		    text = []
		    for f in s.frames[:4]:
		        text.append(f.name + (f":{f.line}" if f.line else ""))
		        if f.line and f.source != sys.argv[5] and f.module.endswith("/" + s.comm):
		            sys.exit(f"{f.name} is in {f.source!r}, not in {sys.argv[5]!r}")
		    share[" < ".join(text)] += s.count
		share = collections.Counter({k: n / total for k, n in share.items()})
		print(total, share.most_common(6))
		sys.exit(0 if total > 100 and eval("(" + sys.argv[3] + ")") else 1)
	END
}

# whole FILE COMM: function, file, line and order are those of the source. The loop is two lines' code.
whole() {
	local loop
	loop=$(line_of innermost)
	chains "$1" "$2" "sum(share[f\"innermost:{line} < middle:$(line_of middle) < outermost:$(line_of outermost) < main:$(line_of main)\"]
		for line in ($((loop - 1)), $loop)) > 0.95"
}

@test "a chain of inlined functions: each with its file and line, in their order" {
	whole "$(profile all)" inl-whole
}

@test "the same by a stripped program's debug file" {
	whole "$(profile all)" inl-apart
}

@test "a debug file that comes when the program has ended and is let go of names it all the same" {
	whole "$(profile all)" inl-later
}

@test "without one there are neither names nor lines" {
	chains "$(profile all)" inl-never 'sum(n for k, n in share.items() if k.startswith("[inl-never]")) > 0.95'
}

@test "mappings say what there is" {
	python3 - "$(profile all)" "$e2e" <<- 'END'
		import sys
		sys.path.insert(0, sys.argv[2])
		from profiles import read_profile
		def says(m):
		    return m["has_filenames"], m["has_line_numbers"], m["has_inline_frames"]
		mappings = read_profile(sys.argv[1]).raw["mappings"].values()
		for name, want in ("inl-whole", True), ("inl-apart", True), ("inl-later", True), ("inl-never", False):
		    got = {says(m) for m in mappings if m["file"].endswith("/" + name)}
		    assert got >= {(want,) * 3} and (want or len(got) == 1), (name, got)
	END
}

@test "collapsed stacks have inlined functions as frames" {
	"$SLOWBURN" replay --format collapsed "$BATS_FILE_TMPDIR/recording" > "$BATS_TEST_TMPDIR/folded"
	grep -q '^inl-whole;.*;main;outermost;middle;innermost [0-9]' "$BATS_TEST_TMPDIR/folded"
}

@test "text says what was inlined, and of how much lines are known" {
	"$SLOWBURN" replay "$BATS_FILE_TMPDIR/recording" > "$BATS_TEST_TMPDIR/text"
	cat "$BATS_TEST_TMPDIR/text"
	tr -s '\n ' ' ' < "$BATS_TEST_TMPDIR/text" > "$BATS_TEST_TMPDIR/flat"
	grep -q 'innermost (inlined) ← middle (inlined) ← outermost ← main' "$BATS_TEST_TMPDIR/flat"
	grep -Eq "inlined\.c:$(line_of innermost) +innermost" "$BATS_TEST_TMPDIR/text"
	grep -Eq 'Source lines are known of 7[0-9] % of CPU time in files; missing: [0-9]+ binar' "$BATS_TEST_TMPDIR/flat"
}

@test "a replay is the same, byte by byte, each time" {
	"$SLOWBURN" replay --format pprof -o "$BATS_TEST_TMPDIR/first.pb.gz" "$BATS_FILE_TMPDIR/recording"
	"$SLOWBURN" replay --format pprof -o "$BATS_TEST_TMPDIR/second.pb.gz" "$BATS_FILE_TMPDIR/recording"
	cmp "$BATS_TEST_TMPDIR/first.pb.gz" "$BATS_TEST_TMPDIR/second.pb.gz"
	truth same "$(profile all)" "$BATS_TEST_TMPDIR/first.pb.gz"
}

@test "--no-inlines: functions as symbol tables have them, in a capture and in a replay" {
	"$SLOWBURN" replay --no-inlines --format pprof -o "$BATS_TEST_TMPDIR/plain.pb.gz" "$BATS_FILE_TMPDIR/recording"
	chains "$BATS_TEST_TMPDIR/plain.pb.gz" inl-whole 'sum(n for k, n in share.items() if k.startswith("outermost < main < ")) > 0.95'
	capture_begin plain -F 499 --comm inl-whole --no-inlines
	"$work/inl-whole" 0.5 3>&-
	capture_end
	chains "$(profile plain)" inl-whole 'sum(n for k, n in share.items() if k.startswith("outermost < main < ")) > 0.95'
	absent "source lines" "$(profile plain).log"
}

@test "a program with more DWARF than there is memory for keeps its names, and is counted" {
	[ -z "${SAN:-}" ] || skip "sanitizers are not limited"
	capture_begin large -F 499 --comm inl-large --memory 64M
	"$work/inl-large" 0.5 3>&-
	capture_end
	chains "$(profile large)" inl-large 'sum(n for k, n in share.items() if k.startswith("outermost < main < ")) > 0.95'
	truth whole "$(profile large)" --slack-ms 200 --failed 0 1 --counted lines-unread 1 9
	capture_begin roomy -F 499 --comm inl-large
	"$work/inl-large" 0.5 3>&-
	capture_end
	whole "$(profile roomy)" inl-large
	truth whole "$(profile roomy)" --slack-ms 200 --counted lines-unread 0 0
}
