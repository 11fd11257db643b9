# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Loaded by web.bats: starts a web process with all that it speaks with, played (tests/web/stage.c), and asks it.

# shellcheck disable=SC2154 # set by slowburn.bash

# serve OPTION...: sets $port. What it prints is in ./stage; what is written to descriptor 8 is told it.
serve() {
	local i
	cp "${SLOWBURN%/*}/slowburn-web" "$dir/slowburn-web"
	mkfifo commands
	"${SLOWBURN%/*}/tests/web/stage" "$dir/slowburn" "$@" < commands > stage 2>&1 3>&- &
	stage=$!
	exec 8> commands
	for ((i = 0; i < 100; i++)); do
		! grep -qE '^(READY|GONE)$' stage || break
		sleep 0.05
	done
	port=$(awk '/^PORT/ { print $2 }' stage)
	grep -q '^READY$' stage
}

# The web process ends when its supervisor lets go, and has not ended before.
ends_well() {
	exec 8>&-
	wait "$stage"
	equal "its last words" "$(tail -1 stage)" END
}

# get PATH [curl options]: sets $code, and ./body and ./head.
get() {
	local path=$1
	shift
	: > body
	code=$(curl -sS --path-as-is --max-time 20 -o body -D head -w '%{http_code}' "$@" "http://127.0.0.1:$port$path")
	echo "# $path: $code $(head -c 300 body | tr -d '\0')"
}

as_other() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

# field NAME: of the last answer's header.
field() {
	sed -n "s/^$1: \(.*\)\r\$/\1/Ip" head
}

# The sum of a metric's values.
metric() {
	curl -sS "http://127.0.0.1:$port/metrics" | awk -v m="slowburn_$1" 'index($0, m) == 1 { n += $NF } END { print n + 0 }'
}

# Until COMMAND holds, for 5 s.
until_true() {
	local i
	for ((i = 0; i < 100; i++)); do
		! "$@" || return 0
		sleep 0.05
	done
	echo "never came true: $*"
	return 1
}
