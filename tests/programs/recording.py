# SPDX-License-Identifier: Apache-2.0
"""The samples of a recording (slowburn profile --record), which know more than a profile: why each stack ended, and how each
of its frames was found. The formats are in profiler/collect/stream.h and bpf/record.h.
"""
import os
import re
import struct
import subprocess
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STREAM_HEADER, CHUNK, SAMPLE = struct.Struct("<16sII"), struct.Struct("<IIQ"), struct.Struct("<QQQQIIIIHHBBH16s16s")
STREAM_SAMPLE, STREAM_REST = 2, 10
KIND_SHIFT, KIND_POINTER = 56, 1
FLAG_KERNEL, FLAG_KTHREAD, FLAG_NO_TABLES, FLAG_REST_GONE = 1, 2, 4, 16


def stack_ends():
    """The names of enum record_stack_end, in their order."""
    with open(os.path.join(ROOT, "bpf", "record.h"), encoding="utf-8") as file:
        body = re.search(r"enum record_stack_end \{(.*?)\};", file.read(), re.S)[1]
    return [name.lower().replace("_", " ") for name in re.findall(r"^\s*STACK_END_(\w+)", body, re.M) if name != "COUNT"]


@dataclass
class Sample:
    time_ns: int
    tgid: int
    tid: int
    kernel: bool
    kthread: bool
    no_tables: bool
    end: str
    comm: str
    leader_comm: str
    frames: list  # of the user stack, leaf first: (address, found by frame pointer)
    copied: bool  # finished in user space, from a copy of the stack


def text(field):
    return field.split(b"\0")[0].decode("utf-8", "replace")


def frames_of(words):
    return [(w & (1 << KIND_SHIFT) - 1, w >> KIND_SHIFT == KIND_POINTER) for w in words]


def read(path):
    with open(path, "rb", buffering=0) as file:  # zstd goes on where we stop
        magic, _, order = STREAM_HEADER.unpack(file.read(STREAM_HEADER.size))
        if magic != b"slowburn stream\n" or order != 0x01020304:
            raise SystemExit(f"{path}: no recording of this machine's")
        data = subprocess.run(["zstd", "-dcq"], stdin=file, stdout=subprocess.PIPE, check=True).stdout
    ends, samples, rests, at = stack_ends(), [], {}, 0
    while at + CHUNK.size <= len(data):
        kind, size, key = CHUNK.unpack_from(data, at)
        at += CHUNK.size
        if kind == STREAM_SAMPLE:
            (time_ns, _, _, _, tgid, tid, _, _, kernels, users, end, flags, _, comm, leader) = SAMPLE.unpack_from(data, at)
            words = struct.unpack_from(f"<{users}Q", data, at + SAMPLE.size + 8 * kernels)
            samples.append(Sample(time_ns, tgid, tid, bool(flags & FLAG_KERNEL), bool(flags & FLAG_KTHREAD),
                                  bool(flags & FLAG_NO_TABLES), ends[end], text(comm), text(leader), frames_of(words),
                                  bool(flags & FLAG_REST_GONE)))
        elif kind == STREAM_REST:
            end, *words = struct.unpack_from(f"<{size // 8}Q", data, at)
            rests[key] = ends[end], frames_of(words)
        at += size + (-size & 7)
    for s in samples:
        if s.copied and s.time_ns in rests:
            s.end, s.frames = rests[s.time_ns][0], s.frames + rests[s.time_ns][1]
    return samples
