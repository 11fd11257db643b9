#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus of store_columns: two small sound windows, and the same with a bit turned in each byte. Run at the top of
the tree."""

import os
import struct

FOLDER = "tests/fuzz/corpus/store_columns"

# As in tests/unit/store_columns.c, and one counter's name before it.
DICTIONARY = (
    b"\x00\x01" b"\x01\x07" b"\x00\x01" b"\x00\x02" b"\x00\x02" b"\x01\x02" b"\x00\x01"
    b"\x07samples"
    b"\x04\x04\x03\x06\x10\x04\x01" b"comm" b"bash" b"pid" b"/bin/a" b"0123456789abcdef" b"main" b"f"
    b"\x80\x20" b"\x80\x80\x80\x80\x01" b"\x80\x20" b"\x04" b"\x05" b"\x00"
    b"\x0c\x02" b"\x00\x00" b"\x00\x00" b"\x00\x00"
    b"\x80\x40\x20" b"\x01\x01" b"\x01\x01" b"\x00\x02" b"\x05\x07"
    b"\x00\x00" b"\x00\x02" b"\x00\x01"
    b"\x02" b"\x01\x03" b"\x03\x00" b"\x0e"
    b"\x00"
)
NEXT = (
    b"\x01\x00" b"\x08\x01" b"\x01\x00" b"\x02\x01" b"\x02\x00" b"\x03\x00" b"\x01\x00"
    b"\x01" b"g" b"\x10" b"\x00" b"\x00" b"\x00"
    b"\x01" b"\x02" b"\x03" b"\x04\x01" b"\x2a\x07"
)
SAMPLES = (
    b"\x09cpu-clock\x03cpu\x0bnanoseconds" + bytes([1] * 15)
    + b"\x01\x00\x05"  # a counter
    + b"\x01\x00\x02"  # a run of two samples
    + b"\x00\x02" b"\x01\x02" b"\x00\x00"
)
MOMENTS = b"\x05\x07\x02" b"\x00\x01\x00"


def put(name, dictionary, following, samples):
    with open(os.path.join(FOLDER, name), "wb") as f:
        f.write(struct.pack("<3H", len(dictionary), len(following), len(samples)))
        f.write(dictionary + following + samples + MOMENTS)


def turned(data, i):
    return data[:i] + bytes([data[i] ^ 1 << i % 8]) + data[i + 1:]


os.makedirs(FOLDER, exist_ok=True)
put("sound", DICTIONARY, NEXT, SAMPLES)
put("one", DICTIONARY, b"", SAMPLES)
for i in range(0, len(DICTIONARY), 3):
    put(f"dictionary-{i:03}", turned(DICTIONARY, i), NEXT, SAMPLES)
for i in range(0, len(NEXT)):
    put(f"next-{i:03}", DICTIONARY, turned(NEXT, i), SAMPLES)
for i in range(0, len(SAMPLES), 3):
    put(f"samples-{i:03}", DICTIONARY, NEXT, turned(SAMPLES, i))
