#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What slowburn query asks of a store beside a profile: figures that agree with the profile's, as JSON and for a terminal.

# shellcheck disable=SC2154 # set by slowburn.bash

load slowburn

# Two hours of a recording, 20 samples in each window; the first was rolled up, too. Made once: nobody writes to it.
setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	cd "$BATS_FILE_TMPDIR" || return 1
	"$SLOWBURN" profile -F 2000 --record raw --format collapsed -- \
		bash -c 'for ((i = 0; i < 80000; i++)); do :; done' > live
	mkdir store
	# What the bench leaves in memory at its end is no matter.
	ASAN_OPTIONS=detect_leaks=0 "${SLOWBURN%/*}/tests/bench/store" fill store 2 20 raw > filled
}

ask() {
	try slowburn query --store "$BATS_FILE_TMPDIR/store" "$@"
}

# figure EXPRESSION: of the JSON in $output, called x
figure() {
	python3 -c "import json, sys; x = json.load(sys.stdin); print($1)" <<< "$output"
}

@test "figures add up to the profile's" {
	ask --format json
	value=$(figure 'x["value"]') samples=$(figure 'x["samples"]')
	equal samples "$samples" 14400
	for step in 10s 5m 3h; do
		ask --timeline --step $step --by comm,pid --limit 3 --format json
		equal "status of $step" "$status" 0
		equal "timeline by $step" "$(figure 'sum(v or 0 for g in x["groups"] + [x["other"]] for v in g["values"])')" "$value"
		equal "its value" "$(figure 'x["value"]')" "$value"
	done
	ask --from 2025-11-23T00:00:00Z --to 2025-11-23T00:10:00Z --heatmap --format json
	equal heatmap "$(figure 'sum(map(sum, x["counts"]))')" 1200
	equal columns "$(figure '[len(x["counts"]), len(x["counts"][0]), x["gone"]]')" "[600, 50, []]"
	ask --values comm --format json
	equal values "$(figure 'sum(v["samples"] for v in x["values"])')" "$samples"
	ask --series --limit 1 --format json
	equal series "$(figure 'sum(v["value"] for v in x["series"] + [x["other"]])')" "$value"
	ask --labels --format json
	equal labels "$(figure '[l["key"] for l in x["labels"]]')" "['comm', 'thread', 'pid', 'tid', 'cgroup']"
	for nodes in 5 1000000; do
		ask --flamegraph --root comm --max-nodes $nodes
		equal "flame graph of $nodes" "$(figure 'x["nodes"]["total"][0] * x["scale"]')" "$value"
		equal "what adds up" "$(python3 "$BATS_TEST_DIRNAME/questions.py" <<< "$output")" \
			"$([ $nodes = 5 ] && echo "merged" || echo "whole")"
	done
}

@test "a range against another, and samples against others" {
	ask --from 2025-11-23T01:00:00Z --to 2025-11-23T02:00:00Z --compare 1h --format json
	equal status "$status" 0
	equal lengths "$(figure '[x[s]["duration_ns"] // 10**9 for s in ("before", "after")]')" "[3600, 3600]"
	ask --from 2025-11-23T01:00:00Z --to 2025-11-23T02:00:00Z --compare 1h
	holds text "$output" "Before: "
	ask --query 'comm="bash"' --compare-query 'comm="nobody"' --from 2025-11-23T01:00:00Z --to 2025-11-23T02:00:00Z --format json
	equal "one and none" "$(figure 'x["before"]["samples"] == 0 < x["after"]["samples"]')" True
	ask --from 2025-11-23T01:00:00Z --to 2025-11-23T02:00:00Z --compare 1h -o d.pb.gz
	equal stdout "$output" ""
	is_pprof d.pb.gz
	# Without a range the last hour, and without an end until now: that store is older.
	for range in '' '--from -1h'; do
		# shellcheck disable=SC2086
		ask $range --compare 1d
		equal status "$status" 1
		equal stderr "$stderr" "slowburn: the store has no window in that range"
	done
	ask --from 2025-11-23T00:00:00Z --to 2025-11-23T01:00:00Z --compare 1d
	equal stderr "$stderr" "slowburn: the store has no window in the range to compare with"
}

@test "for a terminal" {
	ask --timeline --by comm
	equal status "$status" 0
	holds timeline "$output" "█"
	holds all "$output" $'\nall '
	ask --from 2025-11-23T00:00:00Z --to 2025-11-23T00:01:00Z --heatmap
	equal rows "$(grep -c ' s [ ░▒▓█]' <<< "$output")" 10
	# Of all that there is the end, as much as a terminal has columns.
	ask --heatmap
	equal "rows of the last" "$(grep -c ' s [ ░▒▓█]' <<< "$output")" 10
	ask --values comm
	holds values "$output" " bash"
	ask --top 1
	holds top "$output" "more functions"
}

@test "questions that make no sense" {
	ln -s "$BATS_FILE_TMPDIR/store" "$BATS_FILE_TMPDIR/raw" .
	while IFS='|' read -r line code why; do
		# shellcheck disable=SC2086
		try slowburn query $line
		equal "status of $line" "$status" "$code"
		equal "stderr of $line" "$stderr" "slowburn: $why"
	done <<- 'EOT'
		--store store --timeline --heatmap|2|one question at a time: timeline or heatmap
		--store store --step 5m|2|--step is for --timeline and the like
		raw --timeline|2|what changes with time is asked of a --store
		--store store --labels --step 5m|2|"step" is no parameter of labels
		--store store --timeline --step 0.5s|2|step "0.5s" is not from 1 s to 31622400 s
		--store store --timeline --format pprof|2|timeline is not answered in the format "pprof"
		--store store --top 0|2|limit "0" is not a number from 1 to 10000
		--store store --top 5 --from 2025-11-24T00:00:00Z|1|the store has no window in that range
	EOT
}
