#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus of symbolizer_unwind_check: a request and a small sound reply, and the same with a bit
turned in each word. Run at the top of the tree."""

import os
import struct

FOLDER = "tests/fuzz/corpus/symbolizer_unwind_check"


def row(within, rule):
    return within | rule << 16


REQUEST = struct.pack("<QQII", 0x1000, 0x4000, 4, 0)
REPLY = (
    struct.pack("<QQ12I", 0x1000, 0x3800, 0, 0, 2, 3, 3, 4, 0, 0, 0, 0, 0, 0)
    + struct.pack("<6Q", 0x1000, 0, 0x1000, 0x2000, 0x8000, 0x1800)
    + struct.pack("<" + "BBhi" * 3, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 8)
    + struct.pack("<" + "IHH" * 3, 0, 1, 0, 0, 2, 0, 2, 2, 0)
    + struct.pack("<4I", row(0, 2), row(0xFFF, 0), row(0, 0), row(1, 1))
)


def put(name, data):
    with open(os.path.join(FOLDER, name), "wb") as f:
        f.write(data)


os.makedirs(FOLDER, exist_ok=True)
put("good", REQUEST + REPLY)
put("no-elf", REQUEST + struct.pack("<QQ12I", 0, 0, 1, *[0] * 11))
put("short", REQUEST + REPLY[:63])
put("longer", REQUEST + REPLY + b"\0" * 8)
for at in range(0, len(REPLY), 4):
    wrong = bytearray(REPLY)
    wrong[at] ^= 1
    put(f"bit-{at:03}", REQUEST + bytes(wrong))
