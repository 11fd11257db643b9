# SPDX-License-Identifier: Apache-2.0
"""What `slowburn serve` costs over time, on a busy machine and on one where nothing runs.

Busy: gcc, python3, openssl and node again and again (footprint.py), and four small programs each second, for STEADY_MINUTES (30). Each 10 s
it is looked at from outside: CPU time of all its processes (what the scheduler counted; those that ended, as the supervisor was told of
them), time within its BPF programs, PSS, the kernel's memory for maps and rings, bytes of the store. A row is the mean of what was between
two rows; the slope is that of a line through the second half.

Idle: how often its processes went to sleep by themselves, which is how often they were woken, beside `perf record -a -F 99`. Other loads of the
machine raise both.
"""
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import time

import footprint
import watch

MINUTES = float(os.environ.get("STEADY_MINUTES", "30"))
PORT = int(os.environ.get("STEADY_PORT", "7900"))
LOOK_S, ROWS, IDLE_S, START_S, SETTLED = 10, 10, 30, 30, 0.2
MIB = 1 << 20
COME_AND_GO = "while :; do ls -l /usr/bin | sort | tail -n 1; grep -c x /etc/services; sleep 1; done > /dev/null"


def role_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        if os.path.basename(file.read().split(b"\0")[0]) == b"slowburn-web":
            return "web"
    return footprint.role_of(pid)


class Server:
    """serve with a store of its own, quiet and alone on its port."""

    def __init__(self, slowburn, directory):
        self.store, self.log = os.path.join(directory, "store"), os.path.join(directory, "log")
        self.spent = {}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([slowburn, "serve", "--listen", f"127.0.0.1:{PORT}", "--store", self.store],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        end = time.monotonic() + START_S
        while "event=ready" not in self.said():
            if self.process.poll() is not None or time.monotonic() > end:
                self.end()
                raise SystemExit(f"slowburn serve isn't ready: {self.said()}")
            time.sleep(0.1)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def ended_cpu_ns(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            ticks = file.read().rpartition(")")[2].split()[13:15]
        return sum(map(int, ticks)) * 10**9 // os.sysconf("SC_CLK_TCK")

    def store_bytes(self):
        with os.scandir(self.store) as entries:
            return sum(e.stat().st_size for e in entries if e.name.startswith("10s-"))

    def look(self):
        tree, now = watch.tree_of(self.process.pid), {"time_s": time.monotonic()}
        spent = {pid: watch.cpu_ns(pid) for pid in tree}
        objects = watch.bpf_objects(tree)
        programs = watch.bpf_programs()
        now["cpu_ns"] = sum(spent.values()) + self.ended_cpu_ns()
        now["bpf_ns"] = sum(programs.get(number, 0) for kind, number in objects if kind == "prog_id")
        now["busy_ns"] = watch.busy_ns()[0]
        now["bpf_bytes"], now["rings_bytes"], now["pss_bytes"], now["pss"] = sum(objects.values()), 0, 0, {}
        for pid in tree:
            role = role_of(pid)
            own, rings = watch.own_and_kernel_bytes(pid)
            self.spent[role, pid] = spent[pid]
            now["rings_bytes"] += rings
            now["pss_bytes"] += own
            now["pss"][role] = now["pss"].get(role, 0) + own
        now["roles"] = {}
        for (role, _), ns in self.spent.items():
            now["roles"][role] = now["roles"].get(role, 0) + ns
        now["store_bytes"] = self.store_bytes()
        return now


def slope(points):
    """Of the straight line nearest to the points, in y for each x."""
    x_mean, y_mean = (statistics.fmean(p[i] for p in points) for i in (0, 1))
    below = sum((x - x_mean) ** 2 for x, _ in points)
    return sum((x - x_mean) * (y - y_mean) for x, y in points) / below if below else 0.0


def between(a, b, cpus):
    """Shares of one CPU in percent, and sizes at the end."""
    ns = (b["time_s"] - a["time_s"]) * 1e9
    roles = {role: 100 * (spent - a["roles"].get(role, 0)) / ns for role, spent in b["roles"].items()}
    return {"percent": 100 * (b["cpu_ns"] - a["cpu_ns"]) / ns, "bpf_percent": 100 * (b["bpf_ns"] - a["bpf_ns"]) / ns,
            "busy_percent": 100 * (b["busy_ns"] - a["busy_ns"]) / ns / cpus, "roles": roles,
            "window_bytes": (b["store_bytes"] - a["store_bytes"]) / ((b["time_s"] - a["time_s"]) / 10)}


@contextlib.contextmanager
def busy_load(source):
    with footprint.ordinary_load(source):
        running = subprocess.Popen(["sh", "-c", COME_AND_GO], stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            yield
        finally:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def watch_curve(server, minutes):
    curve, begin = [server.look()], time.monotonic()
    for turn in range(1, int(minutes * 60 / LOOK_S) + 1):
        time.sleep(max(0, begin + turn * LOOK_S - time.monotonic()))
        if server.process.poll() is not None:
            raise SystemExit(f"slowburn serve ended: {server.said()}")
        curve.append(server.look())
    return curve


def tell_curve(curve, cpus, say):
    step = max((len(curve) - 1) // ROWS, 1)
    say(f"  {'min':>5} {'CPU %':>7} {'+ BPF %':>8} {'PSS':>6} {'maps':>6} {'rings':>6} {'KiB/window':>11} {'machine':>8}   processes, % of one CPU; MiB")
    for a, b in ((curve[i], curve[i + step]) for i in range(0, len(curve) - step, step)):
        part = between(a, b, cpus)
        roles = ", ".join(f"{role} {part['roles'][role]:.3f} {b['pss'].get(role, 0) / MIB:.1f}"
                          for role in sorted(part["roles"], key=lambda r: -part["roles"][r]) if part["roles"][role] >= 0.0005)
        say(f"  {(b['time_s'] - curve[0]['time_s']) / 60:5.1f} {part['percent']:7.3f} {part['bpf_percent']:8.3f} {b['pss_bytes'] / MIB:6.1f}"
            f" {b['bpf_bytes'] / MIB:6.1f} {b['rings_bytes'] / MIB:6.1f} {part['window_bytes'] / 1024:11.1f} {part['busy_percent']:6.0f} %   {roles}")


# ---------------------------------------------------------------- nothing runs


def wake_ups(pids):
    """How often their threads went to sleep by themselves."""
    n = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/status", encoding="ascii", errors="replace") as file:
                    n += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.M)[1])
    return n


def wake_ups_a_second(pid, seconds):
    before, begin, roles = {p: wake_ups([p]) for p in watch.tree_of(pid)}, time.monotonic(), {}
    time.sleep(seconds)
    span = time.monotonic() - begin
    for p in watch.tree_of(pid):
        role = role_of(p)
        roles[role] = roles.get(role, 0) + (wake_ups([p]) - before.get(p, 0)) / span
    return sum(roles.values()), roles


def perf_wake_ups(directory):
    if not shutil.which("perf"):
        return None
    perf = subprocess.Popen(["perf", "record", "-N", "-q", "-a", "-g", "-F", "99", "-o", os.path.join(directory, "idle.perf")],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(3)
        return wake_ups_a_second(perf.pid, IDLE_S)[0]
    finally:
        perf.send_signal(signal.SIGINT)
        perf.wait()


# ---------------------------------------------------------------- all of it


def goals_of(curve, cpus, goal):
    after, half = curve[int(SETTLED * (len(curve) - 1))], curve[len(curve) // 2:]
    steady, hours = between(after, curve[-1], cpus), [(c["time_s"] - curve[0]["time_s"]) / 3600 for c in half]
    total = [c["pss_bytes"] + c["bpf_bytes"] + c["rings_bytes"] for c in curve]
    growth = {key: slope([(h, c[key] / MIB) for h, c in zip(hours, half)]) for key in ("pss_bytes", "bpf_bytes")}
    return steady, growth, [
        goal("CPU time of all processes, the first fifth left out", steady["percent"], 0.3, "% of a CPU"),
        goal("PSS of all processes, the most seen", max(c["pss_bytes"] for c in curve) / MIB, 64, "MiB"),
        goal("the same with BPF and rings, the most seen", max(total) / MIB, 64, "MiB"),
    ]


def run(directory, slowburn, cpus, source, say, goal):
    say(f"serve: {MINUTES:g} min of gcc, python3, openssl and node, and programs that come and go, on {cpus} CPUs")
    server = Server(slowburn, directory)
    try:
        with busy_load(source), watch.bpf_statistics() as counted:
            curve = watch_curve(server, MINUTES)
        tell_curve(curve, cpus, say)
        steady, growth, goals = goals_of(curve, cpus, goal)
        say(f"  a line through the second half: PSS {growth['pss_bytes']:+.1f} MiB/h, maps {growth['bpf_bytes']:+.1f} MiB/h; in BPF "
            + (f"{steady['bpf_percent']:.3f} % of a CPU" if counted else "unknown"))
        time.sleep(2 * LOOK_S)
        before = watch.busy_ns()[0]
        idle, roles = wake_ups_a_second(server.process.pid, IDLE_S)
        busy = 100 * (watch.busy_ns()[0] - before) / 1e9 / IDLE_S / cpus
    finally:
        server.end()
    perf = perf_wake_ups(directory)
    say(f"  wake-ups a second, the machine {busy:.0f} % busy: {idle:.1f} ("
        + ", ".join(f"{role} {n:.2f}" for role, n in sorted(roles.items(), key=lambda r: -r[1]))
        + f"); perf record -a -F 99: {'not installed' if perf is None else f'{perf:.1f}'}")
    return {"curve": curve, "steady": steady, "growth_mib_an_hour": growth, "wake_ups": roles, "perf_wake_ups": perf,
            "idle_busy_percent": busy, "goals": goals}
