# SPDX-License-Identifier: Apache-2.0
"""Writes the jitdumps of tests/fuzz/corpus/symbolizer_code: usage: symbolizer_code_corpus.py DIRECTORY"""
import os
import struct
import sys


def header(version=1, size=40, flags=0):
    return struct.pack("<6I2Q", 0x4A695444, version, size, 62, 0, 1, 1, flags)


def load(time, address, size, number, name):
    body = struct.pack("<2I4Q", 1, 1, address, address, size, number) + name + b"\0" + b"\x90" * 16
    return struct.pack("<2IQ", 0, 16 + len(body), time) + body


def move(time, old, new, size, number):
    return struct.pack("<2IQ2I5Q", 1, 64, time, 1, 1, old, old, new, size, number)


def other(kind, size):
    return struct.pack("<2IQ", kind, size, 5) + b"\xff" * (size - 16)


ordinary = header() + load(10, 0x1000, 16, 1, b"a") + other(2, 40) + load(20, 0x1000, 16, 2, b"b") + move(
    30, 0x1000, 0x2000, 16, 2) + other(4, 48) + other(3, 16) + load(40, 0x3000, 16, 3, b"c")
files = {
    "dump": ordinary,
    "dump-cut": ordinary[:-20],
    "dump-zeros": ordinary + bytes(64),
    "dump-processor-time": header(flags=1) + ordinary[40:],
    "dump-version": header(version=2) + ordinary[40:],
    "dump-header": header(size=39) + ordinary[40:],
    "dump-move-of-nothing": header() + move(1, 0, 0x1000, 16, 9),
    "dump-wraps": header() + load(1, (1 << 64) - 1, 2, 1, b"a"),
    "dump-no-name": header() + struct.pack("<2IQ2I4Q", 0, 56, 1, 1, 1, 0x1000, 0x1000, 16, 1),
    "dump-and-map": ordinary + b"\n===\n2000 10 of the map\n7f0000001000 1000 only there\n",
}
for name, data in files.items():
    with open(os.path.join(sys.argv[1], name), "wb") as file:
        file.write(data)
