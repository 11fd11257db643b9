#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Writes the corpus of the agent_player target into the folder that it is given.

Recordings are made here from the format's description (profiler/collect/stream.h, bpf/record.h,
symbolizer/protocol.h) rather than by our own recorder: so each run of the tests also tells whether a
recording of this version, or of an older one, still reads. Content goes into zstd frames of raw blocks without a checksum, so
that a fuzzer gets behind the compression. Files named content-* are content only: the target frames it.
"""

import pathlib
import struct
import sys

END, FACTS, SAMPLE, EVENT, DRAIN, TEXT, TEXT_ERROR, FILE, CGROUP, SYMBOLS, REST, CODE, LINES = range(13)
MAPS, STAT, CGROUP_TEXT, PIDS = range(4)
KERNEL, VDSO, FILES, MADE, LATE = 0, 1, 16, 1 << 28, 1 << 32
ESRCH, NONE = -3, 0xFFFFFFFF
KERNEL_ADDR = 0xFFFFFFFF81000100
START_NS = 5_000_000_000

FACTS_TEXT = b"""event 0
filtered 0
time_ns 1760000000000000000
duration_ns 1000000000
period 10101010
frequency_hz 99
cpus_profiled 2
cpus_online 2
start_ns 1000
end_ns 18446744073709551615
counter.samples_sent 3
"""
MAPS_TEXT = b"""01000000-01002000 r-xp 00000000 fe:00 77                 /usr/bin/spin
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
7f0000001000-7f0000002000 r-xp 00000000 00:00 0
7f0000002000-7f0000004000 r-xp 00001000 fe:00 78         /tmp/gone\\012line (deleted)
7ffff7fc0000-7ffff7fc2000 r-xp 00000000 00:00 0                  [vdso]
"""
STAT_TEXT = b"100 (spin (1) x) R 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 500 0 0\n"


def chunk(kind, key=0, data=b""):
    return struct.pack("<IIQ", kind, len(data), key) + data + bytes(-len(data) % 8)


def content(*chunks, end=True):
    return b"".join(chunks) + (chunk(END, len(chunks)) if end else b"")


def frame(data):
    """RFC 8878: one segment, its size in four bytes, raw blocks, no checksum."""
    out = struct.pack("<IBI", 0xFD2FB528, 2 << 6 | 1 << 5, len(data))
    blocks = [data[i : i + 65536] for i in range(0, len(data), 65536)] or [b""]
    for i, block in enumerate(blocks):
        out += (len(block) << 3 | (i == len(blocks) - 1)).to_bytes(3, "little") + block
    return out


def recording(*contents, version=1, order=0x01020304):
    return b"slowburn stream\n" + struct.pack("<II", version, order) + b"".join(map(frame, contents))


def text(what, pid, data):
    return chunk(TEXT, what << 32 | pid, data)


def code(kind, key, value):
    return chunk(kind, key, struct.pack("<i", value))


def sample(time_ns, kernel=(), user=(), pid=100, end=1, flags=0, cgroup=9, kind=1, stamp=0):
    frames = list(kernel) + [a | (kind << 56 if i else 0) for i, a in enumerate(user)]
    head = struct.pack("<QQQQIIIIHHBBH16s16s", time_ns, 10101010, START_NS, cgroup, pid, pid, 1, 0,
                       len(kernel), len(user), end, flags, stamp, b"spin", b"spin")
    return chunk(SAMPLE, 0, head + struct.pack("<%dQ" % len(frames), *frames))


def event(kind, misc, body, pid, time_ns):
    body += struct.pack("<IIQ", pid, pid, time_ns)
    return chunk(EVENT, 0, struct.pack("<IHH", kind, misc, 8 + len(body)) + body)


def task(kind, pid, parent, time_ns):
    return event(kind, 0, struct.pack("<IIIIQ", pid, parent, pid, parent, time_ns), pid, time_ns)


def comm_exec(pid, time_ns):
    return event(3, 1 << 13, struct.pack("<II8s", pid, pid, b"spin"), pid, time_ns)


def mmap2(pid, start, length, ino, name, time_ns, prot=5):
    body = struct.pack("<IIQQQIIQQII", pid, pid, start, length, 0, 254, 0, ino, 1, prot, 2)
    name += bytes(8 - len(name) % 8)
    return event(10, 2, body + name, pid, time_ns)


def lost(count, time_ns):
    return event(2, 0, struct.pack("<QQ", 1, count), 0, time_ns)


def symbols(space, answers, functions, modules=(), names=("spin_loop",), status=0):
    """answers: (vaddr, function, module); functions: (start, size, name); modules: (start, limit, off)."""
    strings, at = b"\0", []
    for name in names:
        at.append(len(strings))
        strings += name.encode() + b"\0"
    data = struct.pack("<6I", status, len(answers), len(functions), len(modules), len(strings), 0)
    data += b"".join(struct.pack("<QII", *a) for a in answers)
    data += b"".join(struct.pack("<QQII", s, n, at[i], at[i]) for s, n, i in functions)
    data += b"".join(struct.pack("<QQQII", s, e, o, 0, 0) for s, e, o in modules)
    return chunk(SYMBOLS, space, data + strings)


SCAN = [
    chunk(FACTS, 0, FACTS_TEXT),
    text(PIDS, 0, b"100\n101\n"),
    text(MAPS, 100, MAPS_TEXT),
    text(STAT, 100, STAT_TEXT),
    code(TEXT_ERROR, MAPS << 32 | 101, ESRCH),
]
FILE_NAMES = symbols(FILES, [(0x100, 0, 0), (0x200, 0, 0)], [(0x100, 0x200, 0)], [(0, 0x2000, 0)])
KERNEL_NAMES = symbols(KERNEL, [(0x100, 0, 0)], [(0x100, 0x10, 0)], [(0, 0x10000, 0)], ["do_syscall"])
ONE_DRAIN = [
    *SCAN,
    sample(2000, [KERNEL_ADDR], [0x1000100, 0x1000200], flags=1),
    sample(3000, [], [0x1000100, 0x7F0000001010, 0x7F0000002010, 0x10]),
    sample(3500, [KERNEL_ADDR], [], pid=2, end=0, flags=3),
    chunk(DRAIN, 2**64 - 1),
    chunk(CGROUP, 9, b"/system.slice/spin.service"),
    code(FILE, 77, 0),
    code(FILE, 78, -2),
    KERNEL_NAMES,
    FILE_NAMES,
    chunk(FACTS, 0, b"end_ns 9000\nown_cpu_ns 5\ncounter.samples_lost_ring_full 2\n"),
]
LIFE = [  # a process that is born, runs, executes, and ends between two drains
    *SCAN,
    task(7, 200, 100, 2000),
    sample(2100, [], [0x1000100], pid=200),
    comm_exec(200, 2200),
    mmap2(200, 0x2000000, 0x1000, 90, b"/tmp/short", 2300),
    mmap2(200, 0x3000000, 0x1000, 0, b"//anon", 2310),
    mmap2(200, 0x4000000, 0x1000, 91, b"/tmp/data", 2320, prot=1),
    sample(2400, [], [0x2000010, 0x3000010], pid=200),
    task(4, 200, 100, 2500),
    lost(12, 2600),
    sample(2700, [], [0x1000100], pid=300, end=4),
    chunk(DRAIN, 2650),
    text(MAPS, 300, b"damaged\n" + MAPS_TEXT),
    code(FILE, 90, 0),
    sample(3000, [], [0x1000100]),
    chunk(DRAIN, 5000),
]

TABLES = [  # user stacks by unwind tables: whole, ended early, and of a process without any
    *SCAN,
    sample(2000, [], [0x1000100, 0x1000200], kind=2, stamp=7),
    sample(2500, [], [0x1000100, 0x1000200], kind=2, stamp=7, end=8),
    sample(3000, [], [0x1000100, 0x1000200], flags=4),
    chunk(DRAIN, 2**64 - 1),
]


def rest(time_ns, end, *words):
    return chunk(REST, time_ns, struct.pack("<%dQ" % (1 + len(words)), end, *words))


RESTS = [  # of new processes: found whole, ended early, not told; and one that was told wrongly
    *SCAN,
    sample(2000, [], [0x1000100], flags=4 | 16, end=6),
    sample(2500, [KERNEL_ADDR], [0x1000100, 0x1000200], flags=1 | 16, kind=2, stamp=7, end=7),
    sample(3000, [], [0x1000100], flags=4 | 16, end=6),
    sample(3500, [], [0x1000100], flags=4 | 16, end=6),
    chunk(DRAIN, 2**64 - 1),
    code(FILE, 77, 0),
    rest(2000, 1, 2 << 56 | 0x1000200, 2 << 56 | 0x1000300),
    rest(2500, 2, 1 << 56 | 0x1000300),
    rest(3500, 1, 9 << 56 | 0x1000300),
]



def look(owner, size, result=0):
    return chunk(CODE, owner, struct.pack("<QiI", size, result, 0))


MADE_CODE = [  # an address that is one function's, then another's; a process without a map
    *SCAN,
    sample(2000, [], [0x7F0000001010, 0x1000100]),
    chunk(DRAIN, 3000),
    code(FILE, 77, 0),
    look(0, 100),
    sample(1_000_000_000, [], [0x7F0000001010, 0x1000100]),
    chunk(DRAIN, 2_000_000_000),
    look(0, 200),
    mmap2(300, 0x3000000, 0x1000, 0, b"//anon", 2_000_000_010),
    sample(2_000_000_100, [], [0x3000010], pid=300),
    chunk(DRAIN, 2**64 - 1),
    look(0, 200),
    look(1, 0, -2),
    symbols(FILES, [(0x100, 0, 0)], [(0x100, 0x200, 0)], [(0, 0x2000, 0)], ["main"]),
    symbols(MADE, [(0x7F0000001010, 0, NONE), (0x7F0000001010, 1, NONE)],
            [(0x7F0000001000, 0x20, 0), (0x7F0000001000, 0x40, 1)], names=["first", "second (of two)"]),
]


def lines(space, answers, places, names, status=0):
    """answers: (first, count); places: (name, file, line), of which two are numbers in names."""
    strings, at = b"\0", [0]
    for name in names:
        at.append(len(strings))
        strings += name.encode() + b"\0"
    data = struct.pack("<8I", status, 0, 1, 0, len(answers), len(places), len(strings), 0)
    data += b"".join(struct.pack("<II", *a) for a in answers)
    data += b"".join(struct.pack("<4I", at[n], at[n], at[f], line) for n, f, line in places)
    return chunk(LINES, space, data + strings)


INLINED = [  # two addresses of one function, into one of which two others were inlined; the symbol names the outermost
    *ONE_DRAIN[:-1],
    lines(FILES, [(0, 3), (3, 1)], [(1, 2, 7), (3, 2, 12), (4, 5, 30), (4, 5, 31)],
          ["fold", "/usr/include/fold.h", "fold_all", "loop", "/src/spin.c"]),
    chunk(FACTS, 0, b"counter.lines_none 3\ncounter.lines_late 1\n"),
]
LATE_NAMES = [  # a file that nobody maps any more has no names; when the capture ends it has
    chunk(FACTS, 0, FACTS_TEXT + b"lets_go 1\n"),
    *SCAN[1:],
    sample(2000, [], [0x1000100]),
    chunk(DRAIN, 1_000_000_000),
    code(FILE, 77, 0),
    comm_exec(100, 1_500_000_000),
    chunk(DRAIN, 9_000_000_000),
    symbols(FILES, [(0x100, NONE, 0)], [], [(0, 0x2000, 0)]),
    chunk(DRAIN, 2**64 - 1),
    symbols(LATE | FILES, [(0x100, 0, 0)], [(0x100, 0x200, 0)], [(0, 0x2000, 0)], ["late_name"]),
    lines(FILES, [(0, 1)], [(1, 2, 5)], ["loop", "/src/spin.c"]),
]

FILES_OUT = {
    "one-drain": recording(content(*ONE_DRAIN)),
    "life-of-a-process": recording(content(*LIFE)),
    "two-frames": recording(content(*ONE_DRAIN)[:700], content(*ONE_DRAIN)[700:]),
    "facts-only": recording(content(chunk(FACTS, 0, FACTS_TEXT))),
    "no-facts": recording(content(sample(1, [], []))),
    "empty": recording(),
    "broken-off": recording(content(*ONE_DRAIN, end=False)),
    "broken-off-in-a-frame": recording(content(*ONE_DRAIN))[:-200],
    "wrong-count": recording(content(*SCAN, end=False) + chunk(END, 99)),
    "tables": recording(content(*TABLES), version=2),
    "rests": recording(content(*RESTS), version=3),
    "code": recording(content(*MADE_CODE), version=4),
    "inlined": recording(content(*INLINED), version=5),
    "late-names": recording(content(*LATE_NAMES), version=5),
    "version-99": recording(content(*SCAN), version=99),
    "other-byte-order": recording(content(*SCAN), order=0x04030201),
    "content-one-drain": content(*ONE_DRAIN),
    "content-life-of-a-process": content(*LIFE),
    "content-cycles": content(chunk(FACTS, 0, b"event 1\n"), *ONE_DRAIN[1:]),
    "content-no-period": content(chunk(FACTS, 0, b"event 0\nperiod 0\n"), *ONE_DRAIN[1:]),
    "content-largest-period": content(
        chunk(FACTS, 0, b"event 0\nperiod 4611686018427387904\n"), *ONE_DRAIN[1:]),
    "content-damaged-facts": content(*ONE_DRAIN, chunk(FACTS, 0, b"period x\n")),
    "content-odd-codes": content(
        *SCAN, sample(2000, [], [0x1000100]), chunk(DRAIN, 1), code(FILE, 77, 5),
        code(TEXT_ERROR, MAPS << 32 | 100, 0), chunk(TEXT_ERROR, STAT << 32 | 100, b"x")),
    "content-bad-names": content(
        *ONE_DRAIN[:-3], symbols(KERNEL, [(0x100, 7, 7)], []), symbols(FILES, [(1, 0, 0)] * 3, [])),
    "content-not-elf": content(
        *ONE_DRAIN[:-2], symbols(FILES, [(0, NONE, NONE)] * 2, [], status=1)),
    "content-bad-records": content(
        *SCAN, chunk(SAMPLE, 0, b"x" * 88), chunk(EVENT, 0, b"x" * 40), chunk(SAMPLE), chunk(EVENT),
        sample(2000, [], [], end=9), sample(2000, [5], [], flags=1), chunk(DRAIN, 9)),
    "content-times-at-the-ends": content(
        *SCAN, chunk(FACTS, 0, b"start_ns 0\n"), sample(0, [], [0x1000100]),
        task(7, 200, 100, 2**64 - 1), sample(2**64 - 1, [], [0x1000100]), chunk(DRAIN, 0),
        chunk(DRAIN, 2**64 - 1)),
    "content-rests": content(*RESTS),
    "content-odd-rests": content(
        *SCAN, sample(2000, [], [0x1000100], flags=16, end=6), sample(2100, [], [0x1000100], flags=16, end=6),
        sample(2200, [], [0x1000100], flags=8, end=6), sample(2300, [], [], flags=16, end=6), chunk(DRAIN, 9000),
        chunk(REST, 2000, b"x"), chunk(REST, 2100, bytes(8 * 1025))),
    "content-cgroups": content(
        *SCAN, chunk(CGROUP, 9, b""), chunk(CGROUP, 9, b"/a\0b"), chunk(CGROUP, 0, b"/" * 5000),
        sample(2000, [], [0x1000100], cgroup=0), chunk(DRAIN, 1)),
    "content-deepest-stack": content(
        *SCAN,
        sample(2000, [KERNEL_ADDR] * 127, [0x1000100 + i for i in range(1023)], end=4, flags=1),
        chunk(DRAIN, 1)),
    "content-code": content(*MADE_CODE),
    "content-odd-code": content(
        *MADE_CODE[:-2], look(0, 1, 5), look(0, 2**64 - 1), look(0, 0, -5000), chunk(CODE, 0, b"x"), look(2**64 - 1, 1),
        symbols(MADE, [(1, 7, 7)], []), symbols(MADE, [(1, NONE, NONE)] * 3, [])),
    "content-inlined": content(*INLINED),
    "content-late-names": content(*LATE_NAMES),
    "content-odd-lines": content(
        *ONE_DRAIN, chunk(LINES, FILES, b"x" * 40), lines(FILES, [(0, 9)] * 2, [(1, 1, 1)], ["x"]),
        symbols(LATE | FILES, [(0x100, 7, 7)], [])),
    "content-unknown-kind": content(*SCAN, chunk(13)),
    "content-nothing": b"",
}


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in FILES_OUT.items():
        (folder / name).write_bytes(data)


main()
