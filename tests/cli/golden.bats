# SPDX-License-Identifier: Apache-2.0
#
# Recordings and what a replay makes of them, refused ones too: tests/golden/replay/NAME.EXT holds exit
# status, standard error and standard output. The recordings are the corpus of the fuzz target
# agent_player, whose recipe is tests/fuzz/agent_player_corpus.py ("content-*" there are no whole
# files). SLOWBURN_GOLDEN=update writes the goldens anew: read the difference before you commit it.

load slowburn.bash

# replayed FORMAT FILE: what is compared. The name is said without its folder.
replayed() {
	local status=0
	(cd "$corpus" && "$dir/slowburn" replay --format "$1" "$2" > "$dir/out" 2> "$dir/err") || status=$?
	printf 'exit status %s\n' "$status"
	cat "$dir/err" "$dir/out"
}

goldens() {
	local format=$1 golden recording name failed=0
	corpus=$BATS_TEST_DIRNAME/../fuzz/corpus/agent_player
	for recording in "$corpus"/*; do
		name=${recording##*/}
		case $name in content-*) continue ;; esac
		golden=$BATS_TEST_DIRNAME/../golden/replay/$name.$format
		if [ "${SLOWBURN_GOLDEN:-}" = update ]; then
			replayed "$format" "$name" > "$golden"
		fi
		replayed "$format" "$name" | diff -u "$golden" - || failed=1
	done
	[ "$failed" = 0 ]
}

@test "replay of recordings: collapsed" {
	goldens collapsed
}

@test "replay of recordings: text" {
	goldens text
}
