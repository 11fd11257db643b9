# SPDX-License-Identifier: Apache-2.0
"""What a profiler costs: a process and all its children, watched from outside while they run.

CPU time: user + system of the whole tree, as wait4() of its first process tells it (the kernel's exact sum, not
ticks); what of the tree has not been waited for when the first process ends would be missing, so a
tree that leaves children behind is reported (left_behind). On top of it the time within its BPF programs, which runs in
interrupts and is charged to whoever was interrupted: the kernel's own count (bpf_stats_enabled).
Memory: the largest sum of PSS over the tree, looked at every 100 ms, and every ms once it was told to stop. A peak between
two looks is missed, so beside it stands the sum of each process's largest RSS, which the kernel keeps: the truth is
between the two.
"""
import contextlib
import json
import os
import signal
import subprocess
import threading
import time


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(c) for c in file.read().split()]
    except OSError:
        pass
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry))
    return found


def tree_of(pid):
    out = [pid]
    for one in out:
        out += children_of(one)
    return out


def pss_bytes(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def rss_peak_bytes(pid):
    """The largest RSS so far. (ru_maxrss won't do: it begins with what the process had before exec, that is, ours.)"""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def cpu_ns(pid):
    """What its threads have run so far, in user and system mode; those that ended are not in it."""
    total = 0
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total


def own_and_kernel_bytes(pid):
    """(PSS of a process without what it has mapped of the kernel's memory, its perf rings)"""
    own = rings = size = 0
    kernel, ring = False, False
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("Size:"):
                size = int(line.split()[1]) * 1024
                rings += size if ring else 0
            elif line.startswith("Pss:"):
                own += 0 if kernel else int(line.split()[1]) * 1024
            elif "-" in line.split(None, 1)[0]:
                kernel, ring = "anon_inode:" in line, "anon_inode:[perf_event]" in line
    return own, rings


def bpf_objects(pids):
    """{("map_id" or "prog_id", id): bytes of the kernel's memory} of the maps and programs that they hold"""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fdinfo"):
                with contextlib.suppress(OSError), open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
                    said = dict(line.rstrip().split(":\t", 1) for line in file if ":\t" in line)
                    for kind in ("map_id", "prog_id"):
                        if kind in said and "memlock" in said:
                            found[kind, int(said[kind])] = int(said["memlock"])
    return found


def perf_events(pids):
    n = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for fd in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    n += "perf_event" in os.readlink(fd.path)
    return n


def bpf_programs():
    """{id: ns spent in it so far}"""
    run = subprocess.run(["bpftool", "prog", "show", "-j"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    try:
        return {p["id"]: p.get("run_time_ns", 0) for p in json.loads(run.stdout or b"[]")}
    except (ValueError, KeyError):
        return {}


@contextlib.contextmanager
def bpf_statistics():
    """The kernel counts the time in BPF programs; afterwards as it was before."""
    path = "/proc/sys/kernel/bpf_stats_enabled"
    try:
        with open(path, encoding="ascii") as file:
            before = file.read()
        with open(path, "w", encoding="ascii") as file:
            file.write("1")
    except OSError:
        before = None
    try:
        yield before is not None
    finally:
        if before is not None:
            with open(path, "w", encoding="ascii") as file:
                file.write(before)


def busy_ns():
    """What all CPUs did so far but idling, and what the hypervisor took."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = (int(n) for n in file.readline().split()[1:9])
    tick = 10**9 // os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) * tick, steal * tick


class Watched:
    """A process tree that is being watched. Times are CLOCK_MONOTONIC."""

    def __init__(self, command, environment=None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        self.known_programs = set(bpf_programs())
        self.bpf_ns, self.pss_peak, self.rss_peaks, self.cpu_s = {}, 0, {}, 0.0
        self.seen, self.left_behind = set(), []
        self.stopping = threading.Event()
        self.ended = threading.Event()
        self.busy_before = busy_ns()
        self.start_ns = time.monotonic_ns()
        self.stop_ns = self.end_ns = 0
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                        env={**os.environ, **(environment or {})})
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.ended.is_set():
            tree = tree_of(self.process.pid)
            self.seen.update(tree)
            self.pss_peak = max(self.pss_peak, sum(pss_bytes(pid) for pid in tree))
            self.rss_peaks.update({pid: peak for pid, peak in ((pid, rss_peak_bytes(pid)) for pid in tree) if peak})
            if self.stopping.is_set():
                self.ended.wait(0.001)
            else:
                self.stopping.wait(0.1)

    def look_at_programs(self):
        for program, spent in bpf_programs().items():
            if program not in self.known_programs:
                self.bpf_ns[program] = spent

    def wait_attached(self, seconds=30):
        """Until it has opened its perf events, and no more of them for 0.3 s."""
        before, same, end = 0, 0, time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            now = perf_events(tree_of(self.process.pid))
            same = same + 1 if now > 1 and now == before else 0
            if same == 6:
                return True
            before = now
            time.sleep(0.05)
        return False

    def stop(self, number=signal.SIGINT):
        self.look_at_programs()
        self.stopping.set()
        self.busy_after = busy_ns()
        self.stop_ns = time.monotonic_ns()
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        self.stopping.set()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.end_ns = time.monotonic_ns()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.ended.set()
        self.thread.join()
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.left_behind = [pid for pid in self.seen if os.path.exists(f"/proc/{pid}/exe")]
        return self.process.returncode

    @property
    def rss_peak(self):
        return sum(self.rss_peaks.values())

    @property
    def bpf_s(self):
        return sum(self.bpf_ns.values()) / 1e9
