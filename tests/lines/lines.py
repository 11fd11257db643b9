#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
The lines and inlined functions of slowburn beside llvm-symbolizer's, on addresses spread evenly over a file's code.

    lines.py build FOLDER               programs by the compilers that are there
    lines.py small FOLDER               small ones, for a fuzzer to start from
    lines.py compare FOLDER [COUNT]     all of them, and libc; fails below 99.9 %
    lines.py file FILE [COUNT]          one file

Where llvm-symbolizer can't read a form of debug information (dwz, zstd), it is asked about the same program before that was
applied: neither moves code. What differs is told by kind (docs/NAMES.md says who is right):

    twin    the same text to a reader: complete and base constructors (C1, C2) that share their code
    alias   both name the outermost function by a symbol that has its address, but not the same one
    symbol  we name it by such a symbol, llvm-symbolizer by DWARF: it doesn't read a debug file's symbols
    table   there is no DWARF there; llvm-symbolizer (15 and later) has a file's name from the symbol table
    other   all else; printed

gold is GNU's linker in C++, 170,000 lines, for all of its targets: it is built if the package binutils-source is there, which
takes minutes, and kept in the user's cache. Debian's own (its debug package: binutils-x86-64-linux-gnu-dbg) was run through dwz: eu-addr2line is asked about that.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SLOWBURN = os.path.join(os.environ.get("BUILD", "build"), "slowburn")
COUNT = 5000
LEAST = 99.9
SHOWN = 5
GOLD = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "slowburn-tests", "gold")
LABEL_BYTES = 4096  # of a symbol without a size

CXX = ["-O2", "-g", "-o", "OUT", f"{HERE}/program.cc"]
DEAD = ["-O1", "-g", "-fPIC", "-shared", "-ffunction-sections", "-fvisibility=hidden", "-Wl,--gc-sections", "-Wl,-u,alive",
        "-o", "OUT", f"{HERE}/dead.c"]
# Name, command, and the name of the program that llvm-symbolizer is asked about instead.
PROGRAMS = [
    ("gcc-5", ["g++", "-gdwarf-5", *CXX], None),
    ("gcc-4", ["g++", "-gdwarf-4", *CXX], None),
    ("gcc-lto", ["g++", "-flto", *CXX], None),
    ("gcc-types", ["g++", "-fdebug-types-section", *CXX], None),
    ("gcc-64", ["g++", "-gdwarf64", *CXX], None),
    ("gcc-sections", ["g++", "-ffunction-sections", "-Wl,--gc-sections", *CXX], None),
    # Of two functions of one name the linker keeps the first: each speaks of it.
    ("gcc-kept", ["g++", "-O2", "-g", "-fuse-ld=bfd", "-o", "OUT", f"{HERE}/kept.cc", f"{HERE}/kept_again.cc"], None),
    # A function that the linker throws away is at 0, and reaches to where others are.
    ("gcc-dead", ["gcc", *DEAD, "-fuse-ld=bfd"], None),
    ("gcc-dead-lld", ["gcc", *DEAD, "-fuse-ld=lld"], None),
    ("gcc-zlib", ["g++", "-gz=zlib", *CXX], None),
    ("gcc-zlib-gnu", ["objcopy", "--compress-debug-sections=zlib-gnu", "gcc-5", "OUT"], "gcc-5"),
    ("gcc-zstd", ["objcopy", "--compress-debug-sections=zstd", "gcc-5", "OUT"], "gcc-5"),
    ("gcc-dwz", ["dwz", "-o", "OUT", "gcc-5"], "gcc-5"),
    ("clang-5", ["clang++", "-gdwarf-5", *CXX], None),
    ("clang-4", ["clang++", "-gdwarf-4", *CXX], None),
    ("clang-lld-lto", ["clang++", "-flto", "-fuse-ld=lld", *CXX], None),
    ("clang-types", ["clang++", "-fdebug-types-section", *CXX], None),
    ("clang-lines", ["clang++", "-O2", "-gmlt", "-o", "OUT", f"{HERE}/program.cc"], None),
    ("rust", ["rustc", "-O", "-g", "-o", "OUT", f"{HERE}/program.rs"], None),
    ("go", ["go", "build", "-o", "OUT", f"{HERE}/program.go"], None),
]

C = ["-O2", "-g", "-nostdlib", "-static", "-o", "OUT", f"{HERE}/small.c"]
ALTERNATE = ("command -v dwz && d=$(mktemp -d) && trap 'rm -rf $d' EXIT && cp gcc-5 $d/1 && cp gcc-4 $d/2 && "
             "cd $d && dwz -m 3 -M /usr/lib/debug/.dwz/small 1 2")
SMALL = [
    ("gcc-5", ["gcc", "-gdwarf-5", *C], None),
    ("gcc-4", ["gcc", "-gdwarf-4", *C], None),
    ("gcc-64", ["gcc", "-gdwarf64", *C], None),
    ("gcc-lto", ["gcc", "-flto", *C], None),
    ("gcc-zlib", ["gcc", "-gz=zlib", *C], None),
    ("gcc-zlib-gnu", ["objcopy", "--compress-debug-sections=zlib-gnu", "gcc-5", "OUT"], None),
    ("gcc-zstd", ["objcopy", "--compress-debug-sections=zstd", "gcc-5", "OUT"], None),
    ("gcc-dwz", ["dwz", "-o", "OUT", "gcc-5"], None),
    # A program that names an alternate file, and that file.
    ("gcc-dwz-main", ["sh", "-c", f"{ALTERNATE}; mv 1 $0", "OUT"], None),
    ("gcc-dwz-alternate", ["sh", "-c", f"{ALTERNATE}; mv 3 $0", "OUT"], None),
    ("clang-5", ["clang", "-gdwarf-5", *C], None),
    ("clang-4", ["clang", "-gdwarf-4", *C], None),
]


def build(folder, programs):
    os.makedirs(folder, exist_ok=True)
    for name, command, _ in programs:
        out = os.path.join(os.path.abspath(folder), name)
        if os.path.exists(out):
            continue
        if not shutil.which(command[0]):
            print(f"# {name}: no {command[0]} here")
            continue
        command = [out if word == "OUT" else word for word in command]
        environment = {**os.environ, "GOCACHE": os.path.join(os.path.abspath(folder), "go-cache"),
                       "GO111MODULE": "off"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            print(f"# {name}: not built: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
            if os.path.exists(out):
                os.unlink(out)


def build_gold(out):
    source = max(glob.glob("/usr/src/binutils/binutils-*.tar.xz"), default=None)
    if os.path.exists(out):
        return
    if not source:
        print("# gold: no binutils-source here")
        return
    work = out + ".build"
    flags = "CFLAGS=-O2 -g", "CXXFLAGS=-O2 -g"
    others = [f"--disable-{part}" for part in ("nls", "gdb", "gdbserver", "sim", "ld", "gas", "binutils", "gprof", "gprofng", "plugins")]
    os.makedirs(work, exist_ok=True)
    for command in (["tar", "xf", source, "--strip-components=1"],
                    ["./configure", "--quiet", "--enable-gold", "--enable-targets=all", *others, *flags],
                    ["make", "-s", "MAKEINFO=true", "all-libiberty", "all-zlib", "configure-bfd", "configure-gold"],
                    ["nice", "make", "-s", f"-j{len(os.sched_getaffinity(0))}", "-C", "gold", "ld-new"]):
        done = subprocess.run(command, cwd=work, capture_output=True, text=True)
        if done.returncode:
            print(f"# gold: not built: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
            return
    os.rename(os.path.join(work, "gold", "ld-new"), out)
    shutil.rmtree(work)


def llvm_symbolizer():
    found = [f"llvm-symbolizer-{v}" for v in range(30, 13, -1)] + ["llvm-symbolizer"]
    for name in found:
        if shutil.which(name):
            return name
    sys.exit("no llvm-symbolizer here")


def addresses_of(path, count):
    out = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True).stdout
    m = re.search(r"\s\.text\s+\S+\s+([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)", out)
    start, size = int(m[1], 16), int(m[2], 16)
    return [start + size * i // count for i in range(count)]


def theirs(path, addresses):
    done = subprocess.run([llvm_symbolizer(), f"--obj={path}", "--inlines", "--no-demangle",
                           "--output-style=JSON"], input="".join(f"{a:#x}\n" for a in addresses),
                          capture_output=True, text=True)
    try:
        answers = json.loads(done.stdout)
    except json.JSONDecodeError:
        answers = [json.loads(line) for line in done.stdout.splitlines()]
    frames = [[(s["FunctionName"], s["FileName"], s["Line"]) for s in a.get("Symbol", [])]
              for a in answers]
    return [[f for f in chain if any(f)] for chain in frames]


def ours(path, addresses):
    done = subprocess.run([SLOWBURN, "symbolize", "--cache", "none", "--inlines", "--json", path],
                          input="".join(f"{a:#x}\n" for a in addresses), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"slowburn symbolize {path}: {done.stderr}")
    answer = json.loads(done.stdout)
    frames = [[(f["system_name"], f["file"], f["line"]) for f in a["frames"]] for a in answer["addresses"]]
    return frames, answer["sources"]


def aliases_of(path):
    """Where each symbol is, by name: addresses and sizes."""
    places = {}
    for f in (path, debug_file_of(path)):
        if not os.path.exists(f):
            continue
        out = subprocess.run(["readelf", "-sW", f], capture_output=True, text=True).stdout
        for line in out.splitlines():
            w = line.split()
            if len(w) >= 8 and w[0][:-1].isdigit() and w[6] not in ("UND", "ABS"):
                size = int(w[2], 0)
                places.setdefault(w[7].split("@")[0], set()).add((int(w[1], 16), size or LABEL_BYTES))
    return places


def demangled(names):
    """Each name as a reader sees it."""
    names = sorted(names)
    out = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True).stdout
    return dict(zip(names, out.splitlines()))


def kind_of(address, theirs_, ours_, places):
    if theirs_ == ours_:
        return "equal"
    t, o = list(theirs_), list(ours_)
    # Go's linker and others leave code without DWARF, which has a name all the same.
    if len(t) == len(o) == 1 and not o[0][1] and not t[0][2]:
        same = t[0][0] == o[0][0] or covers(t[0][0], address, places) and covers(o[0][0], address, places)
        return "table" if same else "other"
    if len(t) == 1 and not t[0][2] and not o:
        return "table"
    if not t and len(o) == 1 and not o[0][1] and covers(o[0][0], address, places):
        return "symbol"
    if len(t) == len(o) and t[:-1] == o[:-1] and t[-1][1:] == o[-1][1:] and \
            covers(o[-1][0], address, places):
        return "alias" if covers(t[-1][0], address, places) else "symbol"
    return "other"


def covers(name, address, places):
    return any(start <= address < start + size for start, size in places.get(name, ()))


def compare(path, reference, count):
    addresses = addresses_of(path, count)
    found, sources = ours(path, addresses)
    wanted = theirs(reference, addresses)
    places = aliases_of(reference)
    text = demangled({name for chain in found + wanted for name, _, _ in chain})
    kinds = {"equal": 0, "twin": 0, "alias": 0, "symbol": 0, "table": 0, "other": 0}
    shown = []
    for address, t, o in zip(addresses, wanted, found):
        kind = kind_of(address, t, o, places)
        if kind != "equal" and [(text[n], *rest) for n, *rest in t] == [(text[n], *rest) for n, *rest in o]:
            kind = "twin"
        kinds[kind] += 1
        if kind == "other" and len(shown) < SHOWN:
            shown.append(f"    {address:#x}\n      {llvm_symbolizer()}: {t}\n      slowburn: {o}")
    share = 100 * (1 - kinds["other"] / len(addresses))
    lines = sum(1 for o in found if o and o[0][1])
    depth = max((len(o) for o in found), default=0)
    print(f"{os.path.basename(path):14} {share:7.3f} % of {len(addresses)}: {kinds['equal']} equal, "
          f"{kinds['twin']} twin, {kinds['alias']} alias, {kinds['symbol']} symbol, {kinds['table']} table, {kinds['other']} differ; "
          f"{lines} have lines, up to {depth} frames")
    for text in shown:
        print(text)
    if not lines:
        print("    nothing was compared:", sources)
    return share >= LEAST and lines > 0


def compare_lines(path, count):
    """File and line alone, beside eu-addr2line: of what dwz moved to another file llvm-symbolizer knows nothing."""
    addresses = addresses_of(path, count)
    found, sources = ours(path, addresses)
    out = subprocess.run(["eu-addr2line", "-e", path], input="".join(f"{a:#x}\n" for a in addresses),
                         capture_output=True, text=True).stdout.splitlines()
    wanted = [("" if w[0].startswith("?") else w[0], int(w[1].split()[0])) for w in (line.split(":") for line in out)]
    mine = [o[0][1:] if o else ("", 0) for o in found]
    differ = [f"    {a:#x}\n      eu-addr2line: {t}\n      slowburn: {o}" for a, t, o in zip(addresses, wanted, mine) if t != o]
    lines = sum(1 for o in mine if o[0])
    if len(wanted) != len(addresses) or not lines:
        print(f"{os.path.basename(path)}: nothing was compared:", sources)
        return False
    share = 100 * (1 - len(differ) / len(addresses))
    print(f"{os.path.basename(path):14} {share:7.3f} % of {len(addresses)}, file and line beside eu-addr2line; {lines} have lines, "
          f"up to {max(len(o) for o in found)} frames")
    for text in differ[:SHOWN]:
        print(text)
    return share >= LEAST


def debug_file_of(path):
    note = subprocess.run(["readelf", "-n", path], capture_output=True, text=True).stdout
    m = re.search(r"Build ID: ([0-9a-f]{2})([0-9a-f]+)", note)
    return f"/usr/lib/debug/.build-id/{m[1]}/{m[2]}.debug" if m else ""


def compare_all(folder, count):
    good = True
    for name, _, other in PROGRAMS:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            good &= compare(path, os.path.join(folder, other) if other else path, count)
    if os.path.exists(GOLD):
        good &= compare(GOLD, GOLD, 4 * count)
    debian = os.path.realpath("/usr/bin/ld.gold")
    if os.path.exists(debug_file_of(debian)) and shutil.which("eu-addr2line"):
        good &= compare_lines(debian, 4 * count)
    libc = "/lib/x86_64-linux-gnu/libc.so.6"
    if os.path.exists(debug_file_of(libc)):
        good &= compare(libc, libc, 4 * count)
    return good


def main(words):
    if words[:1] == ["build"] and len(words) == 2:
        build(words[1], PROGRAMS)
        build_gold(GOLD)
    elif words[:1] == ["small"] and len(words) == 2:
        build(words[1], SMALL)
    elif words[:1] == ["compare"] and len(words) in (2, 3):
        sys.exit(not compare_all(words[1], int(words[2]) if len(words) > 2 else COUNT))
    elif words[:1] == ["file"] and len(words) in (2, 3):
        sys.exit(not compare(words[1], words[1], int(words[2]) if len(words) > 2 else COUNT))
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
