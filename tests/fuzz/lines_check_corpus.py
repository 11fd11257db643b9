#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus of symbolizer_lines_check: a small sound reply about lines and one about debug files, and the same
with a bit turned in each word. Run at the top of the tree."""

import os
import struct

FOLDER = "tests/fuzz/corpus/symbolizer_lines_check"
STRINGS = b"\0inner\0outer\0/a/b.c\0abcd\0"
LINES = (
    struct.pack("<8I", 0, 0, 1, 0, 3, 3, len(STRINGS), STRINGS.index(b"abcd"))
    + struct.pack("<6I", 0, 2, 2, 0, 2, 1)
    + struct.pack("<12I", 1, 1, 13, 7, 7, 7, 13, 8, 7, 7, 13, 9)
    + STRINGS
)
DEBUG = (
    struct.pack("<4I", 0, 1, 4, 2)
    + b"\1\2\3\4".ljust(64, b"\0")
    + b"\5\6".ljust(64, b"\0")
    + b"a.debug".ljust(256, b"\0")
    + b"/usr/lib/debug/.dwz/a".ljust(1024, b"\0")
)


def put(name, data):
    with open(os.path.join(FOLDER, name), "wb") as f:
        f.write(data)


os.makedirs(FOLDER, exist_ok=True)
put("lines", LINES)
put("lines-none", struct.pack("<8I", 3, 0, 0, 0, 0, 0, 1, 0) + b"\0")
put("debug", DEBUG)
put("debug-folder", DEBUG.replace(b"a.debug", b"../../a"))
put("debug-no-end", DEBUG[:144] + b"x" * 1280)
put("short", LINES[:40])
for at in range(0, len(LINES) - len(STRINGS), 4):
    wrong = bytearray(LINES)
    wrong[at] ^= 1
    put(f"bit-{at:03}", bytes(wrong))
