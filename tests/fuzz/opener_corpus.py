#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus of opener_protocol: good requests and replies, and each wrong in one place."""
import os
import struct
import sys

READ, OPEN, FETCH, KERNEL, CGROUP, DEBUG, PERFMAP, PACKAGES = range(1, 9)


def texts(*pairs):
    return b"".join(struct.pack("<II", what, pid) for what, pid in pairs)


def place(path, pid=7, path_bytes=None, unused=0):
    head = struct.pack("<QQQQIIIIII", 0x1000, 0x2000, 99, 3, pid, 1, 254, 0,
                       len(path) if path_bytes is None else path_bytes, unused)
    return head + path


def debug(path, name, id_bytes=20, alternate=0, lengths=None, unused=0):
    a, b = lengths or (len(path), len(name))
    head = struct.pack("<IIIIIIII", 7, 1, 0, alternate, a, b, id_bytes, unused) + bytes(range(64))
    return head + path + name


def result(status, data=b"", length=None):
    return struct.pack("<iI", status, len(data) if length is None else length) + data


INPUTS = {
    "read-one": (READ, texts((0, 1234))),
    "read-many": (READ, texts(*[(n % 5, n * 1000) for n in range(128)])),
    "read-too-many": (READ, texts(*[(0, 1)] * 129)),
    "read-none": (READ, b""),
    "read-odd": (READ, texts((0, 1)) + b"x"),
    "read-unknown": (READ, texts((5, 1))),
    "read-full": (READ, texts((0, 3 << 20 - 1), (0, 1), (1, 2))),
    "read-long-second": (READ, texts((0, 6), (0, 2999999), (1, 7))),
    "open": (OPEN, place(b"/usr/bin/a\0")),
    "open-empty-path": (OPEN, place(b"\0")),
    "open-no-path": (OPEN, place(b"")),
    "open-no-nul": (OPEN, place(b"/a")),
    "open-nul-inside": (OPEN, place(b"/a\0b\0")),
    "open-longest": (OPEN, place(b"a" * 4096 + b"\0")),
    "open-too-long": (OPEN, place(b"a" * 4097 + b"\0")),
    "open-bad-length": (OPEN, place(b"/a\0", path_bytes=0xffffffff)),
    "open-unused": (OPEN, place(b"/a\0", unused=1)),
    "open-cut": (OPEN, place(b"/a\0")[:30]),
    "fetch": (FETCH, place(b"/a\0", pid=8)),
    "kernel": (KERNEL, b""),
    "cgroup": (CGROUP, b"/sys/fs/cgroup\0/a.slice\0"),
    "cgroup-relative": (CGROUP, b"sys\0/a\0"),
    "cgroup-one-string": (CGROUP, b"/sys\0"),
    "cgroup-three": (CGROUP, b"/sys\0/a\0/b\0"),
    "cgroup-no-nul": (CGROUP, b"/sys\0/a"),
    "perfmap": (PERFMAP, struct.pack("<QII", 1000000000, 7, 0)),
    "perfmap-unused": (PERFMAP, struct.pack("<QII", 1000000000, 7, 1)),
    "perfmap-no-pid": (PERFMAP, struct.pack("<QII", 1000000000, 0, 0)),
    "perfmap-cut": (PERFMAP, struct.pack("<QI", 1000000000, 7)),
    "packages": (PACKAGES, struct.pack("<II", 7, 2) + b"/usr/bin/a\0/usr/lib/b.so\0"),
    "packages-fewer": (PACKAGES, struct.pack("<II", 7, 3) + b"/usr/bin/a\0/usr/lib/b.so\0"),
    "packages-more": (PACKAGES, struct.pack("<II", 7, 1) + b"/usr/bin/a\0/usr/lib/b.so\0"),
    "packages-none": (PACKAGES, struct.pack("<II", 7, 0)),
    "packages-too-many": (PACKAGES, struct.pack("<II", 7, 513) + b"/\0" * 513),
    "packages-most": (PACKAGES, struct.pack("<II", 7, 512) + b"/\0" * 512),
    "packages-relative": (PACKAGES, struct.pack("<II", 7, 1) + b"usr\0"),
    "packages-no-nul": (PACKAGES, struct.pack("<II", 7, 1) + b"/usr"),
    "debug": (DEBUG, debug(b"/usr/bin/a\0", b"a.debug\0")),
    "debug-by-id": (DEBUG, debug(b"/a\0", b"\0")),
    "debug-longest-id": (DEBUG, debug(b"/a\0", b"\0", id_bytes=64)),
    "debug-id-too-long": (DEBUG, debug(b"/a\0", b"\0", id_bytes=65)),
    "debug-alternate": (DEBUG, debug(b"/a\0", b"../../.dwz/a\0", alternate=1)),
    "debug-alternate-absolute": (DEBUG, debug(b"/a\0", b"/usr/lib/debug/.dwz/a\0", alternate=1)),
    "debug-alternate-elsewhere": (DEBUG, debug(b"/a\0", b"/etc/shadow\0", alternate=1)),
    "debug-alternate-upwards": (DEBUG, debug(b"/a\0", b"a/../../../etc/shadow\0", alternate=1)),
    "debug-path-in-name": (DEBUG, debug(b"/a\0", b"../a\0")),
    "debug-relative": (DEBUG, debug(b"a\0", b"a.debug\0")),
    "debug-no-nul": (DEBUG, debug(b"/a\0", b"a.debug")),
    "debug-nul-inside": (DEBUG, debug(b"/a\0", b"a\0b\0")),
    "debug-no-name": (DEBUG, debug(b"/a\0", b"")),
    "debug-lengths": (DEBUG, debug(b"/a\0", b"a\0", lengths=(4, 1))),
    "debug-length-huge": (DEBUG, debug(b"/a\0", b"a\0", lengths=(0xffffffff, 6))),
    "debug-unused": (DEBUG, debug(b"/a\0", b"a\0", unused=1)),
    "debug-cut": (DEBUG, debug(b"/a\0", b"a\0")[:90]),
    "unknown": (77, b"x"),
    "results": (100, result(0, b"text") + result(-3) + result(0)),
    "result-errno-with-bytes": (100, result(-3, b"text")),
    "result-no-errno": (100, result(-5000)),
    "result-too-long": (100, result(0, b"text", 5)),
    "result-huge": (100, result(0, b"text", 0xffffffff)),
    "result-cut": (100, result(0)[:7]),
}

for name, (kind, data) in INPUTS.items():
    with open(os.path.join(sys.argv[1], name), "wb") as f:
        f.write(bytes([kind]) + data)
