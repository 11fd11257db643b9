# SPDX-License-Identifier: Apache-2.0
"""What a sample costs in the interrupt, with its stack, by a stopwatch around the timer (stopwatch.bpf.c).

Each load keeps all CPUs busy; each profiler has it for some seconds, in turns. What an empty BPF program costs there is the
kernel's part, and everybody's: it is taken off, and what is left divided by the user frames of a stack. Those whom the
kernel's frame-pointer walk serves get the same program compiled with frame pointers.
"""
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

import truth
import watch

WARM_HZ, COLD_HZ = 5000, 99
COLD_MIB = 64
SETTLE_S = 2.5  # by then the tables are there
WARM_S, COLD_S = 3, 10

PYTHON = """
import sys, time
end = time.monotonic() + float(sys.argv[1])
def work():
    while time.monotonic() < end:
        table = {}
        for i in range(2000):
            table[f"k{i % 97}"] = table.get(f"k{i % 89}", 0) + i
    return 0
def down(n):
    return max([n - 1], key=down) if n else work()
down(24)
"""


def compile_deep(directory):
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "deep.c")
    for name, flag in (("deep", "-fomit-frame-pointer"), ("deep-fp", "-fno-omit-frame-pointer")):
        subprocess.run(["gcc", "-O2", flag, "-o", os.path.join(directory, name), source], check=True)


class Load:
    """Command lines, one for each CPU, that run for so long and are called `comm`."""

    def __init__(self, name, comm, command, again=False):
        self.name, self.comm, self.command, self.again = name, comm, command, again

    @contextlib.contextmanager
    def running(self, seconds, cpus):
        script = f"while :; do {self.command}; done" if self.again else f"exec {self.command}"
        script = script.replace("SECONDS", str(seconds))
        # A group of its own, that ends with what it started.
        running = [subprocess.Popen(["setsid", "sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                   for _ in range(cpus)]
        try:
            yield
        finally:
            for process in running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def read_stopwatch(command, seconds):
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        if process.stdout.readline() != b"ready\n":
            return None
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
    said = json.loads(out)
    return said if said["runs"] else None


def owner_of(watched):
    return next((pid for pid in watch.tree_of(watched.process.pid) if watch.perf_events([pid])), None)


class Bench:
    def __init__(self, directory, build, slowburn, cpus):
        self.directory, self.slowburn, self.cpus = directory, slowburn, cpus
        self.stopwatch = os.path.join(build, "tests", "bench", "stopwatch")

    def peer(self, kind, load, hz, seconds):
        with load.running(seconds + 5, self.cpus):
            time.sleep(0.5)
            return read_stopwatch([self.stopwatch, load.comm, kind, str(hz)], seconds)

    def tool(self, command, load, seconds, settle):
        with load.running(seconds + settle + 8, self.cpus):
            time.sleep(0.5)
            watched = watch.Watched(command)
            said = None
            if watched.wait_attached():
                time.sleep(settle)
                said = read_stopwatch([self.stopwatch, load.comm, "owner", str(owner_of(watched))], seconds)
            watched.stop()
        return said

    def ours(self, load, hz, seconds):
        out = os.path.join(self.directory, "unwinding.pb.gz")
        said = self.tool([self.slowburn, "profile", "--format", "pprof", "-o", out, "-F", str(hz)], load, seconds, SETTLE_S)
        if not said:
            return None
        samples = [s for s in truth.read_pprof(out).samples if s.comm == load.comm]
        whole = [s for s in samples if s.frames and not s.frames[-1].name.startswith("[truncated")]
        users = sum(s.count * sum(not f.kernel for f in s.frames) for s in samples)
        said["frames"] = users / max(truth.count(samples), 1)
        said["whole_percent"] = 100 * truth.count(whole) / max(truth.count(samples), 1)
        return said

    def one(self, who, load, hz, seconds):
        if who == "slowburn":
            return self.ours(load, hz, seconds)
        if who in ("empty", "walk"):
            return self.peer(who, load, hz, seconds)
        if not shutil.which(who):
            return None
        with tempfile.TemporaryDirectory(dir=self.directory) as scratch:
            commands = {
                "bpftrace": ["bpftrace", "-e", f"profile:hz:{hz} {{ @[ustack] = count(); }}"],
                "perf": ["perf", "record", "-N", "-q", "-F", str(hz), "-a", "--call-graph", "fp", "-o", os.path.join(scratch, "p")],
            }
            return self.tool(commands[who], load, seconds, 0.5)


NAMES = {"slowburn": "slowburn", "empty": "an empty BPF program", "walk": "the kernel's walk (BPF)", "bpftrace": "bpftrace",
         "perf": "perf record -g"}


def measure(bench, say, runs, hz, seconds, table):
    """[(load, who)] → {(load, who): [each run]}, in turns."""
    out = {}
    for _ in range(runs):
        for load, who in table:
            said = bench.one(who, load, hz, seconds)
            if said:
                out.setdefault((load.name, who), []).append(said)
    say(f"  {'load':34} {'':24} {'frames':>7} {'a tick':>9} {'program':>9} {'a frame':>8} {'p99':>8} {'p99.9':>8} {'max':>8}")
    for load, who in table:
        rows = out.get((load.name, who))
        if not rows:
            say(f"  {load.name:34} {NAMES[who]:24} not measured")
            continue
        r = median_row(rows, out.get((load.name, "empty"), []))
        frames = f"{r['frames']:.1f}" if r["frames"] else "-"
        each = f"{r['frame_ns']:.0f} ns" if r.get("frame_ns") else "-"
        say(f"  {load.name:34} {NAMES[who]:24} {frames:>7} {r['mean_ns'] / 1e3:>6.2f} us {r['program_ns'] / 1e3:>6.2f} us {each:>8}"
            f" {r['p99_ns'] / 1e3:>5.1f} us {r['p999_ns'] / 1e3:>5.1f} us {r['max_ns'] / 1e3:>5.0f} us")
    return out


def median_row(rows, empty):
    row = {key: statistics.median(r[key] for r in rows) for key in ("mean_ns", "p50_ns", "p99_ns", "p999_ns", "frames")}
    row["max_ns"] = max(r["max_ns"] for r in rows)
    row["program_ns"] = row["mean_ns"] - (statistics.median(r["mean_ns"] for r in empty) if empty else 0)
    if row["frames"]:
        row["frame_ns"] = row["program_ns"] / row["frames"]
    return row


def value(measured, load, key):
    rows = measured.get((load.name, "slowburn"))
    return median_row(rows, measured.get((load.name, "empty"), []))[key] if rows else None


def run(directory, build, slowburn, cpus, runs, say, goal, source):
    compile_deep(directory)
    bench = Bench(directory, build, slowburn, cpus)
    deep, deep_fp = (os.path.join(directory, name) for name in ("deep", "deep-fp"))
    python = os.path.join(directory, "down.py")
    with open(python, "w", encoding="ascii") as file:
        file.write(PYTHON)
    c = Load("C, 110 calls", "deep", f"{deep} 110 SECONDS 0")
    c_fp = Load("the same with frame pointers", "deep-fp", f"{deep_fp} 110 SECONDS 0")
    cpython = Load("CPython, 24 calls by way of C", "python3", f"python3 {python} SECONDS")
    clang = Load("clang -O2, a large file", "clang", f"clang -O2 -w -c -o /dev/null {source}", again=True)
    say(f"unwinding: what a sample costs, {WARM_HZ} Hz, caches warm; median of {runs}, largest of all")
    warm = measure(bench, say, runs, WARM_HZ, WARM_S,
                   [(c, "empty"), (c, "slowburn"), (cpython, "empty"), (cpython, "slowburn"), (clang, "empty"), (clang, "slowburn"),
                    (c_fp, "empty"), (c_fp, "slowburn"), (c_fp, "walk"), (c_fp, "bpftrace"), (c_fp, "perf")])
    cold10 = Load(f"C, 6 calls, {COLD_MIB} MiB at random", "deep", f"{deep} 6 SECONDS {COLD_MIB}")
    cold100 = Load(f"C, 96 calls, {COLD_MIB} MiB at random", "deep", f"{deep} 96 SECONDS {COLD_MIB}")
    cold_fp = Load("the same with frame pointers", "deep-fp", f"{deep_fp} 96 SECONDS {COLD_MIB}")
    say(f"unwinding: {COLD_HZ} Hz, caches full of the load's memory")
    cold = measure(bench, say, runs, COLD_HZ, COLD_S,
                   [(cold10, "empty"), (cold10, "slowburn"), (cold100, "empty"), (cold100, "slowburn"),
                    (cold_fp, "empty"), (cold_fp, "walk"), (cold_fp, "bpftrace"), (cold_fp, "perf")])
    say("  program: a tick less one of the empty program; a frame: that, divided by the user frames of a stack")
    cold_mean = value(cold, cold10, "program_ns")
    deep_tick = value(cold, cold100, "mean_ns")
    goals = [
        goal("a frame of C, warm", value(warm, c, "frame_ns"), 60, "ns"),
        goal("a frame of CPython, warm", value(warm, cpython, "frame_ns"), 110, "ns"),
        goal("a frame of clang, warm", value(warm, clang, "frame_ns"), 260, "ns"),
        goal("a sample of 10 frames, cold", cold_mean / 1e3 if cold_mean else None, 10, "us"),
        goal("100-frame stacks at 99 Hz, the whole tick", deep_tick * COLD_HZ / 1e7 if deep_tick else None, 0.3, "% of a CPU"),
    ]
    return {"warm": {" / ".join(k): v for k, v in warm.items()}, "cold": {" / ".join(k): v for k, v in cold.items()}, "goals": goals}
