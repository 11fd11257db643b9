# SPDX-License-Identifier: Apache-2.0
"""Many processes, each of another binary of this machine, and each at work in it for as long as one likes.

What makes them so is a preloaded library (again.c) that calls `PROGRAM --help` again and again within one process. They run
as nobody, may write to no file, and have no terminal and no input. What doesn't bear it (it ends, waits, or leaks faster than
the machine can take) is passed over.
"""
import contextlib
import os
import signal
import stat
import subprocess
import time

import watch

HERE = os.path.dirname(os.path.abspath(__file__))
NOBODY = 65534
BATCH, TRIAL_S = 16, 1.5
LEAST_CPU_NS = 10**7
BASE_BYTES, MOST_BYTES_PER_CPU_S = 64 << 20, 256 << 20


def is_program(path):
    """A dynamic ELF file that runs as whoever starts it. (The loader preloads nothing for the others.)"""
    with contextlib.suppress(OSError):
        if stat.S_IMODE(os.stat(path).st_mode) & 0o6001 != 0o0001:
            return False
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF" and b"/ld-linux" in file.read(4096)
    return False


def candidates(directory="/usr/bin"):
    """Each binary once. In an order in which any first hundred are of all sizes."""
    found = {}
    for name in sorted(os.listdir(directory)):
        path = os.path.realpath(os.path.join(directory, name))
        if path not in found and is_program(path):
            found[path] = os.path.getsize(path)
    by_size = sorted(found, key=found.get)
    step = max(len(by_size) // 16, 1)
    return [path for first in range(step) for path in by_size[first::step]]


class Crowd:
    """So many processes as a context: their number may be less, if the machine has no more that can be used."""

    def __init__(self, directory, wanted):
        self.directory, self.wanted, self.processes = directory, wanted, {}
        self.library = os.path.join(directory, "again.so")
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-std=gnu11", "-D_GNU_SOURCE", "-o", self.library,
                        os.path.join(HERE, "again.c")], check=True)
        os.chmod(directory, 0o755)

    def start(self, path):
        return subprocess.Popen(["prlimit", "--fsize=0", "--core=0", "--nproc=4096", "env", f"LD_PRELOAD={self.library}", "HOME=/nonexistent",
                                 path, "--help"], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                start_new_session=True, user=NOBODY, group=NOBODY, extra_groups=[])

    def stop(self, process):
        # What it started has its session, and so its process group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def try_some(self, paths):
        started = {path: self.start(path) for path in paths}
        time.sleep(TRIAL_S)
        for path, process in started.items():
            cpu_ns, pss = watch.cpu_ns(process.pid), watch.pss_bytes(process.pid)
            fits = process.poll() is None and cpu_ns >= LEAST_CPU_NS and pss <= BASE_BYTES + MOST_BYTES_PER_CPU_S * cpu_ns / 1e9
            if fits and len(self.processes) < self.wanted and not watch.children_of(process.pid):
                process.send_signal(signal.SIGSTOP)
                self.processes[path] = process
            else:
                self.stop(process)

    def __enter__(self):
        left = candidates()
        while left and len(self.processes) < self.wanted:
            batch, left = left[:BATCH], left[BATCH:]
            self.try_some(batch)
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            self.stop(process)

    def alive(self):
        return sum(process.poll() is None for process in self.processes.values())
