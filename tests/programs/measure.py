# SPDX-License-Identifier: Apache-2.0
"""How many user stacks of real programs are whole, and why the others are not (`make programs`).

Each program works under `slowburn profile --record` and then under `perf record -g`, which walks by frame pointer, as the kernel
does. A Markdown table on stdout, which docs/UNWINDING.md has a copy of; what ended early and where on stderr.
The samples of the first second are counted apart: by then a program that was never seen before has its tables.
A second table compares the stacks of stopped threads with those of other unwinders; see equality.py.

Needs root. BUILD (build): where slowburn is. ONLY: parts of names of programs. SECONDS (9): for each. HZ (997).
TABLES: "samples", "equality" or both.
"""
import bisect
import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import equality
import recording
from programs import PROGRAMS

ROOT = recording.ROOT
SLOWBURN = os.path.join(os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build"))), "slowburn")
SECONDS = float(os.environ.get("SECONDS", "9"))
TABLES = os.environ.get("TABLES", "").split() or ["samples", "equality"]
HZ, EARLY_S, PERF_S = int(os.environ.get("HZ", "997")), 1.0, 3
# Where perf's stacks have to end to be called whole. It names what has a symbol; where it is generous, it is to perf.
STARTS = re.compile(r"^(_start|main|__libc_start_.*|__?clone3?|start_thread|_dl_start.*|runtime\.(goexit|mstart|rt0_go|mcall|systemstack).*)$")


def complain(text):
    print(text, file=sys.stderr, flush=True)


def mappings_of(pid):
    """[(start, end, offset, path)] of executable mappings."""
    out = []
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
            for line in file:
                addresses, permissions, offset, _, _, *path = line.split(None, 5)
                if "x" in permissions:
                    start, end = (int(a, 16) for a in addresses.split("-"))
                    out.append((start, end, int(offset, 16), path[0].strip() if path else "[anon]"))
    except OSError:
        pass
    return out


def place(mappings, address):
    at = bisect.bisect(mappings, (address, 2**64)) - 1
    if at < 0 or address >= mappings[at][1]:
        return "unmapped"
    start, _, offset, path = mappings[at]
    return path if path.startswith("[") else f"{os.path.basename(path)}+{address - start + offset:#x}"


def comm_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


class Running:
    """A program at work, in a process group of its own."""

    def __init__(self, program, directory):
        for name, content in program.files:
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(content)
        script = os.path.join(directory, "script")
        with open(script, "w", encoding="utf-8") as file:
            file.write("set -e\n" + program.script)
        self.log = open(os.path.join(directory, "log"), "w+b")  # noqa: SIM115
        self.process = subprocess.Popen(["bash", script], cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.log, start_new_session=True)
        if self.process.stdout.readline() != b"ready\n":
            self.log.seek(0)
            complain(self.log.read().decode("utf-8", "replace"))
            raise RuntimeError(f"{program.name} doesn't start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
        # The memory that postgres shares goes with its last process.
        time.sleep(0.3)


def capture(directory, comm):
    """(samples with a user stack of processes called comm, their mappings)"""
    path = os.path.join(directory, "recording")
    process = subprocess.Popen([SLOWBURN, "profile", "-a", "--format", "text", "-o", os.devnull, "--record", path, "-F", str(HZ),
                                "--duration", f"{SECONDS}s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    mappings, end = {}, time.monotonic() + SECONDS
    while process.poll() is None:
        if time.monotonic() < end:
            for pid in (p for p in os.listdir("/proc") if p.isdigit()):
                if comm_of(pid) == comm:
                    mappings[int(pid)] = mappings_of(pid) or mappings.get(int(pid), [])
        time.sleep(0.2)
    if process.returncode:
        raise RuntimeError(f"slowburn ended with {process.returncode}")
    samples = [s for s in recording.read(path) if s.leader_comm == comm and s.frames and s.end != "none"]
    return samples, mappings


def perf_whole(directory, comm):
    """The share of perf's user stacks that reach a start function; None if there are none."""
    if not shutil.which("perf"):
        return None
    path = os.path.join(directory, "perf.data")
    subprocess.run(["perf", "record", "-N", "-q", "-F", "249", "-a", "-g", "--user-callchains", "-o", path, "sleep", str(PERF_S)],
                   check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    text = subprocess.run(["perf", "script", "--no-inline", "-i", path, "-c", comm, "-F", "ip,sym"], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode("utf-8", "replace")
    stacks = [s.strip().split("\n") for s in text.split("\n\n") if s.strip()]
    last = [s[-1].split(None, 1)[-1].split("+0x")[0].strip() for s in stacks]
    return 100 * sum(bool(STARTS.match(name)) for name in last) / len(last) if last else None


def look(program):
    samples = row = None
    with tempfile.TemporaryDirectory(prefix="slowburn-programs-") as directory:
        with Running(program, directory) as running:
            time.sleep(0.5)
            if "samples" in TABLES:
                samples, mappings = capture(directory, program.comm)
                perf = perf_whole(directory, program.comm)
                row = summed_up(program, samples, mappings, perf)
            stacks = equality.look(SLOWBURN, program, running.process.pid) if "equality" in TABLES else None
    return row, stacks


def summed_up(program, samples, mappings, perf):
    if not samples:
        complain(f"{program.name}: no samples")
        return None
    begin = min(s.time_ns for s in samples)
    early = [s for s in samples if s.time_ns - begin < EARLY_S * 1e9]
    rest = [s for s in samples if s.time_ns - begin >= EARLY_S * 1e9]
    if not rest:
        return None
    ends = collections.Counter(s.end for s in rest if s.end != "bottom")
    where = collections.Counter((s.end, place(mappings.get(s.tgid, []), s.frames[-1][0])) for s in rest if s.end != "bottom")
    frames = sum(len(s.frames) for s in rest)
    complain(f"{program.name}: {len(samples)} samples")
    complain("  of the first second: " + ", ".join(f"{end} {n}" for end, n in collections.Counter(s.end for s in early).most_common()))
    for (end, at), n in where.most_common(8):
        complain(f"  {n:6} {100 * n / len(rest):6.2f} %  {end} at {at}")
    return {
        "name": program.name, "samples": len(rest), "whole": share(rest), "early": share(early), "depth": frames / len(rest),
        "guessed": 100 * sum(f[1] for s in rest for f in s.frames) / frames, "ends": ends, "perf": perf,
    }


def share(samples):
    return 100 * sum(s.end == "bottom" for s in samples) / len(samples) if samples else None


def percent(value):
    return "–" if value is None else f"{value:.2f}" if value < 100 else "100"


def print_row(name, row, absent):
    if not row:
        print(f"| {name} | not measured{': no ' + ', '.join(absent) if absent else ''} | | | | | | |", flush=True)
        return False
    ends = ", ".join(f"{end} {n}" for end, n in row["ends"].most_common())
    print(f"| {row['name']} | {row['samples']:,} | {percent(row['whole'])} | {percent(row['early'])} | {row['depth']:.1f} |"
          f" {percent(row['guessed'])} | {percent(row['perf'])} | {ends} |", flush=True)
    return row["whole"] >= 99.5


def main():
    if os.geteuid():
        raise SystemExit("needs root: sudo make programs")
    wanted = os.environ.get("ONLY", "").split()
    missed, equal = 0, []
    if "samples" in TABLES:
        print("| program | samples | whole, % | first second | mean depth | guessed frames, % | perf -g, whole, % | what ended the others |")
        print("|---|--:|--:|--:|--:|--:|--:|---|", flush=True)
    for program in PROGRAMS:
        if wanted and not any(w in program.name for w in wanted):
            continue
        absent = [c for c in program.needs if not shutil.which(c)]
        row = stacks = None
        try:
            row, stacks = (None, None) if absent else look(program)
        except RuntimeError as error:
            complain(str(error))
        if "samples" in TABLES:
            missed += not print_row(program.name, row, absent)
        equal += [stacks] if stacks else []
    if equal:
        print()
        print(equality.HEADER)
        for line, counted in equal:
            print(line)
            missed += counted["differ"] > 0 or counted["stopped differ"] > 0 or not counted["threads"]
    return 1 if missed and os.environ.get("STRICT") else 0


if __name__ == "__main__":
    sys.exit(main())
