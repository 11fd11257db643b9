#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do names reach beyond their symbols? Asks `slowburn symbolize` about addresses spread evenly over a file's code, and holds each
name against the symbols as readelf prints them, the functions in PT_GNU_EH_FRAME's table, read here, and, for a symbol without a
size in a file that was stripped, where objdump sees its code end. Stubs of the linker must have objdump's names.

usage: bounds.py SLOWBURN FILE [--widen N]

--widen N asks N bytes further on than it says: the judge must see that (its own test).
"""

import bisect
import json
import re
import struct
import subprocess
import sys

MAX_ADDRESSES = 60000
MAX_CODE = 8192
ENDS = ("ret", "jmp", "ud2", "hlt", "int3")
SHOWN = 8


def readelf(*words):
    done = subprocess.run(["readelf", "-W", *words], capture_output=True, text=True, check=True, errors="replace")
    return done.stdout.splitlines()


class File:
    def __init__(self, path):
        self.path = path
        self.sections = {}  # number -> (start, end) of code
        for line in readelf("-S", path):
            head, bracket, rest = line.partition("]")
            words = rest.split()
            if not bracket or "[" not in head or len(words) < 8 or "X" not in words[6]:
                continue
            number, start = int(head.strip(" [")), int(words[2], 16)
            self.sections[number] = (start, start + int(words[4], 16))
        self.symbols = {}  # name -> [(start, size, section)]
        starts = set()
        for line in readelf("-s", path):
            words = line.split()
            if len(words) < 8 or not words[0].endswith(":") or not words[6].isdigit():
                continue
            if int(words[6]) not in self.sections:
                continue
            start, size = int(words[1], 16), int(words[2], 0)
            starts.add(start)
            if words[3] in ("FUNC", "IFUNC", "GNU_IFUNC", "NOTYPE"):
                self.symbols.setdefault(words[7].split("@")[0], []).append((start, size, int(words[6])))
        self.stripped = not any("'.symtab'" in line for line in readelf("-s", path))
        self.ends = {}  # by start, of symbols without a size
        self.limits = sorted(starts | set(self.functions()))
        self.stubs = self.labels()

    def functions(self):
        """Where functions begin that have unwind information: the search table of .eh_frame_hdr."""
        for line in readelf("-l", self.path):
            words = line.split()
            if words and words[0] == "GNU_EH_FRAME":
                offset, vaddr, size = int(words[1], 16), int(words[2], 16), int(words[4], 16)
                break
        else:
            raise SystemExit(f"{self.path}: no PT_GNU_EH_FRAME")
        with open(self.path, "rb") as f:
            f.seek(offset)
            table = f.read(size)
        version, _, count_encoding, table_encoding = table[:4]
        # udata4, and sdata4 relative to the table: what all linkers write.
        if (version, count_encoding, table_encoding) != (1, 0x03, 0x3B):
            raise SystemExit(f"{self.path}: .eh_frame_hdr of another encoding")
        (count,) = struct.unpack_from("<I", table, 8)
        return [vaddr + struct.unpack_from("<i", table, 12 + 8 * i)[0] for i in range(count)]

    def labels(self):
        """(start, end, name) of what objdump calls NAME@plt: to the next label or the section's end, 16 bytes at most."""
        words = ["objdump", "-d", "-w", "-j", ".plt", "-j", ".plt.sec", "-j", ".plt.got", self.path]
        done = subprocess.run(words, capture_output=True, text=True)
        matches = re.findall(r"^([0-9a-f]+) <(.*)>:$", done.stdout, re.MULTILINE)
        found = sorted((int(at, 16), name) for at, name in matches)
        borders = sorted([at for at, _ in found] + [end for _, end in self.sections.values()])
        ends = [borders[bisect.bisect_right(borders, at)] for at, _ in found]
        return [(at, min(end, at + 16), name) for (at, name), end in zip(found, ends) if name.endswith("@plt")]

    def in_stub(self, name, addr):
        at = bisect.bisect_right(self.stubs, (addr, 1 << 64)) - 1
        return at >= 0 and addr < self.stubs[at][1] and name == self.stubs[at][2]

    def code_end(self, start, limit):
        """Behind the first instruction that ends it and over which no branch before has led."""
        limit, reach, last = min(limit, start + MAX_CODE), 0, False
        words = ["objdump", "-d", "-w", f"--start-address={start:#x}", f"--stop-address={limit:#x}", self.path]
        for line in subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines():
            columns = line.split("\t")
            if len(columns) < 3:
                continue
            at, text = int(columns[0].strip(" :"), 16), columns[2].split()
            if last and reach < at:
                return at
            last = any(word in ENDS for word in text[:2])
            short = text[0] == "jmp" and len(columns[1].split()) == 2
            if (short or (text[0][0] == "j" and text[0] != "jmp")) and text[1][0] != "*":
                reach = max(reach, int(text[1], 16)) if int(text[1], 16) < limit else reach
        return limit

    def end_without_size(self, start, limit):
        if start not in self.ends:
            later = bisect.bisect_right(self.limits, start)
            end = min([limit] + self.limits[later : later + 1])
            self.ends[start] = self.code_end(start, end) if self.stripped else end
        return self.ends[start]

    def contains(self, name, addr):
        """Some symbol of that name does, or a stub."""
        if name.endswith("@plt"):
            return self.in_stub(name, addr)
        name = name.split("@")[0]
        for start, size, section in self.symbols.get(name, []):
            end = self.sections[section][1]
            end = min(end, start + size) if size else self.end_without_size(start, end)
            if start <= addr < end:
                return True
        return False

    def sized(self):
        """Stretches in which each address has a name: of symbols with a size, and stubs."""
        symbols = [
            (start, min(start + size, self.sections[section][1]))
            for places in self.symbols.values()
            for start, size, section in places
            if size
        ]
        return sorted(symbols + [(start, end) for start, end, _ in self.stubs])

    def addresses(self):
        total = sum(end - start for start, end in self.sections.values())
        step = max(1, total // MAX_ADDRESSES)
        return [a for start, end in sorted(self.sections.values()) for a in range(start, end, step)][:65536]


def covered(stretches, addresses):
    """Those in a stretch; both ascend."""
    inside, reach, at = set(), 0, 0
    for addr in addresses:
        while at < len(stretches) and stretches[at][0] <= addr:
            reach = max(reach, stretches[at][1])
            at += 1
        if addr < reach:
            inside.add(addr)
    return inside


def main():
    slowburn, path = sys.argv[1:3]
    widen = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    file = File(path)
    addresses = file.addresses()
    done = subprocess.run(
        [slowburn, "symbolize", "--inlines", "--json", path],
        input="\n".join(f"{a:x}" for a in addresses),
        capture_output=True,
        text=True,
        check=True,
        errors="replace",
    )
    answer = json.loads(done.stdout)
    if any("debug file" in s["source"] and "named" in s["result"] for s in answer["sources"]):
        raise SystemExit("it has a debug file: its symbols are not read here")
    beyond, named = [], set()
    for addr, said in zip(addresses, answer["addresses"]):
        if not said["frames"]:
            continue
        named.add(addr)
        name = said["frames"][-1]["system_name"]
        if not file.contains(name, addr + widen):
            beyond.append(f"{addr + widen:#x} {name}")
    must = covered(file.sized(), addresses)
    missed = sorted(must - named)
    print(f"{path}: {len(addresses)} addresses, {len(named)} named, {len(must)} in symbols with a size and {len(file.stubs)} stubs")
    print(f"beyond their symbol: {len(beyond)}", *beyond[:SHOWN], sep="\n  ")
    print(f"in a symbol, without a name: {len(missed)}", *(f"{a:#x}" for a in missed[:SHOWN]), sep="\n  ")
    sys.exit(1 if beyond or missed or not named else 0)


if __name__ == "__main__":
    main()
