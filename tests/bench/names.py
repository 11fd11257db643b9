# SPDX-License-Identifier: Apache-2.0
"""Names, lines and inlined functions of the same addresses, by slowburn and others: time and memory.

Each is started once for all addresses, as for a profile's answer: what it builds first is in its time. Memory is that of
its largest process. addr2line and eu-addr2line don't always say the same (tests/lines/lines.py compares what is said).
"""
import glob
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(os.path.dirname(HERE), "lines", "program.cc")
ADDRESSES = 2000
PATIENCE_S = 20


def tools(slowburn):
    llvm = next((n for n in [f"llvm-symbolizer-{v}" for v in range(30, 13, -1)] + ["llvm-symbolizer"] if shutil.which(n)), None)
    found = {"slowburn": [slowburn, "symbolize", "--cache", "none", "--inlines", "FILE"]}
    if llvm:
        found[llvm] = [llvm, "--inlines", "--obj=FILE"]
    if shutil.which("addr2line"):
        found["addr2line"] = ["addr2line", "-ifC", "-e", "FILE"]
    if shutil.which("eu-addr2line"):
        found["eu-addr2line"] = ["eu-addr2line", "-ifC", "-e", "FILE"]
    return found


def addresses_of(path):
    out = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    m = re.search(r"\s\.text\s+\S+\s+([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)", out)
    start, size = int(m[1], 16), int(m[2], 16)
    return [start + size * i // ADDRESSES for i in range(ADDRESSES)]


def once(command, text):
    """Seconds, seconds of CPU and bytes; None if it took too long."""
    begin = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        child.stdin.write(text)
        child.stdin.close()
    except BrokenPipeError:
        pass
    while True:
        pid, _, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() - begin > PATIENCE_S:
            child.kill()
            os.wait4(child.pid, 0)
            return None
        time.sleep(0.002)
    child.returncode = 0
    return {"seconds": time.monotonic() - begin, "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "bytes": usage.ru_maxrss * 1024}


def from_the_cache(path, slowburn, text, runs):
    """The same by an index that an earlier run has kept; what changed a second ago is not."""
    time.sleep(1.1)
    with tempfile.TemporaryDirectory() as cache:
        command = [slowburn, "symbolize", "--cache", cache, "--inlines", path]
        once(command, text)
        all_runs = [once(command, text) for _ in range(runs)]
    return {k: statistics.median(r[k] for r in all_runs) for k in all_runs[0]}


def measure(path, slowburn, runs, say):
    text = "".join(f"{a:#x}\n" for a in addresses_of(path)).encode()
    measured = {name: [] for name in tools(slowburn)}
    # Of a process that is smaller than we are, the kernel tells our own size: it was ours before its exec.
    least = once(["true"], b"")["bytes"]
    for _ in range(runs):
        for name, command in tools(slowburn).items():
            if None not in measured[name]:
                measured[name].append(once([w.replace("FILE", path) for w in command], text))
    rows = {}
    for name, all_runs in measured.items():
        if None in all_runs:
            say(f"    {name:22} more than {PATIENCE_S} s")
            continue
        rows[name] = {k: statistics.median(r[k] for r in all_runs) for k in all_runs[0]}
        row = rows[name]
        say(f"    {name:22} {row['seconds'] * 1000:8.0f} ms {row['cpu_seconds'] * 1000:8.0f} ms of CPU {'<=' if row['bytes'] <= least else '  '}{row['bytes'] / 2**20:6.1f} MiB")
    if "slowburn" in rows:
        kept = rows["slowburn"]["from_the_cache"] = from_the_cache(path, slowburn, text, runs)
        say(f"    {'the same from the cache':22} {kept['seconds'] * 1000:8.0f} ms {kept['cpu_seconds'] * 1000:8.0f} ms of CPU   {kept['bytes'] / 2**20:6.1f} MiB")
    return rows


def figures(tool, path, keys, runs):
    """What a program of ours in tests/bench says of a file: the median of each figure."""
    lines = [subprocess.run([tool, path], check=True, capture_output=True, text=True).stdout.split() for _ in range(runs)]
    return {key: statistics.median(float(line[i]) for line in lines) for i, key in enumerate(keys)}


def index(build, label, path, runs, say):
    """The index alone, and what libdw needs to read the same; turn by turn would be fairer, and each is started anew anyway."""
    ours = figures(os.path.join(build, "indexer"), path,
                   ("ns", "cpu_ns", "peak_bytes", "image_bytes", "stretches", "scopes", "lookups_per_s"), runs)
    libdw = figures(os.path.join(build, "libdw"), path, ("ns", "cpu_ns", "peak_bytes", "rows", "functions"), runs)
    say(f"  {label}: index of {ours['stretches']:,.0f} stretches, {ours['scopes']:,.0f} functions, {ours['image_bytes'] / 2**20:.1f} MiB")
    for name, row in (("index", ours), ("libdw, rows and functions", libdw)):
        say(f"    {name:26} {row['ns'] / 1e6:8.0f} ms {row['cpu_ns'] / 1e6:8.0f} ms of CPU   {row['peak_bytes'] / 2**20:6.1f} MiB")
    return {"index": ours, "libdw": libdw}


def unit_bytes(path):
    out = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"\s\.debug_info\s+\S+\s+[0-9a-f]+\s+[0-9a-f]+\s+([0-9a-f]+)", out)[1], 16)


def libllvm():
    found = glob.glob("/usr/lib/x86_64-linux-gnu/libLLVM*.so*")
    return max(found, key=os.path.getsize, default=None)


def cold_names(path, slowburn, runs, say, goal):
    """Names alone, by a symbolizer that is started for them, of a large library with no more than .dynsym."""
    text = "".join(f"{a:#x}\n" for a in addresses_of(path)).encode()
    rows = [once([slowburn, "symbolize", path], text) for _ in range(max(runs, 5))]
    rows = [r for r in rows if r]
    ms = statistics.median(r["seconds"] for r in rows) * 1000 if rows else None
    say(f"  {os.path.basename(path)}, {os.path.getsize(path) / 2**20:.0f} MiB: names of {ADDRESSES} addresses")
    return {"path": path, "runs": rows}, goal("cold names of libLLVM", ms, 200, "ms")


def run(directory, slowburn, build, runs, say, goal):
    """What is in names.json: each file's rows, and the goals."""
    program = os.path.join(directory, "program")
    unit = os.path.join(build, "tests", "bench", "unit")
    libc = "/lib/x86_64-linux-gnu/libc.so.6"
    subprocess.run(["g++", "-O2", "-g", "-o", program, PROGRAM], check=True)
    unit_label = f"one unit, {unit_bytes(unit) / 1e6:.1f} MB of .debug_info"
    say(f"names, lines and inlined functions of {ADDRESSES} addresses (median of {runs}):")
    content, goals = {}, []
    for label, path in (("C++, -O2 -g", program), ("libc.so.6, its debug file", libc), (unit_label, unit)):
        say(f"  {label}")
        rows = content[label] = measure(path, slowburn, runs, say)
        others = [r["seconds"] for n, r in rows.items() if n != "slowburn"]
        if others and "slowburn" in rows:
            goals.append(goal(f"{label}: time, of the fastest other's", rows["slowburn"]["seconds"] / min(others), 1, "x"))
    indexed = index(os.path.join(build, "tests", "bench"), unit_label, unit, max(runs, 5), say)
    goals.append(goal("cold index of a unit of 30 MB", indexed["index"]["ns"] / 1e6, 300, "ms"))
    goals.append(goal("warm look-ups, random addresses", indexed["index"]["lookups_per_s"] / 1e6, 2, "M/s", at_least=True))
    largest = libllvm()
    names = None
    if largest:
        names, met = cold_names(largest, slowburn, runs, say, goal)
        goals.append(met)
    else:
        say("  no libLLVM here: cold names are not measured")
    return {"files": content, "index": indexed, "cold_names": names, "goals": goals}
