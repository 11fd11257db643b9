# SPDX-License-Identifier: Apache-2.0
"""Measures slowburn beside perf, bpftrace and bcc, on the same load in the same run (`make bench`).

mixed       gcc, python3, openssl and node; what each profiler costs, from its start to its symbolized answer
saturation  every CPU busy for 10 s: nothing lost, all CPU time there
lockstep    work that repeats at the sampling rate: ten runs, rms z
unwinding   what a sample costs in the interrupt, with its stack; see unwinding.py
names       lines and inlined functions beside llvm-symbolizer, addr2line and eu-addr2line; see names.py
storm       processes that live some 10 ms: how many of their samples are complete
memory      of all its processes and in the kernel, beside a hundred binaries; see footprint.py
steady      its own CPU time, when the first seconds are over
serve       what serve costs over STEADY_MINUTES (30) on a busy machine, and wake-ups on an idle one; see served.py
web         the HTTP server under wrk, with slow clients held open; see web.py
compiler    how fast unwind tables are made, of the largest files and of all that there are

Tables on stdout, all numbers in BUILD/bench/*.json. N (3) runs each, tools taking turns; medians are shown.
Needs root. BUILD (build): where slowburn is. SQLITE3_C: compile this file in the mixed load and not a
generated one (csource.py). ONLY: the parts to run. STRICT=1: a missed goal is exit status 1.
"""
import collections
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "e2e")]
import footprint  # noqa: E402
import names  # noqa: E402
import served  # noqa: E402
import store  # noqa: E402
import truth  # noqa: E402
import unwinding  # noqa: E402
import watch  # noqa: E402
import web  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
SLOWBURN = os.environ.get("SLOWBURN", os.path.join(BUILD, "slowburn"))
WORKLOADS = os.environ.get("WORKLOADS", os.path.join(BUILD, "tests", "workload"))
COMPILER = os.path.join(BUILD, "tests", "bench", "compiler")
INSTALLED = ("/usr", "/opt")
RUNS = int(os.environ.get("N", "3"))
LOCKSTEP_RUNS = int(os.environ.get("LOCKSTEP_N", "10"))
CPUS = len(os.sched_getaffinity(0))
HZ = 99
MISSED = []


def say(text=""):
    print(text, flush=True)


def goal(what, value, limit, unit, at_least=False):
    """One line: the result, the goal, met or missed."""
    if value is None:
        met, shown = False, "not measured"
    else:
        met = value >= limit if at_least else value <= limit
        shown = f"{value:.4g} {unit}"
    say(f"  {'met   ' if met else 'MISSED'}  {what:58} {shown:>14}  (goal {'>=' if at_least else '<='} {limit:g} {unit})")
    if not met:
        MISSED.append(what)
    return {"what": what, "value": value, "goal": limit, "unit": unit, "met": met}


def write_json(name, content):
    directory = os.path.join(BUILD, "bench")
    os.makedirs(directory, exist_ok=True)
    machine = {"kernel": os.uname().release, "cpus": CPUS, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    with open(os.path.join(directory, f"{name}.json"), "w", encoding="utf-8") as file:
        json.dump({"machine": machine, **content}, file, indent=1)
        file.write("\n")


def median_of(runs, key):
    values = [r[key] for r in runs if r.get(key) is not None]
    return statistics.median(values) if values else None


# ---------------------------------------------------------------- the profilers


class Slowburn:
    name = "slowburn"

    def __init__(self, directory):
        self.out = os.path.join(directory, "slowburn.pb.gz")
        self.log = os.path.join(directory, "slowburn.log")

    def missing(self):
        return None if os.access(SLOWBURN, os.X_OK) else f"no {SLOWBURN}"

    def start(self, *options):
        if os.path.exists(self.out):
            os.unlink(self.out)
        with open(self.log, "wb") as log:
            return watch.Watched([SLOWBURN, "profile", "--format", "pprof", "-o", self.out, *options],
                                 {"SLOWBURN_TIMING": "1"}, stderr=log)

    def timing(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", " ".join(
                line for line in file if line.startswith("timing:")))}

    def answer(self, watched):
        """After the end: samples, lost, when the first sample was; may add to what the tool cost."""
        profile, timing = truth.read_pprof(self.out), self.timing()
        said = {"samples": truth.count(profile.samples), "lost": truth.lost_in(profile), "timing": timing}
        if timing.get("first_sample_ns"):
            said["first_sample_ms"] = (timing["first_sample_ns"] - watched.start_ns) / 1e6
            said["answer_ms"] = (timing["answer_ns"] - timing["capture_end_ns"]) / 1e6
            span = timing["capture_end_ns"] - timing["first_sample_ns"]
            said["capture_cpu_percent"] = 100 * timing["capture_cpu_ns"] / span
            if watched.bpf_ns:
                said["capture_with_bpf_percent"] = said["capture_cpu_percent"] + 100 * watched.bpf_s * 1e9 / span
        return said


class Perf:
    name = "perf -g + script"

    def __init__(self, directory):
        self.out = os.path.join(directory, "perf.perf")

    def missing(self):
        return None if shutil.which("perf") else "perf is not installed"

    def start(self):
        return watch.Watched(["perf", "record", "-N", "-q", "-F", str(HZ), "-k", "CLOCK_MONOTONIC", "-a", "-g", "-o", self.out])

    def answer(self, watched):
        begin = time.monotonic_ns()
        # -N: no copies of binaries into ~/.debug. --no-inline: otherwise perf runs addr2line for every address, many times the cost
        script = watch.Watched(["perf", "script", "--no-inline", "-i", self.out])
        script.wait()
        watched.cpu_s += script.cpu_s
        watched.pss_peak = max(watched.pss_peak, script.pss_peak)
        watched.rss_peaks.update(script.rss_peaks)
        watched.end_ns += script.end_ns - begin
        times = subprocess.run(["perf", "script", "--ns", "-F", "time", "-i", self.out], check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode().split()
        first = min(float(t.rstrip(":")) for t in times if re.fullmatch(r"[\d.]+:", t))
        stats = subprocess.run(["perf", "report", "--stats", "-i", self.out], check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
        lost = re.search(r"LOST_SAMPLES events:\s+(\d+)", stats) or re.search(r"LOST events:\s+(\d+)", stats)
        return {"samples": truth.count(truth.read_perf(self.out).samples), "lost": int(lost[1]) if lost else 0,
                "first_sample_ms": first * 1e3 - watched.start_ns / 1e6}


class Bpftrace:
    name = "bpftrace"

    def __init__(self, directory):
        self.out = os.path.join(directory, "bpftrace.out")

    def missing(self):
        return None if shutil.which("bpftrace") else "bpftrace is not installed"

    def start(self):
        with open(self.out, "wb") as out:
            return watch.Watched(["bpftrace", "-e", f"profile:hz:{HZ} {{ @[kstack, ustack, comm] = count(); }}"], stdout=out)

    def answer(self, _):
        with open(self.out, encoding="utf-8", errors="replace") as file:
            text = file.read()
        counts = [int(n) for comm, n in re.findall(r", ([^\n]*)\]: (\d+)$", text, re.M) if not comm.startswith("swapper/")]
        return {"samples": sum(counts), "lost": None}


class Bcc:
    name = "bcc profile"

    def __init__(self, directory):
        self.out = os.path.join(directory, "bcc.out")

    def missing(self):
        if not shutil.which("profile-bpfcc"):
            return "bcc is not installed"
        if not os.path.exists(f"/lib/modules/{os.uname().release}/build") and not os.path.exists("/sys/kernel/kheaders.tar.xz"):
            return "bcc can't run: it compiles against kernel headers, and there are none for this kernel"
        return None

    def start(self):
        with open(self.out, "wb") as out:
            return watch.Watched(["profile-bpfcc", "-F", str(HZ), "-f"], stdout=out)

    def answer(self, _):
        with open(self.out, encoding="utf-8", errors="replace") as file:
            return {"samples": sum(int(n) for n in re.findall(r" (\d+)$", file.read(), re.M)), "lost": None}


# ---------------------------------------------------------------- mixed load


def compile_input(directory):
    given = os.environ.get("SQLITE3_C")
    if given:
        return given, f"gcc compiles {given}"
    path = os.path.join(directory, "large.c")
    with open(path, "wb") as out:
        subprocess.run([sys.executable, os.path.join(HERE, "csource.py"), "--functions", "1200"], stdout=out, check=True)
    with open(path, "rb") as file:
        lines = sum(1 for _ in file)
    return path, f"gcc compiles {lines} generated lines (SQLITE3_C=/path/to/sqlite3.c for the real thing)"


def mixed_once(tool, source):
    """The load has the machine when the profiler starts, and the profiler is told to stop when the load ends."""
    load = subprocess.Popen([sys.executable, os.path.join(HERE, "load.py"), source], stdout=subprocess.PIPE)
    time.sleep(0.5)
    watched = tool.start()
    said = json.loads(load.communicate()[0])
    status = watched.stop()
    busy = watched.busy_after[0] - watched.busy_before[0]
    out = tool.answer(watched)
    out.update({
        "status": status, "cpu_s": watched.cpu_s, "bpf_s": watched.bpf_s, "total_cpu_s": watched.cpu_s + watched.bpf_s,
        "end_to_answer_ms": (watched.end_ns - watched.stop_ns) / 1e6, "pss_mib": watched.pss_peak / 2**20,
        "rss_mib": watched.rss_peak / 2**20, "cpu_ms_per_1000_samples": 1e6 * (watched.cpu_s + watched.bpf_s) / max(out["samples"], 1),
        "coverage_percent": 100 * out["samples"] / (busy / 1e9 * HZ), "left_behind": watched.left_behind,
        "load": said, "steal_s": (watched.busy_after[1] - watched.busy_before[1]) / 1e9,
    })
    return out


def mixed(directory):
    source, what = compile_input(directory)
    say(f"mixed load: gcc, python3, openssl, node on {CPUS} CPUs; {what}")
    tools = [kind(directory) for kind in (Slowburn, Perf, Bpftrace, Bcc)]
    runs, absent = collections.defaultdict(list), {}
    for tool in tools:
        if tool.missing():
            absent[tool.name] = tool.missing()
    with watch.bpf_statistics() as counted:
        for _ in range(RUNS):
            for tool in tools:
                if tool.name not in absent:
                    runs[tool.name].append(mixed_once(tool, source))
    say(f"  {'median of ' + str(RUNS):18} {'CPU s':>7} {'+ BPF s':>8} {'= all s':>8} {'ms/1000':>8} {'1st sample':>11} {'end→answer':>11}"
        f" {'PSS':>9} {'samples':>8} {'of busy':>8} {'lost':>5}")

    def cell(value, form, width):
        return f"{'-' if value is None else form.format(value):>{width}}"

    for tool in tools:
        if tool.name in absent:
            say(f"  {tool.name:18} {absent[tool.name]}")
            continue
        r = runs[tool.name]
        say(f"  {tool.name:18} {cell(median_of(r, 'cpu_s'), '{:.3f}', 7)} {cell(median_of(r, 'bpf_s'), '{:.3f}', 8)}"
            f" {cell(median_of(r, 'total_cpu_s'), '{:.3f}', 8)} {cell(median_of(r, 'cpu_ms_per_1000_samples'), '{:.0f}', 8)} {cell(median_of(r, 'first_sample_ms'), '{:.0f} ms', 11)}"
            f" {cell(median_of(r, 'end_to_answer_ms'), '{:.0f} ms', 11)} {cell(median_of(r, 'pss_mib'), '{:.1f} MiB', 9)}"
            f" {cell(median_of(r, 'samples'), '{:.0f}', 8)} {cell(median_of(r, 'coverage_percent'), '{:.1f} %', 8)}"
            f" {cell(median_of(r, 'lost'), '{:.0f}', 5)}")
    load_cpu = statistics.median(x["load"]["cpu_s"] for r in runs.values() for x in r) if runs else 0
    say(f"  the load itself: {load_cpu:.1f} CPU s; ms/1000: CPU ms for 1000 samples; of busy: samples in the CPU time since the tool's start x {HZ} Hz"
        + ("" if counted else "; the kernel didn't count BPF time"))
    mine = runs.get("slowburn", [])
    goals = [
        goal("CPU of all processes and BPF, start to symbolized answer", median_of(mine, "total_cpu_s"), 0.3, "s"),
        goal("CPU between first sample and end, processes", median_of(mine, "capture_cpu_percent"), 0.5, "% of a CPU"),
        goal("start to first sample, machine busy", median_of(mine, "first_sample_ms"), 150, "ms"),
        goal("end to answer (told to stop, to exit)", median_of(mine, "end_to_answer_ms"), 300, "ms"),
        goal("PSS of all processes, peak seen", median_of(mine, "pss_mib"), 40, "MiB"),
        goal("peak RSS of all processes, summed (at least their PSS)", median_of(mine, "rss_mib"), 40, "MiB"),
        goal("samples lost", median_of(mine, "lost"), 0, ""),
    ]
    if mine and mine[0].get("capture_with_bpf_percent") is not None:
        say(f"          with the time in BPF programs {median_of(mine, 'capture_with_bpf_percent'):.2f} % of a CPU between first sample and end")
    for r in mine:
        if r["left_behind"]:
            say(f"  PROBLEM slowburn left processes behind: {r['left_behind']}")
            MISSED.append("processes left behind")
    write_json("mixed", {"load": what, "runs": runs, "absent": absent, "goals": goals})


# ---------------------------------------------------------------- both at once


def beside(directory, name, work, slowburn_options=()):
    """slowburn and perf record over the same time around work(); returns (profile, perf's), None if there is none."""
    perf, slowburn = Perf(directory), Slowburn(directory)
    perf.out = os.path.join(directory, f"{name}.perf")
    slowburn.out = os.path.join(directory, f"{name}.pb.gz")
    started = []
    for tool, options in ((perf, ()), (slowburn, slowburn_options)):
        if not tool.missing():
            watched = tool.start(*options)
            started.append((tool, watched))
            if not watched.wait_attached():
                raise SystemExit(f"{tool.name} didn't start")
    work()
    out = {}
    for tool, watched in reversed(started):
        watched.stop()
        if tool is perf:
            out[tool] = truth.read_perf(perf.out)
        elif watched.process.returncode == 0:
            out[tool] = truth.read_pprof(slowburn.out)
        else:
            with open(slowburn.log, encoding="utf-8", errors="replace") as log:
                raise SystemExit(f"slowburn ended with {watched.process.returncode}: {log.read()}")
    return out.get(slowburn), out.get(perf)


def saturation(directory):
    say(f"saturation: {CPUS} CPUs busy for 10 s")
    slowburn, runs = Slowburn(directory), []
    for _ in range(RUNS if not slowburn.missing() else 0):
        load = subprocess.Popen([os.path.join(WORKLOADS, "saturate"), "12"], stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        watched = slowburn.start("--duration", "10s")
        watched.look_at_programs()
        steal = watched.busy_before[1]
        watched.wait()
        steal = watch.busy_ns()[1] - steal
        load.wait()
        profile = truth.read_pprof(slowburn.out)
        cpu_ns = sum(s.cpu_ns for s in profile.samples)
        runs.append({
            "samples": truth.count(profile.samples), "duration_s": profile.duration_ns / 1e9, "steal_s": steal / 1e9,
            "rate_hz": truth.count(profile.samples) / (CPUS * profile.duration_ns / 1e9), "lost": truth.lost_in(profile),
            "ratio": cpu_ns / (CPUS * profile.duration_ns), "ratio_less_steal": cpu_ns / (CPUS * profile.duration_ns - steal),
            "first_sample_ms": slowburn.answer(watched).get("first_sample_ms"),
            "exit_after_end_ms": (watched.end_ns - slowburn.timing().get("capture_end_ns", watched.end_ns)) / 1e6,
        })
        r = runs[-1]
        say(f"  {r['samples']} samples in {r['duration_s']:.3f} s: {r['rate_hz']:.2f} Hz a CPU; cpu-ns / (CPUs x time)"
            f" {r['ratio']:.4f}, less {r['steal_s']:.2f} s stolen {r['ratio_less_steal']:.4f}; lost {r['lost']};"
            f" answer {r['exit_after_end_ms']:.0f} ms after the end")
    worst = max((abs(r["ratio_less_steal"] - 1) for r in runs), default=None)
    goals = [
        goal("samples lost, every run", max((r["lost"] if r["lost"] is not None else 10**9 for r in runs), default=None), 0, ""),
        goal("CPU time off CPUs x time, worst run", None if worst is None else 100 * worst, 1, "%"),
        goal("end to answer of a 10 s profile", median_of(runs, "exit_after_end_ms"), 300, "ms"),
    ]
    write_json("saturation", {"runs": runs, "goals": goals})


def lockstep(directory):
    say(f"lockstep: bursts on a 99 Hz grid, {LOCKSTEP_RUNS} runs of 5 s, perf over the same time")
    zs, rows = collections.defaultdict(list), []
    for i in range(LOCKSTEP_RUNS):
        said = os.path.join(directory, "bursts.json")

        def work(cpu=i % CPUS, path=said):
            with open(path, "wb") as out:
                subprocess.run([os.path.join(WORKLOADS, "bursts"), "5", str(cpu)], stdout=out, check=True)

        row = {}
        for name, profile in zip(("slowburn", "perf"), beside(directory, "bursts", work)):
            if profile:
                row[name] = truth.lockstep_z(profile, truth.read_truth(said), HZ)
                zs[name] += row[name].values()
        rows.append(row)
    for name, values in zs.items():
        say(f"  {name:10} rms z {truth.rms(values):7.2f}   largest |z| {max(map(abs, values)):.2f}   of {len(values)}: "
            + " ".join(f"{z:+.1f}" for z in values))
    mine = zs.get("slowburn")
    goals = [goal(f"rms z over {LOCKSTEP_RUNS} runs", truth.rms(mine) if mine else None, 1.3, "")]
    write_json("lockstep", {"runs": rows, "rms": {n: truth.rms(v) for n, v in zs.items()}, "goals": goals})


STORM_COMMS = {"cc1", "as", "gcc", "make", "sh", "collect2", "ld"}


def storm(directory):
    say("storm: make -j over 400 small C files; of the samples of its processes, how many have their binary and, where a")
    say("  symbol covers it, their leaf function; perf over the same time")
    tree, runs = os.path.join(directory, "storm"), collections.defaultdict(list)
    subprocess.run([sys.executable, os.path.join(HERE, "csource.py"), "--files", "400", "--directory", tree], check=True)
    for i in range(RUNS):
        def work():
            subprocess.run(["make", "-s", "-C", tree, "clean"], check=True, stdout=subprocess.DEVNULL)
            subprocess.run(["make", "-s", f"-j{CPUS}", "-C", tree], check=True, stdout=subprocess.DEVNULL)

        for name, profile in zip(("slowburn", "perf"), beside(directory, f"storm-{i}", work)):
            if profile:
                c = truth.completeness(profile, STORM_COMMS)
                runs[name].append({"samples": c.samples, "with_binary": c.with_binary, "nameable": c.nameable, "named": c.named,
                                   "complete_percent": 100 * c.share, "incomplete": dict(c.unknown.most_common(10))})
    for name, r in runs.items():
        say(f"  {name:10} complete {median_of(r, 'complete_percent'):6.2f} %   samples {median_of(r, 'samples'):.0f}"
            f"   with binary {median_of(r, 'with_binary'):.0f}   named {median_of(r, 'named'):.0f} of {median_of(r, 'nameable'):.0f} nameable")
        worst = min(r, key=lambda one: one["complete_percent"])
        for what, n in list(worst["incomplete"].items())[:5]:
            say(f"      {n:4} {what}")
    goals = [goal("complete samples, worst run", min((r["complete_percent"] for r in runs.get("slowburn", [])), default=None),
                  95, "%", at_least=True)]
    write_json("storm", {"runs": runs, "goals": goals})


def unwound(directory):
    source, _ = compile_input(directory)
    write_json("unwinding", unwinding.run(directory, BUILD, SLOWBURN, CPUS, RUNS, say, goal, source))


def memory(directory):
    write_json("memory", footprint.memory(directory, Slowburn(directory), CPUS, RUNS, say, goal))


def steady(directory):
    source, _ = compile_input(directory)
    write_json("steady", footprint.steady(Slowburn(directory), CPUS, RUNS, say, goal, source))


def compiler_once(files):
    """[(rows, ns of CPU time, path)]"""
    out = subprocess.run([COMPILER, files], check=True, stdout=subprocess.PIPE).stdout.decode("utf-8", "surrogateescape")
    return [(int(rows), int(ns), path) for rows, ns, path in (line.split(" ", 2) for line in out.splitlines())]


def compiler(directory):
    say(f"compiler: unwind tables of all ELF files below {' and '.join(INSTALLED)}; each run after one that read them into memory")
    files = os.path.join(directory, "files")
    with open(files, "wb") as out:
        subprocess.run(["find", *filter(os.path.isdir, INSTALLED), "-xdev", "-type", "f", "-size", "+0",
                        "(", "-perm", "/111", "-o", "-name", "*.so*", ")"], check=False, stdout=out)
    compiler_once(files)
    turns, runs = [compiler_once(files) for _ in range(RUNS)], []
    largest = sorted(turns[0], reverse=True)[:4]
    named = {path: os.path.basename(path) for _, _, path in largest}
    named.update({path: "node" for path in (os.path.realpath(shutil.which("node") or "/"),)})

    def rate(rows_and_ns):
        rows, ns = (sum(column) for column in zip(*rows_and_ns))
        return {"rows": rows, "cpu_s": ns / 1e9, "rows_per_s": 1e9 * rows / max(ns, 1)}

    for turn in turns:
        one = {name: rate([(rows, ns) for rows, ns, at in turn if at == path]) for path, name in named.items()
               if any(at == path for _, _, at in turn)}
        runs.append({"machine": rate([(rows, ns) for rows, ns, _ in turn]), "files": one})
    for name in runs[0]["files"]:
        all_of = [r["files"][name] for r in runs]
        say(f"  {name:32} {all_of[0]['rows']:10,} rows  {1e3 * median_of(all_of, 'cpu_s'):7.1f} ms  {median_of(all_of, 'rows_per_s') / 1e6:6.1f} M rows/s")
    machine = [r["machine"] for r in runs]
    say(f"  {f'all {len(turns[0])} ELF files':32} {machine[0]['rows']:10,} rows  {1e3 * median_of(machine, 'cpu_s'):7.1f} ms"
        f"  {median_of(machine, 'rows_per_s') / 1e6:6.1f} M rows/s")
    first = next(iter(runs[0]["files"]), None)
    goals = [
        goal(f"rows a second, {first}", statistics.median(r["files"][first]["rows_per_s"] for r in runs) / 1e6 if first else None, 30, "M/s",
             at_least=True),
        goal("rows a second, all files", median_of(machine, "rows_per_s") / 1e6, 30, "M/s", at_least=True),
        goal("all files of the machine, CPU time", median_of(machine, "cpu_s"), 3, "s"),
    ]
    write_json("compiler", {"files": len(turns[0]), "runs": runs, "goals": goals})


def named(directory):
    write_json("names", names.run(directory, SLOWBURN, BUILD, RUNS, say, goal))


def recorded(directory):
    """12 s of the mixed load."""
    recording = os.path.join(directory, "recording")
    source, _ = compile_input(directory)
    load = subprocess.Popen([sys.executable, os.path.join(HERE, "load.py"), source], stdout=subprocess.DEVNULL)
    try:
        subprocess.run([SLOWBURN, "profile", "--duration", "12s", "--record", recording, "-o",
                        os.path.join(directory, "profile.pb.gz")], stdout=subprocess.DEVNULL, check=True)
    finally:
        load.wait()
    return recording


def stored(directory):
    say("store: 7 days of 990 samples each 10 s (half of 2 CPUs at 99 Hz), drawn from 12 s of the mixed load")
    program, recording = os.path.join(BUILD, "tests/bench/store"), recorded(directory)
    found, hours = store.days(program, recording, 168, 990)
    goal("bytes a sample, all levels, 7 days", found["bytes_a_sample"], 1, "bytes")
    goal("a window written, mean, CPU time", found["window_written_ms mean"], 20, "ms")
    goal("a window written, 99 of 100, CPU time", found["window_written_ms p99"], 20, "ms")
    goal("a day merged, CPU time", found["day_merged_ms"], 200, "ms")
    goal("a week merged, CPU time", found["week_merged_ms"], 1000, "ms")
    goal("the longest step of a roll-up, CPU time", found["longest_step_ms"], 100, "ms")
    goal("opened", found["open_ms"], 100, "ms")
    day, late = (store.days(program, recording, 24, 990, how)[0] for how in ("fill", "late"))
    say("  lines a window late, beside lines at once, of a day: "
        + ", ".join(f"{late[k] / day[k]:.3f} of the bytes {what}"
                    for k, what in (("bytes_written_a_sample", "written"), ("bytes_a_sample", "on disk"))))
    own = os.path.join(directory, "compared")
    os.mkdir(own)
    for how, (ms, most, end) in store.compare(hours, own).items():
        say(f"  {'append-only' if how == 'log' else 'SQLite, synchronous=' + how:28} {ms:8.3f} ms a window, at most "
            f"{most:.3f} and in the end {end:.3f} bytes for each of the windows'")


def over_time(directory):
    source, _ = compile_input(directory)
    write_json("serve", served.run(directory, SLOWBURN, CPUS, source, say, goal))


def web_served(directory):
    web.run(directory, SLOWBURN, BUILD, say, goal, write_json)


PARTS = {"mixed": mixed, "unwinding": unwound, "saturation": saturation, "lockstep": lockstep, "storm": storm,
         "names": named, "memory": memory, "steady": steady, "compiler": compiler, "store": stored,
         "web": web_served, "serve": over_time}


def main():
    if os.geteuid():
        raise SystemExit("the bench needs root: sudo make bench")
    wanted = os.environ.get("ONLY", "").split() or list(PARTS)
    unknown = set(wanted) - set(PARTS)
    if unknown:
        raise SystemExit(f"ONLY: no such parts: {' '.join(unknown)}")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # no load outlives it
    say(f"slowburn bench: {os.uname().release}, {CPUS} CPUs, N={RUNS}")
    for name in wanted:
        say()
        with tempfile.TemporaryDirectory(prefix="slowburn-bench-") as directory:
            PARTS[name](directory)
    say()
    say(f"numbers: {os.path.relpath(os.path.join(BUILD, 'bench'))}/*.json; goals missed: {len(MISSED)}")
    return 1 if MISSED and os.environ.get("STRICT") else 0


if __name__ == "__main__":
    sys.exit(main())
