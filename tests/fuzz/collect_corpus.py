#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpora of collect_decode and collect_stream: a valid input of each kind, and what is
wrong with it in one place. Run it at the top of the tree; it gives the same bytes every time."""

import os
import struct

KERNEL = 0xFFFFFFFF81000000
POINTER = 1 << 56


def write(target, name, data):
    folder = os.path.join("tests/fuzz/corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def sample(kernel=(), user=(), k=None, u=None, end=1, flags=0, stamp=0, tid=8, comm=b"thread"):
    """struct record_sample of bpf/record.h"""
    head = struct.pack(
        "=QQQQIIIIHHBBH16s16s",
        42, 40000000, 1000, 1, 7, tid, 0, 1,
        len(kernel) if k is None else k, len(user) if u is None else u,
        end, flags, stamp, comm, b"process")
    return head + b"".join(struct.pack("=Q", a) for a in (*kernel, *user))


def rest(stack=b"\0" * 64, at=0x7FFD00001000, flags=1, length=None):
    """struct record_rest and its stack"""
    return (struct.pack("=QQQQQQQII16Q", 0x400000, at + 8, at + 32, 0, 1 << 47, at + 64, at, flags,
                        len(stack) if length is None else length, *range(16)) + stack)


def event(kind, body, misc=0, size=None):
    """A perf record with { u32 pid, tid; u64 time } behind it"""
    length = 8 + len(body) + 16
    return (struct.pack("=IHH", kind, misc, length if size is None else size) + body +
            struct.pack("=IIQ", 7, 8, 42))


def mmap2(start=0x7F0000000000, length=0x2000, prot=5, path=b"/usr/lib/libc.so.6\0", misc=0):
    path += b"\0" * (-len(path) % 8)
    return event(10, struct.pack("=IIQQQIIQQII", 7, 8, start, length, 0, 8, 1, 1234, 0, prot, 2) +
                 path, misc)


def chunk(kind, key, data, length=None, pad=b"\0"):
    return (struct.pack("=IIQ", kind, len(data) if length is None else length, key) + data +
            pad * (-len(data) % 8))


def decode():
    user = (0x400000, POINTER | 0x400100, POINTER | 0x400200)
    samples = {
        "both": sample((KERNEL, KERNEL + 1), user, flags=1),
        "user": sample((), user),
        "kernel-thread": sample((KERNEL,), (), end=0, flags=3),
        "no-frames": sample(),
        "kernel-without-frames": sample((), user, flags=1),
        "deepest": sample((KERNEL,) * 127, (POINTER | 0x400000,) * 1023, end=4, flags=1),
        "too-deep": sample((), (POINTER | 0x400000,) * 1024),
        "more-frames-than-bytes": sample((), user, u=1023),
        "fewer-frames-than-bytes": sample((), user, u=1),
        "end-unknown": sample((), user, end=99),
        "tables": sample((), (0x400000, 2 << 56 | 0x400100), end=8, stamp=7),
        "tables-none": sample((), user, flags=4),
        "tables-none-stamped": sample((), user, flags=4, stamp=7),
        "kind-unknown": sample((), (7 << 56,)),
        "kernel-address-low": sample((0x1000,), (), flags=1),
        "comm-without-nul": sample((), user, comm=b"0123456789abcdef"),
        "tid-0": sample((), user, tid=0),
        "cut": sample((), user)[:-1],
        "empty": b"",
        "rest": sample((KERNEL,), user[:1], end=6, flags=1 | 4 | 8) + rest(),
        "rest-of-callers": sample((), (0x400000, 2 << 56 | 0x400100), end=7, flags=8, stamp=7) + rest(),
        "rest-empty": sample((), user[:1], end=6, flags=8) + rest(b""),
        "rest-gone": sample((), user[:1], end=6, flags=16),
        "rest-and-gone": sample((), user[:1], end=6, flags=24) + rest(),
        "rest-missing": sample((), user[:1], end=6, flags=8),
        "rest-cut": (sample((), user[:1], end=6, flags=8) + rest())[:-8],
        "rest-of-nothing": sample((), (), end=6, flags=8) + rest(),
        "rest-of-bottom": sample((), user[:1], end=1, flags=8) + rest(),
        "rest-length-huge": sample((), user[:1], end=6, flags=8) + rest(length=0xFFFFFFF8),
        "rest-length-odd": sample((), user[:1], end=6, flags=8) + rest(b"\0" * 63),
        "rest-flags-unknown": sample((), user[:1], end=6, flags=8) + rest(flags=8),
        "rest-stack-odd": sample((), user[:1], end=6, flags=8) + rest(at=0x7FFD00001004),
        "rest-unannounced": sample((), user[:1]) + rest(),
    }
    task = struct.pack("=IIIIQ", 20, 19, 20, 19, 42)
    events = {
        "mmap": mmap2(),
        "mmap-data": mmap2(prot=1),
        "mmap-build-id": mmap2(misc=1 << 14),
        "mmap-empty": mmap2(length=0),
        "mmap-wraps": mmap2(length=(1 << 64) - 1),
        "mmap-no-path": event(10, b"\0" * 64),
        "mmap-no-nul": mmap2(path=b"01234567"),
        "fork": event(7, task),
        "exit": event(4, task),
        "fork-short": event(7, task[:-8]),
        "comm": event(3, struct.pack("=II", 7, 8) + b"renamed\0"),
        "exec": event(3, struct.pack("=II", 7, 8) + b"cc1\0\0\0\0\0", 1 << 13),
        "lost": event(2, struct.pack("=QQ", 1, 99)),
        "other": event(5, b""),
        "size-0": event(7, task, size=0),
        "size-large": event(7, task, size=0xFFF8),
        "cut": mmap2()[:-1],
    }
    for name, data in samples.items():
        write("collect_decode", "sample-" + name, b"\1" + data)
    for name, data in events.items():
        write("collect_decode", "event-" + name, b"\0" + data)


def stream():
    two = chunk(2, 0, b"a sample") + chunk(5, 7, b"text")
    contents = {
        "whole": two + chunk(0, 2, b""),
        "wrong-count": two + chunk(0, 3, b""),
        "end-with-bytes": chunk(0, 0, b"12345678"),
        "no-end": two,
        "cut": two[:-9],
        "kind-unknown": chunk(99, 0, b""),
        "length-huge": chunk(2, 0, b"", length=0xFFFFFFFF),
        "length-maximum": chunk(2, 0, b"", length=16 << 20),
        "padding": chunk(5, 0, b"text", pad=b"x") + chunk(0, 1, b""),
        "empty": b"",
    }
    header = b"slowburn stream\n" + struct.pack("=II", 1, 0x01020304)
    # A frame without compression: one raw, last block, its size in the header, no checksum.
    body = contents["whole"]
    frame = (struct.pack("<IBI", 0xFD2FB528, 0xA0, len(body)) +
             struct.pack("<I", 1 | len(body) << 3)[:3] + body)
    files = {
        "whole": header + frame,
        "two-frames": header + frame + frame,
        "skippable": header + struct.pack("<II", 0x184D2A50, 4) + b"skip" + frame,
        "window-huge": header + struct.pack("<IBB", 0xFD2FB528, 0x00, 0xFF) + b"\1\0\0",
        "cut": header + frame[:-1],
        "garbage": header + b"\0" * 32,
        "version": b"slowburn stream\n" + struct.pack("=II", 5, 0x01020304),
        "byte-order": b"slowburn stream\n" + struct.pack("=II", 1, 0x04030201),
        "magic": b"something else..........",
        "short": header[:20],
    }
    for name, data in contents.items():
        write("collect_stream", "content-" + name, b"\1" + data)
    for name, data in files.items():
        write("collect_stream", "file-" + name, b"\0" + data)


decode()
stream()
