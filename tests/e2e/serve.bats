#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# slowburn serve as it is run: windows come into the store, whoever is killed is there again, and it ends in time. One server for most of
# it, whose log tells what happened.

# shellcheck disable=SC2154 # set by capture.bash

load capture

setup_file() {
	need_root
	only_slowburn
	export dir=$BATS_FILE_TMPDIR
	serve_begin
}

setup() {
	need_root
	only_slowburn
}

teardown_file() {
	[ ! -e "$dir/pid" ] || kill -KILL "$(cat "$dir/pid")" 2> /dev/null || true
	[ ! -e "$dir/load" ] || kill -KILL "$(cat "$dir/load")" 2> /dev/null || true
}

# serve_begin [OPTION...]: returns when it is ready; its address is in $dir/address.
serve_begin() {
	setpriv --pdeathsig KILL "$SLOWBURN" serve --config /dev/null --listen 127.0.0.1:0 --store "$dir/store" --token-file "$dir/token" \
		"$@" > "$dir/log" 2>&1 3>&- &
	echo $! > "$dir/pid"
	within 10 grep -q event=ready "$dir/log" || {
		cat "$dir/log"
		return 1
	}
	sed -n 's/.*address=\(127[^ ]*\).*/\1/p' "$dir/log" > "$dir/address"
}

# within SECONDS COMMAND...
within() {
	local i seconds=$1
	shift
	for ((i = 0; i < seconds * 20; i++)); do
		"$@" > /dev/null 2>&1 && return 0
		sleep 0.05
	done
	echo "not within $seconds s: $*"
	return 1
}

# The process of a role: a child of the server's.
role() {
	ps -o pid=,args= --ppid "$(cat "$dir/pid")" | awk -v role="$1" '$2 ~ /slowburn-web$/ && role == "web" || $3 == role { print $1; exit }'
}

ask() {
	curl -sS -m 10 "http://$(cat "$dir/address")$1" "${@:2}"
}

# figure NAME: of /metrics.
figure() {
	ask /metrics | awk -v name="$1" '$1 == name { print $2 }'
}

figure_is() {
	[ "$(figure "$1")" = "$2" ]
}

# is_stored COMM: `slowburn query` finds it in the store of the running server.
is_stored() {
	"$SLOWBURN" query --store "$dir/store" --format collapsed --root comm | grep -q "^comm: $1;"
}

@test "what runs is in the store after a window, and over HTTP" {
	local copy=$dir/treadmill
	cp "$(command -v bash)" "$copy"
	"$copy" -c 'while :; do :; done' 3>&- &
	echo $! > "$dir/load"
	within 15 is_stored treadmill
	# A capture: cut when it begins and when it ends.
	ask "/debug/pprof/profile?seconds=1" -o "$dir/capture.pb.gz" -w '%{http_code}' | grep -x 200
	"$SLOWBURN" query "$dir/capture.pb.gz" --format collapsed --root comm | grep -q '^comm: treadmill;'
	kill -KILL "$(cat "$dir/load")"
	rm "$dir/load"
}

@test "each process has its own uid, and nobody but the sampler's crew is raised above others" {
	local name uid nice
	while read -r name uid nice; do
		case $name in
		web) [ "$uid $nice" = "65528 0" ] ;;
		storekeeper) [ "$uid $nice" = "65529 0" ] ;;
		agent) [ "$uid $nice" = "65522 -10" ] ;;
		esac || { echo "$name: uid $uid, nice $nice"; return 1; }
	done < <(for name in agent storekeeper web; do echo "$name $(ps -o uid=,ni= -p "$(role $name)")"; done)
	[ "$(stat -c '%u %a' "$dir/store")" = "65529 750" ]
	[ "$(stat -c '%a' "$dir/token")" = 640 ]
}

@test "whoever is killed is started again, and the others go on" {
	local name before
	for name in agent storekeeper web; do
		before=$(role $name)
		kill -KILL "$before"
		within 5 grep -q "event=process-started .*role=$name starts=2" "$dir/log"
		[ "$(role $name)" != "$before" ]
	done
	figure_is 'slowburn_process_restarts_total{process="agent"}' 1
	figure_is 'slowburn_process_restarts_total{process="storekeeper"}' 1
	figure_is 'slowburn_process_restarts_total{process="web"}' 1
	# A window goes all the way again.
	ask "/debug/pprof/profile?seconds=1" -o "$dir/again.pb.gz" -w '%{http_code}' | grep -x 200
	grep -q 'msg="the agent was ended by signal 9 (Killed)" role=agent wait_s=0' "$dir/log"
}

@test "without an agent what is stored can be read, and the status says so" {
	local agent
	agent=$(role agent)
	kill -STOP "$(cat "$dir/pid")" # so that it is not started again meanwhile
	kill -KILL "$agent"
	kill -CONT "$(cat "$dir/pid")"
	ask "/api/v1/labels?from=-1h" -o /dev/null -w '%{http_code}' | grep -x 200
	within 10 figure_is 'slowburn_process_up{process="agent"}' 1
}

@test "a second server on the store is refused" {
	run "$SLOWBURN" serve --config /dev/null --listen 127.0.0.1:0 --store "$dir/store" --token-file "$dir/token"
	[ "$status" = 1 ]
	[[ $output == *"slowburn: another slowburn writes this store: it has its lock"* ]]
	run "$SLOWBURN" serve --config /dev/null --listen "$(cat "$dir/address")" --store "$dir/other" --token-file "$dir/token"
	[ "$status" = 1 ]
	[[ $output == *"cannot listen on"*"Address already in use"* ]]
	ask /readyz | grep -q .
}

@test "a folder that is no store is left alone" {
	mkdir "$dir/home"
	touch "$dir/home/letter"
	run "$SLOWBURN" serve --config /dev/null --listen 127.0.0.1:0 --store "$dir/home" --token-file "$dir/token"
	[ "$status" = 1 ]
	[ "$(stat -c '%u' "$dir/home" "$dir/home/letter" | sort -u)" = 0 ]
}

@test "SIGHUP is answered in the log, SIGTERM within 2 s, and all that was stored is whole" {
	local pid start end status=0
	pid=$(cat "$dir/pid")
	kill -HUP "$pid"
	within 3 grep -q event=reload "$dir/log"
	start=$(date +%s%N)
	kill -TERM "$pid"
	within 5 grep -q event=stopped "$dir/log"
	end=$(date +%s%N)
	echo "# $(((end - start) / 1000000)) ms"
	[ $(((end - start) / 1000000)) -lt 2000 ]
	within 2 [ ! -e "/proc/$pid/exe" ]
	rm "$dir/pid"
	"$SLOWBURN" store verify "$dir/store" | grep -q ' 0 damaged'
	[ "$(pgrep -c -u 65522,65528,65529 -f "$dir" || true)" = 0 ]
}

@test "systemd is told, a socket of its is listened on, and a unix socket is the group's" {
	local status=0
	rm -f "$dir/notes"
	python3 - "$dir" "$SLOWBURN" << 'EOT'
import os, signal, socket, subprocess, sys, time
folder, slowburn = sys.argv[1:]
notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notes.bind("\0slowburn-e2e-%d" % os.getpid())
notes.settimeout(15)
web = socket.create_server(("127.0.0.1", 0))
env = dict(os.environ, NOTIFY_SOCKET="@slowburn-e2e-%d" % os.getpid(), WATCHDOG_USEC="400000", LISTEN_FDS="1")
def become_service():
    os.dup2(web.fileno(), 3, inheritable=True)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execve("/bin/sh", ["sh", "-c", 'LISTEN_PID=$$ exec "$0" serve --config /dev/null --store "$1/store" --token-file "$1/token" --log-format json 2> "$1/log"', slowburn, folder], env)
p = subprocess.Popen(["true"], preexec_fn=become_service, pass_fds=[3])
said = []
while "WATCHDOG=1" not in said:
    said.append(notes.recv(4096).decode())
assert said[0] == "READY=1", said
port = web.getsockname()[1]
out = subprocess.run(["curl", "-sS", "-m", "5", "http://127.0.0.1:%d/healthz" % port, "-o", "/dev/null", "-w", "%{http_code}"], capture_output=True, text=True).stdout
assert out == "200", out
p.send_signal(signal.SIGTERM)
while "STOPPING=1" not in said:
    said.append(notes.recv(4096).decode())
assert p.wait(5) == 0, p.returncode
EOT
	python3 -c 'import json, sys; [json.loads(line) for line in open(sys.argv[1])]' "$dir/log"
	serve_begin --listen "unix:$dir/http"
	[ "$(stat -c %a "$dir/http")" = 660 ]
	curl -sS -m 5 --unix-socket "$dir/http" http://localhost/healthz -o /dev/null -w '%{http_code}' | grep -x 200
	kill -TERM "$(cat "$dir/pid")"
	within 3 [ ! -e "$dir/http" ]
}
