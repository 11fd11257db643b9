#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpora of symbolizer_unwind_check (a request and a small sound reply, and the same with a bit
turned in each word) and of agent_unwinding (such replies one after the other). Run at the top of the tree."""

import os
import struct

FOLDER = "tests/fuzz/corpus/symbolizer_unwind_check"
LISTS = "tests/fuzz/corpus/agent_unwinding"


def row(within, rule):
    return within | rule << 16


REQUEST = struct.pack("<QQII", 0x1000, 0x4000, 4, 0)
REPLY = (
    struct.pack("<QQ14I", 0x1000, 0x3800, 0, 0, 2, 3, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0)
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
put("no-elf", REQUEST + struct.pack("<QQ14I", 0, 0, 1, *[0] * 13))
put("short", REQUEST + REPLY[:71])
put("longer", REQUEST + REPLY + b"\0" * 8)
for at in range(0, len(REPLY), 4):
    wrong = bytearray(REPLY)
    wrong[at] ^= 1
    put(f"bit-{at:03}", REQUEST + bytes(wrong))


def reply(start, limit, pages, segment_pages=64, rows=1):
    """A sound reply of so many pages, each with so many rows."""
    return (
        struct.pack("<QQ14I", start, limit, 0, 0, 1, 3, pages, pages * rows, 0, 0, 0, 0, 0, 0, 0, 0)
        + struct.pack("<3Q", 0x1000, 0, segment_pages * 0x1000)
        + struct.pack("<" + "BBhi" * 3, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 8)
        + b"".join(struct.pack("<IHH", i * rows, rows, 0) for i in range(pages))
        + b"".join(struct.pack("<I", row(i * (4096 // rows), 2)) for _ in range(pages) for i in range(rows))
    )


def put_list(name, *replies):
    with open(os.path.join(LISTS, name), "wb") as f:
        for offset, data in replies:
            f.write(struct.pack("<II", len(data), offset) + data)


os.makedirs(LISTS, exist_ok=True)
WHOLE = reply(0x1000, 0x41000, 64)
CUT = reply(0x1000, 0x9000, 8)
put_list("whole", (0, WHOLE))
put_list("dense", (0, reply(0x1000, 0x41000, 64, rows=512)))
put_list("regions", (0, CUT), (0, reply(0x1000, 0x10000, 15)), (0x1F000, reply(0x20000, 0x30000, 16)))
put_list("region-early", (0, CUT), (0x1F000, reply(0x20000, 0x21000, 1)), (0x1F000, reply(0x20000, 0x21000, 1)))
put_list("region-late", (0, CUT), (0x1F000, reply(0x2F000, 0x30000, 1)))
put_list("region-empty", (0, CUT), (0, reply(0x1000, 0x6000, 0)), (0, reply(0x1000, 0x10000, 15)))
put_list("empty", (0, reply(0x1000, 0x6000, 0)), (0, reply(0x1000, 0x6000, 0)))
put_list("shared-rows", (0, REPLY))
put_list("far-segments", (0, reply(0x1000, 0x41000, 64, segment_pages=1 << 40)))
