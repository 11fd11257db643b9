# SPDX-License-Identifier: Apache-2.0
"""giant.py FILE MIB: writes an ELF program with MIB of text (in a sparse file) and an FDE for every 2 KiB of it, which
spins at the end of a chain of calls from one end of its text to the other.

As a real binary of that size has it: an address in it is looked up in an index that is itself large, its rows are far
more than fit one answer of the symbolizer, and what is touched of it lies far apart. Each function is

	sub $24, %rsp; call next; add $24, %rsp; ret

and the last one spins. The chain is CHAIN functions long and _start calls the first of them.

giant.py --check PROFILE COMM …: what a profile has of such a program's stacks.
"""
import argparse
import collections
import os
import struct
import sys

BASE, PAGE = 0x400000, 4096
EVERY = 2048
CHAIN = 12
PT_LOAD, PT_GNU_EH_FRAME = 1, 0x6474E550
R, X = 4, 1


def uleb(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def padded(body):
    body += b"\0" * (-(len(body) + 4) % 8)  # DW_CFA_nop
    return struct.pack("<I", len(body)) + body


def frames(at, text, size):
    """.eh_frame at `at`: one CIE, whose rows of an FDE are: CFA rsp+8, from byte 4 on rsp+32, from 13 on rsp+8; and _start's."""
    # version 1, "zR", code factor 1, data factor -8, return address 16, pc-relative sdata4; CFA rsp+8, ra at CFA-8
    cie = padded(struct.pack("<IB3s", 0, 1, b"zR\0") + b"\x01\x78\x10\x01\x1b" + b"\x0c\x07\x08" + b"\x90\x01")
    out = bytearray(cie)
    # some more steps within, where no code is, make rows
    extra = b"".join(b"\x02\x40\x0e" + uleb(16 + 8 * (i % 7)) for i in range(12))
    body = b"\x00" + b"\x44\x0e\x20" + b"\x49\x0e\x08" + extra
    for start in range(text, text + size, EVERY):
        here = at + len(out)
        first = start == text
        # the outermost frame: its return address is undefined
        rows = b"\x00\x07\x10" if first else body
        fde = struct.pack("<Iii", here + 4 - at, start - (here + 8), EVERY - 1) + rows
        out += padded(fde)
    return bytes(out + b"\0\0\0\0")


def code(size):
    """{offset: bytes}: _start and the chain."""
    places = [EVERY * 2 + (size - EVERY * 4) // (CHAIN - 1) * i // EVERY * EVERY for i in range(CHAIN)]
    out = {0: b"\xe8" + struct.pack("<i", places[0] - 5) + b"\xf4"}
    for here, after in zip(places, places[1:]):
        out[here] = b"\x48\x83\xec\x18\xe8" + struct.pack("<i", after - (here + 9)) + b"\x48\x83\xc4\x18\xc3"
    out[places[-1]] = b"\xeb\xfe"
    return out


def check(arguments):
    """The samples of COMM: at least --min, none lost, --whole of them to the bottom, with --depth frames."""
    from profiles import read_pprof

    parser = argparse.ArgumentParser()
    parser.add_argument("profile")
    parser.add_argument("comm")
    parser.add_argument("--min", type=int, default=0)
    parser.add_argument("--whole", type=float, default=0)
    parser.add_argument("--depth", type=int, help="user frames of those that are whole")
    parser.add_argument("--leaf", action="store_true", help="all know at least where they are")
    parser.add_argument("--why", help="most of those that aren't whole end by this reason")
    parser.add_argument("--said", help="a counter that is not 0, in one of these words: A|B")
    args = parser.parse_args(arguments)
    profile = read_pprof(args.profile)
    complaints = [c for c in profile.comments if "samples lost" in c]
    samples = [s for s in profile.samples if s.comm == args.comm]
    n = sum(s.count for s in samples)
    users = [(s.count, [f for f in s.frames if not f.kernel]) for s in samples]
    whole = [(k, f) for k, f in users if f and not f[-1].name.startswith("[truncated")]
    share = sum(k for k, _ in whole) / max(n, 1)
    print(f"{args.comm}: {n} samples, {100 * share:.1f} % whole; {'; '.join(profile.comments)}")
    if n < args.min:
        complaints.append(f"{n} samples, not {args.min}")
    if share < args.whole:
        complaints.append(f"{100 * share:.1f} % are whole, not {100 * args.whole:g} %")
    if args.depth and any(len(f) != args.depth for _, f in whole):
        complaints.append(f"depths {sorted({len(f) for _, f in whole})}, not {args.depth}")
    if args.leaf and any(not f or f[0].name.startswith("[truncated") for _, f in users):
        complaints.append("a sample without its leaf")
    ends = collections.Counter()
    for k, f in users:
        if f and f[-1].name.startswith("[truncated"):
            ends[f[-1].name] += k
    if args.why and [e for e, _ in ends.most_common(1)] != [f"[truncated: {args.why}]"]:
        complaints.append(f"they end by {dict(ends)}, not by {args.why}")
    if args.said and not any(words in c for c in profile.comments for words in args.said.split("|")):
        complaints.append(f'nothing is said of "{args.said}"')
    for complaint in complaints:
        print(f"FAIL: {complaint}")
    return 1 if complaints else 0


def main():
    if sys.argv[1:2] == ["--check"]:
        return check(sys.argv[2:])
    path, size = sys.argv[1], int(sys.argv[2]) << 20
    text = BASE + PAGE
    table = text + size + PAGE
    eh = frames(table + 8, text, size)
    # version 1, pointer pc-relative sdata4, no search table
    head = b"\x01\x1b\xff\xff" + struct.pack("<i", 8 - 4)
    content = head + eh
    segments = [(PT_LOAD, R | X, PAGE, text, size), (PT_LOAD, R, PAGE + size + PAGE, table, len(content)),
                (PT_GNU_EH_FRAME, R, PAGE + size + PAGE, table, len(head))]
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, text, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    for kind, flags, off, vaddr, length in segments:
        header += struct.pack("<IIQQQQQQ", kind, flags, off, vaddr, vaddr, length, length, PAGE)
    with open(path, "wb") as file:
        file.write(header)
        for off, instructions in code(size).items():
            file.seek(PAGE + off)
            file.write(instructions)
        file.seek(PAGE + size + PAGE)
        file.write(content)
    os.chmod(path, 0o755)
    return 0


if __name__ == "__main__":
    sys.exit(main())
