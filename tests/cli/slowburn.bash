# SPDX-License-Identifier: Apache-2.0
#
# What all tests of the command line share: a folder of their own, the program, and assertions that
# say both values.

bats_require_minimum_version 1.5.0

# An own copy in an own folder: others than us must be able to get at both.
setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/slowburn-cli.XXXXXX")
	chmod 755 "$dir"
	cp "${SLOWBURN:?}" "$dir/slowburn"
	chmod 755 "$dir/slowburn"
	mkdir "$dir/cwd"
	cd "$dir/cwd" || return 1
	unset SUDO_UID SUDO_GID SUDO_USER SLOWBURN_TIMING NO_COLOR ARGP_HELP_FMT
	PATH=$dir:$PATH
	no_cache_of_others
}

# Nothing is found that another test or another build has left, and who isn't us has no place for it.
no_cache_of_others() {
	mkdir -m 700 "$dir/private"
	export CACHE_DIRECTORY=$dir/private/cache
}

teardown() {
	local job
	for job in $(jobs -p); do kill -KILL "$job" 2> /dev/null || true; done
	cd / || return 1
	if mountpoint -q "${dir:?}/full"; then umount "$dir/full"; fi
	rm -rf "${dir:?}"
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

need() {
	command -v "$1" > /dev/null || skip "needs $1"
}

# equal WHAT IS SHOULD
equal() {
	[ "$2" = "$3" ] || {
		printf '%s: is "%s", should be "%s"\n' "$1" "$2" "$3"
		return 1
	}
}

# holds WHAT TEXT PART
holds() {
	[[ $2 == *"$3"* ]] || {
		printf '%s: is "%s", should hold "%s"\n' "$1" "$2" "$3"
		return 1
	}
}

# try COMMAND...: sets $status, $output and $stderr.
try() {
	run --separate-stderr "$@"
	local words="$*"
	# shellcheck disable=SC2154 # bats sets them
	echo "# ${words:0:200}: status $status, stdout \"${output:0:300}\", stderr \"${stderr:0:600}\""
}

# The last try failed with this status and one sentence that holds this.
refused() {
	equal "exit status" "$status" "$1" || return 1
	holds "standard error" "$stderr" "$2" || return 1
	equal "lines on standard error" "$(wc -l <<< "$stderr")" 1 || return 1
	holds "its beginning" "${stderr:0:10}" "slowburn: "
}

# What lies in this folder, hidden files too.
files() {
	find "${1:-.}" -mindepth 1 -maxdepth 1 -printf '%f ' | tr ' ' '\n' | sort | tr '\n' ' '
}

is_pprof() {
	[ "$(head -c 2 "$1" | od -An -tx1)" = " 1f 8b" ] && gzip -t "$1"
}

