# SPDX-License-Identifier: Apache-2.0
"""Simulated days in a store, and the same windows in SQLite: bytes and time.

The windows are drawn from a recording of this machine's mixed load (load.py), as tests/bench/store.c says. The disk is memory, but
for the comparison with SQLite, which is about disks.
"""
import glob
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import time

HEADER, FRAME = 64, 104


def numbers(text):
    """{"day_merged_ms": 1.2, "window_written_ms mean": ...} of what tests/bench/store prints."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 3 and words[1] == "mean":
            found.update({f"{words[0]} {k}": float(v) for k, v in zip(words[1::2], words[2::2])})
        else:
            found.update({k: float(v) for k, v in zip(words[::2], words[1::2])})
    return found


def days(program, recording, hours, samples, how="fill"):
    directory = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        fill = subprocess.run([program, how, directory, str(hours), str(samples), recording], capture_output=True,
                              text=True, check=True).stdout
        read = subprocess.run([program, "read", directory], capture_output=True, text=True, check=True).stdout
        return {**numbers(fill), **numbers(re.sub(r" files .*", "", read))}, frames(directory)
    finally:
        shutil.rmtree(directory)


def frames(directory):
    """The windows of four hours as they are in the files."""
    found = []
    for name in sorted(glob.glob(os.path.join(directory, "10s-*")))[-5:-1]:
        with open(name, "rb") as f:
            data = f.read()
        at, hour = HEADER, []
        while at < len(data):
            kind = struct.unpack_from("<I", data, at + 4)[0]
            packed = sum(struct.unpack_from("<I", data, at + 8 + 8 * i)[0] for i in range(3))
            if kind == 1:
                hour.append(data[at:at + FRAME + packed])
            at += FRAME + packed
        found.append(hour)
    return found


def write_log(path, hour, each):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    at = 0
    for frame in hour:
        each(lambda: os.pwrite(fd, frame, at))
        at += len(frame)
    os.fdatasync(fd)
    os.close(fd)


def write_sqlite(path, hour, each, synchronous):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode=wal")
    db.execute(f"pragma synchronous={synchronous}")
    db.execute("create table window(sequence integer primary key, start, end, monotonic, count, value, columns blob)")
    for i, frame in enumerate(hour):
        each(lambda: db.execute("insert into window values(?, 1, 2, 3, 4, 5, ?)", (i, frame)))
    db.execute("pragma wal_checkpoint(truncate)")
    db.close()


def compare(hours, directory):
    """{how: (milliseconds a window, bytes for each byte of windows at most, and in the end)}"""
    def used():
        return sum(max(os.stat(p).st_size, 512 * os.stat(p).st_blocks) for p in glob.glob(directory + "/*"))

    found, size = {}, sum(len(f) for h in hours for f in h)
    for how in ("log", "normal", "full"):
        times, peak = [], 0

        def each(write):
            nonlocal peak
            begin = time.perf_counter()
            write()
            times.append(time.perf_counter() - begin)
            peak = max(peak, used())

        for i, hour in enumerate(hours):
            path = os.path.join(directory, f"{how}-{i}")
            write_log(path, hour, each) if how == "log" else write_sqlite(path, hour, each, how)
        found[how] = (sum(times) / len(times) * 1000, peak / size, used() / size)
        for p in glob.glob(directory + "/*"):
            os.unlink(p)
    return found
