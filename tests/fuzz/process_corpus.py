#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpora of process_maps and process_table: texts of /proc/PID/maps with one thing wrong in
each, and short histories of a machine. Run it at the top of the tree; it gives the same bytes every
time."""

import os


def write(target, name, data):
    folder = os.path.join("tests/fuzz/corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def line(start=0x400000, end=0x401000, perms="r-xp", offset=0, device="fe:00", ino=10, path="/bin/a"):
    head = "%08x-%08x %s %08x %s %s " % (start, end, perms, offset, device, ino)
    return (head.ljust(73) + path + "\n").encode()


ORDINARY = b"".join([
    line(0x55786658A000, 0x55786658C000, "r--p", 0, path="/usr/bin/head"),
    line(0x55786658C000, 0x557866592000, "r-xp", 0x2000, path="/usr/bin/head"),
    line(0x557866596000, 0x557866597000, "rw-p", 0xA000, path="/usr/bin/head"),
    line(0x557892A1C000, 0x557892A3D000, "rw-p", 0, "00:00", 0, "[heap]"),
    b"7f0000000000-7f0000001000 rwxp 00000000 00:00 0 \n",
    line(0x7FA61D615000, 0x7FA61D76B000, "r-xp", 0x26000, ino=332835, path="/usr/lib/libc.so.6"),
    line(0x7FA61D7E4000, 0x7FA61D7E6000, "r-xp", 0, "00:00", 0, "[vdso]"),
    line(0xFFFFFFFFFF600000, 0xFFFFFFFFFF601000, "--xp", 0, "00:00", 0, "[vsyscall]"),
])

MAPS = {
    "ordinary": ORDINARY,
    "cut": ORDINARY[:-120],
    "empty-line": b"\n" + ORDINARY,
    "deleted": line(path="/bin/a (deleted)"),
    "deleted-only": line(path=" (deleted)"),
    "newline-in-path": line(path="/a\\012b\\012") + line(path="/a\\01"),
    "nul-in-path": line(path="/a\0b"),
    "path-longest": line(path="/" + 4095 * "a"),
    "path-too-long": line(path="/" + 4096 * "a") + ORDINARY,
    "path-escaped-too-long": line(path="/" + 4096 * "\\012"),
    "numbers-largest": b"0-ffffffffffffffff r-xp ffffffffffffffff ffffffff:ffffffff "
                       b"18446744073709551615 /x\n",
    "numbers-too-large": b"1-1ffffffffffffffff r-xp 0 8:1 5 /x\n1-2 r-xp 0 8:1 18446744073709551616 /x\n",
    "backwards": line(0x402000, 0x401000),
    "empty-range": line(0x401000, 0x401000),
    "overlapping": line(0x400000, 0x404000) + line(0x401000, 0x402000, path="/bin/b", ino=11) +
                   line(0x3FF000, 0x400001, path="/bin/c", ino=12),
    "unsorted": line(0x500000, 0x501000) + line(0x400000, 0x401000) + line(0x4FF000, 0x500800),
    "many": b"".join(line(i << 13, (i << 13) + 4096, "rwxp", 0, "00:00", 0, "") for i in range(300)),
    "many-files": b"".join(line(i << 13, (i << 13) + 4096, ino=i, path="/%d" % i) for i in range(1, 70)),
    "one-inode": b"".join(line(i << 13, (i << 13) + 4096, path="/%d" % i) for i in range(1, 40)),
    "kinds": b"".join(line(i << 13, (i << 13) + 4096, ino=i, path=p) for i, p in enumerate([
        "", "//anon", "[heap]", "[anon:x]", "anon_inode:[x]", "/dev/zero (deleted)",
        "/SYSV00000000 (deleted)", "/memfd:x (deleted)", "/anon_hugepage (deleted)", "//toolong"], 1)),
    "not-maps": b"cpu  1 2 3\nVmRSS: 1 kB\n",
}

# The steps and operands of tests/fuzz/process_table.c.
FORK, EXEC, MMAP, EXIT, LOST, RESOLVE, UNPIN, SCAN, LET_GO, BORROW = range(10)
A, B, ANON, VDSO, ZERO, NONE = range(6)


def mmap(pid, addr, pages, ino=1, generation=1, path=A, answer=b"\0"):
    """`answer` is what open() says, if it is asked: 0 and 1 succeed"""
    return bytes([MMAP, pid, addr, pages, ino, generation, path]) + answer


def resolve(pid, addr, start=1, exec_id=1, proc=b""):
    """`proc` is what /proc or open() say, if they are asked"""
    return bytes([RESOLVE, pid, start, addr, exec_id]) + proc


def maps(*lines):
    return bytes([len(lines)]) + b"".join(bytes(x) for x in lines)


LATER = 0xF0  # 2.25 s

TABLE = {
    "short-life": bytes([FORK, 2, 1, EXEC, 2]) + mmap(2, 16, 8) + mmap(2, 32, 8, 2) +
                  resolve(2, 17) + bytes([EXIT, 2, 1]) + resolve(2, 33) + resolve(LATER | 2, 33),
    "fork-then-both-map": bytes([EXEC, 1]) + mmap(1, 16, 8) + bytes([FORK, 2, 1]) +
                          mmap(1, 32, 8, 2) + mmap(2, 34, 4, 3) + resolve(1, 33) + resolve(2, 35),
    "overlaps": bytes([EXEC, 1]) + mmap(1, 16, 32) + mmap(1, 18, 2, 2) + mmap(1, 17, 5, 3) +
                mmap(1, 0, 255, 4) + mmap(1, 31, 1, 5, path=ANON, answer=b""),
    "full": b"".join(bytes([EXEC, p]) + mmap(p, 16, 8, p % 8 or 1) for p in range(10)),
    "full-of-the-dead": b"".join(bytes([EXEC, p]) + mmap(p, 16, 8) + bytes([EXIT, p, 1])
                                 for p in range(12)),
    "files-full": b"".join(mmap(1, 8 * i, 8, 1 + i % 7, i // 7) for i in range(21)),
    "pins": b"".join(mmap(1, 8 * i, 8, 1 + i, 1) + resolve(1, 8 * i) for i in range(7)) +
            bytes([UNPIN, 5, UNPIN, 0]) + resolve(1, 8) + resolve(1, 16),
    "open-fails": mmap(1, 16, 8, answer=b"\2") + mmap(2, 16, 8, answer=b"\3\0") + resolve(2, 17),
    "lost": bytes([EXEC, 1]) + mmap(1, 16, 8) + bytes([LOST, 0]) +
            resolve(1, 17, proc=maps([16, 8, 2, B], [20, 8, 3, A]) + b"\1\0") + resolve(1, 21),
    "another's-maps": resolve(1, 17, start=2, proc=maps([16, 8, 1, A]) + b"\0") +
                      resolve(0x21, 17, start=2, proc=b"\x81"),
    "exec-unseen": bytes([EXEC, 1]) + mmap(1, 16, 8) + resolve(0x11, 17) +
                   resolve(1, 17, exec_id=2, proc=maps([16, 8, 2, B]) + b"\1\0"),
    "pid-reused": bytes([EXEC, 1]) + mmap(1, 16, 8) + resolve(1, 17) + bytes([EXIT, 1, 1, FORK, 1, 2]) +
                  resolve(1, 17, start=2, proc=b"\x81") + resolve(1, 17),
    "scan": bytes([SCAN, 0, 0x0F]) + maps([16, 8, 1, A]) + maps() + b"\x81\x80" +
            maps([16, 8, 1, B], [17, 2, 2, ZERO], [18, 9, 0, NONE]) + resolve(5, 17, proc=b"\0"),
    "leader-exits-first": bytes([EXEC, 1]) + mmap(1, 16, 8) + bytes([EXIT, 1, 1]) +
                          b"".join(resolve(0x91, 17) for _ in range(4)) + bytes([EXIT, 0x91, 0]) +
                          resolve(0x91, 17) + resolve(LATER | 1, 17),
    # open() says ambiguous (0x10); then what roots are: 0, 1, 0, and gone.
    "roots": mmap(1, 16, 8, answer=b"\x10\0") + mmap(2, 16, 8, answer=b"\1\x11\1") +
             mmap(3, 16, 8, answer=b"\0") + mmap(4, 16, 8, answer=b"\x81\0"),
    "slow": mmap(1, 16, 8, answer=b"\x20\0") + bytes([BORROW, 0, 0, BORROW, 0, UNPIN, 0]) +
            resolve(1, 17, proc=b"\x20") + bytes([BORROW, 0, 1]) + resolve(1, 17),
    "let-go": bytes([EXEC, 1]) + mmap(1, 16, 8) + mmap(1, 32, 8, 2) + bytes([LET_GO, LATER, EXEC, 1]) +
              3 * bytes([LET_GO, LATER]) + bytes([LET_GO, LATER, 0, 1]) + mmap(1, 16, 8),
    "replaced": bytes([EXEC, 1]) + mmap(1, 16, 8) + bytes([UNPIN, 0]) + resolve(1, 17, proc=b"\x40\x40") +
                resolve(1, 17),
    "time-goes-back": bytes([EXEC, LATER | 1]) + mmap(1, 16, 8) + bytes([EXIT, LATER | 1, 1]) +
                      bytes([EXEC, 0xFF, 0]) + resolve(1, 17) + resolve(0xFF, 17),
}

for name, data in MAPS.items():
    write("process_maps", name, data)
for name, data in TABLE.items():
    write("process_table", name, data)
