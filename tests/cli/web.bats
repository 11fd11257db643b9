#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The HTTP server, asked by real clients; its supervisor and its readers are played (tests/web/stage.c). docs/HTTP.md is what it is held to.

# shellcheck disable=SC2154 # set by slowburn.bash and web.bash

load slowburn
load web

elsewhere="this server isn't called by that name (Host; serve's --allow-host adds one), or a page of another origin asks"

here() {
	[ "$(id -u)" = 0 ] || skip "needs root: whose a connection is matters here"
}

@test "who has authority: root, a listed uid, whoever shows the token" {
	here
	serve token=s3cret uid=65533
	get /api/v1/status
	equal root "$code" 200
	equal "a listed uid" "$(setpriv --reuid 65533 --clear-groups curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/")" 200
	chmod 777 .
	as_other curl -sS -D its.head -o its.body "http://127.0.0.1:$port/"
	equal status "$(head -1 its.head | tr -d '\r')" "HTTP/1.1 401 Unauthorized"
	holds "how to" "$(cat its.body)" 'be root or in the group "slowburn"'
	holds "how to" "$(cat its.body)" /etc/slowburn/token
	holds challenge "$(cat its.head)" 'WWW-Authenticate: Bearer realm="slowburn"'
	equal Bearer "$(as_other curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer s3cret" "http://127.0.0.1:$port/")" 200
	equal Basic "$(as_other curl -sS -o /dev/null -w '%{http_code}' "http://x:s3cret@127.0.0.1:$port/")" 200
	equal "a wrong one" "$(as_other curl -sS -o /dev/null -w '%{http_code}' -u x:s3creT "http://127.0.0.1:$port/")" 401
	equal "root's wrong one" "$(curl -sS -o /dev/null -w '%{http_code}' -u x:s3creT "http://127.0.0.1:$port/")" 401
	equal open "$(as_other curl -sS "http://127.0.0.1:$port/healthz")" ok
	equal ready "$(as_other curl -sS "http://127.0.0.1:$port/readyz")" ready
	ends_well
}

@test "the token in the URL becomes a cookie, which is one client's only" {
	here
	serve token=s3cret
	chmod 777 .
	as_other curl -sS -D head -o body -c jar "http://127.0.0.1:$port/api/v1/top?from=-2h&token=s3cret&by=comm"
	equal status "$(head -1 head | cut -d' ' -f2)" 303
	equal location "$(field Location)" "/api/v1/top?from=-2h&by=comm"
	holds cookie "$(field Set-Cookie)" "; Path=/; HttpOnly; SameSite=Strict"
	equal "by the cookie" "$(as_other curl -sS -b jar -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/")" 200
	value=$(field Set-Cookie)
	equal "another user's" "$(setpriv --reuid 65533 --clear-groups curl -sS -H "Cookie: ${value%%;*}" -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/")" 401
	get "/?token=wrong"
	equal "root needs none" "$code $(field Location)" "303 /"
	equal "no cookie" "$(field Set-Cookie)" ""
	ends_well
}

@test "a machine without the group is told of none" {
	here
	serve token=s3cret group=
	holds "how to" "$(as_other curl -sS "http://127.0.0.1:$port/")" "be root on this machine, or show the token"
	ends_well
}

@test "another name, another origin, another site's page get nothing" {
	serve token=s3cret host=prof.example uid="$(id -u)"
	for ours in localhost "localhost:$port" 127.0.0.1 '[::1]' prof.example PROF.example:80; do
		get / -H "Host: $ours"
		equal "$ours" "$code" 200
	done
	for theirs in evil.example localhost.evil.example localhost. '' 127.0.0.2 'localhost, evil'; do
		get / -H "Host: $theirs" -u x:s3cret
		equal "Host \"$theirs\"" "$code $(cat body)" "403 $elsewhere"
	done
	get / -H "Origin: http://127.0.0.1:$port"
	equal "our page" "$code" 200
	for theirs in "http://localhost:$port" http://evil.example null "http://127.0.0.1:1"; do
		get / -H "Origin: $theirs" -u x:s3cret
		equal "Origin \"$theirs\"" "$code $(cat body)" "403 $elsewhere"
	done
	for site in cross-site same-site; do
		get /metrics -H "Sec-Fetch-Site: $site" -u x:s3cret
		equal "$site" "$code $(cat body)" "403 $elsewhere"
	done
	get / -H "Sec-Fetch-Site: none"
	equal "typed in" "$code" 200
	equal "no leave to read" "$(field Access-Control-Allow-Origin)" ""
	ends_well
}

@test "who guesses tokens has to wait, and nobody else" {
	here
	serve token=s3cret
	for _ in {1..10}; do
		equal guess "$(as_other curl -sS -o /dev/null -w '%{http_code}' -u x:guess "http://127.0.0.1:$port/")" 401
	done
	equal "the eleventh" "$(as_other curl -sS -o /dev/null -w '%{http_code}' -u x:guess "http://127.0.0.1:$port/")" 429
	equal "the right one" "$(as_other curl -sS -o /dev/null -w '%{http_code}' -u x:s3cret "http://127.0.0.1:$port/")" 429
	equal another "$(setpriv --reuid 65533 --clear-groups curl -sS -o /dev/null -w '%{http_code}' -u x:s3cret "http://127.0.0.1:$port/")" 200
	get /
	equal root "$code" 200
	ends_well
}

@test "an answer is kept, tagged, compressed; a new window makes a new one" {
	serve uid="$(id -u)"
	get "/api/v1/top?from=-1h&by=comm"
	first=$(cat body) tag=$(field ETag)
	holds answer "$first" '"reader":1'
	get "/api/v1/top?by=comm&from=-1h"
	equal "in another order" "$(cat body)" "$first"
	get "/api/v1/top?from=-1h&by=comm" -H "If-None-Match: \"x\", $tag"
	equal unchanged "$code $(cat body)" "304 "
	equal "its tag" "$(field ETag)" "$tag"
	get "/api/v1/top?from=-1h&by=comm" -I
	equal HEAD "$code $(field Content-Length) $(field ETag)" "200 ${#first} $tag" || equal HEAD "$(field Content-Length)" $((${#first} + 1))
	get "/api/v1/top?from=-1h&by=pid"
	holds "another question" "$(cat body)" '"reader":2'
	get "/api/v1/targets"
	holds "where to scrape" "$(cat body)" "\"address\":\"127.0.0.1:$port\""
	get "/api/v1/flamegraph?from=-1h&by=comm"
	holds "another endpoint" "$(cat body)" '"reader":4'
	past="from=2025-01-01T00:00:00Z&to=2025-01-02T00:00:00Z&play=settled"
	get "/api/v1/top?$past"
	settled=$(cat body)
	get "/api/v1/top?play=settled"
	moving=$(cat body)
	echo window >&8
	until_true test "$(metric http_requests_total)" -gt 0
	get "/api/v1/top?from=-1h&by=comm" -H "If-None-Match: $tag"
	equal "after a window" "$code" 200
	[ "$(cat body)" != "$first" ]
	get "/api/v1/top?$past"
	equal "what can't change" "$(cat body)" "$settled"
	get "/api/v1/top?play=settled"
	[ "$(cat body)" != "$moving" ] # its range ends now
	get "/api/v1/top?play=large" -H "Accept-Encoding: gzip;q=0"
	size=$(wc -c < body) sum=$(cksum < body) tag=$(field ETag)
	equal plain "$(field Content-Encoding)" ""
	get "/api/v1/top?play=large" -H "Accept-Encoding: deflate, gzip"
	equal encoding "$(field Content-Encoding)" gzip
	equal content "$(zcat body | cksum)" "$sum"
	[ "$(wc -c < body)" -lt $((size * 7 / 10)) ]
	[ "$(field ETag)" != "$tag" ]
	equal "for caches" "$(field Vary) $(field Cache-Control)" "Accept-Encoding private, no-cache"
	equal "readers of the large one" "$(metric 'http_answers_total{from="cache"}')" 4
	ends_well
}

@test "the same question at the same time is one reader's" {
	serve uid="$(id -u)"
	for i in {1..20}; do
		curl -sS -o "answer.$i" "http://127.0.0.1:$port/api/v1/top?play=slow" &
	done
	wait $(jobs -p | grep -v "$stage")
	equal answers "$(cat answer.* | sort | uniq -c | awk '{ print $1 }')" 20
	equal readers "$(grep -c ^READER stage)" 1
	ends_well
}

@test "what isn't there, isn't asked so, or can't be understood" {
	serve uid="$(id -u)"
	while read -r want path options; do
		# shellcheck disable=SC2086 # options
		get "$path" $options
		equal "$options $path" "$code" "$want"
		equal type "$(field Content-Type)" "text/plain; charset=utf-8"
		equal nosniff "$(field X-Content-Type-Options)" nosniff
		holds policy "$(field Content-Security-Policy)" "default-src 'none'"
		[ "$options" = -I ] || [ "$(wc -w < body)" -gt 1 ]
	done <<- 'END'
		404 /nothing
		404 /api/v1/
		404 /api/v1/top/
		404 /..
		404 /debug/pprof/heap
		404 /debug/pprof/goroutine?debug=2
		405 / -XPOST
		405 /metrics -XDELETE
		405 /healthz -XPUT -d x
		405 /api/v1/top -XOPTIONS
		400 /%
		400 /?a=%00
		400 /api/v1/top?from=yesterday
		400 /api/v1/top?from=now&to=-1h
		400 /api/v1/top?play=refuse
		400 /api/v1/profile?seconds=0
		400 /api/v1/profile?seconds=x
		400 /api/v1/profile?seconds=3601
		400 /api/v1/profile?seconds=1&from=-1h
		400 /debug/pprof/profile?seconds=3601
		400 /debug/pprof/profile?seconds=1&to=now
	END
	get / -XPOST
	equal Allow "$(field Allow)" "GET, HEAD"
	get /debug/pprof/symbol -XDELETE
	equal Allow "$(field Allow)" "GET, HEAD, POST"
	ends_well
}

@test "as net/http/pprof: index, cmdline, symbol, errors that go tool pprof shows" {
	serve uid="$(id -u)"
	get /debug/pprof/
	equal type "$(field Content-Type)" "text/html; charset=utf-8"
	holds index "$(cat body)" "<title>/debug/pprof/</title>"
	for link in $(grep -o 'href="[^"]*"' body | cut -d'"' -f2); do
		[ "$link" = profile ] || get "/debug/pprof/$link"
		equal "$link" "$code" 200
	done
	get /debug/pprof
	equal "without the slash" "$code $(field Location)" "301 /debug/pprof/"
	get /debug/pprof/cmdline
	equal cmdline "$(od -An -c body | tr -d ' \n')" 'slowburn\0serve'
	get /debug/pprof/symbol?0x1000
	equal symbol "$(cat body)" "num_symbols: 0"
	get /debug/pprof/symbol -d 0x1000+0x2000
	equal "symbol by POST" "$(cat body)" "num_symbols: 0"
	get /debug/pprof/heap
	equal heap "$code $(field X-Go-Pprof)" "404 1"
	holds heap "$(cat body)" "Unknown profile"
	get /healthz
	equal "no error, no field" "$(field X-Go-Pprof)" ""
	ends_well
}

@test "go tool pprof: live and from the past, and what it shows of an error" {
	need go
	printf 'app;main;f 100\napp;main;g 50\n' > stacks
	slowburn query stacks --format pprof -o profile.pb.gz > /dev/null
	serve uid="$(id -u)" pprof="$PWD/profile.pb.gz"
	export HOME=$PWD PPROF_TMPDIR=$PWD/pprof
	started=$EPOCHREALTIME
	try go tool pprof -top "http://127.0.0.1:$port/debug/pprof/profile?seconds=1"
	equal status "$status" 0
	holds top "$output" "66.67%"
	took=$(awk "BEGIN { print $EPOCHREALTIME - $started < 3 }")
	equal "within 3 s" "$took" 1
	equal cuts "$(grep -c ^CUT stage)" 2
	equal range "$(grep -c '^READER 1 of \(0[.]9\|1[.]\)' stage)" 1
	try go tool pprof -top "http://127.0.0.1:$port/debug/pprof/profile?from=-1h"
	holds "of the past" "$output" "66.67%"
	try go tool pprof -top "http://127.0.0.1:$port/debug/pprof/heap"
	holds error "$stderr" "Unknown profile"
	get "/debug/pprof/profile?from=-1h"
	equal type "$(field Content-Type)" application/octet-stream
	equal file "$(field Content-Disposition)" 'attachment; filename="profile"'
	equal encoding "$(field Content-Encoding)" ""
	equal content "$(cksum < body)" "$(cksum < profile.pb.gz)"
	ends_well
}

@test "a capture without seconds, or with bad ones, is one of 30; who goes is let go" {
	serve uid="$(id -u)"
	for seconds in '' '?seconds=' '?seconds=x' '?seconds=0' '?seconds=-1' '?seconds=99999999999999999999'; do
		! curl -sS --max-time 0.3 -o /dev/null "http://127.0.0.1:$port/debug/pprof/profile$seconds" 2> /dev/null
	done
	equal begun "$(metric http_captures_total)" 6
	until_true test "$(metric http_captures_left_total)" = 6
	equal now "$(metric 'http_captures ')" 0
	equal cuts "$(grep -c ^CUT stage)" 6
	ends_well
}

@test "50 captures at once: 32 run, 18 are told to come again" {
	serve uid="$(id -u)"
	for i in {1..50}; do
		curl -sS --max-time 15 -o /dev/null -D "head.$i" -w '%{http_code} %{time_total}\n' "http://127.0.0.1:$port/debug/pprof/profile?seconds=1" > "took.$i" &
	done
	wait $(jobs -p | grep -v "$stage")
	equal codes "$(cat took.* | cut -d' ' -f1 | sort | uniq -c | awk '{ printf "%s:%s ", $2, $1 }')" "200:32 429:18 "
	equal "come again" "$(cat head.* | grep -c '^Retry-After: 5')" 18
	# Half of them: what a machine does that is busy with other tests is not ours.
	took=$(cat took.* | awk '$1 == 200 { print $2 }' | sort -n | sed -n 16p)
	equal "within 2 s: $took" "$(awk "BEGIN { print $took >= 1 && $took < 2 }")" 1
	ends_well
}

@test "readers that refuse, die, lie, hang and forge" {
	serve uid="$(id -u)"
	get "/api/v1/top?play=refuse"
	equal refuse "$code $(cat body)" "400 that is no question"
	for play in die lie; do
		get "/api/v1/top?play=$play"
		equal $play "$code" 500
		holds $play "$(cat body)" "could not be answered"
	done
	get "/api/v1/top?play=forge"
	equal "forged type" "$code $(field Content-Type)" "200 application/octet-stream"
	equal "forged name" "$(field Content-Disposition)" 'attachment; filename="a___x___y"'
	! curl -sS --max-time 0.3 -o /dev/null "http://127.0.0.1:$port/api/v1/top?play=hang"
	until_true test "$(metric 'http_readers ')" = 0
	equal left "$(metric http_questions_left_total)" 1
	equal failed "$(metric http_readers_failed_total)" 2
	echo busy >&8
	sleep 0.1
	get "/api/v1/top?a=later"
	equal "the supervisor had too many" "$code" 200
	ends_well
}

@test "too many questions: a queue, and then 503" {
	serve uid="$(id -u)" readers=1 queued=2
	for i in 1 2 3 4 5; do
		curl -sS -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$port/api/v1/top?play=slow&i=$i" > "code.$i" &
		sleep 0.1
	done
	wait $(jobs -p | grep -v "$stage")
	equal codes "$(cat code.* | sort | uniq -c | awk '{ printf "%s:%s ", $2, $1 }')" "200:3 503:2 "
	get "/api/v1/top"
	equal afterwards "$code" 200
	ends_well
}

@test "metrics are Prometheus's, status is JSON" {
	need promtool
	serve uid="$(id -u)"
	get /metrics
	equal type "$(field Content-Type)" "text/plain; version=0.0.4; charset=utf-8"
	try promtool check metrics < body
	equal "promtool: $output $stderr" "$status" 0
	holds "a loss" "$(cat body)" 'slowburn_lost_samples_total{reason="ring buffer full"} 1003'
	holds "a figure" "$(cat body)" 'slowburn_start_time_seconds 1.500000000'
	equal "what isn't known" "$(grep -c slowburn_store_bytes body)" 0
	get /api/v1/status
	equal JSON "$(python3 -c 'import json, sys; s = json.load(sys.stdin); print(s["version"] != "", s["sequence"], s["counters"]["samples"] > 0, s["figures"]["process_up{process=\"agent\"}"])' < body)" "True 1 True 1"
	ends_well
}

@test "requests that are none, too long, or cut in pieces" {
	serve uid="$(id -u)"
	python3 - "$port" <<- 'END'
		import socket, sys
		port = int(sys.argv[1])

		# What comes until `wanted` answers have begun; a request that goes on for ever is broken off.
		def ask(*parts, wanted=1):
		    with socket.create_connection(("127.0.0.1", port), 5) as s:
		        s.settimeout(5)
		        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		        answer = b""
		        try:
		            for part in parts:
		                if part is None:
		                    s.shutdown(socket.SHUT_WR)
		                else:
		                    s.sendall(part)
		            while answer.count(b"HTTP/1.") < wanted:
		                more = s.recv(65536)
		                if not more:
		                    break
		                answer += more
		        except OSError:
		            pass
		        return answer

		host = b"Host: localhost\r\n"
		def status(answer):
		    return answer.split(b" ")[1].decode() if answer.startswith(b"HTTP/1.") else "closed"

		cases = [
		    ("a good one", [b"GET /healthz HTTP/1.1\r\n" + host + b"\r\n"], {"200"}),
		    ("in single bytes", [bytes([b]) for b in b"GET /healthz HTTP/1.1\r\n" + host + b"\r\n"], {"200"}),
		    ("HTTP/1.0 without Host", [b"GET /healthz HTTP/1.0\r\n\r\n"], {"200"}),
		    ("HTTP/1.0, which needs one elsewhere", [b"GET / HTTP/1.0\r\n\r\n"], {"403"}),
		    ("HTTP/1.1 without Host", [b"GET / HTTP/1.1\r\n\r\n"], {"400"}),
		    ("two Hosts", [b"GET / HTTP/1.1\r\n" + host + b"Host: evil.example\r\n\r\n"], {"400"}),
		    ("two tokens", [b"GET / HTTP/1.1\r\n" + host + b"Authorization: Bearer x\r\n" * 2 + b"\r\n"], {"400"}),
		    ("nothing", [None], {"closed"}),
		    ("noise", [bytes(range(256)) * 8, None], {"closed", "400"}),
		    ("a path with a scheme", [b"GET http://localhost/ HTTP/1.1\r\n" + host + b"\r\n"], {"400"}),
		    ("a path of another host", [b"GET //evil/ HTTP/1.1\r\n" + host + b"\r\n"], {"400"}),
		    ("a star", [b"OPTIONS * HTTP/1.1\r\n" + host + b"\r\n"], {"400"}),
		    ("another version", [b"GET / HTTP/9.9\r\n" + host + b"\r\n"], {"closed", "400", "505"}),
		    ("a long path", [b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n" + host + b"\r\n"], {"414"}),
		    ("an endless path", [b"GET /" + b"a" * 300000 + b" HTTP/1.1\r\n", None], {"closed", "414"}),
		    ("a long field", [b"GET / HTTP/1.1\r\n" + host + b"X: " + b"a" * 300000 + b"\r\n\r\n"], {"closed", "431", "413"}),
		    ("many fields", [b"GET / HTTP/1.1\r\n" + host + b"X: a\r\n" * 50000 + b"\r\n"], {"closed", "431", "413"}),
		    ("many parameters", [b"GET /?" + b"a&" * 100 + b" HTTP/1.1\r\n" + host + b"\r\n"], {"414"}),
		    ("a body that doesn't come", [b"POST /debug/pprof/symbol HTTP/1.1\r\n" + host + b"Content-Length: 9\r\n\r\n", None], {"closed"}),
		    ("a large body", [b"POST /debug/pprof/symbol HTTP/1.1\r\n" + host + b"Content-Length: 1000000\r\n\r\n", b"x" * 1000000], {"closed"}),
		    ("a negative length", [b"POST /debug/pprof/symbol HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n"], {"400", "closed"}),
		    ("a bad chunk", [b"POST /debug/pprof/symbol HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"], {"400", "closed"}),
		    ("a NUL in a field", [b"GET /healthz HTTP/1.1\r\n" + host + b"X: a\0b\r\n\r\n"], {"200", "400", "closed"}),
		]
		got = [(what, status(ask(*parts)), sorted(wanted)) for what, parts, wanted in cases]
		bad = [g for g in got if g[1] not in g[2]]
		two = ask(b"GET /healthz HTTP/1.1\r\n" + host + b"\r\n" + b"GET /readyz HTTP/1.1\r\n" + host + b"\r\n", wanted=2)
		if two.count(b"HTTP/1.1 200") != 2:
		    bad.append(("two in one", two, 2))
		for b in bad:
		    print(b)
		sys.exit(bool(bad))
	END
	get /healthz
	equal afterwards "$code" 200
	ends_well
}

@test "200 slow clients are held open, others are served; one user's crowd is no other's" {
	here
	serve token=s3cret
	ulimit -n 4096
	python3 - "$port" <<- 'END'
		import os, socket, sys, time, urllib.request
		port = int(sys.argv[1])

		def crowd(count, uid):
		    if uid:
		        os.seteuid(uid)
		    kept = []
		    for _ in range(count):
		        s = socket.create_connection(("127.0.0.1", port), 5)
		        s.setblocking(False)
		        try:
		            s.send(b"GET / HTTP/1.1\r\nHost: localh")
		        except OSError:
		            pass
		        kept.append(s)
		    if uid:
		        os.seteuid(0)
		    return kept

		def is_open(s):
		    try:
		        return s.recv(1) != b""
		    except BlockingIOError:
		        return True
		    except OSError:
		        return False

		slow = crowd(200, 0)
		others = crowd(300, 65534)
		time.sleep(0.5)
		held = sum(map(is_open, slow)), sum(map(is_open, others))
		took = []
		for _ in range(50):
		    begin = time.monotonic()
		    assert urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/top?from=-1h").status == 200
		    took.append(time.monotonic() - begin)
		print("held", held, "slowest", max(took))
		slow[0].setblocking(True)
		slow[0].settimeout(5)
		slow[0].sendall(b"ost\r\n\r\n")
		assert slow[0].recv(12) == b"HTTP/1.1 200", "a slow one comes to its end"
		assert held == (200, 128), held
		assert max(took) < 0.5, max(took)
	END
	equal refused "$(metric 'http_connections_refused_total{reason="too many of one client"}')" 172
	ends_well
}

@test "a unix socket's peer is known, too" {
	here
	serve unix="$PWD/socket" token=s3cret
	chmod 777 . socket
	equal root "$(curl -sS --unix-socket socket http://localhost/readyz)" ready
	equal root "$(curl -sS --unix-socket socket -o /dev/null -w '%{http_code}' http://localhost/)" 200
	equal another "$(as_other curl -sS --unix-socket "$PWD/socket" -o /dev/null -w '%{http_code}' http://localhost/)" 401
	ends_well
}

@test "it is nobody, and ends with its supervisor" {
	serve uid="$(id -u)"
	web=$(pgrep -P "$stage" -f slowburn-web)
	grep -q '^CapEff:.*0000000000000000$' "/proc/$web/status"
	grep -q '^CapPrm:.*0000000000000000$' "/proc/$web/status"
	grep -q '^Seccomp:.*2$' "/proc/$web/status"
	[ "$(id -u)" != 0 ] || equal uid "$(awk '/^Uid:/ { print $2, $3, $4 }' "/proc/$web/status")" "65528 65528 65528"
	kill -KILL "$stage"
	until_true test ! -e "/proc/$web"
}

@test "another version's web process says so and ends" {
	run serve version=0.0.0
	equal status "$status" 1
	holds log "$(cat stage)" "LOG slowburn-web is version "
	holds log "$(cat stage)" "slowburn 0.0.0: start slowburn again"
	exec 8>&-
}

@test "slowburn-web is nothing to start by hand" {
	run "${SLOWBURN%/*}/slowburn-web"
	equal status "$status" 1
	equal says "$output" "slowburn-web is started by slowburn itself"
}
