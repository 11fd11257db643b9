# SPDX-License-Identifier: Apache-2.0
#
# Indexes of lines from one run to the next: found, damaged, in the way of each other, and in places that are none.

load slowburn

# A program of ours whose state is settled: what changed a second ago is not kept.
victim() {
	[ -n "$(readelf -SW "$dir/slowburn" | grep -o '\.debug_info' | head -1)" ] || skip "built without -g"
	nm "$dir/slowburn" | awk 'NF == 3 && $2 ~ /[tT]/ && NR % 5 == 0 { print $1 }' > addresses
	sleep 1.1
}

# named ARGUMENTS...: what is known of the addresses in $answer, what became of the index in $index.
named() {
	try slowburn symbolize --inlines "$@" "$dir/slowburn" < addresses
	equal status "$status" 0
	answer=$(grep -v '^#' <<< "$output")
	index=$(sed -n 's/^# index of lines: //p' <<< "$output")
}

entry() {
	ls "${1:-cache}"/*.slowburn-index
}

@test "the second run uses what the first has made" {
	victim
	named --cache none
	equal index "$index" "made, and not kept: --cache none"
	local without=$answer
	named --cache cache
	equal index "$index" "made, and kept in cache"
	equal answer "$answer" "$without"
	equal mode "$(stat -c %a cache)" 700
	equal "its entry's mode" "$(stat -c %a "$(entry)")" 600
	named --cache cache
	equal index "$index" "used, from cache"
	equal answer "$answer" "$without"
	try slowburn symbolize --json --cache cache "$dir/slowburn" < addresses
	equal "in JSON" "$(python3 -c 'import json, sys
print([s["result"] for s in json.load(sys.stdin)["sources"] if s["source"] == "index of lines"])' <<< "$output")" \
		"['used, from cache']"
}

@test "another state of the file is another file; what has just changed is not kept" {
	victim
	named --cache cache
	named --cache cache
	equal index "$index" "used, from cache"
	chmod 700 "$dir/slowburn" # its ctime
	named --cache cache
	equal index "$index" "made, and not kept: the file has just changed, or has no name"
	sleep 1.1
	named --cache cache
	equal index "$index" "made, and kept in cache"
	equal entries "$(entry | wc -l)" 2
	cp "$dir/slowburn" other && mv other "$dir/slowburn" # the same bytes
	sleep 1.1
	named --cache cache
	equal index "$index" "made, and kept in cache"
}

@test "damaged by one byte anywhere, cut, or another's: made anew, the same answer" {
	victim
	named --cache cache
	local good=$answer file size at i
	file=$(entry)
	size=$(stat -c %s "$file")
	cp "$file" whole
	for i in {1..12}; do
		at=$(((RANDOM * 32768 + RANDOM) % size))
		[ $i != 1 ] || at=0
		python3 - "$file" $at << 'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    byte = f.read(1)[0]
    f.seek(int(sys.argv[2]))
    f.write(bytes([byte ^ 1 << int(sys.argv[2]) % 8]))
END
		named --cache cache
		equal "byte $at of $size: index" "$index" "made, and kept in cache"
		equal "byte $at of $size: answer" "$answer" "$good"
		cmp "$file" whole
	done
	for at in 1 100 $((size / 2)) $((size - 1)); do
		truncate -s "$at" "$file"
		named --cache cache
		equal "cut to $at: index" "$index" "made, and kept in cache"
		equal "cut to $at: answer" "$answer" "$good"
	done
	head -c "$size" /dev/zero > "$file"
	named --cache cache
	equal "zeros: answer" "$answer" "$good"
	named --cache cache
	equal "at last: index" "$index" "used, from cache"
}

@test "directories that are none of ours: nothing is kept, and all goes on" {
	victim
	named --cache none
	local good=$answer
	mkdir -m 777 open
	named --cache open
	equal answer "$answer" "$good"
	holds "standard error" "$stderr" 'others may write to the cache "open" (mode 0777), nothing is kept'
	holds index "$index" 'made, and not kept: others may write'
	ln -s cache link
	mkdir cache
	named --cache link
	holds "standard error" "$stderr" '"link" is a link or no directory, nothing is kept'
	echo > file
	named --cache file
	holds "standard error" "$stderr" '"file" is a link or no directory'
	named --cache none/none
	holds "standard error" "$stderr" 'cannot make the cache "none/none": No such file'
	equal answer "$answer" "$good"
	equal entries "$(find . -name '*.slowburn-*' | wc -l)" 0
	[ "$(id -u)" = 0 ] || return 0
	chown 12345 cache
	named --cache cache
	holds "standard error" "$stderr" '"cache" belongs to another user (12345)'
}

@test "options of the cache that make no sense" {
	local command
	for command in profile symbolize; do
		try slowburn $command --cache ''
		refused 2 "an empty word is no folder for the cache"
		try slowburn $command --cache-limit 5x
		refused 2 'cache limit "5x" is not a size such as 512M'
		try slowburn $command --cache-limit 1000K
		refused 2 'cache limit "1000K" is too little: 1M is the least'
	done
}

@test "many at once on one directory: the same answer, no leftovers" {
	victim
	named --cache none
	local good=$answer i
	for i in {1..8}; do
		slowburn symbolize --inlines --cache cache "$dir/slowburn" < addresses > "out.$i" &
	done
	wait
	for i in {1..8}; do
		equal "answer $i" "$(grep -v '^#' "out.$i")" "$good"
	done
	equal entries "$(find cache -type f | wc -l)" 1
	named --cache cache
	equal index "$index" "used, from cache"
}

@test "killed at any moment: nothing half" {
	victim
	named --cache none
	local good=$answer i
	for i in {1..25}; do
		rm -rf cache
		slowburn symbolize --inlines --cache cache "$dir/slowburn" < addresses > /dev/null &
		sleep "0.0$((10 + i * 3))"
		kill -KILL $! 2> /dev/null || true
		wait $! || true
		named --cache cache
		equal "round $i: answer" "$answer" "$good"
		equal "round $i: files" "$(find cache -type f | wc -l)" 1
	done
}

@test "on a full and on a read-only file system" {
	need_root
	victim
	named --cache cache
	local good=$answer size
	size=$(stat -c %s "$(entry)")
	unshare -m bash -e -c 'mkdir full; mount -t tmpfs -o size=$(($1 / 2)),mode=700 tmpfs full
		exec slowburn symbolize --inlines --cache full "$2" < addresses' bash "$size" "$dir/slowburn" > out
	holds index "$(< out)" "# index of lines: made, and not kept in full: No space left on device"
	equal answer "$(grep -v '^#' out)" "$good"
	unshare -m bash -e -c 'mount --bind cache cache; mount -o remount,bind,ro cache
		exec slowburn symbolize --inlines --cache cache "$1" < addresses' bash "$dir/slowburn" > out
	holds index "$(< out)" "# index of lines: used, from cache"
	rm cache/*
	unshare -m bash -e -c 'mount --bind cache cache; mount -o remount,bind,ro cache
		exec slowburn symbolize --inlines --cache cache "$1" < addresses' bash "$dir/slowburn" > out
	holds index "$(< out)" "made, and not kept in cache: Read-only file system"
	equal answer "$(grep -v '^#' out)" "$good"
}

@test "without a place for it: nothing is said" {
	need_root
	victim
	chmod 755 "$dir/cwd"
	try env -u CACHE_DIRECTORY -u XDG_CACHE_HOME HOME=/nowhere setpriv --reuid 54321 --regid 54321 --clear-groups \
		slowburn symbolize "$dir/slowburn" 0
	equal status "$status" 0
	equal "standard error" "$stderr" ""
	try env -u CACHE_DIRECTORY XDG_CACHE_HOME="$dir/theirs" setpriv --reuid 54321 --regid 54321 --clear-groups \
		slowburn symbolize "$dir/slowburn" 0
	equal "standard error" "$stderr" ""
	mkdir "$dir/theirs" && chown 54321 "$dir/theirs"
	try env -u CACHE_DIRECTORY XDG_CACHE_HOME="$dir/theirs" setpriv --reuid 54321 --regid 54321 --clear-groups \
		slowburn symbolize "$dir/slowburn" 0
	holds index "$output" "made, and kept in $dir/theirs/slowburn"
	equal "whose it is" "$(stat -c '%u %a' "$dir/theirs/slowburn")" "54321 700"
}
