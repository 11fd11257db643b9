# SPDX-License-Identifier: Apache-2.0
"""Reads profiles: pprof (FILE.pb.gz) by its wire format, so that nothing has to be installed, and `perf record`
output (FILE.perf) through `perf script`; and the function symbols of ELF files, to know what a
profiler could have known.
"""
import bisect
import collections
import gzip
import os
import re
import struct
import subprocess
from dataclasses import dataclass, field

HZ = 99


class Wrong(Exception):
    """The file can't be what it is said to be."""


# ---------------------------------------------------------------- a profile, whatever it came from


@dataclass(frozen=True)
class Frame:
    name: str  # of the function; "" if it has none
    module: str  # path of the file, or "[kernel.kallsyms]"
    file_off: int  # where in that file; -1 unknown
    kernel: bool
    source: str = ""  # path of the source file; "" if it isn't known
    line: int = 0

    @property
    def named(self):
        return bool(self.name) and not is_placeholder(self.name)


@dataclass
class Sample:
    count: int
    cpu_ns: int
    comm: str
    thread: str
    pid: int
    tid: int
    frames: list  # leaf first; an inlined function is a frame as well
    labels: dict = field(default_factory=dict)

    @property
    def leaf(self):
        return self.frames[0] if self.frames else Frame("", "", -1, False)

    @property
    def kernel(self):
        return bool(self.frames) and self.frames[0].kernel

    def has(self, function):
        """It is in the stack. A user function: the kernel may have one of the same name."""
        return any(f.name == function and not f.kernel for f in self.frames)


@dataclass
class Profile:
    samples: list
    path: str
    duration_ns: int = 0
    period_ns: int = 0
    time_ns: int = 0
    comments: list = field(default_factory=list)
    strings: list = field(default_factory=list)  # bytes, as they are in the file
    raw: dict = field(default_factory=dict)

    def of(self, want):
        return [s for s in self.samples if want(s)]


def is_placeholder(name):
    """Names that stand for "no name": [libfoo.so], libfoo.so+0x12, 0x1234, [unknown]; and those of the linker's stubs, which
    stripped files have, too, and not all tools know."""
    return not name or name.startswith("[") or name.endswith("@plt") or bool(re.fullmatch(r"(.*\+)?0x[0-9a-f]+", name))


USER_BRACKETS = ("[vdso]", "[vsyscall]", "[heap]", "[stack]", "[unknown", "[anon", "[truncated", "[jit", "[uprobes]")


def is_kernel_module(path):
    return (path.startswith("[") and not path.startswith(USER_BRACKETS)) or path.endswith(".ko")


# ---------------------------------------------------------------- pprof, by its wire format


def varint(data, pos):
    value = shift = 0
    while True:
        if pos >= len(data) or shift > 63:
            raise Wrong("a number runs beyond the end")
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
        shift += 7


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def fields(data):
    """(field number, value) of one message: int for numbers, memoryview for the rest."""
    pos = 0
    data = memoryview(data)
    while pos < len(data):
        key, pos = varint(data, pos)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, pos = varint(data, pos)
        elif kind == 2:
            size, pos = varint(data, pos)
            if size > len(data) - pos:
                raise Wrong("a field runs beyond the end")
            value, pos = data[pos : pos + size], pos + size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, pos = int.from_bytes(data[pos : pos + size], "little"), pos + size
        else:
            raise Wrong(f"wire type {kind}")
        yield number, value


def repeated_ints(value):
    """A repeated number field: packed or one at a time."""
    if isinstance(value, int):
        return [signed(value)]
    out, pos = [], 0
    while pos < len(value):
        number, pos = varint(value, pos)
        out.append(signed(number))
    return out


def message(data, numbers=(), repeated=()):
    """A message as a dict: the last of each of `numbers` (0 if absent), lists for `repeated`."""
    out = {n: 0 for n in numbers}
    out.update({n: [] for n in repeated})
    for number, value in fields(data):
        if number in repeated:
            out[number].append(value)
        elif number in out:
            out[number] = signed(value) if isinstance(value, int) else value
    return out


def read_pprof(path):
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    top = message(data, numbers=(9, 10, 11, 12, 14), repeated=(1, 2, 3, 4, 5, 6, 13))
    strings = [bytes(s) for s in top[6]]
    if not strings or strings[0] != b"":
        raise Wrong("string 0 is not the empty string")
    texts = [s.decode("utf-8", "surrogateescape") for s in strings]

    mappings, functions, locations = {}, {}, {}
    for raw in top[3]:
        m = message(raw, numbers=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10))
        mappings[m[1]] = {
            "start": m[2] & (2**64 - 1), "limit": m[3] & (2**64 - 1), "offset": m[4],
            "file": texts[m[5]], "build_id": texts[m[6]], "has_functions": bool(m[7]),
            "has_filenames": bool(m[8]), "has_line_numbers": bool(m[9]), "has_inline_frames": bool(m[10]),
        }
    for raw in top[5]:
        m = message(raw, numbers=(1, 2, 3, 4))
        functions[m[1]] = texts[m[2]], texts[m[4]]
    for raw in top[4]:
        m = message(raw, numbers=(1, 2, 3), repeated=(4,))
        mapping = mappings.get(m[2])
        if m[2] and mapping is None:
            raise Wrong(f"location {m[1]} names mapping {m[2]}, which doesn't exist")
        address = m[3] & (2**64 - 1)
        module = mapping["file"] if mapping else ""
        kernel = is_kernel_module(module)
        off = address - mapping["start"] + mapping["offset"] if mapping and not kernel else -1
        names = []
        for line in m[4]:
            one = message(line, numbers=(1, 2))
            function = one[1]
            if function not in functions:
                raise Wrong(f"location {m[1]} names function {function}, which doesn't exist")
            names.append((*functions[function], one[2]))
        locations[m[1]] = [Frame(n, module, off, kernel, source, line) for n, source, line in names or [("", "", 0)]]

    types = [tuple(texts[message(t, numbers=(1, 2))[n]] for n in (1, 2)) for t in top[1]]
    column = {f"{kind}/{unit}": i for i, (kind, unit) in enumerate(types)}
    if "samples/count" not in column or "cpu/nanoseconds" not in column:
        raise Wrong(f"sample types {types}: samples/count and cpu/nanoseconds are needed")
    samples = []
    for raw in top[2]:
        m = message(raw, repeated=(1, 2, 3))
        values = [v for part in m[2] for v in repeated_ints(part)]
        if len(values) != len(types):
            raise Wrong(f"a sample has {len(values)} values, not {len(types)}")
        labels = {}
        for label in m[3]:
            one = message(label, numbers=(1, 2, 3))
            key = texts[one[1]]
            if key in labels:
                raise Wrong(f'a sample has two labels "{key}"')
            labels[key] = texts[one[2]] if one[2] else one[3]
        frames = []
        for part in m[1]:
            for location in repeated_ints(part):
                if location not in locations:
                    raise Wrong(f"a sample names location {location}, which doesn't exist")
                frames += locations[location]
        samples.append(Sample(
            values[column["samples/count"]], values[column["cpu/nanoseconds"]],
            str(labels.get("comm", "")), str(labels.get("thread", labels.get("thread_name", ""))),
            int(labels.get("pid", 0)), int(labels.get("tid", 0)), frames, labels))
    comments = [texts[i] for part in top[13] for i in repeated_ints(part)]
    return Profile(samples, path, top[10], top[12], top[9], comments, strings,
                   {"mappings": mappings, "types": types, "default": texts[top[14]]})


# ---------------------------------------------------------------- perf record, by perf script

PERF_HEAD = re.compile(r"^(.*?)\s+(-?\d+)/(-?\d+)\s+\[(\d+)\]\s+([\d.]+):\s*$", re.S)
PERF_FRAME = re.compile(r"^\s+([0-9a-f]+) (.*) \((.*)\)$")


def perf_file_off(address, module):
    """perf script prints the address of a mapped file's frame as its offset in that file."""
    try:
        return address if module.startswith("/") and address < os.stat(module).st_size else -1
    except OSError:
        return -1


# perf takes names from separate debug files (/usr/lib/debug) and from its own cache of binaries, too.
# NEEDSWORK: slowburn doesn't read separate debug files yet; when it does, perf shall have them here as well.
WITHOUT_DEBUG_FILES = ["unshare", "--mount", "sh", "-c",
                       'mount -t tmpfs none /usr/lib/debug; exec "$@"', "sh"]


def read_perf(path):
    hide = os.geteuid() == 0 and os.path.isdir("/usr/lib/debug")
    text = subprocess.run(
        [*(WITHOUT_DEBUG_FILES if hide else []), "perf", "--buildid-dir", "/nonexistent", "script", "--no-inline", "--ns",
         "-F", "comm,pid,tid,cpu,time,ip,sym,symoff,dso", "-i", path],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    period = round(1e9 / HZ)
    samples, times = [], []
    for block in text.decode("utf-8", "surrogateescape").split("\n\n"):
        lines = block.strip("\n").split("\n")
        at = next((i for i, line in enumerate(lines) if PERF_FRAME.match(line)), len(lines))
        head = PERF_HEAD.match("\n".join(lines[:at]))
        if not head:
            continue
        pid, tid = int(head[2]), int(head[3])
        times.append(round(float(head[5]) * 1e9))
        if pid == 0:
            continue  # the idle task
        frames = []
        for line in lines[at:]:
            m = PERF_FRAME.match(line)
            if not m:
                continue
            name = re.sub(r"\+0x[0-9a-f]+$", "", m[2])
            name = "" if name == "[unknown]" or name.endswith("@plt") else name
            address = int(m[1], 16)
            kernel = address >> 63 == 1 or is_kernel_module(m[3])
            frames.append(Frame(name, m[3], perf_file_off(address, m[3]), kernel))
        samples.append(Sample(1, period, head[1].strip(), head[1].strip(), pid, tid, frames, {"time_ns": times[-1]}))
    duration = max(times) - min(times) if times else 0
    return Profile(samples, path, duration, period, min(times, default=0))


def read_profile(path):
    try:
        return read_perf(path) if path.endswith(".perf") else read_pprof(path)
    except (Wrong, OSError, EOFError, gzip.BadGzipFile, struct.error) as error:
        raise SystemExit(f"{path}: {error}") from error


# ---------------------------------------------------------------- symbols of an ELF file


class Symbols:
    """The function symbols of a file: what a profiler could have known."""

    cache = {}

    def __init__(self, path):
        self.starts, self.rows, self.aliases, self.segments = [], [], {}, []
        try:
            with open(path, "rb") as file:
                self.read(file.read())
        except (OSError, struct.error, IndexError):
            pass
        rows = sorted(self.rows)
        self.starts, self.rows = [r[0] for r in rows], rows
        by_address = collections.defaultdict(set)
        for start, _, name in rows:
            by_address[start].add(name)
        for names in by_address.values():
            for name in names:
                self.aliases[name] = min(names)

    def read(self, data):
        if data[:4] != b"\x7fELF" or data[4] != 2:
            return
        phoff, shoff = struct.unpack_from("<QQ", data, 32)
        phentsize, phnum, shentsize, shnum = struct.unpack_from("<HHHH", data, 54)
        for i in range(phnum):
            kind, _, off, vaddr, _, filesz = struct.unpack_from("<IIQQQQ", data, phoff + i * phentsize)
            if kind == 1:
                self.segments.append((off, vaddr, filesz))
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * shentsize) for i in range(shnum)]
        for section in sections:
            if section[1] not in (2, 11):  # SHT_SYMTAB, SHT_DYNSYM
                continue
            strings = sections[section[6]]
            for at in range(section[4], section[4] + section[5], 24):
                name, info, _, shndx, value, size = struct.unpack_from("<IBBHQQ", data, at)
                if info & 15 not in (2, 10) or not shndx or not size:
                    continue
                begin = strings[4] + name
                text = data[begin : data.index(b"\0", begin)].decode("utf-8", "replace")
                self.rows.append((value, value + size, text))

    def name_at(self, file_off):
        """The symbol that covers a place in the file, "" if none does."""
        for off, vaddr, size in self.segments:
            if off <= file_off < off + size:
                at = file_off - off + vaddr
                i = bisect.bisect_right(self.starts, at)
                for start, end, name in reversed(self.rows[max(0, i - 16) : i]):
                    if start <= at < end:
                        return name
        return ""

    @classmethod
    def of(cls, path):
        if path not in cls.cache:
            cls.cache[path] = cls(path)
        return cls.cache[path]
