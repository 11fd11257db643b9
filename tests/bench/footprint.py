# SPDX-License-Identifier: Apache-2.0
"""What slowburn takes while it samples: memory beside a hundred different binaries, CPU time on an ordinary busy machine.

Memory is the PSS of all its processes, without what they have mapped of the kernel's, and what the kernel keeps for them: BPF
maps and programs (as it accounts for them itself), and the rings of perf events. CPU time is that of all its processes (run
time as the scheduler counts it) and, apart, that within its BPF programs, which is charged to whoever was interrupted.
"""
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time

import crowd
import truth
import watch

HERE = os.path.dirname(os.path.abspath(__file__))
PROCESSES, SPARE = 100, 20  # some end over time
MEMORY_S, MEMORY_SETTLED_S, LOOK_S = 60, 20, 5
CPU_SETTLED_S, CPU_S = 10, 60
MIB = 1 << 20


def role_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        words = file.read().split(b"\0")
        if len(words) > 1:
            return words[1].decode() if words[0] == b"slowburn" else "supervisor"
    return "ended"


def look(watched):
    """The parts of its memory now, in bytes."""
    tree = watch.tree_of(watched.process.pid)
    parts = {"bpf": sum(watch.bpf_objects(tree).values()), "rings": 0}
    for pid in tree:
        own, rings = watch.own_and_kernel_bytes(pid)
        parts["rings"] += rings
        parts[role_of(pid)] = parts.get(role_of(pid), 0) + own
    return parts


def shown(parts):
    return ", ".join(f"{name} {size / MIB:.1f}" for name, size in sorted(parts.items(), key=lambda item: -item[1]))


def sampled_binaries(path, paths):
    names = {os.path.basename(p)[:15] for p in paths}
    return len({s.comm for s in truth.read_pprof(path).samples if s.comm in names}), len(names)


def memory(directory, tool, cpus, runs, say, goal):
    say(f"memory: {PROCESSES} and more processes of different binaries, all at work on {cpus} CPUs; MiB")
    rows = []
    with crowd.Crowd(directory, PROCESSES + SPARE) as load:
        say(f"  {load.alive()} binaries, of {min(map(os.path.getsize, load.processes)) >> 10} KiB to"
            f" {max(map(os.path.getsize, load.processes)) >> 10} KiB")
        for _ in range(runs):
            watched, curve = tool.start(), []
            watched.wait_attached()
            for second in range(LOOK_S, MEMORY_S + 1, LOOK_S):
                time.sleep(max(0, watched.start_ns / 1e9 + second - time.monotonic()))
                curve.append((second, look(watched)))
            watched.stop()
            sampled, known = sampled_binaries(tool.out, load.processes)
            steady = [sum(parts.values()) for second, parts in curve if second >= MEMORY_SETTLED_S]
            rows.append({"curve": curve, "steady_mib": statistics.median(steady) / MIB, "most_mib": max(steady) / MIB,
                         "sampled": sampled, "names": known, "alive": load.alive(), "pss_peak_mib": watched.pss_peak / MIB})
            say("  all: " + ", ".join(f"{sum(parts.values()) / MIB:.1f} ({second} s)" for second, parts in curve if second in (5, 10, 20, 40, 60)))
            say(f"  at the end: {shown(curve[-1][1])}; PSS alone, largest seen: {watched.pss_peak / MIB:.1f}")
            say(f"  with samples: {sampled} binaries of {known}, of which {load.alive()} were still at work")
    goals = [
        goal("different binaries with samples", min(r["sampled"] for r in rows), PROCESSES, "", at_least=True),
        goal("PSS of all processes, BPF and rings, steady", statistics.median(r["steady_mib"] for r in rows), 64, "MiB"),
    ]
    return {"runs": rows, "goals": goals}


# ---------------------------------------------------------------- CPU time


@contextlib.contextmanager
def ordinary_load(source):
    """gcc, python3, openssl and node (load.py), again and again."""
    script = f"while :; do {sys.executable} {os.path.join(HERE, 'load.py')} {source} > /dev/null; done"
    running = subprocess.Popen(["sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield running.pid
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


class Meter:
    """What a tool and the machine have used so far; a difference of two is a span."""

    def __init__(self, watched):
        self.time_ns, self.busy_ns = time.monotonic_ns(), watch.busy_ns()[0]
        tree = watch.tree_of(watched.process.pid)
        self.cpu_ns = {(pid, role_of(pid)): watch.cpu_ns(pid) for pid in tree}
        programs = {number for kind, number in watch.bpf_objects(tree) if kind == "prog_id"}
        self.bpf_ns = sum(spent for number, spent in watch.bpf_programs().items() if number in programs)

    def since(self, before, cpus):
        span, roles = self.time_ns - before.time_ns, {}
        for (pid, role), spent in self.cpu_ns.items():
            roles[role] = roles.get(role, 0) + 100 * (spent - before.cpu_ns.get((pid, role), 0)) / span
        return {"processes_percent": sum(roles.values()), "roles": roles, "bpf_percent": 100 * (self.bpf_ns - before.bpf_ns) / span,
                "busy": (self.busy_ns - before.busy_ns) / span / cpus}


def steady_once(tool, cpus, options):
    watched = tool.start(*options)
    watched.wait_attached()
    begin = Meter(watched)
    time.sleep(CPU_SETTLED_S)
    settled = Meter(watched)
    time.sleep(CPU_S)
    end = Meter(watched)
    watched.stop()
    return {"first": settled.since(begin, cpus), "steady": end.since(settled, cpus)}


def steady(tool, cpus, runs, say, goal, source):
    say(f"steady: CPU time of slowburn itself at 99 Hz, beside gcc, python3, openssl and node on {cpus} CPUs; % of one CPU")
    say("  (what else runs costs, too, above all new binaries: so once of the whole machine, and once of this load alone, -p)")
    rows = {"the machine": [], "the load": []}
    with ordinary_load(source) as load, watch.bpf_statistics() as counted:
        for _ in range(runs):
            for name, options in (("the machine", ()), ("the load", ("-p", str(load)))):
                rows[name].append(steady_once(tool, cpus, options))
                for part, seconds in (("first", CPU_SETTLED_S), ("then", CPU_S)):
                    r = rows[name][-1]["first" if part == "first" else "steady"]
                    roles = ", ".join(f"{role} {share:.3f}" for role, share in r["roles"].items() if share >= 0.0005)
                    say(f"  {name:11} {part:5} {seconds:2} s: {r['processes_percent']:.3f} ({roles}), and in BPF {r['bpf_percent']:.3f};"
                        f" CPUs {100 * r['busy']:.0f} % busy" + ("" if counted else "; the kernel didn't count BPF time"))
    goals = [goal(f"CPU time of all processes, steady, {name}", statistics.median(r["steady"]["processes_percent"] for r in some), 0.3,
                  "% of a CPU") for name, some in rows.items()]
    return {"runs": rows, "goals": goals}
