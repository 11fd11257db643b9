# SPDX-License-Identifier: Apache-2.0
"""The HTTP server under wrk, while 200 slow clients are held open and the machine is sampled.

Its supervisor and its readers are played (tests/web/stage.c): what is measured is the web process, not the store. wrk asks as fast as it is
answered, by 50 connections of one thread.
"""
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
import truth  # noqa: E402

SECONDS, SLOW = 30, 200
PAGES = (("a cached answer", "/api/v1/top?from=-1h", (), SECONDS),
         ("a cached answer of 4 MiB, gzip'd", "/api/v1/top?play=large", ("-H", "Accept-Encoding: gzip"), 5),
         ("/metrics, made each time", "/metrics", (), 5))


class Stage:
    """The played supervisor, with a web process."""

    def __init__(self, build, slowburn):
        self.process = subprocess.Popen([os.path.join(build, "tests/web/stage"), slowburn], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("PORT"):
                self.port = int(line.split()[1])
            if line == "READY\n":
                break
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(children, encoding="ascii") as file:
            self.web = int(file.read().split()[0])

    def cpu_s(self):
        with open(f"/proc/{self.web}/stat", encoding="ascii") as file:
            return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        with open(f"/proc/{self.web}/smaps_rollup", encoding="ascii") as file:
            return int(re.search(r"^Pss: +(\d+)", file.read(), re.M)[1]) / 1024

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def hold_slow_ones(port):
    kept = []
    for _ in range(SLOW):
        kept.append(socket.create_connection(("127.0.0.1", port), 5))
        kept[-1].sendall(b"GET / HTTP/1.1\r\nHost: localh")
    return kept


def wrk(url, options, seconds):
    text = subprocess.run(["wrk", "-t1", "-c50", f"-d{seconds}s", "--latency", *options, url], capture_output=True,
                          text=True, check=True).stdout
    found = {"rate": float(re.search(r"Requests/sec: +([\d.]+)", text)[1]), "bad": 0}
    value, unit = re.search(r"99% +([\d.]+)(us|ms|s)", text).groups()
    found["p99_ms"] = float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
    for line in re.findall(r"(?:Non-2xx or 3xx responses|Socket errors): (.*)", text):
        found["bad"] += sum(map(int, re.findall(r"\d+", line)))
    return found


def lost_percent(path):
    profile = truth.read_pprof(path)
    return 100 * truth.lost_in(profile) / truth.count(profile.samples)


def openssl(out, slowburn):
    """What a machine loses that is as busy with something else, at this moment."""
    load = subprocess.Popen(["openssl", "speed", "-seconds", "11", "-multi", str(os.cpu_count()), "sha256"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(0.5)
    subprocess.run([slowburn, "profile", "--duration", "10s", "--format", "pprof", "-o", out], check=True,
                   stdout=subprocess.DEVNULL)
    load.wait()
    return lost_percent(out)


def run(directory, slowburn, build, say, goal, write_json):
    say(f"web: {SLOW} slow clients held open (until they are cut off, after 10 s), the machine sampled; wrk by 50 connections")
    stage, found = Stage(build, slowburn), {}
    out = os.path.join(directory, "profile.pb.gz")
    sampling = subprocess.Popen([slowburn, "profile", "--format", "pprof", "-o", out], stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        base = f"http://127.0.0.1:{stage.port}"
        for what, path, options, seconds in PAGES:
            urllib.request.urlopen(base + path).read()
            slow, before = hold_slow_ones(stage.port), stage.cpu_s()
            figures = wrk(base + path, options, seconds)
            figures["cpu_us"] = (stage.cpu_s() - before) / figures["rate"] / seconds * 1e6
            found[what] = figures
            for s in slow:
                s.close()
            say(f"  {what:36} {figures['rate']:9.0f} requests/s, 99 of 100 within {figures['p99_ms']:.2f} ms, "
                f"{figures['cpu_us']:.1f} µs of CPU each")
        found["memory_mib"] = stage.memory_mib()
    finally:
        sampling.terminate()
        sampling.wait()
        stage.end()
    found["lost_percent"] = lost_percent(out)
    found["lost_beside_openssl_percent"] = openssl(out, slowburn)
    goal("requests/s, cached", found[PAGES[0][0]]["rate"], 2000, "", at_least=True)
    goal("requests that failed", sum(f["bad"] for f in found.values() if isinstance(f, dict)), 0, "")
    say(f"  samples lost meanwhile: {found['lost_percent']:.3f} %; while openssl keeps all CPUs busy for 10 s: "
        f"{found['lost_beside_openssl_percent']:.3f} %")
    goal("samples lost, beyond those beside openssl", found["lost_percent"] - found["lost_beside_openssl_percent"], 0.2, "%")
    goal("memory of the web process (PSS)", found["memory_mib"], 32, "MiB")
    write_json("web", found)
